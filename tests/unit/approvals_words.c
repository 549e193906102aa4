/* channels/commands/approvals_words: what is to be shown. */
#include "channels/commands/approvals_words.h"

#include <string.h>

#include "check.h"

static bool reads(const char *line, struct approvals_words *ret, struct words *kept)
{
    *kept = (struct words){ 0 };
    assert_int_equal(words_split(line, kept, NULL), 0);
    return approvals_words_read(kept, ret);
}

static void what_goes_together_is_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "approvals",
        "approvals --json",
        "approvals --all",
        "approvals --json --all --target orders",
        "approvals --grants --target orders",
        "approvals --grants a7k2mq",
        "approvals a7k2mq",
        "approvals --json a7k2mq",
        "approvals --json --follow",
        "approvals a7k2mq --message",
        "approvals --message a7k2mq --for 30m",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct approvals_words words;
        struct words kept;
        assert_true(reads(good[i], &words, &kept));
        assert_true((strstr(good[i], "a7k2mq") != NULL) == (strcmp(words.id, "a7k2mq") == 0));
        assert_true((strstr(good[i], "orders") != NULL) == (strcmp(words.target, "orders") == 0));
        assert_true((strstr(good[i], "--json") != NULL) == words.json);
        assert_true((strstr(good[i], "--for") != NULL) == (words.for_ms == 1800000));
        words_free(&kept);
    }
}

static void what_means_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "approvals a7k2mq b7k2mq",
        "approvals ''",
        "approvals --what",
        "approvals --target",
        "approvals --target ''",
        "approvals --follow",
        "approvals --json --follow --all",
        "approvals --json --follow a7k2mq",
        "approvals --message",
        "approvals a7k2mq --message --json",
        "approvals a7k2mq --for 30m",
        "approvals a7k2mq --message --for",
        "approvals a7k2mq --message --for ever",
        "approvals a7k2mq --message --for 31d",
        "approvals a7k2mq --all",
        "approvals a7k2mq --target orders",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct approvals_words words;
        struct words kept;
        assert_false(reads(bad[i], &words, &kept));
        words_free(&kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_together_is_taken),
        cmocka_unit_test(what_means_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
