/* What the lineage*.c files share; nobody else includes this.
 *
 * They recurse over the parse tree, a bounded number of levels deep; below, everything in sight is assumed.
 * Memory is the parser's context: it goes when the statement is done, so nothing here frees. */
#pragma once
#include "policy/sql_nodes.h"
#include "policy/lineage.h"

/* Columns of something: a FROM item, a CTE, a query's output. */
struct rows {
    const char **names; /* NULL: it may be called anything */
    struct fate *fates;
    size_t n, capacity;
    bool known;      /* these are all, in this order */
    bool listed;     /* … and so are their names: the catalog has them */
    bool figured;    /* a name does not stand in the statement: expression_name() thinks that it is that */
    struct fate any; /* of a column that is not among them */
};

/* Something in FROM. */
struct item {
    struct item *next;          /* in the order of the text */
    const char *alias, *schema; /* schema: of a table without an alias; else NULL */
    struct rows *rows;
    bool nameless;       /* it may be called anything */
    bool hidden;         /* its columns can only be named through the join above it */
    bool only_qualified; /* JOIN … USING (…) AS alias: its columns are there already */
};

struct cte {
    const struct cte *outer;
    const char *name;
    struct rows *rows;
};

/* A query level. */
struct nest {
    const struct nest *outer;
    struct item *items, **last;
    struct rows *star; /* what * stands for here, in order */
};

struct follow {
    struct scope *scope;
    const struct mask_set *masks;
    struct lineage *out;
    const struct cte *ctes;
    unsigned depth, views;
    size_t work, work_max;
    const void *memory; /* a part (sql_tree.h) */
    size_t origins_room;
    bool no_memory;
    bool temporary;              /* something in sight may be temporary, which the catalog does not show */
    bool writes;                 /* what is being followed is written to */
    bool opaque;                 /* it calls a function that may read anything */
    bool touches;                /* it names something that shows masked columns */
    unsigned sources;            /* columns that come from columns, within each other */
    const struct mask *rewrites; /* a masked value is overwritten; or NULL */
    unsigned quiet;              /* inside of a view: its own conditions are its owner's choice */
};

/* ---- lineage_rows.c ---- */

struct rows *rows_new(bool known);
void rows_append(struct rows *rows, const char *name, struct fate fate);
/* Gives them other names, as far as there are some. */
void rows_rename(struct rows *rows, const List *names);
struct rows *rows_copy(const struct rows *rows);
/* Puts columns behind those that are there. */
void rows_join(struct rows *rows, const struct rows *more);
struct fate rows_all(const struct rows *rows);
/* Whether there is certainly one of that name. */
bool rows_have(const struct rows *rows, const char *name);
/* The column of that name; false when there is none, and it can't be one that is unknown. */
bool rows_find(const struct rows *rows, const char *name, struct fate *ret);
/* Either value: a set operation, or columns that a join has merged. */
struct fate fate_either(struct fate a, struct fate b);
/* Rows of both: that one of them is not masked makes a token of what somebody has put beside it, and so may
 * not be seen. */
struct fate fate_beside(struct fate a, struct fate b);
/* Something made of both. */
struct fate fate_mix(struct fate a, struct fate b);
/* The strictest there is: what nothing is known about. */
struct fate fate_worst(struct follow *f);
static const struct fate FATE_SHOWN = { .mask = NULL };
/* Work or memory have come to their end. */
bool follow_exhausted(const struct follow *f);
/* Goes one level deeper; false when it is time to assume the worst. */
bool follow_enter(struct follow *f);
void follow_leave(struct follow *f);
/* A condition, an order or a grouping by this. */
void follow_predicate(struct follow *f, struct fate fate, const char *what);
/* Puts down what RowDescription may call this column by (lineage_vote). */
void follow_origin(struct follow *f, uint32_t relation, uint16_t number, uint16_t last, struct fate fate);
void follow_unmask(struct follow *f, struct fate fate, const char *what);

/* A value of one's own where a constraint compares it with those that are there. */
void follow_guess(struct follow *f, const struct mask *mask, const char *what);

/* ---- lineage_source.c: what the catalog says of single columns ---- */

/* The mask of a table's column by its name, or of what it is generated from or refers to; what writing to it
 * would tell. */
struct fate source_fate(struct follow *f, const struct catalog_relation *relation,
                        const struct catalog_column *column);
/* Rows of the target go, or get other keys (column: that one, NULL: all): whether rows with masked columns
 * refer to them. */
void follow_referrers(struct follow *f, const RangeVar *target, const char *column);
/* What a table is partitioned by. */
struct fate partition_fate(struct follow *f, const RangeVar *table);

/* ---- lineage_table.c: what the catalog knows ---- */

/* The columns of a table or view, followed to their end. */
struct rows *table_rows(struct follow *f, const RangeVar *relation);
/* The mask of a table's column by its name; fate_worst() when it is not clear which table it is. */
struct fate table_column(struct follow *f, const RangeVar *relation, const char *column);
/* What a call may bring along by itself, whatever its arguments are; *ret_keeps: it may keep what it is
 * given. */
struct fate function_fate(struct follow *f, const List *names, int n_arguments, bool *ret_keeps);
/* Whether there may be one at all of that many arguments. */
enum catalog_answer function_fate_if(struct follow *f, const List *names, int n_arguments, bool *ret_keeps);

/* ---- lineage_from.c ---- */

enum { NAMES_PER_STEP = 64 }; /* to compare */

void nest_from(struct follow *f, struct nest *nest, const List *from);
void nest_init(struct nest *nest, const struct nest *outer);
void nest_add(struct nest *nest, const char *alias, const char *schema, struct rows *rows);

/* ---- lineage_sight.c ---- */

/* The fate of [schema.][alias.]column, or of a whole row, or a call that looks like a column. */
struct fate nest_column(struct follow *f, const struct nest *nest, const ColumnRef *reference);
/* Of a name that nothing in sight is called. listed: all of it is, so that the server finds none either. */
struct fate unseen_fate(struct follow *f, bool listed);
/* A bare name; false when nothing in sight is called that. */
bool nest_finds(struct follow *f, const struct nest *nest, const char *name, struct fate *ret);
/* The columns of * or alias.*; adds them. */
void nest_star(struct follow *f, const struct nest *nest, const ColumnRef *reference, struct rows *rows);

/* ---- lineage_expr.c ---- */

/* nest may be NULL: columns are then the worst. */
struct fate expression_fate(struct follow *f, const struct nest *nest, const Node *node);
/* Its condition decides about rows. */
void expression_condition(struct follow *f, const struct nest *nest, const Node *node);
/* ---- lineage_name.c ---- */

/* What PostgreSQL calls a column without AS (FigureColname). NULL: it may be anything, as of (SELECT * …). */
const char *expression_name(const Node *node);
/* Whether that is a name which stands in it, of a column or a function. */
bool expression_says_name(const Node *node);
/* x.* */
bool column_is_star(const Node *value);

/* ---- lineage_total.c: what tells nothing but its result ---- */

/* With these fates of its first argument, and of the others together. */
bool total_function(const List *names, struct fate first, struct fate rest);
/* Also by what else the call says. order: of WITHIN GROUP. */
bool total_call(const FuncCall *call, struct fate first, struct fate rest, struct fate order);
/* Whether it gives a plain text, whatever it is given. */
bool total_text(const List *names);
bool total_operator(struct follow *f, const A_Expr *expression, struct fate operands);
bool total_cast(struct follow *f, const TypeName *type);
bool total_xml(const XmlExpr *expression);

/* ---- lineage_query.c ---- */

/* Any statement that can have rows: SELECT, INSERT …; NULL when it is none of these. */
struct rows *query_rows(struct follow *f, const struct nest *outer, const Node *query);
/* What has no rows. lineage_utility.c */
void follow_utility(struct follow *f, const Node *node);
/* The tree of a view's definition. NULL: it can't be read. lineage.c */
const Node *definition_tree(const char *sql);
