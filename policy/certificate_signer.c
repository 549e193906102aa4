/* A private key that signs: the user CA's in the issuer, a target's or its CA's in vault and connector.
 * Signature formats as in certificate_verify.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include "policy/certificate_parts.h"
#include "policy/certificate_signer.h"
#include "policy/openssh_key.h"

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)
DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free)

enum {
    SIGNATURE_MAX = RSA_BITS_MAX / 8, /* bytes; the longest of all types */
    POINT_MAX = 133,                  /* bytes of an uncompressed point of P-521 */
};

/* RFC 8332 §3; the first is the one that is used unless another one is asked for. */
static const struct {
    const char *name, *digest;
} rsa_formats[] = { { "rsa-sha2-512", "SHA512" }, { "rsa-sha2-256", "SHA256" } };
enum { RSA_FORMATS = sizeof(rsa_formats) / sizeof(rsa_formats[0]) };

struct certificate_signer {
    EVP_PKEY *pkey;
    const struct key_type *type;
    struct buffer public;
};

/* ---- the public half ---- */

static int put_text(struct buffer *out, const char *text)
{
    return buffer_put_string(out, text, strlen(text));
}

/* RFC 4251 §5. */
static int put_mpint(struct buffer *out, const BIGNUM *number)
{
    size_t n = (size_t)BN_num_bytes(number);
    bool padded = BN_num_bits(number) % 8 == 0 && n > 0;
    uint8_t *space;
    int r = buffer_put_u32(out, (uint32_t)(n + padded));

    if (!r && padded)
        r = buffer_put_u8(out, 0);
    if (!r)
        r = buffer_reserve(out, n, &space);
    if (!r) {
        (void)BN_bn2bin(number, space);
        buffer_commit(out, n);
    }
    return r;
}

static const struct key_type *ecdsa_type_of(const EVP_PKEY *pkey)
{
    static const char *const names[] = { "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                         "ecdsa-sha2-nistp521" };
    char group[64] = "";
    size_t n;

    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct span name = { (const uint8_t *)names[i], strlen(names[i]) };
        const struct key_type *type = key_type_of(name, false);

        if (strcmp(group, type->group) == 0 || OBJ_txt2nid(group) == EC_curve_nist2nid(type->group))
            return type;
    }
    return NULL;
}

static const struct key_type *type_of(const EVP_PKEY *pkey)
{
    static const uint8_t ed25519[] = "ssh-ed25519", rsa[] = "ssh-rsa";

    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return key_type_of((struct span){ ed25519, sizeof(ed25519) - 1 }, false);
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return key_type_of((struct span){ rsa, sizeof(rsa) - 1 }, false);
    return EVP_PKEY_is_a(pkey, "EC") ? ecdsa_type_of(pkey) : NULL;
}

static int put_rsa(const EVP_PKEY *pkey, struct buffer *out)
{
    BIGNUM *read = NULL;
    CLEANUP(BN_free) BIGNUM *e = NULL;
    CLEANUP(BN_free) BIGNUM *n = NULL;
    int r;

    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &read) != 1)
        return -EINVAL;
    e = STEAL(read);
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &read) != 1)
        return -EINVAL;
    n = STEAL(read);
    r = put_mpint(out, e);
    return r ? r : put_mpint(out, n);
}

static int put_public(EVP_PKEY *pkey, const struct key_type *type, struct buffer *out)
{
    uint8_t point[POINT_MAX];
    size_t n = sizeof(point);
    int r = put_text(out, type->plain);

    if (r)
        return r;
    switch (type->family) {
    case KEY_ED25519:
        return EVP_PKEY_get_raw_public_key(pkey, point, &n) == 1 ? buffer_put_string(out, point, n) : -EINVAL;
    case KEY_ECDSA:
        r = put_text(out, type->curve);
        if (!r && (EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                  OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1 ||
                   EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, n, &n) != 1))
            r = -EINVAL;
        return r ? r : buffer_put_string(out, point, n);
    case KEY_RSA:
        return put_rsa(pkey, out);
    }
    return -EINVAL;
}

/* ---- reading ---- */

struct asked {
    bool for_passphrase;
};

static int no_passphrase(char *out, int size, int writing, void *data)
{
    struct asked *asked = data;

    (void)out, (void)size, (void)writing;
    asked->for_passphrase = true;
    return -1;
}

static int read_pem(const uint8_t *bytes, size_t n, EVP_PKEY **ret, struct detail *detail)
{
    CLEANUP(BIO_free) BIO *bio = BIO_new_mem_buf(bytes, (int)n);
    struct asked asked = { false };

    if (!bio)
        return -ENOMEM;
    *ret = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    if (*ret)
        return 0;
    if (asked.for_passphrase)
        return detail_fail(detail, -EINVAL, "the private key has a passphrase, which nobody could enter");
    return detail_fail(detail, -EINVAL, "this is not a private key in OpenSSH's or in PEM form");
}

/* Both halves belong together: a signature would else be worth nothing, or worse, tell the key. */
static bool is_a_pair(EVP_PKEY *pkey)
{
    CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    return context && EVP_PKEY_pairwise_check(context) == 1;
}

static int not_a_pair(struct detail *detail)
{
    return detail_fail(detail, -EINVAL, "the private key and its public half do not belong together");
}

/* stated: the public key that the file has besides; n is 0 when it has none. */
static int signer_check(struct certificate_signer *signer, struct span stated, struct detail *detail)
{
    struct public_key key;
    int r;

    signer->type = type_of(signer->pkey);
    if (!signer->type)
        return detail_fail(detail, -EINVAL,
                           "the private key is not of a type that may sign certificates: "
                           "Ed25519, ECDSA (P-256, P-384, P-521) or RSA");
    r = put_public(signer->pkey, signer->type, &signer->public);
    if (r)
        return r;
    const struct span public = { buffer_head(&signer->public), buffer_size(&signer->public) };
    if (key_read_plain(public, &key, detail) != 0)
        return -EINVAL;
    if (stated.n > 0 && (stated.n != public.n || memcmp(stated.bytes, public.bytes, stated.n) != 0))
        return not_a_pair(detail);
    return 0;
}

int certificate_signer_new(const uint8_t *bytes, size_t n, struct certificate_signer **ret,
                           struct detail *detail)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    int r = certificate_signer_again(bytes, n, &signer, detail);

    if (!r && !is_a_pair(signer->pkey))
        r = not_a_pair(detail);
    ERR_clear_error();
    if (!r)
        *ret = STEAL(signer);
    return r;
}

int certificate_signer_again(const uint8_t *bytes, size_t n, struct certificate_signer **ret,
                             struct detail *detail)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    CLEANUP(free) uint8_t *stated = NULL;
    size_t stated_n = 0;
    int r;

    start_openssl();
    if (n == 0 || n > OPENSSH_KEY_MAX)
        return detail_fail(detail, -EINVAL, "a private key has 1 to %d bytes, this has %zu", OPENSSH_KEY_MAX,
                           n);
    signer = calloc(1, sizeof(*signer));
    if (!signer)
        return -ENOMEM;
    buffer_init(&signer->public, CERTIFICATE_MAX);
    if (openssh_key_is(bytes, n))
        r = openssh_key_read(bytes, n, &signer->pkey, &stated, &stated_n, detail);
    else
        r = read_pem(bytes, n, &signer->pkey, detail);
    if (!r)
        r = signer_check(signer, (struct span){ stated, stated_n }, detail);
    ERR_clear_error();
    if (!r)
        *ret = STEAL(signer);
    return r;
}

void certificate_signer_free(struct certificate_signer *signer)
{
    if (!signer)
        return;
    EVP_PKEY_free(signer->pkey);
    buffer_free(&signer->public);
    free(signer);
}

const uint8_t *signer_public(const struct certificate_signer *signer, size_t *ret_n)
{
    *ret_n = buffer_size(&signer->public);
    return buffer_head(&signer->public);
}

/* ---- signing ---- */

/* RFC 5656 §3.1.2: the pair (r, s), which OpenSSL gives as ASN.1. */
static int put_ecdsa(const uint8_t *der, size_t n, struct buffer *out)
{
    CLEANUP(ECDSA_SIG_free) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
    struct buffer inner;
    int r;

    if (!pair)
        return -ENOMEM;
    buffer_init(&inner, SIGNATURE_MAX);
    r = put_mpint(&inner, ECDSA_SIG_get0_r(pair));
    if (!r)
        r = put_mpint(&inner, ECDSA_SIG_get0_s(pair));
    if (!r)
        r = buffer_put_string(out, buffer_head(&inner), buffer_size(&inner));
    buffer_free(&inner);
    return r;
}

/* The algorithm's name and digest; false when this key has none of that name. */
static bool format_of(const struct key_type *type, struct span algorithm, const char **ret_name,
                      const char **ret_digest)
{
    if (type->family != KEY_RSA) {
        *ret_name = type->plain;
        *ret_digest = type->digest;
        return span_is(algorithm, type->plain);
    }
    for (size_t i = 0; i < RSA_FORMATS; i++) {
        if (!span_is(algorithm, rsa_formats[i].name))
            continue;
        *ret_name = rsa_formats[i].name;
        *ret_digest = rsa_formats[i].digest;
        return true;
    }
    return false;
}

bool signer_knows(const struct certificate_signer *signer, const void *algorithm, size_t n)
{
    const char *name, *digest;

    return format_of(signer->type, (struct span){ algorithm, n }, &name, &digest);
}

static int put_signature(const struct key_type *type, const char *format, const uint8_t *bytes, size_t n,
                         struct buffer *out)
{
    struct buffer signature;
    int r;

    buffer_init(&signature, SIGNATURE_MAX + 64); /* and the format's name */
    r = put_text(&signature, format);
    if (!r)
        r = type->family == KEY_ECDSA ? put_ecdsa(bytes, n, &signature)
                                      : buffer_put_string(&signature, bytes, n);
    if (!r)
        r = buffer_put_string(out, buffer_head(&signature), buffer_size(&signature));
    buffer_free(&signature);
    return r;
}

int signer_sign(const struct certificate_signer *signer, const char *algorithm, const void *bytes, size_t n,
                struct buffer *out)
{
    CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
    const char *best = signer->type->family == KEY_RSA ? rsa_formats[0].name : signer->type->plain;
    const char *name = algorithm ? algorithm : best, *format, *digest;
    uint8_t signature[SIGNATURE_MAX];
    size_t signature_n = sizeof(signature);
    int r;

    if (!context)
        return -ENOMEM;
    if (!format_of(signer->type, (struct span){ (const uint8_t *)name, strlen(name) }, &format, &digest))
        return -EINVAL;
    if (EVP_DigestSignInit_ex(context, NULL, digest, NULL, NULL, signer->pkey, NULL) != 1 ||
        EVP_DigestSign(context, signature, &signature_n, bytes, n) != 1)
        r = -EIO;
    else
        r = put_signature(signer->type, format, signature, signature_n, out);
    ERR_clear_error();
    return r;
}
