/* Rows of the side connection's queries to what the catalog keeps. No I/O. */
#pragma once
#include "base/buffer.h"
#include "policy/catalog.h"

/* The rows of one query; what they point at lives until rows_free. Starts as zeroes. */
struct rows {
    struct row *items;
    size_t n, capacity;
    struct scrap *scraps;
};
void rows_free(struct rows *rows);
/* body: of a DataRow. -EPROTO, -ENOMEM. */
MUST_USE int rows_add(struct rows *rows, struct reader body);

/* Puts what these rows say about one want. -EPROTO when they are not of its kind; -ENOMEM. */
MUST_USE int rows_put(struct rows *rows, struct catalog *catalog, const struct catalog_want *want);
