/* What is known of PostgreSQL's own functions, by name. */
#pragma once
#include <stdbool.h>

enum sql_fame {
    SQL_FUNCTION_UNKNOWN,  /* not one of PostgreSQL's own */
    SQL_FUNCTION_HARMLESS, /* only reads, and only what it is given */
    SQL_FUNCTION_HARMFUL, /* PostgreSQL's own, and may write, or read files or tables that the statement hides
                           */
};

enum sql_fame sql_function_fame(const char *name);
/* True when harmless functions have a result column of this name. */
bool sql_is_result_column(const char *name);
