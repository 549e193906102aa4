/* roles: who holds which role. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_file.h"
#include "policy/config_sections.h"

static const struct config_key KEYS[] = {
    { "name", CONFIG_REQUIRED },
    { "match", CONFIG_OPTIONAL },
    { "may", CONFIG_OPTIONAL },
};
static const struct config_key MATCH_KEYS[] = {
    { "ca", CONFIG_REQUIRED },  { "principals", CONFIG_REQUIRED }, { "issuer", CONFIG_LATER },
    { "groups", CONFIG_LATER }, { "claims", CONFIG_LATER },
};
static const char *const MAY_WORDS[] = { "replay", NULL };

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

static void read_match(struct config_reader *reader, const struct config_node *node, const char *what,
                       Ipc__Role *role)
{
    const struct config_node *ca = config_node_get(node, "ca");

    if (!config_map(reader, node, CONFIG_KEYS(MATCH_KEYS), what))
        return;
    const char *name = ca ? find_ca(reader, ca) : NULL;
    if (name)
        config_set(reader, &role->ca, name);
    config_texts(reader, config_node_get(node, "principals"), &role->n_principals, &role->principals);
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
    read_may(reader, config_node_get(node, "may"), role);
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
