/* The queries of the side connection. Every column is text or text[]; what they give is read by
 * catalog_rows.c. */
#pragma once

/* $1: names, $2: oids; text[] both. */
extern const char catalog_sql_relations[];
extern const char catalog_sql_functions[];
extern const char catalog_sql_types[];
extern const char catalog_sql_basics[];
/* Once per connection. */
extern const char catalog_sql_begin[];
