/* SELECT, INSERT, UPDATE, DELETE and MERGE: their columns, and what decides about their rows. */
#include "policy/lineage_parts.h"

#include <string.h>

enum { ROUNDS_MAX = 8 }; /* of a recursive query, until nothing changes any more */

/* ---- WITH ---- */

static const struct cte *cte_new(const struct cte *outer, const char *name, struct rows *rows)
{
    struct cte *cte = palloc0(sizeof *cte);
    *cte = (struct cte){ .outer = outer, .name = name, .rows = rows };
    return cte;
}

static struct rows *rows_worst(struct follow *f)
{
    struct rows *rows = rows_new(false);
    rows->any = fate_worst(f);
    return rows;
}

static struct rows *own_copy(struct follow *f, struct rows *rows, const CommonTableExpr *cte)
{
    struct rows *copy = rows ? rows_copy(rows) : rows_worst(f);
    rows_rename(copy, cte->aliascolnames);
    if (cte->search_clause || cte->cycle_clause) { /* they add columns, and compare */
        copy->any = rows_all(copy);
        follow_predicate(f, copy->any, "SEARCH or CYCLE");
        copy->known = false;
    }
    return copy;
}

static bool same_fates(const struct rows *a, const struct rows *b)
{
    if (a->n != b->n || a->known != b->known || a->any.mask != b->any.mask)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->fates[i].mask != b->fates[i].mask || a->fates[i].computed != b->fates[i].computed)
            return false;
    return true;
}

/* A query that names itself: followed until its columns' fates stay. At first it has what its first part
 * gives. */
static struct rows *recursive_rows(struct follow *f, const struct nest *outer, const CommonTableExpr *cte)
{
    const struct cte *ctes = f->ctes;
    const SelectStmt *select = (const SelectStmt *)cte->ctequery;
    bool is_union = IsA(select, SelectStmt) && select->op != SETOP_NONE;
    struct rows *before =
        own_copy(f, is_union ? query_rows(f, outer, (const Node *)select->larg) : NULL, cte);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        f->ctes = cte_new(ctes, cte->ctename, before);
        struct rows *after = own_copy(f, query_rows(f, outer, cte->ctequery), cte);
        f->ctes = ctes;
        if (same_fates(before, after))
            return after;
        before = after;
    }
    before->any = fate_worst(f);
    before->known = false;
    return before;
}

static void open_with(struct follow *f, const struct nest *outer, const WithClause *with)
{
    const ListCell *cell;
    if (!with)
        return;
    /* Of a recursive WITH each may name those behind it, whatever tables are called. */
    if (with->recursive)
        foreach (cell, with->ctes)
            f->ctes = cte_new(f->ctes, ((const CommonTableExpr *)lfirst(cell))->ctename, rows_worst(f));
    foreach (cell, with->ctes) {
        const CommonTableExpr *cte = lfirst(cell);
        struct rows *rows = with->recursive ? recursive_rows(f, outer, cte)
                                            : own_copy(f, query_rows(f, outer, cte->ctequery), cte);
        f->ctes = cte_new(f->ctes, cte->ctename, rows);
    }
}

/* ---- SELECT ---- */

static void add_value(struct follow *f, const struct nest *nest, const Node *value, const char *name,
                      struct rows *rows)
{
    if (column_is_star(value) && IsA(value, ColumnRef)) {
        nest_star(f, nest, (const ColumnRef *)value, rows);
        return;
    }
    struct fate fate = expression_fate(f, nest, value);
    if (column_is_star(value)) {
        rows->known = false; /* (row).*: as many as its type has */
        rows->any = fate_mix(rows->any, fate);
        return;
    }
    rows_append(rows, name, fate);
}

static void add_target(struct follow *f, const struct nest *nest, const ResTarget *target, struct rows *rows)
{
    add_value(f, nest, target->val, target->name ? target->name : expression_name(target->val), rows);
    rows->figured |= !target->name && !column_is_star(target->val) && !expression_says_name(target->val);
}

static void add_targets(struct follow *f, const struct nest *nest, const List *targets, struct rows *rows)
{
    const ListCell *cell;
    foreach (cell, targets)
        add_target(f, nest, lfirst(cell), rows);
}

static const char *bare_name(const Node *node)
{
    const List *fields = IsA(node, ColumnRef) ? ((const ColumnRef *)node)->fields : NIL;
    return list_length(fields) == 1 && IsA(linitial(fields), String) ? strVal(linitial(fields)) : NULL;
}

/* ORDER BY 2. */
static bool is_position(const Node *node, const struct rows *output, struct fate *ret)
{
    if (!IsA(node, A_Const) || ((const A_Const *)node)->isnull ||
        !IsA(&((const A_Const *)node)->val, Integer))
        return false;
    int position = intVal(&((const A_Const *)node)->val);
    if (position < 1)
        return false;
    *ret = (size_t)position <= output->n && output->known ? output->fates[position - 1] : rows_all(output);
    return true;
}

/* What a key of ORDER BY, GROUP BY or DISTINCT ON is: a position, the name of an output column, or an
 * expression. Names that are both count as both. */
static struct fate key_fate(struct follow *f, const struct nest *nest, const struct rows *output,
                            const Node *node)
{
    struct fate fate = FATE_SHOWN, named;
    if (is_position(node, output, &fate))
        return fate;
    const char *name = bare_name(node);
    bool is_output = name && rows_find(output, name, &fate);
    if (name && nest && nest_finds(f, nest, name, &named))
        return is_output ? fate_either(fate, named) : named;
    if (is_output)
        return fate;
    fate = expression_fate(f, nest, node);
    return name && (!nest || output->figured) ? fate_either(fate, unseen_fate(f, false)) : fate;
}

static void keys(struct follow *f, const struct nest *nest, const struct rows *output, const List *list,
                 bool grouping)
{
    const ListCell *cell;
    foreach (cell, list) {
        const Node *node = lfirst(cell);
        if (!node)
            continue;
        const List *inner = IsA(node, GroupingSet)           ? ((const GroupingSet *)node)->content
                            : grouping && IsA(node, RowExpr) ? ((const RowExpr *)node)->args
                                                             : NIL;
        if (inner) { /* GROUP BY (1, x) is GROUP BY 1, x */
            keys(f, nest, output, inner, grouping);
            continue;
        }
        if (IsA(node, SortBy))
            node = ((const SortBy *)node)->node;
        struct fate fate = key_fate(f, nest, output, node);
        bool equality = grouping && fate.mask && fate.mask->kind == MASK_HASH && !fate.computed;
        if (!equality)
            follow_predicate(f, fate, expression_name(node));
    }
}

static struct rows *values_rows(struct follow *f, const struct nest *nest, const List *lists)
{
    struct rows *rows = rows_new(true);
    const ListCell *outer, *inner;
    foreach (outer, lists) {
        struct rows *line = rows_new(true);
        foreach (inner, (const List *)lfirst(outer))
            add_value(f, nest, lfirst(inner), NULL, line);
        for (size_t i = 0; i < line->n; i++)
            if (i < rows->n)
                rows->fates[i] = fate_beside(rows->fates[i], line->fates[i]);
            else
                rows_append(rows, psprintf("column%zu", i + 1), line->fates[i]);
        if (!line->known) {
            rows->any = fate_mix(rows->any, rows_all(line));
            rows->known = false;
        }
    }
    return rows;
}

/* Rows that are alike become one: their number tells which are. Of tokens that can be seen as well. */
static void compared(struct follow *f, const struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        if (rows->fates[i].mask && (rows->fates[i].mask->kind != MASK_HASH || rows->fates[i].computed))
            follow_predicate(f, rows->fates[i], rows->names[i]);
    if (!rows->known)
        follow_predicate(f, rows_all(rows), "DISTINCT");
}

static struct rows *set_operation_rows(struct follow *f, const struct nest *outer, const SelectStmt *select)
{
    struct rows *left = query_rows(f, outer, (const Node *)select->larg);
    struct rows *right = query_rows(f, outer, (const Node *)select->rarg);
    if (!left || !right)
        return rows_worst(f);
    struct rows *rows = rows_copy(left);
    rows->known = left->known && right->known && left->n == right->n;
    for (size_t i = 0; i < rows->n && i < right->n && rows->known; i++)
        rows->fates[i] = fate_beside(rows->fates[i], right->fates[i]);
    if (!rows->known)
        rows->any = fate_mix(rows_all(left), rows_all(right));
    if (select->op != SETOP_UNION || !select->all)
        compared(f, rows);
    keys(f, NULL, rows, select->sortClause, false); /* these see its own columns only */
    return rows;
}

static struct rows *plain_rows(struct follow *f, const struct nest *outer, const SelectStmt *select)
{
    struct nest nest;
    struct rows *rows = rows_new(true);
    const ListCell *cell;
    nest_init(&nest, outer);
    nest_from(f, &nest, select->fromClause);
    add_targets(f, &nest, select->targetList, rows);
    expression_condition(f, &nest, select->whereClause);
    expression_condition(f, &nest, select->havingClause);
    keys(f, &nest, rows, select->groupClause, true);
    keys(f, &nest, rows, select->distinctClause, true);
    if (select->distinctClause && !linitial(select->distinctClause))
        compared(f, rows);
    keys(f, &nest, rows, select->sortClause, false);
    foreach (cell, select->windowClause)
        (void)expression_fate(f, &nest, lfirst(cell));
    return rows;
}

/* VALUES, and what its ORDER BY compares. */
static struct rows *listed_rows(struct follow *f, const struct nest *outer, const SelectStmt *select)
{
    struct nest nest;
    struct rows *rows = values_rows(f, outer, select->valuesLists);
    nest_init(&nest, outer);
    nest_add(&nest, "*VALUES*", NULL, rows);
    keys(f, &nest, rows, select->sortClause, false);
    return rows;
}

static struct rows *select_rows(struct follow *f, const struct nest *outer, const SelectStmt *select)
{
    open_with(f, outer, select->withClause);
    struct rows *rows = select->op != SETOP_NONE ? set_operation_rows(f, outer, select)
                        : select->valuesLists    ? listed_rows(f, outer, select)
                                                 : plain_rows(f, outer, select);
    expression_condition(f, outer, select->limitCount);
    expression_condition(f, outer, select->limitOffset);
    return rows;
}

/* ---- writes ---- */

/* Where a value goes: unless the column is masked there too, it would be shown from then on. And even there
 * it may not fit, or break a constraint, or go to another partition. A value of one's own may be there
 * already. */
static void written(struct follow *f, struct fate target, const char *column, struct fate fate, bool updates)
{
    if (fate.mask && !target.mask)
        follow_unmask(f, fate, column);
    if (target.mask || fate.computed)
        follow_predicate(f, fate, column);
    if (!fate.mask)
        follow_guess(f, updates ? target.updating : target.inserting, column);
}

/* Of a table's rows, which are followed once for all of its columns. */
static struct fate target_column(struct follow *f, const struct rows *target, const char *name)
{
    struct fate fate = FATE_SHOWN;
    f->work += 1 + target->n / NAMES_PER_STEP;
    return rows_find(target, name, &fate) ? fate : FATE_SHOWN;
}

/* SET a = …, (b, c) = … */
static void assignments(struct follow *f, const struct nest *nest, const RangeVar *target,
                        const List *targets)
{
    const struct rows *columns = targets ? table_rows(f, target) : NULL;
    const ListCell *cell;
    foreach (cell, targets) {
        const ResTarget *assignment = lfirst(cell);
        struct fate own = target_column(f, columns, assignment->name);
        written(f, own, assignment->name, expression_fate(f, nest, assignment->val), true);
        f->rewrites = own.mask ? own.mask : f->rewrites;
        if (assignment->indirection) /* a part of what is there, which may have no such part */
            follow_predicate(f, own, assignment->name);
        follow_referrers(f, target, assignment->name);
    }
}

static struct rows *returning_rows(struct follow *f, const struct nest *nest, const List *returning)
{
    struct rows *rows = rows_new(true);
    add_targets(f, nest, returning, rows);
    return rows;
}

/* The table that is written to, as its own columns are named in the statement. */
static void add_target_table(struct follow *f, struct nest *nest, const RangeVar *target)
{
    const Alias *alias = target->alias;
    f->writes = true;
    struct rows *rows = table_rows(f, target);
    f->writes = false;
    nest_add(nest, alias ? alias->aliasname : target->relname, alias ? NULL : target->schemaname, rows);
}

static void insert_columns(struct follow *f, const InsertStmt *insert, const struct rows *source)
{
    const struct rows *target = table_rows(f, insert->relation);
    size_t named = (size_t)list_length(insert->cols);
    for (size_t i = 0; i < source->n; i++) {
        const char *column = i < named       ? ((const ResTarget *)list_nth(insert->cols, (int)i))->name
                             : i < target->n ? target->names[i]
                                             : NULL;
        if (column && (named || target->known))
            written(f, target_column(f, target, column), column, source->fates[i], false);
        else
            follow_unmask(f, source->fates[i], insert->relation->relname);
    }
    if (!source->known)
        follow_unmask(f, rows_all(source), insert->relation->relname);
}

/* What the client itself wanted to insert: not masked. */
static struct rows *excluded_rows(const struct rows *target, const struct rows *source)
{
    struct rows *rows = rows_copy(target);
    struct fate all = source ? rows_all(source) : FATE_SHOWN;
    for (size_t i = 0; i < rows->n; i++)
        rows->fates[i] = all;
    rows->any = all;
    return rows;
}

static struct rows *insert_rows(struct follow *f, const struct nest *outer, const InsertStmt *insert)
{
    open_with(f, outer, insert->withClause);
    struct rows *source = insert->selectStmt ? query_rows(f, outer, insert->selectStmt) : NULL;
    if (source)
        insert_columns(f, insert, source);
    struct nest nest;
    nest_init(&nest, outer);
    add_target_table(f, &nest, insert->relation);
    const OnConflictClause *conflict = insert->onConflictClause;
    if (conflict) {
        struct nest both;
        nest_init(&both, outer);
        add_target_table(f, &both, insert->relation);
        nest_add(&both, "excluded", NULL, excluded_rows(table_rows(f, insert->relation), source));
        assignments(f, &both, insert->relation, conflict->targetList);
        expression_condition(f, &both, conflict->whereClause);
    }
    return returning_rows(f, &nest, insert->returningList);
}

static struct rows *update_rows(struct follow *f, const struct nest *outer, const UpdateStmt *update)
{
    struct nest nest;
    open_with(f, outer, update->withClause);
    nest_init(&nest, outer);
    add_target_table(f, &nest, update->relation);
    nest_from(f, &nest, update->fromClause);
    assignments(f, &nest, update->relation, update->targetList);
    expression_condition(f, &nest, update->whereClause);
    return returning_rows(f, &nest, update->returningList);
}

static struct rows *delete_rows(struct follow *f, const struct nest *outer, const DeleteStmt *delete)
{
    struct nest nest;
    open_with(f, outer, delete->withClause);
    nest_init(&nest, outer);
    add_target_table(f, &nest, delete->relation);
    nest_from(f, &nest, delete->usingClause);
    expression_condition(f, &nest, delete->whereClause);
    follow_referrers(f, delete->relation, NULL);
    return returning_rows(f, &nest, delete->returningList);
}

static void when_clause(struct follow *f, const struct nest *nest, const MergeStmt *merge,
                        const MergeWhenClause *when)
{
    expression_condition(f, nest, when->condition);
    if (when->commandType == CMD_DELETE)
        follow_referrers(f, merge->relation, NULL);
    if (when->commandType != CMD_INSERT) {
        assignments(f, nest, merge->relation, when->targetList);
        return;
    }
    const struct rows *target = table_rows(f, merge->relation);
    const ListCell *cell;
    size_t i = 0;
    foreach (cell, when->values) {
        struct fate fate = expression_fate(f, nest, lfirst(cell));
        if (column_is_star(lfirst(cell))) /* several columns */
            follow_unmask(f, fate, merge->relation->relname);
        const char *column = i < (size_t)list_length(when->targetList)
                                 ? ((const ResTarget *)list_nth(when->targetList, (int)i))->name
                             : i < target->n && target->known ? target->names[i]
                                                              : NULL;
        if (column)
            written(f, target_column(f, target, column), column, fate, false);
        else
            follow_unmask(f, fate, merge->relation->relname);
        i++;
    }
}

static struct rows *merge_rows(struct follow *f, const struct nest *outer, const MergeStmt *merge)
{
    struct nest nest;
    const ListCell *cell;
    open_with(f, outer, merge->withClause);
    nest_init(&nest, outer);
    add_target_table(f, &nest, merge->relation);
    nest_from(f, &nest, list_make1(merge->sourceRelation));
    expression_condition(f, &nest, merge->joinCondition);
    foreach (cell, merge->mergeWhenClauses)
        when_clause(f, &nest, merge, lfirst(cell));
#if PG_VERSION_NUM >= 170000
    return returning_rows(f, &nest, merge->returningList);
#else
    return rows_new(true);
#endif
}

static struct rows *known_rows(struct follow *f, const struct nest *outer, const Node *query)
{
    switch (nodeTag(query)) {
    case T_SelectStmt:
        return select_rows(f, outer, (const SelectStmt *)query);
    case T_InsertStmt:
        return insert_rows(f, outer, (const InsertStmt *)query);
    case T_UpdateStmt:
        return update_rows(f, outer, (const UpdateStmt *)query);
    case T_DeleteStmt:
        return delete_rows(f, outer, (const DeleteStmt *)query);
    case T_MergeStmt:
        return merge_rows(f, outer, (const MergeStmt *)query);
    default:
        return NULL;
    }
}

struct rows *query_rows(struct follow *f, const struct nest *outer, const Node *query)
{
    if (!query)
        return NULL;
    if (!follow_enter(f)) {
        follow_predicate(f, fate_worst(f), "a query that is nested too deeply");
        follow_unmask(f, fate_worst(f), "a query that is nested too deeply");
        return rows_worst(f);
    }
    const struct cte *ctes = f->ctes; /* those of the query end with it */
    struct rows *rows = known_rows(f, outer, query);
    f->ctes = ctes;
    follow_leave(f);
    return rows;
}
