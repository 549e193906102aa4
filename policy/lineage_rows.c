/* Sets of columns, and how fates add up. */
#include "policy/lineage_parts.h"

#include <stdlib.h>
#include <string.h>
#include "policy/sql_tree.h"

enum { ROWS_FIRST = 16 };

struct rows *rows_new(bool known)
{
    struct rows *rows = palloc0(sizeof *rows);
    rows->known = known;
    return rows;
}

static void grow(struct rows *rows)
{
    size_t capacity = rows->capacity ? rows->capacity * 2 : ROWS_FIRST;
    const char **names = palloc0(capacity * sizeof *names);
    struct fate *fates = palloc0(capacity * sizeof *fates);
    if (rows->n) {
        memcpy(names, rows->names, rows->n * sizeof *names);
        memcpy(fates, rows->fates, rows->n * sizeof *fates);
    }
    rows->names = names;
    rows->fates = fates;
    rows->capacity = capacity;
}

void rows_append(struct rows *rows, const char *name, struct fate fate)
{
    if (rows->n ==
        LINEAGE_COLUMNS_MAX) { /* the server refuses it; so it does not matter which are left out */
        rows->known = rows->listed = false;
        rows->any = fate_either(rows->any, fate);
        return;
    }
    if (rows->n == rows->capacity)
        grow(rows);
    rows->names[rows->n] = name;
    rows->fates[rows->n++] = fate;
}

struct rows *rows_copy(const struct rows *rows)
{
    struct rows *copy = rows_new(rows->known);
    copy->listed = rows->listed;
    copy->figured = rows->figured;
    copy->any = rows->any;
    for (size_t i = 0; i < rows->n; i++)
        rows_append(copy, rows->names[i], rows->fates[i]);
    return copy;
}

void rows_join(struct rows *rows, const struct rows *more)
{
    if (rows->known || !more->known)
        rows->any = fate_either(rows->any, more->any);
    rows->known = rows->known && more->known;
    rows->figured = rows->figured || more->figured;
    for (size_t i = 0; i < more->n; i++)
        rows_append(rows, more->names[i], more->fates[i]);
}

void rows_rename(struct rows *rows, const List *names)
{
    size_t n = (size_t)list_length(names);
    rows->listed = rows->listed && n == 0;
    rows->figured = rows->figured && !(rows->known && n >= rows->n);
    if (n && !rows->known) { /* (x).* in between: which name is whose can't be told */
        rows->any = rows_all(rows);
        for (size_t i = 0; i < rows->n; i++)
            rows->fates[i] = rows->any;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = strVal(list_nth(names, (int)i));
        if (i < rows->n)
            rows->names[i] = name;
        else if (!rows->known)
            rows_append(rows, name, rows->any);
    }
}

struct fate rows_all(const struct rows *rows)
{
    struct fate all = rows->any;
    for (size_t i = 0; i < rows->n; i++)
        all = fate_mix(all, rows->fates[i]);
    all.computed = true;
    all.plain = all.sums = false;
    return all;
}

bool rows_have(const struct rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->names[i] && strcmp(rows->names[i], name) == 0)
            return true;
    return false;
}

bool rows_find(const struct rows *rows, const char *name, struct fate *ret)
{
    struct fate fate = rows->any;
    bool found = !rows->known;
    bool named = rows_have(rows, name); /* else it may be one whose name is not known */
    for (size_t i = 0; i < rows->n; i++)
        if (named ? rows->names[i] && strcmp(rows->names[i], name) == 0 : !rows->names[i]) {
            fate = found ? fate_either(fate, rows->fates[i]) : rows->fates[i];
            found = true;
        }
    *ret = fate;
    return found;
}

static bool is_stricter(const struct mask *a, const struct mask *b)
{
    static const int rank[] = { [MASK_REDACT] = 3, [MASK_NULL] = 2, [MASK_HASH] = 1, [MASK_PARTIAL] = 0 };
    return rank[a->kind] > rank[b->kind];
}

struct fate fate_either(struct fate a, struct fate b)
{
    bool both = a.mask && b.mask;
    struct fate fate = both ? is_stricter(b.mask, a.mask) ? b : a : a.mask ? a : b;
    if (both) {
        fate.computed = a.computed || b.computed;
        fate.guessed = a.guessed && b.guessed;
        fate.missing = a.missing && b.missing;
        fate.plain = a.plain && b.plain;
        fate.sums = a.sums && b.sums;
    }
    fate.inserting = a.inserting ? a.inserting : b.inserting;
    fate.updating = a.updating ? a.updating : b.updating;
    return fate;
}

struct fate fate_beside(struct fate a, struct fate b)
{
    struct fate fate = fate_either(a, b);
    fate.computed = fate.computed || !a.mask != !b.mask || (a.mask && a.mask != b.mask);
    return fate;
}

struct fate fate_mix(struct fate a, struct fate b)
{
    struct fate fate = fate_either(a, b);
    fate.computed = fate.mask != NULL;
    fate.inserting = fate.updating = NULL;
    return fate;
}

struct fate fate_worst(struct follow *f)
{
    return (struct fate){ .mask = mask_set_worst(f->masks), .computed = true };
}

bool follow_exhausted(const struct follow *f)
{
    return f->work >= f->work_max || sql_tree_part_size(f->memory) > LINEAGE_MEMORY_MAX;
}

bool follow_enter(struct follow *f)
{
    if (f->depth >= LINEAGE_DEPTH_MAX || follow_exhausted(f))
        return false;
    f->depth++;
    f->work++;
    return true;
}

void follow_leave(struct follow *f)
{
    f->depth--;
}

static void note(const struct mask **slot, char **slot_what, struct fate fate, const char *what)
{
    if (*slot)
        return;
    *slot = fate.mask;
    *slot_what = what ? strdup(what) : NULL; /* without memory the message just does not name the column */
}

/* A mask that denies goes before one that asks somebody. */
void follow_predicate(struct follow *f, struct fate fate, const char *what)
{
    struct lineage *out = f->out;
    if (!fate.mask || fate.guessed || f->quiet || fate.mask->predicates_allowed)
        return;
    if (out->predicate && out->predicate->text->approve && !fate.mask->text->approve) {
        free(out->predicate_what);
        out->predicate = NULL;
        out->guesses = false;
    }
    note(&out->predicate, &out->predicate_what, fate, what);
}

void follow_guess(struct follow *f, const struct mask *mask, const char *what)
{
    const struct mask *before = f->out->predicate;
    if (!mask || mask->writes_allowed)
        return;
    follow_predicate(f, (struct fate){ .mask = mask }, what);
    if (f->out->predicate != before)
        f->out->guesses = true;
}

void follow_unmask(struct follow *f, struct fate fate, const char *what)
{
    if (fate.mask && !f->quiet)
        note(&f->out->unmask, &f->out->unmask_what, fate, what);
}

void follow_origin(struct follow *f, uint32_t relation, uint16_t number, uint16_t last, struct fate fate)
{
    struct lineage *out = f->out;
    f->touches = f->touches || fate.mask;
    for (size_t i = 0; i < out->n_origins; i++)
        if (out->origins[i].relation == relation && out->origins[i].number == number)
            return;
    f->work += out->n_origins;
    if (out->n_origins == f->origins_room) {
        size_t room = f->origins_room ? f->origins_room * 2 : ROWS_FIRST;
        struct origin *origins = realloc(out->origins, room * sizeof *origins);
        if (!origins) {
            f->no_memory = true;
            return;
        }
        out->origins = origins;
        f->origins_room = room;
    }
    out->origins[out->n_origins++] = (struct origin){ relation, number, last, fate };
}
