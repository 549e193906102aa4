/* What judging a statement costs with the catalog known: the first time, and when the same text comes again.
 *
 *   judge [ROUNDS]
 *
 * Prints microseconds of CPU: parse, names, effects and decision; then of the same text seen before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "channels/pg/inspect.h"
#include "known.h"
#include "policy/sql.h"

enum { ROUNDS = 20000, TEXT_MAX = 512 };

static const char *const statements[] = {
    "SELECT abalance FROM pgbench_accounts WHERE aid = %d",
    "UPDATE pgbench_accounts SET abalance = abalance + %d WHERE aid = 7",
    "SELECT o.id, o.total, lower(c.name) FROM orders o JOIN customers c ON c.id = o.customer WHERE o.total > "
    "%d AND c.city "
    "= 'X' ORDER BY o.total DESC LIMIT 10",
    "INSERT INTO orders (customer, total, note) VALUES (%d, 2, 'a') RETURNING id",
    "WITH t AS (SELECT customer, sum(total) AS s FROM orders WHERE id > %d GROUP BY 1) SELECT c.name, t.s "
    "FROM t JOIN "
    "customers c ON c.id = t.customer WHERE t.s > 100",
};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void decide(struct inspector *inspector, struct scope *scope, const char *text)
{
    struct decision *d = NULL;
    int r = INSPECT_WAIT;
    while (r == INSPECT_WAIT) {
        r = inspector_decide(inspector, text, strlen(text), TEXT_UTF8, NULL, &d);
        if (r == INSPECT_WAIT)
            known_answer(scope_catalog(scope));
    }
    if (r < 0 || d->verdict.action != ACTION_ALLOW)
        exit(1);
    decision_free(d);
}

static void measure(struct inspector *inspector, struct scope *scope, const char *statement, int rounds)
{
    char text[TEXT_MAX];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, statement, 0);
    decide(inspector, scope, text); /* the catalog is warm from here on */
    double fresh = now();
    for (int i = 1; i <= rounds; i++) {
        snprintf(text, sizeof text, statement, i);
        decide(inspector, scope, text);
    }
    fresh = (now() - fresh) / rounds;
#pragma GCC diagnostic pop
    decide(inspector, scope, text); /* kept when it comes again */
    double seen = now();
    for (int i = 1; i <= rounds; i++)
        decide(inspector, scope, text);
    seen = (now() - seen) / rounds;
    printf("%6.2f us fresh, %5.2f us seen  %.60s\n", fresh, seen, statement);
}

int main(int argc, char **argv)
{
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    CLEANUP(catalog_free) struct catalog *catalog = NULL;
    CLEANUP(scope_free) struct scope *scope = NULL;
    CLEANUP(inspector_free) struct inspector *inspector = NULL;
    const struct circumstances who = { .target = "t" };
    int rounds = argc > 1 ? atoi(argv[1]) : ROUNDS;
    sql_start();
    if (known_rules(&rulebook) < 0 || catalog_new(&catalog) < 0 || scope_new(catalog, &scope) < 0 ||
        inspector_new(rulebook, &who, scope, &inspector) < 0)
        return 1;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        measure(inspector, scope, statements[i], rounds > 0 ? rounds : 1);
    return 0;
}
