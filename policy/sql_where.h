/* Is a WHERE clause one at all? */
#pragma once
#include <stdbool.h>
#include "policy/sql_nodes.h"

/* True when the condition is missing or holds for every row, as far as that can be seen without data:
 * constants, comparisons of something with itself, conditions that name no column, and their combinations. */
bool sql_where_is_always_true(const Node *condition);
