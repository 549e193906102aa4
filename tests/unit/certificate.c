/* Certificates made by the real ssh-keygen: which are admitted, and which are refused for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/certificate.h"
#include "keygen.h"

#define VALID_FROM  UINT64_C(0x65000000)
#define VALID_UNTIL UINT64_C(0x67000000)
#define VALIDITY    "0x65000000:0x67000000"
#define NOW         UINT64_C(0x66000000)
#define SOURCE      "192.0.2.7"

static char directory[KEYGEN_PATH];
static Ipc__Ca user_ca = IPC__CA__INIT, team_ca = IPC__CA__INIT;

static const char *const ca_types[][3] = {
    { "ca-ed25519", "ed25519", NULL },  { "ca-ecdsa256", "ecdsa", "256" },
    { "ca-ecdsa384", "ecdsa", "384" },  { "ca-ecdsa521", "ecdsa", "521" },
    { "ca-rsa2048", "rsa", "2048" },    { "ca-team", "ed25519", NULL },
    { "key-ed25519", "ed25519", NULL }, { "key-ecdsa256", "ecdsa", "256" },
    { "key-ecdsa384", "ecdsa", "384" }, { "key-ecdsa521", "ecdsa", "521" },
    { "key-rsa2048", "rsa", "2048" },   { "key-rsa1024", "rsa", "1024" },
    { "ca-rsa1024", "rsa", "1024" },
};

static const char *const cas[] = { "ca-ed25519", "ca-ecdsa256", "ca-ecdsa384", "ca-ecdsa521", "ca-rsa2048" };
static const char *const keys[] = { "key-ed25519", "key-ecdsa256", "key-ecdsa384", "key-ecdsa521",
                                    "key-rsa2048" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void ca_of(const char *name, Ipc__Ca *ca)
{
    char file[64];

    free(ca->blob.data);
    snprintf(file, sizeof(file), "%s.pub", name);
    ca->blob.data = keygen_blob(directory, file, &ca->blob.len);
}

static int make_keys(void **state)
{
    (void)state;
    keygen_directory(directory);
    for (size_t i = 0; i < COUNT(ca_types); i++)
        keygen_key(directory, ca_types[i][0], ca_types[i][1], ca_types[i][2]);
    ca_of("ca-team", &team_ca);
    team_ca.name = (char *)"team_ca.pub";
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    free(user_ca.blob.data);
    free(team_ca.blob.data);
    keygen_remove(directory);
    return 0;
}

/* Roles: agent and dba of the user CA, ops (may replay) of the team's CA for the principals ops and oncall.
 */
static int admit_from(const struct certificate *certificate, uint64_t now, const char *source,
                      Ipc__Identity **ret, struct detail *detail)
{
    char *principals[] = { (char *)"ops", (char *)"oncall" }, *may[] = { (char *)"replay" };
    Ipc__Role agent = IPC__ROLE__INIT, dba = IPC__ROLE__INIT, ops = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent, &dba, &ops };
    Ipc__Ca *trusted[] = { &team_ca };
    Ipc__Config config = IPC__CONFIG__INIT;

    agent.name = (char *)"agent";
    dba.name = (char *)"dba";
    dba.may = may;
    dba.n_may = 1;
    ops.name = (char *)"ops";
    ops.ca = (char *)"team_ca.pub";
    ops.principals = principals;
    ops.n_principals = 2;
    ops.may = may;
    ops.n_may = 1;
    config.user_ca_public = &user_ca;
    config.trusted_cas = trusted;
    config.n_trusted_cas = 1;
    config.roles = roles;
    config.n_roles = 3;
    return certificate_admit(certificate, &config, NULL, now, source, ret, detail);
}

/* Parses and admits at once; what a login does. */
static int login_at(const uint8_t *blob, size_t n, uint64_t now, const char *source, Ipc__Identity **ret,
                    struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int r = certificate_parse(blob, n, &certificate, detail);

    return r ? r : admit_from(certificate, now, source, ret, detail);
}

/* Certifies key-ed25519 with the given options and says how a login with it goes. */
static int login_with(const char *ca, const char *const *options, uint64_t now, const char *source,
                      struct detail *detail)
{
    CLEANUP(free) uint8_t *blob = NULL;
    Ipc__Identity *identity = NULL;
    size_t n;
    int r;

    ca_of("ca-ed25519", &user_ca);
    blob = keygen_certify(directory, "key-ed25519", ca, options, &n);
    r = login_at(blob, n, now, source, &identity, detail);
    assert_true((r == 0) == (identity != NULL));
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
    return r;
}

#define OPTIONS(...) ((const char *const[]){ "-I", "anna", "-V", VALIDITY, __VA_ARGS__, NULL })

static uint8_t *good(const char *key, const char *ca, size_t *ret_n)
{
    ca_of(ca, &user_ca);
    return keygen_certify(directory, key, ca, OPTIONS("-n", "agent,dba", "-z", "42"), ret_n);
}

static void every_key_type_signed_by_every_ca_type_is_admitted(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT(cas); c++)
        for (size_t k = 0; k < COUNT(keys); k++) {
            size_t n;
            uint8_t *blob = good(keys[k], cas[c], &n);
            Ipc__Identity *identity = NULL;
            struct detail detail = { "" };

            if (login_at(blob, n, NOW, SOURCE, &identity, &detail) != 0)
                fail_msg("%s by %s: %s", keys[k], cas[c], detail.text);
            assert_string_equal(identity->name, "anna");
            ipc__identity__free_unpacked(identity, NULL);
            free(blob);
        }
}

static void an_identity_holds_what_the_certificate_says(void **state)
{
    size_t n;
    CLEANUP(free) uint8_t *blob = good("key-ed25519", "ca-ed25519", &n);
    Ipc__Identity *identity = NULL;

    (void)state;
    assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), 0);
    assert_int_equal(identity->serial, 42);
    assert_int_equal(identity->valid_after, VALID_FROM);
    assert_int_equal(identity->valid_before, VALID_UNTIL);
    assert_int_equal(identity->n_roles, 2);
    assert_string_equal(identity->roles[0], "agent");
    assert_string_equal(identity->roles[1], "dba");
    assert_int_equal(identity->n_may, 1);
    assert_string_equal(identity->may[0], "replay");
    assert_int_equal(identity->n_principals, 2);
    assert_string_equal(identity->source_address, SOURCE);
    assert_string_equal(identity->force_command, "");
    assert_true(identity->pty);
    assert_true(identity->forwarding);
    assert_int_equal(identity->connection, 0);
    ipc__identity__free_unpacked(identity, NULL);
}

static void the_fingerprint_is_the_one_that_ssh_keygen_prints(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT(keys); k++) {
        const char *list[] = { "ssh-keygen", "-l", "-f", NULL, NULL };
        char file[64], ours[64];
        struct certificate *certificate;
        char *theirs;
        uint8_t *blob;
        size_t n;

        blob = good(keys[k], "ca-ed25519", &n);
        snprintf(file, sizeof(file), "%s.pub", keys[k]);
        list[3] = file;
        keygen_run(directory, list);
        theirs = keygen_read(directory, "output", NULL);
        assert_int_equal(certificate_parse(blob, n, &certificate, NULL), 0);
        assert_int_equal(certificate_fingerprint(certificate, ours, sizeof(ours)), 0);
        assert_non_null(strstr(theirs, ours));
        assert_true(strlen(ours) > 40);
        assert_int_not_equal(certificate_fingerprint(certificate, ours, 20), 0);
        certificate_free(certificate);
        free(theirs);
        free(blob);
    }
}

static void one_changed_byte_anywhere_is_never_admitted(void **state)
{
    static const char *const signers[] = { "ca-ed25519", "ca-ecdsa256", "ca-ecdsa521", "ca-rsa2048" };
    static const uint8_t masks[] = { 0x01, 0x80, 0xff };

    (void)state;
    for (size_t c = 0; c < COUNT(signers); c++) {
        size_t n;
        CLEANUP(free) uint8_t *blob = good("key-ecdsa256", signers[c], &n);

        for (size_t i = 0; i < n; i++)
            for (size_t m = 0; m < COUNT(masks); m++) {
                Ipc__Identity *identity = NULL;

                blob[i] ^= masks[m];
                assert_true(login_at(blob, n, NOW, SOURCE, &identity, NULL) > 0);
                assert_null(identity);
                blob[i] ^= masks[m];
            }
    }
}

static void validity_holds_from_its_first_to_before_its_last_second(void **state)
{
    const char *const *options = OPTIONS("-n", "agent");
    struct detail detail;

    (void)state;
    assert_int_equal(login_with("ca-ed25519", options, VALID_FROM - 1, SOURCE, &detail),
                     CERTIFICATE_NOT_YET_VALID);
    assert_non_null(strstr(detail.text, "in 1 second"));
    assert_int_equal(login_with("ca-ed25519", options, VALID_FROM, SOURCE, NULL), 0);
    assert_int_equal(login_with("ca-ed25519", options, VALID_UNTIL - 1, SOURCE, NULL), 0);
    assert_int_equal(login_with("ca-ed25519", options, VALID_UNTIL, SOURCE, NULL), CERTIFICATE_EXPIRED);
    assert_int_equal(login_with("ca-ed25519", options, VALID_UNTIL + 12 * 60 + 5, SOURCE, &detail),
                     CERTIFICATE_EXPIRED);
    assert_non_null(strstr(detail.text, "12 minutes ago at 2024-10-04T"));
}

static void a_certificate_for_ever_does_not_expire(void **state)
{
    (void)state;
    assert_int_equal(login_with("ca-ed25519", (const char *const[]){ "-I", "anna", "-n", "agent", NULL },
                                UINT64_MAX, SOURCE, NULL),
                     0);
}

static void a_host_certificate_is_refused(void **state)
{
    (void)state;
    assert_int_equal(login_with("ca-ed25519", OPTIONS("-n", "agent", "-h"), NOW, SOURCE, NULL),
                     CERTIFICATE_NOT_USER);
}

static void another_ca_is_refused_by_its_fingerprint(void **state)
{
    struct detail detail;

    (void)state;
    assert_int_equal(login_with("ca-ecdsa256", OPTIONS("-n", "agent"), NOW, SOURCE, &detail),
                     CERTIFICATE_UNKNOWN_CA);
    assert_non_null(strstr(detail.text, "SHA256:"));
}

static void weak_rsa_is_refused_in_keys_and_cas(void **state)
{
    CLEANUP(free) uint8_t *blob = NULL;
    Ipc__Identity *identity = NULL;
    size_t n;

    (void)state;
    blob = good("key-rsa1024", "ca-ed25519", &n);
    assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), CERTIFICATE_WEAK);
    free(STEAL(blob));
    blob = good("key-ed25519", "ca-rsa1024", &n);
    assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), CERTIFICATE_WEAK);
}

static void sha1_signatures_are_refused_and_both_sha2_taken(void **state)
{
    static const struct {
        const char *algorithm;
        int expected;
    } cases[] = { { "ssh-rsa", CERTIFICATE_WEAK }, { "rsa-sha2-256", 0 }, { "rsa-sha2-512", 0 } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(free) uint8_t *blob = NULL;
        Ipc__Identity *identity = NULL;
        size_t n;

        ca_of("ca-rsa2048", &user_ca);
        blob = keygen_certify(directory, "key-ed25519", "ca-rsa2048",
                              OPTIONS("-n", "agent", "-t", cases[i].algorithm), &n);
        assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), cases[i].expected);
        if (identity)
            ipc__identity__free_unpacked(identity, NULL);
    }
}

static void roles_come_from_the_ca_that_they_belong_to(void **state)
{
    (void)state;
    /* ops is the team CA's role: the user CA cannot give it, nor the team CA the user CA's roles. */
    assert_int_equal(login_with("ca-ed25519", OPTIONS("-n", "ops"), NOW, SOURCE, NULL), CERTIFICATE_NO_ROLE);
    assert_int_equal(login_with("ca-ed25519", OPTIONS("-n", "oncall"), NOW, SOURCE, NULL),
                     CERTIFICATE_NO_ROLE);
    assert_int_equal(login_with("ca-team", OPTIONS("-n", "agent,dba"), NOW, SOURCE, NULL),
                     CERTIFICATE_NO_ROLE);
    assert_int_equal(login_with("ca-team", OPTIONS("-n", "agent,oncall"), NOW, SOURCE, NULL), 0);
}

static void a_trusted_ca_gives_its_roles_and_what_they_may(void **state)
{
    CLEANUP(free) uint8_t *blob = NULL;
    Ipc__Identity *identity = NULL;
    size_t n;

    (void)state;
    ca_of("ca-ed25519", &user_ca);
    blob = keygen_certify(directory, "key-ed25519", "ca-team", OPTIONS("-n", "agent,ops,oncall"), &n);
    assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), 0);
    assert_int_equal(identity->n_roles, 1);
    assert_string_equal(identity->roles[0], "ops");
    assert_int_equal(identity->n_may, 1);
    ipc__identity__free_unpacked(identity, NULL);
}

static void no_principals_means_nobody(void **state)
{
    (void)state;
    assert_int_equal(login_with("ca-ed25519", (const char *const[]){ "-I", "anna", NULL }, NOW, SOURCE, NULL),
                     CERTIFICATE_NO_PRINCIPALS);
}

static void an_unknown_critical_option_refuses_and_is_named(void **state)
{
    struct detail detail;

    (void)state;
    assert_int_equal(login_with("ca-ed25519",
                                OPTIONS("-n", "agent", "-O", "critical:only-mondays@example.com=x"), NOW,
                                SOURCE, &detail),
                     CERTIFICATE_UNKNOWN_OPTION);
    assert_non_null(strstr(detail.text, "only-mondays@example.com"));
    assert_int_equal(login_with("ca-ed25519", OPTIONS("-n", "agent", "-O", "extension:mood@example.com=x"),
                                NOW, SOURCE, NULL),
                     0);
}

static void extensions_and_force_command_reach_the_identity(void **state)
{
    CLEANUP(free) uint8_t *blob = NULL;
    Ipc__Identity *identity = NULL;
    size_t n;

    (void)state;
    ca_of("ca-ed25519", &user_ca);
    blob = keygen_certify(directory, "key-ed25519", "ca-ed25519",
                          OPTIONS("-n", "agent", "-O", "clear", "-O", "force-command=psql orders", "-O",
                                  "permit-port-forwarding"),
                          &n);
    assert_int_equal(login_at(blob, n, NOW, SOURCE, &identity, NULL), 0);
    assert_false(identity->pty);
    assert_true(identity->forwarding);
    assert_string_equal(identity->force_command, "psql orders");
    ipc__identity__free_unpacked(identity, NULL);
}

static void a_source_address_binds_the_login(void **state)
{
    static const struct {
        const char *list, *source;
        int expected;
    } cases[] = {
        { "192.0.2.7", "192.0.2.7", 0 },
        { "192.0.2.7", "192.0.2.8", CERTIFICATE_WRONG_SOURCE },
        { "192.0.2.0/29", "192.0.2.7", 0 },
        { "192.0.2.0/29", "192.0.2.8", CERTIFICATE_WRONG_SOURCE },
        { "198.51.100.0/24,192.0.2.0/24", "192.0.2.200", 0 },
        { "0.0.0.0/0", "203.0.113.9", 0 },
        { "0.0.0.0/0", "2001:db8::1", CERTIFICATE_WRONG_SOURCE },
        { "2001:db8::/32", "2001:db8:ffff::1", 0 },
        { "2001:db8::/32", "2001:db9::1", CERTIFICATE_WRONG_SOURCE },
        { "2001:db8::/32", "192.0.2.7", CERTIFICATE_WRONG_SOURCE },
        { "192.0.2.0/24", "::ffff:192.0.2.7", 0 },
        { "192.0.2.0/24", "::ffff:192.0.3.7", CERTIFICATE_WRONG_SOURCE },
        { "192.0.2.0/24", "not an address", CERTIFICATE_WRONG_SOURCE },
        { "192.0.2.0/24", "", CERTIFICATE_WRONG_SOURCE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char option[128];
        struct detail detail = { "" };
        int r;

        snprintf(option, sizeof(option), "source-address=%s", cases[i].list);
        r = login_with("ca-ed25519", OPTIONS("-n", "agent", "-O", option), NOW, cases[i].source, &detail);
        if (r != cases[i].expected)
            fail_msg("%s from %s: %d: %s", cases[i].list, cases[i].source, r, detail.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_type_signed_by_every_ca_type_is_admitted),
        cmocka_unit_test(an_identity_holds_what_the_certificate_says),
        cmocka_unit_test(the_fingerprint_is_the_one_that_ssh_keygen_prints),
        cmocka_unit_test(one_changed_byte_anywhere_is_never_admitted),
        cmocka_unit_test(validity_holds_from_its_first_to_before_its_last_second),
        cmocka_unit_test(a_certificate_for_ever_does_not_expire),
        cmocka_unit_test(a_host_certificate_is_refused),
        cmocka_unit_test(another_ca_is_refused_by_its_fingerprint),
        cmocka_unit_test(weak_rsa_is_refused_in_keys_and_cas),
        cmocka_unit_test(sha1_signatures_are_refused_and_both_sha2_taken),
        cmocka_unit_test(roles_come_from_the_ca_that_they_belong_to),
        cmocka_unit_test(a_trusted_ca_gives_its_roles_and_what_they_may),
        cmocka_unit_test(no_principals_means_nobody),
        cmocka_unit_test(an_unknown_critical_option_refuses_and_is_named),
        cmocka_unit_test(extensions_and_force_command_reach_the_identity),
        cmocka_unit_test(a_source_address_binds_the_login),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
