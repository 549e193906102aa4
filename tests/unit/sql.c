#include "policy/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const roles[] = {
    [SQL_PLAIN] = "",
    [SQL_BEGIN] = "begin",
    [SQL_COMMIT] = "commit",
    [SQL_ROLLBACK] = "rollback",
    [SQL_PREPARE] = "prepare",
    [SQL_EXECUTE] = "execute",
    [SQL_DEALLOCATE] = "deallocate",
    [SQL_DISCARD] = "discard",
    [SQL_COPY_IN] = "copy_in",
    [SQL_COPY_OUT] = "copy_out",
    [SQL_DECLARE] = "declare",
    [SQL_FETCH] = "fetch",
};

enum { RENDERED_MAX = 16 * 1024 };

struct text {
    char bytes[RENDERED_MAX];
    size_t n;
};

static void PRINTF_LIKE(2, 3) add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->bytes + text->n, sizeof text->bytes - text->n, format, arguments);
    va_end(arguments);
    assert_true(n >= 0 && (size_t)n < sizeof text->bytes - text->n);
    text->n += (size_t)n;
}

static void render_effect(struct text *text, const struct effect *e)
{
    char described[EFFECT_NAME_MAX + 256];
    add(text, " %s%s", effect_describe(e, described, sizeof described), e->harmless_call ? "~" : "");
    for (char **column = e->columns; column && *column; column++)
        add(text, "%s%s%s", column == e->columns ? " {" : "", *column, column[1] ? ", " : "}");
}

static void render(struct text *text, const struct sql_request *request)
{
    text->n = 0;
    if (request->count == 0)
        add(text, "= nothing\n");
    for (size_t i = 0; i < request->count; i++) {
        const struct sql_statement *s = &request->statements[i];
        add(text, "=");
        if (s->role != SQL_PLAIN)
            add(text, " <%s%s%s>", roles[s->role], s->name ? " " : "", s->name ? s->name : "");
        for (size_t k = 0; k < s->effects.count; k++) {
            add(text, "%s", k > 0 ? ";" : "");
            render_effect(text, &s->effects.items[k]);
        }
        add(text, "\n");
    }
}

static void check_case(const char *sql, const char *expected, int line)
{
    static struct text got;
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    assert_int_equal(sql_parse(sql, &request), 0);
    render(&got, request);
    if (strcmp(got.bytes, expected) != 0)
        fail_msg("sql_cases.txt:%d: %s\nexpected:\n%sgot:\n%s", line, sql, expected, got.bytes);
}

static void each_statement_of_the_file_has_the_effects_that_it_says(void **state)
{
    (void)state;
    FILE *file = fopen("sql_cases.txt", "re");
    assert_non_null(file);
    char line[4096], sql[4096] = "", expected[RENDERED_MAX] = "";
    int number = 0, cases = 0, at = 0;
    for (bool more = true; more;) {
        more = fgets(line, sizeof line, file) != NULL;
        number++;
        if (more && line[0] == '=') {
            strcat(expected, line);
            continue;
        }
        if (*expected) {
            check_case(sql, expected, at);
            cases++;
        }
        *expected = '\0';
        at = number;
        snprintf(sql, sizeof sql, "%.*s", (int)strcspn(line, "\n"), line);
    }
    fclose(file);
    assert_true(cases >= 480);
}

static void a_statement_knows_its_place_in_the_string(void **state)
{
    (void)state;
    const char *sql = " SELECT 1 ; -- x\n DROP TABLE t\t;\n/* y */ SELECT 2 ";
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    assert_int_equal(sql_parse(sql, &request), 0);
    assert_int_equal(request->count, 3);
    const char *const expected[] = { "SELECT 1", "-- x\n DROP TABLE t", "/* y */ SELECT 2" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(request->statements[i].length, strlen(expected[i]));
        assert_memory_equal(sql + request->statements[i].offset, expected[i], strlen(expected[i]));
    }
}

static void what_does_not_parse_is_one_unparsable_statement(void **state)
{
    (void)state;
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    assert_int_equal(sql_parse("SELECT 1; DROP TABLE; SELECT 2", &request), 0);
    assert_int_equal(request->count, 1);
    assert_int_equal(request->statements[0].effects.count, 1);
    assert_int_equal(request->statements[0].effects.items[0].kind, EFFECT_UNPARSABLE);
    assert_non_null(strstr(request->statements[0].effects.items[0].why, "syntax error"));
    assert_int_equal(request->statements[0].length, 30);
}

/* before + n times middle + between + n times after + end */
static char *nest(const char *before, const char *middle, const char *between, const char *after, size_t n)
{
    size_t size = strlen(before) + n * (strlen(middle) + strlen(after)) + strlen(between) + 1;
    char *sql = malloc(size), *at = sql;
    assert_non_null(sql);
    at = stpcpy(at, before);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, middle);
    at = stpcpy(at, between);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, after);
    return sql;
}

static enum effect_kind kind_of(char *sql, char *ret_why, size_t size)
{
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    assert_int_equal(sql_parse(sql, &request), 0);
    free(sql);
    assert_true(request->count >= 1 && request->statements[0].effects.count >= 1);
    const struct effect *e = &request->statements[0].effects.items[0];
    snprintf(ret_why, size, "%s", e->why ? e->why : "");
    return e->kind;
}

static void assert_unparsable(char *sql, const char *why)
{
    char got[128];
    assert_int_equal(kind_of(sql, got, sizeof got), EFFECT_UNPARSABLE);
    assert_non_null(strstr(got, why));
}

static void deep_nesting_is_unparsable_and_never_a_crash(void **state)
{
    (void)state;
    assert_unparsable(nest("SELECT ", "1+", "1", "", 200 * 1000), "nested too deeply");
    assert_unparsable(nest("SELECT x", "::t", "", "", 200 * 1000), "nested too deeply");
    assert_unparsable(nest("SELECT 1", " UNION SELECT 1", "", "", 100 * 1000), "nested too deeply");
    assert_unparsable(nest("SELECT * FROM a", " JOIN b ON true", "", "", 100 * 1000), "nested too deeply");
    assert_unparsable(nest("SELECT ", "(", "1", ")", 50 * 1000), "memory exhausted");
    assert_unparsable(nest("SELECT ", "(SELECT ", "1", ")", 50 * 1000), "memory exhausted");
    assert_unparsable(nest("SELECT ", "f(", "1", ")", 50 * 1000), "memory exhausted");
    assert_unparsable(nest("DELETE FROM t WHERE ", "NOT ", "true", "", 100 * 1000), "memory exhausted");
    assert_unparsable(nest("SELECT ", "CASE WHEN true THEN ", "1", " END", 50 * 1000), "memory exhausted");
}

static void what_people_nest_is_parsable(void **state)
{
    (void)state;
    char why[128];
    assert_int_equal(kind_of(nest("SELECT ", "1+", "1", "", 1000), why, sizeof why), EFFECT_SELECT);
    assert_int_equal(kind_of(nest("SELECT 1", " UNION SELECT 1", "", "", 1000), why, sizeof why),
                     EFFECT_SELECT);
    assert_int_equal(kind_of(nest("SELECT ", "(", "1", ")", 2000), why, sizeof why), EFFECT_SELECT);
    assert_int_equal(kind_of(nest("DELETE FROM t WHERE a=1", " AND a=1", "", "", 20 * 1000), why, sizeof why),
                     EFFECT_DELETE);
    assert_int_equal(kind_of(nest("INSERT INTO t VALUES (1)", ",(1)", "", "", 100 * 1000), why, sizeof why),
                     EFFECT_INSERT);
    assert_int_equal(
        kind_of(nest("SELECT * FROM t WHERE a IN (1", ",1", ")", "", 500 * 1000), why, sizeof why),
        EFFECT_SELECT);
}

static void too_much_of_anything_is_unparsable(void **state)
{
    (void)state;
    assert_unparsable(nest("SELECT '", "xxxxxxxxxxxxxxxx", "'", "", SQL_PARSE_MAX / 16), "too long");
    assert_unparsable(nest("", ";SELECT 1", "", "", SQL_STATEMENTS_MAX + 1), "too many statements");
    size_t size = (EFFECTS_MAX + 1) * 8 + 32;
    char *sql = malloc(size), *at = sql;
    assert_non_null(sql);
    at = stpcpy(at, "SELECT * FROM t");
    for (int i = 0; i < EFFECTS_MAX; i++)
        at += sprintf(at, ",t%d", i);
    assert_unparsable(sql, "too many different things");
}

#ifndef GATEHOUSE_SANITIZE
static void a_statement_that_needs_too_much_memory_is_unparsable(void **state)
{
    (void)state;
    assert_unparsable(nest("SELECT ", "1+1+", "1", "", 4 * 1000 * 1000), "too much memory");
}
#endif

/* 3000 unqualified columns of 1500 tables: each may be each table's. */
static void work_that_grows_with_the_square_is_cut_off(void **state)
{
    (void)state;
    size_t size = 64 * 1024;
    char *sql = malloc(size), *at = sql;
    assert_non_null(sql);
    at = stpcpy(at, "SELECT 1");
    for (int i = 0; i < 3000; i++)
        at += sprintf(at, ",c%d", i);
    at = stpcpy(at, " FROM t");
    for (int i = 0; i < 1500; i++)
        at += sprintf(at, ",t%d", i);
    assert_unparsable(sql, "too much work");
}

int main(void)
{
    sql_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_statement_of_the_file_has_the_effects_that_it_says),
        cmocka_unit_test(a_statement_knows_its_place_in_the_string),
        cmocka_unit_test(what_does_not_parse_is_one_unparsable_statement),
        cmocka_unit_test(deep_nesting_is_unparsable_and_never_a_crash),
        cmocka_unit_test(what_people_nest_is_parsable),
        cmocka_unit_test(too_much_of_anything_is_unparsable),
#ifndef GATEHOUSE_SANITIZE
        cmocka_unit_test(a_statement_that_needs_too_much_memory_is_unparsable),
#endif
        cmocka_unit_test(work_that_grows_with_the_square_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
