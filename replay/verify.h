/* `gatehouse verify`: are the audit chain and the recordings what they were when they were written? */
#pragma once
#include <stdint.h>
#include "base/error.h"

enum verify_grade {
    VERIFY_GOOD, /* whole, and as it was sealed */
    VERIFY_NOTE, /* nothing wrong, but something to know: not sealed yet, interrupted, removed by retention */
    VERIFY_FAULT, /* changed, dropped, moved, cut off or gone */
};

/* One finding. id: a recording's, or "audit" for the audit chain. */
typedef void verify_say(void *owner, enum verify_grade grade, const char *id, const char *text);

struct verify_count {
    uint64_t good, notes, faults;
};

/* Checks the audit chain and every recording of a state directory, or only one when id is not NULL. Each gets
 * at least one finding. 0 when all could be checked, faults or not: see ret; negative with detail when not
 * (no key, not readable). Needs to be the owner of the state directory, or root. May run beside a ledger. */
MUST_USE int verify_state(const char *state, const char *id, verify_say *say, void *owner,
                          struct verify_count *ret, struct detail *detail);
/* Opens the recording of an id for `gatehouse play ID`. */
MUST_USE int verify_open(const char *state, const char *id, int *ret_fd, struct detail *detail);
