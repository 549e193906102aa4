#include "policy/explain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "policy/config_parse.h"
#include "policy/policy_test.h"
#include "policy/sql.h"

static Ipc__Config *config;
static struct buffer out;

static int set_up(void **state)
{
    (void)state;
    static char text[64 * 1024];
    struct config_faults faults = { 0 };
    FILE *file = fopen("policy_cases/gatehouse.yaml", "re");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    int r = config_parse("/gatehouse.yaml", (const uint8_t *)text, n, false, &config, &faults);
    config_faults_print(&faults, "gatehouse.yaml", stderr);
    config_faults_free(&faults);
    buffer_init(&out, EXPLAIN_MAX);
    return r;
}

static int tear_down(void **state)
{
    (void)state;
    ipc__config__free_unpacked(config, NULL);
    buffer_free(&out);
    return 0;
}

/* What is in the buffer, as a string; it is empty afterwards. */
static char *printed(void)
{
    size_t n = buffer_size(&out);
    char *text = strndup((const char *)buffer_head(&out), n);
    assert_non_null(text);
    buffer_consume(&out, n);
    return text;
}

static enum action explain(const char *target, const char *sql, char **ret_text)
{
    char *agent[] = { (char[]){ "agent" } };
    enum action action;
    assert_int_equal(explain_statement(config, agent, 1, target, &(struct explain_request){ .text = sql },
                                       &out, &action, NULL),
                     0);
    *ret_text = printed();
    return action;
}

static void everything_that_was_recognised_is_shown(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(
        explain("orders", "DELETE FROM orders o USING public.customers c WHERE o.id = abs(c.id)", &text),
        ACTION_ALLOW);
    assert_string_equal(text,
                        "statement 1: DELETE FROM orders o USING public.customers c WHERE o.id = abs(c.id)\n"
                        "  kinds      delete, select\n"
                        "  tables     orders, public.customers\n"
                        "  columns    delete orders: id\n"
                        "             select public.customers: id\n"
                        "  functions  abs\n"
                        "  effect     delete orders\n"
                        "               allow by rule \"agent-sql\": allowed\n"
                        "  effect     select public.customers\n"
                        "               allow by rule \"agent-sql\": allowed\n"
                        "  effect     delete abs()\n"
                        "               allow by rule \"agent-sql\": allowed\n"
                        "verdict: allow by rule \"agent-sql\": allowed\n");
}

static void a_refusal_says_the_rule_the_reason_and_what_next(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("orders", "SELECT 1; DROP TABLE customers", &text), ACTION_DENY);
    assert_non_null(strstr(text, "statement 2: DROP TABLE customers\n"));
    assert_non_null(strstr(text,
                           "\nverdict: deny by rule \"no-drop\": destructive statements are not for agents "
                           "(code denied)\nnext: "));
}

static void a_command_line_is_shown_by_its_effects(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("web1", "sudo ls > /etc/x", &text), ACTION_DENY);
    assert_string_equal(
        text, "command: sudo ls > /etc/x\n"
              "  effect     write /etc/x\n"
              "               deny by rule \"no-rm\": not for agents (code denied)\n"
              "  effect     run sudo ls\n"
              "               allow by rule \"agent-web\": allowed\n"
              "  effect     run ls\n"
              "               allow by rule \"agent-web\": allowed\n"
              "verdict: deny by rule \"no-rm\": not for agents (code denied)\n"
              "next: the command `describe` lists what your roles may do here; ask the operator about "
              "rule \"no-rm\"\n");
}

static void the_files_of_a_transfer_are_shown_and_decided_on(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("web2", "git-upload-pack '/etc/shadow'", &text), ACTION_DENY);
    assert_string_equal(
        text, "command: git-upload-pack '/etc/shadow'\n"
              "  effect     run git-upload-pack /etc/shadow\n"
              "               allow by rule \"agent-transfers\": allowed\n"
              "  files      decided on before it runs, by where their paths lead at the target\n"
              "  effect     read /etc/shadow\n"
              "               deny by rule \"no-keys\": forbidden by this rule (code denied)\n"
              "verdict: deny by rule \"no-keys\": forbidden by this rule (code denied)\n"
              "next: the command `describe` lists what your roles may do here; ask the operator about "
              "rule \"no-keys\"\n");
}

static void where_a_relative_path_leads_is_not_known_here(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    CLEANUP(free) char *absolute = NULL;
    assert_int_equal(explain("web2", "scp -f x", &text), ACTION_DENY);
    assert_non_null(strstr(text, "only the target knows where a path leads that is not absolute"));
    assert_int_equal(explain("web2", "scp -f /srv/x", &absolute), ACTION_ALLOW);
    assert_null(strstr(absolute, "only the target knows"));
}

static void who_is_asked_for_a_file_is_shown(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("web2", "scp -t /held/x", &text), ACTION_HOLD);
    assert_non_null(strstr(text, "\nverdict: approve by rule \"asked-for\""));
    assert_non_null(strstr(text, "\nasks: dba (rule \"asked-for\", waits up to 5m)\n"));
}

static void a_transfer_that_is_not_the_whole_line_is_unknown(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("web2", "scp -f /srv/x; echo", &text), ACTION_DENY);
    assert_non_null(strstr(text, "which files scp, rsync or git serve: it is no line of its own"));
    assert_null(strstr(text, "  files  "));
}

static void a_request_to_a_cluster_is_shown_with_its_fields(void **state)
{
    (void)state;
    static const char body[] = "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"hostNetwork\":true}}";
    const struct explain_request request = { .text = "POST /api/v1/namespaces/web/pods",
                                             .body = (const uint8_t *)body,
                                             .body_n = sizeof body - 1 };
    char *agent[] = { (char[]){ "agent" } };
    enum action action;
    assert_int_equal(explain_statement(config, agent, 1, "prod", &request, &out, &action, NULL), 0);
    CLEANUP(free) char *text = printed();
    assert_int_equal(action, ACTION_DENY);
    assert_string_equal(
        text, "request: POST /api/v1/namespaces/web/pods\n"
              "  body       application/json\n"
              "  fields     metadata.name=a\n"
              "             spec.hostNetwork=true\n"
              "  effect     create pods web/a\n"
              "               deny by rule \"no-escape\": it would leave the pod (code denied)\n"
              "verdict: deny by rule \"no-escape\": it would leave the pod (code denied)\n"
              "next: the command `describe` lists what your roles may do here; ask the operator about "
              "rule \"no-escape\"\n");
}

static void a_request_without_a_body_says_so(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("prod", "PATCH /apis/apps/v1/namespaces/web/deployments/a", &text),
                     ACTION_ALLOW);
    assert_non_null(strstr(text, "  body       none was given: as if it set nothing\n"));
}

static void a_request_that_no_rule_could_judge_is_refused(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL, *other = NULL;
    assert_int_equal(explain("prod", "GET /api/v1/../secrets", &text), ACTION_DENY);
    assert_non_null(strstr(text, "(code unparsable)\n"));
    assert_int_equal(explain("prod", "get pods", &other), ACTION_DENY);
    assert_non_null(strstr(other, "as in 'GET /api/v1/namespaces/web/pods'"));
}

static void only_clusters_are_sent_bodies(void **state)
{
    (void)state;
    const struct explain_request request = { .text = "SELECT 1", .body = (const uint8_t *)"{}", .body_n = 2 };
    char *agent[] = { (char[]){ "agent" } };
    struct detail detail = { "" };
    enum action action;
    assert_int_equal(explain_statement(config, agent, 1, "orders", &request, &out, &action, &detail),
                     EXPLAIN_NO_SUCH);
}

static void what_comes_from_the_user_is_escaped(void **state)
{
    (void)state;
    CLEANUP(free) char *text = NULL;
    assert_int_equal(explain("orders", "SELECT 1 FROM \"a\x1b[31m\n\"", &text), ACTION_ALLOW);
    assert_null(strchr(text, '\x1b'));
    assert_non_null(strstr(text, "\\x1b"));
}

static void an_execute_is_judged_by_its_prepare(void **state)
{
    (void)state;
    CLEANUP(free) char *with = NULL;
    CLEANUP(free) char *without = NULL;
    assert_int_equal(explain("orders", "PREPARE p AS SELECT id FROM orders; EXECUTE p", &with), ACTION_ALLOW);
    assert_int_equal(explain("orders", "PREPARE q AS SELECT id FROM orders; EXECUTE p", &without),
                     ACTION_DENY);
    assert_non_null(strstr(without, "a prepared statement that is not shown here"));
}

static void a_new_search_path_counts_for_later_statements(void **state)
{
    (void)state;
    /* agent-stock allows tables of public; SET itself is not allowed there, but judged by itself. */
    CLEANUP(free) char *text = NULL;
    assert_int_equal(
        explain("stock", "SELECT name FROM items; SET search_path TO secret; SELECT name FROM items", &text),
        ACTION_DENY);
    char *third = strstr(text, "statement 3");
    assert_non_null(third);
    assert_non_null(strstr(text, "  so         allow by rule \"agent-stock\""));
    assert_null(strstr(third, "allow by"));
    assert_non_null(strstr(third, "deny by rule \"default\""));
}

static void unknown_roles_and_targets_are_faults(void **state)
{
    (void)state;
    struct detail detail;
    enum action action;
    char *nobody[] = { (char[]){ "nobody" } };
    assert_int_equal(explain_statement(config, nobody, 1, "orders",
                                       &(struct explain_request){ .text = "SELECT 1" }, &out, &action,
                                       &detail),
                     EXPLAIN_NO_SUCH);
    assert_string_equal(detail.text, "there is no role \"nobody\"");
    assert_int_equal(explain_statement(config, NULL, 0, "x", &(struct explain_request){ .text = "SELECT 1" },
                                       &out, &action, &detail),
                     EXPLAIN_NO_SUCH);
    assert_string_equal(detail.text, "there is no target \"x\"");
}

static void a_full_page_is_an_error_and_no_crash(void **state)
{
    (void)state;
    static const char sql[] = "SELECT id FROM customers WHERE id = 1";
    char *agent[] = { (char[]){ "agent" } };
    enum action action;
    CLEANUP(free) char *whole = NULL;
    assert_int_equal(explain("orders", sql, &whole), ACTION_ALLOW);
    for (size_t limit = 1; limit <= strlen(whole); limit++) {
        struct buffer small;
        buffer_init(&small, limit);
        int r = explain_statement(config, agent, 1, "orders", &(struct explain_request){ .text = sql },
                                  &small, &action, NULL);
        assert_int_equal(r, limit < strlen(whole) ? -ENOBUFS : 0);
        buffer_free(&small);
    }
}

static void the_table_of_verdicts_holds(void **state)
{
    (void)state;
    struct policy_score score = { 0 };
    struct config_faults faults = { 0 };
    int r = policy_test(config, "policy_cases/cases.yaml", &out, &score, &faults);
    config_faults_print(&faults, "cases.yaml", stderr);
    CLEANUP(free) char *text = printed();
    if (r != 0 || score.failed)
        fail_msg("%d: %s", r, text);
    assert_true(score.passed >= 40);
    assert_non_null(strstr(text, " as expected, 0 different\n"));
}

/* Writes the cases to a file and runs them. */
static int run(const char *cases, struct policy_score *score, struct config_faults *faults)
{
    char path[] = "/tmp/gatehouse-cases-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, cases, strlen(cases)), (ssize_t)strlen(cases));
    close(fd);
    int r = policy_test(config, path, &out, score, faults);
    unlink(path);
    return r;
}

static void a_difference_is_told_with_its_line(void **state)
{
    (void)state;
    struct policy_score score = { 0 };
    struct config_faults faults = { 0 };
    assert_int_equal(
        run("# one\n"
            "- { as: [agent], target: orders, statement: SELECT 1, verdict: deny }\n"
            "- { as: [agent], target: orders, statement: SELECT 1, verdict: allow, rule: other }\n"
            "- { as: [agent], target: orders, statement: DROP TABLE t, verdict: deny, code: limit }\n"
            "- { as: [agent], target: orders, statement: SELECT 1, verdict: allow }\n",
            &score, &faults),
        0);
    CLEANUP(free) char *text = printed();
    assert_int_equal(score.passed, 1);
    assert_int_equal(score.failed, 3);
    assert_non_null(strstr(text, ":2: SELECT 1\n  expected  deny\n  got       allow, rule agent-sql"));
    assert_non_null(strstr(
        text, ":4: DROP TABLE t\n  expected  deny, code limit\n  got       deny, rule no-drop, code denied"));
    assert_non_null(strstr(text, "  decided   drop t\n"));
}

static void a_fault_in_the_table_runs_nothing(void **state)
{
    (void)state;
    static const char *const faulty[] = {
        "- { as: [agent], target: orders, statement: SELECT 1, verdict: yes }\n",
        "- { as: [agent], target: orders, statement: SELECT 1, verdikt: allow }\n",
        "- { as: [agent], target: orders, statement: SELECT 1 }\n",
        "- { as: [agent], target: nowhere, statement: SELECT 1, verdict: allow }\n",
        "- { as: [nobody], target: orders, statement: SELECT 1, verdict: allow }\n",
        "- { as: [], target: orders, statement: SELECT 1, verdict: allow }\n",
        "- { as: [agent], target: orders, statement: [SELECT 1], verdict: allow }\n",
        "- as: [agent\n",
        "as: [agent]\n",
        "- { as: [agent], target: orders, command: ls, verdict: allow }\n",
        "- { as: [agent], target: orders, statement: SELECT 1, channel: shell, verdict: allow }\n",
        "- { as: [agent], target: web1, statement: SELECT 1, verdict: allow }\n",
        "- { as: [agent], target: web1, verdict: allow }\n",
        "- { as: [agent], target: web1, command: ls, channel: shell, verdict: allow }\n",
        "- { as: [agent], target: web1, operation: read, verdict: allow }\n",
        "- { as: [agent], target: web1, command: ls, path: /x, verdict: allow }\n",
        "- { as: [agent], target: web1, operation: reed, path: /x, verdict: allow }\n",
        "- { as: [agent], target: web1, channel: tty, verdict: allow }\n",
        "- { as: [agent], target: prod, verdict: allow }\n",
        "- { as: [agent], target: prod, statement: SELECT 1, verdict: allow }\n",
        "- { as: [agent], target: prod, request: GET pods, verdict: allow }\n",
        "- { as: [agent], target: prod, request: GET /version, command: ls, verdict: allow }\n",
        "- { as: [agent], target: prod, request: GET /version, body: { a: 1, a: 2 }, verdict: allow }\n",
        "- { as: [agent], target: orders, statement: SELECT 1, body: { a: 1 }, verdict: allow }\n",
        "- { as: [agent], target: web1, command: ls, request: GET /, verdict: allow }\n",
        "[]\n",
        "",
    };
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        struct policy_score score = { 0 };
        struct config_faults faults = { 0 };
        char cases[512];
        snprintf(cases, sizeof cases, "%s%s",
                 faulty[i][0] == '-'
                     ? "- { as: [agent], target: orders, statement: SELECT 1, verdict: allow }\n"
                     : "",
                 faulty[i]);
        assert_int_equal(run(cases, &score, &faults), 1);
        assert_true(faults.count >= 1);
        assert_int_equal(score.passed + score.failed, 0);
        assert_int_equal(buffer_size(&out), 0);
        config_faults_free(&faults);
    }
}

int main(void)
{
    sql_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_was_recognised_is_shown),
        cmocka_unit_test(a_refusal_says_the_rule_the_reason_and_what_next),
        cmocka_unit_test(a_command_line_is_shown_by_its_effects),
        cmocka_unit_test(the_files_of_a_transfer_are_shown_and_decided_on),
        cmocka_unit_test(where_a_relative_path_leads_is_not_known_here),
        cmocka_unit_test(who_is_asked_for_a_file_is_shown),
        cmocka_unit_test(a_transfer_that_is_not_the_whole_line_is_unknown),
        cmocka_unit_test(a_request_to_a_cluster_is_shown_with_its_fields),
        cmocka_unit_test(a_request_without_a_body_says_so),
        cmocka_unit_test(a_request_that_no_rule_could_judge_is_refused),
        cmocka_unit_test(only_clusters_are_sent_bodies),
        cmocka_unit_test(what_comes_from_the_user_is_escaped),
        cmocka_unit_test(an_execute_is_judged_by_its_prepare),
        cmocka_unit_test(a_new_search_path_counts_for_later_statements),
        cmocka_unit_test(unknown_roles_and_targets_are_faults),
        cmocka_unit_test(a_full_page_is_an_error_and_no_crash),
        cmocka_unit_test(the_table_of_verdicts_holds),
        cmocka_unit_test(a_difference_is_told_with_its_line),
        cmocka_unit_test(a_fault_in_the_table_runs_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
