/* What of the server's answers the client gets to see: cells of results and of COPY by the fates of their
 * columns, texts of errors and notices, and whatever the detectors find.
 *
 * Answers carry no names, so the veil counts along: the front tells it what goes to the server, in order, and
 * each answer belongs to the first that is still open. An answer that belongs to nothing is a fault: rather
 * no answer than a wrong one. */
#pragma once
#include "base/buffer.h"
#include "policy/detect.h"
#include "policy/lineage.h"
#include "policy/mask_value.h"

enum {
    VEIL_MESSAGE_MAX = 64 * 1024 * 1024, /* bytes of a row that can be looked into */
    VEIL_EXPECTED_MAX = 256 * 1024,      /* messages that the server has not answered */
};

/* In which format a portal's columns come. */
struct veil_formats {
    enum { FORMATS_DESCRIBED, FORMATS_TEXT, FORMATS_BINARY, FORMATS_LISTED, FORMATS_UNKNOWN } how;
    uint8_t *binary; /* LISTED: a flag per column; malloc'ed */
    size_t n;
};
/* The end of a Bind: n formats of 16 bits. */
MUST_USE int veil_formats_read(struct reader formats, size_t n, struct veil_formats *ret);
void veil_formats_clear(struct veil_formats *formats);

struct veil;

struct veil_how {
    const uint8_t *key;          /* MASK_KEY bytes, for `hash`; borrowed; NULL: redacted instead */
    struct detectors *detectors; /* borrowed; NULL: none */
    const struct detect_how *detect;
    const struct mask
        *worst; /* of the masks of columns, for what nothing is known about; NULL: there are none */
};
MUST_USE int veil_new(const struct veil_how *how, struct veil **ret);
void veil_free(struct veil *veil);
DEFINE_CLEANUP(struct veil *, veil_free)

/* ---- what goes to the server ----
 * Lineages are copied; NULL: there are no masks of columns. 0; VEIL_LIMIT: more than VEIL_EXPECTED_MAX are
 * open; -ENOMEM. */

enum { VEIL_LIMIT = 1 };

/* n: the statements of the string. */
MUST_USE int veil_query(struct veil *veil, const struct lineages *lineages, size_t n);
MUST_USE int veil_parse(struct veil *veil, const char *statement, const struct lineage *lineage);
/* lineage: when the statement was followed anew since it was parsed, else NULL. formats are taken over. */
MUST_USE int veil_bind(struct veil *veil, const char *portal, const char *statement,
                       const struct lineage *lineage, struct veil_formats *formats);
/* kind: 'S' for a statement, 'P' for a portal. */
MUST_USE int veil_describe(struct veil *veil, uint8_t kind, const char *name);
MUST_USE int veil_close(struct veil *veil, uint8_t kind, const char *name);
MUST_USE int veil_execute(struct veil *veil, const char *portal);
MUST_USE int veil_sync(struct veil *veil);
/* What was noted last is the one that limits are about. Nothing, where the server skips it. */
void veil_mark(struct veil *veil);
/* Whether its answers are not over; whether they are what comes now. */
bool veil_is_marked(const struct veil *veil);
bool veil_is_at_mark(const struct veil *veil);
/* A CopyDone or CopyFail: what was sent as Sync behind the Execute of a COPY FROM was not answered. */
void veil_copied(struct veil *veil);

/* ---- what the server answers ---- */

enum veil_verdict {
    VEIL_PASS = 0,   /* as it is */
    VEIL_REPLACED,   /* what is in `out` takes its place */
    VEIL_UNEXPECTED, /* it is the answer to nothing, or does not add up: the session must stop */
};
/* Whether messages of this type must be there as a whole before they are answered for. */
bool veil_looks_into(const struct veil *veil, uint8_t type);
/* A veil_verdict, or negative errno. Every message of the server goes through here, in order. */
MUST_USE int veil_answer(struct veil *veil, uint8_t type, struct reader body, struct buffer *out);
/* True when these bytes, which are rows that nothing is masked in by column, hold nothing for the detectors
 * either. */
bool veil_is_clean(struct veil *veil, const void *bytes, size_t n);
