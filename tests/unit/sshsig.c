/* policy/sshsig: what ssh-keygen -Y sign makes is believed for one message, one purpose and one key. */
#include "policy/sshsig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"

static const char name_space[] = "approval@gatehouse", message[] = "some text\n";

static const struct {
    const char *type, *bits;
} kinds[] = {
    { "ed25519", NULL }, { "ecdsa", "256" },     { "ecdsa", "384" },   { "ecdsa", "521" },
    { "rsa", "2048" },   { "ed25519-sk", NULL }, { "ecdsa-sk", NULL },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* One of each kind: key, certificate, and a signature by the plain key and by the certificate. */
static struct {
    char directory[KEYGEN_PATH];
    struct certificate *certificates[KINDS];
    char *armoured[KINDS][2];
    uint8_t *blobs[KINDS][2];
    size_t sizes[KINDS][2];
} bench;

static void keep(const char *file, size_t kind, size_t form)
{
    size_t n;
    char signature[64];
    (void)snprintf(signature, sizeof signature, "message.%s.sig", file);
    bench.armoured[kind][form] = keygen_read(bench.directory, signature, &n);
    assert_int_equal(
        sshsig_from_armour(bench.armoured[kind][form], n, &bench.blobs[kind][form], &bench.sizes[kind][form]),
        0);
}

static void sign(const char *key, const char *file, const char *purpose, const char *hash)
{
    char copy[64];
    (void)snprintf(copy, sizeof copy, "message.%s", file);
    const char *const copying[] = { "cp", "message", copy, NULL };
    const char *const signing[] = { "ssh-keygen", "-q", "-Y", "sign", "-n", purpose,
                                    "-O",         hash, "-f", key,    copy, NULL };
    keygen_run(bench.directory, copying);
    keygen_run(bench.directory, signing);
}

static void put_message(void)
{
    char path[KEYGEN_PATH + 16];
    (void)snprintf(path, sizeof path, "%s/message", bench.directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs(message, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
}

static int make_all(void **state)
{
    (void)state;
    static const char *const options[] = { "-I", "olga", "-n", "dba", NULL };
    assert_int_equal(setenv("SSH_SK_PROVIDER", SK_DUMMY, 1), 0);
    keygen_directory(bench.directory);
    put_message();
    keygen_key(bench.directory, "ca", "ed25519", NULL);
    for (size_t i = 0; i < KINDS; i++) {
        char key[16], certificate[32];
        size_t n;
        (void)snprintf(key, sizeof key, "key%zu", i);
        (void)snprintf(certificate, sizeof certificate, "key%zu-cert.pub", i);
        keygen_key(bench.directory, key, kinds[i].type, kinds[i].bits);
        uint8_t *blob = keygen_certify(bench.directory, key, "ca", options, &n);
        assert_int_equal(certificate_parse(blob, n, &bench.certificates[i], NULL), 0);
        free(blob);
        sign(key, key, name_space, "hashalg=sha512");
        keep(key, i, 0);
        sign(certificate, certificate, name_space, "hashalg=sha512");
        keep(certificate, i, 1);
    }
    return 0;
}

static int forget_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        certificate_free(bench.certificates[i]);
        for (size_t k = 0; k < 2; k++) {
            free(bench.armoured[i][k]);
            free(bench.blobs[i][k]);
        }
    }
    keygen_remove(bench.directory);
    return 0;
}

static int verify(const uint8_t *blob, size_t n, size_t kind)
{
    struct detail detail = { "" };
    int fault =
        sshsig_verify(blob, n, name_space, message, strlen(message), bench.certificates[kind], &detail);
    assert_true((fault > 0) == (detail.text[0] != 0));
    return fault;
}

static void every_kind_of_key_signs(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(verify(bench.blobs[i][k], bench.sizes[i][k], i), 0);
}

static void a_shorter_hash_is_as_good(void **state)
{
    (void)state;
    uint8_t *blob = NULL;
    size_t n, size;
    sign("key0", "short", name_space, "hashalg=sha256");
    char *text = keygen_read(bench.directory, "message.short.sig", &n);
    assert_int_equal(sshsig_from_armour(text, n, &blob, &size), 0);
    assert_int_equal(verify(blob, size, 0), 0);
    free(blob);
    free(text);
}

static void every_byte_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        uint8_t *blob = bench.blobs[i][0];
        for (size_t at = 0; at < bench.sizes[i][0]; at++) {
            blob[at] ^= 0x01;
            assert_int_not_equal(verify(blob, bench.sizes[i][0], i), 0);
            blob[at] ^= 0x01;
        }
        for (size_t n = 0; n < bench.sizes[i][0]; n += 7)
            assert_int_not_equal(verify(blob, n, i), 0);
    }
}

static void it_is_for_one_message_one_purpose_and_one_key(void **state)
{
    (void)state;
    struct detail detail;
    const uint8_t *blob = bench.blobs[0][0];
    size_t n = bench.sizes[0][0];
    assert_int_equal(
        sshsig_verify(blob, n, name_space, message, strlen(message) - 1, bench.certificates[0], &detail),
        SSHSIG_WRONG);
    assert_int_equal(sshsig_verify(blob, n, "file", message, strlen(message), bench.certificates[0], &detail),
                     SSHSIG_OTHER_NAMESPACE);
    assert_string_equal(detail.text, "it is made for another purpose: sign with -n file");
    assert_int_equal(verify(blob, n, 1), SSHSIG_OTHER_KEY);
    assert_int_equal(verify(bench.blobs[0][1], bench.sizes[0][1], 1), SSHSIG_OTHER_KEY);
}

static void a_security_key_has_to_be_touched(void **state)
{
    (void)state;
    static const char *const making[] = { "ssh-keygen",        "-q", "-N",   "",  "-t", "ed25519-sk", "-O",
                                          "no-touch-required", "-f", "lazy", NULL };
    static const char *const options[] = { "-I", "olga", "-n", "dba", NULL };
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct detail detail = { "" };
    size_t n, size;
    uint8_t *blob;
    keygen_run(bench.directory, making);
    uint8_t *certified = keygen_certify(bench.directory, "lazy", "ca", options, &n);
    assert_int_equal(certificate_parse(certified, n, &certificate, NULL), 0);
    sign("lazy", "lazy", name_space, "hashalg=sha512");
    char *text = keygen_read(bench.directory, "message.lazy.sig", &n);
    assert_int_equal(sshsig_from_armour(text, n, &blob, &size), 0);
    assert_int_equal(sshsig_verify(blob, size, name_space, message, strlen(message), certificate, &detail),
                     SSHSIG_UNTOUCHED);
    blob[size - 5] = 1; /* the flags, which are signed too */
    assert_int_equal(sshsig_verify(blob, size, name_space, message, strlen(message), certificate, &detail),
                     SSHSIG_WRONG);
    free(blob);
    free(text);
    free(certified);
}

static void nothing_stands_behind_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        size_t n = bench.sizes[i][0];
        uint8_t *longer = malloc(n + 1);
        memcpy(longer, bench.blobs[i][0], n);
        longer[n] = 0;
        assert_int_equal(verify(longer, n + 1, i), SSHSIG_MALFORMED);
        free(longer);
    }
}

static void what_is_none_is_malformed(void **state)
{
    (void)state;
    uint8_t large[SSHSIG_MAX + 1];
    memset(large, 0, sizeof large);
    assert_int_equal(verify(large, 0, 0), SSHSIG_MALFORMED);
    assert_int_equal(verify(large, sizeof large, 0), SSHSIG_MALFORMED);
    assert_int_equal(verify((const uint8_t *)"SSHSIG", 6, 0), SSHSIG_MALFORMED);
}

/* ---- armour ---- */

static int unarmour(const char *text)
{
    uint8_t *blob = NULL;
    size_t n = 0;
    int r = sshsig_from_armour(text, strlen(text), &blob, &n);
    assert_true((r == 0) == (blob != NULL));
    free(blob);
    return r;
}

static void armour_is_as_ssh_keygen_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        char *text = sshsig_armour(bench.blobs[i][1], bench.sizes[i][1]);
        assert_string_equal(text, bench.armoured[i][1]);
        free(text);
    }
    char *most = sshsig_armour(message, SSHSIG_MAX + 1);
    assert_null(most);
}

static void line_ends_do_not_matter(void **state)
{
    (void)state;
    assert_int_equal(unarmour("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"), 0);
    assert_int_equal(unarmour("-----BEGIN SSH SIGNATURE-----\r\nAA\r\nAA\r\n-----END SSH SIGNATURE-----"), 0);
    assert_int_equal(unarmour("\n -----BEGIN SSH SIGNATURE----- AAAA -----END SSH SIGNATURE-----\n\n"), 0);
}

static void other_armour_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "AAAA",
        "-----BEGIN SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE----------END SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\nAAA\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\nAA*A\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\nAAAA-----END SSH SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----AAAA\n-----END SSH SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\nx",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(unarmour(bad[i]), -EBADMSG);
    char *large = malloc(SSHSIG_ARMOUR_MAX + 1);
    memset(large, 'A', SSHSIG_ARMOUR_MAX + 1);
    uint8_t *blob = NULL;
    size_t n;
    assert_int_equal(sshsig_from_armour(large, SSHSIG_ARMOUR_MAX + 1, &blob, &n), -EFBIG);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key_signs),
        cmocka_unit_test(a_shorter_hash_is_as_good),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(it_is_for_one_message_one_purpose_and_one_key),
        cmocka_unit_test(a_security_key_has_to_be_touched),
        cmocka_unit_test(nothing_stands_behind_it),
        cmocka_unit_test(what_is_none_is_malformed),
        cmocka_unit_test(armour_is_as_ssh_keygen_writes_it),
        cmocka_unit_test(line_ends_do_not_matter),
        cmocka_unit_test(other_armour_is_none),
    };
    return cmocka_run_group_tests(tests, make_all, forget_all);
}
