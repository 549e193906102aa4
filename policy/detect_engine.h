/* The one wrapper of Hyperscan (or Vectorscan: the same interface): patterns in, places out. */
#pragma once
#include "policy/detect.h"

struct engine_pattern {
    const char *text;
    bool caseless;
    bool with_start; /* the beginning of a match is wanted too, from the pattern that needs it */
};

struct engine;

/* Pattern numbers are their indexes. -EINVAL: *ret_bad is the pattern that could not be taken, why says more.
 */
MUST_USE int engine_new(const struct engine_pattern *patterns, size_t n, struct engine **ret, size_t *ret_bad,
                        struct detail *why);
void engine_free(struct engine *engine);
DEFINE_CLEANUP(struct engine *, engine_free)

/* from is 0 unless the pattern is with_start. Returns false to stop. */
struct detectors;
typedef bool engine_hit(struct detectors *d, unsigned pattern, size_t from, size_t to);
/* At most UINT32_MAX bytes. */
void engine_search(struct engine *engine, const uint8_t *bytes, size_t n, engine_hit *hit,
                   struct detectors *d);

/* How many bytes a pattern matches. -EINVAL: why, and *ret_at is the place in its text. */
MUST_USE int engine_measure(const char *pattern, unsigned *ret_least, unsigned *ret_most, struct detail *why,
                            size_t *ret_at);
enum { ENGINE_UNBOUNDED = 0xffffffff };
