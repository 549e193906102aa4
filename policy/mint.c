/* See mint.h.
 *
 * What is written here (headers, JWKs) holds nothing but base64url and names of our own, so that it needs no
 * JSON library; its members are in the order of RFC 7638 §3.3, which the thumbprint is made of. */
#include "policy/mint.h"
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_RSA_BITS_MIN = 2048,
    KEY_RSA_BITS_MAX = 16384,
    KEY_ID_SIZE = 44, /* SHA-256 in base64url, and NUL */
    ED25519_SIZE = 32,
    NUMBER_MAX = KEY_RSA_BITS_MAX / 8,
    SIGNATURE_MAX = NUMBER_MAX,
    CLAIMS_JSON_MAX = 64 * 1024, /* bytes of the claims */
};

/* RFC 7518 §3.1, RFC 8037 §3.1 */
struct algorithm {
    const char *name;
    const char *group;  /* of EC: as OpenSSL calls the curve; else NULL */
    const char *curve;  /* as JWKs call it */
    const char *digest; /* NULL: the signature has its own */
    int number;         /* bytes of a coordinate */
};

static const struct algorithm EDDSA = { "EdDSA", NULL, "Ed25519", NULL, ED25519_SIZE };
static const struct algorithm RS256 = { "RS256", NULL, NULL, "SHA256", 0 };
static const struct algorithm CURVES[] = {
    { "ES256", "prime256v1", "P-256", "SHA256", 32 },
    { "ES384", "secp384r1", "P-384", "SHA384", 48 },
    { "ES512", "secp521r1", "P-521", "SHA512", 66 },
};

struct mint {
    EVP_PKEY *pkey;
    const struct algorithm *algorithm;
    char id[KEY_ID_SIZE];
    char *jwks;
};

static void bio_free(BIO *bio)
{
    (void)BIO_free(bio);
}
DEFINE_CLEANUP(BIO *, bio_free)

static void number_free(BIGNUM *number)
{
    BN_free(number);
}
DEFINE_CLEANUP(BIGNUM *, number_free)

static void digest_free(EVP_MD_CTX *context)
{
    EVP_MD_CTX_free(context);
}
DEFINE_CLEANUP(EVP_MD_CTX *, digest_free)

static void ecdsa_free(ECDSA_SIG *signature)
{
    ECDSA_SIG_free(signature);
}
DEFINE_CLEANUP(ECDSA_SIG *, ecdsa_free)

/* base64url without padding, malloc'ed. */
static char *encode(const void *bytes, size_t n)
{
    size_t size = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *out = malloc(size);

    return out ? sodium_bin2base64(out, size, bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING) : NULL;
}

/* ---- reading ---- */

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(int *)asked = 1;
    return -1;
}

static int read_pem(const uint8_t *bytes, size_t n, EVP_PKEY **ret, struct detail *detail)
{
    int asked = 0;

    if (n > INT32_MAX)
        return detail_fail(detail, -EINVAL, "it is too large");
    CLEANUP(bio_free) BIO *bio = BIO_new_mem_buf(bytes, (int)n);
    if (!bio)
        return -ENOMEM;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
    if (!pkey)
        return detail_fail(detail, -EINVAL, "%s",
                           asked ? "the key is encrypted; without a passphrase, please"
                                 : "this is no private key in PEM form, as `openssl genpkey` writes it");
    *ret = pkey;
    return 0;
}

static int find_curve(const EVP_PKEY *pkey, const struct algorithm **ret, struct detail *detail)
{
    char group[64] = "";

    (void)EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL);
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++)
        if (!strcmp(group, CURVES[i].group)) {
            *ret = &CURVES[i];
            return 0;
        }
    return detail_fail(detail, -EINVAL, "the curve %s is not P-256, P-384 or P-521", group);
}

static int find_algorithm(const EVP_PKEY *pkey, const struct algorithm **ret, struct detail *detail)
{
    int bits = EVP_PKEY_get_bits(pkey);

    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_ED25519:
        *ret = &EDDSA;
        return 0;
    case EVP_PKEY_EC:
        return find_curve(pkey, ret, detail);
    case EVP_PKEY_RSA:
        if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
            return detail_fail(detail, -EINVAL, "an RSA key of %d bits: it must have %d to %d", bits,
                               KEY_RSA_BITS_MIN, KEY_RSA_BITS_MAX);
        *ret = &RS256;
        return 0;
    default:
        return detail_fail(detail, -EINVAL, "the key is not of Ed25519, EC or RSA");
    }
}

/* ---- the public half ---- */

/* A number of the key in big-endian base64url: padded to size bytes, or as short as it gets with size 0. */
static char *encode_number(const EVP_PKEY *pkey, const char *name, int size)
{
    CLEANUP(number_free) BIGNUM *number = NULL;
    unsigned char bytes[NUMBER_MAX];

    if (!EVP_PKEY_get_bn_param(pkey, name, &number) || BN_num_bytes(number) > NUMBER_MAX)
        return NULL;
    int n = BN_bn2binpad(number, bytes, size ? size : BN_num_bytes(number));
    return n > 0 ? encode(bytes, (size_t)n) : NULL;
}

static char *encode_point(const EVP_PKEY *pkey)
{
    unsigned char bytes[ED25519_SIZE];
    size_t n = sizeof bytes;

    return EVP_PKEY_get_raw_public_key(pkey, bytes, &n) ? encode(bytes, n) : NULL;
}

/* The members that the thumbprint covers, in its order, without braces; malloc'ed. */
static char *public_members(const EVP_PKEY *pkey, const struct algorithm *algorithm)
{
    CLEANUP(free) char *first = NULL, *second = NULL;
    char *out = NULL;
    int n = -1;

    if (algorithm == &EDDSA) {
        first = encode_point(pkey);
        n = first ? asprintf(&out, "\"crv\":\"%s\",\"kty\":\"OKP\",\"x\":\"%s\"", algorithm->curve, first)
                  : -1;
    } else if (algorithm == &RS256) {
        first = encode_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
        second = encode_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
        if (first && second)
            n = asprintf(&out, "\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"", first, second);
    } else {
        first = encode_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, algorithm->number);
        second = encode_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, algorithm->number);
        if (first && second)
            n = asprintf(&out, "\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"", algorithm->curve,
                         first, second);
    }
    return n < 0 ? NULL : out;
}

static int describe(struct mint *mint)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    CLEANUP(free) char *members = public_members(mint->pkey, mint->algorithm), *braced = NULL;

    if (!members || asprintf(&braced, "{%s}", members) < 0) {
        braced = NULL;
        return -ENOMEM;
    }
    crypto_hash_sha256(digest, (const unsigned char *)braced, strlen(braced));
    sodium_bin2base64(mint->id, sizeof mint->id, digest, sizeof digest,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    int n = asprintf(&mint->jwks, "{\"keys\":[{%s,\"kid\":\"%s\",\"alg\":\"%s\",\"use\":\"sig\"}]}", members,
                     mint->id, mint->algorithm->name);
    if (n < 0)
        mint->jwks = NULL;
    return n < 0 ? -ENOMEM : 0;
}

int mint_new(const uint8_t *bytes, size_t n, struct mint **ret, struct detail *detail)
{
    CLEANUP(mint_free) struct mint *mint = calloc(1, sizeof *mint);

    if (!mint || sodium_init() < 0)
        return -ENOMEM;
    int r = read_pem(bytes, n, &mint->pkey, detail);
    if (!r)
        r = find_algorithm(mint->pkey, &mint->algorithm, detail);
    if (!r)
        r = describe(mint);
    if (r)
        return r;
    *ret = STEAL(mint);
    return 0;
}

void mint_free(struct mint *mint)
{
    if (!mint)
        return;
    EVP_PKEY_free(mint->pkey);
    free(mint->jwks);
    free(mint);
}

const char *mint_jwks(const struct mint *mint)
{
    return mint->jwks;
}

const char *mint_key_id(const struct mint *mint)
{
    return mint->id;
}

/* ---- signing ---- */

/* RFC 7518 §3.4: both numbers in their full size, where OpenSSL gives them in DER. */
static int unpack_ecdsa(unsigned char *signature, size_t *n, int number)
{
    const unsigned char *at = signature;
    CLEANUP(ecdsa_free) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*n);

    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, number) != number ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + number, number) != number)
        return -EIO;
    *n = 2 * (size_t)number;
    return 0;
}

static int sign(const struct mint *mint, const char *text, unsigned char *out, size_t *n)
{
    CLEANUP(digest_free) EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context)
        return -ENOMEM;
    if (EVP_DigestSignInit_ex(context, NULL, mint->algorithm->digest, NULL, NULL, mint->pkey, NULL) != 1 ||
        EVP_DigestSign(context, out, n, (const unsigned char *)text, strlen(text)) != 1)
        return -EIO;
    return mint->algorithm->group ? unpack_ecdsa(out, n, mint->algorithm->number) : 0;
}

int mint_token(const struct mint *mint, const char *claims, char **ret)
{
    CLEANUP(free) char *header = NULL, *head = NULL, *body = NULL, *to_sign = NULL, *tail = NULL;
    unsigned char signature[SIGNATURE_MAX];
    size_t n = sizeof signature;

    if (strlen(claims) > CLAIMS_JSON_MAX)
        return -EMSGSIZE;
    if (asprintf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", mint->algorithm->name,
                 mint->id) < 0) {
        header = NULL;
        return -ENOMEM;
    }
    head = encode(header, strlen(header));
    body = encode(claims, strlen(claims));
    if (!head || !body || asprintf(&to_sign, "%s.%s", head, body) < 0) {
        to_sign = NULL;
        return -ENOMEM;
    }
    int r = sign(mint, to_sign, signature, &n);
    if (r)
        return r;
    tail = encode(signature, n);
    char *whole = NULL;
    if (!tail || asprintf(&whole, "%s.%s", to_sign, tail) < 0)
        return -ENOMEM;
    *ret = whole;
    return 0;
}
