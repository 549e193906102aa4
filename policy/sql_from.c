/* FROM, and the columns that come from it.
 *
 * Which table an unqualified column belongs to only the catalog knows. So it is put down for every table in
 * sight: a rule that forbids customers.email then also catches `select email from orders join customers …`,
 * and one that allows certain columns of one table asks for qualified names where there are several. */
#include "policy/sql_functions.h"
#include "policy/sql_tree.h"
#include "policy/sql_walk.h"

struct level *sql_level_new(struct walk *walk, struct level *outer)
{
    struct level *level = sql_allocate(walk, sizeof *level);
    if (level)
        level->outer = outer;
    return level;
}

struct entry *sql_level_add(struct walk *walk, struct level *level, const char *alias, const char *schema,
                            int effect)
{
    struct entry *entry = level ? sql_allocate(walk, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    entry->next = level->entries;
    entry->alias = alias;
    entry->schema = schema;
    entry->effect = effect;
    level->entries = entry;
    return entry;
}

static void name_entry(struct entry *entry, const Alias *alias)
{
    if (!entry || !alias)
        return;
    entry->renamed = alias->colnames != NIL;
    entry->columns = alias->colnames;
}

struct entry *sql_level_add_relation(struct walk *walk, struct level *level, const RangeVar *relation,
                                     int effect)
{
    bool aliased = relation->alias != NULL;
    struct entry *entry = sql_level_add(walk, level, aliased ? relation->alias->aliasname : relation->relname,
                                        aliased ? NULL : relation->schemaname, effect);
    name_entry(entry, relation->alias);
    return entry;
}

static const struct cte *find_cte(struct walk *walk, const RangeVar *relation, const struct context *context)
{
    if (relation->schemaname)
        return NULL;
    for (const struct cte *cte = context->ctes; cte && sql_work(walk, 1); cte = cte->outer)
        if (strcmp(cte->name, relation->relname) == 0)
            return cte;
    return NULL;
}

static void visit_relation(struct walk *walk, const RangeVar *relation, const struct context *context)
{
    const struct cte *cte = find_cte(walk, relation, context);
    int effect = SQL_NOWHERE;
    if (!cte)
        effect = sql_emit_relation(walk, context->reads, relation);
    struct entry *entry = sql_level_add_relation(walk, context->level, relation, effect);
    if (!entry || !cte)
        return;
    entry->query = cte->expression->ctequery;
    if (!entry->columns)
        entry->columns = cte->expression->aliascolnames;
}

static void visit_subselect(struct walk *walk, const RangeSubselect *sub, const struct context *context)
{
    struct context inner = *context;
    if (!sub->lateral && context->level)
        inner.level = context->level->outer;
    sql_push(walk, sub->subquery, &inner);
    if (!sub->alias)
        return;
    struct entry *entry = sql_level_add(walk, context->level, sub->alias->aliasname, NULL, SQL_NOWHERE);
    name_entry(entry, sub->alias);
    if (entry)
        entry->query = sub->subquery;
}

const FuncCall *sql_only_function(const RangeFunction *range)
{
    if (list_length(range->functions) != 1)
        return NULL;
    const List *item = linitial(range->functions);
    const Node *function = item && IsA(item, List) ? linitial(item) : NULL;
    return function && IsA(function, FuncCall) ? (const FuncCall *)function : NULL;
}

static void visit_function(struct walk *walk, const RangeFunction *range, const struct context *context)
{
    const FuncCall *function = sql_only_function(range);
    const char *name = function ? strVal(llast(function->funcname)) : NULL;
    const char *alias = range->alias ? range->alias->aliasname : name;
    if (alias) {
        struct entry *entry = sql_level_add(walk, context->level, alias, NULL, SQL_NOWHERE);
        name_entry(entry, range->alias);
        if (entry)
            entry->scalar = !range->coldeflist && name && sql_function_fame(name) != SQL_FUNCTION_UNKNOWN;
    }
    sql_push(walk, range->functions, context);
    sql_push(walk, range->coldeflist, context);
}

static void visit_table_function(struct walk *walk, const RangeTableFunc *range,
                                 const struct context *context)
{
    const ListCell *cell;
    sql_push(walk, range->docexpr, context);
    sql_push(walk, range->rowexpr, context);
    foreach (cell, range->namespaces)
        sql_push(walk, ((const ResTarget *)lfirst(cell))->val, context);
    foreach (cell, range->columns) {
        const RangeTableFuncCol *column = lfirst(cell);
        sql_push(walk, column->typeName, context);
        sql_push(walk, column->colexpr, context);
        sql_push(walk, column->coldefexpr, context);
    }
}

static void visit_sample(struct walk *walk, const RangeTableSample *sample, const struct context *context)
{
    const char *method = strVal(llast(sample->method));
    sql_push(walk, sample->relation, context);
    if (list_length(sample->method) > 1 ||
        (strcmp(method, "bernoulli") != 0 && strcmp(method, "system") != 0))
        sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, sample->method);
    sql_push(walk, sample->args, context);
    sql_push(walk, sample->repeatable, context);
}

static void attach(struct walk *walk, const struct level *level, const struct entry *entry,
                   const char *column)
{
    if (entry->effect == SQL_NOWHERE)
        return;
    sql_emit_column(walk, entry->effect, column);
    if (entry->renamed || level->renamed)
        sql_emit_column(walk, entry->effect, "*");
}

void sql_attach_column(struct walk *walk, const struct level *level, const char *column)
{
    for (; level; level = level->outer)
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            attach(walk, level, entry, column);
}

/* After both sides of a join: columns that it compares without naming their tables. */
static void visit_using(struct walk *walk, Node *node, const struct context *context)
{
    const JoinExpr *join = (const JoinExpr *)node;
    const ListCell *cell;
    if (join->isNatural)
        sql_attach_column(walk, context->level, "*");
    foreach (cell, join->usingClause)
        sql_attach_column(walk, context->level, strVal(lfirst(cell)));
    if (context->level && join->alias && join->alias->colnames)
        context->level->renamed = true;
}

static void visit_join(struct walk *walk, const JoinExpr *join, const struct context *context)
{
    sql_push(walk, join->larg, context);
    sql_push(walk, join->rarg, context);
    sql_push_visit(walk, join, context, visit_using);
    sql_push(walk, join->quals, context);
}

static void lock_entry(struct walk *walk, const struct entry *entry)
{
    char object[EFFECT_NAME_MAX];
    if (entry->effect == SQL_NOWHERE) {
        sql_emit(walk, EFFECT_LOCK, OBJECT_NONE, NULL); /* a sub-select's tables: they are named as select */
        return;
    }
    /* The list moves as it grows: the name is copied first. */
    snprintf(object, sizeof object, "%s", walk->statement->effects.items[entry->effect].object);
    sql_emit(walk, EFFECT_LOCK, OBJECT_TABLE, object);
}

/* FOR UPDATE [OF names]; the names are those of FROM. */
static void visit_locking(struct walk *walk, const LockingClause *lock, const struct context *context)
{
    const ListCell *cell;
    if (context->planned)
        return;
    const struct entry *entries = context->level ? context->level->entries : NULL;
    if (!entries)
        sql_emit(walk, EFFECT_LOCK, OBJECT_NONE, NULL);
    if (lock->lockedRels == NIL)
        for (const struct entry *entry = entries; entry && sql_work(walk, 1); entry = entry->next)
            lock_entry(walk, entry);
    foreach (cell, lock->lockedRels) {
        const char *name = ((const RangeVar *)lfirst(cell))->relname;
        for (const struct entry *entry = entries; entry && sql_work(walk, 1); entry = entry->next)
            if (strcmp(entry->alias, name) == 0)
                lock_entry(walk, entry);
    }
}

bool sql_visit_from(struct walk *walk, Node *node, const struct context *context)
{
    switch (nodeTag(node)) {
    case T_RangeVar:
        visit_relation(walk, (const RangeVar *)node, context);
        return true;
    case T_RangeSubselect:
        visit_subselect(walk, (const RangeSubselect *)node, context);
        return true;
    case T_RangeFunction:
        visit_function(walk, (const RangeFunction *)node, context);
        return true;
    case T_RangeTableFunc:
        visit_table_function(walk, (const RangeTableFunc *)node, context);
        return true;
    case T_RangeTableSample:
        visit_sample(walk, (const RangeTableSample *)node, context);
        return true;
    case T_JoinExpr:
        visit_join(walk, (const JoinExpr *)node, context);
        return true;
    case T_LockingClause:
        visit_locking(walk, (const LockingClause *)node, context);
        return true;
    case T_ColumnRef:
        sql_visit_column(walk, node, context);
        return true;
    default:
        return false;
    }
}
