/* PK tokens, made here by the published format (docs/pktoken.md of github.com/openpubkey/openpubkey). */
#include "policy/openpubkey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "check.h"
#include "token_fixture.h"

enum { NOW = 1700000000 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RZ           "\"rz\":\"b9522b5c4cff90687ec6787236184659e077a619b82827227114108440fec26a\""
#define CLAIMS                                                                                               \
    "{\"iss\":\"https://"                                                                                    \
    "idp.example.com\",\"aud\":\"opk-client\",\"exp\":%d,\"sub\":\"alice\",\"nonce\":\"%s\"}"

static Ipc__Issuer corp = IPC__ISSUER__INIT;
static struct jwks *keys;

/* ---- making them ---- */

struct making {
    enum fixture_key key;      /* the client's */
    const char *alg;           /* its algorithm */
    enum fixture_key upk;      /* the key that the header names */
    const char *client_header; /* NULL: made of the above */
    const char *id_header;     /* NULL: RS256 */
    const char *nonce;         /* NULL: of the header */
    const char *more;          /* behind the whole, or NULL */
    enum fixture_key signer;   /* of the ID token; FIXTURE_RSA */
    enum fixture_key cic;      /* who signs as the client, when not the same */
    bool other_cic;
    int exp;
};

static char *nonce_of(const char *header)
{
    uint8_t hash[32];

    assert_int_equal(EVP_Digest(header, strlen(header), hash, NULL, EVP_sha3_256(), NULL), 1);
    return fixture_base64url(hash, sizeof(hash));
}

static char *header_of(const struct making *making)
{
    CLEANUP(free) char *alg = fixture_format("\"alg\":\"%s\"", making->alg);
    CLEANUP(free) char *upk = fixture_jwk(making->upk, alg);

    return fixture_format("{\"alg\":\"%s\"," RZ ",\"typ\":\"CIC\",\"upk\":%s}", making->alg, upk);
}

static char *signed_part(enum fixture_key key, const char *alg, const char *header, const char *payload)
{
    CLEANUP(free) char *head = fixture_base64url(header, strlen(header));
    CLEANUP(free) char *text = fixture_format("%s.%s", head, payload);
    CLEANUP(free) char *signature = fixture_signature(key, alg, text);

    return fixture_format("%s:%s", head, signature);
}

static char *make(const struct making *making)
{
    CLEANUP(free) char *header = making->client_header ? strdup(making->client_header) : header_of(making);
    CLEANUP(free) char *nonce = making->nonce ? strdup(making->nonce) : nonce_of(header);
    CLEANUP(free) char *claims = fixture_format(CLAIMS, making->exp ? making->exp : NOW + 300, nonce);
    CLEANUP(free) char *payload = fixture_base64url(claims, strlen(claims));
    CLEANUP(free)
    char *id = signed_part(making->signer, "RS256",
                           making->id_header ? making->id_header
                                             : "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}",
                           payload);
    CLEANUP(free)
    char *client = signed_part(making->other_cic ? making->cic : making->key, making->alg, header, payload);

    return fixture_format("%s:%s:%s%s", payload, id, client, making->more ? making->more : "");
}

static int set_up(void **state)
{
    static char *audiences[] = { (char *)"opk-client" };
    struct detail detail = { "" };

    (void)fixture_make_keys(state);
    CLEANUP(free) char *jwk = fixture_jwk(FIXTURE_RSA, "\"kid\":\"k1\"");
    CLEANUP(free) char *set = fixture_format("{\"keys\":[%s]}", jwk);
    corp.name = (char *)"corp";
    corp.issuer = (char *)"https://idp.example.com";
    corp.audiences = audiences;
    corp.n_audiences = 1;
    corp.openpubkey = true;
    return jwks_parse(set, strlen(set), &keys, &detail);
}

static int tear_down(void **state)
{
    jwks_free(keys);
    return fixture_free_keys(state);
}

static int judge(const char *text, enum fixture_key certified, struct detail *detail)
{
    CLEANUP(openpubkey_free) struct openpubkey *packet = NULL;
    size_t key_n = 0;
    CLEANUP(free) uint8_t *key = fixture_ssh(certified, &key_n);
    int r = openpubkey_parse((const uint8_t *)text, strlen(text), &packet, detail);

    if (r)
        return r;
    return openpubkey_verify(packet, &corp, keys, NOW, key, key_n, detail);
}

/* ---- */

/* Servers see it: alone it must not be good for anything. */
static void an_id_token_of_a_pk_token_is_known_as_one(void **state)
{
    const struct making making = { .key = FIXTURE_P256, .upk = FIXTURE_P256, .alg = "ES256" };
    CLEANUP(free) char *text = make(&making);
    CLEANUP(openpubkey_free) struct openpubkey *packet = NULL;
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(openpubkey_parse((const uint8_t *)text, strlen(text), &packet, &detail), 0);
    assert_true(openpubkey_may_hold(openpubkey_token(packet)));
}

static void keys_of_every_kind_hold(void **state)
{
    static const struct making good[] = {
        { .key = FIXTURE_ED25519, .upk = FIXTURE_ED25519, .alg = "EdDSA" },
        { .key = FIXTURE_P256, .upk = FIXTURE_P256, .alg = "ES256" },
        { .key = FIXTURE_P384, .upk = FIXTURE_P384, .alg = "ES384" },
        { .key = FIXTURE_P521, .upk = FIXTURE_P521, .alg = "ES512" },
        { .key = FIXTURE_RSA_OTHER, .upk = FIXTURE_RSA_OTHER, .alg = "RS256" },
        { .key = FIXTURE_ED25519,
          .upk = FIXTURE_ED25519,
          .alg = "EdDSA",
          .id_header = "{\"alg\":\"RS256\"}" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(free) char *text = make(&good[i]);
        struct detail detail = { "" };

        if (judge(text, good[i].key, &detail))
            fail_msg("%zu: %s", i, detail.text);
    }
}

static void a_cosigner_and_a_refreshed_token_are_passed_over(void **state)
{
    CLEANUP(free) char *cosigner = fixture_base64url("{\"alg\":\"ES256\",\"typ\":\"COS\"}", 27);
    CLEANUP(free) char *more = fixture_format(":%s:AAAA.e30.e30.AAAA", cosigner);
    const struct making making = {
        .key = FIXTURE_ED25519, .upk = FIXTURE_ED25519, .alg = "EdDSA", .more = more
    };
    CLEANUP(free) char *text = make(&making);
    struct detail detail = { "" };

    (void)state;
    if (judge(text, FIXTURE_ED25519, &detail))
        fail_msg("%s", detail.text);
}

/* The example of docs/pktoken.md: its nonce is the hash of its header. The key in it is not ours, so that the
 * next check is the one that fails. */
static void the_published_example_has_the_nonce_that_we_compute(void **state)
{
    const struct making making = {
        .key = FIXTURE_P256,
        .alg = "ES256",
        .client_header =
            "{\"alg\":\"ES256\"," RZ ",\"typ\":\"CIC\",\"upk\":{\"alg\":\"ES256\",\"crv\":\"P-256\","
            "\"kty\":\"EC\",\"x\":\"cvqyUFNs1OUdRcDSmzJfS7ynuTHAjlDqoeinCZy_r1Q\","
            "\"y\":\"Whl5jJUIz7ujFvlB5Hzhaz6DIlpyWQmIIA3J7VMj53o\"}}",
        .nonce = "fsTLlOIUqtJHomMB2t6HymoAqJi-wORIFtg3y8c65VY",
    };
    CLEANUP(free) char *text = make(&making);
    struct detail detail = { "" };

    (void)state;
    assert_int_equal(judge(text, FIXTURE_P256, &detail), TOKEN_BAD_SIGNATURE);
    assert_string_equal(detail.text, "your own key's signature in the OpenPubkey token is wrong (cic)");
}

/* The same header, sent with its members in another order than they are hashed. */
static void the_order_of_the_members_does_not_matter(void **state)
{
    CLEANUP(free) char *upk = fixture_jwk(FIXTURE_ED25519, "\"alg\":\"EdDSA\"");
    CLEANUP(free) char *header = fixture_format("{\"upk\":%s,\"typ\":\"CIC\"," RZ ",\"alg\":\"EdDSA\"}", upk);
    const char *x = strstr(upk, "\"x\":") + 4;
    CLEANUP(free)
    char *sorted =
        fixture_format("{\"alg\":\"EdDSA\"," RZ
                       ",\"typ\":\"CIC\",\"upk\":{\"alg\":\"EdDSA\",\"crv\":\"Ed25519\",\"kty\":\"OKP\","
                       "\"x\":%.45s}}",
                       x);
    CLEANUP(free) char *nonce = nonce_of(sorted);
    const struct making making = {
        .key = FIXTURE_ED25519, .alg = "EdDSA", .client_header = header, .nonce = nonce
    };
    CLEANUP(free) char *text = make(&making);
    struct detail detail = { "" };

    (void)state;
    if (judge(text, FIXTURE_ED25519, &detail))
        fail_msg("%s", detail.text);
}

static void what_does_not_hold_together_is_refused(void **state)
{
    CLEANUP(free) char *upk = fixture_jwk(FIXTURE_ED25519, "\"alg\":\"EdDSA\"");
    CLEANUP(free) char *no_rz = fixture_format("{\"alg\":\"EdDSA\",\"typ\":\"CIC\",\"upk\":%s}", upk);
    CLEANUP(free) char *no_upk = fixture_format("{\"alg\":\"EdDSA\"," RZ ",\"typ\":\"CIC\"}");
    CLEANUP(free)
    char *wrong_alg = fixture_format("{\"alg\":\"ES256\"," RZ ",\"typ\":\"CIC\",\"upk\":%s}", upk);
    CLEANUP(free) char *no_typ = fixture_format("{\"alg\":\"EdDSA\"," RZ ",\"upk\":%s}", upk);
    CLEANUP(free)
    char *odd_typ = fixture_format("{\"alg\":\"EdDSA\"," RZ ",\"typ\":\"XYZ\",\"upk\":%s}", upk);
    CLEANUP(free)
    char *private =
        fixture_format("{\"alg\":\"EdDSA\"," RZ ",\"typ\":\"CIC\",\"upk\":{\"kty\":\"OKP\",\"d\":\"AA\"}}");
    CLEANUP(free) char *none = fixture_format("{\"alg\":\"none\"," RZ ",\"typ\":\"CIC\",\"upk\":%s}", upk);
#define OURS .key = FIXTURE_ED25519, .upk = FIXTURE_ED25519, .alg = "EdDSA"
    const struct {
        struct making making;
        enum fixture_key certified;
        int fault;
        const char *message;
    } cases[] = {
        { { OURS },
          FIXTURE_ED25519_OTHER,
          TOKEN_CLAIMS,
          "the ID token in your certificate was made for another key (upk)" },
        { { OURS },
          FIXTURE_P256,
          TOKEN_CLAIMS,
          "the ID token in your certificate was made for another key (upk)" },
        { { OURS, .nonce = "AAAA" },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "the ID token in your certificate was not made for its key (nonce)" },
        { { OURS, .nonce = "fsTLlOIUqtJHomMB2t6HymoAqJi-wORIFtg3y8c65VY" },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "the ID token in your certificate was not made for its key (nonce)" },
        { { OURS, .nonce = "" },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "the ID token in your certificate was not made for its key (nonce)" },
        { { OURS, .other_cic = true, .cic = FIXTURE_ED25519_OTHER },
          FIXTURE_ED25519,
          TOKEN_BAD_SIGNATURE,
          "your own key's signature in the OpenPubkey token is wrong (cic)" },
        { { OURS, .signer = FIXTURE_RSA_OTHER },
          FIXTURE_ED25519,
          TOKEN_BAD_SIGNATURE,
          "the token's signature is wrong" },
        { { OURS, .exp = NOW - 3600 },
          FIXTURE_ED25519,
          TOKEN_EXPIRED,
          "the token expired 3600 seconds ago: get a new one" },
        { { OURS, .id_header = "{\"alg\":\"GQ256\",\"kid\":\"e30\",\"typ\":\"JWT\"}" },
          FIXTURE_ED25519,
          TOKEN_ALGORITHM,
          "your OpenPubkey token has a GQ signature, which is not supported: make it with the provider's own "
          "signature" },
        { { OURS, .id_header = "{\"alg\":\"HS256\"}" },
          FIXTURE_ED25519,
          TOKEN_SYMMETRIC,
          "the token is signed with a shared secret (HS256): only signatures with a private key are "
          "accepted" },
        { { OURS, .id_header = "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"dpop+id_token\"}" },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "your OpenPubkey token has a signature of a kind that is not supported" },
        { { OURS, .id_header = "{\"alg\":\"RS256\",\"kid\":\"k2\"}" },
          FIXTURE_ED25519,
          TOKEN_UNKNOWN_KEY,
          "the token's issuer has no key \"k2\"" },
        { { OURS, .client_header = no_rz },
          FIXTURE_ED25519,
          TOKEN_MALFORMED,
          "the OpenPubkey token in your certificate is malformed" },
        { { OURS, .client_header = no_upk },
          FIXTURE_ED25519,
          TOKEN_MALFORMED,
          "the OpenPubkey token in your certificate is malformed" },
        { { OURS, .client_header = wrong_alg },
          FIXTURE_ED25519,
          TOKEN_ALGORITHM,
          "the key in your OpenPubkey token is not for the algorithm that it signed with" },
        { { OURS, .client_header = no_typ },
          FIXTURE_ED25519,
          TOKEN_MALFORMED,
          "the OpenPubkey token in your certificate is malformed" },
        { { OURS, .client_header = odd_typ },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "your OpenPubkey token has a signature of a kind that is not supported" },
        { { OURS, .client_header = private },
          FIXTURE_ED25519,
          TOKEN_CLAIMS,
          "the key in your OpenPubkey token is a private one" },
        { { OURS, .client_header = none },
          FIXTURE_ED25519,
          TOKEN_UNSIGNED,
          "the token is not signed (alg none)" },
        { { .key = FIXTURE_RSA_WEAK, .upk = FIXTURE_RSA_WEAK, .alg = "RS256" },
          FIXTURE_RSA_WEAK,
          TOKEN_CLAIMS,
          "the key in your OpenPubkey token is an RSA key of less than 2048 bits" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(free) char *text = make(&cases[i].making);
        struct detail detail = { "" };
        int r = judge(text, cases[i].certified, &detail);

        if (r != cases[i].fault || strcmp(detail.text, cases[i].message) != 0)
            fail_msg("%zu: %d \"%s\" instead of \"%s\"", i, r, detail.text, cases[i].message);
    }
}

static void another_audience_is_refused(void **state)
{
    const struct making making = { OURS };
    CLEANUP(free) char *text = make(&making);
    struct detail detail = { "" };

    (void)state;
    corp.audiences[0] = (char *)"gatehouse";
    assert_int_equal(judge(text, FIXTURE_ED25519, &detail), TOKEN_AUDIENCE);
    corp.audiences[0] = (char *)"opk-client";
    assert_int_equal(judge(text, FIXTURE_ED25519, &detail), 0);
}

static void what_is_no_pk_token_is_malformed(void **state)
{
    const struct making making = { OURS };
    CLEANUP(free) char *good = make(&making);
    CLEANUP(free) char *twice = fixture_format("%s%s", good, strchr(good, ':'));
    CLEANUP(free) char *long_one = malloc(OPENPUBKEY_MAX + 2);
    const char *cases[] = { "",
                            ":",
                            "::::",
                            "a:b:c",
                            "AAAA:e30:AAAA:e30",
                            "AAAA:e30:AAAA:e30:AAAA:e30:AAAA",
                            twice,
                            "a:b:c:d:e:f:g:h:i:j:k",
                            long_one,
                            ".",
                            "AAAA:!:AAAA:!:AAAA" };

    (void)state;
    memset(long_one, 'A', OPENPUBKEY_MAX + 1);
    long_one[OPENPUBKEY_MAX + 1] = '\0';
    for (size_t i = 0; i < COUNT(cases); i++) {
        CLEANUP(openpubkey_free) struct openpubkey *packet = NULL;
        struct detail detail = { "" };

        assert_int_not_equal(openpubkey_parse((const uint8_t *)cases[i], strlen(cases[i]), &packet, &detail),
                             0);
        assert_null(packet);
        assert_string_not_equal(detail.text, "");
    }
}

static void a_pk_token_with_one_character_changed_does_not_hold(void **state)
{
    const struct making making = { OURS };
    CLEANUP(free) char *text = make(&making);
    size_t n = strlen(text);
    struct detail detail = { "" };

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        if (judge(text, FIXTURE_ED25519, &detail) <= 0)
            fail_msg("accepted with character %zu of %zu changed", i, n);
        text[i] = was;
    }
    assert_int_equal(judge(text, FIXTURE_ED25519, &detail), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_every_kind_hold),
        cmocka_unit_test(an_id_token_of_a_pk_token_is_known_as_one),
        cmocka_unit_test(a_cosigner_and_a_refreshed_token_are_passed_over),
        cmocka_unit_test(the_published_example_has_the_nonce_that_we_compute),
        cmocka_unit_test(the_order_of_the_members_does_not_matter),
        cmocka_unit_test(what_does_not_hold_together_is_refused),
        cmocka_unit_test(another_audience_is_refused),
        cmocka_unit_test(what_is_no_pk_token_is_malformed),
        cmocka_unit_test(a_pk_token_with_one_character_changed_does_not_hold),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
