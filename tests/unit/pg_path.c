/* The search_path: an unqualified name is one of schema public only as long as the session has not moved it.
 */
#include "channels/pg/inspect.h"

#include <string.h>

#include "check.h"

struct fixture {
    struct rulebook *rulebook;
    struct inspector *inspector;
};

/* select and set are allowed on public.orders, nothing else. */
static int set_up(void **state)
{
    static struct fixture f;
    static Ipc__Config config;
    static Ipc__Rule tables, settings, *rules[] = { &tables, &settings };
    static Ipc__Match of_tables, of_settings, *table_blocks[] = { &of_tables },
                                              *setting_blocks[] = { &of_settings };
    static char any[] = "*", orders[] = "public.orders", select[] = "select", set[] = "set",
                function[] = "function";
    static char *targets[] = { any }, *tables_allowed[] = { orders }, *selects[] = { select },
                *sets[] = { set, function };
    ipc__config__init(&config);
    ipc__match__init(&of_tables);
    ipc__match__init(&of_settings);
    of_tables.tables = tables_allowed;
    of_tables.statements = selects;
    of_settings.statements = sets;
    of_tables.n_tables = of_tables.n_statements = 1;
    of_settings.n_statements = 2;
    for (int i = 0; i < 2; i++) {
        ipc__rule__init(rules[i]);
        rules[i]->name = (char *)(uintptr_t)(i ? "settings" : "tables");
        rules[i]->action = (char *)(uintptr_t) "allow";
        rules[i]->targets = targets;
        rules[i]->match = i ? setting_blocks : table_blocks;
        rules[i]->n_targets = rules[i]->n_match = 1;
    }
    config.rules = rules;
    config.n_rules = 2;
    const struct circumstances who = { .target = "test" };
    sql_start();
    if (rulebook_new(&config, &f.rulebook) || inspector_new(f.rulebook, &who, NULL, &f.inspector))
        return -1;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    inspector_free(f->inspector);
    rulebook_free(f->rulebook);
    return 0;
}

static enum action verdict_on(struct fixture *f, const char *text)
{
    struct decision *d = NULL;
    assert_int_equal(inspector_decide(f->inspector, text, strlen(text), TEXT_UTF8, NULL, &d), 0);
    enum action action = d->verdict.action;
    decision_free(d);
    return action;
}

static void an_unqualified_name_is_public_at_first(void **state)
{
    assert_int_equal(verdict_on(*state, "select * from orders"), ACTION_ALLOW);
    assert_int_equal(verdict_on(*state, "select * from public.orders"), ACTION_ALLOW);
    assert_int_equal(verdict_on(*state, "select * from secret.orders"), ACTION_DENY);
}

static void after_set_search_path_only_qualified_names_are(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) /* it is in the cache then */
        assert_int_equal(verdict_on(f, "select * from orders"), ACTION_ALLOW);
    assert_false(inspector_has_path(f->inspector));
    assert_int_equal(verdict_on(f, "set search_path to secret"), ACTION_ALLOW);
    assert_true(inspector_has_path(f->inspector));
    assert_int_equal(verdict_on(f, "select * from orders"), ACTION_DENY);
    assert_int_equal(verdict_on(f, "select * from public.orders"), ACTION_ALLOW);
}

static void a_function_moves_the_path_as_well(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verdict_on(f, "select set_config('search_path', 'secret', false) from public.orders"),
                     ACTION_ALLOW);
    assert_int_equal(verdict_on(f, "select * from orders"), ACTION_DENY);
}

static void within_one_string_the_path_moves_for_what_follows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verdict_on(f, "set search_path to secret; select * from orders"), ACTION_DENY);
    /* Refused as a whole, so the path has not moved. */
    assert_false(inspector_has_path(f->inspector));
    assert_int_equal(verdict_on(f, "select * from orders"), ACTION_ALLOW);
    assert_int_equal(verdict_on(f, "set search_path to secret; select * from public.orders"), ACTION_ALLOW);
    assert_true(inspector_has_path(f->inspector));
}

static void a_refused_set_moves_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(verdict_on(f, "select 1 from secret.x; set search_path to secret"), ACTION_DENY);
    assert_false(inspector_has_path(f->inspector));
    assert_int_equal(verdict_on(f, "set work_mem to '1MB'"), ACTION_ALLOW);
    assert_false(inspector_has_path(f->inspector));
}

static void a_path_from_the_start_counts(void **state)
{
    struct fixture *f = *state;
    inspector_set_path(f->inspector);
    assert_int_equal(verdict_on(f, "select * from orders"), ACTION_DENY);
    assert_int_equal(verdict_on(f, "select * from public.orders"), ACTION_ALLOW);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unqualified_name_is_public_at_first),
        TEST(after_set_search_path_only_qualified_names_are),
        TEST(a_function_moves_the_path_as_well),
        TEST(within_one_string_the_path_moves_for_what_follows),
        TEST(a_refused_set_moves_nothing),
        TEST(a_path_from_the_start_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
