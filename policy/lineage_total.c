/* What may be computed from a masked value without telling anything but the result, which is masked.
 *
 * Most expressions tell more: whether they fail (1 / (salary - 5000), email::int), how many rows they give
 * (regexp_matches), or whether something else is computed at all (CASE, coalesce). Somebody who asks often
 * enough has the value in the end, one bit at a time. So there is a list of what never fails for a value,
 * gives one row, and is NULL only for NULL (or in a result that shows no NULL, see veil.h); the rest is a
 * condition. */
#include "policy/lineage_parts.h"

#include <string.h>

enum place {
    NOWHERE, /* masked values may not be among the arguments, only in what is aggregated by order */
    FIRST,   /* … only be the first argument: with the others one could make it fail */
    BEHIND,  /* … be any but the first, which is a format */
    ANYWHERE,
};

static const struct {
    const char *name;
    enum place place;
} functions[] = {
    { "array_agg", ANYWHERE },
    { "array_to_json", ANYWHERE },
    { "avg", ANYWHERE },
    { "bit_length", ANYWHERE },
    { "btrim", ANYWHERE },
    { "char_length", ANYWHERE },
    { "character_length", ANYWHERE },
    { "concat", ANYWHERE },
    { "concat_ws", ANYWHERE },
    { "count", ANYWHERE },
    { "encode", FIRST },
    { "first_value", ANYWHERE },
    { "format", BEHIND },
    { "initcap", ANYWHERE },
    { "json_agg", ANYWHERE },
    { "json_build_array", ANYWHERE },
    { "json_build_object", BEHIND },
    { "jsonb_agg", ANYWHERE },
    { "jsonb_build_array", ANYWHERE },
    { "jsonb_build_object", BEHIND },
    { "lag", FIRST },
    { "last_value", ANYWHERE },
    { "lead", FIRST },
    { "left", FIRST },
    { "length", ANYWHERE },
    { "lower", ANYWHERE },
    { "lpad", FIRST },
    { "ltrim", ANYWHERE },
    { "max", ANYWHERE },
    { "md5", ANYWHERE },
    { "min", ANYWHERE },
    { "mode", NOWHERE },
    { "nth_value", FIRST },
    { "octet_length", ANYWHERE },
    { "percentile_cont", NOWHERE },
    { "percentile_disc", NOWHERE },
    { "pg_typeof", ANYWHERE },
    { "quote_literal", ANYWHERE },
    { "quote_nullable", ANYWHERE },
    { "reverse", ANYWHERE },
    { "right", FIRST },
    { "row_to_json", ANYWHERE },
    { "rpad", FIRST },
    { "rtrim", ANYWHERE },
    { "sha256", ANYWHERE },
    { "string_agg", ANYWHERE },
    { "substr", FIRST },
    { "substring", FIRST },
    { "sum", ANYWHERE },
    { "to_json", ANYWHERE },
    { "to_jsonb", ANYWHERE },
    { "translate", ANYWHERE },
    { "upper", ANYWHERE },
};

/* PostgreSQL's own by its bare name, or with the schema said. */
static const char *own_name(const List *names)
{
    int n = list_length(names);
    if (n < 1 || n > 2 || (n == 2 && strcmp(strVal(linitial(names)), "pg_catalog") != 0))
        return NULL;
    return strVal(llast(names));
}

bool total_function(const List *names, struct fate first, struct fate rest)
{
    const char *name = own_name(names);
    for (size_t i = 0; name && i < sizeof functions / sizeof functions[0]; i++) {
        if (strcmp(functions[i].name, name) != 0)
            continue;
        enum place place = functions[i].place;
        return (!first.mask || place == FIRST || place == ANYWHERE) &&
               (!rest.mask || place == BEHIND || place == ANYWHERE);
    }
    return false;
}

/* Joining texts, and taking members out of JSON. */
bool total_operator(struct follow *f, const A_Expr *expression)
{
    static const char *const names[] = { "||", "->", "->>", "#>", "#>>" };
    const char *name = expression->kind == AEXPR_OP ? own_name(expression->name) : NULL;
    const struct catalog_basics *basics = NULL;
    bool listed = false;
    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++)
        listed |= strcmp(name, names[i]) == 0;
    if (!listed)
        return false;
    if (catalog_basics(scope_catalog(f->scope), &basics) == CATALOG_WANTED)
        f->out->wanted = true;
    for (size_t i = 0; basics && i < basics->n_operators; i++)
        if (strcmp(basics->operators[i].name, name) == 0)
            return false; /* there is another one of that name */
    return basics && !basics->overflow;
}

/* To a text, of whatever length. */
bool total_cast(struct follow *f, const TypeName *type)
{
    static const char *const names[] = { "text", "varchar", "bpchar" };
    const char *name = type->arrayBounds || type->setof || type->pct_type ? NULL : own_name(type->names);
    bool listed = false;
    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++)
        listed |= strcmp(name, names[i]) == 0;
    if (!listed || list_length(type->names) == 2)
        return listed;
    const struct catalog_type *types = NULL;
    size_t n = 0;
    if (catalog_types(scope_catalog(f->scope), name, &types, &n) == CATALOG_WANTED) {
        f->out->wanted = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (types[i].oid >= CATALOG_PINNED)
            return false; /* a domain by the name of text, say */
    return true;
}

bool total_xml(const XmlExpr *expression)
{
    return expression->op == IS_XMLELEMENT || expression->op == IS_XMLFOREST;
}
