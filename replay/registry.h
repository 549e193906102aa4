/* What the audit chain says of each recording, in memory: started, sealed, expired. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/chain.h"
#include "base/ipc.h"
#include "replay/place.h"

enum seal_state { SEAL_NONE, SEAL_COMPLETE, SEAL_INTERRUPTED, SEAL_CUT, SEAL_DAMAGED, SEAL_MISSING };

struct registered {
    char id[RECORDING_ID + 1];
    uint8_t tag[CHAIN_TAG];
    enum seal_state seal;
    bool expired, met; /* met: for the caller */
    uint64_t entries, size, tail;
};

struct registry;

MUST_USE int registry_new(struct registry **ret);
void registry_free(struct registry *registry);
DEFINE_CLEANUP(struct registry *, registry_free)
/* Takes one event of the audit chain in. only_open: forget a recording once it is sealed or expired. */
MUST_USE int registry_take(struct registry *registry, const Ipc__AuditEvent *event, bool only_open);
/* NULL when the audit chain does not know it. */
struct registered *registry_find(struct registry *registry, const char *id);
/* Visits all, in no order, until visit returns something else than 0. */
typedef int registry_visit(void *owner, struct registered *one);
MUST_USE int registry_each(struct registry *registry, registry_visit *visit, void *owner);

const char *seal_state_name(enum seal_state state); /* "complete", … */
