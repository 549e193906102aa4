/* The inside of a stream, shared by stream.c, stream_count.c and stream_hold.c. */
#pragma once
#include "channels/pg/session.h"
#include "channels/stream.h"
#include "policy/budget.h"

struct stream {
    struct stream *next; /* of all in this gate */
    struct channel *channel;
    uint32_t request;             /* to the vault, while it is asked; else 0 */
    uint32_t cancel_request;      /* the same, for the end of a cancel */
    uint32_t count_request;       /* to the ledger */
    struct approval *approval;    /* of its held statement; or NULL */
    struct preview_plan *preview; /* of the same, until people are asked; or NULL */
    struct pg_session *session;
    struct ipc_peer *connector; /* until it has answered */
};

/* pg_calls.ask_count */
int stream_ask_count(void *stream, const struct budget_use *uses, size_t n);
/* pg_calls.ask_approval, use_approval, drop_approval */
int stream_ask_approval(void *stream, struct hold *hold);
void stream_use_approval(void *stream, const struct hold *hold);
void stream_drop_approval(void *stream, const char *why);
