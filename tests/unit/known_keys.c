/* server/known_keys: a bounded memory of numbers. */
#include "server/known_keys.h"

#include "check.h"

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    static struct known_keys known;
    assert_false(known_keys_has(&known, 0)); /* the number of an unused place, and of a key without a hash */
    assert_false(known_keys_has(&known, 1));
}

static void what_was_added_is_known_and_nothing_else(void **state)
{
    (void)state;
    static struct known_keys known;
    known_keys_add(&known, 42);
    known_keys_add(&known, 0);
    assert_true(known_keys_has(&known, 42));
    assert_false(known_keys_has(&known, 43));
    assert_false(known_keys_has(&known, 0));
}

static void the_oldest_goes_when_it_is_full_and_twice_counts_once(void **state)
{
    (void)state;
    static struct known_keys known;
    for (uint64_t i = 1; i <= KNOWN_KEYS_MAX; i++) {
        known_keys_add(&known, i);
        known_keys_add(&known, i);
    }
    assert_true(known_keys_has(&known, 1));
    known_keys_add(&known, KNOWN_KEYS_MAX + 1);
    assert_false(known_keys_has(&known, 1));
    assert_true(known_keys_has(&known, 2));
    assert_true(known_keys_has(&known, KNOWN_KEYS_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(what_was_added_is_known_and_nothing_else),
        cmocka_unit_test(the_oldest_goes_when_it_is_full_and_twice_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
