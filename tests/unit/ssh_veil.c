/* What a terminal's client gets to see: each output is given whole and byte by byte, and what a terminal
 * makes of what comes out is looked at. */
#include "channels/ssh/veil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <vterm.h>
#include "channels/ssh/veil_token.h"

#define KEY    "AKIAIOSFODNN7EXAMPLE" /* the one of AWS' own documentation */
#define HIDDEN "********************"

enum { ROWS = 6, COLUMNS = 40, SHOWN_MAX = 64 * 1024, OUT_MAX = 1 << 20 };

static struct detectors *detectors;
static struct detect_how how;

static int load(void **state)
{
    static const char *const names[] = { "aws_key", "private_key", "credit_card", "email" };
    (void)state;
    for (int i = 0; i < 4; i++)
        how.kinds[i] = MASK_REDACT;
    return detectors_new(names, 4, NULL, 0, &detectors, NULL);
}

static int unload(void **state)
{
    (void)state;
    detectors_free(detectors);
    return 0;
}

static void veil(bool terminal, const char *bytes, size_t n, size_t step, bool flush, struct buffer *out)
{
    CLEANUP(ssh_veil_free) struct ssh_veil *veil = NULL;
    buffer_init(out, OUT_MAX);
    assert_int_equal(ssh_veil_new(detectors, &how, terminal, COLUMNS, ROWS, &veil), 0);
    for (size_t at = 0; at < n; at += step) {
        assert_int_equal(ssh_veil_feed(veil, bytes + at, n - at < step ? n - at : step, out), 0);
        if (flush)
            assert_int_equal(ssh_veil_flush(veil, out), 0);
    }
    assert_int_equal(ssh_veil_end(veil, out), 0);
}

/* Rows with their blanks at the end cut off, each ended by "|". */
static void shown(const struct buffer *out, char text[SHOWN_MAX])
{
    VTerm *vterm = vterm_new(ROWS, COLUMNS);
    VTermScreen *screen = vterm_obtain_screen(vterm);
    size_t n = 0;
    vterm_set_utf8(vterm, 1);
    vterm_screen_enable_altscreen(screen, 1);
    vterm_screen_reset(screen, 1);
    vterm_input_write(vterm, (const char *)buffer_head(out), buffer_size(out));
    for (int row = 0; row < ROWS; row++) {
        VTermRect rect = { row, row + 1, 0, COLUMNS };
        n += vterm_screen_get_text(screen, text + n, SHOWN_MAX - n - 2, rect);
        while (n > 0 && text[n - 1] == ' ')
            n--;
        text[n++] = '|';
    }
    text[n] = '\0';
    vterm_free(vterm);
}

/* In every way to give it: the screen shows this. */
static void expect_shown(const char *bytes, const char *wanted)
{
    static const size_t steps[] = { SIZE_MAX / 2, 1, 3, 7 };
    char text[SHOWN_MAX];
    for (int flush = 0; flush < 2; flush++)
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct buffer out;
            veil(true, bytes, strlen(bytes), steps[i], flush, &out);
            shown(&out, text);
            if (strncmp(text, wanted, strlen(wanted)) != 0)
                fail_msg("step %zu, flush %d: %s\n  shows %s\n  not   %s", steps[i], flush, bytes, text,
                         wanted);
            if (!flush && memmem(buffer_head(&out), buffer_size(&out), KEY, sizeof KEY - 1))
                fail_msg("step %zu: %s: the key is in the bytes", steps[i], bytes);
            buffer_free(&out);
        }
}

static void what_holds_no_match_passes_as_it_is(void **state)
{
    static const char *const cases[] = {
        "hello\r\nworld\r\n",
        "\x1b[1;31mred\x1b[0m \x1b[4mline\x1b[m\r\n",
        "\x1b[?1049h\x1b[2J\x1b[H~\r\n~\r\n\x1b[?1049l",
        "\x1b[?2004h$ ls\b\b\x1b[K\x07",
        "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80\r\n",
        "\x1b]0;title\x07\x1b]8;;https://example.com/\x1b\\link\x1b]8;;\x1b\\",
        "\x1b[22;0;0t\x1b[>4;2m\x1b[?12l\x1b[6n\x1b[c",
        "1234 5678\r\n3.14159 42\r\n",
        "\x1b(0lqqk\x1b(B\r\n",
        "\x1b[2;5r\x1b[5;1H\n\n\x1b[r\x1b[3L\x1b[2M\x1b[4P\x1b[2@\x1b[3X",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 200; step += 99) {
            struct buffer out;
            veil(true, cases[i], strlen(cases[i]), step, false, &out);
            if (buffer_size(&out) != strlen(cases[i]) ||
                memcmp(buffer_head(&out), cases[i], buffer_size(&out)) != 0)
                fail_msg("case %zu, step %zu: \"%.*s\"", i, step, (int)buffer_size(&out),
                         (const char *)buffer_head(&out));
            buffer_free(&out);
        }
}

static void a_match_is_masked_where_it_stands(void **state)
{
    (void)state;
    expect_shown("key=" KEY " end\r\n", "key=" HIDDEN " end||");
    expect_shown("a\r\n" KEY "\r\nb", "a|" HIDDEN "|b|");
    expect_shown("mail anna@example.com now\r\n", "mail **************** now|");
    expect_shown("\x1b[31m" KEY "\x1b[0m.\r\n", HIDDEN ".|");
}

static void escape_sequences_inside_of_it_hide_nothing(void **state)
{
    (void)state;
    expect_shown("x AKIA\x1b[31mIOSF\x1b[0mODNN\x1b]0;t\x07"
                 "7EXAMPLE y\r\n",
                 "x " HIDDEN " y|");
    expect_shown("x AKIAIOSF\x1b[4D\x1b[4CODNN7EXAMPLE y\r\n", "x " HIDDEN " y|");
    expect_shown("x AKIAIOSFQQ\b\bODNN7EXAMPLE y\r\n", "x " HIDDEN " y|");
    expect_shown("\x1b[1;1H            7EXAMPLE z\x1b[1;1HAKIAIOSFODNN\x1b[2;1H", HIDDEN " z|");
    expect_shown("\x1b[1;13H7EXAMPLE\x1b[1;1HAKIA\x1b[1;9HODNN\x1b[1;5HIOSF\x1b[2;1Hend", HIDDEN "|end|");
}

static void it_is_found_across_the_edge(void **state)
{
    (void)state;
    expect_shown("0123456789012345678901234567-- " KEY "\r\nx",
                 "0123456789012345678901234567-- *********|***********|x|");
    expect_shown("\x1b[1;33H AKIAIOS\x1b[2;1HFODNN7EXAMPLE\x1b[3;1Hx",
                 "                                 *******|*************|x|");
}

static void it_is_found_before_it_is_gone(void **state)
{
    struct buffer out;
    static const char *const cases[] = {
        KEY "\r\x1b[K",
        KEY "\x1b[2J",
        KEY "\x1b[H\x1b[J",
        KEY "\r                    ",
        KEY "\r\n\n\n\n\n\n\n",
        KEY "\x1b[1M",
        KEY "\x1b[20D\x1b[20P",
        KEY "\x1b[?1049h",
        "\x1b[?1049h" KEY "\x1b[?1049l",
        KEY "\x1b[1;1H\x1b[40X",
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 200; step += 199) {
            veil(true, cases[i], strlen(cases[i]), step, false, &out);
            if (memmem(buffer_head(&out), buffer_size(&out), "OSFODNN7", 8))
                fail_msg("case %zu, step %zu", i, step);
            buffer_free(&out);
        }
}

static void a_key_block_is_masked_over_many_lines(void **state)
{
    char bytes[4096] = "-----BEGIN RSA PRIVATE KEY-----\r\n", text[SHOWN_MAX];
    (void)state;
    for (int i = 0; i < 20; i++)
        strcat(bytes, "MIIEowIBAAKCAQEAMIIEowIBAAKCAQEAMIIE\r\n");
    strcat(bytes, "-----END RSA PRIVATE KEY-----\r\nafter\r\n");
    for (size_t step = 1; step < 4096; step += 1000) {
        struct buffer out;
        veil(true, bytes, strlen(bytes), step, false, &out);
        if (memmem(buffer_head(&out), buffer_size(&out), "owIBAAKCAQ", 10))
            fail_msg("step %zu: the key is in the bytes", step);
        shown(&out, text);
        assert_non_null(strstr(text, "|after|"));
        buffer_free(&out);
    }
}

static void what_was_let_go_is_masked_when_it_becomes_a_match(void **state)
{
    CLEANUP(ssh_veil_free) struct ssh_veil *veil = NULL;
    struct buffer out;
    char text[SHOWN_MAX];
    (void)state;
    buffer_init(&out, OUT_MAX);
    assert_int_equal(ssh_veil_new(detectors, &how, true, COLUMNS, ROWS, &veil), 0);
    assert_int_equal(ssh_veil_feed(veil, "\x1b[1;35mx AKIAIOSF", 17, &out), 0);
    assert_true(ssh_veil_holds(veil));
    assert_int_equal(ssh_veil_flush(veil, &out), 0);
    assert_false(ssh_veil_holds(veil));
    shown(&out, text);
    assert_memory_equal(text, "x AKIAIOSF|", 11);
    assert_int_equal(ssh_veil_feed(veil, "ODNN7EXAMPLE ", 13, &out), 0);
    assert_int_equal(ssh_veil_feed(veil, "y", 1, &out), 0);
    assert_int_equal(ssh_veil_end(veil, &out), 0);
    shown(&out, text);
    assert_memory_equal(text, "x " HIDDEN " y|", 25);
    assert_non_null(
        memmem(buffer_head(&out), buffer_size(&out), "\x1b[0m\x1b[1m\x1b[38;5;5m", 16)); /* the pen is back */
    buffer_free(&out);
}

static void a_repeated_character_is_one(void **state)
{
    (void)state;
    expect_shown("a\x1b[3bc\r\n", "aaaac|");
    expect_shown("\x1b[9b\x1b[9 bx\r\n", "x|");
    expect_shown("\xe4\xb8\xad\x1b[2bx\r\n", "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xadx|");
    expect_shown("4111111111111\x1b[3b \r\n", "****************|");
}

static void what_cannot_be_followed_is_left_out(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "a\x1bPq#0;2;0;0;0#0~~\x1b\\b", "ab" }, /* a sixel */
        { "a\x1b_apc\x1b\\b", "ab" },
        { "a\x1b]52;c;QUtJQQ==\x07"
          "b",
          "ab" }, /* the clipboard */
        { "a\x1b]0;" KEY "\x07"
          "b",
          "ab" },
        { "a\x1b%@b", "ab" }, /* another coding */
        { "a\x1b#8b", "ab" },
        { "a\xff\x9b"
          "1mb",
          "a??1mb" },
        { "a\xc2\x9b"
          "1mb",
          "a1mb" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 200; step += 199) {
            struct buffer out;
            veil(true, cases[i].in, strlen(cases[i].in), step, false, &out);
            if (buffer_size(&out) != strlen(cases[i].out) ||
                memcmp(buffer_head(&out), cases[i].out, buffer_size(&out)) != 0)
                fail_msg("case %zu: \"%.*s\"", i, (int)buffer_size(&out), (const char *)buffer_head(&out));
            buffer_free(&out);
        }
}

static void bytes_without_a_terminal_are_masked_over_any_split(void **state)
{
    static const char in[] = "id " KEY "\nmail anna@example.com\n\x00\xff";
    (void)state;
    for (size_t step = 1; step < sizeof in; step++) {
        struct buffer out;
        veil(false, in, sizeof in - 1, step, false, &out);
        assert_null(memmem(buffer_head(&out), buffer_size(&out), "OSFODNN7", 8));
        assert_null(memmem(buffer_head(&out), buffer_size(&out), "anna@", 5));
        assert_memory_equal(buffer_head(&out) + buffer_size(&out) - 3, "\n\x00\xff", 3);
        buffer_free(&out);
    }
}

static void more_than_can_be_held_is_let_go(void **state)
{
    CLEANUP(ssh_veil_free) struct ssh_veil *veil = NULL;
    struct buffer out;
    (void)state;
    buffer_init(&out, OUT_MAX);
    assert_int_equal(ssh_veil_new(detectors, &how, true, COLUMNS, ROWS, &veil), 0);
    for (int i = 0; i < VEIL_HOLD_MAX / 4; i++)
        assert_int_equal(ssh_veil_feed(veil, "\x1b[m4", 4, &out), 0); /* digits may become a card's number */
    assert_int_equal(ssh_veil_feed(veil, "\x1b[m4", 4, &out), 0);
    assert_true(buffer_size(&out) >= VEIL_HOLD_MAX / 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ssh_veil_feed(veil, "\x1b[1", 3, &out), 0);
    assert_int_equal(ssh_veil_end(veil, &out), 0);
    buffer_free(&out);
}

static void a_terminal_can_change_its_size(void **state)
{
    CLEANUP(ssh_veil_free) struct ssh_veil *veil = NULL;
    struct buffer out;
    static const unsigned sizes[][2] = { { 80, 24 }, { 1, 1 }, { 0, 0 }, { 5000, 5000 }, { 40, 6 } };
    (void)state;
    buffer_init(&out, OUT_MAX);
    assert_int_equal(ssh_veil_new(detectors, &how, true, COLUMNS, ROWS, &veil), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(ssh_veil_feed(veil, "x\r\n" KEY " \xe4\xb8\xad\r\n", 28, &out), 0);
        assert_int_equal(ssh_veil_resize(veil, sizes[i][0], sizes[i][1]), 0);
    }
    assert_int_equal(ssh_veil_feed(veil, "x\r\n" KEY " \r\n", 25, &out), 0);
    assert_int_equal(ssh_veil_end(veil, &out), 0);
    assert_null(memmem(buffer_head(&out), buffer_size(&out), KEY, sizeof KEY - 1));
    buffer_free(&out);
}

static void tokens_are_cut_where_terminals_cut_them(void **state)
{
    static const struct {
        const char *bytes;
        enum veil_token_kind kind;
        size_t n;
    } cases[] = {
        { "a", VEIL_CHARACTER, 1 },
        { "\xc3\xa4x", VEIL_CHARACTER, 2 },
        { "\xc3", VEIL_PART, 0 },
        { "\xc3x", VEIL_DROPPED, 1 },
        { "\xc0\x80", VEIL_DROPPED, 1 },
        { "\xed\xa0\x80", VEIL_DROPPED, 1 },
        { "\n", VEIL_CONTROL, 1 },
        { "\x1b", VEIL_PART, 0 },
        { "\x1b"
          "7",
          VEIL_CONTROL, 2 },
        { "\x1b(B", VEIL_CONTROL, 3 },
        { "\x1b[", VEIL_PART, 0 },
        { "\x1b[1;2H", VEIL_SEQUENCE, 6 },
        { "\x1b[1;2", VEIL_PART, 0 },
        { "\x1b[1\n", VEIL_DROPPED, 3 },
        { "\x1b[1?2h", VEIL_DROPPED, 3 },
        { "\x1b[;;;;;;;;;;;;;;;;m", VEIL_DROPPED, 18 },
        { "\x1b (", VEIL_DROPPED, 3 },
        { "\x1b[?25$p", VEIL_SEQUENCE, 7 },
        { "\x1b]0;a\x07", VEIL_OSC, 6 },
        { "\x1b]0;a\x1b\\", VEIL_OSC, 7 },
        { "\x1b]0;a", VEIL_PART, 0 },
        { "\x1b]0;a\x1b[", VEIL_DROPPED, 5 },
        { "\x1bPx\x1b\\", VEIL_DROPPED, 5 },
        { "\x1b\x1b[m", VEIL_DROPPED, 1 },
    };
    char longest[VEIL_STRING_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct veil_token token = veil_token_of((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes));
        if (token.kind != cases[i].kind || token.n != cases[i].n)
            fail_msg("case %zu: kind %d, %zu bytes", i, (int)token.kind, token.n);
    }
    memset(longest, '1', sizeof longest);
    memcpy(longest, "\x1b]", 2);
    assert_int_equal(veil_token_of((const uint8_t *)longest, VEIL_STRING_MAX - 1).kind, VEIL_PART);
    assert_int_equal(veil_token_of((const uint8_t *)longest, VEIL_STRING_MAX).kind, VEIL_DROPPED);
    longest[1] = '[';
    assert_int_equal(veil_token_of((const uint8_t *)longest, VEIL_SEQUENCE_MAX - 1).kind, VEIL_PART);
    assert_int_equal(veil_token_of((const uint8_t *)longest, VEIL_SEQUENCE_MAX).kind, VEIL_DROPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_no_match_passes_as_it_is),
        cmocka_unit_test(a_match_is_masked_where_it_stands),
        cmocka_unit_test(escape_sequences_inside_of_it_hide_nothing),
        cmocka_unit_test(it_is_found_across_the_edge),
        cmocka_unit_test(it_is_found_before_it_is_gone),
        cmocka_unit_test(a_key_block_is_masked_over_many_lines),
        cmocka_unit_test(what_was_let_go_is_masked_when_it_becomes_a_match),
        cmocka_unit_test(a_repeated_character_is_one),
        cmocka_unit_test(what_cannot_be_followed_is_left_out),
        cmocka_unit_test(bytes_without_a_terminal_are_masked_over_any_split),
        cmocka_unit_test(more_than_can_be_held_is_let_go),
        cmocka_unit_test(a_terminal_can_change_its_size),
        cmocka_unit_test(tokens_are_cut_where_terminals_cut_them),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
