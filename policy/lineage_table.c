/* Tables, views and functions, by the catalog. */
#include "policy/lineage_parts.h"

#include <string.h>
#include "policy/sql_functions.h"

/* How an UPDATE went tells whether it wrote what was there already: by the index entries that it saved, the
 * blocks that it touched, the log that it wrote (of which the beginning that both rows have in common is left
 * out). */
static bool tells_of_writes(const char *relation, const char *column)
{
    return strncmp(relation, "pg_stat", 7) == 0 &&
           (strstr(column, "hot_upd") || strstr(column, "newpage_upd") || strstr(column, "blks_") ||
            strstr(column, "blk_") || strncmp(column, "wal_", 4) == 0);
}

/* Where PostgreSQL itself keeps other relations' values, and other sessions' statements. */
static bool shows_others(const struct catalog_relation *relation, const char *column)
{
    static const struct {
        const char *relation, *column; /* how its name begins */
    } places[] = {
        { "pg_statistic", "sta" },
        { "pg_stats", "most_common_" },
        { "pg_stats", "n_distinct" },
        { "pg_stats", "avg_width" },
        { "pg_stats", "correlation" },
        { "pg_stats", "elem_count_" },
        { "pg_stats_ext_exprs", "elem_count_" },
        { "pg_stats_ext", "n_distinct" },
        { "pg_stats_ext", "dependencies" },
        { "pg_stats_ext_exprs", "avg_width" },
        { "pg_stats_ext_exprs", "n_distinct" },
        { "pg_stats_ext_exprs", "correlation" },
        { "pg_attribute", "attmissingval" },
        { "pg_stats", "histogram_bounds" },
        { "pg_statistic_ext_data", "stxd" },
        { "pg_stats_ext", "most_common_" },
        { "pg_stats_ext_exprs", "most_common_" },
        { "pg_stats_ext_exprs", "histogram" },
        { "pg_stat_activity", "query" },
        { "pg_stat_statements", "query" },
        { "pg_cursors", "statement" },
        { "pg_largeobject", "data" },
        { "pg_prepared_statements", "statement" },
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(relation->name, places[i].relation) == 0 &&
            strncmp(column, places[i].column, strlen(places[i].column)) == 0)
            return true;
    return tells_of_writes(relation->name, column);
}

/* The columns of a view's query; NULL when it can't be followed. */
static struct rows *definition_rows(struct follow *f, const struct catalog_relation *view)
{
    if (!view->definition || f->views >= LINEAGE_VIEWS_MAX)
        return NULL;
    const Node *query = definition_tree(view->definition);
    if (!query)
        return NULL;
    const struct cte *ctes = f->ctes;
    f->ctes = NULL;
    f->views++;
    f->quiet++;
    struct rows *rows = query_rows(f, NULL, query);
    f->quiet--;
    f->views--;
    f->ctes = ctes;
    return rows && rows->known && rows->n == view->n_columns ? rows : NULL;
}

static bool is_view(const struct catalog_relation *relation)
{
    return relation->kind == 'v' || relation->kind == 'm';
}

enum { TIES_PER_STEP = 16 };

/* Rows of others go or change along, by foreign keys; when they may not, the error quotes them whole. */
static void follow_along(struct follow *f, const struct catalog_relation *relation)
{
    f->writes = false;
    for (size_t i = 0; i < relation->n_followers; i++) {
        RangeVar *table = palloc0(sizeof *table);
        NodeSetTag(table, T_RangeVar);
        table->schemaname = pstrdup(relation->followers[i].schema);
        table->relname = pstrdup(relation->followers[i].name);
        f->out->quotes |= rows_all(table_rows(f, table)).mask != NULL;
    }
    f->writes = true;
}

static struct rows *relation_rows(struct follow *f, const struct catalog_relation *relation)
{
    if (f->writes)
        follow_along(f, relation);
    f->work += relation->n_columns * (1 + relation->n_ties / TIES_PER_STEP);
    struct rows *rows = rows_new(!relation->overflow);
    bool system = relation->oid < CATALOG_PINNED;
    struct rows *definition = NULL;
    struct fate assumed = FATE_SHOWN;
    uint16_t last = 0;
    if (relation->overflow || relation->kind == 't') /* what is kept out of line is anybody's */
        assumed = fate_worst(f);
    else if (is_view(relation) && !system && !(definition = definition_rows(f, relation)))
        assumed = fate_worst(f);
    rows->any = rows->known ? FATE_SHOWN : assumed;
    for (size_t i = 0; i < relation->n_columns; i++) {
        const char *name = relation->columns[i].name;
        struct fate fate = source_fate(f, relation, &relation->columns[i]);
        if (!fate.mask && (definition || assumed.mask || shows_others(relation, name)))
            fate = definition ? definition->fates[i] : assumed.mask ? assumed : fate_worst(f);
        rows_append(rows, pstrdup(name), fate);
        if (fate.mask)
            follow_origin(f, relation->oid, relation->columns[i].number, 0, fate);
        last = relation->columns[i].number > last ? relation->columns[i].number : last;
    }
    follow_origin(f, relation->oid, 0, last, FATE_SHOWN);
    return rows;
}

static bool same_columns(const struct catalog_relation *a, const struct catalog_relation *b)
{
    if (a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (strcmp(a->columns[i].name, b->columns[i].name) != 0)
            return false;
    return true;
}

/* What one name may mean: each of them. */
static struct rows *meaning_rows(struct follow *f, const struct scope_meaning *meaning)
{
    f->temporary = f->temporary || meaning->temporary || meaning->fresh;
    if (meaning->unsettled || meaning->too_many) {
        f->touches = true;
        struct rows *rows = rows_new(false);
        rows->any = fate_worst(f);
        return rows;
    }
    if (meaning->n == 0)
        return rows_new(false); /* fresh: whatever is in it was written there as unmasked */
    struct rows *rows = relation_rows(f, meaning->relations[0]);
    for (size_t i = 1; i < meaning->n; i++) {
        struct rows *other = relation_rows(f, meaning->relations[i]);
        bool same = rows->known && other->known && same_columns(meaning->relations[0], meaning->relations[i]);
        if (!same) {
            rows->any = fate_mix(rows_all(rows), rows_all(other));
            rows->known = false;
        }
        for (size_t k = 0; same && k < rows->n; k++)
            rows->fates[k] = fate_either(rows->fates[k], other->fates[k]);
    }
    rows->known = rows->known && !meaning->fresh && !meaning->temporary;
    rows->listed = rows->known;
    return rows;
}

struct rows *table_rows(struct follow *f, const RangeVar *relation)
{
    struct scope_meaning meaning;
    memset(&meaning, 0, sizeof meaning);
    switch (scope_relation(f->scope, relation->schemaname, relation->relname, &meaning)) {
    case CATALOG_FOUND:
        if (follow_exhausted(f))
            break;
        return meaning_rows(f, &meaning);
    case CATALOG_WANTED:
        f->out->wanted = true;
        break;
    case CATALOG_ABSENT:
        break;
    }
    struct rows *rows = rows_new(false);
    rows->any = fate_worst(f);
    return rows;
}

struct fate table_column(struct follow *f, const RangeVar *relation, const char *column)
{
    struct fate fate = FATE_SHOWN;
    return rows_find(table_rows(f, relation), column, &fate) ? fate : FATE_SHOWN;
}

/* Of PostgreSQL's own functions, those that read tables, files or other sessions by themselves. */
static bool reads_by_itself(const char *name)
{
    static const char *const names[] = { "ts_stat",
                                         "ts_rewrite",
                                         "lo_get",
                                         "loread",
                                         "pg_read_file",
                                         "pg_read_binary_file",
                                         "pg_stat_get_activity" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strstr(name, "_to_xml") != NULL || strncmp(name, "pg_logical_slot_", 16) == 0 ||
           strncmp(name, "pg_stat_get_backend_", 20) == 0 || strncmp(name, "pg_current_wal_", 15) == 0 ||
           strncmp(name, "pg_stat_get_wal", 15) == 0 || strstr(name, "hot_updated") != NULL ||
           (strncmp(name, "pg_stat_get_", 12) == 0 && strstr(name, "blocks_") != NULL);
}

/* Those whose arguments are statements. */
static bool runs_statements(const char *name)
{
    return strstr(name, "_to_xml") != NULL || strcmp(name, "ts_stat") == 0 || strcmp(name, "ts_rewrite") == 0;
}

static bool is_pure(const struct catalog_function *function)
{
    return (strcmp(function->language, "internal") == 0 || strcmp(function->language, "c") == 0) &&
           function->volatility == 'i' && function->trusted_owner;
}

struct fate function_fate(struct follow *f, const List *names, int n_arguments, bool *ret_keeps)
{
    const char *name = strVal(llast(names));
    const char *schema = list_length(names) > 1 ? strVal(list_nth(names, list_length(names) - 2)) : NULL;
    struct fate guess = fate_worst(f);
    guess.guessed = true;
    bool unsettled = false;
    *ret_keeps = true;
    enum catalog_answer answer = scope_function(f->scope, schema, name, &unsettled);
    if (answer == CATALOG_WANTED)
        f->out->wanted = true;
    f->opaque = f->opaque || unsettled;
    guess.guessed = !unsettled;
    if (answer != CATALOG_FOUND || unsettled)
        return guess;
    bool own = false, pure = true;
    const struct catalog_function *function;
    for (size_t cursor = 0; scope_next_function(f->scope, schema, name, n_arguments, &cursor, &function);) {
        own |= function->oid < CATALOG_PINNED;
        pure = pure && (function->oid < CATALOG_PINNED || is_pure(function));
    }
    if (!pure) { /* what it finds in a table may be what somebody asks for by its arguments */
        guess.guessed = false;
        f->opaque = true;
        return guess;
    }
    *ret_keeps = own && sql_function_fame(name) != SQL_FUNCTION_HARMLESS;
    if (!own || !reads_by_itself(name))
        return FATE_SHOWN;
    f->touches = true;
    if (runs_statements(name)) /* that it fails, or finds nothing, is an answer */
        follow_predicate(f, fate_worst(f), name);
    return fate_worst(f);
}

enum catalog_answer function_fate_if(struct follow *f, const List *names, int n_arguments, bool *ret_keeps)
{
    const struct catalog_function *function;
    size_t cursor = 0;
    bool unsettled = false;
    const char *name = strVal(llast(names));
    enum catalog_answer answer = scope_function(f->scope, NULL, name, &unsettled);
    (void)function_fate(f, names, n_arguments, ret_keeps);
    if (answer == CATALOG_FOUND && !unsettled &&
        !scope_next_function(f->scope, NULL, name, n_arguments, &cursor, &function))
        return CATALOG_ABSENT;
    return answer;
}
