/* The files that the configuration names are opened here once, so that `check` finds what `serve` would trip
 * over. O_NONBLOCK: naming a FIFO or a device must not hang us. */
#include "policy/config_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

/* Appends the components of path to out, without "." and empty ones. */
static void append_components(char *out, const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n && !(n == 1 && *path == '.')) {
            strcat(out, "/");
            strncat(out, path, n);
        }
        path += n + (path[n] == '/');
    }
}

char *config_path(const char *base, const char *path)
{
    /* Every component brings one slash, and had one before it in the input or is the first. */
    char *out = calloc(1, strlen(base) + strlen(path) + 3);

    if (!out)
        return NULL;
    if (path[0] != '/')
        append_components(out, base);
    append_components(out, path);
    if (!*out)
        strcpy(out, "/");
    return out;
}

char *config_state_path(struct config_reader *reader, const struct config_node *node, const char *fallback)
{
    const char *text = fallback;

    if (node && !config_text(reader, node, &text))
        return NULL;
    char *path = config_path(reader->config->state, text);
    if (!path)
        reader->no_memory = true;
    return path;
}

/* A missing state directory was reported as such: its files would only repeat that. */
static bool is_excused(const struct config_reader *reader, const char *path)
{
    size_t n = strlen(reader->config->state);

    return reader->state_missing && !strncmp(path, reader->config->state, n) && path[n] == '/';
}

/* Opens a regular file and reads it whole. False after a report. */
static bool read_file(struct config_reader *reader, const struct config_node *place, const char *path,
                      size_t max, struct stat *ret_about, uint8_t **ret, size_t *ret_n)
{
    CLEANUP(fd_close) int fd = -1;

    if (!reader->files || is_excused(reader, path))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, ret_about) < 0) {
        config_fault(reader, place, "%.300s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(ret_about->st_mode)) {
        config_fault(reader, place, "%.300s: not a file", path);
        return false;
    }
    int r = fd_contents(fd, max, ret, ret_n);
    if (r)
        config_fault(reader, place, "%.300s: %s", path, strerror(r < 0 ? -r : EIO));
    return r == 0;
}

static bool content_is(struct config_reader *reader, const struct config_node *place, const char *path,
                       enum config_file_kind kind, const uint8_t *bytes, size_t n)
{
    static const char *const begins[] = { [CONFIG_PRIVATE_KEY] = "-----BEGIN ",
                                          [CONFIG_CERTIFICATES] = "-----BEGIN CERTIFICATE-----",
                                          [CONFIG_OPEN_TEXT] = "",
                                          [CONFIG_HMAC_KEY] = "" };
    bool found = memmem(bytes, n, begins[kind], strlen(begins[kind])) != NULL;

    if (kind == CONFIG_PRIVATE_KEY)
        found = found && memmem(bytes, n, "PRIVATE KEY-----", 16);
    if (!found)
        config_fault(reader, place, "%.300s: this is no %s", path,
                     kind == CONFIG_PRIVATE_KEY ? "private key" : "PEM file of certificates");
    return found;
}

bool config_file_contents(struct config_reader *reader, const struct config_node *place, const char *path,
                          enum config_file_kind kind, uint8_t **ret, size_t *ret_n)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    struct stat about;
    size_t n = 0;

    if (!read_file(reader, place, path, CONFIG_NAMED_FILE_MAX, &about, &bytes, &n))
        return false;
    if ((kind == CONFIG_PRIVATE_KEY || kind == CONFIG_HMAC_KEY) && (about.st_mode & (S_IRWXG | S_IRWXO)))
        config_fault(reader, place, "%.300s: others than its owner may use this %s; chmod 600", path,
                     kind == CONFIG_PRIVATE_KEY ? "private key" : "secret");
    if (!content_is(reader, place, path, kind, bytes, n)) {
        explicit_bzero(bytes, n);
        return false;
    }
    *ret = STEAL(bytes);
    *ret_n = n;
    return true;
}

void config_file_check(struct config_reader *reader, const struct config_node *place, const char *path,
                       enum config_file_kind kind)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;

    if (config_file_contents(reader, place, path, kind, &bytes, &n))
        explicit_bzero(bytes, n);
}

void config_file_certificates(struct config_reader *reader, const struct config_node *place, const char *path,
                              ProtobufCBinaryData *ret)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;

    if (!config_file_contents(reader, place, path, CONFIG_CERTIFICATES, &bytes, &n))
        return;
    if (n > CONFIG_CERTIFICATES_MAX) {
        config_fault(reader, place, "%.300s: more than %d KiB of certificates", path,
                     CONFIG_CERTIFICATES_MAX / 1024);
        return;
    }
    ret->data = STEAL(bytes);
    ret->len = n;
}

void config_file_hmac_key(struct config_reader *reader, const struct config_node *place, const char *path)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;

    if (!config_file_contents(reader, place, path, CONFIG_HMAC_KEY, &bytes, &n))
        return;
    size_t size = n;
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    explicit_bzero(bytes, size);
    if (n < CONFIG_HMAC_KEY_MIN || n > CONFIG_HMAC_KEY_MAX)
        config_fault(reader, place, "%.300s: a key has %d to %d bytes, not %zu", path, CONFIG_HMAC_KEY_MIN,
                     CONFIG_HMAC_KEY_MAX, n);
}

void config_file_revoked(struct config_reader *reader, const struct config_node *place, const char *path)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    struct stat about;
    size_t n = 0;
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    struct detail detail = { "" };

    if (!read_file(reader, place, path, REVOCATION_FILE_MAX, &about, &bytes, &n))
        return;
    int r = revocation_read(bytes, n, &list, &detail);
    if (r == -ENOMEM)
        reader->no_memory = true;
    else if (r)
        config_fault(reader, place, "%.300s: %.200s", path, detail.text);
    revocation_free(&list);
}

static void take_key(struct config_reader *reader, const struct config_node *place, const char *path,
                     Ipc__Ca *ca)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    struct detail detail = { "" };
    struct stat about;
    size_t n = 0;

    if (!read_file(reader, place, path, CONFIG_NAMED_FILE_MAX, &about, &bytes, &n))
        return;
    if (memchr(bytes, '\0', n)) {
        config_fault(reader, place, "%.300s: this is no public key", path);
        return;
    }
    int r = public_key_parse((const char *)bytes, &ca->blob.data, &ca->blob.len, &detail);
    if (r < 0)
        reader->no_memory = true;
    else if (r > 0)
        config_fault(reader, place, "%.300s: %.200s", path, detail.text);
}

Ipc__Ca *config_file_ca(struct config_reader *reader, const struct config_node *place, const char *path,
                        const char *name)
{
    Ipc__Ca *ca = malloc(sizeof *ca);

    if (!ca) {
        reader->no_memory = true;
        return NULL;
    }
    *ca = (Ipc__Ca)IPC__CA__INIT;
    config_set(reader, &ca->path, path);
    config_set(reader, &ca->name, name);
    take_key(reader, place, path, ca);
    return ca;
}
