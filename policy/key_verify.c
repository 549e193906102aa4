/* Signatures by keys of OpenSSH's, by OpenSSL.
 *
 * Formats: RFC 8709 §6 (Ed25519), RFC 5656 §3.1.2 (ECDSA), RFC 8332 §3 (RSA with SHA-2), OpenSSH PROTOCOL.u2f
 * (sk-…). ssh-rsa, which is RSA with SHA-1, is refused: chosen-prefix collisions are affordable
 * (https://eprint.iacr.org/2020/014). */
#include <errno.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include "policy/certificate_parts.h"

enum { ED25519_SIGNATURE = 64, SHA256_BYTES = 32, TOUCH_USER_PRESENT = 1 };

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params)
{
    CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return pkey;
}

static EVP_PKEY *pkey_ecdsa(const struct public_key *key)
{
    /* The parameter list wants pointers to non-const; it only reads. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)key->type->group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)key->point.bytes, key->point.n),
        OSSL_PARAM_construct_end(),
    };

    return pkey_from("EC", params);
}

static EVP_PKEY *pkey_rsa(const struct public_key *key)
{
    CLEANUP(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CLEANUP(BN_free) BIGNUM *n = BN_bin2bn(key->modulus.bytes, (int)key->modulus.n, NULL);
    CLEANUP(BN_free) BIGNUM *e = BN_bin2bn(key->exponent.bytes, (int)key->exponent.n, NULL);
    CLEANUP(OSSL_PARAM_free) OSSL_PARAM *params = NULL;

    if (!builder || !n || !e || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) != 1)
        return NULL;
    params = OSSL_PARAM_BLD_to_param(builder);
    return params ? pkey_from("RSA", params) : NULL;
}

EVP_PKEY *key_open(const struct public_key *key)
{
    switch (key->type->family) {
    case KEY_ED25519:
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->point.bytes, key->point.n);
    case KEY_ECDSA:
        return pkey_ecdsa(key);
    case KEY_RSA:
        return pkey_rsa(key);
    }
    return NULL;
}

/* The signature in the form that OpenSSL takes, and the digest's name (NULL for Ed25519). */
struct signature {
    struct span bytes;
    const char *digest;
    uint8_t *der; /* OpenSSL's, when bytes point there */
};

static void signature_free(struct signature *signature)
{
    OPENSSL_free(signature->der);
    signature->der = NULL;
}

/* (r, s) as the ASN.1 sequence that OpenSSL wants. */
static int ecdsa_to_der(struct span wire, struct signature *signature)
{
    CLEANUP(ECDSA_SIG_free) ECDSA_SIG *pair = ECDSA_SIG_new();
    CLEANUP(BN_free) BIGNUM *r = NULL;
    CLEANUP(BN_free) BIGNUM *s = NULL;
    struct reader reader = reader_of(wire.bytes, wire.n);
    struct span r_bytes, s_bytes;
    int n;

    if (!mpint_read(&reader, &r_bytes) || !mpint_read(&reader, &s_bytes) || !reader_done(&reader))
        return CERTIFICATE_BAD_SIGNATURE;
    r = BN_bin2bn(r_bytes.bytes, (int)r_bytes.n, NULL);
    s = BN_bin2bn(s_bytes.bytes, (int)s_bytes.n, NULL);
    if (!pair || !r || !s)
        return -ENOMEM;
    if (ECDSA_SIG_set0(pair, r, s) != 1)
        return -ENOMEM;
    (void)STEAL(r); /* set0 owns them */
    (void)STEAL(s);
    n = i2d_ECDSA_SIG(pair, &signature->der);
    if (n <= 0)
        return -ENOMEM;
    signature->bytes = (struct span){ signature->der, (size_t)n };
    return 0;
}

/* What a security key adds to its signature, and what it has signed in the place of the message:
 * SHA-256(application) flags counter SHA-256(message) (PROTOCOL.u2f, "SSH U2F Signatures"). */
struct touch {
    uint8_t flags;
    uint8_t bytes[2 * SHA256_BYTES + 1 + 4];
};

/* Matches the signature's format against the key's type: a key signs in its own way only. *ret_rest: what
 * follows it. */
static int signature_read(struct span wire, const struct key_type *type, struct signature *ret,
                          struct reader *ret_rest)
{
    struct reader r = reader_of(wire.bytes, wire.n);
    struct span format, bytes;

    if (!span_read(&r, &format) || !span_read(&r, &bytes))
        return CERTIFICATE_BAD_SIGNATURE;
    *ret_rest = r;
    ret->bytes = bytes;
    if (type->family == KEY_RSA) {
        if (span_is(format, "ssh-rsa"))
            return CERTIFICATE_WEAK;
        ret->digest = span_is(format, "rsa-sha2-512") ? "SHA512" : "SHA256";
        return span_is(format, "rsa-sha2-512") || span_is(format, "rsa-sha2-256") ? 0
                                                                                  : CERTIFICATE_BAD_SIGNATURE;
    }
    if (!span_is(format, type->plain))
        return CERTIFICATE_BAD_SIGNATURE;
    if (type->family == KEY_ED25519)
        return bytes.n == ED25519_SIGNATURE ? 0 : CERTIFICATE_BAD_SIGNATURE;
    ret->digest = type->digest;
    return ecdsa_to_der(bytes, ret);
}

static int touch_read(const struct public_key *key, struct span message, struct reader *r, struct touch *ret)
{
    uint32_t counter;
    uint8_t *at = ret->bytes;

    if (!reader_u8(r, &ret->flags) || !reader_u32(r, &counter))
        return CERTIFICATE_BAD_SIGNATURE;
    if (EVP_Digest(key->application.bytes, key->application.n, at, NULL, EVP_sha256(), NULL) != 1 ||
        EVP_Digest(message.bytes, message.n, at + SHA256_BYTES + 5, NULL, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    at[SHA256_BYTES] = ret->flags;
    for (size_t i = 0; i < sizeof(counter); i++)
        at[SHA256_BYTES + 1 + i] = (uint8_t)(counter >> (24 - 8 * i));
    return 0;
}

static int signature_check(const struct public_key *key, const struct signature *signature,
                           struct span message)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = key_open(key);
    CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context)
        return -ENOMEM;
    if (!pkey || EVP_DigestVerifyInit_ex(context, NULL, signature->digest, NULL, NULL, pkey, NULL) != 1 ||
        EVP_DigestVerify(context, signature->bytes.bytes, signature->bytes.n, message.bytes, message.n) != 1)
        return CERTIFICATE_BAD_SIGNATURE;
    return 0;
}

int key_verify(const struct public_key *key, struct span wire, struct span message, bool *ret_touched)
{
    struct signature signature = { 0 };
    struct reader rest;
    struct touch touch;
    int fault;

    start_openssl();
    fault = signature_read(wire, key->type, &signature, &rest);
    if (!fault && key->type->hardware) {
        fault = touch_read(key, message, &rest, &touch);
        message = (struct span){ touch.bytes, sizeof(touch.bytes) };
    }
    if (!fault && !reader_done(&rest))
        fault = CERTIFICATE_BAD_SIGNATURE;
    if (!fault)
        fault = signature_check(key, &signature, message);
    if (!fault && ret_touched)
        *ret_touched = key->type->hardware && (touch.flags & TOUCH_USER_PRESENT);
    signature_free(&signature);
    ERR_clear_error();
    return fault;
}

/* Checks a worthless signature by each kind of key: OpenSSL finds and keeps its algorithms at their first
 * use, which takes a millisecond. Done once in a zygote, no child pays for it. */
void certificate_start(void)
{
    static const char curve_name[] = "ecdsa-sha2-nistp256";
    static const uint8_t exponent[] = { 1, 0, 1 }, worthless[256] = { 0 };
    static const uint8_t ed25519[32] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                         0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                         0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };
    /* The base points of both curves (RFC 8032 §5.1, SEC 2 §2.4.2). */
    static const uint8_t p256[65] = { 4,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
                                      0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
                                      0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
                                      0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
                                      0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
                                      0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };
    static const uint8_t ecdsa_signature[] = { 0x30, 6, 2, 1, 1, 2, 1, 1 };
    static const struct key_type ed25519_type = { .family = KEY_ED25519 }, rsa_type = { .family = KEY_RSA };
    uint8_t modulus[sizeof(worthless)];

    start_openssl();
    memset(modulus, 0xff, sizeof(modulus));
    const struct key_type *ecdsa_type =
        key_type_of((struct span){ (const uint8_t *)curve_name, sizeof(curve_name) - 1 }, false);
    const struct {
        struct public_key key;
        struct signature signature;
    } tries[] = {
        { { .type = &ed25519_type, .point = { ed25519, 32 } }, { { worthless, 64 }, NULL, NULL } },
        { { .type = ecdsa_type, .point = { p256, 65 } }, { { ecdsa_signature, 8 }, "SHA256", NULL } },
        { { .type = &rsa_type, .exponent = { exponent, 3 }, .modulus = { modulus, 256 } },
          { { worthless, 256 }, "SHA512", NULL } },
    };
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
        (void)!signature_check(&tries[i].key, &tries[i].signature, (struct span){ worthless, 1 });
    ERR_clear_error();
}
