/* Each key is derived under a label of its own, so that none can stand in for another. The ledger is the one
 * process outside of vault/ that keeps a key for long: hence sodium_malloc here, without base/secret.h. */
#include "replay/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

struct keys {
    uint8_t *master; /* sodium_malloc'ed */
};

int keys_new(uint8_t master[CHAIN_KEY], struct keys **ret)
{
    CLEANUP(keys_free) struct keys *keys = NULL;
    if (sodium_init() >= 0)
        keys = calloc(1, sizeof *keys);
    if (keys)
        keys->master = sodium_malloc(CHAIN_KEY);
    if (keys && keys->master)
        memcpy(keys->master, master, CHAIN_KEY);
    sodium_memzero(master, CHAIN_KEY);
    if (!keys || !keys->master)
        return -ENOMEM;
    *ret = STEAL(keys);
    return 0;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    sodium_free(keys->master);
    free(keys);
}

static void key_path(char out[PATH_MAX], const char *state)
{
    (void)snprintf(out, PATH_MAX, "%s/audit/key", state);
}

int keys_load(const char *state, struct keys **ret, struct detail *detail)
{
    char path[PATH_MAX];
    uint8_t master[CHAIN_KEY + 1];
    key_path(path, state);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return detail_fail(detail, -errno, "the audit key %s can't be read: %s", path, strerror(errno));
    ssize_t n = read(fd, master, sizeof master);
    if (n != CHAIN_KEY) {
        sodium_memzero(master, sizeof master);
        return detail_fail(detail, -EBADMSG, "the audit key %s is not %d bytes long", path, CHAIN_KEY);
    }
    return keys_new(master, ret);
}

static void derive(const struct keys *keys, const char *label, const void *more, size_t n,
                   uint8_t ret[CHAIN_KEY])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, keys->master, CHAIN_KEY, CHAIN_KEY);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, strlen(label));
    (void)crypto_generichash_update(&state, more, n);
    (void)crypto_generichash_final(&state, ret, CHAIN_KEY);
    sodium_memzero(&state, sizeof state);
}

void keys_recording(const struct keys *keys, const char *id, uint8_t ret[CHAIN_KEY])
{
    derive(keys, "gatehouse recording ", id, strlen(id), ret);
}

void keys_audit(const struct keys *keys, uint8_t ret[CHAIN_KEY])
{
    derive(keys, "gatehouse audit chain", "", 0, ret);
}

void keys_head_mac(const struct keys *keys, const void *bytes, size_t n, uint8_t ret[CHAIN_KEY])
{
    uint8_t key[CHAIN_KEY];
    derive(keys, "gatehouse audit head", "", 0, key);
    (void)crypto_generichash(ret, CHAIN_KEY, bytes, n, key, CHAIN_KEY);
    sodium_memzero(key, sizeof key);
}

void keys_wipe(uint8_t key[CHAIN_KEY])
{
    sodium_memzero(key, CHAIN_KEY);
}

int keys_create(const char *state, struct detail *detail)
{
    char path[PATH_MAX];
    uint8_t master[CHAIN_KEY];
    if (sodium_init() < 0)
        return -EIO;
    key_path(path, state);
    CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s can't be created: %s", path, strerror(errno));
    randombytes_buf(master, sizeof master);
    int r = fd_write_all(fd, master, sizeof master, -1);
    sodium_memzero(master, sizeof master);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r ? detail_fail(detail, r, "%s can't be written: %s", path, strerror(-r)) : 0;
}
