/* Objects as people read them, what differs between two of them, and answers to "may I?". */
#include "channels/kube/object_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "channels/kube/access.h"
#include "channels/kube/diff.h"

static void same(struct buffer *out, const char *wanted)
{
    assert_int_equal(buffer_append(out, "", 1), 0);
    assert_string_equal((const char *)buffer_head(out), wanted);
    buffer_free(out);
}

static void expect_text(const char *json, const char *wanted)
{
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(object_text(&out, json, strlen(json)), 0);
    same(&out, wanted);
}

static void objects_read_as_yaml(void **state)
{
    (void)state;
    expect_text("{\"kind\":\"Pod\",\"n\":3,\"b\":true,\"empty\":{},\"none\":[],\"nil\":null}",
                "kind: Pod\nn: 3\nb: true\nempty: {}\nnone: []\nnil: null\n");
    expect_text("{\"a\":{\"b\":{\"c\":\"d\"}},\"e\":\"true\",\"f\":\"1\",\"g\":\"two words\",\"h\":\"\"}",
                "a:\n  b:\n    c: d\ne: \"true\"\nf: \"1\"\ng: \"two words\"\nh: \"\"\n");
    expect_text("{\"spec\":{\"containers\":[{\"name\":\"a\",\"args\":[\"x\",\"y\"]},{\"name\":\"b\"}]}}",
                "spec:\n  containers:\n  - name: a\n    args:\n    - x\n    - y\n  - name: b\n");
}

static void what_the_server_keeps_for_itself_is_left_out(void **state)
{
    (void)state;
    expect_text(
        "{\"metadata\":{\"name\":\"a\",\"uid\":\"u\",\"resourceVersion\":\"1\",\"managedFields\":[{\"a\":1}],"
        "\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":\"{}\",\"b\":\"c\"}}}",
        "metadata:\n  name: a\n  annotations:\n    b: c\n");
}

static void texts_can_not_draw_on_a_terminal(void **state)
{
    (void)state;
    expect_text("{\"a\":\"x\\u001b[2Jy\\nz\"}", "a: \"x\\u001B[2Jy\\nz\"\n");
    expect_text("{\"a\":\"\xe2\x80\xae\"}", "a: \"\\u{202e}\"\n");
}

static void nesting_and_size_have_limits(void **state)
{
    (void)state;
    char deep[2 * 1000 + 64] = "";
    struct buffer out;
    for (int i = 0; i < 200; i++)
        (void)strcat(deep, "{\"a\":");
    (void)strcat(deep, "1");
    for (int i = 0; i < 200; i++)
        (void)strcat(deep, "}");
    buffer_init(&out, 64 * 1024);
    assert_int_equal(object_text(&out, deep, strlen(deep)), 0);
    buffer_free(&out);
    buffer_init(&out, 8);
    assert_int_equal(object_text(&out, "{\"a\":\"bcdefghi\"}", 16), -ENOBUFS);
    buffer_free(&out);
    assert_int_equal(object_text(&out, "[]", 2), OBJECT_TEXT_UNREADABLE);
    assert_int_equal(object_text(&out, "{", 1), OBJECT_TEXT_UNREADABLE);
}

static void lists_are_named_and_counted(void **state)
{
    (void)state;
    static const char list[] =
        "{\"metadata\":{\"remainingItemCount\":7},\"items\":[{\"metadata\":{\"name\":\"a\"}},"
        "{\"metadata\":{\"name\":\"b\"}},{}]}";
    struct buffer out;
    uint64_t count = 0;
    buffer_init(&out, 1024);
    assert_int_equal(object_names(&out, list, sizeof list - 1, 2, &count), 0);
    assert_int_equal(count, 10);
    same(&out, "a b");
    assert_int_equal(object_names(&out, "{}", 2, 2, &count), OBJECT_TEXT_UNREADABLE);
}

static void a_failure_is_told_from_an_object(void **state)
{
    (void)state;
    static const char status[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"no\\nway\"}";
    char words[64];
    assert_true(object_failure(status, sizeof status - 1, words, sizeof words));
    assert_string_equal(words, "no\\x0away");
    assert_false(object_failure("{\"kind\":\"Pod\"}", 14, words, sizeof words));
    assert_string_equal(words, "");
}

/* ---- differences ---- */

static void expect_diff(const char *before, const char *after, const char *wanted)
{
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    assert_int_equal(diff_put(&out, before, after), 0);
    same(&out, wanted);
}

static void differences_are_as_diff_u_shows_them(void **state)
{
    (void)state;
    expect_diff("a\nb\n", "a\nb\n", "");
    expect_diff("", "", "");
    expect_diff("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n");
    expect_diff("a\n", "", "@@ -1 +0,0 @@\n-a\n");
    expect_diff("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
    expect_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nnew\n5\n6\n7\n8\n9\n",
                "@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n");
    expect_diff("a\nb\nc\nd\n", "b\nc\nx\nd\ne\n", "@@ -1,4 +1,5 @@\n-a\n b\n c\n+x\n d\n+e\n");
}

static void changes_that_are_far_apart_are_hunks_of_their_own(void **state)
{
    (void)state;
    expect_diff("a\n1\n2\n3\n4\n5\n6\n7\n8\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\n8\nB\n",
                "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n 8\n-b\n+B\n");
    expect_diff("a\n1\n2\n3\n4\nb\n", "A\n1\n2\n3\n4\nB\n",
                "@@ -1,6 +1,6 @@\n-a\n+A\n 1\n 2\n 3\n 4\n-b\n+B\n");
}

static char *lines(size_t n, char first)
{
    char *text = malloc(8 * n + 1);
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "%c%zu\n", first, i % 100000);
    return text;
}

static void differences_have_limits(void **state)
{
    (void)state;
    struct buffer out;
    char *a = lines(5000, 'a'), *b = lines(5000, 'b'), *many = lines(DIFF_LINES_MAX + 1, 'c');
    buffer_init(&out, 1 << 20);
    assert_int_equal(diff_put(&out, a, b), 0); /* too much for the table: all of it is changed */
    assert_int_equal(strncmp((const char *)buffer_head(&out), "@@ -1,5000 +1,5000 @@\n-a0\n", 26), 0);
    assert_int_equal(diff_put(&out, a, many), DIFF_TOO_LONG);
    buffer_free(&out);
    buffer_init(&out, 100);
    assert_int_equal(diff_put(&out, a, b), -ENOBUFS);
    assert_true(buffer_size(&out) > 80);
    buffer_free(&out);
    free(a);
    free(b);
    free(many);
}

/* ---- may I? ---- */

static const struct access_verdict denied = { ACTION_DENY, "denied by rule \"r\": no" };
static const struct access_verdict allowed = { ACTION_ALLOW, "allowed by rule \"r\"" };

static void expect_review(const char *status, const struct access_verdict *verdict, const char *wanted)
{
    char answer[512];
    struct buffer out;
    buffer_init(&out, 4096);
    (void)snprintf(answer, sizeof answer, "{\"kind\":\"SelfSubjectAccessReview\",\"status\":%s}", status);
    assert_int_equal(access_answer_review(answer, strlen(answer), verdict, &out), 0);
    (void)snprintf(answer, sizeof answer, "{\"kind\":\"SelfSubjectAccessReview\",\"status\":%s}\n", wanted);
    same(&out, answer);
}

static void both_have_to_allow(void **state)
{
    (void)state;
    expect_review("{\"allowed\":true}", &allowed,
                  "{\"allowed\":true,\"reason\":\"gatehouse: allowed by rule \\\"r\\\"; cluster: allowed\"}");
    expect_review(
        "{\"allowed\":true,\"reason\":\"RBAC\"}", &denied,
        "{\"allowed\":false,\"reason\":\"gatehouse: denied by rule \\\"r\\\": no; cluster: allowed: RBAC\","
        "\"denied\":true}");
    expect_review(
        "{\"allowed\":false}", &allowed,
        "{\"allowed\":false,\"reason\":\"gatehouse: allowed by rule \\\"r\\\"; cluster: not allowed\"}");
}

static void what_is_no_review_goes_on_as_it_is(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 4096);
    static const char status[] = "{\"kind\":\"Status\",\"status\":\"Failure\"}";
    assert_int_equal(access_answer_review(status, sizeof status - 1, &allowed, &out), ACCESS_UNREADABLE);
    assert_int_equal(access_answer_review("{", 1, &allowed, &out), ACCESS_UNREADABLE);
    assert_int_equal(buffer_size(&out), 0);
}

/* ---- by rules ---- */

struct rules {
    Ipc__Match match;
    Ipc__Rule rule, *list[1];
    Ipc__Config config;
    struct rulebook *rulebook;
    struct circumstances who;
};

/* One rule: get and list of pods in "web" and what is below them are allowed. */
static void rules_init(struct rules *r)
{
    static char *verbs[] = { (char *)"get", (char *)"list" },
                *resources[] = { (char *)"pods", (char *)"pods/*" };
    static char *spaces[] = { (char *)"web" }, *targets[] = { (char *)"*" }, *roles[] = { (char *)"agent" };
    static Ipc__Match *matches[1];
    r->match = (Ipc__Match)IPC__MATCH__INIT;
    r->match.verbs = verbs;
    r->match.n_verbs = 2;
    r->match.resources = resources;
    r->match.n_resources = 2;
    r->match.namespaces = spaces;
    r->match.n_namespaces = 1;
    matches[0] = &r->match;
    r->rule = (Ipc__Rule)IPC__RULE__INIT;
    r->rule.name = (char *)"read";
    r->rule.targets = targets;
    r->rule.n_targets = 1;
    r->rule.match = matches;
    r->rule.n_match = 1;
    r->rule.action = (char *)"allow";
    r->list[0] = &r->rule;
    r->config = (Ipc__Config)IPC__CONFIG__INIT;
    r->config.rules = r->list;
    r->config.n_rules = 1;
    assert_int_equal(rulebook_new(&r->config, &r->rulebook), 0);
    r->who = (struct circumstances){ .roles = roles, .n_roles = 1, .target = "prod" };
}

static enum action ask(const struct rules *rules, const char *spec)
{
    char body[512];
    struct access_verdict verdict;
    (void)snprintf(body, sizeof body, "{\"spec\":{%s}}", spec);
    assert_int_equal(access_judge(rules->rulebook, &rules->who, body, strlen(body), &verdict), 0);
    return verdict.action;
}

static void a_question_is_judged_as_what_it_asks_about(void **state)
{
    (void)state;
    struct rules rules;
    struct access_verdict verdict;
    rules_init(&rules);
    assert_int_equal(
        ask(&rules, "\"resourceAttributes\":{\"namespace\":\"web\",\"verb\":\"get\",\"resource\":\"pods\"}"),
        ACTION_ALLOW);
    assert_int_equal(
        ask(&rules, "\"resourceAttributes\":{\"namespace\":\"web\",\"verb\":\"get\",\"resource\":\"pods\","
                    "\"subresource\":\"log\"}"),
        ACTION_ALLOW);
    assert_int_equal(ask(&rules, "\"resourceAttributes\":{\"verb\":\"get\",\"resource\":\"pods\"}"),
                     ACTION_DENY);
    assert_int_equal(
        ask(&rules, "\"resourceAttributes\":{\"namespace\":\"web\",\"verb\":\"*\",\"resource\":\"pods\"}"),
        ACTION_DENY);
    assert_int_equal(
        ask(&rules, "\"resourceAttributes\":{\"namespace\":\"web\",\"verb\":\"get\",\"resource\":\"pods\","
                    "\"group\":\"metrics.k8s.io\"}"),
        ACTION_DENY);
    assert_int_equal(ask(&rules, "\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/version\"}"),
                     ACTION_ALLOW);
    assert_int_equal(ask(&rules, "\"nonResourceAttributes\":{\"verb\":\"get\",\"path\":\"/metrics\"}"),
                     ACTION_DENY);
    assert_int_equal(access_judge(rules.rulebook, &rules.who, "{\"spec\":{}}", 11, &verdict),
                     ACCESS_UNREADABLE);
    assert_int_equal(verdict.action, ACTION_DENY);
    rulebook_free(rules.rulebook);
}

static void a_list_of_rules_is_without_what_is_denied(void **state)
{
    (void)state;
    static const char answer[] =
        "{\"kind\":\"SelfSubjectRulesReview\",\"status\":{\"resourceRules\":[{\"verbs\":[\"get\",\"delete\"],"
        "\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"secrets\",\"pods/log\"]}],\"nonResourceRules\":[],"
        "\"incomplete\":false}}";
    struct rules rules;
    struct buffer out;
    rules_init(&rules);
    buffer_init(&out, 4096);
    assert_int_equal(access_answer_rules(rules.rulebook, &rules.who, "web", answer, sizeof answer - 1, &out),
                     0);
    assert_int_equal(buffer_append(&out, "", 1), 0);
    const char *text = (const char *)buffer_head(&out);
    assert_non_null(
        strstr(text, "\"resourceRules\":[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]},"
                     "{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}]"));
    assert_non_null(strstr(text, "\"incomplete\":true"));
    assert_null(strstr(text, "secrets"));
    buffer_free(&out);
    rulebook_free(rules.rulebook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_read_as_yaml),
        cmocka_unit_test(what_the_server_keeps_for_itself_is_left_out),
        cmocka_unit_test(texts_can_not_draw_on_a_terminal),
        cmocka_unit_test(nesting_and_size_have_limits),
        cmocka_unit_test(lists_are_named_and_counted),
        cmocka_unit_test(a_failure_is_told_from_an_object),
        cmocka_unit_test(differences_are_as_diff_u_shows_them),
        cmocka_unit_test(changes_that_are_far_apart_are_hunks_of_their_own),
        cmocka_unit_test(differences_have_limits),
        cmocka_unit_test(both_have_to_allow),
        cmocka_unit_test(what_is_no_review_goes_on_as_it_is),
        cmocka_unit_test(a_question_is_judged_as_what_it_asks_about),
        cmocka_unit_test(a_list_of_rules_is_without_what_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
