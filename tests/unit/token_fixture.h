/* Keys and tokens for tests, made with OpenSSL alone: nothing of what is tested. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum fixture_key {
    FIXTURE_RSA,
    FIXTURE_RSA_OTHER,
    FIXTURE_RSA_WEAK, /* 1024 bits */
    FIXTURE_P256,
    FIXTURE_P384,
    FIXTURE_P521,
    FIXTURE_ED25519,
    FIXTURE_ED25519_OTHER,
    FIXTURE_KEYS
};

/* Make and free all of them; cmocka's group setup and teardown. */
int fixture_make_keys(void **state);
int fixture_free_keys(void **state);

/* malloc'ed, without padding. */
char *fixture_base64url(const void *bytes, size_t n);
/* The public key as a JWK, malloc'ed; members: further ones, as "\"kid\":\"k1\"", or "". */
char *fixture_jwk(enum fixture_key key, const char *members);
/* The key's private half in PEM (PKCS 8), malloc'ed. */
char *fixture_pem(enum fixture_key key);
/* The plain public key in SSH wire form, malloc'ed. */
uint8_t *fixture_ssh(enum fixture_key key, size_t *ret_n);
/* The signature of the text by that algorithm (RFC 7518), malloc'ed base64url. */
char *fixture_signature(enum fixture_key key, const char *alg, const char *text);
/* A compact token, malloc'ed: header and claims are JSON. */
char *fixture_token(enum fixture_key key, const char *alg, const char *header, const char *claims);
/* snprintf into malloc'ed memory. */
char *fixture_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
