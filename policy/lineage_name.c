/* What columns without AS are called: FigureColname() of PostgreSQL, to the letter. A name that is taken for
 * another one would be looked for further out, where it means something else. */
#include "policy/lineage_parts.h"

static const char *last_name(const List *names)
{
    for (int n = list_length(names); n > 0; n--) {
        const Node *node = list_nth(names, n - 1);
        if (node && IsA(node, String))
            return strVal(node);
    }
    return NULL;
}

static const char *xml_name(XmlExprOp op)
{
    static const char *const names[] = {
        [IS_XMLCONCAT] = "xmlconcat", [IS_XMLELEMENT] = "xmlelement", [IS_XMLFOREST] = "xmlforest",
        [IS_XMLPARSE] = "xmlparse",   [IS_XMLPI] = "xmlpi",           [IS_XMLROOT] = "xmlroot",
    };
    return (size_t)op < sizeof names / sizeof names[0] ? names[op] : NULL;
}

static const char *value_name(SQLValueFunctionOp op)
{
    static const char *const names[] = {
        [SVFOP_CURRENT_DATE] = "current_date",
        [SVFOP_CURRENT_TIME] = "current_time",
        [SVFOP_CURRENT_TIME_N] = "current_time",
        [SVFOP_CURRENT_TIMESTAMP] = "current_timestamp",
        [SVFOP_CURRENT_TIMESTAMP_N] = "current_timestamp",
        [SVFOP_LOCALTIME] = "localtime",
        [SVFOP_LOCALTIME_N] = "localtime",
        [SVFOP_LOCALTIMESTAMP] = "localtimestamp",
        [SVFOP_LOCALTIMESTAMP_N] = "localtimestamp",
        [SVFOP_CURRENT_ROLE] = "current_role",
        [SVFOP_CURRENT_USER] = "current_user",
        [SVFOP_USER] = "user",
        [SVFOP_SESSION_USER] = "session_user",
        [SVFOP_CURRENT_CATALOG] = "current_catalog",
        [SVFOP_CURRENT_SCHEMA] = "current_schema",
    };
    return (size_t)op < sizeof names / sizeof names[0] ? names[op] : NULL;
}

bool column_is_star(const Node *value)
{
    const List *parts = IsA(value, ColumnRef)       ? ((const ColumnRef *)value)->fields
                        : IsA(value, A_Indirection) ? ((const A_Indirection *)value)->indirection
                                                    : NIL;
    return parts && IsA(llast(parts), A_Star);
}

/* (SELECT …) is called like its first column, which is a ResTarget, or the values of VALUES (a List). NULL:
 * it can't be told from here. */
static const Node *first_column(const Node *query)
{
    while (query && IsA(query, SelectStmt) && ((const SelectStmt *)query)->op != SETOP_NONE)
        query = (const Node *)((const SelectStmt *)query)->larg;
    if (!query || !IsA(query, SelectStmt))
        return NULL;
    const SelectStmt *select = (const SelectStmt *)query;
    if (select->valuesLists)
        return (const Node *)select->valuesLists;
    const Node *first = select->targetList ? linitial(select->targetList) : NULL;
    return first && !column_is_star(((const ResTarget *)first)->val) ? first : NULL;
}

static const char *own_name(const Node *node)
{
    switch (nodeTag(node)) {
    case T_ColumnRef:
        return last_name(((const ColumnRef *)node)->fields);
    case T_A_Indirection:
        return last_name(((const A_Indirection *)node)->indirection);
    case T_FuncCall:
        return last_name(((const FuncCall *)node)->funcname);
    case T_A_Expr:
        return ((const A_Expr *)node)->kind == AEXPR_NULLIF ? "nullif" : NULL;
    case T_ResTarget:
        return ((const ResTarget *)node)->name;
    case T_GroupingFunc:
        return "grouping";
    case T_SubLink:
        return ((const SubLink *)node)->subLinkType == EXISTS_SUBLINK  ? "exists"
               : ((const SubLink *)node)->subLinkType == ARRAY_SUBLINK ? "array"
                                                                       : NULL;
    case T_List: /* of VALUES */
        return "column1";
    case T_A_ArrayExpr:
        return "array";
    case T_RowExpr:
        return "row";
    case T_CoalesceExpr:
        return "coalesce";
    case T_MinMaxExpr:
        return ((const MinMaxExpr *)node)->op == IS_GREATEST ? "greatest" : "least";
    case T_XmlExpr:
        return xml_name(((const XmlExpr *)node)->op);
    case T_XmlSerialize:
        return "xmlserialize";
    case T_SQLValueFunction:
        return value_name(((const SQLValueFunction *)node)->op);
    default:
        return NULL;
    }
}

/* Where the name of a node comes from another one: that one, and what it is called when that has none. */
static const Node *name_giver(const Node *node, const char **fallback)
{
    switch (nodeTag(node)) {
    case T_TypeCast: {
        const TypeCast *cast = (const TypeCast *)node;
        if (!*fallback)
            *fallback = last_name(cast->typeName->names);
        return cast->arg;
    }
    case T_CollateClause:
        return ((const CollateClause *)node)->arg;
    case T_A_Indirection:
        return ((const A_Indirection *)node)->arg;
    case T_CaseExpr:
        if (!*fallback)
            *fallback = "case";
        return (const Node *)((const CaseExpr *)node)->defresult;
    case T_ResTarget:
        return ((const ResTarget *)node)->val;
    default:
        return NULL;
    }
}

bool expression_says_name(const Node *node)
{
    while (IsA(node, TypeCast))
        node = ((const TypeCast *)node)->arg;
    return IsA(node, ColumnRef) || IsA(node, FuncCall);
}

const char *expression_name(const Node *node)
{
    const char *fallback = NULL;
    while (node) {
        const SubLink *link = (const SubLink *)node;
        if (IsA(node, SubLink) && link->subLinkType == EXPR_SUBLINK) {
            node = first_column(link->subselect);
            if (!node)
                return NULL;
            fallback = NULL;
        }
        const char *name = own_name(node);
        if (name)
            return name;
        node = name_giver(node, &fallback);
    }
    return fallback ? fallback : "?column?";
}
