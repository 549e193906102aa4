/* Simple commands, assignments and redirections, as effects.
 *
 * A command that runs another one is an effect itself, and so is what it runs: a rule for `sudo *` decides
 * who may use sudo, and what for is decided as if it were typed without. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include "policy/shell_parts.h"

bool shell_is_name(const char *from, const char *to)
{
    if (from == to || (*from >= '0' && *from <= '9'))
        return false;
    for (; from < to; from++) {
        char c = *from;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

bool shell_is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

bool shell_is(const struct shell_word *word, const char *text)
{
    return word->known && strcmp(word->text, text) == 0;
}

static void add(struct shell *shell, int r)
{
    if (r == -ENOBUFS || r == -ENAMETOOLONG)
        shell_refuse(shell, "it does too much");
    else if (r < 0 && shell->error == 0)
        shell->error = r;
}

/* What people read: as written where there is a hole. */
static void shown_text(const struct shell_word *word, const char **ret_text, size_t *ret_n)
{
    *ret_text = word->known ? word->text : word->from;
    *ret_n = word->known ? strlen(word->text) : (size_t)(word->to - word->from);
}

static void add_run(struct shell *shell, const struct shell_word *words, size_t n)
{
    size_t shown_size = 1, exact_size = 1, length;
    const char *text;
    for (size_t i = 0; i < n; i++) {
        shown_text(&words[i], &text, &length);
        shown_size += length + 1;
        exact_size += strlen(words[i].text) + 1;
    }
    char *shown = shell_alloc(shell, shown_size), *exact = shell_alloc(shell, exact_size);
    if (!shown || !exact)
        return;
    char *at = shown, *exact_at = exact;
    for (size_t i = 0; i < n; i++) {
        shown_text(&words[i], &text, &length);
        if (i > 0)
            *at++ = ' ';
        memcpy(at, text, length);
        at += length;
        length = strlen(words[i].text);
        memcpy(exact_at, words[i].text, length);
        exact_at += length;
        *exact_at++ = EFFECT_WORD_END;
    }
    if (!*shown)
        return; /* `""`: not found, whatever follows */
    add(shell, effects_add_exact(shell->effects, EFFECT_RUN, OBJECT_COMMAND, shown, exact));
}

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Wrappers that are the shell's own: what they run may change it. */
static const char *const STAYS[] = { "command", "builtin", "exec", "time", "-", NULL };

void shell_run(struct shell *shell, const struct shell_word *words, size_t n)
{
    if (n == 0 || shell_failed(shell))
        return;
    if (++shell->commands > SHELL_COMMANDS_MAX) {
        shell_refuse(shell, "it has too many commands");
        return;
    }
    /* zsh takes =name for the path of a program, and every shell %1 for a job; what begins with - is an
     * option that was not seen as one. */
    bool odd = strchr("=%-", *words[0].text) && *words[0].text && strcmp(words[0].text, "-") != 0;
    if (!words[0].known || odd) {
        shell_unknown(shell, "what %.*s runs", (int)(words[0].to - words[0].from), words[0].from);
        return;
    }
    if (!shell_enter(shell))
        return;
    add_run(shell, words, n);
    const char *name = base_name(words[0].text);
    bool elsewhere = !shell_is_listed(STAYS, name);
    shell->elsewhere += elsewhere;
    bool found = shell_wrapper(shell, name, words, n) || shell_program(shell, name, words, n) ||
                 shell_filter(shell, name, words, n);
    shell->elsewhere -= elsewhere;
    if (!found)
        (void)shell_builtin(shell, name, words, n);
    shell_leave(shell);
}

/* ---- variables ---- */

/* Those that decide what later commands mean, or which programs others start. */
static const char *const DECISIVE[] = {
    "PATH",      "IFS",         "ENV",         "HOME",        "SHELL",       "CDPATH",      "SHELLOPTS",
    "BASHOPTS",  "BASH*",       "PS[0-9]",     "PROMPT*",     "FUNCNEST",    "GLOBIGNORE",  "EXECIGNORE",
    "POSIXLY_*", "histchars",   "LD_*",        "DYLD_*",      "LOCPATH",     "NLSPATH",     "GCONV_PATH",
    "TERMINFO*", "MALLOC_*",    "GLIBC_*",     "*PAGER",      "*EDITOR",     "VISUAL",      "BROWSER",
    "*ASKPASS",  "*_RSH",       "LESS*",       "MANOPT",      "GIT_*",       "SSH_*",       "SUDO_*",
    "PERL*",     "PYTHON*",     "RUBY*",       "NODE_*",      "NPM_*",       "npm_*",       "LUA_*",
    "PHP*",      "*JAVA*",      "JDK_*",       "AWK*",        "TAR_OPTIONS", "MAKE*",       "GNUMAKE*",
    "CC",        "CXX",         "CPP",         "XDG_*",       "FPATH",       "ZDOTDIR",     "ZSH*",
    "path",      "fpath",       "cdpath",      "module_path", "KSH*",        "HOSTALIASES", "RES_OPTIONS",
    "OPENSSL_*", "*_PRELOAD",   "WATCH*",      "FZF_*",       "DOCKER_*",    "KUBE*",       "ANSIBLE_*",
    "VIM*",      "EXINIT",      "HISTFILE",    "TMPDIR",      "GPG_*",       "GNUPG*",      "PKG_CONFIG*",
    "SYSTEMD_*", "TMUX*",       "STY",         "MAIL*",       "TMOUT",       "TEXTDOMAIN*", "LANGUAGE",
    "FCEDIT",    "INPUTRC",     "auto_resume", "TAPE",        "RSYNC_*",     "PSQLRC",      "MYSQL_*",
    "HELM_*",    "GEM_*",       "BUNDLE_*",    "CARGO*",      "RUST*",       "GO*",         "GTK_*",
    "QT_*",      "CONFIG_SITE", "APT_*",       "DPKG_*",      "WGETRC",      "CURL_HOME",   "GROFF*",
    "MANPATH",   "TERMCAP",
};

static bool is_decisive(const char *name)
{
    for (size_t i = 0; i < sizeof DECISIVE / sizeof DECISIVE[0]; i++)
        if (fnmatch(DECISIVE[i], name, 0) == 0)
            return true;
    return false;
}

void shell_set_variable(struct shell *shell, const char *name, size_t n)
{
    char *copy = shell_copy(shell, name, n);
    if (copy && shell->left && shell->elsewhere == 0 &&
        (strncmp(copy, "_gh", 3) == 0 || strcmp(copy, "PWD") == 0))
        shell_unknown(shell, "%.80s is set, which the shell itself needs here", copy);
    if (copy && is_decisive(copy))
        shell_unknown(shell, "%.80s is set, which decides what others do", copy);
}

void shell_assign(struct shell *shell, const struct shell_word *word, size_t n)
{
    if (shell_failed(shell))
        return;
    if (++shell->commands > SHELL_COMMANDS_MAX)
        shell_refuse(shell, "it has too many commands");
    add_run(shell, word, 1);
    shell_set_variable(shell, word->text, n);
}

/* ---- redirections ---- */

/* Nothing comes of these. */
static bool is_harmless(const char *path)
{
    static const char *const paths[] = { "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr",
                                         "/dev/tty" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    /* from 10 on they are the shell's own: what it reads its commands from, for example */
    return strncmp(path, "/dev/fd/", 8) == 0 && path[8] >= '0' && path[8] <= '9' && path[9] == '\0';
}

static void add_file(struct shell *shell, enum file_operation operation, const struct shell_word *word)
{
    static const char hole[] = { EFFECT_HOLE, '\0' };
    if (word->known) {
        if (!is_harmless(word->text))
            add(shell, ssh_effect_file(shell->effects, operation, word->text));
        return;
    }
    /* Whatever stands before the last hole, there may be a ".." in that. */
    const char *shown = shell_copy(shell, word->from, (size_t)(word->to - word->from));
    if (!shown)
        return;
    const char *rest = strrchr(word->text, EFFECT_HOLE);
    enum effect_kind kind = (enum effect_kind)((int)EFFECT_READ + (int)operation);
    add(shell, effects_add_exact(shell->effects, kind, OBJECT_FILE, shown,
                                 rest && !strstr(rest, "..") && !word->many ? rest : hole));
}

void shell_redirect(struct shell *shell, enum file_operation operation, const struct shell_word *word)
{
    if (shell_failed(shell))
        return;
    if (word->to - word->from >= 2 && (*word->from == '<' || *word->from == '>'))
        return; /* a process substitution: what runs in it was seen */
    if (word->known && (strncmp(word->text, "/dev/tcp/", 9) == 0 || strncmp(word->text, "/dev/udp/", 9) == 0))
        shell_unknown(shell, "a connection to %.80s", word->text + 9);
    add_file(shell, operation, word);
}
