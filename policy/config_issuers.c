/* identity.issuers: whose tokens are exchanged for certificates.
 *
 * An issuer is either a provider, whose keys are fetched by discovery below its URL, or one whose keys are
 * known: a file of public ones (jwks_file), or the private one that `gatehouse token` mints with (key_file).
 * Keys that only matter where something is fetched are faults in the second case, so that nobody believes in
 * a setting that nobody looks at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_address.h"
#include "policy/config_file.h"
#include "policy/config_sections.h"

enum {
    ISSUERS_MAX = 16, /* their keys ride in the Config: PACKED_CONFIG_MAX */
    HTTPS_PORT = 443,
};

static const struct config_key KEYS[] = {
    { "name", CONFIG_REQUIRED },      { "issuer", CONFIG_REQUIRED },
    { "audience", CONFIG_REQUIRED },  { "username_claim", CONFIG_OPTIONAL },
    { "client_id", CONFIG_OPTIONAL }, { "groups_claim", CONFIG_OPTIONAL },
    { "scopes", CONFIG_OPTIONAL },    { "tls_ca", CONFIG_OPTIONAL },
    { "hosts", CONFIG_OPTIONAL },     { "jwks_file", CONFIG_OPTIONAL },
    { "key_file", CONFIG_OPTIONAL },  { "openpubkey", CONFIG_OPTIONAL },
};
/* Of providers alone. */
static const char *const FETCH_KEYS[] = { "client_id", "scopes", "tls_ca", "hosts" };

static const char USERNAME_CLAIM_DEFAULT[] = "sub";
static const char GROUPS_CLAIM_DEFAULT[] = "groups";
static const char SCOPE_DEFAULT[] = "openid";

/* ---- the iss claim ---- */

static bool is_visible(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

/* The authority of an https URL without a user. NULL, or what is wrong with it. */
static const char *check_authority(const char *rest)
{
    char authority[CONFIG_HOST_MAX + sizeof "[]:65535"];
    struct config_address address;
    size_t n = strcspn(rest, "/");

    if (n >= sizeof authority)
        return "the host name is too long";
    memcpy(authority, rest, n);
    authority[n] = '\0';
    if (strchr(authority, '@'))
        return "there is a user in it";
    return n ? config_host_parse(authority, HTTPS_PORT, &address) : "there is no host";
}

/* OpenID Connect Discovery 1.0 §2: https, with neither query nor fragment. */
static const char *check_url(const char *text)
{
    static const char https[] = "https://";

    if (!is_visible(text))
        return "blanks and characters beyond ASCII are not allowed in a URL";
    if (strncmp(text, https, sizeof https - 1) != 0)
        return "it must begin with https://, unless there is a jwks_file or a key_file";
    if (strchr(text, '?'))
        return "it must have no query";
    if (strchr(text, '#'))
        return "it must have no fragment";
    return check_authority(text + sizeof https - 1);
}

/* RFC 3986 §3.1, no further than the scheme: nobody goes there. */
static const char *check_uri(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char scheme[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-";
    size_t n = strspn(text, scheme);

    if (!is_visible(text))
        return "blanks and characters beyond ASCII are not allowed in a URI";
    return strchr(letters, text[0]) && text[n] == ':' && text[n + 1]
               ? NULL
               : "it is no URI, as urn:example:agents is one";
}

static void read_iss(struct config_reader *reader, const struct config_node *node, bool fetched,
                     Ipc__Issuer *issuer)
{
    const Ipc__Config *config = reader->config;
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return;
    const char *wrong = fetched ? check_url(text) : check_uri(text);
    if (wrong)
        config_fault(reader, node, "bad issuer \"%.200s\": %s", text, wrong);
    for (size_t i = 0; i < config->n_issuers; i++)
        if (!strcmp(config->issuers[i]->issuer, text))
            config_fault(reader, node, "\"%.200s\" is the issuer of \"%s\" already", text,
                         config->issuers[i]->name);
    config_set(reader, &issuer->issuer, text);
}

/* ---- what is fetched ---- */

static void read_hosts(struct config_reader *reader, const struct config_node *node, Ipc__Issuer *issuer)
{
    struct config_address address;
    const char *text = NULL;

    for (const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY); item;
         item = item->next) {
        if (!config_text(reader, item, &text) ||
            config_repeats(reader, item, text, issuer->n_hosts, issuer->hosts))
            continue;
        const char *wrong = config_host_parse(text, HTTPS_PORT, &address);
        if (wrong)
            config_fault(reader, item, "bad host \"%.80s\": %s", text, wrong);
        else
            config_push(reader, &issuer->n_hosts, &issuer->hosts, text);
    }
}

/* RFC 6749 §3.3: scopes are put together with blanks between them, so that none has any. */
static void read_scopes(struct config_reader *reader, const struct config_node *node, Ipc__Issuer *issuer)
{
    const char *text = NULL;

    for (const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY); item;
         item = item->next) {
        if (!config_text(reader, item, &text) ||
            config_repeats(reader, item, text, issuer->n_scopes, issuer->scopes))
            continue;
        if (!is_visible(text) || strpbrk(text, "\"\\"))
            config_fault(reader, item, "\"%.80s\" is no scope: one word each, without quotes", text);
        else
            config_push(reader, &issuer->n_scopes, &issuer->scopes, text);
    }
}

static void read_provider(struct config_reader *reader, const struct config_node *map, const char *what,
                          Ipc__Issuer *issuer)
{
    const struct config_node *client_id = config_node_get(map, "client_id"),
                             *scopes = config_node_get(map, "scopes"),
                             *tls_ca = config_node_get(map, "tls_ca");
    const char *text = NULL;

    if (config_text(reader, client_id, &text))
        config_set(reader, &issuer->client_id, text);
    if (scopes && !client_id)
        config_fault(reader, scopes->key, "%s: \"scopes\" has no effect without \"client_id\"", what);
    read_scopes(reader, scopes, issuer);
    if (client_id && !scopes)
        config_push(reader, &issuer->n_scopes, &issuer->scopes, SCOPE_DEFAULT);
    read_hosts(reader, config_node_get(map, "hosts"), issuer);
    CLEANUP(free) char *path = tls_ca ? config_state_path(reader, tls_ca, NULL) : NULL;
    if (!path)
        return;
    config_file_certificates(reader, tls_ca, path, &issuer->tls_ca_pem);
    config_set(reader, &issuer->tls_ca, path);
}

/* ---- keys that are known ---- */

static void read_keys(struct config_reader *reader, const struct config_node *map, const char *what,
                      Ipc__Issuer *issuer)
{
    const struct config_node *jwks_file = config_node_get(map, "jwks_file"),
                             *key_file = config_node_get(map, "key_file");
    const struct config_node *node = jwks_file ? jwks_file : key_file;

    if (jwks_file && key_file)
        config_fault(reader, key_file->key, "%s: there is a \"jwks_file\" already: an issuer has one of them",
                     what);
    for (size_t i = 0; i < sizeof FETCH_KEYS / sizeof *FETCH_KEYS; i++) {
        const struct config_node *useless = config_node_get(map, FETCH_KEYS[i]);
        if (useless)
            config_fault(reader, useless->key, "%s: \"%s\" has no effect: with \"%s\" nothing is fetched",
                         what, FETCH_KEYS[i], node->name);
    }
    CLEANUP(free) char *path = config_state_path(reader, node, NULL);
    if (!path)
        return;
    if (node == jwks_file) {
        config_file_jwks(reader, node, path, issuer);
        return;
    }
    config_file_issuer_key(reader, node, path, issuer);
    config_set(reader, &issuer->key_file, path);
}

/* ---- an issuer ---- */

static void read_claim_names(struct config_reader *reader, const struct config_node *map, Ipc__Issuer *issuer)
{
    const char *username = USERNAME_CLAIM_DEFAULT, *groups = GROUPS_CLAIM_DEFAULT;

    (void)config_text(reader, config_node_get(map, "username_claim"), &username);
    (void)config_text(reader, config_node_get(map, "groups_claim"), &groups);
    config_set(reader, &issuer->username_claim, username);
    config_set(reader, &issuer->groups_claim, groups);
}

static void read_name(struct config_reader *reader, const struct config_node *node, Ipc__Issuer *issuer)
{
    const char *name = NULL;

    if (!config_name(reader, node, &name))
        return;
    for (size_t i = 0; i < reader->config->n_issuers; i++)
        if (!strcmp(reader->config->issuers[i]->name, name))
            config_fault(reader, node, "there are two issuers \"%s\"", name);
    config_set(reader, &issuer->name, name);
}

static void read_issuer(struct config_reader *reader, const struct config_node *map, Ipc__Issuer *issuer)
{
    bool fetched = !config_node_get(map, "jwks_file") && !config_node_get(map, "key_file");
    char what[CONFIG_HINT_MAX] = "issuer";

    read_name(reader, config_node_get(map, "name"), issuer);
    if (issuer->name[0])
        snprintf(what, sizeof what, "issuer \"%s\"", issuer->name);
    if (!config_map(reader, map, CONFIG_KEYS(KEYS), what))
        return;
    read_iss(reader, config_node_get(map, "issuer"), fetched, issuer);
    config_text_or_texts(reader, config_node_get(map, "audience"), &issuer->n_audiences, &issuer->audiences);
    read_claim_names(reader, map, issuer);
    bool openpubkey = false;
    if (config_flag(reader, config_node_get(map, "openpubkey"), &openpubkey))
        issuer->openpubkey = openpubkey;
    if (fetched)
        read_provider(reader, map, what, issuer);
    else
        read_keys(reader, map, what, issuer);
}

void config_read_issuers(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        if (config->n_issuers == ISSUERS_MAX) {
            config_fault(reader, item, "there are more than %d issuers", ISSUERS_MAX);
            return;
        }
        Ipc__Issuer *issuer = malloc(sizeof *issuer);
        if (!issuer || !config_grow(reader, config->n_issuers, (void ***)&config->issuers)) {
            free(issuer);
            reader->no_memory = true;
            return;
        }
        *issuer = (Ipc__Issuer)IPC__ISSUER__INIT;
        read_issuer(reader, item, issuer);
        config->issuers[config->n_issuers++] = issuer;
    }
}
