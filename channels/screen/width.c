/* See width.h. The ranges are those that matter for what people write in SQL, names and reasons: where a
 * terminal disagrees on some other character, the rest of that row is shifted until it is drawn again. */
#include "channels/screen/width.h"

#include <stdbool.h>

struct range {
    uint32_t first, last;
};

static const struct range combining[] = {
    { 0x300, 0x36f },   { 0x483, 0x489 },     { 0x591, 0x5bd },     { 0x610, 0x61a },   { 0x64b, 0x65f },
    { 0x6d6, 0x6dc },   { 0x900, 0x902 },     { 0x93c, 0x93c },     { 0x941, 0x948 },   { 0x94d, 0x94d },
    { 0xe31, 0xe31 },   { 0xe34, 0xe3a },     { 0xe47, 0xe4e },     { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
    { 0x200b, 0x200f }, { 0x2060, 0x2064 },   { 0x20d0, 0x20ff },   { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
    { 0xfeff, 0xfeff }, { 0x1f3fb, 0x1f3ff }, { 0xe0100, 0xe01ef },
};

static const struct range wide[] = {
    { 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x23e9, 0x23ec },   { 0x2614, 0x2615 },
    { 0x2648, 0x2653 },   { 0x26a1, 0x26a1 },   { 0x26aa, 0x26ab },   { 0x26bd, 0x26be },
    { 0x26d4, 0x26d4 },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },   { 0x2728, 0x2728 },
    { 0x274c, 0x274c },   { 0x2753, 0x2755 },   { 0x2795, 0x2797 },   { 0x2b1b, 0x2b1c },
    { 0x2b50, 0x2b50 },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },   { 0x3400, 0x4dbf },
    { 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },   { 0xa960, 0xa97f },   { 0xac00, 0xd7a3 },
    { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
    { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a },
    { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 }, { 0x1f337, 0x1f37c }, { 0x1f37e, 0x1f393 },
    { 0x1f3a0, 0x1f3ca }, { 0x1f3cf, 0x1f3d3 }, { 0x1f3e0, 0x1f3f0 }, { 0x1f3f4, 0x1f3f4 },
    { 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 }, { 0x1f442, 0x1f4fc }, { 0x1f4ff, 0x1f53d },
    { 0x1f54b, 0x1f567 }, { 0x1f595, 0x1f596 }, { 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f },
    { 0x1f680, 0x1f6c5 }, { 0x1f6cc, 0x1f6cc }, { 0x1f6d0, 0x1f6d7 }, { 0x1f6eb, 0x1f6ec },
    { 0x1f6f4, 0x1f6fc }, { 0x1f7e0, 0x1f7eb }, { 0x1f90c, 0x1f9ff }, { 0x1fa70, 0x1faff },
    { 0x20000, 0x3fffd },
};

static bool is_in(const struct range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return true;
    return false;
}

unsigned width_of(uint32_t code)
{
    if (code < 0x300)
        return 1;
    if (is_in(combining, sizeof combining / sizeof *combining, code))
        return 0;
    return is_in(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

uint32_t utf8_next(const char **at, const char *end)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)*at;
    size_t size = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
    uint32_t code = size == 1 ? p[0] : size ? p[0] & (0xffu >> (size + 1)) : 0;
    bool good = size > 0 && (size_t)(end - *at) >= size && p[0] < 0xf8;
    for (size_t i = 1; good && i < size; i++) {
        good = (p[i] & 0xc0) == 0x80;
        code = code << 6 | (p[i] & 0x3fu);
    }
    good = good && code >= least[size] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    *at += good ? size : 1;
    return good ? code : 0xfffd;
}

size_t utf8_put(char out[4], uint32_t code)
{
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (size == 1) {
        out[0] = (char)code;
        return 1;
    }
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(first[size] | code);
    return size;
}

unsigned width_of_text(const char *text)
{
    unsigned width = 0;
    size_t n = 0;
    while (text[n])
        n++;
    for (const char *end = text + n; text < end;)
        width += width_of(utf8_next(&text, end));
    return width;
}
