/* The user's words are parsed here by psql's own rules (getopt_long with permutation and abbreviations) and
 * written anew, so that what is checked is what psql gets. Everything about where to connect is refused: it
 * is the target's. Everything about files is refused with the way that works instead; the sandbox would only
 * say "Permission denied". */
#include "server/launcher_psql.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "base/text.h"

enum { SHOWN_MAX = 80 }; /* bytes of the user's word in a message */

enum takes { NOTHING, VALUE, PERHAPS };

struct option {
    char letter; /* or 0 */
    const char *name;
    enum takes takes;
    const char *refusal; /* why it is not offered; or NULL */
};

#define DECIDED   "the target decides which server, database and user"
#define NO_OUTPUT "psql has no files here: redirect its output on your side"

/* clang-format off */
static const struct option options[] = { /* psql 15 to 18 */
    { 'a', "echo-all", NOTHING, NULL },         { 'A', "no-align", NOTHING, NULL },
    { 'b', "echo-errors", NOTHING, NULL },      { 'c', "command", VALUE, NULL },
    { 'd', "dbname", VALUE, DECIDED },          { 'e', "echo-queries", NOTHING, NULL },
    { 'E', "echo-hidden", NOTHING, NULL },      { 'f', "file", VALUE, NULL },
    { 'F', "field-separator", VALUE, NULL },    { 'h', "host", VALUE, DECIDED },
    { 'H', "html", NOTHING, NULL },             { 'l', "list", NOTHING, NULL },
    { 'L', "log-file", VALUE, NO_OUTPUT },      { 'n', "no-readline", NOTHING, NULL },
    { 'o', "output", VALUE, NO_OUTPUT },        { 'p', "port", VALUE, DECIDED },
    { 'P', "pset", VALUE, NULL },               { 'q', "quiet", NOTHING, NULL },
    { 'R', "record-separator", VALUE, NULL },   { 's', "single-step", NOTHING, NULL },
    { 'S', "single-line", NOTHING, NULL },      { 't', "tuples-only", NOTHING, NULL },
    { 'T', "table-attr", VALUE, NULL },         { 'U', "username", VALUE, DECIDED },
    { 'v', "variable", VALUE, NULL },           { 'v', "set", VALUE, NULL },
    { 'V', "version", NOTHING, NULL },          { 'w', "no-password", NOTHING, NULL },
    { 'W', "password", NOTHING, "there is no password to type: Gatehouse logs in for you" },
    { 'x', "expanded", NOTHING, NULL },         { 'X', "no-psqlrc", NOTHING, NULL },
    { 'z', "field-separator-zero", NOTHING, NULL }, { '0', "record-separator-zero", NOTHING, NULL },
    { '1', "single-transaction", NOTHING, NULL }, { '?', "help", PERHAPS, NULL },
    { 0, "csv", NOTHING, NULL },
};
/* clang-format on */
enum { OPTIONS = sizeof options / sizeof options[0] };

/* ---- finding it ---- */

static bool is_program(const char *path)
{
    char magic[4];
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
           memcmp(magic, "\177ELF", 4) == 0;
}

static void find_newest(const char *pattern, char ret[PSQL_PATH_MAX])
{
    glob_t found;
    long newest = -1;
    if (glob(pattern, 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        const char *digits = strpbrk(path, "0123456789");
        long version = digits ? strtol(digits, NULL, 10) : 0;
        if (version <= newest || strlen(path) >= PSQL_PATH_MAX || !is_program(path))
            continue;
        newest = version;
        (void)snprintf(ret, PSQL_PATH_MAX, "%s", path);
    }
    globfree(&found);
}

int psql_find(char ret[PSQL_PATH_MAX])
{
    static const char *const patterns[] = { "/usr/lib/postgresql/*/bin/psql", "/usr/pgsql-*/bin/psql",
                                            "/usr/bin/psql" };
    char path[PSQL_PATH_MAX] = "";
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0] && !path[0]; i++)
        find_newest(patterns[i], path);
    if (!path[0])
        return -ENOENT;
    memcpy(ret, path, sizeof path);
    return 0;
}

/* ---- arguments ---- */

/* The user's words and how far they are read; as getopt_long goes through them. */
struct cursor {
    char *const *words;
    size_t n, next;
    struct command *command;
    struct detail *detail;
};

static int usage(struct cursor *at, const char *what, const char *word)
{
    char shown[SHOWN_MAX];
    text_escape(shown, sizeof shown, word, strlen(word), false);
    return detail_fail(at->detail, COMMAND_USAGE, "psql: %s: %s", what, shown);
}

static int refuse(struct cursor *at, const struct option *option, const char *why)
{
    char letter[8] = "";
    if (option->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
    return detail_fail(at->detail, COMMAND_REFUSED, "psql: %s--%s is not offered: %s", letter, option->name,
                       why);
}

static int emit_option(struct cursor *at, const struct option *option, const char *value)
{
    char spelled[64];
    if (option->takes == PERHAPS || !option->letter)
        (void)snprintf(spelled, sizeof spelled, "--%s%s%.40s", option->name, value ? "=" : "",
                       value ? value : "");
    else
        (void)snprintf(spelled, sizeof spelled, "-%c", option->letter);
    int r = command_argument(at->command, spelled);
    return r == 0 && option->takes == VALUE ? command_argument(at->command, value) : r;
}

static int accept_option(struct cursor *at, const struct option *option, const char *value)
{
    if (option->refusal)
        return refuse(at, option, option->refusal);
    if (option->letter == 'f' && strcmp(value, "-") != 0)
        return refuse(at, option, "psql has no files here: use -f - and send the file as standard input");
    return emit_option(at, option, value);
}

/* The next word as an option's value, or NULL. */
static const char *take_value(struct cursor *at)
{
    return at->next < at->n ? at->words[at->next++] : NULL;
}

static const struct option *option_of_letter(char letter)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].letter == letter && letter != 0)
            return &options[i];
    return NULL;
}

/* -At, -cSELECT, -F ',' */
static int take_letters(struct cursor *at, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option *option = option_of_letter(*letter);
        if (!option)
            return usage(at, "unknown option", word);
        const char *value = NULL;
        if (option->takes == VALUE) {
            value = letter[1] ? letter + 1 : take_value(at);
            if (!value)
                return usage(at, "option requires an argument", word);
        }
        int r = accept_option(at, option, value);
        if (r || value)
            return r;
    }
    return 0;
}

/* Exact, or the only one that begins so. */
static const struct option *option_of_name(const char *name, size_t n)
{
    const struct option *found = NULL;
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strncmp(options[i].name, name, n) != 0)
            continue;
        if (strlen(options[i].name) == n)
            return &options[i];
        if (found)
            return NULL;
        found = &options[i];
    }
    return found;
}

/* --command=SELECT, --command SELECT, --csv */
static int take_long(struct cursor *at, const char *word)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    const struct option *option = option_of_name(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!option)
        return usage(at, "unknown or ambiguous option", word);
    const char *value = equals ? equals + 1 : NULL;
    if (value && option->takes == NOTHING)
        return usage(at, "option takes no argument", word);
    if (!value && option->takes == VALUE)
        value = take_value(at);
    if (!value && option->takes == VALUE)
        return usage(at, "option requires an argument", word);
    return accept_option(at, option, value);
}

static int take_positional(struct cursor *at, const char *word)
{
    char shown[SHOWN_MAX];
    text_escape(shown, sizeof shown, word, strlen(word), false);
    return detail_fail(at->detail, COMMAND_REFUSED,
                       "psql: \"%s\" is one word too many: %s; SQL goes into -c or standard input", shown,
                       DECIDED);
}

static int take_word(struct cursor *at)
{
    const char *word = at->words[at->next++];
    if (strncmp(word, "--", 2) == 0 && word[2])
        return take_long(at, word);
    if (strcmp(word, "--") == 0)
        return at->next < at->n ? take_positional(at, at->words[at->next]) : 0;
    if (word[0] == '-' && word[1])
        return take_letters(at, word);
    return take_positional(at, word);
}

int psql_arguments(const char *program, char *const *words, size_t n, struct command *command,
                   struct detail *detail)
{
    struct cursor at = { .words = words, .n = n, .command = command, .detail = detail };
    int r = command_argument(command, program);
    if (r == 0)
        r = command_argument(command, "-X");
    while (r == 0 && at.next < at.n)
        r = take_word(&at);
    return r == -E2BIG ? detail_fail(detail, COMMAND_USAGE, "psql: more arguments than are taken") : r;
}

/* ---- environment ---- */

/* libpq would look into files and at other variables; each place is pointed at nothing. */
static const struct {
    const char *name, *value;
} fixed[] = {
    { "PGHOST", "/gatehouse" }, /* does not exist; the supervisor answers the socket */
    { "PGPORT", "5432" },
    { "PGSSLMODE", "disable" },
    { "PGGSSENCMODE", "disable" },
    { "PGPASSFILE", "/nonexistent/.pgpass" },
    { "PGSERVICEFILE", "/nonexistent/.pg_service" },
    { "PGSYSCONFDIR", "/nonexistent" },
    { "PSQLRC", "/dev/null" },
    { "PSQL_HISTORY", "/dev/null" },
    { "PSQL_PAGER", "" }, /* programs can't be started; empty is "no pager" to psql */
    { "PAGER", "" },
    { "INPUTRC", "/dev/null" },
    { "OPENSSL_CONF", "/dev/null" },
    { "HOME", "/nonexistent" },
    { "PATH", "/nonexistent" },
    { "LANG", "C.UTF-8" },
};

/* What a user may set by SetEnv in ssh_config, when it is something for the server or for looks. */
static const char *const passed[] = {
    "PGAPPNAME", "PGOPTIONS", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "PG_COLOR", "COLUMNS",
};
enum { VARIABLE_MAX = 1024 }; /* bytes of a passed value */

static bool may_pass(const Ipc__Variable *variable)
{
    size_t n = strlen(variable->value);
    if (n > VARIABLE_MAX || !text_is_utf8(variable->value, n))
        return false;
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (strcmp(variable->name, passed[i]) == 0)
            return true;
    return false;
}

/* terminfo makes a path of it. */
static bool term_is_plain(const char *term)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+_.";
    size_t n = strlen(term);
    return n > 0 && n <= 64 && term[0] != '.' && strspn(term, plain) == n;
}

int psql_environment(const char *target, const char *user, const char *term, Ipc__Variable *const *given,
                     size_t n_given, struct command *command)
{
    int r = 0;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0] && r == 0; i++)
        r = command_variable(command, fixed[i].name, fixed[i].value);
    if (r == 0)
        r = command_variable(command, "PGDATABASE", target);
    if (r == 0)
        r = command_variable(command, "PGUSER", user);
    if (r == 0)
        r = command_variable(command, "TERM", term && term_is_plain(term) ? term : "dumb");
    for (size_t i = 0; i < n_given && r == 0; i++)
        if (may_pass(given[i]))
            r = command_variable(command, given[i]->name, given[i]->value);
    return r;
}
