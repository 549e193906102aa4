/* See tls_ca.h. ECDSA on P-256 (RFC 5480), which every TLS library takes; certificates by RFC 5280.
 *
 * The private key is a number below the order of the curve's group: SHA-512 of the seed and a label, reduced,
 * is so close to evenly spread that the rest does not matter (FIPS 186-5, A.2.1: 64 bits more than needed;
 * here are 256). */
#include "vault/tls_ca.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { WIDE = 64, POINT = 65, SCALAR = 32, NAME_MAX_BYTES = 64 }; /* 64: ub-common-name */

static const char LABEL[] = "gatehouse tls ca v1";
static const char CURVE[] = "P-256";

struct tls_ca {
    EVP_PKEY *key;
    X509 *certificate;
};

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_CLEANUP(EC_GROUP *, EC_GROUP_free)
DEFINE_CLEANUP(EC_POINT *, EC_POINT_free)
DEFINE_CLEANUP(BIGNUM *, BN_clear_free)
DEFINE_CLEANUP(BN_CTX *, BN_CTX_free)
DEFINE_CLEANUP(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_free)
DEFINE_CLEANUP(OSSL_PARAM *, OSSL_PARAM_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(BIO *, BIO_free_all)

void tls_ca_free(struct tls_ca *ca)
{
    if (!ca)
        return;
    EVP_PKEY_free(ca->key);
    X509_free(ca->certificate);
    free(ca);
}

/* ---- the key ---- */

/* seed → the number d, 1 ≤ d < n. */
static BIGNUM *scalar_of(const struct secret *seed, const EC_GROUP *group, BN_CTX *context)
{
    uint8_t wide[WIDE], text[TLS_CA_SEED + sizeof LABEL];
    BIGNUM *big = BN_secure_new(), *d = BN_secure_new();
    CLEANUP(BN_clear_free) BIGNUM *most = BN_dup(EC_GROUP_get0_order(group));
    memcpy(text, secret_bytes(seed), TLS_CA_SEED);
    memcpy(text + TLS_CA_SEED, LABEL, sizeof LABEL);
    bool good = big && d && most && EVP_Digest(text, sizeof text, wide, NULL, EVP_sha512(), NULL) == 1 &&
                BN_bin2bn(wide, sizeof wide, big) && BN_sub_word(most, 1) && BN_mod(d, big, most, context) &&
                BN_add_word(d, 1);
    secret_wipe(wide, sizeof wide);
    secret_wipe(text, sizeof text);
    BN_clear_free(big);
    if (good)
        return d;
    BN_clear_free(d);
    return NULL;
}

static int key_from(const struct secret *seed, EVP_PKEY **ret)
{
    uint8_t point[POINT];
    CLEANUP(BN_CTX_free) BN_CTX *context = BN_CTX_secure_new();
    CLEANUP(EC_GROUP_free) EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    CLEANUP(EC_POINT_free) EC_POINT *at = group ? EC_POINT_new(group) : NULL;
    CLEANUP(BN_clear_free) BIGNUM *d = at && context ? scalar_of(seed, group, context) : NULL;
    CLEANUP(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!d || !build || !maker || !EC_POINT_mul(group, at, d, NULL, NULL, context) ||
        EC_POINT_point2oct(group, at, POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, context) !=
            sizeof point ||
        !OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ||
        !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d))
        return -EIO;
    CLEANUP(OSSL_PARAM_free) OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = NULL;
    if (!parameters || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
        return -EIO;
    *ret = key;
    return 0;
}

/* ---- certificates ---- */

static bool put_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, kind, value);
    bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool put_name(X509_NAME *name, const char *text)
{
    return name &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"Gatehouse", -1, -1,
                                      0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1;
}

static bool put_time(ASN1_TIME *to, uint64_t unix_s)
{
    char text[32];
    struct tm parts;
    time_t when = (time_t)unix_s;
    return gmtime_r(&when, &parts) && strftime(text, sizeof text, "%Y%m%d%H%M%SZ", &parts) > 0 &&
           ASN1_TIME_set_string_X509(to, text) == 1;
}

/* Two CAs of one client's are told apart by it: the first bytes of what the key hashes to. */
static bool name_ca(const EVP_PKEY *key, X509 *certificate)
{
    uint8_t *der = NULL, digest[EVP_MAX_MD_SIZE];
    char text[64];
    int n = i2d_PUBKEY(key, &der);
    bool good = n > 0 && EVP_Digest(der, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    if (!good)
        return false;
    (void)snprintf(text, sizeof text, "TLS CA %02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    return put_name(X509_get_subject_name(certificate), text) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1;
}

static int certify_self(struct tls_ca *ca)
{
    X509 *c = ca->certificate = X509_new();
    bool good =
        c && X509_set_version(c, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(c), 1) &&
        name_ca(ca->key, c) && ASN1_TIME_set_string_X509(X509_getm_notBefore(c), "20200101000000Z") &&
        ASN1_TIME_set_string_X509(X509_getm_notAfter(c), "20491231235959Z") && X509_set_pubkey(c, ca->key) &&
        put_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        put_extension(c, c, NID_key_usage, "critical,keyCertSign") &&
        put_extension(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, ca->key, EVP_sha256()) > 0;
    return good ? 0 : -EIO;
}

int tls_ca_new(const struct secret *seed, struct tls_ca **ret)
{
    if (secret_size(seed) != TLS_CA_SEED)
        return -EINVAL;
    CLEANUP(tls_ca_free) struct tls_ca *ca = calloc(1, sizeof *ca);
    if (!ca)
        return -ENOMEM;
    int r = key_from(seed, &ca->key);
    if (r == 0)
        r = certify_self(ca);
    if (r)
        return r;
    *ret = STEAL(ca);
    return 0;
}

/* ---- text ---- */

static int put_pem(X509 *certificate, struct buffer *out)
{
    CLEANUP(BIO_free_all) BIO *text = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    if (!text || PEM_write_bio_X509(text, certificate) != 1)
        return -EIO;
    long n = BIO_get_mem_data(text, &bytes);
    return buffer_append(out, bytes, (size_t)n);
}

static int take_key(EVP_PKEY *key, struct secret **ret)
{
    CLEANUP(BIO_free_all) BIO *text = BIO_new(BIO_s_secmem());
    char *bytes = NULL;
    if (!text || PEM_write_bio_PrivateKey(text, key, NULL, NULL, 0, NULL, NULL) != 1)
        return -EIO;
    long n = BIO_get_mem_data(text, &bytes);
    return n > 0 && n <= TLS_TEXT_MAX ? secret_take(bytes, (size_t)n, ret) : -EIO;
}

int tls_ca_certificate(const struct tls_ca *ca, struct buffer *out)
{
    return put_pem(ca->certificate, out);
}

/* It goes into the text of an extension, where commas and more mean something. */
static bool is_dns_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && strspn(name, allowed) == n;
}

int tls_ca_issue(const struct tls_ca *ca, const char *name, uint64_t now_s, struct buffer *certificate,
                 struct secret **ret_key)
{
    char names[NAME_MAX_BYTES + 64];
    uint64_t serial = 0;
    if (!is_dns_name(name))
        return -EINVAL;
    (void)snprintf(names, sizeof names, "DNS:localhost,DNS:%s,IP:127.0.0.1,IP:::1", name);
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen(CURVE);
    CLEANUP(X509_free) X509 *c = X509_new();
    bool good = key && c && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1 &&
                X509_set_version(c, X509_VERSION_3) &&
                ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), serial >> 1 | 1) &&
                put_name(X509_get_subject_name(c), name) &&
                X509_set_issuer_name(c, X509_get_subject_name(ca->certificate)) &&
                put_time(X509_getm_notBefore(c), now_s - TLS_CERTIFICATE_BEFORE_S) &&
                put_time(X509_getm_notAfter(c), now_s + TLS_CERTIFICATE_S) && X509_set_pubkey(c, key) &&
                put_extension(c, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
                put_extension(c, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
                put_extension(c, ca->certificate, NID_ext_key_usage, "serverAuth") &&
                put_extension(c, ca->certificate, NID_subject_key_identifier, "hash") &&
                put_extension(c, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
                put_extension(c, ca->certificate, NID_subject_alt_name, names) &&
                X509_sign(c, ca->key, EVP_sha256()) > 0;
    CLEANUP(secret_free) struct secret *text = NULL;
    int r = good ? take_key(key, &text) : -EIO;
    if (r == 0)
        r = put_pem(c, certificate);
    if (r == 0)
        *ret_key = STEAL(text);
    return r;
}

int tls_ca_start(void)
{
    CLEANUP(secret_free) struct secret *seed = NULL, *key = NULL;
    CLEANUP(tls_ca_free) struct tls_ca *ca = NULL;
    struct buffer text;
    buffer_init(&text, TLS_TEXT_MAX);
    int r = secret_new(TLS_CA_SEED, &seed);
    r = r ? r : tls_ca_new(seed, &ca);
    r = r ? r : tls_ca_issue(ca, "start", TLS_CERTIFICATE_S, &text, &key);
    buffer_free(&text);
    return r;
}
