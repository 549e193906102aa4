/* The chain's key is not stored: opening runs the chain from its first key. The head file, rewritten in place
 * after each entry, is what makes a cut-off tail show. It may lag by the entry after which the ledger was
 * killed, never run ahead: the entry is written first. */
#include "replay/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/io.h"
#include "replay/entries.h"

enum {
    HEAD_PLAIN = 8 + 8 + CHAIN_TAG,
    HEAD = HEAD_PLAIN + CHAIN_KEY,
};

static const char chain_name[] = "chain.ghaud";
static const char head_name[] = "head";

struct audit {
    const struct keys *keys;
    int fd, head_fd;
    struct chain chain;
    uint64_t size; /* of the file, all of it good */
    bool synced;
};

struct head {
    uint64_t entries, size;
    uint8_t tag[CHAIN_TAG];
};

/* ---- the head file ---- */

static void put_u64(uint8_t *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> (56 - 8 * i));
}

static int head_write(const struct audit *audit)
{
    uint8_t bytes[HEAD];
    put_u64(bytes, audit->chain.entries);
    put_u64(bytes + 8, audit->size);
    memcpy(bytes + 16, audit->chain.last, CHAIN_TAG);
    keys_head_mac(audit->keys, bytes, HEAD_PLAIN, bytes + HEAD_PLAIN);
    ssize_t n = pwrite(audit->head_fd, bytes, HEAD, 0);
    return n == HEAD ? 0 : n < 0 ? -errno : -EIO;
}

/* 0; 1 when there is none yet; AUDIT_FORGED. */
static int head_read(int dir_fd, const struct keys *keys, struct head *ret, struct detail *detail)
{
    uint8_t bytes[HEAD + 1], mac[CHAIN_KEY];
    CLEANUP(fd_close) int fd = openat(dir_fd, head_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 1
                               : detail_fail(detail, -errno, "audit/head can't be read: %s", strerror(errno));
    ssize_t n = pread(fd, bytes, sizeof bytes, 0);
    if (n == 0)
        return 1;
    keys_head_mac(keys, bytes, HEAD_PLAIN, mac);
    if (n != HEAD || memcmp(mac, bytes + HEAD_PLAIN, sizeof mac) != 0)
        return detail_fail(detail, AUDIT_FORGED, "audit/head was changed");
    struct reader r = reader_of(bytes, HEAD_PLAIN);
    const uint8_t *tag = NULL;
    if (!reader_u64(&r, &ret->entries) || !reader_u64(&r, &ret->size) || !reader_bytes(&r, CHAIN_TAG, &tag))
        return AUDIT_FORGED;
    memcpy(ret->tag, tag, CHAIN_TAG);
    return 0;
}

/* ---- reading ---- */

struct reading {
    struct chain chain;
    uint64_t size;
    bool has_head, head_met;
    struct head head;
    audit_visit *visit;
    void *owner;
};

static int visit_entry(struct reading *reading, const struct chain_entry *entry)
{
    Ipc__AuditEvent *event = ipc__audit_event__unpack(NULL, entry->head_n, entry->head);
    if (!event)
        return 0; /* of a later version: it fits the chain, and that is all there is to say */
    int r = reading->visit ? reading->visit(reading->owner, reading->chain.entries - 1, event) : 0;
    ipc__audit_event__free_unpacked(event, NULL);
    return r;
}

/* False when the head knows of this very place another tag or size. */
static bool fits_head(struct reading *reading)
{
    const struct head *head = &reading->head;
    if (!reading->has_head || reading->chain.entries != head->entries)
        return true;
    reading->head_met = reading->size == head->size && memcmp(reading->chain.last, head->tag, CHAIN_TAG) == 0;
    return reading->head_met;
}

static int read_entries(struct entries *entries, struct reading *reading, struct detail *detail)
{
    for (;;) {
        struct chain_entry entry;
        int r = entries_next(entries, &entry);
        if (r < 0)
            return detail_fail(detail, r, "the audit chain can't be read: %s", strerror(-r));
        unsigned long long at = reading->chain.entries;
        if (r == ENTRIES_END)
            return 0;
        if (r == ENTRIES_CUT)
            return detail_fail(detail, AUDIT_TORN, "the audit chain ends inside entry %llu", at);
        if (r || chain_check(&reading->chain, &entry))
            return detail_fail(detail, AUDIT_FORGED,
                               "entry %llu of the audit chain was changed, or entries before "
                               "it were dropped or moved",
                               at);
        reading->size += entry.size;
        if (!fits_head(reading))
            return detail_fail(detail, AUDIT_FORGED, "audit/head does not fit entry %llu of the audit chain",
                               at);
        r = visit_entry(reading, &entry);
        if (r)
            return r;
    }
}

/* Reads fd (or nothing, when it is -1) to its end. */
static int read_chain(int fd, const struct keys *keys, struct reading *reading, struct detail *detail)
{
    CLEANUP(entries_free) struct entries *entries = NULL;
    uint8_t key[CHAIN_KEY];
    keys_audit(keys, key);
    chain_start(&reading->chain, CHAIN_V1, key);
    keys_wipe(key);
    reading->size = ENTRIES_MAGIC;
    int r = fd < 0 ? 0 : entries_new(fd, magic_audit, &entries, detail);
    if (r == 0 && entries)
        r = read_entries(entries, reading, detail);
    if (r == 0 || r == AUDIT_TORN)
        if (reading->has_head && !reading->head_met && reading->head.entries > 0)
            return detail_fail(detail, AUDIT_CUT,
                               "the audit chain's tail is cut off: it has %llu entries, and had "
                               "%llu",
                               (unsigned long long)reading->chain.entries,
                               (unsigned long long)reading->head.entries);
    return r;
}

static int find_head(int dir_fd, const struct keys *keys, struct reading *reading, struct detail *detail)
{
    int r = head_read(dir_fd, keys, &reading->head, detail);
    reading->has_head = r == 0;
    return r == 1 ? 0 : r;
}

int audit_read(int dir_fd, const struct keys *keys, audit_visit *visit, void *owner, uint64_t *ret_entries,
               struct detail *detail)
{
    struct reading reading = { .visit = visit, .owner = owner };
    /* The head first: a chain in use may grow meanwhile, but never falls behind it. */
    int r = find_head(dir_fd, keys, &reading, detail);
    CLEANUP(fd_close) int fd = openat(dir_fd, chain_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return detail_fail(detail, -errno, "the audit chain can't be read: %s", strerror(errno));
    if (r == 0)
        r = read_chain(fd, keys, &reading, detail);
    *ret_entries = reading.chain.entries;
    chain_wipe(&reading.chain);
    return r;
}

/* ---- appending ---- */

static int open_files(int dir_fd, struct audit *audit, struct detail *detail)
{
    struct stat about;
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    audit->fd = openat(dir_fd, chain_name, flags | O_APPEND, 0600);
    audit->head_fd = openat(dir_fd, head_name, flags, 0600);
    if (audit->fd < 0 || audit->head_fd < 0 || fstat(audit->fd, &about) < 0)
        return detail_fail(detail, -errno, "the audit chain can't be opened: %s", strerror(errno));
    if (about.st_size >= ENTRIES_MAGIC)
        return 0;
    int r = ftruncate(audit->fd, 0) < 0 ? -errno : fd_write_all(audit->fd, magic_audit, ENTRIES_MAGIC, -1);
    return r ? detail_fail(detail, r, "the audit chain can't be begun: %s", strerror(-r)) : 0;
}

/* What stands behind the last whole entry was being written when the ledger died: nobody has relied on it. */
static int drop_rest(const struct audit *audit, uint64_t *ret_dropped)
{
    struct stat about;
    if (fstat(audit->fd, &about) < 0 || ftruncate(audit->fd, (off_t)audit->size) < 0)
        return -errno;
    *ret_dropped = (uint64_t)about.st_size - audit->size;
    return 0;
}

static int take_over(int dir_fd, struct audit *audit, struct reading *reading, struct audit_end *end,
                     struct detail *detail)
{
    int r = find_head(dir_fd, audit->keys, reading, detail);
    if (r == 0)
        r = open_files(dir_fd, audit, detail);
    if (r)
        return r;
    r = read_chain(audit->fd, audit->keys, reading, detail);
    audit->chain = reading->chain;
    audit->size = reading->size;
    if (r == AUDIT_TORN || r == AUDIT_CUT) {
        if (reading->has_head && reading->head.entries > audit->chain.entries)
            end->lost = reading->head.entries - audit->chain.entries;
        r = drop_rest(audit, &end->dropped);
    }
    return r ? r : head_write(audit);
}

int audit_open(int dir_fd, const struct keys *keys, bool synced, audit_visit *visit, void *owner,
               struct audit **ret, struct audit_end *ret_end, struct detail *detail)
{
    CLEANUP(audit_free) struct audit *audit = calloc(1, sizeof *audit);
    struct reading reading = { .visit = visit, .owner = owner };
    struct audit_end end = { 0 };
    if (!audit)
        return -ENOMEM;
    *audit = (struct audit){ .keys = keys, .fd = -1, .head_fd = -1, .synced = synced };
    int r = take_over(dir_fd, audit, &reading, &end, detail);
    chain_wipe(&reading.chain);
    if (r)
        return r;
    *ret_end = end;
    *ret = STEAL(audit);
    return 0;
}

void audit_free(struct audit *audit)
{
    if (!audit)
        return;
    chain_wipe(&audit->chain);
    fd_close(audit->fd);
    fd_close(audit->head_fd);
    free(audit);
}

int audit_append(struct audit *audit, Ipc__AuditEvent *event)
{
    uint8_t head[CHAIN_HEAD_MAX];
    event->at_ms = clock_unix_ms();
    size_t n = ipc__audit_event__get_packed_size(event);
    if (n > sizeof head)
        return -EMSGSIZE;
    (void)ipc__audit_event__pack(event, head);
    int r = chain_append(&audit->chain, audit->fd, head, n, NULL, 0);
    if (r) {
        /* A torn entry would make everything behind it unreadable. */
        if (ftruncate(audit->fd, (off_t)audit->size) < 0)
            return -errno;
        return r;
    }
    audit->size += 4 + 2 + n + CHAIN_TAG;
    if (audit->synced && fdatasync(audit->fd) < 0)
        return -errno;
    return head_write(audit);
}

uint64_t audit_entries(const struct audit *audit)
{
    return audit->chain.entries;
}

void audit_tag(const struct audit *audit, uint8_t ret[CHAIN_TAG])
{
    memcpy(ret, audit->chain.last, CHAIN_TAG);
}

void audit_synced(struct audit *audit, bool synced)
{
    audit->synced = synced;
}
