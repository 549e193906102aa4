/* Effects from parse nodes: names joined, indexes instead of pointers (the list moves as it grows). */
#include "policy/sql_walk.h"

#include <errno.h>

enum effect_kind sql_kind(const struct context *context, enum effect_kind kind)
{
    return context->planned ? EFFECT_EXPLAIN : kind;
}

int sql_emit(struct walk *walk, enum effect_kind kind, enum object_kind object_kind, const char *object)
{
    if (!sql_work(walk, 1))
        return SQL_NOWHERE;
    struct effect *effect;
    int r = effects_add(&walk->statement->effects, kind, object ? object_kind : OBJECT_NONE, object, &effect);
    if (r < 0) {
        sql_fail(walk, r);
        return SQL_NOWHERE;
    }
    return (int)(effect - walk->statement->effects.items);
}

void sql_emit_unknown(struct walk *walk, const char *why)
{
    if (!sql_work(walk, 1))
        return;
    int r = effects_add_why(&walk->statement->effects, EFFECT_UNKNOWN, why);
    if (r < 0)
        sql_fail(walk, r);
}

static bool append(char *out, size_t *n, const char *bytes, size_t count)
{
    if (*n + count >= EFFECT_NAME_MAX)
        return false;
    memcpy(out + *n, bytes, count);
    *n += count;
    out[*n] = '\0';
    return true;
}

/* A dot inside of a name must not look like the one between schema and name. */
static bool append_name(char *out, size_t *n, const char *name)
{
    if (*n && !append(out, n, ".", 1))
        return false;
    if (!strpbrk(name, ".\""))
        return append(out, n, name, strlen(name));
    if (!append(out, n, "\"", 1))
        return false;
    for (; *name; name++)
        if ((*name == '"' && !append(out, n, "\"", 1)) || !append(out, n, name, 1))
            return false;
    return append(out, n, "\"", 1);
}

/* Into out (EFFECT_NAME_MAX); false when they do not fit. */
static bool join_names(const List *names, int first, int end, char *out)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = first; i < end; i++) {
        const Node *name = list_nth(names, i);
        if (name && IsA(name, String) && !append_name(out, &n, strVal(name)))
            return false;
    }
    return true;
}

bool sql_join_names(const List *names, char *out)
{
    return join_names(names, 0, list_length(names), out);
}

static int emit_names(struct walk *walk, enum effect_kind kind, enum object_kind object_kind,
                      const List *names, int first, int end)
{
    char object[EFFECT_NAME_MAX];
    if (!join_names(names, first, end, object)) {
        sql_fail(walk, -ENAMETOOLONG);
        return SQL_NOWHERE;
    }
    return sql_emit(walk, kind, object_kind, *object ? object : NULL);
}

int sql_emit_names(struct walk *walk, enum effect_kind kind, enum object_kind object_kind, const List *names)
{
    return emit_names(walk, kind, object_kind, names, 0, list_length(names));
}

int sql_emit_table_names(struct walk *walk, enum effect_kind kind, const List *names, int drop)
{
    int end = list_length(names) - drop;
    return emit_names(walk, kind, OBJECT_TABLE, names, end > 2 ? end - 2 : 0, end);
}

void sql_emit_harmless(struct walk *walk, enum effect_kind kind, const List *names)
{
    char object[EFFECT_NAME_MAX];
    if (!sql_work(walk, 1))
        return;
    int r = join_names(names, 0, list_length(names), object)
                ? effects_add_harmless(&walk->statement->effects, kind, object)
                : -ENAMETOOLONG;
    if (r < 0)
        sql_fail(walk, r);
}

int sql_emit_relation(struct walk *walk, enum effect_kind kind, const RangeVar *relation)
{
    char object[EFFECT_NAME_MAX] = "";
    size_t n = 0;
    if (!relation)
        return sql_emit(walk, kind, OBJECT_NONE, NULL);
    /* A database in front can only be the current one: the server refuses others. */
    const char *schema = relation->schemaname;
    if (!schema && relation->relpersistence == SQL_TEMPORARY)
        schema = "pg_temp";
    if ((schema && !append_name(object, &n, schema)) || !append_name(object, &n, relation->relname)) {
        sql_fail(walk, -ENAMETOOLONG);
        return SQL_NOWHERE;
    }
    return sql_emit(walk, kind, OBJECT_TABLE, object);
}

void sql_emit_column(struct walk *walk, int effect, const char *column)
{
    if (effect == SQL_NOWHERE || !sql_work(walk, 1))
        return;
    struct effect *e = &walk->statement->effects.items[effect];
    int r = effect_add_column(e, column);
    if (r < 0)
        sql_fail(walk, r);
    size_t compared = 0; /* adding looks through all that are there */
    while (e->columns && e->columns[compared])
        compared++;
    (void)sql_work(walk, compared);
}

void sql_mark_unbounded(struct walk *walk, int effect)
{
    if (effect != SQL_NOWHERE)
        walk->statement->effects.items[effect].unbounded_write = true;
}
