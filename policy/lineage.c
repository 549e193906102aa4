/* Statements: which form their result has, and what of it. */
#include "policy/lineage_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "policy/sql_tree.h"

const Node *definition_tree(const char *sql)
{
    const List *tree = sql_tree_inside(sql);
    return list_length(tree) == 1 ? ((const RawStmt *)linitial(tree))->stmt : NULL;
}

/* ---- results ---- */

void lineage_clear(struct lineage *lineage)
{
    free(lineage->name);
    free(lineage->copy.null);
    free(lineage->columns);
    free(lineage->origins);
    free(lineage->predicate_what);
    free(lineage->unmask_what);
    *lineage = (struct lineage){ .form = LINEAGE_NO_ROWS };
}

void lineages_free(struct lineages *lineages)
{
    if (!lineages)
        return;
    for (size_t i = 0; i < lineages->count; i++)
        lineage_clear(&lineages->items[i]);
    free(lineages->items);
    free(lineages);
}

/* False without memory. */
static bool copy_text(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool copy_columns(struct lineage *to, const struct fate *columns, size_t n)
{
    to->columns = n ? malloc(n * sizeof *columns) : NULL;
    if (n && !to->columns)
        return false;
    if (n)
        memcpy(to->columns, columns, n * sizeof *columns);
    to->n_columns = n;
    return true;
}

static bool copy_origins(struct lineage *to, const struct origin *origins, size_t n)
{
    to->origins = n ? malloc(n * sizeof *origins) : NULL;
    if (n && !to->origins)
        return false;
    if (n)
        memcpy(to->origins, origins, n * sizeof *origins);
    to->n_origins = n;
    return true;
}

int lineage_copy(const struct lineage *from, struct lineage *ret)
{
    struct lineage copy = *from;
    copy.name = copy.copy.null = copy.predicate_what = copy.unmask_what = NULL;
    copy.columns = NULL;
    copy.origins = NULL;
    if (copy_text(&copy.name, from->name) && copy_text(&copy.copy.null, from->copy.null) &&
        copy_text(&copy.predicate_what, from->predicate_what) &&
        copy_text(&copy.unmask_what, from->unmask_what) &&
        copy_columns(&copy, from->columns, from->n_columns) &&
        copy_origins(&copy, from->origins, from->n_origins)) {
        *ret = copy;
        return 0;
    }
    lineage_clear(&copy);
    return -ENOMEM;
}

/* ---- the server's word ---- */

enum { SYSTEM_COLUMNS = 0x8000 }; /* ctid, tableoid …: their numbers are negative */

static struct fate origin_fate(const struct lineage *lineage, uint32_t relation, uint16_t number,
                               const struct mask *worst)
{
    bool followed = false;
    for (size_t i = 0; i < lineage->n_origins; i++) {
        const struct origin *origin = &lineage->origins[i];
        if (origin->relation != relation)
            continue;
        if (origin->number == number)
            return origin->fate;
        followed |= origin->number == 0 && (number <= origin->last || number >= SYSTEM_COLUMNS);
    }
    /* A table that nobody has followed, or a column that it did not have: the name led elsewhere than we
     * thought. */
    return followed ? (struct fate){ .mask = NULL } : (struct fate){ .mask = worst, .computed = true };
}

struct fate lineage_vote(const struct lineage *lineage, size_t i, size_t n, uint32_t relation,
                         uint16_t number, const struct mask *worst)
{
    struct fate own = lineage->any;
    if (lineage->known && lineage->n_columns == n)
        own = lineage->columns[i];
    else if (lineage->known)
        own = (struct fate){ .mask = worst, .computed = true };
    if (!relation)
        return own;
    struct fate named = origin_fate(lineage, relation, number, worst);
    if (!lineage->known && !named.mask) /* a plain column of a table that is followed and shows it */
        return named;
    return own.mask ? own : named;
}

/* ---- one statement ---- */

static int give_rows(struct lineage *out, enum lineage_form form, const struct rows *rows)
{
    out->form = form;
    out->known = rows->known;
    out->any = rows_all(rows);
    return copy_columns(out, rows->fates, rows->n) ? 0 : -ENOMEM;
}

static int give_name(struct lineage *out, enum lineage_form form, const char *name)
{
    out->form = form;
    return copy_text(&out->name, name) ? 0 : -ENOMEM;
}

/* Everything of it is written somewhere where nothing masks it. */
static void unmask_all(struct follow *f, const struct rows *rows, const char *where)
{
    follow_unmask(f, rows_all(rows), where);
}

static bool has_rows(const Node *node)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
        return !((const SelectStmt *)node)->intoClause;
    case T_InsertStmt:
        return ((const InsertStmt *)node)->returningList != NIL;
    case T_UpdateStmt:
        return ((const UpdateStmt *)node)->returningList != NIL;
    case T_DeleteStmt:
        return ((const DeleteStmt *)node)->returningList != NIL;
#if PG_VERSION_NUM >= 170000
    case T_MergeStmt:
        return ((const MergeStmt *)node)->returningList != NIL;
#endif
    default:
        return false;
    }
}

/* The INTO of a set operation hangs on its leftmost SELECT. */
static bool is_into(const Node *node)
{
    while (node && IsA(node, SelectStmt)) {
        const SelectStmt *select = (const SelectStmt *)node;
        if (select->intoClause)
            return true;
        node = (const Node *)select->larg;
    }
    return false;
}

static int follow_query(struct follow *f, const Node *node, enum lineage_form form)
{
    struct rows *rows = query_rows(f, NULL, node);
    if (!rows) { /* PREPARE and DECLARE of something that is not followed */
        rows = rows_new(false);
        rows->any = fate_worst(f);
    }
    if (is_into(node))
        unmask_all(f, rows, "a new table");
    bool shown = has_rows(node) && !is_into(node);
    return give_rows(f->out, shown || form != LINEAGE_ROWS ? form : LINEAGE_NO_ROWS, rows);
}

static int follow_create_as(struct follow *f, const CreateTableAsStmt *create)
{
    struct rows *rows = query_rows(f, NULL, create->query);
    if (rows)
        unmask_all(f, rows, create->into->rel->relname);
    else
        follow_unmask(f, fate_worst(f), create->into->rel->relname); /* … AS EXECUTE */
    return 0;
}

enum { TEMPORARY = 't' /* RELPERSISTENCE_TEMP */ };

/* The catalog shows what is in a view, and so it can be followed later; but not in a temporary one, which a
 * view on temporary tables is, too. */
static int follow_view(struct follow *f, const ViewStmt *view)
{
    struct rows *rows = query_rows(f, NULL, view->query);
    const RangeVar *name = view->view;
    bool temporary = f->temporary || name->relpersistence == TEMPORARY ||
                     (name->schemaname && strncmp(name->schemaname, "pg_temp", 7) == 0);
    if (rows && temporary)
        unmask_all(f, rows, view->view->relname);
    return 0;
}

static const char *option_text(const DefElem *option)
{
    return option->arg && IsA(option->arg, String) ? strVal(option->arg) : NULL;
}

static bool option_flag(const DefElem *option, bool *ret)
{
    const char *text = option_text(option);
    if (!option->arg || (IsA(option->arg, Integer) && intVal(option->arg) == 1) ||
        (IsA(option->arg, Boolean) && boolVal(option->arg)) ||
        (text && (!strcasecmp(text, "true") || !strcasecmp(text, "on") || !strcasecmp(text, "match"))))
        *ret = true;
    else if ((IsA(option->arg, Integer) && intVal(option->arg) == 0) || IsA(option->arg, Boolean) ||
             (text && (!strcasecmp(text, "false") || !strcasecmp(text, "off"))))
        *ret = false;
    else
        return false;
    return true;
}

static bool has_option(const ExplainStmt *explain, const char *name)
{
    const ListCell *cell;
    foreach (cell, explain->options) {
        const DefElem *option = lfirst(cell);
        bool on = true;
        if (strcmp(option->defname, name) == 0 && (!option_flag(option, &on) || on))
            return true;
    }
    return false;
}

/* What a write costs tells whether it changed anything: which index entries, how much of the log. */
static void follow_costs(struct follow *f, const ExplainStmt *explain)
{
    bool unknown =
        IsA(explain->query, ExecuteStmt) && (has_option(explain, "wal") || has_option(explain, "buffers"));
    if (!has_option(explain, "analyze"))
        return;
    follow_predicate(f, (struct fate){ .mask = f->rewrites }, "what EXPLAIN ANALYZE says of a write");
    if (unknown)
        follow_predicate(f, fate_worst(f), "what EXPLAIN ANALYZE says of a write");
}

/* Of what is explained only the plan is shown; conditions tell of the table by its estimates all the same. */
static int follow_explain(struct follow *f, const ExplainStmt *explain)
{
    const Node *query = IsA(explain->query, DeclareCursorStmt)
                            ? ((const DeclareCursorStmt *)explain->query)->query
                            : explain->query;
    const struct rows *rows = query_rows(f, NULL, query);
    if (rows && is_into(query))
        unmask_all(f, rows, "a new table");
    follow_utility(f, explain->query); /* EXECUTE */
    if (IsA(explain->query, CreateTableAsStmt))
        (void)follow_create_as(f, (const CreateTableAsStmt *)explain->query);
    follow_costs(f, explain);
    struct rows *plan = rows_new(true);
    /* What a function gives may be in the plan: immutable ones are called by the planner. */
    rows_append(plan, "QUERY PLAN", f->opaque ? fate_worst(f) : FATE_SHOWN);
    return give_rows(f->out, LINEAGE_ROWS, plan);
}

/* ---- COPY ---- */

static struct rows *copied_rows(struct follow *f, const CopyStmt *copy)
{
    if (copy->query)
        return query_rows(f, NULL, copy->query);
    const struct rows *all = table_rows(f, copy->relation);
    if (!copy->attlist)
        return rows_copy(all);
    struct rows *rows = rows_new(true);
    const ListCell *cell;
    foreach (cell, copy->attlist) {
        struct fate fate = FATE_SHOWN;
        const char *name = strVal(lfirst(cell));
        (void)rows_find(all, name, &fate);
        rows_append(rows, name, fate);
    }
    return rows;
}

/* Each value is a guess where a constraint compares it with those that are there. */
static void follow_copy_in(struct follow *f, const CopyStmt *copy)
{
    const struct rows *rows = copied_rows(f, copy);
    for (size_t i = 0; i < rows->n; i++)
        follow_guess(f, rows->fates[i].inserting, rows->names[i]);
}

static bool option_character(const DefElem *option, char *ret)
{
    const char *text = option_text(option);
    if (!text || !text[0] || text[1])
        return false;
    *ret = text[0];
    return true;
}

static bool copy_format(const DefElem *option, struct copy_shape *shape)
{
    const char *text = option_text(option);
    if (text && !strcmp(text, "csv"))
        shape->form = COPY_CSV;
    else if (text && !strcmp(text, "binary"))
        shape->form = COPY_BINARY;
    else if (!text || strcmp(text, "text") != 0)
        return false;
    return true;
}

static bool copy_option(const DefElem *option, struct copy_shape *shape)
{
    const char *name = option->defname;
    if (!strcmp(name, "format"))
        return copy_format(option, shape);
    if (!strcmp(name, "delimiter"))
        return option_character(option, &shape->delimiter);
    if (!strcmp(name, "quote"))
        return option_character(option, &shape->quote);
    if (!strcmp(name, "escape"))
        return option_character(option, &shape->escape);
    if (!strcmp(name, "header"))
        return option_flag(option, &shape->header);
    if (!strcmp(name, "null")) {
        free(shape->null);
        return option_text(option) && copy_text(&shape->null, option_text(option));
    }
    /* How values are quoted does not change how they are taken apart; encodings would. */
    return !strcmp(name, "force_quote") || !strcmp(name, "freeze");
}

static void copy_options(const CopyStmt *copy, struct copy_shape *shape)
{
    const ListCell *cell;
    foreach (cell, copy->options)
        if (!copy_option(lfirst(cell), shape))
            shape->odd = true;
    bool csv = shape->form == COPY_CSV;
    if (!shape->delimiter)
        shape->delimiter = csv ? ',' : '\t';
    if (!shape->quote)
        shape->quote = '"';
    if (!shape->escape)
        shape->escape = shape->quote;
    if (!shape->null && !copy_text(&shape->null, csv ? "" : "\\N"))
        shape->odd = true;
}

static int follow_copy(struct follow *f, const CopyStmt *copy)
{
    if (copy->is_from) {
        follow_copy_in(f, copy); /* … and for its errors: they may quote other rows */
        return 0;
    }
    struct rows *rows = copied_rows(f, copy);
    if (!rows) {
        rows = rows_new(false);
        rows->any = fate_worst(f);
    }
    if (copy->filename || copy->is_program)
        unmask_all(f, rows, "a file");
    copy_options(copy, &f->out->copy);
    if (f->out->copy.odd)
        follow_unmask(f, fate_worst(f), "COPY with an option that changes how its rows are read");
    return give_rows(f->out, LINEAGE_COPY_OUT, rows);
}

/* ---- which statement it is ---- */

static int follow_other(struct follow *f, const Node *node)
{
    switch (nodeTag(node)) {
    case T_ViewStmt:
        return follow_view(f, (const ViewStmt *)node);
    case T_CallStmt: {
        struct rows *rows = rows_new(false);
        rows->any = expression_fate(f, NULL, (const Node *)((const CallStmt *)node)->funccall);
        return give_rows(f->out, LINEAGE_ROWS, rows);
    }
    case T_VariableShowStmt: {
        struct rows *rows = rows_new(false);
        return give_rows(f->out, LINEAGE_ROWS, rows);
    }
    default:
        follow_utility(f, node);
        return 0;
    }
}

static int follow_statement(struct follow *f, const Node *node)
{
    switch (nodeTag(node)) {
    case T_SelectStmt:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        return follow_query(f, node, LINEAGE_ROWS);
    case T_CreateTableAsStmt:
        return follow_create_as(f, (const CreateTableAsStmt *)node);
    case T_ExplainStmt:
        return follow_explain(f, (const ExplainStmt *)node);
    case T_CopyStmt:
        return follow_copy(f, (const CopyStmt *)node);
    case T_PrepareStmt: {
        int r = give_name(f->out, LINEAGE_PREPARE, ((const PrepareStmt *)node)->name);
        return r ? r : follow_query(f, ((const PrepareStmt *)node)->query, LINEAGE_PREPARE);
    }
    case T_DeclareCursorStmt: {
        int r = give_name(f->out, LINEAGE_DECLARE, ((const DeclareCursorStmt *)node)->portalname);
        return r ? r : follow_query(f, ((const DeclareCursorStmt *)node)->query, LINEAGE_DECLARE);
    }
    case T_ExecuteStmt:
        follow_utility(f, node);
        return give_name(f->out, LINEAGE_EXECUTE, ((const ExecuteStmt *)node)->name);
    case T_FetchStmt:
        return ((const FetchStmt *)node)->ismove
                   ? 0
                   : give_name(f->out, LINEAGE_FETCH, ((const FetchStmt *)node)->portalname);
    default:
        return follow_other(f, node);
    }
}

struct request {
    struct scope *scope;
    const struct mask_set *masks;
    struct lineages *lineages;
};

static int follow_tree(void *owner, const List *tree)
{
    struct request *request = owner;
    struct lineages *lineages = request->lineages;
    size_t n = (size_t)list_length(tree);
    lineages->items = calloc(n ? n : 1, sizeof *lineages->items);
    if (!lineages->items)
        return -ENOMEM;
    size_t left = LINEAGE_WORK_ALL;
    for (int i = 0; lineages->count < n; i++) {
        void *memory = sql_tree_part_begin();
        struct follow f = { .scope = request->scope,
                            .masks = request->masks,
                            .work_max = left < LINEAGE_WORK_MAX ? left : LINEAGE_WORK_MAX,
                            .memory = memory,
                            .out = &lineages->items[lineages->count++] };
        int r = follow_statement(&f, ((const RawStmt *)list_nth(tree, i))->stmt);
        sql_tree_part_end(memory);
        left -= f.work < left ? f.work : left;
        if (r < 0 || f.no_memory)
            return r < 0 ? r : -ENOMEM;
    }
    return 0;
}

int lineage_follow(const char *sql, struct scope *scope, const struct mask_set *masks, struct lineages **ret)
{
    CLEANUP(lineages_free) struct lineages *lineages = calloc(1, sizeof *lineages);
    if (!lineages)
        return -ENOMEM;
    struct request request = { .scope = scope, .masks = masks, .lineages = lineages };
    int r = sql_tree_with(sql, follow_tree, &request);
    if (r == 0)
        *ret = STEAL(lineages);
    return r;
}
