#include "policy/shell.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "policy/shell_parts.h"

enum { GOT_MAX = 16 * 1024, STACK = 256 * 1024 };

/* ⏎ as line ends, in place. */
static void unfold(char *text)
{
    static const char sign[] = "\xe2\x8f\x8e";
    for (char *at; (at = strstr(text, sign)) != NULL;) {
        *at = '\n';
        memmove(at + 1, at + 3, strlen(at + 3) + 1);
    }
}

static void described(const char *line, char *out, size_t size)
{
    struct effects effects = { 0 };
    char one[4096];
    size_t n = 0;
    assert_int_equal(shell_effects(line, strlen(line), &effects), 0);
    *out = '\0';
    for (size_t i = 0; i < effects.count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? "; " : "",
                              effect_describe(&effects.items[i], one, sizeof one));
    if (effects.count == 0)
        snprintf(out, size, "nothing");
    effects_free(&effects);
}

static void each_line_has_the_effects_that_the_file_says(void **state)
{
    (void)state;
    FILE *file = fopen("shell_cases/lines.txt", "re");
    assert_non_null(file);
    char *text = NULL, *line = NULL, *got = malloc(GOT_MAX);
    size_t size = 0, checked = 0, wrong = 0;
    ssize_t n;
    assert_non_null(got);
    while ((n = getline(&text, &size, file)) > 0) {
        text[n - (text[n - 1] == '\n')] = '\0';
        if (strncmp(text, "= ", 2) == 0 && line) {
            unfold(text);
            unfold(line);
            described(line, got, GOT_MAX);
            checked++;
            if (strcmp(got, text + 2) != 0) {
                wrong++;
                fprintf(stderr, "%s\n  expected %s\n  got      %s\n", line, text + 2, got);
            }
        } else if (*text && strncmp(text, "## ", 3) != 0) {
            free(line);
            line = strdup(text);
        }
    }
    fclose(file);
    free(text);
    free(line);
    free(got);
    assert_int_equal(wrong, 0);
    assert_true(checked > 500);
}

/* It is one effect, `unparsable`, besides others. */
static void is_refused(const char *line, size_t n, const char *why)
{
    struct effects effects = { 0 };
    assert_int_equal(shell_effects(line, n, &effects), 0);
    const struct effect *last = effects.count ? &effects.items[effects.count - 1] : NULL;
    assert_non_null(last);
    assert_int_equal(last->kind, EFFECT_UNPARSABLE);
    assert_true(effect_is_on_host(last));
    assert_string_equal(last->why, why);
    effects_free(&effects);
}

static void is_understood(const char *line)
{
    struct effects effects = { 0 };
    assert_int_equal(shell_effects(line, strlen(line), &effects), 0);
    for (size_t i = 0; i < effects.count; i++)
        if (effects.items[i].why)
            fail_msg("%.60s: %s", line, effects.items[i].why);
    effects_free(&effects);
}

/* `before` n times, the middle, `after` n times. */
static char *nested(const char *before, const char *middle, const char *after, size_t n)
{
    char *text = malloc(n * (strlen(before) + strlen(after)) + strlen(middle) + 1), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, before);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, after);
    return text;
}

static void a_line_that_is_too_long_is_not_understood(void **state)
{
    (void)state;
    CLEANUP(free) char *text = malloc(SHELL_LINE_MAX + 2);
    memset(text, ' ', SHELL_LINE_MAX + 1);
    text[0] = ':';
    text[SHELL_LINE_MAX + 1] = '\0';
    is_refused(text, SHELL_LINE_MAX + 1, "it is too long");
    text[SHELL_LINE_MAX] = '\0';
    is_understood(text);
    memset(text, 'a', SHELL_LINE_MAX);
    is_understood(text);
}

/* The longest lines of one piece, over and over: the second reader has to live through them, too. */
static void the_longest_lines_are_survived(void **state)
{
    (void)state;
    static const char *const pieces[] = { "``",          "`a`",   "$(a)",     "'a'",
                                          "\"a\"",       "a|",    "a&&",      "a;",
                                          "a\n",         "$x",    "{a,b}",    "> a ",
                                          "x=1 ",        "((",    "$((1))",   "${x}",
                                          "<<E\n\nE\n",  "<(a) ", "[[ a ]];", "case a in a) b;; esac;",
                                          "f() { a; };", "! a;",  "\\a",      "$",
                                          "~",           "[" };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t n = SHELL_LINE_MAX / strlen(pieces[i]);
        CLEANUP(free) char *text = nested(pieces[i], "", "", n);
        struct effects effects = { 0 };
        assert_int_equal(shell_effects(text, strlen(text), &effects), 0);
        effects_free(&effects);
    }
}

static void what_is_nested_too_deeply_is_not_understood(void **state)
{
    (void)state;
    static const struct {
        const char *before, *middle, *after;
    } shapes[] = {
        { "( ", "ls", " )" },
        { "$(", "ls", ")" },
        { "echo \"$(", "ls", ")\"" },
        { "{ ", "ls;", " };" },
        { "if ls; then ", "ls;", " fi;" },
        { "${x:-", "y", "}" },
        { "sudo ", "ls", "" },
        { "echo $((1+", "1", "))" },
        { "f() { ", "ls;", " };" },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        CLEANUP(free) char *deep = nested(shapes[i].before, shapes[i].middle, shapes[i].after, 5000);
        struct effects effects = { 0 };
        assert_int_equal(shell_effects(deep, strlen(deep), &effects), 0);
        assert_int_equal(effects.items[effects.count - 1].kind, EFFECT_UNPARSABLE);
        effects_free(&effects);
    }
    CLEANUP(free) char *few = nested("( ", "ls", " )", 10);
    is_understood(few);
}

static void *run_deepest(void *unused)
{
    (void)unused;
    for (size_t n = 1; n <= SHELL_DEPTH_MAX + 1; n++) {
        CLEANUP(free) char *groups = nested("{ ls $(", "ls", "); }", n);
        CLEANUP(free) char *pipes = nested("a|", "a", "", n == 1 ? SHELL_COMMANDS_MAX - 1 : 1);
        CLEANUP(free) char *wrappers = nested("nice ", "ls", "", n);
        struct effects effects = { 0 };
        assert_int_equal(shell_effects(groups, strlen(groups), &effects), 0);
        assert_int_equal(shell_effects(pipes, strlen(pipes), &effects), 0);
        assert_int_equal(shell_effects(wrappers, strlen(wrappers), &effects), 0);
        effects_free(&effects);
    }
    return NULL;
}

static void the_deepest_line_fits_on_a_small_stack(void **state)
{
    (void)state;
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_deepest, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}

static void too_many_of_anything_are_not_understood(void **state)
{
    (void)state;
    CLEANUP(free) char *commands = nested("ls a\n", "", "", SHELL_COMMANDS_MAX + 1);
    is_refused(commands, strlen(commands), "it has too many commands");
    CLEANUP(free) char *few = nested("ls a\n", "", "", 1000);
    is_understood(few);
    CLEANUP(free) char *texts = nested("sh -c ls\n", "", "", SHELL_TEXTS_MAX);
    is_refused(texts, strlen(texts), "it has too many command lines in it");
    CLEANUP(free) char *heredocs = nested("<<E ", "", "", SHELL_HEREDOCS_MAX + 1);
    is_refused(heredocs, strlen(heredocs), "it has too many here-documents");
    CLEANUP(free) char *more = nested("cat <<E\n\nE\n", "", "", SHELL_HEREDOCS_ALL_MAX + 1);
    is_refused(more, strlen(more), "it has too many here-documents");
    CLEANUP(free) char *most = nested("cat <<E\n\nE\n", "", "", SHELL_HEREDOCS_ALL_MAX);
    is_understood(most);
}

static void bytes_that_are_no_text_are_not_understood(void **state)
{
    (void)state;
    is_refused("ls\0rm", 5, "it is not UTF-8 text");
    is_refused("ls \xff", 4, "it is not UTF-8 text");
    is_refused("ls \r", 4, "there are control characters or unusual blanks in it");
    is_refused("ls '\x1b[2J'", 9, "there are control characters or unusual blanks in it");
    is_refused("ls\xc2\xa0rm", 6, "there are control characters or unusual blanks in it");
    is_refused("ls\xe3\x80\x80rm", 7, "there are control characters or unusual blanks in it");
}

static void a_line_without_its_end_is_read_no_further(void **state)
{
    (void)state;
    static const char text[] = { 'l', 's', ' ', '$' };
    CLEANUP(free) char *copy = malloc(sizeof text);
    memcpy(copy, text, sizeof text);
    for (size_t n = 0; n <= sizeof text; n++) {
        struct effects effects = { 0 };
        assert_int_equal(shell_effects(copy, n, &effects), 0);
        effects_free(&effects);
    }
}

static void effects_of_another_request_stay(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    assert_int_equal(ssh_effect_channel(&effects, "shell"), 0);
    assert_int_equal(shell_effects("ls", 2, &effects), 0);
    assert_int_equal(effects.count, 2);
    assert_string_equal(effects.items[1].exact, "ls\x1f");
    effects_free(&effects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_has_the_effects_that_the_file_says),
        cmocka_unit_test(a_line_that_is_too_long_is_not_understood),
        cmocka_unit_test(the_longest_lines_are_survived),
        cmocka_unit_test(what_is_nested_too_deeply_is_not_understood),
        cmocka_unit_test(the_deepest_line_fits_on_a_small_stack),
        cmocka_unit_test(too_many_of_anything_are_not_understood),
        cmocka_unit_test(bytes_that_are_no_text_are_not_understood),
        cmocka_unit_test(a_line_without_its_end_is_read_no_further),
        cmocka_unit_test(effects_of_another_request_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
