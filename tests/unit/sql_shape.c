/* Which statements have a shape, and which of these are judged alike whatever their integers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "policy/sql.h"
#include "policy/sql_shape.h"

static bool has_shape(const char *text, struct sql_shape *ret)
{
    return sql_shape_of(text, strlen(text), ret);
}

static void integers_leave_the_text(void **state)
{
    struct sql_shape shape;
    (void)state;
    assert_true(has_shape("SELECT a1 FROM t.u WHERE x=12 AND (y < 0) OR z >= 999999999;", &shape));
    static const char key[] = "SELECT a1 FROM t.u WHERE x=# AND (y < #) OR z >= #;";
    assert_int_equal(shape.n, sizeof key - 1);
    assert_memory_equal(shape.key, key, sizeof key - 1);
    assert_int_equal(shape.n_integers, 3);
    assert_int_equal(shape.at[0], 27);
    assert_int_equal(shape.at[1], 39);
}

static void what_is_out_of_the_ordinary_has_no_shape(void **state)
{
    static const char *const texts[] = {
        "SELECT 1", /* has one: see below */
        "",
        "SELECT a FROM t",
        "SELECT a FROM t WHERE x = '1'",
        "SELECT a FROM \"t\" WHERE x = 1",
        "SELECT a FROM t WHERE x = 1 -- 2",
        "SELECT a FROM t WHERE x = 1 /* */",
        "SELECT a FROM t WHERE x = $1",
        "SELECT a FROM t WHERE x = $$1$$",
        "SELECT a FROM t WHERE x = 1 AND y = $1",
        "SELECT a FROM t WHERE x = 1.0",
        "SELECT a FROM t WHERE x = 1.",
        "SELECT a FROM t WHERE x = .1",
        "SELECT a FROM t WHERE x = 1e5",
        "SELECT a FROM t WHERE x = 1E5",
        "SELECT a FROM t WHERE x = 0x1F",
        "SELECT a FROM t WHERE x = 1_000",
        "SELECT a FROM t WHERE x = 01",
        "SELECT a FROM t WHERE x = 00",
        "SELECT a FROM t WHERE x = 1000000000",
        "SELECT a FROM t WHERE x = 99999999999999999999",
        "SELECT a FROM t WHERE x = -1",
        "SELECT a FROM t WHERE x = +1",
        "SELECT a FROM t WHERE x = 1::text",
        "SELECT a FROM t WHERE x = 1AND y = 2",
        "SELECT a FROM t WHERE x = 1+1",
        "SELECT a FROM t WHERE x[1] = 1",
        "SELECT a FROM t WHERE x = 1\\",
        "SELECT a FROM t WHERE x = 1 AND \303\244 = 2",
        "SELECT a FROM t WHERE x = 1\001",
        "SELECT a FROM t WHERE x = 1\f",
        "SELECT a FROM t WHERE x = 1\v",
        "SELECT a FROM t WHERE x = U&1",
        "SELECT a FROM t WHERE x != 1",
        "SELECT a FROM t WHERE x %= 1",
        "1",
        "SELECT a FROM t WHERE x = #",
    };
    struct sql_shape shape;
    (void)state;
    assert_true(has_shape(texts[0], &shape));
    for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++)
        if (has_shape(texts[i], &shape))
            fail_msg("has a shape: %s", texts[i]);
}

static void a_shape_is_bounded(void **state)
{
    char text[SQL_SHAPE_TEXT_MAX + 64];
    struct sql_shape shape;
    (void)state;
    size_t n = (size_t)snprintf(text, sizeof text, "SELECT a FROM t WHERE x = 1");
    memset(text + n, ' ', sizeof text - n);
    text[SQL_SHAPE_TEXT_MAX] = 0;
    assert_true(has_shape(text, &shape));
    text[SQL_SHAPE_TEXT_MAX] = ' ';
    text[SQL_SHAPE_TEXT_MAX + 1] = 0;
    assert_false(has_shape(text, &shape));

    n = (size_t)snprintf(text, sizeof text, "SELECT a FROM t WHERE x = 1");
    for (size_t i = 1; i < SQL_SHAPE_INTEGERS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, " OR x = 1");
    assert_true(has_shape(text, &shape));
    (void)snprintf(text + n, sizeof text - n, " OR x = 1");
    assert_false(has_shape(text, &shape));
}

static void a_nul_inside_ends_no_integer(void **state)
{
    static const char text[] = "SELECT a FROM t WHERE x = 1\0 OR true";
    struct sql_shape shape;
    (void)state;
    assert_false(sql_shape_of(text, sizeof text - 1, &shape));
}

static void integers_compared_with_columns_are_free(void **state)
{
    static const char *const texts[] = {
        "SELECT abalance FROM pgbench_accounts WHERE aid = 1;",
        "SELECT * FROM t WHERE 1 = x",
        "select count(*), f(a, b) from s.t u where u.x >= 10 and not (y < 3 or z <> 4) order by a",
        "SELECT a FROM t JOIN u ON t.a = u.b WHERE t.x = 1",
        "SELECT a FROM t WHERE x = 1 FOR UPDATE",
        "SELECT a FROM t WHERE x = 1 AND y IS NULL AND z = b",
        "SELECT (SELECT max(b) FROM u) FROM t WHERE x = 5",
    };
    struct sql_shape shape;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!has_shape(texts[i], &shape) || !sql_shape_is_free(texts[i], &shape))
            fail_msg("is not free: %s", texts[i]);
}

/* Values that decide, or might: one of them is enough. */
static void integers_anywhere_else_are_not(void **state)
{
    static const char *const texts[] = {
        "SELECT 1",
        "SELECT a FROM t WHERE 1 = 1",
        "SELECT a FROM t WHERE x = 1 OR 1 = 1",
        "SELECT a FROM t WHERE x = 1 LIMIT 1",
        "SELECT a FROM t WHERE x = 1 LIMIT 0",
        "SELECT a FROM t WHERE x = 1 OFFSET 2",
        "SELECT a FROM t WHERE x = 1 ORDER BY 1",
        "SELECT a FROM t WHERE x = 1 GROUP BY 1",
        "SELECT a FROM t WHERE x = 1 FETCH FIRST 3 ROWS ONLY",
        "SELECT a, 5 FROM t WHERE x = 1",
        "SELECT f(1) FROM t WHERE x = 1",
        "SELECT a FROM f(2) WHERE x = 1",
        "SELECT a FROM t WHERE f(1) = x",
        "SELECT a FROM t WHERE x = f(1)",
        "SELECT a FROM t WHERE f(x = 1)",
        "SELECT a FROM t WHERE x IN (1, 2)",
        "SELECT a FROM t WHERE x BETWEEN 1 AND 2",
        "SELECT a FROM t WHERE (x, y) = (1, 2)",
        "SELECT a FROM t WHERE x = 1 = y",
        "SELECT a FROM t WHERE x = ANY (SELECT b FROM u WHERE y = 1)",
        "SELECT a FROM t WHERE EXISTS (SELECT FROM u WHERE y = 1)",
        "SELECT a FROM t WHERE CAST(x AS varchar(3)) = y",
        "SELECT a FROM t WHERE x = 1 AND b = CAST(c AS numeric(1,2))",
        "SELECT a FROM t WHERE x => 1",
        "SELECT a FROM t WHERE x OPERATOR(public.=) 1",
        "SELECT a FROM t JOIN u ON t.a = 1 WHERE x = 1",
        "SELECT a FROM t WHERE x = 1 HAVING sum(b) > 1",
        "SELECT a FROM t WHERE x = 1 UNION SELECT b FROM u WHERE y = 2",
        "WITH c AS (SELECT 1) SELECT a FROM t WHERE x = 1",
        "WITH c AS (DELETE FROM u) SELECT a FROM t WHERE x = 1",
        "SELECT a INTO v FROM t WHERE x = 1",
        "SELECT a FROM t TABLESAMPLE system (10) WHERE x = 1",
        "VALUES (1)",
        "TABLE t LIMIT 1",
        "SELECT a FROM t WHERE x = 1; SELECT a FROM t WHERE x = 2",
        "SELECT a FROM t WHERE x = 1; DROP TABLE t",
        "UPDATE t SET a = b WHERE x = 1",
        "UPDATE t SET a = b WHERE x = 1 OR x <> 1",
        "DELETE FROM t WHERE x = 1",
        "DELETE FROM t WHERE x <> 1 OR x = 2",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT a FROM u WHERE x = 1",
        "CREATE TABLE v AS SELECT a FROM t WHERE x = 1",
        "PREPARE p AS SELECT a FROM t WHERE x = 1",
        "EXPLAIN SELECT a FROM t WHERE x = 1",
        "DECLARE c CURSOR FOR SELECT a FROM t WHERE x = 1",
        "COPY (SELECT a FROM t WHERE x = 1) TO STDOUT",
        "EXECUTE p(1)",
        "SET statement_timeout = 1",
        "SELECT a FROM t WHERE x = 1 WHERE",
        "SELECT",
        "SELECT a FROM t WHERE x = 1)",
    };
    struct sql_shape shape;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (has_shape(texts[i], &shape) && sql_shape_is_free(texts[i], &shape))
            fail_msg("is free: %s", texts[i]);
}

static void logic_that_is_nested_deeply_is_not_free(void **state)
{
    char text[SQL_SHAPE_TEXT_MAX];
    struct sql_shape shape;
    (void)state;
    size_t n = (size_t)snprintf(text, sizeof text, "SELECT a FROM t WHERE ");
    for (int i = 0; i < 30; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "NOT (b OR ");
    n += (size_t)snprintf(text + n, sizeof text - n, "x = 1");
    for (int i = 0; i < 30; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, ")");
    assert_true(has_shape(text, &shape));
    assert_false(sql_shape_is_free(text, &shape));
}

static int start(void **state)
{
    (void)state;
    sql_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_leave_the_text),
        cmocka_unit_test(what_is_out_of_the_ordinary_has_no_shape),
        cmocka_unit_test(a_shape_is_bounded),
        cmocka_unit_test(a_nul_inside_ends_no_integer),
        cmocka_unit_test(integers_compared_with_columns_are_free),
        cmocka_unit_test(integers_anywhere_else_are_not),
        cmocka_unit_test(logic_that_is_nested_deeply_is_not_free),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
