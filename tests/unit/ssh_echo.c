/* channels/ssh/echo: what was typed is passed on when it has shown, and never when it has not. */
#include "channels/ssh/echo.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

/* What came out: shown text in quotes, "?" for a hidden line. */
struct seen {
    char text[8192];
};

static int shown(void *owner, const uint8_t *bytes, size_t n)
{
    struct seen *seen = owner;
    size_t used = strlen(seen->text);
    (void)snprintf(seen->text + used, sizeof seen->text - used, "<%.*s>", (int)n, (const char *)bytes);
    return 0;
}

static int hidden(void *owner)
{
    (void)strcat(((struct seen *)owner)->text, "?");
    return 0;
}

static const struct echo_calls calls = { shown, hidden };

/* A conversation: texts in turn typed and printed; ends with NULL. */
static void assert_echo(const char *expected, const char *const *turns)
{
    struct seen seen = { "" };
    struct echo *echo = NULL;
    assert_int_equal(echo_new(&calls, &seen, &echo), 0);
    for (size_t i = 0; turns[i]; i++) {
        const uint8_t *bytes = (const uint8_t *)turns[i];
        assert_int_equal(i % 2 ? echo_output(echo, bytes, strlen(turns[i]))
                               : echo_typed(echo, bytes, strlen(turns[i])),
                         0);
    }
    assert_int_equal(echo_end(echo), 0);
    assert_string_equal(seen.text, expected);
    echo_free(echo);
}

/* typed, printed, typed, printed … */
#define ECHO(expected, ...) assert_echo(expected, (const char *const[]){ __VA_ARGS__, NULL })

static void a_line_that_shows_is_passed_on_whole(void **state)
{
    (void)state;
    ECHO("<ls\r>", "l", "l", "s", "s", "\r", "\r\n");
    ECHO("<ls\r>", "ls\r", "ls\r\nfile\r\n$ ");
    ECHO("<ls\r><pwd\r>", "ls\r", "ls\r\nfile\r\n$ ", "pwd\r", "pwd\r\n/root\r\n$ ");
    ECHO("<\r>", "\r", "\r\n$ ");
    ECHO("<h\xc3\xa9\r>", "h\xc3", "h", "\xa9\r", "\xc3\xa9\r\n");
}

static void an_echo_that_is_slow_or_in_pieces_counts(void **state)
{
    (void)state;
    ECHO("<echo hi\r>", "ec", "", "ho hi", "", "\r", "", "", "e", "", "cho h", "", "i\r", "", "\n");
}

static void a_password_is_never_passed_on(void **state)
{
    (void)state;
    ECHO("<su\r>?", "su\r", "su\r\nPassword: ", "secret\r", "\r\n# ");
    ECHO("<su\r>?<id\r>", "su\r", "su\r\nPassword: ", "s", "", "ecret", "", "\r", "\r\n# ", "id\r",
         "id\r\nuid=0\r\n# ");
    ECHO("?", "secret\r", "su: Authentication failure\r\n");
    ECHO("?", "secret\r", "sorry\r\n");          /* the same first letter */
    ECHO("?", "secret\r", "******\r\n");         /* sudo's pwfeedback */
    ECHO("?", "secret\x03", "^C\r\n$ ");         /* given up */
    ECHO("?", "secret", "");                     /* never answered */
    ECHO("?", "1234\r", "\b1\b2\b3\r\n");        /* a spinner of digits */
    ECHO("?", "\x7f\x7fsecret\r", "\r\nno\r\n"); /* corrected */
    ECHO("?", "sec\x1b[Dret\r", "\r\nseret\r\n");
}

static void what_others_print_meanwhile_hides_rather_than_reveals(void **state)
{
    (void)state;
    ECHO("?", "se", "[1] Done\r\n", "cret\r", "secret\r\n");
    ECHO("?", "ab\r", "a[log] line\r\nb\r\n");
    ECHO("?<ok\r>", "ab\r", "xyz\r\n", "ok\r", "ok\r\n");
}

static void keys_without_a_character_are_not_looked_for(void **state)
{
    (void)state;
    ECHO("<lx\x7fs\r>", "l", "l", "x", "x", "\x7f", "\b \b", "s", "s", "\r", "\r\n");
    ECHO("<ca\tb\r>", "ca", "ca", "\t", "t file\a", "b", "b", "\r", "\r\n");
    ECHO("<\x1b[A\r>", "\x1b[A", "ls -l", "\r", "\r\n");
    ECHO("<\x1bOA\x1b[3~x\r>", "\x1bOA\x1b[3~", "", "x", "\b\x1b[Kx", "\r", "\r\n");
    ECHO("<\x03>", "\x03", "^C\r\n$ ");
    ECHO("<\x03><ls\r>", "\x03", "^C\r\n$ ", "ls\r", "ls\r\n");
    ECHO("<\x04>", "\x04", "logout\r\n");
}

static void a_key_may_come_in_pieces(void **state)
{
    (void)state;
    ECHO("<\x1b[A\r>", "\x1b", "", "[", "", "A", "ls", "\r", "\r\n");
    ECHO("<\x1b\x1b[Bx\r>", "\x1b", "", "\x1b[", "", "Bx\r", "x\r\n");
}

static void colours_and_cursors_are_passed_over(void **state)
{
    (void)state;
    ECHO("<ls\r>", "l", "\x1b[32ml\x1b[0m", "s", "\b\x1b[1mls\x1b[m\x1b]0;title: s\x07", "\r",
         "\x1b[?2004l\r\r\n");
    ECHO("<ls\r>", "ls\r", "l\x1b(B\x1b[ms\x1bP1$r\x1b\\\r\n");
    ECHO("<a b\r>", "a b\r", "a \rb\r\n"); /* wrapped at the edge */
}

static void a_paste_is_lines_of_its_own(void **state)
{
    (void)state;
    ECHO("<\x1b[200~a\r><b\x1b[201~\r>", "\x1b[200~a\rb\x1b[201~", "a\r\nb", "\r", "\r\n");
}

static void a_string_without_an_end_does_not_swallow_everything(void **state)
{
    (void)state;
    static char noise[5000];
    (void)state;
    noise[0] = '\x1b';
    noise[1] = ']';
    memset(noise + 2, 'x', sizeof noise - 3);
    ECHO("<ls\r>", "", noise, "ls\r", "ls\r\n");
}

static void what_waits_is_bounded(void **state)
{
    (void)state;
    static char line[ECHO_TYPED_MAX + 100];
    struct seen seen = { "" };
    struct echo *echo = NULL;
    memset(line, 'x', sizeof line - 1);
    assert_int_equal(echo_new(&calls, &seen, &echo), 0);
    assert_int_equal(echo_typed(echo, (const uint8_t *)line, sizeof line - 1), 0);
    assert_string_equal(seen.text, "");
    assert_int_equal(echo_output(echo, (const uint8_t *)line, sizeof line - 1), 0);
    assert_int_equal(echo_typed(echo, (const uint8_t *)"\rls\r", 4), 0);
    assert_int_equal(echo_output(echo, (const uint8_t *)"\r\nls\r\n", 6), 0);
    assert_string_equal(seen.text, "?<ls\r>");
    echo_free(echo);
}

static void a_long_line_that_shows_is_passed_on_in_pieces(void **state)
{
    (void)state;
    struct seen seen = { "" };
    struct echo *echo = NULL;
    assert_int_equal(echo_new(&calls, &seen, &echo), 0);
    for (int i = 0; i < ECHO_TYPED_MAX + 1; i++) {
        assert_int_equal(echo_typed(echo, (const uint8_t *)"x", 1), 0);
        assert_int_equal(echo_output(echo, (const uint8_t *)"x", 1), 0);
    }
    assert_int_equal(echo_end(echo), 0);
    assert_int_equal(strlen(seen.text), ECHO_TYPED_MAX + 1 + 4);
    assert_null(strchr(seen.text, '?'));
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_that_shows_is_passed_on_whole),
        cmocka_unit_test(an_echo_that_is_slow_or_in_pieces_counts),
        cmocka_unit_test(a_password_is_never_passed_on),
        cmocka_unit_test(what_others_print_meanwhile_hides_rather_than_reveals),
        cmocka_unit_test(keys_without_a_character_are_not_looked_for),
        cmocka_unit_test(a_key_may_come_in_pieces),
        cmocka_unit_test(colours_and_cursors_are_passed_over),
        cmocka_unit_test(a_paste_is_lines_of_its_own),
        cmocka_unit_test(a_string_without_an_end_does_not_swallow_everything),
        cmocka_unit_test(what_waits_is_bounded),
        cmocka_unit_test(a_long_line_that_shows_is_passed_on_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
