/* What names mean where a FROM is in sight.
 *
 * A bare name that is not found is an error at the server, or one that we have given to something else: to a
 * column of a subquery, say, that PostgreSQL calls otherwise. Of tables the catalog shows the names, so there
 * nothing but an error is left; wherever else, it may be a masked column. */
#include "policy/lineage_parts.h"

#include <string.h>

static bool is_system_column(const char *name)
{
    static const char *const names[] = { "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Whether one of them has that name, or may have it: not all columns are known of everything. */
enum sight { NOT_SEEN, MAYBE_SEEN, SEEN };

static enum sight see(const struct rows *rows, const char *name, struct fate *ret)
{
    if (!rows_find(rows, name, ret))
        return NOT_SEEN;
    return rows_have(rows, name) ? SEEN : MAYBE_SEEN;
}

/* A column of this level; what is found is added to *fate. */
static enum sight find_column(struct follow *f, const struct nest *nest, const char *name, struct fate *fate)
{
    enum sight sight = NOT_SEEN;
    for (const struct item *item = nest->items; item; item = item->next) {
        struct fate own;
        f->work += 1 + item->rows->n / NAMES_PER_STEP;
        enum sight seen = item->hidden || item->only_qualified ? NOT_SEEN : see(item->rows, name, &own);
        if (seen == NOT_SEEN)
            continue;
        *fate = fate_either(*fate, own);
        sight = seen > sight ? seen : sight;
    }
    return sight;
}

/* System columns are tables' only. */
static bool has_table(const struct nest *nest)
{
    for (; nest; nest = nest->outer)
        for (const struct item *item = nest->items; item; item = item->next)
            if (item->rows->listed)
                return true;
    return false;
}

/* What may have that name after all, where a name of it was only figured out. */
static struct fate figured_fate(struct follow *f, const struct nest *level)
{
    struct fate fate = FATE_SHOWN;
    for (const struct item *item = level->items; item; item = item->next)
        if (!item->hidden && !item->only_qualified && item->rows->figured) {
            f->work += 1 + item->rows->n / NAMES_PER_STEP;
            fate = fate_either(fate, rows_all(item->rows));
        }
    return fate;
}

/* Something in FROM by its own name. */
static const struct item *find_row(const struct nest *nest, const char *name)
{
    for (; nest; nest = nest->outer)
        for (const struct item *item = nest->items; item; item = item->next)
            if (!item->hidden && item->alias && strcmp(item->alias, name) == 0)
                return item;
    return NULL;
}

/* As colNameToVar() and transformColumnRef() do: a column of the innermost level that has it, and only when
 * none has one, something in FROM as a whole row. What is called like a system column may be an outer query's
 * own column, where the inner one has no table. What may be several of these is all of them; and where it is
 * not found at once, also what may be called so further in. */
bool nest_finds(struct follow *f, const struct nest *nest, const char *name, struct fate *ret)
{
    bool found = nest && nest->items && is_system_column(name) && has_table(nest);
    struct fate passed = FATE_SHOWN;
    *ret = FATE_SHOWN;
    for (const struct nest *level = nest; level; level = level->outer) {
        enum sight sight = find_column(f, level, name, ret);
        if (sight == SEEN) {
            *ret = fate_either(*ret, passed);
            return true;
        }
        found = found || sight == MAYBE_SEEN;
        passed = fate_either(passed, figured_fate(f, level));
    }
    const struct item *row = find_row(nest, name);
    if (row)
        *ret = fate_either(*ret, rows_all(row->rows));
    *ret = fate_either(*ret, passed);
    return found || row;
}

static const struct item *find_item(const struct nest *nest, const char *schema, const char *alias)
{
    for (; nest; nest = nest->outer)
        for (const struct item *item = nest->items; item; item = item->next) {
            if (!item->hidden && item->alias && strcmp(item->alias, alias) == 0 &&
                (!schema || (item->schema && strcmp(item->schema, schema) == 0)))
                return item;
            if (item->nameless)
                return NULL; /* it may be this one */
        }
    return NULL;
}

/* A column of the item; or alias.f, which is f(alias). */
static struct fate item_column(struct follow *f, const struct item *item, const char *name)
{
    struct fate fate = FATE_SHOWN;
    enum sight sight = see(item->rows, name, &fate);
    if (sight == SEEN || (sight == NOT_SEEN && is_system_column(name)))
        return fate;
    bool keeps = false;
    const List *function = list_make1(makeString(pstrdup(name)));
    if (sight == MAYBE_SEEN && function_fate_if(f, function, 1, &keeps) == CATALOG_ABSENT)
        return fate;
    fate = fate_mix(rows_all(item->rows), function_fate(f, function, 1, &keeps));
    if (fate.guessed) /* there is no such function */
        fate.guessed = unseen_fate(f, item->rows->listed).guessed;
    if (keeps)
        follow_unmask(f, fate, name);
    return fate;
}

/* Whether the names of everything in sight are the catalog's. */
static bool all_listed(const struct nest *nest)
{
    for (; nest; nest = nest->outer)
        for (const struct item *item = nest->items; item; item = item->next)
            if (!item->hidden && !item->rows->listed)
                return false;
    return true;
}

struct fate unseen_fate(struct follow *f, bool listed)
{
    struct fate fate = fate_worst(f);
    fate.guessed = fate.missing = listed || !(f->touches || f->opaque);
    return fate;
}

static const char *field(const List *fields, int n)
{
    const Node *node = n >= 0 && n < list_length(fields) ? list_nth(fields, n) : NULL;
    return node && IsA(node, String) ? strVal(node) : NULL;
}

/* The item that the fields before the last one name. */
static const struct item *qualifier(const struct nest *nest, const List *fields)
{
    int n = list_length(fields);
    const char *alias = field(fields, n - 2), *schema = field(fields, n - 3);
    return alias ? find_item(nest, schema, alias) : NULL;
}

struct fate nest_column(struct follow *f, const struct nest *nest, const ColumnRef *reference)
{
    const List *fields = reference->fields;
    int n = list_length(fields);
    const char *name = field(fields, n - 1);
    const struct item *item = n > 1 ? qualifier(nest, fields) : NULL;
    struct fate fate;
    if (item)
        return name ? item_column(f, item, name) : rows_all(item->rows);
    if (n == 1 && name && nest_finds(f, nest, name, &fate))
        return fate;
    if (n == 1 && name)
        return unseen_fate(f, all_listed(nest));
    return fate_worst(f); /* alias.column.field, and what the server would not find */
}

void nest_star(struct follow *f, const struct nest *nest, const ColumnRef *reference, struct rows *rows)
{
    const struct item *item = NULL;
    if (list_length(reference->fields) == 1 && nest && nest->star) {
        rows_join(rows, nest->star);
        return;
    }
    item = qualifier(nest, reference->fields);
    if (item) {
        rows_join(rows, item->rows);
        return;
    }
    rows->known = false;
    rows->any = fate_worst(f);
}
