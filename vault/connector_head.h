/* The strict form of the one HTTP message that a connector looks at: a request head (RFC 9112 §2 to §6), as
 * the gate writes it. No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { HEAD_MAX = 64 * 1024 }; /* bytes, the empty line included */

enum head_body { HEAD_NO_BODY, HEAD_LENGTH, HEAD_CHUNKED, HEAD_UPGRADE };

struct head {
    size_t line_n; /* bytes of the request line, CRLF included: what comes from us goes behind it */
    enum head_body body;
    uint64_t length; /* HEAD_LENGTH */
};

/* -EPROTO, with the reason: not exactly one head, or one that says what only we may say (Authorization,
 * Impersonate-*, X-Remote-*), or one of whose body there could be two opinions. */
MUST_USE int head_check(const uint8_t *bytes, size_t n, struct head *ret, struct detail *detail);
