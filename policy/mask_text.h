/* One value in, what is shown in its place out: the kinds of `with:`, for column masks and for detectors
 * alike. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"

enum { MASK_KEY = 32 }; /* bytes of the key of `with: hash` */

enum mask_kind {
    MASK_NONE,    /* shown as it is */
    MASK_REDACT,  /* [masked:LABEL] */
    MASK_PARTIAL, /* keeps the shape, see enum mask_shape */
    MASK_HASH,    /* a keyed token: equal values have equal tokens */
    MASK_NULL,    /* no value at all; inside a text, where there is no NULL, as MASK_REDACT */
};

/* What MASK_PARTIAL leaves to be seen. */
enum mask_shape {
    SHAPE_TEXT,   /* the first character: J*** */
    SHAPE_EMAIL,  /* j***@e***.com */
    SHAPE_NUMBER, /* separators and the last four digits, of less than eight the last half: **** **** ****
                     1111 */
    SHAPE_SECRET, /* nothing: as MASK_REDACT */
};

struct mask_text {
    enum mask_kind kind;
    enum mask_shape shape;
    const char *label;  /* what it is, for redact and hash; NULL: nothing is said of it */
    const uint8_t *key; /* MASK_KEY bytes, for MASK_HASH; borrowed. NULL: redacted instead */
};

/* "redact", "partial", "hash", "null". */
MUST_USE bool mask_kind_parse(const char *name, enum mask_kind *ret);
/* The shape that a value of an unknown kind seems to have; never SHAPE_SECRET. */
enum mask_shape mask_shape_of(const void *value, size_t n);
/* Appends what stands in the place of value. Value may be any bytes; cut is only between characters of UTF-8.
 * With redact, null and hash nothing but equality of values can be seen of it, not even the length. */
MUST_USE int mask_text(const struct mask_text *how, const void *value, size_t n, struct buffer *out);
