/* FROM: what it puts into sight. */
#include "policy/lineage_parts.h"

#include <string.h>
#include "policy/sql_tree.h"

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

void nest_add(struct nest *nest, const char *alias, const char *schema, struct rows *rows)
{
    add_item(nest, alias, schema, rows);
    rows_join(nest->star, rows);
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

/* Its result is one column, whatever its arguments are. */
static bool gives_value(const struct catalog_function *function)
{
    enum { RECORD = 2249, ANYELEMENT = 2283 };
    return function->result != RECORD && function->result != ANYELEMENT && function->result < CATALOG_PINNED;
}

/* Of two functions of one name, either of which may be called. */
static bool have_same_columns(const struct catalog_function *a, const struct catalog_function *b)
{
    if (a->n_results != b->n_results)
        return false;
    for (size_t i = 0; i < a->n_results; i++)
        if (strcmp(a->results[i], b->results[i]) != 0)
            return false;
    return true;
}

/* Columns of a function's result that everybody knows: OUT arguments, or a plain value. */
static bool function_columns(struct follow *f, const RangeFunction *range, struct rows *rows)
{
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
        if ((function->n_results == 0 && !gives_value(function)) ||
            (found && !have_same_columns(found, function)))
            return false;
        found = function;
    }
    if (!found)
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
    merged->listed = left->listed && right->listed;
    const ListCell *cell;
    foreach (cell, names) {
        const char *name = strVal(lfirst(cell));
        struct fate a, b;
        if (!rows_find(left, name, &a))
            a = unseen_fate(f, left->listed);
        if (!rows_find(right, name, &b))
            b = unseen_fate(f, right->listed);
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
    rows->figured = rows->figured || side->figured;
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
        rows_join(nest->star, from_item(f, nest, lfirst(cell)));
}
