/* Reading the store's files. Writers replace them as a whole (store_write.c), so what is read is old or new,
 * never both; the two files are read one after the other, and again if one of them was replaced meanwhile.
 *
 * The directory may belong to somebody else than the reader: names are opened without following links. */
#include "vault/store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"

enum { READ_TRIES = 5 }; /* while somebody replaces the files */

void store_forget(struct store *store)
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
    store_forget(store);
    fd_close(store->lock);
    fd_close(store->directory);
    free(store);
}

int store_new(const char *state, struct store **ret, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = calloc(1, sizeof(*store));
    char path[STORE_PATH];

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

static struct mark mark_of(const struct stat *about)
{
    return (struct mark){ about->st_dev, about->st_ino, about->st_size, about->st_ctim };
}

static bool mark_is(const struct mark *a, const struct mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

struct mark store_mark_now(const struct store *store, const char *name)
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
    struct mark key = store_mark_now(store, "key"), sealed = store_mark_now(store, "store");

    return mark_is(&key, &store->key_mark) && mark_is(&sealed, &store->store_mark);
}

int store_refresh(struct store *store, struct detail *detail)
{
    int r = 0;

    if (store->sealed && is_current(store))
        return 0;
    for (int i = 0; i < READ_TRIES; i++) {
        store_forget(store);
        r = read_keys(store, detail);
        if (!r)
            r = read_sealed(store, detail);
        if (!r || is_current(store))
            break; /* else it was replaced between the two reads */
    }
    if (r)
        store_forget(store);
    return r;
}

static int find(struct store *store, const char *name, const struct sealed_entry **ret, struct detail *detail)
{
    int r = store_refresh(store, detail);

    if (r)
        return r;
    *ret = sealed_find(store->sealed, name);
    return *ret ? 0 : detail_fail(detail, STORE_NO_ENTRY, "the vault has no entry \"%s\"", name);
}

int store_type(struct store *store, const char *name, enum sealed_type *ret, struct detail *detail)
{
    const struct sealed_entry *entry;
    int r = find(store, name, &entry, detail);

    if (!r)
        *ret = entry->type;
    return r;
}

int store_get(struct store *store, const char *name, enum sealed_type type, struct secret **ret,
              struct detail *detail)
{
    const struct sealed_entry *entry;
    int r = find(store, name, &entry, detail);

    if (r)
        return r;
    if (entry->type != type)
        return detail_fail(detail, STORE_WRONG_TYPE, "the vault's entry \"%s\" is a %s, not a %s", name,
                           sealed_type_name(entry->type), sealed_type_name(type));
    r = sealed_open(entry, store->keys[store->used], ret);
    return r == SEALED_WRONG_KEY
               ? detail_fail(detail, STORE_SEALED, "the vault's entry \"%s\" is damaged", name)
               : r;
}

int store_mask_key(struct store *store, const char *target, struct secret **ret, struct detail *detail)
{
    int r = store_refresh(store, detail);

    return r ? r : sealed_mask_key(store->keys[store->used], target, ret);
}

int store_tls_seed(struct store *store, struct secret **ret, struct detail *detail)
{
    int r = store_refresh(store, detail);

    return r ? r : sealed_tls_seed(store->keys[store->used], ret);
}
