/* Generated tables of PostgreSQL's own functions; policy/sql_functions.c asks them. All sorted by strcmp. */
#pragma once
#include <stddef.h>

extern const char *const sql_harmless_functions[]; /* no overload writes, or reads behind the rules' back */
extern const size_t sql_harmless_functions_count;
extern const char
    *const sql_harmful_functions[]; /* every other function of pg_catalog that people can call */
extern const size_t sql_harmful_functions_count;
extern const char *const sql_result_columns[]; /* columns that harmless functions give their results */
extern const size_t sql_result_columns_count;
