/* The CA's private key; what certificate_issue.c needs of it. */
#pragma once
#include "base/buffer.h"
#include "policy/certificate_issue.h"

/* The public half's wire form, borrowed. */
const uint8_t *signer_public(const struct certificate_signer *signer, size_t *ret_n);
/* Appends the signature over the bytes as an SSH string: format and signature. */
MUST_USE int signer_sign(const struct certificate_signer *signer, const void *bytes, size_t n,
                         struct buffer *out);
