/* identity: whose certificates count. */
#include <stdlib.h>
#include <string.h>
#include "policy/config_file.h"
#include "policy/config_sections.h"

static const char USER_CA_DEFAULT[] = "user_ca";
static const char OWN_LIST[] = "revoked.list"; /* the issuer's, in the state directory */

enum {
    LIFETIME_DEFAULT_MS = 15 * 60 * 1000,
    LIFETIME_MIN_MS = 60 * 1000,           /* less would be used up by clocks that differ */
    LIFETIME_MAX_MS = 24 * 60 * 60 * 1000, /* certificates are renewed, not kept */
};

static const struct config_key KEYS[] = {
    { "user_ca", CONFIG_OPTIONAL },         { "trusted_cas", CONFIG_OPTIONAL },
    { "revoked", CONFIG_OPTIONAL },         { "certificate", CONFIG_OPTIONAL },
    { "expire_sessions", CONFIG_OPTIONAL }, { "issuers", CONFIG_OPTIONAL },
};
static const struct config_key CERTIFICATE_KEYS[] = {
    { "lifetime", CONFIG_OPTIONAL },
    { "bind_source_address", CONFIG_OPTIONAL },
    { "lifetime_beyond_token", CONFIG_OPTIONAL },
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

/* What the certificates that we issue are like. */
static void read_certificate(struct config_reader *reader, const struct config_node *node)
{
    Ipc__Config *config = reader->config;
    bool flag = false;

    config->certificate_lifetime_ms = LIFETIME_DEFAULT_MS;
    if (!config_map(reader, node, CONFIG_KEYS(CERTIFICATE_KEYS), "certificate"))
        return;
    config_duration(reader, config_node_get(node, "lifetime"), LIFETIME_MIN_MS, LIFETIME_MAX_MS,
                    &config->certificate_lifetime_ms);
    if (config_flag(reader, config_node_get(node, "bind_source_address"), &flag))
        config->bind_source_address = flag;
    if (config_flag(reader, config_node_get(node, "lifetime_beyond_token"), &flag))
        config->lifetime_beyond_token = flag;
}

/* Two writers of one file: what the one adds, the other would lose. */
static bool is_own_list(const struct config_reader *reader, const char *path)
{
    size_t n = strlen(reader->config->state);

    return !strncmp(path, reader->config->state, n) && path[n] == '/' && !strcmp(path + n + 1, OWN_LIST);
}

static void read_revoked(struct config_reader *reader, const struct config_node *node)
{
    CLEANUP(free) char *path = node ? config_state_path(reader, node, NULL) : NULL;

    if (!path)
        return;
    if (is_own_list(reader, path))
        config_fault(reader, node, "\"revoked\" can't be %s: `ssh bastion revoke` keeps its own list there",
                     OWN_LIST);
    else
        config_file_revoked(reader, node, path);
    config_set(reader, &reader->config->revoked, path);
}

void config_read_identity(struct config_reader *reader, const struct config_node *root)
{
    const struct config_node *identity = config_node_get(root, "identity");
    const struct config_node *user_ca = config_node_get(identity, "user_ca");

    const struct config_node *place = user_ca ? user_ca : identity ? identity : root;
    bool expire = true;

    config_map(reader, identity, CONFIG_KEYS(KEYS), "identity");
    read_user_ca(reader, place, user_ca);
    read_trusted_cas(reader, config_node_get(identity, "trusted_cas"));
    read_certificate(reader, config_node_get(identity, "certificate"));
    read_revoked(reader, config_node_get(identity, "revoked"));
    if (config_flag(reader, config_node_get(identity, "expire_sessions"), &expire))
        reader->config->keep_expired_sessions = !expire;
    config_read_issuers(reader, config_node_get(identity, "issuers"));
    if (reader->config->n_issuers && reader->config->user_ca_public)
        config_file_signer(reader, place, reader->config->user_ca, reader->config->user_ca_public);
}
