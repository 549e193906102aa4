/* What webhooks are told, byte by byte, and how it is signed. */
#include "replay/notify_body.h"
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "replay/notify_key.h"

#define ID "00112233445566778899aabbccddeeff"
enum { AT = 1767225600 }; /* 2026-01-01 */

static const char *const by[] = { "dba", "security" };
static const char *const deciders[] = { "corp/dora@example.com" };

static const struct notification requested = { .event = "approval_requested",
                                               .request = "A7K2MQ",
                                               .identity = "local/agent-7",
                                               .acting_for = "corp/alice@example.com",
                                               .target = "orders",
                                               .login = "app",
                                               .rule = "destructive",
                                               .reason = "needs a second pair of eyes",
                                               .recording = "20260101-abc",
                                               .expires_ms = (AT + 600ull) * 1000,
                                               .by = by,
                                               .n_by = 2,
                                               .quorum = 2,
                                               .statement = "DELETE FROM customers WHERE ssn = '078-05-1120'",
                                               .statement_n = 47 };
static const struct notification decided = { .event = "approval_decided",
                                             .request = "A7K2MQ",
                                             .identity = "local/agent-7",
                                             .target = "orders",
                                             .rule = "destructive",
                                             .decision = "denied",
                                             .deciders = deciders,
                                             .n_deciders = 1,
                                             .comment = "not on a Friday" };

/* NUL-terminated, malloc'ed. */
static char *build(const char *form, bool include, const struct notification *what)
{
    Ipc__Notify webhook = IPC__NOTIFY__INIT;
    struct buffer body;
    webhook.form = (char *)(uintptr_t)form;
    webhook.include_statement = include;
    assert_int_equal(notify_body(&webhook, what, ID, AT * 1000ull, &body), 0);
    char *text = calloc(1, buffer_size(&body) + 1);
    assert_non_null(text);
    memcpy(text, buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
    return text;
}

static void expect(const char *form, bool include, const struct notification *what, const char *wanted)
{
    char *text = build(form, include, what);
    assert_string_equal(text, wanted);
    free(text);
}

#define REQUESTED                                                                                            \
    "{\"version\":1,\"id\":\"" ID "\",\"event\":\"approval_requested\",\"at\":\"2026-01-01T00:00:00.000Z\"," \
    "\"request\":\"A7K2MQ\",\"identity\":\"local/agent-7\",\"acting_for\":\"corp/alice@example.com\","       \
    "\"target\":\"orders\",\"login\":\"app\",\"rule\":\"destructive\","                                      \
    "\"reason\":\"needs a second pair of eyes\",\"recording\":\"20260101-abc\","                             \
    "\"by\":[\"dba\",\"security\"],\"quorum\":2,\"expires_at\":\"2026-01-01T00:10:00.000Z\""

static void json_has_every_field_that_is_known(void **state)
{
    (void)state;
    expect("json", false, &requested, REQUESTED "}");
    expect("json", false, &decided,
           "{\"version\":1,\"id\":\"" ID
           "\",\"event\":\"approval_decided\",\"at\":\"2026-01-01T00:00:00.000Z\",\"request\":\"A7K2MQ\","
           "\"identity\":\"local/agent-7\",\"target\":\"orders\",\"rule\":\"destructive\",\"decision\":"
           "\"denied\",\"deciders\":[\"corp/dora@example.com\"],\"comment\":\"not on a Friday\"}");
}

static void slack_gets_one_text(void **state)
{
    (void)state;
    expect("slack", false, &requested,
           "{\"text\":\"*Approval `A7K2MQ` is asked for*\\u000a`local/agent-7` (for "
           "`corp/alice@example.com`) on "
           "`orders`, rule `destructive`\\u000aWhy: `needs a second pair of eyes`\\u000aWho decides: `dba`, "
           "`security` (2 people)\\u000aUntil: 2026-01-01T00:10:00.000Z\"}");
    expect("slack", false, &decided,
           "{\"text\":\"*Approval `A7K2MQ`* is `denied` by `corp/dora@example.com`\\u000a`local/agent-7` on "
           "`orders`, rule `destructive`\\u000aComment: `not on a Friday`\"}");
}

static void a_statement_is_only_told_where_that_is_wanted(void **state)
{
    static const char *const forms[] = { "json", "slack" };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *text = build(forms[i], false, &requested);
        assert_null(strstr(text, "078-05-1120"));
        assert_null(strstr(text, "customers"));
        free(text);
    }
    expect("json", true, &requested,
           REQUESTED ",\"statement\":\"DELETE FROM customers WHERE ssn = '078-05-1120'\","
                     "\"statement_truncated\":false}");
    char *text = build("slack", true, &requested);
    assert_non_null(strstr(text, "\\u000a```DELETE FROM customers WHERE ssn = '078-05-1120'```\"}"));
    free(text);
}

static void a_long_statement_is_cut_between_characters(void **state)
{
    char statement[NOTIFY_STATEMENT_MAX + 2];
    struct notification what = requested;
    (void)state;
    memset(statement, 'x', sizeof statement);
    memcpy(statement + NOTIFY_STATEMENT_MAX - 1, "\xc3\xa9", 2);
    what.statement = statement;
    what.statement_n = sizeof statement;
    char *text = build("json", true, &what);
    assert_non_null(strstr(text, "xxx\",\"statement_truncated\":true}"));
    assert_null(strstr(text, "\xef\xbf\xbd"));
    free(text);
    text = build("slack", true, &what);
    assert_non_null(strstr(text, "xxx```\\u000a(cut)\"}"));
    free(text);
}

static void nobody_can_write_anything_but_code_into_a_chat(void **state)
{
    static const char hostile[] = "`<!channel>` @here *b*\n<https://evil.example|ok>&\x1b\x7f";
    struct notification what = { .event = "approval_decided",
                                 .request = "A",
                                 .decision = "denied",
                                 .identity = hostile,
                                 .comment = hostile,
                                 .statement = "```\n<!here>",
                                 .statement_n = 11 };
    (void)state;
    char *text = build("slack", true, &what);
    assert_string_equal(
        text, "{\"text\":\"*Approval `A`* is `denied`\\u000a`'&lt;!channel&gt;' @here *b* "
              "&lt;https://evil.example|ok&gt;&amp;  `\\u000aComment: `'&lt;!channel&gt;' @here *b* "
              "&lt;https://evil.example|ok&gt;&amp;  `\\u000a```'''\\u000a&lt;!here&gt;```\"}");
    free(text);
}

static void the_largest_message_still_fits(void **state)
{
    static const char *const forms[] = { "json", "slack" };
    char name[2 * NOTIFY_TEXT_MAX], statement[2 * NOTIFY_STATEMENT_MAX];
    const char *names[64];
    (void)state;
    memset(name, 1, sizeof name); /* six bytes each in JSON */
    name[sizeof name - 1] = '\0';
    memset(statement, 1, sizeof statement);
    for (size_t i = 0; i < 64; i++)
        names[i] = name;
    struct notification what = { "approval_decided",
                                 1,
                                 name,
                                 name,
                                 name,
                                 name,
                                 name,
                                 name,
                                 name,
                                 name,
                                 1,
                                 names,
                                 64,
                                 9,
                                 name,
                                 names,
                                 64,
                                 name,
                                 statement,
                                 sizeof statement };
    for (size_t i = 0; i < 2; i++) {
        char *text = build(forms[i], true, &what);
        assert_in_range(strlen(text), 10000, NOTIFY_BODY_MAX);
        free(text);
        what.event = "approval_requested";
    }
    memset(name, '&', sizeof name - 1); /* five bytes each for Slack */
    memset(statement, '&', sizeof statement);
    char *text = build("slack", true, &what);
    assert_in_range(strlen(text), 10000, NOTIFY_BODY_MAX);
    free(text);
}

/* printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef */
static void a_signature_is_what_openssl_makes_of_it(void **state)
{
    uint8_t bytes[] = "0123456789abcdef";
    struct notify_key *key = NULL;
    char signature[NOTIFY_SIGNATURE];
    (void)state;
    assert_int_equal(notify_key_new(bytes, 16, &key), 0);
    assert_int_equal(bytes[0], 0); /* wiped */
    assert_string_equal(notify_sign(key, AT, "{\"a\":1}", 7, signature),
                        "t=1767225600,v1="
                        "539b0e21b535c5201ef7d1453c0a0de4ad132293226de9018be0cfbf0092faa6");
    notify_key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_has_every_field_that_is_known),
        cmocka_unit_test(slack_gets_one_text),
        cmocka_unit_test(a_statement_is_only_told_where_that_is_wanted),
        cmocka_unit_test(a_long_statement_is_cut_between_characters),
        cmocka_unit_test(nobody_can_write_anything_but_code_into_a_chat),
        cmocka_unit_test(the_largest_message_still_fits),
        cmocka_unit_test(a_signature_is_what_openssl_makes_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
