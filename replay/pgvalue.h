/* One value of a PostgreSQL row as printable text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum pgvalue_format {
    PGVALUE_TEXT,
    PGVALUE_BINARY,
    PGVALUE_UNSURE
}; /* unsure: Describe of a statement does not tell */

/* Appends the value, foreign bytes escaped, binary forms of the common types decoded, others as \x and hex.
 */
MUST_USE int pgvalue_print(uint32_t type, enum pgvalue_format format, const uint8_t *bytes, size_t n,
                           struct buffer *out);
/* Numbers stand to the right. */
bool pgvalue_is_number(uint32_t type);
/* Columns that escaped text takes on a screen. */
size_t pgvalue_width(const uint8_t *text, size_t n);
/* Appends with everything that is not printable escaped; newline and tab stay when keep_layout. */
MUST_USE int print_escaped(const void *bytes, size_t n, bool keep_layout, struct buffer *out);
