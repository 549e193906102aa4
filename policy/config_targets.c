/* targets: what is behind the house, and how it is reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_address.h"
#include "policy/config_file.h"
#include "policy/config_kube.h"
#include "policy/config_sections.h"
#include "policy/config_ssh.h"

static const struct config_key POSTGRES_KEYS[] = {
    { "name", CONFIG_REQUIRED },     { "kind", CONFIG_REQUIRED },   { "address", CONFIG_REQUIRED },
    { "database", CONFIG_REQUIRED }, { "login", CONFIG_REQUIRED },  { "credential", CONFIG_REQUIRED },
    { "tls", CONFIG_OPTIONAL },      { "tls_ca", CONFIG_OPTIONAL },
};
/* For a target whose kind is missing or wrong: only its spelling can be checked. */
static const struct config_key ANY_KEYS[] = {
    { "name", CONFIG_REQUIRED },          { "kind", CONFIG_REQUIRED },
    { "address", CONFIG_OPTIONAL },       { "database", CONFIG_OPTIONAL },
    { "login", CONFIG_OPTIONAL },         { "credential", CONFIG_OPTIONAL },
    { "tls", CONFIG_OPTIONAL },           { "tls_ca", CONFIG_OPTIONAL },
    { "host_key", CONFIG_OPTIONAL },      { "certificate_authority", CONFIG_OPTIONAL },
    { "logins", CONFIG_OPTIONAL },        { "forwards", CONFIG_OPTIONAL },
    { "host_ca", CONFIG_OPTIONAL },       { "tls_server_name", CONFIG_OPTIONAL },
    { "impersonate", CONFIG_OPTIONAL },   { "show_secrets", CONFIG_OPTIONAL },
    { "token_request", CONFIG_OPTIONAL }, { "password_to_gate", CONFIG_OPTIONAL },
};
static const char *const KINDS[] = { "postgres", "ssh", "kubernetes", NULL };
static const char *const TLS_MODES[] = { "disable", "require", "verify-ca", "verify-full", NULL };

/* User names before the @ that are no target (contract.md §2). */
static const char *const RESERVED[] = { "enroll" };

enum { POSTGRES_NAME_MAX = 63 }; /* bytes of a database or login: NAMEDATALEN - 1 */

static void read_socket(struct config_reader *reader, const struct config_node *node, const char *text,
                        Ipc__Target *target)
{
    uint16_t port = 0;
    CLEANUP(free) char *path = config_path(reader->config->state, text);

    if (!path) {
        reader->no_memory = true;
        return;
    }
    if (!*text || strlen(path) > CONFIG_SOCKET_MAX)
        config_fault(reader, node, "bad address \"%.80s\": unix: needs a path of at most %d bytes",
                     node->text, CONFIG_SOCKET_MAX);
    else if (!config_address_socket_port(path, &port))
        config_fault(reader, node, "bad address \"%.80s\": the path must end in .s.PGSQL.PORT", node->text);
    target->port = port;
    config_set(reader, &target->socket, path);
}

static void read_address(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    static const char unix_prefix[] = "unix:";
    struct config_address address;
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    if (!strncmp(text, unix_prefix, sizeof unix_prefix - 1)) {
        read_socket(reader, node, text + sizeof unix_prefix - 1, target);
        return;
    }
    const char *wrong = config_address_parse(text, &address);
    if (wrong) {
        config_fault(reader, node, "bad address \"%.80s\": %s", text, wrong);
        return;
    }
    config_set(reader, &target->host, address.host);
    target->port = address.port;
}

static void read_postgres_name(struct config_reader *reader, const struct config_node *node, char **slot)
{
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    if (node->size > POSTGRES_NAME_MAX)
        config_fault(reader, node, "\"%s\" is longer than %d bytes", node->name, POSTGRES_NAME_MAX);
    else
        config_set(reader, slot, text);
}

/* verify-* without a CA would trust nobody, and a CA that is not looked at would be trusted in vain: both are
 * faults, so that nobody believes in a check that is not made. */
static void read_tls(struct config_reader *reader, const struct config_node *map, const char *what,
                     Ipc__Target *target)
{
    const struct config_node *tls = config_node_get(map, "tls"), *ca = config_node_get(map, "tls_ca");
    bool on_socket = target->socket[0] != '\0';
    const char *mode = on_socket ? "disable" : "verify-full";
    bool known = !tls || config_choice(reader, tls, TLS_MODES, &mode);

    config_set(reader, &target->tls, mode);
    if (!known)
        return;
    bool verifies = !strncmp(mode, "verify-", 7);
    if (on_socket && strcmp(mode, "disable") != 0)
        config_fault(reader, tls, "%s: a Unix socket has no TLS", what);
    else if (verifies && !ca)
        config_fault(reader, tls ? tls : map, "%s: \"tls_ca\" is missing: \"tls\" is %s%s", what, mode,
                     tls ? "" : ", the default");
    else if (!verifies && ca)
        config_fault(reader, ca->key, "%s: \"tls_ca\" has no effect, since \"tls\" is %s", what, mode);
    CLEANUP(free) char *path = ca ? config_state_path(reader, ca, NULL) : NULL;
    if (!path)
        return;
    config_file_certificates(reader, ca, path, &target->tls_ca_pem);
    config_set(reader, &target->tls_ca, path);
}

static void read_postgres(struct config_reader *reader, const struct config_node *map, const char *what,
                          Ipc__Target *target)
{
    const struct config_node *address = config_node_get(map, "address");
    const char *credential = NULL;

    read_address(reader, address, target);
    read_postgres_name(reader, config_node_get(map, "database"), &target->database);
    read_postgres_name(reader, config_node_get(map, "login"), &target->login);
    if (config_credential(reader, config_node_get(map, "credential"), &credential))
        config_set(reader, &target->credential, credential);
    if (target->host[0] || target->socket[0])
        read_tls(reader, map, what, target);
}

/* Reports a name that another target has, or that means something else to `ssh NAME@bastion`. */
static void check_name(struct config_reader *reader, const struct config_node *node, const char *name)
{
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (!strcmp(RESERVED[i], name))
            config_fault(reader, node, "a target can't be called \"%s\"", name);
    for (size_t i = 0; i < reader->config->n_targets; i++)
        if (!strcmp(reader->config->targets[i]->name, name)) {
            config_fault(reader, node, "there are two targets \"%s\"", name);
            return;
        }
}

static void read_target(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    const struct config_node *name_node = config_node_get(node, "name"),
                             *kind = config_node_get(node, "kind");
    char what[CONFIG_HINT_MAX] = "target";
    const char *name = NULL, *word = "";

    if (config_name(reader, name_node, &name)) {
        snprintf(what, sizeof what, "target \"%s\"", name);
        check_name(reader, name_node, name);
        config_set(reader, &target->name, name);
    }
    if (kind && config_choice(reader, kind, KINDS, &word))
        config_set(reader, &target->kind, word);
    if (!strcmp(word, "postgres")) {
        if (config_map(reader, node, CONFIG_KEYS(POSTGRES_KEYS), what))
            read_postgres(reader, node, what, target);
        return;
    }
    if (!strcmp(word, "ssh")) {
        config_read_ssh(reader, node, what, target);
        return;
    }
    if (!strcmp(word, "kubernetes")) {
        config_read_kube(reader, node, what, target);
        return;
    }
    config_map(reader, node, CONFIG_KEYS(ANY_KEYS), what);
}

void config_read_targets(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        Ipc__Target *target = malloc(sizeof *target);
        if (!target || !config_grow(reader, config->n_targets, (void ***)&config->targets)) {
            free(target);
            reader->no_memory = true;
            return;
        }
        *target = (Ipc__Target)IPC__TARGET__INIT;
        read_target(reader, item, target);
        config->targets[config->n_targets++] = target;
    }
}
