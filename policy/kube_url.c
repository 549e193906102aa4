/* See kube_url.h. */
#include "policy/kube_url.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

enum place { IN_PATH, IN_QUERY };

/* ---- decoding ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One byte of text[0, n); returns how many were read, 0 when they are no good here. */
static size_t decode_one(const char *text, size_t n, enum place place, char *out)
{
    size_t read = 1;
    *out = *text;
    if (*text == '%') {
        if (n < 3 || hex(text[1]) < 0 || hex(text[2]) < 0)
            return 0;
        *out = (char)(hex(text[1]) * 16 + hex(text[2]));
        read = 3;
        if (place == IN_PATH && (*out == '/' || *out == '%'))
            return 0; /* who decodes twice would see another path */
    } else if (place == IN_QUERY && *text == '+') {
        *out = ' ';
    }
    bool control = (unsigned char)*out < 0x20 || *out == 0x7f;
    return control && (place == IN_PATH || *out == '\0') ? 0 : read;
}

/* KUBE_REQUEST_REFUSED, or a new string. */
static int decode(const char *text, size_t n, enum place place, char **ret, struct detail *detail)
{
    CLEANUP(free) char *out = malloc(n + 1);
    size_t at = 0;
    if (!out)
        return -ENOMEM;
    for (size_t i = 0, read; i < n; i += read) {
        read = decode_one(text + i, n - i, place, &out[at++]);
        if (read == 0)
            return detail_fail(detail, KUBE_REQUEST_REFUSED,
                               "the %s has an escape or a byte that has no place there",
                               place == IN_PATH ? "path" : "query");
    }
    out[at] = '\0';
    if (!text_is_utf8(out, at))
        return detail_fail(detail, KUBE_REQUEST_REFUSED, "the request target is not UTF-8");
    *ret = STEAL(out);
    return 0;
}

static int check_path(const char *path, struct detail *detail)
{
    for (const char *part = path + 1; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return detail_fail(detail, KUBE_REQUEST_REFUSED, "the path has an empty part, \".\" or \"..\"");
        part += n;
        part += *part == '/';
    }
    return 0;
}

static int add_parameter(const char *text, size_t n, struct kube_parameter **query, size_t *count,
                         struct detail *detail)
{
    const char *equals = memchr(text, '=', n);
    size_t name_n = equals ? (size_t)(equals - text) : n;
    if (n == 0)
        return 0; /* "a&&b", as everybody reads it */
    if (*count == KUBE_QUERY_MAX)
        return detail_fail(detail, KUBE_REQUEST_REFUSED, "the query has more than %d parameters",
                           KUBE_QUERY_MAX);
    struct kube_parameter *wider = reallocarray(*query, *count + 1, sizeof *wider);
    if (!wider)
        return -ENOMEM;
    *query = wider;
    struct kube_parameter parameter = { NULL, NULL };
    int r = decode(text, name_n, IN_QUERY, &parameter.name, detail);
    r = r ? r
          : decode(equals ? equals + 1 : "", equals ? n - name_n - 1 : 0, IN_QUERY, &parameter.value, detail);
    if (r) {
        free(parameter.name);
        return r;
    }
    (*query)[(*count)++] = parameter;
    return 0;
}

int kube_url_read(const char *target, char **ret_path, struct kube_parameter **ret_query, size_t *ret_n,
                  struct detail *detail)
{
    *ret_path = NULL;
    *ret_query = NULL;
    *ret_n = 0;
    if (*target != '/')
        return detail_fail(detail, KUBE_REQUEST_REFUSED, "the request target does not begin with a slash");
    if (strpbrk(target, "#\\ ;"))
        return detail_fail(detail, KUBE_REQUEST_REFUSED,
                           "the request target has a bare \"#\", \";\", backslash or blank: encode it");
    size_t path_n = strcspn(target, "?");
    int r = decode(target, path_n, IN_PATH, ret_path, detail);
    r = r ? r : check_path(*ret_path, detail);
    for (const char *at = target[path_n] ? target + path_n + 1 : NULL; r == 0 && at;) {
        size_t n = strcspn(at, "&");
        r = add_parameter(at, n, ret_query, ret_n, detail);
        at = at[n] ? at + n + 1 : NULL;
    }
    return r;
}

/* ---- encoding ---- */

static bool stays(char c, enum place place)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    return c && (strchr(unreserved, c) || (place == IN_PATH && strchr("/:@!$&'()*+,=", c)));
}

static int encode(struct buffer *out, const char *text, enum place place)
{
    int r = 0;
    for (; r == 0 && *text; text++)
        r = stays(*text, place) ? buffer_append(out, text, 1)
                                : buffer_printf(out, "%%%02X", (unsigned char)*text);
    return r;
}

int kube_url_write(const char *path, const struct kube_parameter *query, size_t n, char **ret_target)
{
    struct buffer out;
    buffer_init(&out, 4 * KUBE_TARGET_MAX); /* an escape is three bytes */
    int r = encode(&out, path, IN_PATH);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = buffer_append(&out, i ? "&" : "?", 1);
        r = r ? r : encode(&out, query[i].name, IN_QUERY);
        r = r ? r : buffer_append(&out, "=", 1);
        r = r ? r : encode(&out, query[i].value, IN_QUERY);
    }
    r = r ? r : buffer_put_u8(&out, 0);
    char *target = r ? NULL : strdup((const char *)buffer_head(&out));
    buffer_free(&out);
    if (r == 0 && target)
        *ret_target = target;
    return r ? r : target ? 0 : -ENOMEM;
}
