/* Statements of the last minute. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "replay/rates.h"

enum { NOW = 100000 };

static struct rates *rates;
static const char *full;
static uint32_t wait_s;

static int begin(void **state)
{
    (void)state;
    return rates_new(&rates);
}

static int end(void **state)
{
    (void)state;
    rates_free(rates);
    rates = NULL;
    return 0;
}

/* The strings are borrowed by the question. */
static Ipc__StatementUse use_of(const char *rule, uint32_t per_minute, uint32_t statements)
{
    Ipc__StatementUse use = IPC__STATEMENT_USE__INIT;
    use.rule = (char *)(uintptr_t)rule;
    use.per_minute = per_minute;
    use.statements = statements;
    return use;
}

static int ask(const char *identity, const char *target, uint64_t now_s, Ipc__StatementUse *uses, size_t n)
{
    Ipc__StatementUse *list[4] = { &uses[0], &uses[1], &uses[2], &uses[3] };
    Ipc__AskStatements question = IPC__ASK_STATEMENTS__INIT;
    question.target = (char *)(uintptr_t)target;
    question.uses = list;
    question.n_uses = n;
    full = NULL;
    return rates_take(rates, identity, &question, now_s, &full, &wait_s);
}

static int take(const char *identity, const char *target, const char *rule, uint32_t per_minute,
                uint64_t now_s)
{
    Ipc__StatementUse uses[4] = { use_of(rule, per_minute, 1) };
    return ask(identity, target, now_s, uses, 1);
}

static void so_many_run_in_a_minute_and_no_more(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(take("a", "t", "r", 3, NOW), 0);
    assert_int_equal(take("a", "t", "r", 3, NOW), RATES_FULL);
    assert_string_equal(full, "r");
    assert_int_equal(wait_s, RATES_SECONDS + 1);
    assert_int_equal(take("a", "t", "r", 3, NOW + RATES_SECONDS), RATES_FULL);
    assert_int_equal(wait_s, 1);
    assert_int_equal(take("a", "t", "r", 3, NOW + RATES_SECONDS + 1), 0);
}

static void the_wait_that_is_told_is_exact(void **state)
{
    (void)state;
    uint64_t now = NOW;
    for (uint64_t i = 0; i < 500; i++) {
        int r = take("a", "t", "r", 4, now);
        if (r == 0) {
            now += i * 7 % 5;
            continue;
        }
        assert_in_range(wait_s, 1, RATES_SECONDS + 1);
        assert_int_equal(take("a", "t", "r", 4, now + wait_s - 1), RATES_FULL);
        now += wait_s;
        assert_int_equal(take("a", "t", "r", 4, now), 0);
    }
}

/* Against the definition: however a minute is laid, it holds no more than the rule allows. */
static void no_minute_wherever_it_begins_has_more(void **state)
{
    (void)state;
    enum { SECONDS = 400, LIMIT = 7 };
    unsigned went[SECONDS] = { 0 };
    uint32_t random = 1;
    for (unsigned s = 0; s < SECONDS; s++) {
        random = random * 1103515245 + 12345;
        for (unsigned i = 0; i < (random >> 16) % 4; i++)
            went[s] += take("a", "t", "r", LIMIT, NOW + s) == 0;
    }
    unsigned most = 0;
    for (unsigned from = 0; from + RATES_SECONDS <= SECONDS; from++) {
        unsigned sum = 0;
        for (unsigned s = from; s < from + RATES_SECONDS; s++)
            sum += went[s];
        most = sum > most ? sum : most;
    }
    assert_int_equal(most, LIMIT);
}

static void identities_targets_and_rules_are_counted_apart(void **state)
{
    (void)state;
    assert_int_equal(take("a", "t", "r", 1, NOW), 0);
    assert_int_equal(take("b", "t", "r", 1, NOW), 0);
    assert_int_equal(take("a", "u", "r", 1, NOW), 0);
    assert_int_equal(take("a", "t", "s", 1, NOW), 0);
    assert_int_equal(take("a", "t", "r", 1, NOW), RATES_FULL);
    /* Names that would be the same when glued together are not. */
    assert_int_equal(take("at", "", "r", 1, NOW), 0);
    assert_int_equal(take("a", "tr", "", 1, NOW), 0);
}

static void all_rules_have_room_or_nothing_is_counted(void **state)
{
    (void)state;
    Ipc__StatementUse uses[4] = { use_of("wide", 10, 1), use_of("narrow", 1, 1) };
    assert_int_equal(ask("a", "t", NOW, uses, 2), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask("a", "t", NOW, uses, 2), RATES_FULL);
        assert_string_equal(full, "narrow");
    }
    for (int i = 0; i < 9; i++)
        assert_int_equal(take("a", "t", "wide", 10, NOW), 0);
    assert_int_equal(take("a", "t", "wide", 10, NOW), RATES_FULL);
}

static void several_at_once_need_room_for_all(void **state)
{
    (void)state;
    Ipc__StatementUse two[4] = { use_of("r", 3, 2) };
    assert_int_equal(ask("a", "t", NOW, two, 1), 0);
    assert_int_equal(ask("a", "t", NOW, two, 1), RATES_FULL);
    assert_int_equal(take("a", "t", "r", 3, NOW), 0);
}

static void a_limit_that_has_changed_counts_what_was_before(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(take("a", "t", "r", 5, NOW), 0);
    assert_int_equal(take("a", "t", "r", 2, NOW), RATES_FULL);
    assert_int_equal(take("a", "t", "r", 6, NOW), 0);
}

static void places_are_bounded_and_come_free_after_a_minute(void **state)
{
    (void)state;
    char identity[32];
    for (int i = 0; i < RATES_MAX; i++) {
        (void)snprintf(identity, sizeof identity, "agent-%d", i);
        assert_int_equal(take(identity, "t", "r", 5, NOW), 0);
    }
    assert_int_equal(take("one-more", "t", "r", 5, NOW), RATES_FULL);
    assert_int_equal(wait_s, RATES_SECONDS);
    assert_int_equal(take("agent-7", "t", "r", 5, NOW), 0);
    assert_int_equal(take("one-more", "t", "r", 5, NOW + RATES_SECONDS + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(so_many_run_in_a_minute_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(the_wait_that_is_told_is_exact, begin, end),
        cmocka_unit_test_setup_teardown(no_minute_wherever_it_begins_has_more, begin, end),
        cmocka_unit_test_setup_teardown(identities_targets_and_rules_are_counted_apart, begin, end),
        cmocka_unit_test_setup_teardown(all_rules_have_room_or_nothing_is_counted, begin, end),
        cmocka_unit_test_setup_teardown(several_at_once_need_room_for_all, begin, end),
        cmocka_unit_test_setup_teardown(a_limit_that_has_changed_counts_what_was_before, begin, end),
        cmocka_unit_test_setup_teardown(places_are_bounded_and_come_free_after_a_minute, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
