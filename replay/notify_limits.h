/* The bounds of notifications; docs/notifications.md states them. */
#pragma once

enum {
    NOTIFY_WEBHOOKS_MAX = 16,
    NOTIFY_WAITING_MAX = 1000,               /* messages of one webhook; beyond, the oldest is given up */
    NOTIFY_BYTES_MAX = 16 * 1024 * 1024,     /* of all messages */
    NOTIFY_AGE_MAX_MS = 24 * 60 * 60 * 1000, /* a message that is older is given up */
    NOTIFY_REFUSED_TRIES = 3,                /* of a message that the server refuses (3xx, 4xx) */
    NOTIFY_ANSWERED_TRIES = 12,              /* of one that it can't take now (5xx, 408, 425, 429) */
    NOTIFY_REST_MIN_MS = 1000,               /* before the second try; twice as long before each next one */
    NOTIFY_REST_MAX_MS = 5 * 60 * 1000,
    NOTIFY_KEY_MS = 30 * 1000,  /* until an unreadable key is looked at again */
    NOTIFY_POST_MS = 10 * 1000, /* for one POST */
    NOTIFY_GRACE_MS = 5 * 1000, /* for the courier to say so */
};
