/* state, listen, host_keys, drain, kubectl. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "policy/certificate_signer.h"
#include "policy/config_address.h"
#include "policy/config_file.h"
#include "policy/config_sections.h"

enum {
    DRAIN_DEFAULT_MS = 30 * 1000,
    DRAIN_MAX_MS = 24 * 60 * 60 * 1000,
    HOST_KEYS_MAX = 4, /* they travel as descriptors of one message: IPC_FDS_MAX */
    LISTEN_MAX = 64,   /* addresses */
};

static const char HOST_KEY_DEFAULT[] = "host_ed25519";

static void check_directory(struct config_reader *reader, const struct config_node *place, const char *path)
{
    struct stat about;

    if (!reader->files)
        return;
    if (stat(path, &about) < 0)
        config_fault(reader, place, "%.300s: %s; `gatehouse init` makes a state directory", path,
                     strerror(errno));
    else if (!S_ISDIR(about.st_mode))
        config_fault(reader, place, "%.300s: not a directory", path);
    else
        return;
    reader->state_missing = true;
}

void config_read_state(struct config_reader *reader, const struct config_node *root)
{
    const struct config_node *node = config_node_get(root, "state");
    const char *text = NULL;

    if (!config_text(reader, node, &text)) {
        reader->state_missing = true;
        return;
    }
    CLEANUP(free) char *path = config_path(reader->directory, text);
    if (!path) {
        reader->no_memory = true;
        return;
    }
    config_set(reader, &reader->config->state, path);
    check_directory(reader, node, path);
}

static void read_listen(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    Ipc__Config *config = reader->config;
    struct config_address address;
    const char *text = NULL;

    for (; item; item = item->next) {
        if (!config_text(reader, item, &text) ||
            config_repeats(reader, item, text, config->n_listen, config->listen))
            continue;
        const char *wrong = config_address_parse(text, &address);
        if (!wrong && !address.numeric)
            wrong = "listen needs a numeric address, as in 127.0.0.1:2222 or [::1]:2222";
        if (wrong)
            config_fault(reader, item, "bad address \"%.80s\": %s", text, wrong);
        else if (config->n_listen == LISTEN_MAX)
            config_fault(reader, item, "\"listen\" has more than %d addresses", LISTEN_MAX);
        else
            config_push(reader, &config->n_listen, &config->listen, text);
    }
}

/* The public half, which clients are to be told (`ssh bastion config`). One of a type that only the front
 * knows is left out: what can't be used as a host key at all, the front says when it starts. */
static void push_public(struct config_reader *reader, const uint8_t *bytes, size_t n)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;
    Ipc__Config *config = reader->config;
    struct detail detail = { "" };

    int r = certificate_signer_new(bytes, n, &signer, &detail);
    if (r) {
        reader->no_memory |= r == -ENOMEM;
        return;
    }
    ProtobufCBinaryData *grown =
        realloc(config->host_key_publics, (config->n_host_key_publics + 1) * sizeof(*grown));
    size_t public_n = 0;
    const uint8_t *public = signer_public(signer, &public_n);
    uint8_t *copy = malloc(public_n);
    if (grown)
        config->host_key_publics = grown;
    if (!grown || !copy) {
        free(copy);
        reader->no_memory = true;
        return;
    }
    memcpy(copy, public, public_n);
    grown[config->n_host_key_publics++] = (ProtobufCBinaryData){ .len = public_n, .data = copy };
}

static void read_host_key(struct config_reader *reader, const struct config_node *place,
                          const struct config_node *item, const char *fallback)
{
    Ipc__Config *config = reader->config;
    CLEANUP(free) char *path = config_state_path(reader, item, fallback);

    if (!path || config_repeats(reader, place, path, config->n_host_keys, config->host_keys))
        return;
    if (config->n_host_keys == HOST_KEYS_MAX) {
        config_fault(reader, place, "\"host_keys\" has more than %d items", HOST_KEYS_MAX);
        return;
    }
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    if (config_file_contents(reader, place, path, CONFIG_PRIVATE_KEY, &bytes, &n)) {
        push_public(reader, bytes, n);
        explicit_bzero(bytes, n);
    }
    config_push(reader, &config->n_host_keys, &config->host_keys, path);
}

/* Whether it can be run, the launcher sees: it may be another machine's configuration that is checked. */
static void read_kubectl(struct config_reader *reader, const struct config_node *node)
{
    const char *text = NULL;

    if (!node || !config_text(reader, node, &text))
        return;
    if (text[0] != '/')
        config_fault(reader, node, "\"kubectl\" needs the whole path of a program, as in /usr/bin/kubectl");
    else
        config_set(reader, &reader->config->kubectl, text);
}

void config_read_server(struct config_reader *reader, const struct config_node *root)
{
    const struct config_node *host_keys = config_node_get(root, "host_keys");

    read_listen(reader, config_node_get(root, "listen"));
    if (!host_keys)
        read_host_key(reader, root, NULL, HOST_KEY_DEFAULT);
    for (const struct config_node *item = config_list(reader, host_keys, CONFIG_NOT_EMPTY); item;
         item = item->next)
        read_host_key(reader, item, item, NULL);
    read_kubectl(reader, config_node_get(root, "kubectl"));
    reader->config->drain_ms = DRAIN_DEFAULT_MS;
    config_duration(reader, config_node_get(root, "drain"), 0, DRAIN_MAX_MS, &reader->config->drain_ms);
}
