/* Places where a match may be, from the engine and from digits, in the order in which they are decided: by
 * where they are, then by what they are. The order does not depend on the window that they were found in, so
 * neither does what is decided. */
#include "policy/detect_search.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    FOUND_FIRST = 64,
    AHEAD_OF_PATTERN = 2, /* bytes behind a match that \b and $ look at */
    SLICE_MAX = 1 << 20,  /* bytes that the engine is given at a time where there is no window */
};

static bool is_on(const struct detectors *d, size_t detector)
{
    return d->search.how->kinds[detector] != MASK_NONE;
}

static bool put_found(struct detectors *d, struct detect_found found)
{
    d->effort.places++;
    if (d->search.n_found == d->search.room) {
        size_t room = d->search.room ? d->search.room * 2 : FOUND_FIRST;
        struct detect_found *more = reallocarray(d->search.found, room, sizeof *more);
        if (!more) {
            d->search.failed = true;
            return false;
        }
        d->search.found = more;
        d->search.room = room;
    }
    d->search.found[d->search.n_found++] = found;
    return true;
}

/* The engine reports each end of a match; of those with one beginning the last one that is valid counts. */
static bool put_pattern(struct detectors *d, unsigned number, size_t from, size_t to)
{
    size_t detector = d->triggers[number].detector;
    detect_validator *validator = d->list[detector].user.validator;

    if (from < d->search.from || to > d->search.to ||
        (validator && !validator(d->search.bytes + from, to - from)))
        return true;
    size_t last = d->search.last[detector];
    if (last && d->search.found[last - 1].at == from) {
        if (d->search.found[last - 1].end < to)
            d->search.found[last - 1].end = to;
        return true;
    }
    d->search.last[detector] = d->search.n_found + 1;
    return put_found(d,
                     (struct detect_found){
                         .at = from, .end = to, .detector = (uint16_t)detector, .form = (uint16_t)number });
}

static bool on_hit(struct detectors *d, unsigned number, size_t from, size_t to)
{
    const struct detect_trigger *trigger = &d->triggers[number];

    from += d->search.slice;
    to += d->search.slice;
    if (!is_on(d, trigger->detector))
        return true;
    if (!trigger->anchor)
        return put_pattern(d, number, from, to);
    if (to - trigger->length < d->search.from)
        return true;
    return put_found(d, (struct detect_found){ .at = to - trigger->length,
                                               .detector = trigger->detector,
                                               .form = (uint16_t)number,
                                               .recognise = trigger->anchor->recognise,
                                               .reaches_back = trigger->anchor->builtin == BUILTIN_EMAIL });
}

static bool on_digits(struct detectors *d, enum detect_builtin kind, size_t at)
{
    detect_recognise *recognise = kind == BUILTIN_CREDIT_CARD ? recognise_card
                                  : kind == BUILTIN_US_SSN    ? recognise_ssn
                                                              : recognise_iban;

    return put_found(d, (struct detect_found){ .at = at,
                                               .detector = (uint16_t)d->index[kind],
                                               .form = (uint16_t)(UINT16_MAX - kind),
                                               .recognise = recognise });
}

static unsigned digit_kinds(const struct detectors *d, const struct detect_how *how)
{
    return (unsigned)detector_is_on(d, how, BUILTIN_CREDIT_CARD) << BUILTIN_CREDIT_CARD |
           (unsigned)detector_is_on(d, how, BUILTIN_US_SSN) << BUILTIN_US_SSN |
           (unsigned)detector_is_on(d, how, BUILTIN_IBAN) << BUILTIN_IBAN;
}

static int compare(const void *a, const void *b)
{
    const struct detect_found *x = a, *y = b;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->form < y->form ? -1 : x->form > y->form;
}

static void sort_found(struct detect_found *found, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare(&found[i - 1], &found[i]) > 0) {
            qsort(found, n, sizeof *found, compare);
            return;
        }
}

int detect_search(struct detectors *d, const struct detect_how *how, const struct detect_view *v, size_t from)
{
    size_t ahead = v->ended ? 0 : AHEAD_OF_PATTERN;
    /* Nothing that begins at the edge of the slice, and so may be no match in truth, reaches as far as
     * `from`. */
    size_t behind = d->width ? d->width + 1 : 0;

    d->search.how = how;
    d->search.bytes = v->bytes;
    d->search.slice = from > behind ? from - behind : 0;
    d->search.from = from;
    d->search.to = v->n > ahead ? v->n - ahead : 0;
    d->search.n_found = 0;
    d->search.failed = false;
    d->effort.bytes += v->n - from;
    memset(d->search.last, 0, sizeof *d->search.last * d->count);
    if (d->engine)
        engine_search(d->engine, v->bytes + d->search.slice, v->n - d->search.slice, on_hit, d);
    unsigned kinds = digit_kinds(d, how);
    if (kinds)
        digits_search(v->bytes, from, v->n, kinds, false, on_digits, d);
    sort_found(d->search.found, d->search.n_found);
    return d->search.failed ? -ENOMEM : 0;
}

/* The end of the bytes may be the beginning of an anchor. */
static size_t hold_literals(const struct detectors *d, const struct detect_how *how,
                            const struct detect_view *v, size_t from)
{
    size_t hold = v->n;

    for (size_t i = 0; i < d->n_triggers; i++) {
        const struct detect_trigger *trigger = &d->triggers[i];
        if (!trigger->anchor || how->kinds[trigger->detector] == MASK_NONE)
            continue;
        const char *literal = trigger->anchor->literal;
        size_t most = trigger->length - 1 < v->n - from ? trigger->length - 1 : v->n - from;
        for (size_t k = most; v->n - k < hold; k--) {
            const char *end = (const char *)v->bytes + (v->n - k);
            if (trigger->anchor->caseless ? strncasecmp(end, literal, k) == 0 : memcmp(end, literal, k) == 0)
                hold = v->n - k;
        }
    }
    return hold;
}

static size_t hold_addresses(const struct detect_view *v)
{
    size_t hold = email_origin(v, v->n);

    if (v->n > 0 && v->bytes[v->n - 1] == '\'') { /* of o'brien */
        size_t before = email_origin(v, v->n - 1);
        hold = before < v->n - 1 && before < hold ? before : hold;
    }
    return hold;
}

static size_t hold_numbers(const struct detect_view *v)
{
    size_t hold = v->n;

    while (hold > 0 && v->n - hold < DETECT_DIGITS_AHEAD && class_has(v->bytes[hold - 1], CLASS_NUMBER))
        hold--;
    return hold;
}

/* Bytes that can all be in a match, up to the end; or up to a match that is not decided because of what may
 * stand right behind it. */
static size_t hold_pattern(const struct detect_user *user, const struct detect_view *v)
{
    size_t hold = v->n;

    for (size_t less = 0; less <= AHEAD_OF_PATTERN && less < v->n; less++) {
        size_t end = v->n - less, start = end;
        while (start > 0 && end - start < user->width && byte_set_has(&user->alphabet, v->bytes[start - 1]))
            start--;
        if (start < end && start < hold)
            hold = start;
    }
    return hold;
}

size_t detect_hold(const struct detectors *d, const struct detect_how *how, const struct detect_view *v,
                   size_t from)
{
    size_t hold = hold_literals(d, how, v, from);

    if (detector_is_on(d, how, BUILTIN_EMAIL)) {
        size_t address = hold_addresses(v);
        hold = address < hold ? address : hold;
    }
    if (digit_kinds(d, how)) {
        size_t number = hold_numbers(v);
        hold = number < hold ? number : hold;
    }
    for (size_t i = 0; i < d->count && d->width > 0; i++)
        if (d->list[i].builtin < 0 && how->kinds[i] != MASK_NONE) {
            size_t pattern = hold_pattern(&d->list[i].user, v);
            hold = pattern < hold ? pattern : hold;
        }
    return hold > from ? hold : from;
}

/* An @ with nothing before or behind it, a URL without an @, "ssn" in "className": not even worth a look. */
static bool is_plausible(const struct detect_anchor *anchor, const uint8_t *bytes, size_t at, size_t n)
{
    enum { URL_LOOKED_AT = 400, SSN_LOOKED_AT = 48 };
    size_t end;

    if (anchor->recognise == recognise_email)
        return at > 0 && class_has(bytes[at - 1], CLASS_LOCAL) && at + 1 < n &&
               class_has(bytes[at + 1], CLASS_LOCAL);
    if (anchor->recognise == recognise_url_password) {
        for (end = at + 3; end < n && end < at + URL_LOOKED_AT; end++)
            if (bytes[end] == '@')
                return true;
            else if (bytes[end] <= ' ' || bytes[end] == '/' || bytes[end] == '"')
                return false;
        return end < n;
    }
    if (anchor->recognise == recognise_jwt) {
        struct detect_view v = { .bytes = bytes + at, .n = n - at, .ended = true };
        struct detect_span span;
        return recognise_jwt(&v, 0, &span);
    }
    if (anchor->recognise != recognise_ssn_named)
        return true;
    for (end = at + 3; end < n && end < at + SSN_LOOKED_AT; end++)
        if (class_has(bytes[end], CLASS_DIGIT))
            return number_holds_ssn(bytes + end, n - end, true);
    return false;
}

static bool on_suspect(struct detectors *d, unsigned number, size_t from, size_t to)
{
    const struct detect_trigger *trigger = &d->triggers[number];

    (void)from;
    d->effort.places++;
    if (!is_on(d, trigger->detector))
        return true;
    if (trigger->anchor &&
        !is_plausible(trigger->anchor, d->search.bytes, d->search.slice + to - trigger->length, d->search.to))
        return true;
    d->search.unclean = true;
    return false;
}

static bool on_suspect_digits(struct detectors *d, enum detect_builtin kind, size_t at)
{
    const uint8_t *bytes = d->search.bytes + at;
    struct detect_view v = { .bytes = bytes, .n = d->search.to - at, .ended = true };
    struct detect_span span;

    d->effort.places++;
    d->search.unclean = kind == BUILTIN_CREDIT_CARD ? number_holds_card(bytes, v.n)
                        : kind == BUILTIN_US_SSN    ? number_holds_ssn(bytes, v.n, false)
                                                    : recognise_iban_inside(&v, 0, &span);
    return !d->search.unclean;
}

bool detect_is_clean(struct detectors *detectors, const struct detect_how *how, const void *bytes, size_t n)
{
    struct detectors *d = detectors;
    size_t overlap = d->width > DETECT_LITERAL_MAX ? d->width : DETECT_LITERAL_MAX;

    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].builtin < 0 && how->kinds[i] != MASK_NONE && !d->list[i].user.loose)
            return false;
    d->search.how = how;
    d->search.bytes = bytes;
    d->search.to = n;
    d->search.unclean = false;
    d->effort.bytes += n;
    unsigned kinds = digit_kinds(d, how);
    for (size_t at = 0; at < n && !d->search.unclean; at += SLICE_MAX) {
        d->search.slice = at > overlap ? at - overlap : 0;
        size_t end = n - at < SLICE_MAX ? n : at + SLICE_MAX;
        if (d->engine)
            engine_search(d->loose ? d->loose : d->engine, d->search.bytes + d->search.slice,
                          end - d->search.slice, on_suspect, d);
    }
    if (kinds && !d->search.unclean)
        digits_search(bytes, 0, n, kinds, true, on_suspect_digits, d);
    return !d->search.unclean;
}
