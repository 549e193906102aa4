/* What kubectl may be told.
 *
 * Here the words are only looked through, so that people read why something is not offered, and what to do
 * instead. What keeps kubectl where it belongs is the cage: every socket leads to the gate, whatever --server
 * says; the gate refuses Authorization and Impersonate-* headers, whatever --token and --as say; there are no
 * files and no other programs, whatever a plug-in, an exec credential or an editor wants. So an option in a
 * spelling that is not known here gives a worse message, and nothing else.
 *
 * `cp` is the one command that becomes another (launcher_kubectl_copy.c); `port-forward` is standard input
 * and output (launcher_kubectl_forward.c). */
#include "server/launcher_kubectl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "base/text.h"
#include "server/launcher_kubectl_parts.h"

enum { SHOWN_MAX = 80 };

/* Why not, and what instead. */
#define DECIDED "the target decides which server, and with which credential"
#define WHO     "Gatehouse tells the API server who you are"
#define BY_PIPE NO_FILES ": use -f - and send them as standard input"
#define ON_SIDE                                                                                              \
    NO_FILES ": make the object on your side (--dry-run=client -o yaml), and send it to apply -f -"

struct refusal {
    const char *name, *why;
    char letter;            /* or 0 */
    const char *but_not_of; /* of these commands it is something else: " create set " */
};

static const struct refusal options[] = {
    { "server", DECIDED, 's', NULL },
    { "kubeconfig", DECIDED, 0, NULL },
    { "context", DECIDED, 0, NULL },
    { "cluster", DECIDED, 0, NULL },
    { "user", DECIDED, 0, " create set " },
    { "token", DECIDED, 0, NULL },
    { "username", DECIDED, 0, NULL },
    { "password", DECIDED, 0, NULL },
    { "client-certificate", DECIDED, 0, NULL },
    { "client-key", DECIDED, 0, NULL },
    { "certificate-authority", DECIDED, 0, NULL },
    { "tls-server-name", DECIDED, 0, NULL },
    { "insecure-skip-tls-verify", DECIDED, 0, NULL },
    { "as", WHO, 0, NULL },
    { "as-group", WHO, 0, NULL },
    { "as-uid", WHO, 0, NULL },
    { "cache-dir", NO_FILES, 0, NULL },
    { "log-dir", NO_FILES, 0, NULL },
    { "log-file", NO_FILES, 0, NULL },
    { "profile-output", NO_FILES, 0, NULL },
    { "kustomize", NO_FILES ": render it on your side (kubectl kustomize), and send it to apply -f -", 'k',
      NULL },
    { "from-file", ON_SIDE, 0, NULL },
    { "from-env-file", ON_SIDE, 0, NULL },
    { "patch-file", NO_FILES ": give the patch with -p", 0, NULL },
    { "edit", "there is no editor here", 0, NULL },
    { "address", "nothing listens here: port-forward is standard input and output", 0, NULL },
};

static const struct refusal commands[] = {
    { "edit", "there is no editor here: get it with -o yaml, change it on your side, send it to replace -f -",
      0, NULL },
    { "proxy", "`ssh -N -L 8001:TARGET:443 BASTION` is what it does", 0, NULL },
    { "plugin", "there are no plug-ins here", 0, NULL },
    { "diff", "it needs files and a program: apply --dry-run=server -o yaml -f -, and compare on your side",
      0, NULL },
    { "kustomize", NO_FILES ": render it on your side, and send it to apply -f -", 0, NULL },
    { "config", DECIDED "; `ssh BASTION config --kubeconfig TARGET` makes a kubeconfig for your side", 0,
      NULL },
};

/* Options without a value that may come before the command; any other takes the next word, as cobra has it.
 */
static const char *const switches[] = {
    "-h",
    "--help",
    "-A",
    "--all-namespaces",
    "-w",
    "--watch",
    "--match-server-version",
    "--warnings-as-errors",
    "--disable-compression",
    "--alsologtostderr",
    "--logtostderr",
    "--skip-headers",
};

/* ---- finding it ---- */

/* Programs only: what is a script here starts others, which the cage refuses. */
static bool is_program(const char *path)
{
    char magic[4];
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
           memcmp(magic, "\177ELF", 4) == 0;
}

int kubectl_find(const char *wanted, char ret[KUBECTL_PATH_MAX])
{
    static const char *const usual[] = { "/usr/bin/kubectl", "/usr/local/bin/kubectl" };
    const char *const *paths = wanted && *wanted ? &wanted : usual;
    size_t n = wanted && *wanted ? 1 : COUNT(usual);
    for (size_t i = 0; i < n; i++) {
        if (strlen(paths[i]) >= KUBECTL_PATH_MAX || !is_program(paths[i]))
            continue;
        (void)snprintf(ret, KUBECTL_PATH_MAX, "%s", paths[i]);
        return 0;
    }
    return -ENOENT;
}

/* ---- arguments ---- */

bool kubectl_takes_next(const char *word)
{
    if (strchr(word, '=') || (word[1] != '-' && word[2]))
        return false;
    for (size_t i = 0; i < COUNT(switches); i++)
        if (is(word, switches[i]))
            return false;
    return true;
}

size_t kubectl_next_plain(const struct line *line, size_t at)
{
    while (at < line->end && line->words[at][0] == '-' && line->words[at][1])
        at += kubectl_takes_next(line->words[at]) ? 2 : 1;
    return at < line->end ? at : line->end;
}

static const char *verb_of(const struct line *line)
{
    return line->verb < line->end ? line->words[line->verb] : "";
}

int kubectl_refuse(const struct line *line, const char *what, const char *why)
{
    char shown[SHOWN_MAX];
    text_escape(shown, sizeof shown, what, strlen(what), false);
    return detail_fail(line->detail, COMMAND_REFUSED, "kubectl: %s is not offered: %s", shown, why);
}

static bool names_option(const char *word, const struct refusal *option)
{
    size_t n = strlen(option->name);
    if (option->letter && word[0] == '-' && word[1] == option->letter)
        return true;
    return strncmp(word, "--", 2) == 0 && strncmp(word + 2, option->name, n) == 0 &&
           (!word[2 + n] || word[2 + n] == '=');
}

static bool is_something_else(const struct refusal *option, const char *verb)
{
    char padded[SHOWN_MAX];
    (void)snprintf(padded, sizeof padded, " %.60s ", verb);
    return option->but_not_of && *verb && strstr(option->but_not_of, padded);
}

static int check_option(const struct line *line, const char *word)
{
    char spelled[SHOWN_MAX];
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!names_option(word, &options[i]) || is_something_else(&options[i], verb_of(line)))
            continue;
        (void)snprintf(spelled, sizeof spelled, "--%s", options[i].name);
        return kubectl_refuse(line, spelled, options[i].why);
    }
    return 0;
}

/* The value of -f where it names a file, or NULL. It follows whom it reads when the command is `logs`. */
static const char *file_of(const struct line *line, size_t at)
{
    const char *word = line->words[at];
    const char *next = at + 1 < line->end ? line->words[at + 1] : NULL;
    bool logs = is(verb_of(line), "logs") || is(verb_of(line), "log");
    if (is(word, "--filename") || (!logs && (is(word, "-f") || is(word, "-Rf"))))
        return next;
    if (strncmp(word, "--filename=", 11) == 0)
        return word + 11;
    if (!logs && word[0] == '-' && word[1] == 'f')
        return word + (word[2] == '=' ? 3 : 2);
    return NULL;
}

static int check_options(const struct line *line)
{
    for (size_t i = 0; i < line->end; i++) {
        if (line->words[i][0] != '-')
            continue;
        int r = check_option(line, line->words[i]);
        const char *file = file_of(line, i);
        if (r == 0 && file && !is(file, "-"))
            r = kubectl_refuse(line, "-f with a file", BY_PIPE);
        if (r)
            return r;
    }
    return 0;
}

static int check_command(const struct line *line)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (is(verb_of(line), commands[i].name))
            return kubectl_refuse(line, commands[i].name, commands[i].why);
    size_t second = kubectl_next_plain(line, line->verb + 1);
    if (is(verb_of(line), "apply") && second < line->end && is(line->words[second], "edit-last-applied"))
        return kubectl_refuse(line, "edit-last-applied", "there is no editor here");
    return 0;
}

/* ---- */

int kubectl_arguments(const char *program, char *const *words, size_t n, struct command *command,
                      struct detail *detail)
{
    struct line line = { .words = words, .n = n, .end = 0, .detail = detail };
    while (line.end < n && !is(words[line.end], "--"))
        line.end++;
    line.verb = kubectl_next_plain(&line, 0);
    int r = check_command(&line);
    if (r == 0)
        r = check_options(&line);
    if (r == 0)
        r = command_argument(command, program);
    if (r == 0 && is(verb_of(&line), "cp"))
        r = kubectl_copy(&line, command);
    else if (r == 0 && is(verb_of(&line), "port-forward"))
        r = kubectl_forward(&line, command);
    else
        for (size_t i = 0; i < n && r == 0; i++)
            r = command_argument(command, words[i]);
    return r == -E2BIG ? detail_fail(detail, COMMAND_USAGE, "kubectl: more arguments than are taken") : r;
}

/* ---- environment ---- */

int kubectl_config(const char *target, char *ret, size_t size)
{
    char name[SHOWN_MAX * 2];
    text_escape(name, sizeof name, target, strlen(target), false);
    int n = snprintf(ret, size,
                     "apiVersion: v1\nkind: Config\n"
                     "clusters: [{name: '%s', cluster: {server: 'http://127.0.0.1'}}]\n"
                     "contexts: [{name: '%s', context: {cluster: '%s'}}]\n"
                     "current-context: '%s'\n",
                     name, name, name, name);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* What a user may set by SetEnv in ssh_config: how exec and port-forward are spoken, and looks. */
static const char *const passed[] = { "KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS",
                                      "COLUMNS" };
enum { VARIABLE_MAX = 256 };

static bool may_pass(const Ipc__Variable *variable)
{
    size_t n = strlen(variable->value);
    if (n > VARIABLE_MAX || !text_is_utf8(variable->value, n))
        return false;
    for (size_t i = 0; i < COUNT(passed); i++)
        if (is(variable->name, passed[i]))
            return true;
    return false;
}

int kubectl_environment(const char *scratch, const char *term, Ipc__Variable *const *given, size_t n_given,
                        struct command *command)
{
    char config[4200];
    if (snprintf(config, sizeof config, "%s/config", scratch) >= (int)sizeof config)
        return -ENAMETOOLONG;
    const struct {
        const char *name, *value;
    } fixed[] = {
        { "KUBECONFIG", config },   { "HOME", scratch },   { "TMPDIR", scratch },
        { "PATH", "/nonexistent" }, { "LANG", "C.UTF-8" }, { "TERM", term ? term : "dumb" },
        { "GOTRACEBACK", "none" },
    };
    int r = 0;
    for (size_t i = 0; i < COUNT(fixed) && r == 0; i++)
        r = command_variable(command, fixed[i].name, fixed[i].value);
    for (size_t i = 0; i < n_given && r == 0; i++)
        if (may_pass(given[i]))
            r = command_variable(command, given[i]->name, given[i]->value);
    return r;
}
