/* Whoever imports a kubeconfig may have it from somebody else. So programs in it (exec, auth-provider) are
 * not run, and files that it names are not read: what a hostile one would get that way into the vault goes
 * from there to the server that it names. kubectl itself puts files into the text: `kubectl config view --raw
 * --flatten --minify`. */
#include "vault/kubeconfig.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/text.h"
#include "policy/config_tree.h"
#include "vault/bearer.h"
#include "vault/client_cert.h"

#define FLATTEN "`kubectl config view --raw --flatten --minify` puts it into the text"

DEFINE_CLEANUP(BIO *, BIO_free_all)
DEFINE_CLEANUP(X509 *, X509_free)

void kubeconfig_free(struct kubeconfig *config)
{
    if (!config)
        return;
    secret_free(config->secret);
    free(config->context);
    free(config->server);
    free(config->tls_server_name);
    free(config->ca);
    free(config);
}

/* ---- the tree ---- */

static const char *text_at(const struct config_node *map, const char *key)
{
    const struct config_node *node = config_node_get(map, key);

    return node && node->kind == CONFIG_TEXT && !config_node_is_null(node) ? node->text : "";
}

static bool has(const struct config_node *map, const char *key)
{
    const struct config_node *node = config_node_get(map, key);

    return node && !config_node_is_null(node);
}

/* It is printed, and stands in a configuration that the operator writes. */
static bool is_plain(const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\"'#\\`$", text[i]))
            return false;
    return n > 0 && n <= KUBECONFIG_NAME_MAX;
}

/* The entry of that name in a list of { name, KIND: {…} }. */
static int entry_of(const struct config_node *root, const char *list, const char *kind, const char *name,
                    const struct config_node **ret, struct detail *detail)
{
    const struct config_node *items = config_node_get(root, list), *found = NULL;
    char shown[128];

    (void)text_escape(shown, sizeof(shown), name, strlen(name), false);
    for (const struct config_node *item = items && items->kind == CONFIG_LIST ? items->first : NULL; item;
         item = item->next) {
        if (!*name || strcmp(text_at(item, "name"), name) != 0)
            continue;
        if (found)
            return detail_fail(detail, -EBADMSG, "%s has two entries \"%s\"", list, shown);
        found = item;
    }
    found = config_node_get(found, kind);
    if (!found || found->kind != CONFIG_MAP)
        return detail_fail(detail, -EBADMSG, "%s has no %s \"%s\"", list, kind, shown);
    *ret = found;
    return 0;
}

/* What stands under KEY-data, decoded; malloc'ed and NUL-terminated, the caller wipes it. */
static int data_of(const struct config_node *map, const char *key, uint8_t **ret, size_t *ret_n,
                   struct detail *detail)
{
    const struct config_node *node = config_node_get(map, key);
    char *packed = node && node->kind == CONFIG_TEXT ? malloc(node->size + 1) : NULL;
    uint8_t *bytes = node && node->kind == CONFIG_TEXT ? malloc(node->size + 1) : NULL;
    size_t n = 0, out_n = 0;
    bool good = packed && bytes;

    for (size_t i = 0; good && i < node->size; i++)
        if (!strchr(" \n\r\t", node->text[i]) || !node->text[i])
            packed[n++] = node->text[i];
    good = good && text_from_base64(packed, n, bytes, node->size, &out_n);
    if (packed)
        explicit_bzero(packed, n);
    free(packed);
    if (!good) {
        free(bytes);
        return detail_fail(detail, -EBADMSG, "%s is not base64", key);
    }
    bytes[out_n] = '\0';
    *ret = bytes;
    *ret_n = out_n;
    return 0;
}

static void wipe(uint8_t *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
}

static void note(struct kubeconfig *config, const char *text)
{
    if (config->n_notes < KUBECONFIG_NOTES_MAX)
        detail_set(&config->notes[config->n_notes++], "%s", text);
}

/* ---- the credential ---- */

/* Ways to prove who one is that can't be kept. */
static int check_user(const struct config_node *user, struct detail *detail)
{
    static const struct {
        const char *key, *reason;
    } refused[] = {
        { "exec", "its credential comes from a program (exec), which Gatehouse does not run: give the vault "
                  "the token "
                  "of a service account, and `token_request` to the target" },
        { "auth-provider",
          "its credential comes from a plug-in (auth-provider), which Gatehouse does not have: give "
          "the vault the token of a service account" },
        { "username", "it logs in with a password, which API servers no longer take" },
        { "password", "it logs in with a password, which API servers no longer take" },
        { "tokenFile",
          "its token is in a file (tokenFile): give that to `gatehouse vault set NAME --type token`" },
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (has(user, refused[i].key))
            return detail_fail(detail, -EBADMSG, "%s", refused[i].reason);
    if (has(user, "client-certificate") || has(user, "client-key"))
        return detail_fail(detail, -EBADMSG,
                           "its client certificate or key is in a file, and none that it names is "
                           "read: " FLATTEN);
    return 0;
}

/* Certificate and key in one text, as the vault's entries have them. */
static int join(const uint8_t *certificate, size_t certificate_n, const uint8_t *key, size_t key_n,
                struct secret **ret, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *joined = NULL;
    CLEANUP(client_cert_free) struct client_cert *cert = NULL;
    int r;

    if (certificate_n + key_n + 1 > SEALED_SECRET_MAX)
        return detail_fail(detail, -EBADMSG, "its client certificate is longer than %d bytes",
                           SEALED_SECRET_MAX);
    r = secret_new(certificate_n + key_n + 1, &joined);
    if (r)
        return r;
    memcpy(secret_bytes(joined), certificate, certificate_n);
    secret_bytes(joined)[certificate_n] = '\n';
    memcpy(secret_bytes(joined) + certificate_n + 1, key, key_n);
    r = client_cert_read(secret_bytes(joined), secret_size(joined), &cert, detail);
    if (!r)
        *ret = STEAL(joined);
    return r;
}

static int take_certificate(const struct config_node *user, struct kubeconfig *config, struct detail *detail)
{
    uint8_t *certificate = NULL, *key = NULL;
    size_t certificate_n = 0, key_n = 0;
    int r = data_of(user, "client-certificate-data", &certificate, &certificate_n, detail);

    if (!r)
        r = data_of(user, "client-key-data", &key, &key_n, detail);
    if (!r)
        r = join(certificate, certificate_n, key, key_n, &config->secret, detail);
    wipe(certificate, certificate_n);
    wipe(key, key_n);
    config->type = SEALED_CLIENT_CERT;
    return r;
}

static int take_token(const struct config_node *user, struct kubeconfig *config, struct detail *detail)
{
    const char *token = text_at(user, "token");
    size_t n = strlen(token);
    int r;

    if (!bearer_is_one(token, n) || n != config_node_get(user, "token")->size)
        return detail_fail(detail, -EBADMSG, "its token is no bearer token: one line of visible ASCII");
    r = secret_new(n, &config->secret);
    if (!r)
        memcpy(secret_bytes(config->secret), token, n);
    config->type = SEALED_TOKEN;
    return r;
}

static int take_credential(const struct config_node *user, struct kubeconfig *config, struct detail *detail)
{
    bool certificate = has(user, "client-certificate-data") || has(user, "client-key-data");
    int r = check_user(user, detail);

    if (r)
        return r;
    if (has(user, "as") || has(user, "as-uid") || has(user, "as-groups") || has(user, "as-user-extra"))
        note(config, "it impersonates somebody, which was not taken over: see `impersonate` of the target");
    if (certificate && has(user, "token"))
        note(config,
             "it has a token too, which was not taken over: API servers look at the certificate first");
    if (certificate)
        return take_certificate(user, config, detail);
    return has(user, "token")
               ? take_token(user, config, detail)
               : detail_fail(detail, -EBADMSG,
                             "its user has neither a token nor a client certificate in the text");
}

/* ---- the cluster ---- */

/* Only certificates come out, whatever stood around them. */
static int take_ca(const struct config_node *cluster, struct kubeconfig *config, struct detail *detail)
{
    CLEANUP(BIO_free_all) BIO *out = BIO_new(BIO_s_mem());
    CLEANUP(free) uint8_t *pem = NULL;
    size_t n = 0, count = 0;
    char *text = NULL;
    int r = data_of(cluster, "certificate-authority-data", &pem, &n, detail);

    if (r)
        return r;
    CLEANUP(BIO_free_all) BIO *in = BIO_new_mem_buf(pem, n < INT_MAX ? (int)n : 0);
    while (in && out) {
        CLEANUP(X509_free) X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);

        if (!certificate || PEM_write_bio_X509(out, certificate) != 1)
            break;
        count++;
    }
    ERR_clear_error();
    if (count == 0)
        return detail_fail(detail, -EBADMSG, "certificate-authority-data holds no certificate");
    n = (size_t)BIO_get_mem_data(out, &text);
    config->ca = strndup(text, n);
    return config->ca ? 0 : -ENOMEM;
}

static int take_cluster(const struct config_node *cluster, struct kubeconfig *config, struct detail *detail)
{
    const char *server = text_at(cluster, "server"), *name = text_at(cluster, "tls-server-name");

    if (strncmp(server, "https://", 8) != 0 || !is_plain(server))
        return detail_fail(detail, -EBADMSG, "the cluster's server is not https://HOST:PORT");
    if (*name && !is_plain(name))
        return detail_fail(detail, -EBADMSG, "the cluster's tls-server-name is no host name");
    if (strchr(server + 8, '/') && strchr(server + 8, '/')[1])
        note(config,
             "the server has a path, which `address` can't have: API servers below a path are not supported");
    if (has(cluster, "proxy-url"))
        note(config, "it has a proxy-url, which was not taken over: connectors connect directly");
    if (has(cluster, "certificate-authority"))
        note(config, "the CA's certificate is in a file, and none that it names is read: " FLATTEN);
    else if (!has(cluster, "certificate-authority-data"))
        note(config,
             "it has no CA: put the certificate of the one that signed the API server's into `tls_ca`, which "
             "is always checked");
    config->server = strdup(server);
    config->tls_server_name = strdup(name);
    if (!config->server || !config->tls_server_name)
        return -ENOMEM;
    return has(cluster, "certificate-authority-data") ? take_ca(cluster, config, detail) : 0;
}

/* ---- the whole ---- */

static int take_context(const struct config_node *root, struct kubeconfig *config, struct detail *detail)
{
    const char *name = text_at(root, "current-context");
    const struct config_node *context = NULL, *cluster = NULL, *user = NULL;
    int r;

    if (!*name)
        return detail_fail(detail, -EBADMSG,
                           "it has no current-context: `kubectl config use-context NAME` sets one");
    config->context = malloc(4 * KUBECONFIG_NAME_MAX);
    if (!config->context)
        return -ENOMEM;
    (void)text_escape(config->context, 4 * KUBECONFIG_NAME_MAX, name, strlen(name), false);
    r = entry_of(root, "contexts", "context", name, &context, detail);
    if (!r)
        r = entry_of(root, "clusters", "cluster", text_at(context, "cluster"), &cluster, detail);
    if (!r)
        r = entry_of(root, "users", "user", text_at(context, "user"), &user, detail);
    if (!r)
        r = take_cluster(cluster, config, detail);
    return r ? r : take_credential(user, config, detail);
}

static int take_tree(const struct config_tree *tree, struct kubeconfig *config, struct detail *detail)
{
    const struct config_node *root = tree->root;
    const char *kind = text_at(root, "kind");

    if (!root || root->kind != CONFIG_MAP || (*kind && strcmp(kind, "Config") != 0))
        return detail_fail(detail, -EBADMSG, "this is no kubeconfig");
    return take_context(root, config, detail);
}

int kubeconfig_read(const uint8_t *bytes, size_t n, struct kubeconfig **ret, struct detail *detail)
{
    CLEANUP(kubeconfig_free) struct kubeconfig *config = calloc(1, sizeof(*config));
    struct config_faults faults = { 0 };
    struct config_tree tree = { 0 };
    int r;

    if (!config)
        return -ENOMEM;
    if (n > KUBECONFIG_MAX)
        return detail_fail(detail, -EBADMSG, "it is longer than %d bytes", KUBECONFIG_MAX);
    r = config_tree_read(&tree, bytes, n, &faults);
    if (r >= 0 && faults.count > 0)
        r = detail_fail(detail, -EBADMSG, "line %u: %s", faults.items[0].line, faults.items[0].message);
    else if (!r)
        r = take_tree(&tree, config, detail);
    config_tree_free(&tree);
    config_faults_free(&faults);
    if (!r)
        *ret = STEAL(config);
    return r > 0 ? -EBADMSG : r;
}
