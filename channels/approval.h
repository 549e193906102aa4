/* One request that waits until people have agreed (docs/approvals.md): whatever its protocol, the ledger is
 * asked here. Each rule that holds it has approvers of its own, and is a request of its own at the ledger;
 * all of them have to be approved, and are used up together, right before it runs. */
#pragma once
#include "channels/gate.h"
#include "policy/holders.h"

enum {
    APPROVAL_NOTICE_MS = 30 * 1000, /* between two notices; and how long the ledger may take to answer */
    APPROVAL_GRANT_FRESH_MS = 1000, /* after which a grant is asked for again before it is used */
};

struct approval;
struct recorder;

/* Borrowed during the call. */
struct approval_question {
    const char *kind; /* "sql" | "command" | … */
    const Ipc__Target *target;
    const uint8_t *content; /* an ApprovalContent, packed */
    size_t content_n;
    const uint8_t *digest; /* APPROVAL_DIGEST bytes, by approval_digest() over the same */
    uint64_t number;       /* of the request in the recording */
    const struct holders *holders;
};

/* Each but the first may free the approval, and none is called from inside of a call to it. */
struct approval_calls {
    /* People are asked under these ids: what they may be shown besides is found out now. */
    void (*opened)(void *owner, const char *const *ids, size_t n);
    /* Where it stands: at once, when somebody agrees, and every APPROVAL_NOTICE_MS. detail, hint: or NULL. */
    void (*notice)(void *owner, const char *message, const char *detail, const char *hint);
    /* Everybody has agreed: approval_use() is next, unless something else is to run meanwhile. */
    void (*agreed)(void *owner);
    /* It is used up: what has the digest runs now, once. */
    void (*go)(void *owner);
    /* Not approved, or not yet (`pending`). request: its id, or "". */
    void (*refused)(void *owner, const char *code, const char *rule, const char *reason, const char *request);
};

/* recorder is borrowed: every step goes into it. -EPIPE when the ledger is gone; -ENOMEM, -EMFILE. */
MUST_USE int approval_new(struct gate *gate, struct recorder *recorder,
                          const struct approval_question *question, const struct approval_calls *calls,
                          void *owner, struct approval **ret);
void approval_use(struct approval *approval);
/* What is held and still open is withdrawn; why: a few words, for people. NULL is none. */
void approval_drop(struct approval *approval, const char *why);
/* The recording is about to end: what waits in it is withdrawn now, while that can still be recorded. */
void approvals_end_recording(struct gate *gate, const struct recorder *recorder);
/* What the digest of requests by this identity on this target begins with; borrows from gate and target. */
struct approval_subject approval_subject_of(const struct gate *gate, const Ipc__Target *target,
                                            const char *kind);

/* Handlers: ledger AnswerApproval, AnswerConsume. */
int approval_answered(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int approval_consumed(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* ApprovalNews of this gate's own requests. */
void approval_news(struct gate *gate, const Ipc__ApprovalNews *news);
