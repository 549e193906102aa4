/* Each family of types has a value that says nothing; numbers and uuids can also carry a hash, numbers in
 * text form their last digits. The binary forms are those of PostgreSQL's send functions
 * (src/backend/utils/adt). */
#include "policy/mask_value.h"

#include <sodium.h>
#include <string.h>

enum {
    WORD = 8,
    UUID_BYTES = 16,
    LAST_DIGITS = 10000,
    NUMERIC_BASE = 10000,
    NUMERIC_HEAD = 8,
    GROUP_DIGITS = 4,
    NUMERIC_TEXT_MAX = 256 * 1024, /* more than any numeric has */
};

enum family {
    FAMILY_NONE, /* nothing can be shown */
    FAMILY_TEXT,
    FAMILY_INTEGER,
    FAMILY_NUMERIC,
    FAMILY_CONSTANT, /* one value that says nothing */
    FAMILY_UUID,
    FAMILY_JSON,
    FAMILY_ARRAY,
    FAMILY_ROW,
};

/* A type, and its neutral value in both formats. */
struct known_type {
    uint32_t oid;
    enum family family;
    uint8_t size; /* bytes of the binary form */
    const char *text;
    const uint8_t *binary; /* NULL: zeroes */
};

static const uint8_t address_4[8] = { 2, 32, 0, 4, 0, 0, 0, 0 };
static const uint8_t network_4[8] = { 2, 32, 1, 4, 0, 0, 0, 0 };

static const uint8_t line[24] = { 0x3f, 0xf0 };                                  /* x = 0 */
static const uint8_t path[21] = { 1, 0, 0, 0, 1 }, polygon[20] = { 0, 0, 0, 1 }; /* of one point */
static const uint8_t empty_range[1] = { 1 };
static const uint8_t json_path[2] = { 1, '$' };

static const struct known_type types[] = {
    { 16, FAMILY_CONSTANT, 1, "f", NULL },
    { 17, FAMILY_CONSTANT, 0, "\\x", NULL },
    { 18, FAMILY_CONSTANT, 1, "*", (const uint8_t *)"*" },
    { 19, FAMILY_TEXT, 0, NULL, NULL },
    { 20, FAMILY_INTEGER, 8, NULL, NULL },
    { 21, FAMILY_INTEGER, 2, NULL, NULL },
    { 23, FAMILY_INTEGER, 4, NULL, NULL },
    { 25, FAMILY_TEXT, 0, NULL, NULL },
    { 26, FAMILY_CONSTANT, 4, "0", NULL },
    { 28, FAMILY_CONSTANT, 4, "0", NULL },
    { 114, FAMILY_JSON, 0, NULL, NULL },
    { 142, FAMILY_CONSTANT, 9, "<masked/>", (const uint8_t *)"<masked/>" },
    { 600, FAMILY_CONSTANT, 16, "(0,0)", NULL },
    { 601, FAMILY_CONSTANT, 32, "[(0,0),(0,0)]", NULL },
    { 602, FAMILY_CONSTANT, 21, "((0,0))", path },
    { 603, FAMILY_CONSTANT, 32, "(0,0),(0,0)", NULL },
    { 604, FAMILY_CONSTANT, 20, "((0,0))", polygon },
    { 628, FAMILY_CONSTANT, 24, "{1,0,0}", line },
    { 650, FAMILY_CONSTANT, 8, "0.0.0.0/32", network_4 },
    { 700, FAMILY_CONSTANT, 4, "0", NULL },
    { 701, FAMILY_CONSTANT, 8, "0", NULL },
    { 705, FAMILY_TEXT, 0, NULL, NULL },
    { 718, FAMILY_CONSTANT, 24, "<(0,0),0>", NULL },
    { 774, FAMILY_CONSTANT, 8, "00:00:00:00:00:00:00:00", NULL },
    { 790, FAMILY_CONSTANT, 8, "$0.00", NULL },
    { 829, FAMILY_CONSTANT, 6, "00:00:00:00:00:00", NULL },
    { 869, FAMILY_CONSTANT, 8, "0.0.0.0", address_4 },
    { 1042, FAMILY_TEXT, 0, NULL, NULL },
    { 1043, FAMILY_TEXT, 0, NULL, NULL },
    { 1082, FAMILY_CONSTANT, 4, "2000-01-01", NULL },
    { 1083, FAMILY_CONSTANT, 8, "00:00:00", NULL },
    { 1114, FAMILY_CONSTANT, 8, "2000-01-01 00:00:00", NULL },
    { 1184, FAMILY_CONSTANT, 8, "2000-01-01 00:00:00+00", NULL },
    { 1186, FAMILY_CONSTANT, 16, "00:00:00", NULL },
    { 1266, FAMILY_CONSTANT, 12, "00:00:00+00", NULL },
    { 1560, FAMILY_CONSTANT, 4, "", NULL },
    { 1562, FAMILY_CONSTANT, 4, "", NULL },
    { 1700, FAMILY_NUMERIC, 0, NULL, NULL },
    { 2950, FAMILY_UUID, 16, "00000000-0000-0000-0000-000000000000", NULL },
    { 3220, FAMILY_CONSTANT, 8, "0/0", NULL },
    { 3614, FAMILY_CONSTANT, 4, "", NULL },
    { 3615, FAMILY_CONSTANT, 4, "", NULL },
    { 3802, FAMILY_JSON, 0, NULL, NULL },
    { 3904, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 3906, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 3908, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 3910, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 3912, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 3926, FAMILY_CONSTANT, 1, "empty", empty_range },
    { 4072, FAMILY_CONSTANT, 2, "$", json_path },
    { 4451, FAMILY_CONSTANT, 4, "{}", NULL },
    { 4532, FAMILY_CONSTANT, 4, "{}", NULL },
    { 4533, FAMILY_CONSTANT, 4, "{}", NULL },
    { 4534, FAMILY_CONSTANT, 4, "{}", NULL },
    { 4535, FAMILY_CONSTANT, 4, "{}", NULL },
    { 4536, FAMILY_CONSTANT, 4, "{}", NULL },
};

enum { OID_JSONB = 3802 };

static bool is_array(uint32_t oid)
{
    static const uint32_t oids[] = { 199,  1000, 1001, 1002, 1003, 1005, 1007, 1009, 1014,
                                     1015, 1016, 1021, 1022, 1028, 1041, 1115, 1182, 1183,
                                     1185, 1187, 1231, 1270, 2951, 3807, 143,  651 };
    for (size_t i = 0; i < sizeof oids / sizeof oids[0]; i++)
        if (oids[i] == oid)
            return true;
    return false;
}

/* Of types that are not PostgreSQL's own. */
static const struct {
    char shape;
    struct known_type type;
} shapes[] = {
    { 't', { 0, FAMILY_TEXT, 0, NULL, NULL } },     { 'a', { 0, FAMILY_ARRAY, 0, NULL, NULL } },
    { 'c', { 0, FAMILY_ROW, 0, NULL, NULL } },      { 'r', { 0, FAMILY_CONSTANT, 1, "empty", empty_range } },
    { 'm', { 0, FAMILY_CONSTANT, 4, "{}", NULL } }, { 'h', { 0, FAMILY_CONSTANT, 4, "", NULL } },
};

static struct known_type type_of(struct mask_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].oid == type.oid)
            return types[i];
    if (is_array(type.oid))
        return (struct known_type){ .oid = type.oid, .family = FAMILY_ARRAY };
    for (size_t i = 0; type.shape && type.oid >= CATALOG_PINNED && i < sizeof shapes / sizeof shapes[0]; i++)
        if (shapes[i].shape == type.shape)
            return shapes[i].type;
    return (struct known_type){ .oid = type.oid, .family = FAMILY_NONE };
}

/* ---- what a hash or the last digits make of a number ---- */

static uint64_t hash_word(const uint8_t *key, const void *value, size_t n)
{
    uint8_t digest[crypto_generichash_BYTES];
    uint64_t word;
    crypto_generichash(digest, sizeof digest, value, n, key, MASK_KEY);
    memcpy(&word, digest, sizeof word);
    return word;
}

/* The digits at the end of the number, whatever its format is: four of eight or more, else the last half, as
 * of numbers in texts. */
static uint64_t last_digits(struct mask_type type, const uint8_t *value, size_t n)
{
    uint64_t number = 0, digits = 0, shown = 1;
    if (!type.binary) {
        for (size_t i = 0; i < n; i++) {
            if (value[i] < '0' || value[i] > '9')
                continue;
            number = (number * 10 + (uint64_t)(value[i] - '0')) % LAST_DIGITS;
            digits++;
        }
        for (; digits >= 2 && shown < LAST_DIGITS; digits -= 2)
            shown *= 10;
        return number % shown;
    }
    if (n == 0 || n > WORD)
        return 0;
    bool negative = value[0] & 0x80;
    number = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | value[i];
    number = negative ? 0 - number : number;
    for (uint64_t rest = number; rest; rest /= 10)
        digits++;
    for (; digits >= 2 && shown < LAST_DIGITS; digits -= 2)
        shown *= 10;
    return number % shown;
}

/* Numbers in text form and in binary hash alike: their value counts. */
static uint64_t hash_number(struct mask_type type, const uint8_t *key, const uint8_t *value, size_t n)
{
    char text[24];
    if (!type.binary || n == 0 || n > WORD)
        return hash_word(key, value, n);
    uint64_t number = value[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | value[i];
    int length = snprintf(text, sizeof text, "%lld", (long long)number);
    return hash_word(key, text, (size_t)length);
}

/* The group of four digits before the decimal point (0), or further before (1 …) or behind it (-1 …). */
static int numeric_group(const uint8_t *value, int count, int weight, int place)
{
    int i = weight - place;
    return i >= 0 && i < count ? value[NUMERIC_HEAD + 2 * i] << 8 | value[NUMERIC_HEAD + 2 * i + 1] : 0;
}

/* numeric_send()'s form as numeric_out() writes it, so that both formats have one token. 1: it is no number.
 */
static int numeric_text(const uint8_t *value, size_t n, struct buffer *out)
{
    enum { NEGATIVE = 0x4000 };
    if (n < NUMERIC_HEAD)
        return 1;
    int count = value[0] << 8 | value[1], weight = (int16_t)(value[2] << 8 | value[3]);
    int sign = value[4] << 8 | value[5], scale = value[6] << 8 | value[7];
    if ((sign != 0 && sign != NEGATIVE) || n != NUMERIC_HEAD + 2 * (size_t)count)
        return 1;
    int r = sign ? buffer_put_u8(out, '-') : 0;
    for (int place = weight < 0 ? 0 : weight, first = place; r == 0 && place >= 0; place--)
        r = buffer_printf(out, place == first ? "%d" : "%04d", numeric_group(value, count, weight, place));
    char group[8] = "";
    for (int digit = 0; r == 0 && digit < scale; digit++) {
        if (digit % GROUP_DIGITS == 0)
            (void)snprintf(group, sizeof group, "%04d",
                           numeric_group(value, count, weight, -1 - digit / GROUP_DIGITS) % NUMERIC_BASE);
        r = digit == 0 ? buffer_put_u8(out, '.') : 0;
        r = r ? r : buffer_put_u8(out, (uint8_t)group[digit % GROUP_DIGITS]);
    }
    return r;
}

static uint64_t number_for(struct fate fate, struct mask_type type, const uint8_t *key, const uint8_t *value,
                           size_t n)
{
    if (fate.computed)
        return 0;
    if (fate.mask->kind == MASK_PARTIAL)
        return last_digits(type, value, n);
    return fate.mask->kind == MASK_HASH && key ? hash_number(type, key, value, n) : 0;
}

static uint64_t numeric_for(struct fate fate, struct mask_type type, const uint8_t *key, const uint8_t *value,
                            size_t n)
{
    if (!type.binary)
        return number_for(fate, type, key, value, n);
    struct buffer text;
    buffer_init(&text, NUMERIC_TEXT_MAX);
    uint64_t number = 0;
    type.binary = false;
    if (numeric_text(value, n, &text) == 0)
        number = number_for(fate, type, key, buffer_head(&text), buffer_size(&text));
    buffer_free(&text);
    return number;
}

/* ---- families ---- */

static int put_text(struct fate fate, const uint8_t *key, const void *value, size_t n, struct buffer *out)
{
    struct mask_text how = { .kind = fate.computed ? MASK_REDACT : fate.mask->kind,
                             .shape = mask_shape_of(value, n),
                             .label = fate.mask->text->name,
                             .key = key };
    return mask_text(&how, value, n, out);
}

static int put_integer(uint64_t number, const struct known_type *known, bool binary, struct buffer *out)
{
    unsigned bits = known->size * 8U - 1; /* never negative */
    number &= (UINT64_C(1) << bits) - 1;
    if (!binary)
        return buffer_printf(out, "%llu", (unsigned long long)number);
    for (int shift = (known->size - 1) * 8; shift >= 0; shift -= 8) {
        int r = buffer_put_u8(out, (uint8_t)(number >> shift));
        if (r)
            return r;
    }
    return 0;
}

/* numeric_send(): ndigits, weight, sign, dscale, then digits of base 10000. */
static int put_numeric(uint64_t number, bool binary, struct buffer *out)
{
    enum { DIGITS = 4 };
    uint16_t digits[DIGITS];
    uint16_t n = 0;
    number %= UINT64_C(1000000000000000); /* what a double holds, too */
    if (!binary)
        return buffer_printf(out, "%llu", (unsigned long long)number);
    for (uint64_t rest = number; rest; rest /= NUMERIC_BASE)
        digits[n++] = (uint16_t)(rest % NUMERIC_BASE);
    int r = buffer_put_u16(out, n);
    r = r ? r : buffer_put_u16(out, n ? (uint16_t)(n - 1) : 0);
    r = r ? r : buffer_put_u32(out, 0);
    while (r == 0 && n)
        r = buffer_put_u16(out, digits[--n]);
    return r;
}

static int put_uuid(struct fate fate, const struct known_type *known, bool binary, const uint8_t *key,
                    const void *value, size_t n, struct buffer *out)
{
    uint8_t uuid[UUID_BYTES] = { 0 };
    if (fate.mask->kind == MASK_HASH && key && !fate.computed) {
        uint8_t plain[UUID_BYTES];
        size_t length = 0;
        if (!binary && sodium_hex2bin(plain, sizeof plain, value, n, "-", &length, NULL) == 0 &&
            length == UUID_BYTES) {
            value = plain; /* both formats have one token */
            n = UUID_BYTES;
        }
        crypto_generichash(uuid, sizeof uuid, value, n, key, MASK_KEY);
        uuid[6] = (uint8_t)(0x80 | (uuid[6] & 0x0f)); /* RFC 9562: version 8, of one's own making */
        uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3f));
    }
    if (binary)
        return buffer_append(out, uuid, known->size);
    return buffer_printf(out, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", uuid[0],
                         uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9],
                         uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
}

static int put_constant(const struct known_type *known, bool binary, struct buffer *out)
{
    static const uint8_t zeroes[UINT8_MAX];
    if (!binary)
        return buffer_append(out, known->text, strlen(known->text));
    return buffer_append(out, known->binary ? known->binary : zeroes, known->size);
}

static int put_json(struct fate fate, bool with_version, struct buffer *out)
{
    int r = with_version ? buffer_put_u8(out, 1) : 0;
    return r ? r : buffer_printf(out, "\"[masked:%s]\"", fate.mask->text->name); /* names need no escapes */
}

/* No elements: array_send() then gives dimensions, flags and the type of elements, which stays. */
static int put_array(bool binary, const uint8_t *value, size_t n, struct buffer *out, bool *ret_null)
{
    enum { COUNTS = 8, HEAD = 12, DIMENSIONS_MAX = 6 };
    if (!binary)
        return buffer_append(out, "{}", 2);
    if (n < HEAD || value[0] || value[1] || value[2] || value[3] > DIMENSIONS_MAX) { /* not an array */
        *ret_null = true;
        return 0;
    }
    int r = buffer_put_u64(out, 0);
    return r ? r : buffer_append(out, value + COUNTS, HEAD - COUNTS);
}

/* How many fields a row in text form has: commas that are not inside of quotes. */
static size_t count_commas(const uint8_t *value, size_t n)
{
    size_t commas = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        if (value[i] == '\\')
            i++;
        else if (value[i] == '"')
            quoted = !quoted;
        else if (value[i] == ',' && !quoted)
            commas++;
    }
    return commas;
}

static int put_row_text(const uint8_t *value, size_t n, struct buffer *out)
{
    int r = buffer_put_u8(out, '(');
    for (size_t commas = count_commas(value, n); r == 0 && commas > 0; commas--)
        r = buffer_put_u8(out, ',');
    return r ? r : buffer_put_u8(out, ')');
}

/* The next field of record_send(): its type; skips the value. */
static bool skip_field(struct reader *in, uint32_t *ret_type)
{
    uint32_t size = 0;
    const uint8_t *bytes = NULL;
    return reader_u32(in, ret_type) && reader_u32(in, &size) &&
           (size == UINT32_MAX || reader_bytes(in, size, &bytes));
}

/* record_send(): the number of fields, then of each its type, length and bytes. */
static int put_row_binary(struct reader in, struct buffer *out, bool *ret_null)
{
    uint32_t fields = 0, type = 0;
    bool good = reader_u32(&in, &fields) && fields <= LINEAGE_COLUMNS_MAX;
    struct reader again = in;
    for (uint32_t i = 0; good && i < fields; i++)
        good = skip_field(&in, &type);
    *ret_null = !good || !reader_done(&in);
    int r = *ret_null ? 0 : buffer_put_u32(out, fields);
    for (uint32_t i = 0; r == 0 && !*ret_null && i < fields && skip_field(&again, &type); i++) {
        r = buffer_put_u32(out, type);
        r = r ? r : buffer_put_u32(out, UINT32_MAX);
    }
    return r;
}

/* Every field of it is NULL. */
static int put_row(bool binary, const uint8_t *value, size_t n, struct buffer *out, bool *ret_null)
{
    return binary ? put_row_binary(reader_of(value, n), out, ret_null) : put_row_text(value, n, out);
}

int mask_value(struct fate fate, struct mask_type type, const uint8_t *key, const void *value, size_t n,
               struct buffer *out, bool *ret_null)
{
    struct known_type known = type_of(type);
    bool binary = type.binary;
    *ret_null = fate.mask->kind == MASK_NULL;
    if (*ret_null)
        return 0;
    switch (known.family) {
    case FAMILY_TEXT:
        return put_text(fate, key, value, n, out);
    case FAMILY_INTEGER:
        return put_integer(number_for(fate, type, key, value, n), &known, binary, out);
    case FAMILY_NUMERIC:
        return put_numeric(numeric_for(fate, type, key, value, n), binary, out);
    case FAMILY_CONSTANT:
        return put_constant(&known, binary, out);
    case FAMILY_UUID:
        return put_uuid(fate, &known, binary, key, value, n, out);
    case FAMILY_JSON:
        return put_json(fate, binary && known.oid == OID_JSONB, out);
    case FAMILY_ARRAY:
        *ret_null = binary && fate.computed; /* what is NULL has no head to take over */
        return *ret_null ? 0 : put_array(binary, value, n, out, ret_null);
    case FAMILY_ROW:
        return put_row(binary, value, n, out, ret_null);
    case FAMILY_NONE:
        break;
    }
    *ret_null = true;
    return 0;
}
