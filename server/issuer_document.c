/* jansson keeps texts NUL-terminated and refuses NUL inside of them; its memory is wiped when it is freed
 * (token_start). Its own words on faults are not passed on: they cite the document, which may hold a token.
 */
#include "server/issuer_document.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/token.h"

enum { ERROR_SHOWN_MAX = 200, INTERVAL_MAX_S = 24 * 3600 };

static void json_free(json_t *json)
{
    json_decref(json);
}
DEFINE_CLEANUP(json_t *, json_free)

static json_t *parse_object(const char *bytes, size_t n)
{
    json_t *json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static bool is_printable(const char *text, size_t max)
{
    size_t n = strlen(text);
    if (n == 0 || n > max)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name)); /* NULL for what is no text */
}

static void free_wiped(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* ---- errors ---- */

/* RFC 6749 5.2: error, error_description. */
static void error_of(const json_t *json, char *out, size_t size)
{
    char code[ERROR_SHOWN_MAX], description[ERROR_SHOWN_MAX];
    const char *error = text_of(json, "error"), *why = text_of(json, "error_description");
    out[0] = 0;
    if (!error)
        return;
    (void)text_escape(code, sizeof code, error, strlen(error), false);
    (void)snprintf(out, size, "%s", code);
    if (why && why[0])
        (void)snprintf(out, size, "%s: %s", code,
                       text_escape(description, sizeof description, why, strlen(why), false));
}

bool document_error(const char *bytes, size_t n, char *out, size_t size)
{
    CLEANUP(json_free) json_t *json = parse_object(bytes, n);
    out[0] = 0;
    if (json)
        error_of(json, out, size);
    return out[0] != 0;
}

/* ---- discovery ---- */

/* 0 with *ret NULL when it is not there. */
static int take_url(const json_t *json, const char *name, char **ret, struct detail *detail)
{
    const json_t *value = json_object_get(json, name);
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return 0;
    if (!text || strncmp(text, "https://", 8) != 0 || !is_printable(text, DOCUMENT_URL_MAX))
        return detail_fail(detail, -EBADMSG, "names a %s that is not an https URL", name);
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

void discovery_free(struct discovery *discovery)
{
    free(discovery->jwks_uri);
    free(discovery->device_authorization);
    free(discovery->token);
    *discovery = (struct discovery){ 0 };
}

int discovery_parse(const char *bytes, size_t n, const char *issuer, struct discovery *ret,
                    struct detail *detail)
{
    CLEANUP(json_free) json_t *json = parse_object(bytes, n);
    CLEANUP(discovery_free) struct discovery *found = &(struct discovery){ 0 };
    const char *name = json ? text_of(json, "issuer") : NULL;
    if (!json)
        return detail_fail(detail, -EBADMSG, "gave a discovery document that is no JSON object");
    /* OpenID Connect Discovery 4.3: exactly; else one provider could stand in for another. */
    if (!name || strcmp(name, issuer) != 0) {
        char shown[ERROR_SHOWN_MAX];
        (void)text_escape(shown, sizeof shown, name ? name : "", name ? strlen(name) : 0, false);
        return detail_fail(detail, -EBADMSG,
                           "calls itself \"%s\" in its discovery document, not \"%s\" as configured", shown,
                           issuer);
    }
    int r = take_url(json, "jwks_uri", &found->jwks_uri, detail);
    if (r == 0)
        r = take_url(json, "device_authorization_endpoint", &found->device_authorization, detail);
    if (r == 0)
        r = take_url(json, "token_endpoint", &found->token, detail);
    if (r == 0 && !found->jwks_uri)
        r = detail_fail(detail, -EBADMSG, "names no jwks_uri in its discovery document");
    if (r)
        return r;
    *ret = *found;
    *found = (struct discovery){ 0 };
    return 0;
}

/* ---- the device flow ---- */

/* Whole seconds; some providers write them as text. False when it is neither. */
static bool take_seconds(const json_t *value, uint32_t *ret)
{
    uint64_t seconds;
    if (json_is_string(value)) {
        if (!text_to_u64(json_string_value(value), UINT32_MAX, &seconds))
            return false;
    } else {
        double number = json_is_number(value) ? json_number_value(value) : -1;
        if (!(number >= 0 && number <= UINT32_MAX))
            return false;
        seconds = (uint64_t)number;
    }
    *ret = (uint32_t)(seconds < INTERVAL_MAX_S ? seconds : INTERVAL_MAX_S);
    return true;
}

void device_answer_free(struct device_answer *answer)
{
    free_wiped(answer->device_code);
    free_wiped(answer->user_code);
    free(answer->uri);
    free(answer->complete_uri);
    *answer = (struct device_answer){ 0 };
}

static bool is_web_url(const char *text)
{
    return text && (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0) &&
           is_printable(text, DOCUMENT_URL_MAX);
}

static const char *device_fault(const json_t *json, struct device_answer *found)
{
    const char *code = text_of(json, "device_code"), *user_code = text_of(json, "user_code");
    const char *uri = text_of(json, "verification_uri"), *whole = text_of(json, "verification_uri_complete");
    const json_t *interval = json_object_get(json, "interval");
    if (!uri)
        uri = text_of(json, "verification_url"); /* of drafts of RFC 8628, and still in use */
    if (!code || !is_printable(code, DOCUMENT_CODE_MAX))
        return "device_code";
    if (!user_code || !is_printable(user_code, DOCUMENT_USER_CODE_MAX))
        return "user_code";
    if (!is_web_url(uri))
        return "verification_uri";
    if (!take_seconds(json_object_get(json, "expires_in"), &found->expires_s) || found->expires_s == 0)
        return "expires_in";
    if (interval && !json_is_null(interval) && !take_seconds(interval, &found->interval_s))
        return "interval";
    found->device_code = strdup(code);
    found->user_code = strdup(user_code);
    found->uri = strdup(uri);
    if (is_web_url(whole)) /* a convenience: an odd one is left out */
        found->complete_uri = strdup(whole);
    return NULL;
}

int device_answer_parse(const char *bytes, size_t n, struct device_answer *ret, struct detail *detail)
{
    CLEANUP(json_free) json_t *json = parse_object(bytes, n);
    CLEANUP(device_answer_free) struct device_answer *found = &(struct device_answer){ 0 };
    if (!json)
        return detail_fail(detail, -EBADMSG, "gave an answer to the device login that is no JSON object");
    const char *fault = device_fault(json, found);
    if (fault)
        return detail_fail(detail, -EBADMSG, "gave no usable %s in its answer to the device login", fault);
    if (!found->device_code || !found->user_code || !found->uri)
        return -ENOMEM;
    *ret = *found;
    *found = (struct device_answer){ 0 };
    return 0;
}

void token_answer_free(struct token_answer *answer)
{
    free_wiped(answer->id_token);
    *answer = (struct token_answer){ 0 };
}

static int refuse(const json_t *json, const char *error, struct detail *detail)
{
    char shown[2 * ERROR_SHOWN_MAX];
    error_of(json, shown, sizeof shown);
    if (strcmp(error, "access_denied") == 0)
        detail_set(detail, "the login was refused at the provider");
    else if (strcmp(error, "expired_token") == 0)
        detail_set(detail, "the code has expired before anybody logged in with it; try again");
    else
        detail_set(detail, "the provider refused the device login (%s)", shown);
    return 0;
}

int token_answer_parse(const char *bytes, size_t n, struct token_answer *ret, struct detail *detail)
{
    CLEANUP(json_free) json_t *json = parse_object(bytes, n);
    if (!json)
        return detail_fail(detail, -EBADMSG, "gave an answer to the device login that is no JSON object");
    const char *error = text_of(json, "error"), *token = text_of(json, "id_token");
    struct token_answer found = { .kind = TOKEN_ANSWER_REFUSED };
    if (error && strcmp(error, "authorization_pending") == 0) {
        found.kind = TOKEN_ANSWER_PENDING;
    } else if (error && strcmp(error, "slow_down") == 0) {
        found.kind = TOKEN_ANSWER_SLOW_DOWN;
    } else if (error) {
        (void)refuse(json, error, detail);
    } else {
        if (!token || !is_printable(token, TOKEN_MAX))
            return detail_fail(detail, -EBADMSG,
                               "gave no usable ID token; is `openid` among the issuer's scopes?");
        found.kind = TOKEN_ANSWER_TOKEN;
        found.n = strlen(token);
        found.id_token = strdup(token);
        if (!found.id_token)
            return -ENOMEM;
    }
    *ret = found;
    return 0;
}
