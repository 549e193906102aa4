/* server/limits: who is counted together, who is kept out, and for how long. */
#include "server/limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "check.h"

enum { NOW = 1000000 };

static struct sockaddr_storage at(const char *text)
{
    struct sockaddr_storage address = { 0 };
    struct sockaddr_in *four = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
        six->sin6_family = AF_INET6;
    }
    return address;
}

static struct limits_key key(const char *text)
{
    struct sockaddr_storage address = at(text);
    return limits_key_of(&address);
}

static bool same(const char *a, const char *b)
{
    struct limits_key one = key(a), other = key(b);
    return memcmp(&one, &other, sizeof one) == 0;
}

static struct limits *fresh(void)
{
    struct limits *limits = NULL;
    assert_int_equal(limits_new(&limits), 0);
    return limits;
}

static void ipv4_addresses_are_told_apart_and_ipv6_by_64_bits(void **state)
{
    (void)state;
    assert_false(same("192.0.2.1", "192.0.2.2"));
    assert_true(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    assert_false(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert_true(same("::ffff:192.0.2.1", "192.0.2.1"));
}

static void only_the_loopback_address_itself_is_exempt(void **state)
{
    (void)state;
    struct sockaddr_storage a = at("127.0.0.1"), b = at("127.0.0.2"), c = at("::1"), d = at("192.0.2.1");
    assert_true(limits_is_exempt(&a));
    assert_false(limits_is_exempt(&b));
    assert_true(limits_is_exempt(&c));
    assert_false(limits_is_exempt(&d));
}

static void a_stranger_is_welcome(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1");
    assert_false(limits_is_out(limits, &k, NOW));
}

static void a_few_failed_logins_are_forgiven_and_many_are_not(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1"), other = key("192.0.2.2");
    limits_penalise(limits, &k, PENALTY_LOGIN_FAILED_MS, NOW);
    limits_penalise(limits, &k, PENALTY_LOGIN_FAILED_MS, NOW);
    assert_false(limits_is_out(limits, &k, NOW));
    limits_penalise(limits, &k, PENALTY_LOGIN_FAILED_MS, NOW);
    assert_true(limits_is_out(limits, &k, NOW));
    assert_false(limits_is_out(limits, &other, NOW));
}

static void failures_far_apart_do_not_add_up(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1");
    for (uint64_t i = 0; i < 100; i++)
        limits_penalise(limits, &k, PENALTY_LOGIN_FAILED_MS, NOW + i * PENALTY_LOGIN_FAILED_MS);
    assert_false(limits_is_out(limits, &k, NOW + 99 * PENALTY_LOGIN_FAILED_MS));
}

static void a_crash_keeps_the_source_out_until_its_time_is_over(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("2001:db8::1"), neighbour = key("2001:db8::2");
    limits_penalise(limits, &k, PENALTY_CRASH_MS, NOW);
    assert_true(limits_is_out(limits, &neighbour, NOW + PENALTY_CRASH_MS - 1));
    assert_false(limits_is_out(limits, &k, NOW + PENALTY_CRASH_MS));
}

static void a_penalty_stays_in_force_below_the_least_once_it_was_reached(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1");
    limits_penalise(limits, &k, PENALTY_LEAST_MS, NOW);
    assert_true(limits_is_out(limits, &k, NOW + PENALTY_LEAST_MS - 1));
    assert_false(limits_is_out(limits, &k, NOW + PENALTY_LEAST_MS));
    limits_penalise(limits, &k, PENALTY_NO_LOGIN_MS, NOW + PENALTY_LEAST_MS);
    assert_false(limits_is_out(limits, &k, NOW + PENALTY_LEAST_MS));
}

static void no_penalty_is_longer_than_the_most(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1");
    for (int i = 0; i < 100; i++)
        limits_penalise(limits, &k, PENALTY_CRASH_MS, NOW);
    assert_true(limits_is_out(limits, &k, NOW + PENALTY_MOST_MS - 1));
    assert_false(limits_is_out(limits, &k, NOW + PENALTY_MOST_MS));
}

static void counts_go_up_and_down_by_source(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key a = key("192.0.2.1"), b = key("192.0.2.2"), greatest;
    assert_false(limits_greatest(limits, LIMITS_WAITING, &greatest));
    limits_count(limits, &a, LIMITS_WAITING, 1);
    limits_count(limits, &b, LIMITS_WAITING, 1);
    limits_count(limits, &b, LIMITS_WAITING, 1);
    assert_int_equal(limits_counted(limits, &b, LIMITS_WAITING), 2);
    assert_int_equal(limits_counted(limits, &b, LIMITS_FRONTS), 0);
    assert_true(limits_greatest(limits, LIMITS_WAITING, &greatest));
    assert_memory_equal(&greatest, &b, sizeof b);
    limits_count(limits, &b, LIMITS_WAITING, -1);
    limits_count(limits, &b, LIMITS_WAITING, -1);
    limits_count(limits, &b, LIMITS_WAITING, -1); /* one too many stays at nothing */
    assert_int_equal(limits_counted(limits, &b, LIMITS_WAITING), 0);
    assert_true(limits_greatest(limits, LIMITS_WAITING, &greatest));
    assert_memory_equal(&greatest, &a, sizeof a);
}

static void a_counted_source_keeps_its_penalty_when_the_count_ends(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = key("192.0.2.1");
    limits_count(limits, &k, LIMITS_FRONTS, 1);
    limits_penalise(limits, &k, PENALTY_CRASH_MS, NOW);
    limits_count(limits, &k, LIMITS_FRONTS, -1);
    assert_true(limits_is_out(limits, &k, NOW + 1));
}

static void more_sources_than_can_be_remembered_do_no_harm(void **state)
{
    (void)state;
    CLEANUP(limits_free) struct limits *limits = fresh();
    struct limits_key k = { .family = AF_INET };
    for (uint32_t i = 0; i < LIMIT_SOURCES; i++) {
        memcpy(k.bytes, &i, sizeof i);
        limits_penalise(limits, &k, PENALTY_CRASH_MS, NOW);
        assert_true(limits_is_out(limits, &k, NOW));
    }
    struct limits_key one_more = key("2001:db8::1");
    limits_penalise(limits, &one_more, PENALTY_CRASH_MS, NOW);
    assert_false(limits_is_out(limits, &one_more, NOW));
    /* Once the others are over there is room again. */
    uint64_t later = NOW + PENALTY_CRASH_MS;
    for (uint32_t i = 0; i < LIMIT_SOURCES; i++) {
        memcpy(k.bytes, &i, sizeof i);
        assert_false(limits_is_out(limits, &k, later));
    }
    limits_penalise(limits, &one_more, PENALTY_CRASH_MS, later);
    assert_true(limits_is_out(limits, &one_more, later));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_addresses_are_told_apart_and_ipv6_by_64_bits),
        cmocka_unit_test(only_the_loopback_address_itself_is_exempt),
        cmocka_unit_test(a_stranger_is_welcome),
        cmocka_unit_test(a_few_failed_logins_are_forgiven_and_many_are_not),
        cmocka_unit_test(failures_far_apart_do_not_add_up),
        cmocka_unit_test(a_crash_keeps_the_source_out_until_its_time_is_over),
        cmocka_unit_test(a_penalty_stays_in_force_below_the_least_once_it_was_reached),
        cmocka_unit_test(no_penalty_is_longer_than_the_most),
        cmocka_unit_test(counts_go_up_and_down_by_source),
        cmocka_unit_test(a_counted_source_keeps_its_penalty_when_the_count_ends),
        cmocka_unit_test(more_sources_than_can_be_remembered_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
