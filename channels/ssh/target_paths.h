/* Where paths lead at a target, for transfers that can't ask it themselves: a second session at it, of its
 * sftp server. */
#pragma once
#include "channels/sftp/transfer.h"
#include "channels/ssh/upstream.h"

struct target_paths;

/* The answer; not from inside of target_paths_ask(). Both arguments may be gone when it returns. */
typedef void target_paths_answer(void *owner, const struct resolved_path *path);

/* upstream outlives it. Nothing is begun before the first question. */
MUST_USE int target_paths_new(struct loop *loop, struct upstream *upstream, target_paths_answer *answer,
                              void *owner, struct target_paths **ret);
void target_paths_free(struct target_paths *paths);
/* One question at a time. upstream_settle_later() was called. */
void target_paths_ask(struct target_paths *paths, const char *path);
