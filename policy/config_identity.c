/* identity: whose certificates count. */
#include <stdlib.h>
#include <string.h>
#include "policy/config_file.h"
#include "policy/config_sections.h"

static const char USER_CA_DEFAULT[] = "user_ca";

static const struct config_key KEYS[] = {
    { "user_ca", CONFIG_OPTIONAL },  { "trusted_cas", CONFIG_OPTIONAL }, { "revoked", CONFIG_LATER },
    { "certificate", CONFIG_LATER }, { "issuers", CONFIG_LATER },
};

static bool ends_in_pub(const char *name)
{
    size_t n = strlen(name);

    return n > 4 && !strcmp(name + n - 4, ".pub");
}

/* user_ca names the private key; certificates are checked with its public half beside it. */
static void read_user_ca(struct config_reader *reader, const struct config_node *place,
                         const struct config_node *node)
{
    Ipc__Config *config = reader->config;
    const char *name = USER_CA_DEFAULT;

    CLEANUP(free) char *path = config_state_path(reader, node, USER_CA_DEFAULT);
    if (!path)
        return;
    if (node)
        name = node->text;
    config_set(reader, &config->user_ca, path);
    if (ends_in_pub(name)) {
        config_fault(reader, place,
                     "\"user_ca\" names the private key; its public half has .pub added to that");
        return;
    }

    CLEANUP(free) char *public_path = NULL;
    if (asprintf(&public_path, "%s.pub", path) < 0) {
        public_path = NULL;
        reader->no_memory = true;
        return;
    }
    config->user_ca_public = config_file_ca(reader, place, public_path, name);
}

static bool is_listed(struct config_reader *reader, const struct config_node *item, const char *path)
{
    for (size_t i = 0; i < reader->config->n_trusted_cas; i++) {
        if (strcmp(reader->config->trusted_cas[i]->path, path) != 0)
            continue;
        config_fault(reader, item, "\"%.80s\" is listed twice", item->text);
        return true;
    }
    return false;
}

static void read_trusted_cas(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        CLEANUP(free) char *path = config_state_path(reader, item, NULL);
        if (!path || is_listed(reader, item, path) ||
            !config_grow(reader, config->n_trusted_cas, (void ***)&config->trusted_cas))
            continue;
        Ipc__Ca *ca = config_file_ca(reader, item, path, item->text);
        if (ca)
            config->trusted_cas[config->n_trusted_cas++] = ca;
    }
}

void config_read_identity(struct config_reader *reader, const struct config_node *root)
{
    const struct config_node *identity = config_node_get(root, "identity");
    const struct config_node *user_ca = config_node_get(identity, "user_ca");

    config_map(reader, identity, CONFIG_KEYS(KEYS), "identity");
    read_user_ca(reader, user_ca ? user_ca : identity ? identity : root, user_ca);
    read_trusted_cas(reader, config_node_get(identity, "trusted_cas"));
}
