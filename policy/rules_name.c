/* Which object an unqualified name means is decided by the session's search_path, which is not ours.
 * PostgreSQL looks into pg_catalog first, whose relations all begin with pg_, then (by default) into "$user"
 * and public. So a rule that allows `public.*` covers `orders` and not `pg_shadow`, and one that denies
 * `pg_catalog.pg_shadow` or `archive.orders` also covers those names without a schema. */
#include "policy/rules_name.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

enum { PART_MAX = 512 }; /* EFFECT_NAME_MAX: a longer name never becomes an effect */

/* The first dot outside of double quotes, or the last one. */
static const char *find_dot(const char *text, bool last)
{
    const char *found = NULL;
    bool quoted = false;
    for (; *text; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '.' && !quoted && (last || !found))
            found = text;
    }
    return found;
}

int name_pattern_parse(const char *text, bool with_column, struct name_pattern *ret)
{
    struct name_pattern p = { 0 };
    const char *end = text + strlen(text);
    if (with_column) {
        const char *dot = find_dot(text, true);
        p.column = strdup(dot ? dot + 1 : text);
        end = dot ? dot : text;
    }
    const char *dot = find_dot(text, false);
    if (dot && dot < end)
        p.schema = strndup(text, (size_t)(dot - text));
    const char *name = p.schema ? dot + 1 : text;
    p.name = name < end ? strndup(name, (size_t)(end - name)) : strdup("*");
    if (!p.name || (with_column && !p.column) || (dot && dot < end && !p.schema)) {
        name_pattern_clear(&p);
        return -ENOMEM;
    }
    *ret = p;
    return 0;
}

void name_pattern_clear(struct name_pattern *pattern)
{
    free(pattern->schema);
    free(pattern->name);
    free(pattern->column);
    *pattern = (struct name_pattern){ 0 };
}

static bool glob(const char *pattern, const char *text, bool surely)
{
    return fnmatch(pattern, text, surely ? 0 : FNM_CASEFOLD) == 0;
}

static bool is_literal(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") == NULL;
}

/* Whether a name without a schema belongs to a schema of this pattern, for certain. */
static bool schema_is_implied(const struct name_pattern *pattern, const char *name, enum name_space space)
{
    switch (space) {
    case NAMES_OF_TABLES:
        return glob(pattern->schema, strncmp(name, "pg_", 3) == 0 ? "pg_catalog" : "public", true);
    case NAMES_OF_FUNCTIONS:
        return is_literal(pattern->name) &&
               (glob(pattern->schema, "public", true) || glob(pattern->schema, "pg_catalog", true));
    case NAMES_ANYWHERE:
        break;
    }
    return false;
}

bool name_pattern_matches(const struct name_pattern *pattern, const char *object, enum name_space space,
                          bool surely)
{
    const char *dot = find_dot(object, false);
    const char *name = dot ? dot + 1 : object;
    if (!glob(pattern->name, name, surely))
        return false;
    if (!pattern->schema || strcmp(pattern->schema, "*") == 0)
        return true;
    if (!dot)
        return surely ? schema_is_implied(pattern, name, space) : true;
    char schema[PART_MAX];
    size_t n = (size_t)(dot - object);
    if (n >= sizeof schema)
        return !surely;
    memcpy(schema, object, n);
    schema[n] = '\0';
    return glob(pattern->schema, schema, surely);
}

bool name_pattern_matches_column(const struct name_pattern *pattern, const char *column, bool surely)
{
    if (strcmp(column, "*") == 0)
        return !surely || strcmp(pattern->column, "*") == 0;
    return glob(pattern->column, column, surely);
}
