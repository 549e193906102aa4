/* Look-ups in the generated tables. */
#include "policy/sql_functions.h"

#include <stdlib.h>
#include <string.h>
#include "policy/sql_functions_table.h"

static int compare(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static bool holds(const char *const *table, size_t count, const char *name)
{
    return bsearch(name, table, count, sizeof *table, compare) != NULL;
}

enum sql_fame sql_function_fame(const char *name)
{
    if (holds(sql_harmless_functions, sql_harmless_functions_count, name))
        return SQL_FUNCTION_HARMLESS;
    if (holds(sql_harmful_functions, sql_harmful_functions_count, name))
        return SQL_FUNCTION_HARMFUL;
    return SQL_FUNCTION_UNKNOWN;
}

bool sql_is_result_column(const char *name)
{
    return holds(sql_result_columns, sql_result_columns_count, name);
}
