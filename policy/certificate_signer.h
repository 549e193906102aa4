/* A private key: a CA's, or one that logs in. What is done with it; it is read by certificate_issue.h. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"
#include "policy/certificate_issue.h"

/* The public half's wire form, borrowed. */
const uint8_t *signer_public(const struct certificate_signer *signer, size_t *ret_n);
/* Whether signatures can be made by that algorithm (RFC 8332 §3, RFC 5656 §3.1, RFC 8709 §6). Never by
 * ssh-rsa, which is SHA-1. */
bool signer_knows(const struct certificate_signer *signer, const void *algorithm, size_t n);
/* Appends the signature over the bytes as an SSH string: format and signature. algorithm: one that
 * signer_knows(), NULL for the best. */
MUST_USE int signer_sign(const struct certificate_signer *signer, const char *algorithm, const void *bytes,
                         size_t n, struct buffer *out);
