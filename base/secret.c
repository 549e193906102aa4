/* See secret.h. sodium_malloc puts guard pages around the bytes and keeps them out of swap and core files. */
#include "base/secret.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { SECRET_MAX = 1024 * 1024 };

struct secret {
    size_t size;
    uint8_t *bytes;
};

int secret_new(size_t size, struct secret **ret)
{
    if (size > SECRET_MAX)
        return -EFBIG;
    if (sodium_init() < 0)
        return -EIO;
    CLEANUP(secret_free) struct secret *secret = calloc(1, sizeof *secret);
    if (!secret)
        return -ENOMEM;
    secret->bytes = sodium_malloc(size ? size : 1);
    if (!secret->bytes)
        return -ENOMEM;
    secret->size = size;
    sodium_memzero(secret->bytes, size ? size : 1);
    *ret = STEAL(secret);
    return 0;
}

int secret_take(void *bytes, size_t n, struct secret **ret)
{
    struct secret *secret;
    int r = secret_new(n, &secret);
    if (r == 0) {
        if (n > 0)
            memcpy(secret->bytes, bytes, n);
        *ret = secret;
    }
    sodium_memzero(bytes, n);
    return r;
}

void secret_free(struct secret *secret)
{
    if (!secret)
        return;
    sodium_free(secret->bytes);
    free(secret);
}

uint8_t *secret_bytes(const struct secret *secret)
{
    return secret->bytes;
}

size_t secret_size(const struct secret *secret)
{
    return secret->size;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->size == b->size && sodium_memcmp(a->bytes, b->bytes, a->size) == 0;
}

void secret_wipe(void *bytes, size_t n)
{
    sodium_memzero(bytes, n);
}
