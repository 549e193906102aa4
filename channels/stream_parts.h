/* The inside of a stream, shared by stream.c and stream_count.c. */
#pragma once
#include "channels/pg/session.h"
#include "channels/stream.h"
#include "policy/budget.h"

struct stream {
    struct stream *next; /* of all in this gate */
    struct channel *channel;
    uint32_t request;        /* to the vault, while it is asked; else 0 */
    uint32_t cancel_request; /* the same, for the end of a cancel */
    uint32_t count_request;  /* to the ledger */
    struct pg_session *session;
    struct ipc_peer *connector; /* until it has answered */
};

/* pg_calls.ask_count */
int stream_ask_count(void *stream, const struct budget_use *uses, size_t n);
