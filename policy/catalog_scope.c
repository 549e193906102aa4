/* Names, as one session reads them, at worst.
 *
 * A session's search_path is not known for certain: a SET may be rolled back, be local to a transaction that
 * is over, or never have run because the pipeline failed before it. So a scope keeps all values that it may
 * have, and a name means whatever it means under any of them. The same for what a transaction that is not
 * committed has made: it is added to what the catalog shows. Since whoever judges takes the strictest of all
 * meanings, that errs on the safe side only.
 *
 * What is unsettled in one session is so for all that share its catalog: between the moment when a definition
 * goes to the server and the moment when its transaction is known to be over, nobody can say which of the two
 * a statement of another session meets. */
#include "policy/catalog_scope.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "policy/catalog_parts.h"

enum { SCHEMAS_MAX = 64, NAME_MAX_SERVER = 63 };

struct path {
    char *text;
    char *names[SCHEMAS_MAX];
    size_t n;
    bool broken; /* not understood: any schema */
};

struct unsettled {
    char *name;
    bool fresh;
};

struct scope {
    struct scope *next; /* of the same catalog */
    struct catalog *catalog;
    struct path start, paths[SCOPE_PATHS_MAX]; /* start: the login's default, or the startup option's */
    bool own_start, anywhere;
    size_t n_paths;
    struct unsettled unsettled[SCOPE_UNSETTLED_MAX], temporary[SCOPE_UNSETTLED_MAX];
    size_t n_unsettled, n_temporary;
    bool upheaval, stale, temporary_overflow;
};

/* ---- search_path ---- */

static void path_clear(struct path *path)
{
    for (size_t i = 0; i < path->n; i++)
        free(path->names[i]);
    free(path->text);
    *path = (struct path){ .n = 0 };
}

static const char *skip_blanks(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* One identifier, as SplitIdentifierString() reads it; NULL: it does not. Behind it. */
static const char *read_name(const char *at, char out[NAME_MAX_SERVER + 1])
{
    size_t n = 0;
    bool quoted = *at == '"';
    for (at += quoted ? 1 : 0; *at; at++) {
        if (quoted && *at == '"' && *++at != '"')
            return n > 0 ? (out[n] = '\0', at) : NULL;
        if (!quoted && (*at == ',' || isspace((unsigned char)*at)))
            break;
        if (!quoted && (unsigned char)*at >= 0x80)
            return NULL; /* how the server folds its case depends on its locale */
        if (n == NAME_MAX_SERVER)
            return NULL; /* cut off by the server */
        out[n++] = (char)(quoted ? *at : tolower((unsigned char)*at));
    }
    out[n] = '\0';
    return n > 0 && !quoted ? at : NULL;
}

static bool path_read(struct path *path)
{
    const char *at = skip_blanks(path->text);
    if (!*at)
        return true;
    for (;;) {
        char name[NAME_MAX_SERVER + 1];
        at = read_name(at, name);
        if (!at || path->n == SCHEMAS_MAX || !(path->names[path->n] = strdup(name)))
            return false;
        path->n++;
        at = skip_blanks(at);
        if (!*at)
            return true;
        if (*at != ',')
            return false;
        at = skip_blanks(at + 1);
    }
}

static int path_set(struct path *path, const char *text)
{
    struct path fresh = { .text = strdup(text) };
    if (!fresh.text)
        return -ENOMEM;
    fresh.broken = !path_read(&fresh);
    path_clear(path);
    *path = fresh;
    return 0;
}

/* ---- birth and death ---- */

int scope_new(struct catalog *catalog, struct scope **ret)
{
    struct scope *scope = calloc(1, sizeof *scope);
    if (!scope)
        return -ENOMEM;
    scope->catalog = catalog;
    scope->next = *catalog_scopes(catalog);
    *catalog_scopes(catalog) = scope;
    *ret = scope;
    return 0;
}

static void names_clear(struct unsettled *names, size_t *n)
{
    while (*n > 0)
        free(names[--*n].name);
}

void scope_free(struct scope *scope)
{
    if (!scope)
        return;
    for (struct scope **slot = catalog_scopes(scope->catalog); *slot; slot = &(*slot)->next)
        if (*slot == scope) {
            *slot = scope->next;
            break;
        }
    scope_settle(scope);
    names_clear(scope->temporary, &scope->n_temporary);
    for (size_t i = 0; i < scope->n_paths; i++)
        path_clear(&scope->paths[i]);
    path_clear(&scope->start);
    free(scope);
}

struct catalog *scope_catalog(const struct scope *scope)
{
    return scope->catalog;
}

uint64_t scope_generation(const struct scope *scope)
{
    catalog_use(scope->catalog);
    return catalog_generation(scope->catalog);
}

/* ---- what statements do to it ---- */

static void go_anywhere(struct scope *scope)
{
    if (!scope->anywhere)
        catalog_moved(scope->catalog);
    scope->anywhere = true;
}

int scope_start_path(struct scope *scope, const char *search_path)
{
    scope->own_start = true;
    catalog_moved(scope->catalog);
    return path_set(&scope->start, search_path);
}

static int add_path(struct scope *scope, const char *search_path)
{
    if (scope->anywhere)
        return 0;
    for (size_t i = 0; search_path && i < scope->n_paths; i++)
        if (strcmp(scope->paths[i].text, search_path) == 0)
            return 0;
    if (!search_path || scope->n_paths == SCOPE_PATHS_MAX) {
        go_anywhere(scope);
        return 0;
    }
    int r = path_set(&scope->paths[scope->n_paths], search_path);
    if (r < 0)
        return r;
    catalog_moved(scope->catalog);
    if (scope->paths[scope->n_paths++].broken)
        go_anywhere(scope);
    return 0;
}

bool scope_is_anywhere(const struct scope *scope)
{
    return scope->anywhere;
}

/* 1 when it is new, 0 when it was there, -ENOBUFS when there are too many. A name that is fresh and changed
 * is changed. */
static int note(struct unsettled *names, size_t *n, const char *name, bool fresh)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(names[i].name, name) == 0) {
            bool moved = names[i].fresh && !fresh;
            names[i].fresh = names[i].fresh && fresh;
            return moved;
        }
    if (*n == SCOPE_UNSETTLED_MAX)
        return -ENOBUFS;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    names[(*n)++] = (struct unsettled){ copy, fresh };
    return 1;
}

int scope_note(struct scope *scope, enum scope_change change, const char *name)
{
    int r = 0;
    if (change == SCOPE_PATH)
        return add_path(scope, name);
    if (change == SCOPE_STALE) {
        scope->stale = true;
    } else if (change == SCOPE_TEMPORARY) {
        r = note(scope->temporary, &scope->n_temporary, name, true);
        if (r == -ENOBUFS) {
            r = !scope->temporary_overflow;
            scope->temporary_overflow = true;
        }
    } else if (change != SCOPE_UPHEAVAL) {
        r = note(scope->unsettled, &scope->n_unsettled, name, change == SCOPE_FRESH_TABLE);
    }
    if (change == SCOPE_UPHEAVAL || r == -ENOBUFS) {
        r = !scope->upheaval;
        scope->upheaval = true;
    }
    if (r > 0)
        catalog_moved(scope->catalog);
    return r < 0 ? r : 0;
}

struct scope_mark scope_mark(const struct scope *scope)
{
    return (struct scope_mark){ scope->n_unsettled,       scope->n_temporary, scope->n_paths,
                                scope->upheaval,          scope->stale,       scope->anywhere,
                                scope->temporary_overflow };
}

static bool cut(struct unsettled *names, size_t *n, size_t keep)
{
    bool cuts = *n > keep;
    while (*n > keep)
        free(names[--*n].name);
    return cuts;
}

/* What was there before and is gone meanwhile stays gone. */
void scope_rewind(struct scope *scope, const struct scope_mark *mark)
{
    bool moved = cut(scope->unsettled, &scope->n_unsettled, mark->n_unsettled);
    moved |= cut(scope->temporary, &scope->n_temporary, mark->n_temporary);
    moved |= scope->n_paths > mark->n_paths || scope->upheaval > mark->upheaval ||
             scope->anywhere > mark->anywhere || scope->temporary_overflow > mark->temporary_overflow;
    while (scope->n_paths > mark->n_paths)
        path_clear(&scope->paths[--scope->n_paths]);
    scope->upheaval = scope->upheaval && mark->upheaval;
    scope->stale = scope->stale && mark->stale;
    scope->anywhere = scope->anywhere && mark->anywhere;
    scope->temporary_overflow = scope->temporary_overflow && mark->temporary_overflow;
    if (moved)
        catalog_moved(scope->catalog);
}

void scope_settle(struct scope *scope)
{
    if (scope_is_settled(scope))
        return;
    names_clear(scope->unsettled, &scope->n_unsettled);
    scope->upheaval = scope->stale = false;
    catalog_moved(scope->catalog);
}

bool scope_is_settled(const struct scope *scope)
{
    return scope->n_unsettled == 0 && !scope->upheaval && !scope->stale;
}

/* ---- what names mean ---- */

struct state {
    bool fresh, changed;
};

static struct state state_of(const struct scope *scope, const char *name)
{
    struct state state = { .changed = false };
    for (const struct scope *at = *catalog_scopes(scope->catalog); at; at = at->next) {
        state.changed = state.changed || at->upheaval;
        for (size_t i = 0; i < at->n_unsettled; i++)
            if (strcmp(at->unsettled[i].name, name) == 0) {
                state.fresh = state.fresh || at->unsettled[i].fresh;
                state.changed = state.changed || !at->unsettled[i].fresh;
            }
    }
    return state;
}

bool scope_is_upheaved(const struct scope *scope)
{
    return state_of(scope, "").changed;
}

static bool is_temporary(const struct scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->n_temporary; i++)
        if (strcmp(scope->temporary[i].name, name) == 0)
            return true;
    return scope->temporary_overflow;
}

static bool is_usable(const struct catalog_basics *basics, const char *schema)
{
    for (size_t i = 0; i < basics->n_schemas; i++)
        if (strcmp(basics->schemas[i].name, schema) == 0)
            return basics->schemas[i].usable;
    return false;
}

static const char *schema_of(const struct catalog_basics *basics, const char *name)
{
    return strcmp(name, "$user") == 0 ? basics->login : name;
}

static bool lists(const struct path *path, const char *schema)
{
    for (size_t i = 0; i < path->n; i++)
        if (strcmp(path->names[i], schema) == 0)
            return true;
    return false;
}

/* Visits the schemas of one path in the server's order, pg_catalog in front where it is not listed; stops
 * when visit says so. */
struct visit {
    const struct catalog_basics *basics;
    bool (*schema)(struct visit *visit, const char *schema);
    const void *items;
    size_t n;
    struct scope_meaning *meaning;
    bool all; /* do not stop at the first */
    const char *wanted;
};

static void walk_path(struct visit *visit, const struct path *path)
{
    if (!lists(path, "pg_catalog") && visit->schema(visit, "pg_catalog"))
        return;
    for (size_t i = 0; i < path->n; i++) {
        const char *schema = schema_of(visit->basics, path->names[i]);
        if (is_usable(visit->basics, schema) && visit->schema(visit, schema))
            return;
    }
}

static int walk_paths(struct scope *scope, struct visit *visit)
{
    /* The default of logins may change while this session keeps its own. */
    const char *usual = visit->basics->search_path;
    int r = 0;
    if (!scope->own_start && !scope->start.text)
        r = path_set(&scope->start, usual);
    else if (!scope->own_start && strcmp(scope->start.text, usual) != 0)
        r = add_path(scope, usual);
    if (r < 0)
        return r;
    walk_path(visit, &scope->start);
    for (size_t i = 0; i < scope->n_paths; i++)
        walk_path(visit, &scope->paths[i]);
    return 0;
}

static void mean(struct scope_meaning *meaning, const struct catalog_relation *relation)
{
    for (size_t i = 0; i < meaning->n; i++)
        if (meaning->relations[i]->oid == relation->oid)
            return;
    if (meaning->n == SCOPE_MEANT_MAX)
        meaning->too_many = true;
    else
        meaning->relations[meaning->n++] = relation;
}

static bool relation_in(struct visit *visit, const char *schema)
{
    const struct catalog_relation *relations = visit->items;
    for (size_t i = 0; i < visit->n; i++)
        if (strcmp(relations[i].schema, schema) == 0) {
            mean(visit->meaning, &relations[i]);
            return !visit->all;
        }
    return false;
}

static bool is_anywhere(const struct scope *scope)
{
    return scope->anywhere || scope->start.broken;
}

static enum catalog_answer find_unqualified(struct scope *scope, struct visit *visit, const char *name)
{
    visit->meaning->temporary = is_temporary(scope, name);
    if (walk_paths(scope, visit) < 0)
        return CATALOG_WANTED;
    const struct catalog_relation *relations = visit->items;
    for (size_t i = 0; is_anywhere(scope) && i < visit->n; i++)
        mean(visit->meaning, &relations[i]);
    return CATALOG_FOUND;
}

enum catalog_answer scope_relation(struct scope *scope, const char *schema, const char *name,
                                   struct scope_meaning *ret)
{
    struct scope_meaning meaning = { .n = 0 };
    const struct catalog_relation *relations = NULL;
    size_t n = 0;
    struct visit visit = { .schema = relation_in, .meaning = &meaning };
    enum catalog_answer basics = catalog_basics(scope->catalog, &visit.basics);
    enum catalog_answer answer = catalog_relations(scope->catalog, name, &relations, &n);
    if (basics != CATALOG_FOUND || answer == CATALOG_WANTED)
        return CATALOG_WANTED;
    const struct state state = state_of(scope, name);
    meaning.fresh = state.fresh;
    meaning.unsettled = state.changed;
    visit.items = relations;
    visit.n = answer == CATALOG_FOUND ? n : 0;
    visit.all = state.changed || state.fresh;
    if (!schema) {
        if (find_unqualified(scope, &visit, name) == CATALOG_WANTED)
            return CATALOG_WANTED;
    } else if (strncmp(schema, "pg_temp", strlen("pg_temp")) == 0) {
        meaning.temporary = true;
    } else {
        (void)relation_in(&visit, schema);
    }
    *ret = meaning;
    return meaning.n > 0 || meaning.fresh || meaning.unsettled || meaning.temporary ? CATALOG_FOUND
                                                                                    : CATALOG_ABSENT;
}

/* ---- functions ---- */

enum catalog_answer scope_function(struct scope *scope, const char *schema, const char *name,
                                   bool *ret_unsettled)
{
    const struct catalog_function *functions = NULL;
    const struct catalog_basics *basics = NULL;
    size_t n = 0;
    enum catalog_answer known = catalog_basics(scope->catalog, &basics);
    enum catalog_answer answer = catalog_functions(scope->catalog, name, &functions, &n);
    if (known != CATALOG_FOUND || answer == CATALOG_WANTED)
        return CATALOG_WANTED;
    const struct state state = state_of(scope, name);
    *ret_unsettled =
        state.changed || state.fresh || (schema && strncmp(schema, "pg_temp", strlen("pg_temp")) == 0);
    return answer;
}

static bool is_wanted_schema(struct visit *visit, const char *schema)
{
    if (strcmp(schema, visit->wanted) == 0)
        visit->n = 1;
    return visit->n > 0;
}

bool scope_reaches(struct scope *scope, const char *schema)
{
    struct visit visit = { .schema = is_wanted_schema, .wanted = schema };
    if (is_anywhere(scope) || catalog_basics(scope->catalog, &visit.basics) != CATALOG_FOUND)
        return true;
    return walk_paths(scope, &visit) < 0 || is_anywhere(scope) || visit.n > 0;
}

static bool takes(const struct catalog_function *function, int n_arguments)
{
    if (n_arguments < 0 || (function->kind == 'a' && n_arguments > 0))
        return true;
    if (n_arguments < function->n_arguments - function->n_defaults - (function->variadic ? 1 : 0))
        return false;
    return n_arguments <= function->n_arguments || function->variadic;
}

bool scope_next_function(struct scope *scope, const char *schema, const char *name, int n_arguments,
                         size_t *cursor, const struct catalog_function **ret)
{
    const struct catalog_function *functions = NULL;
    size_t n = 0;
    if (catalog_functions(scope->catalog, name, &functions, &n) != CATALOG_FOUND)
        return false;
    for (; *cursor < n; (*cursor)++) {
        const struct catalog_function *f = &functions[*cursor];
        if (!takes(f, n_arguments) ||
            (schema ? strcmp(f->schema, schema) != 0 : !scope_reaches(scope, f->schema)))
            continue;
        (*cursor)++;
        *ret = f;
        return true;
    }
    return false;
}

enum catalog_answer scope_doubt_relation(struct scope *scope, const char *name)
{
    catalog_doubt(scope->catalog, CATALOG_RELATIONS, name);
    return CATALOG_WANTED;
}

const char *scope_making_schema(struct scope *scope)
{
    const struct catalog_basics *basics = NULL;
    if (scope->n_paths > 0 || is_anywhere(scope) || catalog_basics(scope->catalog, &basics) != CATALOG_FOUND)
        return NULL;
    for (size_t i = 0; i < scope->start.n; i++) {
        const char *schema = schema_of(basics, scope->start.names[i]);
        if (is_usable(basics, schema))
            return schema;
    }
    return NULL;
}
