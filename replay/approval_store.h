/* Approval requests and grants on disk. Unlike the index of sessions (store.h) this is nobody's copy: what is
 * not here was never asked and never approved. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"
#include "base/ipc.h"

struct approval_store;

/* Opens or creates it in a directory. What can't be read is put aside under another name (*ret_broken), and
 * begins anew: then nothing is approved. */
MUST_USE int approval_store_open(const char *directory, struct approval_store **ret, bool *ret_broken,
                                 struct detail *detail);
void approval_store_free(struct approval_store *store);
DEFINE_CLEANUP(struct approval_store *, approval_store_free)

/* Every change is inside one of these. synced: on disk when commit returns, whatever happens to the machine;
 * else it survives the end of the process, and is one that a new start makes again if it was lost. A commit
 * that fails has changed nothing. */
MUST_USE int approval_store_begin(struct approval_store *store, bool synced);
MUST_USE int approval_store_commit(struct approval_store *store);
void approval_store_rollback(struct approval_store *store);

/* Adds or replaces; the content is kept apart, and put once. */
MUST_USE int approval_store_put(struct approval_store *store, const Ipc__Approval *approval);
MUST_USE int approval_store_put_content(struct approval_store *store, const char *id,
                                        const Ipc__ApprovalContent *content);
/* -ENOENT: there is none. Freed by the caller. */
MUST_USE int approval_store_get(struct approval_store *store, const char *id, Ipc__Approval **ret);
MUST_USE int approval_store_content(struct approval_store *store, const char *id, Ipc__ApprovalContent **ret);
/* The newest with this digest that is denied or expired, and that its requester was not told of; -ENOENT. */
MUST_USE int approval_store_untold(struct approval_store *store, const uint8_t *digest, size_t n,
                                   Ipc__Approval **ret);

/* Oldest first; live: open or approved, else those that are over. The visitor owns the approval, and must not
 * change the store. */
typedef int approval_store_visit(void *owner, Ipc__Approval *approval);
MUST_USE int approval_store_each(struct approval_store *store, bool live, approval_store_visit *visit,
                                 void *owner);
/* Removes what ended before, and of the rest all but the newest `keep`. */
MUST_USE int approval_store_prune(struct approval_store *store, uint64_t before_ms, uint64_t keep);

MUST_USE int approval_store_put_grant(struct approval_store *store, const Ipc__Grant *grant);
MUST_USE int approval_store_remove_grant(struct approval_store *store, const char *id);
typedef int approval_store_visit_grant(void *owner, Ipc__Grant *grant);
MUST_USE int approval_store_each_grant(struct approval_store *store, approval_store_visit_grant *visit,
                                       void *owner);
