/* The audit chain: what happened, who came, what each recording was when it ended (docs/recording-format.md
 * §5). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"
#include "replay/keys.h"

enum {
    AUDIT_FIELDS_MAX = 16,  /* of one reported event */
    AUDIT_FIELD_MAX = 1024, /* bytes of one field's value */
    AUDIT_NAME_MAX = 64,    /* bytes of a field's or an event's name */
};

/* Gets every good event, in order; number counts from 0. Negative errno stops the reading. */
typedef int audit_visit(void *owner, uint64_t number, const Ipc__AuditEvent *event);

/* How a reading ended. */
enum audit_fault {
    AUDIT_TORN = 1, /* bytes of an unfinished entry follow: a ledger was killed, or is writing just now */
    AUDIT_CUT,      /* the head knows of more entries: the tail is cut off */
    AUDIT_FORGED,   /* an entry does not fit the chain, or the head does not fit it */
};

/* Reads the chain of a state directory, also one that is in use. 0 (an empty or absent chain included, when
 * there is no head), an audit_fault with detail, or negative with detail. ret_entries: the good ones. */
MUST_USE int audit_read(int dir_fd, const struct keys *keys, audit_visit *visit, void *owner,
                        uint64_t *ret_entries, struct detail *detail);

struct audit;

/* What opening found at the chain's end; the caller enters it in the chain. */
struct audit_end {
    uint64_t dropped; /* bytes of an unfinished entry, now cut off */
    uint64_t lost;    /* entries that the head knows of and the chain does not have */
};

/* Opens STATE/audit for appending: reads the whole chain for its current key, shows its events to `visit`,
 * and cuts an unfinished entry off. A chain with a fault inside is refused (AUDIT_FORGED): the ledger must
 * not bury it under new entries. synced: fdatasync after each entry. */
MUST_USE int audit_open(int dir_fd, const struct keys *keys, bool synced, audit_visit *visit, void *owner,
                        struct audit **ret, struct audit_end *ret_end, struct detail *detail);
void audit_free(struct audit *audit);
DEFINE_CLEANUP(struct audit *, audit_free)

/* Enters the event; at_ms is set here. When it fails nothing was entered, and the next try may succeed. */
MUST_USE int audit_append(struct audit *audit, Ipc__AuditEvent *event);
uint64_t audit_entries(const struct audit *audit);
void audit_tag(const struct audit *audit, uint8_t ret[CHAIN_TAG]);
void audit_synced(struct audit *audit, bool synced);
