/* What people are shown of a held statement before it runs: the server's plan, and where a rule wants it the
 * number of rows now, asked on a connection of its own. The bytes both ways; the connection is
 * channels/preview.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/buffer.h"
#include "channels/pg/hold.h"
#include "channels/pg/inspect.h"

enum {
    PREVIEW_REPLY_MAX = 256 * 1024, /* bytes of the server's answers */
    PREVIEW_TEXT_MAX = 6 * 1024,    /* bytes of what is shown */
    PREVIEW_PLAN_LINES = 24,
    PREVIEW_SETTINGS = HOLD_SETTINGS_MAX,
};

/* Made when people are asked; freed with preview_plan_free(). */
struct preview_plan {
    char *note;             /* what is known without asking; or NULL */
    struct buffer out;      /* what is to be sent; empty: nothing */
    unsigned rounds;        /* of it: ReadyForQuery that it is answered with */
    Ipc__Variable *options; /* of the connection, */
    size_t n_options;       /* as the session began with */
};
void preview_plan_free(struct preview_plan *plan);

/* What may be asked for this statement: nothing that could run a function that is not known to be harmless,
 * and nothing that would mean something else on another connection. *ret may be NULL. -ENOMEM. */
MUST_USE int preview_plan_new(const struct hold *hold, const struct held *held, struct inspector *inspector,
                              enum text_kind kind, struct preview_plan **ret);
/* The answers, whole messages up to the last ReadyForQuery, in words behind the note; freed by the caller.
 * NULL: nothing to say. */
char *preview_words(const struct preview_plan *plan, struct reader replies);
/* How many ReadyForQuery are among these bytes; *ret_broken: no server sends them. */
unsigned preview_rounds(struct reader replies, bool *ret_broken);
