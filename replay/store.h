/* The index of sessions: what `sessions` searches. It is derived from the recordings and can be filled again
 * from them, so losing it loses nothing. This header is all that the ledger knows of it: SQLite
 * (store_sqlite.c) is the first implementation; one on PostgreSQL, shared by several nodes, has to offer
 * these functions and no others. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    STORE_SESSIONS_MAX = 1000,      /* rows of one answer: the newest */
    STORE_STATEMENT_MAX = 4 * 1024, /* bytes kept of one statement */
    STORE_SEARCH_MS = 250,          /* how long one search may take */
};

/* One recording. Strings are borrowed in both directions; none is NULL. */
struct store_session {
    const char *id, *identity, *source, *kind, *target, *target_kind, *login, *command;
    const char *state;             /* "live", or that of the seal */
    const char *actor, *party;     /* who acted for the identity, and the program that had its token; or "" */
    uint64_t started_ms, ended_ms; /* unix; ended 0: not yet */
    uint64_t requests, denied, bytes;
    uint32_t status;
};

/* What to look for. NULL and 0: anything. */
struct store_query {
    const char *identity; /* exact */
    const char *target;   /* exact */
    const char *grep;     /* in the statements and the command; ASCII letters in any case */
    uint64_t since_ms;    /* started at or after */
};

enum store_fault {
    STORE_SLOW = 1, /* the search took longer than STORE_SEARCH_MS */
};

struct store;

/* Opens or creates the index in a directory. *ret_empty: it was missing or could not be used and is new: fill
 * it. */
MUST_USE int store_open(const char *directory, struct store **ret, bool *ret_empty, struct detail *detail);
void store_free(struct store *store);
DEFINE_CLEANUP(struct store *, store_free)

/* Adds or replaces. */
MUST_USE int store_put(struct store *store, const struct store_session *session);
/* Adds a statement of a session, cut at STORE_STATEMENT_MAX; one that is there already is left out. */
MUST_USE int store_put_statement(struct store *store, const char *id, const void *text, size_t n);
MUST_USE int store_remove(struct store *store, const char *id);

/* The ids whose state is still "live". The visitor must not change the store. */
typedef int store_id_visit(void *owner, const char *id);
MUST_USE int store_live(struct store *store, store_id_visit *visit, void *owner);

/* Several changes as one. Nesting is not allowed. */
MUST_USE int store_begin(struct store *store);
MUST_USE int store_commit(struct store *store);

/* Oldest first. The visitor must not change the store; negative errno from it stops the search. */
typedef int store_visit(void *owner, const struct store_session *session);
MUST_USE int store_search(struct store *store, const struct store_query *query, store_visit *visit,
                          void *owner, struct detail *detail);
