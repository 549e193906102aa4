/* Rules about what is done on hosts. */
#include "policy/rules_glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { MAX = 512 };

/* "rm -rf ~": words; ~ is a hole, _ a blank inside of a word. */
static void exact_of(const char *text, char *out)
{
    size_t n = 0;
    for (; *text; text++)
        out[n++] = *text == ' ' ? EFFECT_WORD_END : *text == '~' ? EFFECT_HOLE : *text == '_' ? ' ' : *text;
    out[n++] = EFFECT_WORD_END;
    out[n] = '\0';
}

static void globs_of_commands_match_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *command;
        bool surely, perhaps;
    } cases[] = {
        { "ls *", "ls", true, true },
        { "ls *", "ls -l /tmp", true, true },
        { "ls *", "lsof", false, false },
        { "ls *", "ls ~", true, true },
        { "ls", "ls -l", false, false },
        { "ls", "ls", true, true },
        { "ls *", "./ls", false, true },
        { "ls *", "/tmp/ls -l", false, true },
        { "ls *", "/usr/bin/ls -l", true, true },
        { "ls *", "/usr/bin/../../tmp/ls", false, true },
        { "ls *", "LS", false, true },
        { "*", "anything at all", true, true },
        { "cat /srv/*", "cat /srv/a", true, true },
        { "cat /srv/*", "cat /srv/a/b", true, true },
        { "cat /srv/*", "cat /srv/a /etc/shadow", false, true },
        { "cat /srv/*", "cat /srv/../etc/shadow", false, true },
        { "cat /srv/*", "cat /srv/..", false, true },
        { "cat /srv/*", "cat /srv/a..b", true, true },
        { "cat /srv/../x", "cat /srv/../x", true, true },
        { "cat /srv/*", "cat /srv/~", false, true },
        { "cat /srv/*", "cat ~", false, true },
        { "cat /srv/*", "cat /etc/~", false, false },
        { "cat /srv/?", "cat /srv/~", false, true },
        { "cat /srv/?", "cat /srv/\xc3\xa4", true, true },
        { "cat /srv/?", "cat /srv/ab", false, false },
        { "rm -rf *", "rm -rf /", true, true },
        { "rm -rf*", "rm -rf /", false, true },
        { "rm -rf *", "rm -r -f /", false, false },
        { "rm -rf *", "rm ~ /", false, true },
        { "rm -rf *", "rm ~", false, true },
        { "rm -rf *", "rmdir ~", false, false },
        { "rm *", "ls ~", false, false },
        { "rm *", "~ x", false, true },
        { "git * --force", "git push origin --force", true, true },
        { "git * --force", "git --force", true, true },
        { "git * --force", "git push", false, false },
        { "git * --force", "git push ~", false, true },
        { "git * --force", "git push ~ --force", true, true },
        { "echo a b", "echo a_b", false, true },
        { "echo *", "echo a_b", true, true },
        { "echo a*", "echo a_b", true, true },
        { "[ *", "[ -f x ]", true, true },
        { "systemctl restart nginx", "systemctl restart nginx", true, true },
        { "systemctl restart nginx", "systemctl restart nginx ~", false, true },
        { "LANG=*", "LANG=de_DE", true, true },
        { "x *", "x ", true, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char exact[MAX];
        exact_of(cases[i].command, exact);
        struct effect e = { .kind = EFFECT_RUN, .object_kind = OBJECT_COMMAND, .exact = exact };
        if (glob_command(cases[i].pattern, &e, SURELY) != cases[i].surely ||
            glob_command(cases[i].pattern, &e, PERHAPS) != cases[i].perhaps)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].command);
    }
}

static void globs_of_paths_match_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        enum effect_kind kind;
        bool surely, perhaps;
    } cases[] = {
        { "/srv/*", "/srv/a", EFFECT_READ, true, true },
        { "/srv/*", "/srv/a/b c", EFFECT_READ, true, true },
        { "/srv/*", "/srv", EFFECT_READ, false, true },
        { "/srv/*", "/srvx", EFFECT_READ, false, false },
        { "/srv/*", "~/a", EFFECT_READ, false, true },
        { "*", "~/a", EFFECT_READ, true, true },
        { "*.key", "~/a.key", EFFECT_READ, false, true },
        { "*.key", "/a/b.key", EFFECT_READ, true, true },
        { "/srv/secret/*", "/srv", EFFECT_READ, false, false },
        { "/srv/secret/*", "/srv", EFFECT_RENAME, false, true },
        { "/srv/secret/*", "/etc", EFFECT_RENAME, false, false },
        { "/etc/passwd", "/etc/~", EFFECT_WRITE, false, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char exact[MAX];
        snprintf(exact, sizeof exact, "%s", cases[i].path);
        for (char *hole = exact; (hole = strchr(hole, '~')) != NULL;)
            *hole = EFFECT_HOLE;
        struct effect e = { .kind = cases[i].kind, .object_kind = OBJECT_FILE, .exact = exact };
        if (glob_path(cases[i].pattern, &e, SURELY) != cases[i].surely ||
            glob_path(cases[i].pattern, &e, PERHAPS) != cases[i].perhaps)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].path);
    }
}

static void a_path_from_the_wire_has_no_holes(void **state)
{
    (void)state;
    struct effect e = { .kind = EFFECT_READ, .object_kind = OBJECT_FILE, .object = (char[]){ "/srv/\x01" } };
    assert_true(glob_path("/srv/*", &e, SURELY));
    assert_false(glob_path("/srv/x", &e, PERHAPS));
    e.object = (char[]){ "/srv\xc0\xaf" };
    assert_false(glob_path("/srv/", &e, PERHAPS));
}

static void a_long_pattern_and_a_long_line_come_to_an_end(void **state)
{
    (void)state;
    char pattern[EFFECT_NAME_MAX + 1] = { 0 };
    CLEANUP(free) char *exact = calloc(1, EFFECT_TEXT_MAX);
    memset(pattern, '*', EFFECT_NAME_MAX - 1);
    pattern[EFFECT_NAME_MAX - 1] = 'b';
    memset(exact, 'a', EFFECT_TEXT_MAX - 1);
    struct effect e = { .kind = EFFECT_RUN, .object_kind = OBJECT_COMMAND, .exact = exact };
    assert_false(glob_command(pattern, &e, SURELY));
    assert_false(glob_command(pattern, &e, PERHAPS));
}

/* One rule with one block, from lists that end with NULL. */
struct rule_of_one {
    Ipc__Match match, outer, *blocks[1];
    Ipc__Rule rule, *rules[1];
    Ipc__Config config;
    struct rulebook *book;
};

static size_t length(char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static void given(struct rule_of_one *r, char **channels, char **commands, char **operations, char **opaque)
{
    static char name[] = "it", action[] = "allow";
    *r = (struct rule_of_one){ .match = IPC__MATCH__INIT,
                               .outer = IPC__MATCH__INIT,
                               .rule = IPC__RULE__INIT,
                               .config = IPC__CONFIG__INIT };
    r->match.channels = channels;
    r->match.n_channels = length(channels);
    r->match.commands = commands;
    r->match.n_commands = length(commands);
    r->match.operations = operations;
    r->match.n_operations = length(operations);
    r->match.opaque = opaque;
    r->match.n_opaque = length(opaque);
    r->blocks[0] = &r->match;
    r->rule.name = name;
    r->rule.action = action;
    r->rule.match = r->blocks;
    r->rule.n_match = 1;
    r->rules[0] = &r->rule;
    r->config.rules = r->rules;
    r->config.n_rules = 1;
}

static bool allows(struct rule_of_one *r, const char *channel, const struct effect *effect)
{
    struct circumstances who = { .target = "web1", .channel = channel };
    assert_int_equal(rulebook_new(&r->config, &r->book), 0);
    struct verdict v = rulebook_decide_effect(r->book, &who, effect);
    assert_int_equal(v.on_host, effect_is_on_host(effect));
    rulebook_free(r->book);
    return v.action == ACTION_ALLOW;
}

#define LIST(...)  ((char *[]){ __VA_ARGS__, NULL })
#define WORD(text) ((char[]){ text })

static const struct effect ls = {
    .kind = EFFECT_RUN, .object_kind = OBJECT_COMMAND, .object = (char *)"ls", .exact = (char *)"ls\x1f"
};
static const struct effect shell = { .kind = EFFECT_OPEN,
                                     .object_kind = OBJECT_CHANNEL,
                                     .object = (char *)"shell" };
static const struct effect file = { .kind = EFFECT_READ, .object_kind = OBJECT_FILE, .object = (char *)"/x" };
static const struct effect unknown = { .kind = EFFECT_UNKNOWN,
                                       .object_kind = OBJECT_COMMAND,
                                       .why = (char *)"?" };
static const struct effect unparsable = { .kind = EFFECT_UNPARSABLE,
                                          .object_kind = OBJECT_COMMAND,
                                          .why = (char *)"?" };
static const struct effect statement = { .kind = EFFECT_SELECT };
static const struct effect unknown_statement = { .kind = EFFECT_UNKNOWN, .why = (char *)"?" };

static void channels_are_of_the_circumstances(void **state)
{
    (void)state;
    struct rule_of_one r;
    given(&r, LIST(WORD("exec"), WORD("shell")), NULL, NULL, NULL);
    assert_true(allows(&r, "exec", &ls));
    assert_false(allows(&r, "sftp", &file));
    assert_false(allows(&r, NULL, &ls));
    assert_true(allows(&r, "shell", &shell));
    assert_false(allows(&r, "exec", &unknown));
    given(&r, LIST(WORD("sftp")), NULL, LIST(WORD("read")), NULL);
    assert_true(allows(&r, "sftp", &file));
    assert_false(allows(&r, "exec", &file));
}

static void commands_are_about_commands_alone(void **state)
{
    (void)state;
    struct rule_of_one r;
    given(&r, NULL, LIST(WORD("*")), NULL, NULL);
    assert_true(allows(&r, "exec", &ls));
    assert_false(allows(&r, "exec", &file));
    assert_false(allows(&r, "shell", &shell));
    assert_false(allows(&r, "exec", &unknown));
}

static void what_is_opaque_needs_to_be_named(void **state)
{
    (void)state;
    struct rule_of_one r;
    given(&r, NULL, NULL, NULL, LIST(WORD("unknown")));
    assert_true(allows(&r, "exec", &unknown));
    assert_false(allows(&r, "exec", &unparsable));
    assert_false(allows(&r, "exec", &ls));
    assert_false(allows(&r, NULL, &unknown_statement));
    given(&r, LIST(WORD("exec")), NULL, NULL, LIST(WORD("unparsable")));
    assert_true(allows(&r, "exec", &unparsable));
    assert_false(allows(&r, "shell", &unparsable));
}

static void conditions_on_sql_say_nothing_about_hosts(void **state)
{
    (void)state;
    struct rule_of_one r;
    given(&r, NULL, NULL, NULL, NULL);
    r.match.statements = LIST(WORD("unknown"));
    r.match.n_statements = 1;
    assert_true(allows(&r, NULL, &unknown_statement));
    assert_false(allows(&r, "exec", &unknown));
    given(&r, NULL, NULL, NULL, NULL);
    r.match.tables = LIST(WORD("secret"));
    r.match.n_tables = 1;
    r.outer.not_ = &r.match;
    r.blocks[0] = &r.outer;
    assert_true(allows(&r, NULL, &statement));
    assert_false(allows(&r, "exec", &ls));
    given(&r, NULL, LIST(WORD("rm *")), NULL, NULL);
    r.outer.not_ = &r.match;
    r.blocks[0] = &r.outer;
    assert_true(allows(&r, "exec", &ls));
    assert_false(allows(&r, NULL, &statement));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_of_commands_match_as_written),
        cmocka_unit_test(globs_of_paths_match_as_written),
        cmocka_unit_test(a_path_from_the_wire_has_no_holes),
        cmocka_unit_test(a_long_pattern_and_a_long_line_come_to_an_end),
        cmocka_unit_test(channels_are_of_the_circumstances),
        cmocka_unit_test(commands_are_about_commands_alone),
        cmocka_unit_test(what_is_opaque_needs_to_be_named),
        cmocka_unit_test(conditions_on_sql_say_nothing_about_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
