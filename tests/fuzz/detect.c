/* Any bytes, cut in any way: a stream gives what the block gives, holds back no more than it may, and what is
 * taken for clean has no match in any cell of it. Every detector is on, and four patterns.
 *
 * The first bytes of the input are where the rest is cut. */
#include <stdlib.h>
#include <string.h>
#include "policy/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
    CUTS = 8,
    NAMES_MAX = 32,
    OUT_MAX = 16 << 20,
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct detectors *compiled(void)
{
    static const struct detect_pattern patterns[] = { { "employee", "\\bEMP-[0-9]{3,6}\\b", NULL },
                                                      { "loud", "(?i)loud{1,3}x?", NULL },
                                                      { "last", "z[^q]{2,40}$", NULL },
                                                      { "numbers", "[0-9]{4,12}", "luhn" } };
    const char *names[NAMES_MAX];
    static struct detectors *d;
    size_t n = 0;

    while (detector_builtin(n)) {
        names[n] = detector_builtin(n);
        n++;
    }
    if (!d)
        require(detectors_new(names, n, patterns, sizeof patterns / sizeof *patterns, &d, NULL) == 0);
    return d;
}

static void search_whole(struct detectors *d, const struct detect_how *how, const uint8_t *bytes, size_t n,
                         struct buffer *out)
{
    int r = detect_block(d, how, bytes, n, out, NULL);

    require(r == 0 || r == 1);
    require(detect_fires(d, how, bytes, n, NULL) == r);
    if (r == 0)
        require(buffer_size(out) == 0 && buffer_append(out, bytes, n) == 0);
}

static void search_pieces(struct detectors *d, const struct detect_how *how, const uint8_t *cuts,
                          const uint8_t *bytes, size_t n, bool flushed, struct buffer *out)
{
    struct detect_stream *stream = NULL;
    size_t at = 0;

    require(detect_stream_new(d, how, &stream) == 0);
    for (size_t i = 0; i <= CUTS; i++) {
        size_t left = n - at, piece = i < CUTS ? (size_t)cuts[i] * (left < 256 ? 1 : left / 256) : left;
        piece = piece > left ? left : piece;
        require(detect_feed(stream, bytes + at, piece, out) == 0);
        require(detect_held(stream) <= DETECT_HOLD_MAX);
        if (flushed) {
            require(detect_flush(stream, out) == 0);
        }
        at += piece;
    }
    require(detect_end(stream, out) == 0);
    detect_stream_free(stream);
}

/* Where a cell begins: a word of four bytes before it, of which the cuts say what. */
static size_t put_frame(uint8_t cut, uint8_t *out)
{
    out[0] = 0;
    for (unsigned i = 1; i < DETECT_FRAME; i++)
        out[i] = cut >> i & 1 ? (uint8_t)('0' + cut % 10) : (uint8_t)(cut * i);
    return DETECT_FRAME;
}

/* No cell of what is clean holds a match. */
static void check_clean(struct detectors *d, struct detect_how *how, const uint8_t *cuts,
                        const uint8_t *bytes, size_t n)
{
    uint8_t *framed = malloc(n + CUTS * DETECT_FRAME);
    size_t starts[CUTS], ends[CUTS], at = 0, from = 0;

    require(framed != NULL);
    for (size_t i = 0; i < CUTS; i++) {
        size_t to = i + 1 < CUTS ? from + (n - from) * cuts[i] / 256 : n;
        at += put_frame(cuts[CUTS - 1 - i], framed + at);
        memcpy(framed + at, bytes + from, to - from);
        starts[i] = at;
        ends[i] = at += to - from;
        from = to;
    }
    if (detect_is_clean(d, how, framed, at))
        for (size_t i = 0; i < CUTS; i++)
            require(detect_fires(d, how, framed + starts[i], ends[i] - starts[i], NULL) == 0);
    free(framed);
    if (detect_is_clean(d, how, bytes, n))
        require(detect_fires(d, how, bytes, n, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct detectors *d = compiled();
    struct detect_how how = { .key = NULL };
    struct buffer whole, pieces, flushed;

    if (n < CUTS)
        return 0;
    for (size_t i = 0; i < detectors_count(d); i++)
        how.kinds[i] = MASK_REDACT;
    buffer_init(&whole, OUT_MAX);
    buffer_init(&pieces, OUT_MAX);
    buffer_init(&flushed, OUT_MAX);
    search_whole(d, &how, bytes + CUTS, n - CUTS, &whole);
    search_pieces(d, &how, bytes, bytes + CUTS, n - CUTS, false, &pieces);
    search_pieces(d, &how, bytes, bytes + CUTS, n - CUTS, true, &flushed);
    require(buffer_size(&whole) == buffer_size(&pieces) &&
            (buffer_size(&whole) == 0 ||
             memcmp(buffer_head(&whole), buffer_head(&pieces), buffer_size(&whole)) == 0));
    check_clean(d, &how, bytes, bytes + CUTS, n - CUTS);
    buffer_free(&whole);
    buffer_free(&pieces);
    buffer_free(&flushed);
    return 0;
}
