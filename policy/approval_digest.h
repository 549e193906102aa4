/* What is approved is what runs: a digest over all that decides what a statement does, and for whom. The gate
 * that asks, the people who agree and the gate that runs it name the same one (docs/approvals.md). */
#pragma once
#include <stdint.h>
#include "base/error.h"
#include "base/ipc.h"
#include "policy/approval_message.h"

enum {
    APPROVAL_CONTENT_MAX = 8 * 1024 * 1024, /* bytes of a packed ApprovalContent: larger can't be approved */
};

enum { APPROVAL_TOO_LARGE = 1 };
/* What the ledger is given, freed by the caller. APPROVAL_TOO_LARGE, -ENOMEM. */
MUST_USE int approval_pack(const Ipc__ApprovalContent *content, uint8_t **ret, size_t *ret_n);

/* For whom, where, under which rules. Borrowed, none NULL. */
struct approval_subject {
    const char *kind;     /* "sql" | "command" | … */
    const char *identity; /* Identity.name */
    const char *actor;    /* who acts for it, or "" */
    const char *target, *login;
    const char *policy; /* Config.digest */
};

/* SHA-256 over the canonical encoding; the content's preview and its counts of what is omitted are not in it.
 */
void approval_digest(const struct approval_subject *subject, const Ipc__ApprovalContent *content,
                     uint8_t ret[APPROVAL_DIGEST]);
/* In lower-case hexadecimal digits; returns out. */
char *approval_digest_text(const uint8_t digest[APPROVAL_DIGEST], char out[2 * APPROVAL_DIGEST + 1]);
