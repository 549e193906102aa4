/* Reads a file of chained entries (a recording, the audit chain), one entry at a time. Checks no tags. */
#pragma once
#include <stdint.h>
#include "base/chain.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/ipc.h"

enum { ENTRIES_MAGIC = 8 };
/* Of what is written now; earlier versions are read as well. */
extern const uint8_t magic_recording[ENTRIES_MAGIC], magic_audit[ENTRIES_MAGIC];

enum entries_fault {
    ENTRIES_END = 1, /* the file ends behind a whole entry: there may be more later */
    ENTRIES_CUT,     /* the file ends inside an entry: likewise */
    ENTRIES_BROKEN,  /* an impossible size: nothing behind it can be read */
};

struct entries;

/* Reads at positions of its own (pread), from the start; fd stays the caller's. -EBADMSG and detail when the
 * file does not begin with the magic, or with a later version of it. */
MUST_USE int entries_new(int fd, const uint8_t magic[ENTRIES_MAGIC], struct entries **ret,
                         struct detail *detail);
void entries_free(struct entries *entries);
DEFINE_CLEANUP(struct entries *, entries_free)

enum chain_version entries_version(const struct entries *entries);

/* 0 and the next entry, which is good until the next call; an entries_fault; or negative when reading failed.
 */
MUST_USE int entries_next(struct entries *entries, struct chain_entry *ret);
/* Where the next entry begins in the file. */
uint64_t entries_offset(const struct entries *entries);

/* Unpacks an entry's head; NULL when it is none. ipc__event__free_unpacked(e, NULL) frees it. */
Ipc__Event *entry_event(const struct chain_entry *entry);
static inline void event_free(Ipc__Event *event)
{
    if (event)
        ipc__event__free_unpacked(event, NULL);
}
DEFINE_CLEANUP(Ipc__Event *, event_free)
