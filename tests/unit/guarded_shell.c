/* channels/ssh/guarded_shell: what the shell at a target says, and what is said to it. */
#include "channels/ssh/guarded_shell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define NONCE        "0123456789abcdef0123456789abcdef"
#define MARK(fields) "\x01" NONCE ";" fields ";" NONCE "\x02"

struct desk {
    struct guarded_shell *shell;
    char seen[1 << 16]; /* output, and news in <> */
    size_t n;
};

static void put(struct desk *desk, const char *before, const void *bytes, size_t n, const char *after)
{
    size_t room = sizeof desk->seen - desk->n;
    int size = snprintf(desk->seen + desk->n, room, "%s%.*s%s", before, (int)n, (const char *)bytes, after);
    desk->n += (size_t)size < room ? (size_t)size : room - 1; /* more than that is not looked at */
}

static int output(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    put(owner, is_error ? "!" : "", bytes, n, "");
    return 0;
}

static int news(void *owner, enum guarded_news news, const char *text, size_t n)
{
    static const char *const names[] = { "", "<ready", "<begun", "<ended", "<lost", "<typed " };
    put(owner, names[news], text, n, ">");
    return 0;
}

static const struct guarded_calls calls = { output, news };

static void says_to(struct desk *desk, bool is_error, const char *text)
{
    assert_int_equal(guarded_shell_output(desk->shell, is_error, (const uint8_t *)text, strlen(text)), 0);
}

static void says(struct desk *desk, const char *text)
{
    says_to(desk, false, text);
}

static void assert_seen(struct desk *desk, const char *expected)
{
    assert_string_equal(desk->seen, expected);
    desk->n = 0;
    desk->seen[0] = '\0';
}

static void assert_sent(struct desk *desk, const char *expected)
{
    struct buffer *waiting = guarded_shell_waiting(desk->shell);
    assert_int_equal(buffer_size(waiting), strlen(expected));
    if (*expected)
        assert_memory_equal(buffer_head(waiting), expected, strlen(expected));
    buffer_consume(waiting, buffer_size(waiting));
}

/* With a prompt. */
static void begin(struct desk *desk, bool terminal)
{
    assert_int_equal(guarded_shell_new(terminal, NONCE, &calls, desk, &desk->shell), 0);
    says(desk, "\x01gatehouse;/home/a\x02");
    struct buffer *waiting = guarded_shell_waiting(desk->shell);
    buffer_consume(waiting, buffer_size(waiting));
    if (!terminal)
        says_to(desk, true, MARK("E;0;;"));
    says(desk, MARK("E;0;0;/home/a"));
    assert_seen(desk, "<ready>");
}

static void run(struct desk *desk, const char *line)
{
    assert_int_equal(guarded_shell_run(desk->shell, line, strlen(line), 0), 0);
    buffer_consume(guarded_shell_waiting(desk->shell), buffer_size(guarded_shell_waiting(desk->shell)));
}

static void it_says_hello_and_gets_one_line_with_the_nonce(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    assert_int_equal(guarded_shell_new(true, NONCE, &calls, &desk, &desk.shell), 0);
    says(&desk, "a greeting\r\n\x01gateh");
    says(&desk, "ouse;/home/\xc3\xa9\x02$ $ ");
    assert_seen(&desk, "a greeting\r\n");
    assert_string_equal(guarded_shell_home(desk.shell), "/home/\xc3\xa9");
    struct buffer *waiting = guarded_shell_waiting(desk.shell);
    const char *setup = (const char *)buffer_head(waiting);
    size_t n = buffer_size(waiting);
    assert_ptr_equal(memchr(setup, '\n', n), setup + n - 1);
    assert_null(memchr(setup, '@', n));
    assert_non_null(memmem(setup, n, NONCE, GUARDED_NONCE));
    assert_true(n < 4096 && n % GUARDED_LINE == 0);
    says(&desk, "$ " MARK("E;0;0;/home/a"));
    assert_seen(&desk, "<ready>");
    assert_string_equal(guarded_shell_directory(desk.shell), "/home/a");
    guarded_shell_free(desk.shell);
}

static void a_command_is_sent_begins_and_ends(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    begin(&desk, true);
    assert_int_equal(guarded_shell_run(desk.shell, "ls\nid", 5, 77), 0);
    assert_sent(&desk, "\n\xffR;yyyyyyyyyyyyyzyzyy;1;77\n\\154\\163\\012\\151\\144\n");
    assert_int_equal(guarded_shell_run(desk.shell, "ls", 2, 0), -EBUSY);
    says(&desk, MARK("T;"));
    says(&desk, MARK("B;1") "out\x01put" MARK("E;1;3;/tmp"));
    assert_seen(&desk, "<begun>out\x01put<ended>");
    assert_int_equal(guarded_shell_status(desk.shell), 3);
    assert_string_equal(guarded_shell_directory(desk.shell), "/tmp");
    assert_sent(&desk, "");
    guarded_shell_free(desk.shell);
}

static void what_was_typed_ahead_comes_back(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    begin(&desk, true);
    run(&desk, "sleep 1");
    assert_int_equal(guarded_shell_type(desk.shell, (const uint8_t *)"x", 1), -EBUSY);
    says(&desk, MARK("B;1"));
    assert_int_equal(guarded_shell_type(desk.shell,
                                        (const uint8_t *)"a\xff"
                                                         "R;2;0;1\nb\xc0\xf8",
                                        13),
                     0);
    assert_sent(&desk, "aR;2;0;1\nb");
    says(&desk, MARK("E;1;0;/"));
    assert_sent(&desk, "\n\xffS;\n");
    assert_seen(&desk, "<begun>");
    assert_false(guarded_shell_is_idle(desk.shell));
    says(&desk, MARK("T;aR;2;0;1") MARK("T;b") MARK("Y"));
    assert_seen(&desk, "<typed aR;2;0;1><typed \n><typed b><ended>");
    guarded_shell_free(desk.shell);
}

static void a_signal_in_between_loses_nothing_unseen(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    begin(&desk, true);
    run(&desk, "ls");
    says(&desk, MARK("E;0;130;/home/a")); /* it began anew: has it read the command? */
    assert_sent(&desk, "\n\xffS;\n");
    says(&desk, MARK("Y"));
    assert_seen(&desk, "<lost>");
    run(&desk, "id");
    says(&desk, MARK("E;1;0;/"));
    says(&desk, MARK("B;2"));
    assert_seen(&desk, "<begun>");
    says(&desk, MARK("Y")); /* a question is no end of a command */
    assert_seen(&desk, "");
    says(&desk, MARK("E;2;0;/"));
    says(&desk, MARK("E;2;0;/") MARK("Y"));
    assert_seen(&desk, "<ended>");
    says(&desk, MARK("E;2;5;/x"));
    assert_seen(&desk, "");
    guarded_shell_free(desk.shell);
}

static void marks_of_somebody_else_are_output(void **state)
{
    static const char *const others[] = {
        "\x01",
        "\x01gatehouse;/\x02",
        "\x01"
        "0123456789abcdef0123456789abcdee;E;1;0;/;" NONCE "\x02",
        "\x01\x01\x01x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct desk desk = { .n = 0 };
        begin(&desk, true);
        run(&desk, "ls");
        says(&desk, MARK("B;1"));
        for (const char *at = others[i]; *at; at++)
            says(&desk, (char[]){ *at, '\0' });
        says(&desk, "." MARK("E;1;0;/"));
        char expected[256];
        (void)snprintf(expected, sizeof expected, "<begun>%s.<ended>", others[i]);
        assert_seen(&desk, expected);
        guarded_shell_free(desk.shell);
    }
}

static void old_and_broken_marks_do_nothing(void **state)
{
    static const char *const marks[] = { MARK("E;7;0;/"), MARK("E;0;0;/x"),
                                         MARK("E;;0;/"),  MARK("E;99999999999;0;/"),
                                         MARK("B;2"),     MARK("T;x"),
                                         MARK("Y"),       MARK("Q;x"),
                                         MARK("E") };
    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct desk desk = { .n = 0 };
        begin(&desk, true);
        run(&desk, "ls");
        says(&desk, MARK("B;1"));
        says(&desk, marks[i]);
        assert_seen(&desk, "<begun>");
        assert_true(guarded_shell_runs(desk.shell));
        guarded_shell_free(desk.shell);
    }
}

static void a_mark_that_never_ends_is_output_in_the_end(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    static char x[GUARDED_MARK_MAX];
    begin(&desk, true);
    run(&desk, "ls");
    says(&desk, MARK("B;1"));
    says(&desk, "\x01" NONCE ";T;");
    memset(x, 'x', sizeof x - 1);
    desk.n = 0;
    says(&desk, x);
    assert_true(desk.n > 0);
    guarded_shell_free(desk.shell);
}

static void without_a_terminal_both_streams_have_to_end(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    begin(&desk, false);
    assert_int_equal(guarded_shell_run(desk.shell, "ls", 2, 0), 0);
    assert_sent(&desk, "\xffR;yyyyyyyyyyyyyyzyyy;1;0\n\\154\\163\n");
    says(&desk, MARK("B;1") "out");
    says(&desk, MARK("E;1;2;/"));
    assert_seen(&desk, "<begun>out");
    says_to(&desk, true, "err" MARK("E;1;;"));
    assert_seen(&desk, "!err<ended>");
    assert_int_equal(guarded_shell_status(desk.shell), 2);
    guarded_shell_free(desk.shell);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct desk desk = { .n = 0 };
    static char line[GUARDED_WAITING_MAX];
    begin(&desk, true);
    memset(line, 'x', sizeof line);
    assert_int_equal(guarded_shell_run(desk.shell, line, sizeof line, 0), -ENOBUFS);
    assert_true(guarded_shell_is_idle(desk.shell));
    assert_int_equal(guarded_shell_new(true, "short", &calls, &desk, &(struct guarded_shell *){ NULL }),
                     -EINVAL);
    guarded_shell_free(desk.shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_hello_and_gets_one_line_with_the_nonce),
        cmocka_unit_test(a_command_is_sent_begins_and_ends),
        cmocka_unit_test(what_was_typed_ahead_comes_back),
        cmocka_unit_test(a_signal_in_between_loses_nothing_unseen),
        cmocka_unit_test(marks_of_somebody_else_are_output),
        cmocka_unit_test(old_and_broken_marks_do_nothing),
        cmocka_unit_test(a_mark_that_never_ends_is_output_in_the_end),
        cmocka_unit_test(without_a_terminal_both_streams_have_to_end),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
