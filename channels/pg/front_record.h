/* What the client's side writes into the recording. Part of front.c; see channels/pg/front.h. */
#pragma once
#include "channels/pg/front.h"

/* Each returns 0, FRONT_UNRECORDED or -ENOMEM. */

/* One request with its verdict; d (may be NULL) gives the effects. `missing` bytes of the text are not there.
 */
MUST_USE int front_record(struct front *front, const char *what, const struct verdict *verdict,
                          const struct decision *d, const char *text, size_t n, size_t missing);
/* Keeps what a Bind holds until front_settle or its Execute; `of`: the request that made the statement. */
MUST_USE int front_note_bind(struct front *front, const struct pg_bind *bind, struct decision *d,
                             uint64_t of);
/* A Bind that is held, at once. */
MUST_USE int front_record_bind(struct front *front, const struct pg_bind *bind, struct decision *d,
                               uint64_t of);
/* An Execute: with the Bind that was kept when it runs that portal, else by the portal's name alone. */
MUST_USE int front_record_execute(struct front *front, const char *portal);
/* The next decided bytes, up to front_settle, are COPY data. */
void front_note_copy(struct front *front);
/* The same for the rest of a message that began in an earlier round. */
void front_resume_copy(struct front *front);
/* Writes what was kept. To be called before the decided bytes leave the lane. */
MUST_USE int front_settle(struct front *front);
/* Frees what was kept, unwritten. */
void front_forget(struct front *front);
