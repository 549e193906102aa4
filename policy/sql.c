/* SQL text to statements, by libpg_query: the one file that calls it.
 *
 * Only its raw parse is used. The protobuf and JSON output recurse over the tree and overflow the stack with
 * a query of some KB (1+1+1…); the raw parser is a table-driven one whose own stack is bounded and on the
 * heap, so that it needs some 20 KB of ours whatever it is given. The tree is then walked without recursion,
 * too (sql_walk.c).
 *
 * Its memory is bounded (sql_memory.c), and the tree that it built is gone when sql_parse() returns. */
#include <pg_query.h>
/* Taken before PostgreSQL's headers bring their own: both must be of the same major version, or the nodes
 * differ. */
enum { PARSER_MAJOR = PG_VERSION_NUM / 10000 };
#undef PG_VERSION
#undef PG_VERSION_NUM
#undef PG_MAJORVERSION
#include "policy/sql_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "policy/sql.h"
#include "policy/sql_memory.h"
#include "policy/sql_tree.h"

_Static_assert(PARSER_MAJOR == PG_VERSION_NUM / 10000,
               "libpg_query and the PostgreSQL server headers must be of the same major version");

/* libpg_query's pg_query_internal.h, which is not made to be included. */
typedef struct {
    List *tree;
    char *stderr_buffer;
    PgQueryError *error;
} PgQueryInternalParsetreeAndError;
#ifdef PG_QUERY_DISABLE_BACKSLASH_QUOTE /* later ones take options: none is PostgreSQL's own defaults */
extern PgQueryInternalParsetreeAndError pg_query_raw_parse(const char *input, int parser_options);
#define RAW_PARSE(sql) pg_query_raw_parse(sql, PG_QUERY_PARSE_DEFAULT)
#else
extern PgQueryInternalParsetreeAndError pg_query_raw_parse(const char *input);
#define RAW_PARSE(sql) pg_query_raw_parse(sql)
#endif
extern MemoryContext pg_query_enter_memory_context(void);
extern void pg_query_exit_memory_context(MemoryContext context);
extern void pg_query_free_error(PgQueryError *error);

static void statement_clear(struct sql_statement *statement)
{
    effects_free(&statement->effects);
    free(statement->facts.bytes);
    free(statement->name);
}

void sql_request_free(struct sql_request *request)
{
    if (!request)
        return;
    for (size_t i = 0; i < request->count; i++)
        statement_clear(&request->statements[i]);
    free(request->statements);
    free(request);
}

static struct sql_request *request_new(size_t count)
{
    struct sql_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    request->statements = calloc(count ? count : 1, sizeof *request->statements);
    if (!request->statements) {
        free(request);
        return NULL;
    }
    request->count = count;
    return request;
}

/* Whatever was found is not to be relied on any more. */
static int make_unparsable(struct sql_statement *statement, const char *why)
{
    effects_free(&statement->effects);
    return effects_add_why(&statement->effects, EFFECT_UNPARSABLE, why);
}

static int unparsable_request(size_t length, const char *why, struct sql_request **ret)
{
    CLEANUP(sql_request_free) struct sql_request *request = request_new(1);
    if (!request)
        return -ENOMEM;
    request->statements[0].length = length;
    int r = make_unparsable(&request->statements[0], why);
    if (r < 0)
        return r;
    *ret = STEAL(request);
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* A length of 0 means: to the end. Blanks around it are not part of a statement; comments may be. */
static void locate(struct sql_statement *statement, const char *sql, size_t length, const RawStmt *raw)
{
    size_t start = raw->stmt_location > 0 ? (size_t)raw->stmt_location : 0;
    if (start > length)
        start = length;
    size_t end = raw->stmt_len > 0 ? start + (size_t)raw->stmt_len : length;
    if (end > length)
        end = length;
    while (start < end && is_blank(sql[start]))
        start++;
    while (end > start && is_blank(sql[end - 1]))
        end--;
    statement->offset = start;
    statement->length = end - start;
}

static int take_apart(List *tree, const char *sql, size_t length, struct sql_request **ret)
{
    CLEANUP(sql_request_free) struct sql_request *request = request_new((size_t)list_length(tree));
    if (!request)
        return -ENOMEM;
    for (size_t i = 0; i < request->count; i++) {
        struct sql_statement *statement = &request->statements[i];
        RawStmt *raw = list_nth(tree, (int)i);
        const char *why = NULL;
        locate(statement, sql, length, raw);
        int r = sql_walk_run(statement, raw->stmt, &why);
        if (r > 0)
            r = make_unparsable(statement, why);
        if (r < 0)
            return r;
    }
    *ret = STEAL(request);
    return 0;
}

/* One parse, in a memory context of its own, bounded. */
struct parsing {
    MemoryContext context;
    struct memory_bound bound;
    PgQueryInternalParsetreeAndError parsed;
};

static void parsing_begin(struct parsing *p, const char *sql)
{
    p->context = pg_query_enter_memory_context();
    memory_bound_set(&p->bound, p->context);
    p->parsed = RAW_PARSE(sql);
    memory_bound_lift(&p->bound, p->context);
}

static void parsing_end(struct parsing *p)
{
    if (p->parsed.error)
        pg_query_free_error(p->parsed.error);
    pg_query_exit_memory_context(p->context);
    free(p->parsed.stderr_buffer);
}

int sql_parse(const char *sql, struct sql_request **ret)
{
    size_t length = strlen(sql);
    if (length > SQL_PARSE_MAX)
        return unparsable_request(length, "the statement is too long", ret);
    struct parsing p;
    parsing_begin(&p, sql);
    int r;
    if (p.parsed.error) {
        const char *why = p.parsed.error->message ? p.parsed.error->message : "it does not parse";
        r = unparsable_request(length, p.bound.hit ? "it takes too much memory to parse" : why, ret);
    } else if (list_length(p.parsed.tree) > SQL_STATEMENTS_MAX) {
        r = unparsable_request(length, "there are too many statements in one string", ret);
    } else {
        r = take_apart(p.parsed.tree, sql, length, ret);
    }
    parsing_end(&p);
    return r;
}

int sql_tree_with(const char *sql, sql_tree_handler *handler, void *owner)
{
    if (strlen(sql) > SQL_PARSE_MAX)
        return -EINVAL;
    struct parsing p;
    parsing_begin(&p, sql);
    int r = p.parsed.error ? -EINVAL : handler(owner, p.parsed.tree);
    parsing_end(&p);
    return r;
}

void *sql_tree_part_begin(void)
{
    return pg_query_enter_memory_context();
}

size_t sql_tree_part_size(const void *part)
{
    return ((const MemoryContextData *)part)->mem_allocated;
}

void sql_tree_part_end(void *part)
{
    pg_query_exit_memory_context(part);
}

const List *sql_tree_inside(const char *sql)
{
    PgQueryInternalParsetreeAndError parsed = RAW_PARSE(sql);
    free(parsed.stderr_buffer);
    if (!parsed.error)
        return parsed.tree;
    pg_query_free_error(parsed.error);
    return NIL;
}

/* A statement whose walk goes through many kinds of nodes, and whose string ends at a backslash. If the
 * library that is loaded lays them out in another way than the headers that we were built with, this comes
 * out wrong. */
static bool self_test(void)
{
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    if (sql_parse("WITH d AS (DELETE FROM s.a WHERE a.x IN (1, '\\')) SELECT lower(b.y), f(1) FROM b, d; "
                  "DROP TABLE t",
                  &request) < 0 ||
        request->count != 2)
        return false;
    static const struct {
        size_t statement, effect;
        const char *is;
    } expected[] = {
        { 0, 0, "delete s.a" },   { 0, 1, "select b" }, { 0, 2, "select lower()" },
        { 0, 3, "function f()" }, { 1, 0, "drop t" },
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct effects *effects = &request->statements[expected[i].statement].effects;
        char is[EFFECT_NAME_MAX];
        if (expected[i].effect >= effects->count ||
            strcmp(effect_describe(&effects->items[expected[i].effect], is, sizeof is), expected[i].is) != 0)
            return false;
    }
    return true;
}

void sql_start(void)
{
    if (self_test())
        return;
    static const char message[] = "the SQL parser does not work as it was built: libpg_query was exchanged\n";
    fwrite(message, 1, sizeof message - 1, stderr);
    abort();
}
