/* Functions for what they are.
 *
 * Which of several of one name is called depends on the types of the arguments, which are not known here: all
 * that the session's search_path reaches may be meant, and when one of them is not harmless, the call is not.
 *
 * Harmless are PostgreSQL's own that the table of sql_functions.c lists, and of others those of a superuser
 * in C that are not volatile (extensions), and in SQL when they are immutable. What others claim of their
 * functions proves nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/sql_functions.h"
#include "policy/sql_resolve_parts.h"

enum { NOTE_MAX = 160 };

/* Of extensions, stable by their own word, and run or read what their arguments say. */
static bool runs_queries(const char *name)
{
    static const char *const names[] = { "crosstab",  "crosstab2", "crosstab3",
                                         "crosstab4", "connectby", "xpath_table" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_own(const struct catalog_function *f)
{
    return f->oid < CATALOG_PINNED;
}

static bool is_harmless(const struct catalog_function *f)
{
    if (f->kind == 'p')
        return false;
    if (is_own(f))
        return strcmp(f->schema, "pg_catalog") == 0 ? sql_function_fame(f->name) == SQL_FUNCTION_HARMLESS
                                                    : f->volatility != 'v';
    if (f->security_definer || !f->trusted_owner || !f->harmless_parts || runs_queries(f->name))
        return false;
    if (strcmp(f->language, "c") == 0 || strcmp(f->language, "internal") == 0)
        return f->volatility != 'v';
    return strcmp(f->language, "sql") == 0 && f->volatility == 'i';
}

static const char *note_of(const struct catalog_function *f, char out[NOTE_MAX])
{
    if (is_own(f))
        return NULL;
    (void)snprintf(out, NOTE_MAX, "%s%s%s%s, of %.64s", f->security_definer ? "security definer, " : "",
                   f->volatility == 'v' ? "volatile, " : "", f->trusted_language ? "" : "untrusted ",
                   f->language, f->owner);
    return out;
}

/* True when it is not harmless; it is put down then, or in any case when the kind is another. */
static bool put_function(struct resolver *r, enum effect_kind kind, const struct catalog_function *f)
{
    char object[EFFECT_NAME_MAX], note[NOTE_MAX];
    r->own_types = r->own_types || !is_own(f);
    if (kind == EFFECT_FUNCTION && is_harmless(f))
        return false;
    resolve_fail(r, name_join(object, f->schema, f->name)
                        ? effects_add_function(r->out, kind, object, note_of(f, note))
                        : -ENAMETOOLONG);
    return true;
}

/* Operators have names that functions have not. */
static bool is_operator(const char *name)
{
    return *name && strspn(name, "+-*/<>=~!@#%^&|`?") == strlen(name);
}

void resolve_called(struct resolver *r, const struct catalog_name *function, const char *why)
{
    char object[EFFECT_NAME_MAX];
    resolve_fail(r, name_join(object, function->schema, function->name)
                        ? effects_add_function(r->out, EFFECT_FUNCTION, object, why)
                        : -ENAMETOOLONG);
}

/* pg_temp is the session's own schema of that kind, whatever its number. */
static bool is_schema(const char *schema, const char *wanted)
{
    static const char temporary[] = "pg_temp";
    if (!wanted || strcmp(schema, wanted) == 0)
        return true;
    return strncmp(wanted, temporary, strlen(temporary)) == 0 &&
           strncmp(schema, temporary, strlen(temporary)) == 0;
}

static void resolve_operator(struct resolver *r, const char *schema, const char *name)
{
    r->calls_operator = true;
    for (size_t i = 0; i < r->basics->n_operators; i++)
        if (strcmp(r->basics->operators[i].name, name) == 0 &&
            is_schema(r->basics->operators[i].schema, schema))
            resolve_called(r, &r->basics->operators[i].function, "an operator calls it");
}

/* All that may be meant; true when one of them is not harmless. */
static bool put_candidates(struct resolver *r, enum effect_kind kind, const char *schema, const char *name,
                           bool *ret_any)
{
    const struct catalog_function *f = NULL;
    size_t cursor = 0;
    bool harmful = false;
    *ret_any = false;
    while (scope_next_function(r->scope, schema, name, -1, &cursor, &f)) {
        *ret_any = true;
        harmful |= put_function(r, kind, f);
    }
    return harmful;
}

void resolve_function(struct resolver *r, const struct effect *effect, bool catalog_only)
{
    struct name_parts parts;
    bool unsettled = false, any = false;
    name_split(effect->object, &parts);
    const char *schema = parts.qualified ? parts.schema : catalog_only ? "pg_catalog" : NULL;
    if (is_operator(parts.name)) {
        resolve_operator(r, schema, parts.name);
        return;
    }
    enum catalog_answer answer = scope_function(r->scope, schema, parts.name, &unsettled);
    if (answer == CATALOG_WANTED) {
        r->wants = true;
        return;
    }
    enum effect_kind kind = effect->kind == EFFECT_CALL ? EFFECT_CALL : EFFECT_FUNCTION;
    bool harmful = put_candidates(r, kind, schema, parts.name, &any);
    if (unsettled) {
        resolve_fail(r, effects_add_function(r->out, kind, effect->object,
                                             "it was made or changed in a transaction that is not over"));
        return;
    }
    if (!any)
        resolve_copy(r, effect);
    else if (!harmful)
        resolve_fail(
            r, effects_add_harmless(r->out, effect->harmless_call ? effect->kind : r->query, effect->object));
}

void resolve_hidden_call(struct resolver *r, const char *name)
{
    bool unsettled = false, any = false;
    enum catalog_answer answer = scope_function(r->scope, NULL, name, &unsettled);
    if (answer == CATALOG_WANTED)
        r->wants = true;
    else if (answer == CATALOG_FOUND || unsettled)
        (void)put_candidates(r, EFFECT_FUNCTION, NULL, name, &any);
    if (unsettled)
        resolve_fail(r, effects_add_function(r->out, EFFECT_FUNCTION, name,
                                             "it was made or changed in a transaction that is not over"));
}
