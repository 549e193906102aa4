/* Detectors of the configuration. A match must not be longer than a stream can hold back, so every repeat
 * needs a bound. A stream must also know where the bytes behind it could still become part of a match: for
 * that the alphabet of a pattern is read from its text, as a set that may be too large and is never too
 * small. What is not understood stands for every byte. */
#include <errno.h>
#include <string.h>
#include "policy/detect_engine.h"
#include "policy/detect_parts.h"

/* Stands for an assertion where there are none. */
#define NOTHING "(?:)"

/* Reads the text of a pattern once, left to right. */
struct reading {
    const uint8_t *text;
    size_t n, at;
    struct byte_set *alphabet;
    bool is_odd; /* quoted text, comments: where a [ may be no class, and ^ no assertion */
    char *loose; /* the text without assertions, as it grows */
    size_t loose_n;
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

enum { IS_SET = -1, IS_ASSERTION = -2 };

/* Behind a backslash. Returns the byte when it is just one, or what else it is. */
static int read_escape(struct reading *r, bool in_class)
{
    uint8_t c = r->at < r->n ? r->text[r->at++] : '\\';

    switch (c) {
    case 'd':
        add_range(r->alphabet, '0', '9');
        return IS_SET;
    case 'w':
        add_word(r->alphabet);
        return IS_SET;
    case 's':
    case 'h':
    case 'v':
    case 'R':
        add_range(r->alphabet, '\t', '\r');
        byte_set_add(r->alphabet, ' ');
        byte_set_add(r->alphabet, 0x85);
        byte_set_add(r->alphabet, 0xa0);
        return IS_SET;
    case 'b':
    case 'B':
    case 'A':
    case 'z':
    case 'Z':
    case 'G':
        if (!in_class)
            return IS_ASSERTION;
        break;
    case 'n':
    case 'r':
    case 't':
    case 'f':
    case 'e':
    case 'a':
        add_range(r->alphabet, '\a', '\r');
        byte_set_add(r->alphabet, 0x1b);
        return IS_SET;
    case 'Q':
    case 'E':
    case 'c':
        r->is_odd = true;
        break;
    default:
        if (!class_has(c, CLASS_ALNUM)) {
            byte_set_add(r->alphabet, c);
            return c;
        }
    }
    add_all(r->alphabet); /* \x41, \p{L}, \D, \Q … */
    return IS_SET;
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

/* Behind a (. Only (?:, and flags among i, m and s, change nothing of how the rest is to be read. */
static void read_group(struct reading *r)
{
    size_t at = r->at;

    if (at >= r->n || r->text[at] != '?')
        return;
    do
        at++;
    while (at < r->n &&
           (r->text[at] == '-' || r->text[at] == 'i' || r->text[at] == 'm' || r->text[at] == 's'));
    if (at < r->n && r->text[at] != ':' && r->text[at] != ')')
        r->is_odd = true;
}

/* One element of the pattern; true when it is an assertion. */
static bool read_element(struct reading *r)
{
    uint8_t c = r->text[r->at++];

    switch (c) {
    case '\\':
        return read_escape(r, false) == IS_ASSERTION;
    case '^':
    case '$':
        return true;
    case '[':
        read_class(r);
        break;
    case '{':
        skip_counts(r);
        break;
    case '(':
        read_group(r);
        break;
    case '.':
        add_all(r->alphabet);
        break;
    case ')':
    case '|':
    case '*':
    case '+':
    case '?':
        break;
    default:
        add_letter(r->alphabet, c);
    }
    return false;
}

/* Also writes the pattern without its assertions: that matches wherever the pattern does, and more. */
static void read_pattern(struct reading *r)
{
    while (r->at < r->n) {
        size_t from = r->at;
        bool is_assertion = read_element(r);
        const char *text = is_assertion ? NOTHING : (const char *)r->text + from;
        size_t n = is_assertion ? strlen(NOTHING) : r->at - from;
        memcpy(r->loose + r->loose_n, text, n);
        r->loose_n += n;
    }
    r->loose[r->loose_n] = '\0';
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

/* What is refused because of the text alone. */
static int check_words(const struct detect_pattern *pattern, detect_validator **ret, struct detail *why)
{
    size_t n = strlen(pattern->pattern);

    if (!is_name(pattern->name))
        return detail_fail(why, -EINVAL,
                           "a detector's name has at most %d of a-z, 0-9 and _, and begins with a letter",
                           DETECTOR_NAME_MAX);
    if (detector_exists(pattern->name))
        return detail_fail(why, -EINVAL, "\"%s\" is the name of a built-in detector", pattern->name);
    if (pattern->validator && *pattern->validator && !detect_validator_find(pattern->validator, ret))
        return detail_fail(why, -EINVAL, "there is no validator \"%.64s\" (luhn, iban, us_ssn, none)",
                           pattern->validator);
    if (n == 0 || n > DETECT_PATTERN_MAX)
        return detail_fail(why, -EINVAL, "a pattern has 1 to %d bytes", DETECT_PATTERN_MAX);
    if (strncmp(pattern->pattern, "(*", 2) == 0)
        return detail_fail(why, -EINVAL, "(*UTF8) and the like are not taken: patterns match bytes");
    return 0;
}

/* What is refused because of what it would match. */
static int check_matches(const struct reading *reading, unsigned least, unsigned most, struct detail *why,
                         size_t *ret_at)
{
    if (least == 0)
        return fail_at(ret_at, 0, why, "it matches the empty text as well");
    if (reading->foreign_in_class)
        return fail_at(ret_at, reading->foreign_at, why,
                       "characters beyond ASCII cannot be in [ ]: write them as alternatives, (?:ä|ö)");
    if (most == ENGINE_UNBOUNDED)
        return fail_at(ret_at, 0, why,
                       "it can match without end: give every repeat a bound, {1,64} instead of +");
    if (most > DETECT_WIDTH_MAX)
        return detail_fail(why, -EINVAL, "it can match more than %d bytes", DETECT_WIDTH_MAX);
    return 0;
}

int detect_user_read(const struct detect_pattern *pattern, struct detect_user *ret, struct detail *why,
                     size_t *ret_at)
{
    struct detect_user user = { .loose = NULL };
    struct reading reading = { .text = (const uint8_t *)pattern->pattern,
                               .n = strlen(pattern->pattern),
                               .alphabet = &user.alphabet };
    unsigned least = 0, loose_least = 0, loose_most = 0;

    *ret_at = 0;
    int r = check_words(pattern, &user.validator, why);
    r = r ? r : engine_measure(pattern->pattern, &least, &user.width, why, ret_at);
    if (r)
        return r;
    CLEANUP(free) char *loose = reading.loose = malloc(strlen(NOTHING) * reading.n + 1);
    if (!loose)
        return -ENOMEM;
    read_pattern(&reading);
    r = check_matches(&reading, least, user.width, why, ret_at);
    if (r)
        return r;
    if (!reading.is_odd && engine_measure(loose, &loose_least, &loose_most, NULL, NULL) == 0 &&
        loose_least > 0)
        user.loose = STEAL(loose);
    *ret = user;
    return 0;
}

int detect_pattern_check(const struct detect_pattern *pattern, struct detail *why, size_t *ret_at)
{
    struct detectors *compiled = NULL;
    struct detect_user user;

    int r = detect_user_read(pattern, &user, why, ret_at);
    /* Some are refused only when they are compiled: too large for the start of a match to be found. */
    if (r == 0) {
        free(user.loose);
        r = detectors_new(NULL, 0, pattern, 1, &compiled, why);
    }
    detectors_free(compiled);
    return r == -EINVAL ? 1 : r;
}
