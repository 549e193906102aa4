/* Decisions that are kept by a key: the least recently used ones go first. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "channels/pg/decision.h"
#include "channels/pg/settings.h"
#include "channels/pg/table.h"

enum { DECIDED_SEEN = 2048 /* keys that are remembered, by hash, for not yet being kept */ };

struct kept {
    struct link link; /* first: see table.h */
    struct kept *newer, *older;
    enum text_kind kind;       /* what is fine as UTF-8 may not be fine later */
    struct decision *decision; /* a reference; or NULL: it is known that none can stand for this key */
    size_t weight;
    char key[]; /* where it is not the decision's own text */
};

/* Embedded. */
struct decided {
    struct table table;
    struct kept *newest, *oldest;
    size_t bytes, bytes_max;
    uint32_t seen[DECIDED_SEEN]; /* by the low bits of a key's hash: the high ones of the last */
};

void decided_init(struct decided *decided, size_t bytes_max);
void decided_free(struct decided *decided);
/* Forgets all. */
void decided_clear(struct decided *decided);
/* NULL: nothing is kept for it, or what was is of another kind, and gone now. */
struct kept *decided_find(struct decided *decided, const char *key, size_t n, enum text_kind kind);
void decided_forget(struct decided *decided, struct kept *kept);
/* Whether the key has come before, perhaps; true at the second time. */
bool decided_is_seen(struct decided *decided, const char *key, size_t n);
/* Keeps a reference, or that there is none (NULL), under a key that is not there. The key is copied, unless
 * it is the decision's own text. That is a favour: without memory nothing is kept. */
void decided_keep(struct decided *decided, const char *key, size_t n, enum text_kind kind,
                  struct decision *decision);
