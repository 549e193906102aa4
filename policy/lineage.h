/* Where the columns of a result come from: which of them can depend on a masked column, and where else a
 * statement would let one be seen: in conditions, and in what it writes.
 *
 * A fate is decided for every output column by following the statement as PostgreSQL does: aliases,
 * sub-selects, CTEs, set operations, joins, views (by their definition), RETURNING. What is not followed is
 * taken to depend on everything that it can see. So a fate may be stricter than needed, never laxer; and
 * where even the number of columns is unknown, `known` is false and `any` counts for every column that
 * RowDescription does not show to be another table's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "policy/catalog_scope.h"
#include "policy/masks.h"

enum {
    LINEAGE_DEPTH_MAX = 500,        /* nesting that is followed; what is deeper sees everything */
    LINEAGE_COLUMNS_MAX = 1664,     /* of one query, as PostgreSQL has it */
    LINEAGE_VIEWS_MAX = 32,         /* views within views */
    LINEAGE_WORK_MAX = 250 * 1000,  /* steps for one statement, and columns of tables that it names */
    LINEAGE_WORK_ALL = 5000 * 1000, /* … for all of a string */
    LINEAGE_MEMORY_MAX = 128 << 20, /* bytes for one statement */
};

/* Of one column. */
struct fate {
    const struct mask *mask; /* NULL: shown as it is */
    bool computed; /* not the column itself but something made of it: nothing of its shape is kept */
    bool guessed;  /* only because a function may read anything: no reason to refuse a condition */
    bool missing;  /* only because the catalog has no such column (yet): errors need not be hidden for it */
    bool plain;    /* of a type of which values can be compared and joined, and that can't fail */
    bool sums;     /* nor can adding them up */
    char shape;    /* of its type, while it is not computed: as in struct catalog_column */
    /* Of a column that is there to be written to: what an INSERT or UPDATE of a guess would tell of, by a
     * unique index or another constraint; or NULL. */
    const struct mask *inserting, *updating;
};

/* A column of a table that was followed, as RowDescription names it; number 0: the table itself. */
struct origin {
    uint32_t relation; /* oid */
    uint16_t number;   /* pg_attribute.attnum */
    uint16_t last;     /* of the table itself: the highest number that the catalog has told of */
    struct fate fate;
};

enum lineage_form {
    LINEAGE_NO_ROWS,
    LINEAGE_ROWS,     /* the result has these columns */
    LINEAGE_COPY_OUT, /* so has the copied data */
    LINEAGE_PREPARE,  /* `name` will have them, when it is executed */
    LINEAGE_DECLARE,  /* likewise, when it is fetched from */
    LINEAGE_EXECUTE,  /* the result has those of `name` */
    LINEAGE_FETCH,
};

enum copy_form { COPY_TEXT, COPY_CSV, COPY_BINARY };

/* COPY's options, as far as data are taken apart by them. Characters; null and default texts are malloc'ed.
 */
struct copy_shape {
    enum copy_form form;
    char delimiter, quote, escape;
    bool header;
    char *null;
    bool odd; /* an option that is not known, or of an unknown value: the data can't be taken apart */
};

struct lineage {
    enum lineage_form form;
    char *name; /* or NULL: all */
    struct copy_shape copy;
    bool known;
    struct fate *columns;
    size_t n_columns;
    struct fate any; /* the strictest of everything that the result may show */
    /* Every table that was followed, and each masked column of it: what RowDescription says of a plain column
     * is a second vote (lineage_vote). */
    struct origin *origins;
    size_t n_origins;

    const struct mask *predicate; /* a masked column decides which rows, groups or order there are; or NULL */
    const struct mask *unmask; /* a masked value is written to where it is not masked, or passed to a function
                                  that may keep it; or NULL */
    bool quotes;               /* its errors may quote rows of masked tables that it does not name */
    bool guesses; /* it is a write: a constraint compares a value of one's own with masked ones */
    char *predicate_what, *unmask_what; /* the column, for messages; or NULL */
    bool wanted;                        /* the catalog has to be asked first: follow again then */
};

struct lineages {
    struct lineage *items; /* one per statement of the string */
    size_t count;
};

/* Follows every statement of the string that sql_parse() has taken apart. sql: as there. Negative errno: out
 * of memory; -EINVAL when it does not parse. */
MUST_USE int lineage_follow(const char *sql, struct scope *scope, const struct mask_set *masks,
                            struct lineages **ret);
void lineages_free(struct lineages *lineages);
DEFINE_CLEANUP(struct lineages *, lineages_free)
/* The fate of output column i, which RowDescription says is column `number` of `relation` (0: of none): the
 * stricter of what was followed and what the server says. n: how many columns there are; another number than
 * was followed means that something was not understood, and then everything that may be masked is. */
struct fate lineage_vote(const struct lineage *lineage, size_t i, size_t n, uint32_t relation,
                         uint16_t number, const struct mask *worst);
/* Deep copy and end of one by itself: for prepared statements and cursors. */
MUST_USE int lineage_copy(const struct lineage *from, struct lineage *ret);
void lineage_clear(struct lineage *lineage);
