/* Limits of rules in one session: which ones hold for what, and when a result is over. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "channels/pg/inspect.h"
#include "channels/pg/limits.h"
#include "channels/pg/veil.h"
#include "policy/config_parse.h"

static const char yaml[] =
    "listen: [\"127.0.0.1:2222\"]\nstate: state\nroles: [{ name: agent }, { name: free }]\n"
    "targets:\n  - { name: orders, kind: postgres, address: \"127.0.0.1:1\", database: shop, login: app, "
    "credential: c, tls: disable }\n"
    "rules:\n"
    "  - { name: few, roles: [agent], targets: [orders], action: allow, match: { tables: [payments] }, "
    "limits: { rows: 3, statements_per_minute: 2 } }\n"
    "  - { name: many, roles: [agent], targets: [orders], action: allow, limits: { rows: 5, bytes: 1KiB } }\n"
    "  - { name: free, roles: [free], targets: [orders], action: allow }\n";

static Ipc__Config *config;
static struct rulebook *book;
static struct inspector *inspector;
static struct limits limits;
static char *agent[] = { (char[]){ "agent" } }, *unlimited[] = { (char[]){ "free" } };
static struct circumstances who;

static int begin(void **state)
{
    struct config_faults faults = { 0 };
    (void)state;
    int r = config_parse("/limits.yaml", (const uint8_t *)yaml, strlen(yaml), false, &config, &faults);
    config_faults_print(&faults, "limits.yaml", stderr);
    config_faults_free(&faults);
    assert_int_equal(r, 0);
    assert_int_equal(rulebook_new(config, &book), 0);
    sql_start();
    who = (struct circumstances){ .roles = agent, .n_roles = 1, .target = "orders", .database = "shop" };
    assert_int_equal(inspector_new(book, &who, NULL, &inspector), 0);
    inspector_limit(inspector);
    limits_init(&limits);
    limits.on = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    limits_free(&limits);
    inspector_free(inspector);
    rulebook_free(book);
    ipc__config__free_unpacked(config, NULL);
    return 0;
}

static struct decision *decide(const char *sql)
{
    struct decision *d = NULL;
    assert_int_equal(inspector_decide(inspector, sql, strlen(sql), TEXT_UTF8, NULL, &d), 0);
    assert_int_equal(d->verdict.action, ACTION_ALLOW);
    return d;
}

static uint32_t used(const struct budget *budget, const char *rule)
{
    for (size_t i = 0; i < budget->n_uses; i++)
        if (strcmp(budget->uses[i].rule->name, rule) == 0)
            return budget->uses[i].statements;
    return 0;
}

static void the_smallest_limits_of_all_rules_that_allowed_hold(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from carts");
    assert_int_equal(d->budget.rows, 5);
    assert_int_equal(d->budget.bytes, 1024);
    assert_string_equal(d->budget.rows_rule, "many");
    assert_int_equal(d->budget.n_uses, 0);
    decision_free(d);
    d = decide("select 1 from carts, payments");
    assert_int_equal(d->budget.rows, 3);
    assert_string_equal(d->budget.rows_rule, "few");
    assert_int_equal(d->budget.bytes, 1024);
    assert_string_equal(d->budget.bytes_rule, "many");
    assert_int_equal(used(&d->budget, "few"), 1);
    decision_free(d);
}

static void each_statement_of_a_string_is_counted(void **state)
{
    (void)state;
    struct decision *d =
        decide("select 1 from payments; select 1 from carts; select 2 from payments, payments p");
    assert_int_equal(used(&d->budget, "few"), 2);
    assert_int_equal(used(&d->budget, "many"), 0);
    decision_free(d);
}

static void limits_are_known_only_to_roles_and_targets_that_have_them(void **state)
{
    (void)state;
    assert_true(rulebook_limits(book, agent, 1, "orders"));
    assert_false(rulebook_limits(book, agent, 1, "others"));
    assert_false(rulebook_limits(book, unlimited, 1, "orders"));
}

static void a_result_is_over_behind_its_last_row(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from payments");
    assert_true(limits_begin_query(&limits, d, &d->budget, NULL));
    for (int i = 0; i < 3; i++)
        assert_true(limits_show(&limits, 10));
    assert_false(limits_show(&limits, 0));
    struct verdict verdict = limits_verdict(&limits);
    assert_int_equal(verdict.action, ACTION_DENY);
    assert_string_equal(verdict.code, "limit");
    assert_string_equal(verdict.rule, "few");
    assert_string_equal(verdict.reason, "the result has more than 3 rows");
    limits_next_result(&limits);
    assert_true(limits_show(&limits, 10));
    decision_free(d);
}

static void a_result_is_over_before_a_byte_too_many(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from carts");
    assert_true(limits_begin_query(&limits, d, &d->budget, NULL));
    assert_true(limits_show(&limits, 1000));
    assert_true(limits_show(&limits, 24));
    assert_false(limits_show(&limits, 1));
    struct verdict verdict = limits_verdict(&limits);
    assert_string_equal(verdict.rule, "many");
    assert_string_equal(verdict.reason, "the result has more than 1024 bytes");
    limits_next_result(&limits);
    assert_false(limits_show(&limits, SIZE_MAX));
    decision_free(d);
}

static void a_portal_remembers_what_it_has_shown(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from payments");
    assert_int_equal(limits_bound(&limits, "p", d, &d->budget, NULL), 0);
    assert_int_equal(limits_bound(&limits, "q", d, &d->budget, NULL), 0);
    assert_true(limits_begin_execute(&limits, "p"));
    assert_true(limits_show(&limits, 1) && limits_show(&limits, 1));
    assert_true(limits_begin_execute(&limits, "q"));
    assert_true(limits_show(&limits, 1));
    assert_true(limits_begin_execute(&limits, "p"));
    assert_true(limits_show(&limits, 1));
    assert_false(limits_show(&limits, 1));
    /* Made anew it begins anew; closed while it is under way it is still counted. */
    assert_int_equal(limits_bound(&limits, "p", d, &d->budget, NULL), 0);
    assert_true(limits_begin_execute(&limits, "p"));
    assert_true(limits_show(&limits, 1) && limits_show(&limits, 1));
    limits_closed(&limits, "p");
    assert_true(limits_show(&limits, 1));
    assert_false(limits_show(&limits, 1));
    assert_false(limits_begin_execute(&limits, "p"));
    decision_free(d);
}

static void a_fetch_has_the_limits_of_its_cursor(void **state)
{
    (void)state;
    struct decision *declare = decide("declare c cursor for select 1 from payments");
    struct decision *fetch = decide("fetch 2 from c"), *other = decide("fetch 2 from d"),
                    *move = decide("move 2 in c");
    struct budget budget = { .rows = 0 };
    assert_int_equal(limits_declared(&limits, declare), 0);
    const char *cursor = limits_fetched(&limits, fetch, &budget);
    assert_string_equal(cursor, "c");
    assert_int_equal(budget.rows, 3);
    assert_true(limits_begin_query(&limits, fetch, &budget, cursor));
    assert_true(limits_show(&limits, 1) && limits_show(&limits, 1));
    limits_next_result(&limits);
    assert_int_equal(limits_bound(&limits, "", fetch, &budget, cursor), 0);
    assert_true(limits_begin_execute(&limits, ""));
    assert_true(limits_show(&limits, 1));
    assert_false(limits_show(&limits, 1));
    budget = (struct budget){ .rows = 0 };
    assert_string_equal(limits_fetched(&limits, other, &budget), "d");
    assert_int_equal(budget.rows, 0);
    assert_null(limits_fetched(&limits, move, &budget));
    decision_free(declare);
    decision_free(fetch);
    decision_free(other);
    decision_free(move);
}

static void portals_beyond_the_bound_share_their_limits(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from payments");
    char name[32];
    for (int i = 0; i < LIMITS_PORTALS_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(limits_bound(&limits, name, d, &d->budget, NULL), 0);
    }
    assert_int_equal(limits.portals.count, LIMITS_PORTALS_MAX);
    assert_true(limits_begin_execute(&limits, name));
    for (int i = 0; i < 3; i++)
        assert_true(limits_show(&limits, 1));
    assert_false(limits_show(&limits, 1));
    decision_free(d);
}

static void the_ledger_is_asked_once_per_statement(void **state)
{
    (void)state;
    struct decision *d = decide("select 1 from payments"),
                    *three = decide("select 1 from payments; select 1 from "
                                    "payments; select 1 from payments");
    struct verdict verdict = { .action = ACTION_ALLOW };
    assert_int_equal(limits_allowance(&limits, &d->budget, &verdict), LIMITS_ASK);
    assert_int_equal(limits.allowance, ALLOWANCE_ASKED);
    assert_int_equal(used(&limits.asked, "few"), 1);
    limits.allowance = ALLOWANCE_GO;
    assert_int_equal(limits_allowance(&limits, &d->budget, &verdict), 0);
    assert_int_equal(verdict.action, ACTION_ALLOW);
    limits.allowance = ALLOWANCE_FULL;
    limits.full_rule = "few";
    limits.wait_s = 17;
    assert_int_equal(limits_allowance(&limits, &d->budget, &verdict), LIMITS_REFUSED);
    assert_int_equal(verdict.action, ACTION_DENY);
    assert_string_equal(verdict.reason, "it allows 2 statements a minute, on all connections together");
    char next[128];
    assert_string_equal(verdict_next(&verdict, next, sizeof next), "wait 17 seconds, then run it again");
    /* More than a minute ever has: nobody is asked. */
    limits.allowance = ALLOWANCE_NONE;
    assert_int_equal(limits_allowance(&limits, &three->budget, &verdict), LIMITS_REFUSED);
    assert_int_equal(verdict.wait_s, 0);
    decision_free(d);
    decision_free(three);
}

/* ---- the mark ---- */

static void say(struct veil *veil, uint8_t type, const char *body)
{
    struct buffer out;
    buffer_init(&out, 1024);
    assert_int_equal(veil_answer(veil, type, reader_of((const uint8_t *)body, strlen(body)), &out),
                     VEIL_PASS);
    buffer_free(&out);
}

static void the_mark_is_where_limits_count(void **state)
{
    (void)state;
    struct veil *veil = NULL;
    assert_int_equal(veil_new(&(struct veil_how){ .key = NULL }, &veil), 0);
    assert_int_equal(veil_query(veil, NULL, 1), 0);
    assert_int_equal(veil_query(veil, NULL, 1), 0);
    veil_mark(veil);
    assert_true(veil_is_marked(veil));
    assert_false(veil_is_at_mark(veil));
    assert_int_equal(veil_query(veil, NULL, 1), 0);
    say(veil, 'C', "");
    assert_false(veil_is_at_mark(veil));
    say(veil, 'Z', "I");
    assert_true(veil_is_at_mark(veil));
    say(veil, 'C', "");
    assert_true(veil_is_at_mark(veil));
    say(veil, 'Z', "I");
    assert_false(veil_is_marked(veil));
    assert_false(veil_is_at_mark(veil));
    veil_free(veil);
}

static void nothing_is_marked_that_the_server_skips(void **state)
{
    (void)state;
    struct veil *veil = NULL;
    struct buffer out;
    buffer_init(&out, 1024);
    assert_int_equal(veil_new(&(struct veil_how){ .key = NULL }, &veil), 0);
    assert_int_equal(veil_parse(veil, "", NULL), 0);
    assert_int_equal(veil_answer(veil, 'E', reader_of((const uint8_t *)"\0", 1), &out), VEIL_PASS);
    assert_int_equal(veil_execute(veil, ""), 0);
    veil_mark(veil);
    assert_false(veil_is_marked(veil));
    assert_int_equal(veil_sync(veil), 0);
    say(veil, 'Z', "I");
    assert_int_equal(veil_execute(veil, ""), 0);
    veil_mark(veil);
    assert_true(veil_is_at_mark(veil));
    say(veil, 'C', "");
    assert_false(veil_is_marked(veil));
    veil_free(veil);
    buffer_free(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_limits_of_all_rules_that_allowed_hold),
        TEST(each_statement_of_a_string_is_counted),
        TEST(limits_are_known_only_to_roles_and_targets_that_have_them),
        TEST(a_result_is_over_behind_its_last_row),
        TEST(a_result_is_over_before_a_byte_too_many),
        TEST(a_portal_remembers_what_it_has_shown),
        TEST(a_fetch_has_the_limits_of_its_cursor),
        TEST(portals_beyond_the_bound_share_their_limits),
        TEST(the_ledger_is_asked_once_per_statement),
        TEST(the_mark_is_where_limits_count),
        TEST(nothing_is_marked_that_the_server_skips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
