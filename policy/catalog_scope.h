/* How one session reads names: its search_path, and what it (or another session beside it) has made or
 * changed that is not committed yet. */
#pragma once
#include "policy/catalog.h"

enum {
    SCOPE_PATHS_MAX = 8, /* values that the search_path may have at a time; more: any schema may be meant */
    SCOPE_UNSETTLED_MAX = 512, /* names; more: every name is unsettled */
    SCOPE_MEANT_MAX = 32,      /* relations that one name may mean; more can't be decided */
};

/* What a name means, at worst. */
struct scope_meaning {
    const struct catalog_relation *relations[SCOPE_MEANT_MAX]; /* any of these */
    size_t n;
    /* Besides these, or instead: something that the catalog does not show yet. fresh: a plain table that was
     * made in a transaction which is not committed; unsettled: anything. */
    bool fresh, unsettled;
    bool temporary; /* besides: a temporary table, view or sequence of this session */
    bool too_many;  /* more than SCOPE_MEANT_MAX */
};

struct scope;

/* catalog is borrowed and must outlive it. */
MUST_USE int scope_new(struct catalog *catalog, struct scope **ret);
void scope_free(struct scope *scope);
DEFINE_CLEANUP(struct scope *, scope_free)
struct catalog *scope_catalog(const struct scope *scope);

/* schema NULL: by the search_path. FOUND when anything may be meant, n and flags tell what; ABSENT: the
 * server would not find it either. Case counts. WANTED: ask again. */
enum catalog_answer scope_relation(struct scope *scope, const char *schema, const char *name,
                                   struct scope_meaning *ret);
/* Functions that a call by this name may reach with that many arguments (n_arguments < 0: any number).
 * Returns them one by one: start with *cursor 0; false at the end. To be asked after scope_function() said
 * FOUND. */
enum catalog_answer scope_function(struct scope *scope, const char *schema, const char *name,
                                   bool *ret_unsettled);
bool scope_next_function(struct scope *scope, const char *schema, const char *name, int n_arguments,
                         size_t *cursor, const struct catalog_function **ret);

/* Whether names without a schema may be looked for in this one. */
bool scope_reaches(struct scope *scope, const char *schema);
/* After an ABSENT that may be of an earlier time: it is wanted again, and WANTED is returned. */
enum catalog_answer scope_doubt_relation(struct scope *scope, const char *name);
/* The schema that an unqualified CREATE makes its object in; NULL when that is not certain. After a look-up
 * that was not WANTED. */
const char *scope_making_schema(struct scope *scope);

/* ---- what statements do to it ---- */

/* Instead of the login's own default: a startup option. */
MUST_USE int scope_start_path(struct scope *scope, const char *search_path);
bool scope_is_anywhere(const struct scope *scope);
/* A definition after which any name may mean something else is not settled. */
bool scope_is_upheaved(const struct scope *scope);

enum scope_change {
    SCOPE_FRESH_TABLE, /* a plain table was made under this name */
    SCOPE_TEMPORARY,   /* so was a temporary one: stays until the session's end */
    SCOPE_CHANGED,     /* a relation or function of this name was made, changed or dropped in another way */
    SCOPE_PATH,        /* search_path may have this value from now on, besides those before; NULL: any */
    SCOPE_STALE,       /* what the catalog shows will be out of date; name NULL */
    SCOPE_UPHEAVAL,    /* operators, casts, extensions …: everything is unsettled; name NULL */
};
MUST_USE int scope_note(struct scope *scope, enum scope_change change, const char *name);
/* To take back what was noted since: the statement does not run. */
struct scope_mark {
    size_t n_unsettled, n_temporary, n_paths;
    bool upheaval, stale, anywhere, temporary_overflow;
};
struct scope_mark scope_mark(const struct scope *scope);
void scope_rewind(struct scope *scope, const struct scope_mark *mark);
/* The transaction is over: the catalog shows what came of it (temporary tables aside). */
void scope_settle(struct scope *scope);
bool scope_is_settled(const struct scope *scope);
/* Everything that was ever looked up through it may mean something else when this number has moved. To ask
 * counts as use of the catalog (catalog_was_used()). */
uint64_t scope_generation(const struct scope *scope);
