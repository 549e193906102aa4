/* Requests for approval and grants as JSON, one object a line: for lists, for those who follow, for bots. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"
#include "base/ipc.h"

/* "open", "approved", … */
const char *approval_state_name(Ipc__ApprovalState state);
bool approval_is_live(const Ipc__Approval *approval); /* open, or approved */

/* With content (which may be NULL) at most so many bytes of its statement. -ENOBUFS when it does not fit. */
MUST_USE int approval_json(struct buffer *out, const Ipc__Approval *approval,
                           const Ipc__ApprovalContent *content, size_t statement_max);
MUST_USE int approval_grant_json(struct buffer *out, const Ipc__Grant *grant);
