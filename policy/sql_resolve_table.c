/* Tables for what they are: a view is itself and what its definition reads, a partition is known by its
 * parents' names, too. What stands on a table for everybody who writes to it (triggers, defaults, foreign
 * keys that take rows along) is named for rules that refuse, but is covered by the right to write to it: it
 * is the table owner's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/sql_resolve_parts.h"

enum { HIDDEN_CALLS_MAX = 64 };

static bool is_write(enum effect_kind kind)
{
    return kind == EFFECT_INSERT || kind == EFFECT_UPDATE || kind == EFFECT_DELETE || kind == EFFECT_MERGE ||
           kind == EFFECT_TRUNCATE || kind == EFFECT_COPY_FROM;
}

static bool takes_along(enum effect_kind kind)
{
    return kind == EFFECT_UPDATE || kind == EFFECT_DELETE || kind == EFFECT_MERGE;
}

/* Kinds under which a view is opened. */
static bool is_use(enum effect_kind kind)
{
    return is_write(kind) || kind == EFFECT_SELECT || kind == EFFECT_EXPLAIN || kind == EFFECT_LOCK ||
           kind == EFFECT_COPY_TO || kind == EFFECT_COPY_FILE || kind == EFFECT_COPY_PROGRAM;
}

static bool has_rows(const struct catalog_relation *rel)
{
    return strchr("rvmpf", rel->kind) != NULL;
}

static struct effect *put(struct resolver *r, const struct effect *effect, const char *schema,
                          const char *name)
{
    char object[EFFECT_NAME_MAX];
    struct effect *put = NULL;
    int error = name_join(object, schema, name)
                    ? effects_add(r->out, effect->kind, OBJECT_TABLE, object, &put)
                    : -ENAMETOOLONG;
    resolve_fail(r, error);
    if (error < 0)
        return NULL;
    put->unbounded_write |= effect->unbounded_write;
    for (char **column = effect->columns; column && *column; column++)
        resolve_fail(r, effect_add_column(put, *column));
    return put;
}

static void put_also(struct resolver *r, struct effect *effect, const struct catalog_name *names, size_t n)
{
    char object[EFFECT_NAME_MAX];
    for (size_t i = 0; i < n; i++)
        resolve_fail(r, name_join(object, names[i].schema, names[i].name) ? effect_add_also(effect, object)
                                                                          : -ENAMETOOLONG);
}

static void put_harmless(struct resolver *r, enum effect_kind kind, const struct catalog_name *names,
                         size_t n)
{
    char object[EFFECT_NAME_MAX];
    for (size_t i = 0; i < n; i++)
        resolve_fail(r, name_join(object, names[i].schema, names[i].name)
                            ? effects_add_harmless(r->out, kind, object)
                            : -ENAMETOOLONG);
}

/* ---- columns ---- */

static bool has_column(const struct catalog_relation *rel, const char *name)
{
    static const char *const system[] = { "*", "ctid", "xmin", "cmin", "xmax", "cmax", "tableoid" };
    for (size_t i = 0; i < rel->n_columns; i++)
        if (strcmp(rel->columns[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        if (strcmp(system[i], name) == 0)
            return true;
    return false;
}

/* table.name is a call where the table has no such column. */
static void check_columns(struct resolver *r, const struct effect *effect, const struct catalog_relation *rel)
{
    size_t calls = 0;
    for (char **column = effect->columns; column && *column; column++) {
        if (has_column(rel, *column))
            continue;
        if (++calls > HIDDEN_CALLS_MAX) {
            resolve_unknown(r, "too many names that are no columns of %s", rel->name);
            return;
        }
        resolve_hidden_call(r, *column);
    }
}

/* Of a table that the catalog does not show yet: any column may be none, and of any type. */
static void check_unseen(struct resolver *r, const struct effect *effect)
{
    static const struct catalog_relation nothing = { .name = "a table that was just made" };
    r->own_types = true;
    check_columns(r, effect, &nothing);
}

static void note_types(struct resolver *r, const struct catalog_relation *rel)
{
    for (size_t i = 0; i < rel->n_columns && !r->own_types; i++)
        r->own_types = rel->columns[i].own_type;
}

/* ---- views ---- */

static bool was_visited(struct resolver *r, uint32_t oid, enum effect_kind kind)
{
    for (size_t i = 0; i < r->n_visited; i++)
        if (r->visited[i].oid == oid && r->visited[i].kind == kind)
            return true;
    if (r->n_visited == RESOLVE_VISITED_MAX) {
        resolve_fail(r, -ENOBUFS);
        return true;
    }
    r->visited[r->n_visited].oid = oid;
    r->visited[r->n_visited++].kind = kind;
    return false;
}

/* What the definition has by text: reads stay reads, and through a view that is written to, its tables are.
 */
static void open_definition(struct resolver *r, const struct effect *effect,
                            const struct sql_statement *definition)
{
    enum effect_kind reads =
        effect->kind == EFFECT_EXPLAIN || effect->kind == EFFECT_LOCK ? effect->kind : EFFECT_SELECT;
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    for (size_t i = 0; i < definition->effects.count && !r->error; i++) {
        struct effect inner = definition->effects.items[i];
        inner.kind = inner.kind == EFFECT_SELECT ? reads : inner.kind;
        resolve_effect(r, &inner, true);
        if (inner.object_kind != OBJECT_TABLE || !is_write(effect->kind))
            continue;
        static char star[] = "*";
        char *all[] = { star, NULL };
        inner.kind = effect->kind;
        inner.unbounded_write = effect->unbounded_write;
        inner.columns = all;
        resolve_effect(r, &inner, true);
    }
    while (sql_next_fact(&definition->facts, &cursor, &fact, &text))
        r->own_types = r->own_types || fact == SQL_FACT_TYPE;
}

static void open_view(struct resolver *r, const struct effect *effect, const struct catalog_relation *rel)
{
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    if (was_visited(r, rel->oid, effect->kind))
        return;
    if (!rel->definition || r->depth == RESOLVE_DEPTH_MAX) {
        resolve_unknown(r, "the definition of the view %s is too long or too deep", rel->name);
        return;
    }
    int error = sql_parse(rel->definition, &request);
    resolve_fail(r, error);
    if (error < 0)
        return;
    if (request->count != 1 || request->statements[0].effects.count == 0 ||
        request->statements[0].effects.items[0].kind == EFFECT_UNPARSABLE) {
        resolve_unknown(r, "the definition of the view %s is not understood", rel->name);
        return;
    }
    r->depth++;
    open_definition(r, effect, &request->statements[0]);
    r->depth--;
}

/* ---- one relation ---- */

static void put_write(struct resolver *r, const struct effect *effect, const struct catalog_relation *rel)
{
    if (rel->rewritten)
        resolve_unknown(r, "rules on %s rewrite what is written to it", rel->name);
    if (rel->kind == 'v')
        for (size_t i = 0; i < rel->n_triggers; i++)
            resolve_called(r, &rel->triggers[i], "a trigger stands for the view");
    else
        put_harmless(r, effect->kind, rel->triggers, rel->n_triggers);
    put_harmless(r, effect->kind, rel->defaults, rel->n_defaults);
}

/* Indexes and statistics are computed anew; REFRESH runs the query. */
static void put_upkeep(struct resolver *r, const struct effect *effect, const struct catalog_relation *rel)
{
    put_harmless(r, effect->kind, rel->defaults, rel->n_defaults);
    if (rel->kind == 'm')
        open_view(r, effect, rel);
}

static void put_relation(struct resolver *r, const struct effect *effect, const struct catalog_relation *rel)
{
    struct effect *own = put(r, effect, rel->schema, rel->name);
    if (!own)
        return;
    put_also(r, own, rel->ancestors, rel->n_ancestors);
    put_also(r, own, rel->descendants, rel->n_descendants);
    if (effect->kind == EFFECT_ALTER)
        note_types(r, rel);
    if (effect->kind == EFFECT_MAINTENANCE)
        put_upkeep(r, effect, rel);
    if (!is_use(effect->kind))
        return;
    if (takes_along(effect->kind))
        put_also(r, own, rel->followers, rel->n_followers);
    if (rel->overflow)
        resolve_unknown(r, "too much hangs on %s to look at all of it", rel->name);
    if (is_write(effect->kind))
        put_write(r, effect, rel);
    else if (rel->row_security)
        put_harmless(r, effect->kind, rel->defaults, rel->n_defaults);
    if (has_rows(rel))
        check_columns(r, effect, rel);
    note_types(r, rel);
    bool view = rel->kind == 'v' || rel->kind == 'm';
    if (view && rel->oid >= CATALOG_PINNED)
        open_view(r, effect, rel);
}

static void put_unseen(struct resolver *r, const struct effect *effect, const struct name_parts *name)
{
    const char *schema = name->qualified ? name->schema : scope_making_schema(r->scope);
    (void)put(r, effect, schema, name->name);
}

void resolve_table(struct resolver *r, const struct effect *effect, const struct name_parts *name)
{
    struct scope_meaning meaning = { .n = 0 };
    enum catalog_answer answer =
        scope_relation(r->scope, name->qualified ? name->schema : NULL, name->name, &meaning);
    if (answer == CATALOG_ABSENT && !r->asked)
        answer = scope_doubt_relation(r->scope, name->name);
    if (answer == CATALOG_WANTED) {
        r->wants = true;
        return;
    }
    if (answer == CATALOG_ABSENT) {
        put_unseen(r, effect, name); /* made now, or it will fail, in the server's own words */
        return;
    }
    for (size_t i = 0; i < meaning.n; i++)
        put_relation(r, effect, meaning.relations[i]);
    if (meaning.temporary)
        (void)put(r, effect, "pg_temp", name->name);
    if (meaning.fresh || meaning.unsettled)
        put_unseen(r, effect, name);
    if ((meaning.temporary || meaning.fresh) && is_use(effect->kind))
        check_unseen(r, effect);
    if (meaning.unsettled && is_use(effect->kind))
        resolve_unknown(r, "%s may have changed in a transaction that is not over: COMMIT first", name->name);
    if (meaning.too_many)
        resolve_unknown(r, "there are too many tables of the name %s", name->name);
}
