/* What of a host's output a client gets to see: matches of detectors are masked. No I/O.
 *
 * Without a terminal that is a stream of bytes (policy/detect.h). With one it is what stands on the screen: a
 * match may come in parts, between escape sequences, wrapped at the edge, or drawn by a program that moves
 * the cursor. */
#pragma once
#include "policy/detect.h"

enum {
    VEIL_HOLD_MAX = 4 * 1024, /* bytes that a terminal's veil holds back at most */
    VEIL_FLUSH_MS = 150,      /* after which what is held of a terminal is let go: somebody is typing */
    VEIL_SIDE_MAX = 512,      /* columns, and rows, of a terminal; of a larger one the rest is not followed */
};

struct ssh_veil;

/* Both are borrowed. terminal: with columns × rows. */
MUST_USE int ssh_veil_new(struct detectors *detectors, const struct detect_how *how, bool terminal,
                          unsigned columns, unsigned rows, struct ssh_veil **ret);
void ssh_veil_free(struct ssh_veil *veil);
DEFINE_CLEANUP(struct ssh_veil *, ssh_veil_free)
/* Appends what may be seen. After a failure nothing more is to be shown. */
MUST_USE int ssh_veil_feed(struct ssh_veil *veil, const void *bytes, size_t n, struct buffer *out);
/* Whether a terminal's veil holds something that ssh_veil_flush() lets go. */
bool ssh_veil_holds(const struct ssh_veil *veil);
MUST_USE int ssh_veil_flush(struct ssh_veil *veil, struct buffer *out);
/* Nothing follows. */
MUST_USE int ssh_veil_end(struct ssh_veil *veil, struct buffer *out);
MUST_USE int ssh_veil_resize(struct ssh_veil *veil, unsigned columns, unsigned rows);
