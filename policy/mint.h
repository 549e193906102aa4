/* The private key of an issuer that is ours (key_file): its public half as a JWK set, and tokens signed with
 * it. Only the `gatehouse` command links this: `check` and `serve` for the public half, `token` to sign. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

struct mint;

/* PEM, PKCS#8 or traditional, without a passphrase: Ed25519, EC on P-256, P-384 or P-521, RSA from 2048 bits.
 * bytes are the caller's to wipe. 0, -EINVAL with detail, or -ENOMEM. */
MUST_USE int mint_new(const uint8_t *bytes, size_t n, struct mint **ret, struct detail *detail);
void mint_free(struct mint *mint);
DEFINE_CLEANUP(struct mint *, mint_free)

/* {"keys":[…]} with the public half; its kid is the key's thumbprint (RFC 7638). Borrowed. */
const char *mint_jwks(const struct mint *mint);
const char *mint_key_id(const struct mint *mint);
/* The compact form (RFC 7515) of these claims, a JSON text; malloc'ed. EdDSA, ES256, ES384, ES512 or RS256,
 * as the key is. 0 or negative. */
MUST_USE int mint_token(const struct mint *mint, const char *claims, char **ret);
