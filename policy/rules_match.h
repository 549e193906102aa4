/* One `match:` block, prepared, against one effect. Private to the rules. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"
#include "policy/effect.h"
#include "policy/rules.h"

struct block;

/* -EINVAL for an unknown kind of statement, -ENOMEM. Keeps pointers into match. */
MUST_USE int block_new(const Ipc__Match *match, struct block **ret);
void block_free(struct block *block);
DEFINE_CLEANUP(struct block *, block_free)

/* Names and columns in SQL text do not always say which object is meant. SURELY: it is a match whatever is
 * meant; PERHAPS: it may be one. Rules that allow need SURELY; for those that refuse PERHAPS is enough. */
enum certainty { SURELY, PERHAPS };

/* Whether the block holds for this effect. */
bool block_matches(const struct block *block, const struct circumstances *who, const struct effect *effect,
                   enum certainty certainty);
/* Whether a `not:` in the block may be about this effect's function. */
bool block_excludes_function(const struct block *block, const struct circumstances *who,
                             const struct effect *effect);
