/* The masks of a target, ready for its PostgreSQL sessions. */
#pragma once
#include "channels/pg/veil.h"
#include "policy/masks.h"

/* All detectors that some mask of the configuration uses, compiled: in the zygote, since it takes a while.
 * *ret is NULL when there are none. */
MUST_USE int masking_compile(const Ipc__Config *config, struct detectors **ret);

/* For one identity on one target. */
struct masking {
    struct mask_set *masks; /* NULL: none of columns, and none that detects */
    struct detect_how detect;
    struct veil_how veil; /* borrows from the others */
    bool has_key;
    uint8_t key[MASK_KEY];
};

/* masking must not move afterwards. detectors: of masking_compile(); borrowed. */
MUST_USE int masking_init(struct masking *masking, const Ipc__Config *config, const struct circumstances *who,
                          struct detectors *detectors);
void masking_clear(struct masking *masking);
/* The vault's key for this target's hashes; anything but MASK_KEY bytes is none. */
void masking_set_key(struct masking *masking, const uint8_t *key, size_t n);
/* Whether answers have to be looked at. */
bool masking_is_needed(const struct masking *masking);
