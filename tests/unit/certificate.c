/* Certificates made by the real ssh-keygen: which are admitted, and which are refused for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "policy/certificate_parts.h"
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
    return certificate_admit(certificate, &config, now, source, ret, detail);
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

static void a_truncated_certificate_is_malformed_at_every_length(void **state)
{
    size_t n;
    CLEANUP(free) uint8_t *blob = good("key-rsa2048", "ca-rsa2048", &n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct certificate *certificate = NULL;
        /* A copy of its own, so that a sanitizer sees each byte read beyond. */
        CLEANUP(free) uint8_t *cut = malloc(i ? i : 1);

        memcpy(cut, blob, i);
        assert_int_equal(certificate_parse(cut, i, &certificate, NULL), CERTIFICATE_MALFORMED);
        assert_null(certificate);
    }
}

static void trailing_bytes_are_refused(void **state)
{
    struct certificate *certificate = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = good("key-ed25519", "ca-ed25519", &n);
    CLEANUP(free) uint8_t *longer = calloc(1, n + 1);

    (void)state;
    memcpy(longer, blob, n);
    assert_int_equal(certificate_parse(longer, n + 1, &certificate, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(certificate_parse(longer, n, &certificate, NULL), 0);
    certificate_free(certificate);
}

static void a_plain_key_is_not_a_certificate(void **state)
{
    struct certificate *certificate = NULL;
    struct detail detail;
    size_t n;
    CLEANUP(free) uint8_t *blob = keygen_blob(directory, "key-ed25519.pub", &n);

    (void)state;
    assert_int_equal(certificate_parse(blob, n, &certificate, &detail), CERTIFICATE_MALFORMED);
    assert_non_null(strstr(detail.text, "plain key"));
}

static void an_oversized_certificate_is_refused_unread(void **state)
{
    struct certificate *certificate = NULL;
    CLEANUP(free) uint8_t *blob = calloc(1, CERTIFICATE_MAX + 1);

    (void)state;
    assert_int_equal(certificate_parse(blob, CERTIFICATE_MAX + 1, &certificate, NULL), CERTIFICATE_MALFORMED);
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

static void a_list_that_is_not_one_of_networks_refuses_everybody(void **state)
{
    static const char *const lists[] = {
        "",
        ",",
        "192.0.2.7,",
        "192.0.2.7/",
        "192.0.2.7/33",
        "192.0.2.7/-1",
        "192.0.2.7/24",
        "192.0.2.7 ",
        "192.0.2.7/32/32",
        "2001:db8::/129",
        "2001:db8::1/64",
        "anywhere",
        "!192.0.2.8",
        "192.0.2.7,nonsense",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++)
        if (source_match(lists[i], SOURCE, NULL) != CERTIFICATE_MALFORMED)
            fail_msg("\"%s\" was taken", lists[i]);
    assert_int_equal(source_match("::ffff:192.0.2.0/120", SOURCE, NULL), 0);
    assert_int_equal(source_match("::ffff:192.0.3.0/120", SOURCE, NULL), CERTIFICATE_WRONG_SOURCE);
}

/* What ssh-keygen itself refuses to write is spliced into a certificate: decoding comes before the signature.
 */
static int parse_spliced(const char *key_id, const struct buffer *principals, const struct buffer *critical)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    size_t ca_n;
    CLEANUP(free) uint8_t *ca = keygen_blob(directory, "ca-ed25519.pub", &ca_n);
    const uint8_t zero[32] = { 0 };
    struct buffer b;
    int r;

    buffer_init(&b, (size_t)4 * CERTIFICATE_MAX);
    assert_int_equal(buffer_put_string(&b, "ssh-ed25519-cert-v01@openssh.com", 32), 0);
    assert_int_equal(buffer_put_string(&b, zero, sizeof(zero)), 0);
    assert_int_equal(buffer_put_string(&b, zero, sizeof(zero)), 0);
    assert_int_equal(buffer_put_u64(&b, 1), 0);
    assert_int_equal(buffer_put_u32(&b, 1), 0);
    assert_int_equal(buffer_put_string(&b, key_id, strlen(key_id)), 0);
    assert_int_equal(buffer_put_string(&b, buffer_head(principals), buffer_size(principals)), 0);
    assert_int_equal(buffer_put_u64(&b, VALID_FROM), 0);
    assert_int_equal(buffer_put_u64(&b, VALID_UNTIL), 0);
    assert_int_equal(buffer_put_string(&b, buffer_head(critical), buffer_size(critical)), 0);
    assert_int_equal(buffer_put_string(&b, "", 0), 0);
    assert_int_equal(buffer_put_string(&b, "", 0), 0);
    assert_int_equal(buffer_put_string(&b, ca, ca_n), 0);
    assert_int_equal(buffer_put_string(&b, "signature", 9), 0);
    r = certificate_parse(buffer_head(&b), buffer_size(&b), &certificate, NULL);
    buffer_free(&b);
    return r;
}

static int parse_with_principals(size_t count, const void *name, size_t name_n)
{
    struct buffer principals, none;
    int r;

    buffer_init(&principals, CERTIFICATE_MAX);
    buffer_init(&none, 1);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_put_string(&principals, name, name_n), 0);
    r = parse_spliced("anna", &principals, &none);
    buffer_free(&principals);
    return r;
}

static void principals_are_bounded_and_clean(void **state)
{
    CLEANUP(free) char *longest = malloc(257);

    (void)state;
    memset(longest, 'x', 257);
    assert_int_equal(parse_with_principals(CERTIFICATE_PRINCIPALS_MAX, "agent", 5), 0);
    assert_int_equal(parse_with_principals(CERTIFICATE_PRINCIPALS_MAX + 1, "agent", 5),
                     CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, longest, 256), 0);
    assert_int_equal(parse_with_principals(1, longest, 257), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(64, longest, 256), CERTIFICATE_MALFORMED); /* 16 KiB together */
    assert_int_equal(parse_with_principals(1, "", 0), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, "age\0nt", 6), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_principals(1, "\xff", 1), CERTIFICATE_MALFORMED);
}

static void a_key_id_is_needed_and_bounded(void **state)
{
    struct buffer none;
    char longest[514];

    (void)state;
    buffer_init(&none, 1);
    memset(longest, 'x', sizeof(longest));
    longest[513] = '\0';
    assert_int_equal(parse_spliced("", &none, &none), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_spliced(longest, &none, &none), CERTIFICATE_MALFORMED);
    longest[512] = '\0';
    assert_int_equal(parse_spliced(longest, &none, &none), 0);
}

static int parse_with_options(size_t count, bool repeat)
{
    struct buffer options, none;
    int r;

    buffer_init(&options, CERTIFICATE_MAX);
    buffer_init(&none, 1);
    for (size_t i = 0; i < count; i++) {
        char name[24];

        snprintf(name, sizeof(name), "o%zu", repeat ? 0 : i);
        assert_int_equal(buffer_put_string(&options, name, strlen(name)), 0);
        assert_int_equal(buffer_put_string(&options, "", 0), 0);
    }
    r = parse_spliced("anna", &none, &options);
    buffer_free(&options);
    return r;
}

static void options_are_bounded_and_not_repeated(void **state)
{
    (void)state;
    assert_int_equal(parse_with_options(CERTIFICATE_OPTIONS_MAX, false), 0);
    assert_int_equal(parse_with_options(CERTIFICATE_OPTIONS_MAX + 1, false), CERTIFICATE_MALFORMED);
    assert_int_equal(parse_with_options(2, true), CERTIFICATE_MALFORMED);
}

static void a_ca_file_is_one_plain_key(void **state)
{
    size_t n, expected_n;
    CLEANUP(free) uint8_t *expected = keygen_blob(directory, "ca-ecdsa384.pub", &expected_n);
    CLEANUP(free) char *line = keygen_read(directory, "ca-ecdsa384.pub", NULL);
    CLEANUP(free) char *weak = keygen_read(directory, "ca-rsa1024.pub", NULL);
    CLEANUP(free) uint8_t *blob = NULL;
    char text[4096];

    (void)state;
    snprintf(text, sizeof(text), "# our CA\n\n%s\n", line);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), 0);
    assert_int_equal(n, expected_n);
    assert_memory_equal(blob, expected, n);
    free(STEAL(blob));

    snprintf(text, sizeof(text), "%s%s", line, line);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-ed25519", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-ed25519 AAAA", &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_int_equal(public_key_parse("ssh-dss AAAA", &blob, &n, NULL), CERTIFICATE_WEAK);
    assert_int_equal(public_key_parse(weak, &blob, &n, NULL), CERTIFICATE_WEAK);
    snprintf(text, sizeof(text), "ssh-ed25519 %s", strchr(line, ' ') + 1);
    assert_int_equal(public_key_parse(text, &blob, &n, NULL), CERTIFICATE_MALFORMED);
    assert_null(blob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_type_signed_by_every_ca_type_is_admitted),
        cmocka_unit_test(an_identity_holds_what_the_certificate_says),
        cmocka_unit_test(the_fingerprint_is_the_one_that_ssh_keygen_prints),
        cmocka_unit_test(one_changed_byte_anywhere_is_never_admitted),
        cmocka_unit_test(a_truncated_certificate_is_malformed_at_every_length),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(a_plain_key_is_not_a_certificate),
        cmocka_unit_test(an_oversized_certificate_is_refused_unread),
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
        cmocka_unit_test(a_list_that_is_not_one_of_networks_refuses_everybody),
        cmocka_unit_test(principals_are_bounded_and_clean),
        cmocka_unit_test(a_key_id_is_needed_and_bounded),
        cmocka_unit_test(options_are_bounded_and_not_repeated),
        cmocka_unit_test(a_ca_file_is_one_plain_key),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
