/* Calls: functions, operators of other schemas, and attribute notation.
 *
 * A name without a schema, or with pg_catalog, that is in the table of harmless functions counts as harmless.
 * That a schema of the search_path holds another function of that name needs somebody who may create it. What
 * operators and casts call cannot be seen without the catalog; operators that name a schema can. */
#include <strings.h>

#include "policy/sql_functions.h"
#include "policy/sql_walk.h"

static bool is_in_catalog(const List *names)
{
    int n = list_length(names);
    return n == 1 || (n == 2 && strcmp(strVal(linitial(names)), "pg_catalog") == 0);
}

/* The name of a setting and its value are in the first two arguments, if they are constants. */
static void visit_set_config(struct walk *walk, const List *args)
{
    const char *name = list_length(args) == 3 ? sql_constant_text(linitial(args)) : NULL;
    if (!name) {
        walk->statement->any_path = true;
        sql_emit_unknown(walk, "it calls set_config() for a setting that it does not spell out");
        return;
    }
    const char *value = sql_constant_text(lsecond(args));
    if (strcasecmp(name, "search_path") == 0 && value)
        sql_note(walk, SQL_FACT_PATH, value);
    else if (strcasecmp(name, "search_path") == 0)
        walk->statement->any_path = true;
    sql_change_setting(walk, EFFECT_SET, name, value);
}

static void visit_special(struct walk *walk, const char *name, const List *args)
{
    if (strcmp(name, "set_config") == 0)
        visit_set_config(walk, args);
    else if (strcmp(name, "pg_notify") == 0)
        sql_emit(walk, EFFECT_NOTIFY, OBJECT_OTHER, args ? sql_constant_text(linitial(args)) : NULL);
}

void sql_call(struct walk *walk, const List *names, const List *args, const struct context *context)
{
    const char *name = strVal(llast(names));
    if (!is_in_catalog(names)) {
        sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, names);
        return;
    }
    if (sql_function_fame(name) == SQL_FUNCTION_HARMLESS) {
        sql_emit_harmless(walk, context->calls, names);
        return;
    }
    sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, names);
    visit_special(walk, name, args);
}

static void visit_function(struct walk *walk, const FuncCall *call, const struct context *context)
{
    sql_call(walk, call->funcname, call->args, context);
    sql_push(walk, call->args, context);
    sql_push(walk, call->agg_order, context);
    sql_push(walk, call->agg_filter, context);
    sql_push(walk, call->over, context);
}

/* OPERATOR(schema.+) calls whatever that schema says. */
static void visit_operator(struct walk *walk, const List *name)
{
    if (list_length(name) > 1 && !is_in_catalog(name))
        sql_emit_names(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, name);
    else
        sql_note_operator(walk, name);
}

static void visit_expression(struct walk *walk, const A_Expr *expression, const struct context *context)
{
    visit_operator(walk, expression->name);
    sql_push(walk, expression->lexpr, context);
    sql_push(walk, expression->rexpr, context);
}

static void visit_sublink(struct walk *walk, const SubLink *link, const struct context *context)
{
    visit_operator(walk, link->operName);
    sql_push(walk, link->testexpr, context);
    sql_push(walk, link->subselect, context);
}

/* (alias).column, where alias is a whole row: what comes from a table is no call. */
static bool is_row_of_table(struct walk *walk, const Node *arg, const struct context *context)
{
    const List *fields = IsA(arg, ColumnRef) ? ((const ColumnRef *)arg)->fields : NIL;
    if (list_length(fields) != 1 || !IsA(linitial(fields), String))
        return false;
    for (const struct level *level = context->level; level; level = level->outer)
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            if (!entry->scalar && strcmp(entry->alias, strVal(linitial(fields))) == 0)
                return true;
    return false;
}

/* Whether the table has such a column, or calls a function by attribute, the catalog will tell. */
static void attach_field(struct walk *walk, const Node *arg, const char *name, const struct context *context)
{
    const char *alias = strVal(linitial(((const ColumnRef *)arg)->fields));
    for (const struct level *level = context->level; level; level = level->outer)
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            if (strcmp(entry->alias, alias) == 0)
                sql_emit_column(walk, entry->effect, name);
}

/* (expression).name is the field of a row, or else name(expression): ('/etc/passwd'::text).pg_read_file reads
 * that file. Without types the two cannot be told apart, so it is a call unless the name is known. */
static void visit_indirection(struct walk *walk, const A_Indirection *indirection,
                              const struct context *context)
{
    const ListCell *cell;
    bool row = is_row_of_table(walk, indirection->arg, context);
    foreach (cell, indirection->indirection) {
        Node *step = lfirst(cell);
        if (!IsA(step, String)) {
            sql_push(walk, step, context);
            continue;
        }
        enum sql_fame fame = sql_function_fame(strVal(step));
        bool field = row || sql_is_result_column(strVal(step));
        if (row)
            attach_field(walk, indirection->arg, strVal(step), context);
        if (fame == SQL_FUNCTION_HARMFUL || (fame == SQL_FUNCTION_UNKNOWN && !field))
            sql_emit(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, strVal(step));
        row = false;
    }
    sql_push(walk, indirection->arg, context);
}

bool sql_visit_call(struct walk *walk, Node *node, const struct context *context)
{
    switch (nodeTag(node)) {
    case T_FuncCall:
        visit_function(walk, (const FuncCall *)node, context);
        return true;
    case T_A_Expr:
        visit_expression(walk, (const A_Expr *)node, context);
        return true;
    case T_SubLink:
        visit_sublink(walk, (const SubLink *)node, context);
        return true;
    case T_SortBy:
        visit_operator(walk, ((const SortBy *)node)->useOp);
        sql_push(walk, ((const SortBy *)node)->node, context);
        return true;
    case T_A_Indirection:
        visit_indirection(walk, (const A_Indirection *)node, context);
        return true;
    default:
        return false;
    }
}
