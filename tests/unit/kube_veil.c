/* Answers of a cluster and what is seen of them: whole, and byte by byte. */
#include "channels/kube/veil.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"

enum { SEEN_MAX = 1024 * 1024 };

#define BASE64_REDACTED "W3JlZGFjdGVkXQ=="

static const uint8_t key[MASK_KEY] = "a key of 32 bytes for with: hash";

/* A configuration with one mask of these columns; columns ends with NULL. */
struct house {
    Ipc__Config config;
    Ipc__Target target;
    Ipc__Mask mask, *masks[1];
    char *columns[8], *shown[1], *roles[1];
    struct circumstances who;
};

static void house_init(struct house *house, const char *with, const char *const *columns)
{
    *house = (struct house){ .config = IPC__CONFIG__INIT,
                             .target = IPC__TARGET__INIT,
                             .mask = IPC__MASK__INIT,
                             .roles = { (char[]){ "agent" } } };
    house->mask.name = (char *)(uintptr_t) "env";
    house->mask.with = (char *)(uintptr_t)with;
    house->mask.columns = house->columns;
    house->masks[0] = &house->mask;
    for (; columns && columns[house->mask.n_columns]; house->mask.n_columns++)
        house->columns[house->mask.n_columns] = (char *)(uintptr_t)columns[house->mask.n_columns];
    house->config.masks = house->masks;
    house->config.n_masks = columns != NULL;
    house->who = (struct circumstances){ .roles = house->roles, .n_roles = 1, .target = "prod" };
    static char agent[] = "agent";
    house->roles[0] = agent;
}

static struct kube_plan *plan_of(const struct house *house, const char *method, const char *target)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    struct kube_plan *plan = NULL;
    struct detail detail = { "" };
    assert_int_equal(kube_request_read(method, target, &request, &detail), 0);
    assert_int_equal(kube_plan_new(&house->config, &house->target, &house->who, request, key, &plan), 0);
    return plan;
}

/* What is seen, given in steps; ends with "!" when it could not be read. */
static char *seen(const struct kube_plan *plan, const char *answer, size_t step, uint64_t *ret_masked)
{
    CLEANUP(kube_veil_free) struct kube_veil *veil = NULL;
    struct buffer out;
    size_t n = strlen(answer);
    int r = 0;
    buffer_init(&out, SEEN_MAX);
    assert_int_equal(kube_veil_new(plan, &veil), 0);
    for (size_t at = 0; at < n && r == 0; at += step)
        r = kube_veil_bytes(veil, answer + at, n - at < step ? n - at : step, &out);
    r = r ? r : kube_veil_end(veil);
    assert_true(r == 0 || r == KUBE_VEIL_UNREADABLE);
    assert_int_equal(buffer_append(&out, r ? "!" : "", 2 - (size_t)!r), 0);
    if (ret_masked)
        *ret_masked = kube_veil_masked(veil);
    char *text = strdup((const char *)buffer_head(&out));
    buffer_free(&out);
    return text;
}

static void expect_plan(const struct kube_plan *plan, const char *answer, const char *expected)
{
    static const size_t steps[] = { SIZE_MAX / 2, 1, 2, 3, 7 };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CLEANUP(free) char *text = seen(plan, answer, steps[i], NULL);
        assert_string_equal(text, expected);
    }
}

static void expect(const struct house *house, const char *target, const char *answer, const char *expected)
{
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(house, "GET", target);
    assert_non_null(plan);
    expect_plan(plan, answer, expected);
}

#define SECRET  "/api/v1/namespaces/web/secrets/a"
#define SECRETS "/api/v1/namespaces/web/secrets"
#define POD     "/api/v1/namespaces/web/pods/a"

static void data_of_a_secret_is_masked(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    expect(&house, SECRET,
           "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"},\"data\":{\"tls.key\":"
           "\"c2VjcmV0\",\"b\" : \"\"},\"type\":\"Opaque\"}\n",
           "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"},\"data\":{\"tls.key\":"
           "\"" BASE64_REDACTED "\",\"b\" : \"" BASE64_REDACTED "\"},\"type\":\"Opaque\"}\n");
    expect(&house, SECRET, "{\"stringData\":{\"a\":\"b\\\"c\\\\\"}}",
           "{\"stringData\":{\"a\":\"[redacted]\"}}");
    expect(&house, SECRET, "{\"d\\u0061ta\":{\"a\":\"b\"}}",
           "{\"d\\u0061ta\":{\"a\":\"" BASE64_REDACTED "\"}}");
    expect(&house, SECRET, "{\"data\":null,\"metadata\":{\"data\":{\"x\":\"y\"}}}",
           "{\"data\":null,\"metadata\":{\"data\":{\"x\":\"y\"}}}");
}

static void so_is_that_of_lists_watches_and_tables(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    expect(&house, SECRETS, "{\"items\":[{\"data\":{\"a\":\"b\"}},{\"data\":{\"a\":\"b\"}}]}",
           "{\"items\":[{\"data\":{\"a\":\"" BASE64_REDACTED "\"}},{\"data\":{\"a\":\"" BASE64_REDACTED
           "\"}}]}");
    expect(&house, "/api/v1/secrets?watch=1",
           "{\"type\":\"ADDED\",\"object\":{\"data\":{\"a\":\"b\"}}}\n"
           "{\"type\":\"MODIFIED\",\"object\":{\"data\":{\"a\":\"b\"}}}\n",
           "{\"type\":\"ADDED\",\"object\":{\"data\":{\"a\":\"" BASE64_REDACTED "\"}}}\n"
           "{\"type\":\"MODIFIED\",\"object\":{\"data\":{\"a\":\"" BASE64_REDACTED "\"}}}\n");
    expect(&house, SECRETS,
           "{\"kind\":\"Table\",\"rows\":[{\"cells\":[\"a\",1],\"object\":{\"data\":{\"a\":\"b\"}}}]}",
           "{\"kind\":\"Table\",\"rows\":[{\"cells\":[\"a\",1],\"object\":{\"data\":{\"a\":\"" BASE64_REDACTED
           "\"}}}]}");
    expect(&house, "/api/v1/watch/secrets",
           "{\"type\":\"ADDED\",\"object\":{\"rows\":[{\"object\":{\"data\":{\"a\":\"b\"}}}]}}",
           "{\"type\":\"ADDED\",\"object\":{\"rows\":[{\"object\":{\"data\":{\"a\":\"" BASE64_REDACTED
           "\"}}}]}}");
}

static void so_is_the_object_in_kubectls_annotation(void **state)
{
    (void)state;
    struct house house;
#define ANNOTATION(text)                                                                                     \
    "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"" text           \
    "\",\"b\":\"c\"}}}"
    house_init(&house, "redact", NULL);
    expect(&house, SECRET,
           ANNOTATION("{\\\"kind\\\":\\\"Secret\\\",\\\"stringData\\\":{\\\"a\\\":\\\"q\\\\\\\"x\\\"},"
                      "\\\"data\\\":{\\\"b\\\":\\\"Yw==\\\"}}\\n"),
           ANNOTATION("{\\\"kind\\\":\\\"Secret\\\",\\\"stringData\\\":{\\\"a\\\":\\\"[redacted]\\\"},"
                      "\\\"data\\\":{\\\"b\\\":\\\"" BASE64_REDACTED "\\\"}}\\u000a"));
    expect(&house, SECRET, ANNOTATION("a word"), ANNOTATION("[redacted]"));
    expect(&house, SECRET, ANNOTATION(""), ANNOTATION(""));
    expect(&house, SECRET, ANNOTATION("{\\\"data\\\":{"), ANNOTATION("{\\\"data\\\":{[redacted]"));
    expect(&house, SECRET,
           ANNOTATION("{\\\"metadata\\\":{\\\"annotations\\\":{\\\"kubectl.kubernetes.io/"
                      "last-applied-configuration\\\":\\\"{}\\\"}}}"),
           ANNOTATION("{\\\"metadata\\\":{\\\"annotations\\\":{\\\"kubectl.kubernetes.io/"
                      "last-applied-configuration\\\":\\\"[redacted]\\\"}}}"));
}

static void the_token_of_a_service_account_is_masked(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    CLEANUP(kube_plan_free)
    struct kube_plan *plan = plan_of(&house, "POST", "/api/v1/namespaces/web/serviceaccounts/a/token");
    expect_plan(plan, "{\"status\":{\"token\":\"eyJ\",\"expirationTimestamp\":\"x\"}}",
                "{\"status\":{\"token\":\"[redacted]\",\"expirationTimestamp\":\"x\"}}");
}

static void whoever_may_see_secrets_sees_them(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    static char agent[] = "agent";
    house.shown[0] = agent;
    house.target.show_secrets = house.shown;
    house.target.n_show_secrets = 1;
    assert_null(plan_of(&house, "GET", SECRET));
}

static void what_is_not_masked_is_not_looked_at(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "configmaps.data.*", "public.customers.email", NULL };
    house_init(&house, "redact", columns);
    assert_null(plan_of(&house, "GET", POD));
    assert_null(plan_of(&house, "GET", POD "/log"));
    assert_null(plan_of(&house, "GET", "/apis/example.com/v1/namespaces/web/secrets/a"));
    assert_null(plan_of(&house, "GET", "/version"));
    assert_true(kube_plan_allows_tables(NULL));
    expect(&house, "/api/v1/namespaces/web/configmaps/a",
           "{\"data\":{\"a\":\"b\"},\"binaryData\":{\"a\":\"b\"}}",
           "{\"data\":{\"a\":\"[masked:env]\"},\"binaryData\":{\"a\":\"b\"}}");
}

static void columns_are_paths_behind_a_resource(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "pods.spec.containers[*].env[*].value",
                                           "deployments.apps.spec.**.env[*].value", "*.metadata.labels",
                                           "**.credentials", NULL };
    house_init(&house, "redact", columns);
    expect(&house, POD,
           "{\"spec\":{\"containers\":[{\"image\":\"x\",\"env\":[{\"name\":\"A\",\"value\":\"b\"},{}]}],"
           "\"env\":[{\"value\":\"1\"}]}}",
           "{\"spec\":{\"containers\":[{\"image\":\"x\",\"env\":[{\"name\":\"A\",\"value\":\"[masked:env]\"},"
           "{}]}],\"env\":[{\"value\":\"1\"}]}}");
    expect(&house, POD "/status", "{\"spec\":{\"containers\":[{\"env\":[{\"value\":\"b\"}]}]}}",
           "{\"spec\":{\"containers\":[{\"env\":[{\"value\":\"[masked:env]\"}]}]}}");
    expect(
        &house, "/apis/apps/v1/namespaces/web/deployments",
        "{\"items\":[{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"env\":[{\"value\":\"b\"}]}]}}}}]}",
        "{\"items\":[{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"env\":[{\"value\":\"[masked:env]"
        "\"}]}]}}}}]}");
    expect(&house, "/apis/x.io/v1/things/a",
           "{\"spec\":{\"credentials\":{\"user\":\"a\",\"n\":17,\"yes\":true,\"no\":null,\"list\":[-1.5e3,"
           "\"x\",{}]},\"n\":1}}",
           "{\"spec\":{\"credentials\":{\"user\":\"[masked:env]\",\"n\":0,\"yes\":false,\"no\":null,\"list\":"
           "[0,\"[masked:env]\",{}]},\"n\":1}}");
}

static void masks_are_as_their_kind_says(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "secrets.data.*", "secrets.stringData.*", NULL };
    house_init(&house, "partial", columns);
    /* "jane@example.com" */
    expect(&house, SECRET, "{\"data\":{\"a\":\"amFuZUBleGFtcGxlLmNvbQ==\",\"b\":\"no base64\"}}",
           "{\"data\":{\"a\":\"aioqKkBlKioqLmNvbQ==\",\"b\":\"W21hc2tlZDplbnZd\"}}");
    expect(&house, SECRET, "{\"stringData\":{\"a\":\"\\u00e4bc\"}}",
           "{\"stringData\":{\"a\":\"\xc3\xa4***\"}}");
    house_init(&house, "null", columns);
    expect(&house, SECRET, "{\"stringData\":{\"a\":\"b\"}}", "{\"stringData\":{\"a\":\"[masked:env]\"}}");
    house_init(&house, "hash", columns);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    CLEANUP(free) char *one = seen(plan, "{\"stringData\":{\"a\":\"b\"}}", 1, NULL);
    CLEANUP(free) char *same = seen(plan, "{\"stringData\":{\"a\":\"\\u0062\"}}", 99, NULL);
    CLEANUP(free) char *other = seen(plan, "{\"stringData\":{\"a\":\"c\"}}", 99, NULL);
    assert_string_equal(one, same);
    assert_string_not_equal(one, other);
    assert_non_null(strstr(one, "[env:"));
}

static void a_value_that_is_too_long_to_hold_is_redacted(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "secrets.stringData.*", NULL };
    static char answer[2 * KUBE_VEIL_HOLD_MAX];
    house_init(&house, "partial", columns);
    for (int more = 0; more < 2; more++) {
        (void)snprintf(answer, sizeof answer, "{\"stringData\":{\"a\":\"%0*d\"}}", KUBE_VEIL_HOLD_MAX + more,
                       7);
        CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
        CLEANUP(free) char *text = seen(plan, answer, 4096, NULL);
        assert_int_equal(strstr(text, "[masked:env]") != NULL, more);
    }
}

static void what_is_no_json_is_not_shown(void **state)
{
    (void)state;
    struct house house;
    static const char *const rows[][2] = {
        { "404 page not found", "404 !" },
        { "{\"a\":1", "{\"a\":1!" },
        { "{\"data\":{\"a\":\"b", "{\"data\":{\"a\":\"!" },
        { "{\"data\":{\"a\":\"\\x\"}}", "{\"data\":{\"a\":\"!" },
        { "{\"a\" 1}", "{\"a\" 1!" },
        { "{\"a\":1]", "{\"a\":1]!" },
        { "[1,]", "[1,!" },
        { "{,}", "{,!" },
        { "{\"a\":tru}", "{\"a\":tru!" },
        { "{\"a\":\"\n\"}", "{\"a\":\"!" },
        { "k8s\x01\x02", "!" },
        { "apiVersion: v1\ndata:\n  a: b\n", "!" },
    };
    house_init(&house, "redact", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
        CLEANUP(free) char *text = seen(plan, rows[i][0], 99, NULL);
        assert_string_equal(text, rows[i][1]);
    }
}

static void nothing_is_shown_after_a_fault(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    CLEANUP(kube_veil_free) struct kube_veil *veil = NULL;
    struct buffer out;
    buffer_init(&out, 4096);
    assert_int_equal(kube_veil_new(plan, &veil), 0);
    assert_int_equal(kube_veil_bytes(veil, "x", 1, &out), KUBE_VEIL_UNREADABLE);
    assert_int_equal(kube_veil_bytes(veil, "{}", 2, &out), KUBE_VEIL_UNREADABLE);
    assert_int_equal(kube_veil_end(veil), KUBE_VEIL_UNREADABLE);
    assert_int_equal(buffer_size(&out), 0);
    buffer_free(&out);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    struct house house;
    char answer[2 * KUBE_VEIL_DEPTH_MAX + 3] = "";
    house_init(&house, "redact", NULL);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    memset(answer, '[', KUBE_VEIL_DEPTH_MAX);
    memset(answer + KUBE_VEIL_DEPTH_MAX, ']', KUBE_VEIL_DEPTH_MAX);
    expect_plan(plan, answer, answer);
    memset(answer, '[', KUBE_VEIL_DEPTH_MAX + 1);
    memset(answer + KUBE_VEIL_DEPTH_MAX + 1, ']', KUBE_VEIL_DEPTH_MAX + 1);
    CLEANUP(free) char *text = seen(plan, answer, 99, NULL);
    assert_int_equal(text[strlen(text) - 1], '!');
}

static void a_full_buffer_is_an_error(void **state)
{
    (void)state;
    struct house house;
    struct buffer out;
    house_init(&house, "redact", NULL);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    CLEANUP(kube_veil_free) struct kube_veil *veil = NULL;
    buffer_init(&out, 16);
    assert_int_equal(kube_veil_new(plan, &veil), 0);
    assert_int_equal(kube_veil_bytes(veil, "{\"data\":{\"a\":\"b\"}}", 18, &out), -ENOBUFS);
    buffer_free(&out);
}

static void what_was_masked_is_counted(void **state)
{
    (void)state;
    struct house house;
    uint64_t masked = 0;
    house_init(&house, "redact", NULL);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    free(seen(plan,
              "{\"data\":{\"a\":\"b\",\"c\":1,\"d\":[\"e\",true]},\"metadata\":{\"annotations\":{\"kubectl."
              "kubernetes.io/"
              "last-applied-configuration\":\"{\\\"data\\\":{\\\"a\\\":\\\"b\\\"}}\"}}}",
              99, &masked));
    assert_int_equal(masked, 5);
}

static void tables_are_for_what_no_cell_shows(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "pods.spec.containers[*].env[*].value", "services.spec.clusterIP",
                                           "**.env[*].value", NULL };
    static const struct {
        const char *target;
        bool tables;
    } rows[] = { { SECRETS, true },
                 { POD, true },
                 { "/api/v1/services", false },
                 { "/apis/example.com/v1/things", false },
                 { "/apis/apps/v1/deployments", true } };
    house_init(&house, "redact", columns);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", rows[i].target);
        assert_non_null(plan);
        assert_int_equal(kube_plan_allows_tables(plan), rows[i].tables);
    }
}

static void patterns_have_a_limit(void **state)
{
    (void)state;
    struct house house;
    static char *columns[KUBE_VEIL_RULES_MAX + 1];
    static char column[] = "pods.spec";
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    struct kube_plan *plan = NULL;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        columns[i] = column;
    house_init(&house, "redact", (const char *const[]){ NULL });
    house.mask.columns = columns;
    house.mask.n_columns = KUBE_VEIL_RULES_MAX + 1;
    assert_int_equal(kube_request_read("GET", POD, &request, NULL), 0);
    assert_int_equal(kube_plan_new(&house.config, &house.target, &house.who, request, key, &plan), -E2BIG);
    assert_null(plan);
}

/* ---- requests ---- */

static int check(const struct house *house, const char *method, const char *target, const char *type,
                 const char *body)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(kube_plan_free) struct kube_plan *plan = NULL;
    struct detail detail = { "" };
    assert_int_equal(kube_request_read(method, target, &request, &detail), 0);
    assert_int_equal(kube_plan_new(&house->config, &house->target, &house->who, request, key, &plan), 0);
    int r = kube_plan_check(plan, request, type, body, strlen(body), &detail);
    assert_int_equal(r != 0, detail.text[0] != '\0');
    return r;
}

static void a_mask_that_is_sent_back_is_refused(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "pods.spec.**", NULL };
    house_init(&house, "partial", columns);
    static const struct {
        const char *body;
        int fault;
    } rows[] = {
        { "{\"data\":{\"a\":\"" BASE64_REDACTED "\"}}", KUBE_PLAN_SENDS_MASK },
        { "{\"data\":{\"a\":\"c2VjcmV0\"}}", 0 },
        { "{\"data\":{\"a\":\"W21hc2tlZDplbnZd\"}}", KUBE_PLAN_SENDS_MASK },
        { "{\"stringData\":{\"a\":\"[redacted]\"}}", KUBE_PLAN_SENDS_MASK },
        { "{\"stringData\":{\"a\":\"[redacted] is what it was\"}}", 0 },
        { "{\"items\":[{\"stringData\":{\"a\":\"[redacted]\"}}]}", KUBE_PLAN_SENDS_MASK },
        { "{\"metadata\":{\"annotations\":{\"x\":\"[redacted]\"}}}", 0 },
        { "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
          "last-applied-configuration\":\"{\\\"data\\\":{\\\"a\\\":\\\"" BASE64_REDACTED "\\\"}}\"}}}",
          KUBE_PLAN_SENDS_MASK },
        { "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
          "last-applied-configuration\":\"{\\\"data\\\":{\\\"a\\\":\\\"c2VjcmV0\\\"}}\"}}}",
          0 },
        { "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
          "last-applied-configuration\":\"{[redacted]\"}}}",
          KUBE_PLAN_SENDS_MASK },
        { "{\"data\":{\"a\":\"x\",\"a\":\"y\"}}", KUBE_PLAN_UNREADABLE },
        { "data: {a: b}", KUBE_PLAN_UNREADABLE },
        { "k8s\x02", KUBE_PLAN_UNREADABLE },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(check(&house, "PUT", SECRET, NULL, rows[i].body), rows[i].fault);
        assert_int_equal(check(&house, "PATCH", SECRET, "application/merge-patch+json", rows[i].body),
                         rows[i].fault);
        assert_int_equal(check(&house, "DELETE", SECRET, NULL, rows[i].body), 0);
    }
    assert_int_equal(check(&house, "PUT", POD, NULL, "{\"spec\":{\"a\":\"j***\"}}"), KUBE_PLAN_SENDS_MASK);
    assert_int_equal(check(&house, "PUT", POD, NULL, "{\"spec\":{\"a\":\"jane\"}}"), 0);
    assert_int_equal(check(&house, "PUT", POD, NULL, "{\"spec\":{\"a\":0}}"), KUBE_PLAN_SENDS_MASK);
    assert_int_equal(check(&house, "PUT", POD, NULL, "{\"spec\":{\"a\":1}}"), 0);
    assert_int_equal(check(&house, "PUT", POD, NULL, "{\"spec\":{\"a\":false}}"), KUBE_PLAN_SENDS_MASK);
    assert_int_equal(check(&house, "PUT", "/api/v1/nodes/a", NULL, "k8s\x02"), 0);
}

static void a_hash_that_is_sent_back_is_refused(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "secrets.stringData.*", NULL };
    house_init(&house, "hash", columns);
    CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, "GET", SECRET);
    CLEANUP(free) char *text = seen(plan, "{\"stringData\":{\"a\":\"b\"}}", 99, NULL);
    assert_int_equal(check(&house, "PUT", SECRET, NULL, text), KUBE_PLAN_SENDS_MASK);
    assert_int_equal(check(&house, "PUT", SECRET, NULL, "{\"stringData\":{\"a\":\"[env:0]\"}}"), 0);
}

static void a_patch_that_asks_is_refused(void **state)
{
    (void)state;
    struct house house;
    house_init(&house, "redact", NULL);
    static const struct {
        const char *operation;
        int fault;
    } rows[] = {
        { "{\"op\":\"test\",\"path\":\"/data/a\",\"value\":\"c2VjcmV0\"}", KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"/data\",\"value\":{\"a\":\"c2VjcmV0\"}}", KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"\",\"value\":{\"data\":{\"a\":\"c2VjcmV0\"}}}", KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"/data/0\",\"value\":\"c2VjcmV0\"}", KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"/metadata/annotations/"
          "kubectl.kubernetes.io~1last-applied-configuration\",\"value\":\"x\"}",
          KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"/metadata/name\",\"value\":\"a\"}", 0 },
        { "{\"op\":\"copy\",\"from\":\"/data/a\",\"path\":\"/metadata/annotations/x\"}", KUBE_PLAN_ASKS },
        { "{\"op\":\"move\",\"from\":\"/data\",\"path\":\"/metadata/annotations\"}", KUBE_PLAN_ASKS },
        { "{\"op\":\"copy\",\"from\":\"\",\"path\":\"/metadata/annotations/x\"}", KUBE_PLAN_ASKS },
        { "{\"op\":\"test\",\"path\":\"x/data/a\",\"value\":\"c2VjcmV0\"}", KUBE_PLAN_UNREADABLE },
        { "{\"op\":\"copy\",\"from\":\"x/data/a\",\"path\":\"/metadata/annotations/x\"}",
          KUBE_PLAN_UNREADABLE },
        { "{\"op\":\"replace\",\"path\":\"data/a\",\"value\":\"" BASE64_REDACTED "\"}",
          KUBE_PLAN_UNREADABLE },
        { "{\"op\":\"copy\",\"from\":\"/metadata/labels/a\",\"path\":\"/metadata/labels/b\"}", 0 },
        { "{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"c2VjcmV0\"}", 0 },
        { "{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"" BASE64_REDACTED "\"}",
          KUBE_PLAN_SENDS_MASK },
        { "{\"op\":\"add\",\"path\":\"/data\",\"value\":{\"a\":\"" BASE64_REDACTED "\"}}",
          KUBE_PLAN_SENDS_MASK },
        { "{\"op\":\"remove\",\"path\":\"/data/a\"}", 0 },
        { "{\"op\":7}", 0 },
        { "7", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[512];
        (void)snprintf(body, sizeof body, "[%s]", rows[i].operation);
        int r = check(&house, "PATCH", SECRET, "application/json-patch+json; charset=utf-8", body);
        if (r != rows[i].fault)
            fail_msg("%s: %d", body, r);
    }
}

static void an_element_has_many_names(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "pods.spec.containers[*].args[*]", NULL };
    static const char *const elements[] = { "0", "00", "+0", "-0", "-1", "+12", "-" };
    house_init(&house, "redact", columns);
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        char body[512];
        (void)snprintf(body, sizeof body,
                       "[{\"op\":\"test\",\"path\":\"/spec/containers/%s/args/%s\",\"value\":\"x\"}]",
                       elements[i], elements[i]);
        int r = check(&house, "PATCH", POD, "application/json-patch+json", body);
        if (r != KUBE_PLAN_ASKS)
            fail_msg("%s: %d", body, r);
    }
}

static void words_that_may_quote_an_object_are_not_told(void **state)
{
    (void)state;
    struct house house;
    static const char said[] =
        "{\"kind\":\"Status\",\"message\":\"it is "
        "c2VjcmV0\",\"reason\":\"Invalid\",\"details\":{\"name\":\"a\","
        "\"causes\":[{\"reason\":\"R\",\"message\":\"c2VjcmV0\",\"field\":\"data\"}]},\"code\":422}";
    static const char told[] =
        "{\"kind\":\"Status\",\"message\":\"[redacted: it may quote what is masked]\",\"reason\":\"Invalid\","
        "\"details\":{\"name\":\"a\",\"causes\":[{\"reason\":\"R\",\"message\":\"[redacted: it may quote "
        "what is "
        "masked]\",\"field\":\"data\"}]},\"code\":422}";
    static const struct {
        const char *method;
        unsigned status;
        bool hidden;
    } rows[] = { { "PATCH", 422, true },  { "PUT", 422, true },    { "PATCH", 400, true },
                 { "PATCH", 500, true },  { "PATCH", 200, false }, { "PATCH", 409, false },
                 { "PATCH", 404, false }, { "POST", 422, false },  { "GET", 400, false } };
    house_init(&house, "redact", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(kube_plan_free) struct kube_plan *plan = plan_of(&house, rows[i].method, SECRET);
        assert_int_equal(kube_plan_hide_words(plan, rows[i].method, rows[i].status), 0);
        expect_plan(plan, said, rows[i].hidden ? told : said);
    }
}

static void a_selector_that_asks_is_refused(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "things.example.com.spec.secret", NULL };
    house_init(&house, "redact", columns);
    assert_int_equal(check(&house, "GET",
                           "/apis/example.com/v1/things?fieldSelector=metadata.name%3Da,spec.secret%3Dx",
                           NULL, ""),
                     KUBE_PLAN_ASKS);
    assert_int_equal(check(&house, "DELETE",
                           "/apis/example.com/v1/namespaces/a/things?fieldSelector=spec.secret!%3Dx", NULL,
                           ""),
                     KUBE_PLAN_ASKS);
    assert_int_equal(
        check(&house, "GET", "/apis/example.com/v1/things?fieldSelector=metadata.name%3Da", NULL, ""), 0);
}

static void so_is_one_by_a_masked_label(void **state)
{
    (void)state;
    struct house house;
    static const char *const columns[] = { "pods.metadata.labels[example.com/tier]", "**.env[*].value",
                                           NULL };
    static const struct {
        const char *selector;
        int fault;
    } rows[] = { { "app%3Dweb", 0 },
                 { "example.com/tier%3Dgold", KUBE_PLAN_ASKS },
                 { "app%3Dweb,example.com/tier!%3Dgold", KUBE_PLAN_ASKS },
                 { "app%20in%20(a,b),!example.com/tier", KUBE_PLAN_ASKS },
                 { "app%20in%20(a,example.com/tier),b", 0 },
                 { "app,example.com/tier%20notin%20(gold)", KUBE_PLAN_ASKS },
                 { "", 0 } };
    house_init(&house, "redact", columns);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[256];
        (void)snprintf(target, sizeof target, "/api/v1/pods?labelSelector=%s", rows[i].selector);
        if (check(&house, "GET", target, NULL, "") != rows[i].fault)
            fail_msg("%s", target);
    }
}

static void no_depth_of_a_body_is_too_much_for_us(void **state)
{
    (void)state;
    struct house house;
    char body[2 * KUBE_VEIL_DEPTH_MAX + 3] = "", pointer[4 * KUBE_VEIL_DEPTH_MAX];
    house_init(&house, "redact", NULL);
    memset(body, '[', KUBE_VEIL_DEPTH_MAX + 1);
    memset(body + KUBE_VEIL_DEPTH_MAX + 1, ']', KUBE_VEIL_DEPTH_MAX + 1);
    assert_int_equal(check(&house, "PUT", SECRET, NULL, body), KUBE_PLAN_UNREADABLE);
    size_t n = (size_t)snprintf(pointer, sizeof pointer, "[{\"op\":\"copy\",\"path\":\"\",\"from\":\"");
    for (int i = 0; i < KUBE_VEIL_DEPTH_MAX; i++)
        n += (size_t)snprintf(pointer + n, sizeof pointer - n, "/1");
    (void)snprintf(pointer + n, sizeof pointer - n, "\"}]");
    assert_int_equal(check(&house, "PATCH", SECRET, "application/json-patch+json", pointer),
                     KUBE_PLAN_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_of_a_secret_is_masked),
        cmocka_unit_test(so_is_that_of_lists_watches_and_tables),
        cmocka_unit_test(so_is_the_object_in_kubectls_annotation),
        cmocka_unit_test(the_token_of_a_service_account_is_masked),
        cmocka_unit_test(whoever_may_see_secrets_sees_them),
        cmocka_unit_test(what_is_not_masked_is_not_looked_at),
        cmocka_unit_test(columns_are_paths_behind_a_resource),
        cmocka_unit_test(masks_are_as_their_kind_says),
        cmocka_unit_test(a_value_that_is_too_long_to_hold_is_redacted),
        cmocka_unit_test(what_is_no_json_is_not_shown),
        cmocka_unit_test(nothing_is_shown_after_a_fault),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(what_was_masked_is_counted),
        cmocka_unit_test(tables_are_for_what_no_cell_shows),
        cmocka_unit_test(patterns_have_a_limit),
        cmocka_unit_test(a_mask_that_is_sent_back_is_refused),
        cmocka_unit_test(a_hash_that_is_sent_back_is_refused),
        cmocka_unit_test(a_patch_that_asks_is_refused),
        cmocka_unit_test(an_element_has_many_names),
        cmocka_unit_test(words_that_may_quote_an_object_are_not_told),
        cmocka_unit_test(a_selector_that_asks_is_refused),
        cmocka_unit_test(so_is_one_by_a_masked_label),
        cmocka_unit_test(no_depth_of_a_body_is_too_much_for_us),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
