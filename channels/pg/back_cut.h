/* The end of a result that is over its limit. Part of back.c; see channels/pg/back.h. */
#pragma once
#include "channels/pg/back.h"

/* A row, or piece of COPY data, of the limited result: 0 when it may be shown; CUT_HERE when it is the one
 * too many, which is recorded, and from now on back_cut() gets the messages; a back_fault or negative errno.
 */
enum { CUT_HERE = -2000 };
MUST_USE int back_count(struct back *back, size_t body);
/* What becomes of a message while a result is being ended. */
enum cut_fate { CUT_PASS = -2001, CUT_DROP = -2002, CUT_REPLACE = -2003, CUT_AHEAD = -2004 };
/* A cut_fate: it is treated as always; dropped; what is in `ours` takes its place, or goes ahead of it. Or a
 * back_fault or negative errno. */
MUST_USE int back_cut(struct back *back, const struct pg_header *header, struct reader body,
                      struct buffer *ours);
