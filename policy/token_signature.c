/* Signatures. RSA and ECDSA by cjose (RFC 7518), Ed25519, which cjose 0.6 does not know, by OpenSSL (RFC
 * 8037).
 *
 * cjose takes an algorithm for any curve, an ECDSA signature of any length, HS256, and keys of any size: all
 * of that is decided here and in jwks.c, before it is asked. It never sees a key that came with a token. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <cjose/cjose.h>
#include <openssl/evp.h>
#include "policy/certificate.h"
#include "policy/token_parts.h"

static const struct token_algorithm algorithms[] = {
    { "RS256", TOKEN_RSA, 0 },      { "RS384", TOKEN_RSA, 0 },        { "RS512", TOKEN_RSA, 0 },
    { "PS256", TOKEN_RSA, 0 },      { "PS384", TOKEN_RSA, 0 },        { "PS512", TOKEN_RSA, 0 },
    { "ES256", TOKEN_P256, 64 },    { "ES384", TOKEN_P384, 96 },      { "ES512", TOKEN_P521, 132 },
    { "EdDSA", TOKEN_ED25519, 64 }, { "Ed25519", TOKEN_ED25519, 64 }, /* RFC 9864 */
};

struct token_key {
    cjose_jwk_t *jwk;  /* RSA and EC */
    EVP_PKEY *ed25519; /* the rest */
    size_t signature;  /* bytes */
};

const struct token_algorithm *token_algorithm_of(const char *name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

static cjose_jwk_t *new_rsa(const uint8_t *n, size_t n_n, const uint8_t *e, size_t e_n)
{
    cjose_jwk_rsa_keyspec spec = {
        .n = (uint8_t *)(uintptr_t)n, .nlen = n_n, .e = (uint8_t *)(uintptr_t)e, .elen = e_n
    };

    return cjose_jwk_create_RSA_spec(&spec, NULL);
}

static cjose_jwk_t *new_ec(enum token_key_kind kind, const uint8_t *x, size_t x_n, const uint8_t *y,
                           size_t y_n)
{
    cjose_jwk_ec_keyspec spec = { .crv = kind == TOKEN_P256   ? CJOSE_JWK_EC_P_256
                                         : kind == TOKEN_P384 ? CJOSE_JWK_EC_P_384
                                                              : CJOSE_JWK_EC_P_521,
                                  .x = (uint8_t *)(uintptr_t)x,
                                  .xlen = x_n,
                                  .y = (uint8_t *)(uintptr_t)y,
                                  .ylen = y_n };

    return cjose_jwk_create_EC_spec(&spec, NULL); /* also checks that the point is on the curve */
}

int token_key_new(enum token_key_kind kind, const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n,
                  struct token_key **ret)
{
    struct token_key *key = calloc(1, sizeof(*key));

    if (!key)
        return -ENOMEM;
    token_start();
    if (kind == TOKEN_ED25519) {
        key->ed25519 = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, a, a_n);
        key->signature = 64;
    } else if (kind == TOKEN_RSA) {
        key->jwk = new_rsa(a, a_n, b, b_n);
        key->signature = a_n;
    } else {
        key->jwk = new_ec(kind, a, a_n, b, b_n);
        key->signature = 2 * a_n;
    }
    if (!key->ed25519 && !key->jwk) {
        token_key_free(key);
        return -EINVAL;
    }
    *ret = key;
    return 0;
}

void token_key_free(struct token_key *key)
{
    if (!key)
        return;
    if (key->jwk)
        (void)cjose_jwk_release(key->jwk);
    EVP_PKEY_free(key->ed25519);
    free(key);
}

static bool signed_by_ed25519(EVP_PKEY *key, const struct token *token)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, token->signature, token->signature_n, (const uint8_t *)token->text,
                                 token->signed_n) == 1;

    EVP_MD_CTX_free(context);
    return good;
}

bool token_key_signed(const struct token_key *key, const struct token *token)
{
    cjose_jws_t *jws;
    bool good;

    if (token->signature_n != key->signature)
        return false;
    if (key->ed25519)
        return signed_by_ed25519(key->ed25519, token);
    jws = cjose_jws_import(token->text, token->n, NULL);
    good = jws && cjose_jws_verify(jws, key->jwk, NULL);
    if (jws)
        cjose_jws_release(jws);
    return good;
}

/* ---- the libraries ---- */

static void free_wiped(void *bytes)
{
    if (bytes)
        explicit_bzero(bytes, malloc_usable_size(bytes));
    free(bytes);
}

/* cjose and jansson copy what they read, and a token is as good as a password for as long as it lives. */
void token_start(void)
{
    static bool started;

    if (started)
        return;
    started = true;
    certificate_start();
    cjose_set_alloc_funcs(malloc, realloc, free_wiped);
    json_object_seed(0); /* reads random bytes from a file when there is no system call for it */
}
