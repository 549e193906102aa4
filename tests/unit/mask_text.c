#include "policy/mask_text.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>
#include "base/text.h"

static const uint8_t key[MASK_KEY] = "a key of thirty-two bytes, or so", other_key[MASK_KEY] = "another one";

static char *masked(enum mask_kind kind, enum mask_shape shape, const char *label, const uint8_t *with,
                    const char *value)
{
    static char text[256];
    const struct mask_text how = { kind, shape, label, with };
    struct buffer out;

    buffer_init(&out, sizeof text - 1);
    assert_int_equal(mask_text(&how, value, strlen(value), &out), 0);
    memset(text, 0, sizeof text);
    if (buffer_size(&out))
        memcpy(text, buffer_head(&out), buffer_size(&out));
    buffer_free(&out);
    assert_true(text_is_utf8(text, strlen(text)) || !text_is_utf8(value, strlen(value)));
    return text;
}

static const char *partial(enum mask_shape shape, const char *value)
{
    return masked(MASK_PARTIAL, shape, NULL, NULL, value);
}

static void redacted_says_what_it_was_and_nothing_of_the_value(void **state)
{
    (void)state;
    assert_string_equal(masked(MASK_REDACT, SHAPE_EMAIL, "email", NULL, "bob@example.com"), "[masked:email]");
    assert_string_equal(masked(MASK_REDACT, SHAPE_TEXT, NULL, NULL, "x"), "[masked]");
    assert_string_equal(masked(MASK_NULL, SHAPE_TEXT, "email", NULL, ""), "[masked:email]");
    assert_string_equal(masked(MASK_NONE, SHAPE_TEXT, "email", NULL, "as it is"), "as it is");
}

static void an_address_keeps_its_shape(void **state)
{
    (void)state;
    assert_string_equal(partial(SHAPE_EMAIL, "john@example.com"), "j***@e***.com");
    assert_string_equal(partial(SHAPE_EMAIL, "j@e.com"), "***@***.com");
    assert_string_equal(partial(SHAPE_EMAIL, "a.b@mail.example.co.uk"), "a***@m***.uk");
    assert_string_equal(partial(SHAPE_EMAIL, "bob@localhost"), "b***@l***");
    assert_string_equal(partial(SHAPE_EMAIL, "no address"), "n***");
    assert_string_equal(partial(SHAPE_EMAIL, "m\xc3\xbcller@\xc3\xbc"
                                             "ber.de"),
                        "m***@\xc3\xbc***.de");
    assert_string_equal(partial(SHAPE_EMAIL, "@"), "***@***");
}

static void a_number_keeps_its_separators_and_its_last_four_digits(void **state)
{
    (void)state;
    assert_string_equal(partial(SHAPE_NUMBER, "4111 1111 1111 1234"), "**** **** **** 1234");
    assert_string_equal(partial(SHAPE_NUMBER, "078-05-1120"), "***-**-1120");
    assert_string_equal(partial(SHAPE_NUMBER, "DE89370400440532013000"), "******************3000");
    assert_string_equal(partial(SHAPE_NUMBER, "+49 (30) 901820"), "+** (**) **1820");
    assert_string_equal(partial(SHAPE_NUMBER, "123456"), "***456");
    assert_string_equal(partial(SHAPE_NUMBER, "1"), "*");
    assert_string_equal(partial(SHAPE_NUMBER, ""), "");
    assert_string_equal(partial(SHAPE_NUMBER, "12\xc3\xa4"
                                              "34"),
                        "****34");
}

static void a_text_keeps_its_first_character_unless_it_is_the_only_one(void **state)
{
    (void)state;
    assert_string_equal(partial(SHAPE_TEXT, "John"), "J***");
    assert_string_equal(partial(SHAPE_TEXT, "\xe5\x90\x8d\xe5\x89\x8d"), "\xe5\x90\x8d***");
    assert_string_equal(partial(SHAPE_TEXT, "\xe5\x90\x8d"), "***");
    assert_string_equal(partial(SHAPE_TEXT, "\xf0\x9f\x98\x80!"), "\xf0\x9f\x98\x80***");
    assert_string_equal(partial(SHAPE_TEXT, "J"), "***");
    assert_string_equal(partial(SHAPE_TEXT, ""), "***");
    assert_string_equal(partial(SHAPE_TEXT, "\xff\xfe"), "***");
    assert_string_equal(partial(SHAPE_TEXT, "\xc3"), "***");
    assert_string_equal(partial(SHAPE_TEXT, "\nx"), "***");
    assert_string_equal(partial(SHAPE_SECRET, "ghp_abc"), "[masked]");
}

static void equal_values_have_equal_tokens_under_one_key(void **state)
{
    char first[64];

    (void)state;
    strcpy(first, masked(MASK_HASH, SHAPE_TEXT, NULL, key, "bob@example.com"));
    assert_int_equal(strlen(first), 24);
    assert_string_equal(masked(MASK_HASH, SHAPE_EMAIL, NULL, key, "bob@example.com"), first);
    assert_string_not_equal(masked(MASK_HASH, SHAPE_TEXT, NULL, key, "bob@example.net"), first);
    assert_string_not_equal(masked(MASK_HASH, SHAPE_TEXT, NULL, other_key, "bob@example.com"), first);
    char *labelled = masked(MASK_HASH, SHAPE_TEXT, "email", key, "bob@example.com");
    assert_memory_equal(labelled, "[email:", 7);
    assert_memory_equal(labelled + 7, first, 24);
    assert_string_equal(labelled + 31, "]");
    assert_string_equal(masked(MASK_HASH, SHAPE_TEXT, "email", NULL, "bob@example.com"), "[masked:email]");
}

static void kinds_have_names(void **state)
{
    enum mask_kind kind = MASK_NONE;

    (void)state;
    assert_true(mask_kind_parse("partial", &kind));
    assert_int_equal(kind, MASK_PARTIAL);
    assert_true(mask_kind_parse("null", &kind));
    assert_int_equal(kind, MASK_NULL);
    assert_false(mask_kind_parse("Redact", &kind));
    assert_int_equal(kind, MASK_NULL);
}

static void shapes_are_guessed(void **state)
{
    (void)state;
    assert_int_equal(mask_shape_of("bob@example.com", 15), SHAPE_EMAIL);
    assert_int_equal(mask_shape_of("@handle.x", 9), SHAPE_TEXT);
    assert_int_equal(mask_shape_of("+1 (555) 123-4567", 17), SHAPE_NUMBER);
    assert_int_equal(mask_shape_of("12345", 5), SHAPE_TEXT);
    assert_int_equal(mask_shape_of("John", 4), SHAPE_TEXT);
    assert_int_equal(mask_shape_of("", 0), SHAPE_TEXT);
    assert_int_equal(mask_shape_of("123456\0", 7), SHAPE_TEXT);
}

static void a_full_buffer_is_a_failure(void **state)
{
    const struct mask_text how = { MASK_PARTIAL, SHAPE_NUMBER, NULL, NULL };
    struct buffer out;

    (void)state;
    buffer_init(&out, 3);
    assert_true(mask_text(&how, "12345678", 8, &out) < 0);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redacted_says_what_it_was_and_nothing_of_the_value),
        cmocka_unit_test(an_address_keeps_its_shape),
        cmocka_unit_test(a_number_keeps_its_separators_and_its_last_four_digits),
        cmocka_unit_test(a_text_keeps_its_first_character_unless_it_is_the_only_one),
        cmocka_unit_test(equal_values_have_equal_tokens_under_one_key),
        cmocka_unit_test(kinds_have_names),
        cmocka_unit_test(shapes_are_guessed),
        cmocka_unit_test(a_full_buffer_is_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
