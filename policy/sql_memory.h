/* A bound on what the parser may allocate for one statement. */
#pragma once
#include "policy/sql_nodes.h"
#include <nodes/memnodes.h>

enum { SQL_MEMORY_MAX = 512 * 1024 * 1024 }; /* bytes; some 40 for each byte of a long VALUES, 120 at worst */

/* Embedded by whoever parses; lives while it is in force. */
struct memory_bound {
    MemoryContextMethods methods; /* first: the context's methods point here */
    const MemoryContextMethods *own;
    bool hit;
};

/* From here on allocation in context fails, once, when SQL_MEMORY_MAX is reached. */
void memory_bound_set(struct memory_bound *bound, MemoryContext context);
/* Gives the context its own methods back. */
void memory_bound_lift(struct memory_bound *bound, MemoryContext context);
