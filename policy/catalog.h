/* What a target's database holds, as far as somebody has asked: relations, functions, types, and what is out
 * of the ordinary. No I/O: what is not known is noted as a want, which channels/pg/catalog_link.c fetches. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    CATALOG_ENTRIES_MAX = 8192,           /* names that are remembered at a time; the oldest go first */
    CATALOG_BYTES_MAX = 16 * 1024 * 1024, /* of memory for what they mean */
    CATALOG_WANTS_MAX = 256,              /* asked for at a time; the rest in the next round */
    CATALOG_PINNED = 16384,       /* objects with lower oids came with PostgreSQL (FirstNormalObjectId) */
    CATALOG_LIKE_NAMED_MAX = 256, /* objects of one name: more is `overflow` */
    CATALOG_RELATED_MAX = 2048,   /* ancestors, descendants …: more is `overflow` */
};

enum catalog_answer {
    CATALOG_FOUND,
    CATALOG_ABSENT, /* there was none when the server was last asked */
    CATALOG_WANTED, /* not known: noted, ask again once the wants have been fetched */
};

/* What can be asked for. The key is a bare name (as PostgreSQL stores it), an oid in decimal, or "". */
enum catalog_kind {
    CATALOG_RELATIONS, /* all of that name, in any schema, temporary ones of others left out */
    CATALOG_RELATION_OF_OID,
    CATALOG_FUNCTIONS, /* all of that name, in any schema */
    CATALOG_TYPES,     /* likewise; not the array types */
    CATALOG_TYPE_OF_OID,
    CATALOG_BASICS, /* key "": struct catalog_basics */
    CATALOG_KINDS
};

/* A schema and a name in it. */
struct catalog_name {
    const char *schema, *name;
};

struct catalog_column {
    const char *name;
    uint16_t number; /* pg_attribute.attnum; dropped columns are left out, so numbers may have gaps */
    uint32_t type;   /* oid */
    bool own_type;   /* the type, its elements or its base are not PostgreSQL's own */
    char class;      /* s: to compare, join or add its values can't fail; a: but for adding; else it may */
    char shape; /* of its type: t a text, a an array, c a row, r a range, m a multirange, h hstore; else - */
};

/* What a column has to do with another one; both are named as this table's, but for f and r. */
struct catalog_tie {
    char kind; /* g: it is generated from the other. f: it refers to the other by a foreign key. r: the other
                  refers to it. u: a unique index or an exclusion constraint has both (or it alone, twice). c:
                  a check, or an expression or condition of an index, has both. p: the table is partitioned by
                  it */
    const char *column, *schema, *table, *other; /* schema, table: of f and r; else "" */
};

/* A column that a view's definition depends on (pg_depend); whole: the relation itself (column NULL). */
struct catalog_read {
    uint32_t relation;
    const char *schema, *name, *column;
    uint16_t number;
};

struct catalog_relation {
    uint32_t oid;
    const char *schema, *name, *owner;
    char kind;         /* pg_class.relkind: r v m p f S c t i */
    bool row_security; /* policies stand on it */
    bool rewritten;    /* it has rewrite rules besides the one that makes it a view */
    bool overflow;     /* one of the lists is cut: what it does can't be decided */
    uint32_t type;     /* oid of its row type */
    const struct catalog_column *columns;
    size_t n_columns;
    /* A view's query: pg_get_viewdef under search_path = pg_catalog, so that everything outside of pg_catalog
     * is qualified; a materialized view's too. NULL: not a view, or the definition is longer than is kept. */
    const char *definition;
    const struct catalog_read *reads;
    size_t n_reads;
    const struct catalog_tie *ties; /* its own, and those of its descendants */
    size_t n_ties;
    const struct catalog_name *ancestors, *descendants; /* inheritance and partitions, all levels */
    size_t n_ancestors, n_descendants;
    const struct catalog_name *followers; /* tables whose rows go or change along, by foreign keys */
    size_t n_followers;
    const struct catalog_name *triggers; /* functions of its triggers */
    size_t n_triggers;
    const struct catalog_name *defaults; /* functions of its defaults, constraints, indexes … */
    size_t n_defaults;
};

struct catalog_function {
    uint32_t oid;
    const char *schema, *name, *owner, *language;
    char kind;       /* pg_proc.prokind: f p a w */
    char volatility; /* i s v */
    bool security_definer;
    bool trusted_owner;    /* a superuser */
    bool trusted_language; /* pg_language.lanpltrusted */
    bool harmless_parts;   /* of an aggregate: its functions are; else true */
    bool returns_set;
    uint16_t n_arguments, n_defaults; /* of input arguments */
    bool variadic;
    uint32_t result;            /* oid of the type */
    const char *const *results; /* names of OUT, INOUT and TABLE arguments */
    size_t n_results;
};

struct catalog_type {
    uint32_t oid;
    const char *schema, *name;
    char kind;         /* pg_type.typtype: b c d e m p r */
    uint32_t element;  /* of an array; else 0 */
    uint32_t base;     /* of a domain; else 0 */
    uint32_t relation; /* of a composite type; else 0 */
    bool checked;      /* a domain whose constraints call functions that are not harmless */
};

/* An operator or a cast backed by a function that may write, or is not known not to. */
struct catalog_hook {
    const char *schema, *name; /* of the operator; a cast: "" */
    struct catalog_name function;
    bool own_types; /* a cast from or to a type that is not PostgreSQL's own */
};

struct catalog_schema {
    const char *name;
    bool usable; /* by the target's login */
};

struct catalog_basics {
    const char *login;       /* current_user */
    const char *search_path; /* the text of the setting, as new sessions of this login get it */
    const struct catalog_schema *schemas;
    size_t n_schemas;
    const struct catalog_hook *operators, *casts;
    size_t n_operators, n_casts;
    /* Names among those that total_operator() trusts (policy/lineage_total.c), of which somebody but a
     * superuser has made another operator. */
    const char *const *namesakes;
    size_t n_namesakes;
    bool overflow; /* one of the lists is cut */
};

struct catalog;

MUST_USE int catalog_new(struct catalog **ret);
void catalog_free(struct catalog *catalog);
DEFINE_CLEANUP(struct catalog *, catalog_free)

/* Look-ups. What *ret points at lives until the catalog is next put to, forgotten or freed. */
enum catalog_answer catalog_relations(struct catalog *catalog, const char *name,
                                      const struct catalog_relation **ret, size_t *ret_n);
enum catalog_answer catalog_relation_of_oid(struct catalog *catalog, uint32_t oid,
                                            const struct catalog_relation **ret);
enum catalog_answer catalog_functions(struct catalog *catalog, const char *name,
                                      const struct catalog_function **ret, size_t *ret_n);
enum catalog_answer catalog_types(struct catalog *catalog, const char *name, const struct catalog_type **ret,
                                  size_t *ret_n);
enum catalog_answer catalog_type_of_oid(struct catalog *catalog, uint32_t oid,
                                        const struct catalog_type **ret);
enum catalog_answer catalog_basics(struct catalog *catalog, const struct catalog_basics **ret);

/* ---- wants ---- */

struct catalog_want {
    enum catalog_kind kind;
    const char *key; /* the catalog's; until it is answered or forgotten */
};
/* What has been wanted and not yet been taken. Taken ones stay WANTED until they are put. */
size_t catalog_take_wants(struct catalog *catalog, struct catalog_want *ret, size_t max);
/* Everything known that was looked up since it was put: wanted again (for comparison), while the old answer
 * stays. Returns how many. */
size_t catalog_refresh(struct catalog *catalog);
/* Forgets every answer: what is asked for next is fetched anew. */
void catalog_forget(struct catalog *catalog);
/* Taken wants that nobody will put: they may be taken again. */
void catalog_untake(struct catalog *catalog);
bool catalog_has_wants(const struct catalog *catalog);
/* Moves on when an answer differs from the one before: what was decided by it must be decided anew. */
uint64_t catalog_generation(const struct catalog *catalog);
/* Whether scope_generation() has been asked since this was last called. */
bool catalog_was_used(struct catalog *catalog);

/* Answers. Everything is copied; n == 0: there is none. mark: two answers with the same mark are the same; 0:
 * not known. -ENOMEM; -E2BIG when it is more than CATALOG_BYTES_MAX by itself. */
MUST_USE int catalog_put_relations(struct catalog *catalog, const char *name,
                                   const struct catalog_relation *items, size_t n, uint64_t mark);
MUST_USE int catalog_put_relation_of_oid(struct catalog *catalog, uint32_t oid,
                                         const struct catalog_relation *item, uint64_t mark);
MUST_USE int catalog_put_functions(struct catalog *catalog, const char *name,
                                   const struct catalog_function *items, size_t n, uint64_t mark);
MUST_USE int catalog_put_types(struct catalog *catalog, const char *name, const struct catalog_type *items,
                               size_t n, uint64_t mark);
MUST_USE int catalog_put_type_of_oid(struct catalog *catalog, uint32_t oid, const struct catalog_type *item,
                                     uint64_t mark);
MUST_USE int catalog_put_basics(struct catalog *catalog, const struct catalog_basics *basics, uint64_t mark);
