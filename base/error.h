/* How functions fail. */
#pragma once
#include <stddef.h>

/* A fallible function returns 0 when all is well, a negative errno when the
 * caller can only hand it up unchanged, and a positive value of its module's
 * own enum when the caller must tell the cases apart. */
#define MUST_USE                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_at, args_at) __attribute__((format(printf, text_at, args_at)))

enum { DETAIL_MAX = 512 }; /* bytes, terminating NUL included */

/* What went wrong, in words for a person. Embedded by the caller; never holds
 * secrets. Functions that take one accept NULL. */
struct detail {
    char text[DETAIL_MAX];
};

/* Sets the text, cut at DETAIL_MAX - 1 bytes. */
void detail_set(struct detail *detail, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sets the text and returns code: `return detail_fail(d, -EINVAL, "…");`. */
int detail_fail(struct detail *detail, int code, const char *format, ...) PRINTF_LIKE(3, 4);
