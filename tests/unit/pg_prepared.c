/* Names of prepared statements, and the cache of decisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "channels/pg/prepared.h"

struct fixture {
    struct rulebook *rulebook;
    struct circumstances who;
    struct inspector *inspector;
    struct prepared_set set;
};

static int set_up(void **state)
{
    static struct fixture f;
    static Ipc__Config config;
    static Ipc__Rule rule, *rules[] = { &rule };
    static char any[] = "*", *targets[] = { any };
    ipc__config__init(&config);
    ipc__rule__init(&rule);
    rule.name = (char *)(uintptr_t) "all";
    rule.action = (char *)(uintptr_t) "allow";
    rule.anything = true;
    rule.targets = targets;
    rule.n_targets = 1;
    config.rules = rules;
    config.n_rules = 1;
    f = (struct fixture){ .who = { .target = "test" } };
    sql_start();
    if (rulebook_new(&config, &f.rulebook) || inspector_new(f.rulebook, &f.who, NULL, &f.inspector))
        return -1;
    prepared_init(&f.set);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    prepared_free(&f->set);
    inspector_free(f->inspector);
    rulebook_free(f->rulebook);
    return 0;
}

static struct decision *decide(struct fixture *f, const char *text, enum text_kind kind)
{
    struct decision *d = NULL;
    assert_int_equal(inspector_decide(f->inspector, text, strlen(text), kind, NULL, &d), 0);
    return d;
}

static void a_text_that_comes_a_third_time_is_not_decided_again(void **state)
{
    decision_free(decide(*state, "select 1", TEXT_UTF8));
    struct decision *one = decide(*state, "select 1", TEXT_UTF8),
                    *two = decide(*state, "select 1", TEXT_UTF8),
                    *other = decide(*state, "select 2", TEXT_UTF8);
    assert_ptr_equal(one, two);
    assert_ptr_not_equal(one, other);
    decision_free(one);
    decision_free(two);
    decision_free(other);
}

static void the_cache_forgets_the_oldest_and_stays_small(void **state)
{
    decision_free(decide(*state, "select 'first'", TEXT_UTF8));
    struct decision *kept = decide(*state, "select 'first'", TEXT_UTF8);
    char text[64];
    for (int i = 0; i < 40000; i++) {
        (void)snprintf(text, sizeof(text), "select %d", i / 2); /* each twice */
        decision_free(decide(*state, text, TEXT_UTF8));
    }
    struct decision *again = decide(*state, "select 'first'", TEXT_UTF8);
    assert_ptr_not_equal(kept, again);
    decision_free(kept);
    decision_free(again);
}

static void the_same_bytes_in_another_encoding_are_another_text(void **state)
{
    struct decision *utf8 = decide(*state, "select 'ü'", TEXT_UTF8),
                    *ascii = decide(*state, "select 'ü'", TEXT_ASCII);
    assert_int_equal(utf8->verdict.action, ACTION_ALLOW);
    assert_int_equal(ascii->verdict.action, ACTION_DENY);
    decision_free(utf8);
    decision_free(ascii);
    ascii = decide(*state, "select '\xff'", TEXT_UTF8);
    assert_string_equal(ascii->verdict.code, "unparsable");
    decision_free(ascii);
}

static void no_rule_allows_what_blinds_the_parser(void **state)
{
    static const char *const texts[] = {
        "set standard_conforming_strings = off",
        "set client_encoding to sjis",
        "select 1; set names 'big5'",
        "select set_config('standard_conforming_strings', 'off', true)",
        "prepare p as select set_config('client_encoding', 'gbk', true)",
        "set backslash_quote = on",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct decision *d = decide(*state, texts[i], TEXT_UTF8);
        assert_int_equal(d->verdict.action, ACTION_DENY);
        assert_string_equal(d->verdict.rule, "built-in");
        decision_free(d);
    }
    struct decision *d = decide(*state, "set client_encoding to 'utf-8'", TEXT_UTF8);
    assert_int_equal(d->verdict.action, ACTION_ALLOW);
    decision_free(d);
}

static void a_name_finds_what_was_prepared_last_under_it(void **state)
{
    struct fixture *f = *state;
    struct decision *one = decide(f, "select 1", TEXT_UTF8), *two = decide(f, "select 2", TEXT_UTF8);
    assert_null(prepared_find(&f->set, "s"));
    assert_int_equal(prepared_put(&f->set, "s", one, 1), 0);
    assert_int_equal(prepared_put(&f->set, "s", two, 2), 0);
    assert_ptr_equal(prepared_find(&f->set, "s")->decision, two);
    assert_int_equal(prepared_find(&f->set, "s")->request, 2);
    assert_int_equal(f->set.table.count, 1);
    decision_free(one);
    decision_free(two);
}

static void a_name_counts_as_far_as_the_server_reads_it(void **state)
{
    struct fixture *f = *state;
    struct decision *one = decide(f, "select 1", TEXT_UTF8), *two = decide(f, "select 2", TEXT_UTF8);
    char name[80];
    memset(name, 'n', sizeof name);
    name[70] = '\0';
    assert_int_equal(prepared_put(&f->set, name, one, 1), 0);
    name[66] = 'x';
    assert_int_equal(prepared_put(&f->set, name, two, 2), 0);
    name[63] = '\0';
    assert_ptr_equal(prepared_find(&f->set, name)->decision, two);
    assert_int_equal(f->set.table.count, 1);
    name[62] = '\0';
    assert_null(prepared_find(&f->set, name));
    decision_free(one);
    decision_free(two);
}

static void a_closed_name_is_remembered_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct decision *d = decide(f, "select 1", TEXT_UTF8);
    char name[32];
    for (int i = 0; i <= PREPARED_CLOSED_MAX + 1; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(prepared_put(&f->set, name, d, 1), 0);
    }
    prepared_close(&f->set, "s0");
    assert_true(prepared_find(&f->set, "s0")->closed);
    prepared_close(&f->set, "s0"); /* twice is once */
    assert_int_equal(f->set.closed, 1);
    for (int i = 1; i <= PREPARED_CLOSED_MAX; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        prepared_close(&f->set, name);
    }
    assert_null(prepared_find(&f->set, "s0"));
    assert_int_equal(f->set.table.count, 1);
    assert_int_equal(f->set.closed, 0);
    decision_free(d);
}

static void as_many_as_the_limit_fit_and_not_one_more(void **state)
{
    struct fixture *f = *state;
    struct decision *d = decide(f, "select 1", TEXT_UTF8),
                    *prepare = decide(f, "prepare x as select 1", TEXT_UTF8);
    char name[32];
    for (int i = 0; i < PREPARED_MAX; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        assert_int_equal(prepared_put(&f->set, name, d, 1), 0);
    }
    assert_int_equal(prepared_put(&f->set, "one more", d, 1), PREPARED_LIMIT);
    assert_int_equal(prepared_room(&f->set, prepare), PREPARED_LIMIT);
    assert_int_equal(prepared_put(&f->set, "s7", d, 1), 0); /* in its own place */
    prepared_close(&f->set, "s7");
    assert_int_equal(prepared_put(&f->set, "one more", d, 1), 0);
    decision_free(d);
    decision_free(prepare);
}

static void a_name_beyond_its_limit_does_not_fit(void **state)
{
    struct fixture *f = *state;
    static char name[PREPARED_NAME_MAX + 2];
    struct decision *d = decide(f, "select 1", TEXT_UTF8);
    memset(name, 'n', PREPARED_NAME_MAX);
    assert_int_equal(prepared_fits(&f->set, name, d), 0);
    name[PREPARED_NAME_MAX] = 'n';
    assert_int_equal(prepared_fits(&f->set, name, d), PREPARED_LIMIT);
    decision_free(d);
}

static void steps_inside_a_text_are_followed_in_order(void **state)
{
    struct fixture *f = *state;
    struct decision *d = decide(f, "prepare a as select 1; execute a", TEXT_UTF8);
    assert_null(prepared_missing(&f->set, d));
    assert_int_equal(prepared_run(&f->set, d, 5), 0);
    assert_int_equal(prepared_find(&f->set, "a")->request, 5);
    decision_free(d);
    d = decide(f, "execute a", TEXT_UTF8);
    assert_int_equal(prepared_request(&f->set, d), 5);
    decision_free(d);
    d = decide(f, "execute b; prepare b as select 1", TEXT_UTF8);
    assert_int_equal(prepared_request(&f->set, d), 0);
    assert_string_equal(prepared_missing(&f->set, d), "b");
    decision_free(d);
    d = decide(f, "explain analyze execute b", TEXT_UTF8);
    assert_string_equal(prepared_missing(&f->set, d), "b");
    decision_free(d);
    d = decide(f, "deallocate all", TEXT_UTF8);
    assert_int_equal(prepared_run(&f->set, d, 6), 0);
    assert_true(prepared_find(&f->set, "a")->closed);
    decision_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_text_that_comes_a_third_time_is_not_decided_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_cache_forgets_the_oldest_and_stays_small, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_bytes_in_another_encoding_are_another_text, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_rule_allows_what_blinds_the_parser, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_finds_what_was_prepared_last_under_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_counts_as_far_as_the_server_reads_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_name_is_remembered_for_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_many_as_the_limit_fit_and_not_one_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_beyond_its_limit_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(steps_inside_a_text_are_followed_in_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
