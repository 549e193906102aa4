/* base/json: what is written is JSON, whatever the bytes. */
#include "base/json.h"

#include <string.h>

#include "check.h"

static void an_object_is_written_with_commas_and_escapes(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 4096);
    struct json j = json_to(&b);
    json_open_object(&j, NULL);
    json_text(&j, "a", "x\"y\\z\n");
    json_u64(&j, "n", 18446744073709551615u);
    json_i64(&j, "i", -3);
    json_bool(&j, "t", true);
    json_text(&j, "none", NULL);
    json_open_array(&j, "list");
    json_text(&j, NULL, "é");
    json_bytes(&j, NULL, "\xff\x00z", 3);
    json_close_array(&j);
    json_close_object(&j);
    assert_true(json_line(&j));
    assert_int_equal(buffer_put_u8(&b, 0), 0);
    assert_string_equal(
        (const char *)buffer_head(&b),
        "{\"a\":\"x\\\"y\\\\z\\u000a\",\"n\":18446744073709551615,\"i\":-3,\"t\":true,\"none\":null,"
        "\"list\":[\"é\",\"\\ufffd\\u0000z\"]}\n");
    buffer_free(&b);
}

static void several_lines_stand_one_after_the_other(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    struct json j = json_to(&b);
    for (int i = 0; i < 2; i++) {
        json_open_object(&j, NULL);
        json_close_object(&j);
        assert_true(json_line(&j));
    }
    assert_memory_equal(buffer_head(&b), "{}\n{}\n", 6);
    buffer_free(&b);
}

static void what_does_not_fit_or_nest_is_told(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 5);
    struct json j = json_to(&b);
    json_text(&j, NULL, "too long");
    assert_false(json_line(&j));
    buffer_free(&b);
    buffer_init(&b, 1000);
    j = json_to(&b);
    for (int i = 0; i < JSON_DEPTH_MAX + 5; i++)
        json_open_array(&j, NULL);
    assert_false(json_line(&j));
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_written_with_commas_and_escapes),
        cmocka_unit_test(several_lines_stand_one_after_the_other),
        cmocka_unit_test(what_does_not_fit_or_nest_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
