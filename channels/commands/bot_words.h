/* One line of the machine form of approvals (docs/approvals-protocol.md): what a program wants. No I/O. */
#pragma once
#include "base/json_object.h"
#include "channels/commands/decision_words.h"

enum {
    BOT_VERSION = 1,
    BOT_LINE_MAX = 32 * 1024, /* bytes of one line that comes */
    BOT_ID_MAX = 64,          /* bytes of a program's own id */
};

enum bot_do { BOT_APPROVE, BOT_DENY, BOT_REVOKE_GRANT, BOT_SHOW, BOT_LIST, BOT_PING };

struct bot_request {
    enum bot_do what;
    char id[BOT_ID_MAX + 3]; /* as JSON, to be sent back; "null" when there was none */
    char request[32];        /* of the request or grant, or "" */
    const char *signature;   /* in its armour, or NULL; borrowed from the object */
    struct decision_words words;
};

/* object: filled by it, freed by the caller. 0, or -EBADMSG with a detail: *ret has the id if one was
 * readable.
 */
MUST_USE int bot_request_read(const void *line, size_t n, struct json_object *object, struct bot_request *ret,
                              struct detail *detail);
