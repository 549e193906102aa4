/* Bytes from one descriptor to another, seen on their way; back-pressure by not reading. */
#pragma once
#include <stdbool.h>
#include "base/loop.h"

struct pump;

/* Called before the bytes go on; anything but 0 stops the pump and nothing of them is passed. */
typedef int pump_watch(void *owner, const void *bytes, size_t n);
/* Called once: the source ended and all of it was written (error 0), or something broke (negative errno). The
 * destination has been shut down for writing. The pump may be freed here. */
typedef void pump_end(void *owner, int error);

/* Works on duplicates of both descriptors: the caller's stay its own. watch may be NULL. */
MUST_USE int pump_new(struct loop *loop, int from, int to, pump_watch *watch, pump_end *end, void *owner,
                      struct pump **ret);
/* The destination stays open for others when the source has ended. */
void pump_keep_open(struct pump *pump);
void pump_free(struct pump *pump);
DEFINE_CLEANUP(struct pump *, pump_free)
