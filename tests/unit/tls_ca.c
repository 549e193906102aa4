/* The CA of TLS on forwarded ports: the same for a seed, and what it signs is what clients verify. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "vault/tls_ca.h"

enum { NOW = 1800000000 };

static struct tls_ca *ca_of(uint8_t byte)
{
    struct secret *seed = NULL;
    struct tls_ca *ca = NULL;
    assert_int_equal(secret_new(TLS_CA_SEED, &seed), 0);
    memset(secret_bytes(seed), byte, TLS_CA_SEED);
    assert_int_equal(tls_ca_new(seed, &ca), 0);
    secret_free(seed);
    return ca;
}

static X509 *read_certificate(struct buffer *text)
{
    BIO *from = BIO_new_mem_buf(buffer_head(text), (int)buffer_size(text));
    X509 *certificate = PEM_read_bio_X509(from, NULL, NULL, NULL);
    assert_non_null(certificate);
    BIO_free(from);
    buffer_free(text);
    return certificate;
}

static X509 *certificate_of(const struct tls_ca *ca)
{
    struct buffer text;
    buffer_init(&text, TLS_TEXT_MAX);
    assert_int_equal(tls_ca_certificate(ca, &text), 0);
    return read_certificate(&text);
}

static X509 *issue(const struct tls_ca *ca, const char *name, EVP_PKEY **ret_key)
{
    struct buffer text;
    struct secret *key = NULL;
    buffer_init(&text, TLS_TEXT_MAX);
    assert_int_equal(tls_ca_issue(ca, name, NOW, &text, &key), 0);
    BIO *from = BIO_new_mem_buf(secret_bytes(key), (int)secret_size(key));
    *ret_key = PEM_read_bio_PrivateKey(from, NULL, NULL, NULL);
    assert_non_null(*ret_key);
    BIO_free(from);
    secret_free(key);
    return read_certificate(&text);
}

/* As a TLS client does, at that time; 0 or OpenSSL's code. */
static int verdict(X509 *root, X509 *certificate, const char *host, const char *address, time_t at)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, root), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_time(how, at);
    (void)X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_X509_STRICT);
    (void)X509_VERIFY_PARAM_set_purpose(how, X509_PURPOSE_SSL_SERVER);
    if (host)
        (void)X509_VERIFY_PARAM_set1_host(how, host, 0);
    if (address)
        (void)X509_VERIFY_PARAM_set1_ip_asc(how, address);
    int good = X509_verify_cert(context), error = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good == 1 ? 0 : error;
}

static void a_certificate_is_good_for_the_clients_own_machine_and_for_hours(void **state)
{
    (void)state;
    struct tls_ca *ca = ca_of(1);
    EVP_PKEY *key = NULL;
    X509 *root = certificate_of(ca), *certificate = issue(ca, "prod", &key);
    assert_int_equal(X509_check_private_key(certificate, key), 1);
    assert_int_equal(verdict(root, certificate, "localhost", NULL, NOW), 0);
    assert_int_equal(verdict(root, certificate, "prod", NULL, NOW), 0);
    assert_int_equal(verdict(root, certificate, NULL, "127.0.0.1", NOW), 0);
    assert_int_equal(verdict(root, certificate, NULL, "::1", NOW), 0);
    assert_int_equal(verdict(root, certificate, "other", NULL, NOW), X509_V_ERR_HOSTNAME_MISMATCH);
    assert_int_equal(verdict(root, certificate, NULL, "127.0.0.2", NOW), X509_V_ERR_IP_ADDRESS_MISMATCH);
    assert_int_equal(verdict(root, certificate, NULL, NULL, NOW + TLS_CERTIFICATE_S + 1),
                     X509_V_ERR_CERT_HAS_EXPIRED);
    assert_int_equal(verdict(root, certificate, NULL, NULL, NOW - TLS_CERTIFICATE_BEFORE_S - 1),
                     X509_V_ERR_CERT_NOT_YET_VALID);
    X509_free(root);
    X509_free(certificate);
    EVP_PKEY_free(key);
    tls_ca_free(ca);
}

static void the_ca_is_the_same_for_the_same_seed_alone(void **state)
{
    (void)state;
    struct tls_ca *ca = ca_of(1), *again = ca_of(1), *other = ca_of(2);
    X509 *one = certificate_of(ca), *two = certificate_of(again), *three = certificate_of(other);
    EVP_PKEY *key = NULL;
    X509 *certificate = issue(ca, "prod", &key);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(two)), 1);
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(two)), 0);
    assert_int_equal(verdict(two, certificate, "prod", NULL, NOW), 0);
    assert_int_not_equal(EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(three)), 1);
    assert_int_not_equal(X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(three)), 0);
    assert_int_not_equal(verdict(three, certificate, "prod", NULL, NOW), 0);
    X509_free(one);
    X509_free(two);
    X509_free(three);
    X509_free(certificate);
    EVP_PKEY_free(key);
    tls_ca_free(ca);
    tls_ca_free(again);
    tls_ca_free(other);
}

static void what_it_signs_signs_nothing(void **state)
{
    (void)state;
    struct tls_ca *ca = ca_of(1);
    EVP_PKEY *key = NULL;
    X509 *certificate = issue(ca, "prod", &key);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_true(X509_get_extension_flags(certificate) & EXFLAG_BCONS);
    X509_free(certificate);
    EVP_PKEY_free(key);
    tls_ca_free(ca);
}

static void names_that_would_mean_more_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "",
                                         "a,DNS:evil",
                                         "a b",
                                         "a\nb",
                                         "*.x",
                                         "0123456789012345678901234567890123456789"
                                         "0123456789012345678901234" };
    struct tls_ca *ca = ca_of(1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buffer text;
        struct secret *key = NULL;
        buffer_init(&text, TLS_TEXT_MAX);
        assert_int_equal(tls_ca_issue(ca, names[i], NOW, &text, &key), -EINVAL);
        assert_null(key);
        buffer_free(&text);
    }
    tls_ca_free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_good_for_the_clients_own_machine_and_for_hours),
        cmocka_unit_test(the_ca_is_the_same_for_the_same_seed_alone),
        cmocka_unit_test(what_it_signs_signs_nothing),
        cmocka_unit_test(names_that_would_mean_more_are_refused),
    };
    return tls_ca_start() ? 1 : cmocka_run_group_tests_name("tls_ca", tests, NULL, NULL);
}
