/* JSON writer (RFC 8259) into a buffer: correct escaping, commas by itself. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buffer.h"

enum { JSON_DEPTH_MAX = 16 };

/* Embedded; `failed` collects every append error, so callers check once. */
struct json {
    struct buffer *out; /* borrowed */
    unsigned depth;
    bool comma[JSON_DEPTH_MAX];
    bool failed;
};

struct json json_to(struct buffer *out);
/* `key` is NULL inside arrays and at the top. */
void json_open_object(struct json *j, const char *key);
void json_open_array(struct json *j, const char *key);
void json_close_object(struct json *j);
void json_close_array(struct json *j);
/* Bytes that are not valid UTF-8 become U+FFFD. A NULL string is null. */
void json_text(struct json *j, const char *key, const char *value);
void json_bytes(struct json *j, const char *key, const void *bytes, size_t n);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
/* Ends the line; true when everything since json_to() fitted. */
MUST_USE bool json_line(struct json *j);
