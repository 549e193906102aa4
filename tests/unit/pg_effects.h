/* A mode of pg_harness: statements from stdin, one on each line, to the effects that they have in the
 * target's catalog. */
#pragma once
#include "channels/pg/catalog_link.h"

/* Ends the loop at the end of stdin. A line "\reset" begins a new session. */
void pg_effects_begin(struct loop *loop, struct catalog_link *link);
