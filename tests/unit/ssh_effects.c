#include "policy/ssh_effects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void paths_are_known_for_certain_only_without_dots(void **state)
{
    (void)state;
    static const struct {
        const char *path, *exact;
    } cases[] = {
        { "/etc/passwd", "/etc/passwd" },
        { "//etc/./passwd/", "/etc/passwd" },
        { "/", "/" },
        { "notes.txt", "\x01/notes.txt" },
        { "./a/b", "\x01/a/b" },
        { "../x", "\x01/x" },
        { "..", "\x01" },
        { "/srv/link/../etc/x", "\x01/etc/x" },
        { "/srv/..", "\x01" },
        { "a/..b/...", "\x01/a/..b/..." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct effects effects = { 0 };
        assert_int_equal(ssh_effect_file(&effects, FILE_WRITE, cases[i].path), 0);
        assert_int_equal(effects.count, 1);
        assert_int_equal(effects.items[0].kind, EFFECT_WRITE);
        assert_string_equal(effects.items[0].object, cases[i].path);
        assert_string_equal(effects.items[0].exact, cases[i].exact);
        effects_free(&effects);
    }
}

static void a_path_that_cannot_be_named_is_unknown(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    CLEANUP(free) char *longest = malloc(EFFECT_TEXT_MAX + 1);
    memset(longest, 'a', EFFECT_TEXT_MAX);
    longest[EFFECT_TEXT_MAX] = '\0';
    assert_int_equal(ssh_effect_file(&effects, FILE_READ, ""), 0);
    assert_int_equal(ssh_effect_file(&effects, FILE_READ, "/a\x01"), 0);
    assert_int_equal(ssh_effect_file(&effects, FILE_READ, longest), 0);
    assert_int_equal(effects.count, 2);
    assert_int_equal(effects.items[0].kind, EFFECT_UNKNOWN);
    assert_int_equal(effects.items[1].kind, EFFECT_UNKNOWN);
    longest[EFFECT_TEXT_MAX - 3] = '\0';
    assert_int_equal(ssh_effect_file(&effects, FILE_READ, longest), 0);
    assert_int_equal(effects.items[2].kind, EFFECT_READ);
    effects_free(&effects);
}

static void effects_on_hosts_say_what_they_are(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    char text[128];
    assert_int_equal(ssh_effect_channel(&effects, "shell"), 0);
    assert_int_equal(ssh_effect_file(&effects, FILE_REMOVE, "/srv/x"), 0);
    assert_int_equal(
        effects_add_exact(&effects, EFFECT_RUN, OBJECT_COMMAND, "rm -rf /srv", "rm\x1f-rf\x1f/srv\x1f"), 0);
    assert_int_equal(effects_add_opaque(&effects, EFFECT_UNKNOWN, "$x is run"), 0);
    assert_int_equal(effects_add_why(&effects, EFFECT_UNKNOWN, "$x is run"), 0);
    assert_int_equal(effects.count, 5);
    static const char *const described[] = { "open shell", "remove /srv/x", "run rm -rf /srv",
                                             "unknown: $x is run", "unknown: $x is run" };
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(effect_describe(&effects.items[i], text, sizeof text), described[i]);
        assert_int_equal(effect_is_on_host(&effects.items[i]), i < 4);
    }
    effects_free(&effects);
}

static void commands_of_other_words_are_not_folded(void **state)
{
    (void)state;
    struct effects effects = { 0 };
    assert_int_equal(effects_add_exact(&effects, EFFECT_RUN, OBJECT_COMMAND, "rm a b",
                                       "rm\x1f"
                                       "a b\x1f"),
                     0);
    assert_int_equal(effects_add_exact(&effects, EFFECT_RUN, OBJECT_COMMAND, "rm a b",
                                       "rm\x1f"
                                       "a\x1f"
                                       "b\x1f"),
                     0);
    assert_int_equal(effects_add_exact(&effects, EFFECT_RUN, OBJECT_COMMAND, "rm a b",
                                       "rm\x1f"
                                       "a b\x1f"),
                     0);
    assert_int_equal(effects.count, 2);
    effects_free(&effects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_known_for_certain_only_without_dots),
        cmocka_unit_test(a_path_that_cannot_be_named_is_unknown),
        cmocka_unit_test(effects_on_hosts_say_what_they_are),
        cmocka_unit_test(commands_of_other_words_are_not_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
