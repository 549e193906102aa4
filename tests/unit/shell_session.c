/* policy/shell_session: what a line does after others. */
#include "policy/shell_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The effects of the line, in words; then it runs. */
static const char *does(struct shell_session *session, const char *line)
{
    static char out[16384];
    char one[4096];
    struct effects effects = { 0 };
    size_t n = 0;
    assert_int_equal(shell_session_effects(session, line, strlen(line), &effects), 0);
    *out = '\0';
    for (size_t i = 0; i < effects.count && n < sizeof out; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", i ? "; " : "",
                              effect_describe(&effects.items[i], one, sizeof one));
    effects_free(&effects);
    assert_int_equal(shell_session_ran(session, line, strlen(line)), 0);
    return out;
}

#define CHANGED "unknown: what the names mean: an earlier line may have changed it"

static void a_function_does_what_is_in_it_whenever_it_is_called(void **state)
{
    CLEANUP(shell_session_free) struct shell_session *s = NULL;
    (void)state;
    assert_int_equal(shell_session_new(&s), 0);
    assert_string_equal(does(s, "f x"), "run f x");
    assert_string_equal(does(s, "f() { rm \"$1\"; }"), "run rm \"$1\"");
    assert_string_equal(does(s, "f x"), "run f x; run rm \"$1\"");
    assert_string_equal(does(s, "true | f y"), "run true; run f y; run rm \"$1\"");
    assert_string_equal(does(s, "/bin/f y"), "run /bin/f y");
    assert_string_equal(does(s, "function ls { reboot; }; f() { who; }"), "run reboot; run who");
    assert_string_equal(does(s, "ls -l"), "run ls -l; run reboot");
    assert_string_equal(does(s, "f"), "run f; run rm \"$1\"; run who");
}

static void functions_call_functions_and_themselves(void **state)
{
    CLEANUP(shell_session_free) struct shell_session *s = NULL;
    (void)state;
    assert_int_equal(shell_session_new(&s), 0);
    assert_string_equal(does(s, "a() { b; a; }"), "run b; run a");
    assert_string_equal(does(s, "a"), "run a; run b");
    assert_string_equal(does(s, "b() ( date > /x )"), "write /x; run date");
    assert_string_equal(does(s, "a"), "run a; run b; write /x; run date");
    assert_string_equal(does(s, "eval 'c() { id; }'"), "run eval c() { id; }; run id");
    assert_string_equal(does(s, "c"), "run c; run id");
}

static void a_function_of_another_process_is_none_here(void **state)
{
    CLEANUP(shell_session_free) struct shell_session *s = NULL;
    (void)state;
    assert_int_equal(shell_session_new(&s), 0);
    (void)does(s, "sh -c 'ls() { reboot; }'");
    assert_string_equal(does(s, "ls"), "run ls");
}

static void what_is_partly_elsewhere_is_not_known(void **state)
{
    CLEANUP(shell_session_free) struct shell_session *s = NULL;
    (void)state;
    assert_int_equal(shell_session_new(&s), 0);
    (void)does(s, "f() { cat; } <<E\n$(id)\nE");
    assert_non_null(strstr(does(s, "f"), "unknown: what the function does"));
}

static void after_names_may_have_changed_nothing_is_known(void **state)
{
    static const char *const lines[] = { "alias ls=reboot",     "PATH=/tmp",         ". ./x",
                                         "eval \"$x\"",         "hash -p /tmp/x ls", "$x y",
                                         "command eval \"$x\"", "export PATH",       "ls | )" };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CLEANUP(shell_session_free) struct shell_session *s = NULL;
        assert_int_equal(shell_session_new(&s), 0);
        assert_string_equal(does(s, "ls"), "run ls");
        (void)does(s, lines[i]);
        assert_string_equal(does(s, "ls"), "run ls; " CHANGED);
        assert_string_equal(does(s, ""), "");
    }
}

static void what_runs_elsewhere_changes_nothing(void **state)
{
    static const char *const lines[] = { "python3 -c 'x'",
                                         "sudo -i",
                                         "sh -c 'alias ls=x'",
                                         "env PATH=/tmp ls",
                                         "awk 'BEGIN { system(\"x\") }'",
                                         "curl x | sh" };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CLEANUP(shell_session_free) struct shell_session *s = NULL;
        assert_int_equal(shell_session_new(&s), 0);
        assert_non_null(strstr(does(s, lines[i]), "unknown"));
        assert_string_equal(does(s, "ls"), "run ls");
    }
}

static void what_the_shell_needs_may_not_be_touched(void **state)
{
    static const char *const lines[] = { "read() { :; }",  "_gh() { :; }",
                                         "stty() { :; }",  "_gh=x",
                                         "PWD=/x",         "for _ghq in 1; do ls; done",
                                         "set -n",         "set -o noexec",
                                         "set -en",        "trap 'ls' DEBUG",
                                         "trap ls \"$x\"", "function printf { ls; }",
                                         ": ${_ghn=x}",    "command_not_found_handle() { ls; }" };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CLEANUP(shell_session_free) struct shell_session *s = NULL;
        assert_int_equal(shell_session_new(&s), 0);
        if (!strstr(does(s, lines[i]), "unknown: "))
            fail_msg("%s", lines[i]);
    }
}

static void too_many_functions_are_not_known(void **state)
{
    CLEANUP(shell_session_free) struct shell_session *s = NULL;
    char line[64];
    (void)state;
    assert_int_equal(shell_session_new(&s), 0);
    for (int i = 0; i < SHELL_FUNCTIONS_MAX; i++) {
        (void)snprintf(line, sizeof line, "f%d() { id; }", i);
        assert_string_equal(does(s, line), "run id");
        assert_string_equal(does(s, line), "run id");
    }
    assert_string_equal(does(s, "f255"), "run f255; run id");
    (void)does(s, "g() { id; }");
    assert_string_equal(does(s, "ls"), "run ls; " CHANGED);
}

static void lines_go_on_where_shells_read_on(void **state)
{
    static const char *const open[] = { "ls |",
                                        "ls &&",
                                        "echo 'a",
                                        "echo \"a\nb",
                                        "cat <<E",
                                        "cat <<E\nx",
                                        "for i in a",
                                        "while true; do",
                                        "if true; then",
                                        "f() {",
                                        "{ ls",
                                        "echo $(ls",
                                        "ls \\",
                                        "case x in",
                                        "case x in\na)",
                                        "(ls",
                                        "for i in a\ndo ls",
                                        "f()",
                                        "echo ${x" };
    static const char *const whole[] = {
        "",         "ls",       "echo }", "ls ;;", "fi",          "cat <<E\nx\nE", "sh -c 'if'",
        "echo 'a'", "ls | ) x", "# '",    "\x01'", "f() { ls; }", "echo $((1))",   "ls &"
    };
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
        if (shell_is_unfinished(open[i], strlen(open[i])) != 1)
            fail_msg("whole: %s", open[i]);
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (shell_is_unfinished(whole[i], strlen(whole[i])) != 0)
            fail_msg("open: %s", whole[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_does_what_is_in_it_whenever_it_is_called),
        cmocka_unit_test(functions_call_functions_and_themselves),
        cmocka_unit_test(a_function_of_another_process_is_none_here),
        cmocka_unit_test(what_is_partly_elsewhere_is_not_known),
        cmocka_unit_test(after_names_may_have_changed_nothing_is_known),
        cmocka_unit_test(what_runs_elsewhere_changes_nothing),
        cmocka_unit_test(what_the_shell_needs_may_not_be_touched),
        cmocka_unit_test(too_many_functions_are_not_known),
        cmocka_unit_test(lines_go_on_where_shells_read_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
