/* Files are looked at by their status every REVOKED_POLL_MS, which also sees what a network file system or a
 * replaced symbolic link would not tell. A file that has changed is read when it has rested for one look: who
 * writes it in two goes must not un-revoke everything in between. What can't be read or makes no sense
 * changes nothing; it is logged once.
 *
 * The jail lets through two files, by their inodes, and the directory of the configured one unless everything
 * secret is in there too. A file that was replaced in that case is not readable any more: a new process is.
 */
#include "server/issuer_revoked.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/revocation.h"

enum { FILES = 2, OWN = 0, CONFIGURED = 1, RESTLESS_MAX = 3, COMMENT_MAX = 1024, WHO_MAX = 300 };

/* What tells one state of a file from another. */
struct look {
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct revoked_file {
    char *path;       /* NULL: not configured */
    ino_t born_inode; /* what the jail was made for */
    dev_t born_device;
    struct look seen, read; /* at the last look; when its content was taken */
    unsigned restless;      /* looks at which it was never the same */
    uint8_t *bytes;         /* the last good content; NULL: never was any */
    size_t n;
    bool bad;
    bool own_uid; /* we were started as root, and are not any more */
};

struct revoked {
    struct revoked_file files[FILES];
    char *directory; /* of the configured file, when the jail may let it through */
    int inherited;   /* -1: nothing */
    Ipc__RevocationList list;
    struct timer *timer;
    bool started;
    const struct revoked_handlers *handlers;
    void *owner;
};

/* ---- looking ---- */

static struct look look_at(const char *path)
{
    struct stat about;
    if (stat(path, &about) < 0)
        return (struct look){ .there = false };
    return (struct look){ true, about.st_dev, about.st_ino, about.st_size, about.st_mtim, about.st_ctim };
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct look *a, const struct look *b)
{
    return a->there == b->there && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           is_same_time(&a->modified, &b->modified) && is_same_time(&a->changed, &b->changed);
}

/* ---- reading ---- */

static int read_bytes(const struct revoked_file *file, uint8_t **ret, size_t *ret_n, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r = fd < 0 ? -errno : fd_contents(fd, REVOCATION_FILE_MAX, ret, ret_n);
    if (r == -EACCES && file->own_uid)
        return detail_fail(detail, r,
                           "this process, which has a uid of its own, may not read it: chmod 644 it");
    return r ? detail_fail(detail, r, "%s", r == -EFBIG ? "it has more than 16 MiB" : strerror(-r)) : 0;
}

/* It must make sense by itself. */
static int check_bytes(const uint8_t *bytes, size_t n, struct detail *detail)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    int r = revocation_read(bytes, n, &list, detail);
    revocation_free(&list);
    return r;
}

/* The new content; on failure the old one stays. */
static int take_file(struct revoked_file *file, struct detail *detail)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    int r = read_bytes(file, &bytes, &n, detail);
    if (r == 0)
        r = check_bytes(bytes, n, detail);
    if (r == 0) {
        free(file->bytes);
        file->bytes = STEAL(bytes);
        file->n = n;
    }
    return r;
}

static void note_state(struct revoked_file *file, int fault, const struct detail *detail)
{
    if (fault)
        log_event(LOG_ERROR, "revoked_unreadable", "file", file->path, "detail", detail->text, "effect",
                  file->bytes ? "the last good content stays in force" : "none of it is in force yet", NULL);
    else if (file->bad)
        log_event(LOG_INFO, "revoked_readable", "file", file->path, NULL);
    file->bad = fault != 0;
}

/* ---- the list of all ---- */

/* What was inherited stands in for what we have never read. */
static int begin_list(const struct revoked *revoked, Ipc__RevocationList *list)
{
    bool all_read = true;
    for (size_t i = 0; i < FILES; i++)
        all_read = all_read && (!revoked->files[i].path || revoked->files[i].bytes);
    if (all_read || revoked->inherited < 0)
        return 0;
    Ipc__RevocationList *inherited = NULL;
    int r = revocation_unpack(revoked->inherited, &inherited);
    if (r)
        return r;
    *list = *inherited;
    free(inherited); /* what it held is in *list now */
    return 0;
}

/* Puts the list together and publishes it; on failure the old one stays. */
static int publish(struct revoked *revoked, struct detail *detail)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    CLEANUP(fd_close) int fd = -1;
    int r = begin_list(revoked, &list);
    for (size_t i = 0; i < FILES && r == 0; i++)
        if (revoked->files[i].bytes)
            r = revocation_read(revoked->files[i].bytes, revoked->files[i].n, &list, detail);
    if (r == 0)
        r = revocation_seal(&list);
    if (r == 0)
        r = revocation_pack(&list, &fd);
    if (r) {
        revocation_free(&list);
        return detail->text[0] ? r : detail_fail(detail, r, "%s", strerror(-r));
    }
    revocation_free(&revoked->list);
    revoked->list = list;
    revoked->handlers->publish(revoked->owner, fd);
    return 0;
}

/* ---- watching ---- */

static bool was_replaced(const struct revoked_file *file, int fault)
{
    return fault == -EACCES && file->seen.there &&
           (file->seen.inode != file->born_inode || file->seen.device != file->born_device);
}

/* True when there is something new to publish. */
static bool watch_file(struct revoked *revoked, struct revoked_file *file)
{
    struct look now = look_at(file->path);
    bool rests = is_same(&now, &file->seen);
    file->seen = now;
    if (is_same(&now, &file->read)) {
        file->restless = 0;
        return false;
    }
    if (!rests && ++file->restless < RESTLESS_MAX)
        return false;
    struct detail detail = { "" };
    file->restless = 0;
    file->read = now;
    int r = take_file(file, &detail);
    if (was_replaced(file, r)) {
        revoked->handlers->replaced(revoked->owner, file->path);
        return false;
    }
    note_state(file, r, &detail);
    return r == 0;
}

static void watch(void *owner)
{
    struct revoked *revoked = owner;
    struct detail detail = { "" };
    bool changed = false;
    for (size_t i = 0; i < FILES; i++)
        if (revoked->files[i].path)
            changed = watch_file(revoked, &revoked->files[i]) || changed;
    if (changed && publish(revoked, &detail))
        log_event(LOG_ERROR, "revoked_not_published", "detail", detail.text, NULL);
    else if (changed)
        log_event(LOG_INFO, "revoked_changed", NULL);
    timer_set(revoked->timer, REVOKED_POLL_MS);
}

/* ---- life ---- */

static int make_own_list(const char *path, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    if (geteuid() == 0 && fchown(fd, process_uid(PROCESS_ISSUER), process_gid()) < 0)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

/* Whether everything below `directory` includes the state. */
static bool holds_state(const char *directory, const char *state)
{
    CLEANUP(free) char *above = realpath(directory, NULL), *below = realpath(state, NULL);
    if (!above || !below)
        return true;
    size_t n = strlen(above);
    return strncmp(above, below, n) == 0 && (below[n] == '/' || below[n] == '\0' || above[n - 1] == '/');
}

static int set_paths(struct revoked *revoked, const char *state, const char *configured)
{
    if (asprintf(&revoked->files[OWN].path, "%s/" REVOKED_OWN_LIST, state) < 0) {
        revoked->files[OWN].path = NULL;
        return -ENOMEM;
    }
    if (!configured[0])
        return 0;
    CLEANUP(free) char *copy = strdup(configured);
    revoked->files[CONFIGURED].path = strdup(configured);
    if (!copy || !revoked->files[CONFIGURED].path)
        return -ENOMEM;
    const char *directory = dirname(copy);
    if (holds_state(directory, state))
        return 0;
    revoked->directory = strdup(directory);
    return revoked->directory ? 0 : -ENOMEM;
}

int revoked_new(struct loop *loop, const char *state, const char *configured,
                const struct revoked_handlers *handlers, void *owner, struct revoked **ret,
                struct detail *detail)
{
    struct revoked *revoked = calloc(1, sizeof *revoked);
    if (!revoked)
        return -ENOMEM;
    revoked->inherited = -1;
    revoked->handlers = handlers;
    revoked->owner = owner;
    ipc__revocation_list__init(&revoked->list);
    int r = set_paths(revoked, state, configured);
    if (r == 0)
        r = timer_new(loop, watch, revoked, &revoked->timer);
    if (r == 0)
        r = make_own_list(revoked->files[OWN].path, detail);
    if (r) {
        revoked_free(revoked);
        return r;
    }
    for (size_t i = 0; i < FILES; i++) {
        struct look born = revoked->files[i].path ? look_at(revoked->files[i].path) : (struct look){ false };
        revoked->files[i].born_inode = born.inode;
        revoked->files[i].born_device = born.device;
        revoked->files[i].own_uid = geteuid() == 0;
    }
    *ret = revoked;
    return 0;
}

void revoked_free(struct revoked *revoked)
{
    if (!revoked)
        return;
    timer_free(revoked->timer);
    revocation_free(&revoked->list);
    fd_close(revoked->inherited);
    for (size_t i = 0; i < FILES; i++) {
        free(revoked->files[i].path);
        free(revoked->files[i].bytes);
    }
    free(revoked->directory);
    free(revoked);
}

size_t revoked_paths(const struct revoked *revoked, struct jail_path out[REVOKED_PATHS_MAX])
{
    size_t n = 0;
    out[n++] = (struct jail_path){ revoked->files[OWN].path, true };
    if (revoked->files[CONFIGURED].path)
        out[n++] = (struct jail_path){ revoked->files[CONFIGURED].path, false };
    if (revoked->directory)
        out[n++] = (struct jail_path){ revoked->directory, false };
    return n;
}

void revoked_inherit(struct revoked *revoked, int fd)
{
    fd_close(revoked->inherited);
    revoked->inherited = fd;
}

int revoked_start(struct revoked *revoked, struct detail *detail)
{
    const char *unread = NULL;
    struct detail why = { "" };
    for (size_t i = 0; i < FILES; i++) {
        struct revoked_file *file = &revoked->files[i];
        struct detail fault = { "" };
        if (!file->path || file->bytes)
            continue;
        file->seen = file->read = look_at(file->path);
        int r = take_file(file, &fault);
        if (revoked->inherited >= 0)
            note_state(file, r, &fault);
        if (r && !unread) {
            unread = file->path;
            why = fault;
        }
    }
    if (unread && revoked->inherited < 0)
        return detail_fail(detail, -EINVAL, "%s: %s", unread, why.text);
    int r = publish(revoked, detail);
    if (r == 0)
        timer_set(revoked->timer, REVOKED_POLL_MS);
    return r;
}

const Ipc__RevocationList *revoked_list(const struct revoked *revoked)
{
    return &revoked->list;
}

/* ---- adding ---- */

/* What follows a "#": one line whatever is in it. */
static void write_comment(char out[COMMENT_MAX], const char *by, const char *reason)
{
    char when[32], who[WHO_MAX], why[COMMENT_MAX / 2];
    (void)snprintf(out, COMMENT_MAX, "%s by %s%s%s", text_time(when, clock_unix_ms()),
                   text_escape(who, sizeof who, by, strlen(by), false), reason[0] ? ": " : "",
                   text_escape(why, sizeof why, reason, strlen(reason), false));
}

/* A line of its own, also behind one that was never ended. All of it or nothing is there afterwards. */
static int append(const char *path, const char *line, const char *comment, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    CLEANUP(free) char *text = NULL;
    struct stat about;
    char last = '\n';
    if (fd < 0 || fstat(fd, &about) < 0 || (about.st_size > 0 && pread(fd, &last, 1, about.st_size - 1) != 1))
        return detail_fail(detail, -EIO, "%s: %s", path, strerror(errno));
    int n = asprintf(&text, "%s%s # %s\n", last == '\n' ? "" : "\n", line, comment);
    if (n < 0) {
        text = NULL;
        return detail_fail(detail, -ENOMEM, "%s", strerror(ENOMEM));
    }
    if (about.st_size + n > REVOCATION_FILE_MAX)
        return detail_fail(detail, -EFBIG, "%s is full: remove what has expired", path);
    int r = fd_write_all(fd, text, (size_t)n, -1);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    (void)!ftruncate(fd, about.st_size);
    return detail_fail(detail, r, "%s: %s", path, strerror(-r));
}

int revoked_add(struct revoked *revoked, const char *what, const char *by, const char *reason,
                struct detail *detail)
{
    struct revoked_file *own = &revoked->files[OWN];
    CLEANUP(free) char *line = NULL;
    char comment[COMMENT_MAX];
    int r = revocation_line(what, &line, detail);
    if (r)
        return r;
    write_comment(comment, by, reason);
    r = append(own->path, line, comment, detail);
    if (r)
        return r;
    own->seen = own->read = look_at(own->path);
    r = take_file(own, detail);
    note_state(own, r, detail);
    return r ? r : publish(revoked, detail);
}
