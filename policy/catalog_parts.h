/* The inside of the catalog, shared by policy/catalog*.c. */
#pragma once
#include "policy/catalog.h"

struct arena;
struct scope;

struct arena *arena_new(void); /* NULL: no memory */
void arena_free(struct arena *arena);
size_t arena_size(const struct arena *arena); /* bytes taken; 0 for NULL */

/* Deep copies; NULL: no memory. Never NULL otherwise, for n == 0 either. */
const void *copy_relations(struct arena *arena, const void *items, size_t n);
const void *copy_functions(struct arena *arena, const void *items, size_t n);
const void *copy_types(struct arena *arena, const void *items, size_t n);
const void *copy_basics(struct arena *arena, const void *items, size_t n);

/* The scopes that read through it, a list. */
struct scope **catalog_scopes(struct catalog *catalog);
/* A new generation for a reason of the caller's. */
void catalog_moved(struct catalog *catalog);
void catalog_use(struct catalog *catalog);
/* An ABSENT that is not good enough: it is wanted again. */
void catalog_doubt(struct catalog *catalog, enum catalog_kind kind, const char *key);
