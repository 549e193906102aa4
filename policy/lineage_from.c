/* FROM: what it puts into sight, and what names mean there. */
#include "policy/lineage_parts.h"

#include <string.h>
#include "policy/sql_tree.h"

enum { NAMES_PER_STEP = 64 }; /* to compare */

void nest_init(struct nest *nest, const struct nest *outer)
{
    *nest = (struct nest){ .outer = outer };
    nest->last = &nest->items;
    nest->star = rows_new(true);
}

static struct item *add_item(struct nest *nest, const char *alias, const char *schema, struct rows *rows)
{
    struct item *item = palloc0(sizeof *item);
    *item = (struct item){ .alias = alias, .schema = schema, .rows = rows };
    *nest->last = item;
    nest->last = &item->next;
    return item;
}

static void append(struct rows *rows, const struct rows *more)
{
    if (rows->known || !more->known)
        rows->any = fate_either(rows->any, more->any);
    rows->known = rows->known && more->known;
    for (size_t i = 0; i < more->n; i++)
        rows_append(rows, more->names[i], more->fates[i]);
}

void nest_add(struct nest *nest, const char *alias, const char *schema, struct rows *rows)
{
    add_item(nest, alias, schema, rows);
    append(nest->star, rows);
}

/* ---- the kinds of items ---- */

static struct rows *from_item(struct follow *f, struct nest *nest, const Node *node);

static struct rows *renamed(struct rows *rows, const Alias *alias)
{
    if (alias && alias->colnames)
        rows_rename(rows, alias->colnames);
    return rows;
}

static struct rows *from_relation(struct follow *f, struct nest *nest, const RangeVar *relation)
{
    struct rows *rows = NULL;
    if (!relation->schemaname)
        for (const struct cte *cte = f->ctes; cte && !rows; cte = cte->outer)
            if (strcmp(cte->name, relation->relname) == 0)
                rows = rows_copy(cte->rows);
    if (!rows)
        rows = table_rows(f, relation);
    const Alias *alias = relation->alias;
    rows = renamed(rows, alias);
    add_item(nest, alias ? alias->aliasname : relation->relname, alias ? NULL : relation->schemaname, rows);
    return rows;
}

static struct rows *from_subselect(struct follow *f, struct nest *nest, const RangeSubselect *sub)
{
    struct rows *rows = query_rows(f, sub->lateral ? nest : nest->outer, sub->subquery);
    if (!rows) {
        rows = rows_new(false);
        rows->any = fate_worst(f);
    }
    rows = renamed(rows_copy(rows), sub->alias);
    add_item(nest, sub->alias ? sub->alias->aliasname : NULL, NULL, rows);
    return rows;
}

static const List *column_definitions(const RangeFunction *range)
{
    const List *item = list_length(range->functions) == 1 ? linitial(range->functions) : NULL;
    if (range->coldeflist)
        return range->coldeflist;
    return item && IsA(item, List) && list_length(item) > 1 ? lsecond(item) : NULL;
}

/* Columns of a function's result that everybody knows: OUT arguments, or a plain value. */
static bool function_columns(struct follow *f, const RangeFunction *range, struct rows *rows)
{
    enum { RECORD = 2249, ANYELEMENT = 2283 };
    const FuncCall *call = sql_only_function(range);
    const List *definitions = column_definitions(range);
    const ListCell *cell;
    if (definitions) {
        foreach (cell, definitions)
            rows_append(rows, ((const ColumnDef *)lfirst(cell))->colname, rows->any);
        return true;
    }
    const struct catalog_function *function, *found = NULL;
    const char *name = call ? strVal(llast(call->funcname)) : NULL;
    const char *schema = call && list_length(call->funcname) > 1 ? strVal(linitial(call->funcname)) : NULL;
    bool unsettled = false;
    if (!call || scope_function(f->scope, schema, name, &unsettled) != CATALOG_FOUND || unsettled)
        return false;
    for (size_t cursor = 0;
         scope_next_function(f->scope, schema, name, list_length(call->args), &cursor, &function);) {
        if (found && (found->n_results != function->n_results || found->result != function->result))
            return false;
        found = function;
    }
    if (!found || (found->n_results == 0 && (found->result == RECORD || found->result == ANYELEMENT ||
                                             found->result >= CATALOG_PINNED)))
        return false;
    for (size_t i = 0; i < found->n_results; i++)
        rows_append(rows, pstrdup(found->results[i]), rows->any);
    if (found->n_results == 0)
        rows_append(rows, range->alias ? range->alias->aliasname : name, rows->any);
    return true;
}

static struct rows *from_function(struct follow *f, struct nest *nest, const RangeFunction *range)
{
    struct rows *rows = rows_new(false);
    const ListCell *cell;
    foreach (cell, range->functions)
        if (lfirst(cell) && IsA(lfirst(cell), List)) {
            const Node *call = linitial((const List *)lfirst(cell));
            if (IsA(call, FuncCall)) /* how many rows it gives can be counted */
                follow_predicate(f, expression_fate(f, nest, (const Node *)((const FuncCall *)call)->args),
                                 "the rows of a function");
            rows->any = fate_mix(rows->any, expression_fate(f, nest, call));
        }
    rows->known = function_columns(f, range, rows);
    if (rows->known && range->ordinality)
        rows_append(rows, "ordinality", FATE_SHOWN);
    if (rows->known)
        rows->any = FATE_SHOWN;
    rows = renamed(rows, range->alias);
    const List *first = linitial(range->functions);
    const char *alias = range->alias ? range->alias->aliasname : expression_name(linitial(first));
    add_item(nest, alias, NULL, rows)->nameless = !alias;
    return rows;
}

static struct rows *from_table_function(struct follow *f, struct nest *nest, const RangeTableFunc *range)
{
    struct rows *rows = rows_new(true);
    struct fate fate =
        fate_mix(expression_fate(f, nest, range->docexpr), expression_fate(f, nest, range->rowexpr));
    follow_predicate(f, fate, "the rows of XMLTABLE");
    const ListCell *cell;
    foreach (cell, range->columns) {
        const RangeTableFuncCol *column = lfirst(cell);
        struct fate own =
            fate_mix(expression_fate(f, nest, column->colexpr), expression_fate(f, nest, column->coldefexpr));
        follow_predicate(f, own, "a column of XMLTABLE"); /* values may not be of its type */
        rows_append(rows, column->colname, column->for_ordinality ? FATE_SHOWN : fate_mix(fate, own));
    }
    rows = renamed(rows, range->alias);
    add_item(nest, range->alias ? range->alias->aliasname : NULL, NULL, rows);
    return rows;
}

/* ---- joins ---- */

static bool is_listed(const List *names, const char *name)
{
    const ListCell *cell;
    foreach (cell, names)
        if (name && strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    return false;
}

/* What NATURAL compares. */
static List *common_names(const struct rows *left, const struct rows *right)
{
    List *names = NIL;
    struct fate fate;
    for (size_t i = 0; i < left->n; i++)
        if (left->names[i] && rows_find(right, left->names[i], &fate))
            names = lappend(names, makeString(pstrdup(left->names[i])));
    return names;
}

/* Comparing hashes of one kind tells nothing that the hashes themselves don't. */
static void compare(struct follow *f, struct fate a, struct fate b, const char *what)
{
    bool hashes = a.mask && b.mask && a.mask->kind == MASK_HASH && b.mask->kind == MASK_HASH && !a.computed &&
                  !b.computed;
    if (!hashes) {
        follow_predicate(f, a, what);
        follow_predicate(f, b, what);
    }
}

static struct rows *merged_columns(struct follow *f, const List *names, const struct rows *left,
                                   const struct rows *right)
{
    struct rows *merged = rows_new(true);
    const ListCell *cell;
    foreach (cell, names) {
        const char *name = strVal(lfirst(cell));
        struct fate a = FATE_SHOWN, b = FATE_SHOWN;
        (void)rows_find(left, name, &a);
        (void)rows_find(right, name, &b);
        compare(f, a, b, name);
        rows_append(merged, name, fate_beside(a, b));
    }
    return merged;
}

static void append_rest(struct rows *rows, const struct rows *side, const List *merged)
{
    if (!side->known)
        rows->any = fate_either(rows->any, side->any);
    rows->known = rows->known && side->known;
    for (size_t i = 0; i < side->n; i++)
        if (!is_listed(merged, side->names[i]))
            rows_append(rows, side->names[i], side->fates[i]);
}

static void hide(struct item **from)
{
    for (struct item *item = *from; item; item = item->next)
        item->hidden = true;
}

/* Not all of the names are known. */
static bool is_unclear(const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!rows->names[i])
            return true;
    return !rows->known;
}

static struct rows *from_join(struct follow *f, struct nest *nest, const JoinExpr *join)
{
    struct item **first = nest->last;
    const struct rows *left = from_item(f, nest, join->larg);
    const struct rows *right = from_item(f, nest, join->rarg);
    if (join->isNatural || join->usingClause)
        f->work += left->n * right->n / NAMES_PER_STEP;
    bool unclear = join->isNatural && (is_unclear(left) || is_unclear(right));
    const List *names = join->isNatural ? common_names(left, right) : join->usingClause;
    struct rows *merged = merged_columns(f, names, left, right);
    struct rows *rows = rows_copy(merged);
    append_rest(rows, left, names);
    append_rest(rows, right, names);
    rows->known = rows->known && !unclear;
    if (unclear) {
        rows->any = fate_mix(rows_all(left), rows_all(right));
        compare(f, rows_all(left), rows_all(right), "a column of NATURAL JOIN");
    }
    /* ON sees the two sides, and outer queries, but nothing else that stands in this FROM. */
    const struct nest sides = { .outer = nest->outer, .items = *first };
    expression_condition(f, &sides, join->quals);
    if (join->join_using_alias)
        add_item(nest, join->join_using_alias->aliasname, NULL, merged)->only_qualified = true;
    if (join->alias) {
        hide(first);
        rows = renamed(rows_copy(rows), join->alias);
        add_item(nest, join->alias->aliasname, NULL, rows);
    }
    return rows;
}

static struct rows *from_known(struct follow *f, struct nest *nest, const Node *node)
{
    switch (nodeTag(node)) {
    case T_RangeVar:
        return from_relation(f, nest, (const RangeVar *)node);
    case T_RangeSubselect:
        return from_subselect(f, nest, (const RangeSubselect *)node);
    case T_RangeFunction:
        return from_function(f, nest, (const RangeFunction *)node);
    case T_RangeTableFunc:
        return from_table_function(f, nest, (const RangeTableFunc *)node);
    case T_RangeTableSample: {
        const RangeTableSample *sample = (const RangeTableSample *)node;
        expression_condition(f, nest->outer, (const Node *)sample->args); /* nothing here is in sight */
        expression_condition(f, nest->outer, sample->repeatable);
        return from_item(f, nest, sample->relation);
    }
    case T_JoinExpr:
        return from_join(f, nest, (const JoinExpr *)node);
    default:
        return NULL;
    }
}

static struct rows *from_item(struct follow *f, struct nest *nest, const Node *node)
{
    struct rows *rows = NULL;
    if (follow_enter(f)) {
        rows = from_known(f, nest, node);
        follow_leave(f);
    }
    if (!rows) {
        rows = rows_new(false);
        rows->any = fate_worst(f);
        add_item(nest, NULL, NULL, rows)->nameless = true;
    }
    return rows;
}

void nest_from(struct follow *f, struct nest *nest, const List *from)
{
    const ListCell *cell;
    foreach (cell, from)
        append(nest->star, from_item(f, nest, lfirst(cell)));
}

/* ---- names ---- */

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

/* As colNameToVar() and transformColumnRef() do: a column of the innermost level that has it, and only when
 * none has one, something in FROM as a whole row. What is called like a system column may be an outer query's
 * own column, where the inner one has no table. What may be several of these is all of them. */
bool nest_finds(struct follow *f, const struct nest *nest, const char *name, struct fate *ret)
{
    bool found = nest && nest->items && is_system_column(name);
    *ret = FATE_SHOWN;
    for (const struct nest *level = nest; level; level = level->outer) {
        enum sight sight = find_column(f, level, name, ret);
        if (sight == SEEN)
            return true;
        found = found || sight == MAYBE_SEEN;
    }
    for (const struct nest *level = nest; level; level = level->outer)
        for (const struct item *item = level->items; item; item = item->next)
            if (!item->hidden && item->alias && strcmp(item->alias, name) == 0) {
                *ret = fate_either(*ret, rows_all(item->rows));
                return true;
            }
    return found;
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
    if (keeps)
        follow_unmask(f, fate, name);
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
    if (n == 1 && name) {
        fate = fate_worst(f);
        fate.guessed = fate.missing = true;
        return fate;
    }
    return fate_worst(f); /* alias.column.field, and what the server would not find */
}

void nest_star(struct follow *f, const struct nest *nest, const ColumnRef *reference, struct rows *rows)
{
    const struct item *item = NULL;
    if (list_length(reference->fields) == 1 && nest && nest->star) {
        append(rows, nest->star);
        return;
    }
    item = qualifier(nest, reference->fields);
    if (item) {
        append(rows, item->rows);
        return;
    }
    rows->known = false;
    rows->any = fate_worst(f);
}
