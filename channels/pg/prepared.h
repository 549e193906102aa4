/* The prepared statements of one session, by name, as far as we saw them made. */
#pragma once
#include "channels/pg/inspect.h"
#include "channels/pg/table.h"

enum {
    PREPARED_MAX = 128 * 1024,              /* statements at a time */
    PREPARED_BYTES_MAX = 256 * 1024 * 1024, /* of memory for them */
    PREPARED_NAME_MAX = 4096,               /* bytes of a name; the server cuts SQL-level names at 63 */
    PREPARED_CLOSED_MAX = 1024,             /* closed ones that are still remembered */
};

/* What a Parse said of its parameters' types; kept of statements that are held. Zeroed is none. */
struct prepared_types {
    uint32_t *oids;
    size_t n;
};
void prepared_types_free(struct prepared_types *types);

struct prepared {
    struct link link; /* first: see table.h */
    struct decision *decision;
    struct prepared_types types;
    uint64_t request; /* number of the request that made it */
    size_t weight;    /* as counted when it was put */
    bool closed;
};

/* Embedded by its owner. */
struct prepared_set {
    struct table table;
    size_t closed, bytes;
};

void prepared_init(struct prepared_set *set);
void prepared_free(struct prepared_set *set);

enum { PREPARED_LIMIT = 1 };
/* Whether one more of that name and decision fits: 0 or PREPARED_LIMIT. */
MUST_USE int prepared_fits(const struct prepared_set *set, const char *name, const struct decision *decision);
/* Remembers it, in the place of an earlier one of the same name. Shares the decision. PREPARED_LIMIT,
 * -ENOMEM. */
MUST_USE int prepared_put(struct prepared_set *set, const char *name, struct decision *decision,
                          uint64_t request);
/* Of one that is there: its own, and new ones, which are taken over. */
struct prepared_types *prepared_types_of(struct prepared_set *set, const char *name);
void prepared_set_types(struct prepared_set *set, const char *name, struct prepared_types *types);
/* NULL when nobody made it. A closed one is found too, for a while: the server may have skipped the Close. */
const struct prepared *prepared_find(const struct prepared_set *set, const char *name);
/* Its decision, for one that was made anew of the same text; NULL when nobody made it. name may be NULL. */
struct decision **prepared_slot(struct prepared_set *set, const char *name);
void prepared_close(struct prepared_set *set, const char *name);

/* What the text does to prepared statements, in order. */

/* The first statement that it would execute without anybody having made it; NULL when there is none. */
const char *prepared_missing(const struct prepared_set *set, const struct decision *decision);
/* Number of the request that made the first statement that it executes; 0 when it executes none. */
uint64_t prepared_request(const struct prepared_set *set, const struct decision *decision);
/* 0 or PREPARED_LIMIT: whether prepared_run() would fit. */
MUST_USE int prepared_room(const struct prepared_set *set, const struct decision *decision);
MUST_USE int prepared_run(struct prepared_set *set, struct decision *decision, uint64_t request);
