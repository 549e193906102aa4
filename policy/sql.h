/* SQL text to effects, by PostgreSQL's own grammar (libpg_query, raw parse trees). */
#pragma once
#include <stddef.h>
#include "policy/effect.h"

enum {
    SQL_STATEMENTS_MAX = 10 * 1000,   /* in one string; more are unparsable */
    SQL_DEPTH_MAX = 2000,             /* nesting of a parse tree that is followed; deeper is unparsable */
    SQL_PARSE_MAX = 16 * 1024 * 1024, /* bytes of a statement that are parsed; longer is unparsable */
    SQL_FACTS_MAX = 16 * 1024,        /* bytes of the facts of one statement */
};

/* What a statement does to what names mean, later on. */
enum sql_change {
    SQL_CHANGES_NOTHING,
    SQL_CHANGES_CATALOG,    /* something is defined, but the names that are there keep their meaning */
    SQL_CHANGES_NAMES,      /* the tables and functions that it creates, alters or drops */
    SQL_CHANGES_EVERYTHING, /* operators, casts, extensions, schemas … */
};

/* What it mentions besides the objects of its effects. */
enum sql_fact {
    SQL_FACT_OPERATOR = 1, /* an operator without a schema */
    SQL_FACT_TYPE,         /* a type; like an effect's object */
    SQL_FACT_REGCLASS,     /* the text of a constant that is made a regclass */
    SQL_FACT_FRESH,        /* the name of a plain table that it makes */
    SQL_FACT_TEMPORARY,    /* the name of a temporary table, view or sequence that it makes */
    SQL_FACT_RENAMED,      /* a name that something has from now on */
    SQL_FACT_PATH,         /* a value that it gives to search_path */
    SQL_FACT_FIELD,        /* the name behind the dot of something that is no table: a field or a call */
};

struct sql_facts {
    char *bytes; /* kind, text, NUL; again and again */
    size_t n, capacity;
    bool overflow; /* beyond SQL_FACTS_MAX they are left out */
};

/* What the wire has to know of one statement beyond its effects. */
enum sql_role {
    SQL_PLAIN,
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PREPARE, /* name is the prepared statement's; its effects are included */
    SQL_EXECUTE, /* name: the prepared statement that runs, whose effects the caller adds (effects_append) */
    SQL_DEALLOCATE, /* name, or NULL for all */
    SQL_DISCARD,    /* DISCARD ALL */
    SQL_COPY_IN,    /* COPY … FROM STDIN */
    SQL_COPY_OUT,
    SQL_DECLARE, /* name: the cursor */
    SQL_FETCH,   /* name: the cursor whose rows come; not MOVE */
};

struct sql_statement {
    enum sql_role role;
    char *name;             /* or NULL */
    size_t offset, length;  /* its bytes in the string; without the semicolon */
    struct effects effects; /* of this statement alone */
    struct sql_facts facts;
    enum sql_change change;
    bool any_path;        /* it gives search_path a value that is not known */
    bool asks_read_write; /* it makes a transaction, or those to come, read-write */
    bool cascades;        /* DROP, TRUNCATE or ALTER … CASCADE, DROP OWNED */
};

struct sql_request {
    struct sql_statement *statements;
    size_t count;
};

/* Parses a string of zero or more statements. Always gives a request: what does not parse becomes one
 * statement whose single effect is EFFECT_UNPARSABLE with `why`. sql: NUL-terminated, valid UTF-8 without NUL
 * is the caller's duty (text_is_utf8), standard_conforming_strings=on assumed (facts.md). Negative errno: out
 * of memory. Not thread-safe; call sql_start() once per process before. A stack of 64 KiB is enough. */
MUST_USE int sql_parse(const char *sql, struct sql_request **ret);
void sql_request_free(struct sql_request *request);
DEFINE_CLEANUP(struct sql_request *, sql_request_free)
/* The next fact: start with *cursor 0; false at the end. */
bool sql_next_fact(const struct sql_facts *facts, size_t *cursor, enum sql_fact *ret, const char **ret_text);
/* Ends the process when libpg_query is not the one that this was built for. */
void sql_start(void);
