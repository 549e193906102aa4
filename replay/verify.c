/* See verify.h and docs/recording-format.md §6. The audit chain comes first: only what it says of a recording
 * makes a cut-off tail or a missing file show. A recording that began after the chain was read is a note, not
 * a fault. */
#include "replay/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "replay/audit.h"
#include "replay/registry.h"
#include "replay/scan.h"

enum { TEXT_MAX = 400, TORN_TRIES = 3, TORN_WAIT_US = 50000 };

struct verification {
    struct keys *keys;
    struct registry *registry;
    int recordings_fd;
    verify_say *say;
    void *owner;
    uint64_t began_s; /* unix */
    uint64_t lost_at; /* the audit entry that tells of a loss; 0: none */
    struct verify_count count;
};

static void say(struct verification *v, enum verify_grade grade, const char *id, const char *format, ...)
    PRINTF_LIKE(4, 5);

static void say(struct verification *v, enum verify_grade grade, const char *id, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *(grade == VERIFY_GOOD ? &v->count.good : grade == VERIFY_NOTE ? &v->count.notes : &v->count.faults) += 1;
    v->say(v->owner, grade, id, text);
}

typedef unsigned long long ull;

/* ---- one recording ---- */

static const char *const forged_text = "was changed, or entries before it were dropped, inserted or moved";

static void compare_cut(struct verification *v, const struct registered *one, const struct scan_summary *sum)
{
    if (sum->entries < one->entries && sum->end == SCAN_FORGED)
        say(v, VERIFY_FAULT, one->id, "entry %llu %s", (ull)sum->entries, forged_text);
    else if (sum->entries < one->entries)
        say(v, VERIFY_FAULT, one->id, "its tail is cut off: %llu whole entries are there, %llu were sealed",
            (ull)sum->entries, (ull)one->entries);
    else
        say(v, VERIFY_FAULT, one->id, "%llu bytes were added behind entry %llu, the last that was sealed",
            (ull)(sum->size + sum->tail - one->size - one->tail), (ull)one->entries);
}

static void say_sealed(struct verification *v, const struct registered *one, const struct scan_summary *sum)
{
    ull entries = sum->entries, tail = one->tail;
    switch (one->seal) {
    case SEAL_COMPLETE:
        say(v, VERIFY_GOOD, one->id, "%llu entries, complete", entries);
        return;
    case SEAL_INTERRUPTED:
        say(v, VERIFY_NOTE, one->id, "%llu entries, interrupted: the session was cut off; nothing is changed",
            entries);
        return;
    case SEAL_CUT:
        say(v, VERIFY_NOTE, one->id,
            "%llu entries, cut: %llu bytes of an entry follow that was never finished; nothing "
            "is changed",
            entries, tail);
        return;
    default:
        say(v, VERIFY_FAULT, one->id,
            "it was %s already when it was sealed: %llu entries are good, %llu bytes behind "
            "them are not",
            seal_state_name(one->seal), entries, tail);
    }
}

static void compare(struct verification *v, const struct registered *one, const struct scan *scan)
{
    const struct scan_summary *sum = scan_summary(scan);
    uint64_t size = ENTRIES_MAGIC;
    uint8_t tag[CHAIN_TAG] = { 0 };
    bool met = one->entries == 0 || scan_watched(scan, &size, tag);
    if (met && (size != one->size || memcmp(tag, one->tag, CHAIN_TAG) != 0))
        say(v, VERIFY_FAULT, one->id, "entry %llu is not the one that was sealed", (ull)one->entries - 1);
    else if (!met || sum->size + sum->tail != one->size + one->tail)
        compare_cut(v, one, sum);
    else
        say_sealed(v, one, sum);
}

static void say_unsealed(struct verification *v, const char *id, const struct scan_summary *sum)
{
    ull entries = sum->entries;
    if (sum->end == SCAN_FORGED)
        say(v, VERIFY_FAULT, id, "entry %llu %s", entries, forged_text);
    else if (sum->end == SCAN_CUT)
        say(v, VERIFY_NOTE, id,
            "not sealed: live or interrupted; %llu entries, and %llu bytes of an unfinished one", entries,
            (ull)sum->tail);
    else
        say(v, VERIFY_NOTE, id, "not sealed: live or interrupted; %llu entries", entries);
}

static void say_unknown(struct verification *v, const char *id, const struct scan_summary *sum)
{
    if (sum->end != SCAN_FORGED && recording_seconds(id) >= v->began_s)
        say(v, VERIFY_NOTE, id, "began while this check was running: check again");
    else if (sum->end == SCAN_OPEN && sum->entries <= 1)
        say(v, VERIFY_NOTE, id, "not in the audit chain: nothing but a header; nobody was given it yet");
    else
        say(v, VERIFY_FAULT, id, "not in the audit chain");
}

/* 0 and a finished scan; positive when a finding was said instead. */
static int scan_file(struct verification *v, const char *id, uint64_t watch, struct scan **ret)
{
    char place[RECORDING_PLACE + 1];
    uint8_t key[CHAIN_KEY];
    struct detail detail = { "" };
    int fd = openat(v->recordings_fd, recording_place(place, id), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        say(v, VERIFY_FAULT, id, "its file can't be opened: %s", strerror(errno));
        return 1;
    }
    CLEANUP(scan_free) struct scan *scan = NULL;
    keys_recording(v->keys, id, key);
    int r = scan_new(fd, key, NULL, NULL, &scan, &detail);
    keys_wipe(key);
    if (r) {
        say(v, VERIFY_FAULT, id, "%s", detail.text[0] ? detail.text : strerror(-r));
        return 1;
    }
    scan_watch(scan, watch);
    while ((r = scan_step(scan, SIZE_MAX / 2)) == SCAN_MORE)
        continue;
    if (r) {
        say(v, VERIFY_FAULT, id, "it can't be read: %s", strerror(-r));
        return 1;
    }
    *ret = STEAL(scan);
    return 0;
}

static int verify_file(void *owner, const char *id)
{
    struct verification *v = owner;
    struct registered *one = registry_find(v->registry, id);
    if (one)
        one->met = true;
    CLEANUP(scan_free) struct scan *scan = NULL;
    if (scan_file(v, id, one ? one->entries : 0, &scan))
        return 0;
    if (!one)
        say_unknown(v, id, scan_summary(scan));
    else if (one->expired)
        say(v, VERIFY_NOTE, id, "it was removed by retention, and is there again");
    else if (one->seal == SEAL_NONE)
        say_unsealed(v, id, scan_summary(scan));
    else if (one->seal == SEAL_MISSING)
        say(v, VERIFY_FAULT, id, "its file was missing when it should have been sealed, and is there again");
    else
        compare(v, one, scan);
    return 0;
}

/* What the audit chain knows and the directory does not have. */
static int verify_absent(void *owner, struct registered *one)
{
    struct verification *v = owner;
    if (one->met)
        return 0;
    if (one->expired)
        say(v, VERIFY_NOTE, one->id, "removed by retention");
    else
        say(v, VERIFY_FAULT, one->id, "its file is gone");
    return 0;
}

/* ---- the audit chain ---- */

static int take_audit(void *owner, uint64_t number, const Ipc__AuditEvent *event)
{
    struct verification *v = owner;
    for (size_t i = 0; i < event->n_fields; i++)
        if (strcmp(event->event, "ledger_start") == 0 && strcmp(event->fields[i]->name, "lost") == 0)
            v->lost_at = number;
    return registry_take(v->registry, event, false);
}

/* A ledger at work may be in the middle of an entry: it is done within a moment. */
static int read_audit(struct verification *v, int audit_fd, uint64_t *ret_entries, struct detail *detail)
{
    int r = AUDIT_TORN;
    for (int i = 0; i < TORN_TRIES && r == AUDIT_TORN; i++) {
        if (i > 0)
            (void)usleep(TORN_WAIT_US);
        registry_free(STEAL(v->registry));
        v->lost_at = 0;
        r = registry_new(&v->registry);
        if (r == 0)
            r = audit_read(audit_fd, v->keys, take_audit, v, ret_entries, detail);
    }
    return r;
}

static int verify_audit(struct verification *v, const char *state, struct detail *detail)
{
    char path[PATH_MAX];
    uint64_t entries = 0;
    (void)snprintf(path, sizeof path, "%s/audit", state);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s can't be read: %s", path, strerror(errno));
    int r = read_audit(v, fd, &entries, detail);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (v->lost_at > 0)
        say(v, VERIFY_FAULT, "audit", "entries before entry %llu were lost (a power cut), or cut off",
            (ull)v->lost_at);
    if (r == AUDIT_TORN)
        say(v, VERIFY_NOTE, "audit", "%llu entries; the next one was never finished", (ull)entries);
    else if (r)
        say(v, VERIFY_FAULT, "audit", "%s", detail->text);
    else
        say(v, VERIFY_GOOD, "audit", "%llu entries", (ull)entries);
    return 0;
}

static int prepare(struct verification *v, const char *state, struct detail *detail)
{
    char path[PATH_MAX];
    int r = keys_load(state, &v->keys, detail);
    if (r)
        return r;
    (void)snprintf(path, sizeof path, "%s/recordings", state);
    v->recordings_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return v->recordings_fd < 0 ? detail_fail(detail, -errno, "%s can't be read: %s", path, strerror(errno))
                                : 0;
}

static int verify_all(struct verification *v)
{
    int r = place_walk(v->recordings_fd, verify_file, v);
    return r ? r : registry_each(v->registry, verify_absent, v);
}

static int verify_one(struct verification *v, const char *id)
{
    char place[RECORDING_PLACE + 1];
    struct registered *one = registry_find(v->registry, id);
    if (faccessat(v->recordings_fd, recording_place(place, id), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return verify_file(v, id);
    if (one)
        return verify_absent(v, one);
    say(v, VERIFY_FAULT, id, "there is no such recording");
    return 0;
}

int verify_state(const char *state, const char *id, verify_say *on_finding, void *owner,
                 struct verify_count *ret, struct detail *detail)
{
    struct verification v = {
        .recordings_fd = -1, .say = on_finding, .owner = owner, .began_s = clock_unix_ms() / 1000
    };
    struct detail unused;
    detail = detail ? detail : &unused;
    if (id && !recording_id_valid(id))
        return detail_fail(detail, -EINVAL, "'%s' is no id of a recording", id);
    int r = prepare(&v, state, detail);
    if (r == 0)
        r = verify_audit(&v, state, detail);
    if (r == 0)
        r = id ? verify_one(&v, id) : verify_all(&v);
    if (r == 0)
        *ret = v.count;
    registry_free(v.registry);
    keys_free(v.keys);
    fd_close(v.recordings_fd);
    return r;
}

int verify_open(const char *state, const char *id, int *ret_fd, struct detail *detail)
{
    char path[PATH_MAX], place[RECORDING_PLACE + 1];
    if (!recording_id_valid(id))
        return detail_fail(detail, -EINVAL, "'%s' is no id of a recording", id);
    if (snprintf(path, sizeof path, "%s/recordings/%s", state, recording_place(place, id)) >=
        (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s can't be opened: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}
