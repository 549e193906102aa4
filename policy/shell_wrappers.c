/* Commands whose arguments are another command. Their options must be known, or it cannot be told where the
 * other one begins. */
#include <string.h>
#include "policy/shell_parts.h"

/* ---- options ---- */

/* 1: known; 2: known, and has a value; 0: not known. */
static int find_long(const char *longs, const char *name, size_t n)
{
    while (longs && *longs) {
        size_t length = strcspn(longs, " ");
        bool value = longs[length - 1] == ':';
        if (length - value == n && memcmp(longs, name, n) == 0)
            return value ? 2 : 1;
        longs += length;
        longs += *longs == ' ';
    }
    return 0;
}

static int find_letter(const char *letters, char c)
{
    const char *at = c != ':' && letters ? strchr(letters, c) : NULL;
    return !at ? 0 : at[1] == ':' ? 2 : 1;
}

/* Whether the option in `word` is known; *ret_value: and its value is the next word. */
static bool take_option(const struct shell_options *options, const char *word, bool *ret_value)
{
    *ret_value = false;
    if (word[1] == '-') {
        size_t n = strcspn(word + 2, "=");
        int found = find_long(options->longs, word + 2, n);
        *ret_value = found == 2 && word[2 + n] == '\0';
        return found > 0 && (found == 2 || word[2 + n] == '\0');
    }
    for (const char *at = word + 1; *at; at++) {
        int found = find_letter(options->letters, *at);
        if (found == 0)
            return false;
        if (found == 2) {
            *ret_value = at[1] == '\0';
            return true;
        }
    }
    return true;
}

size_t shell_skip_options(const struct shell_options *options, const struct shell_word *words, size_t n)
{
    size_t i = 1;
    while (i < n) {
        const struct shell_word *word = &words[i];
        if (!word->known)
            return word->splits || word->many || *word->text == EFFECT_HOLE || *word->text == '-' ? 0 : i;
        if (word->text[0] != '-' || word->text[1] == '\0')
            return i;
        if (strcmp(word->text, "--") == 0)
            return i + 1;
        bool value;
        if (!take_option(options, word->text, &value))
            return 0;
        i++;
        if (value && i < n && (words[i].splits || words[i].many))
            return 0;
        i += value;
    }
    return n;
}

void shell_joined(struct shell *shell, const char *who, const struct shell_word *words, size_t n)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++) {
        if (!words[i].known) {
            shell_unknown(shell, "what %s runs", who);
            return;
        }
        size += strlen(words[i].text) + 1;
    }
    char *text = shell_alloc(shell, size), *at = text;
    if (!text)
        return;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(words[i].text);
        memcpy(at, words[i].text, length);
        at += length;
        if (i + 1 < n)
            *at++ = ' ';
    }
    shell_text(shell, text, (size_t)(at - text));
}

/* ---- the usual ones ---- */

enum wrapper_flags {
    ASSIGNMENTS = 1, /* NAME=value may come first */
    BARE_SHELL = 2,  /* without a command it is a shell */
    JOINED = 4,      /* what follows is a text for a shell */
    NUMBER = 8,      /* the operand is one, or it is left out */
};

static const struct wrapper {
    const char *name;
    struct shell_options options;
    size_t operands; /* before the command */
    unsigned flags;
} WRAPPERS[] = {
    { "nohup", { NULL, NULL }, 0, 0 },
    { "nice", { "n:0123456789", "adjustment:" }, 0, 0 },
    { "ionice", { "c:n:t", "class: classdata: ignore" }, 0, 0 },
    { "timeout", { "k:s:v", "kill-after: signal: foreground preserve-status verbose" }, 1, 0 },
    { "setsid", { "cfw", "ctty fork wait" }, 0, 0 },
    { "stdbuf", { "i:o:e:", "input: output: error:" }, 0, 0 },
    { "chroot", { NULL, "userspec: groups: skip-chdir" }, 1, BARE_SHELL },
    { "time", { "apvf:o:", "append portability verbose format: output: quiet" }, 0, 0 },
    { "taskset", { "ac", "all-tasks cpu-list" }, 1, 0 },
    { "chrt", { "abfiormv", "all-tasks batch fifo idle other rr" }, 1, NUMBER },
    { "sudo",
      { "bEHnPSAku:g:C:T:D:R:h:p:r:t:", "user: group: non-interactive preserve-env set-home stdin" },
      0,
      ASSIGNMENTS },
    { "doas", { "Lnu:C:", NULL }, 0, 0 },
    { "env", { "i0vu:C:", "ignore-environment null debug unset: chdir:" }, 0, ASSIGNMENTS },
    { "command", { "p", NULL }, 0, 0 },
    { "builtin", { NULL, NULL }, 0, 0 },
    { "exec", { "cl", NULL }, 0, 0 },
    { "busybox", { NULL, NULL }, 0, 0 },
    { "toybox", { NULL, NULL }, 0, 0 },
    { "watch",
      { "bcdegptn:q:wr", "beep color differences errexit chgexit interval: no-title precise no-wrap" },
      0,
      JOINED },
    { "gosu", { NULL, NULL }, 1, BARE_SHELL },
    { "su-exec", { NULL, NULL }, 1, BARE_SHELL },
    { "chronic", { "ev", NULL }, 0, 0 },
    { "fakeroot", { NULL, NULL }, 0, BARE_SHELL },
    { "tini", { "sgvp:e:", NULL }, 0, 0 },
    { "dumb-init", { "cv", NULL }, 0, 0 },
    { "-", { NULL, NULL }, 0, 0 }, /* env - */
};

/* The words from the first on that are assignments. */
static size_t take_assignments(struct shell *shell, const struct shell_word *words, size_t n)
{
    size_t i = 0;
    for (; i < n; i++) {
        size_t name = strcspn(words[i].text, "=");
        if (words[i].text[name] != '=' || words[i].splits || words[i].many)
            break;
        if (shell_is_name(words[i].text, words[i].text + name))
            shell_assign(shell, &words[i], name);
        else /* env takes any name: a.b, BASH_FUNC_ls%% */
            shell_unknown(shell, "a variable with an unusual name is set");
    }
    return i;
}

static void run_wrapped(struct shell *shell, const struct wrapper *wrapper, const struct shell_word *words,
                        size_t n)
{
    size_t i = shell_skip_options(&wrapper->options, words, n);
    bool unclear = i == 0;
    for (size_t k = 0; k < wrapper->operands && i < n && !unclear; k++, i++)
        unclear = words[i].splits || words[i].many ||
                  ((wrapper->flags & NUMBER) && !strchr("0123456789", *words[i].text));
    if (!unclear && (wrapper->flags & ASSIGNMENTS))
        i += take_assignments(shell, words + i, n - i);
    if (unclear || (i >= n && (wrapper->flags & BARE_SHELL)))
        shell_unknown(shell, "what %s runs", wrapper->name);
    else if (i < n && (wrapper->flags & JOINED))
        shell_joined(shell, wrapper->name, words + i, n - i);
    else if (i < n)
        shell_run(shell, words + i, n - i);
}

/* ---- others ---- */

/* The command with holes in the place of `place` (NULL, or without one: at its end), which is what gets in
 * from outside. */
static void run_with_hole(struct shell *shell, const struct shell_word *words, size_t n, const char *place)
{
    static const char hole[] = { EFFECT_HOLE, '\0' };
    static const char dots[] = "...";
    struct shell_word *copy = shell_alloc(shell, (n + 1) * sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, words, n * sizeof *copy);
    bool placed = false;
    for (size_t i = 0; place && i < n; i++)
        if (strstr(copy[i].text, place)) {
            copy[i].text = hole;
            copy[i].known = false;
            placed = true;
        }
    if (!placed)
        copy[n++] = (struct shell_word){
            .text = hole, .from = dots, .to = dots + sizeof dots - 1, .splits = true, .many = true
        };
    shell_run(shell, copy, n);
}

static void run_xargs(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const struct shell_options options = { "0rtpxoa:d:E:I:L:n:P:s:",
                                                  "null no-run-if-empty verbose interactive exit open-tty "
                                                  "arg-file: delimiter: max-args: max-procs: max-chars: "
                                                  "max-lines:" };
    const char *place = NULL;
    size_t i = shell_skip_options(&options, words, n);
    if (i == 0) {
        shell_unknown(shell, "what xargs runs");
        return;
    }
    for (size_t k = 1; k < i && k < n; k++)
        if (words[k].text[0] == '-' && words[k].text[1] != '-' && strchr(words[k].text, 'I')) {
            const char *rest = strchr(words[k].text, 'I') + 1;
            place = *rest ? rest : k + 1 < n ? words[k + 1].text : NULL;
        }
    if (place && !*place)
        place = NULL;
    if (i < n)
        run_with_hole(shell, words + i, n - i, place);
}

static bool is_one_of(const struct shell_word *word, const char *const *list)
{
    for (; *list; list++)
        if (shell_is(word, *list))
            return true;
    return false;
}

static const char *const FIND_EXEC[] = { "-exec", "-ok", "-execdir", "-okdir", NULL };
static const char *const FIND_WRITE[] = { "-fprint", "-fprint0", "-fls", "-fprintf", NULL };
static const char *const FIND_VALUE[] = {
    "-name",  "-iname",    "-path",     "-ipath", "-wholename", "-regex",  "-iregex", "-lname",
    "-type",  "-xtype",    "-mtime",    "-mmin",  "-atime",     "-amin",   "-ctime",  "-cmin",
    "-newer", "-anewer",   "-cnewer",   "-size",  "-user",      "-group",  "-uid",    "-gid",
    "-perm",  "-maxdepth", "-mindepth", "-links", "-inum",      "-printf", NULL,
};

/* From behind -exec on; returns the index of what ends it. */
static size_t run_found(struct shell *shell, const struct shell_word *words, size_t from, size_t n)
{
    size_t end = from;
    bool ok = strncmp(words[from - 1].text, "-ok", 3) == 0; /* where + ends nothing */
    /* One of its words may bring the end, and more of find's own; to busybox any + is one. */
    bool unclear = false;
    for (; end < n && !shell_is(&words[end], ";"); end++) {
        if (!ok && shell_is(&words[end], "+") && end > from && shell_is(&words[end - 1], "{}"))
            break;
        unclear |= words[end].splits || words[end].many || shell_is(&words[end], "+");
    }
    if (end == n || unclear)
        shell_unknown(shell, "what find runs");
    else
        run_with_hole(shell, words + from, end - from, "{}");
    return end;
}

static void run_find(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const char found[] = "what find finds", hole[] = { EFFECT_HOLE, '\0' };
    static const struct shell_word file = { .text = hole, .from = found, .to = found + sizeof found - 1 };
    for (size_t i = 1; i < n; i++) {
        if (is_one_of(&words[i], FIND_EXEC)) {
            i = run_found(shell, words, i + 1, n);
        } else if (shell_is(&words[i], "-delete")) {
            shell_redirect(shell, FILE_REMOVE, &file);
        } else if (is_one_of(&words[i], FIND_WRITE)) {
            if (i + 1 < n)
                shell_redirect(shell, FILE_WRITE, &words[i + 1]);
        } else if (words[i].splits || (words[i].many && !strchr(words[i].text, '.')) ||
                   (!words[i].known && strchr("-\x01", *words[i].text) &&
                    !is_one_of(&words[i - 1], FIND_VALUE))) {
            shell_unknown(shell, "what find does");
        }
    }
}

/* su [options] [-] [user] -c text */
static void run_su(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const struct shell_options options = { "lmpPc:g:G:w:",
                                                  "login preserve-environment pty command: group:" };
    const struct shell_word *text = NULL;
    struct shell_word rest;
    for (size_t i = 1; i < n; i++) {
        bool value = false;
        const char *word = words[i].text;
        if (!words[i].known || (word[0] == '-' && word[1] && !take_option(&options, word, &value))) {
            text = NULL;
            break;
        }
        if (value && i + 1 < n &&
            (shell_is(&words[i], "-c") || shell_is(&words[i], "--command") ||
             (word[1] != '-' && word[strlen(word) - 1] == 'c')))
            text = &words[i + 1];
        if (strncmp(word, "--command=", 10) == 0) {
            rest = words[i];
            rest.text += 10;
            text = &rest;
        }
        i += value;
    }
    if (text)
        shell_joined(shell, "su", text, 1);
    else
        shell_unknown(shell, "what su runs");
}

/* ssh … host command */
static void run_ssh(struct shell *shell, const struct shell_word *words, size_t n)
{
    static const struct shell_options options = { "46AaCfGgKkMNnqsTtVvXxYyb:c:D:E:e:i:J:L:l:m:O:p:Q:R:W:w:B:",
                                                  NULL };
    size_t i = shell_skip_options(&options, words, n);
    bool unclear = i == 0 || i + 1 >= n || words[i].splits || words[i].many || words[i + 1].text[0] == '-' ||
                   words[i + 1].text[0] == EFFECT_HOLE;
    if (unclear)
        shell_unknown(shell, "what ssh runs");
    else
        shell_joined(shell, "ssh", words + i + 1, n - i - 1);
}

static const struct {
    const char *name;
    void (*run)(struct shell *shell, const struct shell_word *words, size_t n);
} OTHERS[] = {
    { "xargs", run_xargs }, { "find", run_find }, { "gfind", run_find }, { "su", run_su },
    { "runuser", run_su },  { "ssh", run_ssh },   { "slogin", run_ssh },
};

/* command -v, sudo -l: it only tells */
static bool only_tells(const char *name, const struct shell_word *words, size_t n)
{
    if (n < 2 || !words[1].known)
        return false;
    if (strcmp(name, "command") == 0)
        return shell_is(&words[1], "-v") || shell_is(&words[1], "-V");
    return shell_is(&words[1], "--version") || shell_is(&words[1], "--help");
}

bool shell_wrapper(struct shell *shell, const char *name, const struct shell_word *words, size_t n)
{
    for (size_t i = 0; i < sizeof WRAPPERS / sizeof WRAPPERS[0]; i++)
        if (strcmp(WRAPPERS[i].name, name) == 0) {
            if (!only_tells(name, words, n))
                run_wrapped(shell, &WRAPPERS[i], words, n);
            return true;
        }
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (strcmp(OTHERS[i].name, name) == 0) {
            OTHERS[i].run(shell, words, n);
            return true;
        }
    return false;
}
