/* Hash table from byte strings to entries that embed a link. Owns the links' order only, never the entries.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Embedded by the entry, first; key points into the entry. */
struct link {
    struct link *next;
    uint64_t hash;
    const char *key;
    size_t key_n;
};

enum { TABLE_HASH_KEY = 16 };

/* Embedded by its owner. The hash is keyed: a client that picks the keys can't make them collide. */
struct table {
    struct link **buckets;
    size_t n_buckets, count;
    uint8_t hash_key[TABLE_HASH_KEY];
};

void table_init(struct table *table);
/* Frees the table, not the entries. */
void table_free(struct table *table);
uint64_t table_hash(const struct table *table, const char *key, size_t n);
struct link *table_find(const struct table *table, const char *key, size_t n);
/* How much of the name of a statement or portal counts: the server keeps no more of it, and takes names that
 * begin alike for the same. */
size_t table_name_size(const char *name);
/* The key must not be in the table yet. */
MUST_USE int table_add(struct table *table, struct link *link);
void table_remove(struct table *table, struct link *link);
/* Calls visit for every link, which may remove and free that one. */
void table_each(struct table *table, void (*visit)(void *owner, struct link *link), void *owner);
