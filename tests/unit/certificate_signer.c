/* Private keys of CAs: those that ssh-keygen and OpenSSL write sign, and all others are refused with a
 * reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "certificate_craft.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/certificate_signer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char directory[KEYGEN_PATH];

static const char *const key_pairs[][3] = {
    { "ed25519", "ed25519", NULL }, { "ecdsa256", "ecdsa", "256" }, { "ecdsa384", "ecdsa", "384" },
    { "ecdsa521", "ecdsa", "521" }, { "rsa2048", "rsa", "2048" },   { "rsa1024", "rsa", "1024" },
};
enum { GOOD_PAIRS = 5 };

static int make_keys(void **state)
{
    (void)state;
    keygen_directory(directory);
    for (size_t i = 0; i < COUNT(key_pairs); i++)
        keygen_key(directory, key_pairs[i][0], key_pairs[i][1], key_pairs[i][2]);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    keygen_remove(directory);
    return 0;
}

/* Whether what it signs holds for the CA whose public key this is. */
static bool signs_for(const struct certificate_signer *signer, uint8_t *ca_key, size_t ca_n)
{
    const struct craft craft = { .ca = { ca_key, ca_n } };
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    Ipc__Ca ca = IPC__CA__INIT;
    Ipc__Role agent = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Identity *identity = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = craft_make(&craft, signer, &n);

    ca.blob.data = ca_key;
    ca.blob.len = ca_n;
    agent.name = (char *)"agent";
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = 1;
    assert_int_equal(certificate_parse(blob, n, &certificate, NULL), 0);
    if (certificate_admit(certificate, &config, NULL, 1, "192.0.2.7", &identity, NULL) != 0)
        return false;
    ipc__identity__free_unpacked(identity, NULL);
    return true;
}

static bool file_signs_for(const char *file, const char *public)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    struct detail detail = { "" };
    size_t n, ca_n;
    CLEANUP(free) char *text = keygen_read(directory, file, &n);
    CLEANUP(free) uint8_t *ca = keygen_blob(directory, public, &ca_n);

    if (certificate_signer_new((uint8_t *)text, n, &signer, &detail) != 0)
        fail_msg("%s: %s", file, detail.text);
    return signs_for(signer, ca, ca_n);
}

static void keys_in_opensshs_own_form_sign_for_themselves_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_PAIRS; i++)
        for (size_t k = 0; k < GOOD_PAIRS; k++) {
            char public[80];

            snprintf(public, sizeof(public), "%s.pub", key_pairs[k][0]);
            assert_int_equal(file_signs_for(key_pairs[i][0], public), i == k);
        }
}

static void pem_keys_of_every_type_sign_too(void **state)
{
    static const char *const forms[] = { "PEM", "PKCS8" };

    (void)state;
    for (size_t k = 1; k < GOOD_PAIRS; k++) /* ssh-keygen writes no Ed25519 in these */
        for (size_t f = 0; f < COUNT(forms); f++) {
            char name[80], public[96];
            const char *const argv[] = {
                "ssh-keygen", "-q",     "-N", "",   "-t", key_pairs[k][1], "-b", key_pairs[k][2],
                "-m",         forms[f], "-f", name, NULL
            };

            snprintf(name, sizeof(name), "%s-%s", key_pairs[k][0], forms[f]);
            snprintf(public, sizeof(public), "%s.pub", name);
            keygen_run(directory, argv);
            assert_true(file_signs_for(name, public));
        }
}

/* A key of OpenSSL's in PEM, as text. */
static BIO *pem_of(EVP_PKEY *pkey, const uint8_t **ret, size_t *ret_n)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;

    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    *ret_n = (size_t)BIO_get_mem_data(bio, &text);
    *ret = (uint8_t *)text;
    return bio;
}

static const char *refusal_of(const void *bytes, size_t n)
{
    static struct detail detail;
    struct certificate_signer *signer = NULL;

    detail_set(&detail, "none");
    if (certificate_signer_new(bytes, n, &signer, &detail) == 0)
        certificate_signer_free(signer);
    else
        assert_null(signer);
    return detail.text;
}

static const char *refusal_of_file(const char *name)
{
    size_t n;
    CLEANUP(free) char *file = keygen_read(directory, name, &n);

    return refusal_of(file, n);
}

static void a_pem_ed25519_key_signs_too(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    const uint8_t *text;
    uint8_t key[51] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
    size_t n, raw = 32;
    BIO *bio = pem_of(pkey, &text, &n);

    (void)state;
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, key + 19, &raw), 1);
    assert_int_equal(certificate_signer_new(text, n, &signer, NULL), 0);
    assert_true(signs_for(signer, key, sizeof(key)));
    key[50] ^= 1;
    assert_false(signs_for(signer, key, sizeof(key)));
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void pem_keys_of_other_types_are_refused(void **state)
{
    static const char message[] = "the private key is not of a type that may sign certificates: "
                                  "Ed25519, ECDSA (P-256, P-384, P-521) or RSA";
    EVP_PKEY *const others[] = { EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
                                 EVP_PKEY_Q_keygen(NULL, NULL, "ED448"),
                                 EVP_PKEY_Q_keygen(NULL, NULL, "EC", "secp256k1") };

    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        const uint8_t *text;
        size_t n;
        BIO *bio = pem_of(others[i], &text, &n);

        assert_string_equal(refusal_of(text, n), message);
        BIO_free(bio);
        EVP_PKEY_free(others[i]);
    }
}

static void keys_that_cannot_sign_are_told_apart(void **state)
{
    static const char passphrase[] = "the private key has a passphrase, which nobody could enter";
    static const char *const locked[][3] = { { "ed25519", "RFC4716", "locked" },
                                             { "rsa", "PEM", "locked-pem" },
                                             { "ecdsa", "PKCS8", "locked-pkcs8" } };
    /* One whose type is ssh-dss; ssh-keygen no longer makes those. */
    static const char dsa[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
                              "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAACwAAAAdzc2gtZHNzAAAAEw"
                              "AAAAEAAAABAAAAB3NzaC1kc3M=\n"
                              "-----END OPENSSH PRIVATE KEY-----\n";

    (void)state;
    for (size_t i = 0; i < COUNT(locked); i++) {
        const char *const argv[] = { "ssh-keygen", "-q",         "-N", "secret",     "-t", locked[i][0],
                                     "-m",         locked[i][1], "-f", locked[i][2], NULL };

        keygen_run(directory, argv);
        assert_string_equal(refusal_of_file(locked[i][2]), passphrase);
    }
    assert_string_equal(refusal_of_file("ed25519.pub"),
                        "this is not a private key in OpenSSH's or in PEM form");
    assert_string_equal(refusal_of(dsa, strlen(dsa)),
                        "the private key is not of a type that may sign certificates");
    assert_string_equal(refusal_of_file("rsa1024"),
                        "an RSA key of 1024 bits is not accepted: 2048 to 16384 are");
    assert_string_equal(refusal_of("", 0), "a private key has 1 to 65536 bytes, this has 0");
    assert_string_equal(refusal_of("x", 65537), "a private key has 1 to 65536 bytes, this has 65537");
    assert_string_equal(refusal_of_file("ed25519"), "none");
}

/* Each character of the file changed: it is refused, or it was one that says nothing about the key. */
static void a_damaged_private_key_never_signs_for_another_one(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        char public[80];
        size_t n, ca_n, refused = 0;
        CLEANUP(free) char *file = keygen_read(directory, key_pairs[k][0], &n);
        CLEANUP(free) uint8_t *ca = NULL;

        snprintf(public, sizeof(public), "%s.pub", key_pairs[k][0]);
        ca = keygen_blob(directory, public, &ca_n);
        for (size_t i = 0; i < n; i++) {
            CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
            char was = file[i];

            file[i] = was == 'A' ? 'B' : 'A';
            if (certificate_signer_new((uint8_t *)file, n, &signer, NULL) != 0)
                refused++;
            else
                assert_true(signs_for(signer, ca, ca_n));
            file[i] = was;
        }
        assert_true(refused > n * 3 / 4); /* not in: the comment */
    }
}

static void a_truncated_private_key_is_refused_at_every_length(void **state)
{
    size_t n;
    CLEANUP(free) char *file = keygen_read(directory, "ecdsa256", &n);

    (void)state;
    for (size_t i = 0; i < n - 1; i++) { /* the last line may do without its newline */
        CLEANUP(free) char *part = malloc(i + 1);

        assert_non_null(part);
        memcpy(part, file, i);
        assert_string_not_equal(refusal_of(part, i), "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_in_opensshs_own_form_sign_for_themselves_alone),
        cmocka_unit_test(pem_keys_of_every_type_sign_too),
        cmocka_unit_test(a_pem_ed25519_key_signs_too),
        cmocka_unit_test(pem_keys_of_other_types_are_refused),
        cmocka_unit_test(keys_that_cannot_sign_are_told_apart),
        cmocka_unit_test(a_damaged_private_key_never_signs_for_another_one),
        cmocka_unit_test(a_truncated_private_key_is_refused_at_every_length),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
