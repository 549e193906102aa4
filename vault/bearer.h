/* Bearer tokens (RFC 6750): what can stand behind `Authorization: Bearer`. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { BEARER_MAX = 16 * 1024 }; /* bytes; a service account's has about 1,000 */

/* Visible ASCII: anything else could not stand in a header, or would be more than one. */
static inline bool bearer_is_one(const char *token, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return n > 0 && n <= BEARER_MAX;
}
