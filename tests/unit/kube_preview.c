/* What people are shown of a held request: the conversation with the API server, and what is made of it. */
#include "channels/kube/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "channels/kube/frame.h"

struct talk {
    const char *method, *target, *type, *body; /* of the held request */
    const char *server;
    bool shows_secrets;
    struct buffer asked, words;
    int made;
};

static void take_frames(struct talk *t, struct buffer *out)
{
    while (buffer_size(out) > 0) {
        struct reader r = reader_of(buffer_head(out), buffer_size(out));
        const uint8_t *bytes = NULL;
        uint8_t kind = 0;
        uint32_t n = 0;
        assert_true(reader_u8(&r, &kind) && reader_u32(&r, &n) && reader_bytes(&r, n, &bytes));
        assert_int_equal(buffer_append(&t->asked, bytes, n), 0);
        buffer_consume(out, FRAME_PREFIX + n);
    }
}

static void run(struct talk *t, size_t step)
{
    CLEANUP(kube_preview_free) struct kube_preview *preview = NULL;
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Target target = IPC__TARGET__INIT;
    char *roles[] = { (char *)"agent" };
    struct http_field field = { (char *)"Content-Type", (char *)(uintptr_t)t->type };
    const struct http_head head = { .method = (char *)(uintptr_t)t->method,
                                    .fields = &field,
                                    .n_fields = t->type ? 1 : 0 };
    assert_int_equal(kube_request_read(t->method, t->target, &request, NULL), 0);
    const struct exchange_question question = { .head = &head,
                                                .request = request,
                                                .body = (const uint8_t *)t->body,
                                                .body_n = t->body ? strlen(t->body) : 0 };
    target.show_secrets = roles;
    target.n_show_secrets = t->shows_secrets;
    const struct kube_preview_want want = { .question = &question,
                                            .host = "h",
                                            .config = &config,
                                            .target = &target,
                                            .who = { .roles = roles, .n_roles = 1, .target = "prod" } };
    buffer_init(&t->asked, 1 << 20);
    buffer_init(&t->words, KUBE_PREVIEW_TEXT_MAX);
    t->made = kube_preview_new(&want, &preview);
    if (t->made)
        return;
    size_t n = strlen(t->server);
    int r = 0;
    take_frames(t, kube_preview_out(preview));
    for (size_t at = 0, taken; r == 0 && at < n; at += taken) {
        r = kube_preview_take(preview, t->server + at, n - at < step ? n - at : step, &taken);
        take_frames(t, kube_preview_out(preview));
    }
    assert_int_equal(kube_preview_words(preview, &t->words), 0);
}

static void expect(struct talk t, const char *asked, const char *words)
{
    static const size_t steps[] = { SIZE_MAX, 1, 13 };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        run(&t, steps[i]);
        assert_int_equal(t.made, 0);
        assert_int_equal(buffer_append(&t.asked, "", 1), 0);
        assert_int_equal(buffer_append(&t.words, "", 1), 0);
        if (asked)
            assert_string_equal((const char *)buffer_head(&t.asked), asked);
        assert_string_equal((const char *)buffer_head(&t.words), words);
        buffer_free(&t.asked);
        buffer_free(&t.words);
    }
}

#define OURS "Accept-Encoding: identity\r\nUser-Agent: gatehouse-preview\r\n"
#define JSON "Host: h\r\nAccept: application/json\r\n" OURS
#define MAP  "/api/v1/namespaces/a/configmaps/m"

static void a_change_is_what_is_there_against_a_dry_run(void **state)
{
    (void)state;
    expect(
        (struct talk){
            .method = "PATCH",
            .target = MAP "?fieldManager=k&pretty=true",
            .type = "application/merge-patch+json",
            .body = "{\"data\":{\"a\":\"2\"}}",
            .server = "HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"data\":{\"a\":\"1\",\"b\":\"one\"}}"
                      "HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{\"data\":{\"a\":\"2\",\"b\":\"one\"}}" },
        "GET " MAP " HTTP/1.1\r\n" JSON "\r\n"
        "PATCH " MAP "?fieldManager=k&dryRun=All HTTP/1.1\r\n" JSON
        "Content-Type: application/merge-patch+json\r\nContent-Length: 18\r\n\r\n{\"data\":{\"a\":\"2\"}}",
        "dry run, what would change:\n@@ -1,3 +1,3 @@\n data:\n-  a: \"1\"\n+  a: \"2\"\n   b: one\n");
}

static void an_object_that_is_not_there_is_made_by_apply(void **state)
{
    (void)state;
    expect((struct talk){ .method = "PATCH",
                          .target = MAP "?fieldManager=k&force=true",
                          .type = "application/apply-patch+yaml",
                          .body = "a: b",
                          .server = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
                                    "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}" },
           NULL, "dry run, what would be created:\n@@ -0,0 +1 @@\n+a: b\n");
}

static void a_creation_is_the_dry_runs_object(void **state)
{
    (void)state;
    expect((struct talk){ .method = "POST",
                          .target = "/api/v1/namespaces/a/configmaps",
                          .body = "{}",
                          .server = "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}" },
           "POST /api/v1/namespaces/a/configmaps?dryRun=All HTTP/1.1\r\n" JSON "Content-Length: 2\r\n\r\n{}",
           "dry run, what would be created:\n@@ -0,0 +1 @@\n+a: b\n");
}

static void what_the_server_would_refuse_is_said(void **state)
{
    (void)state;
    expect((struct talk){ .method = "POST",
                          .target = "/api/v1/namespaces/a/configmaps",
                          .body = "{}",
                          .server =
                              "HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 59\r\n\r\n"
                              "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"bad\\u001b[\"}" },
           NULL, "a dry run is refused: 422 bad\\x1b[\n");
}

static void deletions_name_what_would_go(void **state)
{
    (void)state;
    expect(
        (struct talk){ .method = "DELETE",
                       .target = MAP "?gracePeriodSeconds=0",
                       .server =
                           "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{\"metadata\":{\"name\":\"m\"}}" },
        "GET " MAP " HTTP/1.1\r\nHost: h\r\n"
        "Accept: application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json\r\n" OURS
        "\r\n",
        "1 object would be deleted (configmaps):\nmetadata:\n  name: m\n");
    expect(
        (struct talk){ .method = "DELETE",
                       .target = "/apis/apps/v1/namespaces/a/deployments?labelSelector=a%3Db&limit=3",
                       .server = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                 "41\r\n{\"items\":[{\"metadata\":{\"name\":\"m\"}},{\"metadata\":{\"name\":"
                                 "\"n\"}}]}  \r\n0\r\n\r\n" },
        "GET /apis/apps/v1/namespaces/a/deployments?labelSelector=a%3Db&limit=500 HTTP/1.1\r\nHost: h\r\n"
        "Accept: application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json\r\n" OURS
        "\r\n",
        "2 objects would be deleted (deployments.apps): m n\n");
}

static void secrets_are_masked_unless_they_are_shown(void **state)
{
    (void)state;
    struct talk t = { .method = "PATCH",
                      .target = "/api/v1/namespaces/a/secrets/s",
                      .body = "{\"data\":{\"a\":\"bmV3\"}}",
                      .server =
                          "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"data\":{\"a\":\"b2xk\"}}\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"data\":{\"a\":\"bmV3\"}}\n" };
    expect(t, NULL, "dry run, what would change:\nnothing would change but values that are masked\n");
    struct talk refused = t;
    refused.server = "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{\"data\":{\"a\":\"b2xk\"}}\n"
                     "HTTP/1.1 422 Invalid\r\nContent-Length: 56\r\n\r\n"
                     "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no b2xk\"}";
    expect(refused, NULL, "a dry run is refused: 422 [redacted: it may quote what is masked]\n");
    t.shows_secrets = true;
    expect(t, NULL, "dry run, what would change:\n@@ -1,2 +1,2 @@\n data:\n-  a: b2xk\n+  a: bmV3\n");
}

static void what_does_not_come_is_not_made_up(void **state)
{
    (void)state;
    static const char *const servers[] = { "", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
                                           "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":\"b\"}",
                                           "garbage\r\n\r\n" };
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        expect((struct talk){ .method = "PUT", .target = MAP, .body = "{}", .server = servers[i] }, NULL,
               "a dry run could not be had in time\n");
    expect((struct talk){ .method = "DELETE", .target = "/api/v1/namespaces/a/configmaps", .server = "" },
           NULL, "what would be deleted could not be listed in time\n");
    expect((struct talk){ .method = "DELETE",
                          .target = "/api/v1/namespaces/a/configmaps",
                          .server = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]" },
           NULL, "what would be deleted can't be listed\n");
}

static void of_other_requests_there_is_nothing_to_show(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target;
    } cases[] = { { "GET", MAP },
                  { "PUT", MAP "?dryRun=All" },
                  { "POST", "/api/v1/namespaces/a/pods/p/eviction" },
                  { "POST", "/api/v1/namespaces/a/pods/p/exec?command=ls" },
                  { "POST", "/anything" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t = { .method = cases[i].method, .target = cases[i].target, .server = "" };
        run(&t, SIZE_MAX);
        assert_int_equal(t.made, KUBE_PREVIEW_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_what_is_there_against_a_dry_run),
        cmocka_unit_test(an_object_that_is_not_there_is_made_by_apply),
        cmocka_unit_test(a_creation_is_the_dry_runs_object),
        cmocka_unit_test(what_the_server_would_refuse_is_said),
        cmocka_unit_test(deletions_name_what_would_go),
        cmocka_unit_test(secrets_are_masked_unless_they_are_shown),
        cmocka_unit_test(what_does_not_come_is_not_made_up),
        cmocka_unit_test(of_other_requests_there_is_nothing_to_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
