/* The store's files.
 *
 * Whatever moment the power fails at, the key file opens the store file: each is replaced as a whole (write,
 * fsync, rename, fsync of the directory), and for a change of keys the key file holds both, the new one
 * first, while the store is replaced. So readers try each key of the key file, and writers use the first.
 *
 * The directory may belong to the vault's uid while root writes: names are opened without following links,
 * and new files are made exclusively. */
#include "vault/store.h"

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
    KEYS_MAX = 2,        /* in the key file */
    KEY_LINE = 45,       /* base64 of 32 bytes, and a newline */
    LOCK_WAIT_MS = 5000, /* writers need milliseconds */
    LOCK_RETRY_MS = 20,
    READ_TRIES = 5, /* while somebody replaces the files */
    PATH_BYTES = 4096,
};

/* Tells whether a file is the one that was read. */
struct mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct store {
    int directory, lock;
    struct secret *keys[KEYS_MAX];
    size_t n_keys, used; /* used: which one opens the store */
    struct sealed *sealed;
    struct mark key_mark, store_mark;
};

static void forget(struct store *store)
{
    for (size_t i = 0; i < KEYS_MAX; i++)
        secret_free(STEAL(store->keys[i]));
    store->n_keys = store->used = 0;
    sealed_free(STEAL(store->sealed));
}

void store_free(struct store *store)
{
    if (!store)
        return;
    forget(store);
    fd_close(store->lock);
    fd_close(store->directory);
    free(store);
}

int store_new(const char *state, struct store **ret, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = calloc(1, sizeof(*store));
    char path[PATH_BYTES];

    if (!store)
        return -ENOMEM;
    store->directory = store->lock = -1;
    if (snprintf(path, sizeof(path), "%s/vault", state) >= (int)sizeof(path))
        return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory < 0)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    *ret = STEAL(store);
    return 0;
}

/* ---- reading ---- */

static struct mark mark_of(const struct stat *about)
{
    return (struct mark){ about->st_dev, about->st_ino, about->st_size, about->st_ctim };
}

static bool mark_is(const struct mark *a, const struct mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* The mark of what the name stands for now; all zeroes for none. */
static struct mark mark_now(const struct store *store, const char *name)
{
    struct stat about;

    return fstatat(store->directory, name, &about, AT_SYMLINK_NOFOLLOW) < 0 ? (struct mark){ 0 }
                                                                            : mark_of(&about);
}

static int open_file(const struct store *store, const char *name, struct mark *ret_mark, int *ret_fd)
{
    CLEANUP(fd_close) int fd = openat(store->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat about;

    if (fd < 0 || fstat(fd, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode))
        return -EINVAL;
    *ret_mark = mark_of(&about);
    *ret_fd = STEAL_FD(fd);
    return 0;
}

static int key_of_line(const char *line, struct secret **ret)
{
    CLEANUP(secret_free) struct secret *key = NULL;
    size_t n = 0;
    int r = secret_new(SEALED_KEY, &key);

    if (r)
        return r;
    if (sodium_base642bin(secret_bytes(key), SEALED_KEY, line, KEY_LINE - 1, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != SEALED_KEY || line[KEY_LINE - 1] != '\n')
        return STORE_SEALED;
    *ret = STEAL(key);
    return 0;
}

static int read_keys(struct store *store, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *text = NULL;
    CLEANUP(fd_close) int fd = -1;
    size_t size;
    int r = open_file(store, "key", &store->key_mark, &fd);

    if (r)
        return detail_fail(detail, STORE_SEALED, "the vault's key file: %s", strerror(-r));
    size = (size_t)store->key_mark.size;
    if (size != KEY_LINE && size != (size_t)KEYS_MAX * KEY_LINE)
        return detail_fail(detail, STORE_SEALED, "the vault's key file holds no key");
    r = secret_new(size, &text);
    if (!r)
        r = fd_read_all(fd, secret_bytes(text), size, -1);
    for (size_t at = 0; !r && at < size; at += KEY_LINE) {
        r = key_of_line((const char *)secret_bytes(text) + at, &store->keys[store->n_keys]);
        if (!r)
            store->n_keys++;
    }
    if (r)
        return detail_fail(detail, STORE_SEALED, "the vault's key file holds no key");
    return 0;
}

static int read_sealed(struct store *store, struct detail *detail)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    CLEANUP(fd_close) int fd = -1;
    size_t n = 0;
    int r = open_file(store, "store", &store->store_mark, &fd);

    if (r == -ENOENT) {
        store->store_mark = (struct mark){ 0 };
        return sealed_new(&store->sealed);
    }
    if (!r)
        r = fd_contents(fd, SEALED_FILE_MAX, &bytes, &n);
    if (r)
        return detail_fail(detail, STORE_SEALED, "the vault's store: %s", strerror(-r));
    for (size_t i = 0; i < store->n_keys; i++) {
        r = sealed_read(bytes, n, store->keys[i], &store->sealed);
        store->used = i;
        if (r != SEALED_WRONG_KEY)
            break;
    }
    if (r == SEALED_WRONG_KEY)
        return detail_fail(detail, STORE_SEALED, "the key does not open the store, or the store was changed");
    if (r == SEALED_MALFORMED)
        return detail_fail(detail, STORE_SEALED, "the vault's store is damaged, or of a later version");
    return r;
}

static bool is_current(const struct store *store)
{
    struct mark key = mark_now(store, "key"), sealed = mark_now(store, "store");

    return mark_is(&key, &store->key_mark) && mark_is(&sealed, &store->store_mark);
}

int store_refresh(struct store *store, struct detail *detail)
{
    int r = 0;

    if (store->sealed && is_current(store))
        return 0;
    for (int i = 0; i < READ_TRIES; i++) {
        forget(store);
        r = read_keys(store, detail);
        if (!r)
            r = read_sealed(store, detail);
        if (!r || is_current(store))
            break; /* else it was replaced between the two reads */
    }
    if (r)
        forget(store);
    return r;
}

int store_get(struct store *store, const char *name, enum sealed_type type, struct secret **ret,
              struct detail *detail)
{
    const struct sealed_entry *entry;
    int r = store_refresh(store, detail);

    if (r)
        return r;
    entry = sealed_find(store->sealed, name);
    if (!entry)
        return detail_fail(detail, STORE_NO_ENTRY, "the vault has no entry \"%s\"", name);
    if (entry->type != type)
        return detail_fail(detail, STORE_WRONG_TYPE, "the vault's entry \"%s\" is a %s, not a %s", name,
                           sealed_type_name(entry->type), sealed_type_name(type));
    r = sealed_open(entry, store->keys[store->used], ret);
    return r == SEALED_WRONG_KEY
               ? detail_fail(detail, STORE_SEALED, "the vault's entry \"%s\" is damaged", name)
               : r;
}

/* ---- writing ---- */

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
    forget(store);
    return r;
}

static int create_directory(const char *state, struct detail *detail)
{
    char path[PATH_BYTES];

    if (snprintf(path, sizeof(path), "%s/vault", state) >= (int)sizeof(path))
        return detail_fail(detail, -ENAMETOOLONG, "the state directory's name is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return detail_fail(detail, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

int store_create(const char *state, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    struct mark none = { 0 }, key;
    int r = create_directory(state, detail);

    if (!r)
        r = store_new(state, &store, detail);
    if (r)
        return r;
    key = mark_now(store, "key");
    if (!mark_is(&key, &none))
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
