/* One decision for statements that differ in numbers alone: when it is shared, when not, and that it is
 * always the one that the parser would have led to. */
#include "channels/pg/inspect.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

struct fixture {
    struct rulebook *rulebook;
    struct catalog *catalog;
    struct scope *scope;
    struct inspector *inspector, *fresh; /* what is asked of the one twice, the other is asked once */
};

/* orders may be read, except for column `secret`; unbounded writes are refused, others allowed. */
static int rules(struct rulebook **ret)
{
    static Ipc__Config config;
    static Ipc__Rule secret, writes, rest, *all[] = { &secret, &writes, &rest };
    static Ipc__Match of_secret, of_writes, of_rest,
        *blocks[][1] = { { &of_secret }, { &of_writes }, { &of_rest } };
    static char columns[] = "*.secret", select[] = "select", update[] = "update", delete[] = "delete",
                set[] = "set", lock[] = "lock";
    static char *secrets[] = { columns }, *kinds[] = { select, update, delete, set, lock };
    ipc__config__init(&config);
    for (int i = 0; i < 3; i++) {
        ipc__match__init(blocks[i][0]);
        ipc__rule__init(all[i]);
        all[i]->match = blocks[i];
        all[i]->n_match = 1;
        all[i]->name = (char *)(uintptr_t)(i == 0 ? "secret" : i == 1 ? "writes" : "rest");
        all[i]->action = (char *)(uintptr_t)(i == 2 ? "allow" : "deny");
    }
    of_secret.columns = secrets;
    of_secret.n_columns = 1;
    of_writes.unbounded_write = of_writes.has_unbounded_write = true;
    of_rest.statements = kinds;
    of_rest.n_statements = sizeof kinds / sizeof kinds[0];
    config.rules = all;
    config.n_rules = 3;
    return rulebook_new(&config, ret);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct circumstances who = { .target = "test" };
    sql_start();
    *state = f;
    return !f || rules(&f->rulebook) || inspector_new(f->rulebook, &who, NULL, &f->inspector) ||
           inspector_new(f->rulebook, &who, NULL, &f->fresh);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    inspector_free(f->inspector);
    inspector_free(f->fresh);
    scope_free(f->scope);
    catalog_free(f->catalog);
    rulebook_free(f->rulebook);
    free(f);
    return 0;
}

static struct decision *once(struct inspector *inspector, const char *text)
{
    struct decision *d = NULL;
    assert_int_equal(inspector_decide_once(inspector, text, strlen(text), TEXT_UTF8, NULL, &d), 0);
    return d;
}

/* The third text of a shape gets the decision that was made of the second. */
static bool shares(struct inspector *inspector, const char *first, const char *second, const char *third)
{
    CLEANUP(decision_free)
    struct decision *a = once(inspector, first), *b = once(inspector, second), *c = once(inspector, third);
    assert_ptr_not_equal(a, b);
    return b == c;
}

/* ---- when ---- */

static void reads_that_differ_in_numbers_share_a_decision(void **state)
{
    struct fixture *f = *state;
    assert_true(shares(f->inspector, "SELECT a FROM orders WHERE id = 1",
                       "SELECT a FROM orders WHERE id = 22", "SELECT a FROM orders WHERE id = 333333333"));
}

static void nothing_else_shares_one(void **state)
{
    static const char *const texts[][3] = {
        /* numbers that decide */
        { "DELETE FROM orders WHERE id = 1 OR id <> 2", "DELETE FROM orders WHERE id = 3 OR id <> 4",
          "DELETE FROM orders WHERE id = 5 OR id <> 5" },
        { "UPDATE orders SET a = b WHERE 1 = 2", "UPDATE orders SET a = b WHERE 1 = 3",
          "UPDATE orders SET a = b WHERE 1 = 1" },
        { "SELECT a FROM orders LIMIT 1", "SELECT a FROM orders LIMIT 2", "SELECT a FROM orders LIMIT 0" },
        { "SELECT a FROM orders ORDER BY 1", "SELECT a FROM orders ORDER BY 2",
          "SELECT a FROM orders ORDER BY 3" },
        /* what is left behind in the session */
        { "SET search_path = a1", "SET search_path = a2", "SET search_path = a3" },
        { "SET statement_timeout = 1", "SET statement_timeout = 2", "SET statement_timeout = 3" },
        /* several */
        { "SELECT a FROM orders WHERE id = 1; SELECT 1", "SELECT a FROM orders WHERE id = 2; SELECT 2",
          "SELECT a FROM orders WHERE id = 3; SELECT 3" },
        /* refused */
        { "SELECT secret FROM orders WHERE id = 1", "SELECT secret FROM orders WHERE id = 2",
          "SELECT secret FROM orders WHERE id = 3" },
        { "DROP TABLE orders1", "DROP TABLE orders2", "DROP TABLE orders3" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (shares(f->inspector, texts[i][0], texts[i][1], texts[i][2]))
            fail_msg("shared: %s", texts[i][2]);
}

static void texts_that_are_kept_have_a_decision_of_their_own(void **state)
{
    static const char last[] = "SELECT a FROM orders WHERE id = 3";
    struct fixture *f = *state;
    assert_true(
        shares(f->inspector, "SELECT a FROM orders WHERE id = 1", "SELECT a FROM orders WHERE id = 2", last));
    CLEANUP(decision_free) struct decision *d = NULL;
    assert_int_equal(inspector_decide(f->inspector, last, sizeof last - 1, TEXT_UTF8, NULL, &d), 0);
    assert_string_equal(d->text, last);
}

static void another_encoding_shares_nothing(void **state)
{
    static const char last[] = "SELECT a FROM orders WHERE id = 3";
    struct fixture *f = *state;
    assert_true(
        shares(f->inspector, "SELECT a FROM orders WHERE id = 1", "SELECT a FROM orders WHERE id = 2", last));
    CLEANUP(decision_free) struct decision *d = NULL;
    assert_int_equal(inspector_decide_once(f->inspector, last, sizeof last - 1, TEXT_ASCII, NULL, &d), 0);
    assert_string_equal(d->text, last);
}

static void a_moved_search_path_forgets_shapes(void **state)
{
    static const char last[] = "SELECT a FROM orders WHERE id = 3";
    struct fixture *f = *state;
    assert_true(
        shares(f->inspector, "SELECT a FROM orders WHERE id = 1", "SELECT a FROM orders WHERE id = 2", last));
    inspector_set_path(f->inspector);
    CLEANUP(decision_free) struct decision *d = once(f->inspector, last);
    assert_string_equal(d->text, last);
}

static void where_results_are_limited_nothing_is_shared(void **state)
{
    struct fixture *f = *state;
    inspector_limit(f->inspector);
    assert_false(shares(f->inspector, "SELECT a FROM orders WHERE id = 1",
                        "SELECT a FROM orders WHERE id = 2", "SELECT a FROM orders WHERE id = 3"));
}

/* ---- with a catalog ---- */

static void put_orders(struct fixture *f, char kind, uint64_t mark)
{
    static const struct catalog_column columns[] = { { "id", 1, 23, false, 's', '-' },
                                                     { "a", 2, 23, false, 's', '-' } };
    static const struct catalog_schema schemas[] = { { "pg_catalog", true }, { "public", true } };
    const struct catalog_basics basics = {
        .login = "app", .search_path = "\"$user\", public", .schemas = schemas, .n_schemas = 2
    };
    const struct catalog_relation table = { .oid = 20000,
                                            .schema = "public",
                                            .name = "orders",
                                            .owner = "app",
                                            .kind = kind,
                                            .columns = columns,
                                            .n_columns = 2 };
    struct catalog_want wants[CATALOG_WANTS_MAX];
    size_t n = catalog_take_wants(f->catalog, wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (wants[i].kind == CATALOG_BASICS)
            assert_int_equal(catalog_put_basics(f->catalog, &basics, 1), 0);
        else
            assert_int_equal(catalog_put_relations(f->catalog, "orders", &table, 1, mark), 0);
    }
}

/* Asks until the catalog knows enough. */
static struct decision *once_known(struct fixture *f, const char *text, uint64_t mark)
{
    struct decision *d = NULL;
    int r = INSPECT_WAIT;
    for (int rounds = 0; r == INSPECT_WAIT && rounds < 8; rounds++) {
        r = inspector_decide_once(f->inspector, text, strlen(text), TEXT_UTF8, NULL, &d);
        put_orders(f, 'r', mark);
    }
    assert_int_equal(r, 0);
    assert_int_equal(d->verdict.action, ACTION_ALLOW);
    return d;
}

static void a_moved_catalog_forgets_shapes(void **state)
{
    static const char last[] = "SELECT a FROM orders WHERE id = 3";
    struct fixture *f = *state;
    const struct circumstances who = { .target = "test" };
    inspector_free(f->inspector);
    f->inspector = NULL;
    assert_int_equal(catalog_new(&f->catalog), 0);
    assert_int_equal(scope_new(f->catalog, &f->scope), 0);
    assert_int_equal(inspector_new(f->rulebook, &who, f->scope, &f->inspector), 0);
    CLEANUP(decision_free)
    struct decision *a = once_known(f, "SELECT a FROM orders WHERE id = 1", 1),
                    *b = once_known(f, "SELECT a FROM orders WHERE id = 2", 1), *c = once_known(f, last, 1);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(b, c);
    assert_int_equal(scope_note(f->scope, SCOPE_STALE, NULL), 0);
    assert_int_equal(scope_note(f->scope, SCOPE_CHANGED, "customers"), 0);
    CLEANUP(decision_free) struct decision *d = once_known(f, last, 2);
    assert_string_equal(d->text, last);
}

/* ---- the same as without ---- */

static void assert_same(const struct decision *a, const struct decision *b, const char *text)
{
    bool same = a->verdict.action == b->verdict.action && strcmp(a->verdict.rule, b->verdict.rule) == 0 &&
                strcmp(a->verdict.code ? a->verdict.code : "", b->verdict.code ? b->verdict.code : "") == 0 &&
                a->moves_path == b->moves_path && a->n_effects == b->n_effects && a->n_steps == b->n_steps &&
                a->n_changes == b->n_changes && a->n_statements == b->n_statements;
    for (size_t i = 0; same && i < a->n_effects; i++)
        same = strcmp(a->effects[i], b->effects[i]) == 0;
    if (!same)
        fail_msg("decided otherwise by its shape: %s", text);
}

static const char *const templates[] = {
    "SELECT a FROM orders WHERE id = %d",
    "SELECT a FROM orders WHERE id = %d AND (b < %d OR NOT c >= %d)",
    "SELECT a FROM orders WHERE %d = id OR b <> %d",
    "SELECT a FROM orders WHERE id = %d OR id <> %d",
    "SELECT a FROM orders WHERE %d = %d",
    "SELECT a, secret FROM orders WHERE id = %d",
    "SELECT a FROM orders WHERE secret = %d",
    "SELECT count(*) FROM orders o JOIN customers c ON o.customer = c.id WHERE c.age > %d",
    "SELECT a FROM orders WHERE id = %d LIMIT %d",
    "SELECT a FROM orders WHERE id = %d GROUP BY %d",
    "SELECT a FROM orders WHERE id = %d FOR UPDATE",
    "SELECT pg_sleep(%d) FROM orders WHERE id = %d",
    "SELECT a INTO b%d FROM orders WHERE id = %d",
    "SELECT a FROM orders WHERE id = %d; SELECT a FROM orders WHERE id = %d",
    "SELECT a FROM orders WHERE id = %d; DELETE FROM orders",
    "UPDATE orders SET a = %d WHERE id = %d",
    "UPDATE orders SET a = %d WHERE id = %d OR id <> %d",
    "UPDATE orders SET a = %d WHERE %d = %d",
    "UPDATE orders SET a = %d WHERE NOT (id = %d AND id = %d)",
    "DELETE FROM orders WHERE id = %d",
    "DELETE FROM orders WHERE id <> %d OR id = %d",
    "DELETE FROM orders WHERE %d < %d",
    "WITH d AS (DELETE FROM orders WHERE id = %d OR id <> %d RETURNING a) SELECT a FROM d WHERE a = %d",
    "SELECT set_config(a, b, c = %d) FROM orders WHERE id = %d",
    "SET work_mem = %d",
    "SELECT %d",
};

static void whatever_the_numbers_are_the_decision_is_the_parsers(void **state)
{
    static const int numbers[] = { 0, 1, 2, 1, 7, 7, 0, 999999999, 1, 1, 1, 2, 2, 0, 0, 0 };
    enum { N = sizeof numbers / sizeof numbers[0] };
    struct fixture *f = *state;
    char text[256];
    for (int round = 0; round < 64; round++) {
        for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++) {
            const struct circumstances who = { .target = "test" };
            struct decision *shared, *own;
            const int *n = numbers;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            (void)snprintf(text, sizeof text, templates[i], n[round % N], n[(round / 2 + 1) % N],
                           n[(round / 3 + 5) % N]);
#pragma GCC diagnostic pop
            inspector_free(f->fresh);
            f->fresh = NULL;
            assert_int_equal(inspector_new(f->rulebook, &who, NULL, &f->fresh), 0);
            shared = once(f->inspector, text);
            own = once(f->fresh, text);
            assert_same(shared, own, text);
            decision_free(shared);
            decision_free(own);
        }
    }
}

/* ---- bounds ---- */

static void many_shapes_take_bounded_memory(void **state)
{
    struct fixture *f = *state;
    char text[128];
    for (int i = 0; i < 3 * 4000; i++) { /* each three times, so that all are kept for a while */
        (void)snprintf(text, sizeof text, "SELECT a FROM orders WHERE id = %d AND column_%d = 5", i, i / 3);
        decision_free(once(f->inspector, text));
    }
    assert_true(shares(f->inspector, "SELECT b FROM orders WHERE id = 1", "SELECT b FROM orders WHERE id = 2",
                       "SELECT b FROM orders WHERE id = 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_that_differ_in_numbers_share_a_decision, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_shares_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts_that_are_kept_have_a_decision_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_encoding_shares_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_search_path_forgets_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_results_are_limited_nothing_is_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_catalog_forgets_shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whatever_the_numbers_are_the_decision_is_the_parsers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(many_shapes_take_bounded_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
