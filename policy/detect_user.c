/* Detectors of the configuration. A match must not be longer than a stream can hold back, so every repeat
 * needs a bound. A stream must also know where the bytes behind it could still become part of a match: for
 * that the alphabet of a pattern is read from its text, as a set that may be too large and is never too
 * small. What is not understood stands for every byte. */
#include <errno.h>
#include <string.h>
#include "policy/detect_engine.h"
#include "policy/detect_parts.h"

/* Reads the text of a pattern once, left to right. */
struct reading {
    const uint8_t *text;
    size_t n, at;
    struct byte_set *alphabet;
    bool looks_around;
    bool foreign_in_class; /* a byte from 0x80 on inside of [ ]: which would be half a character */
    size_t foreign_at;
};

static void add_range(struct byte_set *set, unsigned first, unsigned last)
{
    for (unsigned c = first; c <= last; c++)
        byte_set_add(set, (uint8_t)c);
}

static void add_all(struct byte_set *set)
{
    memset(set->bits, 0xff, sizeof set->bits);
}

/* Both cases always: (?i) may stand anywhere. */
static void add_letter(struct byte_set *set, uint8_t c)
{
    byte_set_add(set, c);
    if (class_has(c, CLASS_UPPER | CLASS_LOWER))
        byte_set_add(set, c ^ 0x20);
}

static void add_word(struct byte_set *set)
{
    add_range(set, '0', '9');
    add_range(set, 'A', 'Z');
    add_range(set, 'a', 'z');
    byte_set_add(set, '_');
}

/* Behind a backslash. Returns the byte itself when it is one that can begin a range, or -1. */
static int read_escape(struct reading *r, bool in_class)
{
    uint8_t c = r->at < r->n ? r->text[r->at++] : '\\';

    switch (c) {
    case 'd':
        add_range(r->alphabet, '0', '9');
        return -1;
    case 'w':
        add_word(r->alphabet);
        return -1;
    case 's':
    case 'h':
    case 'v':
    case 'R':
        add_range(r->alphabet, '\t', '\r');
        byte_set_add(r->alphabet, ' ');
        byte_set_add(r->alphabet, 0x85);
        byte_set_add(r->alphabet, 0xa0);
        return -1;
    case 'b':
    case 'B':
    case 'A':
    case 'z':
    case 'Z':
    case 'G':
        if (!in_class) {
            r->looks_around = true;
            return -1;
        }
        break;
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'e':
    case 'a':
        add_range(r->alphabet, '\a', '\r');
        byte_set_add(r->alphabet, 0x1b);
        return -1;
    default:
        if (!class_has(c, CLASS_ALNUM)) {
            byte_set_add(r->alphabet, c);
            return c;
        }
    }
    add_all(r->alphabet); /* \x41, \p{L}, \D, \Q … */
    return -1;
}

/* Behind a [. */
static void read_class(struct reading *r)
{
    size_t first = r->at;
    int before = -1; /* what a range would begin with */

    if (r->at < r->n && r->text[r->at] == '^') {
        add_all(r->alphabet);
        first = ++r->at;
    }
    while (r->at < r->n && (r->text[r->at] != ']' || r->at == first)) {
        uint8_t c = r->text[r->at++];
        if (c == '\\') {
            before = read_escape(r, true);
            continue;
        }
        if (c == '[')
            add_all(r->alphabet); /* [[:alpha:]] */
        if (c >= 0x80 && !r->foreign_in_class) {
            r->foreign_in_class = true;
            r->foreign_at = r->at - 1;
        }
        if (c == '-' && r->at < r->n && r->text[r->at] != ']') {
            uint8_t last = r->text[r->at];
            if (before < 0 || last == '\\' || last == '[' || last < before)
                add_all(r->alphabet);
            else
                for (int k = before; k <= last; k++)
                    add_letter(r->alphabet, (uint8_t)k);
        }
        add_letter(r->alphabet, c);
        before = c;
    }
    r->at += r->at < r->n;
}

/* {3}, {3,} and {3,7} add nothing; any other brace is itself. */
static void skip_counts(struct reading *r)
{
    size_t at = r->at;

    while (at < r->n && (class_has(r->text[at], CLASS_DIGIT) || r->text[at] == ','))
        at++;
    if (at < r->n && r->text[at] == '}')
        r->at = at + 1;
    else
        byte_set_add(r->alphabet, '{');
}

static void read_pattern(struct reading *r)
{
    while (r->at < r->n) {
        uint8_t c = r->text[r->at++];
        switch (c) {
        case '\\':
            read_escape(r, false);
            break;
        case '[':
            read_class(r);
            break;
        case '{':
            skip_counts(r);
            break;
        case '.':
            add_all(r->alphabet);
            break;
        case '^':
        case '$':
            r->looks_around = true;
            break;
        case '(':
        case ')':
        case '|':
        case '*':
        case '+':
        case '?':
            break;
        default:
            add_letter(r->alphabet, c);
        }
    }
}

static int fail_at(size_t *ret_at, size_t at, struct detail *why, const char *message)
{
    *ret_at = at;
    return detail_fail(why, -EINVAL, "%s", message);
}

static const struct {
    const char *name;
    detect_validator *validator;
} VALIDATORS[] = {
    { "none", NULL },
    { "luhn", number_is_luhn },
    { "iban", number_is_iban },
    { "us_ssn", number_is_ssn },
};

bool detect_validator_find(const char *name, detect_validator **ret)
{
    for (size_t i = 0; i < sizeof VALIDATORS / sizeof *VALIDATORS; i++)
        if (strcmp(VALIDATORS[i].name, name) == 0) {
            *ret = VALIDATORS[i].validator;
            return true;
        }
    return false;
}

bool detect_validator_exists(const char *name)
{
    detect_validator *validator;

    return detect_validator_find(name, &validator);
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n <= DETECTOR_NAME_MAX && class_has(name[0], CLASS_LOWER) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

int detect_user_read(const struct detect_pattern *pattern, struct detect_user *ret, struct detail *why,
                     size_t *ret_at)
{
    struct detect_user user = { 0 };
    struct reading reading = { .text = (const uint8_t *)pattern->pattern,
                               .n = strlen(pattern->pattern),
                               .alphabet = &user.alphabet };
    unsigned least = 0;

    *ret_at = 0;
    if (!is_name(pattern->name))
        return detail_fail(why, -EINVAL,
                           "a detector's name has at most %d of a-z, 0-9 and _, and begins with a letter",
                           DETECTOR_NAME_MAX);
    if (detector_exists(pattern->name))
        return detail_fail(why, -EINVAL, "\"%s\" is the name of a built-in detector", pattern->name);
    if (pattern->validator && *pattern->validator &&
        !detect_validator_find(pattern->validator, &user.validator))
        return detail_fail(why, -EINVAL, "there is no validator \"%.64s\" (luhn, iban, us_ssn, none)",
                           pattern->validator);
    if (reading.n == 0 || reading.n > DETECT_PATTERN_MAX)
        return detail_fail(why, -EINVAL, "a pattern has 1 to %d bytes", DETECT_PATTERN_MAX);
    int r = engine_measure(pattern->pattern, &least, &user.width, why, ret_at);
    if (r)
        return r;
    read_pattern(&reading);
    if (least == 0)
        return fail_at(ret_at, 0, why, "it matches the empty text as well");
    if (reading.foreign_in_class)
        return fail_at(ret_at, reading.foreign_at, why,
                       "characters beyond ASCII cannot be in [ ]: write them as alternatives, (?:ä|ö)");
    if (user.width > DETECT_WIDTH_MAX)
        return detail_fail(why, -EINVAL,
                           user.width == ENGINE_UNBOUNDED
                               ? "it can match without end: give every repeat a bound, {1,64} instead of +"
                               : "it can match more than 1024 bytes");
    user.looks_around = reading.looks_around;
    *ret = user;
    return 0;
}

int detect_pattern_check(const struct detect_pattern *pattern, struct detail *why, size_t *ret_at)
{
    struct detectors *compiled = NULL;
    struct detect_user user;

    int r = detect_user_read(pattern, &user, why, ret_at);
    /* Some are refused only when they are compiled: too large for the start of a match to be found. */
    r = r ? r : detectors_new(NULL, 0, pattern, 1, &compiled, why);
    detectors_free(compiled);
    return r == -EINVAL ? 1 : r;
}
