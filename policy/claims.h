/* What a token said about somebody, and which roles follow from it. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"

enum {
    CLAIMS_MAX = 16 * 1024,    /* bytes of packed Claims, and so of the extension */
    CLAIMS_TEXT_MAX = 512,     /* bytes of one value */
    CLAIMS_VALUES_MAX = 256,   /* of one claim */
    CLAIMS_USERNAME_MAX = 255, /* bytes; "ISSUER/USERNAME" is the certificate's key id */
};

/* Name of the certificate extension whose value is a packed Claims. */
#define CLAIMS_EXTENSION "claims@gatehouse"

/* True when the role asks for claims and these have them: issuer, any of its groups, every one of its claims.
 */
bool claims_hold_role(const Ipc__Claims *claims, const Ipc__Role *role);
/* Within the limits above, with an issuer, every text valid UTF-8 without control characters. */
bool claims_are_fit(const Ipc__Claims *claims);
/* Unpacks an extension's value, which must be fit. *ret is freed with ipc__claims__free_unpacked. -EBADMSG.
 */
MUST_USE int claims_unpack(const uint8_t *bytes, size_t n, Ipc__Claims **ret);
