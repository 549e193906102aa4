/* Requests for approval: who may decide one, and what a decision makes of it. No I/O, no clock: the ledger
 * keeps what comes out (ledger_approval.c). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "base/ipc.h"
#include "policy/approval_digest.h"
#include "policy/approval_form.h"
#include "policy/sshsig_form.h"

enum {
    APPROVAL_ID = 6,
    APPROVAL_STATEMENT_MAX = 64 * 1024,  /* bytes of a statement that are kept and shown */
    APPROVAL_VALUES_MAX = 64,            /* values that are kept */
    APPROVAL_VALUE_MAX = 1024,           /* bytes of one of them */
    APPROVAL_EFFECTS_MAX = 64,           /* effects that are kept */
    APPROVAL_EFFECT_MAX = 512,           /* bytes of one of them */
    APPROVAL_CONTEXT_MAX = 32,           /* settings that are kept */
    APPROVAL_PREVIEW_MAX = 8 * 1024,     /* bytes */
    APPROVAL_REASON_MAX = 1024,          /* bytes of a decider's reason */
    APPROVAL_SIGNATURE_MAX = SSHSIG_MAX, /* bytes of a decider's signature */
    APPROVAL_GROUPS_MAX = 8,             /* of one rule */
    APPROVAL_ROLES_MAX = 32,             /* of one group */
    APPROVAL_QUORUM_MAX = 16,
    APPROVAL_ROLE_MAX = 128,     /* bytes of a role's name, in a request */
    APPROVAL_ROLES_KEPT = 8,     /* of one decider */
    APPROVAL_DECISIONS_MAX = 24, /* people who agreed, while others are still missing */
    APPROVAL_USE_MS = 60 * 1000, /* hold: from the decision to the statement, which waits for nothing else */
    APPROVAL_FOR_MS = 10 * 60 * 1000, /* retry, when the rule says nothing */
};
#define APPROVAL_WAIT_MAX_MS (UINT64_C(7) * 24 * 3600 * 1000)
#define APPROVAL_FOR_MAX_MS  (UINT64_C(30) * 24 * 3600 * 1000)

/* Why a decision does not count; detail is for whoever decides. */
enum approval_fault {
    APPROVAL_NOT_ENTITLED = 1,
    APPROVAL_OWN,        /* the requester, or somebody who may be the same person */
    APPROVAL_NO_TOUCH,   /* the rule wants a security key */
    APPROVAL_UNSIGNED,   /* the rule wants a signature */
    APPROVAL_TWICE,      /* has agreed already */
    APPROVAL_OVER,       /* decided, withdrawn, expired: detail says by whom */
    APPROVAL_OTHER,      /* the digest is of something else */
    APPROVAL_UNREADABLE, /* the reason is no UTF-8 text, or too long */
    APPROVAL_TOO_MANY,   /* APPROVAL_DECISIONS_MAX */
};

/* Random, of an alphabet without letters and digits that look alike. */
void approval_new_id(char out[APPROVAL_ID + 1]);
/* As somebody typed it, in any case; false when it can be none. */
bool approval_read_id(const char *typed, char out[APPROVAL_ID + 1]);

/* By what a ticket says; borrowed. */
Ipc__Person person_of(const Ipc__Identity *who);
/* Whether the two may be the same person, or one of them acts for the other: any name of the one is one of
 * the other. Names of different issuers are compared as well: better to ask a third. */
bool person_is_near(const Ipc__Person *a, const Ipc__Person *b);

/* Whether a rule's settings are ones that can be met; else detail says why. */
MUST_USE bool approval_can_be_met(const Ipc__Approve *approve, struct detail *detail);
/* Some role of theirs is in `by`. */
bool approval_is_asked(Ipc__RoleGroup *const *by, size_t n_by, const Ipc__Identity *who);
/* People enough, and of each group at least one, none counted for two groups. */
bool approval_is_complete(const Ipc__Approval *approval);

/* Where approval_decide() keeps what `next` borrows. */
struct approval_step {
    Ipc__Person person;
    Ipc__ApprovalDecision decision, *decisions[APPROVAL_DECISIONS_MAX];
    char *roles[APPROVAL_ROLES_KEPT];
};
/* What the decision makes of it: *next borrows from all four. 0, or an approval_fault. */
MUST_USE int approval_decide(const Ipc__Approval *now, const Ipc__Identity *who, const Ipc__Decide *decide,
                             uint64_t now_ms, struct approval_step *step, Ipc__Approval *next,
                             struct detail *detail);
/* What `approve --for` adds once the request is approved: the shortest time that anybody agreed to; 0: none.
 */
uint64_t approval_grant_ms(const Ipc__Approval *approval);
/* Why it is not open any more: "approved by corp/anna: REASON". */
void approval_tell(const Ipc__Approval *approval, struct detail *detail);

/* What is kept of the content, within the limits above; says how much is not. Freed with
 * ipc__approval_content__free_unpacked. */
MUST_USE int approval_cut(const Ipc__ApprovalContent *whole, Ipc__ApprovalContent **ret);
