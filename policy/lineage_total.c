/* What may be computed from a masked value without telling anything but the result, which is masked.
 *
 * Most expressions tell more: whether they fail (1 / (salary - 5000), email::int), how many rows they give
 * (regexp_matches), or whether something else is computed at all (CASE, coalesce). Somebody who asks often
 * enough has the value in the end, one bit at a time. So there is a list of what never fails for a value,
 * gives one row, and is NULL only for NULL (or in a result that shows no NULL, see veil.h); the rest is a
 * condition. */
#include "policy/lineage_parts.h"

#include <string.h>

/* What a function asks of the values that it is given, so that it can't fail. */
enum needs {
    ANY_TYPE = 0,
    PLAIN,   /* to compare or collect them */
    SUMS,    /* to add them up */
    ONE,     /* to be the only one */
    NUMBERS, /* that the others are spelled out, and integers: no pattern */
    FORMAT,  /* that the first is spelled out, and takes no width from the others */
};

enum place {
    NOWHERE, /* masked values may not be among the arguments, only in what is aggregated by order */
    FIRST,   /* … only be the first argument: with the others one could make it fail */
    BEHIND,  /* … be any but the first, which is a format */
    ANYWHERE,
};

static const struct {
    const char *name;
    enum place place;
    enum needs needs;
    bool text; /* its result is a plain text, whatever the arguments are */
} functions[] = {
    { "array_agg", ANYWHERE, PLAIN, false },
    { "array_to_json", ANYWHERE, ANY_TYPE, false },
    { "avg", ANYWHERE, SUMS, false },
    { "bit_length", ANYWHERE, ANY_TYPE, false },
    { "btrim", ANYWHERE, ONE, false },
    { "char_length", ANYWHERE, ANY_TYPE, false },
    { "character_length", ANYWHERE, ANY_TYPE, false },
    { "concat", ANYWHERE, ANY_TYPE, true },
    { "concat_ws", ANYWHERE, ANY_TYPE, true },
    { "count", ANYWHERE, ANY_TYPE, false },
    { "encode", FIRST, ANY_TYPE, true },
    { "first_value", ANYWHERE, ANY_TYPE, false },
    { "format", BEHIND, FORMAT, true },
    { "initcap", ANYWHERE, ANY_TYPE, false },
    { "json_agg", ANYWHERE, ANY_TYPE, false },
    { "json_build_array", ANYWHERE, ANY_TYPE, false },
    { "json_build_object", BEHIND, ANY_TYPE, false },
    { "jsonb_agg", ANYWHERE, ANY_TYPE, false },
    { "jsonb_build_array", ANYWHERE, ANY_TYPE, false },
    { "jsonb_build_object", BEHIND, ANY_TYPE, false },
    { "lag", FIRST, ANY_TYPE, false },
    { "last_value", ANYWHERE, ANY_TYPE, false },
    { "lead", FIRST, ANY_TYPE, false },
    { "left", FIRST, ANY_TYPE, false },
    { "length", ANYWHERE, ONE, false },
    { "lower", ANYWHERE, ANY_TYPE, false },
    { "lpad", FIRST, ANY_TYPE, false },
    { "ltrim", ANYWHERE, ONE, false },
    { "max", ANYWHERE, PLAIN, false },
    { "md5", ANYWHERE, ANY_TYPE, true },
    { "min", ANYWHERE, PLAIN, false },
    { "mode", NOWHERE, PLAIN, false },
    { "nth_value", FIRST, ANY_TYPE, false },
    { "octet_length", ANYWHERE, ANY_TYPE, false },
    { "percentile_cont", NOWHERE, SUMS, false },
    { "percentile_disc", NOWHERE, PLAIN, false },
    { "pg_typeof", ANYWHERE, ANY_TYPE, false },
    { "quote_literal", ANYWHERE, ANY_TYPE, true },
    { "quote_nullable", ANYWHERE, ANY_TYPE, true },
    { "reverse", ANYWHERE, ANY_TYPE, false },
    { "right", FIRST, ANY_TYPE, false },
    { "row_to_json", ANYWHERE, ANY_TYPE, false },
    { "rpad", FIRST, ANY_TYPE, false },
    { "rtrim", ANYWHERE, ONE, false },
    { "sha256", ANYWHERE, ANY_TYPE, false },
    { "string_agg", ANYWHERE, ANY_TYPE, true },
    { "substr", FIRST, ANY_TYPE, false },
    { "substring", FIRST, NUMBERS, false },
    { "sum", ANYWHERE, SUMS, false },
    { "to_json", ANYWHERE, ANY_TYPE, false },
    { "to_jsonb", ANYWHERE, ANY_TYPE, false },
    { "upper", ANYWHERE, ANY_TYPE, false },
};

enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

/* PostgreSQL's own by its bare name, or with the schema said. */
static const char *own_name(const List *names)
{
    int n = list_length(names);
    if (n < 1 || n > 2 || (n == 2 && strcmp(strVal(linitial(names)), "pg_catalog") != 0))
        return NULL;
    return strVal(llast(names));
}

static size_t find(const List *names)
{
    const char *name = own_name(names);
    size_t i = 0;
    while (i < N_FUNCTIONS && (!name || strcmp(functions[i].name, name) != 0))
        i++;
    return i;
}

bool total_function(const List *names, struct fate first, struct fate rest)
{
    size_t i = find(names);
    if (i == N_FUNCTIONS)
        return false;
    enum place place = functions[i].place;
    return (!first.mask || place == FIRST || place == ANYWHERE) &&
           (!rest.mask || place == BEHIND || place == ANYWHERE);
}

bool total_text(const List *names)
{
    size_t i = find(names);
    return i < N_FUNCTIONS && functions[i].text;
}

static bool is_number(const Node *node)
{
    return IsA(node, A_Const) && !((const A_Const *)node)->isnull &&
           IsA(&((const A_Const *)node)->val, Integer);
}

static bool are_numbers(const List *arguments)
{
    for (int i = 1; i < list_length(arguments); i++)
        if (!is_number(list_nth(arguments, i)))
            return false;
    return true;
}

/* "%*s" takes a width from an argument. */
static bool is_plain_format(const List *arguments)
{
    const A_Const *format = arguments ? linitial(arguments) : NULL;
    return format && IsA(format, A_Const) && !format->isnull && IsA(&format->val, String) &&
           !strchr(strVal(&format->val), '*');
}

static bool is_plain(struct fate fate)
{
    return !fate.mask || fate.plain;
}

static bool has_what_it_needs(const FuncCall *call, enum needs needs, struct fate all)
{
    switch (needs) {
    case PLAIN:
        return is_plain(all);
    case SUMS:
        return !all.mask || all.sums;
    case ONE:
        return list_length(call->args) == 1;
    case NUMBERS:
        return are_numbers(call->args);
    case FORMAT:
        return is_plain_format(call->args);
    case ANY_TYPE:
        break;
    }
    return true;
}

/* How many different ones there are is in the result alone, where that is a number. */
static bool counts(const char *name)
{
    return strcmp(name, "count") == 0 || strcmp(name, "sum") == 0 || strcmp(name, "avg") == 0 ||
           strcmp(name, "min") == 0 || strcmp(name, "max") == 0;
}

bool total_call(const FuncCall *call, struct fate first, struct fate rest, struct fate order)
{
    struct fate all = fate_mix(fate_mix(first, rest), order);
    size_t i = find(call->funcname);
    if (!total_function(call->funcname, first, rest))
        return false;
    if (call->func_variadic || (call->agg_distinct && !(counts(functions[i].name) && is_plain(all))))
        return false;
    return has_what_it_needs(call, functions[i].needs, all);
}

/* Joining texts, and taking members out of JSON. */
bool total_operator(struct follow *f, const A_Expr *expression, struct fate operands)
{
    static const char *const names[] = { "||", "->", "->>", "#>", "#>>" };
    const char *name = expression->kind == AEXPR_OP ? own_name(expression->name) : NULL;
    const struct catalog_basics *basics = NULL;
    bool listed = false;
    for (size_t i = 0; name && i < sizeof names / sizeof names[0]; i++)
        listed |= strcmp(name, names[i]) == 0;
    if (!listed || (strcmp(name, "||") == 0 && !is_plain(operands)))
        return false;
    if (catalog_basics(scope_catalog(f->scope), &basics) == CATALOG_WANTED)
        f->out->wanted = true;
    for (size_t i = 0; basics && i < basics->n_operators; i++)
        if (strcmp(basics->operators[i].name, name) == 0)
            return false; /* there is another one of that name */
    for (size_t i = 0; basics && i < basics->n_namesakes; i++)
        if (strcmp(basics->namesakes[i], name) == 0)
            return false;
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
