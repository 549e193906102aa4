/* Asks an API server what people are shown of a held request (channels/kube/preview.h), on a connection of
 * its own, and tells the ledger. Nobody waits for it: what can't be had in time is not shown. */
#pragma once
#include "channels/channel.h"
#include "channels/kube/preview.h"

enum { KUBE_PREVIEW_WAIT_MS = 10 * 1000 }; /* for all of it, the connection included */

struct kube_preview_task;

/* preview: the task's from here on, also on failure. ids: of the requests for approval; copied. It is over in
 * its own time; freeing it earlier gives it up. */
MUST_USE int kube_preview_task_new(struct channel *channel, struct kube_preview *preview,
                                   const char *const *ids, size_t n_ids, struct kube_preview_task **ret);
/* Tells nobody: done() gets the preview, in which what was had by then is, and may free the task. */
typedef void kube_preview_done(void *owner, const struct kube_preview *preview);
MUST_USE int kube_preview_task_to(struct channel *channel, struct kube_preview *preview,
                                  kube_preview_done *done, void *owner, struct kube_preview_task **ret);
void kube_preview_task_free(struct kube_preview_task *task);
