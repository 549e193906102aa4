/* Whatever a client sends as a statement, followed to its columns; the catalog has one table and a view of
 * it, whose definition is a part of the input. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/lineage.h"
#include "policy/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { ROUNDS = 64 };

static struct mask_set *masks_of_a_column(void)
{
    static char name[] = "m", column[] = "users.email", kind[] = "redact", predicates[] = "deny";
    static char *columns[] = { column };
    static Ipc__Mask mask = IPC__MASK__INIT;
    static Ipc__Mask *list[] = { &mask };
    static Ipc__Config config = IPC__CONFIG__INIT;
    struct mask_set *set = NULL;
    mask.name = name;
    mask.with = kind;
    mask.predicates = predicates;
    mask.columns = columns;
    mask.n_columns = 1;
    config.masks = list;
    config.n_masks = 1;
    if (mask_set_new(&config, &(const struct circumstances){ .target = "t" }, &set) != 0)
        abort();
    sql_start();
    return set;
}

static void answer(struct catalog *catalog, const struct catalog_want *want, const char *definition)
{
    static const struct catalog_column columns[] = { { .name = "id", .number = 1, .type = 23 },
                                                     { .name = "email", .number = 2, .type = 25 } };
    static const struct catalog_schema schemas[] = { { "public", true } };
    const struct catalog_basics basics = {
        .login = "a", .search_path = "public", .schemas = schemas, .n_schemas = 1
    };
    struct catalog_relation relation = {
        .oid = 20000, .schema = "public", .name = want->key, .owner = "o", .columns = columns, .n_columns = 2
    };
    struct catalog_function function = { .oid = 100,
                                         .schema = "pg_catalog",
                                         .name = want->key,
                                         .owner = "o",
                                         .language = "internal",
                                         .kind = 'f',
                                         .volatility = 'i',
                                         .harmless_parts = true,
                                         .variadic = true,
                                         .result = 25 };
    char key[256];
    strncpy(key, want->key, sizeof key - 1);
    key[sizeof key - 1] = '\0';
    relation.name = function.name = key;
    bool is_view = strcmp(key, "v") == 0;
    relation.kind = is_view ? 'v' : 'r';
    relation.definition = is_view ? definition : NULL;
    int r = want->kind == CATALOG_RELATIONS
                ? catalog_put_relations(catalog, key, &relation, is_view || strcmp(key, "users") == 0, 0)
            : want->kind == CATALOG_FUNCTIONS ? catalog_put_functions(catalog, key, &function, 1, 0)
            : want->kind == CATALOG_TYPES     ? catalog_put_types(catalog, key, NULL, 0, 0)
            : want->kind == CATALOG_BASICS    ? catalog_put_basics(catalog, &basics, 0)
                                              : -1;
    if (r != 0)
        abort();
}

static void check(const struct lineages *lineages)
{
    for (size_t i = 0; i < lineages->count; i++) {
        const struct lineage *l = &lineages->items[i];
        if (l->n_columns > LINEAGE_COLUMNS_MAX || (l->form == LINEAGE_NO_ROWS && l->copy.null))
            abort();
        for (size_t k = 0; k < l->n_columns; k++)
            if (l->columns[k].mask && !l->columns[k].mask->text)
                abort();
    }
}

static bool follow(const char *sql, const char *definition, struct scope *scope, struct mask_set *masks)
{
    CLEANUP(lineages_free) struct lineages *lineages = NULL;
    struct catalog_want wants[CATALOG_WANTS_MAX];
    if (lineage_follow(sql, scope, masks, &lineages) != 0)
        return false;
    check(lineages);
    size_t n = catalog_take_wants(scope_catalog(scope), wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < n; i++)
        answer(scope_catalog(scope), &wants[i], definition);
    return n > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct mask_set *masks;
    if (!masks)
        masks = masks_of_a_column();
    if (!text_is_utf8(bytes, n))
        return 0;
    CLEANUP(free) char *sql = strndup((const char *)bytes, n);
    if (!sql)
        return 0;
    char *bar = strchr(sql, '|');
    const char *definition = bar ? bar + 1 : "select 1, email from public.users";
    if (bar)
        *bar = '\0';
    CLEANUP(catalog_free) struct catalog *catalog = NULL;
    CLEANUP(scope_free) struct scope *scope = NULL;
    if (catalog_new(&catalog) != 0 || scope_new(catalog, &scope) != 0)
        abort();
    for (int round = 0; round < ROUNDS && follow(sql, definition, scope, masks); round++)
        ;
    return 0;
}
