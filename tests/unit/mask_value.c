/* What is shown in the place of a masked value, by its type and format. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "policy/mask_value.h"

static const uint8_t key[MASK_KEY] = "a key of 32 bytes, for this test";

static Ipc__Mask text_of_mask = { .name = (char *)"pii" };

struct value {
    uint8_t bytes[256];
    size_t n;
    bool null;
};

static struct value show(enum mask_kind kind, bool computed, struct mask_type type, const void *value,
                         size_t n)
{
    struct mask mask = { .text = &text_of_mask, .kind = kind };
    struct fate fate = { .mask = &mask, .computed = computed };
    struct value shown = { .n = 0 };
    struct buffer out;
    buffer_init(&out, sizeof shown.bytes);
    assert_int_equal(mask_value(fate, type, key, value, n, &out, &shown.null), 0);
    shown.n = buffer_size(&out);
    if (shown.n)
        memcpy(shown.bytes, buffer_head(&out), shown.n);
    buffer_free(&out);
    return shown;
}

static void assert_text(enum mask_kind kind, uint32_t oid, const char *value, const char *expected)
{
    struct value shown = show(kind, false, (struct mask_type){ .oid = oid }, value, strlen(value));
    assert_false(shown.null);
    assert_int_equal(shown.n, strlen(expected));
    assert_memory_equal(shown.bytes, expected, shown.n);
}

static void assert_binary(enum mask_kind kind, uint32_t oid, const void *value, size_t n,
                          const void *expected, size_t size)
{
    struct value shown = show(kind, false, (struct mask_type){ .oid = oid, .binary = true }, value, n);
    assert_false(shown.null);
    assert_int_equal(shown.n, size);
    assert_memory_equal(shown.bytes, expected, size);
}

enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_INT4_ARRAY = 1007,
    OID_DATE = 1082,
    OID_TIMESTAMP = 1114,
    OID_NUMERIC = 1700,
    OID_UUID = 2950,
    OID_JSONB = 3802,
    OID_OWN = 54321,
};

static void text_keeps_what_its_kind_keeps(void **state)
{
    (void)state;
    assert_text(MASK_REDACT, OID_TEXT, "jane@example.com", "[masked:pii]");
    assert_text(MASK_PARTIAL, OID_TEXT, "jane@example.com", "j***@e***.com");
    struct value a = show(MASK_HASH, false, (struct mask_type){ .oid = OID_TEXT }, "jane", 4);
    struct value b = show(MASK_HASH, false, (struct mask_type){ .oid = OID_TEXT, .binary = true }, "jane", 4);
    struct value c = show(MASK_HASH, false, (struct mask_type){ .oid = OID_TEXT }, "june", 4);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.bytes, b.bytes, a.n);
    assert_memory_not_equal(a.bytes, c.bytes, a.n);
}

static void what_was_computed_keeps_nothing(void **state)
{
    (void)state;
    static const enum mask_kind kinds[] = { MASK_REDACT, MASK_PARTIAL, MASK_HASH };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct value shown = show(kinds[i], true, (struct mask_type){ .oid = OID_TEXT }, "j", 1);
        assert_int_equal(shown.n, strlen("[masked:pii]"));
        assert_memory_equal(shown.bytes, "[masked:pii]", shown.n);
        shown = show(kinds[i], true, (struct mask_type){ .oid = OID_INT4 }, "4711", 4);
        assert_int_equal(shown.n, 1);
        assert_int_equal(shown.bytes[0], '0');
    }
}

static void integers_stay_integers_in_both_formats(void **state)
{
    (void)state;
    static const uint8_t big[] = { 0, 0, 0, 0, 0x07, 0x5b, 0xcd, 0x15 }; /* 123456789 */
    static const uint8_t minus[] = { 0xff, 0xff, 0xed, 0x99 };           /* -4711 */
    static const uint8_t zero[8] = { 0 }, last[] = { 0, 0, 0, 0, 0, 0, 0x1a, 0x85 }, half[] = { 0, 0, 0, 11 };
    assert_text(MASK_REDACT, OID_INT4, "4711", "0");
    assert_text(MASK_PARTIAL, OID_INT8, "-123456789", "6789");
    assert_binary(MASK_REDACT, OID_INT2, "\x12\x34", 2, zero, 2);
    assert_binary(MASK_REDACT, OID_INT8, big, 8, zero, 8);
    assert_binary(MASK_PARTIAL, OID_INT8, big, 8, last, 8);
    assert_binary(MASK_PARTIAL, OID_INT4, minus, 4, half, 4); /* of four digits two, not all */
    assert_text(MASK_PARTIAL, OID_INT4, "-4711", "11");
    assert_text(MASK_PARTIAL, OID_INT4, "7", "0");
}

/* 7394628.51, -0.0005, 10000, 0 */
static void a_hashed_numeric_is_the_same_in_both_formats(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t binary[16];
        size_t n;
    } numbers[] = {
        { "7394628.51", { 0, 3, 0, 1, 0, 0, 0, 2, 0x02, 0xe3, 0x12, 0x14, 0x13, 0xec }, 14 },
        { "-0.0005", { 0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 5 }, 10 },
        { "10000", { 0, 1, 0, 1, 0, 0, 0, 0, 0, 1 }, 10 },
        { "0", { 0 }, 8 },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        for (enum mask_kind kind = MASK_PARTIAL; kind <= MASK_HASH; kind++) {
            struct value text = show(kind, false, (struct mask_type){ .oid = 1700 }, numbers[i].text,
                                     strlen(numbers[i].text));
            struct value binary = show(kind, false, (struct mask_type){ .oid = 1700, .binary = true },
                                       numbers[i].binary, numbers[i].n);
            uint64_t number = 0;
            int weight = binary.bytes[2] << 8 | binary.bytes[3];
            size_t groups = (size_t)(binary.bytes[0] << 8 | binary.bytes[1]);
            assert_int_equal(binary.n, 8 + 2 * groups);
            for (size_t k = 0; k < groups; k++)
                number = number * 10000 + (uint64_t)(binary.bytes[8 + 2 * k] << 8 | binary.bytes[9 + 2 * k]);
            for (size_t k = groups; groups && k <= (size_t)weight; k++)
                number *= 10000;
            char is[32];
            snprintf(is, sizeof is, "%llu", (unsigned long long)number);
            assert_int_equal(text.n, strlen(is));
            assert_memory_equal(text.bytes, is, text.n);
        }
}

static void a_hashed_integer_is_the_same_in_both_formats_and_never_negative(void **state)
{
    (void)state;
    static const uint8_t number[] = { 0, 0, 0x12, 0x67 };
    struct value text = show(MASK_HASH, false, (struct mask_type){ .oid = OID_INT4 }, "4711", 4);
    struct value binary =
        show(MASK_HASH, false, (struct mask_type){ .oid = OID_INT4, .binary = true }, number, 4);
    char is[16];
    uint32_t value = (uint32_t)binary.bytes[0] << 24 | (uint32_t)binary.bytes[1] << 16 |
                     (uint32_t)binary.bytes[2] << 8 | binary.bytes[3];
    assert_int_equal(binary.n, 4);
    assert_true(value <= INT32_MAX);
    assert_true(value != 4711);
    snprintf(is, sizeof is, "%u", value);
    assert_int_equal(text.n, strlen(is));
    assert_memory_equal(text.bytes, is, text.n);
}

static void every_other_type_has_a_valid_value(void **state)
{
    (void)state;
    static const uint8_t zero[16] = { 0 };
    static const uint8_t array[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0,
                                     0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0,  0, 7 };
    static const uint8_t empty[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23 };
    assert_text(MASK_REDACT, OID_BOOL, "t", "f");
    assert_text(MASK_REDACT, OID_BYTEA, "\\x00ff", "\\x");
    assert_text(MASK_REDACT, OID_DATE, "1984-02-29", "2000-01-01");
    assert_text(MASK_REDACT, OID_TIMESTAMP, "1984-02-29 12:00:00", "2000-01-01 00:00:00");
    assert_text(MASK_REDACT, OID_NUMERIC, "12.5", "0");
    assert_text(MASK_REDACT, OID_UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "00000000-0000-0000-0000-000000000000");
    assert_text(MASK_REDACT, OID_JSONB, "{\"a\": 1}", "\"[masked:pii]\"");
    assert_text(MASK_REDACT, OID_INT4_ARRAY, "{1,2}", "{}");
    assert_binary(MASK_REDACT, OID_DATE, "\x01\x02\x03\x04", 4, zero, 4);
    assert_binary(MASK_REDACT, OID_TIMESTAMP, "12345678", 8, zero, 8);
    assert_binary(MASK_REDACT, OID_NUMERIC, "\0\1\0\0\0\0\0\0\0\7", 10, zero, 8);
    assert_binary(MASK_REDACT, OID_UUID, "1234567890123456", 16, zero, 16);
    assert_binary(MASK_REDACT, OID_JSONB, "\1{}", 3, "\1\"[masked:pii]\"", 15);
    assert_binary(MASK_REDACT, OID_INT4_ARRAY, array, sizeof array, empty, sizeof empty);
}

static struct value shaped(char shape, bool binary, const void *value, size_t n)
{
    return show(MASK_REDACT, false, (struct mask_type){ .oid = OID_OWN, .binary = binary, .shape = shape },
                value, n);
}

static void assert_shaped(char shape, bool binary, const void *value, size_t n, const void *expected,
                          size_t size)
{
    struct value shown = shaped(shape, binary, value, n);
    assert_false(shown.null);
    assert_int_equal(shown.n, size);
    assert_memory_equal(shown.bytes, expected, size);
}

static void types_of_ones_own_keep_their_form(void **state)
{
    (void)state;
    static const uint8_t row[] = {
        0, 0, 0, 2, 0, 0, 0, 25, 0, 0, 0, 1, 'x', 0, 0, 0, 23, 255, 255, 255, 255
    };
    static const uint8_t nulls[] = { 0,   0,   0, 2, 0, 0,  0,   25,  255, 255,
                                     255, 255, 0, 0, 0, 23, 255, 255, 255, 255 };
    assert_shaped('t', false, "Bob", 3, "[masked:pii]", 12);
    assert_shaped('t', true, "Bob", 3, "[masked:pii]", 12);
    assert_shaped('c', false, "(\"a,\"\"b\",1,,\"\\\",\")", 18, "(,,,)", 5);
    assert_shaped('c', true, row, sizeof row, nulls, sizeof nulls);
    assert_shaped('r', false, "[1,2)", 5, "empty", 5);
    assert_shaped('r', true, "\2\0\0\0\1\1", 6, "\1", 1);
    assert_shaped('m', false, "{[1,2)}", 7, "{}", 2);
    assert_shaped('m', true, "\0\0\0\1", 4, "\0\0\0\0", 4);
    assert_shaped('h', false, "a=>1", 4, "", 0);
    assert_shaped('h', true, "\0\0\0\1", 4, "\0\0\0\0", 4);
    assert_shaped('a', false, "{a,b}", 5, "{}", 2);
}

static void a_hashed_uuid_is_a_uuid_of_version_8(void **state)
{
    (void)state;
    struct value shown =
        show(MASK_HASH, false, (struct mask_type){ .oid = OID_UUID, .binary = true }, "1234567890123456", 16);
    assert_int_equal(shown.n, 16);
    assert_int_equal(shown.bytes[6] >> 4, 8);
    assert_int_equal(shown.bytes[8] >> 6, 2);
}

static void null_and_types_that_nobody_knows_become_null(void **state)
{
    (void)state;
    assert_true(show(MASK_NULL, false, (struct mask_type){ .oid = OID_TEXT }, "x", 1).null);
    assert_true(show(MASK_REDACT, false, (struct mask_type){ .oid = OID_OWN }, "(1,x)", 5).null);
    assert_true(show(MASK_REDACT, false, (struct mask_type){ .oid = 0, .binary = true }, "x", 1).null);
    assert_false(show(MASK_REDACT, false, (struct mask_type){ .oid = OID_OWN, .shape = 't' }, "x", 1).null);
    /* What is not the form that the catalog said it has. */
    assert_true(shaped('c', true, "\0\0\0\1\0\0", 6).null);
    assert_true(shaped('c', true, "\0\0\0\0!", 5).null);
    assert_true(shaped('a', true, "x", 1).null);
    assert_true(shaped('-', false, "x", 1).null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_keeps_what_its_kind_keeps),
        cmocka_unit_test(what_was_computed_keeps_nothing),
        cmocka_unit_test(integers_stay_integers_in_both_formats),
        cmocka_unit_test(a_hashed_numeric_is_the_same_in_both_formats),
        cmocka_unit_test(a_hashed_integer_is_the_same_in_both_formats_and_never_negative),
        cmocka_unit_test(every_other_type_has_a_valid_value),
        cmocka_unit_test(types_of_ones_own_keep_their_form),
        cmocka_unit_test(a_hashed_uuid_is_a_uuid_of_version_8),
        cmocka_unit_test(null_and_types_that_nobody_knows_become_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
