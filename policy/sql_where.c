/* Conditions that bound nothing. Three values: what is not surely true or false depends on the data.
 *
 * The recursion follows AND, OR and NOT only, is limited, and takes what lies deeper for true: at worst a
 * bounded write is called unbounded. Everything else is looked through with a stack of its own
 * (names_column). */
#include "policy/sql_where.h"

#include <stdlib.h>

enum truth { FALSE_FOR_ALL, TRUE_FOR_ALL, DEPENDS };

enum {
    LOGIC_DEPTH_MAX = 64,
    SAME_DEPTH_MAX = 16,      /* of expressions that are compared with each other */
    PAIRS_MAX = 64,           /* sides of an OR that are compared with each other */
    SCAN_NODES_MAX = 1 << 20, /* nodes that may wait in the search for a column */
};

/* ---- does it name a column? ---- */

struct scan {
    Node **waiting;
    size_t count, capacity;
    bool found; /* also when memory ran out, or in a node that the library cannot list */
};

static bool wait_for(Node *node, void *owner)
{
    struct scan *scan = owner;
    if (!node || scan->found)
        return false;
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity ? scan->capacity * 2 : 64;
        Node **grown =
            capacity > SCAN_NODES_MAX ? NULL : reallocarray(scan->waiting, capacity, sizeof *grown);
        if (!grown) {
            scan->found = true;
            return false;
        }
        scan->waiting = grown;
        scan->capacity = capacity;
    }
    scan->waiting[scan->count++] = node;
    return false;
}

/* Nodes below which a column may stand. Not: constants, types, tables. */
static bool has_parts(const Node *node)
{
    static const NodeTag tags[] = {
        T_List,          T_A_ArrayExpr,    T_A_Const,    T_A_Expr,       T_A_Indices,     T_A_Indirection,
        T_BoolExpr,      T_BooleanTest,    T_CaseExpr,   T_CoalesceExpr, T_CollateClause, T_CommonTableExpr,
        T_FuncCall,      T_JoinExpr,       T_MinMaxExpr, T_NamedArgExpr, T_NullTest,      T_ParamRef,
        T_RangeFunction, T_RangeSubselect, T_ResTarget,  T_RowExpr,      T_SelectStmt,    T_SubLink,
        T_TypeCast,      T_WithClause,
    };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (tags[i] == nodeTag(node))
            return true;
    return false;
}

static void scan_node(struct scan *scan, Node *node)
{
    switch (nodeTag(node)) {
    case T_ColumnRef:
        if (!IsA(llast(((ColumnRef *)node)->fields), A_Star))
            scan->found = true;
        return;
    case T_CurrentOfExpr:
    case T_InsertStmt:
    case T_UpdateStmt:
    case T_DeleteStmt:
    case T_MergeStmt:
        scan->found = true;
        return;
    default:
        if (has_parts(node))
            (void)raw_expression_tree_walker(node, wait_for, scan);
        return;
    }
}

static bool names_column(Node *node)
{
    struct scan scan = { 0 };
    (void)wait_for(node, &scan);
    while (scan.count > 0 && !scan.found)
        scan_node(&scan, scan.waiting[--scan.count]);
    free(scan.waiting);
    return scan.found;
}

/* ---- are they the same expression? ---- */

static bool same(const Node *a, const Node *b, int depth);

/* The shorter of two names may leave out its table: id and t.id. */
static bool same_names(const List *a, const List *b, bool by_end)
{
    int n = list_length(a), m = list_length(b);
    int common = n < m ? n : m;
    if (n != m && !by_end)
        return false;
    for (int i = 1; i <= common; i++) {
        const Node *x = list_nth(a, n - i), *y = list_nth(b, m - i);
        if (!IsA(x, String) || !IsA(y, String) || strcmp(strVal(x), strVal(y)) != 0)
            return false;
    }
    return true;
}

static bool same_list(const List *a, const List *b, int depth)
{
    if (list_length(a) != list_length(b) || list_length(a) > PAIRS_MAX)
        return false;
    for (int i = 0; i < list_length(a); i++)
        if (!same(list_nth(a, i), list_nth(b, i), depth))
            return false;
    return true;
}

static bool same_constant(const A_Const *a, const A_Const *b)
{
    if (a->isnull || b->isnull || nodeTag(&a->val) != nodeTag(&b->val))
        return false;
    switch (nodeTag(&a->val)) {
    case T_Integer:
        return a->val.ival.ival == b->val.ival.ival;
    case T_Boolean:
        return a->val.boolval.boolval == b->val.boolval.boolval;
    case T_Float:
        return strcmp(a->val.fval.fval, b->val.fval.fval) == 0;
    case T_String:
        return strcmp(a->val.sval.sval, b->val.sval.sval) == 0;
    default:
        return false;
    }
}

static bool same(const Node *a, const Node *b, int depth)
{
    if (!a || !b)
        return a == b;
    if (depth == 0 || nodeTag(a) != nodeTag(b))
        return false;
    depth--;
    switch (nodeTag(a)) {
    case T_ColumnRef:
        return same_names(((const ColumnRef *)a)->fields, ((const ColumnRef *)b)->fields, true);
    case T_A_Const:
        return same_constant((const A_Const *)a, (const A_Const *)b);
    case T_ParamRef:
        return ((const ParamRef *)a)->number == ((const ParamRef *)b)->number;
    case T_TypeCast:
        return same(((const TypeCast *)a)->arg, ((const TypeCast *)b)->arg, depth) &&
               same_names(((const TypeCast *)a)->typeName->names, ((const TypeCast *)b)->typeName->names,
                          true);
    case T_FuncCall:
        return same_names(((const FuncCall *)a)->funcname, ((const FuncCall *)b)->funcname, true) &&
               same_list(((const FuncCall *)a)->args, ((const FuncCall *)b)->args, depth);
    case T_A_Expr: {
        const A_Expr *x = (const A_Expr *)a, *y = (const A_Expr *)b;
        return x->kind == y->kind && same_names(x->name, y->name, true) && same(x->lexpr, y->lexpr, depth) &&
               same(x->rexpr, y->rexpr, depth);
    }
    case T_RowExpr:
        return same_list(((const RowExpr *)a)->args, ((const RowExpr *)b)->args, depth);
    case T_List:
        return same_list((const List *)a, (const List *)b, depth);
    default:
        return false;
    }
}

/* ---- comparisons ---- */

static bool is_operator(const A_Expr *e, const char *const *names, size_t n)
{
    const Node *name = llast(e->name);
    for (size_t i = 0; i < n; i++)
        if (IsA(name, String) && strcmp(strVal(name), names[i]) == 0)
            return true;
    return false;
}

#define IS_OPERATOR(e, ...)                                                                                  \
    is_operator(e, (const char *const[]){ __VA_ARGS__ },                                                     \
                sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static bool in_list(const Node *value, const Node *list)
{
    if (!list || !IsA(list, List))
        return false;
    for (int i = 0; i < list_length((const List *)list) && i < PAIRS_MAX; i++)
        if (same(value, list_nth((const List *)list, i), SAME_DEPTH_MAX))
            return true;
    return false;
}

/* LIKE '%' */
static bool is_any_text(const Node *pattern)
{
    if (!pattern || !IsA(pattern, A_Const) || !IsA(&((const A_Const *)pattern)->val, String))
        return false;
    const char *text = ((const A_Const *)pattern)->val.sval.sval;
    return *text && strspn(text, "%") == strlen(text);
}

static bool compares_with_itself(const A_Expr *e)
{
    switch (e->kind) {
    case AEXPR_OP:
        return IS_OPERATOR(e, "=", "<=", ">=") && same(e->lexpr, e->rexpr, SAME_DEPTH_MAX);
    case AEXPR_NOT_DISTINCT:
        return same(e->lexpr, e->rexpr, SAME_DEPTH_MAX);
    case AEXPR_IN:
        return IS_OPERATOR(e, "=") && in_list(e->lexpr, e->rexpr);
    case AEXPR_OP_ANY:
        return IS_OPERATOR(e, "=", "<=", ">=") && e->rexpr && IsA(e->rexpr, A_ArrayExpr) &&
               in_list(e->lexpr, (const Node *)((const A_ArrayExpr *)e->rexpr)->elements);
    case AEXPR_BETWEEN:
    case AEXPR_BETWEEN_SYM: {
        const List *range = (const List *)e->rexpr;
        return same(e->lexpr, linitial(range), SAME_DEPTH_MAX) &&
               same(e->lexpr, lsecond(range), SAME_DEPTH_MAX);
    }
    case AEXPR_LIKE:
    case AEXPR_ILIKE:
        return IS_OPERATOR(e, "~~", "~~*") &&
               (is_any_text(e->rexpr) || same(e->lexpr, e->rexpr, SAME_DEPTH_MAX));
    default:
        return false;
    }
}

/* Something differs from itself, or two numbers from each other: WHERE 1 = 0. */
static bool is_plainly_false(const A_Expr *e)
{
    if (e->kind == AEXPR_DISTINCT || (e->kind == AEXPR_OP && IS_OPERATOR(e, "<>", "<", ">")))
        if (same(e->lexpr, e->rexpr, SAME_DEPTH_MAX))
            return true;
    if (e->kind != AEXPR_OP || !e->lexpr || !e->rexpr || !IsA(e->lexpr, A_Const) || !IsA(e->rexpr, A_Const))
        return false;
    const A_Const *a = (const A_Const *)e->lexpr, *b = (const A_Const *)e->rexpr;
    if (a->isnull || b->isnull || !IsA(&a->val, Integer) || !IsA(&b->val, Integer))
        return false;
    return (IS_OPERATOR(e, "=") && a->val.ival.ival != b->val.ival.ival) ||
           (IS_OPERATOR(e, "<>") && a->val.ival.ival == b->val.ival.ival);
}

static bool opposite_operators(const A_Expr *a, const A_Expr *b)
{
    return (IS_OPERATOR(a, "=") && IS_OPERATOR(b, "<>")) || (IS_OPERATOR(a, "<") && IS_OPERATOR(b, ">=")) ||
           (IS_OPERATOR(a, ">") && IS_OPERATOR(b, "<="));
}

/* a holds where b does not. */
static bool complement(const Node *a, const Node *b)
{
    if (IsA(a, BoolExpr) && ((const BoolExpr *)a)->boolop == NOT_EXPR)
        return same(linitial(((const BoolExpr *)a)->args), b, SAME_DEPTH_MAX);
    if (nodeTag(a) != nodeTag(b))
        return false;
    if (IsA(a, NullTest)) {
        const NullTest *x = (const NullTest *)a, *y = (const NullTest *)b;
        return x->nulltesttype != y->nulltesttype &&
               same((const Node *)x->arg, (const Node *)y->arg, SAME_DEPTH_MAX);
    }
    if (!IsA(a, A_Expr))
        return false;
    const A_Expr *x = (const A_Expr *)a, *y = (const A_Expr *)b;
    return x->kind == AEXPR_OP && y->kind == AEXPR_OP && opposite_operators(x, y) &&
           same(x->lexpr, y->lexpr, SAME_DEPTH_MAX) && same(x->rexpr, y->rexpr, SAME_DEPTH_MAX);
}

static bool has_complements(const List *sides)
{
    int n = list_length(sides) < PAIRS_MAX ? list_length(sides) : PAIRS_MAX;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            if (i != k && complement(list_nth(sides, i), list_nth(sides, k)))
                return true;
    return false;
}

/* ---- logic ---- */

static enum truth truth_of(Node *condition, int depth);

static enum truth truth_of_not(const List *args, int depth)
{
    switch (truth_of(linitial(args), depth)) {
    case TRUE_FOR_ALL:
        return FALSE_FOR_ALL;
    case FALSE_FOR_ALL:
        return TRUE_FOR_ALL;
    case DEPENDS:
        break;
    }
    return DEPENDS;
}

/* AND: one false decides; OR: one true decides. All of the other kind decide, too. */
static enum truth truth_of_all(const List *args, enum truth deciding, int depth)
{
    const ListCell *cell;
    bool depends = false;
    foreach (cell, args) {
        enum truth t = truth_of(lfirst(cell), depth);
        if (t == deciding)
            return deciding;
        depends |= t == DEPENDS;
    }
    if (!depends)
        return deciding == TRUE_FOR_ALL ? FALSE_FOR_ALL : TRUE_FOR_ALL;
    return deciding == TRUE_FOR_ALL && has_complements(args) ? TRUE_FOR_ALL : DEPENDS;
}

static enum truth truth_of_logic(const BoolExpr *logic, int depth)
{
    switch (logic->boolop) {
    case AND_EXPR:
        return truth_of_all(logic->args, FALSE_FOR_ALL, depth);
    case OR_EXPR:
        return truth_of_all(logic->args, TRUE_FOR_ALL, depth);
    case NOT_EXPR:
        return truth_of_not(logic->args, depth);
    }
    return TRUE_FOR_ALL;
}

static enum truth truth_of_constant(const A_Const *constant)
{
    if (constant->isnull)
        return FALSE_FOR_ALL;
    if (IsA(&constant->val, Boolean) && !constant->val.boolval.boolval)
        return FALSE_FOR_ALL;
    return TRUE_FOR_ALL;
}

static enum truth truth_of(Node *condition, int depth)
{
    if (depth == 0)
        return TRUE_FOR_ALL;
    if (IsA(condition, BoolExpr))
        return truth_of_logic((const BoolExpr *)condition, depth - 1);
    if (IsA(condition, A_Const))
        return truth_of_constant((const A_Const *)condition);
    if (IsA(condition, BooleanTest) && ((const BooleanTest *)condition)->booltesttype == IS_TRUE)
        return truth_of((Node *)((const BooleanTest *)condition)->arg, depth - 1);
    if (IsA(condition, A_Expr)) {
        if (compares_with_itself((const A_Expr *)condition))
            return TRUE_FOR_ALL;
        if (is_plainly_false((const A_Expr *)condition))
            return FALSE_FOR_ALL;
    }
    /* All rows or none: a parameter, a sub-select of its own, 1 + 1 = 2. */
    return names_column(condition) ? DEPENDS : TRUE_FOR_ALL;
}

bool sql_where_is_always_true(const Node *condition)
{
    return !condition || truth_of((Node *)condition, LOGIC_DEPTH_MAX) == TRUE_FOR_ALL;
}
