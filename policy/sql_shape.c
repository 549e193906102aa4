/* A decision about one text may stand for another text only if the parser would have built the same tree for
 * it. Why it does (docs/adr says more):
 *
 * 1. Same tokens. The texts are equal byte for byte outside of the integers. An integer here is a run of one
 * to nine digits, without leading zeros, between bytes that neither continue a number nor a word, and there
 * is nothing in the text that could make the lexer leave its initial state: no quote, dollar, comment,
 *    backslash or byte above ASCII. So each is one ICONST (nine digits always fit an int4), and all
 *    other tokens have the same bytes.
 * 2. Same tree. The parser's moves depend on the kinds of tokens; what an action does with an ICONST's value
 *    depends on where it stands. sql_shape_is_free() finds every one of them, by its offset, in an A_Const
 * that is compared with a column: there the value is stored, and nothing else. That was seen with one of the
 *    texts, and so holds for all of them.
 * 3. Same effects. The walk looks at values of integers in UPDATE, DELETE and MERGE (conditions that are
 * always true), in ORDER BY, GROUP BY and LIMIT, in options and arguments; not in comparisons of a SELECT's
 * WHERE.
 *
 * tests/fuzz/shape.c asks the parser and the walk whether this is so. */
#include "policy/sql_shape.h"

#include <string.h>
#include "policy/sql_tree.h"

enum { DIGITS_MAX = 9, LOGIC_DEPTH_MAX = 16, INTEGER = '#' };

/* ---- the text ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_among(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool may_precede(char c)
{
    return is_blank(c) || is_among(c, "(,=<>");
}

static bool may_follow(char c)
{
    return is_blank(c) || is_among(c, "),;") || c == 0;
}

/* How many digits the integer at `at` has; 0 when it is not a plain one. */
static size_t integer_size(const char *text, size_t at)
{
    size_t end = at;
    while (end - at <= DIGITS_MAX && is_digit(text[end]))
        end++;
    size_t size = end - at;
    if (size > DIGITS_MAX || (size > 1 && text[at] == '0') || at == 0 || !may_precede(text[at - 1]) ||
        !may_follow(text[end]))
        return 0;
    return size;
}

static size_t word_size(const char *text, size_t at)
{
    size_t end = at;
    while (is_word(text[end]))
        end++;
    return end - at;
}

bool sql_shape_of(const char *text, size_t n, struct sql_shape *ret)
{
    ret->n = ret->n_integers = 0;
    if (n > SQL_SHAPE_TEXT_MAX)
        return false;
    for (size_t at = 0; at < n;) {
        size_t size = 1;
        if (is_digit(text[at])) {
            size = integer_size(text, at);
            if (size == 0 || ret->n_integers == SQL_SHAPE_INTEGERS_MAX)
                return false;
            ret->at[ret->n_integers++] = at;
            ret->key[ret->n++] = INTEGER;
            at += size;
            continue;
        }
        if (is_word(text[at]))
            size = word_size(text, at);
        else if (!is_blank(text[at]) && !is_among(text[at], "(),;.=<>*"))
            return false;
        memcpy(ret->key + ret->n, text + at, size);
        ret->n += size;
        at += size;
    }
    return ret->n_integers > 0;
}

/* ---- the tree ---- */

struct search {
    const struct sql_shape *shape;
    bool found[SQL_SHAPE_INTEGERS_MAX];
    size_t n_found;
};

static bool is_comparison(const A_Expr *e)
{
    static const char *const names[] = { "=", "<>", "<", ">", "<=", ">=" };
    if (e->kind != AEXPR_OP || list_length(e->name) != 1)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(strVal(linitial(e->name)), names[i]) == 0)
            return true;
    return false;
}

static void find(struct search *search, const Node *column, const Node *value)
{
    if (!column || !IsA(column, ColumnRef) || !value || !IsA(value, A_Const))
        return;
    const A_Const *constant = (const A_Const *)value;
    if (constant->isnull || !IsA(&constant->val, Integer) || constant->location < 0)
        return;
    for (size_t i = 0; i < search->shape->n_integers; i++) {
        if (search->shape->at[i] != (size_t)constant->location || search->found[i])
            continue;
        search->found[i] = true;
        search->n_found++;
    }
}

static void search_condition(struct search *search, const Node *condition, int depth)
{
    const ListCell *cell;
    if (!condition || depth == 0)
        return;
    if (IsA(condition, BoolExpr)) {
        foreach (cell, ((const BoolExpr *)condition)->args)
            search_condition(search, lfirst(cell), depth - 1);
    } else if (IsA(condition, A_Expr) && is_comparison((const A_Expr *)condition)) {
        const A_Expr *e = (const A_Expr *)condition;
        find(search, e->lexpr, e->rexpr);
        find(search, e->rexpr, e->lexpr);
    }
}

/* 1: every integer was found where it may stand. */
static int search_tree(void *owner, const List *tree)
{
    struct search *search = owner;
    if (list_length(tree) != 1)
        return 0;
    const Node *statement = ((const RawStmt *)linitial(tree))->stmt;
    if (!statement || !IsA(statement, SelectStmt))
        return 0;
    const SelectStmt *select = (const SelectStmt *)statement;
    if (select->op != SETOP_NONE || select->withClause || select->intoClause || select->valuesLists)
        return 0;
    search_condition(search, select->whereClause, LOGIC_DEPTH_MAX);
    return search->n_found == search->shape->n_integers;
}

bool sql_shape_is_free(const char *text, const struct sql_shape *shape)
{
    struct search search = { .shape = shape };
    return sql_tree_with(text, search_tree, &search) == 1;
}
