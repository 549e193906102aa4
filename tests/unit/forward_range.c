/* `forwards`: what a pattern lets through, each beside what it must not. */
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include "policy/forward_range.h"

struct probe {
    const char *pattern, *host;
    uint32_t port;
    bool listed;
};

static bool listed(const char *pattern, const char *host, uint32_t port)
{
    Ipc__ForwardRange range, *ranges[] = { &range };
    Ipc__Target target = IPC__TARGET__INIT;
    const char *wrong = forward_range_parse(pattern, &range);
    if (wrong)
        fail_msg("\"%s\": %s", pattern, wrong);
    target.forwards = ranges;
    target.n_forwards = 1;
    bool found = forward_is_listed(&target, host, port);
    free(range.network.data);
    if (range.host[0])
        free(range.host);
    return found;
}

static void check_all(const struct probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (listed(probes[i].pattern, probes[i].host, probes[i].port) != probes[i].listed)
            fail_msg("\"%s\" and %s port %u", probes[i].pattern, probes[i].host, probes[i].port);
}
#define CHECK_ALL(probes) check_all(probes, sizeof(probes) / sizeof((probes)[0]))

static void a_network_holds_its_addresses_and_no_others(void **state)
{
    static const struct probe probes[] = {
        { "10.0.0.0/8:443", "10.0.0.0", 443, true },
        { "10.0.0.0/8:443", "10.255.255.255", 443, true },
        { "10.0.0.0/8:443", "11.0.0.0", 443, false },
        { "10.0.0.0/8:443", "9.255.255.255", 443, false },
        { "10.0.0.128/25:443", "10.0.0.128", 443, true },
        { "10.0.0.128/25:443", "10.0.0.127", 443, false },
        { "10.0.0.7:443", "10.0.0.7", 443, true },
        { "10.0.0.7:443", "10.0.0.6", 443, false },
        { "0.0.0.0/0:443", "192.0.2.1", 443, true },
        { "0.0.0.0/0:443", "::1", 443, false },
        { "[fd00::/8]:443", "fdff::1", 443, true },
        { "[fd00::/8]:443", "fe00::1", 443, false },
        { "[::/0]:443", "10.0.0.1", 443, false },
        { "[::1]:443", "0:0::1", 443, true },
        { "[::1]:443", "::2", 443, false },
    };
    (void)state;
    CHECK_ALL(probes);
}

static void ports_are_numbers_ranges_or_any(void **state)
{
    static const struct probe probes[] = {
        { "10.0.0.7:443", "10.0.0.7", 443, true },     { "10.0.0.7:443", "10.0.0.7", 442, false },
        { "10.0.0.7:443-445", "10.0.0.7", 445, true }, { "10.0.0.7:443-445", "10.0.0.7", 446, false },
        { "10.0.0.7:443-445", "10.0.0.7", 443, true }, { "10.0.0.7:443-445", "10.0.0.7", 442, false },
        { "10.0.0.7:*", "10.0.0.7", 1, true },         { "10.0.0.7:*", "10.0.0.7", 65535, true },
        { "10.0.0.7:*", "10.0.0.7", 0, false },        { "10.0.0.7:*", "10.0.0.7", 65536, false },
    };
    (void)state;
    CHECK_ALL(probes);
}

static void an_ipv4_address_in_ipv6_is_one(void **state)
{
    static const struct probe probes[] = {
        { "10.0.0.0/8:443", "::ffff:10.0.0.1", 443, true },
        { "10.0.0.0/8:443", "::ffff:a00:1", 443, true },
        { "10.0.0.0/8:443", "::ffff:11.0.0.1", 443, false },
        { "[::ffff:10.0.0.1]:443", "10.0.0.1", 443, true },
        { "[::/0]:443", "::ffff:10.0.0.1", 443, false },
    };
    (void)state;
    CHECK_ALL(probes);
}

static void names_and_addresses_do_not_mix(void **state)
{
    static const struct probe probes[] = {
        { "db.internal:5432", "db.internal", 5432, true },
        { "db.internal:5432", "DB.Internal", 5432, true },
        { "DB.internal:5432", "db.internal", 5432, true },
        { "db.internal:5432", "db.internal.example.com", 5432, false },
        { "*.internal:5432", "a.b.internal", 5432, true },
        { "*.internal:5432", "internal", 5432, false },
        { "db?:5432", "db1", 5432, true },
        { "db?:5432", "db10", 5432, false },
        { "*:5432", "anything", 5432, true },
        { "*:5432", "10.0.0.1", 5432, false },
        { "*:5432", "::1", 5432, false },
        { "0.0.0.0/0:5432", "db.internal", 5432, false },
    };
    (void)state;
    CHECK_ALL(probes);
}

static void what_a_resolver_takes_for_a_number_is_no_name(void **state)
{
    static const char *const numbers[] = { "127.1",      "2130706433",  "0x7f000001", "0x7f.1",
                                           "0177.0.0.1", "127.0.0.0x1", "127.1.",     "",
                                           "1.2.3.4.",   "a.1" };
    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (listed("*:22", numbers[i], 22))
            fail_msg("%s", numbers[i]);
    assert_true(listed("*:22", "1password", 22));
    assert_true(listed("*:22", "host.7zip", 22));
}

static void a_pattern_is_shown_as_it_was_written(void **state)
{
    static const char *const patterns[] = { "10.0.0.0/8:443", "[fd00::/8]:443",    "10.0.0.7:*", "[::1]:1-2",
                                            "0.0.0.0/0:443",  "*.internal:8000-1", "db?.x:65535" };
    char out[FORWARD_RANGE_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        Ipc__ForwardRange range;
        if (forward_range_parse(patterns[i], &range)) {
            assert_int_equal(i, 5); /* a range backwards */
            continue;
        }
        assert_string_equal(forward_range_text(&range, out), patterns[i]);
        free(range.network.data);
        if (range.host[0])
            free(range.host);
    }
}

static void without_patterns_nothing_is_listed(void **state)
{
    Ipc__Target target = IPC__TARGET__INIT;
    (void)state;
    assert_false(forward_is_listed(&target, "10.0.0.1", 443));
}

static void a_host_that_is_too_long_is_not_listed(void **state)
{
    char host[255];
    (void)state;
    memset(host, 'a', sizeof(host));
    host[254] = '\0';
    assert_false(listed("*:443", host, 443));
    host[253] = '\0';
    assert_true(listed("*:443", host, 443));
}

static void a_target_is_where_it_is_in_any_spelling(void **state)
{
    static const struct {
        const char *declared, *asked;
        uint32_t port;
        bool same;
    } cases[] = {
        { "10.0.0.5", "10.0.0.5", 22, true },         { "10.0.0.5", "::ffff:10.0.0.5", 22, true },
        { "10.0.0.5", "10.0.0.5", 23, false },        { "10.0.0.5", "10.0.0.6", 22, false },
        { "fd00::5", "fd00:0:0::5", 22, true },       { "fd00::5", "fd00::6", 22, false },
        { "db.internal", "DB.internal", 22, true },   { "db.internal", "db.internal.", 22, true },
        { "db.internal", "db.internal2", 22, false }, { "db.internal", "10.0.0.5", 22, false },
        { "10.0.0.5", "db.internal", 22, false },     { "", "", 22, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Ipc__Target target = IPC__TARGET__INIT;
        target.host = (char *)(uintptr_t)cases[i].declared;
        target.port = 22;
        if (forward_is_to(&target, cases[i].asked, cases[i].port) != cases[i].same)
            fail_msg("%s and %s", cases[i].declared, cases[i].asked);
    }
}

static void a_host_reaches_itself_by_several_names(void **state)
{
    static const char *const own[] = { "localhost", "LOCALHOST.",       "127.0.0.1", "127.9.9.9",
                                       "::1",       "::ffff:127.0.0.1", "0.0.0.0",   "::" };
    static const char *const others[] = { "localhost.example.com", "128.0.0.1", "::2", "10.0.0.1", "" };
    (void)state;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (!forward_is_loopback(own[i]))
            fail_msg("%s", own[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (forward_is_loopback(others[i]))
            fail_msg("%s", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(ports_are_numbers_ranges_or_any),
        cmocka_unit_test(an_ipv4_address_in_ipv6_is_one),
        cmocka_unit_test(names_and_addresses_do_not_mix),
        cmocka_unit_test(what_a_resolver_takes_for_a_number_is_no_name),
        cmocka_unit_test(a_pattern_is_shown_as_it_was_written),
        cmocka_unit_test(without_patterns_nothing_is_listed),
        cmocka_unit_test(a_host_that_is_too_long_is_not_listed),
        cmocka_unit_test(a_target_is_where_it_is_in_any_spelling),
        cmocka_unit_test(a_host_reaches_itself_by_several_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
