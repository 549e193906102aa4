/* `kubectl cp` copies to and from files, which are not here. With "-" for the side that is not the pod, as
 * docker cp has it, it becomes the `exec … tar` that kubectl itself would run: an archive on standard output
 * or input. */
#include <stdio.h>
#include <string.h>
#include "server/launcher_kubectl_parts.h"

enum { COPY_PATH_MAX = 4096, NAMESPACE_MAX = 253 };

struct copy {
    const char *sides[2];
    size_t n;
    const char *container;
    bool no_preserve;
};

/* "[NAMESPACE/]POD:PATH" */
struct remote {
    char namespace[NAMESPACE_MAX + 1], pod[NAMESPACE_MAX + 1], path[COPY_PATH_MAX];
};

static bool remote_of(const char *side, struct remote *ret)
{
    const char *colon = strchr(side, ':'), *slash = strchr(side, '/');
    if (!colon || !colon[1])
        return false;
    bool spaced = slash && slash < colon;
    const char *pod = spaced ? slash + 1 : side;
    size_t namespace_n = spaced ? (size_t)(slash - side) : 0, pod_n = (size_t)(colon - pod);
    if (!pod_n || pod_n > NAMESPACE_MAX || namespace_n > NAMESPACE_MAX ||
        strlen(colon + 1) >= COPY_PATH_MAX || *pod == '-')
        return false;
    (void)snprintf(ret->namespace, sizeof ret->namespace, "%.*s", (int)namespace_n, side);
    (void)snprintf(ret->pod, sizeof ret->pod, "%.*s", (int)pod_n, pod);
    (void)snprintf(ret->path, sizeof ret->path, "%s", colon + 1);
    return true;
}

/* Options that say where and how stay; those of the copying itself are taken out. */
static int take_copy(const struct line *line, struct command *command, struct copy *ret)
{
    int r = 0;
    for (size_t i = 0; i < line->end && r == 0; i++) {
        const char *word = line->words[i];
        bool with_value = word[0] == '-' && word[1] && !strchr(word, '=') && kubectl_takes_next(word) &&
                          !is(word, "--no-preserve");
        if (i == line->verb)
            continue;
        if (word[0] != '-' || !word[1]) {
            if (ret->n == COUNT(ret->sides))
                return kubectl_refuse(line, word, "cp takes two places");
            ret->sides[ret->n++] = word;
        } else if (strncmp(word, "--no-preserve", 13) == 0) {
            ret->no_preserve = !is(word, "--no-preserve=false");
        } else if (strncmp(word, "--retries", 9) == 0) {
            i += with_value;
        } else {
            r = command_argument(command, word);
            if (r == 0 && with_value && i + 1 < line->end)
                r = command_argument(command, line->words[++i]);
        }
    }
    return r;
}

static int put_words(struct command *command, const char *const *words)
{
    int r = 0;
    for (; *words && r == 0; words++)
        r = command_argument(command, *words);
    return r;
}

/* As `docker cp POD:PATH -`: an archive with the last part of the path in it. */
static int put_out(struct command *command, struct remote *from)
{
    char *path = from->path;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = 0;
    char *slash = strrchr(path, '/');
    const char *directory = ".", *name = path;
    if (slash) {
        name = slash[1] ? slash + 1 : ".";
        directory = slash == path ? "/" : path;
        *slash = 0;
    }
    if (slash == path)
        directory = "/";
    return put_words(command, (const char *const[]){ "exec", from->pod, "--", "tar", "-c", "-f", "-", "-C",
                                                     directory, "--", name, NULL });
}

static int put_in(struct command *command, const struct remote *to, bool no_preserve)
{
    int r = put_words(command, (const char *const[]){ "exec", "-i", to->pod, "--", "tar", "-x", "-m", "-f",
                                                      "-", "-C", to->path, NULL });
    if (r == 0 && no_preserve)
        r = put_words(command, (const char *const[]){ "--no-same-permissions", "--no-same-owner", NULL });
    return r;
}

int kubectl_copy(const struct line *line, struct command *command)
{
    static const char how[] =
        NO_FILES ": `cp POD:PATH -` writes a tar archive to standard output, `cp - POD:DIRECTORY` "
                 "unpacks one from standard input";
    struct copy asked = { 0 };
    struct remote remote = { "", "", "" };
    int r = take_copy(line, command, &asked);
    if (r)
        return r;
    bool out = asked.n == 2 && is(asked.sides[1], "-"), in = asked.n == 2 && is(asked.sides[0], "-");
    if (in == out || !remote_of(asked.sides[in ? 1 : 0], &remote))
        return kubectl_refuse(line, "cp with files", how);
    if (remote.namespace[0])
        r = put_words(command, (const char *const[]){ "--namespace", remote.namespace, NULL });
    if (r == 0)
        r = in ? put_in(command, &remote, asked.no_preserve) : put_out(command, &remote);
    return r;
}
