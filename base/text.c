/* See text.h. */
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- UTF-8 ---- */

/* Length of the valid sequence at p (RFC 3629 §4), 0 when there is none; *ret is its code point. */
static size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *ret)
{
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    static const struct {
        uint8_t mask, mark, size;
        uint32_t least;
    } forms[] = { { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 } };
    for (size_t i = 0; i < 3; i++) {
        if ((p[0] & forms[i].mask) != forms[i].mark)
            continue;
        if (n < forms[i].size)
            return 0;
        uint32_t code = p[0] & (uint8_t)~forms[i].mask;
        for (size_t k = 1; k < forms[i].size; k++) {
            if ((p[k] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (p[k] & 0x3f);
        }
        if (code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        *ret = code;
        return forms[i].size;
    }
    return 0;
}

bool text_is_utf8(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    size_t at = 0;
    while (at < n) {
        if (p[at] >= 1 && p[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t code;
        size_t size = p[at] ? utf8_decode(p + at, n - at, &code) : 0;
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

/* Code points that change how a terminal or a reader sees the text around them. */
static bool is_deceptive(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* Writes one character, escaped where it must be; returns how many bytes of the input it was. */
static size_t escape_one(const uint8_t *p, size_t n, bool keep_layout, char piece[16], size_t *ret_length)
{
    uint32_t code = 0;
    size_t step = utf8_decode(p, n, &code);
    bool layout = keep_layout && (code == '\n' || code == '\t');
    if (step > 0 && (!is_deceptive(code) || layout)) {
        memcpy(piece, p, step);
        *ret_length = step;
        return step;
    }
    *ret_length =
        (size_t)(step > 1 ? snprintf(piece, 16, "\\u{%04x}", code) : snprintf(piece, 16, "\\x%02x", p[0]));
    return step ? step : 1;
}

char *text_escape(char *out, size_t size, const void *bytes, size_t n, bool keep_layout)
{
    static const char cut[] = "…";
    const uint8_t *p = bytes;
    size_t used = 0, at = 0, last_cut = 0; /* where the sign of a cut still fits */
    if (size == 0)
        return out;
    while (at < n) {
        char piece[16];
        size_t length, step = escape_one(p + at, n - at, keep_layout, piece, &length);
        if (used + sizeof cut <= size)
            last_cut = used;
        if (used + length + 1 > size) {
            used = last_cut;
            if (used + sizeof cut <= size) {
                memcpy(out + used, cut, sizeof cut - 1);
                used += sizeof cut - 1;
            }
            break;
        }
        memcpy(out + used, piece, length);
        used += length;
        at += step;
    }
    out[used] = 0;
    return out;
}

/* ---- numbers, durations, sizes, time ---- */

char *text_u64(char out[24], uint64_t v)
{
    (void)snprintf(out, 24, "%llu", (unsigned long long)v);
    return out;
}

/* Reads digits at *s and moves behind them. */
static bool take_number(const char **s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *s;
    if (!isdigit((unsigned char)*p))
        return false;
    for (; isdigit((unsigned char)*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *s = p;
    *ret = v;
    return true;
}

bool text_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t v;
    if (!take_number(&s, max, &v) || *s)
        return false;
    *ret = v;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool with_unit(const char *s, const struct unit *units, uint64_t *ret)
{
    uint64_t v;
    if (!take_number(&s, UINT64_MAX / 2, &v))
        return false;
    for (; units->name; units++) {
        if (strcmp(s, units->name) == 0) {
            if (v > UINT64_MAX / 2 / units->factor)
                return false;
            *ret = v * units->factor;
            return true;
        }
    }
    return false;
}

static const struct unit durations[] = { { "ms", 1 },      { "s", 1000 },     { "m", 60000 },
                                         { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 } };

bool text_to_duration(const char *s, uint64_t *ret_ms)
{
    return with_unit(s, durations, ret_ms);
}

char *text_duration(char out[24], uint64_t ms)
{
    size_t best = 0;
    for (size_t i = 0; durations[i].name; i++) {
        if (ms % durations[i].factor == 0 && ms >= durations[i].factor)
            best = i;
    }
    (void)snprintf(out, 24, "%llu%s", (unsigned long long)(ms / durations[best].factor),
                   durations[best].name);
    return out;
}

bool text_to_size(const char *s, uint64_t *ret_bytes)
{
    static const struct unit sizes[] = {
        { "", 1 }, { "KiB", 1 << 10 }, { "MiB", 1 << 20 }, { "GiB", 1 << 30 }, { NULL, 0 }
    };
    return with_unit(s, sizes, ret_bytes);
}

char *text_time(char out[32], uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc)) {
        (void)snprintf(out, 32, "never");
        return out;
    }
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out + n, 32 - n, ".%03uZ", (unsigned)(unix_ms % 1000));
    return out;
}

/* ---- base64 (RFC 4648 §4) ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *text_base64(char *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    char *o = out;
    for (; n >= 3; n -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *o++ = base64_digits[v >> shift & 63];
    }
    if (n > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        *o++ = base64_digits[v >> 18];
        *o++ = base64_digits[v >> 12 & 63];
        *o++ = n == 2 ? base64_digits[v >> 6 & 63] : '=';
        *o++ = '=';
    }
    *o = 0;
    return out;
}

bool text_from_base64(const char *s, size_t n, uint8_t *out, size_t size, size_t *ret_n)
{
    size_t used = 0, padding = 0;
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            char c = s[i + k];
            const char *digit = c ? strchr(base64_digits, c) : NULL;
            if (c == '=' && i + 4 == n && k >= 2) {
                padding++;
                v <<= 6;
            } else if (digit && !padding) {
                v = v << 6 | (uint32_t)(digit - base64_digits);
            } else {
                return false;
            }
        }
        size_t bytes = 3 - padding;
        if (used + bytes > size || (padding && (v & (padding == 1 ? 0xffu : 0xffffu))))
            return false;
        for (size_t k = 0; k < bytes; k++)
            out[used++] = (uint8_t)(v >> (16 - 8 * k));
    }
    *ret_n = used;
    return true;
}

/* ---- did you mean ---- */

bool text_is_near(const char *a, const char *b)
{
    enum { LENGTH = 64, NEAR = 2 };
    size_t n = strlen(a), m = strlen(b);
    if (n >= LENGTH || m >= LENGTH || n + NEAR < m || m + NEAR < n)
        return false;
    size_t row[LENGTH];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = diagonal + (same ? 0 : 1);
            diagonal = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    /* Short words are near to everything: ask for more likeness there. */
    return row[m] <= NEAR && row[m] * 2 < (n > m ? n : m);
}
