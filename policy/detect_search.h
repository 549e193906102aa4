/* Inside of detect: where matches may be, and where the next bytes could still make one. */
#pragma once
#include "policy/detect_engine.h"
#include "policy/detect_parts.h"

struct detector {
    char name[DETECTOR_NAME_MAX + 1];
    int builtin; /* enum detect_builtin; -1: one of the configuration */
    struct detect_user user;
};

/* What a pattern of the engine stands for. */
struct detect_trigger {
    const struct detect_anchor *anchor; /* NULL: a pattern of the configuration */
    size_t length;                      /* of the anchor's literal */
    uint16_t detector;
};

struct detectors {
    struct detector list[DETECTORS_MAX];
    size_t count;
    struct engine *engine; /* NULL: nothing for it to do */
    struct engine *loose;  /* the same triggers, for detect_is_clean(); NULL: as engine */
    struct detect_trigger *triggers;
    size_t n_triggers;
    int index[BUILTIN_COUNT]; /* of built-in detectors; -1 */
    unsigned width;           /* of the longest match of a pattern */

    /* Of the search that is under way; what it found, sorted. */
    struct {
        const struct detect_how *how;
        const uint8_t *bytes;
        size_t slice, from,
            to; /* what the engine was given begins at slice; what counts lies between the others */
        struct detect_found *found;
        size_t n_found, room;
        size_t last[DETECTORS_MAX]; /* 1 + index of the latest match of each pattern */
        bool failed, unclean;
    } search;
    struct detect_effort effort;
    struct detect_span *spans; /* of the window that is decided */
    size_t n_spans, spans_room;
};

/* Finds the places from `from` on in bytes[0..n), into search.found. */
MUST_USE int detect_search(struct detectors *d, const struct detect_how *how, const struct detect_view *v,
                           size_t from);
/* The first byte that may become part of a match with what follows; n when there is none. */
size_t detect_hold(const struct detectors *d, const struct detect_how *how, const struct detect_view *v,
                   size_t from);

static inline bool detector_is_on(const struct detectors *d, const struct detect_how *how, int builtin)
{
    return d->index[builtin] >= 0 && how->kinds[d->index[builtin]] != MASK_NONE;
}
