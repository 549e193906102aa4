/* Expressions. A column by itself keeps its fate; whatever is made of it is computed. */
#include "policy/lineage_parts.h"

#include <string.h>

struct gather {
    struct follow *f;
    const struct nest *nest;
    struct fate fate;
};

static bool gather_child(Node *child, void *context)
{
    struct gather *gather = context;
    gather->fate = fate_mix(gather->fate, expression_fate(gather->f, gather->nest, child));
    return false;
}

/* Everything below, mixed. */
static struct fate children_fate(struct follow *f, const struct nest *nest, const Node *node)
{
    struct gather gather = { .f = f, .nest = nest };
    (void)raw_expression_tree_walker((Node *)(uintptr_t)node, gather_child, &gather);
    return gather.fate;
}

static struct fate list_fate(struct follow *f, const struct nest *nest, const List *list)
{
    struct fate fate = FATE_SHOWN;
    const ListCell *cell;
    foreach (cell, list)
        fate = fate_mix(fate, expression_fate(f, nest, lfirst(cell)));
    return fate;
}

/* What a window sorts and divides by. */
static struct fate window_fate(struct follow *f, const struct nest *nest, const WindowDef *window)
{
    if (!window)
        return FATE_SHOWN;
    struct fate fate =
        fate_mix(list_fate(f, nest, window->partitionClause), list_fate(f, nest, window->orderClause));
    follow_predicate(f, fate, "a window's order");
    struct fate frame =
        fate_mix(expression_fate(f, nest, window->startOffset), expression_fate(f, nest, window->endOffset));
    follow_predicate(f, frame, "a window's frame");
    return fate_mix(fate, frame);
}

/* Its result is an array, or a row. */
static bool collects(const List *names)
{
    const char *name = strVal(llast(names));
    return strcmp(name, "array_agg") == 0 || strstr(name, "json") != NULL;
}

static struct fate not_plain(struct fate fate)
{
    fate.plain = fate.sums = false;
    return fate;
}

static struct fate call_fate(struct follow *f, const struct nest *nest, const FuncCall *call)
{
    const ListCell *cell;
    struct fate first = FATE_SHOWN, rest = FATE_SHOWN;
    foreach (cell, call->args) {
        struct fate argument = expression_fate(f, nest, lfirst(cell));
        if (cell == list_head(call->args))
            first = argument;
        else
            rest = fate_mix(rest, argument);
    }
    struct fate order = list_fate(f, nest, call->agg_order);
    struct fate within = call->agg_within_group ? order : FATE_SHOWN;
    struct fate fate = fate_mix(fate_mix(first, rest), order);
    bool tells = fate.mask && !total_call(call, first, rest, within);
    if (!call->agg_within_group)
        follow_predicate(f, order, "the order of an aggregate");
    expression_condition(f, nest, call->agg_filter); /* what is not counted is not computed either */
    fate = fate_mix(fate, expression_fate(f, nest, call->agg_filter));
    fate = fate_mix(fate, window_fate(f, nest, call->over));
    fate.plain = total_text(call->funcname) || (fate.plain && !collects(call->funcname));
    bool keeps;
    struct fate own = function_fate(f, call->funcname, list_length(call->args), &keeps);
    if (keeps)
        follow_unmask(f, fate, strVal(llast(call->funcname)));
    else if (tells)
        follow_predicate(f, fate, strVal(llast(call->funcname)));
    return fate_mix(fate, own);
}

static bool is_hash(struct fate fate)
{
    return fate.mask && fate.mask->kind == MASK_HASH && !fate.computed;
}

static struct fate sublink_fate(struct follow *f, const struct nest *nest, const SubLink *link)
{
    struct rows *rows = query_rows(f, nest, link->subselect);
    struct fate test = expression_fate(f, nest, link->testexpr);
    if (!rows)
        return fate_worst(f);
    switch (link->subLinkType) {
    case EXISTS_SUBLINK:
        return FATE_SHOWN; /* its conditions were looked at by themselves */
    case EXPR_SUBLINK:
        return rows->known && rows->n == 1 ? rows->fates[0] : rows_all(rows);
    case ARRAY_SUBLINK:
        return rows_all(rows);
    case ANY_SUBLINK: /* IN (…) of hashes is a comparison of hashes */
        if (!link->operName && is_hash(test) && rows->known && rows->n == 1 && is_hash(rows->fates[0]))
            test.guessed = true;
        break;
    default:
        break;
    }
    struct fate fate = fate_mix(test, rows_all(rows));
    fate.guessed = test.guessed;
    follow_predicate(f, fate, "a comparison with a query");
    return fate;
}

/* alias.f and (x).f may be calls of f. */
static struct fate indirection_fate(struct follow *f, const struct nest *nest,
                                    const A_Indirection *indirection)
{
    struct fate fate = fate_mix(expression_fate(f, nest, indirection->arg), FATE_SHOWN);
    const ListCell *cell;
    foreach (cell, indirection->indirection) {
        const Node *step = lfirst(cell);
        if (IsA(step, A_Indices)) {
            struct fate index = children_fate(f, nest, step);
            follow_predicate(f, index, "an index of an array"); /* it may be too large for one */
            fate = fate_mix(fate, index);
        }
        bool keeps = false;
        if (IsA(step, String) && fate.mask) {
            List *name = list_make1(makeString(pstrdup(strVal(step))));
            enum catalog_answer answer = function_fate_if(f, name, 1, &keeps);
            if (answer == CATALOG_FOUND && keeps)
                follow_unmask(f, fate, strVal(step));
            else if (answer == CATALOG_FOUND && !total_function(name, fate, FATE_SHOWN))
                follow_predicate(f, fate, strVal(step));
        }
    }
    return fate;
}

/* Whether anything of it is masked decides what else is computed. */
static struct fate case_fate(struct follow *f, const struct nest *nest, const CaseExpr *expression)
{
    struct fate test = expression_fate(f, nest, (const Node *)expression->arg);
    struct fate result = expression_fate(f, nest, (const Node *)expression->defresult);
    const ListCell *cell;
    foreach (cell, expression->args) {
        const CaseWhen *when = lfirst(cell);
        test = fate_mix(test, expression_fate(f, nest, (const Node *)when->expr));
        result = fate_mix(result, expression_fate(f, nest, (const Node *)when->result));
    }
    follow_predicate(f, test, "a condition of CASE");
    return fate_mix(test, result);
}

/* That a column is NULL can be seen anyway, but not when something else is. */
static struct fate coalesce_fate(struct follow *f, const struct nest *nest, const CoalesceExpr *expression)
{
    struct fate all = FATE_SHOWN;
    const ListCell *cell;
    foreach (cell, expression->args) {
        struct fate fate = expression_fate(f, nest, lfirst(cell));
        if (fate.computed && lnext(expression->args, cell))
            follow_predicate(f, fate, "coalesce of something computed");
        all = fate_mix(all, fate);
    }
    return all;
}

/* Everything below, and whatever it does with it can be seen. */
static struct fate telling_fate(struct follow *f, const struct nest *nest, const Node *node, bool tells)
{
    struct fate fate = children_fate(f, nest, node);
    if (fate.mask && tells)
        follow_predicate(f, fate, expression_name(node));
    return fate;
}

static bool compares_hashes(struct follow *f, const struct nest *nest, const Node *node);

static struct fate operation_fate(struct follow *f, const struct nest *nest, const A_Expr *expression)
{
    struct fate fate = children_fate(f, nest, (const Node *)expression);
    if (fate.mask && !total_operator(f, expression, fate) &&
        !compares_hashes(f, nest, (const Node *)expression))
        follow_predicate(f, fate, "an operation");
    return fate;
}

static struct fate cast_fate(struct follow *f, const struct nest *nest, const TypeCast *cast)
{
    struct fate fate = fate_mix(expression_fate(f, nest, cast->arg), FATE_SHOWN);
    if (fate.mask && !total_cast(f, cast->typeName))
        follow_predicate(f, fate, "a cast");
    fate.plain = total_cast(f, cast->typeName);
    fate.sums = false;
    return fate;
}

static struct fate known_fate(struct follow *f, const struct nest *nest, const Node *node)
{
    switch (nodeTag(node)) {
    case T_ColumnRef:
        return nest_column(f, nest, (const ColumnRef *)node);
    case T_ParamRef:
    case T_A_Const:
    case T_SetToDefault:
    case T_SQLValueFunction:
    case T_CurrentOfExpr:
    case T_GroupingFunc:
    case T_TypeName:
    case T_String:
    case T_A_Star:
        return FATE_SHOWN;
    case T_CollateClause:
        return expression_fate(f, nest, ((const CollateClause *)node)->arg);
    case T_FuncCall:
        return call_fate(f, nest, (const FuncCall *)node);
    case T_SubLink:
        return sublink_fate(f, nest, (const SubLink *)node);
    case T_A_Indirection:
        return indirection_fate(f, nest, (const A_Indirection *)node);
    case T_WindowDef:
        return window_fate(f, nest, (const WindowDef *)node);
    case T_ResTarget: /* of XMLFOREST and the like */
        return expression_fate(f, nest, ((const ResTarget *)node)->val);
    case T_MultiAssignRef:
        return expression_fate(f, nest, ((const MultiAssignRef *)node)->source);
    case T_List:
        return list_fate(f, nest, (const List *)node);
    case T_SelectStmt: {
        struct rows *rows = query_rows(f, nest, node);
        return rows ? rows_all(rows) : fate_worst(f);
    }
    case T_A_Expr:
        return operation_fate(f, nest, (const A_Expr *)node);
    case T_TypeCast:
        return cast_fate(f, nest, (const TypeCast *)node);
    case T_CaseExpr:
        return case_fate(f, nest, (const CaseExpr *)node);
    case T_CoalesceExpr:
        return coalesce_fate(f, nest, (const CoalesceExpr *)node);
    case T_XmlExpr:
        return telling_fate(f, nest, node, !total_xml((const XmlExpr *)node));
    case T_A_ArrayExpr: /* arrays of arrays must be of one length */
        return not_plain(telling_fate(f, nest, node, list_length(((const A_ArrayExpr *)node)->elements) > 1));
    case T_MinMaxExpr: { /* rows are compared up to the first difference, and what can't be compared fails */
        struct fate fate = children_fate(f, nest, node);
        if (!fate.plain)
            follow_predicate(f, fate, expression_name(node));
        return fate;
    }
    case T_RowExpr:
        return not_plain(children_fate(f, nest, node));
    case T_NamedArgExpr:
    case T_SortBy:
        return children_fate(f, nest, node);
    default:
        return telling_fate(f, nest, node, true);
    }
}

struct fate expression_fate(struct follow *f, const struct nest *nest, const Node *node)
{
    if (!node)
        return FATE_SHOWN;
    if (!follow_enter(f))
        return fate_worst(f);
    struct fate fate = known_fate(f, nest, node);
    follow_leave(f);
    return fate;
}

/* ---- conditions ---- */

/* a.x = b.y of two hashed columns. */
static bool compares_hashes(struct follow *f, const struct nest *nest, const Node *node)
{
    const A_Expr *expression = (const A_Expr *)node;
    if (!IsA(node, A_Expr) || expression->kind != AEXPR_OP || list_length(expression->name) != 1 ||
        strcmp(strVal(linitial(expression->name)), "=") != 0 || !expression->lexpr || !expression->rexpr ||
        !IsA(expression->lexpr, ColumnRef) || !IsA(expression->rexpr, ColumnRef))
        return false;
    return is_hash(expression_fate(f, nest, expression->lexpr)) &&
           is_hash(expression_fate(f, nest, expression->rexpr));
}

static void condition(struct follow *f, const struct nest *nest, const Node *node)
{
    if (IsA(node, BoolExpr)) {
        const ListCell *cell;
        foreach (cell, ((const BoolExpr *)node)->args)
            expression_condition(f, nest, lfirst(cell));
        return;
    }
    if (!compares_hashes(f, nest, node))
        follow_predicate(f, expression_fate(f, nest, node), "a condition");
}

void expression_condition(struct follow *f, const struct nest *nest, const Node *node)
{
    if (!node)
        return;
    if (follow_enter(f)) {
        condition(f, nest, node);
        follow_leave(f);
    } else {
        follow_predicate(f, fate_worst(f), "a condition");
    }
}
