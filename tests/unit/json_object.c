/* base/json_object: one flat object, or a reason why not. */
#include "base/json_object.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

static const char *value_of(const struct json_object *object, const char *name)
{
    const struct json_member *member = json_object_find(object, name);
    return member ? member->value : NULL;
}

static void texts_numbers_and_words_are_read(void **state)
{
    (void)state;
    static const char text[] =
        " {\"id\":17, \"do\" : \"approve\",\r\n\"f\":-1.5E+3,\"z\":0,\"t\":true,\"x\":null}\n";
    CLEANUP(json_object_free) struct json_object object = { 0 };
    assert_int_equal(json_object_read(text, strlen(text), &object, NULL), 0);
    assert_int_equal(object.n, 6);
    assert_string_equal(value_of(&object, "id"), "17");
    assert_int_equal(json_object_find(&object, "id")->kind, JSON_NUMBER);
    assert_string_equal(value_of(&object, "do"), "approve");
    assert_int_equal(json_object_find(&object, "do")->kind, JSON_TEXT);
    assert_string_equal(value_of(&object, "f"), "-1.5E+3");
    assert_string_equal(value_of(&object, "t"), "true");
    assert_int_equal(json_object_find(&object, "x")->kind, JSON_WORD);
    assert_null(json_object_find(&object, "y"));
}

static void escapes_become_what_they_stand_for(void **state)
{
    (void)state;
    static const char text[] =
        "{\"\\u0061\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u00e9 \\u20AC \\ud83d\\ude00 \xc3\xa9\"}";
    CLEANUP(json_object_free) struct json_object object = { 0 };
    assert_int_equal(json_object_read(text, strlen(text), &object, NULL), 0);
    assert_string_equal(value_of(&object, "a"),
                        "\"\\/\b\f\n\r\t \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xc3\xa9");
}

static void an_empty_object_is_one(void **state)
{
    (void)state;
    CLEANUP(json_object_free) struct json_object object = { 0 };
    assert_int_equal(json_object_read("{ }", 3, &object, NULL), 0);
    assert_int_equal(object.n, 0);
}

static void anything_else_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "[]",
        "\"a\"",
        "{",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1}}",
        "{\"a\":1} {}",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":NaN}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\\ud83d\"}",
        "{\"a\":\"\\ud83dx\"}",
        "{\"a\":\"\\ud83d\\u0041\"}",
        "{\"a\":\"\\ude00\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_object object = { 0 };
        struct detail detail = { "" };
        assert_int_equal(json_object_read(bad[i], strlen(bad[i]), &object, &detail), -EBADMSG);
        assert_true(detail.text[0] != 0);
        assert_null(object.storage);
    }
    struct json_object object = { 0 };
    assert_int_equal(json_object_read("{}\0", 3, &object, NULL), -EBADMSG);
}

static void members_have_a_limit(void **state)
{
    (void)state;
    char text[512] = "{";
    struct json_object object = { 0 };
    for (int i = 0; i <= JSON_MEMBERS_MAX; i++) {
        size_t at = strlen(text);
        (void)snprintf(text + at, sizeof text - at, "%s\"%d\":1", i ? "," : "", i);
        char whole[520];
        (void)snprintf(whole, sizeof whole, "%s}", text);
        int r = json_object_read(whole, strlen(whole), &object, NULL);
        assert_int_equal(r, i < JSON_MEMBERS_MAX ? 0 : -EBADMSG);
        json_object_free(&object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_numbers_and_words_are_read),
        cmocka_unit_test(escapes_become_what_they_stand_for),
        cmocka_unit_test(an_empty_object_is_one),
        cmocka_unit_test(anything_else_is_refused_with_a_reason),
        cmocka_unit_test(members_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
