/* The machine that walks a parse tree: a stack of nodes that wait, and a bound for everything.
 *
 * Fails closed: a node that no visit knows, and that is not an expression whose children the library can
 * list, is an effect `unknown`. So a new kind of node in a later PostgreSQL is refused until somebody has
 * thought about it. */
#include "policy/sql_walk.h"

#include <errno.h>
#include <stdlib.h>

enum { CHUNK_SIZE = 16 * 1024, TODO_FIRST = 64 };

struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(max_align_t) char bytes[];
};

void sql_fail(struct walk *walk, int error)
{
    if (!walk->error)
        walk->error = error;
}

void sql_give_up(struct walk *walk, const char *why)
{
    if (!walk->unparsable)
        walk->unparsable = why;
}

static bool stopped(const struct walk *walk)
{
    return walk->error || walk->unparsable;
}

bool sql_work(struct walk *walk, size_t n)
{
    walk->work += n;
    if (walk->work > SQL_WORK_MAX)
        sql_give_up(walk, "it takes too much work to judge");
    return !stopped(walk);
}

void *sql_allocate(struct walk *walk, size_t size)
{
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (stopped(walk))
        return NULL;
    if (!walk->chunks || walk->chunks->used + size > CHUNK_SIZE) {
        struct chunk *chunk = malloc(sizeof *chunk + CHUNK_SIZE);
        if (!chunk) {
            sql_fail(walk, -ENOMEM);
            return NULL;
        }
        chunk->next = walk->chunks;
        chunk->used = 0;
        walk->chunks = chunk;
    }
    void *memory = walk->chunks->bytes + walk->chunks->used;
    walk->chunks->used += size;
    memset(memory, 0, size);
    return memory;
}

static void push(struct walk *walk, struct todo todo)
{
    if (!todo.node || stopped(walk))
        return;
    if (todo.context.depth > SQL_DEPTH_MAX) {
        sql_give_up(walk, "it is nested too deeply");
        return;
    }
    if (walk->n_todo == walk->capacity) {
        size_t capacity = walk->capacity ? walk->capacity * 2 : TODO_FIRST;
        struct todo *grown = reallocarray(walk->todo, capacity, sizeof *grown);
        if (!grown) {
            sql_fail(walk, -ENOMEM);
            return;
        }
        walk->todo = grown;
        walk->capacity = capacity;
    }
    walk->todo[walk->n_todo++] = todo;
}

void sql_push_visit(struct walk *walk, const void *node, const struct context *context,
                    void (*visit)(struct walk *, Node *, const struct context *))
{
    /* The nodes belong to the parser's memory context; nothing here writes to them. */
    push(walk, (struct todo){ .node = (Node *)node, .context = *context, .visit = visit });
}

void sql_push(struct walk *walk, const void *node, const struct context *context)
{
    sql_push_visit(walk, node, context, NULL);
}

void sql_push_root(struct walk *walk, const Node *query, const struct context *context)
{
    if (query && IsA(query, SelectStmt)) {
        walk->has_query = true;
        walk->query_is = sql_kind(context, EFFECT_SELECT);
    }
    sql_push(walk, query, context);
}

struct children {
    struct walk *walk;
    const struct context *context;
};

static bool push_child(Node *node, void *children)
{
    const struct children *c = children;
    sql_push(c->walk, node, c->context);
    return false;
}

void sql_push_children(struct walk *walk, Node *node, const struct context *context)
{
    struct children children = { walk, context };
    (void)raw_expression_tree_walker(node, push_child, &children);
}

/* Expressions that mean nothing to rules by themselves, and whose children the library can list. */
static bool visit_expression(struct walk *walk, Node *node, const struct context *context)
{
    if (IsA(node, TypeCast))
        sql_note_cast(walk, (const TypeCast *)node);
    else if (IsA(node, TypeName))
        sql_note_type(walk, (const TypeName *)node);
    switch (nodeTag(node)) {
    case T_A_ArrayExpr:
    case T_A_Const:
    case T_A_Indices:
    case T_A_Star:
    case T_Alias:
    case T_BitString:
    case T_BoolExpr:
    case T_Boolean:
    case T_BooleanTest:
    case T_CaseExpr:
    case T_CoalesceExpr:
    case T_CollateClause:
    case T_CurrentOfExpr:
    case T_Float:
    case T_GroupingFunc:
    case T_GroupingSet:
    case T_Integer:
    case T_MinMaxExpr:
    case T_MultiAssignRef:
    case T_NamedArgExpr:
    case T_NullTest:
    case T_ParamRef:
    case T_ResTarget:
    case T_RowExpr:
    case T_SQLValueFunction:
    case T_SetToDefault:
    case T_String:
    case T_TypeCast:
    case T_TypeName:
    case T_WindowDef:
    case T_XmlExpr:
    case T_XmlSerialize:
        sql_push_children(walk, node, context);
        return true;
    default:
        return false;
    }
}

static void visit(struct walk *walk, Node *node, const struct context *context)
{
    if (visit_expression(walk, node, context) || sql_visit_from(walk, node, context) ||
        sql_visit_call(walk, node, context) || sql_visit_query(walk, node, context) ||
        sql_visit_utility(walk, node, context) || sql_visit_ddl(walk, node, context) ||
        sql_visit_ddl_part(walk, node, context))
        return;
    char why[64];
    snprintf(why, sizeof why, "a kind of syntax that is not known (%d)", (int)nodeTag(node));
    sql_emit_unknown(walk, why);
}

/* What one visit pushed comes off in the order in which it was pushed. */
static void reverse(struct todo *todo, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct todo other = todo[i];
        todo[i] = todo[n - 1 - i];
        todo[n - 1 - i] = other;
    }
}

/* A list takes one place on the stack however long it is. */
static void step_list(struct walk *walk, struct todo todo)
{
    const List *list = (const List *)todo.node;
    if (todo.next >= list_length(list))
        return;
    Node *element = list_nth(list, todo.next);
    todo.next++;
    push(walk, todo);
    sql_push_visit(walk, element, &todo.context, todo.visit);
}

static void step(struct walk *walk)
{
    struct todo todo = walk->todo[--walk->n_todo];
    if (!sql_work(walk, 1))
        return;
    if (IsA(todo.node, List)) {
        step_list(walk, todo);
        return;
    }
    struct context inner = todo.context;
    inner.depth++;
    size_t before = walk->n_todo;
    (todo.visit ? todo.visit : visit)(walk, todo.node, &inner);
    reverse(walk->todo + before, walk->n_todo - before);
}

/* A query that names no table is still a select. */
static void close_query(struct walk *walk)
{
    if (!walk->has_query || stopped(walk))
        return;
    const struct effects *effects = &walk->statement->effects;
    for (size_t i = 0; i < effects->count; i++)
        if (effects->items[i].kind == walk->query_is && !effects->items[i].harmless_call)
            return;
    sql_emit(walk, walk->query_is, OBJECT_NONE, NULL);
}

static void walk_clear(struct walk *walk)
{
    while (walk->chunks) {
        struct chunk *chunk = walk->chunks;
        walk->chunks = chunk->next;
        free(chunk);
    }
    free(walk->todo);
}

int sql_walk_run(struct sql_statement *statement, Node *node, const char **ret_why)
{
    struct walk walk = { .statement = statement };
    struct context context = { .reads = EFFECT_SELECT, .calls = EFFECT_SELECT };
    sql_push_root(&walk, node, &context);
    while (walk.n_todo > 0 && !stopped(&walk))
        step(&walk);
    close_query(&walk);
    walk_clear(&walk);
    if (walk.error == -ENOBUFS)
        walk.unparsable = "it does too many different things";
    else if (walk.error == -ENAMETOOLONG)
        walk.unparsable = "a name in it is too long";
    else if (walk.error)
        return walk.error;
    if (!walk.unparsable)
        return 0;
    *ret_why = walk.unparsable;
    return 1;
}
