/* The server's side of a running session: everything is recorded before the client may get it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "channels/pg/front.h"

/* Embedded by the session. */
struct back {
    struct lane lane;
    struct front *front; /* borrowed: refusals, text_kind, recorder */
    struct veil *veil;   /* borrowed; set before the session runs; NULL: everything is shown */
    bool recorded;       /* what the client gets goes into the recording */
    uint8_t status;      /* of the last ReadyForQuery */
    uint64_t rounds;     /* ReadyForQuery so far */
    bool idle;           /* nothing came since that one */
    size_t suspect;      /* bytes of the rows that come next, among which not all are clean */
    bool fatal;          /* the server said why it closes */
    struct detail why;   /* of BACK_MALFORMED and BACK_UNSAFE */
};

enum back_fault {
    BACK_MALFORMED = 1, /* the server broke the protocol */
    BACK_UNSAFE,        /* a setting became one under which statements can't be inspected */
    BACK_UNRECORDED,    /* the recording can't be written */
};

void back_init(struct back *back, struct front *front, bool veiled, bool recorded);
void back_free(struct back *back);
/* What the server said about one of its settings, at login or later. 0 or BACK_UNSAFE. */
MUST_USE int back_setting(struct back *back, const char *name, const char *value);
/* Looks at what is in the lane. 0, a back_fault or negative errno: the session must stop. */
MUST_USE int back_take(struct back *back);
/* Records bytes of our own and puts them behind what waits to go out. */
MUST_USE int back_say(struct back *back, const void *bytes, size_t n);
