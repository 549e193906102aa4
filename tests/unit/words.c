/* channels/words: what ssh has joined is split again, as a shell would; a statement after -c stays whole. */
#include "channels/words.h"

#include <string.h>

#include "check.h"

static void assert_words(const char *line, size_t n, const char *const *expected)
{
    struct words words = { 0 };
    assert_int_equal(words_split(line, &words, NULL), 0);
    assert_int_equal(words.count, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(words.items[i], expected[i]);
    assert_null(words.items[n]);
    words_free(&words);
}

#define WORDS(line, ...)                                                                                     \
    do {                                                                                                     \
        const char *const expected_[] = { __VA_ARGS__ };                                                     \
        assert_words(line, sizeof expected_ / sizeof expected_[0], expected_);                               \
    } while (0)

static void a_line_is_split_as_a_shell_does(void **state)
{
    (void)state;
    assert_words("", 0, NULL);
    assert_words("   \t ", 0, NULL);
    WORDS("whoami", "whoami");
    WORDS("  sessions  --since\t1h ", "sessions", "--since", "1h");
    WORDS("a 'b c' \"d e\"", "a", "b c", "d e");
    WORDS("a'b'\"c\"d", "abcd");
    WORDS("a\\ b", "a b");
    WORDS("'' \"\"", "", "");
    WORDS("\"a\\\"b\\n\"", "a\"b\\n");
    WORDS("'a\"b'", "a\"b");
}

static void a_statement_after_c_stays_as_it_is(void **state)
{
    (void)state;
    WORDS("psql orders -c select 'a b' || \"C\"  -- x", "psql", "orders", "-c",
          "select 'a b' || \"C\"  -- x");
    WORDS("psql orders --command delete from t", "psql", "orders", "--command", "delete from t");
    WORDS("psql orders -A -c select 1", "psql", "orders", "-A", "-c", "select 1");
    WORDS("psql orders -c 'select 1' -A", "psql", "orders", "-c", "select 1", "-A");
    WORDS("psql orders -c \"select 1\" -c \"select 2\"", "psql", "orders", "-c", "select 1", "-c",
          "select 2");
    WORDS("psql orders -c", "psql", "orders", "-c");
}

static void what_is_unfinished_or_too_much_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "a 'b", "a \"b", "'" };
    struct words words = { 0 };
    struct detail detail = { "" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(words_split(bad[i], &words, &detail) < 0);
        assert_non_null(strstr(detail.text, "not closed"));
        assert_null(words.items);
    }
    char *line = malloc(WORDS_BYTES_MAX + 2);
    memset(line, 'x', WORDS_BYTES_MAX + 1);
    line[WORDS_BYTES_MAX + 1] = 0;
    assert_true(words_split(line, &words, &detail) < 0);
    for (size_t i = 0; i < WORDS_BYTES_MAX; i += 2)
        line[i + 1] = ' ';
    line[2 * WORDS_MAX + 1] = 0;
    assert_true(words_split(line, &words, &detail) < 0);
    assert_non_null(strstr(detail.text, "more than 256 words"));
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_split_as_a_shell_does),
        cmocka_unit_test(a_statement_after_c_stays_as_it_is),
        cmocka_unit_test(what_is_unfinished_or_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
