/* Bodies of requests to a Kubernetes API: what they set. */
#include "policy/kube_body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/kube_effects.h"

#define PATCH "application/json-patch+json"

/* The fields, each followed by a line end. */
static void expect(const char *type, const char *text, bool whole, const char *wanted)
{
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    struct effect effect = { .kind = EFFECT_REQUEST };
    char got[4096] = "";
    assert_int_equal(kube_body_read(type, text, strlen(text), &body), 0);
    assert_int_equal(kube_body_fields(body, &effect), 0);
    for (size_t i = 0; i < effect.n_also; i++) {
        strcat(strcat(got, effect.also[i]), "\n");
        free(effect.also[i]);
    }
    free(effect.also);
    if (strcmp(got, wanted) != 0 || kube_body_is_whole(body) != whole)
        fail_msg("%s: whole %d, \"%s\" instead of \"%s\"", text, kube_body_is_whole(body), got, wanted);
}

static void every_value_is_named_by_its_path(void **state)
{
    (void)state;
    expect(NULL,
           "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"hostNetwork\":true,\"x\":null,\"n\":-3,\"f\":0.5}}",
           true, "metadata.name=web\nspec.hostNetwork=true\nspec.x=null\nspec.n=-3\nspec.f=0.5\n");
    expect(NULL, "{\"spec\":{\"containers\":[{\"image\":\"a:1\"},{\"image\":\"b\"}],\"l\":[[1],2]}}", true,
           "spec.containers[*].image=a:1\nspec.containers[*].image=b\nspec.l[*][*]=1\nspec.l[*]=2\n");
    expect(NULL, "{\"a\":{},\"b\":[]}", true, "");
    expect(NULL, "", true, "");
}

static void no_key_looks_like_the_path_of_something_else(void **state)
{
    (void)state;
    expect(NULL, "{\"spec.hostNetwork\":true}", true, "[spec.hostNetwork]=true\n");
    expect(NULL, "{\"metadata\":{\"annotations\":{\"example.com/x\":\"y\"}}}", true,
           "metadata.annotations[example.com/x]=y\n");
    expect(NULL, "{\"a\":{\"\":1,\"b c\":2}}", true, "a[]=1\na[b c]=2\n");
    expect(NULL, "{\"a\":{\"\":1,\"b=c\":2,\"d[*]\":3,\"*\":4}}", false, "a[]=1\n");
}

static void patches_are_named_by_what_they_set(void **state)
{
    (void)state;
    expect(PATCH, "[{\"op\":\"add\",\"path\":\"/spec/hostNetwork\",\"value\":true}]", true,
           "spec.hostNetwork=true\n");
    expect(PATCH, "[{\"op\":\"replace\",\"path\":\"/spec/containers/0/image\",\"value\":\"x\"}]", true,
           "spec.containers[*].image=x\n");
    expect(PATCH, "[{\"op\":\"add\",\"path\":\"/spec/volumes/-\",\"value\":{\"hostPath\":{\"path\":\"/\"}}}]",
           true, "spec.volumes[*].hostPath.path=/\n");
    expect(PATCH, "[{\"op\":\"remove\",\"path\":\"/metadata/labels/a~1b~0c\"}]", true,
           "metadata.labels[a/b~c]=null\n");
    expect(PATCH, "[{\"op\":\"replace\",\"path\":\"\",\"value\":{\"spec\":{\"x\":1}}}]", true, "spec.x=1\n");
    expect(PATCH, "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", true, "");
    expect(PATCH, "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]", false, "");
    expect(PATCH, "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b\"}]", false, "");
    expect(PATCH, "[{\"op\":\"add\",\"path\":\"a\",\"value\":1}]", false, "");
    expect(PATCH, "[{\"op\":\"add\",\"path\":\"/a\"}]", false, "");
    expect(PATCH, "[{\"op\":\"new\",\"path\":\"/a\",\"value\":1}]", false, "");
    expect(PATCH, "[7]", false, "");
    static const char *const elements[] = { "+0", "-0", "-1", "+00", "-" };
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "[{\"op\":\"replace\",\"path\":\"/c/%s/image\",\"value\":\"x\"}]",
                       elements[i]);
        expect(PATCH, text, true, "c[*].image=x\n");
    }
}

static void what_cannot_be_read_is_not_whole(void **state)
{
    (void)state;
    expect("application/yaml", "spec:\n  hostNetwork: true\n", false, "");
    expect("application/apply-patch+yaml", "{\"a\":\"rm\xc2\x85-rf\"}", false, "");
    expect("application/merge-patch+json", "{\"a\":\"rm\xc2\x85-rf\"}", true, "a=rm\xc2\x85-rf\n");
    expect("application/vnd.kubernetes.protobuf", "{\"a\":1}", false, "");
    expect(NULL, "{\"a\":1,\"a\":2}", false, "");
    expect(NULL, "{\"a\":1}x", false, "");
    expect(NULL, "\xff", false, "");
    expect(NULL, "[1]", false, "[*]=1\n");
    expect(PATCH, "{\"a\":1}", false, "");
}

static void limits_are_met(void **state)
{
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    CLEANUP(free) char *text = malloc(KUBE_BODY_MAX + 64);
    size_t n = 0;
    (void)state;
    assert_non_null(text);
    n += (size_t)sprintf(text, "{\"a\":[1");
    for (int i = 1; i < KUBE_BODY_FIELDS_MAX; i++)
        n += (size_t)sprintf(text + n, ",1");
    strcpy(text + n, "]}");
    assert_int_equal(kube_body_read(NULL, text, n + 2, &body), 0);
    assert_true(kube_body_is_whole(body));
    kube_body_free(STEAL(body));
    strcpy(text + n, ",1]}");
    assert_int_equal(kube_body_read(NULL, text, n + 4, &body), 0);
    assert_false(kube_body_is_whole(body));
    kube_body_free(STEAL(body));

    for (int more = 0; more < 2; more++) { /* deep */
        int depth = KUBE_BODY_DEPTH_MAX - 1 + more;
        n = 0;
        for (int i = 0; i < depth; i++)
            n += (size_t)sprintf(text + n, "{\"a\":");
        text[n++] = '1';
        memset(text + n, '}', (size_t)depth);
        assert_int_equal(kube_body_read(NULL, text, n + (size_t)depth, &body), 0);
        assert_int_equal(kube_body_is_whole(body), !more);
        kube_body_free(STEAL(body));
    }

    n = (size_t)sprintf(text, "{\"a\":\"");
    memset(text + n, 'x', KUBE_FIELD_MAX);
    n += KUBE_FIELD_MAX;
    (void)sprintf(text + n, "\"}");
    expect(NULL, text, true, "a=\x01\n");

    memset(text, ' ', KUBE_BODY_MAX + 1);
    memcpy(text, "{}", 2);
    assert_int_equal(kube_body_read(NULL, text, KUBE_BODY_MAX, &body), 0);
    assert_true(kube_body_is_whole(body));
    kube_body_free(STEAL(body));
    assert_int_equal(kube_body_read(NULL, text, KUBE_BODY_MAX + 1, &body), 0);
    assert_false(kube_body_is_whole(body));
}

static void the_name_is_the_objects(void **state)
{
    static const char text[] = "{\"metadata\":{\"name\":\"web\"}}";
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    (void)state;
    assert_int_equal(kube_body_read(NULL, text, sizeof text - 1, &body), 0);
    assert_string_equal(kube_body_name(body), "web");
    kube_body_free(STEAL(body));
    assert_int_equal(kube_body_read(NULL, "{\"metadata\":{\"name\":7}}", 22, &body), 0);
    assert_null(kube_body_name(body));
    kube_body_free(STEAL(body));
    assert_int_equal(kube_body_read(NULL, "", 0, &body), 0);
    assert_null(kube_body_name(body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_named_by_its_path),
        cmocka_unit_test(no_key_looks_like_the_path_of_something_else),
        cmocka_unit_test(patches_are_named_by_what_they_set),
        cmocka_unit_test(what_cannot_be_read_is_not_whole),
        cmocka_unit_test(limits_are_met),
        cmocka_unit_test(the_name_is_the_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
