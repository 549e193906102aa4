/* See notify_key.h. */
#include "replay/notify_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/text.h"

struct notify_key {
    uint8_t *bytes; /* sodium_malloc'ed */
    size_t n;
};

int notify_key_new(uint8_t *bytes, size_t n, struct notify_key **ret)
{
    CLEANUP(notify_key_free) struct notify_key *key = NULL;
    if (sodium_init() >= 0)
        key = calloc(1, sizeof *key);
    if (key)
        key->bytes = sodium_malloc(n ? n : 1);
    if (key && key->bytes) {
        memcpy(key->bytes, bytes, n);
        key->n = n;
    }
    sodium_memzero(bytes, n);
    if (!key || !key->bytes)
        return -ENOMEM;
    *ret = STEAL(key);
    return 0;
}

void notify_key_free(struct notify_key *key)
{
    if (!key)
        return;
    sodium_free(key->bytes);
    free(key);
}

/* Reads at most size bytes; their number, or negative errno. */
static ssize_t read_file(const char *path, uint8_t *bytes, size_t size)
{
    struct stat about;
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode))
        return -EINVAL;
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(fd, bytes + have, size - have);
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

int notify_key_read(const char *state, const char *name, struct notify_key **ret, struct detail *detail)
{
    enum { LINE_END = 2 };
    uint8_t bytes[NOTIFY_KEY_MAX + LINE_END + 1];
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/notify/%s", state, name) >= (int)sizeof path)
        return detail_fail(detail, -ENAMETOOLONG, "its name is too long");
    ssize_t got = read_file(path, bytes, sizeof bytes);
    if (got < 0)
        return detail_fail(detail, (int)got, "%s can't be read: %s", path, strerror((int)-got));
    size_t n = (size_t)got;
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    int r = n < NOTIFY_KEY_MIN || n > NOTIFY_KEY_MAX
                ? detail_fail(detail, -EBADMSG, "%s has no key of %d to %d bytes", path, NOTIFY_KEY_MIN,
                              NOTIFY_KEY_MAX)
                : notify_key_new(bytes, n, ret);
    sodium_memzero(bytes, sizeof bytes);
    return r;
}

char *notify_sign(const struct notify_key *key, uint64_t unix_s, const void *body, size_t n,
                  char out[NOTIFY_SIGNATURE])
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char hex[2 * sizeof mac + 1], time[24];
    (void)text_u64(time, unix_s);
    (void)crypto_auth_hmacsha256_init(&state, key->bytes, key->n);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)time, strlen(time));
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    (void)crypto_auth_hmacsha256_update(&state, body, n);
    (void)crypto_auth_hmacsha256_final(&state, mac);
    (void)sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
    (void)snprintf(out, NOTIFY_SIGNATURE, "t=%s,v1=%s", time, hex);
    sodium_memzero(&state, sizeof state);
    return out;
}
