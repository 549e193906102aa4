/* OIDC tokens: JSON Web Tokens (RFC 7519, RFC 7515, RFC 8725) of configured issuers. Only the issuer process
 * (and `gatehouse token`, which mints) links this. */
#pragma once
#include <stdint.h>
#include "base/ipc.h"

enum {
    TOKEN_MAX = 32 * 1024,      /* bytes of a token in compact form */
    TOKEN_SKEW_S = 60,          /* by which clocks may differ */
    TOKEN_KEYS_MAX = 256,       /* keys of one JWKS that are looked at */
    TOKEN_JWKS_MAX = 512 * 1024 /* bytes of a JWKS */
};

/* Each has its own message in detail, fit for the person who sent the token; never the token's text. */
enum token_fault {
    TOKEN_MALFORMED = 1, /* not three base64url parts of JSON; encrypted (five parts); too long */
    TOKEN_UNSIGNED,      /* alg none */
    TOKEN_SYMMETRIC,     /* HS256 and its like */
    TOKEN_ALGORITHM,     /* not one of ours, or not one of the key's type; crit */
    TOKEN_UNKNOWN_ISSUER,
    TOKEN_UNKNOWN_KEY, /* no such kid: the caller may fetch the keys anew and ask again */
    TOKEN_BAD_SIGNATURE,
    TOKEN_AUDIENCE,
    TOKEN_EXPIRED,
    TOKEN_NOT_YET_VALID, /* nbf or iat beyond the skew */
    TOKEN_CLAIMS         /* one that is needed is missing, of a wrong type, or of unfit characters */
};

struct token; /* taken apart, not verified */
struct jwks;  /* public keys */

/* Readies the libraries, which then wipe all memory that they free. Once, before the jail; the other
 * functions call it too. */
void token_start(void);

/* A key that can't be used is passed over, a private one never; detail goes on after "the JWKS: ". -EINVAL:
 * none can be used, or it is no JWKS. */
MUST_USE int jwks_parse(const char *json, size_t n, struct jwks **ret, struct detail *detail);
void jwks_free(struct jwks *jwks);
DEFINE_CLEANUP(struct jwks *, jwks_free)

/* Takes the compact form apart; surrounding white space is allowed. 0 or a token_fault. */
MUST_USE int token_parse(const char *text, size_t n, struct token **ret, struct detail *detail);
void token_free(struct token *token);
DEFINE_CLEANUP(struct token *, token_free)
/* The configured issuer whose `issuer` is the token's iss; NULL and detail when there is none. */
const Ipc__Issuer *token_issuer(const struct token *token, const Ipc__Config *config, struct detail *detail);
/* Signature, audience and times. 0 or a token_fault. */
MUST_USE int token_verify(const struct token *token, const Ipc__Issuer *issuer, const struct jwks *keys,
                          uint64_t now_unix, struct detail *detail);
uint64_t token_expires(const struct token *token); /* exp, unix seconds */
/* Of a verified token: what goes into the certificate: the issuer's username and groups claims, act, azp,
 * jti, and of groups and other claims those that some role of the configuration names. *ret is freed with
 * ipc__claims__free_unpacked. 0 or TOKEN_CLAIMS or negative. */
MUST_USE int token_claims(const struct token *token, const Ipc__Issuer *issuer, const Ipc__Config *config,
                          Ipc__Claims **ret, struct detail *detail);
