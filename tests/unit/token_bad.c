/* A corpus of bad tokens, each with the one message that it must get. tests/unit/token.c has the good ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "policy/token.h"
#include "token_fixture.h"

enum { NOW = 1700000000 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ISS          "\"iss\":\"https://idp.example.com\""
#define AUD          "\"aud\":\"gatehouse\""
#define EXP          "\"exp\":1700000300"
#define SUB          "\"sub\":\"alice\""
#define GOOD         "{" ISS "," AUD "," EXP "," SUB "}"
#define WITH(more)   "{" ISS "," AUD "," EXP "," SUB "," more "}"
#define SIXTEEN      "0123456789abcdef"
#define QUARTER_K                                                                                            \
    SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN  \
        SIXTEEN SIXTEEN SIXTEEN
#define DEEP_16 "[[[[[[[[[[[[[[[["
#define RSA     "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"

/* What is done to a token after it was signed; returns a new one. */
typedef char *spoil(const char *token);

struct bad {
    const char *name;
    const char *header; /* NULL: that of RS256 */
    const char *claims; /* NULL: good ones */
    const char *alg;    /* how it is really signed; NULL: RS256 */
    enum fixture_key key;
    spoil *spoil;
    int fault;
    const char *message;
};

/* ---- spoiling ---- */

static char *without_signature(const char *token)
{
    return strndup(token, (size_t)(strrchr(token, '.') - token) + 1);
}

static char *without_third_part(const char *token)
{
    return strndup(token, (size_t)(strrchr(token, '.') - token));
}

static char *padded(const char *token)
{
    return fixture_format("%s=", token);
}

/* In the alphabet of RFC 4648 §4. */
static char *plain_base64(const char *token)
{
    char *text = strdup(token);

    text[strlen(text) - 2] = '+';
    return text;
}

static char *blank_inside(const char *token)
{
    char *text = strdup(token);

    text[strlen(text) / 2] = ' ';
    return text;
}

/* 342 characters of an RSA signature hold 2,052 bits: the last four stand for nothing. */
static char *loose_bits(const char *token)
{
    char *text = strdup(token);

    text[strlen(text) - 1] = text[strlen(text) - 1] == 'B' ? 'C' : 'B';
    return text;
}

static char *other_signature(const char *token)
{
    char *text = strdup(token), *at = strrchr(text, '.') + 20;

    *at = *at == 'A' ? 'B' : 'A';
    return text;
}

static char *half_signature(const char *token)
{
    return strndup(token, strlen(token) - 38);
}

static char *long_signature(const char *token)
{
    return fixture_format("%sAAAA", token);
}

static char *four_parts(const char *token)
{
    return fixture_format("%s.AAAA", token);
}

static char *five_parts(const char *token)
{
    return fixture_format("%s.AAAA.AAAA", token);
}

static char *bearer(const char *token)
{
    return fixture_format("Bearer %s", token);
}

static char *in_json(const char *token)
{
    return fixture_format("{\"id_token\":\"%s\"}", token);
}

static char *nothing(const char *token)
{
    (void)token;
    return strdup(" \r\n\t ");
}

static char *opaque(const char *token)
{
    (void)token;
    return strdup("gho_16C7e42F292c6912E7710c838347Ae178B4a");
}

static char *header_of_one_character(const char *token)
{
    return fixture_format("e%s", strchr(token, '.'));
}

static char *too_long(const char *token)
{
    char *text = malloc(TOKEN_MAX + 2);

    (void)token;
    memset(text, 'A', TOKEN_MAX + 1);
    text[TOKEN_MAX + 1] = '\0';
    return text;
}

/* Somebody else's claims under the signature of ours. */
static char *other_claims(const char *token)
{
    CLEANUP(free)
    char *claims = fixture_base64url("{" ISS "," AUD "," EXP ",\"sub\":\"root\"}",
                                     strlen("{" ISS "," AUD "," EXP ",\"sub\":\"root\"}"));
    const char *dot = strchr(token, '.');

    return fixture_format("%.*s.%s%s", (int)(dot - token), token, claims, strrchr(token, '.'));
}

/* CVE-2022-21449: a signature of zeroes. */
static char *zero_signature(const char *token)
{
    const char *dot = strrchr(token, '.');
    char *text = strdup(token);

    memset(text + (dot - token) + 1, 'A', strlen(dot) - 1);
    return text;
}

/* ---- the corpus ---- */

#define HEADER(text)  .header = text
#define CLAIMS(text)  .claims = text
#define EC_SIGNED     .alg = "ES256", .key = FIXTURE_P256
#define ED_SIGNED     .alg = "EdDSA", .key = FIXTURE_ED25519
#define ENDS(f, text) .fault = TOKEN_##f, .message = text

static const struct bad corpus[] = {
    /* form */
    { "nothing", .spoil = nothing, ENDS(MALFORMED, "no token came") },
    { "opaque", .spoil = opaque,
      ENDS(MALFORMED, "that is no JSON Web Token, which has three parts with dots between them") },
    { "two parts", .spoil = without_third_part,
      ENDS(MALFORMED, "that is no JSON Web Token, which has three parts with dots between them") },
    { "four parts", .spoil = four_parts,
      ENDS(MALFORMED, "that is no JSON Web Token, which has three parts with dots between them") },
    { "encrypted", .spoil = five_parts,
      ENDS(MALFORMED, "the token is encrypted (JWE): only signed ones (JWS) are accepted") },
    { "too long", .spoil = too_long, ENDS(MALFORMED, "the token has more than 32768 bytes") },
    { "whole answer", .spoil = in_json,
      ENDS(MALFORMED, "that is JSON: send nothing but the token that is in it") },
    { "bearer", .spoil = bearer, ENDS(MALFORMED, "the token's header is not base64url") },
    { "blank inside", .spoil = blank_inside, ENDS(MALFORMED, "the token's signature is not base64url") },
    { "padding", .spoil = padded, ENDS(MALFORMED, "the token's signature is not base64url") },
    { "plain base64", .spoil = plain_base64, ENDS(MALFORMED, "the token's signature is not base64url") },
    { "loose bits", .spoil = loose_bits, ENDS(MALFORMED, "the token's signature is not base64url") },
    { "header cut", .spoil = header_of_one_character,
      ENDS(MALFORMED, "the token's header is not base64url") },
    { "header empty", HEADER(""), ENDS(MALFORMED, "the token's header is not JSON") },
    { "header no JSON", HEADER("{alg:RS256}"), ENDS(MALFORMED, "the token's header is not JSON") },
    { "header trailing", HEADER(RSA "x"), ENDS(MALFORMED, "the token's header is not JSON") },
    { "header a list", HEADER("[\"RS256\"]"), ENDS(MALFORMED, "the token's header is not a JSON object") },
    { "header twice", HEADER("{\"alg\":\"RS256\",\"alg\":\"none\"}"),
      ENDS(MALFORMED, "the token's header has two members of the same name") },
    { "header twice, escaped", HEADER("{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}"),
      ENDS(MALFORMED, "the token's header has two members of the same name") },
    { "claims a text", CLAIMS("\"alice\""), ENDS(MALFORMED, "what the token claims is not JSON") },
    { "claims a list", CLAIMS("[" GOOD "]"), ENDS(MALFORMED, "what the token claims is not a JSON object") },
    { "claims empty", CLAIMS(""), ENDS(MALFORMED, "what the token claims is not JSON") },
    { "claims twice", CLAIMS(WITH("\"sub\":\"root\"")),
      ENDS(MALFORMED, "what the token claims has two members of the same name") },
    { "claims twice inside", CLAIMS(WITH("\"act\":{\"sub\":\"a\",\"sub\":\"b\"}")),
      ENDS(MALFORMED, "what the token claims has two members of the same name") },
    { "claims two objects", CLAIMS(GOOD GOOD), ENDS(MALFORMED, "what the token claims is not JSON") },
    { "claims not UTF-8", CLAIMS(WITH("\"x\":\"\xff\"")),
      ENDS(MALFORMED, "what the token claims is not UTF-8") },
    { "claims overlong UTF-8", CLAIMS(WITH("\"x\":\"\xc0\xaf\"")),
      ENDS(MALFORMED, "what the token claims is not UTF-8") },
    { "claims with NUL", CLAIMS(WITH("\"x\":\"a\\u0000b\"")),
      ENDS(MALFORMED, "what the token claims is not JSON") },
    { "claims half a surrogate", CLAIMS(WITH("\"x\":\"\\ud800\"")),
      ENDS(MALFORMED, "what the token claims is not JSON") },
    { "claims deep", CLAIMS("{\"x\":" DEEP_16 DEEP_16),
      ENDS(MALFORMED, "what the token claims is nested too deeply") },
    { "claims huge integer", CLAIMS("{" ISS "," AUD ",\"exp\":99999999999999999999999," SUB "}"),
      ENDS(MALFORMED, "what the token claims has a number that is too large") },
    { "claims huge real", CLAIMS("{" ISS "," AUD ",\"exp\":1e999," SUB "}"),
      ENDS(MALFORMED, "what the token claims has a number that is too large") },
    { "claims NaN", CLAIMS("{" ISS "," AUD ",\"exp\":NaN," SUB "}"),
      ENDS(MALFORMED, "what the token claims is not JSON") },
    /* how it is signed */
    { "alg none", HEADER("{\"alg\":\"none\"}"), .spoil = without_signature,
      ENDS(UNSIGNED, "the token is not signed (alg none)") },
    { "alg none, signed", HEADER("{\"alg\":\"none\",\"kid\":\"rsa\"}"),
      ENDS(UNSIGNED, "the token is not signed (alg none)") },
    { "alg nOnE", HEADER("{\"alg\":\"nOnE\"}"), .spoil = without_signature,
      ENDS(UNSIGNED, "the token is not signed (alg none)") },
    { "alg missing", HEADER("{\"kid\":\"rsa\"}"),
      ENDS(ALGORITHM, "the token does not say how it is signed (alg)") },
    { "alg a number", HEADER("{\"alg\":256}"),
      ENDS(ALGORITHM, "the token does not say how it is signed (alg)") },
    { "HS256", HEADER("{\"alg\":\"HS256\",\"kid\":\"rsa\"}"),
      ENDS(SYMMETRIC,
           "the token is signed with a shared secret (HS256): only signatures with a private key are "
           "accepted") },
    { "HS512", HEADER("{\"alg\":\"HS512\"}"),
      ENDS(SYMMETRIC,
           "the token is signed with a shared secret (HS512): only signatures with a private key are "
           "accepted") },
    { "lower case", HEADER("{\"alg\":\"rs256\",\"kid\":\"rsa\"}"),
      ENDS(ALGORITHM, "the token is signed with rs256, which is not supported") },
    { "ES256K", HEADER("{\"alg\":\"ES256K\"}"),
      ENDS(ALGORITHM, "the token is signed with ES256K, which is not supported") },
    { "GQ256", HEADER("{\"alg\":\"GQ256\"}"),
      ENDS(ALGORITHM, "the token is signed with GQ256, which is not supported") },
    { "alg of escapes", HEADER("{\"alg\":\"\\u001b[31m\"}"),
      ENDS(ALGORITHM, "the token is signed with \\x1b[31m, which is not supported") },
    { "crit", HEADER("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"],\"exp\":1}"),
      ENDS(ALGORITHM, "the token's header asks for extensions (crit), of which none is supported") },
    { "crit empty", HEADER("{\"alg\":\"RS256\",\"crit\":[]}"),
      ENDS(ALGORITHM, "the token's header asks for extensions (crit), of which none is supported") },
    { "b64", HEADER("{\"alg\":\"RS256\",\"b64\":false}"),
      ENDS(ALGORITHM, "the token's header asks for extensions (crit), of which none is supported") },
    { "kid a number", HEADER("{\"alg\":\"RS256\",\"kid\":1}"),
      ENDS(MALFORMED, "the token's key id (kid) is no text") },
    { "logout token", HEADER("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"logout+jwt\"}"),
      ENDS(CLAIMS, "the token is of another kind (typ logout+jwt) than an ID or access token") },
    { "typ a number", HEADER("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":1}"),
      ENDS(CLAIMS, "the token is of another kind (typ is no text) than an ID or access token") },
    /* the key */
    { "unknown kid", HEADER("{\"alg\":\"RS256\",\"kid\":\"rsa-2\"}"),
      ENDS(UNKNOWN_KEY, "the token's issuer has no key \"rsa-2\"") },
    { "kid a path", HEADER("{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}"),
      ENDS(UNKNOWN_KEY, "the token's issuer has no key \"../../dev/null\"") },
    { "kid of escapes", HEADER("{\"alg\":\"RS256\",\"kid\":\"\\u009b2J\"}"),
      ENDS(UNKNOWN_KEY, "the token's issuer has no key \"\\u{009b}2J\"") },
    { "kid empty", HEADER("{\"alg\":\"RS256\",\"kid\":\"\"}"),
      ENDS(UNKNOWN_KEY, "the token's issuer has no key \"\"") },
    { "alg of another type", HEADER("{\"alg\":\"ES256\",\"kid\":\"rsa\"}"), EC_SIGNED,
      ENDS(ALGORITHM, "the token is signed with ES256, but the key \"rsa\" of its issuer is not for that") },
    { "alg of another curve", HEADER("{\"alg\":\"ES384\",\"kid\":\"p256\"}"), EC_SIGNED,
      ENDS(ALGORITHM, "the token is signed with ES384, but the key \"p256\" of its issuer is not for that") },
    { "alg that the key is not for", HEADER("{\"alg\":\"PS256\",\"kid\":\"only\"}"), .alg = "PS256",
      ENDS(ALGORITHM, "the token is signed with PS256, but the key \"only\" of its issuer is not for that") },
    { "weak key", HEADER("{\"alg\":\"RS256\",\"kid\":\"weak\"}"), .key = FIXTURE_RSA_WEAK,
      ENDS(ALGORITHM, "the key \"weak\" of the token's issuer is an RSA key of less than 2048 bits") },
    { "key for encryption", HEADER("{\"alg\":\"RS256\",\"kid\":\"enc\"}"),
      ENDS(ALGORITHM, "the key \"enc\" of the token's issuer is not for signatures") },
    { "no key of that type", HEADER("{\"alg\":\"ES512\"}"), .alg = "ES512", .key = FIXTURE_P521,
      ENDS(UNKNOWN_KEY, "the token's issuer has no key for ES512") },
    { "somebody else's key", HEADER("{\"alg\":\"RS256\"}"), .key = FIXTURE_RSA_OTHER,
      ENDS(UNKNOWN_KEY, "no key of the token's issuer has made its signature") },
    { "somebody else's key, named", .key = FIXTURE_RSA_OTHER,
      ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature changed", .spoil = other_signature, ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature cut", .spoil = half_signature, ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature longer", HEADER("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}"), ED_SIGNED, .spoil = long_signature,
      ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature of ECDSA longer", HEADER("{\"alg\":\"ES384\",\"kid\":\"p384\"}"), .alg = "ES384",
      .key = FIXTURE_P384, .spoil = long_signature, ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature missing", .spoil = without_signature,
      ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "signature of zeroes", HEADER("{\"alg\":\"ES256\",\"kid\":\"p256\"}"), EC_SIGNED,
      .spoil = zero_signature, ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "claims changed", .spoil = other_claims, ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "another hash", HEADER("{\"alg\":\"RS512\",\"kid\":\"rsa\"}"),
      ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    { "another padding", HEADER("{\"alg\":\"PS256\",\"kid\":\"rsa\"}"),
      ENDS(BAD_SIGNATURE, "the token's signature is wrong") },
    /* issuer and audience */
    { "iss missing", CLAIMS("{" AUD "," EXP "," SUB "}"),
      ENDS(UNKNOWN_ISSUER, "the token does not say who issued it (iss)") },
    { "iss a list", CLAIMS("{\"iss\":[\"https://idp.example.com\"]," AUD "," EXP "," SUB "}"),
      ENDS(UNKNOWN_ISSUER, "the token does not say who issued it (iss)") },
    { "iss unknown", CLAIMS("{\"iss\":\"https://other.example.com\"," AUD "," EXP "," SUB "}"),
      ENDS(UNKNOWN_ISSUER,
           "the token was issued by \"https://other.example.com\", which is not trusted here") },
    { "iss with a slash", CLAIMS("{\"iss\":\"https://idp.example.com/\"," AUD "," EXP "," SUB "}"),
      ENDS(UNKNOWN_ISSUER,
           "the token was issued by \"https://idp.example.com/\", which is not trusted here") },
    { "aud missing", CLAIMS("{" ISS "," EXP "," SUB "}"),
      ENDS(AUDIENCE, "the token does not say for whom it is (aud)") },
    { "aud empty list", CLAIMS("{" ISS ",\"aud\":[]," EXP "," SUB "}"),
      ENDS(AUDIENCE, "the token does not say for whom it is (aud)") },
    { "aud another", CLAIMS("{" ISS ",\"aud\":\"wiki\"," EXP "," SUB "}"),
      ENDS(AUDIENCE, "the token is for \"wiki\", not for \"gatehouse\"") },
    { "aud a prefix", CLAIMS("{" ISS ",\"aud\":\"gatehouse2\"," EXP "," SUB "}"),
      ENDS(AUDIENCE, "the token is for \"gatehouse2\", not for \"gatehouse\"") },
    { "aud others", CLAIMS("{" ISS ",\"aud\":[\"wiki\",\"mail\"]," EXP "," SUB "}"),
      ENDS(AUDIENCE, "the token is for \"wiki\", not for \"gatehouse\"") },
    { "aud a number", CLAIMS("{" ISS ",\"aud\":7," EXP "," SUB "}"),
      ENDS(CLAIMS, "the token's audience (aud) is no text") },
    { "aud mixed", CLAIMS("{" ISS ",\"aud\":[\"gatehouse\",7]," EXP "," SUB "}"),
      ENDS(CLAIMS, "the token's audience (aud) is no text") },
    { "aud an object", CLAIMS("{" ISS ",\"aud\":{\"gatehouse\":1}," EXP "," SUB "}"),
      ENDS(CLAIMS, "the token's audience (aud) is no text") },
    /* times */
    { "exp missing", CLAIMS("{" ISS "," AUD "," SUB "}"),
      ENDS(CLAIMS, "the token does not say when it expires (exp)") },
    { "exp a text", CLAIMS("{" ISS "," AUD ",\"exp\":\"1700000300\"," SUB "}"),
      ENDS(CLAIMS, "the token's \"exp\" is no time") },
    { "exp negative", CLAIMS("{" ISS "," AUD ",\"exp\":-1," SUB "}"),
      ENDS(CLAIMS, "the token's \"exp\" is no time") },
    { "exp in milliseconds", CLAIMS("{" ISS "," AUD ",\"exp\":1700000300000000," SUB "}"),
      ENDS(CLAIMS, "the token's \"exp\" is no time") },
    { "exp too large for time", CLAIMS("{" ISS "," AUD ",\"exp\":1e300," SUB "}"),
      ENDS(CLAIMS, "the token's \"exp\" is no time") },
    { "expired", CLAIMS("{" ISS "," AUD ",\"exp\":1699996400," SUB "}"),
      ENDS(EXPIRED, "the token expired 3600 seconds ago: get a new one") },
    { "expired beyond the skew", CLAIMS("{" ISS "," AUD ",\"exp\":1699999940," SUB "}"),
      ENDS(EXPIRED, "the token expired 60 seconds ago: get a new one") },
    { "expired at the beginning", CLAIMS("{" ISS "," AUD ",\"exp\":0," SUB "}"),
      ENDS(EXPIRED, "the token expired 1700000000 seconds ago: get a new one") },
    { "expired, key replaced", HEADER("{\"alg\":\"RS256\",\"kid\":\"old\"}"),
      CLAIMS("{" ISS "," AUD ",\"exp\":1699996400," SUB "}"),
      ENDS(EXPIRED, "the token expired 3600 seconds ago: get a new one") },
    { "not yet", CLAIMS(WITH("\"nbf\":1700000100")),
      ENDS(NOT_YET_VALID, "the token is valid only in 100 seconds (nbf): some clock is wrong") },
    { "issued later", CLAIMS(WITH("\"iat\":1700000061")),
      ENDS(NOT_YET_VALID, "the token is valid only in 61 seconds (iat): some clock is wrong") },
    { "nbf a text", CLAIMS(WITH("\"nbf\":\"now\"")), ENDS(CLAIMS, "the token's \"nbf\" is no time") },
    { "iat null", CLAIMS(WITH("\"iat\":null")), ENDS(CLAIMS, "the token's \"iat\" is no time") },
    /* claims */
    { "an event", CLAIMS(WITH("\"events\":{}")),
      ENDS(CLAIMS, "the token tells of an event, not of somebody who logs in") },
    { "sub missing", CLAIMS("{" ISS "," AUD "," EXP "}"),
      ENDS(CLAIMS, "the token does not say who it is about (sub)") },
    { "sub empty", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"\"}"),
      ENDS(CLAIMS, "the token does not say who it is about (sub)") },
    { "sub a number", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":7}"),
      ENDS(CLAIMS, "the token's \"sub\" is no text") },
    { "sub of two lines", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"alice\\nroot\"}"),
      ENDS(CLAIMS, "the token's \"sub\" has control characters in it") },
    { "sub with a blank", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"alice root\"}"),
      ENDS(CLAIMS, "the token's \"sub\" has blanks or control characters in it") },
    { "sub with a wide blank", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"alice\\u3000\"}"),
      ENDS(CLAIMS, "the token's \"sub\" has blanks or control characters in it") },
    { "sub turned around", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"\\u202eecila\"}"),
      ENDS(CLAIMS, "the token's \"sub\" has blanks or control characters in it") },
    { "sub with C1", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"\\u009b31m\"}"),
      ENDS(CLAIMS, "the token's \"sub\" has control characters in it") },
    { "sub too long", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"" QUARTER_K "\"}"),
      ENDS(CLAIMS, "the token's \"sub\" is longer than 255 bytes") },
    { "sub far too long", CLAIMS("{" ISS "," AUD "," EXP ",\"sub\":\"" QUARTER_K QUARTER_K "x\"}"),
      ENDS(CLAIMS, "the token's \"sub\" is longer than 512 bytes") },
    { "act a text", CLAIMS(WITH("\"act\":\"agent\"")),
      ENDS(CLAIMS, "the token does not say who acts for its subject (act.sub)") },
    { "act without sub", CLAIMS(WITH("\"act\":{\"client_id\":\"agent\"}")),
      ENDS(CLAIMS, "the token does not say who acts for its subject (act.sub)") },
    { "act of nobody", CLAIMS(WITH("\"act\":{\"sub\":\"\"}")),
      ENDS(CLAIMS, "the token does not say who acts for its subject (act.sub)") },
    { "act of escapes", CLAIMS(WITH("\"act\":{\"sub\":\"\\u001b[2J\"}")),
      ENDS(CLAIMS, "the token's \"act.sub\" has control characters in it") },
    { "azp a list", CLAIMS(WITH("\"azp\":[\"a\"]")), ENDS(CLAIMS, "the token's \"azp\" is no text") },
    { "jti a number", CLAIMS(WITH("\"jti\":12")), ENDS(CLAIMS, "the token's \"jti\" is no text") },
    { "jti too long", CLAIMS(WITH("\"jti\":\"" QUARTER_K QUARTER_K "x\"")),
      ENDS(CLAIMS, "the token's \"jti\" is longer than 512 bytes") },
    { "group of two lines", CLAIMS(WITH("\"groups\":[\"team-a\\nteam-b\"]")),
      ENDS(CLAIMS, "the token's \"groups\" has control characters in it") },
    { "group too long", CLAIMS(WITH("\"groups\":\"team-" QUARTER_K QUARTER_K "\"")),
      ENDS(CLAIMS, "the token's \"groups\" is longer than 512 bytes") },
};

/* ---- what becomes of it ---- */

static Ipc__Config config = IPC__CONFIG__INIT;
static struct jwks *keys;

static int set_up(void **state)
{
    static char *audiences[] = { (char *)"gatehouse" }, *groups[] = { (char *)"team-*" };
    static Ipc__Issuer corp = IPC__ISSUER__INIT;
    static Ipc__Issuer *issuers[] = { &corp };
    static Ipc__Role team = IPC__ROLE__INIT;
    static Ipc__Role *roles[] = { &team };
    struct detail detail = { "" };

    corp.name = (char *)"corp";
    corp.issuer = (char *)"https://idp.example.com";
    corp.audiences = audiences;
    corp.n_audiences = 1;
    corp.username_claim = (char *)"sub";
    corp.groups_claim = (char *)"groups";
    team.groups = groups;
    team.n_groups = 1;
    config.issuers = issuers;
    config.n_issuers = 1;
    config.roles = roles;
    config.n_roles = 1;
    (void)fixture_make_keys(state);
    CLEANUP(free) char *rsa = fixture_jwk(FIXTURE_RSA, "\"kid\":\"rsa\"");
    CLEANUP(free) char *only = fixture_jwk(FIXTURE_RSA, "\"kid\":\"only\",\"alg\":\"RS256\"");
    CLEANUP(free) char *enc = fixture_jwk(FIXTURE_RSA, "\"kid\":\"enc\",\"use\":\"enc\"");
    CLEANUP(free) char *weak = fixture_jwk(FIXTURE_RSA_WEAK, "\"kid\":\"weak\"");
    CLEANUP(free) char *p256 = fixture_jwk(FIXTURE_P256, "\"kid\":\"p256\"");
    CLEANUP(free) char *p384 = fixture_jwk(FIXTURE_P384, "\"kid\":\"p384\"");
    CLEANUP(free) char *ed = fixture_jwk(FIXTURE_ED25519, "\"kid\":\"ed\"");
    CLEANUP(free)
    char *set = fixture_format("{\"keys\":[%s,%s,%s,%s,%s,%s,%s]}", rsa, only, enc, weak, p256, p384, ed);
    return jwks_parse(set, strlen(set), &keys, &detail);
}

static int tear_down(void **state)
{
    jwks_free(keys);
    return fixture_free_keys(state);
}

static int judge(const char *text, struct detail *detail)
{
    CLEANUP(token_free) struct token *token = NULL;
    Ipc__Claims *claims = NULL;
    int r = token_parse(text, strlen(text), &token, detail);
    const Ipc__Issuer *issuer = r ? NULL : token_issuer(token, &config, detail);

    if (!r && !issuer)
        return TOKEN_UNKNOWN_ISSUER;
    if (!r)
        r = token_verify(token, issuer, keys, NOW, detail);
    if (!r)
        r = token_claims(token, issuer, &config, &claims, detail);
    if (claims)
        ipc__claims__free_unpacked(claims, NULL);
    return r;
}

static void every_bad_token_gets_its_message(void **state)
{
    (void)state;
    assert_true(COUNT(corpus) >= 100);
    for (size_t i = 0; i < COUNT(corpus); i++) {
        const struct bad *bad = &corpus[i];
        CLEANUP(free)
        char *token = fixture_token(bad->key, bad->alg ? bad->alg : "RS256", bad->header ? bad->header : RSA,
                                    bad->claims ? bad->claims : GOOD);
        CLEANUP(free) char *text = bad->spoil ? bad->spoil(token) : strdup(token);
        struct detail detail = { "" };
        int r = judge(text, &detail);

        if (r != bad->fault || strcmp(detail.text, bad->message) != 0)
            fail_msg("%s: %d \"%s\" instead of %d \"%s\"", bad->name, r, detail.text, bad->fault,
                     bad->message);
    }
}

/* Else the corpus could be refused for something that all of it has in common. */
static void the_tokens_that_were_spoiled_are_good_themselves(void **state)
{
    static const struct {
        const char *header, *alg;
        enum fixture_key key;
    } good[] = {
        { RSA, "RS256", FIXTURE_RSA },
        { "{\"alg\":\"ES256\",\"kid\":\"p256\"}", "ES256", FIXTURE_P256 },
        { "{\"alg\":\"ES384\",\"kid\":\"p384\"}", "ES384", FIXTURE_P384 },
        { "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "EdDSA", FIXTURE_ED25519 },
        { "{\"alg\":\"RS256\",\"kid\":\"only\"}", "RS256", FIXTURE_RSA },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(free) char *token = fixture_token(good[i].key, good[i].alg, good[i].header, GOOD);
        struct detail detail = { "" };

        if (judge(token, &detail))
            fail_msg("%s: %s", good[i].alg, detail.text);
    }
}

static void a_byte_that_is_no_text_is_refused(void **state)
{
    CLEANUP(free) char *text = fixture_token(FIXTURE_RSA, "RS256", RSA, GOOD);
    size_t n = strlen(text);
    CLEANUP(token_free) struct token *token = NULL;
    struct detail detail = { "" };

    (void)state;
    text[10] = '\0';
    assert_int_equal(token_parse(text, n, &token, &detail), TOKEN_MALFORMED);
    assert_string_equal(detail.text, "the token has a byte that is not text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_token_gets_its_message),
        cmocka_unit_test(the_tokens_that_were_spoiled_are_good_themselves),
        cmocka_unit_test(a_byte_that_is_no_text_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
