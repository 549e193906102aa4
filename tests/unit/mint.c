/* Keys that tokens are signed with; what they sign is checked by cjose and libsodium. */
#include "check.h"
#include <cjose/cjose.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/mint.h"

/* RFC 8037, appendix A */
#define RFC_PEM                                                                                              \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"                                     \
    "-----END PRIVATE KEY-----\n"
#define RFC_X          "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define RFC_THUMBPRINT "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

static const char CLAIMS[] = "{\"iss\":\"urn:example:x\",\"sub\":\"agent-7\"}";

/* A new key in PEM form, malloc'ed; curve: of "EC". */
static char *new_pem(const char *type, const char *curve, size_t bits, const EVP_CIPHER *cipher)
{
    EVP_PKEY *pkey = curve  ? EVP_PKEY_Q_keygen(NULL, NULL, type, curve)
                     : bits ? EVP_PKEY_Q_keygen(NULL, NULL, type, bits)
                            : EVP_PKEY_Q_keygen(NULL, NULL, type);
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;

    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, cipher ? "secret" : NULL,
                                                   cipher ? 6 : 0, NULL, NULL),
                     1);
    long n = BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return pem;
}

static struct mint *must_read(const char *pem)
{
    struct mint *key = NULL;
    struct detail detail = { "" };
    int r = mint_new((const uint8_t *)pem, strlen(pem), &key, &detail);

    assert_string_equal(detail.text, "");
    assert_int_equal(r, 0);
    return key;
}

static void assert_refused(const char *pem, const char *why)
{
    struct mint *key = NULL;
    struct detail detail = { "" };

    assert_int_equal(mint_new((const uint8_t *)pem, strlen(pem), &key, &detail), -EINVAL);
    assert_null(key);
    if (!strstr(detail.text, why))
        fail_msg("\"%s\" is not in: %s", why, detail.text);
}

static void the_key_of_rfc_8037_gets_its_jwk_and_its_thumbprint(void **state)
{
    (void)state;
    struct mint *key = must_read(RFC_PEM);

    assert_string_equal(mint_key_id(key), RFC_THUMBPRINT);
    assert_string_equal(mint_jwks(key),
                        "{\"keys\":[{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" RFC_X
                        "\",\"kid\":\"" RFC_THUMBPRINT "\",\"alg\":\"EdDSA\",\"use\":\"sig\"}]}");
    mint_free(key);
}

/* The part between dots, decoded; NUL-terminated, malloc'ed. */
static char *part_of(const char *token, int number, size_t *ret_n)
{
    while (number--)
        token = strchr(token, '.') + 1;
    size_t n = strcspn(token, ".");
    char *out = calloc(1, n + 1);

    assert_non_null(out);
    assert_int_equal(sodium_base642bin((unsigned char *)out, n, token, n, NULL, ret_n, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    return out;
}

static void a_token_of_ed25519_holds_before_libsodium(void **state)
{
    (void)state;
    struct mint *key = must_read(RFC_PEM);
    unsigned char x[crypto_sign_PUBLICKEYBYTES];
    char *token = NULL;
    size_t n = 0, header_n = 0, claims_n = 0;

    assert_int_equal(mint_token(key, CLAIMS, &token), 0);
    char *header = part_of(token, 0, &header_n), *claims = part_of(token, 1, &claims_n),
         *signature = part_of(token, 2, &n);
    assert_string_equal(header, "{\"alg\":\"EdDSA\",\"kid\":\"" RFC_THUMBPRINT "\",\"typ\":\"JWT\"}");
    assert_string_equal(claims, CLAIMS);
    assert_int_equal(n, crypto_sign_BYTES);
    assert_int_equal(sodium_base642bin(x, sizeof x, RFC_X, strlen(RFC_X), NULL, &n, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    size_t signed_n = (size_t)(strrchr(token, '.') - token);
    assert_int_equal(
        crypto_sign_verify_detached((unsigned char *)signature, (unsigned char *)token, signed_n, x), 0);
    token[0] ^= 1;
    assert_int_equal(
        crypto_sign_verify_detached((unsigned char *)signature, (unsigned char *)token, signed_n, x), -1);
    free(header);
    free(claims);
    free(signature);
    free(token);
    mint_free(key);
}

static bool holds_before_cjose(const char *token, const char *jwks)
{
    cjose_err error;
    json_t *set = json_loads(jwks, 0, NULL);
    char *text = json_dumps(json_array_get(json_object_get(set, "keys"), 0), 0);
    cjose_jwk_t *jwk = cjose_jwk_import(text, strlen(text), &error);
    cjose_jws_t *jws = cjose_jws_import(token, strlen(token), &error);

    assert_non_null(jwk);
    assert_non_null(jws);
    bool holds = cjose_jws_verify(jws, jwk, &error);
    cjose_jws_release(jws);
    cjose_jwk_release(jwk);
    free(text);
    json_decref(set);
    return holds;
}

static void check_with_cjose(const char *type, const char *curve, size_t bits, const char *algorithm)
{
    char *pem = new_pem(type, curve, bits, NULL), *other_pem = new_pem(type, curve, bits, NULL), wanted[64];
    struct mint *key = must_read(pem), *other = must_read(other_pem);
    char *token = NULL;
    size_t n = 0;

    assert_int_equal(mint_token(key, CLAIMS, &token), 0);
    char *header = part_of(token, 0, &n);
    snprintf(wanted, sizeof wanted, "\"alg\":\"%s\"", algorithm);
    assert_non_null(strstr(header, wanted));
    assert_non_null(strstr(mint_jwks(key), wanted));
    assert_true(holds_before_cjose(token, mint_jwks(key)));
    assert_false(holds_before_cjose(token, mint_jwks(other)));
    assert_string_not_equal(mint_key_id(key), mint_key_id(other));
    free(header);
    free(token);
    free(pem);
    free(other_pem);
    mint_free(key);
    mint_free(other);
}

static void a_token_of_each_curve_holds_before_cjose(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) /* numbers with leading zeroes come up now and then */
        check_with_cjose("EC", "P-256", 0, "ES256");
    check_with_cjose("EC", "P-384", 0, "ES384");
    check_with_cjose("EC", "P-521", 0, "ES512");
}

static void a_token_of_rsa_holds_before_cjose(void **state)
{
    (void)state;
    check_with_cjose("RSA", NULL, 2048, "RS256");
}

static void weak_and_foreign_keys_are_refused(void **state)
{
    (void)state;
    char *weak = new_pem("RSA", NULL, 1024, NULL), *curve = new_pem("EC", "secp256k1", 0, NULL),
         *ed448 = new_pem("ED448", NULL, 0, NULL);

    assert_refused(weak, "an RSA key of 1024 bits: it must have 2048 to 16384");
    assert_refused(curve, "the curve secp256k1 is not P-256, P-384 or P-521");
    assert_refused(ed448, "the key is not of Ed25519, EC or RSA");
    free(weak);
    free(curve);
    free(ed448);
}

static void an_encrypted_key_is_refused_without_a_question(void **state)
{
    (void)state;
    char *pem = new_pem("ED25519", NULL, 0, EVP_aes_256_cbc());

    assert_refused(pem, "without a passphrase");
    free(pem);
}

static void what_is_no_private_key_is_refused(void **state)
{
    (void)state;
    assert_refused("", "no private key in PEM form");
    assert_refused("-----BEGIN PUBLIC KEY-----\nMAAA\n-----END PUBLIC KEY-----\n",
                   "no private key in PEM form");
    assert_refused("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
                   "no private key in PEM form");
    assert_refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1h\n-----END PRIVATE KEY-----\n",
                   "no private key in PEM form");
}

static void claims_beyond_the_limit_are_not_signed(void **state)
{
    (void)state;
    struct mint *key = must_read(RFC_PEM);
    char *token = NULL, *claims = calloc(1, 64 * 1024 + 2);

    assert_non_null(claims);
    memset(claims, ' ', 64 * 1024);
    assert_int_equal(mint_token(key, claims, &token), 0);
    free(token);
    token = NULL;
    claims[64 * 1024] = ' ';
    assert_int_equal(mint_token(key, claims, &token), -EMSGSIZE);
    assert_null(token);
    free(claims);
    mint_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_rfc_8037_gets_its_jwk_and_its_thumbprint),
        cmocka_unit_test(a_token_of_ed25519_holds_before_libsodium),
        cmocka_unit_test(a_token_of_each_curve_holds_before_cjose),
        cmocka_unit_test(a_token_of_rsa_holds_before_cjose),
        cmocka_unit_test(weak_and_foreign_keys_are_refused),
        cmocka_unit_test(an_encrypted_key_is_refused_without_a_question),
        cmocka_unit_test(what_is_no_private_key_is_refused),
        cmocka_unit_test(claims_beyond_the_limit_are_not_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
