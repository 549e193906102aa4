/* What the catalog says of single columns: whose values theirs are, and what compares them.
 *
 * A generated column is computed from others, and a foreign key holds what it refers to: they need no mask of
 * their own. A unique index, an exclusion constraint, a foreign key or a check compares what somebody writes
 * with what is there, and says so by failing. */
#include "policy/lineage_parts.h"

#include <string.h>

enum { SOURCES_MAX = 8 }; /* foreign keys to foreign keys … */

static const struct mask *mask_of_any(struct follow *f, const struct catalog_name *tables, size_t n,
                                      const char *column)
{
    for (size_t i = 0; i < n; i++) {
        const struct mask *mask = mask_set_column(f->masks, tables[i].schema, tables[i].name, column);
        if (mask)
            return mask;
    }
    return NULL;
}

/* A mask of a parent is one of its partitions, and the other way around: whoever reads the parent reads
 * those. */
static const struct mask *named_mask(struct follow *f, const struct catalog_relation *relation,
                                     const char *column)
{
    const struct mask *mask = mask_set_column(f->masks, relation->schema, relation->name, column);
    if (!mask)
        mask = mask_of_any(f, relation->ancestors, relation->n_ancestors, column);
    if (!mask)
        mask = mask_of_any(f, relation->descendants, relation->n_descendants, column);
    return mask;
}

static struct fate followed_fate(struct follow *f, const struct catalog_relation *relation,
                                 const char *column);

static const struct catalog_column *find_column(const struct catalog_relation *relation, const char *name)
{
    for (size_t i = 0; i < relation->n_columns; i++)
        if (strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    return NULL;
}

/* The other column of a foreign key, in another table. */
static struct fate foreign_fate(struct follow *f, const struct catalog_tie *tie)
{
    struct scope_meaning meaning;
    struct fate fate = FATE_SHOWN;
    memset(&meaning, 0, sizeof meaning);
    enum catalog_answer answer = scope_relation(f->scope, tie->schema, tie->table, &meaning);
    if (answer == CATALOG_WANTED)
        f->out->wanted = true;
    if (answer != CATALOG_FOUND || meaning.unsettled || meaning.too_many)
        return fate_worst(f);
    for (size_t i = 0; i < meaning.n; i++)
        fate = fate_either(fate, followed_fate(f, meaning.relations[i], tie->other));
    return fate;
}

static struct fate tie_fate(struct follow *f, const struct catalog_relation *relation,
                            const struct catalog_tie *tie)
{
    switch (tie->kind) {
    case 'g':
        return fate_mix(followed_fate(f, relation, tie->other), FATE_SHOWN);
    case 'f':
        return foreign_fate(f, tie);
    default:
        return FATE_SHOWN;
    }
}

/* Its own mask, or that of where its values come from. */
static struct fate followed_fate(struct follow *f, const struct catalog_relation *relation,
                                 const char *column)
{
    const struct catalog_column *found = find_column(relation, column);
    struct fate fate = { .mask = named_mask(f, relation, column) };
    if (f->sources >= SOURCES_MAX)
        return fate_worst(f);
    f->sources++;
    for (size_t i = 0; i < relation->n_ties && !fate.mask; i++)
        if (strcmp(relation->ties[i].column, column) == 0)
            fate = fate_either(fate, tie_fate(f, relation, &relation->ties[i]));
    f->sources--;
    fate.plain = found && (found->class == 's' || found->class == 'a');
    fate.sums = found && found->class == 's';
    fate.shape = found ? found->shape : 0;
    return fate;
}

/* ---- what writing to it tells ---- */

static const struct mask *inserting(struct follow *f, const struct catalog_tie *tie, const struct mask *own)
{
    if (tie->kind == 'u')
        return own;
    return tie->kind == 'f' ? foreign_fate(f, tie).mask : NULL;
}

static const struct mask *updating(struct follow *f, const struct catalog_relation *relation,
                                   const struct catalog_tie *tie)
{
    if (tie->kind == 'u' || tie->kind == 'c')
        return followed_fate(f, relation, tie->other).mask;
    return tie->kind == 'r' ? foreign_fate(f, tie).mask : NULL;
}

/* A generated column is computed anew: from this one, and from another one that is masked, or by failing. */
static const struct mask *regenerating(struct follow *f, const struct catalog_relation *relation,
                                       const char *column)
{
    for (size_t i = 0; i < relation->n_ties; i++) {
        const struct catalog_tie *from = &relation->ties[i];
        if (from->kind != 'g' || strcmp(from->other, column) != 0)
            continue;
        for (size_t k = 0; k < relation->n_ties; k++) {
            const struct catalog_tie *other = &relation->ties[k];
            bool beside = other->kind == 'g' && strcmp(other->column, from->column) == 0 &&
                          strcmp(other->other, column) != 0;
            const struct mask *mask = beside ? followed_fate(f, relation, other->other).mask : NULL;
            if (mask)
                return mask;
        }
    }
    return NULL;
}

struct fate source_fate(struct follow *f, const struct catalog_relation *relation,
                        const struct catalog_column *column)
{
    struct fate fate = followed_fate(f, relation, column->name);
    for (size_t i = 0; i < relation->n_ties; i++) {
        const struct catalog_tie *tie = &relation->ties[i];
        if (strcmp(tie->column, column->name) != 0)
            continue;
        if (!fate.inserting)
            fate.inserting = inserting(f, tie, fate.mask);
        if (!fate.updating)
            fate.updating = updating(f, relation, tie);
    }
    if (!fate.updating)
        fate.updating = regenerating(f, relation, column->name);
    if (!fate.updating)
        fate.updating = fate.inserting;
    return fate;
}

/* ---- tables ---- */

static bool find_meaning(struct follow *f, const RangeVar *table, struct scope_meaning *ret)
{
    memset(ret, 0, sizeof *ret);
    enum catalog_answer answer = scope_relation(f->scope, table->schemaname, table->relname, ret);
    if (answer == CATALOG_WANTED)
        f->out->wanted = true;
    return answer == CATALOG_FOUND;
}

void follow_referrers(struct follow *f, const RangeVar *target, const char *column)
{
    struct scope_meaning meaning;
    if (!find_meaning(f, target, &meaning))
        return;
    for (size_t i = 0; i < meaning.n; i++)
        for (size_t k = 0; k < meaning.relations[i]->n_ties; k++) {
            const struct catalog_tie *tie = &meaning.relations[i]->ties[k];
            if (tie->kind == 'r' && (!column || strcmp(tie->column, column) == 0))
                follow_guess(f, foreign_fate(f, tie).mask, tie->other);
        }
}

struct fate partition_fate(struct follow *f, const RangeVar *table)
{
    struct scope_meaning meaning;
    struct fate fate = FATE_SHOWN;
    if (!find_meaning(f, table, &meaning))
        return fate;
    for (size_t i = 0; i < meaning.n; i++)
        for (size_t k = 0; k < meaning.relations[i]->n_ties; k++)
            if (meaning.relations[i]->ties[k].kind == 'p')
                fate = fate_mix(fate,
                                followed_fate(f, meaning.relations[i], meaning.relations[i]->ties[k].column));
    return fate;
}
