/* Rows as psql prints them: aligned while they are few, then one by one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "replay/pgvalue.h"

enum {
    PGTABLE_COLUMNS_MAX = 1664,            /* PostgreSQL's own limit */
    PGTABLE_ROWS_MAX = 2000,               /* kept to find the widths */
    PGTABLE_CELLS_MAX = 1024 * 1024,       /* bytes of kept cells */
    PGTABLE_ALIGNED_MAX = 4 * 1024 * 1024, /* bytes of the kept rows when padded; beyond, they are not */
};

struct pgcolumn {
    char name[64]; /* escaped */
    uint32_t type;
    enum pgvalue_format format;
    size_t width;
};

/* Embedded. */
struct pgtable {
    struct pgcolumn *columns;
    size_t n_columns;
    struct buffer cells; /* of the kept rows: u32 length (~0: NULL), bytes */
    uint64_t rows;
    bool streaming, padded;
};

void pgtable_init(struct pgtable *table);
void pgtable_free(struct pgtable *table);
/* Starts with these columns, which it takes over (malloc'ed). */
void pgtable_columns(struct pgtable *table, struct pgcolumn *columns, size_t n);
/* Takes the fields of a DataRow; -EBADMSG when it is none with these columns. Prints once more rows have come
 * than are kept. */
MUST_USE int pgtable_row(struct pgtable *table, struct reader fields, struct buffer *out);
/* Prints what is kept and "(N rows)"; ready for the next rows with the same columns. */
MUST_USE int pgtable_end(struct pgtable *table, struct buffer *out);
