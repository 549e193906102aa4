/* Claims: which roles they give, in which form they are taken, and from whose certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "certificate_craft.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/certificate_signer.h"
#include "policy/claims.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char directory[KEYGEN_PATH];
static struct certificate_signer *ours, *team;

static int make_keys(void **state)
{
    static const char *const names[] = { "ours", "team" };
    struct certificate_signer **const signers[] = { &ours, &team };

    (void)state;
    keygen_directory(directory);
    for (size_t i = 0; i < COUNT(names); i++) {
        char *file;
        size_t n;

        keygen_key(directory, names[i], "ed25519", NULL);
        file = keygen_read(directory, names[i], &n);
        assert_int_equal(certificate_signer_new((uint8_t *)file, n, signers[i], NULL), 0);
        free(file);
    }
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    certificate_signer_free(ours);
    certificate_signer_free(team);
    keygen_remove(directory);
    return 0;
}

/* Anna of corp: groups dba and staff, email, and two regions; an agent acts for her. */
static Ipc__Claims anna(void)
{
    static char *groups[] = { (char *)"dba", (char *)"staff" }, *email[] = { (char *)"anna@example.com" };
    static char *regions[] = { (char *)"eu-1", (char *)"us-2" };
    static Ipc__Claim mail = IPC__CLAIM__INIT, region = IPC__CLAIM__INIT;
    static Ipc__Claim *others[] = { &mail, &region };
    Ipc__Claims claims = IPC__CLAIMS__INIT;

    mail.name = (char *)"email";
    mail.values = email;
    mail.n_values = 1;
    region.name = (char *)"region";
    region.values = regions;
    region.n_values = 2;
    claims.issuer = (char *)"corp";
    claims.subject = (char *)"00u1";
    claims.username = (char *)"anna@example.com";
    claims.actor = (char *)"agent-7";
    claims.groups = groups;
    claims.n_groups = 2;
    claims.others = others;
    claims.n_others = 2;
    return claims;
}

/* A role as the configuration would hold it; lists are comma-separated. */
struct asks {
    const char *issuer, *groups;
    const char *claims[2][2]; /* name, values */
};

enum { TEXTS_MAX = 8 };

struct role_house {
    Ipc__Role role;
    Ipc__ClaimMatch matches[2], *pointers[2];
    char text[3][128];
    char *groups[TEXTS_MAX], *values[2][TEXTS_MAX];
};

static size_t split(const char *list, char text[128], char *ret[TEXTS_MAX])
{
    char *next = text, *item;
    size_t n = 0;

    if (!list)
        return 0;
    snprintf(text, 128, "%s", list);
    while ((item = strsep(&next, ",")))
        ret[n++] = item;
    return n;
}

static void role_of(const struct asks *asks, struct role_house *ret)
{
    ipc__role__init(&ret->role);
    ret->role.name = (char *)"dba";
    ret->role.issuer = (char *)(uintptr_t)(asks->issuer ? asks->issuer : "");
    ret->role.groups = ret->groups;
    ret->role.n_groups = split(asks->groups, ret->text[0], ret->groups);
    ret->role.claims = ret->pointers;
    for (size_t i = 0; i < 2 && asks->claims[i][0]; i++) {
        ipc__claim_match__init(&ret->matches[i]);
        ret->matches[i].name = (char *)(uintptr_t)asks->claims[i][0];
        ret->matches[i].values = ret->values[i];
        ret->matches[i].n_values = split(asks->claims[i][1], ret->text[1 + i], ret->values[i]);
        ret->pointers[i] = &ret->matches[i];
        ret->role.n_claims = i + 1;
    }
    ret->role.matches_claims = asks->issuer || asks->groups || asks->claims[0][0];
}

static const struct {
    struct asks asks;
    bool holds;
} conditions[] = {
    { { .issuer = NULL }, false }, /* it asks for nothing: nothing that claims could give */
    { { .issuer = "corp" }, true },
    { { .issuer = "Corp" }, false },
    { { .issuer = "corp2" }, false },
    { { .groups = "dba" }, true },
    { { .groups = "ops,dba" }, true },
    { { .groups = "DBA" }, false },
    { { .groups = "db" }, false },
    { { .groups = "st*" }, true },
    { { .groups = "*" }, true },
    { { .groups = "?ba" }, true },
    { { .groups = "[a-c]ba" }, false },
    { { .issuer = "corp", .groups = "ops" }, false },
    { { .issuer = "other", .groups = "dba" }, false },
    { { .claims = { { "email", "*@example.com" } } }, true },
    { { .claims = { { "email", "*@example.org,bert@*" } } }, false },
    { { .claims = { { "region", "us-*" } } }, true },
    { { .claims = { { "region", "eu-1,us-2" } } }, true },
    { { .claims = { { "email", "anna@*" }, { "region", "eu-*" } } }, true },
    { { .claims = { { "email", "anna@*" }, { "region", "ap-*" } } }, false },
    { { .claims = { { "email", "bert@*" }, { "region", "eu-*" } } }, false },
    { { .claims = { { "missing", "*" } } }, false },
    { { .claims = { { "Email", "*" } } }, false },
    { { .claims = { { "sub", "00u*" } } }, true },
    { { .claims = { { "sub", "anna*" } } }, false },
    { { .claims = { { "act.sub", "agent-*" } } }, true },
    { { .claims = { { "act.sub", "human" } } }, false },
    { { .claims = { { "username", "*" } } }, false }, /* a field of ours, no claim */
    { { .issuer = "corp", .groups = "staff", .claims = { { "email", "*" }, { "sub", "*" } } }, true },
};

static void a_role_is_held_when_all_that_it_asks_for_is_there(void **state)
{
    Ipc__Claims claims = anna();

    (void)state;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        struct role_house house;

        role_of(&conditions[i].asks, &house);
        if (claims_hold_role(&claims, &house.role) != conditions[i].holds)
            fail_msg("condition %zu", i);
    }
}

static void claims_that_are_empty_hold_nothing_that_is_asked_for(void **state)
{
    Ipc__Claims claims = IPC__CLAIMS__INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        struct role_house house;

        role_of(&conditions[i].asks, &house);
        assert_false(claims_hold_role(&claims, &house.role));
    }
}

/* ---- the packed form ---- */

static char texts[4][CLAIMS_TEXT_MAX + 2];

static int round_trip(const Ipc__Claims *claims)
{
    size_t n = ipc__claims__get_packed_size(claims);
    CLEANUP(free) uint8_t *packed = malloc(n + 1);
    Ipc__Claims *again = NULL;
    int r;

    assert_non_null(packed);
    assert_int_equal(ipc__claims__pack(claims, packed), n);
    r = claims_unpack(packed, n, &again);
    assert_true((r == 0) == (again != NULL));
    assert_true(claims_are_fit(claims) || r != 0);
    if (again) {
        assert_string_equal(again->issuer, claims->issuer);
        assert_string_equal(again->username, claims->username);
        assert_int_equal(again->n_groups, claims->n_groups);
        ipc__claims__free_unpacked(again, NULL);
    }
    return r;
}

static void what_is_packed_is_unpacked(void **state)
{
    Ipc__Claims claims = anna();

    (void)state;
    assert_int_equal(round_trip(&claims), 0);
}

static void every_text_has_its_limit(void **state)
{
    Ipc__Claims claims;

    (void)state;
    memset(texts, 'x', sizeof(texts));
    texts[0][CLAIMS_TEXT_MAX] = texts[1][CLAIMS_TEXT_MAX + 1] = '\0';
    texts[2][CLAIMS_USERNAME_MAX] = texts[3][CLAIMS_USERNAME_MAX + 1] = '\0';
    for (size_t i = 0; i < 4; i++) {
        claims = anna();
        *(char **[]){ &claims.issuer, &claims.subject, &claims.token_id, &claims.authorized_party }[i] =
            texts[0];
        assert_int_equal(round_trip(&claims), 0);
        *(char **[]){ &claims.issuer, &claims.subject, &claims.token_id, &claims.authorized_party }[i] =
            texts[1];
        assert_int_not_equal(round_trip(&claims), 0);
    }
    claims = anna();
    claims.username = texts[2];
    assert_int_equal(round_trip(&claims), 0);
    claims.username = texts[3];
    assert_int_not_equal(round_trip(&claims), 0);
    claims = anna();
    claims.others[1]->values[0] = texts[1];
    assert_int_not_equal(round_trip(&claims), 0);
    claims.others[1]->values[0] = (char *)"eu-1";
    claims.others[1]->name = texts[1];
    assert_int_not_equal(round_trip(&claims), 0);
    claims.others[1]->name = (char *)"region";
    assert_int_equal(round_trip(&claims), 0);
}

static void a_claim_has_a_limited_number_of_values_and_all_a_size(void **state)
{
    static char *many[CLAIMS_VALUES_MAX + 1];
    Ipc__Claims claims = anna();

    (void)state;
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (char *)"g";
    claims.groups = many;
    claims.n_groups = CLAIMS_VALUES_MAX;
    assert_int_equal(round_trip(&claims), 0);
    claims.n_groups++;
    assert_int_not_equal(round_trip(&claims), 0);
    memset(texts[0], 'x', CLAIMS_TEXT_MAX);
    texts[0][CLAIMS_TEXT_MAX] = '\0';
    claims.n_groups = CLAIMS_MAX / CLAIMS_TEXT_MAX;
    for (size_t i = 0; i < claims.n_groups; i++)
        many[i] = texts[0];
    assert_int_not_equal(round_trip(&claims), 0);
}

static void texts_are_utf8_without_control_characters(void **state)
{
    static const char *const good[] = { "", "anna", "änna", "安娜", "a b", "\xf0\x9f\x98\x80" };
    static const char *const bad[] = { "\x1b[2J",  "a\nb", "a\tb", "\x7f",
                                       "\xc2\x9b", "\xff", "\xc3", "\xed\xa0\x80" };
    Ipc__Claims claims = anna();

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        claims.subject = claims.groups[0] = (char *)(uintptr_t)good[i];
        assert_int_equal(round_trip(&claims), 0);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        claims.subject = (char *)(uintptr_t)bad[i];
        claims.groups[0] = (char *)"dba";
        assert_int_not_equal(round_trip(&claims), 0);
        claims.subject = (char *)"00u1";
        claims.groups[0] = (char *)(uintptr_t)bad[i];
        assert_int_not_equal(round_trip(&claims), 0);
    }
    claims.groups[0] = (char *)"dba";
    claims.issuer = (char *)"";
    assert_int_not_equal(round_trip(&claims), 0);
}

static void garbage_is_no_claims(void **state)
{
    static const struct bytes cases[] = { BYTES(""), BYTES("\x0a"),
                                          BYTES("\x0a\x05"
                                                "corp"),
                                          BYTES("corp"),
                                          BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") };
    Ipc__Claims *claims = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_not_equal(claims_unpack(cases[i].at, cases[i].n, &claims), 0);
    assert_null(claims);
}

/* ---- at a login ---- */

/* A login where the user CA's role dba asks for something, and the team's role ops takes the principal dba.
 */
static int login(const struct craft *craft, const struct certificate_signer *signer, const struct asks *asks,
                 Ipc__Identity **ret, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct role_house house;
    char *principals[] = { (char *)"dba" };
    Ipc__Ca user_ca = IPC__CA__INIT, team_ca = IPC__CA__INIT, *trusted[] = { &team_ca };
    Ipc__Role ops = IPC__ROLE__INIT, *roles[] = { &house.role, &ops };
    Ipc__Config config = IPC__CONFIG__INIT;
    size_t n;
    CLEANUP(free) uint8_t *blob = craft_make(craft, signer, &n);
    int r;

    role_of(asks, &house);
    user_ca.blob.data = (uint8_t *)(uintptr_t)signer_public(ours, &user_ca.blob.len);
    team_ca.blob.data = (uint8_t *)(uintptr_t)signer_public(team, &team_ca.blob.len);
    team_ca.name = ops.ca = (char *)"team.pub";
    ops.name = (char *)"ops";
    ops.principals = principals;
    ops.n_principals = 1;
    config.user_ca_public = &user_ca;
    config.trusted_cas = trusted;
    config.n_trusted_cas = 1;
    config.roles = roles;
    config.n_roles = 2;
    r = certificate_parse(blob, n, &certificate, detail);
    return r ? r : certificate_admit(certificate, &config, NULL, 1, "192.0.2.7", ret, detail);
}

/* claims@gatehouse with the issuer corp and the group dba. */
#define CORP_DBA "claims@gatehouse=\x0a\4corp\x22\3dba"

static void a_role_with_conditions_needs_the_principal_and_the_claims(void **state)
{
    static const struct asks dba = { .issuer = "corp", .groups = "dba" }, ops = { .groups = "ops" },
                             nothing = { .issuer = NULL };
    static const struct {
        struct craft craft;
        const struct asks *asks;
        int expected;
    } cases[] = {
        { { .principals = "dba", .extensions = CORP_DBA }, &dba, 0 },
        { { .principals = "agent", .extensions = CORP_DBA }, &dba, CERTIFICATE_NO_ROLE },
        { { .principals = "dba", .extensions = CORP_DBA }, &ops, CERTIFICATE_NO_ROLE },
        { { .principals = "dba" }, &dba, CERTIFICATE_NO_ROLE },
        { { .principals = "dba" }, &nothing, 0 },
        { { .principals = "dba", .extensions = CORP_DBA }, &nothing, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__Identity *identity = NULL;

        assert_int_equal(login(&cases[i].craft, ours, cases[i].asks, &identity, NULL), cases[i].expected);
        if (!identity)
            continue;
        assert_int_equal(identity->n_roles, 1);
        assert_string_equal(identity->roles[0], "dba");
        ipc__identity__free_unpacked(identity, NULL);
    }
}

#define SK_TYPE "sk-ssh-ed25519-cert-v01@openssh.com"
#define SK_KEY                                                                                               \
    "\0\0\0\x20"                                                                                             \
    "0123456789abcdef0123456789abcdef"                                                                       \
    "\0\0\0\4"                                                                                               \
    "ssh:"

static void only_a_security_key_that_asks_for_a_touch_is_hardware(void **state)
{
    static const struct asks nothing = { .issuer = NULL };
    static const struct {
        struct craft craft;
        bool hardware;
    } cases[] = {
        { { .principals = "dba" }, false },
        { { .principals = "dba", .type = BYTES(SK_TYPE), .key = BYTES(SK_KEY) }, true },
        { { .principals = "dba",
            .type = BYTES(SK_TYPE),
            .key = BYTES(SK_KEY),
            .extensions = "no-touch-required|permit-pty" },
          false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__Identity *identity = NULL;

        assert_int_equal(login(&cases[i].craft, ours, &nothing, &identity, NULL), 0);
        assert_int_equal(identity->hardware, cases[i].hardware);
        ipc__identity__free_unpacked(identity, NULL);
    }
}

static void an_identity_has_the_claims_of_our_own_certificates(void **state)
{
    static const struct craft craft = { .principals = "dba", .extensions = CORP_DBA };
    static const struct asks nothing = { .issuer = NULL };
    Ipc__Identity *identity = NULL;

    (void)state;
    assert_int_equal(login(&craft, ours, &nothing, &identity, NULL), 0);
    assert_non_null(identity->claims);
    assert_string_equal(identity->claims->issuer, "corp");
    assert_string_equal(identity->claims->groups[0], "dba");
    ipc__identity__free_unpacked(identity, NULL);
}

/* Whoever runs another CA may write what it likes there: it is not even read. */
static void claims_in_certificates_of_another_ca_are_ignored(void **state)
{
    static const char *const extensions[] = { CORP_DBA, "claims@gatehouse~x", "claims@gatehouse=\xff",
                                              "permit-pty" };
    static const struct asks dba = { .issuer = "corp", .groups = "dba" };

    (void)state;
    for (size_t i = 0; i < COUNT(extensions); i++) {
        const struct craft craft = { .principals = "dba", .extensions = extensions[i] };
        Ipc__Identity *identity = NULL;

        assert_int_equal(login(&craft, team, &dba, &identity, NULL), 0);
        assert_null(identity->claims);
        assert_int_equal(identity->n_roles, 1);
        assert_string_equal(identity->roles[0], "ops");
        ipc__identity__free_unpacked(identity, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_is_held_when_all_that_it_asks_for_is_there),
        cmocka_unit_test(claims_that_are_empty_hold_nothing_that_is_asked_for),
        cmocka_unit_test(what_is_packed_is_unpacked),
        cmocka_unit_test(every_text_has_its_limit),
        cmocka_unit_test(a_claim_has_a_limited_number_of_values_and_all_a_size),
        cmocka_unit_test(texts_are_utf8_without_control_characters),
        cmocka_unit_test(garbage_is_no_claims),
        cmocka_unit_test(a_role_with_conditions_needs_the_principal_and_the_claims),
        cmocka_unit_test(an_identity_has_the_claims_of_our_own_certificates),
        cmocka_unit_test(only_a_security_key_that_asks_for_a_touch_is_hardware),
        cmocka_unit_test(claims_in_certificates_of_another_ca_are_ignored),
    };

    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
