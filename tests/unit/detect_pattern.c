/* Patterns of the configuration: which are refused and why, and that they match the same for every split. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include "detect_fixture.h"

static void refused(const char *name, const char *pattern, const char *validator, const char *reason,
                    size_t at)
{
    const struct detect_pattern p = { name, pattern, validator };
    struct detectors *d = NULL;
    struct detail why = { "" };
    size_t place = 12345;

    assert_int_equal(detect_pattern_check(&p, &why, &place), 1);
    if (!strstr(why.text, reason))
        fail_msg("%s: it says \"%s\", not \"%s\"", pattern, why.text, reason);
    assert_int_equal(place, at);
    assert_true(detectors_new(NULL, 0, &p, 1, &d, &why) < 0);
    assert_null(d);
    assert_true(strncmp(why.text, name, strlen(name)) == 0); /* which one it is */
}

static void a_faulty_pattern_is_refused_with_its_place(void **state)
{
    (void)state;
    refused("x", "ab[cd", NULL, "Unterminated character class", 2);
    refused("x", "ab(cd", NULL, "Missing close parenthesis", 2);
    refused("x", "a**", NULL, "Invalid repeat", 2);
    refused("x", "(?<=a)b", NULL, "Zero-width assertions", 0);
    refused("x", "(a)\\1", NULL, "Back-references", 0);
    refused("x", "", NULL, "1 to 1024 bytes", 0);
    refused("x", "(*UTF8)abc", NULL, "patterns match bytes", 0);
}

static void a_pattern_must_not_match_nothing_nor_without_end(void **state)
{
    (void)state;
    refused("x", "a?", NULL, "matches the empty text", 0);
    refused("x", "(?:abc){0,3}", NULL, "matches the empty text", 0);
    refused("x", "a+", NULL, "without end", 0);
    refused("x", "EMP-\\d*", NULL, "without end", 0);
    refused("x", ".*secret", NULL, "without end", 0);
    refused("x", "[a-z]{600}[0-9]{600}", NULL, "more than 1024 bytes", 0);
}

static void names_and_validators_are_checked(void **state)
{
    (void)state;
    refused("email", "abc", NULL, "built-in", 0);
    refused("Upper", "abc", NULL, "a detector's name", 0);
    refused("1st", "abc", NULL, "a detector's name", 0);
    refused("", "abc", NULL, "a detector's name", 0);
    refused("a_name_that_is_longer_than_it_may_be", "abc", NULL, "a detector's name", 0);
    refused("x", "abc", "crc32", "there is no validator \"crc32\"", 0);
    refused("x", "a[\xc3\xa4]", NULL, "beyond ASCII", 2);
    assert_true(detect_validator_exists("luhn"));
    assert_false(detect_validator_exists("crc32"));
}

static void two_of_one_name_are_refused(void **state)
{
    const struct detect_pattern twice[] = { { "x", "abc", NULL }, { "x", "def", NULL } };
    struct detectors *d = NULL;
    struct detail why;

    (void)state;
    assert_true(detectors_new(NULL, 0, twice, 2, &d, &why) < 0);
    assert_string_equal(why.text, "the detector \"x\" is named twice");
}

/* # stands for what the pattern, called p, has masked. */
static const struct {
    const char *pattern, *validator, *in, *out;
} CASES[] = {
    { "EMP-[0-9]{6}", NULL, "id EMP-123456, EMP-12345 and EMP-1234567", "id #, EMP-12345 and #7" },
    { "\\bEMP-[0-9]{6}\\b", NULL, "EMP-123456 xEMP-123456 EMP-1234567 EMP-123456",
      "# xEMP-123456 EMP-1234567 #" },
    { "(?i)project (?:apollo|zeus)", "none", "Project Apollo, PROJECT ZEUS, project hera",
      "#, #, project hera" },
    { "foo|foobar", NULL, "foobar foo foobaz", "# # #baz" },
    { "a{2,5}", NULL, "a aa aaa aaaaaa b", "a # # # b" },
    { "^begin", NULL, "begin begin", "# begin" },
    { "end$", NULL, "end end", "end #" },
    { "end$", NULL, "end end\n", "end #\n" },
    { "(?m)^x[0-9]$", NULL, "x1\nx2 \nx3", "#\nx2 \n#" },
    { "stra\xc3\x9f"
      "e",
      NULL,
      "die stra\xc3\x9f"
      "e, die strasse",
      "die #, die strasse" },
    { "\\b[0-9]{8}\\b", "luhn", "79927398713 00000000 12345674 12345675", "79927398713 # # 12345675" },
    { "[0-9]{4}-[0-9]{4}", "luhn", "1234-5674 1234-5675", "# 1234-5675" },
    { "[A-Z]{2}[0-9]{20}", "iban", "DE89370400440532013000 DE89370400440532013001",
      "# DE89370400440532013001" },
    { "\\d{3}/\\d{2}/\\d{4}", "us_ssn", "078/05/1120 000/12/3456", "# 000/12/3456" },
    { "k=.{1,4};", NULL, "k=ab;k=abcd;k=\x01\xff;k=abcdef;", "###k=abcdef;" },
    { "\\x41[^b]{2}\\x43", NULL, "A12C AbbC A\n\nC", "# AbbC #" },
    { "\\Qa.b\\E", NULL, "a.b axb", "# axb" },
    { "[[:digit:]]{3}[\\]x-]", NULL, "123] 123x 123- 123y", "# # # 123y" },
    { "\\w{3}\\s\\W", NULL, "abc ! abc\t? abcd", "# # abcd" },
};

enum { EXPANDED_MAX = 1024 };

/* # becomes the mask. */
static size_t expand(const char *text, char out[EXPANDED_MAX])
{
    size_t n = 0;

    for (; *text; text++)
        n += (size_t)(*text == '#' ? snprintf(out + n, EXPANDED_MAX - n, "[masked:p]")
                                   : snprintf(out + n, EXPANDED_MAX - n, "%c", *text));
    return n;
}

static void check_pattern(size_t i)
{
    const struct detect_pattern p = { "p", CASES[i].pattern, CASES[i].validator };
    struct detectors *d = fixture_detectors(&p, 1);
    struct detect_how how = fixture_redact(d, fixture_index(d, "p"));
    char wanted[EXPANDED_MAX];
    size_t n = expand(CASES[i].out, wanted), in_n = strlen(CASES[i].in);
    struct buffer out;

    buffer_init(&out, FIXTURE_TEXT_MAX);
    fixture_block(d, &how, CASES[i].in, in_n, &out);
    fixture_same(&out, wanted, n, CASES[i].pattern, (unsigned)i);
    for (size_t first = 0; first <= in_n; first++)
        for (size_t second = first; second <= in_n; second++) {
            const size_t cuts[] = { first, second };
            buffer_consume(&out, buffer_size(&out));
            fixture_stream(d, &how, CASES[i].in, in_n, cuts, 2, &out);
            fixture_same(&out, wanted, n, CASES[i].pattern, (unsigned)i);
        }
    buffer_free(&out);
    detectors_free(d);
}

static void a_pattern_matches_the_same_for_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        check_pattern(i);
}

static void a_pattern_of_the_greatest_width_is_found_across_pieces(void **state)
{
    const struct detect_pattern p = { "p", "<[^>]{1022}>", NULL };
    struct detectors *d = fixture_detectors(&p, 1);
    struct detect_how how = fixture_redact(d, -1);
    static char text[DETECT_WIDTH_MAX + 64];
    struct buffer out;

    (void)state;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    memset(text, '.', sizeof text);
    text[32] = '<';
    text[32 + DETECT_WIDTH_MAX - 1] = '>';
    for (size_t cut = 0; cut <= sizeof text; cut += 13) {
        fixture_stream(d, &how, text, sizeof text, &cut, 1, &out);
        assert_int_equal(buffer_size(&out), 64 + strlen("[masked:p]"));
        buffer_consume(&out, buffer_size(&out));
    }
    buffer_free(&out);
    detectors_free(d);
}

/* A stream must not hold back what no pattern can begin in. */
static void what_is_outside_of_the_alphabet_is_not_held(void **state)
{
    const struct detect_pattern p = { "p", "\\bEMP-[0-9]{6}\\b", NULL };
    struct detectors *d = NULL;
    struct detect_stream *stream = NULL;
    struct buffer out;
    struct detail why;

    (void)state;
    assert_int_equal(detectors_new(NULL, 0, &p, 1, &d, &why), 0);
    struct detect_how how = fixture_redact(d, -1);
    assert_int_equal(detect_stream_new(d, &how, &stream), 0);
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_feed(stream, "what $ ", 7, &out), 0);
    assert_int_equal(detect_held(stream), 0);
    assert_int_equal(detect_feed(stream, "EMP-12", 6, &out), 0);
    assert_int_equal(detect_held(stream), 6);
    assert_int_equal(detect_feed(stream, "\n", 1, &out), 0);
    assert_int_equal(detect_feed(stream, "ls", 2, &out), 0);
    assert_int_equal(detect_held(stream), 0);
    detect_stream_free(stream);
    buffer_free(&out);
    detectors_free(d);
}

static void check_clean(const char *pattern, const char *text, bool clean)
{
    const struct detect_pattern p = { "p", pattern, NULL };
    struct detectors *d = NULL;
    struct detail why;

    if (detectors_new(NULL, 0, &p, 1, &d, &why))
        fail_msg("%s: %s", pattern, why.text);
    struct detect_how how = fixture_redact(d, -1);
    if (detect_is_clean(d, &how, text, strlen(text)) != clean)
        fail_msg("%s in %s: clean should be %d", pattern, text, clean);
    how.kinds[0] = MASK_NONE;
    assert_true(detect_is_clean(d, &how, text, strlen(text)));
    detectors_free(d);
}

static void what_is_around_a_match_does_not_make_it_clean(void **state)
{
    (void)state;
    check_clean("EMP-[0-9]{6}", "nothing here", true);
    check_clean("EMP-[0-9]{6}", "xEMP-123456", false);
    check_clean("\\bEMP-[0-9]{6}\\b", "nothing here EMP-12345", true);
    check_clean("\\bEMP-[0-9]{6}\\b", "xEMP-1234567", false);
    check_clean("^(?:a|\\bb)cd$", "xacdx", false);
    check_clean("^(?:a|\\bb)cd$", "xxcdx", true);
    check_clean("[$^]{2}x\\b", "a $^xx", false);
    check_clean("[$^]{2}x\\b", "a xx", true);
    /* Not read through: nothing is surely clean. */
    check_clean("\\Q[\\E\\bx", "abc", false);
    check_clean("(?x)abc \\b -", "xxx", false);
    check_clean("ab(?#[)\\b-", "xxx", false);
}

static void a_pattern_may_overlap_a_built_in(void **state)
{
    const struct detect_pattern p = { "p", "user [a-z]{1,10}@", NULL };
    struct detectors *d = fixture_detectors(&p, 1);
    struct detect_how how = fixture_redact(d, -1);
    const char text[] = "the user bob@example.com!";
    struct detect_tally tally = { { 0 } };
    struct buffer out;

    (void)state;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_block(d, &how, text, strlen(text), &out, &tally), 1);
    fixture_same(&out, "the [masked:p]!", 15, "-", 0);
    assert_int_equal(tally.fired[fixture_index(d, "p")], 1);
    for (size_t cut = 0; cut < strlen(text); cut++) {
        buffer_consume(&out, buffer_size(&out));
        fixture_stream(d, &how, text, strlen(text), &cut, 1, &out);
        fixture_same(&out, "the [masked:p]!", 15, "-", (unsigned)cut);
    }
    buffer_free(&out);
    detectors_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_faulty_pattern_is_refused_with_its_place),
        cmocka_unit_test(a_pattern_must_not_match_nothing_nor_without_end),
        cmocka_unit_test(names_and_validators_are_checked),
        cmocka_unit_test(two_of_one_name_are_refused),
        cmocka_unit_test(a_pattern_matches_the_same_for_every_split),
        cmocka_unit_test(a_pattern_of_the_greatest_width_is_found_across_pieces),
        cmocka_unit_test(what_is_outside_of_the_alphabet_is_not_held),
        cmocka_unit_test(what_is_around_a_match_does_not_make_it_clean),
        cmocka_unit_test(a_pattern_may_overlap_a_built_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
