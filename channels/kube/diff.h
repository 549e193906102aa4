/* The difference between two texts, as `diff -u` shows it. No I/O. */
#pragma once
#include "base/buffer.h"

enum {
    DIFF_LINES_MAX = 20000, /* of each text */
    DIFF_CELLS_MAX =
        4 * 1024 * 1024, /* of what is compared line by line; where more differs, all of it is shown */
    DIFF_CONTEXT = 3,
};

enum { DIFF_TOO_LONG = 1 };
/* Appends hunks without file names; nothing when they are the same. DIFF_TOO_LONG: more lines than that.
 * -ENOBUFS: what fits was appended. */
MUST_USE int diff_put(struct buffer *out, const char *before, const char *after);
