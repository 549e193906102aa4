/* The client's side of a running session: every message is decided and recorded before it may go to the
 * server. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "channels/pg/hold.h"
#include "channels/pg/inspect.h"
#include "channels/pg/lane.h"
#include "channels/pg/limits.h"
#include "channels/pg/prepared.h"
#include "channels/pg/refuse.h"
#include "channels/pg/veil.h"
#include "channels/recorder.h"

enum {
    FRONT_BIND_MAX = 256 * 1024, /* bytes of a Bind that are waited for; the rest of a longer one streams */
    FRONT_VALUES_SHOWN = 1024,   /* values of a Bind in the recording */
    FRONT_VALUES_BYTES = 32 * 1024, /* of these values */
    FRONT_BIND_TEXT = 1024,         /* bytes of the statement repeated with each Bind */
    FRONT_WORDS_MAX = 2048,         /* bytes of a rule's reason in the recording */
};

struct values; /* of the Bind that is about to be recorded */

/* Embedded by the session. */
struct front {
    struct lane lane;
    struct inspector *inspector;
    struct prepared_set prepared;
    struct refusals refusals;
    struct recorder *recorder; /* borrowed */
    struct veil *veil;         /* learns of everything that goes to the server; borrowed; or NULL */
    uint32_t stream;
    enum text_kind text_kind; /* of the session's client_encoding, now */
    bool skipping;            /* refused in the extended protocol: the server skips to Sync, so do we */
    bool anew;                /* the held Bind's statement was decided anew */
    bool held;         /* the next message waits for something before it can be decided: front_resume() */
    const char *fault; /* why what it waited for did not come; static */
    struct limits limits;
    struct hold hold;
    bool cancelled;           /* the client does not want the held message any more */
    uint64_t rounds_due;      /* ReadyForQuery that the server owes for what was passed so far, */
    uint64_t rounds_seen;     /* those that came, */
    uint8_t status;           /* and what the last one said; both by back.c */
    bool in_pipeline;         /* something was bound since the last Sync */
    uint64_t unsettled_until; /* the one behind which the catalog may tell all again; 0: it does */
    bool asked;               /* something went to the server since it was last ready for queries */
    bool terminated;          /* the client said Terminate */
    struct {
        struct decision *decision;
        uint64_t request;
        struct prepared_types types;
    } unnamed; /* prepared statement */
    struct values *bound;
    bool copying;       /* the decided bytes end with COPY data, */
    size_t copied_from; /* which begins here */
    bool copy_rest;     /* and so does the rest of the last message */
    struct detail why;  /* of FRONT_MALFORMED */
};

enum front_fault {
    FRONT_MALFORMED = 1, /* the client broke the protocol */
    FRONT_UNRECORDED,    /* the recording can't be written */
};

/* scope: how names are resolved; borrowed; or NULL. */
MUST_USE int front_init(struct front *front, const struct rulebook *rulebook, const struct circumstances *who,
                        struct scope *scope, struct recorder *recorder, uint32_t stream);
void front_free(struct front *front); /* zeroed ones too */
/* Decides on what is in the lane. 0, a front_fault or -ENOMEM: the session must stop, and what is not yet in
 * lane.out must not be sent. When `held` is set afterwards, the next message waits, and everything behind it:
 * nothing is decided until front_resume(). */
MUST_USE int front_take(struct front *front);
/* What the held message waited for is there, or never comes (fault: static, why). front_take() goes on with
 * it. */
void front_resume(struct front *front, const char *fault);
/* The client cancels the held message: it fails as if the server had cancelled it. */
void front_cancel(struct front *front);
/* A limited result is under way, or is being ended: nothing more is decided. */
bool front_is_behind_limit(const struct front *front);
/* Sends what the server can't but fail, behind the limited request, which it has completed. */
MUST_USE int front_abort(struct front *front, const struct verdict *verdict);
/* The server was ready for the nth time, with this transaction status. True when what was unsettled no longer
 * is. */
MUST_USE bool front_ready(struct front *front, uint64_t nth, uint8_t status);
