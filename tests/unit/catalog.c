#include "policy/catalog_scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct catalog_schema schemas[] = {
    { "pg_catalog", true }, { "public", true }, { "app", true }, { "secret", false }, { "evil", true },
};

static void put_basics(struct catalog *catalog)
{
    const struct catalog_basics basics = {
        .login = "app", .search_path = "\"$user\", public", .schemas = schemas, .n_schemas = 5
    };
    assert_int_equal(catalog_put_basics(catalog, &basics, 1), 0);
}

static void put_tables(struct catalog *catalog, const char *name, const char *const *in, size_t n)
{
    struct catalog_relation relations[8] = { 0 };
    for (size_t i = 0; i < n; i++)
        relations[i] = (struct catalog_relation){
            .oid = (uint32_t)(20000 + i), .schema = in[i], .name = name, .owner = "app", .kind = 'r'
        };
    assert_int_equal(catalog_put_relations(catalog, name, relations, n, 7), 0);
}

#define TABLES(catalog, name, ...)                                                                           \
    put_tables(catalog, name, (const char *const[]){ __VA_ARGS__ },                                          \
               sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

struct fixture {
    struct catalog *catalog;
    struct scope *scope;
};

static void begin(struct fixture *f)
{
    assert_int_equal(catalog_new(&f->catalog), 0);
    assert_int_equal(scope_new(f->catalog, &f->scope), 0);
    put_basics(f->catalog);
}

static void end(struct fixture *f)
{
    scope_free(f->scope);
    catalog_free(f->catalog);
}

/* "app.t public.t +": schemas of what is meant, + for fresh, ! for unsettled, ~ for temporary. */
static const char *meant(struct scope *scope, const char *schema, const char *name)
{
    static char words[256];
    struct scope_meaning meaning = { .n = 0 };
    enum catalog_answer answer = scope_relation(scope, schema, name, &meaning);
    words[0] = '\0';
    if (answer == CATALOG_WANTED)
        return "wanted";
    if (answer == CATALOG_ABSENT)
        return "absent";
    for (size_t i = 0; i < meaning.n; i++) {
        strcat(words, i ? " " : "");
        strcat(words, meaning.relations[i]->schema);
    }
    strcat(words, meaning.fresh ? "+" : "");
    strcat(words, meaning.temporary ? "~" : "");
    strcat(words, meaning.unsettled ? "!" : "");
    return words;
}

static void what_is_not_known_is_wanted_once_and_known_when_it_was_put(void **state)
{
    (void)state;
    struct catalog *catalog = NULL;
    struct catalog_want wants[4];
    const struct catalog_relation *relations = NULL;
    size_t n = 0;
    assert_int_equal(catalog_new(&catalog), 0);
    assert_int_equal(catalog_relations(catalog, "t", &relations, &n), CATALOG_WANTED);
    assert_int_equal(catalog_relations(catalog, "t", &relations, &n), CATALOG_WANTED);
    assert_int_equal(catalog_take_wants(catalog, wants, 4), 1);
    assert_int_equal(wants[0].kind, CATALOG_RELATIONS);
    assert_string_equal(wants[0].key, "t");
    assert_int_equal(catalog_take_wants(catalog, wants, 4), 0);
    catalog_untake(catalog);
    assert_int_equal(catalog_take_wants(catalog, wants, 4), 1);
    TABLES(catalog, "t", "public");
    assert_int_equal(catalog_relations(catalog, "t", &relations, &n), CATALOG_FOUND);
    assert_int_equal(n, 1);
    assert_string_equal(relations[0].schema, "public");
    assert_int_equal(catalog_put_relations(catalog, "u", NULL, 0, 0), 0);
    assert_int_equal(catalog_relations(catalog, "u", &relations, &n), CATALOG_ABSENT);
    catalog_free(catalog);
}

static void a_refresh_moves_the_generation_only_when_an_answer_differs(void **state)
{
    (void)state;
    struct catalog *catalog = NULL;
    struct catalog_want wants[4];
    const struct catalog_relation *relations = NULL;
    size_t n = 0;
    assert_int_equal(catalog_new(&catalog), 0);
    TABLES(catalog, "t", "public");
    uint64_t before = catalog_generation(catalog);
    assert_int_equal(catalog_refresh(catalog), 1);
    assert_int_equal(catalog_relations(catalog, "t", &relations, &n), CATALOG_FOUND);
    assert_int_equal(catalog_take_wants(catalog, wants, 4), 1);
    TABLES(catalog, "t", "public");
    assert_int_equal(catalog_generation(catalog), before);
    assert_int_equal(catalog_refresh(catalog), 1);
    assert_int_equal(catalog_take_wants(catalog, wants, 4), 1);
    assert_int_equal(catalog_put_relations(catalog, "t", NULL, 0, 8), 0);
    assert_true(catalog_generation(catalog) > before);
    assert_false(catalog_has_wants(catalog));
    catalog_free(catalog);
}

static void too_many_names_are_forgotten_and_never_kept(void **state)
{
    (void)state;
    struct catalog *catalog = NULL;
    char name[32];
    const struct catalog_relation *relations = NULL;
    size_t n = 0;
    assert_int_equal(catalog_new(&catalog), 0);
    for (int i = 0; i < 3 * CATALOG_ENTRIES_MAX; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        TABLES(catalog, name, "public");
    }
    assert_int_equal(catalog_relations(catalog, "t1", &relations, &n), CATALOG_WANTED);
    assert_int_equal(catalog_relations(catalog, name, &relations, &n), CATALOG_FOUND);
    catalog_free(catalog);
}

static void a_name_means_the_first_schema_of_the_path_that_the_login_may_use(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_string_equal(meant(f.scope, NULL, "t"), "wanted");
    TABLES(f.catalog, "t", "public", "app", "secret");
    assert_string_equal(meant(f.scope, NULL, "t"), "app");
    assert_string_equal(meant(f.scope, "public", "t"), "public");
    assert_string_equal(meant(f.scope, "evil", "t"), "absent");
    TABLES(f.catalog, "pg_class", "public", "pg_catalog");
    assert_string_equal(meant(f.scope, NULL, "pg_class"), "pg_catalog");
    assert_string_equal(scope_making_schema(f.scope), "app");
    end(&f);
}

static void a_moved_path_adds_meanings_and_never_takes_one_away(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    TABLES(f.catalog, "t", "public", "evil", "secret");
    TABLES(f.catalog, "pg_class", "evil", "pg_catalog");
    assert_int_equal(scope_note(f.scope, SCOPE_PATH, " EVIL , pg_catalog"), 0);
    assert_string_equal(meant(f.scope, NULL, "t"), "public evil");
    assert_string_equal(meant(f.scope, NULL, "pg_class"), "pg_catalog evil");
    assert_null(scope_making_schema(f.scope));
    assert_int_equal(scope_note(f.scope, SCOPE_PATH, NULL), 0);
    assert_string_equal(meant(f.scope, NULL, "t"), "public evil secret");
    end(&f);
}

static void a_path_that_is_not_understood_may_mean_any_schema(void **state)
{
    (void)state;
    static const char *const paths[] = { "a b", "\"a", "a,,b", ",", "\xc3\x84rger" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct fixture f;
        begin(&f);
        TABLES(f.catalog, "t", "public", "evil", "secret");
        assert_int_equal(scope_note(f.scope, SCOPE_PATH, paths[i]), 0);
        assert_true(scope_is_anywhere(f.scope));
        end(&f);
    }
}

static void a_start_path_stands_instead_of_the_default(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    TABLES(f.catalog, "t", "public", "app", "evil");
    assert_int_equal(scope_start_path(f.scope, "\"evil\""), 0);
    assert_string_equal(meant(f.scope, NULL, "t"), "evil");
    end(&f);
}

static void what_a_transaction_has_made_is_meant_too_in_every_session(void **state)
{
    (void)state;
    struct fixture f;
    struct scope *other = NULL;
    begin(&f);
    assert_int_equal(scope_new(f.catalog, &other), 0);
    TABLES(f.catalog, "t", "public", "app");
    uint64_t before = scope_generation(other);
    assert_int_equal(scope_note(f.scope, SCOPE_FRESH_TABLE, "t"), 0);
    assert_string_equal(meant(f.scope, NULL, "t"), "app public+");
    assert_string_equal(meant(other, NULL, "t"), "app public+");
    assert_int_equal(scope_note(f.scope, SCOPE_CHANGED, "t"), 0);
    assert_string_equal(meant(other, NULL, "t"), "app public!");
    assert_true(scope_generation(other) > before);
    scope_settle(f.scope);
    assert_string_equal(meant(other, NULL, "t"), "app");
    scope_free(other);
    end(&f);
}

static void temporary_tables_stay_and_are_one_session_s_own(void **state)
{
    (void)state;
    struct fixture f;
    struct scope *other = NULL;
    begin(&f);
    assert_int_equal(scope_new(f.catalog, &other), 0);
    TABLES(f.catalog, "t", "public");
    assert_int_equal(scope_note(f.scope, SCOPE_TEMPORARY, "t"), 0);
    scope_settle(f.scope);
    assert_string_equal(meant(f.scope, NULL, "t"), "public~");
    assert_string_equal(meant(f.scope, "public", "t"), "public");
    assert_string_equal(meant(other, NULL, "t"), "public");
    scope_free(other);
    end(&f);
}

static void too_many_unsettled_names_unsettle_every_name(void **state)
{
    (void)state;
    struct fixture f;
    char name[32];
    begin(&f);
    TABLES(f.catalog, "t", "public");
    for (int i = 0; i <= SCOPE_UNSETTLED_MAX; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(scope_note(f.scope, SCOPE_FRESH_TABLE, name), 0);
    }
    assert_string_equal(meant(f.scope, NULL, "t"), "public!");
    end(&f);
}

static void what_is_taken_back_was_never_noted(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    TABLES(f.catalog, "t", "public", "evil");
    assert_int_equal(scope_note(f.scope, SCOPE_FRESH_TABLE, "u"), 0);
    const struct scope_mark mark = scope_mark(f.scope);
    uint64_t before = scope_generation(f.scope);
    scope_rewind(f.scope, &mark);
    assert_int_equal(scope_generation(f.scope), before);
    assert_int_equal(scope_note(f.scope, SCOPE_CHANGED, "t"), 0);
    assert_int_equal(scope_note(f.scope, SCOPE_TEMPORARY, "t"), 0);
    assert_int_equal(scope_note(f.scope, SCOPE_PATH, "evil"), 0);
    assert_int_equal(scope_note(f.scope, SCOPE_UPHEAVAL, NULL), 0);
    assert_string_equal(meant(f.scope, NULL, "t"), "public evil~!");
    scope_rewind(f.scope, &mark);
    assert_string_equal(meant(f.scope, NULL, "t"), "public");
    assert_false(scope_is_settled(f.scope));
    scope_settle(f.scope);
    scope_rewind(f.scope, &mark);
    assert_true(scope_is_settled(f.scope));
    end(&f);
}

static void functions_count_from_every_schema_of_the_path(void **state)
{
    (void)state;
    struct fixture f;
    bool unsettled = true;
    size_t cursor = 0, n = 0;
    const struct catalog_function *function = NULL;
    const struct catalog_function functions[] = {
        { .oid = 870, .schema = "pg_catalog", .name = "lower", .n_arguments = 1 },
        { .oid = 20001, .schema = "public", .name = "lower", .n_arguments = 2, .n_defaults = 1 },
        { .oid = 20002, .schema = "evil", .name = "lower", .n_arguments = 1 },
        { .oid = 20003, .schema = "app", .name = "lower", .n_arguments = 3 },
    };
    begin(&f);
    assert_int_equal(scope_function(f.scope, NULL, "lower", &unsettled), CATALOG_WANTED);
    assert_int_equal(catalog_put_functions(f.catalog, "lower", functions, 4, 1), 0);
    assert_int_equal(scope_function(f.scope, NULL, "lower", &unsettled), CATALOG_FOUND);
    assert_false(unsettled);
    while (scope_next_function(f.scope, NULL, "lower", 1, &cursor, &function))
        n += function->oid;
    assert_int_equal(n, 870 + 20001);
    cursor = 0;
    assert_true(scope_next_function(f.scope, "evil", "lower", -1, &cursor, &function));
    assert_int_equal(function->oid, 20002);
    assert_false(scope_next_function(f.scope, "evil", "lower", -1, &cursor, &function));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_wanted_once_and_known_when_it_was_put),
        cmocka_unit_test(a_refresh_moves_the_generation_only_when_an_answer_differs),
        cmocka_unit_test(too_many_names_are_forgotten_and_never_kept),
        cmocka_unit_test(a_name_means_the_first_schema_of_the_path_that_the_login_may_use),
        cmocka_unit_test(a_moved_path_adds_meanings_and_never_takes_one_away),
        cmocka_unit_test(a_path_that_is_not_understood_may_mean_any_schema),
        cmocka_unit_test(a_start_path_stands_instead_of_the_default),
        cmocka_unit_test(what_a_transaction_has_made_is_meant_too_in_every_session),
        cmocka_unit_test(temporary_tables_stay_and_are_one_session_s_own),
        cmocka_unit_test(too_many_unsettled_names_unsettle_every_name),
        cmocka_unit_test(what_is_taken_back_was_never_noted),
        cmocka_unit_test(functions_count_from_every_schema_of_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
