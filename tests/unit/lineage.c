/* Which columns of a result depend on masked ones: tests/unit/lineage_cases.txt, by a catalog made here. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/lineage.h"
#include "policy/sql.h"

enum { LINE = 1024, ROUNDS = 20 };

/* ---- the database ---- */

#define COLUMN(n, text)                                                                                      \
    {                                                                                                        \
        .name = (text), .number = (n), .type = 25, .class = 's'                                              \
    }

static const struct catalog_column users[] = { COLUMN(1, "id"),   COLUMN(2, "email"),   COLUMN(3, "ssn"),
                                               COLUMN(4, "name"), COLUMN(5, "payload"), COLUMN(6, "token") };
static const struct catalog_column orders[] = { COLUMN(1, "id"), COLUMN(2, "user_id"), COLUMN(3, "note") };
static const struct catalog_column amounts[] = { COLUMN(1, "id"), COLUMN(2, "user_id"), COLUMN(3, "amount") };
static const struct catalog_column keys[] = { COLUMN(1, "id"), COLUMN(2, "token") };
static const struct catalog_column v_users[] = { COLUMN(1, "id"), COLUMN(2, "e"), COLUMN(3, "s") };
static const struct catalog_column part_a[] = { COLUMN(1, "id"), COLUMN(2, "email") };
/* made is generated from email, x refers to it; email is unique, and so are ssn and id together; a check has
 * limits and salary. */
static const struct catalog_column accounts[] = { COLUMN(1, "id"),   COLUMN(2, "email"),  COLUMN(3, "ssn"),
                                                  COLUMN(4, "made"), COLUMN(5, "limits"), COLUMN(6, "salary"),
                                                  COLUMN(7, "free") };
static const struct catalog_tie account_ties[] = { { 'g', "made", "", "", "email" },
                                                   { 'u', "email", "", "", "email" },
                                                   { 'u', "ssn", "", "", "ssn" },
                                                   { 'u', "ssn", "", "", "id" },
                                                   { 'u', "id", "", "", "ssn" },
                                                   { 'u', "id", "", "", "id" },
                                                   { 'c', "limits", "", "", "salary" },
                                                   { 'c', "salary", "", "", "limits" },
                                                   { 'r', "email", "public", "refers", "x" } };
static const struct catalog_column refers[] = { COLUMN(1, "id"), COLUMN(2, "x") };
static const struct catalog_tie refers_ties[] = { { 'f', "x", "public", "accounts", "email" } };
static const struct catalog_column routed[] = { COLUMN(1, "id"), COLUMN(2, "email") };
static const struct catalog_tie routed_ties[] = { { 'p', "email", "", "", "email" } };
/* made is generated from email and a. */
static const struct catalog_column mixed[] = { COLUMN(1, "id"), COLUMN(2, "email"), COLUMN(3, "a"),
                                               COLUMN(4, "made") };
static const struct catalog_tie mixed_ties[] = { { 'g', "made", "", "", "email" },
                                                 { 'g', "made", "", "", "a" } };
static const struct catalog_column odd[] = { COLUMN(1, "id"),
                                             { .name = "email", .number = 2, .type = 1186, .class = 'a' },
                                             { .name = "ssn", .number = 3, .type = 1009, .class = 'd' } };
static const struct catalog_column tables[] = { COLUMN(1, "relname"), COLUMN(2, "n_tup_upd"),
                                                COLUMN(3, "n_tup_hot_upd") };
static const struct catalog_column stats[] = { COLUMN(1, "tablename"), COLUMN(2, "most_common_vals"),
                                               COLUMN(3, "elem_count_histogram") };
static const struct catalog_column activity[] = { COLUMN(1, "pid"), COLUMN(2, "state"), COLUMN(3, "query") };
static const struct catalog_column wide[] = {
    COLUMN(1, "c1"),   COLUMN(2, "c2"),   COLUMN(3, "c3"),   COLUMN(4, "c4"),   COLUMN(5, "c5"),
    COLUMN(6, "c6"),   COLUMN(7, "c7"),   COLUMN(8, "c8"),   COLUMN(9, "c9"),   COLUMN(10, "c10"),
    COLUMN(11, "c11"), COLUMN(12, "c12"), COLUMN(13, "c13"), COLUMN(14, "c14"), COLUMN(15, "c15"),
    COLUMN(16, "c16"), COLUMN(17, "c17"), COLUMN(18, "c18"), COLUMN(19, "c19"), COLUMN(20, "c20")
};
static const struct catalog_name orgs_followers[] = { { "public", "orders" }, { "public", "users" } };
static const struct catalog_name parents[] = { { "public", "users" } };

#define TABLE(number, in, called, list, tied, n)                                                             \
    {                                                                                                        \
        .oid = (number), .schema = (in), .name = (called), .owner = "o", .kind = 'r', .columns = (list),     \
        .n_columns = sizeof(list) / sizeof((list)[0]), .ties = (tied), .n_ties = (n)                         \
    }

static const struct catalog_relation relations[] = {
    { .oid = 20001,
      .schema = "public",
      .name = "users",
      .owner = "o",
      .kind = 'r',
      .columns = users,
      .n_columns = 6 },
    { .oid = 20002,
      .schema = "public",
      .name = "orders",
      .owner = "o",
      .kind = 'r',
      .columns = orders,
      .n_columns = 3 },
    { .oid = 20003,
      .schema = "public",
      .name = "keys",
      .owner = "o",
      .kind = 'r',
      .columns = keys,
      .n_columns = 2 },
    { .oid = 20004,
      .schema = "public",
      .name = "v_users",
      .owner = "o",
      .kind = 'v',
      .columns = v_users,
      .n_columns = 3,
      .definition =
          " SELECT u.id, u.email AS e, upper(u.ssn) AS s FROM public.users u WHERE u.email IS NOT NULL;" },
    { .oid = 20005,
      .schema = "public",
      .name = "part_a",
      .owner = "o",
      .kind = 'r',
      .columns = part_a,
      .n_columns = 2,
      .ancestors = parents,
      .n_ancestors = 1 },
    { .oid = 20015,
      .schema = "public",
      .name = "orgs",
      .owner = "o",
      .kind = 'r',
      .columns = refers,
      .n_columns = 1,
      .followers = orgs_followers,
      .n_followers = 2 },
    { .oid = 20016,
      .schema = "public",
      .name = "v_orgs",
      .owner = "o",
      .kind = 'v',
      .columns = refers,
      .n_columns = 1,
      .definition = " SELECT id FROM public.orgs;" },
    TABLE(20010, "public", "accounts", accounts, account_ties, 9),
    TABLE(20011, "public", "refers", refers, refers_ties, 1),
    TABLE(20012, "public", "routed", routed, routed_ties, 1),
    TABLE(20014, "public", "mixed", mixed, mixed_ties, 2),
    TABLE(20013, "public", "odd", odd, NULL, 0),
    TABLE(20017, "public", "wide", wide, NULL, 0),
    TABLE(12003, "pg_catalog", "pg_stat_user_tables", tables, NULL, 0),
    { .oid = 20006,
      .schema = "public",
      .name = "amounts",
      .owner = "o",
      .kind = 'r',
      .columns = amounts,
      .n_columns = 3 },
    { .oid = 12001,
      .schema = "pg_catalog",
      .name = "pg_stat_activity",
      .owner = "p",
      .kind = 'v',
      .columns = activity,
      .n_columns = 3 },
    { .oid = 12000,
      .schema = "pg_catalog",
      .name = "pg_stats",
      .owner = "p",
      .kind = 'v',
      .columns = stats,
      .n_columns = 3 },
};

static void put_relation(struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < sizeof relations / sizeof relations[0]; i++)
        if (strcmp(relations[i].name, name) == 0) {
            assert_int_equal(catalog_put_relations(catalog, name, &relations[i], 1, 0), 0);
            return;
        }
    assert_int_equal(catalog_put_relations(catalog, name, NULL, 0, 0), 0);
}

/* Every function but one is PostgreSQL's own; of generate_series() there are two. */
static void put_function(struct catalog *catalog, const char *name)
{
    bool own = strcmp(name, "my_function") != 0;
    struct catalog_function function = { .oid = own ? 100 : 20100,
                                         .schema = own ? "pg_catalog" : "public",
                                         .name = name,
                                         .owner = "o",
                                         .language = own ? "internal" : "plpgsql",
                                         .kind = 'f',
                                         .volatility = own ? 'i' : 'v',
                                         .trusted_owner = own,
                                         .trusted_language = true,
                                         .harmless_parts = true,
                                         .n_arguments = 1,
                                         .variadic = true,
                                         .result = 25 };
    static const char *const pair[] = { "key", "value" };
    if (strcmp(name, "jsonb_each_text") == 0) {
        function.results = pair;
        function.n_results = 2;
    }
    bool hidden = strcmp(name, "email") == 0 || strcmp(name, "f1") == 0 ||
                  (strcmp(name, "row_to_json") != 0 && strstr(name, "users"));
    struct catalog_function both[] = { function, function };
    both[1].oid++;
    both[1].result = 20;
    size_t n = hidden ? 0 : strcmp(name, "generate_series") == 0 ? 2 : 1;
    assert_int_equal(catalog_put_functions(catalog, name, both, n, 0), 0);
}

static void answer_wants(struct catalog *catalog)
{
    static const struct catalog_schema schemas[] = { { "public", true }, { "pg_catalog", true } };
    struct catalog_basics basics = {
        .login = "app", .search_path = "\"$user\", public", .schemas = schemas, .n_schemas = 2
    };
    struct catalog_want wants[CATALOG_WANTS_MAX];
    size_t n = catalog_take_wants(catalog, wants, CATALOG_WANTS_MAX);
    for (size_t i = 0; i < n; i++) {
        char key[128];
        snprintf(key, sizeof key, "%s", wants[i].key);
        switch (wants[i].kind) {
        case CATALOG_RELATIONS:
            put_relation(catalog, key);
            break;
        case CATALOG_FUNCTIONS:
            put_function(catalog, key);
            break;
        case CATALOG_TYPES:
            assert_int_equal(catalog_put_types(catalog, key, NULL, 0, 0), 0);
            break;
        case CATALOG_BASICS:
            assert_int_equal(catalog_put_basics(catalog, &basics, 0), 0);
            break;
        default:
            fail_msg("nobody answers a want of kind %d", (int)wants[i].kind);
        }
    }
}

/* ---- the masks ---- */

static struct mask_set *masks_new(Ipc__Config *config)
{
    static char *redact[] = { "public.users.email", "accounts.email", "accounts.salary",
                              "routed.email",       "odd.email",      "mixed.email" },
                *partial[] = { "users.ssn", "accounts.ssn", "odd.ssn" }, *hash[] = { "*.token" };
    static const size_t counts[] = { 6, 3, 1 };
    static Ipc__Mask masks[3], *list[3] = { &masks[0], &masks[1], &masks[2] };
    static char *words[] = { "redact", "partial", "hash" };
    char **columns[] = { redact, partial, hash };
    for (int i = 0; i < 3; i++) {
        ipc__mask__init(&masks[i]);
        masks[i].name = words[i];
        masks[i].with = words[i];
        masks[i].columns = columns[i];
        masks[i].n_columns = counts[i];
        masks[i].predicates = "deny";
    }
    ipc__config__init(config);
    config->masks = list;
    config->n_masks = 3;
    struct circumstances who = { .target = "orders" };
    struct mask_set *set = NULL;
    assert_int_equal(mask_set_new(config, &who, &set), 0);
    return set;
}

/* ---- the cases ---- */

static void describe(const struct lineage *lineage, char *out, size_t size)
{
    struct buffer text;
    buffer_init(&text, size);
    if (lineage->form == LINEAGE_NO_ROWS)
        assert_int_equal(buffer_printf(&text, " none"), 0);
    for (size_t i = 0; i < lineage->n_columns && lineage->known && lineage->form != LINEAGE_NO_ROWS; i++)
        assert_int_equal(buffer_printf(&text, " %s",
                                       !lineage->columns[i].mask      ? "-"
                                       : lineage->columns[i].computed ? "C"
                                                                      : "M"),
                         0);
    if (!lineage->known && lineage->form != LINEAGE_NO_ROWS)
        assert_int_equal(buffer_printf(&text, lineage->any.mask ? " ? C" : " ?"), 0);
    if (lineage->predicate)
        assert_int_equal(buffer_printf(&text, lineage->guesses ? " ! guess" : " ! predicate"), 0);
    if (lineage->unmask)
        assert_int_equal(buffer_printf(&text, " ! unmask"), 0);
    if (lineage->quotes)
        assert_int_equal(buffer_printf(&text, " ! quotes"), 0);
    assert_int_equal(buffer_put_u8(&text, 0), 0);
    snprintf(out, size, "%s", (const char *)buffer_head(&text) + 1);
    buffer_free(&text);
}

/* Until the catalog is not asked for more. */
static struct lineages *follow(const char *sql, struct catalog *catalog, struct scope *scope,
                               struct mask_set *masks)
{
    struct lineages *lineages = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        lineages_free(lineages);
        lineages = NULL;
        assert_int_equal(lineage_follow(sql, scope, masks, &lineages), 0);
        bool wanted = false;
        for (size_t i = 0; i < lineages->count; i++)
            wanted |= lineages->items[i].wanted;
        if (!wanted)
            return lineages;
        answer_wants(catalog);
    }
    fail_msg("the catalog is asked for ever: %s", sql);
    return NULL;
}

struct world {
    struct catalog *catalog;
    struct scope *scope;
    struct mask_set *masks;
    Ipc__Config config;
};

static void world_open(struct world *world)
{
    assert_int_equal(catalog_new(&world->catalog), 0);
    assert_int_equal(scope_new(world->catalog, &world->scope), 0);
    world->masks = masks_new(&world->config);
}

static void world_close(struct world *world)
{
    mask_set_free(world->masks);
    scope_free(world->scope);
    catalog_free(world->catalog);
}

static void every_case_has_the_fates_it_is_listed_with(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    FILE *file = fopen("lineage_cases.txt", "re");
    assert_non_null(file);
    char line[LINE], is[LINE];
    size_t cases = 0, wrong = 0;
    while (fgets(line, sizeof line, file)) {
        char *arrow = strstr(line, " => ");
        if (line[0] == '#' || !arrow)
            continue;
        *arrow = '\0';
        char *expected = arrow + 4;
        expected[strcspn(expected, "\n")] = '\0';
        struct lineages *lineages = follow(line, world.catalog, world.scope, world.masks);
        assert_int_equal(lineages->count, 1);
        describe(&lineages->items[0], is, sizeof is);
        if (strcmp(is, expected) != 0) {
            print_error("%s\n  expected: %s\n  is:       %s\n", line, expected, is);
            wrong++;
        }
        lineages_free(lineages);
        cases++;
    }
    fclose(file);
    assert_true(cases > 100);
    assert_int_equal(wrong, 0);
    world_close(&world);
}

/* With a temporary table of that name about, nobody knows the columns: `users` may be one, or the row. */
/* Of two masks that a statement asks about, the one that denies says so; and what is not followed is of that
 * one. */
static void the_strictest_mask_decides_about_conditions(void **state)
{
    static char *first[] = { "users.email" }, *second[] = { "users.ssn" };
    struct world world;
    (void)state;
    world_open(&world);
    Ipc__Config config;
    Ipc__Mask masks[2], *list[] = { &masks[0], &masks[1] };
    Ipc__Approve approve;
    struct circumstances who = { .target = "orders" };
    ipc__approve__init(&approve);
    ipc__config__init(&config);
    config.masks = list;
    config.n_masks = 2;
    for (int i = 0; i < 2; i++) {
        ipc__mask__init(&masks[i]);
        masks[i].name = masks[i].with = (char *)"redact";
        masks[i].columns = i ? second : first;
        masks[i].n_columns = 1;
        masks[i].predicates = (char *)"deny";
    }
    for (int how = 0; how < 2; how++) {
        CLEANUP(mask_set_free) struct mask_set *set = NULL;
        masks[0].predicates = how ? (char[]){ "allow" } : (char[]){ "approve" };
        masks[0].approve = how ? NULL : &approve;
        assert_int_equal(mask_set_new(&config, &who, &set), 0);
        assert_ptr_equal(mask_set_worst(set)->text, &masks[1]);
        CLEANUP(lineages_free)
        struct lineages *lineages =
            follow("select id from users where email = 'x' and ssn = 'y'", world.catalog, world.scope, set);
        assert_ptr_equal(lineages->items[0].predicate->text, &masks[1]);
    }
    world_close(&world);
}

static void a_name_that_may_be_a_whole_row_is_masked_as_one(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    assert_int_equal(scope_note(world.scope, SCOPE_TEMPORARY, "users"), 0);
    static const char *const statements[] = { "select array_agg(users) from users",
                                              "select (u).email from (select users as u from users) q",
                                              "select q from users u, lateral (select u) x(q)" };
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        struct lineages *lineages = follow(statements[i], world.catalog, world.scope, world.masks);
        const struct lineage *lineage = &lineages->items[0];
        assert_true(lineage->known ? lineage->columns[0].mask != NULL : lineage->any.mask != NULL);
        lineages_free(lineages);
    }
    world_close(&world);
}

static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
    size_t length = strlen(part);
    char *text = malloc(strlen(before) + n * length + strlen(after) + 1), *at = text;
    assert_non_null(text);
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < n; i++, at += length)
        memcpy(at, part, length + 1);
    strcpy(at, after);
    return text;
}

static void what_is_nested_too_deeply_is_taken_for_masked(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    static const struct {
        const char *before, *part, *after;
    } shapes[] = {
        { "select id", "||'x'", " from users" },
        { "select ", "(", "email" },
        { "select id", "::text", " from users" },
        { "select id from users", " union select id from users", "" },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char *sql = repeated(shapes[i].before, shapes[i].part, 5000, shapes[i].after);
        if (i == 1) {
            free(sql);
            char *open = repeated("select ", "(", 5000, "email");
            sql = repeated(open, ")", 5000, " from users");
            free(open);
        }
        struct lineages *lineages = follow(sql, world.catalog, world.scope, world.masks);
        const struct lineage *lineage = &lineages->items[0];
        bool masked = lineage->known ? lineage->n_columns == 1 && lineage->columns[0].mask != NULL
                                     : lineage->any.mask != NULL;
        assert_true(masked);
        lineages_free(lineages);
        free(sql);
    }
    world_close(&world);
}

static void the_work_for_one_statement_is_bounded(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    char *inner = repeated("select 1 where exists (", "select 1 from users u where exists (", 40, "select 1");
    char *sql = repeated(inner, ")", 41, "");
    struct lineages *lineages = follow(sql, world.catalog, world.scope, world.masks);
    assert_int_equal(lineages->count, 1);
    lineages_free(lineages);
    free(sql);
    free(inner);
    char *recursive = repeated("", "with recursive r as (select 1 union (", 12, "select 1");
    sql = repeated(recursive, ")) select * from r", 12, "");
    lineages = follow(sql, world.catalog, world.scope, world.masks);
    assert_int_equal(lineages->count, 1);
    lineages_free(lineages);
    free(sql);
    free(recursive);
    world_close(&world);
}

/* 180 KB of such statements took 2 GB. What is beyond the bounds is taken for masked. */
static void tables_that_are_named_often_take_no_more_than_their_share(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    char *one = repeated("select 1 from users", ", users", LINEAGE_WORK_MAX / 6 + 10, "");
    struct lineages *lineages = follow(one, world.catalog, world.scope, world.masks);
    assert_int_equal(lineages->items[0].n_columns, 1);
    assert_non_null(lineages->items[0].columns[0].mask);
    lineages_free(lineages);
    free(one);
    char *table = repeated("select 1 from users", ", users", 1000, "; ");
    char *all = repeated("", table, LINEAGE_WORK_ALL / (7 * 1000) + 10, "select 1");
    lineages = follow(all, world.catalog, world.scope, world.masks);
    assert_null(lineages->items[0].columns[0].mask);
    assert_non_null(lineages->items[lineages->count - 1].any.mask);
    lineages_free(lineages);
    free(all);
    free(table);
    world_close(&world);
}

/* A dump that is loaded: it is followed to its end, and so is what stands behind it. */
static void thousands_of_plain_inserts_leave_room_for_more(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "insert into wide values (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20);",
        "insert into wide (c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16,c17,c18,c19,c20)"
        " values (1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20);",
        "update wide set c1=1,c2=2,c3=3,c4=4,c5=5,c6=6,c7=7,c8=8,c9=9,c10=10,c11=11,c12=12 where c20=0;",
    };
    struct world world;
    world_open(&world);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        char *sql = repeated("", statements[i], 40 * 1000, "select id from users");
        struct lineages *lineages = follow(sql, world.catalog, world.scope, world.masks);
        const struct lineage *last = &lineages->items[lineages->count - 1];
        assert_true(last->known);
        assert_null(last->columns[0].mask);
        lineages_free(lineages);
        free(sql);
    }
    world_close(&world);
}

static void copy_options_are_read(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    struct lineages *lineages =
        follow("copy users to stdout (format csv, delimiter ';', quote '''', null 'nil', header true)",
               world.catalog, world.scope, world.masks);
    const struct copy_shape *shape = &lineages->items[0].copy;
    assert_int_equal(lineages->items[0].form, LINEAGE_COPY_OUT);
    assert_int_equal(shape->form, COPY_CSV);
    assert_int_equal(shape->delimiter, ';');
    assert_int_equal(shape->quote, '\'');
    assert_int_equal(shape->escape, '\'');
    assert_string_equal(shape->null, "nil");
    assert_true(shape->header);
    assert_false(shape->odd);
    lineages_free(lineages);
    lineages = follow("copy users to stdout", world.catalog, world.scope, world.masks);
    assert_int_equal(lineages->items[0].copy.form, COPY_TEXT);
    assert_int_equal(lineages->items[0].copy.delimiter, '\t');
    assert_string_equal(lineages->items[0].copy.null, "\\N");
    lineages_free(lineages);
    lineages = follow("copy users to stdout (encoding 'sjis')", world.catalog, world.scope, world.masks);
    assert_true(lineages->items[0].copy.odd);
    lineages_free(lineages);
    world_close(&world);
}

static void a_copy_of_a_lineage_stands_by_itself(void **state)
{
    (void)state;
    struct world world;
    world_open(&world);
    struct lineages *lineages = follow("prepare p as select id, email from users where ssn = 'x'",
                                       world.catalog, world.scope, world.masks);
    struct lineage copy;
    assert_int_equal(lineage_copy(&lineages->items[0], &copy), 0);
    lineages_free(lineages);
    assert_string_equal(copy.name, "p");
    assert_int_equal(copy.n_columns, 2);
    assert_null(copy.columns[0].mask);
    assert_string_equal(copy.columns[1].mask->text->name, "redact");
    assert_string_equal(copy.predicate->text->name, "partial");
    lineage_clear(&copy);
    world_close(&world);
}

int main(void)
{
    sql_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_has_the_fates_it_is_listed_with),
        cmocka_unit_test(the_strictest_mask_decides_about_conditions),
        cmocka_unit_test(a_name_that_may_be_a_whole_row_is_masked_as_one),
        cmocka_unit_test(what_is_nested_too_deeply_is_taken_for_masked),
        cmocka_unit_test(the_work_for_one_statement_is_bounded),
        cmocka_unit_test(tables_that_are_named_often_take_no_more_than_their_share),
        cmocka_unit_test(thousands_of_plain_inserts_leave_room_for_more),
        cmocka_unit_test(copy_options_are_read),
        cmocka_unit_test(a_copy_of_a_lineage_stands_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
