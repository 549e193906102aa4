/* An admitted connection lasts no longer than its certificate: it ends when that expires or is revoked. */
#pragma once
#include "channels/gate.h"

enum {
    LIFETIME_CHECK_MS = 60 * 1000, /* between looks at the clock, which may be set meanwhile */
    LIFETIME_FAREWELL_MS = 500,    /* for what channels are told to go out */
    LIFETIME_DRAIN_MS = 1000,      /* for the front to pass it on */
};

/* From here on gate->identity and gate->certificate are watched. */
MUST_USE int lifetime_begin(struct gate *gate);
/* Whether the newest list has the certificate; detail is fit for its owner. */
bool lifetime_is_revoked(const struct gate *gate, struct detail *detail);
/* Takes over the newest list, for a login that is under way or a session that is live. fd is borrowed. */
void lifetime_revocations(struct gate *gate, int fd);
