/* The masks that apply to one session: which columns it may not see, and how it sees them instead. */
#pragma once
#include "policy/mask_text.h"
#include "policy/rules.h"

struct mask {
    const Ipc__Mask *text; /* borrowed from the configuration */
    enum mask_kind kind;
    bool predicates_allowed; /* masked_predicates: allow */
    bool writes_allowed;     /* masked_writes: allow */
};

struct mask_set;

/* Those of the configuration whose roles and targets are these; keeps pointers into config, which must
 * outlive it. -EINVAL for a kind that does not exist. *ret is NULL when there are none. */
MUST_USE int mask_set_new(const Ipc__Config *config, const struct circumstances *who, struct mask_set **ret);
void mask_set_free(struct mask_set *set);
DEFINE_CLEANUP(struct mask_set *, mask_set_free)

/* The first mask that names this column, or NULL. Names are the catalog's own: not quoted, not folded. A set
 * of NULL has none. */
const struct mask *mask_set_column(const struct mask_set *set, const char *schema, const char *table,
                                   const char *column);
/* The strictest of the masks of columns, for what nothing is known about: first one that denies conditions,
 * then one that asks somebody, then one that redacts. NULL when there are none. */
const struct mask *mask_set_worst(const struct mask_set *set);
/* The masks with detectors: calls the handler for each. */
void mask_set_detectors(const struct mask_set *set, void (*handler)(void *owner, const struct mask *mask),
                        void *owner);

/* Whether this one is for these roles on this target. */
bool mask_applies(const Ipc__Mask *mask, const struct circumstances *who);
