/* A security key made of software, for ssh-keygen -w and ssh's SecurityKeyProvider: OpenSSH PROTOCOL.u2f,
 * sk-api.h. The key handle is the private key itself. For tests; built by them. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { API_VERSION = 0x000a0000, ECDSA = 0, ED25519 = 1, FAILED = -1, UNSUPPORTED = -2, TOUCHED = 1 };

struct sk_option;
struct sk_resident_key;
struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};
struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
              uint8_t flags, const char *pin, struct sk_option **options, struct sk_enroll_response **ret);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **ret);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***rks,
                          size_t *n);

uint32_t sk_api_version(void)
{
    return API_VERSION;
}

static int enroll_ed25519(struct sk_enroll_response *r)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    r->public_key_len = r->key_handle_len = 32;
    r->public_key = malloc(32);
    r->key_handle = malloc(32);
    int ok = key && EVP_PKEY_get_raw_public_key(key, r->public_key, &r->public_key_len) &&
             EVP_PKEY_get_raw_private_key(key, r->key_handle, &r->key_handle_len);
    EVP_PKEY_free(key);
    return ok ? 0 : FAILED;
}

static int enroll_ecdsa(struct sk_enroll_response *r)
{
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    if (!key || !EC_KEY_generate_key(key))
        return FAILED;
    r->public_key_len = EC_KEY_key2buf(key, POINT_CONVERSION_UNCOMPRESSED, &r->public_key, NULL);
    r->key_handle_len = EC_KEY_priv2buf(key, &r->key_handle);
    EC_KEY_free(key);
    return r->public_key_len && r->key_handle_len ? 0 : FAILED;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application,
              uint8_t flags, const char *pin, struct sk_option **options, struct sk_enroll_response **ret)
{
    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    struct sk_enroll_response *r = calloc(1, sizeof *r);
    if (!r)
        return FAILED;
    r->flags = flags;
    r->signature = calloc(1, 1); /* of the attestation, which nobody checks */
    r->signature_len = 1;
    *ret = r;
    return alg == ED25519 ? enroll_ed25519(r) : alg == ECDSA ? enroll_ecdsa(r) : UNSUPPORTED;
}

static int sign_ed25519(const uint8_t *handle, size_t n, const uint8_t *signed_, size_t size,
                        struct sk_sign_response *r)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, n);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    r->sig_r_len = 64;
    r->sig_r = malloc(64);
    int ok = key && EVP_DigestSignInit(context, NULL, NULL, NULL, key) &&
             EVP_DigestSign(context, r->sig_r, &r->sig_r_len, signed_, size);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return ok ? 0 : FAILED;
}

static int put_number(const BIGNUM *number, uint8_t **ret, size_t *ret_n)
{
    *ret_n = (size_t)BN_num_bytes(number);
    *ret = malloc(*ret_n);
    return BN_bn2bin(number, *ret) > 0 ? 0 : FAILED;
}

static int sign_ecdsa(const uint8_t *handle, size_t n, const uint8_t *signed_, size_t size,
                      struct sk_sign_response *r)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    EC_KEY *key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    (void)SHA256(signed_, size, digest);
    ECDSA_SIG *signature =
        key && EC_KEY_oct2priv(key, handle, n) ? ECDSA_do_sign(digest, sizeof digest, key) : NULL;
    int result = signature && put_number(ECDSA_SIG_get0_r(signature), &r->sig_r, &r->sig_r_len) == 0 &&
                         put_number(ECDSA_SIG_get0_s(signature), &r->sig_s, &r->sig_s_len) == 0
                     ? 0
                     : FAILED;
    ECDSA_SIG_free(signature);
    EC_KEY_free(key);
    return result;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
            struct sk_option **options, struct sk_sign_response **ret)
{
    enum { HASH = SHA256_DIGEST_LENGTH, SIGNED = 2 * HASH + 5 };
    uint8_t signed_[SIGNED] = { 0 };
    (void)pin, (void)options;
    struct sk_sign_response *r = calloc(1, sizeof *r);
    if (!r)
        return FAILED;
    r->flags = flags & TOUCHED; /* somebody is always there, and touches it when it asks */
    r->counter = 7;
    (void)SHA256((const uint8_t *)application, strlen(application), signed_);
    signed_[HASH] = r->flags;
    signed_[HASH + 4] = (uint8_t)r->counter;
    (void)SHA256(data, data_len, signed_ + HASH + 5);
    *ret = r;
    return alg == ED25519 ? sign_ed25519(key_handle, key_handle_len, signed_, sizeof signed_, r)
           : alg == ECDSA ? sign_ecdsa(key_handle, key_handle_len, signed_, sizeof signed_, r)
                          : UNSUPPORTED;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***rks,
                          size_t *n)
{
    (void)pin, (void)options, (void)rks, (void)n;
    return UNSUPPORTED;
}
