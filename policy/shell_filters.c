/* awk, sed and git: programs that people and agents use all day, and that can run others if told to. What is
 * surely harmless of them is let through. */
#include <string.h>
#include "policy/shell_parts.h"

static const char RUNS[] = "what %s runs";

/* ---- awk and sed ---- */

static const char *const AWKS[] = { "awk", "gawk", "mawk", "nawk", "original-awk", NULL };

/* The program is the first operand; pipes, files, system() and what loads more are all it can do to others.
 */
static void run_awk(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    static const struct shell_options options = { "F:v:", "field-separator: assign:" };
    size_t i = shell_skip_options(&options, words, n);
    bool safe = i > 0 && i < n && words[i].known && !strpbrk(words[i].text, "|@") &&
                !strstr(words[i].text, "system") && !strstr(words[i].text, "getline") &&
                !strstr(words[i].text, "print >") && !strchr(words[i].text, '>');
    for (size_t k = i + 1; safe && k < n; k++)
        safe = words[k].known ? words[k].text[0] != '-' : !words[k].splits && *words[k].text != EFFECT_HOLE;
    if (!safe)
        shell_unknown(shell, RUNS, name);
}

/* One of `p`, `d`, `q`, `=` behind addresses of digits, $, comma and !, or one s or y with plain flags. */
static bool is_safe_sed(const char *script)
{
    script += strspn(script, "0123456789$,!~+ ");
    if (*script == '/') { /* an address */
        const char *end = strchr(script + 1, '/');
        if (!end || memchr(script, '\\', (size_t)(end - script)))
            return false;
        script = end + 1 + strspn(end + 1, ", !");
        if (*script == '/') {
            end = strchr(script + 1, '/');
            if (!end || memchr(script, '\\', (size_t)(end - script)))
                return false;
            script = end + 1;
        }
    }
    if (strcmp(script, "p") == 0 || strcmp(script, "d") == 0 || strcmp(script, "q") == 0 ||
        strcmp(script, "=") == 0 || strcmp(script, "$!N") == 0)
        return true;
    if ((*script != 's' && *script != 'y') || !script[1] || !strchr("/|#,:@%!", script[1]))
        return false;
    char delimiter = script[1];
    unsigned parts = 0;
    const char *at = script + 2;
    for (; *at && parts < 2; at++) {
        if (*at == '\n')
            return false;
        if (*at == '\\' && at[1])
            at++;
        else if (*at == delimiter)
            parts++;
    }
    return parts == 2 && strspn(at, "gpiI0123456789") == strlen(at);
}

static void run_sed(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    bool script = false, safe = true;
    for (size_t i = 1; i < n && safe; i++) {
        const char *word = words[i].text;
        if (!words[i].known) {
            safe = script && !words[i].splits && *word != EFFECT_HOLE && *word != '-';
        } else if (strcmp(word, "-e") == 0 || strcmp(word, "--expression") == 0) {
            safe = i + 1 < n && words[i + 1].known && is_safe_sed(words[++i].text);
            script = true;
        } else if (word[0] == '-' && word[1]) {
            /* -i.bak: the suffix may hold a directory; the file is rewritten in either case */
            safe = strncmp(word, "-i", 2) == 0 ? !strchr(word, '/')
                                               : strspn(word + 1, "nrEsuz") == strlen(word + 1);
        } else if (!script) {
            safe = is_safe_sed(word);
            script = true;
        }
    }
    if (!safe)
        shell_unknown(shell, RUNS, name);
}

/* ---- git ---- */

static const char *const GIT_COMMANDS[] = {
    "add",
    "am",
    "annotate",
    "apply",
    "archive",
    "blame",
    "branch",
    "bundle",
    "cat-file",
    "check-ignore",
    "checkout",
    "cherry",
    "cherry-pick",
    "clean",
    "clone",
    "commit",
    "count-objects",
    "describe",
    "diff",
    "diff-tree",
    "fetch",
    "for-each-ref",
    "format-patch",
    "fsck",
    "gc",
    "grep",
    "hash-object",
    "init",
    "log",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "merge",
    "merge-base",
    "mv",
    "name-rev",
    "notes",
    "prune",
    "pull",
    "push",
    "range-diff",
    "rebase",
    "reflog",
    "remote",
    "repack",
    "reset",
    "restore",
    "rev-list",
    "rev-parse",
    "revert",
    "rm",
    "shortlog",
    "show",
    "show-ref",
    "sparse-checkout",
    "stash",
    "status",
    "switch",
    "symbolic-ref",
    "tag",
    "update-index",
    "update-ref",
    "upload-pack",
    "receive-pack",
    "upload-archive",
    "verify-commit",
    "verify-tag",
    "version",
    "whatchanged",
    "worktree",
    "write-tree",
    NULL,
};
/* Options that name a program, or bring code along: letters of one command, and long ones of all. */
static const struct {
    const char *command, *letters;
} GIT_LETTERS[] = {
    { "clone", "cu" }, { "rebase", "xi" }, { "grep", "O" },        { "init", "c" },   { "add", "ie" },
    { "commit", "e" }, { "pull", "i" },    { "cherry-pick", "e" }, { "revert", "e" },
};
static const char *const GIT_LONGS[] = {
    "--config",   "--exec",     "--upload-pack", "--receive-pack", "--open-files-in-pager", "--ext-diff",
    "--textconv", "--template", "--interactive", "--edit",         "--upload-archive",      NULL,
};

/* Long options may be cut short. */
static bool git_option_runs(const char *command, const char *word)
{
    size_t n = strcspn(word, "=");
    if (strstr(word, "ext::"))
        return true;
    if (word[0] != '-')
        return false;
    for (size_t i = 0; word[1] != '-' && i < sizeof GIT_LETTERS / sizeof GIT_LETTERS[0]; i++)
        if (strcmp(GIT_LETTERS[i].command, command) == 0 && strpbrk(word, GIT_LETTERS[i].letters))
            return true;
    for (size_t i = 0; word[1] == '-' && n > 2 && GIT_LONGS[i]; i++) {
        size_t length = strlen(GIT_LONGS[i]);
        if (strncmp(word, GIT_LONGS[i], n < length ? n : length) == 0)
            return true;
    }
    return false;
}

static void run_git(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    static const struct shell_options options = { "C:P",
                                                  "no-pager git-dir: work-tree: bare no-replace-objects "
                                                  "literal-pathspecs no-optional-locks version help" };
    size_t i = shell_skip_options(&options, words, n);
    if (i == n)
        return;
    bool safe = i > 0 && words[i].known && shell_is_listed(GIT_COMMANDS, words[i].text);
    for (size_t k = i + 1; safe && k < n; k++) /* no end at --, which may be some option's value */
        safe = words[k].known ? !git_option_runs(words[i].text, words[k].text)
                              : !words[k].splits && !strchr("-\x01", *words[k].text);
    if (!safe)
        shell_unknown(shell, RUNS, name);
}

static const struct {
    const char *const *names;
    void (*run)(struct shell *shell, const char *name, const struct shell_word *words, size_t n);
} FILTERS[] = {
    { AWKS, run_awk },
    { (const char *const[]){ "sed", "gsed", NULL }, run_sed },
    { (const char *const[]){ "git", NULL }, run_git },
};

bool shell_filter(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    for (size_t i = 0; i < sizeof FILTERS / sizeof FILTERS[0]; i++)
        if (shell_is_listed(FILTERS[i].names, name)) {
            FILTERS[i].run(shell, name, words, n);
            return true;
        }
    return false;
}
