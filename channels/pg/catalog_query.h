/* What the side connection asks, and what the answers mean. No I/O. */
#pragma once
#include "base/buffer.h"
#include "policy/catalog.h"

enum { CATALOG_QUERIES = 4 };

/* Appends the messages that fetch these wants in one round trip, up to Sync. prepared: which of the queries
 * the server knows already; a bit each. -ENOMEM, -ENOBUFS. */
MUST_USE int catalog_query_put(struct buffer *out, const struct catalog_want *wants, size_t n,
                               unsigned *prepared);
/* Appends what has to be said once, before the first of them, up to Sync. */
MUST_USE int catalog_query_begin(struct buffer *out);
/* Puts everything that the answers say into the catalog. reply: the server's messages, whole ones, up to
 * ReadyForQuery. -EPROTO when they do not add up, or an error is among them; -ENOMEM. */
MUST_USE int catalog_query_take(struct catalog *catalog, const struct catalog_want *wants, size_t n,
                                const void *reply, size_t size);
