/* Statements that are neither queries nor definitions: COPY, EXPLAIN, PREPARE, cursors, transactions, SET …
 */
#include <errno.h>
#include <strings.h>

#include "policy/sql_walk.h"

static void remember(struct walk *walk, enum sql_role role, const char *name)
{
    walk->statement->role = role;
    free(walk->statement->name);
    walk->statement->name = name ? strdup(name) : NULL;
    if (name && !walk->statement->name)
        sql_fail(walk, -ENOMEM);
}

static void visit_copy(struct walk *walk, const CopyStmt *copy, const struct context *context)
{
    const ListCell *cell;
    enum effect_kind kind = copy->is_from ? EFFECT_COPY_FROM : EFFECT_COPY_TO;
    if (copy->is_program)
        kind = EFFECT_COPY_PROGRAM;
    else if (copy->filename)
        kind = EFFECT_COPY_FILE;
    else
        remember(walk, copy->is_from ? SQL_COPY_IN : SQL_COPY_OUT, NULL);
    int effect = sql_emit_relation(walk, kind, copy->relation);
    foreach (cell, copy->attlist)
        sql_emit_column(walk, effect, strVal(lfirst(cell)));
    if (copy->relation && !copy->attlist)
        sql_emit_column(walk, effect, "*");
    sql_push_root(walk, copy->query, context);
    sql_push(walk, copy->options, context);
    struct context rows = *context;
    rows.level = copy->whereClause ? sql_level_new(walk, NULL) : NULL;
    if (copy->relation)
        sql_level_add_relation(walk, rows.level, copy->relation, effect);
    sql_push(walk, copy->whereClause, &rows);
}

/* Like the server's defGetBoolean, except that any ANALYZE that is not plainly false counts. */
static bool is_false(const Node *value)
{
    if (!value)
        return false;
    switch (nodeTag(value)) {
    case T_Integer:
        return intVal(value) == 0;
    case T_Boolean:
        return !boolVal(value);
    case T_String:
        return strcasecmp(strVal(value), "false") == 0 || strcasecmp(strVal(value), "off") == 0;
    default:
        return false;
    }
}

static bool executes(const ExplainStmt *explain)
{
    const ListCell *cell;
    foreach (cell, explain->options) {
        const DefElem *option = lfirst(cell);
        if (strcasecmp(option->defname, "analyze") == 0 && !is_false(option->arg))
            return true;
    }
    return false;
}

/* Without ANALYZE only the planner runs, which evaluates functions: those stay effects of their own. */
static void visit_explain(struct walk *walk, const ExplainStmt *explain, const struct context *context)
{
    struct context inner = *context;
    if (executes(explain)) {
        sql_emit(walk, EFFECT_EXPLAIN, OBJECT_NONE, NULL);
        sql_push_root(walk, explain->query, &inner);
        return;
    }
    inner.planned = true;
    inner.reads = inner.calls = EFFECT_EXPLAIN;
    walk->has_query = true; /* at least one explain, also of EXECUTE and of what names no table */
    walk->query_is = EFFECT_EXPLAIN;
    sql_push(walk, explain->query, &inner);
}

static void visit_create_as(struct walk *walk, const CreateTableAsStmt *create, const struct context *context)
{
    sql_emit_relation(walk, sql_kind(context, EFFECT_CREATE), create->into->rel);
    if (!context->planned)
        sql_note_made(walk, create->into->rel, create->objtype == PG_OBJECT_TABLE);
    sql_push(walk, create->into->options, context);
    sql_push_root(walk, create->query, context);
}

static void visit_execute(struct walk *walk, const ExecuteStmt *execute, const struct context *context)
{
    if (!context->planned)
        remember(walk, SQL_EXECUTE, execute->name);
    sql_push(walk, execute->params, context);
}

static void visit_cursor(struct walk *walk, const DeclareCursorStmt *declare, const struct context *context)
{
    if (!context->planned)
        remember(walk, SQL_DECLARE, declare->portalname);
    sql_emit(walk, sql_kind(context, EFFECT_CURSOR), OBJECT_OTHER, declare->portalname);
    sql_push_root(walk, declare->query, context);
}

static void visit_transaction(struct walk *walk, const TransactionStmt *transaction)
{
    sql_emit(walk, EFFECT_TRANSACTION, OBJECT_NONE, NULL);
    sql_note_modes(walk, transaction->options);
    switch (transaction->kind) {
    case TRANS_STMT_BEGIN:
    case TRANS_STMT_START:
        remember(walk, SQL_BEGIN, NULL);
        break;
    case TRANS_STMT_COMMIT:
        remember(walk, SQL_COMMIT, NULL);
        break;
    case TRANS_STMT_ROLLBACK:
        remember(walk, SQL_ROLLBACK, NULL);
        break;
    default: /* savepoints, two phases: the block goes on, or another one ends */
        break;
    }
}

static void visit_call(struct walk *walk, const CallStmt *call, const struct context *context)
{
    sql_emit_names(walk, EFFECT_CALL, OBJECT_FUNCTION, call->funccall->funcname);
    walk->statement->any_path = true;
    sql_change(walk, SQL_CHANGES_CATALOG);
    sql_push(walk, call->funccall->args, context);
}

static void visit_vacuum(struct walk *walk, const VacuumStmt *vacuum)
{
    const ListCell *cell;
    if (vacuum->rels == NIL)
        sql_emit(walk, EFFECT_MAINTENANCE, OBJECT_NONE, NULL);
    foreach (cell, vacuum->rels) {
        const VacuumRelation *relation = lfirst(cell);
        int effect = sql_emit_relation(walk, EFFECT_MAINTENANCE, relation->relation);
        const ListCell *column;
        foreach (column, relation->va_cols)
            sql_emit_column(walk, effect, strVal(lfirst(column)));
    }
}

static void visit_relations(struct walk *walk, enum effect_kind kind, const List *relations)
{
    const ListCell *cell;
    foreach (cell, relations)
        sql_emit_relation(walk, kind, lfirst(cell));
}

static void visit_reindex(struct walk *walk, const ReindexStmt *reindex)
{
    if (reindex->relation)
        sql_emit_relation(walk, EFFECT_MAINTENANCE, reindex->relation);
    else
        sql_emit(walk, EFFECT_MAINTENANCE, OBJECT_OTHER, reindex->name);
}

static void visit_discard(struct walk *walk, const DiscardStmt *discard)
{
    if (discard->target == DISCARD_ALL)
        remember(walk, SQL_DISCARD, NULL);
    sql_emit(walk, EFFECT_SET, OBJECT_SETTING, discard->target == DISCARD_ALL ? "all" : NULL);
}

static void visit_do(struct walk *walk)
{
    sql_emit(walk, EFFECT_DO, OBJECT_NONE, NULL);
    walk->statement->any_path = true;
    sql_change(walk, SQL_CHANGES_CATALOG);
    sql_emit_unknown(walk, "the code in DO is not looked into");
}

/* Those that run, or prepare, another statement. */
static bool visit_carrier(struct walk *walk, Node *node, const struct context *context)
{
    switch (nodeTag(node)) {
    case T_RawStmt:
        sql_push_root(walk, ((const RawStmt *)node)->stmt, context);
        return true;
    case T_CopyStmt:
        visit_copy(walk, (const CopyStmt *)node, context);
        return true;
    case T_ExplainStmt:
        visit_explain(walk, (const ExplainStmt *)node, context);
        return true;
    case T_CreateTableAsStmt:
        visit_create_as(walk, (const CreateTableAsStmt *)node, context);
        return true;
    case T_PrepareStmt:
        remember(walk, SQL_PREPARE, ((const PrepareStmt *)node)->name);
        sql_push(walk, ((const PrepareStmt *)node)->argtypes, context);
        sql_push_root(walk, ((const PrepareStmt *)node)->query, context);
        return true;
    case T_ExecuteStmt:
        visit_execute(walk, (const ExecuteStmt *)node, context);
        return true;
    case T_DeallocateStmt:
        remember(walk, SQL_DEALLOCATE, ((const DeallocateStmt *)node)->name);
        return true;
    case T_DeclareCursorStmt:
        visit_cursor(walk, (const DeclareCursorStmt *)node, context);
        return true;
    case T_CallStmt:
        visit_call(walk, (const CallStmt *)node, context);
        return true;
    case T_DoStmt:
        visit_do(walk);
        return true;
    default:
        return false;
    }
}

static bool visit_session(struct walk *walk, Node *node)
{
    switch (nodeTag(node)) {
    case T_TransactionStmt:
        visit_transaction(walk, (const TransactionStmt *)node);
        return true;
    case T_VariableSetStmt:
        sql_visit_set(walk, (const VariableSetStmt *)node, EFFECT_SET);
        return true;
    case T_VariableShowStmt:
        sql_emit(walk, EFFECT_SHOW, OBJECT_SETTING, ((const VariableShowStmt *)node)->name);
        return true;
    case T_DiscardStmt:
        visit_discard(walk, (const DiscardStmt *)node);
        return true;
    case T_ConstraintsSetStmt:
        sql_emit(walk, EFFECT_SET, OBJECT_SETTING, "constraints");
        return true;
    case T_FetchStmt:
        if (!((const FetchStmt *)node)->ismove)
            remember(walk, SQL_FETCH, ((const FetchStmt *)node)->portalname);
        sql_emit(walk, EFFECT_CURSOR, OBJECT_OTHER, ((const FetchStmt *)node)->portalname);
        return true;
    case T_ClosePortalStmt:
        sql_emit(walk, EFFECT_CURSOR, OBJECT_OTHER, ((const ClosePortalStmt *)node)->portalname);
        return true;
    case T_ListenStmt:
        sql_emit(walk, EFFECT_LISTEN, OBJECT_OTHER, ((const ListenStmt *)node)->conditionname);
        return true;
    case T_UnlistenStmt:
        sql_emit(walk, EFFECT_LISTEN, OBJECT_OTHER, ((const UnlistenStmt *)node)->conditionname);
        return true;
    case T_NotifyStmt:
        sql_emit(walk, EFFECT_NOTIFY, OBJECT_OTHER, ((const NotifyStmt *)node)->conditionname);
        return true;
    case T_LoadStmt:
        sql_emit_unknown(walk, "LOAD runs the code of a library");
        return true;
    default:
        return false;
    }
}

static bool visit_upkeep(struct walk *walk, Node *node)
{
    switch (nodeTag(node)) {
    case T_LockStmt:
        visit_relations(walk, EFFECT_LOCK, ((const LockStmt *)node)->relations);
        return true;
    case T_TruncateStmt:
        visit_relations(walk, EFFECT_TRUNCATE, ((const TruncateStmt *)node)->relations);
        walk->statement->cascades = ((const TruncateStmt *)node)->behavior == DROP_CASCADE;
        return true;
    case T_VacuumStmt:
        visit_vacuum(walk, (const VacuumStmt *)node);
        return true;
    case T_ClusterStmt:
        sql_emit_relation(walk, EFFECT_MAINTENANCE, ((const ClusterStmt *)node)->relation);
        return true;
    case T_ReindexStmt:
        visit_reindex(walk, (const ReindexStmt *)node);
        return true;
    case T_CheckPointStmt:
        sql_emit(walk, EFFECT_MAINTENANCE, OBJECT_NONE, NULL);
        return true;
    case T_RefreshMatViewStmt:
        sql_emit_relation(walk, EFFECT_MAINTENANCE, ((const RefreshMatViewStmt *)node)->relation);
        return true;
    default:
        return false;
    }
}

bool sql_visit_utility(struct walk *walk, Node *node, const struct context *context)
{
    return visit_carrier(walk, node, context) || visit_session(walk, node) || visit_upkeep(walk, node);
}
