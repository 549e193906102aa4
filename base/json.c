/* See json.h. Strings are copied in runs; only what must be escaped is. */
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct json json_to(struct buffer *out)
{
    return (struct json){ .out = out };
}

static void put(struct json *j, const void *bytes, size_t n)
{
    if (buffer_append(j->out, bytes, n))
        j->failed = true;
}

static void put_text(struct json *j, const char *s)
{
    put(j, s, strlen(s));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One character that is not plain: escaped, passed on as UTF-8, or replaced. Returns its length. */
static size_t put_special(struct json *j, const uint8_t *p, size_t n)
{
    char escape[8];
    if (p[0] < 0x20 || p[0] == 0x7f) {
        (void)snprintf(escape, sizeof escape, "\\u%04x", p[0]);
        put_text(j, escape);
        return 1;
    }
    if (p[0] == '"' || p[0] == '\\') {
        put(j, (char[]){ '\\', (char)p[0] }, 2);
        return 1;
    }
    for (size_t size = 2; size <= 4 && size <= n; size++) {
        if (text_is_utf8(p, size)) {
            put(j, p, size);
            return size;
        }
    }
    put_text(j, "\\ufffd");
    return 1;
}

static void put_quoted(struct json *j, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    put_text(j, "\"");
    for (size_t at = 0; at < n;) {
        size_t run = at;
        while (run < n && is_plain(p[run]))
            run++;
        put(j, p + at, run - at);
        at = run;
        if (at < n)
            at += put_special(j, p + at, n - at);
    }
    put_text(j, "\"");
}

static void begin_value(struct json *j, const char *key)
{
    if (j->comma[j->depth])
        put_text(j, ",");
    j->comma[j->depth] = true;
    if (key) {
        put_quoted(j, key, strlen(key));
        put_text(j, ":");
    }
}

static void descend(struct json *j, const char *key, const char *bracket)
{
    begin_value(j, key);
    put_text(j, bracket);
    if (j->depth + 1 >= JSON_DEPTH_MAX) {
        j->failed = true;
        return;
    }
    j->comma[++j->depth] = false;
}

static void ascend(struct json *j, const char *bracket)
{
    if (j->depth > 0)
        j->depth--;
    put_text(j, bracket);
}

void json_open_object(struct json *j, const char *key)
{
    descend(j, key, "{");
}

void json_open_array(struct json *j, const char *key)
{
    descend(j, key, "[");
}

void json_close_object(struct json *j)
{
    ascend(j, "}");
}

void json_close_array(struct json *j)
{
    ascend(j, "]");
}

void json_text(struct json *j, const char *key, const char *value)
{
    begin_value(j, key);
    if (value)
        put_quoted(j, value, strlen(value));
    else
        put_text(j, "null");
}

void json_bytes(struct json *j, const char *key, const void *bytes, size_t n)
{
    begin_value(j, key);
    put_quoted(j, bytes, n);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
    char digits[24];
    begin_value(j, key);
    put_text(j, text_u64(digits, value));
}

void json_i64(struct json *j, const char *key, int64_t value)
{
    char digits[24];
    begin_value(j, key);
    (void)snprintf(digits, sizeof digits, "%lld", (long long)value);
    put_text(j, digits);
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin_value(j, key);
    put_text(j, value ? "true" : "false");
}

bool json_line(struct json *j)
{
    put_text(j, "\n");
    j->comma[0] = false;
    return !j->failed && j->depth == 0;
}
