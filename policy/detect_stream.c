/* Deciding, and putting the masks in place. The bytes are decided from the left to the right: everything
 * before `decided` is out, or hidden; everything behind is looked at again when more has come.
 *
 * - A place that needs bytes which have not come yet holds itself and all that follows it.
 * - Matches that overlap are one: the first (and of those that begin together the longest) gives the name,
 * the others only say how far it reaches.
 * - An open match (a JWT, a key block) is replaced at once; then bytes are dropped for as long as they are
 * part of it, and nothing is searched inside of it. So there is no limit to its length and no need to hold
 * it. */
#include "policy/detect_search.h"

#include <errno.h>
#include <string.h>

enum {
    SPANS_FIRST = 64,
    WINDOW_MAX = DETECT_PIECE + DETECT_HOLD_MAX + DETECT_WIDTH_MAX + DETECT_BEHIND_MAX + 1,
};

/* Offsets into the window. */
struct decision {
    struct detectors *detectors;
    const struct detect_how *how;
    size_t decided;
    size_t covered; /* bytes before it are part of a match: dropped. May lie behind decided */
    size_t closed;  /* nothing is searched before it: an open match has ended there */
    size_t shown;   /* bytes before it are out already, by a flush */
    struct detect_open open;
    struct detect_tally *tally; /* or NULL */
    bool quiet;                 /* no output before the first match */
    bool fired;
    detect_visit *visit; /* is told of matches; or NULL */
    void *visitor;
};

struct detect_stream {
    struct decision decision;
    struct buffer window;
    struct detect_tally tally;
};

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static enum mask_shape shape_of(const struct detector *detector, const uint8_t *value, size_t n)
{
    switch (detector->builtin) {
    case -1:
        return mask_shape_of(value, n);
    case BUILTIN_EMAIL:
        return SHAPE_EMAIL;
    case BUILTIN_CREDIT_CARD:
    case BUILTIN_US_SSN:
    case BUILTIN_IBAN:
        return SHAPE_NUMBER;
    default:
        return SHAPE_SECRET;
    }
}

/* Of an open match the value is not known, of one that is partly shown it must not be repeated: redacted. */
static int put_mask(struct decision *s, const struct detect_view *v, const struct detect_span *span,
                    struct buffer *out)
{
    const struct detector *detector = &s->detectors->list[span->detector];
    bool whole = span->tail == TAIL_NONE && span->start >= s->shown;
    const uint8_t *value = v->bytes + span->start;
    size_t n = span->end - span->start;
    struct mask_text mask = { .kind = whole ? s->how->kinds[span->detector] : MASK_REDACT,
                              .shape = shape_of(detector, value, n),
                              .label = detector->name,
                              .key = s->how->key };

    if (s->tally)
        s->tally->fired[span->detector]++;
    s->fired = true;
    if (s->visit)
        s->visit(s->visitor, span->start, n);
    return out ? mask_text(&mask, value, n, out) : 0;
}

static int put_clean(const struct decision *s, const struct detect_view *v, size_t from, size_t to,
                     struct buffer *out)
{
    if (from >= to || !out || (s->quiet && !s->fired))
        return 0;
    return buffer_append(out, v->bytes + from, to - from);
}

static int compare_spans(const void *a, const void *b)
{
    const struct detect_span *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    return x->detector < y->detector ? -1 : x->detector > y->detector;
}

/* Everything before hold goes out, with its masks. */
static int release(struct decision *s, const struct detect_view *v, size_t hold, struct buffer *out)
{
    struct detectors *d = s->detectors;
    size_t floor = most(most(s->decided, s->covered), s->shown);
    int r = 0;

    if (d->n_spans > 1)
        qsort(d->spans, d->n_spans, sizeof *d->spans, compare_spans);
    for (size_t i = 0; i < d->n_spans && r == 0 && d->spans[i].start < hold; i++) {
        const struct detect_span *span = &d->spans[i];
        if (span->tail != TAIL_NONE)
            s->closed = most(s->closed, span->end);
        if (span->end <= floor)
            continue;
        if (span->start >= s->covered) {
            if (s->quiet && !s->fired && out)
                r = buffer_append(out, v->bytes, span->start);
            r = r ? r : put_clean(s, v, floor, span->start, out);
            r = r ? r : put_mask(s, v, span, out);
        }
        s->covered = floor = span->end;
    }
    r = r ? r : put_clean(s, v, floor, hold, out);
    s->decided = hold;
    return r;
}

static int put_span(struct detectors *d, const struct detect_span *span)
{
    if (d->n_spans == d->spans_room) {
        size_t room = d->spans_room ? d->spans_room * 2 : SPANS_FIRST;
        struct detect_span *more = reallocarray(d->spans, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        d->spans = more;
        d->spans_room = room;
    }
    d->spans[d->n_spans++] = *span;
    return 0;
}

static bool recognise(const struct detect_found *found, struct detect_view *v, struct detect_span *ret)
{
    *ret = (struct detect_span){
        .start = found->at, .end = found->end, .detector = found->detector, .at = found->at
    };
    v->starved = false;
    return found->recognise ? found->recognise(v, found->at, ret) : true;
}

/* What the places of a window turned out to be. */
struct outcome {
    size_t hold;
    size_t resume; /* what begins before it is inside of an open match that has ended */
    bool stuck;    /* at a place that needs more bytes */
    bool opened;   /* the last match goes on behind the window */
    struct detect_open open;
};

/* The match has no fixed end: follows it. */
static void follow_tail(struct detect_view *v, struct detect_span *span, struct outcome *o)
{
    bool over = false;

    o->open = (struct detect_open){ .tail = span->tail };
    span->end = tail_end(v, span->end, &o->open, &over);
    o->resume = span->end;
    o->opened = !over;
}

static int decide(struct decision *s, struct detect_view *v, struct outcome *o)
{
    struct detectors *d = s->detectors;

    d->n_spans = 0;
    for (size_t i = 0; i < d->search.n_found && !o->opened; i++) {
        const struct detect_found *found = &d->search.found[i];
        struct detect_span span;
        if (found->at < o->resume)
            continue;
        bool is_match = !o->stuck && recognise(found, v, &span);
        o->stuck = o->stuck || v->starved;
        if (o->stuck) {
            size_t origin = found->reaches_back ? email_origin(v, found->at) : found->at;
            o->hold = origin < o->hold ? origin : o->hold;
            continue;
        }
        if (is_match && span.tail != TAIL_NONE)
            follow_tail(v, &span, o);
        int r = is_match ? put_span(d, &span) : 0;
        if (r)
            return r;
    }
    return 0;
}

/* What is not released is found again: the place that points at it must be held as well. By one pass from
 * behind, since the places are in order. */
static size_t hold_places(const struct detectors *d, size_t hold)
{
    for (size_t i = d->n_spans; i-- > 0;)
        if (d->spans[i].start >= hold && d->spans[i].at < hold)
            hold = d->spans[i].at;
    return hold;
}

/* Goes on in an open match; true when it has ended. */
static bool end_open(struct decision *s, struct detect_view *v)
{
    bool over = false;

    s->decided = s->covered = tail_end(v, s->decided, &s->open, &over);
    if (over)
        s->open = (struct detect_open){ 0 };
    return over;
}

/* Decides what can be decided of the window. */
static int run(struct decision *s, struct detect_view v, struct buffer *out)
{
    if (s->open.tail != TAIL_NONE && !end_open(s, &v))
        return 0;
    int r = detect_search(s->detectors, s->how, &v, s->decided);
    if (r)
        return r;
    struct outcome o = { .hold = v.ended ? v.n : detect_hold(s->detectors, s->how, &v, s->decided),
                         .resume = most(s->decided, s->closed) };
    r = decide(s, &v, &o);
    if (r)
        return r;
    o.hold = most(hold_places(s->detectors, o.hold), s->decided);
    size_t start = o.opened ? s->detectors->spans[s->detectors->n_spans - 1].start : 0;
    bool opens = o.opened && start < o.hold;
    size_t end = o.resume;
    if (opens)
        o.hold = end;
    r = release(s, &v, o.hold, out);
    if (opens)
        s->open = o.open;
    return r;
}

static int run_block(struct decision *s, const uint8_t *bytes, size_t n, struct buffer *out)
{
    int r = 0;

    for (size_t end = 0; end < n && r == 0;) {
        end = n - end < DETECT_PIECE ? n : end + DETECT_PIECE;
        r = run(s, (struct detect_view){ .bytes = bytes, .n = end, .ended = end == n }, out);
    }
    return r;
}

int detect_block(struct detectors *detectors, const struct detect_how *how, const void *bytes, size_t n,
                 struct buffer *out, struct detect_tally *tally)
{
    struct decision s = { .detectors = detectors, .how = how, .tally = tally, .quiet = true };
    int r = run_block(&s, bytes, n, out);

    return r ? r : s.fired;
}

int detect_fires(struct detectors *detectors, const struct detect_how *how, const void *bytes, size_t n,
                 struct detect_tally *tally)
{
    return detect_block(detectors, how, bytes, n, NULL, tally);
}

int detect_look(struct detectors *detectors, const struct detect_how *how, const void *bytes, size_t n,
                detect_visit *visit, void *visitor, size_t *ret_hold)
{
    struct decision s = { .detectors = detectors, .how = how, .visit = visit, .visitor = visitor };
    int r = 0;
    for (size_t end = 0; end < n && r == 0;) {
        end = n - end < DETECT_PIECE ? n : end + DETECT_PIECE;
        r = run(&s, (struct detect_view){ .bytes = bytes, .n = end }, NULL);
    }
    if (r)
        return r;
    *ret_hold = s.decided;
    if (s.decided == n)
        return 0;
    /* What is held may be a match as it stands: nothing has to follow. */
    return run(&s, (struct detect_view){ .bytes = bytes, .n = n, .ended = true }, NULL);
}

int detect_stream_new(struct detectors *detectors, const struct detect_how *how, struct detect_stream **ret)
{
    struct detect_stream *stream = calloc(1, sizeof *stream);

    if (!stream)
        return -ENOMEM;
    buffer_init(&stream->window, WINDOW_MAX);
    stream->decision = (struct decision){ .detectors = detectors, .how = how, .tally = &stream->tally };
    *ret = stream;
    return 0;
}

void detect_stream_free(struct detect_stream *stream)
{
    if (!stream)
        return;
    buffer_free(&stream->window);
    free(stream);
}

static struct detect_view view_of(const struct detect_stream *stream, bool ended)
{
    return (struct detect_view){ .bytes = buffer_head(&stream->window),
                                 .n = buffer_size(&stream->window),
                                 .ended = ended };
}

static size_t less(size_t a, size_t b)
{
    return a > b ? a - b : 0;
}

/* Drops what no recogniser looks back at any more. */
static void trim(struct detect_stream *stream)
{
    struct decision *s = &stream->decision;
    size_t drop = less(s->decided, most(DETECT_BEHIND_MAX, s->detectors->width + 1));

    buffer_consume(&stream->window, drop);
    s->decided -= drop;
    s->covered = less(s->covered, drop);
    s->closed = less(s->closed, drop);
    s->shown = less(s->shown, drop);
}

int detect_feed(struct detect_stream *stream, const void *bytes, size_t n, struct buffer *out)
{
    const uint8_t *next = bytes;
    int r = 0;

    while (n > 0 && r == 0) {
        size_t piece = n < DETECT_PIECE ? n : DETECT_PIECE;
        r = buffer_append(&stream->window, next, piece);
        r = r ? r : run(&stream->decision, view_of(stream, false), out);
        if (r == 0)
            trim(stream);
        next += piece;
        n -= piece;
    }
    return r;
}

size_t detect_held(const struct detect_stream *stream)
{
    return less(buffer_size(&stream->window), most(stream->decision.decided, stream->decision.shown));
}

int detect_flush(struct detect_stream *stream, struct buffer *out)
{
    struct decision as_if_ended = stream->decision;
    struct detect_view v = view_of(stream, true);

    if (stream->decision.open.tail != TAIL_NONE || detect_held(stream) == 0)
        return 0;
    int r = run(&as_if_ended, v, out);
    stream->decision.shown = v.n;
    return r;
}

int detect_end(struct detect_stream *stream, struct buffer *out)
{
    struct decision *s = &stream->decision;
    int r = buffer_size(&stream->window) ? run(s, view_of(stream, true), out) : 0;

    buffer_free(&stream->window);
    *s = (struct decision){ .detectors = s->detectors, .how = s->how, .tally = s->tally };
    return r;
}

const struct detect_tally *detect_stream_tally(const struct detect_stream *stream)
{
    return &stream->tally;
}
