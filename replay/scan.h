/* Reads one recording from its start, checks its chain, and sums up what is in it: for sealing, verifying,
 * and filling the index. Works in slices, so that a loop can go on with other things. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/chain.h"
#include "base/ipc.h"
#include "replay/entries.h"

enum { SCAN_REASON_MAX = 256 };

enum scan_end {
    SCAN_COMPLETE, /* the last entry is an `end` */
    SCAN_OPEN,     /* every entry is whole and in its place; no `end` */
    SCAN_CUT,      /* bytes of an unfinished entry follow */
    SCAN_FORGED,   /* an entry does not fit the chain */
};

struct scan_summary {
    enum scan_end end;
    uint64_t entries, size; /* that are good; size in bytes, magic included */
    uint64_t tail;          /* bytes behind them */
    uint8_t tag[CHAIN_TAG]; /* of the last good entry */
    uint64_t at_us;         /* of the last good event */
    uint64_t requests, denied, output_bytes;
    uint32_t status; /* of the `end` */
    char reason[SCAN_REASON_MAX];
    Ipc__Header *header; /* belongs to the scan; NULL when the first entry is none */
    uint64_t unreadable; /* entries that fit the chain but hold no event */
};

/* Gets every request of the recording. Fails with negative errno to stop the scan. */
typedef int scan_request(void *owner, const Ipc__Request *request, const uint8_t *text, size_t n);

struct scan;

/* fd is the scan's from here on, also on failure. `request` may be NULL. The key is copied. */
MUST_USE int scan_new(int fd, const uint8_t key[CHAIN_KEY], scan_request *request, void *owner,
                      struct scan **ret, struct detail *detail);
void scan_free(struct scan *scan);
DEFINE_CLEANUP(struct scan *, scan_free)
enum { SCAN_MORE = 1 };
/* Goes on for about max_bytes: SCAN_MORE, or 0 at the end, or negative when reading failed. */
MUST_USE int scan_step(struct scan *scan, size_t max_bytes);
/* Whole, once scan_step() gave 0. */
const struct scan_summary *scan_summary(const struct scan *scan);
/* Notes the tag of the entry after which `entries` entries are good, for comparing with a seal that is older
 * than the file's end. Set before the first step. */
void scan_watch(struct scan *scan, uint64_t entries);
/* True, with size and tag, when the watched entry was met and was good. */
bool scan_watched(const struct scan *scan, uint64_t *ret_size, uint8_t ret_tag[CHAIN_TAG]);
