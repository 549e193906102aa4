/* Taking a parse tree apart into effects: what the parts of policy/sql*.c share. Private to them.
 *
 * Trees are as deep and as wide as a client likes, so nothing here recurses: nodes wait on a stack of their
 * own (struct todo) until sql_walk_run() comes to them, in the order of the text. Failure is sticky, as in a
 * reader: after the first one every call does nothing, and sql_walk_run() reports it. */
#pragma once
#include "policy/sql_nodes.h"
#include "policy/sql.h"

enum {
    SQL_WORK_MAX = 64 * 1000 * 1000, /* steps (nodes, comparisons) for one statement; beyond is unparsable */
    SQL_NOWHERE = -1,                /* in place of an effect's index */
    SQL_TEMPORARY = 't',             /* RangeVar.relpersistence (catalog/pg_class.h) */
};

struct walk;

/* A name in FROM. */
struct entry {
    struct entry *next;
    const char *alias;   /* by which columns are qualified */
    const char *schema;  /* or NULL */
    int effect;          /* index of the table's effect, or SQL_NOWHERE: sub-selects, functions, CTEs */
    bool renamed;        /* its columns have other names here */
    bool scalar;         /* a built-in function that may give a plain value: alias.f calls f */
    const List *columns; /* the names given here, or NIL */
    const Node *query;   /* of a sub-select or CTE, or NULL */
};

/* One query: the tables that its columns may come from. */
struct level {
    struct level *outer;
    struct entry *entries;
    bool renamed;   /* some join gave its columns other names */
    bool continues; /* the outer level is of the same query: a star means its tables, too */
};

/* A CTE in scope; the list goes from the innermost outwards. */
struct cte {
    const struct cte *outer;
    const char *name;
    const CommonTableExpr *expression;
};

/* What a node inherits from where it stands. */
struct context {
    struct level *level; /* NULL: columns are nobody's */
    const struct cte *ctes;
    enum effect_kind reads; /* what naming a relation is here: select; explain; create in CREATE … */
    enum effect_kind calls; /* what a harmless call is here */
    bool planned;           /* under EXPLAIN without ANALYZE: nothing runs but what the planner evaluates */
    unsigned depth;
};

struct todo {
    Node *node;
    struct context context;
    int next; /* in a List: which element is due */
    void (*visit)(struct walk *walk, Node *node, const struct context *context);
};

struct walk {
    struct sql_statement *statement; /* the effects go here */
    struct todo *todo;
    size_t n_todo, capacity;
    size_t work; /* steps taken */
    struct chunk *chunks;
    bool has_query;            /* a query is the statement, or what the statement runs */
    enum effect_kind query_is; /* select or explain, for has_query */
    int error;                 /* negative errno, sticky */
    const char *unparsable;    /* why it was given up, sticky */
};

/* ---- the machine (sql_walk.c) ---- */

/* Takes one statement apart, into statement->effects, role and name. 0; 1 and *ret_why (static) when it must
 * count as unparsable; or negative errno. */
MUST_USE int sql_walk_run(struct sql_statement *statement, Node *node, const char **ret_why);

/* Visits node later, before everything that was pushed earlier than the current visit; NULL is nothing. */
void sql_push(struct walk *walk, const void *node, const struct context *context);
/* The same, with a visit of its own. */
void sql_push_visit(struct walk *walk, const void *node, const struct context *context,
                    void (*visit)(struct walk *, Node *, const struct context *));
/* Pushes what stands directly below an expression. */
void sql_push_children(struct walk *walk, Node *node, const struct context *context);
/* Counts n steps; false when it is time to stop. */
bool sql_work(struct walk *walk, size_t n);
void sql_fail(struct walk *walk, int error);
void sql_give_up(struct walk *walk, const char *why);
/* Memory until the end of the walk; NULL after a failure. */
void *sql_allocate(struct walk *walk, size_t size);

/* ---- effects (sql_emit.c) ---- */

/* Each returns the index of the effect, or SQL_NOWHERE after a failure. */
int sql_emit(struct walk *walk, enum effect_kind kind, enum object_kind object_kind, const char *object);
int sql_emit_relation(struct walk *walk, enum effect_kind kind, const RangeVar *relation);
/* A list of String nodes, joined by dots. */
int sql_emit_names(struct walk *walk, enum effect_kind kind, enum object_kind object_kind, const List *names);
/* Joined into out (EFFECT_NAME_MAX); false when they do not fit. */
bool sql_join_names(const List *names, char *out);
void sql_emit_unknown(struct walk *walk, const char *why);
void sql_emit_harmless(struct walk *walk, enum effect_kind kind, const List *names);
void sql_emit_column(struct walk *walk, int effect, const char *column);
void sql_mark_unbounded(struct walk *walk, int effect);
/* The names of a table: the last of them, but for the `drop` at the end, are its schema and name. */
int sql_emit_table_names(struct walk *walk, enum effect_kind kind, const List *names, int drop);

/* ---- facts (sql_facts.c) ---- */

void sql_note(struct walk *walk, enum sql_fact fact, const char *text);
void sql_note_operator(struct walk *walk, const List *name);
void sql_note_cast(struct walk *walk, const TypeCast *cast);
void sql_note_type(struct walk *walk, const TypeName *type);
/* A relation that the statement makes. plain: a table that is nothing else's child. */
void sql_note_made(struct walk *walk, const RangeVar *relation, bool plain);
/* What this definition changes. */
void sql_note_change(struct walk *walk, const Node *node);
void sql_change(struct walk *walk, enum sql_change change);
/* DefElems of BEGIN and SET TRANSACTION. */
void sql_note_modes(struct walk *walk, const List *modes);
/* SET search_path TO …: args are A_Const. */
void sql_note_path(struct walk *walk, const List *args);

/* ---- visits, by the kind of node; false: not mine ---- */

bool sql_visit_query(struct walk *walk, Node *node, const struct context *context);    /* sql_query.c */
bool sql_visit_from(struct walk *walk, Node *node, const struct context *context);     /* sql_from.c */
bool sql_visit_call(struct walk *walk, Node *node, const struct context *context);     /* sql_calls.c */
bool sql_visit_utility(struct walk *walk, Node *node, const struct context *context);  /* sql_utility.c */
bool sql_visit_ddl(struct walk *walk, Node *node, const struct context *context);      /* sql_ddl.c */
bool sql_visit_ddl_part(struct walk *walk, Node *node, const struct context *context); /* sql_ddl_parts.c */

/* ---- what they ask of each other ---- */

/* A query that the statement is, or runs: like sql_push, and a SELECT without tables counts as select. */
void sql_push_root(struct walk *walk, const Node *query, const struct context *context);
/* Opens a query below the current one. */
struct level *sql_level_new(struct walk *walk, struct level *outer);
/* Names a table (or what is none) in the level; returns the entry or NULL. */
struct entry *sql_level_add(struct walk *walk, struct level *level, const char *alias, const char *schema,
                            int effect);
struct entry *sql_level_add_relation(struct walk *walk, struct level *level, const RangeVar *relation,
                                     int effect);
/* A column named without a table: may be any table's in sight. */
void sql_attach_column(struct walk *walk, const struct level *level, const char *column);
/* A ColumnRef. */
void sql_visit_column(struct walk *walk, Node *node, const struct context *context);
/* A call of the function with these names. args may be NIL. */
void sql_call(struct walk *walk, const List *names, const List *args, const struct context *context);
/* A change of a setting; value NULL: not known, or back to a default. */
void sql_change_setting(struct walk *walk, enum effect_kind kind, const char *name, const char *value);
/* SET, RESET and the like; as ALTER … SET has it, too. */
void sql_visit_set(struct walk *walk, const VariableSetStmt *set, enum effect_kind kind);
/* The text of a constant, or NULL: for settings. */
const char *sql_constant_text(const Node *node);
/* What naming this object (of DROP, COMMENT, ALTER … RENAME …) by kind is. */
void sql_emit_object(struct walk *walk, enum effect_kind kind, ObjectType type, const RangeVar *relation,
                     Node *object);
/* select, or explain where nothing runs. */
enum effect_kind sql_kind(const struct context *context, enum effect_kind kind);
