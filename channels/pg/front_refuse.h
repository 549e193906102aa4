/* What is refused: a message that must fail goes to the server in its place. Part of front.c; see
 * channels/pg/front.h. */
#pragma once
#include <errno.h>
#include "channels/pg/front.h"

struct refused {
    const char *what; /* for the recording */
    const char *text; /* what was refused: n bytes are there, missing are not */
    size_t n, missing;
    const struct verdict *verdict;
    const struct decision *decision; /* or NULL */
    const char *unknown;             /* a prepared statement that nobody made; or NULL */
    const char *statement;           /* name for the failing Parse; NULL: a failing Query */
    bool cancelled;
};

/* What the client does not wait for any more. */
extern const struct verdict front_cancelled;

/* Drops the message behind the header. */
MUST_USE int front_refuse(struct front *front, const struct pg_header *header, const struct refused *refused);
/* A statement of more than SQL_PARSE_MAX bytes, of which body is there. */
MUST_USE int front_refuse_too_long(struct front *front, const struct pg_header *header, struct reader body,
                                   bool simple);
/* The veil's results as the front's. */
static inline int front_veiled(int r)
{
    return r == VEIL_LIMIT ? -ENOBUFS : r;
}
