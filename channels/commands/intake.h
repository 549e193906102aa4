/* What a client sends on a session's stdin, for commands that read it themselves. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/loop.h"

struct channel;
struct intake;

enum intake_event {
    INTAKE_BYTES,
    INTAKE_END, /* the client sends no more, and may still read */
    INTAKE_GONE /* nor does it read any more; the last event */
};

/* bytes, n: of INTAKE_BYTES. The handler may free the intake. */
typedef void intake_handler(void *owner, enum intake_event event, const uint8_t *bytes, size_t n);

/* Reads at once. The channel's descriptor stays its own. */
MUST_USE int intake_new(struct channel *channel, intake_handler *handler, void *owner, struct intake **ret);
void intake_free(struct intake *intake);
/* While it is off the client's window fills up, and it waits. */
void intake_on(struct intake *intake, bool on);
