/* The parser's own trees, for those who look at them besides sql.c. Private to policy/sql*.c and
 * policy/lineage*.c. */
#pragma once
#include "policy/sql_nodes.h"
#include "base/error.h"

typedef int sql_tree_handler(void *owner, const List *tree);
/* Parses and hands over the tree (RawStmt nodes), which is gone afterwards, with everything that was
 * palloc'ed meanwhile. -EINVAL when it does not parse; else what the handler returns. */
MUST_USE int sql_tree_with(const char *sql, sql_tree_handler *handler, void *owner);
/* Inside of a handler: one more tree; NIL when it does not parse. */
const List *sql_tree_inside(const char *sql);
/* The one function of FROM f(…), or NULL for ROWS FROM and expressions. */
const FuncCall *sql_only_function(const RangeFunction *range);
/* A handler's memory for a part of its work, which goes with it. Parts follow each other; between them, and
 * after the last one, the handler may not allocate. */
void *sql_tree_part_begin(void);
size_t sql_tree_part_size(const void *part);
void sql_tree_part_end(void *part);
