/* A DELETE or UPDATE as a query for its rows: exactly these, and nothing where a keyword could hide. */
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include "policy/sql.h"
#include "policy/sql_count.h"

static void becomes(const char *sql, const char *expected)
{
    char *got = NULL;
    assert_int_equal(sql_count_of(sql, strlen(sql), &got), 0);
    if (!expected)
        assert_null(got);
    else if (!got || strcmp(got, expected) != 0)
        fail_msg("%s became %s", sql, got ? got : "nothing");
    free(got);
}

static void a_statement_of_one_table_becomes_a_query(void **state)
{
    (void)state;
    becomes("DELETE FROM t", "SELECT 1 FROM \"t\"");
    becomes("delete from s.t where a = 1;", "SELECT 1 FROM \"s\".\"t\" WHERE ( a = 1)");
    becomes("DELETE FROM ONLY t AS x WHERE x.a IN (SELECT b FROM u WHERE c) RETURNING *",
            "SELECT 1 FROM ONLY \"t\" AS \"x\" WHERE ( x.a IN (SELECT b FROM u WHERE c) )");
    becomes("UPDATE t SET a = (SELECT 1 WHERE true), b = 'where' WHERE c = $1",
            "SELECT 1 FROM \"t\" WHERE ( c = $1)");
    becomes("UPDATE \"Odd\"\"Name\" SET a = 1 WHERE \"where\" > 2",
            "SELECT 1 FROM \"Odd\"\"Name\" WHERE ( \"where\" > 2)");
    becomes("DELETE FROM t WHERE t.where = 1", "SELECT 1 FROM \"t\" WHERE ( t.where = 1)");
    becomes("DELETE FROM t WHERE a = 'it''s ) where'", "SELECT 1 FROM \"t\" WHERE ( a = 'it''s ) where')");
}

static void what_is_more_than_that_becomes_nothing(void **state)
{
    (void)state;
    becomes("SELECT 1", NULL);
    becomes("DELETE FROM t USING u WHERE t.a = u.a", NULL);
    becomes("UPDATE t SET a = u.a FROM u WHERE true", NULL);
    becomes("WITH x AS (DELETE FROM u RETURNING a) DELETE FROM t WHERE a IN (SELECT a FROM x)", NULL);
    becomes("DELETE FROM t WHERE a = 1; DELETE FROM u", NULL);
    becomes("DELETE FROM t WHERE", NULL);
    becomes("", NULL);
}

static void what_could_hide_a_keyword_becomes_nothing(void **state)
{
    (void)state;
    becomes("DELETE FROM t WHERE a = 1 -- where", NULL);
    becomes("DELETE FROM t /* where */ WHERE a = 1", NULL);
    becomes("DELETE FROM t WHERE a = E'\\' where '", NULL);
    becomes("DELETE FROM t WHERE a = $$where$$", NULL);
    becomes("DELETE FROM t WHERE a = $x$ where $x$", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_of_one_table_becomes_a_query),
        cmocka_unit_test(what_is_more_than_that_becomes_nothing),
        cmocka_unit_test(what_could_hide_a_keyword_becomes_nothing),
    };
    sql_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
