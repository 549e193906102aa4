/* One request for approval, whole, for people: what is foreign is escaped. */
#pragma once
#include "base/buffer.h"
#include "base/ipc.h"

/* now_ms: unix. -ENOBUFS when it does not fit. */
MUST_USE int approval_text(struct buffer *out, const Ipc__Approval *approval, uint64_t now_ms);

/* Parts of it, that the live screen shows too. "agent-7 for corp/bot". */
char *approval_who(char *out, size_t size, const Ipc__Approval *approval);
/* "dba or ops, and security". */
char *approval_by(char *out, size_t size, const Ipc__Approval *approval);
/* "12s", "9m", "3h": in one unit. */
char *approval_left(char out[24], uint64_t until_ms, uint64_t now_ms);
/* What has become of it: "open, 9m left", "denied", "approved, to be used within 50s". */
char *approval_standing(char *out, size_t size, const Ipc__Approval *approval, uint64_t now_ms);
