/* See openssh_key.h.
 *
 *   "openssh-key-v1" NUL | string cipher | string kdf | string kdf options | uint32 count | string public key
 *   string private section: uint32 check | uint32 check | string type | fields | string comment | 1, 2, 3 …
 *
 * within base64 between two lines of text. Whatever held private bytes on the way is wiped. */
#include "policy/openssh_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include "base/text.h"
#include "policy/certificate_parts.h"

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(BIGNUM *, BN_clear_free)
DEFINE_CLEANUP(BN_CTX *, BN_CTX_free)

enum {
    ED25519_SEED = 32,
    PADDING_MAX = 255, /* the last byte of padding counts how many there are */
};

static const char BEGIN[] = "-----BEGIN OPENSSH PRIVATE KEY-----",
                  END[] = "-----END OPENSSH PRIVATE KEY-----";
static const char MAGIC[] = "openssh-key-v1"; /* its terminating NUL belongs to it */

static int malformed(struct detail *detail)
{
    return detail_fail(detail, -EINVAL, "the private key is malformed");
}

bool openssh_key_is(const uint8_t *bytes, size_t n)
{
    return n >= sizeof(BEGIN) - 1 && memcmp(bytes, BEGIN, sizeof(BEGIN) - 1) == 0;
}

/* The base64 between the two lines, without white space; out has n bytes. */
static bool text_between(const uint8_t *bytes, size_t n, char *out, size_t *ret_n)
{
    const uint8_t *next = bytes + sizeof(BEGIN) - 1, *last = bytes + n;
    size_t used = 0;

    for (; next < last && *next != '-'; next++)
        if (!strchr(" \t\r\n", *next))
            out[used++] = (char)*next;
    if ((size_t)(last - next) < sizeof(END) - 1 || memcmp(next, END, sizeof(END) - 1) != 0)
        return false;
    *ret_n = used;
    return true;
}

/* ---- the private fields, by type ---- */

static EVP_PKEY *pair_from(const char *type, OSSL_PARAM_BLD *builder)
{
    CLEANUP(OSSL_PARAM_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        return NULL;
    return pkey;
}

static BIGNUM *number_read(struct reader *r)
{
    struct span magnitude;

    if (!mpint_read(r, &magnitude))
        return NULL;
    return BN_bin2bn(magnitude.bytes, (int)magnitude.n, NULL);
}

static EVP_PKEY *read_ed25519(struct reader *r)
{
    struct span public, private;

    if (!span_read(r, &public) || !span_read(r, &private) || public.n != ED25519_SEED ||
        private.n != ED25519_SEED + public.n ||
        memcmp(private.bytes + ED25519_SEED, public.bytes, public.n) != 0)
        return NULL;
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private.bytes, ED25519_SEED);
}

static EVP_PKEY *read_ecdsa(const struct key_type *type, struct reader *r)
{
    CLEANUP(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CLEANUP(BN_clear_free) BIGNUM *secret = NULL;
    struct span curve, point;

    if (!builder || !span_read(r, &curve) || !span_is(curve, type->curve) || !span_read(r, &point) ||
        point.n != type->point || !(secret = number_read(r)))
        return NULL;
    if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, type->group, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.bytes, point.n) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) != 1)
        return NULL;
    return pair_from("EC", builder);
}

/* The file lacks d mod (p - 1) and d mod (q - 1), which OpenSSL wants when it gets the primes. */
static BIGNUM *crt_exponent(const BIGNUM *d, const BIGNUM *prime, BN_CTX *numbers)
{
    CLEANUP(BN_clear_free) BIGNUM *less = BN_dup(prime);
    CLEANUP(BN_clear_free) BIGNUM *exponent = BN_new();

    if (!less || !exponent || BN_sub_word(less, 1) != 1 || BN_is_zero(less) ||
        BN_mod(exponent, d, less, numbers) != 1)
        return NULL;
    return STEAL(exponent);
}

static EVP_PKEY *read_rsa(struct reader *r)
{
    static const char *const in_file[] = { OSSL_PKEY_PARAM_RSA_N,       OSSL_PKEY_PARAM_RSA_E,
                                           OSSL_PKEY_PARAM_RSA_D,       OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
                                           OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2 };
    enum { D = 2, P = 4, Q = 5, COUNT = sizeof(in_file) / sizeof(in_file[0]) };
    CLEANUP(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    CLEANUP(BN_CTX_free) BN_CTX *numbers = BN_CTX_new();
    CLEANUP(BN_clear_free) BIGNUM *dp = NULL;
    CLEANUP(BN_clear_free) BIGNUM *dq = NULL;
    BIGNUM *fields[COUNT] = { NULL };
    EVP_PKEY *pkey = NULL;
    bool well = builder && numbers;

    for (size_t i = 0; well && i < COUNT; i++) {
        fields[i] = number_read(r);
        well = fields[i] && OSSL_PARAM_BLD_push_BN(builder, in_file[i], fields[i]) == 1;
    }
    if (well && (dp = crt_exponent(fields[D], fields[P], numbers)) &&
        (dq = crt_exponent(fields[D], fields[Q], numbers)) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT1, dp) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_EXPONENT2, dq) == 1)
        pkey = pair_from("RSA", builder);
    for (size_t i = 0; i < COUNT; i++)
        BN_clear_free(fields[i]);
    return pkey;
}

/* ---- the whole ---- */

static bool padding_is_right(struct reader *r)
{
    uint8_t value;

    for (unsigned expected = 1; reader_left(r) > 0; expected++)
        if (expected > PADDING_MAX || !reader_u8(r, &value) || value != expected)
            return false;
    return true;
}

static int read_private(struct reader *r, EVP_PKEY **ret, struct detail *detail)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    const struct key_type *type;
    struct span name, comment;
    uint32_t check, again;

    if (!reader_u32(r, &check) || !reader_u32(r, &again) || check != again || !span_read(r, &name))
        return malformed(detail);
    type = key_type_of(name, false);
    if (!type || type->hardware)
        return detail_fail(detail, -EINVAL, "the private key is not of a type that may sign certificates");
    switch (type->family) {
    case KEY_ED25519:
        pkey = read_ed25519(r);
        break;
    case KEY_ECDSA:
        pkey = read_ecdsa(type, r);
        break;
    case KEY_RSA:
        pkey = read_rsa(r);
        break;
    }
    if (!pkey || !span_read(r, &comment) || !padding_is_right(r))
        return malformed(detail);
    *ret = STEAL(pkey);
    return 0;
}

static int read_file(struct reader *r, EVP_PKEY **ret, struct span *ret_public, struct detail *detail)
{
    struct span cipher, kdf, kdf_options, public;
    struct reader private;
    const uint8_t *magic;
    uint32_t count;

    if (!reader_bytes(r, sizeof(MAGIC), &magic) || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0 ||
        !span_read(r, &cipher) || !span_read(r, &kdf) || !span_read(r, &kdf_options) ||
        !reader_u32(r, &count) || count != 1 || !span_read(r, &public) || !reader_string(r, &private) ||
        !reader_done(r))
        return malformed(detail);
    if (!span_is(cipher, "none") || !span_is(kdf, "none"))
        return detail_fail(detail, -EINVAL, "the private key has a passphrase, which nobody could enter");
    *ret_public = public;
    return read_private(&private, ret, detail);
}

int openssh_key_read(const uint8_t *bytes, size_t n, EVP_PKEY **ret, uint8_t **ret_public,
                     size_t *ret_public_n, struct detail *detail)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *pkey = NULL;
    char *text;
    uint8_t *blob;
    struct span public = { NULL, 0 };
    size_t text_n, blob_n;
    int r;

    if (n > OPENSSH_KEY_MAX)
        return malformed(detail);
    text = calloc(2, n); /* the base64, and behind it what is in it */
    if (!text)
        return -ENOMEM;
    blob = (uint8_t *)text + n;
    if (openssh_key_is(bytes, n) && text_between(bytes, n, text, &text_n) &&
        text_from_base64(text, text_n, blob, n, &blob_n)) {
        struct reader reader = reader_of(blob, blob_n);

        r = read_file(&reader, &pkey, &public, detail);
    } else {
        r = malformed(detail);
    }
    if (!r) {
        uint8_t *copy = malloc(public.n + 1);

        r = copy ? 0 : -ENOMEM;
        if (copy) {
            memcpy(copy, public.bytes, public.n);
            *ret_public = copy;
            *ret_public_n = public.n;
            *ret = STEAL(pkey);
        }
    }
    OPENSSL_cleanse(text, 2 * n);
    free(text);
    return r;
}
