/* Approvals in the ledger process: what its parts share (docs/approvals.md). */
#pragma once
#include "replay/approval.h"
#include "replay/approval_store.h"
#include "replay/ledger.h"

enum {
    APPROVALS_MAX = 8192,                  /* open or approved at one time */
    APPROVALS_OF_ONE_MAX = 2048,           /* of one identity */
    APPROVALS_GRANTS_MAX = 4096,           /* at one time */
    APPROVALS_FOLLOWERS_MAX = 256,         /* gates */
    APPROVALS_KEEP = 5000,                 /* that are over and can still be looked at */
    APPROVALS_PRUNE_EVERY = 256,           /* new requests */
    APPROVALS_RETRY_MS = 1000,             /* after a disk that took nothing */
    APPROVALS_CLOCK_MS = 60 * 1000,        /* at the latest the wall clock is looked at again */
    APPROVALS_LISTED_STATEMENT = 4 * 1024, /* bytes of each statement in a list of many */
};
#define APPROVALS_KEEP_MS (UINT64_C(7) * 24 * 3600 * 1000) /* how long */

struct request {
    Ipc__Approval *about;
    struct gate *gate; /* that asked last; NULL: it has gone */
    struct request *next, **here;
};

struct granted {
    Ipc__Grant *about;
    struct granted *next, **here;
};

struct approvals {
    struct ledger *ledger;
    struct approval_store *store;
    struct timer *timer; /* one for all that expires */
    struct request *requests;
    size_t n_requests, made;
    struct granted *grants;
    size_t n_grants;
    struct gate *followers[APPROVALS_FOLLOWERS_MAX];
    size_t n_followers;
};

/* ---- ledger_approval.c ---- */

/* Opens the store in the directory; what an earlier run left is ended or taken up again. */
MUST_USE int approvals_new(struct ledger *ledger, const char *directory, struct approvals **ret,
                           struct detail *detail);
void approvals_free(struct approvals *approvals);
DEFINE_CLEANUP(struct approvals *, approvals_free)
/* Requests that it holds are withdrawn. */
void approvals_gate_gone(struct approvals *approvals, struct gate *gate);

struct request *approvals_find(struct approvals *approvals, const char *id);
/* One change, in the store and the audit chain, or in neither. `request` NULL: a new one, of `gate`. When it
 * has succeeded, what change->next borrowed from the former request->about is freed. */
struct change {
    const Ipc__Approval *next;
    const Ipc__ApprovalContent *content; /* or NULL */
    const Ipc__Grant *grant;             /* made by it, or NULL */
    const char *event;                   /* of the audit chain */
    const Ipc__Identity *by;             /* who did it; NULL: nobody, it came to pass */
    const Ipc__Variable *more;           /* fields of the event */
    size_t n_more;
    bool synced;
};
MUST_USE int approvals_change(struct approvals *approvals, struct request *request, struct gate *gate,
                              const struct change *change, struct request **ret);
/* It is denied, expired, withdrawn, lapsed or consumed: kept and told. NULL by: nobody did it. */
MUST_USE int approvals_end(struct approvals *approvals, struct request *request, Ipc__ApprovalState state,
                           const char *why, const Ipc__Identity *by);
/* Tells whoever has to know, and forgets a request that is over. */
void approvals_tell(struct approvals *approvals, struct request *request);
void approvals_set_timer(struct approvals *approvals);
/* A grant that is in force now for this. */
struct granted *approvals_granted(struct approvals *approvals, const Ipc__Person *who,
                                  const Ipc__AskApproval *ask);
MUST_USE int approvals_remove_grant(struct approvals *approvals, struct granted *granted, const char *event,
                                    const Ipc__Identity *by, const char *reason);

/* ---- ledger_approval_notify.c ---- */

/* Tells webhooks what they want to know of a change; before NULL: a new one. Never waits, never fails. */
void approvals_notify(struct approvals *approvals, const Ipc__Approval *before, const Ipc__Approval *about,
                      const Ipc__ApprovalContent *content);

/* ---- ledger_approval_audit.c ---- */

MUST_USE int approvals_enter(struct approvals *approvals, const struct change *change);
MUST_USE int approvals_enter_grant(struct approvals *approvals, const char *event, const Ipc__Grant *grant,
                                   const Ipc__Identity *by, const Ipc__Variable *more, size_t n_more);

/* ---- ledger_approval_list.c ---- */

bool approvals_sees(const Ipc__Approval *about, const Ipc__Identity *who);
bool approvals_sees_grant(const Ipc__Grant *grant, const Ipc__Identity *who);
void approvals_tell_followers(struct approvals *approvals, const Ipc__Approval *about,
                              const Ipc__Grant *grant);

/* ---- what gates may say: handlers for ledger_gate.c, whose owner is the gate ---- */

int approvals_on_ask(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_preview(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_withdraw(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_consume(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_list(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_follow(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_decide(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
int approvals_on_revoke_grant(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);
