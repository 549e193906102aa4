/* The client's side of a running session: every message is decided and recorded before it may go to the
 * server. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "channels/pg/inspect.h"
#include "channels/pg/lane.h"
#include "channels/pg/prepared.h"
#include "channels/pg/refuse.h"
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
    uint32_t stream;
    enum text_kind text_kind; /* of the session's client_encoding, now */
    bool skipping;            /* refused in the extended protocol: the server skips to Sync, so do we */
    bool asked;               /* something went to the server since it was last ready for queries */
    bool terminated;          /* the client said Terminate */
    struct {
        struct decision *decision;
        uint64_t request;
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

MUST_USE int front_init(struct front *front, const struct rulebook *rulebook, const struct circumstances *who,
                        struct recorder *recorder, uint32_t stream);
void front_free(struct front *front); /* zeroed ones too */
/* Decides on what is in the lane. 0, a front_fault or -ENOMEM: the session must stop, and what is not yet in
 * lane.out must not be sent. */
MUST_USE int front_take(struct front *front);
