/* Taking tokens apart, and all that must hold for one (RFC 7519 §7.2, RFC 8725, OpenID Connect Core
 * §3.1.3.7).
 *
 * Nothing that came with a token says where its key is: jku, x5u, x5c and jwk are not looked at. What the
 * header asks for that we don't know (crit) is refused. cjose sees a token only after all of this. */
#include "policy/token_parts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { TYP_MAX = 40, PARTS = 3, PARTS_ENCRYPTED = 5 };

static const char blanks[] = " \t\r\n";

/* ---- the header ---- */

static int read_algorithm(struct token *token, struct detail *detail)
{
    const char *name = json_string_value(json_object_get(token->header, "alg"));
    char shown[TOKEN_SHOWN_MAX];

    if (!name)
        return detail_fail(detail, TOKEN_ALGORITHM, "the token does not say how it is signed (alg)");
    if (strcasecmp(name, "none") == 0)
        return detail_fail(detail, TOKEN_UNSIGNED, "the token is not signed (alg none)");
    if (strncasecmp(name, "HS", 2) == 0)
        return detail_fail(
            detail, TOKEN_SYMMETRIC,
            "the token is signed with a shared secret (%s): only signatures with a private key "
            "are accepted",
            token_shown(shown, name));
    token->algorithm = token_algorithm_of(name);
    if (!token->algorithm)
        return detail_fail(detail, TOKEN_ALGORITHM, "the token is signed with %s, which is not supported",
                           token_shown(shown, name));
    return 0;
}

/* RFC 8725 §3.11: some tokens of the same issuer, as logout tokens, are not meant to say who somebody is. */
static int check_typ(const struct token *token, const char *const *types, bool required,
                     struct detail *detail)
{
    const json_t *typ = json_object_get(token->header, "typ");
    const char *text = json_string_value(typ);
    char shown[TOKEN_SHOWN_MAX];

    if (!typ && !required)
        return 0;
    if (text && strncasecmp(text, "application/", 12) == 0)
        text += 12;
    for (size_t i = 0; text && types[i]; i++)
        if (strcasecmp(text, types[i]) == 0)
            return 0;
    return detail_fail(detail, TOKEN_CLAIMS,
                       "the token is of another kind (typ %s) than an ID or access token",
                       text ? token_shown(shown, text) : "is no text");
}

static int read_header(struct token *token, const char *const *types, bool typ_required,
                       struct detail *detail)
{
    const json_t *kid = json_object_get(token->header, "kid");
    int r = read_algorithm(token, detail);

    if (r)
        return r;
    /* RFC 7515 §4.1.11; RFC 7797 lets b64 come only with it. */
    if (json_object_get(token->header, "crit") || json_object_get(token->header, "b64"))
        return detail_fail(detail, TOKEN_ALGORITHM,
                           "the token's header asks for extensions (crit), of which none is supported");
    if (kid && !json_is_string(kid))
        return detail_fail(detail, TOKEN_MALFORMED, "the token's key id (kid) is no text");
    token->kid = json_string_value(kid);
    return check_typ(token, types, typ_required, detail);
}

/* ---- the parts ---- */

static size_t count_parts(const char *text, size_t n)
{
    size_t parts = 1;

    for (size_t i = 0; i < n; i++)
        parts += text[i] == '.';
    return parts;
}

static int check_form(const char *text, size_t n, struct detail *detail)
{
    size_t parts = count_parts(text, n);

    if (n == 0)
        return detail_fail(detail, TOKEN_MALFORMED, "no token came");
    if (n > TOKEN_MAX)
        return detail_fail(detail, TOKEN_MALFORMED, "the token has more than %d bytes", TOKEN_MAX);
    if (text[0] == '{')
        return detail_fail(detail, TOKEN_MALFORMED, "that is JSON: send nothing but the token that is in it");
    if (parts == PARTS_ENCRYPTED)
        return detail_fail(detail, TOKEN_MALFORMED,
                           "the token is encrypted (JWE): only signed ones (JWS) are accepted");
    if (parts != PARTS)
        return detail_fail(detail, TOKEN_MALFORMED,
                           "that is no JSON Web Token, which has three parts with dots between them");
    return 0;
}

static int read_part(const char *text, size_t n, const char *what, json_t **ret, struct detail *detail)
{
    uint8_t *bytes = NULL;
    size_t bytes_n = 0;
    int r = token_from_base64url(text, n, &bytes, &bytes_n);

    if (r)
        return r == -EBADMSG ? detail_fail(detail, TOKEN_MALFORMED, "%s is not base64url", what) : r;
    r = token_json((const char *)bytes, bytes_n, what, ret, detail);
    explicit_bzero(bytes, bytes_n);
    free(bytes);
    return r;
}

static int read_parts(struct token *token, const char *const *types, bool typ_required, struct detail *detail)
{
    const char *header = token->text, *claims = strchr(header, '.') + 1, *signature = strchr(claims, '.') + 1;
    size_t header_n = (size_t)(claims - header) - 1, claims_n = (size_t)(signature - claims) - 1;
    int r = read_part(header, header_n, "the token's header", &token->header, detail);

    token->signed_n = (size_t)(signature - header) - 1;
    if (!r)
        r = read_header(token, types, typ_required, detail);
    if (!r)
        r = read_part(claims, claims_n, "what the token claims", &token->claims, detail);
    if (r)
        return r;
    r = token_from_base64url(signature, strlen(signature), &token->signature, &token->signature_n);
    return r == -EBADMSG ? detail_fail(detail, TOKEN_MALFORMED, "the token's signature is not base64url") : r;
}

int token_take(const char *text, size_t n, const char *const *types, bool typ_required, struct token **ret,
               struct detail *detail)
{
    CLEANUP(token_free) struct token *token = calloc(1, sizeof(*token));
    int r;

    if (!token)
        return -ENOMEM;
    while (n > 0 && memchr(blanks, text[0], sizeof(blanks) - 1)) {
        text++;
        n--;
    }
    while (n > 0 && memchr(blanks, text[n - 1], sizeof(blanks) - 1))
        n--;
    r = check_form(text, n, detail);
    if (r)
        return r;
    if (memchr(text, '\0', n))
        return detail_fail(detail, TOKEN_MALFORMED, "the token has a byte that is not text");
    token_start();
    token->text = strndup(text, n);
    if (!token->text)
        return -ENOMEM;
    token->n = n;
    r = read_parts(token, types, typ_required, detail);
    if (r)
        return r;
    *ret = STEAL(token);
    return 0;
}

int token_parse(const char *text, size_t n, struct token **ret, struct detail *detail)
{
    static const char *const types[] = { "jwt", "at+jwt", NULL };

    return token_take(text, n, types, false, ret, detail);
}

void token_free(struct token *token)
{
    if (!token)
        return;
    if (token->text)
        explicit_bzero(token->text, token->n);
    free(token->text);
    if (token->signature)
        explicit_bzero(token->signature, token->signature_n);
    free(token->signature);
    json_decref(token->header);
    json_decref(token->claims);
    free(token);
}

/* ---- who made it ---- */

const Ipc__Issuer *token_issuer(const struct token *token, const Ipc__Config *config, struct detail *detail)
{
    const char *iss = json_string_value(json_object_get(token->claims, "iss"));
    char shown[TOKEN_SHOWN_MAX];

    if (!iss) {
        detail_set(detail, "the token does not say who issued it (iss)");
        return NULL;
    }
    for (size_t i = 0; i < config->n_issuers; i++)
        if (strcmp(config->issuers[i]->issuer, iss) == 0)
            return config->issuers[i];
    detail_set(detail, "the token was issued by \"%s\", which is not trusted here", token_shown(shown, iss));
    return NULL;
}

static int try_keys(const struct token *token, const struct jwks *keys, const char *kid, size_t *ret_tried)
{
    for (size_t i = 0; i < keys->n && *ret_tried < TOKEN_TRIES_MAX; i++) {
        const struct jwk *jwk = &keys->keys[i];

        if (!jwk_fits(jwk, token->algorithm) || (kid && (!jwk->kid || strcmp(jwk->kid, kid) != 0)))
            continue;
        if (token_key_signed(jwk->key, token))
            return 0;
        (*ret_tried)++;
    }
    return TOKEN_BAD_SIGNATURE;
}

/* The key that the token names is there, but does not go with how it is signed. */
static int tell_unfit(const struct token *token, const struct jwk *jwk, struct detail *detail)
{
    char shown[TOKEN_SHOWN_MAX];

    (void)token_shown(shown, token->kid);
    if (jwk->unfit)
        return detail_fail(detail, TOKEN_ALGORITHM, "the key \"%s\" of the token's issuer %s", shown,
                           jwk->unfit);
    return detail_fail(detail, TOKEN_ALGORITHM,
                       "the token is signed with %s, but the key \"%s\" of its issuer is not for that",
                       token->algorithm->name, shown);
}

/* RFC 7515 §4.1.4: the key of that name; a set whose keys have no names has each of them tried. */
static int check_named(const struct token *token, const struct jwks *keys, struct detail *detail)
{
    const struct jwk *named = NULL;
    char shown[TOKEN_SHOWN_MAX];
    bool any_kid = false;
    size_t tried = 0;

    for (size_t i = 0; i < keys->n; i++) {
        any_kid = any_kid || keys->keys[i].kid;
        if (!named && keys->keys[i].kid && strcmp(keys->keys[i].kid, token->kid) == 0)
            named = &keys->keys[i];
    }
    if (!named && any_kid)
        return detail_fail(detail, TOKEN_UNKNOWN_KEY, "the token's issuer has no key \"%s\"",
                           token_shown(shown, token->kid));
    if (try_keys(token, keys, named ? token->kid : NULL, &tried) == 0)
        return 0;
    if (named && tried == 0)
        return tell_unfit(token, named, detail);
    return detail_fail(detail, TOKEN_BAD_SIGNATURE, "the token's signature is wrong");
}

int token_check_signature(const struct token *token, const struct jwks *keys, struct detail *detail)
{
    size_t tried = 0;

    if (token->kid)
        return check_named(token, keys, detail);
    if (try_keys(token, keys, NULL, &tried) == 0)
        return 0;
    if (tried == 0)
        return detail_fail(detail, TOKEN_UNKNOWN_KEY, "the token's issuer has no key for %s",
                           token->algorithm->name);
    /* It may have been signed with a key that is newer than ours. */
    return detail_fail(detail, TOKEN_UNKNOWN_KEY, "no key of the token's issuer has made its signature");
}

/* ---- for whom, and when ---- */

static bool is_for(const Ipc__Issuer *issuer, const char *audience)
{
    for (size_t i = 0; i < issuer->n_audiences; i++)
        if (strcmp(issuer->audiences[i], audience) == 0)
            return true;
    /* ID tokens of the device flow are for the client that asked for them: us. */
    return issuer->client_id && issuer->client_id[0] && strcmp(issuer->client_id, audience) == 0;
}

static int check_audience(const struct token *token, const Ipc__Issuer *issuer, struct detail *detail)
{
    const json_t *aud = json_object_get(token->claims, "aud");
    const char *first = json_string_value(json_is_array(aud) ? json_array_get(aud, 0) : aud);
    const char *wanted = issuer->n_audiences ? issuer->audiences[0] : issuer->client_id;
    char shown[TOKEN_SHOWN_MAX], ours[TOKEN_SHOWN_MAX];

    for (size_t i = 0; i < json_array_size(aud); i++)
        if (!json_is_string(json_array_get(aud, i)))
            return detail_fail(detail, TOKEN_CLAIMS, "the token's audience (aud) is no text");
    if (!first)
        return json_is_null(aud) || !aud || json_is_array(aud)
                   ? detail_fail(detail, TOKEN_AUDIENCE, "the token does not say for whom it is (aud)")
                   : detail_fail(detail, TOKEN_CLAIMS, "the token's audience (aud) is no text");
    if (json_is_string(aud) && is_for(issuer, first))
        return 0;
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (is_for(issuer, json_string_value(json_array_get(aud, i))))
            return 0;
    return detail_fail(detail, TOKEN_AUDIENCE, "the token is for \"%s\", not for \"%s\"",
                       token_shown(shown, first), token_shown(ours, wanted ? wanted : ""));
}

/* RFC 7519 §2, NumericDate: seconds, perhaps with a fraction. */
static bool read_time(const json_t *json, uint64_t *ret)
{
    double value = json_number_value(json);

    if (!json_is_number(json) || !(value >= 0 && value <= (double)TOKEN_TIME_MAX))
        return false;
    *ret = (uint64_t)value;
    return true;
}

uint64_t token_expires(const struct token *token)
{
    uint64_t expires = 0;

    (void)read_time(json_object_get(token->claims, "exp"), &expires);
    return expires;
}

/* Absent is well; a time of another form is not. */
static int check_begin(const struct token *token, const char *name, uint64_t now, struct detail *detail)
{
    const json_t *json = json_object_get(token->claims, name);
    uint64_t begin = 0;

    if (!json)
        return 0;
    if (!read_time(json, &begin))
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" is no time", name);
    if (begin > now + TOKEN_SKEW_S)
        return detail_fail(detail, TOKEN_NOT_YET_VALID,
                           "the token is valid only in %" PRIu64 " seconds (%s): some clock is wrong",
                           begin - now, name);
    return 0;
}

static int check_times(const struct token *token, uint64_t now, struct detail *detail)
{
    const json_t *exp = json_object_get(token->claims, "exp");
    uint64_t expires = 0;
    int r;

    if (!exp)
        return detail_fail(detail, TOKEN_CLAIMS, "the token does not say when it expires (exp)");
    if (!read_time(exp, &expires))
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"exp\" is no time");
    if (now >= expires + TOKEN_SKEW_S)
        return detail_fail(detail, TOKEN_EXPIRED, "the token expired %" PRIu64 " seconds ago: get a new one",
                           now - expires);
    r = check_begin(token, "nbf", now, detail);
    return r ? r : check_begin(token, "iat", now, detail);
}

/* The claims first: that a token has expired says more than that its key has been replaced since. */
int token_verify(const struct token *token, const Ipc__Issuer *issuer, const struct jwks *keys,
                 uint64_t now_unix, struct detail *detail)
{
    const char *iss = json_string_value(json_object_get(token->claims, "iss"));
    int r;

    if (!iss || strcmp(iss, issuer->issuer) != 0)
        return detail_fail(detail, TOKEN_UNKNOWN_ISSUER, "the token is of another issuer");
    r = check_audience(token, issuer, detail);
    if (!r)
        r = check_times(token, now_unix, detail);
    /* OpenID Connect Back-Channel Logout §2.4: made of the same keys, and sent through many hands. */
    if (!r && json_object_get(token->claims, "events"))
        r = detail_fail(detail, TOKEN_CLAIMS, "the token tells of an event, not of somebody who logs in");
    return r ? r : token_check_signature(token, keys, detail);
}
