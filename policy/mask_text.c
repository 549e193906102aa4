/* The token of `with: hash` is a keyed BLAKE2b of the bytes, without the label: a card number has the same
 * one whichever mask or detector found it. 96 bits, so that tokens do not collide by chance within any table.
 */
#include "policy/mask_text.h"

#include <sodium.h>
#include <string.h>

enum {
    TOKEN_BYTES = 12,
    DIGITS_SHOWN = 4,
    NUMBER_DIGITS_MIN = 6, /* fewer digits are a text */
};

_Static_assert(MASK_KEY >= crypto_generichash_KEYBYTES_MIN && MASK_KEY <= crypto_generichash_KEYBYTES_MAX,
               "a key of crypto_generichash");

bool mask_kind_parse(const char *name, enum mask_kind *ret)
{
    static const char *const names[] = {
        [MASK_REDACT] = "redact", [MASK_PARTIAL] = "partial", [MASK_HASH] = "hash", [MASK_NULL] = "null"
    };

    for (unsigned kind = MASK_REDACT; kind <= MASK_NULL; kind++)
        if (strcmp(name, names[kind]) == 0) {
            *ret = (enum mask_kind)kind;
            return true;
        }
    return false;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

enum mask_shape mask_shape_of(const void *value, size_t n)
{
    static const char separators[] = " -./+()";
    const uint8_t *bytes = value;
    const uint8_t *at = memchr(bytes, '@', n);
    size_t digits = 0, others = 0;

    if (at && at > bytes && memchr(at, '.', (size_t)(bytes + n - at)))
        return SHAPE_EMAIL;
    for (size_t i = 0; i < n; i++) {
        digits += is_digit(bytes[i]);
        others += !is_digit(bytes[i]) && !memchr(separators, bytes[i], strlen(separators));
    }
    return digits >= NUMBER_DIGITS_MIN && others == 0 ? SHAPE_NUMBER : SHAPE_TEXT;
}

/* Bytes of the first character; of what is not UTF-8, none: half a character would not be valid for anybody.
 */
static size_t first_character(const uint8_t *bytes, size_t n)
{
    size_t length = n == 0                      ? 0
                    : bytes[0] < 0x80           ? 1
                    : (bytes[0] & 0xe0) == 0xc0 ? 2
                    : (bytes[0] & 0xf0) == 0xe0 ? 3
                    : (bytes[0] & 0xf8) == 0xf0 ? 4
                                                : 0;

    if (length == 0 || length > n || bytes[0] < ' ')
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

/* The first character and ***; of a single character nothing. */
static int put_first(const uint8_t *bytes, size_t n, struct buffer *out)
{
    size_t shown = first_character(bytes, n);
    int r = buffer_append(out, bytes, shown < n ? shown : 0);

    return r ? r : buffer_append(out, "***", 3);
}

static int put_email(const uint8_t *bytes, size_t n, struct buffer *out)
{
    const uint8_t *at = memrchr(bytes, '@', n);
    if (!at)
        return put_first(bytes, n, out);
    const uint8_t *domain = at + 1;
    size_t left = (size_t)(bytes + n - domain);
    const uint8_t *dot = memrchr(domain, '.', left);
    size_t host = dot ? (size_t)(dot - domain) : left;

    int r = put_first(bytes, (size_t)(at - bytes), out);
    r = r ? r : buffer_append(out, "@", 1);
    r = r ? r : put_first(domain, host, out);
    return r || !dot ? r : buffer_append(out, dot, left - host);
}

/* Letters count as digits: those of an IBAN. What is not ASCII is shown as one * per byte. */
static int put_number(const uint8_t *bytes, size_t n, struct buffer *out)
{
    size_t total = 0, seen = 0;

    for (size_t i = 0; i < n; i++)
        total += is_digit(bytes[i]) || is_letter(bytes[i]);
    size_t shown = total / 2 < DIGITS_SHOWN ? total / 2 : DIGITS_SHOWN;
    for (size_t i = 0; i < n; i++) {
        bool counts = is_digit(bytes[i]) || is_letter(bytes[i]);
        bool hidden = bytes[i] >= 0x80 || bytes[i] < ' ' || (counts && seen + shown < total);
        seen += counts;
        int r = buffer_append(out, hidden ? (const uint8_t *)"*" : &bytes[i], 1);
        if (r)
            return r;
    }
    return 0;
}

static int put_redacted(const char *label, struct buffer *out)
{
    return label ? buffer_printf(out, "[masked:%s]", label)
                 : buffer_append(out, "[masked]", strlen("[masked]"));
}

static int put_token(const struct mask_text *how, const void *value, size_t n, struct buffer *out)
{
    uint8_t digest[crypto_generichash_BYTES];
    char hex[2 * TOKEN_BYTES + 1];

    if (!how->key)
        return put_redacted(how->label, out);
    crypto_generichash(digest, sizeof digest, value, n, how->key, MASK_KEY);
    sodium_bin2hex(hex, sizeof hex, digest, TOKEN_BYTES);
    return how->label ? buffer_printf(out, "[%s:%s]", how->label, hex) : buffer_append(out, hex, strlen(hex));
}

int mask_text(const struct mask_text *how, const void *value, size_t n, struct buffer *out)
{
    switch (how->kind) {
    case MASK_NONE:
        return buffer_append(out, value, n);
    case MASK_HASH:
        return put_token(how, value, n, out);
    case MASK_PARTIAL:
        switch (how->shape) {
        case SHAPE_TEXT:
            return put_first(value, n, out);
        case SHAPE_EMAIL:
            return put_email(value, n, out);
        case SHAPE_NUMBER:
            return put_number(value, n, out);
        case SHAPE_SECRET:
            break;
        }
        break;
    case MASK_REDACT:
    case MASK_NULL:
        break;
    }
    return put_redacted(how->label, out);
}
