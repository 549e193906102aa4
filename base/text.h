/* Text: escaping of foreign bytes, UTF-8, numbers, durations, base64. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* Replaces what is not printable UTF-8 (control bytes, escape sequences,
 * invalid bytes, bidi controls) by \xNN or \u{NNNN}, cut at size with "…".
 * Always terminated; returns out. Newline and tab stay when keep_layout. */
char *text_escape(char *out, size_t size, const void *bytes, size_t n, bool keep_layout);

/* RFC 3629, no surrogates, no overlong forms; NUL is not valid inside. */
bool text_is_utf8(const void *bytes, size_t n);

/* Decimal into out (24 bytes); for log fields: U64(n). */
char *text_u64(char out[24], uint64_t v);
#define U64(v) text_u64((char[24]){ 0 }, (uint64_t)(v))

/* Whole-string decimal number; false when it is none or beyond max. */
MUST_USE bool text_to_u64(const char *s, uint64_t max, uint64_t *ret);

/* "500ms", "30s", "15m", "12h", "90d" in milliseconds. */
MUST_USE bool text_to_duration(const char *s, uint64_t *ret_ms);
/* The shortest exact form of the same. */
char *text_duration(char out[24], uint64_t ms);

/* "64KiB", "10MiB", "1GiB" or plain bytes. */
MUST_USE bool text_to_size(const char *s, uint64_t *ret_bytes);

/* UTC, RFC 3339 with milliseconds: 2026-01-31T09:05:07.123Z. */
char *text_time(char out[32], uint64_t unix_ms);

/* Standard base64 with padding. text_base64 needs out of 4 * ((n + 2) / 3) + 1. */
char *text_base64(char *out, const void *bytes, size_t n);
MUST_USE bool text_from_base64(const char *s, size_t n, uint8_t *out, size_t size, size_t *ret_n);

/* Edit distance is at most 2: for "did you mean". Case-insensitive. */
bool text_is_near(const char *a, const char *b);
