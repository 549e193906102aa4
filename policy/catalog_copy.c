/* Deep copies of what the catalog keeps, each into an arena of its own. */
#include <string.h>
#include "policy/catalog_parts.h"

enum { BLOCK_SIZE = 1000 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *blocks;
    size_t size;
    bool failed;
};

struct arena *arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    free(arena);
}

size_t arena_size(const struct arena *arena)
{
    return arena ? arena->size : 0;
}

static void *take(struct arena *arena, size_t size)
{
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        block = malloc(sizeof *block + room);
        if (!block) {
            arena->failed = true;
            return NULL;
        }
        *block = (struct block){ .next = arena->blocks, .size = room };
        arena->blocks = block;
        arena->size += sizeof *block + room;
    }
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

static const void *copy_bytes(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = take(arena, size ? size : 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

static const char *copy_text(struct arena *arena, const char *text)
{
    return text ? copy_bytes(arena, text, strlen(text) + 1) : NULL;
}

#define COPY_ARRAY(arena, items, n) ((void *)(uintptr_t)copy_bytes((arena), (items), (n) * sizeof *(items)))

static const struct catalog_name *copy_names(struct arena *arena, const struct catalog_name *names, size_t n)
{
    struct catalog_name *copy = COPY_ARRAY(arena, names, n);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = (struct catalog_name){ copy_text(arena, names[i].schema), copy_text(arena, names[i].name) };
    return copy;
}

static const struct catalog_column *copy_columns(struct arena *arena, const struct catalog_column *columns,
                                                 size_t n)
{
    struct catalog_column *copy = COPY_ARRAY(arena, columns, n);
    for (size_t i = 0; copy && i < n; i++)
        copy[i].name = copy_text(arena, columns[i].name);
    return copy;
}

static const struct catalog_read *copy_reads(struct arena *arena, const struct catalog_read *reads, size_t n)
{
    struct catalog_read *copy = COPY_ARRAY(arena, reads, n);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i].schema = copy_text(arena, reads[i].schema);
        copy[i].name = copy_text(arena, reads[i].name);
        copy[i].column = copy_text(arena, reads[i].column);
    }
    return copy;
}

static const struct catalog_tie *copy_ties(struct arena *arena, const struct catalog_tie *ties, size_t n)
{
    struct catalog_tie *copy = COPY_ARRAY(arena, ties, n);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i].column = copy_text(arena, ties[i].column);
        copy[i].schema = copy_text(arena, ties[i].schema);
        copy[i].table = copy_text(arena, ties[i].table);
        copy[i].other = copy_text(arena, ties[i].other);
    }
    return copy;
}

static const char *const *copy_texts(struct arena *arena, const char *const *texts, size_t n)
{
    const char **copy = COPY_ARRAY(arena, texts, n);
    for (size_t i = 0; copy && i < n; i++)
        copy[i] = copy_text(arena, texts[i]);
    return copy;
}

static void copy_relation(struct arena *arena, struct catalog_relation *r)
{
    r->schema = copy_text(arena, r->schema);
    r->name = copy_text(arena, r->name);
    r->owner = copy_text(arena, r->owner);
    r->definition = copy_text(arena, r->definition);
    r->columns = copy_columns(arena, r->columns, r->n_columns);
    r->reads = copy_reads(arena, r->reads, r->n_reads);
    r->ties = copy_ties(arena, r->ties, r->n_ties);
    r->ancestors = copy_names(arena, r->ancestors, r->n_ancestors);
    r->descendants = copy_names(arena, r->descendants, r->n_descendants);
    r->followers = copy_names(arena, r->followers, r->n_followers);
    r->triggers = copy_names(arena, r->triggers, r->n_triggers);
    r->defaults = copy_names(arena, r->defaults, r->n_defaults);
}

const void *copy_relations(struct arena *arena, const void *items, size_t n)
{
    struct catalog_relation *copy = COPY_ARRAY(arena, (const struct catalog_relation *)items, n);
    for (size_t i = 0; copy && i < n; i++)
        copy_relation(arena, &copy[i]);
    return arena->failed ? NULL : copy;
}

const void *copy_functions(struct arena *arena, const void *items, size_t n)
{
    struct catalog_function *copy = COPY_ARRAY(arena, (const struct catalog_function *)items, n);
    for (size_t i = 0; copy && i < n; i++) {
        struct catalog_function *f = &copy[i];
        f->schema = copy_text(arena, f->schema);
        f->name = copy_text(arena, f->name);
        f->owner = copy_text(arena, f->owner);
        f->language = copy_text(arena, f->language);
        f->results = copy_texts(arena, f->results, f->n_results);
    }
    return arena->failed ? NULL : copy;
}

const void *copy_types(struct arena *arena, const void *items, size_t n)
{
    struct catalog_type *copy = COPY_ARRAY(arena, (const struct catalog_type *)items, n);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i].schema = copy_text(arena, copy[i].schema);
        copy[i].name = copy_text(arena, copy[i].name);
    }
    return arena->failed ? NULL : copy;
}

static const struct catalog_hook *copy_hooks(struct arena *arena, const struct catalog_hook *hooks, size_t n)
{
    struct catalog_hook *copy = COPY_ARRAY(arena, hooks, n);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i].schema = copy_text(arena, hooks[i].schema);
        copy[i].name = copy_text(arena, hooks[i].name);
        copy[i].function.schema = copy_text(arena, hooks[i].function.schema);
        copy[i].function.name = copy_text(arena, hooks[i].function.name);
    }
    return copy;
}

const void *copy_basics(struct arena *arena, const void *items, size_t n)
{
    struct catalog_basics *b = COPY_ARRAY(arena, (const struct catalog_basics *)items, n);
    if (!b)
        return NULL;
    b->login = copy_text(arena, b->login);
    b->search_path = copy_text(arena, b->search_path);
    struct catalog_schema *schemas = COPY_ARRAY(arena, b->schemas, b->n_schemas);
    for (size_t i = 0; schemas && i < b->n_schemas; i++)
        schemas[i].name = copy_text(arena, schemas[i].name);
    b->schemas = schemas;
    b->operators = copy_hooks(arena, b->operators, b->n_operators);
    b->casts = copy_hooks(arena, b->casts, b->n_casts);
    b->namesakes = copy_texts(arena, b->namesakes, b->n_namesakes);
    return arena->failed ? NULL : b;
}
