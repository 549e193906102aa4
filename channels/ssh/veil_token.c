/* See veil_token.h. Eight-bit controls do not exist in UTF-8: their bytes are broken characters. */
#include "channels/ssh/veil_token.h"

enum { ESC = 0x1b, BEL = 0x07, CAN = 0x18, SUB = 0x1a };

static struct veil_token token(enum veil_token_kind kind, size_t n)
{
    return (struct veil_token){ kind, n };
}

/* RFC 3629 §4: no overlong forms, no surrogates. */
static struct veil_token character(const uint8_t *bytes, size_t n)
{
    uint8_t c = bytes[0], low = 0x80, high = 0xbf;
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4)
        return token(VEIL_DROPPED, 1);
    low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
    high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
    for (size_t i = 1; i < length; i++) {
        if (i == n)
            return token(VEIL_PART, 0);
        if (bytes[i] < low || bytes[i] > high)
            return token(VEIL_DROPPED, i);
        low = 0x80;
        high = 0xbf;
    }
    if (length == 2 && c == 0xc2 && bytes[1] < 0xa0)
        return token(VEIL_DROPPED, 2); /* U+0080 to U+009F: some terminals take them for controls */
    return token(VEIL_CHARACTER, length);
}

static bool is_between(uint8_t c, uint8_t low, uint8_t high)
{
    return c >= low && c <= high;
}

/* ECMA-48 §5.4, as terminals have it: one private mark, parameters, one intermediate byte, the final one. A
 * control inside of one is acted upon at once by terminals: that is more than needs to be followed. */
static struct veil_token sequence(const uint8_t *bytes, size_t n)
{
    size_t i = 2, parameters = 0;
    if (i < n && is_between(bytes[i], 0x3c, 0x3f))
        i++;
    for (; i < n && is_between(bytes[i], 0x30, 0x3b); i++)
        parameters += bytes[i] >= 0x3a;
    if (i < n && is_between(bytes[i], 0x20, 0x2f))
        i++;
    if (i >= VEIL_SEQUENCE_MAX || parameters >= VEIL_PARAMETERS_MAX)
        return token(VEIL_DROPPED, i);
    if (i == n)
        return token(VEIL_PART, 0);
    return is_between(bytes[i], 0x40, 0x7e) ? token(VEIL_SEQUENCE, i + 1) : token(VEIL_DROPPED, i);
}

static struct veil_token string(const uint8_t *bytes, size_t n, enum veil_token_kind kind)
{
    for (size_t i = 2; i < n && i < VEIL_STRING_MAX; i++) {
        if (bytes[i] == BEL)
            return token(kind, i + 1);
        if (bytes[i] == CAN || bytes[i] == SUB)
            return token(VEIL_DROPPED, i + 1);
        if (bytes[i] == ESC && i + 1 == n)
            return token(VEIL_PART, 0);
        if (bytes[i] == ESC)
            return bytes[i + 1] == '\\' ? token(kind, i + 2) : token(VEIL_DROPPED, i);
    }
    return n >= VEIL_STRING_MAX ? token(VEIL_DROPPED, VEIL_STRING_MAX) : token(VEIL_PART, 0);
}

static struct veil_token escape(const uint8_t *bytes, size_t n)
{
    if (n < 2)
        return token(VEIL_PART, 0);
    switch (bytes[1]) {
    case '[':
        return sequence(bytes, n);
    case ']':
        return string(bytes, n, VEIL_OSC);
    case 'P':
    case 'X':
    case '^':
    case '_':
        return string(bytes, n, VEIL_DROPPED);
    default:
        break;
    }
    if (!is_between(bytes[1], 0x20, 0x2f))
        return is_between(bytes[1], 0x30, 0x7e) ? token(VEIL_CONTROL, 2) : token(VEIL_DROPPED, 1);
    if (n < 3)
        return token(VEIL_PART, 0);
    /* Of those with an intermediate byte only the choice of a set of characters (ISO 2022 §15.3.1) is
     * followed: not another coding, eight-bit controls, test patterns. */
    bool set =
        is_between(bytes[1], '(', '+') && (is_between(bytes[2], '0', '9') || is_between(bytes[2], 'A', 'Z'));
    return token(set ? VEIL_CONTROL : VEIL_DROPPED, 3);
}

struct veil_token veil_token_of(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return token(VEIL_PART, 0);
    if (bytes[0] == ESC)
        return escape(bytes, n);
    if (bytes[0] < 0x20 || bytes[0] == 0x7f)
        return token(VEIL_CONTROL, 1);
    return character(bytes, n);
}
