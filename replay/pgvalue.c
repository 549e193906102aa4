/* Type numbers are those of pg_type.dat, fixed for built-in types. */
#include "replay/pgvalue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    BOOL = 16,
    BYTEA = 17,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    OID = 26,
    XID = 28,
    CID = 29,
    JSON = 114,
    FLOAT4 = 700,
    FLOAT8 = 701,
    MONEY = 790,
    BPCHAR = 1042,
    VARCHAR = 1043,
    DATE = 1082,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    UUID = 2950,
    NAME = 19,
    JSONB = 3802,
};

enum { HEX_MAX = 4096, ESCAPE_SLICE = 16 * 1024 };

bool pgvalue_is_number(uint32_t type)
{
    static const uint32_t numbers[] = { INT8, INT2, INT4, OID, XID, CID, FLOAT4, FLOAT8, MONEY, NUMERIC };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i] == type)
            return true;
    return false;
}

int print_escaped(const void *bytes, size_t n, bool keep_layout, struct buffer *out)
{
    const uint8_t *next = bytes;
    while (n > 0) {
        char text[ESCAPE_SLICE * 4 + 8]; /* a byte becomes \xNN, two become \u{NNNN} */
        size_t slice = n < ESCAPE_SLICE ? n : ESCAPE_SLICE;
        while (slice < n && slice > 1 && (next[slice] & 0xc0) == 0x80)
            slice--; /* not in the middle of a character */
        text_escape(text, sizeof text, next, slice, keep_layout);
        int r = buffer_append(out, text, strlen(text));
        if (r)
            return r;
        next += slice;
        n -= slice;
    }
    return 0;
}

static int print_hex(const uint8_t *bytes, size_t n, struct buffer *out)
{
    int r = buffer_append(out, "\\x", 2);
    for (size_t i = 0; i < n && i < HEX_MAX && r == 0; i++)
        r = buffer_printf(out, "%02x", bytes[i]);
    return r || n <= HEX_MAX ? r : buffer_append(out, "…", strlen("…"));
}

static uint64_t big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | bytes[i];
    return v;
}

static int print_double(const uint8_t *bytes, size_t n, struct buffer *out)
{
    uint64_t bits = big_endian(bytes, n);
    uint32_t half = (uint32_t)bits;
    float single;
    double whole;
    memcpy(&single, &half, sizeof single);
    memcpy(&whole, &bits, sizeof whole);
    return n == 4 ? buffer_printf(out, "%.9g", (double)single) : buffer_printf(out, "%.17g", whole);
}

/* Microseconds since 2000-01-01, which is 946,684,800 s after 1970. */
static int print_timestamp(const uint8_t *bytes, bool zone, struct buffer *out)
{
    const int64_t first = -INT64_C(946684800000000), last = INT64_C(252000000000000000);
    int64_t us = (int64_t)big_endian(bytes, 8);
    char text[32];
    if (us < first || us > last)
        return print_hex(bytes, 8, out);
    uint64_t unix_us = (uint64_t)(us - first);
    text_time(text, unix_us / 1000);
    return buffer_printf(out, "%.10s %.12s%03u%s", text, text + 11, (unsigned)(unix_us % 1000),
                         zone ? "+00" : "");
}

static int print_date(const uint8_t *bytes, struct buffer *out)
{
    int32_t days = (int32_t)big_endian(bytes, 4);
    char text[32];
    if (days < -10957 || days > 2900000)
        return print_hex(bytes, 4, out);
    text_time(text, (uint64_t)(days + 10957) * 86400000);
    return buffer_printf(out, "%.10s", text);
}

static int print_uuid(const uint8_t *b, struct buffer *out)
{
    int r = 0;
    for (size_t i = 0; i < 16 && r == 0; i++)
        r = buffer_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return r;
}

/* How long the binary form of a type is; 0: it varies, or is not known here. */
static size_t binary_size(uint32_t type)
{
    switch (type) {
    case BOOL:
        return 1;
    case INT2:
        return 2;
    case INT4:
    case OID:
    case XID:
    case CID:
    case FLOAT4:
    case DATE:
        return 4;
    case INT8:
    case MONEY:
    case FLOAT8:
    case TIMESTAMP:
    case TIMESTAMPTZ:
        return 8;
    case UUID:
        return 16;
    default:
        return 0;
    }
}

static int print_fixed(uint32_t type, const uint8_t *bytes, size_t n, struct buffer *out)
{
    switch (type) {
    case BOOL:
        return buffer_append(out, bytes[0] ? "t" : "f", 1);
    case INT2:
        return buffer_printf(out, "%d", (int16_t)big_endian(bytes, 2));
    case INT4:
        return buffer_printf(out, "%d", (int32_t)big_endian(bytes, 4));
    case OID:
    case XID:
    case CID:
        return buffer_printf(out, "%u", (uint32_t)big_endian(bytes, 4));
    case INT8:
    case MONEY:
        return buffer_printf(out, "%" PRId64, (int64_t)big_endian(bytes, 8));
    case FLOAT4:
    case FLOAT8:
        return print_double(bytes, n, out);
    case DATE:
        return print_date(bytes, out);
    case TIMESTAMP:
    case TIMESTAMPTZ:
        return print_timestamp(bytes, type == TIMESTAMPTZ, out);
    default:
        return print_uuid(bytes, out);
    }
}

static bool is_texty(uint32_t type)
{
    return type == TEXT || type == VARCHAR || type == BPCHAR || type == NAME || type == JSON;
}

static int print_binary(uint32_t type, const uint8_t *bytes, size_t n, struct buffer *out)
{
    if (binary_size(type) == n && n > 0)
        return print_fixed(type, bytes, n, out);
    if (is_texty(type) && text_is_utf8(bytes, n))
        return print_escaped(bytes, n, false, out);
    if (type == JSONB && n > 1 && bytes[0] == 1)
        return print_escaped(bytes + 1, n - 1, false, out);
    return print_hex(bytes, n, out);
}

/* The text form of a number, time or uuid has no byte below a blank. */
static bool looks_binary(uint32_t type, const uint8_t *bytes, size_t n)
{
    if (binary_size(type) > 0 && binary_size(type) == n)
        for (size_t i = 0; i < n; i++)
            if (bytes[i] < 0x20 || bytes[i] >= 0x7f)
                return true;
    return !text_is_utf8(bytes, n);
}

int pgvalue_print(uint32_t type, enum pgvalue_format format, const uint8_t *bytes, size_t n,
                  struct buffer *out)
{
    if (format == PGVALUE_BINARY || (format == PGVALUE_UNSURE && looks_binary(type, bytes, n)))
        return print_binary(type, bytes, n, out);
    return print_escaped(bytes, n, false, out);
}

static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
           (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) || (c >= 0x20000 && c <= 0x3fffd);
}

size_t pgvalue_width(const uint8_t *text, size_t n)
{
    size_t width = 0;
    for (size_t i = 0; i < n;) {
        uint8_t lead = text[i];
        size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
        uint32_t c = size == 1 ? lead : lead & (0x7fU >> size);
        for (size_t k = 1; k < size && i + k < n; k++)
            c = c << 6 | (text[i + k] & 0x3fU);
        width += is_wide(c) ? 2 : c >= 0x300 && c <= 0x36f ? 0 : 1;
        i += size;
    }
    return width;
}
