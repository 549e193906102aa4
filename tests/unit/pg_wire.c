/* Decoders of PostgreSQL messages: each accepted body has a twin that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "channels/pg/wire.h"

#define BYTES(text) (text), sizeof(text) - 1

enum body { QUERY, PARSE, BIND, CUT_BIND, EXECUTE, NAMED, SETTING, READY };

static bool is_read(enum body kind, struct reader body)
{
    const char *text = NULL;
    struct pg_parse parse;
    struct pg_bind bind;
    struct pg_named named;
    struct pg_setting setting;
    uint8_t status = 0;
    switch (kind) {
    case QUERY:
        return pg_read_query(body, &text);
    case PARSE:
        return pg_read_parse(body, &parse);
    case BIND:
    case CUT_BIND:
        return pg_read_bind(body, kind == CUT_BIND, &bind);
    case EXECUTE:
        return pg_read_execute(body, &text);
    case NAMED:
        return pg_read_named(body, &named);
    case SETTING:
        return pg_read_setting(body, &setting);
    case READY:
        return pg_read_ready(body, &status);
    }
    return false;
}

static void each_body_is_read_and_its_twin_is_not(void **state)
{
    static const struct {
        enum body kind;
        const char *good;
        size_t good_n;
        const char *bad;
        size_t bad_n;
    } twins[] = {
        { QUERY, BYTES("select 1\0"), BYTES("select 1") },
        { QUERY, BYTES("\0"), BYTES("") },
        { QUERY, BYTES("a\0"), BYTES("a\0b") },
        { PARSE, BYTES("s\0select 1\0\0\0"), BYTES("s\0select 1\0\0\1") },
        { PARSE, BYTES("\0\0\0\1\0\0\0\x17"), BYTES("\0\0\0\1\0\0\0\x17\0") },
        { PARSE, BYTES("s\0t\0\0\0"), BYTES("s\0t\0\0") },
        { BIND, BYTES("\0\0\0\0\0\0\0\0"), BYTES("\0\0\0\0\0\0\0") },
        { BIND, BYTES("p\0s\0\0\1\0\1\0\2\0\0\0\1x\xff\xff\xff\xff\0\1\0\0"),
          BYTES("p\0s\0\0\1\0\1\0\2\0\0\0\2x\xff\xff\xff\xff\0\1\0\0") },
        { BIND, BYTES("\0\0\0\2\0\0\0\1\0\2\0\0\0\0\0\0\0\0\0\0"),
          BYTES("\0\0\0\2\0\0\0\1\0\3\0\0\0\0\0\0\0\0\0\0") },
        { BIND, BYTES("\0\0\0\0\0\1\xff\xff\xff\xff\0\0"), BYTES("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0") },
        { BIND, BYTES("\0\0\0\0\0\0\0\1\0\1"), BYTES("\0\0\0\0\0\0\0\2\0\1") },
        { CUT_BIND, BYTES("\0\0\0\0\0\1\0\1\0\0only the beg"), BYTES("\0\0\0\0\0") },
        { EXECUTE, BYTES("p\0\0\0\0\0"), BYTES("p\0\0\0\0") },
        { NAMED, BYTES("Sname\0"), BYTES("Tname\0") },
        { NAMED, BYTES("P\0"), BYTES("P\0\0") },
        { SETTING, BYTES("TimeZone\0UTC\0"), BYTES("TimeZone\0UTC") },
        { READY, BYTES("I"), BYTES("i") },
        { READY, BYTES("T"), BYTES("TT") },
        { READY, BYTES("E"), BYTES("\0") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
        assert_true(is_read(twins[i].kind, reader_of(twins[i].good, twins[i].good_n)));
        assert_false(is_read(twins[i].kind, reader_of(twins[i].bad, twins[i].bad_n)));
    }
}

static void a_header_says_type_and_size(void **state)
{
    struct pg_header header;
    (void)state;
    assert_int_equal(pg_header_read((const uint8_t *)"Q\0\0\0\x0d", 5, &header), 0);
    assert_int_equal(header.type, 'Q');
    assert_int_equal(header.body, 9);
    assert_int_equal(pg_header_read((const uint8_t *)"Q\x3f\xff\xff\xff", 5, &header), 0);
    assert_int_equal(header.body, PG_MESSAGE_MAX - 4);
}

static void impossible_and_unfinished_headers_are_told_apart(void **state)
{
    struct pg_header header;
    (void)state;
    assert_int_equal(pg_header_read((const uint8_t *)"Q\0\0\0\3", 5, &header), PG_MALFORMED);
    assert_int_equal(pg_header_read((const uint8_t *)"Q\x40\0\0\0", 5, &header), PG_MALFORMED);
    assert_int_equal(pg_header_read((const uint8_t *)"Q\xff\xff\xff\xff", 5, &header), PG_MALFORMED);
    assert_int_equal(pg_header_read((const uint8_t *)"Q\0\0\0", 4, &header), PG_SHORT);
    assert_int_equal(pg_header_read((const uint8_t *)"", 0, &header), PG_SHORT);
}

static void values_of_a_bind_are_read_one_by_one(void **state)
{
    struct pg_bind bind;
    struct reader value;
    bool null = false;
    (void)state;
    assert_true(
        pg_read_bind(reader_of(BYTES("\0s\0\0\0\0\3\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0\0\0")), false, &bind));
    assert_string_equal(bind.statement, "s");
    assert_int_equal(bind.n_values, 3);
    assert_true(pg_next_value(&bind.values, &value, &null) && !null);
    assert_memory_equal(value.next, "ab", 2);
    assert_true(pg_next_value(&bind.values, &value, &null) && null);
    assert_true(pg_next_value(&bind.values, &value, &null) && !null);
    assert_int_equal(reader_left(&value), 0);
    assert_false(pg_next_value(&bind.values, &value, &null));
}

static void what_is_written_is_read_back(void **state)
{
    struct buffer out;
    struct pg_header header;
    struct pg_parse parse;
    (void)state;
    buffer_init(&out, 4096);
    const struct pg_error error = {
        .severity = "ERROR", .sqlstate = "42501", .message = "no", .hint = "ask"
    };
    assert_int_equal(pg_put_error(&out, &error), 0);
    assert_int_equal(pg_put_parse(&out, "name", "text"), 0);
    assert_int_equal(pg_header_read(buffer_head(&out), buffer_size(&out), &header), 0);
    struct reader body = reader_of(buffer_head(&out) + PG_HEADER, header.body);
    assert_string_equal(pg_error_field(body, 'V'), "ERROR");
    assert_string_equal(pg_error_field(body, 'C'), "42501");
    assert_string_equal(pg_error_field(body, 'M'), "no");
    assert_string_equal(pg_error_field(body, 'H'), "ask");
    assert_null(pg_error_field(body, 'D'));
    buffer_consume(&out, PG_HEADER + header.body);
    assert_int_equal(pg_header_read(buffer_head(&out), buffer_size(&out), &header), 0);
    assert_int_equal(PG_HEADER + header.body, buffer_size(&out));
    assert_true(pg_read_parse(reader_of(buffer_head(&out) + PG_HEADER, header.body), &parse));
    assert_string_equal(parse.statement, "name");
    assert_string_equal(parse.text, "text");
    buffer_free(&out);
}

static void a_writer_stops_at_the_limit_of_its_buffer(void **state)
{
    struct buffer out;
    (void)state;
    buffer_init(&out, 10);
    assert_int_not_equal(pg_put_query(&out, "longer than ten bytes"), 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_body_is_read_and_its_twin_is_not),
        cmocka_unit_test(a_header_says_type_and_size),
        cmocka_unit_test(impossible_and_unfinished_headers_are_told_apart),
        cmocka_unit_test(values_of_a_bind_are_read_one_by_one),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_writer_stops_at_the_limit_of_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
