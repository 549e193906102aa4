/* What the line of a request asks of a Kubernetes API server. The cases of resources are those of
 * requestinfo_test.go of k8s.io/apiserver, by what they say. */
#include "policy/kube_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* "VERB resource namespace name", "-" for none; what is no resource: "VERB path". */
static void expect(const char *method, const char *target, const char *wanted)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    struct detail detail = { "" };
    char resource[512], got[2048];
    if (kube_request_read(method, target, &request, &detail) != 0)
        fail_msg("%s %s: %s", method, target, detail.text);
    if (request->is_resource)
        snprintf(got, sizeof got, "%s %s %s %s", request->verb,
                 kube_request_resource(request, resource, sizeof resource),
                 *request->space ? request->space : "-", *request->name ? request->name : "-");
    else
        snprintf(got, sizeof got, "%s %s", request->verb, request->path);
    if (strcmp(got, wanted) != 0)
        fail_msg("%s %s: \"%s\" instead of \"%s\"", method, target, got, wanted);
}

static void expect_refused(const char *method, const char *target, const char *words)
{
    struct kube_request *request = NULL;
    struct detail detail = { "" };
    int r = kube_request_read(method, target, &request, &detail);
    if (r != KUBE_REQUEST_REFUSED || request || !strstr(detail.text, words))
        fail_msg("%s %.200s: %d \"%s\" instead of \"%s\"", method, target, r, detail.text, words);
}

static void resources_are_read_as_the_server_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *wanted;
    } cases[] = {
        { "GET", "/api/v1/namespaces", "list namespaces - -" },
        { "GET", "/api/v1/namespaces/other", "get namespaces other other" },
        { "GET", "/api/v1/namespaces/other/pods", "list pods other -" },
        { "GET", "/api/v1/namespaces/other/pods/foo", "get pods other foo" },
        { "HEAD", "/api/v1/namespaces/other/pods/foo", "get pods other foo" },
        { "HEAD", "/api/v1/namespaces/other/pods", "list pods other -" },
        { "GET", "/api/v1/pods", "list pods - -" },
        { "GET", "/api/v1/pods/", "list pods - -" },
        { "GET", "/api/v1/namespaces/other/pods/foo/status", "get pods/status other foo" },
        { "GET", "/api/v1/namespaces/other/pods/foo/log/more/behind", "get pods/log other foo" },
        { "PUT", "/api/v1/namespaces/other/finalize", "update namespaces/finalize other other" },
        { "PUT", "/api/v1/namespaces/other/status", "update namespaces/status other other" },
        { "GET", "/api/v1/proxy/namespaces/other/pods/foo", "proxy pods other foo" },
        { "GET", "/api/v1/proxy/namespaces/other/pods/foo/sub/path", "proxy pods other foo" },
        { "GET", "/api/v1/watch/pods", "watch pods - -" },
        { "GET", "/api/v1/watch/namespaces/other/pods", "watch pods other -" },
        { "GET", "/api/v1/pods?watch=true", "watch pods - -" },
        { "GET", "/api/v1/pods?watch", "watch pods - -" },
        { "GET", "/api/v1/pods?watch=1", "watch pods - -" },
        { "GET", "/api/v1/pods?watch=no", "watch pods - -" },
        { "GET", "/api/v1/pods?%77atch=1", "watch pods - -" },
        { "GET", "/api/v1/pods?watch=0", "list pods - -" },
        { "GET", "/api/v1/pods?watch=FALSE", "list pods - -" },
        { "GET", "/api/v1/pods?Watch=1", "list pods - -" },
        { "GET", "/api/v1/namespaces/other/pods?fieldSelector=metadata.name%3Dfoo", "list pods other foo" },
        { "GET", "/api/v1/pods?watch=1&fieldSelector=a%3Db,metadata.name%3D%3Dfoo", "watch pods - foo" },
        { "GET", "/api/v1/pods?fieldSelector=metadata.name!%3Dfoo", "list pods - -" },
        { "GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfo%5C%2Co", "list pods - -" },
        { "POST", "/api/v1/namespaces/other/pods", "create pods other -" },
        { "PUT", "/api/v1/namespaces/other/pods/foo", "update pods other foo" },
        { "PATCH", "/apis/apps/v1/namespaces/other/deployments/foo", "patch deployments.apps other foo" },
        { "PATCH", "/apis/apps/v1/namespaces/other/deployments/foo/scale",
          "patch deployments.apps/scale other foo" },
        { "DELETE", "/api/v1/namespaces/other/pods/foo", "delete pods other foo" },
        { "DELETE", "/api/v1/namespaces/other/pods", "deletecollection pods other -" },
        { "DELETE", "/api/v1/nodes", "deletecollection nodes - -" },
        { "POST", "/api/v1/namespaces/other/pods/foo/exec?command=ls&command=-l",
          "create pods/exec other foo" },
        { "GET", "/api/v1/namespaces/other/pods/foo/exec", "get pods/exec other foo" },
        { "GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node",
          "get clusterroles.rbac.authorization.k8s.io - system:node" },
        { "GET", "/api/v1/namespaces/o%74her/p%6Fds", "list pods other -" },
        { "GET", "/", "get /" },
        { "GET", "/version", "get /version" },
        { "GET", "/api/v1", "get /api/v1" },
        { "GET", "/apis/apps/v1", "get /apis/apps/v1" },
        { "GET", "/openapi/v3/apis/apps/v1", "get /openapi/v3/apis/apps/v1" },
        { "POST", "/healthz", "post /healthz" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(cases[i].method, cases[i].target, cases[i].wanted);
}

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *words;
    } cases[] = {
        { "GET", "", "begin with a slash" },
        { "GET", "http://example.com/api/v1/pods", "begin with a slash" },
        { "OPTIONS", "/api/v1/pods", "method" },
        { "get", "/api/v1/pods", "method" },
        { "CONNECT", "/api/v1/pods", "method" },
        { "GET", "/api//v1/pods", "empty part" },
        { "GET", "//api/v1/pods", "empty part" },
        { "GET", "/api/v1/pods//", "empty part" },
        { "GET", "/api/v1/../v1/pods", "\"..\"" },
        { "GET", "/api/v1/%2e%2E/secrets", "\"..\"" },
        { "GET", "/api/v1/./pods", "\".\"" },
        { "GET", "/api/v1/namespaces/a%2Fsecrets", "escape" },
        { "GET", "/api/v1/namespaces/a%252Fsecrets", "escape" },
        { "GET", "/api/v1/pods%00", "escape" },
        { "GET", "/api/v1/pods%0d%0aX-A:b", "escape" },
        { "GET", "/api/v1/pods%4", "escape" },
        { "GET", "/api/v1/pods%zz", "escape" },
        { "GET", "/api/v1/pods%ff", "UTF-8" },
        { "GET", "/api/v1/pods?a=%00", "escape" },
        { "GET", "/api/v1/pods#fragment", "encode it" },
        { "GET", "/api/v1/pods?a=1;watch=1", "encode it" },
        { "GET", "/api/v1\\pods", "encode it" },
        { "GET", "/api/v1/watch", "behind /watch/" },
        { "GET", "/api/v1/proxy", "behind /proxy/" },
        { "GET", "/api/v1/pods?watch=0&watch=1", "there twice" },
        { "DELETE", "/api/v1/pods/x?dryRun=All&dryRun=", "there twice" },
        { "POST", "/api/v1/namespaces/n/pods/p/exec?container=a&container=b", "there twice" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refused(cases[i].method, cases[i].target, cases[i].words);
}

static void what_is_sent_on_is_what_was_judged(void **state)
{
    (void)state;
    static const struct {
        const char *target, *sent;
    } cases[] = {
        { "/api/v1/p%6fds", "/api/v1/pods" },
        { "/api/v1/namespaces/n/services/https:web:1/proxy/a%20b/?x=1&x=2&y",
          "/api/v1/namespaces/n/services/https:web:1/proxy/a%20b/?x=1&x=2&y=" },
        { "/api/v1/pods?labelSelector=a%3Db+c&&limit=500", "/api/v1/pods?labelSelector=a%3Db%20c&limit=500" },
        { "/api/v1/pods?", "/api/v1/pods" },
        { "/api/v1/pods?a=\xc3\xa4", "/api/v1/pods?a=%C3%A4" },
        { "/api/v1/pods?a=%0a%26%3D%3b", "/api/v1/pods?a=%0A%26%3D%3B" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(kube_request_free) struct kube_request *request = NULL;
        assert_int_equal(kube_request_read("GET", cases[i].target, &request, NULL), 0);
        assert_string_equal(request->target, cases[i].sent);
    }
}

static void streams_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        bool connects;
    } cases[] = {
        { "/api/v1/namespaces/n/pods/p/exec", true },
        { "/api/v1/namespaces/n/pods/p/attach", true },
        { "/api/v1/namespaces/n/pods/p/portforward", true },
        { "/api/v1/namespaces/n/services/s/proxy/x", true },
        { "/api/v1/proxy/nodes/n/x", true },
        { "/api/v1/namespaces/n/pods/p/log", false },
        { "/api/v1/namespaces/n/pods/exec", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP(kube_request_free) struct kube_request *request = NULL;
        assert_int_equal(kube_request_read("GET", cases[i].target, &request, NULL), 0);
        assert_int_equal(request->connects, cases[i].connects);
    }
}

static void limits_are_met(void **state)
{
    char target[KUBE_TARGET_MAX + 2];
    struct kube_request *request = NULL;
    (void)state;
    memset(target, 'a', sizeof target);
    target[0] = '/';
    target[KUBE_TARGET_MAX] = '\0';
    assert_int_equal(kube_request_read("GET", target, &request, NULL), 0);
    kube_request_free(STEAL(request));
    target[KUBE_TARGET_MAX] = 'a';
    target[KUBE_TARGET_MAX + 1] = '\0';
    expect_refused("GET", target, "longer than");

    size_t n = 0;
    for (int i = 0; i < KUBE_PARTS_MAX; i++)
        n += (size_t)sprintf(target + n, "/a");
    assert_int_equal(kube_request_read("GET", target, &request, NULL), 0);
    kube_request_free(STEAL(request));
    strcat(target, "/a");
    expect_refused("GET", target, "more than 128 parts");

    n = (size_t)sprintf(target, "/?");
    for (int i = 0; i < KUBE_QUERY_MAX; i++)
        n += (size_t)sprintf(target + n, "%d&", i);
    assert_int_equal(kube_request_read("GET", target, &request, NULL), 0);
    assert_int_equal(request->n_query, KUBE_QUERY_MAX);
    kube_request_free(STEAL(request));
    strcat(target, "x");
    expect_refused("GET", target, "more than 256 parameters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resources_are_read_as_the_server_reads_them),
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_is_sent_on_is_what_was_judged),
        cmocka_unit_test(streams_are_told_apart),
        cmocka_unit_test(limits_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
