/* SELECT, INSERT, UPDATE, DELETE and MERGE.
 *
 * A query opens a level: WITH first (its queries do not see this level's tables), then FROM, which fills the
 * level, then everything that may name columns. The target of a write is never a CTE, even when one has its
 * name. */
#include "policy/sql_walk.h"
#include "policy/sql_where.h"

static const struct cte *cte_new(struct walk *walk, const struct cte *outer,
                                 const CommonTableExpr *expression)
{
    struct cte *cte = sql_allocate(walk, sizeof *cte);
    if (!cte)
        return outer;
    cte->outer = outer;
    cte->name = expression->ctename;
    cte->expression = expression;
    return cte;
}

/* Pushes the queries of WITH, each with the names that it may use, and puts all names into scope. */
static void open_with(struct walk *walk, const WithClause *with, struct context *context)
{
    const ListCell *cell;
    if (!with)
        return;
    const struct cte *all = context->ctes;
    foreach (cell, with->ctes)
        all = cte_new(walk, all, lfirst(cell));
    const struct cte *before = context->ctes;
    foreach (cell, with->ctes) {
        const CommonTableExpr *cte = lfirst(cell);
        struct context inner = *context;
        inner.ctes = with->recursive ? all : before;
        sql_push(walk, cte->ctequery, &inner);
        before = cte_new(walk, before, cte);
    }
    context->ctes = all;
}

static void open_level(struct walk *walk, struct context *context, enum effect_kind calls)
{
    context->level = sql_level_new(walk, context->level);
    context->reads = sql_kind(context, EFFECT_SELECT);
    context->calls = sql_kind(context, calls);
}

static void visit_into(struct walk *walk, const IntoClause *into, const struct context *context)
{
    if (!into)
        return;
    sql_emit_relation(walk, sql_kind(context, EFFECT_CREATE), into->rel);
    if (!context->planned)
        sql_note_made(walk, into->rel, true);
    sql_push(walk, into->options, context);
}

/* A sort key that is just the name of an output column reads nothing more. */
static bool is_output_name(struct walk *walk, const Node *key, const List *targets)
{
    const ListCell *cell;
    if (!IsA(key, SortBy) || !IsA(((const SortBy *)key)->node, ColumnRef))
        return false;
    const List *fields = ((const ColumnRef *)((const SortBy *)key)->node)->fields;
    if (list_length(fields) != 1 || !IsA(linitial(fields), String))
        return false;
    foreach (cell, targets) {
        const ResTarget *target = lfirst(cell);
        if (!sql_work(walk, 1))
            return false;
        if (target->name && strcmp(target->name, strVal(linitial(fields))) == 0)
            return true;
    }
    return false;
}

static void push_sort(struct walk *walk, const SelectStmt *select, const struct context *context)
{
    const ListCell *cell;
    foreach (cell, select->sortClause)
        if (!is_output_name(walk, lfirst(cell), select->targetList))
            sql_push(walk, lfirst(cell), context);
}

static void visit_set_operation(struct walk *walk, const SelectStmt *select, const struct context *outside)
{
    struct context context = *outside;
    open_with(walk, select->withClause, &context);
    sql_push(walk, select->larg, &context);
    sql_push(walk, select->rarg, &context);
    /* What sorts a union names its output columns. */
    context.level = NULL;
    sql_push(walk, select->sortClause, &context);
    sql_push(walk, select->limitOffset, &context);
    sql_push(walk, select->limitCount, &context);
    sql_push(walk, select->lockingClause, &context);
}

static void visit_select(struct walk *walk, const SelectStmt *select, const struct context *outside)
{
    visit_into(walk, select->intoClause, outside);
    if (select->op != SETOP_NONE) {
        visit_set_operation(walk, select, outside);
        return;
    }
    struct context context = *outside;
    open_with(walk, select->withClause, &context);
    open_level(walk, &context, EFFECT_SELECT);
    sql_push(walk, select->fromClause, &context);
    sql_push(walk, select->distinctClause, &context);
    sql_push(walk, select->targetList, &context);
    sql_push(walk, select->whereClause, &context);
    sql_push(walk, select->groupClause, &context);
    sql_push(walk, select->havingClause, &context);
    sql_push(walk, select->windowClause, &context);
    sql_push(walk, select->valuesLists, &context);
    push_sort(walk, select, &context);
    sql_push(walk, select->limitOffset, &context);
    sql_push(walk, select->limitCount, &context);
    sql_push(walk, select->lockingClause, &context);
}

/* Updating this view changes settings. */
static bool is_pg_settings(const RangeVar *relation)
{
    return strcmp(relation->relname, "pg_settings") == 0 &&
           (!relation->schemaname || strcmp(relation->schemaname, "pg_catalog") == 0);
}

/* The effect on what is written to. */
static int emit_target(struct walk *walk, enum effect_kind kind, const RangeVar *target,
                       const struct context *context)
{
    if (!context->planned && kind == EFFECT_UPDATE && is_pg_settings(target))
        sql_emit_unknown(walk, "it changes settings through pg_settings");
    return sql_emit_relation(walk, sql_kind(context, kind), target);
}

/* Columns that are written: the names of the targets; "*" when an INSERT names none. */
static void emit_written(struct walk *walk, int effect, const List *targets)
{
    const ListCell *cell;
    foreach (cell, targets)
        if (((const ResTarget *)lfirst(cell))->name)
            sql_emit_column(walk, effect, ((const ResTarget *)lfirst(cell))->name);
}

/* The values of SET a = …, b = …; their names are not columns that are read. */
static void push_values(struct walk *walk, const List *targets, const struct context *context)
{
    const ListCell *cell;
    foreach (cell, targets) {
        const ResTarget *target = lfirst(cell);
        sql_push(walk, target->indirection, context);
        sql_push(walk, target->val, context);
    }
}

/* RETURNING shows the target's rows: that is a select on it, as PostgreSQL's own privileges have it.
 * own_level: the level of context is this statement's, with the tables of its FROM. */
static void push_returning(struct walk *walk, const List *returning, const RangeVar *target, bool own_level,
                           const struct context *context)
{
    if (!returning)
        return;
    struct context inner = *context;
    inner.level = sql_level_new(walk, context->level);
    if (inner.level)
        inner.level->continues = own_level;
    sql_level_add_relation(walk, inner.level, target, sql_emit_relation(walk, context->reads, target));
    sql_push(walk, returning, &inner);
}

static void push_conflict(struct walk *walk, const InsertStmt *insert, int inserted,
                          const struct context *context)
{
    const OnConflictClause *conflict = insert->onConflictClause;
    if (!conflict)
        return;
    struct context inner = *context;
    inner.level = sql_level_new(walk, NULL);
    int effect = inserted;
    if (conflict->action == ONCONFLICT_UPDATE)
        effect = emit_target(walk, EFFECT_UPDATE, insert->relation, context);
    sql_level_add_relation(walk, inner.level, insert->relation, effect);
    sql_level_add(walk, inner.level, "excluded", NULL, inserted);
    emit_written(walk, effect, conflict->targetList);
    if (conflict->infer) {
        sql_push(walk, conflict->infer->indexElems, &inner);
        sql_push(walk, conflict->infer->whereClause, &inner);
    }
    push_values(walk, conflict->targetList, &inner);
    sql_push(walk, conflict->whereClause, &inner);
}

static void visit_insert(struct walk *walk, const InsertStmt *insert, const struct context *outside)
{
    struct context context = *outside;
    int effect = emit_target(walk, EFFECT_INSERT, insert->relation, &context);
    emit_written(walk, effect, insert->cols);
    if (!insert->cols)
        sql_emit_column(walk, effect, "*");
    open_with(walk, insert->withClause, &context);
    context.reads = sql_kind(&context, EFFECT_SELECT);
    context.calls = sql_kind(&context, EFFECT_INSERT);
    push_values(walk, insert->cols, &context); /* (a[f()]) */
    sql_push(walk, insert->selectStmt, &context);
    push_conflict(walk, insert, effect, &context);
    push_returning(walk, insert->returningList, insert->relation, false, &context);
}

static void visit_update(struct walk *walk, const UpdateStmt *update, const struct context *outside)
{
    struct context context = *outside;
    int effect = emit_target(walk, EFFECT_UPDATE, update->relation, &context);
    emit_written(walk, effect, update->targetList);
    if (!context.planned && sql_where_is_always_true(update->whereClause))
        sql_mark_unbounded(walk, effect);
    open_with(walk, update->withClause, &context);
    open_level(walk, &context, EFFECT_UPDATE);
    sql_level_add_relation(walk, context.level, update->relation, effect);
    sql_push(walk, update->fromClause, &context);
    push_values(walk, update->targetList, &context);
    sql_push(walk, update->whereClause, &context);
    push_returning(walk, update->returningList, update->relation, true, &context);
}

static void visit_delete(struct walk *walk, const DeleteStmt *delete, const struct context *outside)
{
    struct context context = *outside;
    int effect = emit_target(walk, EFFECT_DELETE, delete->relation, &context);
    if (!context.planned && sql_where_is_always_true(delete->whereClause))
        sql_mark_unbounded(walk, effect);
    open_with(walk, delete->withClause, &context);
    open_level(walk, &context, EFFECT_DELETE);
    sql_level_add_relation(walk, context.level, delete->relation, effect);
    sql_push(walk, delete->usingClause, &context);
    sql_push(walk, delete->whereClause, &context);
    push_returning(walk, delete->returningList, delete->relation, true, &context);
}

/* Whether this WHEN can reach every row of the target: its own condition and that of the join say nothing. */
static bool is_unbounded_when(const MergeStmt *merge, const MergeWhenClause *when)
{
    if (!sql_where_is_always_true(when->condition))
        return false;
#if PG_VERSION_NUM >= 170000
    if (when->matchKind == MERGE_WHEN_NOT_MATCHED_BY_SOURCE)
        return true;
#endif
    return sql_where_is_always_true(merge->joinCondition);
}

static void visit_when(struct walk *walk, const MergeStmt *merge, const MergeWhenClause *when,
                       const struct context *context)
{
    int effect = SQL_NOWHERE;
    switch (when->commandType) {
    case CMD_INSERT:
        effect = emit_target(walk, EFFECT_INSERT, merge->relation, context);
        if (!when->targetList)
            sql_emit_column(walk, effect, "*");
        break;
    case CMD_UPDATE:
        effect = emit_target(walk, EFFECT_UPDATE, merge->relation, context);
        break;
    case CMD_DELETE:
        effect = emit_target(walk, EFFECT_DELETE, merge->relation, context);
        break;
    case CMD_NOTHING:
        break;
    default:
        sql_emit_unknown(walk, "MERGE does something that is not known");
        break;
    }
    bool changes = when->commandType == CMD_UPDATE || when->commandType == CMD_DELETE;
    if (changes && !context->planned && is_unbounded_when(merge, when))
        sql_mark_unbounded(walk, effect);
    emit_written(walk, effect, when->targetList);
    sql_push(walk, when->condition, context);
    push_values(walk, when->targetList, context);
    sql_push(walk, when->values, context);
}

static void visit_merge(struct walk *walk, const MergeStmt *merge, const struct context *outside)
{
    const ListCell *cell;
    struct context context = *outside;
    int effect = emit_target(walk, EFFECT_MERGE, merge->relation, &context);
    open_with(walk, merge->withClause, &context);
    open_level(walk, &context, EFFECT_MERGE);
    sql_level_add_relation(walk, context.level, merge->relation, effect);
    sql_push(walk, merge->sourceRelation, &context);
    sql_push(walk, merge->joinCondition, &context);
    foreach (cell, merge->mergeWhenClauses)
        visit_when(walk, merge, lfirst(cell), &context);
#if PG_VERSION_NUM >= 170000
    push_returning(walk, merge->returningList, merge->relation, true, &context);
#endif
}

bool sql_visit_query(struct walk *walk, Node *node, const struct context *context)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
        visit_select(walk, (const SelectStmt *)node, context);
        return true;
    case T_InsertStmt:
        visit_insert(walk, (const InsertStmt *)node, context);
        return true;
    case T_UpdateStmt:
        visit_update(walk, (const UpdateStmt *)node, context);
        return true;
    case T_DeleteStmt:
        visit_delete(walk, (const DeleteStmt *)node, context);
        return true;
    case T_MergeStmt:
        visit_merge(walk, (const MergeStmt *)node, context);
        return true;
    case T_ReturnStmt: /* CREATE FUNCTION … RETURN */
        sql_push(walk, ((const ReturnStmt *)node)->returnval, context);
        return true;
    default:
        return false;
    }
}
