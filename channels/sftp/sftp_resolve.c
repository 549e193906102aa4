/* Where a path leads is the target's business: only it knows its links. It is asked by REALPATH, before the
 * rules are; and what was decided on is what the target then gets, links and all resolved.
 *
 * OpenSSH's REALPATH follows every link, and lets the last component be absent: that is what open() will do.
 * Of requests that are about an entry itself (remove, rename, a new link) the directory is resolved, and the
 * name put behind it. Where another server can't tell where an absent file will be, its directory is asked,
 * and then whether really nothing (no link to nowhere, which would be followed) is there.
 *
 * Between the answer and the request others may put a link into the place of a directory. SFTP has nothing
 * against that. What is opened is asked again once it is open (sftp_client.c), so it takes two changes at the
 * right moments, and a program at the target besides. */
#include <errno.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"

bool sftp_read_name(struct reader body, char path[PATH_TEXT_MAX])
{
    uint32_t count;
    struct reader name, rest;
    struct sftp_attributes attributes;
    if (!reader_u32(&body, &count) || count != 1 || !reader_string(&body, &name) ||
        !reader_string(&body, &rest) || !sftp_read_attributes(&body, &attributes) || !reader_done(&body))
        return false;
    size_t n = reader_left(&name);
    if (n == 0 || n > SFTP_PATH_MAX || *name.next != '/' || memchr(name.next, 0, n))
        return false;
    memcpy(path, name.next, n);
    path[n] = 0;
    return path_normalise(path, path) == 0;
}

static int give_up(struct resolving *v, uint32_t status, const char *message)
{
    v->status = status;
    v->done = true;
    detail_set(&v->message, "%s", message);
    return 0;
}

static int unresolved(struct resolving *v)
{
    return give_up(v, SFTP_PERMISSION_DENIED,
                   "denied: the target can't tell where this path leads (code denied)");
}

static int ask(struct sftp *s, uint8_t type, const char *path)
{
    return sftp_ask_path(s, type, FOR_RESOLVE, NO_FILE, path);
}

/* The directory of what was wanted; its name is put behind the answer. */
static int ask_parent(struct sftp *s)
{
    struct resolving *v = &s->resolving;
    char directory[PATH_TEXT_MAX];
    const char *name;
    if (!path_split(v->wanted, directory, &name))
        return unresolved(v);
    memmove(v->name, name, strlen(name) + 1);
    return ask(s, SFTP_REALPATH, directory);
}

static int begin_path(struct sftp *s)
{
    struct resolving *v = &s->resolving;
    size_t i = v->order[v->at];
    char directory[PATH_TEXT_MAX];
    const char *name, *asked = v->asked[i];
    v->step = RESOLVE_WHOLE;
    v->name[0] = 0;
    memcpy(v->wanted, asked, strlen(asked) + 1);
    if (v->mode[i] == PATH_CONTENT) {
        const char *link = v->path[v->order[0]];
        if (!path_split(link, directory, &name) || path_join(directory, asked, v->wanted))
            return unresolved(v);
    }
    if (v->mode[i] == PATH_ENTRY && path_split(v->wanted, directory, &name))
        return ask_parent(s);
    return ask(s, SFTP_REALPATH, v->wanted);
}

static void copy_asked(char out[PATH_TEXT_MAX], struct reader path)
{
    size_t n = reader_left(&path);
    memcpy(out, path.next, n);
    out[n] = 0;
}

int sftp_resolve(struct sftp *s, const struct sftp_request *request, const enum path_mode modes[2],
                 bool *ret_done)
{
    struct resolving *v = &s->resolving;
    *ret_done = v->done;
    if (v->active)
        return 0;
    *v = (struct resolving){ .active = true, .mode = { modes[0], modes[1] } };
    v->count = request->path[1].next ? 2 : 1;
    /* What a link will hold is relative to where it is. */
    v->order[0] = modes[0] == PATH_CONTENT ? 1 : 0;
    v->order[1] = 1 - v->order[0];
    for (size_t i = 0; i < v->count; i++)
        copy_asked(v->asked[i], request->path[i]);
    int r = begin_path(s);
    *ret_done = v->done;
    return r;
}

static int next_path(struct sftp *s)
{
    struct resolving *v = &s->resolving;
    if (++v->at < v->count)
        return begin_path(s);
    v->done = true;
    return 0;
}

/* A link may hold whatever it likes; it is judged by what it says. */
static int settle_content(struct sftp *s)
{
    struct resolving *v = &s->resolving;
    if (path_normalise(v->wanted, v->path[v->order[v->at]]))
        return unresolved(v);
    return next_path(s);
}

static int took_name(struct sftp *s, struct reader body)
{
    struct resolving *v = &s->resolving;
    char *path = v->path[v->order[v->at]];
    if (v->step == RESOLVE_ABSENT || !sftp_read_name(body, path))
        return unresolved(v);
    if (v->name[0] && (path_join(path, v->name, path) || path_normalise(path, path)))
        return unresolved(v);
    if (v->step == RESOLVE_PARENT) {
        v->step = RESOLVE_ABSENT;
        return ask(s, SFTP_LSTAT, path);
    }
    return next_path(s);
}

static int took_status(struct sftp *s, struct reader body)
{
    struct resolving *v = &s->resolving;
    char directory[PATH_TEXT_MAX];
    const char *name;
    uint32_t code;
    if (!reader_u32(&body, &code))
        return sftp_target_fault(s, "a status that does not add up");
    bool absent = code == SFTP_NO_SUCH_FILE || code == SFTP_FAILURE;
    if (v->step == RESOLVE_ABSENT && code == SFTP_NO_SUCH_FILE)
        return next_path(s);
    if (v->mode[v->order[v->at]] == PATH_CONTENT)
        return settle_content(s);
    if (v->step == RESOLVE_WHOLE && absent && !v->name[0] && path_split(v->wanted, directory, &name)) {
        v->step = RESOLVE_PARENT;
        return ask_parent(s);
    }
    if (v->step == RESOLVE_ABSENT || code == SFTP_OK || code == SFTP_EOF)
        return unresolved(v);
    return give_up(v, code, "the directory of this path can't be resolved at the target");
}

int sftp_resolved(struct sftp *s, uint8_t type, struct reader body)
{
    if (type == SFTP_NAME)
        return took_name(s, body);
    return type == SFTP_STATUS ? took_status(s, body) : unresolved(&s->resolving);
}
