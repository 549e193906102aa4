/* The texts of detect_cases/, and searching them in every way there is. */
#pragma once
#include <stdbool.h>
#include "policy/detect.h"

enum {
    FIXTURE_TEXT_MAX = 256 * 1024,
    FIXTURE_NAMES_MAX = 32,
};

/* One line of a file: what goes in, and what must come out with `with: redact`. */
struct fixture_case {
    uint8_t *in, *out;
    size_t in_n, out_n;
    bool marked;
};

/* Calls body for each line of detect_cases/NAME.txt that is not a comment. */
typedef void fixture_body(const struct fixture_case *c, const char *name, unsigned line);
void fixture_each(const char *name, fixture_body *body);

/* All built-in detectors, and these patterns. */
struct detectors *fixture_detectors(const struct detect_pattern *patterns, size_t n);
/* Everything is redacted; only == -1: all of them. */
struct detect_how fixture_redact(const struct detectors *detectors, int only);
int fixture_index(const struct detectors *detectors, const char *name);

/* The block form; out is a buffer of the caller. */
void fixture_block(struct detectors *d, const struct detect_how *how, const void *bytes, size_t n,
                   struct buffer *out);
/* A stream that gets the bytes in pieces that end at cuts[0] < cuts[1] < …, then the rest. */
void fixture_stream(struct detectors *d, const struct detect_how *how, const void *bytes, size_t n,
                    const size_t *cuts, size_t n_cuts, struct buffer *out);
void fixture_same(const struct buffer *out, const void *bytes, size_t n, const char *name, unsigned line);
