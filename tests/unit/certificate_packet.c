/* OpenPubkey certificates: told from those of unknown CAs, and checked as far as that goes without an issuer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

#define VALIDITY "0x65000000:0x67000000"
#define NOW      UINT64_C(0x66000000)
#define LATER    UINT64_C(0x68000000)
#define SOURCE   "192.0.2.7"
#define PACKET   "eyJhbGciOiJSUzI1NiJ9.e30.c2ln:e30:c2ln"

static char directory[KEYGEN_PATH];

static int make_keys(void **state)
{
    (void)state;
    keygen_directory(directory);
    keygen_key(directory, "user", "ecdsa", "256");
    keygen_key(directory, "other", "ed25519", NULL);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    keygen_remove(directory);
    return 0;
}

#define OPTIONS(...) ((const char *const[]){ "-I", "anna", "-n", "agent", "-V", VALIDITY, __VA_ARGS__, NULL })

/* user.pub, certified by ca: as opkssh makes it when the CA is the user's own key. */
static struct certificate *certified(const char *ca, const char *const *options)
{
    struct certificate *certificate = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = keygen_certify(directory, "user", ca, options, &n);

    assert_int_equal(certificate_parse(blob, n, &certificate, NULL), 0);
    return certificate;
}

/* A login where user_ca, a public key file, is the user CA. */
static int admit(const struct certificate *certificate, const char *user_ca, struct detail *detail)
{
    Ipc__Ca ca = IPC__CA__INIT;
    Ipc__Role agent = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Identity *identity = NULL;
    int r;

    ca.blob.data = keygen_blob(directory, user_ca, &ca.blob.len);
    agent.name = (char *)"agent";
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = 1;
    r = certificate_admit(certificate, &config, NULL, NOW, SOURCE, &identity, detail);
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
    free(ca.blob.data);
    return r;
}

static void a_packet_is_seen_and_handed_out(void **state)
{
    CLEANUP(certificate_free)
    struct certificate *certificate = certified("user", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET));
    const uint8_t *packet = NULL;
    struct detail detail;
    size_t n = 0;

    (void)state;
    assert_true(certificate_is_packet(certificate));
    assert_true(certificate_packet(certificate, &packet, &n));
    assert_int_equal(n, strlen(PACKET));
    assert_memory_equal(packet, PACKET, n);
    assert_int_equal(certificate_check_packet(certificate, NULL, NOW, SOURCE, NULL), 0);
    assert_int_equal(admit(certificate, "other.pub", &detail), CERTIFICATE_TO_EXCHANGE);
    assert_string_equal(detail.text, "your certificate is of OpenPubkey, which is not accepted here");
}

static void without_a_packet_one_who_signs_for_himself_is_an_unknown_ca(void **state)
{
    CLEANUP(certificate_free) struct certificate *certificate = certified("user", OPTIONS("-z", "1"));
    const uint8_t *packet = NULL;
    size_t n;

    (void)state;
    assert_false(certificate_is_packet(certificate));
    assert_false(certificate_packet(certificate, &packet, &n));
    assert_null(packet);
    assert_int_equal(admit(certificate, "other.pub", NULL), CERTIFICATE_UNKNOWN_CA);
}

/* Such as a CA that copies extensions: it vouches for the certificate itself. */
static void a_packet_under_a_ca_is_an_extension_like_others(void **state)
{
    CLEANUP(certificate_free)
    struct certificate *certificate = certified("other", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET));

    (void)state;
    assert_false(certificate_is_packet(certificate));
    assert_int_equal(admit(certificate, "other.pub", NULL), 0);
    assert_int_equal(admit(certificate, "user.pub", NULL), CERTIFICATE_UNKNOWN_CA);
}

/* The user CA's own key, certified by itself: the CA is known, so nothing is exchanged. */
static void a_known_ca_needs_no_exchange(void **state)
{
    CLEANUP(certificate_free)
    struct certificate *certificate = certified("user", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET));

    (void)state;
    assert_int_equal(admit(certificate, "user.pub", NULL), 0);
}

static void what_holds_for_all_certificates_holds_for_packets(void **state)
{
    static const char lines[] = "id:anna\n";
    Ipc__RevocationList revoked = IPC__REVOCATION_LIST__INIT;
    CLEANUP(certificate_free)
    struct certificate *plain = certified("user", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET));
    CLEANUP(certificate_free)
    struct certificate *bound = certified(
        "user", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET, "-O", "source-address=198.51.100.0/24"));
    CLEANUP(certificate_free)
    struct certificate *host = certified("user", OPTIONS("-h", "-O", "extension:openpubkey-pkt=" PACKET));

    (void)state;
    assert_int_equal(revocation_read((const uint8_t *)lines, sizeof(lines) - 1, &revoked, NULL), 0);
    assert_int_equal(revocation_seal(&revoked), 0);
    assert_int_equal(certificate_check_packet(plain, &revoked, NOW, SOURCE, NULL), CERTIFICATE_REVOKED);
    assert_int_equal(certificate_check_packet(plain, NULL, LATER, SOURCE, NULL), CERTIFICATE_EXPIRED);
    assert_int_equal(certificate_check_packet(bound, NULL, NOW, SOURCE, NULL), CERTIFICATE_WRONG_SOURCE);
    assert_int_equal(certificate_check_packet(host, NULL, NOW, SOURCE, NULL), CERTIFICATE_NOT_USER);
    revocation_free(&revoked);
}

static void a_packet_whose_signature_is_wrong_is_refused_at_every_byte(void **state)
{
    size_t n;
    CLEANUP(free)
    uint8_t *blob =
        keygen_certify(directory, "user", "user", OPTIONS("-O", "extension:openpubkey-pkt=" PACKET), &n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        CLEANUP(certificate_free) struct certificate *certificate = NULL;

        blob[i] ^= 1;
        if (certificate_parse(blob, n, &certificate, NULL) == 0)
            assert_int_not_equal(certificate_check_packet(certificate, NULL, NOW, SOURCE, NULL), 0);
        blob[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_seen_and_handed_out),
        cmocka_unit_test(without_a_packet_one_who_signs_for_himself_is_an_unknown_ca),
        cmocka_unit_test(a_packet_under_a_ca_is_an_extension_like_others),
        cmocka_unit_test(a_known_ca_needs_no_exchange),
        cmocka_unit_test(what_holds_for_all_certificates_holds_for_packets),
        cmocka_unit_test(a_packet_whose_signature_is_wrong_is_refused_at_every_byte),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
