/* channels/ssh/line: keys in, a line out, and what a terminal shows of it. */
#include "channels/ssh/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "check.h"

enum { ROWS = 12, COLUMNS = 20 };

/* A line, and the terminal in front of it. */
struct desk {
    struct line *line;
    VTerm *terminal;
    struct buffer out;
    char entered[LINE_MAX_BYTES + 1];
};

static void show(struct desk *desk)
{
    (void)vterm_input_write(desk->terminal, (const char *)buffer_head(&desk->out), buffer_size(&desk->out));
    buffer_consume(&desk->out, buffer_size(&desk->out));
}

static struct desk open_desk(unsigned columns)
{
    struct desk desk = { .terminal = vterm_new(ROWS, (int)columns) };
    assert_non_null(desk.terminal);
    vterm_set_utf8(desk.terminal, 1);
    vterm_screen_reset(vterm_obtain_screen(desk.terminal), 1);
    buffer_init(&desk.out, 1 << 20);
    assert_int_equal(line_new(columns, &desk.line), 0);
    assert_int_equal(line_show(desk.line, "$ ", &desk.out), 0);
    show(&desk);
    return desk;
}

static void close_desk(struct desk *desk)
{
    vterm_free(desk->terminal);
    line_free(desk->line);
    buffer_free(&desk->out);
}

/* The last wish. A line that was entered is taken, and the next one shown. */
static enum line_wish press(struct desk *desk, const char *keys)
{
    enum line_wish wish = LINE_GOES_ON;
    for (; *keys; keys++) {
        assert_int_equal(line_key(desk->line, (uint8_t)*keys, &desk->out, &wish), 0);
        show(desk);
        if (wish == LINE_ENTERED) {
            size_t n = 0;
            const char *text = line_text(desk->line, &n);
            memcpy(desk->entered, text, n + 1);
            assert_int_equal(line_take(desk->line, &desk->out), 0);
            assert_int_equal(line_show(desk->line, "$ ", &desk->out), 0);
            show(desk);
        }
    }
    return wish;
}

static void assert_line(const char *keys, const char *expected)
{
    struct desk desk = open_desk(80);
    press(&desk, keys);
    press(&desk, "\r");
    assert_string_equal(desk.entered, expected);
    close_desk(&desk);
}

/* Rows joined by "|", without blanks at their ends, and where the cursor is. */
static void assert_screen(struct desk *desk, const char *expected)
{
    static char out[ROWS * COLUMNS * 8];
    size_t n = 0, used = 0;
    int rows = 0, columns = 0;
    VTermPos cursor;
    vterm_get_size(desk->terminal, &rows, &columns);
    vterm_state_get_cursorpos(vterm_obtain_state(desk->terminal), &cursor);
    for (int row = 0; row < rows; row++) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%s", row ? "|" : "");
        size_t end = n;
        for (int column = 0; column < columns; column++) {
            VTermScreenCell cell;
            char bytes[5] = " ";
            assert_int_equal(
                vterm_screen_get_cell(vterm_obtain_screen(desk->terminal), (VTermPos){ row, column }, &cell),
                1);
            uint32_t c = cell.chars[0];
            if (c == (uint32_t)-1)
                continue;
            if (c >= 0x800)
                (void)snprintf(bytes, sizeof bytes, "%c%c%c", (int)(0xe0 | c >> 12),
                               (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
            else if (c >= 0x80)
                (void)snprintf(bytes, sizeof bytes, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
            else if (c)
                bytes[0] = (char)c;
            n += (size_t)snprintf(out + n, sizeof out - n, "%s", bytes);
            if (c && c != ' ')
                end = n;
        }
        n = end;
        used = n > used && (row == 0 || out[n - 1] != '|') ? n : used;
        out[n] = '\0';
    }
    out[used] = '\0';
    (void)snprintf(out + used, sizeof out - used, " @%d,%d", cursor.row, cursor.col);
    assert_string_equal(out, expected);
}

#define LEFT  "\x1b[D"
#define RIGHT "\x1b[C"

static void keys_edit_as_in_bash(void **state)
{
    (void)state;
    assert_line("ls -l", "ls -l");
    assert_line("sl" LEFT LEFT "l\x04", "ll");
    assert_line("abc\x02\x02X", "aXbc");
    assert_line("abc\x01X\x05Y", "XabcY");
    assert_line("abc\x1b[HX\x1b[FY\x1bOHZ\x1b[4~W", "ZXabcYW");
    assert_line("abc\x7f\x08", "a");
    assert_line("abc" LEFT "\x1b[3~", "ab");
    assert_line("one two\x1b"
                "b\x0b",
                "one ");
    assert_line("one two\x01\x1b"
                "fX",
                "oneX two");
    assert_line("one two\x1b[1;5DX\x1b[1;5CY", "one XtwoY");
    assert_line("a/b c/d\x17", "a/b ");
    assert_line("a/b c/d\x1b\x7f", "a/b c/");
    assert_line("one two\x01\x1b"
                "d\x05\x19",
                " twoone");
    assert_line("one two\x15\x19\x19", "one twoone two");
    assert_line("ab\x14", "ba");
    assert_line("abcd" LEFT LEFT "\x14", "acbd");
    assert_line("\xc3\xa9\xe4\xbd\xa0\x7f", "\xc3\xa9");
    assert_line("\xc3\xa9\xe4\xbd\xa0" LEFT LEFT "x", "x\xc3\xa9\xe4\xbd\xa0");
    assert_line("e\xcc\x81x" LEFT LEFT "y", "ye\xcc\x81x");
    assert_line("a\x1b[D\x1b[C\x1b[C"
                "b",
                "ab");
}

static void what_is_no_text_is_left_out(void **state)
{
    (void)state;
    assert_line("a\x0f\x13\x11\x1a\x1c"
                "b",
                "ab");
    assert_line("a\xff\xfe\xc0\xaf"
                "b\xe4\xbd"
                "c",
                "abc");
    assert_line("a\xc2\x9b"
                "31mb",
                "a31mb");
    assert_line("a\x1b[99~\x1b[<1;2;3M\x1b"
                "qb",
                "ab");
    assert_line("a\t"
                "b",
                "ab");
    assert_line("a\x1b[1111111111111111111111111111b", "a11111b"); /* too long for a key */
}

static void a_paste_is_text(void **state)
{
    (void)state;
    assert_line("\x1b[200~one\rtwo\r\nthree\nfour\tx\x03\x04\x1b[201~", "one\ntwo\nthree\nfour\tx");
    assert_line("\x1b[200~a\x1b[Db\x1b[201~c", "abc");
    struct desk desk = open_desk(COLUMNS);
    assert_int_equal(press(&desk, "\x1b[200~reboot\r"), LINE_GOES_ON);
    close_desk(&desk);
}

static void the_history_is_gone_through_and_searched(void **state)
{
    (void)state;
    struct desk desk = open_desk(80);
    press(&desk, "first\rsecond\rsecond\r hidden\rthird x\r");
    press(&desk, "\x1b[A\r");
    assert_string_equal(desk.entered, "third x");
    press(&desk, "\x10\x10\r");
    assert_string_equal(desk.entered, "second");
    press(&desk, "new\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B!\r");
    assert_string_equal(desk.entered, "new!");
    press(&desk, "\x12ir\r");
    assert_string_equal(desk.entered, "third x");
    press(&desk, "\x12ir\x12\x12\r");
    assert_string_equal(desk.entered, "first");
    press(&desk, "keep\x12nothing\x07\r");
    assert_string_equal(desk.entered, "keep");
    press(&desk, "\x12iq\x7fr\x1b[D!\r");
    press(&desk, "\x1b<\r");
    assert_string_equal(desk.entered, "first");
    press(&desk, "a b\rz \x1b.\r");
    assert_string_equal(desk.entered, "z b");
    close_desk(&desk);
}

static void the_history_has_a_limit(void **state)
{
    (void)state;
    struct desk desk = open_desk(80);
    char text[32];
    for (int i = 0; i < LINE_HISTORY_MAX + 7; i++) {
        (void)snprintf(text, sizeof text, "echo %d\r", i);
        press(&desk, text);
    }
    press(&desk, "\x1b<\r");
    assert_string_equal(desk.entered, "echo 7");
    close_desk(&desk);
}

static void the_screen_shows_the_line(void **state)
{
    (void)state;
    struct desk desk = open_desk(COLUMNS);
    press(&desk, "echo hello");
    assert_screen(&desk, "$ echo hello @0,12");
    press(&desk, LEFT LEFT "X");
    assert_screen(&desk, "$ echo helXlo @0,11");
    press(&desk, "\x01");
    assert_screen(&desk, "$ echo helXlo @0,2");
    press(&desk, "\x05 0123456");
    assert_screen(&desk, "$ echo helXlo 012345|6 @1,1");
    press(&desk, LEFT LEFT);
    assert_screen(&desk, "$ echo helXlo 012345|6 @0,19");
    press(&desk, "\x7f");
    assert_screen(&desk, "$ echo helXlo 012356 @0,18");
    press(&desk, "\x05");
    assert_screen(&desk, "$ echo helXlo 012356 @1,0");
    press(&desk, "\x15");
    assert_screen(&desk, "$ @0,2");
    close_desk(&desk);
}

static void wide_characters_take_two_columns(void **state)
{
    (void)state;
    struct desk desk = open_desk(COLUMNS);
    press(&desk, "12345678901234567\xe4\xbd\xa0");
    assert_screen(&desk, "$ 12345678901234567|\xe4\xbd\xa0 @1,2");
    press(&desk, LEFT "\x7f");
    assert_screen(&desk, "$ 1234567890123456\xe4\xbd\xa0 @0,18");
    press(&desk, "\x03");
    close_desk(&desk);
}

static void lines_that_go_on_are_shown_below(void **state)
{
    (void)state;
    struct desk desk = open_desk(COLUMNS);
    press(&desk, "cat <<E");
    assert_int_equal(line_more(desk.line, &desk.out), 0);
    show(&desk);
    press(&desk, "x");
    assert_screen(&desk, "$ cat <<E|> x @1,3");
    press(&desk, "\x01y");
    assert_screen(&desk, "$ cat <<E|> yx @1,3");
    press(&desk, "\x02\x02\x02\x0b");
    assert_screen(&desk, "$ cat <<|> yx @0,8");
    press(&desk, "\r");
    assert_string_equal(desk.entered, "cat <<\nyx");
    assert_screen(&desk, "$ cat <<|> yx|$ @2,2");
    press(&desk, "\x1b[A");
    assert_screen(&desk, "$ cat <<|> yx|$ cat <<|> yx @3,4");
    close_desk(&desk);
}

static void it_can_be_hidden_resized_and_dropped(void **state)
{
    (void)state;
    struct desk desk = open_desk(COLUMNS);
    press(&desk, "0123456789012345678901234");
    assert_screen(&desk, "$ 012345678901234567|8901234 @1,7");
    assert_int_equal(line_hide(desk.line, &desk.out), 0);
    show(&desk);
    assert_screen(&desk, " @0,0");
    assert_int_equal(line_show(desk.line, "% ", &desk.out), 0);
    show(&desk);
    assert_screen(&desk, "% 012345678901234567|8901234 @1,7");
    press(&desk, LEFT LEFT LEFT LEFT LEFT LEFT LEFT LEFT);
    assert_int_equal(line_drop(desk.line, &desk.out), 0);
    assert_int_equal(line_show(desk.line, "$ ", &desk.out), 0);
    show(&desk);
    assert_screen(&desk, "% 012345678901234567|8901234^C|$ @2,2");
    press(&desk, "ab\x0c");
    assert_screen(&desk, "$ ab @0,4");
    assert_int_equal(line_resize(desk.line, 10, &desk.out), 0);
    show(&desk);
    assert_screen(&desk, "$ ab @0,4");
    close_desk(&desk);
}

static void control_c_and_control_d_are_told(void **state)
{
    (void)state;
    struct desk desk = open_desk(COLUMNS);
    assert_int_equal(press(&desk, "ab\x03"), LINE_CANCELLED);
    assert_int_equal(line_drop(desk.line, &desk.out), 0);
    assert_int_equal(press(&desk, "a\x01\x04\x04"), LINE_CLOSED);
    close_desk(&desk);
}

static void a_line_that_is_too_long_is_known_for_one(void **state)
{
    (void)state;
    struct desk desk = open_desk(80);
    enum line_wish wish;
    for (size_t i = 0; i < LINE_MAX_BYTES; i++)
        assert_int_equal(line_key(desk.line, 'y', &desk.out, &wish), 0);
    assert_false(line_is_too_long(desk.line));
    assert_int_equal(line_key(desk.line, 'y', &desk.out, &wish), 0);
    assert_true(line_is_too_long(desk.line));
    assert_int_equal(line_key(desk.line, 0x7f, &desk.out, &wish), 0); /* what is missing stays missing */
    assert_true(line_is_too_long(desk.line));
    assert_int_equal(line_take(desk.line, &desk.out), 0);
    assert_false(line_is_too_long(desk.line));
    close_desk(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_edit_as_in_bash),
        cmocka_unit_test(what_is_no_text_is_left_out),
        cmocka_unit_test(a_paste_is_text),
        cmocka_unit_test(the_history_is_gone_through_and_searched),
        cmocka_unit_test(the_history_has_a_limit),
        cmocka_unit_test(the_screen_shows_the_line),
        cmocka_unit_test(wide_characters_take_two_columns),
        cmocka_unit_test(lines_that_go_on_are_shown_below),
        cmocka_unit_test(it_can_be_hidden_resized_and_dropped),
        cmocka_unit_test(control_c_and_control_d_are_told),
        cmocka_unit_test(a_line_that_is_too_long_is_known_for_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
