/* Writing the store's files.
 *
 * Whatever moment the power fails at, the key file opens the store file: each is replaced as a whole (write,
 * fsync, rename, fsync of the directory), and for a change of keys the key file holds both, the new one
 * first, while the store is replaced. So readers try each key of the key file, and writers use the first.
 *
 * The directory may belong to the vault's uid while root writes: new files are made exclusively, and no link
 * is followed. */
#include "vault/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/jail.h"

enum {
    LOCK_WAIT_MS = 5000, /* writers need milliseconds */
    LOCK_RETRY_MS = 20,
};

/* Root's new files belong to whoever the directory belongs to: to the vault's own uid, or to the user who
 * runs an unprivileged Gatehouse. */
static int own(const struct store *store, int fd)
{
    struct stat about;

    if (geteuid() != 0)
        return 0;
    if (fstat(store->directory, &about) < 0)
        return -errno;
    if (about.st_uid == 0) {
        about.st_uid = process_uid(PROCESS_VAULT);
        about.st_gid = process_gid();
    }
    return fchown(fd, about.st_uid, about.st_gid) < 0 ? -errno : 0;
}

int store_claim(const struct store *store)
{
    static const char *const names[] = { ".", "key", "store", "lock" };

    if (geteuid() != 0)
        return 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (fchownat(store->directory, names[i], process_uid(PROCESS_VAULT), process_gid(),
                     AT_SYMLINK_NOFOLLOW) < 0 &&
            errno != ENOENT)
            return -errno;
    return 0;
}

/* Writes NAME.new and moves it to NAME. */
static int replace(const struct store *store, const char *name, const void *bytes, size_t n,
                   struct detail *detail)
{
    CLEANUP(fd_close) int fd = -1;
    char fresh[16];
    int r;

    snprintf(fresh, sizeof(fresh), "%s.new", name);
    if (unlinkat(store->directory, fresh, 0) < 0 && errno != ENOENT) /* left by a crash */
        return detail_fail(detail, -errno, "%s: %s", fresh, strerror(errno));
    fd = openat(store->directory, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s: %s", fresh, strerror(errno));
    r = own(store, fd);
    if (!r)
        r = fd_write_all(fd, bytes, n, -1);
    if (!r && (fsync(fd) < 0 || renameat(store->directory, fresh, store->directory, name) < 0 ||
               fsync(store->directory) < 0))
        r = -errno;
    if (r) {
        (void)unlinkat(store->directory, fresh, 0);
        return detail_fail(detail, r, "the vault's %s: %s", name, strerror(-r));
    }
    return 0;
}

static int save_keys(const struct store *store, const struct secret *const *keys, size_t n_keys,
                     struct detail *detail)
{
    CLEANUP(secret_free) struct secret *text = NULL;
    int r = secret_new(n_keys * KEY_LINE + 1, &text);

    if (r)
        return r;
    for (size_t i = 0; i < n_keys; i++) {
        char *line = (char *)secret_bytes(text) + i * KEY_LINE;

        (void)sodium_bin2base64(line, KEY_LINE, secret_bytes(keys[i]), SEALED_KEY,
                                sodium_base64_VARIANT_ORIGINAL);
        line[KEY_LINE - 1] = '\n';
    }
    return replace(store, "key", secret_bytes(text), n_keys * KEY_LINE, detail);
}

static int save_sealed(const struct store *store, const struct secret *key, struct detail *detail)
{
    struct buffer bytes;
    int r;

    buffer_init(&bytes, SEALED_FILE_MAX);
    r = sealed_write(store->sealed, key, &bytes);
    if (r == -ENOBUFS)
        r = detail_fail(detail, r, "the vault is full: %d MiB", SEALED_FILE_MAX >> 20);
    if (!r)
        r = replace(store, "store", buffer_head(&bytes), buffer_size(&bytes), detail);
    buffer_free(&bytes);
    return r;
}

int store_lock(struct store *store, struct detail *detail)
{
    uint64_t deadline = clock_ms() + LOCK_WAIT_MS;
    int r;

    store->lock = openat(store->directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (store->lock < 0)
        return detail_fail(detail, -errno, "the vault's lock: %s", strerror(errno));
    r = own(store, store->lock);
    if (r)
        return detail_fail(detail, r, "the vault's lock: %s", strerror(-r));
    while (flock(store->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return detail_fail(detail, -errno, "the vault's lock: %s", strerror(errno));
        if (clock_ms() > deadline)
            return detail_fail(detail, STORE_BUSY, "somebody else is changing the vault: try again");
        usleep(LOCK_RETRY_MS * 1000);
    }
    return store_refresh(store, detail);
}

struct sealed *store_sealed(struct store *store)
{
    return store->sealed;
}

const struct secret *store_key(const struct store *store)
{
    return store->keys[store->used];
}

int store_save(struct store *store, struct detail *detail)
{
    return save_sealed(store, store->keys[store->used], detail);
}

static int new_key(struct secret **ret)
{
    int r = secret_new(SEALED_KEY, ret);

    if (!r)
        crypto_kdf_keygen(secret_bytes(*ret));
    return r;
}

int store_rekey(struct store *store, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *fresh = NULL;
    const struct secret *old = store->keys[store->used];
    int r = new_key(&fresh);

    if (!r)
        r = sealed_rekey(store->sealed, old, fresh);
    if (r)
        return detail_fail(detail, r < 0 ? r : STORE_SEALED,
                           "the entries can't be sealed anew: nothing was changed");
    r = save_keys(store, (const struct secret *const[]){ fresh, old }, 2, detail);
    if (!r)
        r = save_sealed(store, fresh, detail);
    if (!r)
        r = save_keys(store, (const struct secret *const[]){ fresh }, 1, detail);
    store_forget(store);
    return r;
}

static int create_directory(const char *state, struct detail *detail)
{
    char path[STORE_PATH];

    if (snprintf(path, sizeof(path), "%s/vault", state) >= (int)sizeof(path))
        return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

int store_create(const char *state, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    struct mark key;
    int r = create_directory(state, detail);

    if (!r)
        r = store_new(state, &store, detail);
    if (r)
        return r;
    key = store_mark_now(store, "key");
    if (key.inode != 0)
        return detail_fail(detail, -EEXIST, "there is a vault already");
    r = own(store, store->directory);
    if (!r)
        r = sealed_new(&store->sealed);
    if (!r)
        r = new_key(&store->keys[0]);
    if (r)
        return r;
    store->n_keys = 1;
    r = save_sealed(store, store->keys[0], detail);
    return r ? r : save_keys(store, (const struct secret *const[]){ store->keys[0] }, 1, detail);
}
