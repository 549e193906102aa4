/* Chained buckets, doubled when there are as many entries as buckets. SipHash-2-4 (libsodium). */
#include "channels/pg/table.h"
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };
_Static_assert(TABLE_HASH_KEY == crypto_shorthash_KEYBYTES, "the key of SipHash");

void table_init(struct table *t)
{
    *t = (struct table){ .count = 0 };
    randombytes_buf(t->hash_key, sizeof(t->hash_key));
}

void table_free(struct table *t)
{
    free(t->buckets);
    t->buckets = NULL;
    t->n_buckets = t->count = 0;
}

uint64_t table_hash(const struct table *t, const char *key, size_t n)
{
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash = 0;
    _Static_assert(sizeof(bytes) == sizeof(hash), "a hash of 64 bits");
    (void)crypto_shorthash(bytes, (const uint8_t *)key, n, t->hash_key);
    memcpy(&hash, bytes, sizeof(hash));
    return hash;
}

static struct link **bucket_of(const struct table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->n_buckets - 1)];
}

struct link *table_find(const struct table *t, const char *key, size_t n)
{
    if (t->count == 0)
        return NULL;
    uint64_t hash = table_hash(t, key, n);
    struct link *l = *bucket_of(t, hash);
    while (l && (l->hash != hash || l->key_n != n || memcmp(l->key, key, n) != 0))
        l = l->next;
    return l;
}

static int grow(struct table *t)
{
    struct table wider = *t;
    wider.n_buckets = t->n_buckets ? t->n_buckets * 2 : FIRST_BUCKETS;
    wider.buckets = calloc(wider.n_buckets, sizeof(*wider.buckets));
    if (!wider.buckets)
        return -ENOMEM;
    for (size_t i = 0; i < t->n_buckets; i++) {
        for (struct link *l = t->buckets[i], *next = NULL; l; l = next) {
            struct link **bucket = bucket_of(&wider, l->hash);
            next = l->next;
            l->next = *bucket;
            *bucket = l;
        }
    }
    free(t->buckets);
    *t = wider;
    return 0;
}

size_t table_name_size(const char *name)
{
    enum { NAME_MAX_BYTES = 63 }; /* NAMEDATALEN, less the byte behind it */
    return strnlen(name, NAME_MAX_BYTES);
}

int table_add(struct table *t, struct link *l)
{
    int r = t->count == t->n_buckets ? grow(t) : 0;
    if (r)
        return r;
    l->hash = table_hash(t, l->key, l->key_n);
    struct link **bucket = bucket_of(t, l->hash);
    l->next = *bucket;
    *bucket = l;
    t->count++;
    return 0;
}

void table_remove(struct table *t, struct link *l)
{
    struct link **at = bucket_of(t, l->hash);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    t->count--;
}

void table_each(struct table *t, void (*visit)(void *owner, struct link *link), void *owner)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        for (struct link *l = t->buckets[i], *next = NULL; l; l = next) {
            next = l->next;
            visit(owner, l);
        }
    }
}
