/* Which roles a certificate holds.
 *
 * A role of the configuration belongs to one CA. Roles with `ca` are held by certificates of that CA with one
 * of the role's principals. All others are held by certificates of the user CA that name the role as a
 * principal: and when the role has conditions on claims, the certificate's claims must meet them now, not
 * only when it was issued, so that a changed configuration is in force at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_parts.h"
#include "policy/claims.h"

enum { LIST_SHOWN = 200 }; /* bytes of a list of names in a message */

bool ca_is(const Ipc__Ca *ca, struct span blob)
{
    return ca && ca->blob.len == blob.n && blob.n > 0 && memcmp(ca->blob.data, blob.bytes, blob.n) == 0;
}

int texts_add(char ***list, size_t *count, const char *text)
{
    char **longer;

    for (size_t i = 0; i < *count; i++)
        if (strcmp((*list)[i], text) == 0)
            return 0;
    longer = realloc(*list, (*count + 1) * sizeof(char *));
    if (!longer)
        return -ENOMEM;
    *list = longer;
    longer[*count] = strdup(text);
    if (!longer[*count])
        return -ENOMEM;
    (*count)++;
    return 0;
}

static bool has_principal(const Ipc__Identity *identity, const char *name)
{
    for (size_t i = 0; i < identity->n_principals; i++)
        if (strcmp(identity->principals[i], name) == 0)
            return true;
    return false;
}

/* The role's CA is this certificate's CA. Several entries may hold the same key under different names. */
static bool role_is_of_ca(const Ipc__Config *config, const Ipc__Role *role, struct span ca)
{
    for (size_t i = 0; i < config->n_trusted_cas; i++)
        if (ca_is(config->trusted_cas[i], ca) && strcmp(config->trusted_cas[i]->name, role->ca) == 0)
            return true;
    return false;
}

/* A role of the user CA, and a certificate of the user CA that names it. */
static bool role_is_named(const Ipc__Identity *identity, struct span ca, const Ipc__Config *config,
                          const Ipc__Role *role)
{
    return role->ca[0] == '\0' && ca_is(config->user_ca_public, ca) && has_principal(identity, role->name);
}

static bool conditions_hold(const Ipc__Identity *identity, const Ipc__Role *role)
{
    return !role->matches_claims || (identity->claims && claims_hold_role(identity->claims, role));
}

static bool role_is_held(const Ipc__Identity *identity, struct span ca, const Ipc__Config *config,
                         const Ipc__Role *role)
{
    if (role->ca[0] == '\0')
        return role_is_named(identity, ca, config, role) && conditions_hold(identity, role);
    if (!role_is_of_ca(config, role, ca))
        return false;
    for (size_t i = 0; i < role->n_principals; i++)
        if (has_principal(identity, role->principals[i]))
            return true;
    return false;
}

int roles_fill(Ipc__Identity *identity, struct span ca, const Ipc__Config *config)
{
    int r = 0;

    for (size_t i = 0; !r && i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];

        if (!role_is_held(identity, ca, config, role))
            continue;
        r = texts_add(&identity->roles, &identity->n_roles, role->name);
        for (size_t k = 0; !r && k < role->n_may; k++)
            r = texts_add(&identity->may, &identity->n_may, role->may[k]);
    }
    return r;
}

/* "agent, dba", escaped, cut at the size. */
static void list_text(char *const *list, size_t count, char out[LIST_SHOWN])
{
    struct buffer text;
    int r = 0;

    buffer_init(&text, (size_t)CERTIFICATE_PRINCIPALS_BYTES * 2);
    for (size_t i = 0; !r && i < count; i++)
        r = buffer_printf(&text, "%s%s", i ? ", " : "", list[i]);
    text_escape(out, LIST_SHOWN, buffer_head(&text), buffer_size(&text), false);
    buffer_free(&text);
}

int roles_none(const Ipc__Identity *identity, struct span ca, const Ipc__Config *config,
               struct detail *detail)
{
    char shown[LIST_SHOWN];

    for (size_t i = 0; i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];

        if (!role_is_named(identity, ca, config, role))
            continue;
        return detail_fail(detail, CERTIFICATE_NO_ROLE,
                           identity->claims
                               ? "your certificate is valid, but its claims do not meet the "
                                 "conditions of the role \"%s\", which may have changed since it "
                                 "was issued; get a new one"
                               : "your certificate is valid, but the role \"%s\" asks for claims, "
                                 "and it has none; get a new one from enroll@",
                           role->name);
    }
    list_text(identity->principals, identity->n_principals, shown);
    return detail_fail(detail, CERTIFICATE_NO_ROLE,
                       "your certificate is valid, but none of its principals is a role here: %s", shown);
}
