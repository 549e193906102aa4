/* Effects by text to effects by catalog.
 *
 * The statement's own effects are only read: when something is not known, the result is thrown away, the
 * wants are fetched, and everything is done again. Every pass goes on after a first want, so that one round
 * trip fetches what can be known to be needed. */
#include "policy/sql_resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "policy/sql_resolve_parts.h"

void resolve_fail(struct resolver *r, int error)
{
    if (error < 0 && !r->error)
        r->error = error;
}

void resolve_unknown(struct resolver *r, const char *format, const char *name)
{
    char why[EFFECT_NAME_MAX];
    /* The formats are this folder's own, each with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(why, sizeof why, format, name);
#pragma GCC diagnostic pop
    resolve_fail(r, effects_add_why(r->out, EFFECT_UNKNOWN, why));
}

void resolve_copy(struct resolver *r, const struct effect *effect)
{
    const struct effects one = { .items = (struct effect *)(uintptr_t)effect, .count = 1 };
    resolve_fail(r, effects_append(r->out, &one));
}

static bool is_definition(enum effect_kind kind)
{
    return kind == EFFECT_CREATE || kind == EFFECT_ALTER || kind == EFFECT_DROP || kind == EFFECT_GRANT ||
           kind == EFFECT_COMMENT;
}

void resolve_effect(struct resolver *r, const struct effect *effect, bool catalog_only)
{
    if (effect->object_kind == OBJECT_TABLE && effect->object) {
        struct name_parts name;
        name_split(effect->object, &name);
        if (catalog_only && !name.qualified) {
            memcpy(name.schema, "pg_catalog", sizeof "pg_catalog");
            name.qualified = true;
        }
        resolve_table(r, effect, &name);
    } else if (effect->object_kind == OBJECT_FUNCTION && effect->object && !is_definition(effect->kind)) {
        resolve_function(r, effect, catalog_only);
    } else {
        resolve_copy(r, effect);
    }
}

/* ---- facts ---- */

static void resolve_regclass(struct resolver *r, const char *text)
{
    struct name_parts name;
    char object[EFFECT_NAME_MAX];
    if (!name_read(text, &name) || !name_join(object, name.qualified ? name.schema : NULL, name.name))
        return;
    const struct effect effect = {
        .kind = r->query == EFFECT_EXPLAIN ? EFFECT_EXPLAIN : EFFECT_SELECT,
        .object_kind = OBJECT_TABLE,
        .object = object,
    };
    resolve_table(r, &effect, &name);
}

/* BETWEEN, and what is compared without an operator being written. */
static bool is_implied(const char *operator)
{
    static const char *const implied[] = { "=", "<", ">", "<=", ">=" };
    for (size_t i = 0; i < sizeof implied / sizeof implied[0]; i++)
        if (strcmp(implied[i], operator) == 0)
            return true;
    return false;
}

static bool is_mentioned(const struct sql_facts *facts, const char *operator)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    if (facts->overflow || is_implied(operator))
        return true;
    while (sql_next_fact(facts, &cursor, &fact, &text))
        if (fact == SQL_FACT_OPERATOR && strcmp(text, operator) == 0)
            return true;
    return false;
}

static void resolve_operators(struct resolver *r, const struct sql_facts *facts)
{
    for (size_t i = 0; i < r->basics->n_operators; i++)
        if (is_mentioned(facts, r->basics->operators[i].name) &&
            scope_reaches(r->scope, r->basics->operators[i].schema))
            resolve_called(r, &r->basics->operators[i].function, "an operator calls it");
}

static void note_type(struct resolver *r, const char *text)
{
    struct name_parts name;
    const struct catalog_type *types = NULL;
    size_t n = 0;
    name_split(text, &name);
    enum catalog_answer answer = catalog_types(scope_catalog(r->scope), name.name, &types, &n);
    if (answer == CATALOG_WANTED)
        r->wants = true;
    else if (answer == CATALOG_ABSENT)
        r->own_types = true; /* an array's name, or one that is not settled */
    for (size_t i = 0; answer == CATALOG_FOUND && i < n; i++)
        r->own_types = r->own_types || types[i].oid >= CATALOG_PINNED;
}

/* A definition of this transaction may have given operators, casts and domains another meaning. */
static void resolve_upheaval(struct resolver *r, const struct sql_facts *facts)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    bool mentions = facts->overflow || r->calls_operator;
    while (!mentions && sql_next_fact(facts, &cursor, &fact, &text))
        mentions = fact == SQL_FACT_TYPE || fact == SQL_FACT_OPERATOR;
    if (mentions && scope_is_upheaved(r->scope))
        resolve_unknown(r, "%s may have changed in a transaction that is not over: COMMIT first",
                        "operators and types");
}

/* Casts and checks of domains run wherever a value changes its type; where is not followed. So they count as
 * soon as the statement has to do with a type that they may be about. */
static void resolve_casts(struct resolver *r, const struct sql_facts *facts)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    if (r->basics->n_casts == 0)
        return;
    while (sql_next_fact(facts, &cursor, &fact, &text))
        if (fact == SQL_FACT_TYPE)
            note_type(r, text);
    for (size_t i = 0; i < r->basics->n_casts; i++)
        if (!r->basics->casts[i].own_types || r->own_types || facts->overflow)
            resolve_called(r, &r->basics->casts[i].function, "a cast or a domain calls it");
}

static bool computes(enum effect_kind kind)
{
    switch (kind) {
    case EFFECT_SELECT:
    case EFFECT_INSERT:
    case EFFECT_UPDATE:
    case EFFECT_DELETE:
    case EFFECT_MERGE:
    case EFFECT_COPY_TO:
    case EFFECT_COPY_FROM:
    case EFFECT_COPY_FILE:
    case EFFECT_COPY_PROGRAM:
    case EFFECT_CALL:
    case EFFECT_FUNCTION:
    case EFFECT_EXPLAIN:
    case EFFECT_CREATE: /* defaults, indexes and constraints are computed for the rows that are there */
    case EFFECT_ALTER:
        return true;
    default:
        return false;
    }
}

static void resolve_facts(struct resolver *r, const struct sql_statement *statement)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    bool computing = false;
    while (sql_next_fact(&statement->facts, &cursor, &fact, &text))
        if (fact == SQL_FACT_REGCLASS)
            resolve_regclass(r, text);
        else if (fact == SQL_FACT_FIELD)
            resolve_hidden_call(r, text);
    for (size_t i = 0; i < statement->effects.count; i++)
        computing = computing || computes(statement->effects.items[i].kind);
    if (!computing)
        return;
    resolve_operators(r, &statement->facts);
    resolve_casts(r, &statement->facts);
    resolve_upheaval(r, &statement->facts);
    if (r->basics->overflow)
        resolve_unknown(r, "the target has too many %s that call functions", "operators and casts");
}

/* ---- the statement ---- */

static enum effect_kind heart_of(const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        if (computes(effects->items[i].kind) && effects->items[i].kind != EFFECT_FUNCTION &&
            effects->items[i].kind != EFFECT_CREATE && effects->items[i].kind != EFFECT_ALTER)
            return effects->items[i].kind;
    return EFFECT_SELECT;
}

/* What goes along, and nobody has named. */
static int add_cascade(struct effects *ret, const struct sql_statement *statement)
{
    bool truncates = statement->effects.count > 0 && statement->effects.items[0].kind == EFFECT_TRUNCATE;
    return effects_add(ret, truncates ? EFFECT_TRUNCATE : EFFECT_DROP, OBJECT_NONE, NULL, NULL);
}

static int too_much(struct effects *ret, int error)
{
    effects_free(ret);
    return effects_add_why(ret, EFFECT_UNPARSABLE,
                           error == -ENAMETOOLONG ? "a name in it is too long"
                                                  : "it does too many different things");
}

/* Nothing that the catalog could tell: BEGIN, SET, SHOW … */
static bool is_plain(const struct sql_statement *statement)
{
    if (statement->facts.n > 0 || statement->facts.overflow || statement->cascades)
        return false;
    for (size_t i = 0; i < statement->effects.count; i++) {
        const struct effect *e = &statement->effects.items[i];
        if (computes(e->kind) || e->object_kind == OBJECT_TABLE || e->object_kind == OBJECT_FUNCTION)
            return false;
    }
    return true;
}

int sql_resolve(struct scope *scope, const struct sql_statement *statement, bool asked, struct effects *ret)
{
    if (is_plain(statement))
        return effects_append(ret, &statement->effects);
    struct resolver r = {
        .scope = scope, .out = ret, .asked = asked, .query = heart_of(&statement->effects)
    };
    static const struct catalog_basics nothing = { .login = "" };
    r.wants = catalog_basics(scope_catalog(scope), &r.basics) != CATALOG_FOUND;
    if (r.wants)
        r.basics = &nothing;
    for (size_t i = 0; i < statement->effects.count && !r.error; i++)
        resolve_effect(&r, &statement->effects.items[i], false);
    resolve_facts(&r, statement);
    if (statement->cascades && !r.error)
        resolve_fail(&r, add_cascade(ret, statement));
    if (r.error == -ENOBUFS || r.error == -ENAMETOOLONG)
        return too_much(ret, r.error);
    if (r.error || r.wants)
        effects_free(ret);
    return r.error ? r.error : r.wants ? SQL_RESOLVE_WANTED : 0;
}

/* ---- what it changes ---- */

static bool makes_plainly(const struct sql_statement *statement, const char *name)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    while (sql_next_fact(&statement->facts, &cursor, &fact, &text))
        if ((fact == SQL_FACT_FRESH || fact == SQL_FACT_TEMPORARY) && strcmp(text, name) == 0)
            return true;
    return false;
}

static int names_change(const struct sql_statement *statement,
                        int (*to)(void *owner, enum scope_change change, const char *text), void *owner)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < statement->effects.count; i++) {
        const struct effect *e = &statement->effects.items[i];
        struct name_parts name;
        if (!e->object || (e->kind != EFFECT_CREATE && e->kind != EFFECT_ALTER && e->kind != EFFECT_DROP) ||
            (e->object_kind != OBJECT_TABLE && e->object_kind != OBJECT_FUNCTION))
            continue;
        name_split(e->object, &name);
        if (!makes_plainly(statement, name.name))
            r = to(owner, SCOPE_CHANGED, name.name);
    }
    return r;
}

int sql_changes(const struct sql_statement *statement,
                int (*to)(void *owner, enum scope_change change, const char *text), void *owner)
{
    size_t cursor = 0;
    enum sql_fact fact;
    const char *text;
    int r = 0;
    while (r >= 0 && sql_next_fact(&statement->facts, &cursor, &fact, &text)) {
        if (fact == SQL_FACT_FRESH)
            r = to(owner, SCOPE_FRESH_TABLE, text);
        else if (fact == SQL_FACT_TEMPORARY)
            r = to(owner, SCOPE_TEMPORARY, text);
        else if (fact == SQL_FACT_RENAMED)
            r = to(owner, SCOPE_CHANGED, text);
        else if (fact == SQL_FACT_PATH)
            r = to(owner, SCOPE_PATH, text);
    }
    /* Another role has another "$user", and other schemas that it may use. */
    for (size_t i = 0; r >= 0 && i < statement->effects.count; i++)
        if (statement->effects.items[i].kind == EFFECT_ROLE)
            r = to(owner, SCOPE_PATH, NULL);
    if (r >= 0 && (statement->any_path || statement->facts.overflow))
        r = to(owner, SCOPE_PATH, NULL);
    if (r >= 0 && (statement->change == SQL_CHANGES_EVERYTHING || statement->facts.overflow))
        r = to(owner, SCOPE_UPHEAVAL, NULL);
    if (r >= 0 && statement->change == SQL_CHANGES_NAMES)
        r = names_change(statement, to, owner);
    if (r >= 0 && statement->change != SQL_CHANGES_NOTHING)
        r = to(owner, SCOPE_STALE, NULL);
    return r < 0 ? r : 0;
}
