/* JSON web tokens and what follows `Authorization: Bearer`. Of both, a beginning decides; they end where
 * their bytes end. */
#include <string.h>
#include <strings.h>
#include "policy/detect_parts.h"

enum {
    JWT_HEADER_MIN = 12,   /* {"alg":""} is 14 */
    JWT_HEADER_MAX = 2048, /* a longer one is decided by its beginning */
    JWT_PAYLOAD_MIN = 4,
    BEARER_STRONG_MIN = 8,
    BEARER_WEAK_MIN = 20,
    BEARER_BLANKS_MAX = 4,
    BEARER_BEHIND = 32, /* bytes before "Bearer" in which "Authorization" must end */
};

static unsigned sextet(uint8_t c)
{
    if (class_has(c, CLASS_UPPER))
        return c - 'A';
    if (class_has(c, CLASS_LOWER))
        return c - 'a' + 26u;
    if (class_has(c, CLASS_DIGIT))
        return c - '0' + 52u;
    return c == '-' ? 62 : 63;
}

/* Base64url; returns how many bytes. */
static size_t decode(const uint8_t *text, size_t n, uint8_t *out)
{
    size_t bytes = 0;
    unsigned bits = 0, held = 0;

    for (size_t i = 0; i < n; i++) {
        held = held << 6 | sextet(text[i]);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[bytes++] = (uint8_t)(held >> bits);
            held &= (1u << bits) - 1;
        }
    }
    return bytes;
}

/* RFC 7515 §4.1.1: a header has "alg". */
static bool is_jose_header(const uint8_t *text, size_t n)
{
    uint8_t json[JWT_HEADER_MAX];
    size_t bytes = decode(text, n, json);

    return bytes > 2 && json[0] == '{' && memmem(json, bytes, "\"alg\"", 5) != NULL;
}

bool recognise_jwt(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t n = 0;

    if (class_has(view_before(v, at, 1), CLASS_TOKEN))
        return false;
    while (n < JWT_HEADER_MAX && class_has(view_at(v, at + n), CLASS_TOKEN))
        n++;
    if (v->starved || n < JWT_HEADER_MIN || (n < JWT_HEADER_MAX && view_at(v, at + n) != '.') ||
        !is_jose_header(v->bytes + at, n))
        return false;
    size_t end = at + n;
    if (n < JWT_HEADER_MAX) {
        end++;
        if (view_at(v, end) == '.') /* detached payload, RFC 7515 appendix F */
            end++;
        for (size_t i = 0; i < JWT_PAYLOAD_MIN; i++, end++)
            if (!class_has(view_at(v, end), CLASS_TOKEN))
                return false;
    }
    ret->start = at;
    ret->end = end;
    ret->tail = TAIL_DOTTED;
    return !v->starved;
}

/* authorization, then what JSON, headers and command lines put between it and its value. */
static bool is_authorization_before(const struct detect_view *v, size_t at)
{
    static const char name[] = "authorization";
    enum { NAME = sizeof name - 1 };
    size_t back = 1;
    int c;

    while (back < BEARER_BEHIND - NAME &&
           ((c = view_before(v, at, back)) == ' ' || c == ':' || c == '=' || c == '"' || c == '\'' ||
            c == '\\' || c == '\t' || c == ',' || c == '>'))
        back++;
    return at >= back - 1 + NAME &&
           strncasecmp((const char *)v->bytes + (at - (back - 1) - NAME), name, NAME) == 0;
}

/* `at` is the word. Without "Authorization" before it, a longer token with a digit in it is asked for. */
bool recognise_bearer(struct detect_view *v, size_t at, struct detect_span *ret)
{
    bool strong = is_authorization_before(v, at);
    size_t start = at + strlen("bearer"), wanted = strong ? BEARER_STRONG_MIN : BEARER_WEAK_MIN, digits = 0;

    if (class_has(view_before(v, at, 1), CLASS_TOKEN))
        return false;
    for (size_t i = 0; i < BEARER_BLANKS_MAX && view_at(v, start) == ' '; i++)
        start++;
    for (size_t i = 0; i < wanted; i++) {
        int c = view_at(v, start + i);
        if (!class_has(c, CLASS_DOTTED))
            return false;
        digits += class_has(c, CLASS_DIGIT);
    }
    if (!strong && digits == 0)
        return false;
    ret->start = start;
    ret->end = start + wanted;
    ret->tail = TAIL_DOTTED;
    return !v->starved;
}
