/* Which command lines are taken for a transfer, and for one of what. */
#include <stdio.h>
#include <string.h>
#include "check.h"
#include "policy/transfer_command.h"

#define HOLE "\x01"

/* "upload write:/a read:/b" */
static void describe(const struct transfer_command *c, char *out, size_t size)
{
    size_t n =
        (size_t)snprintf(out, size, "%s %s", transfer_program_name(c->program), c->upload ? "up" : "down");
    for (size_t i = 0; i < c->n_files; i++)
        n += (size_t)snprintf(out + n, size - n, " %s:%s", file_operation_name(c->files[i].operation),
                              c->files[i].path);
}

static void lines_are_read_as_the_targets_shell_reads_them(void **state)
{
    static const struct {
        const char *line, *means;
    } cases[] = {
        { "scp -t /a", "scp up write:/a" },
        { "scp -r -p -f -- '/a b'", "scp down read:/a b" },
        { "/usr/bin/scp -v -rpt ''", "scp up write:." },
        { "scp -f ~/a", "scp down read:./a" },
        { "scp -f \"a\\\"b\\c\"", "scp down read:a\"b\\c" },
        { "scp -f a\\ b", "scp down read:a b" },
        { "scp -f /a/*.txt", "scp down read:/a/" HOLE ".txt" },
        { "scp -f ~root/a", "scp down read:" HOLE "/a" },
        { "git-upload-pack 'repo'\\''s.git'", "git down read:repo's.git" },
        { "git receive-pack '/a'", "git up read:/a write:/a" },
        { "git-upload-archive '/a'", "git down read:/a" },
        { "rsync --server --sender -vlogDtpre.iLsfxCIvu . /a /b", "rsync down read:/a read:/b" },
        { "rsync --server -logDtprze.iLsfxCIvu --delete-during --partial . a/",
          "rsync up write:a/ remove:a/" },
        { "rsync --server -te.iLsf --link-dest=/l --temp-dir /t . /a", "rsync up read:/l write:" HOLE },
        { "rsync --server -te.iLsf --link-dest=/l --temp-dir=/t . /a", "rsync up read:/l write:/t write:/a" },
        { "rsync --server --sender --remove-source-files -te.i . /a", "rsync down read:/a remove:/a" },
        /* rsync's other options: anything may be meant */
        { "rsync --server --daemon .", "rsync up write:" HOLE },
        { "rsync --server --daemon --config=/a .", "rsync up write:" HOLE },
        { "rsync --server --sender -se.iLsfxCIvu . .", "rsync down write:" HOLE },
        { "rsync --server --sender -tLe.iLsfxCIvu . /a", "rsync down write:" HOLE },
        { "rsync --server --sender -te.i --log-file=/a . /b", "rsync down write:" HOLE },
        { "rsync --server --sender -te.i --files-from=/a . /b", "rsync down write:" HOLE },
        { "rsync --server -te/bin/sh . /b", "rsync up write:" HOLE },
        { "rsync --server -M--log-file=/x -te.i . /b", "rsync up write:" HOLE },
        { "rsync --server -te.i . /b --daemon", "rsync up write:/b write:" HOLE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CLEANUP(transfer_command_clear) struct transfer_command c;
        char means[512];
        assert_int_equal(transfer_command_read(cases[i].line, &c), 0);
        describe(&c, means, sizeof means);
        if (strcmp(means, cases[i].means) != 0)
            fail_msg("%s: %s", cases[i].line, means);
    }
}

static void other_lines_are_commands_like_any(void **state)
{
    static const char *const lines[] = {
        "",
        "ls",
        "scp",
        "scp -t",
        "scp -t /a /b",
        "scp -t -f /a",
        "scp -S /bin/sh -t /a",
        "scp /a host:/b",
        "scp -t /a; id",
        "scp -t /a && id",
        "scp -t $(id)",
        "scp -t `id`",
        "scp -t \"$HOME\"",
        "scp -t /a > /b",
        "scp -t /a\nid",
        "scp -t 'a",
        "X=1 scp -t /a",
        "env scp -t /a",
        "scp -t {a,b}",
        "scp -t /a # b",
        "* -t /a",
        "rsync /a /b",
        "rsync --sender --server . /a",
        "git-upload-pack --timeout=1 /a",
        "git-upload-pack",
        "git clone /a",
        "git -c core.x=y upload-pack /a",
        "git-shell /a",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        CLEANUP(transfer_command_clear) struct transfer_command c;
        assert_int_equal(transfer_command_read(lines[i], &c), 0);
        if (c.program != PROGRAM_OTHER)
            fail_msg("%s was taken for %s", lines[i], transfer_program_name(c.program));
    }
}

static void lines_of_any_length_are_read_or_left(void **state)
{
    static char line[COMMAND_WORDS_MAX * 8 + 64];
    struct transfer_command c;
    (void)state;
    size_t n = (size_t)snprintf(line, sizeof line, "rsync --server --sender -te.i .");
    for (int i = 0; i < COMMAND_WORDS_MAX - 5; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, " /a");
    assert_int_equal(transfer_command_read(line, &c), 0);
    assert_int_equal(c.n_files, COMMAND_WORDS_MAX - 5);
    transfer_command_clear(&c);
    (void)snprintf(line + n, sizeof line - n, " /a");
    assert_int_equal(transfer_command_read(line, &c), 0);
    assert_int_equal(c.program, PROGRAM_OTHER);
}

#define W "\x1f" /* EFFECT_WORD_END */

static void what_may_serve_files_is_known_by_its_words(void **state)
{
    static const struct {
        const char *words;
        bool serves;
    } cases[] = {
        { "scp" W "-t" W "/a" W, true },
        { "/usr/bin/scp" W "-v" W "-qf" W "/a" W, true },
        { "scp" W "\x01" W, true },
        { "scp" W "-\x01" W "/a" W, true },
        { "scp" W "--t" W "/a" W, false },
        { "scp" W "/a" W "host:/b" W, false },
        { "myscp" W "-t" W "/a" W, false },
        { "rsync" W "--unheard-of" W "--server" W "." W "/a" W, true },
        { "rsync" W "/a" W "/b" W, false },
        { "rsync" W "--servers" W, false },
        { "git-upload-pack" W, true },
        { "/x/git-receive-pack" W "/a" W, true },
        { "git-upload-archive" W "/a" W, true },
        { "git" W "-c" W "a=b" W "receive-pack" W "/a" W, true },
        { "git" W "status" W, false },
        { "git" W, false },
        { "", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (transfer_command_serves(cases[i].words) != cases[i].serves)
            fail_msg("case %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_the_targets_shell_reads_them),
        cmocka_unit_test(other_lines_are_commands_like_any),
        cmocka_unit_test(lines_of_any_length_are_read_or_left),
        cmocka_unit_test(what_may_serve_files_is_known_by_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
