/* Numbers that are recognised by their digits: payment cards, US social security numbers, IBANs. */
#include <string.h>
#include "policy/detect_parts.h"

enum {
    CARD_DIGITS_MIN = 14,
    CARD_DIGITS_MAX = 19,
    SSN_NAMED_GAP = 24, /* bytes between "SSN" and its digits */
    IBAN_MAX = 34,
};

bool number_is_luhn(const uint8_t *bytes, size_t n)
{
    unsigned sum = 0, count = 0;

    for (size_t i = n; i-- > 0;) {
        if (!class_has(bytes[i], CLASS_DIGIT))
            continue;
        unsigned digit = bytes[i] - '0';
        if (count++ % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return count > 1 && sum % 10 == 0;
}

/* Issuer identification numbers (ISO/IEC 7812-1, as the schemes publish them) and the lengths of their cards.
 * 19 digits for few of them: numbers of 64 bits, as hashes and identifiers are, have 19 as well. */
static const struct {
    unsigned first, last; /* of the first four digits */
    unsigned lengths;     /* bit n: n digits */
} ISSUERS[] = {
    { 4000, 4999, 1u << 16 },                                  /* Visa */
    { 5100, 5599, 1u << 16 },                                  /* Mastercard */
    { 2221, 2720, 1u << 16 },                                  /* Mastercard */
    { 3400, 3499, 1u << 15 },                                  /* American Express */
    { 3700, 3799, 1u << 15 },                                  /* American Express */
    { 6011, 6011, 1u << 16 },                                  /* Discover */
    { 6440, 6599, 1u << 16 },                                  /* Discover, RuPay */
    { 6200, 6299, 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19 }, /* UnionPay */
    { 3000, 3059, 1u << 14 | 1u << 16 },                       /* Diners Club */
    { 3095, 3095, 1u << 14 | 1u << 16 },                       /* Diners Club */
    { 3600, 3699, 1u << 14 | 1u << 16 },                       /* Diners Club */
    { 3800, 3999, 1u << 14 | 1u << 16 },                       /* Diners Club */
    { 3528, 3589, 1u << 16 },                                  /* JCB */
    { 2200, 2204, 1u << 16 | 1u << 17 | 1u << 18 | 1u << 19 }, /* Mir */
    { 5018, 5018, 1u << 16 | 1u << 18 | 1u << 19 },            /* Maestro */
    { 5020, 5020, 1u << 16 | 1u << 18 | 1u << 19 },            /* Maestro */
    { 5038, 5038, 1u << 16 | 1u << 18 | 1u << 19 },            /* Maestro */
    { 6304, 6304, 1u << 16 | 1u << 18 | 1u << 19 },            /* Maestro */
    { 6759, 6763, 1u << 16 | 1u << 18 | 1u << 19 },            /* Maestro */
};

static bool card_is_issued(const uint8_t *digits, size_t n)
{
    unsigned first = 0;

    if (digits[0] < '2' || digits[0] > '6')
        return false;
    for (size_t i = 0; i < 4; i++)
        first = first * 10 + digits[i] - '0';
    for (size_t i = 0; i < sizeof ISSUERS / sizeof *ISSUERS; i++)
        if (first >= ISSUERS[i].first && first <= ISSUERS[i].last && ISSUERS[i].lengths >> n & 1)
            return number_is_luhn(digits, n);
    return false;
}

static bool is_digit_at(struct detect_view *v, size_t i)
{
    return class_has(view_at(v, i), CLASS_DIGIT);
}

/* Digits in a row from at, counted up to max + 1. */
static size_t digits_at(struct detect_view *v, size_t at, size_t max)
{
    size_t n = 0;

    while (n <= max && is_digit_at(v, at + n))
        n++;
    return n;
}

/* Part of a longer name or number: a digit run inside of a decimal, an identifier, a UUID. */
static bool stands_free(struct detect_view *v, size_t start, size_t end)
{
    int before = view_before(v, start, 1), further = view_before(v, start, 2);
    int behind = view_at(v, end);

    if (class_has(before, CLASS_ALNUM) || before == '_' || class_has(behind, CLASS_ALNUM) || behind == '_')
        return false;
    if (before == '.' && class_has(further, CLASS_DIGIT))
        return false;
    if (before == '-' && class_has(further, CLASS_ALNUM))
        return false;
    if (behind == '.' && is_digit_at(v, end + 1))
        return false;
    return behind != '-' || !class_has(view_at(v, end + 1), CLASS_ALNUM);
}

/* The groups of a card number that is written with blanks or hyphens: 4-4-4-4, 4-4-4-4-3, 4-6-5, 4-6-4.
 * Returns where it ends, or 0. */
static size_t grouped_card_end(struct detect_view *v, size_t at)
{
    int separator = view_at(v, at + 4);
    size_t end = at + 4;

    if (separator != ' ' && separator != '-')
        return 0;
    size_t second = digits_at(v, end + 1, 6);
    if (second == 6) {
        if (view_at(v, end + 7) != separator)
            return 0;
        size_t third = digits_at(v, end + 8, 5);
        return third == 4 || third == 5 ? end + 8 + third : 0;
    }
    for (unsigned group = 0; group < 3; group++, end += 5)
        if (view_at(v, end) != separator || digits_at(v, end + 1, 4) != 4)
            return 0;
    return view_at(v, end) == separator && digits_at(v, end + 1, 3) == 3 ? end + 4 : end;
}

/* Four digits before, and the same separator: numbers in columns, not a card. */
static bool continues_groups(struct detect_view *v, size_t at)
{
    int separator = view_before(v, at, 1);

    if (separator != ' ' && separator != '-')
        return false;
    for (size_t i = 2; i < 6; i++)
        if (!class_has(view_before(v, at, i), CLASS_DIGIT))
            return false;
    return true;
}

/* Copies the digits; returns how many, or 0 when there are more than a card has. */
static size_t copy_digits(const struct detect_view *v, size_t start, size_t end, uint8_t out[CARD_DIGITS_MAX])
{
    size_t n = 0;

    for (size_t i = start; i < end && i < v->n; i++) {
        if (!class_has(v->bytes[i], CLASS_DIGIT))
            continue;
        if (n == CARD_DIGITS_MAX)
            return 0;
        out[n++] = v->bytes[i];
    }
    return n;
}

bool recognise_card(struct detect_view *v, size_t at, struct detect_span *ret)
{
    uint8_t digits[CARD_DIGITS_MAX];
    size_t run = digits_at(v, at, CARD_DIGITS_MAX);
    size_t end = at + run;

    if (run == 4)
        end = continues_groups(v, at) ? 0 : grouped_card_end(v, at);
    if (end == 0 || v->starved || !stands_free(v, at, end))
        return false;
    size_t n = copy_digits(v, at, end, digits);
    /* With three digits in a group of their own it may as well be the card's check value that follows. */
    if (n == CARD_DIGITS_MAX && run == 4 && !card_is_issued(digits, n)) {
        n = 16;
        end -= 4;
    }
    if (n < CARD_DIGITS_MIN || !card_is_issued(digits, n))
        return false;
    ret->start = at;
    ret->end = end;
    return true;
}

/* Digits in groups of these sizes with this separator between them; out gets the digits. Returns how many, or
 * 0. */
static size_t read_groups(const uint8_t *bytes, size_t n, const uint8_t *sizes, uint8_t out[CARD_DIGITS_MAX])
{
    size_t at = 0, count = 0;

    for (unsigned group = 0; sizes[group]; group++) {
        if (group > 0 &&
            (at >= n || (bytes[at] != ' ' && bytes[at] != '-') || bytes[at++] != bytes[sizes[0]]))
            return 0;
        for (unsigned i = 0; i < sizes[group]; i++, at++) {
            if (at >= n || !class_has(bytes[at], CLASS_DIGIT))
                return 0;
            out[count++] = bytes[at];
        }
    }
    return count;
}

bool number_holds_card(const uint8_t *bytes, size_t n)
{
    static const uint8_t groups[][6] = { { 4, 4, 4, 4 }, { 4, 4, 4, 4, 3 }, { 4, 6, 5 }, { 4, 6, 4 } };
    uint8_t digits[CARD_DIGITS_MAX];
    size_t run = 0;

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        size_t count = read_groups(bytes, n, groups[i], digits);
        if (count > 0 && card_is_issued(digits, count))
            return true;
    }
    while (run < n && run <= CARD_DIGITS_MAX + DETECT_FRAME && class_has(bytes[run], CLASS_DIGIT))
        run++;
    for (size_t count = CARD_DIGITS_MIN; count <= CARD_DIGITS_MAX && count <= run; count++)
        if (count + DETECT_FRAME >= run && card_is_issued(bytes, count))
            return true;
    return false;
}

/* Nine digits; areas 000, 666 and 9xx, group 00 and serial 0000 are never given out (SSA POMS RM 10201.035).
 */
static bool ssn_is_given_out(const uint8_t digits[9])
{
    if (memcmp(digits, "000", 3) == 0 || memcmp(digits, "666", 3) == 0 || digits[0] == '9')
        return false;
    return memcmp(digits + 3, "00", 2) != 0 && memcmp(digits + 5, "0000", 4) != 0;
}

bool number_is_ssn(const uint8_t *bytes, size_t n)
{
    uint8_t digits[9];
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (!class_has(bytes[i], CLASS_DIGIT))
            continue;
        if (count == sizeof digits)
            return false;
        digits[count++] = bytes[i];
    }
    return count == sizeof digits && ssn_is_given_out(digits);
}

/* 3-2-4 with this separator; 0: with none. Returns where it ends, or 0. */
static size_t ssn_end(struct detect_view *v, size_t at, int separator)
{
    static const size_t groups[] = { 3, 2, 4 };
    size_t end = at;

    for (unsigned i = 0; i < 3; i++) {
        if (i > 0 && separator && view_at(v, end++) != separator)
            return 0;
        for (size_t k = 0; k < groups[i]; k++)
            if (!is_digit_at(v, end++))
                return 0;
    }
    return end;
}

static bool accept_ssn(struct detect_view *v, size_t at, size_t end, struct detect_span *ret)
{
    if (end == 0 || !stands_free(v, at, end) || v->starved || !number_is_ssn(v->bytes + at, end - at))
        return false;
    ret->start = at;
    ret->end = end;
    return true;
}

bool number_holds_ssn(const uint8_t *bytes, size_t n, bool named)
{
    struct detect_view v = { .bytes = bytes, .n = n, .ended = true };
    size_t end = ssn_end(&v, 0, '-');

    if (end == 0 && named)
        end = ssn_end(&v, 0, ' ');
    if (end == 0 && named)
        end = ssn_end(&v, 0, 0);
    return end > 0 && number_is_ssn(bytes, end);
}

/* With hyphens. */
bool recognise_ssn(struct detect_view *v, size_t at, struct detect_span *ret)
{
    return accept_ssn(v, at, ssn_end(v, at, '-'), ret);
}

/* Behind the words "ssn" or "social security": with blanks or without separators too. */
bool recognise_ssn_named(struct detect_view *v, size_t at, struct detect_span *ret)
{
    if (class_has(view_before(v, at, 1), CLASS_ALNUM))
        return false;
    for (size_t i = at + 3; i < at + 3 + SSN_NAMED_GAP; i++) {
        int c = view_at(v, i);
        if (c < 0 || c == '\n')
            return false;
        if (!class_has(c, CLASS_DIGIT))
            continue;
        size_t end = ssn_end(v, i, ' ');
        return accept_ssn(v, i, end ? end : ssn_end(v, i, 0), ret);
    }
    return false;
}

/* SWIFT's IBAN registry: lengths. */
static const char IBAN_LENGTHS[] = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27"
                                   "DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28"
                                   "IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22"
                                   "MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24"
                                   "SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

static size_t iban_length(const uint8_t country[2])
{
    for (const char *entry = IBAN_LENGTHS; *entry; entry += 4)
        if (entry[0] == country[0] && entry[1] == country[1])
            return (size_t)((entry[2] - '0') * 10 + entry[3] - '0');
    return 0;
}

/* ISO 13616: the first four characters go to the end, letters become 10 to 35, the whole modulo 97 is 1. */
static bool iban_checks(const uint8_t *iban, size_t n)
{
    unsigned rest = 0;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = iban[(i + 4) % n];
        if (class_has(c, CLASS_DIGIT))
            rest = (rest * 10 + c - '0') % 97;
        else
            rest = (rest * 100 + c - 'A' + 10) % 97;
    }
    return rest == 1;
}

bool number_is_iban(const uint8_t *bytes, size_t n)
{
    uint8_t iban[IBAN_MAX];
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == ' ')
            continue;
        if (count == sizeof iban || !class_has(bytes[i], CLASS_DIGIT | CLASS_UPPER))
            return false;
        iban[count++] = bytes[i];
    }
    return count > 4 && count == iban_length(iban) && iban_checks(iban, count);
}

/* Without blanks, or with one after each four characters. */
bool recognise_iban_inside(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t length = iban_length(v->bytes + at), end = at;

    if (length == 0)
        return false;
    bool spaced = view_at(v, at + 4) == ' ';
    for (size_t count = 0; count < length; count++, end++) {
        if (spaced && count > 0 && count % 4 == 0 && view_at(v, end++) != ' ')
            return false;
        if (!class_has(view_at(v, end), CLASS_DIGIT | CLASS_UPPER))
            return false;
    }
    ret->start = at;
    ret->end = end;
    return !v->starved && number_is_iban(v->bytes + at, end - at);
}

bool recognise_iban(struct detect_view *v, size_t at, struct detect_span *ret)
{
    int before = view_before(v, at, 1);

    if (class_has(before, CLASS_ALNUM) || before == '_' || !recognise_iban_inside(v, at, ret))
        return false;
    int behind = view_at(v, ret->end);
    return !class_has(behind, CLASS_ALNUM) && behind != '_';
}
