/* base/text: escaping, UTF-8, numbers, durations, sizes, base64. */
#include "base/text.h"

#include <string.h>

#include "check.h"

static void foreign_bytes_are_made_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "plain" },
        { "tab\there", "tab\\x09here" },
        { "\x1b[2J", "\\x1b[2J" },
        { "caf\xc3\xa9", "caf\xc3\xa9" },
        { "bad\xff", "bad\\xff" },
        { "\xe2\x80\xae"
          "evil",
          "\\u{202e}evil" },
        { "\xc2\x9b"
          "31m",
          "\\u{009b}31m" }, /* C1 control: CSI */
        { "", "" },
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(text_escape(out, sizeof out, cases[i].in, strlen(cases[i].in), false),
                            cases[i].out);
    assert_string_equal(text_escape(out, sizeof out, "a\n\tb\r", 5, true), "a\n\tb\\x0d");
}

static void long_text_is_cut_with_a_sign(void **state)
{
    (void)state;
    char out[10];
    assert_string_equal(text_escape(out, sizeof out, "123456789", 9, false), "123456789");
    assert_string_equal(text_escape(out, sizeof out, "1234567890", 10, false), "123456…");
    for (size_t size = 1; size < sizeof out; size++) {
        (void)text_escape(out, size, "\x1b\x1b\x1b\x1b", 4, false);
        assert_true(strlen(out) < size);
    }
}

static void only_well_formed_utf8_is_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98", "\xf4\x8f\xbf\xbf"
    };
    static const char *const bad[] = { "\x80",
                                       "\xc3",
                                       "\xc0\xaf",
                                       "\xe0\x80\xaf",
                                       "\xed\xa0\x80",
                                       "\xf4\x90\x80\x80",
                                       "\xf8\x88\x80\x80\x80",
                                       "a\xff",
                                       "\xe2\x82" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_is_utf8(bad[i], strlen(bad[i])));
    assert_false(text_is_utf8("a\0b", 3));
}

static void durations_and_sizes_have_units(void **state)
{
    (void)state;
    uint64_t v = 0;
    char out[24];
    assert_true(text_to_duration("500ms", &v) && v == 500);
    assert_true(text_to_duration("90d", &v) && v == 90ull * 86400000);
    assert_string_equal(text_duration(out, v), "90d");
    assert_string_equal(text_duration(out, 90000), "90s");
    assert_true(text_to_size("64KiB", &v) && v == 65536);
    assert_true(text_to_size("7", &v) && v == 7);
    static const char *const bad[] = {
        "", "5", "s", "-1s", "1.5s", "5 s", "5sec", "99999999999999999999d", "9223372036854775807d"
    };
    v = 42;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(text_to_duration(bad[i], &v));
    assert_false(text_to_size("1kb", &v));
    assert_int_equal(v, 42);
}

static void numbers_end_where_the_string_ends(void **state)
{
    (void)state;
    uint64_t v = 1;
    assert_true(text_to_u64("65535", 65535, &v) && v == 65535);
    assert_false(text_to_u64("65536", 65535, &v));
    assert_false(text_to_u64("12x", 100, &v));
    assert_false(text_to_u64("", 100, &v));
    assert_false(text_to_u64("18446744073709551616", UINT64_MAX, &v));
    assert_string_equal(U64(UINT64_MAX), "18446744073709551615");
}

static void base64_is_that_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const vectors[][2] = { { "", "" },
                                              { "f", "Zg==" },
                                              { "fo", "Zm8=" },
                                              { "foo", "Zm9v" },
                                              { "foob", "Zm9vYg==" },
                                              { "fooba", "Zm9vYmE=" },
                                              { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char text[16];
        uint8_t bytes[16];
        size_t n = 99;
        assert_string_equal(text_base64(text, vectors[i][0], strlen(vectors[i][0])), vectors[i][1]);
        assert_true(text_from_base64(text, strlen(text), bytes, sizeof bytes, &n));
        assert_int_equal(n, strlen(vectors[i][0]));
        assert_memory_equal(bytes, vectors[i][0], n);
    }
    static const char *const bad[] = { "Zg=", "Z===", "Zg==Zg==", "Zm9*", "Zh==", "====" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[16];
        size_t n;
        assert_false(text_from_base64(bad[i], strlen(bad[i]), bytes, sizeof bytes, &n));
    }
}

static void a_misspelt_word_is_near_its_own(void **state)
{
    (void)state;
    assert_true(text_is_near("adress", "address"));
    assert_true(text_is_near("Targets", "target"));
    assert_false(text_is_near("name", "kind"));
    assert_false(text_is_near("a", "b"));
}

static void time_is_utc_with_milliseconds(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(text_time(out, 1769850307123), "2026-01-31T09:05:07.123Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_bytes_are_made_harmless),   cmocka_unit_test(long_text_is_cut_with_a_sign),
        cmocka_unit_test(only_well_formed_utf8_is_utf8),     cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(numbers_end_where_the_string_ends), cmocka_unit_test(base64_is_that_of_rfc_4648),
        cmocka_unit_test(a_misspelt_word_is_near_its_own),   cmocka_unit_test(time_is_utc_with_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
