/* Detectors: known kinds of personal data and secrets found in any bytes, and shown masked. docs/masking.md
 * says what each one takes for a match.
 *
 * What is found does not depend on how the bytes arrive: a stream gives for every split what detect_block()
 * gives for the whole. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"
#include "policy/mask_text.h"

enum {
    DETECTORS_MAX = 128,        /* built-in ones and patterns together */
    DETECTOR_NAME_MAX = 32,     /* bytes */
    DETECT_PATTERN_MAX = 1024,  /* bytes of a pattern's text */
    DETECT_WIDTH_MAX = 1024,    /* bytes that a pattern may match at most */
    DETECT_HOLD_MAX = 4 * 1024, /* bytes that a stream ever holds back */
    DETECT_FRAME = 4,           /* digits of a frame: see detect_is_clean() */
};

/* A detector of the configuration. */
struct detect_pattern {
    const char *name, *pattern; /* PCRE syntax, as far as Hyperscan has it; bytes, not characters */
    const char
        *validator; /* "luhn", "iban", "mod97" …: detect_validator_exists(); NULL, "" and "none": none */
};

/* Whether there is a built-in detector of that name. The index counts from 0; NULL behind the last one. */
bool detector_exists(const char *name);
const char *detector_builtin(size_t index);
bool detect_validator_exists(const char *name);
/* 0, or 1 when the pattern cannot be a detector: says why, and where in the text (*ret_at, from 0). */
MUST_USE int detect_pattern_check(const struct detect_pattern *pattern, struct detail *why, size_t *ret_at);

struct detectors;
/* Compiled once, before the fork: 20 to 400 ms. Names are of built-in ones; unknown or double names and
 * faulty patterns are -EINVAL. Every process may search with its own copy, one search at a time. */
MUST_USE int detectors_new(const char *const *names, size_t n_names, const struct detect_pattern *patterns,
                           size_t n_patterns, struct detectors **ret, struct detail *why);
void detectors_free(struct detectors *detectors);
DEFINE_CLEANUP(struct detectors *, detectors_free)
/* In the order of names, then patterns. */
size_t detectors_count(const struct detectors *detectors);
const char *detectors_name(const struct detectors *detectors, size_t index);

/* What is done with the findings of each detector; by its index. */
struct detect_how {
    uint8_t kinds[DETECTORS_MAX]; /* enum mask_kind; MASK_NONE: not looked for */
    const uint8_t *key;           /* MASK_KEY bytes, for MASK_HASH; borrowed */
};
/* How often each detector fired; by its index. */
struct detect_tally {
    uint64_t fired[DETECTORS_MAX];
};

/* True: no part of these bytes that stands between frames holds a match. False: it may, look closer. So one
 * call for a packet spares one for each of its cells. A frame is whatever has a byte that is no digit, and at
 * most DETECT_FRAME digits at either end: the lengths of a protocol, a separator. */
bool detect_is_clean(struct detectors *detectors, const struct detect_how *how, const void *bytes, size_t n);
/* What searching has cost so far: bytes that were searched, and places that were looked at more closely. */
struct detect_effort {
    uint64_t bytes, places;
};
struct detect_effort detect_effort(const struct detectors *detectors);
/* A value by itself. Returns 1 and appends the masked value when there was a match; 0 and nothing appended
 * when there was none. tally may be NULL. */
MUST_USE int detect_block(struct detectors *detectors, const struct detect_how *how, const void *bytes,
                          size_t n, struct buffer *out, struct detect_tally *tally);
/* The same without output: does anything fire? */
MUST_USE int detect_fires(struct detectors *detectors, const struct detect_how *how, const void *bytes,
                          size_t n, struct detect_tally *tally);

/* Where the matches are, from the left to the right: start and length. An open one (docs/masking.md) is told
 * with what of it is there. */
typedef void detect_visit(void *visitor, size_t start, size_t n);
/* For who masks by himself. *ret_hold: the first byte that may become part of a match with what follows; n
 * when there is none. Matches in what is held are told as if nothing followed. */
MUST_USE int detect_look(struct detectors *detectors, const struct detect_how *how, const void *bytes,
                         size_t n, detect_visit *visit, void *visitor, size_t *ret_hold);

struct detect_stream;
/* Both are borrowed, and outlive the stream. */
MUST_USE int detect_stream_new(struct detectors *detectors, const struct detect_how *how,
                               struct detect_stream **ret);
void detect_stream_free(struct detect_stream *stream);
DEFINE_CLEANUP(struct detect_stream *, detect_stream_free)
/* Appends what is surely clean, and what stands for matches; holds back what may be the beginning of one.
 * After a failure (out is full, no memory) the stream is over: part of the input may be lost. */
MUST_USE int detect_feed(struct detect_stream *stream, const void *bytes, size_t n, struct buffer *out);
/* Bytes held back. */
size_t detect_held(const struct detect_stream *stream);
/* For terminals, when nothing came for a while: lets go what is held back. The search goes on behind it as if
 * it had not been shown: of a match that turns out to have begun there, what is left is masked. */
MUST_USE int detect_flush(struct detect_stream *stream, struct buffer *out);
/* Nothing follows. The stream can be used anew. */
MUST_USE int detect_end(struct detect_stream *stream, struct buffer *out);
const struct detect_tally *detect_stream_tally(const struct detect_stream *stream);
