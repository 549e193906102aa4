/* roles: who holds which role. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_file.h"
#include "policy/config_sections.h"

static const struct config_key KEYS[] = {
    { "name", CONFIG_REQUIRED },       { "match", CONFIG_OPTIONAL },     { "may", CONFIG_OPTIONAL },
    { "extensions", CONFIG_OPTIONAL }, { "read_only", CONFIG_OPTIONAL },
};
/* Either the first two, or some of the others. */
static const struct config_key MATCH_KEYS[] = {
    { "ca", CONFIG_OPTIONAL },     { "principals", CONFIG_OPTIONAL }, { "issuer", CONFIG_OPTIONAL },
    { "groups", CONFIG_OPTIONAL }, { "claims", CONFIG_OPTIONAL },
};
static const char *const MAY_WORDS[] = { "kill", "replay", "revoke", "watch", NULL };
static const char *const EXTENSIONS[] = { "permit-pty", "permit-port-forwarding", NULL };

/* The name under which the CA is known, whichever way this place writes its path. */
static const char *find_ca(struct config_reader *reader, const struct config_node *node)
{
    char near[CONFIG_HINT_MAX];
    CLEANUP(free) char *path = config_state_path(reader, node, NULL);

    if (!path)
        return NULL;
    struct config_hint hint = config_hint_for(reader->faults, node->text);
    for (size_t i = 0; i < reader->config->n_trusted_cas; i++) {
        const Ipc__Ca *ca = reader->config->trusted_cas[i];
        if (!strcmp(ca->path, path))
            return ca->name;
        config_hint_try(&hint, ca->name);
    }
    config_fault(reader, node, "\"%.80s\" is not one of identity.trusted_cas%s", node->text,
                 config_hint_text(&hint, near));
    return NULL;
}

static void read_ca_match(struct config_reader *reader, const struct config_node *node, const char *what,
                          Ipc__Role *role)
{
    const struct config_node *ca = config_node_get(node, "ca"),
                             *principals = config_node_get(node, "principals");

    if (!ca || !principals)
        config_fault(reader, node, "%s: \"%s\" is missing", what, ca ? "principals" : "ca");
    const char *name = ca ? find_ca(reader, ca) : NULL;
    if (name)
        config_set(reader, &role->ca, name);
    config_texts(reader, principals, &role->n_principals, &role->principals);
}

/* What a claim says means something only together with who says it. So a role names its issuer, unless there
 * is only one: with a second one in the file its name has to be written, and nobody gains a role by that. */
static void default_issuer(struct config_reader *reader, const struct config_node *node, const char *what,
                           Ipc__Role *role)
{
    const Ipc__Config *config = reader->config;

    if (config->n_issuers == 1)
        config_set(reader, &role->issuer, config->issuers[0]->name);
    else
        config_fault(reader, node, "%s: \"issuer\" is missing: there %s in identity.issuers", what,
                     config->n_issuers ? "are several" : "is none");
}

static void find_issuer(struct config_reader *reader, const struct config_node *node, Ipc__Role *role)
{
    char near[CONFIG_HINT_MAX];
    const char *name = NULL;

    if (!config_text(reader, node, &name))
        return;
    struct config_hint hint = config_hint_for(reader->faults, name);
    for (size_t i = 0; i < reader->config->n_issuers; i++) {
        if (!strcmp(reader->config->issuers[i]->name, name)) {
            config_set(reader, &role->issuer, name);
            return;
        }
        config_hint_try(&hint, reader->config->issuers[i]->name);
    }
    config_fault(reader, node, "there is no issuer \"%.80s\"%s", name, config_hint_text(&hint, near));
}

static void read_claims(struct config_reader *reader, const struct config_node *node, Ipc__Role *role)
{
    const struct config_node *value = config_entries(reader, node);

    for (; value; value = value->next) {
        Ipc__ClaimMatch *claim = malloc(sizeof *claim);
        if (!claim || !config_grow(reader, role->n_claims, (void ***)&role->claims)) {
            free(claim);
            reader->no_memory = true;
            return;
        }
        *claim = (Ipc__ClaimMatch)IPC__CLAIM_MATCH__INIT;
        role->claims[role->n_claims++] = claim;
        if (value->key->kind == CONFIG_TEXT)
            config_set(reader, &claim->name, value->key->text);
        config_text_or_texts(reader, value, &claim->n_values, &claim->values);
    }
}

static void read_token_match(struct config_reader *reader, const struct config_node *node, const char *what,
                             Ipc__Role *role)
{
    const struct config_node *issuer = config_node_get(node, "issuer");

    role->matches_claims = true;
    if (issuer)
        find_issuer(reader, issuer, role);
    else
        default_issuer(reader, node, what, role);
    config_texts(reader, config_node_get(node, "groups"), &role->n_groups, &role->groups);
    read_claims(reader, config_node_get(node, "claims"), role);
}

static void read_match(struct config_reader *reader, const struct config_node *node, const char *what,
                       Ipc__Role *role)
{
    if (!config_map(reader, node, CONFIG_KEYS(MATCH_KEYS), what))
        return;
    bool of_ca = config_node_get(node, "ca") || config_node_get(node, "principals");
    bool of_token =
        config_node_get(node, "issuer") || config_node_get(node, "groups") || config_node_get(node, "claims");
    if (!node->first)
        config_fault(reader, node, "\"match\" holds no condition");
    if (of_ca && of_token)
        config_fault(reader, node,
                     "%s: \"ca\" and \"principals\" are about certificates of others, \"issuer\", \"groups\" "
                     "and \"claims\" about tokens: make two roles",
                     what);
    if (of_ca)
        read_ca_match(reader, node, what, role);
    if (of_token)
        read_token_match(reader, node, what, role);
}

/* Only where certificates are issued for the role there is somebody to put them in. */
static void read_extensions(struct config_reader *reader, const struct config_node *node, const char *what,
                            Ipc__Role *role)
{
    const char *word = NULL;

    if (node && !role->matches_claims) {
        config_fault(reader, node->key,
                     "%s: \"extensions\" has no effect: the role is not given to tokens, by \"issuer\", "
                     "\"groups\" or \"claims\"",
                     what);
        return;
    }
    for (size_t i = 0; !node && role->matches_claims && EXTENSIONS[i]; i++)
        config_push(reader, &role->n_extensions, &role->extensions, EXTENSIONS[i]);
    for (const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY); item;
         item = item->next)
        if (config_choice(reader, item, EXTENSIONS, &word) &&
            !config_repeats(reader, item, word, role->n_extensions, role->extensions))
            config_push(reader, &role->n_extensions, &role->extensions, word);
}

static void read_may(struct config_reader *reader, const struct config_node *node, Ipc__Role *role)
{
    const char *word = NULL;

    for (const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY); item;
         item = item->next)
        if (config_choice(reader, item, MAY_WORDS, &word) &&
            !config_repeats(reader, item, word, role->n_may, role->may))
            config_push(reader, &role->n_may, &role->may, word);
}

/* Reports a name that another role has. */
static void check_name(struct config_reader *reader, const struct config_node *node, const char *name)
{
    for (size_t i = 0; i < reader->config->n_roles; i++)
        if (!strcmp(reader->config->roles[i]->name, name)) {
            config_fault(reader, node, "there are two roles \"%s\"", name);
            return;
        }
}

static void read_role(struct config_reader *reader, const struct config_node *node, Ipc__Role *role)
{
    const struct config_node *name_node = config_node_get(node, "name");
    char what[CONFIG_HINT_MAX] = "role";
    const char *name = NULL;

    if (config_name(reader, name_node, &name)) {
        snprintf(what, sizeof what, "role \"%s\"", name);
        check_name(reader, name_node, name);
        config_set(reader, &role->name, name);
    }
    if (!config_map(reader, node, CONFIG_KEYS(KEYS), what))
        return;
    read_match(reader, config_node_get(node, "match"), what, role);
    const struct config_node *read_only = config_node_get(node, "read_only");
    bool is_read_only = false;
    if (read_only && config_flag(reader, read_only, &is_read_only))
        role->read_only = is_read_only;
    read_may(reader, config_node_get(node, "may"), role);
    read_extensions(reader, config_node_get(node, "extensions"), what, role);
}

void config_read_roles(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        Ipc__Role *role = malloc(sizeof *role);
        if (!role || !config_grow(reader, config->n_roles, (void ***)&config->roles)) {
            free(role);
            reader->no_memory = true;
            return;
        }
        *role = (Ipc__Role)IPC__ROLE__INIT;
        read_role(reader, item, role);
        config->roles[config->n_roles++] = role;
    }
}
