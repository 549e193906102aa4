/* Statements of one shape: whatever text has one, with other integers in it, must still be the same tree to
 * the parser; and where the shape is free, the same effects. The first byte chooses the integers. */
#include <pg_query.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/sql.h"
#include "policy/sql_shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { TEXT_MAX = SQL_SHAPE_TEXT_MAX + SQL_SHAPE_INTEGERS_MAX * 10 };

static const char *const values[] = {
    "1", "2", "7", "10", "99", "100", "65536", "123456789", "999999999", "3"
};
enum { VALUES = sizeof values / sizeof values[0] };

/* The text with other integers; 0 is not among them, since JSON leaves it out. */
static void fill(const struct sql_shape *shape, unsigned which, unsigned step, char *out)
{
    for (size_t i = 0; i < shape->n; i++) {
        if (shape->key[i] != '#') {
            *out++ = shape->key[i];
            continue;
        }
        const char *value = values[which % VALUES];
        which += step;
        out = stpcpy(out, value);
    }
    *out = 0;
}

/* The tree as JSON without any digit: with offsets and values left out, names with digits suffer alike. */
static char *tree_of(const char *sql)
{
    PgQueryParseResult result = pg_query_parse(sql);
    char *tree = result.error ? strdup("no tree") : strdup(result.parse_tree);
    if (!tree)
        abort();
    char *to = tree;
    for (const char *from = tree; *from; from++)
        if (*from < '0' || *from > '9')
            *to++ = *from;
    *to = 0;
    pg_query_free_parse_result(result);
    return tree;
}

static void assert_same_tree(const char *a, const char *b)
{
    CLEANUP(free) char *first = tree_of(a), *second = tree_of(b);
    if (strcmp(first, second) != 0) {
        fprintf(stderr, "%s\n%s\n%s\n%s\n", a, b, first, second);
        abort();
    }
}

static void assert_same_effect(const struct effect *a, const struct effect *b)
{
    char first[EFFECT_NAME_MAX * 2], second[EFFECT_NAME_MAX * 2];
    if (a->kind != b->kind || a->object_kind != b->object_kind || a->unbounded_write != b->unbounded_write ||
        a->harmless_call != b->harmless_call || a->n_also != b->n_also || !a->why != !b->why ||
        (a->why && strcmp(a->why, b->why) != 0) || !a->columns != !b->columns)
        abort();
    for (size_t i = 0; a->columns && (a->columns[i] || b->columns[i]); i++)
        if (!a->columns[i] || !b->columns[i] || strcmp(a->columns[i], b->columns[i]) != 0)
            abort();
    if (strcmp(effect_describe(a, first, sizeof first), effect_describe(b, second, sizeof second)) != 0)
        abort();
}

static void assert_same_effects(const char *a, const char *b)
{
    CLEANUP(sql_request_free) struct sql_request *first = NULL, *second = NULL;
    if (sql_parse(a, &first) < 0 || sql_parse(b, &second) < 0 || first->count != 1 || second->count != 1)
        abort();
    const struct sql_statement *x = &first->statements[0], *y = &second->statements[0];
    if (x->role != SQL_PLAIN || y->role != SQL_PLAIN || x->name || y->name || x->change != y->change ||
        x->any_path != y->any_path || x->asks_read_write != y->asks_read_write ||
        x->cascades != y->cascades || x->effects.count != y->effects.count || x->facts.n != y->facts.n ||
        x->facts.overflow != y->facts.overflow ||
        (x->facts.n > 0 && memcmp(x->facts.bytes, y->facts.bytes, x->facts.n) != 0))
        abort();
    for (size_t i = 0; i < x->effects.count; i++) {
        assert_same_effect(&x->effects.items[i], &y->effects.items[i]);
        if (x->effects.items[i].unbounded_write)
            abort(); /* nothing of a free shape writes */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool started;
    struct sql_shape shape, again;
    char first[TEXT_MAX + 1], second[TEXT_MAX + 1];
    if (!started)
        sql_start();
    started = true;
    if (n < 1 || n > TEXT_MAX)
        return 0;
    unsigned which = bytes[0];
    CLEANUP(free) char *text = strndup((const char *)bytes + 1, n - 1);
    if (!text)
        abort();
    if (!sql_shape_of(text, strlen(text), &shape))
        return 0;
    fill(&shape, which, 3, first);
    fill(&shape, which / 7 + 1, 1 + which % 5, second);
    if (strlen(first) > SQL_SHAPE_TEXT_MAX || strlen(second) > SQL_SHAPE_TEXT_MAX)
        return 0;
    if (!sql_shape_of(second, strlen(second), &again) || again.n != shape.n ||
        memcmp(again.key, shape.key, shape.n) != 0)
        abort();
    bool free = sql_shape_is_free(text, &shape);
    if (free != sql_shape_is_free(second, &again))
        abort();
    if (!free)
        return 0;
    assert_same_tree(first, second);
    assert_same_effects(first, second);
    assert_same_effects(text, second); /* 0 may be in this one */
    return 0;
}
