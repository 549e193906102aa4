/* What has changed and was not shown yet, for those who follow approvals: each request once, however often it
 * changed meanwhile, so that a slow reader costs little. No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/ipc.h"

enum {
    FEED_MAX = 4096,           /* requests and grants that wait to be shown */
    FEED_GRANT_MAX = 16 * 1024 /* bytes of one grant as JSON */
};

struct feed_item {
    char id[16];
    char *grant; /* a grant's line, and not a request; malloc'ed */
    struct feed_item *next;
};

/* Embedded; empty when zeroed. */
struct feed {
    struct feed_item *first, *last;
    size_t n;
};

/* -ENOBUFS: FEED_MAX wait already; -ENOMEM. News of one's own requests, with neither, change nothing. */
MUST_USE int feed_add(struct feed *feed, const Ipc__ApprovalNews *news);
/* The oldest, taken out; NULL: nothing waits. */
struct feed_item *feed_take(struct feed *feed);
void feed_item_free(struct feed_item *item);
DEFINE_CLEANUP(struct feed_item *, feed_item_free)
void feed_free(struct feed *feed); /* empties it */
