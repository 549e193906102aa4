/* What the courier reads of an answer's header lines. Pure: bytes in, numbers out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEADER_AGE_MAX_S = 366 * 24 * 3600, HEADER_TYPE_MAX = 128 };

/* Starts as all zeroes. Of several answers on one connection (1xx) the last one counts. */
struct header {
    bool said, never;                   /* max-age; no-store or no-cache */
    uint64_t max_age_s;                 /* of Cache-Control (RFC 9111 5.2.2.1) */
    uint64_t age_s;                     /* of Age: spent in caches */
    char content_type[HEADER_TYPE_MAX]; /* media type without parameters; empty: none, or an odd one */
};

/* One line as it came, with or without its line end. A status line starts over. */
void header_line(struct header *header, const char *line, size_t n);
/* For how long the answer may be kept: 0 when that was not said, else at least 1. */
uint64_t header_fresh_s(const struct header *header);
