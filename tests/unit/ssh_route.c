/* channels/ssh/route: user names and command lines that mean a host. */
#include "channels/ssh/route.h"

#include <string.h>

#include "check.h"

static void assert_route(const char *name, const char *login, const char *target)
{
    struct route route;
    assert_true(route_read(name, strlen(name), &route));
    assert_string_equal(route.login, login);
    assert_string_equal(route.target, target);
}

static void a_name_is_a_target_and_perhaps_a_login(void **state)
{
    (void)state;
    assert_route("web1", "", "web1");
    assert_route("deploy+web1", "deploy", "web1");
    assert_route("a+b+web1", "a+b", "web1");
    assert_route("+a+web1", "+a", "web1");
}

static void half_a_route_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "+", "deploy+", "+web1" };
    struct route route = { .target = "untouched" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(route_read(bad[i], strlen(bad[i]), &route));
    assert_string_equal(route.target, "untouched");
}

static void a_name_that_is_too_long_is_none(void **state)
{
    (void)state;
    char name[ROUTE_NAME_MAX + 1];
    struct route route;
    memset(name, 'a', sizeof name);
    assert_true(route_read(name, ROUTE_NAME_MAX - 1, &route));
    assert_false(route_read(name, ROUTE_NAME_MAX, &route));
    name[ROUTE_NAME_MAX - 3] = '+';
    assert_true(route_read(name, ROUTE_NAME_MAX - 1, &route) && strlen(route.login) == ROUTE_NAME_MAX - 3);
}

static void assert_line(const char *text, const char *route, const char *rest)
{
    struct route_line line;
    assert_true(route_line_read(text, &line));
    assert_int_equal(line.route_n, strlen(route));
    assert_memory_equal(line.route, route, line.route_n);
    assert_string_equal(line.rest, rest);
}

static void what_follows_the_target_stays_as_it_is(void **state)
{
    (void)state;
    assert_line("ssh web1", "web1", "");
    assert_line("  ssh\tweb1  ", "web1", "");
    assert_line("ssh web1 echo  \"it's\"  ", "web1", "echo  \"it's\"  ");
    assert_line("ssh d+web1 a 'b", "d+web1", "a 'b");
    struct route_line line;
    assert_false(route_line_read("ssh", &line));
    assert_false(route_line_read("ssh   ", &line));
    assert_false(route_line_read("", &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_a_target_and_perhaps_a_login),
        cmocka_unit_test(half_a_route_is_none),
        cmocka_unit_test(a_name_that_is_too_long_is_none),
        cmocka_unit_test(what_follows_the_target_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
