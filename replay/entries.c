/* The file may be hostile, still growing, or shrinking under us: so no mmap, no trust in sizes, and never
 * more than one entry (ENTRY_MAX) in memory. */
#include "replay/entries.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

enum {
    ENTRY_MAX = 4 + 2 + CHAIN_HEAD_MAX + CHAIN_BODY_MAX + CHAIN_TAG,
    READ_AT_ONCE = 64 * 1024,
};

const uint8_t magic_recording[ENTRIES_MAGIC] = { 'G', 'H', 'R', 'E', 'C', 0, 0, CHAIN_V2 };
const uint8_t magic_audit[ENTRIES_MAGIC] = { 'G', 'H', 'A', 'U', 'D', 0, 0, CHAIN_V1 };

struct entries {
    int fd;
    enum chain_version version;
    uint64_t offset; /* of the buffer's first byte */
    struct buffer bytes;
    size_t given; /* size of the entry that the caller holds */
};

static int check_magic(int fd, const uint8_t magic[ENTRIES_MAGIC], enum chain_version *ret,
                       struct detail *detail)
{
    uint8_t found[ENTRIES_MAGIC];
    ssize_t n = pread(fd, found, sizeof found, 0);
    if (n < 0)
        return detail_fail(detail, -errno, "it can't be read: %s", strerror(errno));
    if (n != ENTRIES_MAGIC || memcmp(found, magic, ENTRIES_MAGIC - 1) != 0)
        return detail_fail(detail, -EBADMSG, "it is no such file: its first bytes are others");
    unsigned version = found[ENTRIES_MAGIC - 1], newest = magic[ENTRIES_MAGIC - 1];
    if (version < CHAIN_V1 || version > newest)
        return detail_fail(detail, -EBADMSG, "its format is version %u; this program reads version%s %s%u",
                           version, newest > CHAIN_V1 ? "s" : "", newest > CHAIN_V1 ? "1 to " : "", newest);
    *ret = version;
    return 0;
}

int entries_new(int fd, const uint8_t magic[ENTRIES_MAGIC], struct entries **ret, struct detail *detail)
{
    enum chain_version version = CHAIN_V1;
    int r = check_magic(fd, magic, &version, detail);
    if (r)
        return r;
    struct entries *entries = calloc(1, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    entries->fd = fd;
    entries->version = version;
    entries->offset = ENTRIES_MAGIC;
    buffer_init(&entries->bytes, ENTRY_MAX + READ_AT_ONCE);
    *ret = entries;
    return 0;
}

enum chain_version entries_version(const struct entries *entries)
{
    return entries->version;
}

void entries_free(struct entries *entries)
{
    if (!entries)
        return;
    buffer_free(&entries->bytes);
    free(entries);
}

/* Reads on; *ret_n is 0 at the end of the file. */
static int fill(struct entries *entries, size_t *ret_n)
{
    uint8_t *space = NULL;
    int r = buffer_reserve(&entries->bytes, READ_AT_ONCE, &space);
    if (r)
        return r;
    ssize_t n;
    do
        n = pread(entries->fd, space, READ_AT_ONCE, (off_t)(entries->offset + buffer_size(&entries->bytes)));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    buffer_commit(&entries->bytes, (size_t)n);
    *ret_n = (size_t)n;
    return 0;
}

static void drop_given(struct entries *entries)
{
    buffer_consume(&entries->bytes, entries->given);
    entries->offset += entries->given;
    entries->given = 0;
}

int entries_next(struct entries *entries, struct chain_entry *ret)
{
    drop_given(entries);
    for (;;) {
        size_t have = buffer_size(&entries->bytes), n = 0;
        int r = have == 0 ? CHAIN_CUT : chain_parse(buffer_head(&entries->bytes), have, ret);
        if (r == 0) {
            entries->given = ret->size;
            return 0;
        }
        if (r != CHAIN_CUT)
            return ENTRIES_BROKEN;
        r = fill(entries, &n);
        if (r)
            return r;
        if (n == 0)
            return have == 0 ? ENTRIES_END : ENTRIES_CUT;
    }
}

uint64_t entries_offset(const struct entries *entries)
{
    return entries->offset + entries->given;
}

Ipc__Event *entry_event(const struct chain_entry *entry)
{
    return ipc__event__unpack(NULL, entry->head_n, entry->head);
}
