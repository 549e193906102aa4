/* PK tokens of OpenPubkey (docs/pktoken.md of github.com/openpubkey/openpubkey), as opkssh puts them into SSH
 * certificates: an ID token whose nonce is the hash of a header that names the user's key. Only the issuer
 * process links this. Faults are those of policy/token.h. */
#pragma once
#include <stdbool.h>
#include "policy/token.h"

enum { OPENPUBKEY_MAX = 48 * 1024 }; /* bytes of a compact PK token */

struct openpubkey;

/* The compact form: "payload:header:signature:header:signature…". Takes the provider's part and the client's;
 * a cosigner's and a refreshed ID token are passed over. */
MUST_USE int openpubkey_parse(const uint8_t *bytes, size_t n, struct openpubkey **ret, struct detail *detail);
void openpubkey_free(struct openpubkey *packet);
DEFINE_CLEANUP(struct openpubkey *, openpubkey_free)
/* The ID token in it; borrowed. */
const struct token *openpubkey_token(const struct openpubkey *packet);
/* The ID token by token_verify(), exp included; its nonce; the client's signature; and that the key is the
 * one that was certified (plain, SSH wire form). 0 or a token_fault. */
MUST_USE int openpubkey_verify(const struct openpubkey *packet, const Ipc__Issuer *issuer,
                               const struct jwks *keys, uint64_t now_unix, const uint8_t *key, size_t key_n,
                               struct detail *detail);
/* Whether an ID token that came alone may be out of a PK token. Those are shown to every server that their
 * owner logs in to, so alone they prove nothing. */
bool openpubkey_may_hold(const struct token *token);
