/* The catalog: a hash table from (kind, key) to an answer. An answer owns one arena with everything that it
 * points at, so that it is replaced and freed as a whole.
 *
 * What is bounded is what a client can make grow: names that it mentions. When there are too many, everything
 * that is known is forgotten at the next put, never inside a look-up: pointers that were given out stay good
 * until then. */
#include "policy/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "policy/catalog_parts.h"

enum { BUCKETS = 4096, OID_TEXT = 12 };

enum entry_state {
    WANTED, /* not known, not asked for */
    TAKEN,  /* asked for */
    KNOWN,
};

struct entry {
    struct entry *next;
    enum catalog_kind kind;
    enum entry_state state;
    bool again; /* KNOWN, and wanted or taken for comparison */
    bool again_taken;
    char *key;
    struct arena *arena;
    void *items;
    size_t n;
    uint64_t mark;
};

struct catalog {
    struct entry *buckets[BUCKETS];
    size_t count, bytes, n_wanted;
    uint64_t generation;
    bool used;
    struct scope *scopes;
};

int catalog_new(struct catalog **ret)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog)
        return -ENOMEM;
    catalog->generation = 1;
    *ret = catalog;
    return 0;
}

static void answer_clear(struct catalog *catalog, struct entry *entry)
{
    catalog->bytes -= arena_size(entry->arena);
    arena_free(STEAL(entry->arena));
    entry->items = NULL;
    entry->n = 0;
    entry->mark = 0;
}

static void entry_free(struct catalog *catalog, struct entry *entry)
{
    answer_clear(catalog, entry);
    free(entry->key);
    free(entry);
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (catalog->buckets[i]) {
            struct entry *entry = catalog->buckets[i];
            catalog->buckets[i] = entry->next;
            entry_free(catalog, entry);
        }
    free(catalog);
}

struct scope **catalog_scopes(struct catalog *catalog)
{
    return &catalog->scopes;
}

void catalog_moved(struct catalog *catalog)
{
    catalog->generation++;
}

uint64_t catalog_generation(const struct catalog *catalog)
{
    return catalog->generation;
}

void catalog_use(struct catalog *catalog)
{
    catalog->used = true;
}

bool catalog_was_used(struct catalog *catalog)
{
    bool used = catalog->used;
    catalog->used = false;
    return used;
}

/* FNV-1a: whoever makes names collide slows down his own session, within CATALOG_ENTRIES_MAX. */
static struct entry **slot_of(struct catalog *catalog, enum catalog_kind kind, const char *key)
{
    uint32_t hash = 2166136261u ^ (uint32_t)kind;
    for (const char *at = key; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    struct entry **slot = &catalog->buckets[(hash ^ hash >> 15) % BUCKETS];
    while (*slot && ((*slot)->kind != kind || strcmp((*slot)->key, key) != 0))
        slot = &(*slot)->next;
    return slot;
}

/* NULL: no memory, or far too many names in one go. */
static struct entry *want(struct catalog *catalog, struct entry **slot, enum catalog_kind kind,
                          const char *key)
{
    if (catalog->count >= 2 * (size_t)CATALOG_ENTRIES_MAX)
        return NULL;
    struct entry *entry = calloc(1, sizeof *entry);
    char *copy = entry ? strdup(key) : NULL;
    if (!copy) {
        free(entry);
        return NULL;
    }
    *entry = (struct entry){ .kind = kind, .key = copy };
    *slot = entry;
    catalog->count++;
    catalog->n_wanted++;
    return entry;
}

/* ---- look-ups ---- */

static enum catalog_answer look_up(struct catalog *catalog, enum catalog_kind kind, const char *key,
                                   const void **ret, size_t *ret_n)
{
    struct entry **slot = slot_of(catalog, kind, key);
    if (!*slot)
        (void)want(catalog, slot, kind, key);
    if (!*slot || (*slot)->state != KNOWN)
        return CATALOG_WANTED;
    *ret = (*slot)->items;
    *ret_n = (*slot)->n;
    return (*slot)->n > 0 ? CATALOG_FOUND : CATALOG_ABSENT;
}

enum catalog_answer catalog_relations(struct catalog *catalog, const char *name,
                                      const struct catalog_relation **ret, size_t *ret_n)
{
    const void *items = NULL;
    enum catalog_answer answer = look_up(catalog, CATALOG_RELATIONS, name, &items, ret_n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

enum catalog_answer catalog_functions(struct catalog *catalog, const char *name,
                                      const struct catalog_function **ret, size_t *ret_n)
{
    const void *items = NULL;
    enum catalog_answer answer = look_up(catalog, CATALOG_FUNCTIONS, name, &items, ret_n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

enum catalog_answer catalog_types(struct catalog *catalog, const char *name, const struct catalog_type **ret,
                                  size_t *ret_n)
{
    const void *items = NULL;
    enum catalog_answer answer = look_up(catalog, CATALOG_TYPES, name, &items, ret_n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

static const char *oid_text(char out[OID_TEXT], uint32_t oid)
{
    (void)snprintf(out, OID_TEXT, "%u", (unsigned)oid);
    return out;
}

enum catalog_answer catalog_relation_of_oid(struct catalog *catalog, uint32_t oid,
                                            const struct catalog_relation **ret)
{
    char key[OID_TEXT];
    const void *items = NULL;
    size_t n = 0;
    enum catalog_answer answer = look_up(catalog, CATALOG_RELATION_OF_OID, oid_text(key, oid), &items, &n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

enum catalog_answer catalog_type_of_oid(struct catalog *catalog, uint32_t oid,
                                        const struct catalog_type **ret)
{
    char key[OID_TEXT];
    const void *items = NULL;
    size_t n = 0;
    enum catalog_answer answer = look_up(catalog, CATALOG_TYPE_OF_OID, oid_text(key, oid), &items, &n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

enum catalog_answer catalog_basics(struct catalog *catalog, const struct catalog_basics **ret)
{
    const void *items = NULL;
    size_t n = 0;
    enum catalog_answer answer = look_up(catalog, CATALOG_BASICS, "", &items, &n);
    if (answer == CATALOG_FOUND)
        *ret = items;
    return answer;
}

void catalog_doubt(struct catalog *catalog, enum catalog_kind kind, const char *key)
{
    struct entry *entry = *slot_of(catalog, kind, key);
    if (!entry || entry->state != KNOWN || entry->n > 0)
        return;
    catalog->n_wanted += entry->again && !entry->again_taken ? 0 : 1;
    entry->again = entry->again_taken = false;
    entry->state = WANTED;
}

/* ---- wants ---- */

static bool is_wanted(const struct entry *entry)
{
    return entry->state == WANTED || (entry->again && !entry->again_taken);
}

bool catalog_has_wants(const struct catalog *catalog)
{
    return catalog->n_wanted > 0;
}

size_t catalog_take_wants(struct catalog *catalog, struct catalog_want *ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS && n < max && catalog->n_wanted > 0; i++)
        for (struct entry *entry = catalog->buckets[i]; entry && n < max; entry = entry->next) {
            if (!is_wanted(entry))
                continue;
            if (entry->state == WANTED)
                entry->state = TAKEN;
            else
                entry->again_taken = true;
            ret[n++] = (struct catalog_want){ entry->kind, entry->key };
            catalog->n_wanted--;
        }
    return n;
}

void catalog_untake(struct catalog *catalog)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *entry = catalog->buckets[i]; entry; entry = entry->next) {
            if (entry->state == TAKEN)
                entry->state = WANTED;
            else if (entry->again_taken)
                entry->again_taken = false;
            else
                continue;
            catalog->n_wanted++;
        }
}

size_t catalog_refresh(struct catalog *catalog)
{
    size_t n = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *entry = catalog->buckets[i]; entry; entry = entry->next) {
            if (entry->state != KNOWN || entry->again)
                continue;
            entry->again = true;
            entry->again_taken = false;
            catalog->n_wanted++;
            n++;
        }
    return n;
}

/* Entries that were taken stay, as wanted: an answer on its way is of the time before. */
void catalog_forget(struct catalog *catalog)
{
    catalog->generation++;
    catalog->n_wanted = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **slot = &catalog->buckets[i]; *slot;) {
            struct entry *entry = *slot;
            if (entry->state == KNOWN) {
                *slot = entry->next;
                entry_free(catalog, entry);
                catalog->count--;
                continue;
            }
            entry->state = WANTED;
            catalog->n_wanted++;
            slot = &entry->next;
        }
}

/* ---- answers ---- */

/* The entry that this answer is for. NULL: no memory. key may be the catalog's own, so it is not looked at
 * again once everything has been forgotten. */
static struct entry *entry_for(struct catalog *catalog, enum catalog_kind kind, const char *key)
{
    CLEANUP(free) char *copy = NULL;
    if (catalog->bytes > CATALOG_BYTES_MAX || catalog->count > CATALOG_ENTRIES_MAX) {
        copy = strdup(key);
        if (!copy)
            return NULL;
        catalog_forget(catalog);
        key = copy;
    }
    struct entry **slot = slot_of(catalog, kind, key);
    return *slot ? *slot : want(catalog, slot, kind, key);
}

static void settle(struct catalog *catalog, struct entry *entry)
{
    catalog->n_wanted -= is_wanted(entry) ? 1 : 0;
    entry->state = KNOWN;
    entry->again = entry->again_taken = false;
}

/* Copies into a fresh arena; n is 0 or the copier's. */
typedef const void *copier(struct arena *arena, const void *items, size_t n);

static int put(struct catalog *catalog, enum catalog_kind kind, const char *key, copier *copy,
               const void *items, size_t n, uint64_t mark)
{
    struct entry *entry = entry_for(catalog, kind, key);
    if (!entry)
        return -ENOMEM;
    bool known = entry->state == KNOWN;
    if (known && mark != 0 && mark == entry->mark) {
        settle(catalog, entry);
        return 0;
    }
    struct arena *arena = arena_new();
    const void *copied = arena ? copy(arena, items, n) : NULL;
    if (!copied || arena_size(arena) > CATALOG_BYTES_MAX) {
        int r = copied ? -E2BIG : -ENOMEM;
        arena_free(arena);
        return r;
    }
    if (known)
        catalog->generation++;
    answer_clear(catalog, entry);
    entry->arena = arena;
    entry->items = (void *)(uintptr_t)copied;
    entry->n = n;
    entry->mark = mark;
    catalog->bytes += arena_size(arena);
    settle(catalog, entry);
    return 0;
}

int catalog_put_relations(struct catalog *catalog, const char *name, const struct catalog_relation *items,
                          size_t n, uint64_t mark)
{
    return put(catalog, CATALOG_RELATIONS, name, copy_relations, items, n, mark);
}

int catalog_put_relation_of_oid(struct catalog *catalog, uint32_t oid, const struct catalog_relation *item,
                                uint64_t mark)
{
    char key[OID_TEXT];
    return put(catalog, CATALOG_RELATION_OF_OID, oid_text(key, oid), copy_relations, item, item ? 1 : 0,
               mark);
}

int catalog_put_functions(struct catalog *catalog, const char *name, const struct catalog_function *items,
                          size_t n, uint64_t mark)
{
    return put(catalog, CATALOG_FUNCTIONS, name, copy_functions, items, n, mark);
}

int catalog_put_types(struct catalog *catalog, const char *name, const struct catalog_type *items, size_t n,
                      uint64_t mark)
{
    return put(catalog, CATALOG_TYPES, name, copy_types, items, n, mark);
}

int catalog_put_type_of_oid(struct catalog *catalog, uint32_t oid, const struct catalog_type *item,
                            uint64_t mark)
{
    char key[OID_TEXT];
    return put(catalog, CATALOG_TYPE_OF_OID, oid_text(key, oid), copy_types, item, item ? 1 : 0, mark);
}

int catalog_put_basics(struct catalog *catalog, const struct catalog_basics *basics, uint64_t mark)
{
    return put(catalog, CATALOG_BASICS, "", copy_basics, basics, 1, mark);
}
