/* See known.h. */
#include "known.h"
#include <stdio.h>

enum { KEY_MAX = 512 };

void known_answer(struct catalog *catalog)
{
    static const char *const names[] = { "aid",      "abalance", "id",   "total", "name",
                                         "customer", "city",     "note", "s" };
    enum { COLUMNS = sizeof names / sizeof names[0] };
    static const struct catalog_schema schemas[] = { { "pg_catalog", true }, { "public", true } };
    struct catalog_column columns[COLUMNS];
    struct catalog_want wants[CATALOG_WANTS_MAX];
    char key[KEY_MAX];
    int r = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        columns[i] = (struct catalog_column){ names[i], (uint16_t)(i + 1), 23, false };
    size_t n = catalog_take_wants(catalog, wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < n && r == 0; i++) {
        snprintf(key, sizeof key, "%s", wants[i].key);
        if (wants[i].kind == CATALOG_RELATIONS) {
            const struct catalog_relation table = { .oid = 20000,
                                                    .schema = "public",
                                                    .name = key,
                                                    .owner = "app",
                                                    .kind = 'r',
                                                    .columns = columns,
                                                    .n_columns = COLUMNS };
            r = catalog_put_relations(catalog, key, &table, 1, 1);
        } else if (wants[i].kind == CATALOG_FUNCTIONS) {
            const struct catalog_function function = { .oid = 870,
                                                       .schema = "pg_catalog",
                                                       .name = key,
                                                       .owner = "x",
                                                       .language = "internal",
                                                       .kind = 'f',
                                                       .volatility = 'i' };
            r = catalog_put_functions(catalog, key, &function, 1, 1);
        } else {
            const struct catalog_basics basics = {
                .login = "app", .search_path = "\"$user\", public", .schemas = schemas, .n_schemas = 2
            };
            r = catalog_put_basics(catalog, &basics, 1);
        }
    }
    if (r < 0)
        abort();
}

int known_rules(struct rulebook **ret)
{
    static char deny[] = "deny", allow[] = "allow", first[] = "private", second[] = "rest",
                schema[] = "hidden.*", kind[] = "drop";
    static char *tables[] = { schema }, *kinds[] = { kind };
    static Ipc__Match match = IPC__MATCH__INIT, drop = IPC__MATCH__INIT;
    static Ipc__Match *matches[] = { &match, &drop };
    static Ipc__Rule private = IPC__RULE__INIT, rest = IPC__RULE__INIT;
    static Ipc__Rule *rules[] = { &private, &rest };
    static Ipc__Config config = IPC__CONFIG__INIT;
    match.tables = tables;
    drop.statements = kinds;
    match.n_tables = drop.n_statements = 1;
    private.name = first;
    private.action = deny;
    private.match = matches;
    private.n_match = 2;
    rest.name = second;
    rest.action = allow;
    config.rules = rules;
    config.n_rules = 2;
    return rulebook_new(&config, ret);
}
