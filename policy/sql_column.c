/* References to columns, and the calls that look like one: PostgreSQL reads a.f, where a has no column f, as
 * f(a). */
#include "policy/sql_functions.h"
#include "policy/sql_walk.h"

/* Whether a qualified column may be this entry's. */
static bool names_entry(const struct entry *entry, const char *schema, const char *alias)
{
    if (strcmp(entry->alias, alias) != 0)
        return false;
    return !schema || !entry->schema || strcmp(entry->schema, schema) == 0;
}

static bool is_own_column(struct walk *walk, const struct entry *entry, const char *name)
{
    const ListCell *cell;
    if (entry->columns == NIL)
        return strcmp(entry->alias, name) == 0 || sql_is_result_column(name);
    foreach (cell, entry->columns)
        if (sql_work(walk, 1) && strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    return false;
}

/* Whether the query says that one of its columns has this name; a star says nothing. */
static bool is_output(struct walk *walk, const Node *query, const char *name)
{
    const ListCell *cell;
    while (query && IsA(query, SelectStmt) && ((const SelectStmt *)query)->larg && sql_work(walk, 1))
        query = (const Node *)((const SelectStmt *)query)->larg;
    if (!query || !IsA(query, SelectStmt))
        return false;
    foreach (cell, ((const SelectStmt *)query)->targetList) {
        const ResTarget *target = lfirst(cell);
        const List *fields = IsA(target->val, ColumnRef) ? ((const ColumnRef *)target->val)->fields : NIL;
        const Node *last = fields ? llast(fields) : NULL;
        const char *own = target->name ? target->name : last && IsA(last, String) ? strVal(last) : NULL;
        if (!sql_work(walk, 1) || (own && strcmp(own, name) == 0))
            return true;
    }
    return false;
}

/* What is no table has its columns' names from the statement, or else they are a matter of the catalog. */
static bool is_known_field(struct walk *walk, const struct entry *entry, const char *name)
{
    const ListCell *cell;
    foreach (cell, entry->columns)
        if (!sql_work(walk, 1) || strcmp(strVal(lfirst(cell)), name) == 0)
            return true;
    return is_output(walk, entry->query, name);
}

/* alias.name where alias is a table, a plain value, or not known (entry NULL). */
static void check_hidden_call(struct walk *walk, const struct entry *entry, String *name)
{
    enum sql_fame fame = sql_function_fame(strVal(name));
    if (fame == SQL_FUNCTION_HARMLESS)
        return;
    if (entry && entry->scalar && is_own_column(walk, entry, strVal(name)))
        return;
    if (fame == SQL_FUNCTION_HARMFUL || (entry && entry->scalar))
        sql_emit(walk, EFFECT_FUNCTION, OBJECT_FUNCTION, strVal(name));
    else if (!entry || (entry->effect == SQL_NOWHERE && !is_known_field(walk, entry, strVal(name))))
        sql_note(walk, SQL_FACT_FIELD, strVal(name));
}

static void attach_to(struct walk *walk, const struct level *level, const struct entry *entry,
                      const Node *column)
{
    if (entry->effect == SQL_NOWHERE)
        return;
    sql_emit_column(walk, entry->effect, IsA(column, String) ? strVal(column) : "*");
    if (entry->renamed || level->renamed)
        sql_emit_column(walk, entry->effect, "*");
}

/* [schema.]alias.column: true when the alias was found. */
static bool attach_qualified(struct walk *walk, const struct level *level, const char *schema,
                             const char *alias, Node *column)
{
    for (; level; level = level->outer) {
        bool found = false;
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            if (names_entry(entry, schema, alias)) {
                found = true;
                attach_to(walk, level, entry, column);
                if (IsA(column, String))
                    check_hidden_call(walk, entry, (String *)column);
            }
        if (found)
            return true;
    }
    return false;
}

/* The plain name of something in FROM is its whole row. */
static void attach_whole_row(struct walk *walk, const struct level *level, const char *name)
{
    static const A_Star star = { T_A_Star };
    for (; level; level = level->outer)
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            if (strcmp(entry->alias, name) == 0)
                attach_to(walk, level, entry, (const Node *)&star);
}

/* A star stands for the columns of this query's tables only. */
static void attach_star(struct walk *walk, const struct level *level)
{
    for (; level; level = level->continues ? level->outer : NULL)
        for (const struct entry *entry = level->entries; entry && sql_work(walk, 1); entry = entry->next)
            if (entry->effect != SQL_NOWHERE)
                sql_emit_column(walk, entry->effect, "*");
}

void sql_visit_column(struct walk *walk, Node *node, const struct context *context)
{
    const List *fields = ((const ColumnRef *)node)->fields;
    int n = list_length(fields);
    Node *last = llast(fields);
    const struct level *level = context->level;
    if (n > 1) {
        const Node *alias = list_nth(fields, n - 2);
        const Node *schema = n > 2 ? list_nth(fields, n - 3) : NULL;
        if (attach_qualified(walk, level, schema ? strVal(schema) : NULL, strVal(alias), last))
            return;
        if (IsA(last, String))
            check_hidden_call(walk, NULL, (String *)last);
    }
    if (!level)
        return;
    if (!IsA(last, String)) {
        if (n == 1)
            attach_star(walk, level);
        else
            sql_attach_column(walk, level, "*");
        return;
    }
    sql_attach_column(walk, level, strVal(last));
    if (n == 1)
        attach_whole_row(walk, level, strVal(last));
}
