/* No shell reads the words of the command, so each is quoted whole before the line is judged: `ls '*.c'` is
 * about a file of that name, and 'if' is a program. */
#include "policy/kube_exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "policy/shell.h"
#include "policy/ssh_effects.h"

enum { LINE_MAX = 4 * KUBE_TARGET_MAX + 4 * KUBE_QUERY_MAX };

bool kube_exec_runs(const struct kube_request *request)
{
    return request->is_resource && !*request->group && strcmp(request->resource, "pods") == 0 &&
           strcmp(request->subresource, "exec") == 0;
}

/* ---- the line ---- */

static bool is_plain(const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=,+@%";
    return *word && word[strspn(word, letters)] == '\0';
}

/* 'it'\''s' */
static int put_quoted(struct buffer *line, const char *word)
{
    int r = buffer_put_u8(line, '\'');
    for (; r == 0 && *word; word++)
        r = *word == '\'' ? buffer_append(line, "'\\''", 4) : buffer_put_u8(line, (uint8_t)*word);
    return r ? r : buffer_put_u8(line, '\'');
}

static int put_line(const struct kube_request *request, bool always, struct buffer *line)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < request->n_query; i++) {
        const char *word = request->query[i].value;
        if (strcmp(request->query[i].name, "command") != 0)
            continue;
        if (buffer_size(line) > 0)
            r = buffer_put_u8(line, ' ');
        if (r == 0)
            r = always || !is_plain(word) ? put_quoted(line, word) : buffer_append(line, word, strlen(word));
    }
    return r ? r : buffer_put_u8(line, 0);
}

char *kube_exec_line(const struct kube_request *request)
{
    struct buffer line;
    buffer_init(&line, LINE_MAX);
    char *copy = put_line(request, false, &line) == 0 ? strdup((const char *)buffer_head(&line)) : NULL;
    buffer_free(&line);
    return copy;
}

/* ---- shells ---- */

static bool is_shell_name(const char *word)
{
    static const char *const names[] = { "sh",  "bash",  "dash", "ash",   "ksh",    "ksh93", "mksh",
                                         "zsh", "rbash", "posh", "yash",  "fish",   "csh",   "tcsh",
                                         "rc",  "es",    "nu",   "xonsh", "elvish", "pwsh" };
    const char *slash = strrchr(word, '/');
    const char *name = slash ? slash + 1 : word;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Options after which it still reads its input. Any other word may be a script, or text to run. */
static bool is_shell_option(const char *word)
{
    static const char *const longs[] = { "--login", "--norc", "--noprofile", "--posix", "--interactive" };
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++)
        if (strcmp(longs[i], word) == 0)
            return true;
    return word[0] == '-' && word[1] && word[1 + strspn(word + 1, "ils")] == '\0';
}

static bool is_shell(const struct kube_request *request)
{
    bool first = true;
    for (size_t i = 0; i < request->n_query; i++) {
        const char *word = request->query[i].value;
        if (strcmp(request->query[i].name, "command") != 0)
            continue;
        if (first ? !is_shell_name(word) : !is_shell_option(word))
            return false;
        first = false;
    }
    return !first;
}

/* ---- effects ---- */

int kube_exec_effects(const struct kube_request *request, struct effects *effects)
{
    struct buffer line;
    if (!kube_exec_runs(request))
        return 0;
    if (is_shell(request))
        return ssh_effect_channel(effects, "shell");
    buffer_init(&line, LINE_MAX);
    int r = put_line(request, true, &line);
    size_t before = effects->count;
    if (r == 0)
        r = shell_effects((const char *)buffer_head(&line), buffer_size(&line) - 1, effects);
    else if (r == -ENOBUFS)
        r = effects_add_opaque(effects, EFFECT_UNPARSABLE, "the command is too long");
    if (r == 0 && effects->count == before)
        r = effects_add_opaque(effects, EFFECT_UNKNOWN, "a command without words");
    buffer_free(&line);
    return r;
}
