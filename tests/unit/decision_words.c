/* channels/commands/decision_words: what an operator types. */
#include "channels/commands/decision_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static bool reads(enum decision_kind kind, const char *line, struct decision_words *ret, struct words *kept)
{
    struct detail detail = { "" };
    *kept = (struct words){ 0 };
    assert_int_equal(words_split(line, kept, NULL), 0);
    bool ok = decision_words_read(kind, kept, ret, &detail);
    assert_true(ok == (detail.text[0] == 0));
    return ok;
}

static void options_come_in_any_order(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "approve a7k2mq --for 30m --reason looks right to me",
        "approve a7k2mq --reason looks right to me --for 30m",
        "approve a7k2mq --reason 'looks right to me' --for 30m",
        "approve a7k2mq --reason looks --for 30m --reason right to me",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct decision_words words;
        struct words kept;
        assert_true(reads(DECISION_APPROVE, lines[i], &words, &kept));
        assert_string_equal(words.id, "a7k2mq");
        assert_string_equal(words.reason, "looks right to me");
        assert_int_equal(words.for_ms, 30 * 60 * 1000);
        assert_false(words.has_digest);
        words_free(&kept);
    }
}

static void nothing_but_the_id_is_needed(void **state)
{
    (void)state;
    struct decision_words words;
    struct words kept;
    assert_true(reads(DECISION_DENY, "deny A7K2MQ", &words, &kept));
    assert_string_equal(words.reason, "");
    assert_int_equal(words.for_ms, 0);
    words_free(&kept);
}

static void what_was_seen_can_be_named(void **state)
{
    (void)state;
    struct decision_words words;
    struct words kept;
    assert_true(reads(DECISION_DENY,
                      "deny A7K2MQ --digest 00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
                      &words, &kept));
    assert_true(words.has_digest);
    assert_int_equal(words.digest[1], 0x11);
    assert_int_equal(words.digest[31], 0xff);
    words_free(&kept);
}

static void what_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum decision_kind kind;
        const char *line;
    } bad[] = {
        { DECISION_APPROVE, "approve" },
        { DECISION_APPROVE, "approve --for 30m" },
        { DECISION_APPROVE, "approve A7K2MQ B7K2MQ" },
        { DECISION_APPROVE, "approve A7K2MQ looks right" },
        { DECISION_APPROVE, "approve A7K2MQ --for" },
        { DECISION_APPROVE, "approve A7K2MQ --for ever" },
        { DECISION_APPROVE, "approve A7K2MQ --for 0s" },
        { DECISION_APPROVE, "approve A7K2MQ --for 31d" },
        { DECISION_APPROVE, "approve A7K2MQ --reason" },
        { DECISION_APPROVE, "approve A7K2MQ --reason --for 3m" },
        { DECISION_APPROVE, "approve A7K2MQ --reason \xff" },
        { DECISION_APPROVE, "approve A7K2MQ --digest 00" },
        { DECISION_APPROVE,
          "approve A7K2MQ --digest 00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFG" },
        { DECISION_DENY, "deny A7K2MQ --for 30m" },
        { DECISION_REVOKE_GRANT, "revoke-grant A7K2MQ --for 30m" },
        { DECISION_REVOKE_GRANT, "revoke-grant ''" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct decision_words words;
        struct words kept;
        assert_false(reads(bad[i].kind, bad[i].line, &words, &kept));
        words_free(&kept);
    }
}

static void a_reason_has_a_limit(void **state)
{
    (void)state;
    char line[DECISION_REASON_MAX + 64] = "deny A7K2MQ --reason ", *end = line + strlen(line);
    struct decision_words words;
    struct words kept;
    memset(end, 'x', DECISION_REASON_MAX + 1);
    assert_false(reads(DECISION_DENY, line, &words, &kept));
    words_free(&kept);
    end[DECISION_REASON_MAX] = 0;
    assert_true(reads(DECISION_DENY, line, &words, &kept));
    assert_int_equal(strlen(words.reason), DECISION_REASON_MAX);
    words_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_in_any_order),  cmocka_unit_test(nothing_but_the_id_is_needed),
        cmocka_unit_test(what_was_seen_can_be_named), cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(a_reason_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
