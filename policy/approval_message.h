/* What an approver signs (docs/approvals.md): needs no library, so that the player can show it too. */
#pragma once
#include <stdint.h>

enum {
    APPROVAL_DIGEST = 32,
    APPROVAL_MESSAGE_MAX = 160, /* bytes, its NUL included */
};

/* The namespace of approvers' signatures (ssh-keygen -Y sign -n). */
#define APPROVAL_NAMESPACE "approval@gatehouse"

/* That this one request may run, and with for_ms, for how long others like it; returns out. The id is of at
 * most 16 bytes. */
char *approval_message(const char *id, const uint8_t digest[APPROVAL_DIGEST], uint64_t for_ms,
                       char out[APPROVAL_MESSAGE_MAX]);
