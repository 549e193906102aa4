/* Moves bytes between an SSH channel and its gate (struct channel_side), both ways, each with back-pressure.
 */
#pragma once
#include "server/front_channel.h"

/* Gives the gate what libssh has kept back; after the client's EOF ends what goes there. */
void pump_to_gate(struct front_channel *c);
/* Moves at most one chunk of a side; false when nothing moved. */
bool pump_to_client(struct front_channel *c, struct channel_side *side);
/* The client may still be sent output. */
bool pump_is_open(const struct front_channel *c);
/* Hands over as much as libssh takes: fewer than n only in a key exchange. Negative: the channel is lost. */
int pump_write(struct front_channel *c, const void *bytes, size_t n, bool is_error);
/* Sends what a key exchange had left over; true when nothing is left of it. */
bool pump_left_over(struct front_channel *c);
