/* Texts in JSON (RFC 8259 §7), and what stands in their place. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/kube/veil_parts.h"

enum { MASK_MAX = 4 * KUBE_VEIL_HOLD_MAX, TOKEN_HEX = 24 };

const char VEIL_REDACTED[] = "[redacted]";
static const char MASKED[] = "[masked"; /* how those of policy/mask_text.c begin */

/* ---- escapes ---- */

static size_t put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* The first half of a pair that has no second one. */
static size_t put_lonely(struct unescape *u, uint8_t *out)
{
    size_t n = u->high ? put_utf8(out, 0xfffd) : 0;
    u->high = 0;
    return n;
}

/* A whole \uXXXX. */
static size_t put_unit(struct unescape *u, uint8_t *out)
{
    uint32_t unit = u->unit;
    if (unit >= 0xdc00 && unit < 0xe000 && u->high) {
        uint32_t c = 0x10000 + ((uint32_t)(u->high - 0xd800) << 10) + (unit - 0xdc00);
        u->high = 0;
        return put_utf8(out, c);
    }
    size_t n = put_lonely(u, out);
    if (unit >= 0xd800 && unit < 0xdc00) {
        u->high = (uint16_t)unit;
        return n;
    }
    return n + put_utf8(out + n, unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit);
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Behind a backslash. */
static bool take_escape(struct unescape *u, uint8_t c, uint8_t *out, size_t *ret_n)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found = c ? strchr(letters, c) : NULL;
    if (c == 'u') {
        u->state = 2;
        u->unit = 0;
        return true;
    }
    if (!found)
        return false;
    *ret_n = put_lonely(u, out);
    out[(*ret_n)++] = (uint8_t)meant[found - letters];
    u->state = 0;
    return true;
}

bool unescape_byte(struct unescape *u, uint8_t c, uint8_t out[UNESCAPE_MAX], size_t *ret_n)
{
    *ret_n = 0;
    if (u->state == 1)
        return take_escape(u, c, out, ret_n);
    if (u->state >= 2) {
        int digit = hex_digit(c);
        if (digit < 0)
            return false;
        u->unit = (uint16_t)(u->unit << 4 | digit);
        if (u->state++ < 5)
            return true;
        u->state = 0;
        *ret_n = put_unit(u, out);
        return true;
    }
    if (c == '\\') {
        u->state = 1;
        return true;
    }
    if (c < ' ')
        return false;
    *ret_n = put_lonely(u, out);
    out[(*ret_n)++] = c;
    return true;
}

bool unescape_end(struct unescape *u, uint8_t out[UNESCAPE_MAX], size_t *ret_n)
{
    *ret_n = put_lonely(u, out);
    return u->state == 0;
}

static bool is_plain(uint8_t c)
{
    return c >= ' ' && c != '"' && c != '\\';
}

int veil_put_escaped(struct buffer *out, const void *bytes, size_t n)
{
    const uint8_t *at = n > 0 ? bytes : (const uint8_t *)"", *end = at + n;
    int r = 0;
    while (r == 0 && at < end) {
        const uint8_t *from = at;
        while (at < end && is_plain(*at))
            at++;
        r = buffer_append(out, from, (size_t)(at - from));
        if (r || at == end)
            break;
        r = *at < ' ' ? buffer_printf(out, "\\u%04x", *at) : buffer_printf(out, "\\%c", *at);
        at++;
    }
    return r;
}

/* ---- masks ---- */

/* What stands in the place of a value that is not in base64. */
static int put_plain_mask(const struct plan_rule *rule, bool whole, const void *value, size_t n,
                          struct buffer *out)
{
    struct mask_text how = rule->how;
    if (rule->text)
        return buffer_append(out, rule->text, strlen(rule->text));
    if (!whole)
        how.kind = MASK_REDACT;
    else
        how.shape = mask_shape_of(value, n);
    return mask_text(&how, value, n, out);
}

/* *ret is malloc'ed; false: it is none, or there is no memory. */
static bool decode(const void *value, size_t n, uint8_t **ret, size_t *ret_n)
{
    uint8_t *bytes = malloc(n + 1);
    if (bytes && text_from_base64(value, n, bytes, n + 1, ret_n)) {
        *ret = bytes;
        return true;
    }
    free(bytes);
    return false;
}

static int put_base64(struct buffer *out, const struct buffer *mask)
{
    CLEANUP(free) char *text = malloc(4 * ((buffer_size(mask) + 2) / 3) + 1);
    if (!text)
        return -ENOMEM;
    text_base64(text, buffer_head(mask), buffer_size(mask));
    return buffer_append(out, text, strlen(text));
}

int veil_put_mask(const struct plan_rule *rule, bool base64, bool whole, const void *value, size_t n,
                  struct buffer *out)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    struct buffer mask;
    if (base64 && whole && !rule->text && decode(value, n, &bytes, &n))
        value = bytes;
    else if (base64)
        whole = false;
    buffer_init(&mask, MASK_MAX);
    value = n > 0 ? value : "";
    int r = put_plain_mask(rule, whole, value, n, &mask);
    if (r == 0)
        r = base64 ? put_base64(out, &mask) : veil_put_escaped(out, buffer_head(&mask), buffer_size(&mask));
    buffer_free(&mask);
    return r;
}

/* "[LABEL:0123…]" */
static bool is_token(const char *label, const char *value, size_t n)
{
    size_t m = strlen(label);
    if (n != m + TOKEN_HEX + 3 || value[0] != '[' || strncmp(value + 1, label, m) != 0 ||
        value[m + 1] != ':' || value[n - 1] != ']')
        return false;
    for (size_t i = m + 2; i + 1 < n; i++)
        if (hex_digit((uint8_t)value[i]) < 0)
            return false;
    return true;
}

/* Of a partial mask nothing but the stars can be known again. */
static bool is_plain_mask(const struct plan_rule *rule, const char *value, size_t n)
{
    if (n == strlen(VEIL_REDACTED) && memcmp(value, VEIL_REDACTED, n) == 0)
        return true;
    if (n >= strlen(MASKED) && memcmp(value, MASKED, strlen(MASKED)) == 0)
        return true;
    if (rule->text)
        return false;
    return (rule->how.kind == MASK_PARTIAL && memmem(value, n, "**", 2)) ||
           (rule->how.kind == MASK_HASH && is_token(rule->how.label, value, n));
}

bool veil_is_mask(const struct plan_rule *rule, bool base64, const char *value, size_t n)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t bytes_n = 0;
    return is_plain_mask(rule, value, n) || (base64 && decode(value, n, &bytes, &bytes_n) &&
                                             is_plain_mask(rule, (const char *)bytes, bytes_n));
}
