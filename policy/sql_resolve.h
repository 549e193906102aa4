/* Effects as the catalog has them: names with their schemas, views with what they read and write, functions
 * for what they are, and what operators and casts call. */
#pragma once
#include "policy/catalog_scope.h"
#include "policy/sql.h"

enum { SQL_RESOLVE_WANTED = 1 };

/* Fills *ret, which is zeroed, from a statement's effects and facts. SQL_RESOLVE_WANTED: the catalog does not
 * know enough yet; *ret is empty: fetch its wants and ask again. asked: what is said to be absent was looked
 * up for this statement, so that it need not be doubted. Negative errno: out of memory. What takes too many
 * effects is one effect `unparsable`. */
MUST_USE int sql_resolve(struct scope *scope, const struct sql_statement *statement, bool asked,
                         struct effects *ret);

/* What running the statement does to what names mean: calls to() for each, in order. effects: as parsed.
 * Stops at the first that is negative, and returns it. */
MUST_USE int sql_changes(const struct sql_statement *statement,
                         int (*to)(void *owner, enum scope_change change, const char *text), void *owner);
