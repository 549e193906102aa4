/* Statements that differ in the values of plain integers alone, and are judged alike whatever those are. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

enum {
    SQL_SHAPE_TEXT_MAX = 1024,   /* bytes of a statement that has a shape */
    SQL_SHAPE_INTEGERS_MAX = 16, /* in it */
};

struct sql_shape {
    size_t n, n_integers;
    size_t at[SQL_SHAPE_INTEGERS_MAX]; /* where in the text each one begins */
    char key[SQL_SHAPE_TEXT_MAX];      /* the text with '#' for each integer; n bytes, no NUL */
};

/* False: it has no shape, since it holds no integer, or anything out of the ordinary. Two texts with one key
 * are the same tokens to PostgreSQL's lexer, but for the values of the integers. text: NUL-terminated, n
 * bytes. */
MUST_USE bool sql_shape_of(const char *text, size_t n, struct sql_shape *ret);
/* Whether each of its integers is compared with a column by the WHERE of one plain SELECT, where no value of
 * it changes what the statement does. That holds for all texts of the shape, if for one. Parses the text;
 * false also when it does not parse. */
MUST_USE bool sql_shape_is_free(const char *text, const struct sql_shape *shape);
