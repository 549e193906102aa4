/* Certificates of our own: read back by the real ssh-keygen and by ourselves. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/certificate_issue.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FROM   UINT64_C(0x65000000)
#define UNTIL  UINT64_C(0x67000000)
#define NOW    UINT64_C(0x66000000)
#define SOURCE "192.0.2.7"

static char directory[KEYGEN_PATH];

static const char *const key_pairs[][3] = {
    { "ed25519", "ed25519", NULL }, { "ecdsa256", "ecdsa", "256" }, { "ecdsa384", "ecdsa", "384" },
    { "ecdsa521", "ecdsa", "521" }, { "rsa2048", "rsa", "2048" },   { "rsa3072", "rsa", "3072" },
    { "rsa1024", "rsa", "1024" },
};
enum { GOOD_PAIRS = 6 };

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

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[2 * KEYGEN_PATH];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static struct certificate_signer *signer_of(const char *name)
{
    struct certificate_signer *signer = NULL;
    struct detail detail = { "" };
    size_t n;
    CLEANUP(free) char *file = keygen_read(directory, name, &n);

    if (certificate_signer_new((const uint8_t *)file, n, &signer, &detail) != 0)
        fail_msg("%s: %s", name, detail.text);
    return signer;
}

static char *two_principals[] = { (char *)"agent", (char *)"dba" };

static struct certificate_grant grant_for(const uint8_t *key, size_t n)
{
    return (struct certificate_grant){
        .key = key,
        .key_n = n,
        .key_id = "corp/anna@example.com",
        .serial = UINT64_C(0xfedcba9876543210),
        .valid_after = FROM,
        .valid_before = UNTIL,
        .principals = two_principals,
        .n_principals = 2,
        .pty = true,
        .forwarding = true,
    };
}

/* What ssh-keygen -L says of it; it verifies the signature as well. */
static char *listing(const char *type, const uint8_t *blob, size_t n)
{
    CLEANUP(free) char *base64 = malloc(4 * ((n + 2) / 3) + 1);
    CLEANUP(free) char *line = malloc(4 * ((n + 2) / 3) + 128);
    const char *const list[] = { "ssh-keygen", "-L", "-f", "issued-cert.pub", NULL };
    int length;

    length = sprintf(line, "%s %s corp/anna@example.com\n", type, text_base64(base64, blob, n));
    write_file("issued-cert.pub", line, (size_t)length);
    keygen_run(directory, list);
    return keygen_read(directory, "output", NULL);
}

static void assert_lists(const char *text, const char *expected)
{
    if (!strstr(text, expected))
        fail_msg("\"%s\" is not in: %s", expected, text);
}

/* The type that the wire form begins with. */
static void type_of(const uint8_t *blob, char out[64])
{
    assert_in_range(blob[3], 1, 63);
    memcpy(out, blob + 4, blob[3]);
    out[blob[3]] = '\0';
}

/* Admits it as a certificate of the user CA whose public key this is. */
static int admit(const uint8_t *blob, size_t n, const char *ca_file, Ipc__Identity **ret,
                 struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    Ipc__Ca ca = IPC__CA__INIT;
    Ipc__Role agent = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent };
    Ipc__Config config = IPC__CONFIG__INIT;
    int r;

    ca.blob.data = keygen_blob(directory, ca_file, &ca.blob.len);
    agent.name = (char *)"agent";
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = 1;
    r = certificate_parse(blob, n, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, &config, NULL, NOW, SOURCE, ret, detail);
    free(ca.blob.data);
    return r;
}

static void check_pair(const char *ca, const char *key)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of(ca);
    char file[80], type[64];
    size_t key_n, n;
    CLEANUP(free) uint8_t *key_blob = NULL;
    CLEANUP(free) uint8_t *blob = NULL;
    CLEANUP(free) char *text = NULL;
    Ipc__Identity *identity = NULL;
    struct detail detail = { "" };

    snprintf(file, sizeof(file), "%s.pub", key);
    key_blob = keygen_blob(directory, file, &key_n);
    struct certificate_grant grant = grant_for(key_blob, key_n);
    if (certificate_issue(signer, &grant, &blob, &n, &detail) != 0)
        fail_msg("%s by %s: %s", key, ca, detail.text);
    type_of(blob, type);
    text = listing(type, blob, n);
    assert_lists(text, "user certificate");
    assert_lists(text, "Key ID: \"corp/anna@example.com\"");
    snprintf(file, sizeof(file), "%s.pub", ca);
    if (admit(blob, n, file, &identity, &detail) != 0)
        fail_msg("%s by %s: %s", key, ca, detail.text);
    ipc__identity__free_unpacked(identity, NULL);
}

static void every_key_type_by_every_ca_type_is_read_by_ssh_keygen_and_by_us(void **state)
{
    (void)state;
    for (size_t c = 0; c < GOOD_PAIRS; c++)
        for (size_t k = 0; k < GOOD_PAIRS; k++)
            check_pair(key_pairs[c][0], key_pairs[k][0]);
}

static Ipc__Claims example_claims(void)
{
    Ipc__Claims claims = IPC__CLAIMS__INIT;

    claims.issuer = (char *)"corp";
    claims.subject = (char *)"00u1";
    claims.username = (char *)"anna@example.com";
    claims.token_id = (char *)"jti-1";
    claims.actor = (char *)"agent-7";
    return claims;
}

static void a_certificate_says_what_the_grant_says(void **state)
{
    static const char *const expected[] = {
        "Type: ssh-ed25519-cert-v01@openssh.com user certificate",
        "Serial: 18364758544493064720",
        "Principals: \n                agent\n                dba\n",
        "Critical Options: \n                source-address 192.0.2.0/24\n",
        "Extensions: \n                claims@gatehouse UNKNOWN OPTION: 0000002e0a04636f7270",
        "\n                permit-port-forwarding\n                permit-pty\n",
    };
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    CLEANUP(free) char *text = NULL;
    CLEANUP(free) uint8_t *blob = NULL;
    size_t key_n, n;
    CLEANUP(free) uint8_t *key = keygen_blob(directory, "ed25519.pub", &key_n);
    struct certificate_grant grant = grant_for(key, key_n);
    Ipc__Claims claims = example_claims();
    Ipc__Identity *identity = NULL;

    (void)state;
    grant.source_address = "192.0.2.0/24";
    grant.claims = &claims;
    assert_int_equal(certificate_issue(signer, &grant, &blob, &n, NULL), 0);
    text = listing("ssh-ed25519-cert-v01@openssh.com", blob, n);
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_lists(text, expected[i]);
    assert_int_equal(admit(blob, n, "ed25519.pub", &identity, NULL), 0);
    assert_false(identity->hardware);
    assert_int_equal(identity->serial, grant.serial);
    assert_int_equal(identity->valid_after, FROM);
    assert_int_equal(identity->valid_before, UNTIL);
    assert_true(identity->pty && identity->forwarding);
    assert_string_equal(identity->claims->username, "anna@example.com");
    assert_string_equal(identity->claims->actor, "agent-7");
    ipc__identity__free_unpacked(identity, NULL);
}

static void extensions_are_given_one_by_one(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    size_t key_n;
    CLEANUP(free) uint8_t *key = keygen_blob(directory, "ecdsa256.pub", &key_n);

    (void)state;
    for (unsigned which = 0; which < 4; which++) {
        struct certificate_grant grant = grant_for(key, key_n);
        Ipc__Identity *identity = NULL;
        CLEANUP(free) uint8_t *blob = NULL;
        size_t n;

        grant.pty = which & 1;
        grant.forwarding = which & 2;
        assert_int_equal(certificate_issue(signer, &grant, &blob, &n, NULL), 0);
        assert_int_equal(admit(blob, n, "ed25519.pub", &identity, NULL), 0);
        assert_int_equal(identity->pty, grant.pty);
        assert_int_equal(identity->forwarding, grant.forwarding);
        assert_null(identity->claims);
        ipc__identity__free_unpacked(identity, NULL);
    }
}

static void no_two_certificates_are_the_same(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    CLEANUP(free) uint8_t *one = NULL;
    CLEANUP(free) uint8_t *two = NULL;
    size_t key_n, n;
    CLEANUP(free) uint8_t *key = keygen_blob(directory, "ed25519.pub", &key_n);
    struct certificate_grant grant = grant_for(key, key_n);

    (void)state;
    assert_int_equal(certificate_issue(signer, &grant, &one, &n, NULL), 0);
    assert_int_equal(certificate_issue(signer, &grant, &two, &n, NULL), 0);
    assert_memory_not_equal(one, two, n); /* the nonce */
}

/* A security key's public half, made of an ordinary one: nobody has to touch anything here. */
static size_t hardware_key(const char *name, const char *file, uint8_t out[512])
{
    size_t n, skip;
    CLEANUP(free) uint8_t *plain = keygen_blob(directory, file, &n);
    struct buffer b;

    buffer_init(&b, 512);
    skip = 4U + plain[3];
    assert_int_equal(buffer_put_string(&b, name, strlen(name)), 0);
    assert_int_equal(buffer_append(&b, plain + skip, n - skip), 0);
    assert_int_equal(buffer_put_string(&b, "ssh:", 4), 0);
    n = buffer_size(&b);
    memcpy(out, buffer_head(&b), n);
    buffer_free(&b);
    return n;
}

static void security_keys_are_certified(void **state)
{
    static const char *const cases[][3] = {
        { "sk-ssh-ed25519@openssh.com", "ed25519.pub", "sk-ssh-ed25519-cert-v01@openssh.com" },
        { "sk-ecdsa-sha2-nistp256@openssh.com", "ecdsa256.pub",
          "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" },
    };
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(free) uint8_t *blob = NULL;
        CLEANUP(free) char *text = NULL;
        uint8_t key[512];
        size_t n, key_n = hardware_key(cases[i][0], cases[i][1], key);
        struct certificate_grant grant = grant_for(key, key_n);
        Ipc__Identity *identity = NULL;

        assert_int_equal(certificate_issue(signer, &grant, &blob, &n, NULL), 0);
        text = listing(cases[i][2], blob, n);
        assert_lists(text, cases[i][2]);
        assert_int_equal(admit(blob, n, "ed25519.pub", &identity, NULL), 0);
        assert_true(identity->hardware);
        ipc__identity__free_unpacked(identity, NULL);
    }
}

static void the_plain_key_comes_out_of_a_certificate_and_out_of_itself(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");

    (void)state;
    for (size_t i = 0; i < GOOD_PAIRS; i++) {
        char file[80];
        size_t key_n, n, again_n;
        CLEANUP(free) uint8_t *key = NULL;
        CLEANUP(free) uint8_t *blob = NULL;
        CLEANUP(free) uint8_t *again = NULL;

        snprintf(file, sizeof(file), "%s.pub", key_pairs[i][0]);
        key = keygen_blob(directory, file, &key_n);
        struct certificate_grant grant = grant_for(key, key_n);
        assert_int_equal(certificate_issue(signer, &grant, &blob, &n, NULL), 0);
        assert_int_equal(certificate_plain_key(blob, n, &again, &again_n, NULL), 0);
        assert_int_equal(again_n, key_n);
        assert_memory_equal(again, key, key_n);
        free(STEAL(again));
        assert_int_equal(certificate_plain_key(key, key_n, &again, &again_n, NULL), 0);
        assert_int_equal(again_n, key_n);
        assert_memory_equal(again, key, key_n);
        assert_int_not_equal(certificate_plain_key(key, key_n - 1, &key, &again_n, NULL), 0);
        assert_int_not_equal(certificate_plain_key(blob, n - 1, &key, &again_n, NULL), 0);
    }
}

static void a_key_that_is_weak_or_no_key_is_told_so(void **state)
{
    static const struct {
        const char *file;
        size_t at; /* a byte to change, counted from the end; 0: none */
        const char *message;
    } cases[] = {
        { "rsa1024.pub", 0, "an RSA key of 1024 bits is not accepted: 2048 to 16384 are" },
        { "ecdsa256.pub", 1, "the ecdsa-sha2-nistp256 key is malformed" }, /* beside the curve */
        { "ecdsa384.pub", 97, "the ecdsa-sha2-nistp384 key is malformed" },
        { "ecdsa521.pub", 134, "the ecdsa-sha2-nistp521 key is malformed" },
        { "rsa2048.pub", 262, "the ssh-rsa key is malformed" }, /* an even exponent */
        { "ed25519.pub", 33, "the ssh-ed25519 key is malformed" },
    };
    struct detail dsa = { "" };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct detail detail = { "" };
        size_t n;
        CLEANUP(free) uint8_t *key = keygen_blob(directory, cases[i].file, &n);

        if (cases[i].at)
            key[n - cases[i].at] ^= 1;
        assert_int_not_equal(certificate_key_check(key, n, &detail), 0);
        assert_string_equal(detail.text, cases[i].message);
    }
    assert_int_not_equal(certificate_key_check((const uint8_t *)"\0\0\0\7ssh-dss\0\0\0\0", 15, &dsa), 0);
    assert_string_equal(dsa.text, "the public key is of a type that is not supported");
}

static void a_key_of_every_good_type_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_PAIRS; i++) {
        char file[80];
        size_t n;
        CLEANUP(free) uint8_t *key = NULL;

        snprintf(file, sizeof(file), "%s.pub", key_pairs[i][0]);
        key = keygen_blob(directory, file, &n);
        assert_int_equal(certificate_key_check(key, n, NULL), 0);
        assert_int_not_equal(certificate_key_check(key, n - 1, NULL), 0);
        key = realloc(key, n + 1);
        assert_non_null(key);
        key[n] = 0;
        assert_int_not_equal(certificate_key_check(key, n + 1, NULL), 0);
    }
}

/* ---- grants ---- */

static char long_text[600];
static Ipc__Claims bad_claims;

static void no_serial(struct certificate_grant *grant)
{
    grant->serial = 0;
}
static void no_principals(struct certificate_grant *grant)
{
    grant->n_principals = 0;
}
static void no_time(struct certificate_grant *grant)
{
    grant->valid_before = grant->valid_after;
}
static void no_key_id(struct certificate_grant *grant)
{
    grant->key_id = "";
}
static void long_key_id(struct certificate_grant *grant)
{
    grant->key_id = long_text;
}
static void garbled_key_id(struct certificate_grant *grant)
{
    grant->key_id = "corp/\xff";
}
static void long_principal(struct certificate_grant *grant)
{
    static char *principals[] = { long_text };

    grant->principals = principals;
    grant->n_principals = 1;
}
static void empty_principal(struct certificate_grant *grant)
{
    static char *principals[] = { (char *)"agent", (char *)"" };

    grant->principals = principals;
}
static void bad_source(struct certificate_grant *grant)
{
    grant->source_address = "192.0.2.7/24";
}
static void control_character(struct certificate_grant *grant)
{
    bad_claims = example_claims();
    bad_claims.username = (char *)"anna\033[2J";
    grant->claims = &bad_claims;
}
static void long_claim(struct certificate_grant *grant)
{
    bad_claims = example_claims();
    bad_claims.subject = long_text;
    grant->claims = &bad_claims;
}
static void many_claims(struct certificate_grant *grant)
{
    static char *groups[64];

    bad_claims = example_claims();
    for (size_t i = 0; i < COUNT(groups); i++)
        groups[i] = long_text + 100; /* fit each, too much together */
    bad_claims.groups = groups;
    bad_claims.n_groups = COUNT(groups);
    grant->claims = &bad_claims;
}

static void a_grant_that_makes_no_sense_is_refused(void **state)
{
    static const struct {
        void (*spoil)(struct certificate_grant *grant);
        const char *message;
    } cases[] = {
        { no_serial, "a certificate with serial 0 could not be revoked" },
        { no_principals, "the certificate would name no principals" },
        { no_time, "the certificate would never be valid" },
        { no_key_id, "your certificate's key id is empty" },
        { long_key_id, "your certificate's key id is longer than 512 bytes" },
        { garbled_key_id, "your certificate's key id is not valid UTF-8" },
        { long_principal, "your certificate's principal is longer than 256 bytes" },
        { empty_principal, "your certificate's principal is empty" },
        { bad_source, "the certificate's source-address would not be a list of networks" },
        { control_character, "the claims are too long, or hold unfit characters" },
        { long_claim, "the claims are too long, or hold unfit characters" },
        { many_claims, "the certificate would be too long" },
    };
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    size_t key_n;
    CLEANUP(free) uint8_t *key = keygen_blob(directory, "ed25519.pub", &key_n);

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct certificate_grant grant = grant_for(key, key_n);
        struct detail detail = { "" };
        uint8_t *blob = NULL;
        size_t n;

        cases[i].spoil(&grant);
        assert_int_equal(certificate_issue(signer, &grant, &blob, &n, &detail), -EINVAL);
        assert_string_equal(detail.text, cases[i].message);
        assert_null(blob);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_type_by_every_ca_type_is_read_by_ssh_keygen_and_by_us),
        cmocka_unit_test(a_certificate_says_what_the_grant_says),
        cmocka_unit_test(extensions_are_given_one_by_one),
        cmocka_unit_test(no_two_certificates_are_the_same),
        cmocka_unit_test(security_keys_are_certified),
        cmocka_unit_test(the_plain_key_comes_out_of_a_certificate_and_out_of_itself),
        cmocka_unit_test(a_key_that_is_weak_or_no_key_is_told_so),
        cmocka_unit_test(a_key_of_every_good_type_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_grant_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
