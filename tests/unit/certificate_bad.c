/* Bad certificates, each with the fault and the very message that its owner gets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "certificate_craft.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/certificate_signer.h"
#include "policy/revocation.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NOW UINT64_C(1700000000) /* 2023-11-14T22:13:20Z */

struct bad {
    struct craft craft;
    int fault;
    const char *message;
};

static char directory[KEYGEN_PATH];
static char long_text[70000];
static struct certificate_signer *ours, *stranger, *rsa;

/* Filled by make_keys(). */
static uint8_t even_rsa[11], one_rsa[11], weak_rsa[267], padded_rsa[269], huge_rsa[2061];

#define P256(first)                                                                                          \
    "\0\0\0\x08nistp256\0\0\0\x41" first "\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2"  \
    "\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e"   \
    "\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5"
#define ECDSA_CERT    BYTES("ecdsa-sha2-nistp256-cert-v01@openssh.com")
#define RSA_CERT      BYTES("ssh-rsa-cert-v01@openssh.com")
#define MALFORMED     CERTIFICATE_MALFORMED, "your certificate is malformed"
#define UNSUPPORTED   CERTIFICATE_WEAK, "your certificate is of a type that is not supported"
#define PLAIN         CERTIFICATE_MALFORMED, "this is a plain key, not a certificate"
#define BAD_SIGNATURE CERTIFICATE_BAD_SIGNATURE, "your certificate's signature is not valid"
#define BAD_OPTIONS   CERTIFICATE_MALFORMED, "your certificate's options are malformed"
#define UNORDERED     CERTIFICATE_MALFORMED, "your certificate's options are repeated or not in order"
#define BAD_SOURCE    CERTIFICATE_MALFORMED, "your certificate's source-address is not a list of networks"
#define BAD_CLAIMS    CERTIFICATE_MALFORMED, "your certificate's extension claims@gatehouse is malformed"
#define KEY(name)     CERTIFICATE_MALFORMED, "the " name " key is malformed"

static const struct bad types_and_keys[] = {
    { { .type = BYTES("") }, UNSUPPORTED },
    { { .type = BYTES("ssh-dss-cert-v01@openssh.com") }, UNSUPPORTED },
    { { .type = BYTES("ssh-ed25519-cert-v00@openssh.com") }, UNSUPPORTED },
    { { .type = BYTES("ssh-ed25519-cert-v01@openssh.com\0") }, UNSUPPORTED },
    { { .type = BYTES("rsa-sha2-512-cert-v01@openssh.com") }, UNSUPPORTED },
    { { .type = BYTES("x509v3-ecdsa-sha2-nistp256") }, UNSUPPORTED },
    { { .type = BYTES("ssh-ed25519") }, PLAIN },
    { { .type = BYTES("ecdsa-sha2-nistp521") }, PLAIN },
    { { .type = BYTES("ssh-rsa") }, PLAIN },
    { { .type = BYTES("sk-ssh-ed25519@openssh.com") }, PLAIN },
    { { .key = BYTES("\0\0\0\x1f"
                     "0123456789012345678901234567890") },
      KEY("ssh-ed25519") },
    { { .key = BYTES("\0\0\0\x21"
                     "012345678901234567890123456789012") },
      KEY("ssh-ed25519") },
    { { .key = BYTES("\xff\xff\xff\xff") }, KEY("ssh-ed25519") },
    { { .type = ECDSA_CERT, .key = BYTES("\0\0\0\x08nistp384\0\0\0\0") }, KEY("ecdsa-sha2-nistp256") },
    { { .type = ECDSA_CERT, .key = BYTES(P256("\2")) }, KEY("ecdsa-sha2-nistp256") },
    { { .type = ECDSA_CERT, .key = BYTES("\0\0\0\x08nistp256\0\0\0\1\4") }, KEY("ecdsa-sha2-nistp256") },
    { { .type = BYTES("ecdsa-sha2-nistp384-cert-v01@openssh.com"), .key = BYTES(P256("\4")) },
      KEY("ecdsa-sha2-nistp384") },
    { { .type = BYTES("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"), .key = BYTES(P256("\4") "\0\0\0\xff") },
      KEY("sk-ecdsa-sha2-nistp256@openssh.com") },
    { { .type = RSA_CERT, .key = { even_rsa, sizeof(even_rsa) } }, KEY("ssh-rsa") },
    { { .type = RSA_CERT, .key = { one_rsa, sizeof(one_rsa) } }, KEY("ssh-rsa") },
    { { .type = RSA_CERT, .key = { padded_rsa, sizeof(padded_rsa) } }, KEY("ssh-rsa") },
    { { .type = RSA_CERT, .key = BYTES("\0\0\0\3\x81\0\1\0\0\0\1\x7f") }, KEY("ssh-rsa") },
    { { .type = RSA_CERT, .key = { weak_rsa, sizeof(weak_rsa) } },
      CERTIFICATE_WEAK,
      "an RSA key of 2040 bits is not accepted: 2048 to 16384 are" },
    { { .type = RSA_CERT, .key = { huge_rsa, sizeof(huge_rsa) } },
      CERTIFICATE_WEAK,
      "an RSA key of 16392 bits is not accepted: 2048 to 16384 are" },
};

static const struct bad forms[] = {
    { { .cut = CRAFT_TYPE }, MALFORMED },
    { { .cut = CRAFT_NONCE }, MALFORMED },
    { { .cut = CRAFT_KEY }, KEY("ssh-ed25519") },
    { { .cut = CRAFT_SERIAL }, MALFORMED },
    { { .cut = CRAFT_KIND }, MALFORMED },
    { { .cut = CRAFT_KEY_ID }, MALFORMED },
    { { .cut = CRAFT_PRINCIPALS }, MALFORMED },
    { { .cut = CRAFT_AFTER }, MALFORMED },
    { { .cut = CRAFT_BEFORE }, MALFORMED },
    { { .cut = CRAFT_CRITICAL }, MALFORMED },
    { { .cut = CRAFT_EXTENSIONS }, MALFORMED },
    { { .cut = CRAFT_RESERVED }, MALFORMED },
    { { .cut = CRAFT_CA }, MALFORMED },
    { { .cut = CRAFT_SIGNATURE }, MALFORMED },
    { { .trailing = BYTES("\0") }, MALFORMED },
    { { .trailing = BYTES("\0\0\0\0") }, MALFORMED },
    { { .reserved = { long_text, 65536 } },
      CERTIFICATE_MALFORMED,
      "your certificate has 65870 bytes: 1 to 65536 are accepted" },
    { { .key_id = BYTES("") }, CERTIFICATE_MALFORMED, "your certificate's key id is empty" },
    { { .key_id = { long_text, 513 } },
      CERTIFICATE_MALFORMED,
      "your certificate's key id is longer than 512 bytes" },
    { { .key_id = BYTES("corp/\xc3") },
      CERTIFICATE_MALFORMED,
      "your certificate's key id is not valid UTF-8" },
    { { .key_id = BYTES("corp\0anna") },
      CERTIFICATE_MALFORMED,
      "your certificate's key id is not valid UTF-8" },
    { { .raw_principals = BYTES("\0\0\0\6agent") }, MALFORMED },
    { { .raw_principals = BYTES("\0\0\0\5agent\0\0") }, MALFORMED },
    { { .raw_principals = BYTES("\0\0\0\6agent\0") },
      CERTIFICATE_MALFORMED,
      "your certificate's principal is not valid UTF-8" },
    { { .principals = "agent,,dba" }, CERTIFICATE_MALFORMED, "your certificate's principal is empty" },
    { { .principals = "\xed\xa0\x80" },
      CERTIFICATE_MALFORMED,
      "your certificate's principal is not valid UTF-8" },
    { { .principals = long_text + sizeof(long_text) - 258 },
      CERTIFICATE_MALFORMED,
      "your certificate's principal is longer than 256 bytes" },
    { { .raw_principals = { long_text, 16385 } },
      CERTIFICATE_MALFORMED,
      "your certificate's principals are longer than 16384 bytes" },
};

static const struct bad options[] = {
    { { .raw_critical = BYTES("\0\0\0\1") }, BAD_OPTIONS },
    { { .raw_critical = BYTES("\0\0\0\1a") }, BAD_OPTIONS },
    { { .critical = "force-command=a|force-command=b" }, UNORDERED },
    { { .critical = "source-address=192.0.2.7|force-command=a" }, UNORDERED },
    { { .critical = "source-address~" },
      CERTIFICATE_MALFORMED,
      "your certificate's option source-address is malformed" },
    { { .critical = "source-address~192.0.2.7" },
      CERTIFICATE_MALFORMED,
      "your certificate's option source-address is malformed" },
    { { .critical = "source-address=" },
      CERTIFICATE_MALFORMED,
      "your certificate's source-address is empty" },
    { { .critical = "source-address=192.0.2.0/33" }, BAD_SOURCE },
    { { .critical = "source-address=192.0.2.7/24" }, BAD_SOURCE },
    { { .critical = "source-address=192.0.2.7,!192.0.2.8" }, BAD_SOURCE },
    { { .critical = "source-address=bastion.example.com" }, BAD_SOURCE },
    { { .critical = "source-address=198.51.100.0/24" },
      CERTIFICATE_WRONG_SOURCE,
      "your certificate may not be used from 192.0.2.7" },
    { { .critical = "force-command=" }, CERTIFICATE_MALFORMED, "your certificate's force-command is empty" },
    { { .critical = "force-command=\xff" },
      CERTIFICATE_MALFORMED,
      "your certificate's force-command is not valid UTF-8" },
    { { .critical = "verify-required" },
      CERTIFICATE_UNKNOWN_OPTION,
      "your certificate has the critical option \"verify-required\", which is not supported here" },
    { { .critical = "permit-pty" },
      CERTIFICATE_UNKNOWN_OPTION,
      "your certificate has the critical option \"permit-pty\", which is not supported here" },
    { { .critical = "\033[2Jclear=x" },
      CERTIFICATE_UNKNOWN_OPTION,
      "your certificate has the critical option \"\\x1b[2Jclear\", which is not supported here" },
    { { .raw_extensions = BYTES("permit-pty") }, BAD_OPTIONS },
    { { .extensions = "permit-pty|permit-pty" }, UNORDERED },
    { { .extensions = "permit-pty|permit-port-forwarding" }, UNORDERED },
    { { .extensions = "permit-pty|permit" }, UNORDERED },
    { { .extensions = "openpubkey-pkt~x|permit-pty" },
      CERTIFICATE_MALFORMED,
      "your certificate's option openpubkey-pkt is malformed" },
    { { .extensions = "claims@gatehouse~x" }, BAD_CLAIMS },
    { { .extensions = "claims@gatehouse=" }, BAD_CLAIMS },
    { { .extensions = "claims@gatehouse=\x0a\x7f" }, BAD_CLAIMS },
    { { .extensions = "claims@gatehouse=\x12\1a" }, BAD_CLAIMS },                  /* no issuer */
    { { .extensions = "claims@gatehouse=\x0a\4corp\x12\4a\033[m" }, BAD_CLAIMS },  /* an escape sequence */
    { { .extensions = "claims@gatehouse=\x0a\4corp\x22\2\xc3\x28" }, BAD_CLAIMS }, /* a group in no UTF-8 */
};

static const struct bad authorities[] = {
    { { .ca = BYTES("") },
      CERTIFICATE_UNKNOWN_CA,
      "your certificate was signed by a CA that is not trusted here "
      "(SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU)" },
    { { .ca = BYTES("nobody") },
      CERTIFICATE_UNKNOWN_CA,
      "your certificate was signed by a CA that is not trusted here "
      "(SHA256:Y4KzzIgUErd7/K7tAmABwA2eMCXmbCD25+kvB5hRRio)" },
    { { .signature = BYTES("") }, BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0bssh-ed25519") }, BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\0") }, BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\x3f"
                           "012345678901234567890123456789012345678901234567890123456789012") },
      BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\x40"
                           "0123456789012345678901234567890123456789012345678901234567890123") },
      BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\x40"
                           "0123456789012345678901234567890123456789012345678901234567890123"
                           "4") },
      BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x0crsa-sha2-512\0\0\0\x40"
                           "0123456789012345678901234567890123456789012345678901234567890123") },
      BAD_SIGNATURE },
    { { .signature = BYTES("\0\0\0\x07ssh-dss\0\0\0\0") }, BAD_SIGNATURE },
};

static const struct bad contents[] = {
    { { .kind = CRAFT_ZERO },
      CERTIFICATE_NOT_USER,
      "your certificate is of an unknown kind: a user certificate is needed" },
    { { .kind = 2 },
      CERTIFICATE_NOT_USER,
      "your certificate is a host certificate: a user certificate is needed" },
    { { .kind = 3 },
      CERTIFICATE_NOT_USER,
      "your certificate is of an unknown kind: a user certificate is needed" },
    { { .after = NOW + 1 },
      CERTIFICATE_NOT_YET_VALID,
      "your certificate is not valid before 2023-11-14T22:13:21Z, which is in 1 second; check the clocks of "
      "both "
      "sides" },
    { { .after = NOW + 7200 },
      CERTIFICATE_NOT_YET_VALID,
      "your certificate is not valid before 2023-11-15T00:13:20Z, which is in 2 hours; check the clocks of "
      "both "
      "sides" },
    { { .after = UINT64_MAX },
      CERTIFICATE_NOT_YET_VALID,
      "your certificate is not valid before a date beyond the year 9999, which is in 213503982314925 days; "
      "check "
      "the clocks of both sides" },
    { { .before = NOW },
      CERTIFICATE_EXPIRED,
      "your certificate expired 0 seconds ago at 2023-11-14T22:13:20Z; get a new one from where you got this "
      "one" },
    { { .before = NOW - 119 },
      CERTIFICATE_EXPIRED,
      "your certificate expired 119 seconds ago at 2023-11-14T22:11:21Z; get a new one from where you got "
      "this "
      "one" },
    { { .before = NOW - 120 },
      CERTIFICATE_EXPIRED,
      "your certificate expired 2 minutes ago at 2023-11-14T22:11:20Z; get a new one from where you got this "
      "one" },
    { { .before = CRAFT_ZERO },
      CERTIFICATE_EXPIRED,
      "your certificate expired 19675 days ago at 1970-01-01T00:00:00Z; get a new one from where you got "
      "this one" },
    { { .after = NOW + 10, .before = NOW - 10 },
      CERTIFICATE_NOT_YET_VALID,
      "your certificate is not valid before 2023-11-14T22:13:30Z, which is in 10 seconds; check the clocks "
      "of both "
      "sides" },
    { { .principals = "" }, CERTIFICATE_NO_PRINCIPALS, "your certificate names no principals" },
    { { .principals = "root" },
      CERTIFICATE_NO_ROLE,
      "your certificate is valid, but none of its principals is a role here: root" },
    { { .principals = "Agent,agent ,ops,\033[2J" },
      CERTIFICATE_NO_ROLE,
      "your certificate is valid, but none of its principals is a role here: Agent, agent , ops, \\x1b[2J" },
    { { .principals = "dba" },
      CERTIFICATE_NO_ROLE,
      "your certificate is valid, but the role \"dba\" asks for claims, and it has none; get a new one from "
      "enroll@" },
    { { .principals = "dba", .extensions = "claims@gatehouse=\x0a\4corp" },
      CERTIFICATE_NO_ROLE,
      "your certificate is valid, but its claims do not meet the conditions of the role \"dba\", which may "
      "have "
      "changed since it was issued; get a new one" },
    { { .serial = 13 }, CERTIFICATE_REVOKED, "your certificate has been revoked (serial 13); get a new one" },
    { { .serial = 13, .before = NOW },
      CERTIFICATE_REVOKED,
      "your certificate has been revoked (serial 13); get a new one" },
    { { .key_id = BYTES("corp/eve") },
      CERTIFICATE_REVOKED,
      "the identity \"corp/eve\" has been revoked; ask whoever runs this bastion" },
};

/* CAs that are trusted here, but may not sign, or not so. */
static const struct bad wrong_signers[] = {
    { { .ca = BYTES("nobody") }, CERTIFICATE_MALFORMED, "the public key is malformed" },
    { { .ca = BYTES("\0\0\0\7ssh-dss\0\0\0\0") },
      CERTIFICATE_WEAK,
      "the public key is of a type that is not supported" },
    { { .ca = BYTES("\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20"
                    "01234567890123456789012345678901\0\0\0\4ssh:") },
      CERTIFICATE_WEAK,
      "your certificate's CA is a security key: not supported" },
    { { .ca = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\x20"
                    "01234567890123456789012345678901\0") },
      CERTIFICATE_MALFORMED,
      "the ssh-ed25519 key is malformed" },
    { { .ca = BYTES("\0\0\0\x0bssh-ed25519\0\0\0\x20"
                    "01234567890123456789012345678901") },
      BAD_SIGNATURE },
    { { .ca = BYTES("\0\0\0\x13"
                    "ecdsa-sha2-nistp256" P256("\4")),
        .signature = BYTES("\0\0\0\x13"
                           "ecdsa-sha2-nistp256\0\0\0\x0a\0\0\0\1\1\0\0\0\1\1") },
      BAD_SIGNATURE },
    { { .ca = BYTES("\0\0\0\x13"
                    "ecdsa-sha2-nistp256" P256("\4")),
        .signature = BYTES("\0\0\0\x13"
                           "ecdsa-sha2-nistp256\0\0\0\x0a\0\0\0\1\x81\0\0\0\1\1") },
      BAD_SIGNATURE },
    { { .ca = BYTES("\0\0\0\x13"
                    "ecdsa-sha2-nistp256" P256("\4")),
        .signature = BYTES("\0\0\0\x13"
                           "ecdsa-sha2-nistp384\0\0\0\x0a\0\0\0\1\1\0\0\0\1\1") },
      BAD_SIGNATURE },
    { { .ca = BYTES("\0\0\0\x13"
                    "ecdsa-sha2-nistp256" P256("\5")) },
      CERTIFICATE_MALFORMED,
      "the ecdsa-sha2-nistp256 key is malformed" },
};

_Static_assert(COUNT(types_and_keys) + COUNT(forms) + COUNT(options) + COUNT(authorities) + COUNT(contents) +
                       COUNT(wrong_signers) >=
                   100,
               "the corpus is not to shrink");

static struct certificate_signer *signer_of(const char *name)
{
    struct certificate_signer *signer = NULL;
    size_t n;
    CLEANUP(free) char *file = keygen_read(directory, name, &n);

    assert_int_equal(certificate_signer_new((uint8_t *)file, n, &signer, NULL), 0);
    return signer;
}

static void rsa_key(uint8_t *out, size_t size, struct bytes exponent, struct bytes modulus)
{
    struct buffer b;

    buffer_init(&b, size);
    assert_int_equal(buffer_put_string(&b, exponent.at, exponent.n), 0);
    assert_int_equal(buffer_put_string(&b, modulus.at, modulus.n), 0);
    assert_int_equal(buffer_size(&b), size);
    memcpy(out, buffer_head(&b), size);
    buffer_free(&b);
}

static int make_keys(void **state)
{
    static uint8_t modulus[2050];
    const struct bytes usual = BYTES("\1\0\1"), short_modulus = BYTES("\0\xff");

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    memset(modulus, 0xff, sizeof(modulus));
    modulus[0] = 0;
    rsa_key(even_rsa, sizeof(even_rsa), (struct bytes)BYTES("\2"), short_modulus);
    rsa_key(one_rsa, sizeof(one_rsa), (struct bytes)BYTES("\1"), short_modulus);
    rsa_key(weak_rsa, sizeof(weak_rsa), usual, (struct bytes){ modulus, 256 });
    rsa_key(huge_rsa, sizeof(huge_rsa), usual, (struct bytes){ modulus, 2050 });
    modulus[1] = 0;
    rsa_key(padded_rsa, sizeof(padded_rsa), usual, (struct bytes){ modulus, 258 });
    keygen_directory(directory);
    keygen_key(directory, "ours", "ed25519", NULL);
    keygen_key(directory, "stranger", "ecdsa", NULL);
    keygen_key(directory, "rsa", "rsa", "2048");
    ours = signer_of("ours");
    stranger = signer_of("stranger");
    rsa = signer_of("rsa");
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    certificate_signer_free(ours);
    certificate_signer_free(stranger);
    certificate_signer_free(rsa);
    keygen_remove(directory);
    return 0;
}

/* A login with roles agent, for everybody, and dba, for the issuer corp's group dba. ca: that is trusted. */
static int login(const uint8_t *blob, size_t n, struct bytes ca_key, Ipc__Identity **ret,
                 struct detail *detail)
{
    static const char revoked[] = "serial:13\nid:corp/eve\n";
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    char *groups[] = { (char *)"dba" };
    Ipc__Ca ca = IPC__CA__INIT;
    Ipc__Role agent = IPC__ROLE__INIT, dba = IPC__ROLE__INIT;
    Ipc__Role *roles[] = { &agent, &dba };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    int r;

    ca.blob.data = (uint8_t *)(uintptr_t)ca_key.at;
    ca.blob.len = ca_key.n;
    agent.name = (char *)"agent";
    dba.name = (char *)"dba";
    dba.issuer = (char *)"corp";
    dba.groups = groups;
    dba.n_groups = 1;
    dba.matches_claims = true;
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = 2;
    assert_int_equal(revocation_read((const uint8_t *)revoked, sizeof(revoked) - 1, &list, NULL), 0);
    assert_int_equal(revocation_seal(&list), 0);
    r = certificate_parse(blob, n, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, &config, &list, NOW, "192.0.2.7", ret, detail);
    revocation_free(&list);
    return r;
}

/* Each gets its fault and its message, and nobody becomes anybody. */
static void expect(const struct bad *cases, size_t count, const struct certificate_signer *signer,
                   bool its_ca)
{
    for (size_t i = 0; i < count; i++) {
        struct craft craft = cases[i].craft;
        struct detail detail = { "" };
        Ipc__Identity *identity = NULL;
        CLEANUP(free) uint8_t *blob = NULL;
        struct bytes ca;
        size_t n;
        int r;

        ca.at = signer_public(ours, &ca.n);
        if (its_ca)
            ca = craft.ca;
        blob = craft_make(&craft, signer, &n);
        r = login(blob, n, ca, &identity, &detail);
        if (r != cases[i].fault || strcmp(detail.text, cases[i].message) != 0)
            fail_msg("case %zu: fault %d, not %d: %s\n         instead of: %s", i, r, cases[i].fault,
                     detail.text, cases[i].message);
        assert_null(identity);
    }
}

static void what_is_not_spoilt_is_admitted(void **state)
{
    const struct craft good = { .type = { 0 } };
    Ipc__Identity *identity = NULL;
    size_t n;
    CLEANUP(free) uint8_t *blob = craft_make(&good, ours, &n);
    struct bytes ca;

    (void)state;
    ca.at = signer_public(ours, &ca.n);
    assert_int_equal(login(blob, n, ca, &identity, NULL), 0);
    assert_string_equal(identity->name, "corp/anna");
    ipc__identity__free_unpacked(identity, NULL);
}

static void types_and_keys_are_read_strictly(void **state)
{
    (void)state;
    expect(types_and_keys, COUNT(types_and_keys), ours, false);
}

static void every_field_has_its_form(void **state)
{
    (void)state;
    expect(forms, COUNT(forms), ours, false);
}

static void options_have_their_form_order_and_meaning(void **state)
{
    (void)state;
    expect(options, COUNT(options), ours, false);
}

static void only_our_cas_sign_and_only_in_their_way(void **state)
{
    (void)state;
    expect(authorities, COUNT(authorities), ours, false);
    expect(wrong_signers, COUNT(wrong_signers), ours, true);
}

static void a_content_that_does_not_fit_is_explained(void **state)
{
    (void)state;
    expect(contents, COUNT(contents), ours, false);
}

static void one_may_not_sign_in_the_name_of_another(void **state)
{
    static const struct bad plain = { { .type = { 0 } }, BAD_SIGNATURE };
    struct bad cases[1] = { plain };

    (void)state;
    cases[0].craft.ca.at = signer_public(ours, &cases[0].craft.ca.n);
    expect(cases, 1, stranger, false);
    expect(cases, 1, rsa, false);
    cases[0].craft.ca.at = signer_public(rsa, &cases[0].craft.ca.n);
    expect(cases, 1, ours, true);
    cases[0].craft.ca.at = signer_public(stranger, &cases[0].craft.ca.n);
    expect(cases, 1, rsa, true);
}

/* Nothing that is wrong with a certificate is told to somebody whose CA is unknown: it may all be invented.
 */
static void a_forged_certificate_is_told_nothing_but_its_ca(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(contents); i++) {
        struct craft craft = contents[i].craft;
        struct detail detail = { "" };
        Ipc__Identity *identity = NULL;
        CLEANUP(free) uint8_t *blob = NULL;
        struct bytes ca;
        size_t n;

        ca.at = signer_public(ours, &ca.n);
        blob = craft_make(&craft, stranger, &n);
        assert_int_equal(login(blob, n, ca, &identity, &detail), CERTIFICATE_UNKNOWN_CA);
        assert_memory_equal(detail.text, "your certificate was signed by a CA that is not trusted here", 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_spoilt_is_admitted),
        cmocka_unit_test(types_and_keys_are_read_strictly),
        cmocka_unit_test(every_field_has_its_form),
        cmocka_unit_test(options_have_their_form_order_and_meaning),
        cmocka_unit_test(only_our_cas_sign_and_only_in_their_way),
        cmocka_unit_test(a_content_that_does_not_fit_is_explained),
        cmocka_unit_test(one_may_not_sign_in_the_name_of_another),
        cmocka_unit_test(a_forged_certificate_is_told_nothing_but_its_ca),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
