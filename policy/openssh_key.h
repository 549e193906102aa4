/* Private keys in OpenSSH's own format (OpenSSH PROTOCOL.key), for the issuer, which does not link libssh. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>
#include "base/error.h"

enum { OPENSSH_KEY_MAX = 64 * 1024 }; /* bytes of a file */

/* Whether a file begins as one. */
bool openssh_key_is(const uint8_t *bytes, size_t n);
/* Ed25519, ECDSA or RSA without a passphrase; *ret is freed with EVP_PKEY_free. *ret_public, malloc'ed, is
 * the public key that the file states, which the caller compares with the one that *ret has. -EINVAL with
 * detail, -ENOMEM. */
MUST_USE int openssh_key_read(const uint8_t *bytes, size_t n, EVP_PKEY **ret, uint8_t **ret_public,
                              size_t *ret_public_n, struct detail *detail);
