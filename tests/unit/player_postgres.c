/* replay/pgview: server messages as psql would show them, however they are cut up. */
#include "replay/pgview.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "replay/pgtable.h"
#include "replay/pgvalue.h"

/* ---- messages by hand ---- */

struct server {
    struct buffer bytes;
};

static void message(struct server *s, char type, const void *body, size_t n)
{
    assert_int_equal(buffer_put_u8(&s->bytes, (uint8_t)type), 0);
    assert_int_equal(buffer_put_u32(&s->bytes, (uint32_t)n + 4), 0);
    assert_int_equal(buffer_append(&s->bytes, body, n), 0);
}

static void text_message(struct server *s, char type, const char *text)
{
    message(s, type, text, strlen(text) + 1);
}

static void describe(struct server *s, size_t n, const char *const *names, const uint32_t *types,
                     uint16_t format)
{
    struct buffer body;
    buffer_init(&body, 1 << 16);
    assert_int_equal(buffer_put_u16(&body, (uint16_t)n), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(buffer_put_cstring(&body, names[i]), 0);
        assert_int_equal(buffer_put_u32(&body, 0), 0);
        assert_int_equal(buffer_put_u16(&body, 0), 0);
        assert_int_equal(buffer_put_u32(&body, types[i]), 0);
        assert_int_equal(buffer_put_u16(&body, 4), 0);
        assert_int_equal(buffer_put_u32(&body, 0), 0);
        assert_int_equal(buffer_put_u16(&body, format), 0);
    }
    message(s, 'T', buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
}

/* NULL pointers are NULLs; sizes by strlen unless n > 0. */
static void row(struct server *s, size_t columns, const char *const *values, size_t n)
{
    struct buffer body;
    buffer_init(&body, 1 << 22);
    assert_int_equal(buffer_put_u16(&body, (uint16_t)columns), 0);
    for (size_t i = 0; i < columns; i++) {
        if (!values[i])
            assert_int_equal(buffer_put_u32(&body, UINT32_MAX), 0);
        else
            assert_int_equal(buffer_put_string(&body, values[i], n ? n : strlen(values[i])), 0);
    }
    message(s, 'D', buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
}

/* What is shown when the bytes come in pieces of `step`; malloc'ed. */
static char *show(const struct server *s, size_t step)
{
    struct pgview *view = NULL;
    struct buffer out;
    const uint8_t *bytes = buffer_head(&s->bytes);
    size_t n = buffer_size(&s->bytes);
    buffer_init(&out, 1 << 24);
    assert_int_equal(pgview_new(&view), 0);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(pgview_output(view, 1, bytes + at, n - at < step ? n - at : step, &out), 0);
    assert_int_equal(pgview_end(view, &out), 0);
    char *text = test_calloc(1, buffer_size(&out) + 1);
    if (buffer_size(&out))
        memcpy(text, buffer_head(&out), buffer_size(&out));
    pgview_free(view);
    buffer_free(&out);
    return text;
}

static void expect(struct server *s, const char *expected)
{
    static const size_t steps[] = { 1 << 20, 1, 7 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char *text = show(s, steps[i]);
        assert_string_equal(text, expected);
        test_free(text);
    }
    buffer_free(&s->bytes);
}

static struct server server(void)
{
    struct server s;
    buffer_init(&s.bytes, 1 << 24);
    return s;
}

static const char *const names[] = { "id", "name" };
static const uint32_t types[] = { 23, 25 };

/* ---- the tests ---- */

static void a_result_is_an_aligned_table(void **state)
{
    (void)state;
    struct server s = server();
    describe(&s, 2, names, types, 0);
    row(&s, 2, (const char *[]){ "1", "Ann" }, 0);
    row(&s, 2, (const char *[]){ "1042", NULL }, 0);
    row(&s, 2, (const char *[]){ "3", "J\xc3\xbcrgen" }, 0);
    text_message(&s, 'C', "SELECT 3");
    message(&s, 'Z', "I", 1);
    expect(&s,
           "  id  |  name  \n------+--------\n    1 | Ann\n 1042 | NULL\n    3 | J\xc3\xbcrgen\n(3 rows)\n");
}

static void an_empty_result_and_a_command_have_their_own_lines(void **state)
{
    (void)state;
    struct server s = server();
    describe(&s, 2, names, types, 0);
    text_message(&s, 'C', "SELECT 0");
    text_message(&s, 'C', "UPDATE 7");
    message(&s, 'I', "", 0);
    expect(&s, " id | name \n----+------\n(0 rows)\nUPDATE 7\n");
}

static void errors_and_notices_show_detail_and_hint(void **state)
{
    (void)state;
    struct server s = server();
    static const char error[] =
        "SERROR\0VERROR\0C42501\0Mdenied by rule \"no-drop\": no\0Dcode=denied\0Hask\0";
    static const char notice[] = "SNOTICE\0Mhello\0";
    message(&s, 'E', error, sizeof error);
    message(&s, 'N', notice, sizeof notice);
    message(&s, 'A', "\0\0\0\7chan\0pay\0", 13);
    expect(
        &s,
        "ERROR:  denied by rule \"no-drop\": no\nDETAIL:  code=denied\nHINT:  ask\nNOTICE:  hello\n"
        "Asynchronous notification \"chan\" with payload \"pay\" received from server process with PID 7.\n");
}

static void values_cannot_act_on_the_viewers_terminal(void **state)
{
    (void)state;
    struct server s = server();
    describe(&s, 1, (const char *[]){ "\x1b]0;x\7" }, types, 0);
    row(&s, 1, (const char *[]){ "a\x1b[2J\nb\xc2\x9b" }, 0);
    text_message(&s, 'C', "SELECT 1\x1b[0m");
    char *text = show(&s, 1 << 20);
    for (const char *c = text; *c; c++)
        assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
    assert_non_null(strstr(text, "a\\x1b[2J\\x0ab"));
    test_free(text);
    buffer_free(&s.bytes);
}

static void binary_values_are_decoded_by_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *bytes;
        size_t n;
        const char *shown;
    } cases[] = {
        { 23, "\xff\xff\xff\xfe", 4, "-2" },
        { 20, "\0\0\0\1\0\0\0\0", 8, "4294967296" },
        { 21, "\0\7", 2, "7" },
        { 16, "\1", 1, "t" },
        { 25, "text", 4, "text" },
        { 17, "\0\xff", 2, "\\x00ff" },
        { 701, "\x3f\xf8\0\0\0\0\0\0", 8, "1.5" },
        { 1082, "\0\0\0\1", 4, "2000-01-02" },
        { 1114, "\0\0\0\0\0\x0f\x42\x41", 8, "2000-01-01 00:00:01.000001" },
        { 2950, "0123456789abcdef", 16, "30313233-3435-3637-3839-616263646566" },
        { 3802, "\1{}", 3, "{}" },
        { 23, "\1", 1, "\\x01" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out;
        buffer_init(&out, 1024);
        assert_int_equal(
            pgvalue_print(cases[i].type, PGVALUE_BINARY, (const uint8_t *)cases[i].bytes, cases[i].n, &out),
            0);
        assert_int_equal(buffer_put_u8(&out, 0), 0);
        assert_string_equal((const char *)buffer_head(&out), cases[i].shown);
        buffer_free(&out);
    }
}

static void a_row_without_its_description_has_numbered_columns(void **state)
{
    (void)state;
    struct server s = server();
    describe(&s, 2, names, types, 0);
    row(&s, 2, (const char *[]){ "1", "a" }, 0);
    text_message(&s, 'C', "SELECT 1");
    row(&s, 2, (const char *[]){ "2", "b" }, 0); /* the only description there ever was */
    text_message(&s, 'C', "SELECT 1");
    describe(&s, 1, names, types, 0);
    text_message(&s, 'C', "SELECT 0");
    row(&s, 2, (const char *[]){ "3", "c" }, 0); /* whose names could they be? */
    text_message(&s, 'C', "SELECT 1");
    expect(&s, " id | name \n----+------\n  1 | a\n(1 row)\n"
               " id | name \n----+------\n  2 | b\n(1 row)\n"
               " id \n----\n(0 rows)\n"
               " 1 | 2 \n---+---\n 3 | c\n(1 row)\n");
}

static void many_rows_are_streamed_with_bounded_memory(void **state)
{
    (void)state;
    enum { ROWS = PGTABLE_ROWS_MAX * 2 };
    struct server s = server();
    describe(&s, 2, names, types, 0);
    for (int i = 0; i < ROWS; i++)
        row(&s, 2, (const char *[]){ "1", "x" }, 0);
    text_message(&s, 'C', "SELECT 4000");
    char *text = show(&s, 4096);
    size_t lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, ROWS + 3);
    assert_non_null(strstr(text, "(4000 rows)\n"));
    test_free(text);
    buffer_free(&s.bytes);
}

static void one_wide_value_does_not_pad_all_rows(void **state)
{
    (void)state;
    enum { WIDE = 500000, ROWS = 1000 };
    struct server s = server();
    static char wide[WIDE + 1];
    memset(wide, 'w', WIDE);
    describe(&s, 2, names, (const uint32_t[]){ 25, 25 }, 0);
    row(&s, 2, (const char *[]){ wide, "x" }, 0);
    for (int i = 0; i < ROWS; i++)
        row(&s, 2, (const char *[]){ "a", "x" }, 0);
    text_message(&s, 'C', "SELECT 1001");
    char *text = show(&s, 1 << 20);
    assert_true(strlen(text) < 2 * WIDE);
    test_free(text);
    buffer_free(&s.bytes);
}

static void copy_data_is_shown_as_text_and_counted_when_binary(void **state)
{
    (void)state;
    struct server s = server();
    message(&s, 'H', "\0\0\1\0\0", 5);
    message(&s, 'd', "1\tAnn\n", 6);
    message(&s, 'd', "2\t\x1b[2J\n", 7);
    message(&s, 'c', "", 0);
    text_message(&s, 'C', "COPY 2");
    message(&s, 'H', "\1\0\1\0\1", 5);
    message(&s, 'd', "PGCOPY", 6);
    message(&s, 'c', "", 0);
    expect(&s, "1\tAnn\n2\t\\x1b[2J\nCOPY 2\n[6 bytes of binary COPY]\n");
}

static void garbage_and_giants_are_told_and_passed_over(void **state)
{
    (void)state;
    struct server s = server();
    struct buffer giant;
    buffer_init(&giant, PGVIEW_MESSAGE_MAX + 10);
    uint8_t *space = NULL;
    assert_int_equal(buffer_reserve(&giant, PGVIEW_MESSAGE_MAX + 5, &space), 0);
    memset(space, 0, PGVIEW_MESSAGE_MAX + 5);
    buffer_commit(&giant, PGVIEW_MESSAGE_MAX + 5);
    message(&s, 'D', buffer_head(&giant), buffer_size(&giant));
    text_message(&s, 'C', "SELECT 1");
    char *text = show(&s, 1000);
    assert_non_null(strstr(text, "is not shown]\nSELECT 1\n"));
    test_free(text);
    buffer_free(&s.bytes);
    buffer_free(&giant);
    s = server();
    message(&s, 'D', "\xff\xff", 2);
    char *broken = show(&s, 1000);
    assert_non_null(strstr(broken, "that are no PostgreSQL messages]"));
    test_free(broken);
    buffer_free(&s.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_is_an_aligned_table),
        cmocka_unit_test(an_empty_result_and_a_command_have_their_own_lines),
        cmocka_unit_test(errors_and_notices_show_detail_and_hint),
        cmocka_unit_test(values_cannot_act_on_the_viewers_terminal),
        cmocka_unit_test(binary_values_are_decoded_by_type),
        cmocka_unit_test(a_row_without_its_description_has_numbered_columns),
        cmocka_unit_test(many_rows_are_streamed_with_bounded_memory),
        cmocka_unit_test(one_wide_value_does_not_pad_all_rows),
        cmocka_unit_test(copy_data_is_shown_as_text_and_counted_when_binary),
        cmocka_unit_test(garbage_and_giants_are_told_and_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
