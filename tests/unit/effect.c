#include "policy/effect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void every_kind_has_a_name_that_leads_back_to_it(void **state)
{
    (void)state;
    for (int kind = 0; kind < EFFECT_KINDS; kind++) {
        enum effect_kind back = EFFECT_KINDS;
        const char *name = effect_kind_name((enum effect_kind)kind);
        assert_int_equal(effect_kind_of(name, &back), kind < EFFECT_STATEMENT_KINDS);
        if (kind == EFFECT_OPEN || kind == EFFECT_RUN || kind == EFFECT_REQUEST)
            continue; /* rules name these by `channels:`, `commands:`, `verbs:` */
        if (kind >= EFFECT_STATEMENT_KINDS)
            assert_true(effect_operation_of(name, &back));
        assert_int_equal(back, kind);
    }
}

static void a_name_that_is_no_kind_is_refused(void **state)
{
    (void)state;
    enum effect_kind kind = EFFECT_LOCK;
    assert_false(effect_kind_of("copy", &kind));
    assert_false(effect_kind_of("SELECT", &kind));
    assert_false(effect_kind_of("", &kind));
    assert_int_equal(kind, EFFECT_LOCK);
}

static void repeats_are_folded_and_differences_kept(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    struct effect *first, *again;
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, "t", &first), 0);
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, "t", &again), 0);
    assert_ptr_equal(first, again);
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_FUNCTION, "t", NULL), 0);
    assert_int_equal(effects_add(&effects, EFFECT_DELETE, OBJECT_TABLE, "t", NULL), 0);
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_NONE, NULL, NULL), 0);
    assert_int_equal(effects_add_why(&effects, EFFECT_UNKNOWN, "a"), 0);
    assert_int_equal(effects_add_why(&effects, EFFECT_UNKNOWN, "b"), 0);
    assert_int_equal(effects_add_why(&effects, EFFECT_UNKNOWN, "a"), 0);
    assert_int_equal(effects.count, 6);
    effects_free(&effects);
    assert_int_equal(effects.count, 0);
}

static void as_many_as_the_bound_fit_and_no_more(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    char name[32];
    for (int i = 0; i < EFFECTS_MAX; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, name, NULL), 0);
    }
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, "t7", NULL), 0);
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, "one more", NULL), -ENOBUFS);
    assert_int_equal(effects.count, EFFECTS_MAX);
    assert_string_equal(effects.items[EFFECTS_MAX - 1].object, "t4095");
    effects_free(&effects);
}

static void a_name_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    char name[EFFECT_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    name[EFFECT_NAME_MAX] = '\0';
    assert_int_equal(effects_add(&effects, EFFECT_DROP, OBJECT_TABLE, name, NULL), -ENAMETOOLONG);
    name[EFFECT_NAME_MAX - 1] = '\0';
    assert_int_equal(effects_add(&effects, EFFECT_DROP, OBJECT_TABLE, name, NULL), 0);
    effects_free(&effects);
}

static void columns_beyond_the_bound_become_a_star(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    struct effect *e;
    char name[32];
    assert_int_equal(effects_add(&effects, EFFECT_SELECT, OBJECT_TABLE, "t", &e), 0);
    for (int i = 0; i < EFFECT_COLUMNS_MAX + 100; i++) {
        snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(effect_add_column(e, name), 0);
        assert_int_equal(effect_add_column(e, name), 0);
    }
    size_t n = 0;
    while (e->columns[n])
        n++;
    assert_int_equal(n, EFFECT_COLUMNS_MAX);
    assert_string_equal(e->columns[0], "c0");
    assert_string_equal(e->columns[n - 2], "c1662");
    assert_string_equal(e->columns[n - 1], "*");
    effects_free(&effects);
}

static void a_harmless_call_loses_to_a_plain_effect_of_the_same_name(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    assert_int_equal(effects_add_harmless(&effects, EFFECT_CREATE, "lower"), 0);
    assert_true(effects.items[0].harmless_call);
    assert_int_equal(effects_add(&effects, EFFECT_CREATE, OBJECT_FUNCTION, "lower", NULL), 0);
    assert_false(effects.items[0].harmless_call);
    assert_int_equal(effects_add_harmless(&effects, EFFECT_CREATE, "lower"), 0);
    assert_false(effects.items[0].harmless_call);
    assert_int_equal(effects.count, 1);
    effects_free(&effects);
}

static void appended_effects_keep_what_they_say(void **state)
{
    (void)state;
    struct effects from = { 0 }, to = { 0 };
    struct effect *e;
    assert_int_equal(effects_add(&from, EFFECT_UPDATE, OBJECT_TABLE, "t", &e), 0);
    e->unbounded_write = true;
    assert_int_equal(effect_add_column(e, "a"), 0);
    assert_int_equal(effects_add_harmless(&from, EFFECT_UPDATE, "lower"), 0);
    assert_int_equal(effects_add(&to, EFFECT_UPDATE, OBJECT_TABLE, "t", NULL), 0);
    assert_int_equal(effects_append(&to, &from), 0);
    effects_free(&from);
    assert_int_equal(to.count, 2);
    assert_true(to.items[0].unbounded_write);
    assert_string_equal(to.items[0].columns[0], "a");
    assert_true(to.items[1].harmless_call);
    effects_free(&to);
}

static void a_description_says_what_to_what(void **state)
{
    (void)state;
    char out[64];
    struct effect e = { .kind = EFFECT_DELETE,
                        .object_kind = OBJECT_TABLE,
                        .object = (char[]){ "public.t" } };
    assert_string_equal(effect_describe(&e, out, sizeof out), "delete public.t");
    e.unbounded_write = true;
    assert_string_equal(effect_describe(&e, out, sizeof out), "delete public.t (unbounded)");
    e = (struct effect){ .kind = EFFECT_FUNCTION, .object_kind = OBJECT_FUNCTION, .object = (char[]){ "f" } };
    assert_string_equal(effect_describe(&e, out, sizeof out), "function f()");
    e = (struct effect){ .kind = EFFECT_UNKNOWN, .why = (char[]){ "because" } };
    assert_string_equal(effect_describe(&e, out, sizeof out), "unknown: because");
    assert_string_equal(effect_describe(&e, out, 8), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_leads_back_to_it),
        cmocka_unit_test(a_name_that_is_no_kind_is_refused),
        cmocka_unit_test(repeats_are_folded_and_differences_kept),
        cmocka_unit_test(as_many_as_the_bound_fit_and_no_more),
        cmocka_unit_test(a_name_beyond_the_bound_is_refused),
        cmocka_unit_test(columns_beyond_the_bound_become_a_star),
        cmocka_unit_test(a_harmless_call_loses_to_a_plain_effect_of_the_same_name),
        cmocka_unit_test(appended_effects_keep_what_they_say),
        cmocka_unit_test(a_description_says_what_to_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
