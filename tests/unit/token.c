/* Tokens that are good, keys that fit, and what of a token goes into a certificate. */
#include "policy/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "policy/claims.h"
#include "token_fixture.h"

enum { NOW = 1700000000 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BASE         "\"iss\":\"https://idp.example.com\",\"aud\":\"gatehouse\",\"exp\":1700000300"

static char *audiences[] = { (char *)"gatehouse", (char *)"bastion" };
static char *agent_groups[] = { (char *)"agents", (char *)"team-*" };
static char *ref_values[] = { (char *)"refs/heads/main", (char *)"true", (char *)"4*", (char *)"repo:*" };
static Ipc__ClaimMatch ref_match = IPC__CLAIM_MATCH__INIT, flag_match = IPC__CLAIM_MATCH__INIT,
                       nested_match = IPC__CLAIM_MATCH__INIT, scope_match = IPC__CLAIM_MATCH__INIT;
static Ipc__ClaimMatch *matches[] = { &ref_match, &flag_match, &nested_match, &scope_match };
static Ipc__Role agent = IPC__ROLE__INIT, elsewhere = IPC__ROLE__INIT;
static Ipc__Role *roles[] = { &agent, &elsewhere };
static Ipc__Issuer corp = IPC__ISSUER__INIT;
static Ipc__Issuer *issuers[] = { &corp };
static Ipc__Config config = IPC__CONFIG__INIT;

static void fill_match(Ipc__ClaimMatch *match, const char *name)
{
    match->name = (char *)(uintptr_t)name;
    match->values = ref_values;
    match->n_values = COUNT(ref_values);
}

static int set_up(void **state)
{
    static char *other_groups[] = { (char *)"*" };

    corp.name = (char *)"corp";
    corp.issuer = (char *)"https://idp.example.com";
    corp.audiences = audiences;
    corp.n_audiences = COUNT(audiences);
    corp.username_claim = (char *)"sub";
    corp.groups_claim = (char *)"groups";
    fill_match(&ref_match, "ref");
    fill_match(&flag_match, "flag");
    fill_match(&nested_match, "resource.number");
    fill_match(&scope_match, "scope");
    agent.name = (char *)"agent";
    agent.groups = agent_groups;
    agent.n_groups = COUNT(agent_groups);
    agent.claims = matches;
    agent.n_claims = COUNT(matches);
    agent.matches_claims = true;
    elsewhere.name = (char *)"elsewhere";
    elsewhere.issuer = (char *)"another";
    elsewhere.groups = other_groups;
    elsewhere.n_groups = 1;
    config.issuers = issuers;
    config.n_issuers = 1;
    config.roles = roles;
    config.n_roles = COUNT(roles);
    return fixture_make_keys(state);
}

static struct jwks *keys_of(enum fixture_key key, const char *members)
{
    char *jwk = fixture_jwk(key, members);
    char *set = fixture_format("{\"keys\":[%s]}", jwk);
    struct jwks *jwks = NULL;
    struct detail detail = { "" };
    int r = jwks_parse(set, strlen(set), &jwks, &detail);

    if (r)
        fail_msg("jwks_parse: %d %s", r, detail.text);
    free(jwk);
    free(set);
    return jwks;
}

static int verify(const char *text, const struct jwks *keys, struct detail *detail)
{
    CLEANUP(token_free) struct token *token = NULL;
    int r = token_parse(text, strlen(text), &token, detail);

    if (r)
        return r;
    assert_ptr_equal(token_issuer(token, &config, detail), &corp);
    assert_int_equal(token_expires(token), NOW + 300);
    return token_verify(token, &corp, keys, NOW, detail);
}

/* ---- signatures ---- */

static const struct {
    const char *alg;
    enum fixture_key key;
} algorithms[] = {
    { "RS256", FIXTURE_RSA },     { "RS384", FIXTURE_RSA },       { "RS512", FIXTURE_RSA },
    { "PS256", FIXTURE_RSA },     { "PS384", FIXTURE_RSA },       { "PS512", FIXTURE_RSA },
    { "ES256", FIXTURE_P256 },    { "ES384", FIXTURE_P384 },      { "ES512", FIXTURE_P521 },
    { "EdDSA", FIXTURE_ED25519 }, { "Ed25519", FIXTURE_ED25519 },
};

static void a_token_of_every_algorithm_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        char header[100], members[100];
        struct detail detail = { "" };

        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
                 algorithms[i].alg);
        snprintf(members, sizeof(members), "\"kid\":\"k1\",\"use\":\"sig\",\"alg\":\"%s\"",
                 algorithms[i].alg);
        CLEANUP(jwks_free) struct jwks *keys = keys_of(algorithms[i].key, members);
        CLEANUP(free)
        char *text =
            fixture_token(algorithms[i].key, algorithms[i].alg, header, "{" BASE ",\"sub\":\"alice\"}");
        if (verify(text, keys, &detail))
            fail_msg("%s: %s", algorithms[i].alg, detail.text);
    }
}

/* Every bit of the signature and of what it covers counts. */
static void a_token_with_one_character_changed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(algorithms); i++) {
        char header[100];
        struct detail detail = { "" };

        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithms[i].alg);
        CLEANUP(jwks_free) struct jwks *keys = keys_of(algorithms[i].key, "");
        CLEANUP(free)
        char *text =
            fixture_token(algorithms[i].key, algorithms[i].alg, header, "{" BASE ",\"sub\":\"alice\"}");
        size_t n = strlen(text);
        for (size_t at = 0; at < n; at += 7) {
            char was = text[at];

            text[at] = was == 'A' ? 'B' : 'A';
            CLEANUP(token_free) struct token *token = NULL;
            int r = token_parse(text, n, &token, &detail);
            if (r == 0 && token_issuer(token, &config, &detail))
                r = token_verify(token, &corp, keys, NOW, &detail);
            else if (r == 0)
                r = TOKEN_UNKNOWN_ISSUER;
            if (r <= 0)
                fail_msg("%s: accepted with character %zu changed (%d)", algorithms[i].alg, at, r);
            text[at] = was;
        }
        assert_int_equal(verify(text, keys, &detail), 0);
    }
}

static void a_key_is_for_its_own_algorithm_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(algorithms); i++)
        for (size_t k = 0; k < COUNT(algorithms); k++) {
            char members[100];
            struct detail detail = { "" };
            bool same =
                i == k || (algorithms[i].key == FIXTURE_ED25519 && algorithms[k].key == FIXTURE_ED25519);

            if (algorithms[i].key != algorithms[k].key)
                continue;
            snprintf(members, sizeof(members), "\"kid\":\"k1\",\"alg\":\"%s\"", algorithms[k].alg);
            CLEANUP(jwks_free) struct jwks *keys = keys_of(algorithms[i].key, members);
            CLEANUP(free) char *header = fixture_format("{\"alg\":\"%s\",\"kid\":\"k1\"}", algorithms[i].alg);
            CLEANUP(free)
            char *text =
                fixture_token(algorithms[i].key, algorithms[i].alg, header, "{" BASE ",\"sub\":\"a\"}");
            assert_int_equal(verify(text, keys, &detail), same ? 0 : TOKEN_ALGORITHM);
        }
}

/* ---- keys ---- */

static char *set_of_three(const char *kid1, const char *kid2, const char *kid3)
{
    CLEANUP(free) char *a = fixture_jwk(FIXTURE_RSA_OTHER, kid1);
    CLEANUP(free) char *b = fixture_jwk(FIXTURE_P256, kid2);
    CLEANUP(free) char *c = fixture_jwk(FIXTURE_RSA, kid3);

    return fixture_format("{\"keys\":[%s,%s,%s]}", a, b, c);
}

static int verify_with(const char *set, const char *header, struct detail *detail)
{
    CLEANUP(jwks_free) struct jwks *keys = NULL;
    CLEANUP(free) char *text = fixture_token(FIXTURE_RSA, "RS256", header, "{" BASE ",\"sub\":\"alice\"}");

    assert_int_equal(jwks_parse(set, strlen(set), &keys, detail), 0);
    return verify(text, keys, detail);
}

static void a_token_that_names_no_key_is_tried_with_those_that_fit(void **state)
{
    CLEANUP(free) char *set = set_of_three("\"kid\":\"1\"", "\"kid\":\"2\"", "\"kid\":\"3\"");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\"}", &detail), 0);
}

static void keys_without_names_are_tried_for_a_token_that_names_one(void **state)
{
    CLEANUP(free) char *set = set_of_three("", "", "");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"7\"}", &detail), 0);
}

static void a_named_key_alone_counts_when_keys_have_names(void **state)
{
    CLEANUP(free) char *set = set_of_three("\"kid\":\"1\"", "\"kid\":\"2\"", "\"kid\":\"3\"");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"3\"}", &detail), 0);
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"1\"}", &detail), TOKEN_BAD_SIGNATURE);
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"2\"}", &detail), TOKEN_ALGORITHM);
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"4\"}", &detail), TOKEN_UNKNOWN_KEY);
}

static void two_keys_of_the_same_name_are_both_tried(void **state)
{
    CLEANUP(free) char *set = set_of_three("\"kid\":\"k\"", "\"kid\":\"k\"", "\"kid\":\"k\"");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"k\"}", &detail), 0);
}

static void keys_that_can_not_be_used_do_not_spoil_the_others(void **state)
{
    CLEANUP(free) char *weak = fixture_jwk(FIXTURE_RSA_WEAK, "\"kid\":\"weak\"");
    CLEANUP(free) char *good = fixture_jwk(FIXTURE_RSA, "\"kid\":\"good\"");
    CLEANUP(free)
    char *set = fixture_format(
        "{\"keys\":[%s,{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"s\"},{\"kty\":\"AKP\"},7,{},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"},{\"kty\":\"OKP\",\"crv\":\"X25519\","
        "\"x\":\"AA\"},{\"kty\":\"RSA\",\"n\":7},%s]}",
        weak, good);
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"good\"}", &detail), 0);
    assert_int_equal(verify_with(set, "{\"alg\":\"RS256\",\"kid\":\"weak\"}", &detail), TOKEN_ALGORITHM);
    assert_string_equal(detail.text,
                        "the key \"weak\" of the token's issuer is an RSA key of less than 2048 bits");
}

static void sets_of_keys_that_are_none_are_refused_with_a_reason(void **state)
{
    CLEANUP(free) char *weak = fixture_jwk(FIXTURE_RSA_WEAK, "");
    CLEANUP(free) char *weak_set = fixture_format("{\"keys\":[%s]}", weak);
    CLEANUP(free) char *encrypting = fixture_jwk(FIXTURE_RSA, "\"use\":\"enc\"");
    CLEANUP(free) char *encrypting_set = fixture_format("{\"keys\":[%s]}", encrypting);
    CLEANUP(free) char *signing = fixture_jwk(FIXTURE_RSA, "\"key_ops\":[\"sign\"]");
    CLEANUP(free) char *signing_set = fixture_format("{\"keys\":[%s]}", signing);
    CLEANUP(free) char *wrapping = fixture_jwk(FIXTURE_RSA, "\"alg\":\"RSA-OAEP\"");
    CLEANUP(free) char *wrapping_set = fixture_format("{\"keys\":[%s]}", wrapping);
    CLEANUP(free) char *private = fixture_jwk(FIXTURE_ED25519, "\"d\":\"AAAA\"");
    CLEANUP(free) char *private_set = fixture_format("{\"keys\":[%s]}", private);
    CLEANUP(free) char *deep = malloc(5000);
    const struct {
        const char *set, *message;
    } cases[] = {
        { "", "it is not JSON" },
        { "[]", "it is not a JSON object" },
        { "{}", "it is no set of keys (JWKS): it has no list \"keys\"" },
        { "{\"keys\":{}}", "it is no set of keys (JWKS): it has no list \"keys\"" },
        { "{\"keys\":[]}", "it holds no key" },
        { "{\"keys\":[],\"keys\":[]}", "it has two members of the same name" },
        { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
          "it holds no key that can be used: the first is of a type that is not supported" },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}",
          "it holds no key that can be used: the first is malformed" },
        { weak_set, "it holds no key that can be used: the first is an RSA key of less than 2048 bits" },
        { encrypting_set, "it holds no key that can be used: the first is not for signatures" },
        { signing_set, "it holds no key that can be used: the first is not for signatures" },
        { wrapping_set,
          "it holds no key that can be used: the first is for an algorithm that is not supported" },
        { private_set, "it holds a private key, which somebody else may have read by now" },
        { deep, "it is nested too deeply" },
        { "<html>", "it is not JSON" },
    };

    (void)state;
    memset(deep, '[', 4999);
    deep[4999] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct jwks *jwks = NULL;
        struct detail detail = { "" };

        assert_int_equal(jwks_parse(cases[i].set, strlen(cases[i].set), &jwks, &detail), -EINVAL);
        assert_string_equal(detail.text, cases[i].message);
        assert_null(jwks);
    }
}

static void a_set_beyond_its_limit_is_refused(void **state)
{
    CLEANUP(free) char *text = malloc(TOKEN_JWKS_MAX + 1);
    struct jwks *jwks = NULL;
    struct detail detail = { "" };

    (void)state;
    memset(text, ' ', TOKEN_JWKS_MAX + 1);
    assert_int_equal(jwks_parse(text, TOKEN_JWKS_MAX + 1, &jwks, &detail), -EINVAL);
    assert_string_equal(detail.text, "it has more than 524288 bytes");
}

/* RFC 8725 §3.1 and CVE-2018-0114: a key in the header is not even looked at. */
static void keys_that_come_with_the_token_do_not_count(void **state)
{
    CLEANUP(jwks_free) struct jwks *keys = keys_of(FIXTURE_ED25519, "");
    CLEANUP(free) char *own = fixture_jwk(FIXTURE_ED25519_OTHER, "");
    CLEANUP(free)
    char *header = fixture_format("{\"alg\":\"EdDSA\",\"jwk\":%s,\"jku\":\"https://other.example.com/"
                                  "keys\",\"x5u\":\"file:///dev/zero\"}",
                                  own);
    CLEANUP(free)
    char *forged = fixture_token(FIXTURE_ED25519_OTHER, "EdDSA", header, "{" BASE ",\"sub\":\"alice\"}");
    CLEANUP(free)
    char *good = fixture_token(FIXTURE_ED25519, "EdDSA", header, "{" BASE ",\"sub\":\"alice\"}");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify(forged, keys, &detail), TOKEN_UNKNOWN_KEY);
    assert_int_equal(verify(good, keys, &detail), 0);
}

/* ---- claims ---- */

static const char plain_header[] = "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}";

static int claims_of(const char *json, Ipc__Claims **ret, struct detail *detail)
{
    CLEANUP(jwks_free) struct jwks *keys = keys_of(FIXTURE_ED25519, "");
    CLEANUP(free) char *text = fixture_token(FIXTURE_ED25519, "EdDSA", plain_header, json);
    CLEANUP(free) char *around = fixture_format(" \n%s\r\n", text);
    CLEANUP(token_free) struct token *token = NULL;
    int r = token_parse(around, strlen(around), &token, detail);

    if (r == 0)
        r = token_verify(token, &corp, keys, NOW, detail);
    return r ? r : token_claims(token, &corp, &config, ret, detail);
}

static void what_roles_ask_for_is_kept_and_nothing_else(void **state)
{
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };
    int r =
        claims_of("{" BASE ",\"sub\":\"alice\",\"jti\":\"t-1\",\"azp\":\"cli\",\"client_id\":\"not this\","
                  "\"act\":{\"sub\":\"agent-7\",\"act\":{\"sub\":\"agent-6\"}},"
                  "\"groups\":[\"agents\",\"staff\",\"team-a\",\"agents\",7,null,[\"agents\"]],"
                  "\"ref\":\"refs/heads/main\",\"flag\":true,\"resource\":{\"number\":[42,17,{}]},"
                  "\"scope\":\"openid repo:read  repo:write\",\"phone\":\"refs/heads/main\"}",
                  &claims, &detail);

    (void)state;
    if (r)
        fail_msg("%s", detail.text);
    assert_string_equal(claims->issuer, "corp");
    assert_string_equal(claims->subject, "alice");
    assert_string_equal(claims->username, "alice");
    assert_string_equal(claims->token_id, "t-1");
    assert_string_equal(claims->actor, "agent-7");
    assert_string_equal(claims->authorized_party, "cli");
    assert_int_equal(claims->n_groups, 2);
    assert_string_equal(claims->groups[0], "agents");
    assert_string_equal(claims->groups[1], "team-a");
    assert_int_equal(claims->n_others, 4);
    assert_string_equal(claims->others[0]->name, "ref");
    assert_int_equal(claims->others[0]->n_values, 1);
    assert_string_equal(claims->others[1]->values[0], "true");
    assert_int_equal(claims->others[2]->n_values, 1);
    assert_string_equal(claims->others[2]->values[0], "42");
    assert_int_equal(claims->others[3]->n_values, 2);
    assert_string_equal(claims->others[3]->values[1], "repo:write");
    assert_true(claims_are_fit(claims));
    assert_true(claims_hold_role(claims, &agent));
    ipc__claims__free_unpacked(claims, NULL);
}

static void a_claim_without_a_value_that_is_asked_for_is_not_kept(void **state)
{
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(
        claims_of("{" BASE ",\"sub\":\"a\",\"ref\":\"refs/heads/other\",\"flag\":null,\"client_id\":\"job\"}",
                  &claims, &detail),
        0);
    assert_int_equal(claims->n_others, 0);
    assert_int_equal(claims->n_groups, 0);
    assert_string_equal(claims->authorized_party, "job");
    assert_false(claims_hold_role(claims, &agent));
    ipc__claims__free_unpacked(claims, NULL);
}

static void people_are_named_by_the_claim_that_is_configured(void **state)
{
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };

    (void)state;
    corp.username_claim = (char *)"email";
    assert_int_equal(claims_of("{" BASE
                               ",\"sub\":\"1\",\"email\":\"al@example.com\",\"email_verified\":\"true\"}",
                               &claims, &detail),
                     0);
    assert_string_equal(claims->username, "al@example.com");
    assert_string_equal(claims->subject, "1");
    ipc__claims__free_unpacked(claims, NULL);
    assert_int_equal(claims_of("{" BASE
                               ",\"sub\":\"1\",\"email\":\"al@example.com\",\"email_verified\":false}",
                               &claims, &detail),
                     TOKEN_CLAIMS);
    assert_string_equal(detail.text, "the token's e-mail address has not been verified (email_verified)");
    assert_int_equal(claims_of("{" BASE ",\"sub\":\"1\"}", &claims, &detail), TOKEN_CLAIMS);
    assert_string_equal(detail.text, "the token has no \"email\", by which people are named here");
    corp.username_claim = (char *)"sub";
}

static void times_are_accepted_as_far_as_clocks_may_differ(void **state)
{
    static const struct {
        const char *times;
        int fault;
    } cases[] = {
        { "\"exp\":1700000300.75", 0 },
        { "\"exp\":1.7000003e9", 0 },
        { "\"exp\":1699999941", 0 },
        { "\"exp\":1699999940", TOKEN_EXPIRED },
        { "\"exp\":253402300799", 0 },
        { "\"exp\":1700000300,\"nbf\":1700000060,\"iat\":1700000060.9", 0 },
        { "\"exp\":1700000300,\"nbf\":1700000061", TOKEN_NOT_YET_VALID },
        { "\"exp\":1700000300,\"iat\":1700000061", TOKEN_NOT_YET_VALID },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(jwks_free) struct jwks *keys = keys_of(FIXTURE_ED25519, "");
        CLEANUP(free)
        char *json = fixture_format(
            "{\"iss\":\"https://idp.example.com\",\"aud\":[\"x\",\"bastion\"],\"sub\":\"a\",%s}",
            cases[i].times);
        CLEANUP(free) char *text = fixture_token(FIXTURE_ED25519, "EdDSA", plain_header, json);
        CLEANUP(token_free) struct token *token = NULL;
        struct detail detail = { "" };

        assert_int_equal(token_parse(text, strlen(text), &token, &detail), 0);
        assert_int_equal(token_verify(token, &corp, keys, NOW, &detail), cases[i].fault);
    }
}

static void an_id_token_for_our_client_is_for_us(void **state)
{
    CLEANUP(jwks_free) struct jwks *keys = keys_of(FIXTURE_ED25519, "");
    CLEANUP(free)
    char *text = fixture_token(
        FIXTURE_ED25519, "EdDSA", plain_header,
        "{\"iss\":\"https://idp.example.com\",\"aud\":\"gatehouse-cli\",\"exp\":1700000300,\"sub\":\"a\"}");
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(verify(text, keys, &detail), TOKEN_AUDIENCE);
    corp.client_id = (char *)"gatehouse-cli";
    assert_int_equal(verify(text, keys, &detail), 0);
    corp.client_id = (char *)protobuf_c_empty_string;
}

static void many_groups_have_a_limit(void **state)
{
    size_t size = 16 * (CLAIMS_VALUES_MAX + 1) + 512, n;
    CLEANUP(free) char *json = malloc(size);
    Ipc__Claims *claims = NULL;
    struct detail detail = { "" };

    (void)state;
    n = (size_t)snprintf(json, size, "{" BASE ",\"sub\":\"a\",\"groups\":[");
    for (int i = 0; i <= CLAIMS_VALUES_MAX; i++)
        n += (size_t)snprintf(json + n, size - n, "%s\"team-%d\"", i ? "," : "", i);
    snprintf(json + n, size - n, "]}");
    assert_int_equal(claims_of(json, &claims, &detail), TOKEN_CLAIMS);
    assert_string_equal(detail.text, "the token's \"groups\" has more than 256 values that roles name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_of_every_algorithm_is_accepted),
        cmocka_unit_test(a_token_with_one_character_changed_is_refused),
        cmocka_unit_test(a_key_is_for_its_own_algorithm_alone),
        cmocka_unit_test(a_token_that_names_no_key_is_tried_with_those_that_fit),
        cmocka_unit_test(keys_without_names_are_tried_for_a_token_that_names_one),
        cmocka_unit_test(a_named_key_alone_counts_when_keys_have_names),
        cmocka_unit_test(two_keys_of_the_same_name_are_both_tried),
        cmocka_unit_test(keys_that_can_not_be_used_do_not_spoil_the_others),
        cmocka_unit_test(sets_of_keys_that_are_none_are_refused_with_a_reason),
        cmocka_unit_test(a_set_beyond_its_limit_is_refused),
        cmocka_unit_test(keys_that_come_with_the_token_do_not_count),
        cmocka_unit_test(what_roles_ask_for_is_kept_and_nothing_else),
        cmocka_unit_test(a_claim_without_a_value_that_is_asked_for_is_not_kept),
        cmocka_unit_test(people_are_named_by_the_claim_that_is_configured),
        cmocka_unit_test(times_are_accepted_as_far_as_clocks_may_differ),
        cmocka_unit_test(an_id_token_for_our_client_is_for_us),
        cmocka_unit_test(many_groups_have_a_limit),
    };

    return cmocka_run_group_tests(tests, set_up, fixture_free_keys);
}
