/* gatehouse.yaml into a Config.
 *
 * bytes → tree (config_tree.c, the only one that knows YAML) → sections (config_server.c, config_identity.c,
 * …) by typed readers (config_reader.c, config_keys.c). Readers never stop at a fault: they report it with
 * its place and go on, so that one run shows them all; only what is no YAML at all ends early. Nobody gets a
 * Config as long as there is a fault, so the sections need not leave a half-good one consistent. */
#include "policy/config.h"
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "policy/config_file.h"
#include "policy/config_parse.h"
#include "policy/config_sections.h"

static const struct config_key KEYS[] = {
    { "listen", CONFIG_REQUIRED },    { "state", CONFIG_REQUIRED },    { "host_keys", CONFIG_OPTIONAL },
    { "drain", CONFIG_OPTIONAL },     { "identity", CONFIG_OPTIONAL }, { "roles", CONFIG_OPTIONAL },
    { "targets", CONFIG_OPTIONAL },   { "rules", CONFIG_OPTIONAL },    { "masks", CONFIG_OPTIONAL },
    { "recording", CONFIG_OPTIONAL }, { "notify", CONFIG_OPTIONAL },   { "kubectl", CONFIG_OPTIONAL },
};

static void config_free(Ipc__Config *config)
{
    if (config)
        ipc__config__free_unpacked(config, NULL);
}
DEFINE_CLEANUP(Ipc__Config *, config_free)

static void read_sections(struct config_reader *reader, const struct config_node *root)
{
    if (!config_map(reader, root, CONFIG_KEYS(KEYS), NULL))
        return;
    config_read_state(reader, root);
    config_read_server(reader, root);
    config_read_identity(reader, root);
    config_read_roles(reader, config_node_get(root, "roles"));
    config_read_targets(reader, config_node_get(root, "targets"));
    config_read_rules(reader, config_node_get(root, "rules"));
    config_read_masks(reader, config_node_get(root, "masks"));
    config_read_recording(reader, config_node_get(root, "recording"));
    config_read_notify(reader, config_node_get(root, "notify"));
}

/* SHA-256 of the file, in hex: what a session's log says which policy was in force by. */
static int set_digest(Ipc__Config *config, const uint8_t *bytes, size_t n)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char *hex = malloc(2 * sizeof digest + 1);

    if (!hex)
        return -ENOMEM;
    crypto_hash_sha256(digest, bytes, n);
    config->digest = sodium_bin2hex(hex, 2 * sizeof digest + 1, digest, sizeof digest);
    return 0;
}

/* The file's absolute path into the Config; *ret_directory is malloc'ed. */
static int set_path(Ipc__Config *config, const char *path, char **ret_directory)
{
    CLEANUP(free) char *here = getcwd(NULL, 0);
    CLEANUP(free) char *whole = config_path(here ? here : "/", path);
    char *directory = whole ? strdup(whole) : NULL;

    if (!directory)
        return -ENOMEM;
    *strrchr(directory, '/') = '\0';
    *ret_directory = directory;
    config->path = STEAL(whole);
    return 0;
}

/* 0 also when there are faults. */
static int fill(struct config_reader *reader, const char *path, const struct config_tree *tree)
{
    CLEANUP(free) char *directory = NULL;

    int r = set_path(reader->config, path, &directory);
    if (r)
        return r;
    reader->directory = directory;
    if (!tree->root || config_node_is_null(tree->root))
        config_faults_add(reader->faults, 1, 1, "the file is empty");
    else
        read_sections(reader, tree->root);
    return reader->no_memory ? -ENOMEM : 0;
}

int config_parse(const char *path, const uint8_t *bytes, size_t n, bool files, Ipc__Config **ret,
                 struct config_faults *faults)
{
    struct config_reader reader = { .faults = faults, .files = files };
    CLEANUP(config_free) Ipc__Config *config = malloc(sizeof *config);
    struct config_tree tree = { 0 };

    if (!config)
        return -ENOMEM;
    *config = (Ipc__Config)IPC__CONFIG__INIT;
    reader.config = config;
    int r = set_digest(config, bytes, n);
    if (!r)
        r = config_tree_read(&tree, bytes, n, faults);
    if (!r)
        r = fill(&reader, path, &tree);
    config_tree_free(&tree);
    if (r < 0)
        return r;
    config_faults_sort(faults);
    if (config_faults_total(faults))
        return 1;
    *ret = STEAL(config);
    return 0;
}

/* The content of the file; 1 after a report. */
static int read_whole(const char *path, uint8_t **ret, size_t *ret_n, struct config_faults *faults)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat about;

    if (fd < 0 || fstat(fd, &about) < 0) {
        config_faults_add(faults, 0, 0, "%s", strerror(errno));
        return 1;
    }
    if (!S_ISREG(about.st_mode)) {
        config_faults_add(faults, 0, 0, "not a file");
        return 1;
    }
    int r = fd_contents(fd, CONFIG_FILE_MAX, ret, ret_n);
    if (r == -EFBIG)
        config_faults_add(faults, 0, 0, "the file is larger than %d MiB", CONFIG_FILE_MAX >> 20);
    else if (r)
        config_faults_add(faults, 0, 0, "%s", strerror(-r));
    return r == -ENOMEM ? r : r != 0;
}

int config_load(const char *path, Ipc__Config **ret, struct config_faults *faults)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;

    int r = read_whole(path, &bytes, &n, faults);
    return r ? r : config_parse(path, bytes, n, true, ret, faults);
}
