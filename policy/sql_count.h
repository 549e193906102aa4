/* A DELETE or UPDATE as a query for the rows that it would touch. */
#pragma once
#include "base/error.h"

#define SQL_COUNT_ROWS "SELECT 1" /* what the query begins with */

enum { SQL_COUNT_TEXT_MAX = 64 * 1024 /* bytes of a statement that is looked at */ };

/* *ret: "SELECT 1 FROM t WHERE (…)", with the statement's own WHERE, freed by the caller; NULL when it is
 * not one DELETE or UPDATE of one table, or is not plain text (comments, dollar quotes, backslashes). What it
 * calls has to be judged like any other statement before it runs. text: n bytes, NUL-terminated, UTF-8.
 * -ENOMEM. */
MUST_USE int sql_count_of(const char *text, size_t n, char **ret);
