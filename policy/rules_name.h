/* Patterns for names of SQL objects, as rules write them: [schema.]name and [schema.]table.column. */
#pragma once
#include <stdbool.h>
#include "base/cleanup.h"
#include "base/error.h"

/* Each part is a glob (fnmatch) of its own. */
struct name_pattern {
    char *schema; /* NULL: any */
    char *name;
    char *column; /* NULL in patterns of objects */
};

MUST_USE int name_pattern_parse(const char *text, bool with_column, struct name_pattern *ret);
void name_pattern_clear(struct name_pattern *pattern);

/* What an unqualified name is taken for. */
enum name_space {
    NAMES_OF_TABLES,    /* public, or pg_catalog when it begins with pg_ */
    NAMES_OF_FUNCTIONS, /* public or pg_catalog, but only where the pattern spells the function out */
    NAMES_ANYWHERE,     /* cannot be said: the search_path is the client's */
};

/* object as in struct effect. surely: it must be a match wherever an unqualified name leads to; otherwise it
 * is enough that it may be one, letter case aside. */
bool name_pattern_matches(const struct name_pattern *pattern, const char *object, enum name_space space,
                          bool surely);
/* The column part alone; "*" as a column stands for any of them. */
bool name_pattern_matches_column(const struct name_pattern *pattern, const char *column, bool surely);
