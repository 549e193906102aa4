/* One value of a result in PostgreSQL's text or binary format: what is shown in its place. A masked integer
 * is still an integer to whoever reads it, a date a date; of types that are not known nothing can be made, so
 * they become NULL. */
#pragma once
#include "policy/lineage.h"

struct mask_type {
    uint32_t oid; /* of RowDescription; 0: not known, as in COPY: only text can be shown */
    bool binary;  /* the format */
    char shape;   /* of a type that is not PostgreSQL's own: as in struct catalog_column; 0: not known */
};

/* Appends the value that stands in the place of (value, n), or sets *ret_null. key: MASK_KEY bytes, or NULL:
 * then `hash` redacts. fate.mask is not NULL. 0; -ENOBUFS, -ENOMEM. */
MUST_USE int mask_value(struct fate fate, struct mask_type type, const uint8_t *key, const void *value,
                        size_t n, struct buffer *out, bool *ret_null);
