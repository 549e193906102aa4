/* See token_fixture.h. */
#include "token_fixture.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static EVP_PKEY *keys[FIXTURE_KEYS];

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "token fixture: %s failed\n", what);
    abort();
}

int fixture_make_keys(void **state)
{
    (void)state;
    keys[FIXTURE_RSA] = EVP_RSA_gen(2048);
    keys[FIXTURE_RSA_OTHER] = EVP_RSA_gen(2048);
    keys[FIXTURE_RSA_WEAK] = EVP_RSA_gen(1024);
    keys[FIXTURE_P256] = EVP_EC_gen("P-256");
    keys[FIXTURE_P384] = EVP_EC_gen("P-384");
    keys[FIXTURE_P521] = EVP_EC_gen("P-521");
    keys[FIXTURE_ED25519] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    keys[FIXTURE_ED25519_OTHER] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    for (size_t i = 0; i < FIXTURE_KEYS; i++)
        must(keys[i] != NULL, "key generation");
    return 0;
}

int fixture_free_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIXTURE_KEYS; i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

char *fixture_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    must(vasprintf(&text, format, args) >= 0, "vasprintf");
    va_end(args);
    return text;
}

char *fixture_base64url(const void *bytes, size_t n)
{
    char *text = malloc(4 * ((n + 2) / 3) + 1);

    must(text != NULL, "malloc");
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
    for (char *p = text; *p; p++)
        *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
    text[strcspn(text, "=")] = '\0';
    return text;
}

/* ---- public keys ---- */

static size_t curve_bytes(enum fixture_key key)
{
    return key == FIXTURE_P256 ? 32 : key == FIXTURE_P384 ? 48 : 66;
}

static int is_ec(enum fixture_key key)
{
    return key == FIXTURE_P256 || key == FIXTURE_P384 || key == FIXTURE_P521;
}

static int is_ed25519(enum fixture_key key)
{
    return key == FIXTURE_ED25519 || key == FIXTURE_ED25519_OTHER;
}

/* A number of the key, big-endian; size: padded to that, or 0. */
static uint8_t *number(enum fixture_key key, const char *name, size_t size, size_t *ret_n)
{
    BIGNUM *value = NULL;
    uint8_t *bytes;

    must(EVP_PKEY_get_bn_param(keys[key], name, &value), name);
    *ret_n = size ? size : (size_t)BN_num_bytes(value);
    bytes = malloc(*ret_n + 1);
    must(bytes && BN_bn2binpad(value, bytes, (int)*ret_n) >= 0, "BN_bn2binpad");
    BN_free(value);
    return bytes;
}

static char *number_text(enum fixture_key key, const char *name, size_t size)
{
    size_t n = 0;
    uint8_t *bytes = number(key, name, size, &n);
    char *text = fixture_base64url(bytes, n);

    free(bytes);
    return text;
}

char *fixture_jwk(enum fixture_key key, const char *members)
{
    const char *comma = *members ? "," : "";
    uint8_t raw[32];
    size_t n = sizeof(raw);
    char *a, *b = NULL, *text;

    if (is_ed25519(key)) {
        must(EVP_PKEY_get_raw_public_key(keys[key], raw, &n), "raw key");
        a = fixture_base64url(raw, n);
        text = fixture_format("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s%s}", a, comma, members);
    } else if (is_ec(key)) {
        a = number_text(key, OSSL_PKEY_PARAM_EC_PUB_X, curve_bytes(key));
        b = number_text(key, OSSL_PKEY_PARAM_EC_PUB_Y, curve_bytes(key));
        text = fixture_format("{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s%s}",
                              key == FIXTURE_P256   ? 256
                              : key == FIXTURE_P384 ? 384
                                                    : 521,
                              a, b, comma, members);
    } else {
        a = number_text(key, OSSL_PKEY_PARAM_RSA_N, 0);
        b = number_text(key, OSSL_PKEY_PARAM_RSA_E, 0);
        text = fixture_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s%s}", a, b, comma, members);
    }
    free(a);
    free(b);
    return text;
}

char *fixture_pem(enum fixture_key key)
{
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes = NULL, *text;
    long n;

    must(PEM_write_bio_PrivateKey(memory, keys[key], NULL, NULL, 0, NULL, NULL), "PEM");
    n = BIO_get_mem_data(memory, &bytes);
    text = strndup(bytes, (size_t)n);
    BIO_free(memory);
    return text;
}

/* ---- SSH ---- */

static void put(uint8_t **end, const void *bytes, size_t n)
{
    const uint8_t head[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

    memcpy(*end, head, 4);
    memcpy(*end + 4, bytes, n);
    *end += 4 + n;
}

static void put_text(uint8_t **end, const char *text)
{
    put(end, text, strlen(text));
}

static void put_mpint(uint8_t **end, enum fixture_key key, const char *name)
{
    size_t n = 0;
    uint8_t *bytes = number(key, name, 0, &n), *padded = calloc(1, n + 1);

    must(padded != NULL, "calloc");
    memcpy(padded + 1, bytes, n);
    put(end, bytes[0] & 0x80 ? padded : bytes, bytes[0] & 0x80 ? n + 1 : n);
    free(bytes);
    free(padded);
}

uint8_t *fixture_ssh(enum fixture_key key, size_t *ret_n)
{
    uint8_t *blob = malloc(2048), *end = blob, raw[200];
    size_t n = sizeof(raw);

    must(blob != NULL, "malloc");
    if (is_ed25519(key)) {
        must(EVP_PKEY_get_raw_public_key(keys[key], raw, &n), "raw key");
        put_text(&end, "ssh-ed25519");
        put(&end, raw, n);
    } else if (is_ec(key)) {
        const char *curve = key == FIXTURE_P256 ? "nistp256" : key == FIXTURE_P384 ? "nistp384" : "nistp521";
        char name[40];

        snprintf(name, sizeof(name), "ecdsa-sha2-%s", curve);
        must(EVP_PKEY_get_octet_string_param(keys[key], OSSL_PKEY_PARAM_PUB_KEY, raw, n, &n), "point");
        put_text(&end, name);
        put_text(&end, curve);
        put(&end, raw, n);
    } else {
        put_text(&end, "ssh-rsa");
        put_mpint(&end, key, OSSL_PKEY_PARAM_RSA_E);
        put_mpint(&end, key, OSSL_PKEY_PARAM_RSA_N);
    }
    *ret_n = (size_t)(end - blob);
    return blob;
}

/* ---- signatures ---- */

/* From the DER form into r and s of the curve's length. */
static void raw_ecdsa(uint8_t *bytes, size_t *n, size_t size)
{
    const uint8_t *der = bytes;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)*n);

    must(signature != NULL, "d2i_ECDSA_SIG");
    must(BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, (int)size) > 0, "r");
    must(BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + size, (int)size) > 0, "s");
    *n = 2 * size;
    ECDSA_SIG_free(signature);
}

char *fixture_signature(enum fixture_key key, const char *alg, const char *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey = NULL;
    const EVP_MD *digest = is_ed25519(key)      ? NULL
                           : strstr(alg, "384") ? EVP_sha384()
                           : strstr(alg, "512") ? EVP_sha512()
                                                : EVP_sha256();
    uint8_t bytes[2048];
    size_t n = sizeof(bytes);

    must(EVP_DigestSignInit(context, &pkey, digest, NULL, keys[key]), "EVP_DigestSignInit");
    if (alg[0] == 'P') {
        must(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) > 0, "PSS");
        must(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) > 0, "salt");
    }
    must(EVP_DigestSign(context, bytes, &n, (const uint8_t *)text, strlen(text)), "EVP_DigestSign");
    EVP_MD_CTX_free(context);
    if (is_ec(key))
        raw_ecdsa(bytes, &n, curve_bytes(key));
    return fixture_base64url(bytes, n);
}

char *fixture_token(enum fixture_key key, const char *alg, const char *header, const char *claims)
{
    char *head = fixture_base64url(header, strlen(header)), *body = fixture_base64url(claims, strlen(claims));
    char *text = fixture_format("%s.%s", head, body);
    char *signature = fixture_signature(key, alg, text);
    char *token = fixture_format("%s.%s", text, signature);

    free(head);
    free(body);
    free(text);
    free(signature);
    return token;
}
