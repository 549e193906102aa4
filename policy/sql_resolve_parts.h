/* The inside of sql_resolve*.c: one statement on its way through the catalog. */
#pragma once
#include "policy/sql_resolve.h"

enum {
    RESOLVE_DEPTH_MAX = 16,    /* views in views */
    RESOLVE_VISITED_MAX = 512, /* views that are opened for one statement */
};

/* A name taken apart. */
struct name_parts {
    char schema[EFFECT_NAME_MAX], name[EFFECT_NAME_MAX];
    bool qualified;
};
/* "schema.name" with the quotes of sql_emit.c; of more parts the last two count. */
void name_split(const char *object, struct name_parts *ret);
/* As people write it: unquoted parts are folded to lower case. False: it is no such name. */
bool name_read(const char *text, struct name_parts *ret);
/* The object of an effect; false when it does not fit. schema may be NULL. */
bool name_join(char out[EFFECT_NAME_MAX], const char *schema, const char *name);

struct resolver {
    struct scope *scope;
    const struct catalog_basics *basics;
    struct effects *out;
    bool asked, wants;
    bool calls_operator;    /* it names an operator with its schema */
    bool own_types;         /* something of the statement has types that are not PostgreSQL's own */
    enum effect_kind query; /* what the statement is at heart: for calls that turn out to be harmless */
    struct {
        uint32_t oid;
        enum effect_kind kind;
    } visited[RESOLVE_VISITED_MAX];
    size_t n_visited;
    unsigned depth;
    int error; /* sticky; -ENOBUFS and -ENAMETOOLONG become `unparsable` */
};

/* An effect that a statement, or a view's definition, has by text. catalog_only: names without a schema are
 * pg_catalog's (definitions). */
void resolve_effect(struct resolver *r, const struct effect *effect, bool catalog_only);
/* A table by name, under an effect's kind, columns and bounds. */
void resolve_table(struct resolver *r, const struct effect *effect, const struct name_parts *name);
void resolve_function(struct resolver *r, const struct effect *effect, bool catalog_only);
/* name, where it is no column of a row, calls a function of that name. */
void resolve_hidden_call(struct resolver *r, const char *name);
void resolve_copy(struct resolver *r, const struct effect *effect);
void resolve_unknown(struct resolver *r, const char *format, const char *name);
void resolve_fail(struct resolver *r, int error);
/* A function that is called without being named. */
void resolve_called(struct resolver *r, const struct catalog_name *function, const char *why);
