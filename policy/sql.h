/* SQL text to effects, by PostgreSQL's own grammar (libpg_query, raw parse trees). */
#pragma once
#include <stddef.h>
#include "policy/effect.h"

enum {
    SQL_STATEMENTS_MAX = 10 * 1000,   /* in one string; more are unparsable */
    SQL_DEPTH_MAX = 2000,             /* nesting of a parse tree that is followed; deeper is unparsable */
    SQL_PARSE_MAX = 16 * 1024 * 1024, /* bytes of a statement that are parsed; longer is unparsable */
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
};

struct sql_statement {
    enum sql_role role;
    char *name;             /* or NULL */
    size_t offset, length;  /* its bytes in the string; without the semicolon */
    struct effects effects; /* of this statement alone */
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
/* Ends the process when libpg_query is not the one that this was built for. */
void sql_start(void);
