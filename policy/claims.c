/* See claims.h. The extension is in a certificate that the user CA signed, so this is what our own issuer
 * wrote; it is still read with suspicion, because names in it end up on terminals and in recordings. */
#include "policy/claims.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

static void claims_free(Ipc__Claims *claims)
{
    if (claims)
        ipc__claims__free_unpacked(claims, NULL);
}
DEFINE_CLEANUP(Ipc__Claims *, claims_free)

static bool any_glob_matches(char *const *globs, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (fnmatch(globs[i], value, 0) == 0)
            return true;
    return false;
}

/* RFC 7519 §4.1.2 and RFC 8693 §4.1: the claims that are kept in fields of their own. */
static const char *field_of(const Ipc__Claims *claims, const char *name)
{
    if (strcmp(name, "sub") == 0)
        return claims->subject;
    if (strcmp(name, "act.sub") == 0)
        return claims->actor;
    return "";
}

static bool claim_holds(const Ipc__Claims *claims, const Ipc__ClaimMatch *match)
{
    const char *field = field_of(claims, match->name);

    if (field[0] && any_glob_matches(match->values, match->n_values, field))
        return true;
    for (size_t i = 0; i < claims->n_others; i++) {
        const Ipc__Claim *claim = claims->others[i];

        if (strcmp(claim->name, match->name) != 0)
            continue;
        for (size_t k = 0; k < claim->n_values; k++)
            if (any_glob_matches(match->values, match->n_values, claim->values[k]))
                return true;
    }
    return false;
}

static bool groups_hold(const Ipc__Claims *claims, const Ipc__Role *role)
{
    for (size_t i = 0; i < claims->n_groups; i++)
        if (any_glob_matches(role->groups, role->n_groups, claims->groups[i]))
            return true;
    return role->n_groups == 0;
}

bool claims_hold_role(const Ipc__Claims *claims, const Ipc__Role *role)
{
    if (!role->matches_claims)
        return false;
    if (role->issuer[0] && strcmp(role->issuer, claims->issuer) != 0)
        return false;
    if (!groups_hold(claims, role))
        return false;
    for (size_t i = 0; i < role->n_claims; i++)
        if (!claim_holds(claims, role->claims[i]))
            return false;
    return true;
}

/* C0, DEL and C1 (in UTF-8: C2 80 to C2 9F). */
static bool is_control(const uint8_t *p)
{
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f);
}

static bool text_is_fit(const char *text, size_t max)
{
    size_t n = strlen(text);

    if (n > max || !text_is_utf8(text, n))
        return false;
    for (const char *p = text; *p; p++)
        if (is_control((const uint8_t *)p))
            return false;
    return true;
}

static bool texts_are_fit(char *const *texts, size_t count)
{
    if (count > CLAIMS_VALUES_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!text_is_fit(texts[i], CLAIMS_TEXT_MAX))
            return false;
    return true;
}

bool claims_are_fit(const Ipc__Claims *claims)
{
    const char *const fields[] = { claims->issuer, claims->subject, claims->token_id, claims->actor,
                                   claims->authorized_party };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!text_is_fit(fields[i], CLAIMS_TEXT_MAX))
            return false;
    if (!claims->issuer[0] || !text_is_fit(claims->username, CLAIMS_USERNAME_MAX) ||
        !texts_are_fit(claims->groups, claims->n_groups))
        return false;
    for (size_t i = 0; i < claims->n_others; i++)
        if (!text_is_fit(claims->others[i]->name, CLAIMS_TEXT_MAX) ||
            !texts_are_fit(claims->others[i]->values, claims->others[i]->n_values))
            return false;
    return true;
}

int claims_unpack(const uint8_t *bytes, size_t n, Ipc__Claims **ret)
{
    CLEANUP(claims_free) Ipc__Claims *claims = NULL;

    if (n == 0 || n > CLAIMS_MAX)
        return -EBADMSG;
    claims = ipc__claims__unpack(NULL, n, bytes);
    if (!claims || !claims_are_fit(claims))
        return -EBADMSG;
    *ret = STEAL(claims);
    return 0;
}
