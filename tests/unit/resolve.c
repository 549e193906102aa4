/* Statements against a catalog that is built by hand. */
#include "policy/sql_resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { WORDS_MAX = 4096 };

static const struct catalog_schema schemas[] = {
    { "pg_catalog", true }, { "public", true }, { "hr", true }, { "evil", true }
};
static const struct catalog_hook operators[] = {
    { "public", "|+|", { "public", "merge_rows" }, true },
    { "evil", "=", { "evil", "compare" }, true },
};
static const struct catalog_hook casts[] = { { "", "", { "public", "to_mood" }, true } };

static const struct catalog_column order_columns[] = { { "id", 1, 23, false, 's', '-' },
                                                       { "total", 2, 1700, false, 's', '-' } };
static const struct catalog_column mood_columns[] = { { "mood", 1, 20100, true, 's', '-' } };
static const struct catalog_name parent[] = { { "public", "events" } };
static const struct catalog_name child[] = { { "public", "events_2024" } };
static const struct catalog_name items[] = { { "public", "items" } };
static const struct catalog_name stamp[] = { { "public", "stamp" } };
static const struct catalog_name write_view[] = { { "public", "write_view" } };

#define COLUMNS(list) .columns = (list), .n_columns = sizeof(list) / sizeof((list)[0])
#define TABLE(number, in, called, what)                                                                      \
    .oid = (number), .schema = (in), .name = (called), .owner = "app", .kind = (what)

static const struct catalog_relation relations[] = {
    { TABLE(20001, "public", "orders", 'r'), COLUMNS(order_columns), .followers = items, .n_followers = 1,
      .triggers = stamp, .n_triggers = 1 },
    { TABLE(20002, "hr", "salaries", 'r'), COLUMNS(order_columns) },
    { TABLE(20003, "evil", "orders", 'r'), COLUMNS(order_columns) },
    { TABLE(20010, "public", "paid", 'v'), COLUMNS(order_columns),
      .definition =
          " SELECT s.id, public.volatile_one(s.total) AS total FROM hr.salaries s WHERE lower('X') = 'x'" },
    { TABLE(20011, "public", "paid_twice", 'v'), COLUMNS(order_columns),
      .definition = "SELECT * FROM public.paid" },
    { TABLE(20012, "public", "doors", 'v'), COLUMNS(order_columns), .definition = "SELECT 1 AS id",
      .triggers = write_view, .n_triggers = 1 },
    { TABLE(20013, "public", "long_view", 'v'), COLUMNS(order_columns) },
    { TABLE(20014, "public", "odd_view", 'v'), COLUMNS(order_columns), .definition = "SELECT FROM FROM" },
    { TABLE(20020, "public", "events", 'p'), COLUMNS(order_columns), .descendants = child,
      .n_descendants = 1 },
    { TABLE(20021, "public", "events_2024", 'r'), COLUMNS(order_columns), .ancestors = parent,
      .n_ancestors = 1 },
    { TABLE(20030, "public", "moods", 'r'), COLUMNS(mood_columns) },
    { TABLE(20031, "public", "ruled", 'r'), COLUMNS(order_columns), .rewritten = true },
    { TABLE(1260, "pg_catalog", "pg_authid", 'r'), COLUMNS(order_columns) },
};

#define CALL(number, in, called, lang, vol)                                                                  \
    .oid = (number), .schema = (in), .name = (called), .owner = "app", .language = (lang), .kind = 'f',      \
    .volatility = (vol), .harmless_parts = true, .n_arguments = 1, .trusted_language = true

static const struct catalog_function functions[] = {
    { CALL(870, "pg_catalog", "lower", "internal", 'i') },
    { CALL(2096, "pg_catalog", "pg_terminate_backend", "internal", 'v') },
    { CALL(764, "pg_catalog", "lo_import", "internal", 'v') },
    { CALL(30001, "public", "volatile_one", "plpgsql", 'v') },
    { CALL(30002, "public", "similar", "c", 's'), .trusted_owner = true },
    { CALL(30003, "public", "crosstab", "c", 's'), .trusted_owner = true },
    { CALL(30004, "public", "plain_sql", "sql", 'i'), .trusted_owner = true },
    { CALL(30005, "public", "reader", "sql", 's'), .trusted_owner = true },
    { CALL(30006, "public", "claims", "c", 'i') },
    { CALL(30007, "public", "as_owner", "c", 'i'), .trusted_owner = true, .security_definer = true },
    { CALL(30008, "evil", "lower", "sql", 'v') },
    { CALL(30009, "public", "total_of", "plpgsql", 'v') },
    { .oid = 30010,
      .schema = "public",
      .name = "mean",
      .owner = "app",
      .language = "internal",
      .kind = 'a',
      .volatility = 'i',
      .n_arguments = 1,
      .trusted_language = true,
      .trusted_owner = true },
};

struct house {
    struct catalog *catalog;
    struct scope *scope;
    bool casts; /* a cast is backed by a function */
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void answer_relations(struct catalog *catalog, const char *name)
{
    struct catalog_relation found[4];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(relations); i++)
        if (strcmp(relations[i].name, name) == 0)
            found[n++] = relations[i];
    assert_int_equal(catalog_put_relations(catalog, name, found, n, 1), 0);
}

static void answer_functions(struct catalog *catalog, const char *name)
{
    struct catalog_function found[4];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            found[n++] = functions[i];
    assert_int_equal(catalog_put_functions(catalog, name, found, n, 1), 0);
}

/* As the server would answer. */
static void answer(const struct house *house)
{
    struct catalog *catalog = house->catalog;
    struct catalog_want wants[64];
    size_t n = catalog_take_wants(catalog, wants, 64);
    for (size_t i = 0; i < n; i++) {
        char key[256];
        (void)snprintf(key, sizeof key, "%s", wants[i].key);
        if (wants[i].kind == CATALOG_RELATIONS) {
            answer_relations(catalog, key);
        } else if (wants[i].kind == CATALOG_FUNCTIONS) {
            answer_functions(catalog, key);
        } else if (wants[i].kind == CATALOG_TYPES) {
            bool mood = strcmp(key, "mood") == 0;
            const struct catalog_type type = {
                .oid = mood ? 20100 : 25, .schema = "public", .name = "mood", .kind = 'e'
            };
            assert_int_equal(catalog_put_types(catalog, key, &type, 1, 1), 0);
        } else {
            const struct catalog_basics basics = { .login = "app",
                                                   .search_path = "\"$user\", public",
                                                   .schemas = schemas,
                                                   .n_schemas = COUNT(schemas),
                                                   .operators = operators,
                                                   .n_operators = COUNT(operators),
                                                   .casts = casts,
                                                   .n_casts = house->casts };
            assert_int_equal(catalog_put_basics(catalog, &basics, 1), 0);
        }
    }
}

static void begin(struct house *house)
{
    assert_int_equal(catalog_new(&house->catalog), 0);
    assert_int_equal(scope_new(house->catalog, &house->scope), 0);
}

static void end(struct house *house)
{
    scope_free(house->scope);
    catalog_free(house->catalog);
}

static void describe(const struct effects *effects, char *words)
{
    words[0] = '\0';
    for (size_t i = 0; i < effects->count; i++) {
        char one[EFFECT_NAME_MAX];
        (void)snprintf(words + strlen(words), WORDS_MAX - strlen(words), "%s%s%s", i ? "; " : "",
                       effect_describe(&effects->items[i], one, sizeof one),
                       effects->items[i].harmless_call ? "~" : "");
    }
}

static int note(void *owner, enum scope_change change, const char *text)
{
    return scope_note(owner, change, text);
}

/* The effects of the string's last statement, as resolved after those before it. */
static const char *effects_of(struct house *house, const char *sql)
{
    static char words[WORDS_MAX];
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    assert_int_equal(sql_parse(sql, &request), 0);
    for (size_t i = 0; i < request->count; i++) {
        struct effects effects = { 0 };
        int r = SQL_RESOLVE_WANTED;
        for (int round = 0; round < 8 && r == SQL_RESOLVE_WANTED; round++) {
            r = sql_resolve(house->scope, &request->statements[i], round > 0, &effects);
            if (r == SQL_RESOLVE_WANTED)
                assert_int_equal(effects.count, 0);
            answer(house);
        }
        assert_int_equal(r, 0);
        describe(&effects, words);
        effects_free(&effects);
        assert_int_equal(sql_changes(&request->statements[i], note, house->scope), 0);
    }
    return words;
}

static void expect_in(struct house *house, const char *sql, const char *expected)
{
    begin(house);
    assert_string_equal(effects_of(house, sql), expected);
    end(house);
}

static void expect(const char *sql, const char *expected)
{
    expect_in(&(struct house){ .casts = false }, sql, expected);
}

static void expect_casting(const char *sql, const char *expected)
{
    expect_in(&(struct house){ .casts = true }, sql, expected);
}

static void names_get_their_schemas(void **state)
{
    (void)state;
    expect("SELECT id FROM orders", "select public.orders");
    expect("SELECT rolpassword FROM pg_authid", "select pg_catalog.pg_authid");
    expect("SELECT * FROM hr.salaries", "select hr.salaries");
    expect("SELECT * FROM \"Orders\"", "select public.Orders");
    expect("WITH orders AS (SELECT 1) SELECT * FROM orders", "select");
    expect("CREATE TABLE fresh (a int)", "create public.fresh");
    expect("CREATE TEMP TABLE fresh (a int)", "create pg_temp.fresh");
    expect("SELECT 'hr.Salaries'::regclass", "select; select hr.salaries");
    expect("SELECT 16384::oid::regclass, '16384'::regclass", "select");
}

static void a_view_is_itself_and_what_it_reads(void **state)
{
    (void)state;
#define PAID "hr.salaries; function public.volatile_one(): volatile, plpgsql, of app; select lower()~"
    expect("SELECT * FROM paid", "select public.paid; select " PAID);
    expect("SELECT * FROM paid_twice", "select public.paid_twice; select public.paid; select " PAID);
    expect("EXPLAIN SELECT * FROM paid",
           "explain public.paid; explain hr.salaries; function "
           "public.volatile_one(): volatile, plpgsql, of app; explain lower()~");
    expect("DELETE FROM paid",
           "delete public.paid (unbounded); select hr.salaries; delete hr.salaries (unbounded); "
           "function public.volatile_one(): volatile, plpgsql, of app; select lower()~");
    expect("INSERT INTO doors VALUES (1)",
           "insert public.doors; function public.write_view(): a trigger stands for the view; select");
    expect("SELECT * FROM long_view",
           "select public.long_view; unknown: the definition of the view long_view is too "
           "long or too deep");
    expect("SELECT * FROM odd_view",
           "select public.odd_view; unknown: the definition of the view odd_view is not understood");
}

static void partitions_and_rows_that_follow_are_known_by_their_relatives(void **state)
{
    (void)state;
    expect("SELECT * FROM events", "select public.events (and related tables)");
    expect("SELECT * FROM events_2024", "select public.events_2024 (and related tables)");
    expect("DELETE FROM orders WHERE id = 1",
           "delete public.orders (and related tables); delete public.stamp()~");
    expect("INSERT INTO orders (id) VALUES (1)", "insert public.orders; insert public.stamp()~");
    expect("INSERT INTO ruled VALUES (1)",
           "insert public.ruled; unknown: rules on ruled rewrite what is written to it");
    expect("TRUNCATE orders CASCADE", "truncate public.orders; truncate public.stamp()~; truncate");
}

static void functions_are_what_they_are(void **state)
{
    (void)state;
    expect("SELECT lower('a')", "select lower()~; select");
    expect("SELECT pg_terminate_backend(1)", "function pg_catalog.pg_terminate_backend(); select");
    expect("SELECT lo_import('/etc/passwd')", "function pg_catalog.lo_import(); select");
    expect("SELECT volatile_one(1)", "function public.volatile_one(): volatile, plpgsql, of app; select");
    expect("SELECT similar(1)", "select similar()~; select");
    expect("SELECT crosstab('x')", "function public.crosstab(): c, of app; select");
    expect("SELECT plain_sql(1)", "select plain_sql()~; select");
    expect("SELECT reader(1)", "function public.reader(): sql, of app; select");
    expect("SELECT claims(1)", "function public.claims(): c, of app; select");
    expect("SELECT as_owner(1)", "function public.as_owner(): security definer, c, of app; select");
    expect("SELECT mean(1)", "function public.mean(): internal, of app; select");
    expect("SELECT o.total_of FROM orders o",
           "select public.orders; function public.total_of(): volatile, plpgsql, of app");
    expect("SELECT (o).total_of FROM orders o",
           "select public.orders; function public.total_of(): volatile, plpgsql, of app");
    expect("SELECT evil.lower('a')", "function evil.lower(): volatile, sql, of app; select");
}

static void the_search_path_is_followed(void **state)
{
    (void)state;
    expect("SET search_path = evil, pg_catalog; SELECT lower('a')",
           "function evil.lower(): volatile, sql, of app; select; function evil.compare(): an operator calls "
           "it");
    expect("SET ROLE other; SELECT * FROM salaries",
           "select hr.salaries; function evil.compare(): an operator calls it");
    expect("SET search_path = 'evil'; SELECT * FROM orders",
           "select public.orders; select evil.orders; function evil.compare(): an operator calls it");
    expect("SELECT set_config('search_path', 'evil, hr', false); SELECT * FROM salaries",
           "select hr.salaries; function evil.compare(): an operator calls it");
    expect("SELECT set_config('search_path', a, false) FROM orders; SELECT * FROM orders",
           "select public.orders; select evil.orders; function evil.compare(): an operator calls it");
    expect("DO ''; SELECT lower('a')", "function evil.lower(): volatile, sql, of app; select; function "
                                       "evil.compare(): an operator calls it");
}

static void operators_and_casts_call_what_backs_them(void **state)
{
    (void)state;
    expect("SELECT id |+| 1 FROM orders",
           "select public.orders; function public.merge_rows(): an operator calls it");
    expect("SELECT id + 1 FROM orders", "select public.orders");
    expect("SELECT OPERATOR(public.|+|) 1", "function public.merge_rows(): an operator calls it; select");
    expect("SELECT id = 1 FROM hr.salaries", "select hr.salaries");
    expect("SET search_path = evil; SELECT id = 1 FROM hr.salaries",
           "select hr.salaries; function evil.compare(): an operator calls it");
    expect_casting("SELECT 'x'::mood", "select; function public.to_mood(): a cast or a domain calls it");
    expect_casting("SELECT * FROM moods",
                   "select public.moods; function public.to_mood(): a cast or a domain calls it");
    expect_casting("SELECT 1::text FROM orders", "select public.orders");
}

static void what_a_transaction_makes_can_be_used_in_it(void **state)
{
    (void)state;
    expect("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", "insert public.t");
    expect("CREATE TABLE t AS SELECT 1; SELECT * FROM t", "select public.t");
    expect("CREATE TEMP TABLE orders (a int); SELECT * FROM orders",
           "select public.orders; select pg_temp.orders");
    expect("ALTER TABLE orders ADD c int; UPDATE orders SET c = 1 WHERE id = 2",
           "update public.orders (and related tables); update public.stamp()~");
}

static void what_a_transaction_changes_is_not_trusted_until_it_is_over(void **state)
{
    (void)state;
    expect("CREATE OR REPLACE VIEW paid AS SELECT 1; SELECT id FROM paid",
           "select public.paid; select " PAID "; unknown: paid may have changed in a "
           "transaction that is not over: COMMIT first");
    expect("CREATE FUNCTION lower(int) RETURNS int LANGUAGE sql AS ''; SELECT lower('a')",
           "function lower(): it was made or changed in a transaction that is not over; select");
    expect("ALTER TABLE hr.salaries RENAME TO plain; SELECT * FROM plain",
           "select public.plain; unknown: plain may have changed in a transaction that is not over: COMMIT "
           "first");
    expect("CREATE OPERATOR + (PROCEDURE = volatile_one); SELECT * FROM events",
           "select public.events (and related tables); unknown: events may have "
           "changed in a "
           "transaction that is not over: COMMIT first");
}

int main(void)
{
    sql_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_their_schemas),
        cmocka_unit_test(a_view_is_itself_and_what_it_reads),
        cmocka_unit_test(partitions_and_rows_that_follow_are_known_by_their_relatives),
        cmocka_unit_test(functions_are_what_they_are),
        cmocka_unit_test(the_search_path_is_followed),
        cmocka_unit_test(operators_and_casts_call_what_backs_them),
        cmocka_unit_test(what_a_transaction_makes_can_be_used_in_it),
        cmocka_unit_test(what_a_transaction_changes_is_not_trusted_until_it_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
