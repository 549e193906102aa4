/* See config_ssh.h. */
#include "policy/config_ssh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/certificate.h"
#include "policy/config_address.h"
#include "policy/forward_range.h"

static const struct config_key SSH_KEYS[] = {
    { "name", CONFIG_REQUIRED },           { "kind", CONFIG_REQUIRED },
    { "address", CONFIG_REQUIRED },        { "login", CONFIG_REQUIRED },
    { "logins", CONFIG_OPTIONAL },         { "credential", CONFIG_OPTIONAL },
    { "host_key", CONFIG_OPTIONAL },       { "certificate_authority", CONFIG_OPTIONAL },
    { "host_ca", CONFIG_OPTIONAL },        { "forwards", CONFIG_OPTIONAL },
    { "source_address", CONFIG_OPTIONAL }, { "password_to_gate", CONFIG_OPTIONAL },
};

enum {
    SSH_PORT = 22,
    LOGIN_MAX = 64,      /* bytes of a user name at a target */
    HOST_KEYS_MAX = 16,  /* of one target */
    FORWARDS_MAX = 1024, /* of one target */
};

static void read_address(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    struct config_address address;
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    const char *wrong = config_host_parse(text, SSH_PORT, &address);
    if (wrong) {
        config_fault(reader, node, "bad address \"%.80s\": %s", text, wrong);
        return;
    }
    config_set(reader, &target->host, address.host);
    target->port = address.port;
}

/* ---- logins ---- */

/* It becomes a principal, stands in the log and before a +; and no tool may take it for an option. */
static bool read_login(struct config_reader *reader, const struct config_node *node, const char **ret)
{
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return false;
    if (strlen(text) > LOGIN_MAX) {
        config_fault(reader, node, "a login has at most %d bytes", LOGIN_MAX);
        return false;
    }
    for (const char *c = text; *c; c++) {
        if (*c > ' ' && *c < 0x7f && !strchr("\"'\\/:,*?", *c) && *text != '-')
            continue;
        config_fault(reader, node,
                     "\"%.80s\" is no login: printable ASCII without spaces and \"'\\/:,*?, the first no -",
                     text);
        return false;
    }
    *ret = text;
    return true;
}

static void read_logins(struct config_reader *reader, const struct config_node *map, Ipc__Target *target)
{
    const struct config_node *item = config_list(reader, config_node_get(map, "logins"), CONFIG_NOT_EMPTY);
    const char *login = NULL;

    if (read_login(reader, config_node_get(map, "login"), &login))
        config_set(reader, &target->login, login);
    for (; item; item = item->next) {
        if (!read_login(reader, item, &login))
            continue;
        if (!strcmp(login, target->login))
            config_fault(reader, item, "\"%s\" is this target's \"login\" already", login);
        else if (!config_repeats(reader, item, login, target->n_logins, target->logins))
            config_push(reader, &target->n_logins, &target->logins, login);
    }
}

/* ---- the credential ---- */

/* A text or a list of them, each a network; or the word any. */
static void read_source(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    char joined[CONFIG_TEXT_MAX] = "";
    size_t count = 0, used = 0;
    char **networks = NULL;

    config_text_or_texts(reader, node, &count, &networks);
    for (size_t i = 0; i < count; i++) {
        bool any = count == 1 && !strcmp(networks[i], "any");
        int n = snprintf(joined + used, sizeof(joined) - used, "%s%s", used ? "," : "", networks[i]);

        if (!any && (strchr(networks[i], ',') || !certificate_source_is_valid(networks[i])))
            config_fault(reader, node, "\"%.80s\" is no network, as in 10.0.0.0/8, and not \"any\"",
                         networks[i]);
        used += n > 0 ? (size_t)n : 0;
        if (used >= sizeof(joined)) {
            config_fault(reader, node, "the networks are longer than %zu bytes", sizeof(joined) - 1);
            break;
        }
    }
    for (size_t i = 0; i < count; i++)
        free(networks[i]);
    free(networks);
    if (used && used < sizeof(joined))
        config_set(reader, &target->source_address, joined);
}

/* A certificate is made without any password. */
static void read_password(struct config_reader *reader, const struct config_node *map, const char *what,
                          Ipc__Target *target)
{
    const struct config_node *node = config_node_get(map, "password_to_gate");
    bool flag = false;

    if (!node || !config_flag(reader, node, &flag))
        return;
    if (flag && config_node_get(map, "certificate_authority"))
        config_fault(reader, node->key, "%s: \"password_to_gate\" is for a \"credential\" alone", what);
    target->password_to_gate = flag;
}

static void read_credential(struct config_reader *reader, const struct config_node *map, const char *what,
                            Ipc__Target *target)
{
    const struct config_node *credential = config_node_get(map, "credential"),
                             *authority = config_node_get(map, "certificate_authority"),
                             *source = config_node_get(map, "source_address");
    const char *name = NULL;

    if (!credential && !authority)
        config_fault(reader, map, "%s: \"credential\" or \"certificate_authority\" is missing", what);
    if (credential && authority)
        config_fault(reader, authority->key, "%s: has both \"credential\" and \"certificate_authority\"",
                     what);
    if (credential && config_credential(reader, credential, &name))
        config_set(reader, &target->credential, name);
    if (source && !authority)
        config_fault(reader, source->key, "%s: \"source_address\" is for certificates alone", what);
    if (source)
        read_source(reader, source, target);
    if (authority && config_credential(reader, authority, &name))
        config_set(reader, &target->certificate_authority, name);
}

/* ---- host keys ---- */

/* Room for one more in a list of bytes. */
static bool grow(struct config_reader *reader, size_t n, ProtobufCBinaryData **list)
{
    ProtobufCBinaryData *grown = realloc(*list, (n + 1) * sizeof(*grown));

    if (!grown) {
        reader->no_memory = true;
        return false;
    }
    *list = grown;
    return true;
}

static void read_key(struct config_reader *reader, const struct config_node *node, size_t *n,
                     ProtobufCBinaryData **list)
{
    struct detail detail = { "" };
    const char *text = NULL;
    ProtobufCBinaryData key = { 0 };

    if (!config_text(reader, node, &text))
        return;
    int r = public_key_parse(text, &key.data, &key.len, &detail);
    if (r < 0)
        reader->no_memory = true;
    else if (r)
        config_fault(reader, node, "bad host key: %s", detail.text);
    if (r)
        return;
    for (size_t i = 0; i < *n; i++)
        if ((*list)[i].len == key.len && !memcmp((*list)[i].data, key.data, key.len)) {
            config_fault(reader, node, "the same host key stands there already");
            free(key.data);
            return;
        }
    if (grow(reader, *n, list))
        (*list)[(*n)++] = key;
    else
        free(key.data);
}

static void read_keys(struct config_reader *reader, const struct config_node *node, size_t *n,
                      ProtobufCBinaryData **list)
{
    const struct config_node *item;
    size_t count = 0;

    if (!node || node->kind != CONFIG_LIST) {
        read_key(reader, node, n, list);
        return;
    }
    for (item = config_list(reader, node, CONFIG_NOT_EMPTY); item; item = item->next) {
        if (++count > HOST_KEYS_MAX) {
            config_fault(reader, item, "more than %d keys of one host", HOST_KEYS_MAX);
            return;
        }
        read_key(reader, item, n, list);
    }
}

static void read_host_keys(struct config_reader *reader, const struct config_node *map, const char *what,
                           Ipc__Target *target)
{
    const struct config_node *key = config_node_get(map, "host_key"), *ca = config_node_get(map, "host_ca");

    if (!key && !ca)
        config_fault(reader, map,
                     "%s: \"host_key\" is missing: `ssh-keyscan HOST` prints it; compare it with "
                     "what the host's own console says",
                     what);
    if (key)
        read_keys(reader, key, &target->n_host_keys, &target->host_keys);
    if (ca)
        read_keys(reader, ca, &target->n_host_cas, &target->host_cas);
}

/* ---- forwards ---- */

static void read_forwards(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next) {
        Ipc__ForwardRange range;

        if (!config_text(reader, item, &text))
            continue;
        const char *wrong = forward_range_parse(text, &range);
        if (wrong) {
            config_fault(reader, item, "bad pattern \"%.80s\": %s", text, wrong);
            continue;
        }
        Ipc__ForwardRange *one = malloc(sizeof(*one));
        if (!one || !config_grow(reader, target->n_forwards, (void ***)&target->forwards)) {
            free(one);
            free(range.network.data);
            if (range.host && range.host[0])
                free(range.host);
            reader->no_memory = true;
            return;
        }
        *one = range;
        target->forwards[target->n_forwards++] = one;
        if (target->n_forwards > FORWARDS_MAX) {
            config_fault(reader, item, "more than %d patterns", FORWARDS_MAX);
            return;
        }
    }
}

void config_read_ssh(struct config_reader *reader, const struct config_node *map, const char *what,
                     Ipc__Target *target)
{
    if (!config_map(reader, map, CONFIG_KEYS(SSH_KEYS), what))
        return;
    read_address(reader, config_node_get(map, "address"), target);
    read_logins(reader, map, target);
    read_credential(reader, map, what, target);
    read_password(reader, map, what, target);
    read_host_keys(reader, map, what, target);
    read_forwards(reader, config_node_get(map, "forwards"), target);
}
