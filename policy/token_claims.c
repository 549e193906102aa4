/* What of a verified token goes into a certificate, and from there into names of people, roles and
 * recordings.
 *
 * Only what some role asks for is kept: a certificate travels with every login. */
#include "policy/token_parts.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/claims.h"

enum { PATH_DEPTH_MAX = 4, NUMBER_MAX = 32 };

static void claims_free(Ipc__Claims *claims)
{
    if (claims)
        ipc__claims__free_unpacked(claims, NULL);
}
DEFINE_CLEANUP(Ipc__Claims *, claims_free)

/* ---- looking up ---- */

/* The member of that name, else, at dots, a member of a member: "realm_access.roles". */
static const json_t *find(const json_t *object, const char *name, unsigned depth)
{
    const json_t *found = json_object_get(object, name);

    for (const char *dot = strchr(name, '.'); !found && dot && depth < PATH_DEPTH_MAX;
         dot = strchr(dot + 1, '.')) {
        char head[CLAIMS_TEXT_MAX];
        size_t n = (size_t)(dot - name);

        if (n >= sizeof(head))
            return NULL;
        memcpy(head, name, n);
        head[n] = '\0';
        found = find(json_object_get(object, head), dot + 1, depth + 1);
    }
    return found;
}

/* ---- texts ---- */

/* Blanks and what changes how text is shown: names have none. U+00A0, U+1680, U+2000 to U+200F, U+2028 to
 * U+202F, U+205F to U+206F, U+3000, U+FEFF, and control characters. */
static bool is_unfit_in_name(const uint8_t *p)
{
    if (p[0] <= 0x20 || p[0] == 0x7f)
        return true;
    if (p[0] == 0xc2)
        return p[1] <= 0xa0;
    if (p[0] == 0xe1)
        return p[1] == 0x9a && p[2] == 0x80;
    if (p[0] == 0xe2 && p[1] == 0x80)
        return p[2] <= 0x8f || (p[2] >= 0xa8 && p[2] <= 0xaf);
    if (p[0] == 0xe2 && p[1] == 0x81)
        return p[2] >= 0x9f && p[2] <= 0xaf;
    if (p[0] == 0xe3)
        return p[1] == 0x80 && p[2] == 0x80;
    return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf;
}

static int check_name(const char *text, const char *claim, struct detail *detail)
{
    if (strlen(text) > CLAIMS_USERNAME_MAX)
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" is longer than %d bytes", claim,
                           CLAIMS_USERNAME_MAX);
    for (const char *p = text; *p; p++)
        if (is_unfit_in_name((const uint8_t *)p))
            return detail_fail(detail, TOKEN_CLAIMS,
                               "the token's \"%s\" has blanks or control characters in it", claim);
    return 0;
}

static bool is_control(const char *p)
{
    uint8_t c = (uint8_t)p[0];

    return c < 0x20 || c == 0x7f || (c == 0xc2 && (uint8_t)p[1] <= 0x9f);
}

static int check_text(const char *text, const char *claim, struct detail *detail)
{
    if (strlen(text) > CLAIMS_TEXT_MAX)
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" is longer than %d bytes", claim,
                           CLAIMS_TEXT_MAX);
    for (const char *p = text; *p; p++)
        if (is_control(p))
            return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" has control characters in it",
                               claim);
    return 0;
}

/* Replaces a text of the message, which protobuf-c lets point at its own empty text. */
static int set_text(char **field, const char *text)
{
    char *copy;

    if (!text || !*text)
        return 0;
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *field = copy;
    return 0;
}

/* A text of the token, which may be missing. */
static int take_text(const json_t *json, const char *claim, char **field, struct detail *detail)
{
    int r;

    if (!json || json_is_null(json))
        return 0;
    if (!json_is_string(json))
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" is no text", claim);
    r = check_text(json_string_value(json), claim, detail);
    return r ? r : set_text(field, json_string_value(json));
}

/* ---- who ---- */

/* Whoever owns an address that nobody has checked may be anybody. Some providers write it as text. */
static bool is_unverified(const json_t *verified)
{
    const char *text = json_string_value(verified);

    return verified && !json_is_true(verified) && !(text && strcmp(text, "true") == 0);
}

static int take_username(const struct token *token, const Ipc__Issuer *issuer, Ipc__Claims *claims,
                         struct detail *detail)
{
    const char *claim = issuer->username_claim && issuer->username_claim[0] ? issuer->username_claim : "sub";
    const json_t *json = find(token->claims, claim, 0);
    const char *text = json_string_value(json);
    int r;

    if (!json || (text && !*text))
        return detail_fail(detail, TOKEN_CLAIMS, "the token has no \"%s\", by which people are named here",
                           claim);
    if (!text)
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" is no text", claim);
    if (strcmp(claim, "email") == 0 && is_unverified(json_object_get(token->claims, "email_verified")))
        return detail_fail(detail, TOKEN_CLAIMS,
                           "the token's e-mail address has not been verified (email_verified)");
    r = check_name(text, claim, detail);
    return r ? r : set_text(&claims->username, text);
}

/* RFC 8693 §4.1: the outermost actor is the one that acts now; those inside have acted before. */
static int take_actor(const struct token *token, Ipc__Claims *claims, struct detail *detail)
{
    const json_t *act = json_object_get(token->claims, "act");

    if (!act)
        return 0;
    if (!json_is_string(json_object_get(act, "sub")))
        return detail_fail(detail, TOKEN_CLAIMS, "the token does not say who acts for its subject (act.sub)");
    if (!json_string_length(json_object_get(act, "sub")))
        return detail_fail(detail, TOKEN_CLAIMS, "the token does not say who acts for its subject (act.sub)");
    return take_text(json_object_get(act, "sub"), "act.sub", &claims->actor, detail);
}

static int take_names(const struct token *token, const Ipc__Issuer *issuer, Ipc__Claims *claims,
                      struct detail *detail)
{
    const json_t *azp = json_object_get(token->claims, "azp");
    int r = take_text(json_object_get(token->claims, "sub"), "sub", &claims->subject, detail);

    if (!r && !claims->subject[0])
        r = detail_fail(detail, TOKEN_CLAIMS, "the token does not say who it is about (sub)");
    if (!r)
        r = take_username(token, issuer, claims, detail);
    if (!r)
        r = take_actor(token, claims, detail);
    if (!r)
        r = azp ? take_text(azp, "azp", &claims->authorized_party, detail)
                : take_text(json_object_get(token->claims, "client_id"), "client_id",
                            &claims->authorized_party, detail);
    return r ? r : take_text(json_object_get(token->claims, "jti"), "jti", &claims->token_id, detail);
}

/* ---- what roles ask for ---- */

static bool asks_here(const Ipc__Role *role, const Ipc__Issuer *issuer)
{
    return !role->issuer[0] || strcmp(role->issuer, issuer->name) == 0;
}

static bool any_glob(char *const *globs, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(globs[i], value, 0) == 0)
            return true;
    return false;
}

static bool group_is_asked(const Ipc__Config *config, const Ipc__Issuer *issuer, const char *value)
{
    for (size_t i = 0; i < config->n_roles; i++)
        if (asks_here(config->roles[i], issuer) &&
            any_glob(config->roles[i]->groups, config->roles[i]->n_groups, value))
            return true;
    return false;
}

static bool value_is_asked(const Ipc__Config *config, const Ipc__Issuer *issuer, const char *name,
                           const char *value)
{
    for (size_t i = 0; i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];

        for (size_t k = 0; k < role->n_claims && asks_here(role, issuer); k++)
            if (strcmp(role->claims[k]->name, name) == 0 &&
                any_glob(role->claims[k]->values, role->claims[k]->n_values, value))
                return true;
    }
    return false;
}

/* A value as text: NULL for what has none (lists in lists, objects, null). */
static const char *value_text(const json_t *json, char number[NUMBER_MAX])
{
    if (json_is_string(json))
        return json_string_value(json);
    if (json_is_boolean(json))
        return json_is_true(json) ? "true" : "false";
    if (!json_is_integer(json))
        return NULL;
    (void)snprintf(number, NUMBER_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
    return number;
}

/* The values of one claim that roles ask for. */
struct wanted {
    const Ipc__Config *config;
    const Ipc__Issuer *issuer;
    const char *claim;
    bool groups;
    char ***list;
    size_t *n;
};

static int take_value(const struct wanted *wanted, const char *value, struct detail *detail)
{
    char **list;
    int r;

    if (!(wanted->groups ? group_is_asked(wanted->config, wanted->issuer, value)
                         : value_is_asked(wanted->config, wanted->issuer, wanted->claim, value)))
        return 0;
    r = check_text(value, wanted->claim, detail);
    if (r)
        return r;
    for (size_t i = 0; i < *wanted->n; i++)
        if (strcmp((*wanted->list)[i], value) == 0)
            return 0;
    if (*wanted->n == CLAIMS_VALUES_MAX)
        return detail_fail(detail, TOKEN_CLAIMS, "the token's \"%s\" has more than %d values that roles name",
                           wanted->claim, CLAIMS_VALUES_MAX);
    list = realloc(*wanted->list, (*wanted->n + 1) * sizeof(*list));
    if (!list)
        return -ENOMEM;
    *wanted->list = list;
    list[*wanted->n] = strdup(value);
    if (!list[*wanted->n])
        return -ENOMEM;
    (*wanted->n)++;
    return 0;
}

/* RFC 8693 §4.2: the one claim that is a list of words in one text. */
static int take_scopes(const struct wanted *wanted, const char *text, struct detail *detail)
{
    CLEANUP(free) char *copy = strdup(text);
    char *rest = copy;
    int r = copy ? 0 : -ENOMEM;

    for (char *word; !r && (word = strsep(&rest, " ")) != NULL;)
        if (*word)
            r = take_value(wanted, word, detail);
    return r;
}

static int take_values(const struct wanted *wanted, const json_t *json, struct detail *detail)
{
    char number[NUMBER_MAX];
    const char *text;
    int r = 0;

    if (json_is_string(json) && strcmp(wanted->claim, "scope") == 0)
        return take_scopes(wanted, json_string_value(json), detail);
    if (!json_is_array(json)) {
        text = value_text(json, number);
        return text ? take_value(wanted, text, detail) : 0;
    }
    for (size_t i = 0; i < json_array_size(json) && !r; i++) {
        text = value_text(json_array_get(json, i), number);
        if (text)
            r = take_value(wanted, text, detail);
    }
    return r;
}

/* Or is kept anyway. */
static bool is_taken(const Ipc__Claims *claims, const char *name)
{
    if (strcmp(name, "sub") == 0 || strcmp(name, "act.sub") == 0)
        return true;
    for (size_t i = 0; i < claims->n_others; i++)
        if (strcmp(claims->others[i]->name, name) == 0)
            return true;
    return false;
}

static int add_claim(Ipc__Claims *claims, const char *name, Ipc__Claim **ret)
{
    Ipc__Claim **others = realloc(claims->others, (claims->n_others + 1) * sizeof(*others));
    Ipc__Claim *claim;

    if (!others)
        return -ENOMEM;
    claims->others = others;
    claim = malloc(sizeof(*claim));
    if (!claim)
        return -ENOMEM;
    *claim = (Ipc__Claim)IPC__CLAIM__INIT;
    others[claims->n_others++] = claim;
    *ret = claim;
    return set_text(&claim->name, name);
}

static int take_claim(const struct token *token, const struct wanted *about, Ipc__Claims *claims,
                      struct detail *detail)
{
    const json_t *json = find(token->claims, about->claim, 0);
    struct wanted wanted = *about;
    Ipc__Claim *claim = NULL;
    int r;

    if (!json || is_taken(claims, about->claim))
        return 0;
    r = add_claim(claims, about->claim, &claim);
    if (r)
        return r;
    wanted.list = &claim->values;
    wanted.n = &claim->n_values;
    r = take_values(&wanted, json, detail);
    if (!r && claim->n_values == 0)
        ipc__claim__free_unpacked(claims->others[--claims->n_others], NULL);
    return r;
}

static int take_others(const struct token *token, const Ipc__Issuer *issuer, const Ipc__Config *config,
                       Ipc__Claims *claims, struct detail *detail)
{
    int r = 0;

    for (size_t i = 0; i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];

        for (size_t k = 0; k < role->n_claims && asks_here(role, issuer) && !r; k++) {
            struct wanted about = { .config = config, .issuer = issuer, .claim = role->claims[k]->name };

            r = take_claim(token, &about, claims, detail);
        }
    }
    return r;
}

static int take_groups(const struct token *token, const Ipc__Issuer *issuer, const Ipc__Config *config,
                       Ipc__Claims *claims, struct detail *detail)
{
    struct wanted wanted = { .config = config,
                             .issuer = issuer,
                             .claim = issuer->groups_claim,
                             .groups = true,
                             .list = &claims->groups,
                             .n = &claims->n_groups };

    if (!issuer->groups_claim || !issuer->groups_claim[0])
        return 0;
    return take_values(&wanted, find(token->claims, issuer->groups_claim, 0), detail);
}

int token_claims(const struct token *token, const Ipc__Issuer *issuer, const Ipc__Config *config,
                 Ipc__Claims **ret, struct detail *detail)
{
    CLEANUP(claims_free) Ipc__Claims *claims = malloc(sizeof(*claims));
    int r;

    if (!claims)
        return -ENOMEM;
    *claims = (Ipc__Claims)IPC__CLAIMS__INIT;
    r = set_text(&claims->issuer, issuer->name);
    if (!r)
        r = take_names(token, issuer, claims, detail);
    if (!r)
        r = take_groups(token, issuer, config, claims, detail);
    if (!r)
        r = take_others(token, issuer, config, claims, detail);
    if (r)
        return r;
    if (!claims_are_fit(claims) || ipc__claims__get_packed_size(claims) > CLAIMS_MAX)
        return detail_fail(detail, TOKEN_CLAIMS, "the token claims more than fits into a certificate");
    *ret = STEAL(claims);
    return 0;
}
