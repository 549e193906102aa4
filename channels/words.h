/* A command line, as SSH carries it, into words.
 *
 * ssh joins its arguments with blanks, so quotes that the user's own shell has eaten are gone:
 * `ssh bastion psql orders -c 'select 1'` arrives as `psql orders -c select 1`. Words are split by the POSIX
 * shell's quoting rules (XCU 2.2), with one exception: what follows an unquoted -c or --command is the
 * statement, verbatim to the end of the line. */
#pragma once
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    WORDS_MAX = 256,
    WORDS_BYTES_MAX = 128 * 1024, /* of the whole line */
};

struct words {
    char **items; /* NULL-terminated */
    size_t count;
};

/* -EINVAL with a detail for an unfinished quote, too many or too long words. */
MUST_USE int words_split(const char *line, struct words *ret, struct detail *detail);
void words_free(struct words *words); /* empties it */
static inline void words_free_ptr(struct words *words)
{
    words_free(words);
}
