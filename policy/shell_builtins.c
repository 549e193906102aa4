/* Commands of the shell itself that run text, or change what later commands mean. The others are commands as
 * any. */
#include <string.h>
#include "policy/shell_parts.h"

static const char CHANGES[] = "%s changes what other commands mean";

static void run_eval(struct shell *shell, const struct shell_word *words, size_t n)
{
    if (n > 1)
        shell_joined(shell, "eval", words + 1, n - 1);
}

static void run_trap(struct shell *shell, const struct shell_word *words, size_t n)
{
    size_t i = 1;
    if (n > 1 && shell_is(&words[1], "--"))
        i++;
    else if (n > 1 && (shell_is(&words[1], "-l") || shell_is(&words[1], "-p")))
        return;
    if (i < n && !shell_is(&words[i], "-"))
        shell_joined(shell, "trap", words + i, 1);
    /* in between whatever else runs, what is not the line's included */
    static const char *const all_over[] = { "DEBUG", "RETURN", "ERR", "debug", "return", "err", NULL };
    for (size_t k = i + 1; shell->left && k < n; k++)
        if (!words[k].known || shell_is_listed(all_over, words[k].text))
            shell_unknown(shell, "a trap that runs between other commands");
}

static void run_unknown(struct shell *shell, const struct shell_word *words, size_t n)
{
    (void)n;
    shell_unknown(shell, CHANGES, words[0].text);
}

/* Without operands they list. */
static void run_alias(struct shell *shell, const struct shell_word *words, size_t n)
{
    if (n > 1)
        run_unknown(shell, words, n);
}

static void run_set(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const char *const names[] = { "errexit", "nounset",   "pipefail", "xtrace", "noglob",
                                         "verbose", "noclobber", "monitor",  "noexec", "errtrace" };
    for (size_t i = 1; i < n; i++) {
        const char *word = words[i].text;
        if (shell->left && (strchr(word, 'n') || (i + 1 < n && shell_is(&words[i + 1], "noexec"))) &&
            (*word == '-' || *word == '+' || *word == EFFECT_HOLE)) {
            shell_unknown(shell, "set -n: the shell would run nothing any more");
            return;
        }
        if (words[i].known && (strcmp(word, "--") == 0 || (*word != '-' && *word != '+')))
            return; /* what follows are arguments */
        bool letters = words[i].known && strspn(word + 1, "euxvfnCEThbmo") == strlen(word + 1);
        if (letters && word[1] && word[strlen(word) - 1] == 'o') {
            bool good = i + 1 == n;
            for (size_t k = 0; i + 1 < n && k < sizeof names / sizeof names[0]; k++)
                good |= shell_is(&words[i + 1], names[k]);
            letters = good;
            i++;
        }
        if (!letters) {
            run_unknown(shell, words, n);
            return;
        }
    }
}

/* declare x='(…)': to an array bash reads the value as one in brackets, whose words it expands, substitutions
 * and all; for declare and with -a also when it came out of a variable. */
static bool is_array_value(const struct shell_word *word, const char *value, bool arrays)
{
    return *value == '(' || (arrays && !word->known && *value == EFFECT_HOLE);
}

/* Operands that are names of variables, perhaps with a value; arrays: one that may be an array's. */
static void set_variables(struct shell *shell, const char *who, const struct shell_word *words, size_t n,
                          bool arrays)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(words[i].text, "=+");
        bool value = words[i].text[length] == '=' || strncmp(words[i].text + length, "+=", 2) == 0;
        if (value && is_array_value(&words[i], strchr(words[i].text, '=') + 1, arrays))
            shell_unknown(shell, "what %s makes of a value that may be an array's", who);
        if (!shell_is_name(words[i].text, words[i].text + length) || (!words[i].known && !value) ||
            (words[i].text[length] && !value))
            shell_unknown(shell, "which variable %s sets", who);
        else
            shell_set_variable(shell, words[i].text, length);
    }
}

static const struct {
    const char *name;
    struct shell_options options; /* those that leave the operands names */
} SETTERS[] = {
    { "export", { "xp", NULL } },
    { "readonly", { "pxar", NULL } },
    { "declare", { "xrgpaAl", NULL } },
    { "typeset", { "xrgpaAl", NULL } },
    { "local", { "xraA", NULL } },
    { "unset", { "v", NULL } },
    { "read", { "rsp:n:N:t:d:u:a:", NULL } }, /* -e: readline has keys that run what is typed */
    { "mapfile", { "td:n:O:s:u:", NULL } },
    { "readarray", { "td:n:O:s:u:", NULL } },
};

/* read -a NAME, -aNAME: among the options. */
static void set_arrays(struct shell *shell, const struct shell_word *words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const char *a = words[i].text[0] == '-' ? strchr(words[i].text, 'a') : NULL;
        if (!a)
            continue;
        struct shell_word name = words[i];
        name.text = a + 1;
        if (a[1])
            set_variables(shell, "read", &name, 1, false);
        else if (i + 1 < n)
            set_variables(shell, "read", &words[i + 1], 1, false);
    }
}

static bool run_setter(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    for (size_t i = 0; i < sizeof SETTERS / sizeof SETTERS[0]; i++) {
        if (strcmp(SETTERS[i].name, name) != 0)
            continue;
        size_t first = shell_skip_options(&SETTERS[i].options, words, n);
        bool arrays = strcmp(name, "declare") == 0 || strcmp(name, "typeset") == 0;
        for (size_t k = 1; k < first && k < n; k++)
            arrays |= strpbrk(words[k].text, "aA") != NULL;
        if (first == 0)
            shell_unknown(shell, "which variable %s sets", name);
        else
            set_variables(shell, name, words + first, n - first, arrays);
        if (strcmp(name, "read") == 0)
            set_arrays(shell, words, first < n ? first : n);
        return true;
    }
    return false;
}

static void run_printf(struct shell *shell, const struct shell_word *words, size_t n)
{
    if (n < 2)
        return;
    if (!words[1].known && (*words[1].text == EFFECT_HOLE || *words[1].text == '-' || words[1].splits))
        shell_unknown(shell, "which variable printf sets");
    else if (strncmp(words[1].text, "-v", 2) == 0)
        shell_unknown(shell, "which variable printf sets");
}

static void run_wait(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const char job[] = "\"$!\"";
    for (size_t i = 1; i < n && !shell_is(&words[i], "--"); i++) {
        size_t length = (size_t)(words[i].to - words[i].from);
        bool last = (length == 2 && memcmp(words[i].from, job + 1, 2) == 0) ||
                    (length == 4 && memcmp(words[i].from, job, 4) == 0);
        if (words[i].known ? words[i].text[0] == '-' && strchr(words[i].text, 'p')
                           : !last && strchr("-\x01", *words[i].text))
            shell_unknown(shell, "which variable wait sets; write wait -- \"$x\"");
    }
}

/* test -v 'a[$(reboot)]' runs it. */
static void run_test(struct shell *shell, const struct shell_word *words, size_t n)
{
    bool evaluates = false;
    for (size_t i = 1; i < n; i++) {
        /* "$x" may be -v, where what follows may be an index */
        bool may_be = !words[i].known && strchr("-\x01", *words[i].text) && i + 1 < n &&
                      (!words[i + 1].known || strchr(words[i + 1].text, '['));
        evaluates |= shell_is(&words[i], "-v") || shell_is(&words[i], "-R") || words[i].splits || may_be;
    }
    size_t operands = n - 1 - (n > 1 && shell_is(&words[n - 1], "]"));
    if (evaluates || (operands == 2 && !words[1].known))
        shell_unknown(shell, "what %s evaluates; quote what is expanded", words[0].text);
}

static void run_getopts(struct shell *shell, const struct shell_word *words, size_t n)
{
    if (n > 1 && words[1].splits)
        shell_unknown(shell, "which variable getopts sets");
    else if (n > 2)
        set_variables(shell, "getopts", words + 2, 1, false);
}

/* ksh and zsh take numbers for arithmetic, and in an index a substitution runs. */
static void check_numbers(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    static const char *const counts[] = { "test",  "[",        "shift",  "exit", "return",
                                          "break", "continue", "ulimit", "read", NULL };
    for (size_t i = 1; shell_is_listed(counts, name) && i < n; i++)
        if (words[i].known && strchr(words[i].text, '[') && strpbrk(words[i].text, "$`")) {
            shell_unknown(shell, "what %s evaluates", name);
            return;
        }
}

static const struct {
    const char *name;
    void (*run)(struct shell *shell, const struct shell_word *words, size_t n);
} BUILTINS[] = {
    { "eval", run_eval },         { "trap", run_trap },        { ".", run_unknown },
    { "source", run_unknown },    { "alias", run_alias },      { "unalias", run_alias },
    { "hash", run_alias },        { "enable", run_alias },     { "shopt", run_alias },
    { "bind", run_unknown },      { "complete", run_unknown }, { "compgen", run_unknown },
    { "compopt", run_unknown },   { "fc", run_unknown },       { "let", run_unknown },
    { "set", run_set },           { "setopt", run_unknown },   { "unsetopt", run_unknown },
    { "emulate", run_unknown },   { "zmodload", run_unknown }, { "autoload", run_unknown },
    { "functions", run_unknown }, { "disable", run_unknown },  { "rehash", run_alias },
    { "jobs", run_alias },        { "coproc", run_unknown },   { "history", run_alias },
    { "integer", run_unknown },   { "float", run_unknown },    { "nameref", run_unknown },
    { "vared", run_unknown },     { "zle", run_unknown },      { "sched", run_unknown },
    { "getopts", run_getopts },   { "printf", run_printf },    { "wait", run_wait },
    { "test", run_test },         { "[", run_test },
};

bool shell_builtin(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    check_numbers(shell, name, words, n);
    for (size_t i = 0; i < sizeof BUILTINS / sizeof BUILTINS[0]; i++)
        if (strcmp(BUILTINS[i].name, name) == 0) {
            BUILTINS[i].run(shell, words, n);
            return true;
        }
    return run_setter(shell, name, words, n);
}
