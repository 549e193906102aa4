/* See config_kube.h. */
#include "policy/config_kube.h"

#include <stdio.h>
#include <string.h>
#include "policy/config_address.h"
#include "policy/config_file.h"

static const struct config_key KUBE_KEYS[] = {
    { "name", CONFIG_REQUIRED },          { "kind", CONFIG_REQUIRED },
    { "address", CONFIG_REQUIRED },       { "credential", CONFIG_REQUIRED },
    { "tls_ca", CONFIG_REQUIRED },        { "tls_server_name", CONFIG_OPTIONAL },
    { "impersonate", CONFIG_OPTIONAL },   { "show_secrets", CONFIG_OPTIONAL },
    { "token_request", CONFIG_OPTIONAL },
};
static const struct config_key IMPERSONATE_KEYS[] = {
    { "user", CONFIG_OPTIONAL },
    { "groups", CONFIG_OPTIONAL },
};
static const struct config_key TOKEN_KEYS[] = {
    { "namespace", CONFIG_REQUIRED },
    { "service_account", CONFIG_REQUIRED },
    { "lifetime", CONFIG_OPTIONAL },
};

enum {
    HTTPS_PORT = 443,
    TEMPLATE_MAX = 256, /* bytes of a user or group before anything is put in */
    GROUPS_MAX = 32,    /* of one target */
    LABEL_MAX = 63,     /* bytes of a namespace (RFC 1123 label) */
};
static const uint64_t LIFETIME_MIN_MS = UINT64_C(10) * 60 * 1000; /* the API server's own least */
static const uint64_t LIFETIME_MAX_MS = UINT64_C(24) * 60 * 60 * 1000;

/* ---- where it is ---- */

/* https, a host and perhaps a port, with or without a slash behind it. A path would be a prefix of every
 * request: rules read paths as the API server does, which knows of no prefix. */
static void read_address(struct config_reader *reader, const struct config_node *node, Ipc__Target *target)
{
    static const char scheme[] = "https://";
    struct config_address address;
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) {
        config_fault(reader, node, "bad address \"%.80s\": write https:// and HOST:PORT", text);
        return;
    }
    CLEANUP(free) char *host = strdup(text + sizeof scheme - 1);
    if (!host) {
        reader->no_memory = true;
        return;
    }
    char *slash = strchr(host, '/');
    if (slash && slash[1]) {
        config_fault(reader, node, "bad address \"%.80s\": API servers below a path are not supported", text);
        return;
    }
    if (slash)
        *slash = '\0';
    const char *wrong = config_host_parse(host, HTTPS_PORT, &address);
    if (wrong) {
        config_fault(reader, node, "bad address \"%.80s\": %s", text, wrong);
        return;
    }
    config_set(reader, &target->host, address.host);
    target->port = address.port;
}

static void read_tls(struct config_reader *reader, const struct config_node *map, Ipc__Target *target)
{
    const struct config_node *ca = config_node_get(map, "tls_ca"),
                             *name = config_node_get(map, "tls_server_name");
    struct config_address address;
    const char *text = NULL;

    CLEANUP(free) char *path = ca ? config_state_path(reader, ca, NULL) : NULL;
    if (path) {
        config_file_certificates(reader, ca, path, &target->tls_ca_pem);
        config_set(reader, &target->tls_ca, path);
    }
    if (!config_text(reader, name, &text))
        return;
    if (strchr(text, ':') || config_host_parse(text, HTTPS_PORT, &address))
        config_fault(reader, name, "\"%.80s\" is no host name", text);
    else
        config_set(reader, &target->tls_server_name, text);
}

/* ---- who the API server takes a session for ---- */

static const char DEFAULT_USER[] = "{identity}", DEFAULT_GROUP[] = "gatehouse:{role}";

/* What may stand in braces; those that are several, in groups alone. */
static const struct {
    const char *word;
    bool several;
} PLACEHOLDERS[] = { { "{identity}", false },
                     { "{username}", false },
                     { "{subject}", false },
                     { "{role}", true },
                     { "{group}", true } };

/* The length of the placeholder that text begins with; 0: there is none. */
static size_t placeholder(const char *text, bool *ret_several)
{
    for (size_t i = 0; i < sizeof PLACEHOLDERS / sizeof *PLACEHOLDERS; i++) {
        size_t n = strlen(PLACEHOLDERS[i].word);
        if (strncmp(text, PLACEHOLDERS[i].word, n) != 0)
            continue;
        *ret_several = PLACEHOLDERS[i].several;
        return n;
    }
    return 0;
}

/* It becomes the value of a header, and then a name in the cluster. "system:" is what Kubernetes keeps for
 * itself: system:masters may do anything, whatever RBAC says. */
static bool check_template(struct config_reader *reader, const struct config_node *node, const char *text,
                           bool group)
{
    bool several = false;
    unsigned lists = 0;

    if (strlen(text) > TEMPLATE_MAX) {
        config_fault(reader, node, "\"%.40s…\" is longer than %d bytes", text, TEMPLATE_MAX);
        return false;
    }
    if (!strncmp(text, "system:", 7) && strncmp(text, "system:serviceaccount:", 22) != 0) {
        config_fault(reader, node, "\"%.80s\": names that begin with system: are Kubernetes' own", text);
        return false;
    }
    for (const char *c = text; *c; c++) {
        size_t n = *c == '{' ? placeholder(c, &several) : 0;
        if (n == 0 && ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f || *c == '{' || *c == '}')) {
            config_fault(reader, node,
                         "\"%.80s\": in braces stands one of identity, username, subject%s, around them "
                         "printable ASCII",
                         text, group ? ", role, group" : "");
            return false;
        }
        lists += n && several;
        c += n ? n - 1 : 0;
    }
    if (lists > (group ? 1U : 0U)) {
        config_fault(reader, node,
                     group ? "\"%.80s\" has more than one of {role} and {group}"
                           : "\"%.80s\": there may be several roles and groups, and there is one user",
                     text);
        return false;
    }
    return true;
}

static void read_groups(struct config_reader *reader, const struct config_node *node, Ipc__Impersonate *who)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    const char *text = NULL;

    if (!node)
        config_push(reader, &who->n_groups, &who->groups, DEFAULT_GROUP);
    for (; item; item = item->next) {
        if (!config_text(reader, item, &text) || !check_template(reader, item, text, true) ||
            config_repeats(reader, item, text, who->n_groups, who->groups))
            continue;
        if (who->n_groups == GROUPS_MAX) {
            config_fault(reader, item, "more than %d groups", GROUPS_MAX);
            return;
        }
        config_push(reader, &who->n_groups, &who->groups, text);
    }
}

static void read_impersonate(struct config_reader *reader, const struct config_node *node,
                             Ipc__Target *target)
{
    const char *user = DEFAULT_USER;
    bool on = true;

    if (!node || (node->kind == CONFIG_TEXT && !config_flag(reader, node, &on)) || !on)
        return;
    const struct config_node *map = node->kind == CONFIG_TEXT ? NULL : node;
    if (map && !config_map(reader, map, CONFIG_KEYS(IMPERSONATE_KEYS), "impersonate"))
        return;
    Ipc__Impersonate *who = malloc(sizeof *who);
    if (!who) {
        reader->no_memory = true;
        return;
    }
    *who = (Ipc__Impersonate)IPC__IMPERSONATE__INIT;
    target->impersonate = who;
    const struct config_node *user_node = config_node_get(map, "user");
    if (!user_node ||
        (config_text(reader, user_node, &user) && check_template(reader, user_node, user, false)))
        config_set(reader, &who->user, user);
    read_groups(reader, config_node_get(map, "groups"), who);
}

/* ---- short-lived tokens ---- */

/* A name in the cluster (RFC 1123, as Kubernetes reads it); dots: of several labels. */
static void read_object_name(struct config_reader *reader, const struct config_node *node, bool dots,
                             char **slot)
{
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    size_t n = strlen(text);
    bool good = n <= (dots ? CONFIG_HOST_MAX : LABEL_MAX) && text[0] != '-' && text[0] != '.' &&
                text[n - 1] != '-' && text[n - 1] != '.' &&
                strspn(text, dots ? "abcdefghijklmnopqrstuvwxyz0123456789-."
                                  : "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
    if (good)
        config_set(reader, slot, text);
    else
        config_fault(reader, node, "\"%.80s\" is no name of Kubernetes: lower case letters, digits and -",
                     text);
}

static void read_token_request(struct config_reader *reader, const struct config_node *node,
                               Ipc__Target *target)
{
    if (!node || !config_map(reader, node, CONFIG_KEYS(TOKEN_KEYS), "token_request"))
        return;
    Ipc__TokenRequest *request = malloc(sizeof *request);
    if (!request) {
        reader->no_memory = true;
        return;
    }
    *request = (Ipc__TokenRequest)IPC__TOKEN_REQUEST__INIT;
    request->lifetime_ms = LIFETIME_MIN_MS;
    target->token_request = request;
    read_object_name(reader, config_node_get(node, "namespace"), false, &request->namespace_);
    read_object_name(reader, config_node_get(node, "service_account"), true, &request->service_account);
    (void)config_duration(reader, config_node_get(node, "lifetime"), LIFETIME_MIN_MS, LIFETIME_MAX_MS,
                          &request->lifetime_ms);
}

void config_read_kube(struct config_reader *reader, const struct config_node *map, const char *what,
                      Ipc__Target *target)
{
    const char *credential = NULL;

    if (!config_map(reader, map, CONFIG_KEYS(KUBE_KEYS), what))
        return;
    read_address(reader, config_node_get(map, "address"), target);
    if (config_credential(reader, config_node_get(map, "credential"), &credential))
        config_set(reader, &target->credential, credential);
    read_tls(reader, map, target);
    read_impersonate(reader, config_node_get(map, "impersonate"), target);
    config_read_rule_roles(reader, config_node_get(map, "show_secrets"), &target->n_show_secrets,
                           &target->show_secrets);
    read_token_request(reader, config_node_get(map, "token_request"), target);
}
