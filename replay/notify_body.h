/* What a webhook is told, as bytes: docs/notifications.md. Pure. */
#pragma once
#include "base/buffer.h"
#include "replay/notify.h"

enum {
    NOTIFY_BODY_MAX = 128 * 1024,    /* bytes of a message: what the courier posts at most */
    NOTIFY_STATEMENT_MAX = 8 * 1024, /* bytes of a statement; the rest is left out */
    NOTIFY_TEXT_MAX = 512,           /* bytes of any other text */
    NOTIFY_NAME_MAX = 256,           /* bytes of each of these: */
    NOTIFY_NAMES_MAX = 16,           /* roles or people in a list */
    NOTIFY_ID = 32,                  /* hexadecimal digits of an event's id */
};

/* Into ret, which the caller frees; empty on failure. id and at_ms are the event's. */
MUST_USE int notify_body(const Ipc__Notify *webhook, const struct notification *what, const char *id,
                         uint64_t at_ms, struct buffer *ret);
