/* What the token_*.c files, jwks.c and openpubkey.c share; nobody else includes this. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "base/cleanup.h"
#include "policy/token.h"

enum {
    TOKEN_JSON_DEPTH_MAX = 32,
    TOKEN_TRIES_MAX = 16, /* keys that are tried for one token that does not say which */
    TOKEN_RSA_BITS_MIN = 2048,
    TOKEN_RSA_BITS_MAX = 16384,
    TOKEN_SHOWN_MAX = 160, /* bytes of somebody else's text in a message */
};

/* The last second of the year 9999: later times are mistakes. */
#define TOKEN_TIME_MAX UINT64_C(253402300799)

/* ---- token_json.c ---- */

static inline void json_decref_ptr(json_t **slot)
{
    json_decref(*slot);
}
/* RFC 7515 §2: without padding; also in its shortest form, so that no two texts mean the same. malloc'ed, a
 * NUL behind. -EBADMSG, -ENOMEM. */
MUST_USE int token_from_base64url(const char *text, size_t n, uint8_t **ret, size_t *ret_n);
/* A JSON object (RFC 8259) without members of the same name anywhere. what: "the token's header". 0,
 * TOKEN_MALFORMED or -ENOMEM. */
MUST_USE int token_json(const char *bytes, size_t n, const char *what, json_t **ret, struct detail *detail);
/* Escaped and cut, for messages; returns out. */
const char *token_shown(char out[TOKEN_SHOWN_MAX], const char *text);

/* ---- token_signature.c: the one file that speaks with cjose ---- */

enum token_key_kind { TOKEN_RSA, TOKEN_P256, TOKEN_P384, TOKEN_P521, TOKEN_ED25519 };

struct token_algorithm {
    const char *name;
    enum token_key_kind kind;
    size_t signature; /* bytes; 0: as long as the modulus */
};

/* Of RFC 7518 §3.1 and RFC 8037 §3.1 those that we accept; NULL when it is none of them. */
const struct token_algorithm *token_algorithm_of(const char *name);

struct token_key;

/* RSA: a is the modulus and b the exponent, big-endian; EC: coordinates x and y, of full length; Ed25519: a
 * is the key. -EINVAL when OpenSSL takes it for none. */
MUST_USE int token_key_new(enum token_key_kind kind, const uint8_t *a, size_t a_n, const uint8_t *b,
                           size_t b_n, struct token_key **ret);
void token_key_free(struct token_key *key);
/* Whether the key has signed the token, whose algorithm is of the key's kind. */
bool token_key_signed(const struct token_key *key, const struct token *token);

/* ---- jwks.c ---- */

struct jwk {
    char *kid;         /* NULL: has none */
    const char *unfit; /* why it can't be used: "is an RSA key of less than 2048 bits"; NULL: it can */
    enum token_key_kind kind;
    const struct token_algorithm *only; /* its own alg; NULL: any of its kind */
    uint8_t *a, *b;                     /* as token_key_new(), without leading zeroes for RSA */
    size_t a_n, b_n;
    struct token_key *key;
};

struct jwks {
    struct jwk *keys;
    size_t n;
};

/* One key (RFC 7517). Not 0 for private keys and without memory only; others that can't be used are unfit. */
MUST_USE int jwk_read(const json_t *json, struct jwk *jwk, struct detail *detail);
void jwk_empty(struct jwk *jwk);
bool jwk_fits(const struct jwk *jwk, const struct token_algorithm *algorithm);

/* ---- token.c ---- */

struct token {
    char *text; /* the compact form */
    size_t n;
    size_t signed_n; /* bytes of "header.claims", which the signature covers */
    json_t *header, *claims;
    uint8_t *signature;
    size_t signature_n;
    const struct token_algorithm *algorithm;
    const char *kid; /* the header's, or NULL */
};

/* As token_parse(); types: what the header's typ may be, in lower case, NULL-terminated. */
MUST_USE int token_take(const char *text, size_t n, const char *const *types, bool typ_required,
                        struct token **ret, struct detail *detail);
/* The signature alone. 0 or a token_fault. */
MUST_USE int token_check_signature(const struct token *token, const struct jwks *keys, struct detail *detail);
