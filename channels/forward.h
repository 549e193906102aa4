/* A forwarded connection (-L, -W): to a target, in the one protocol that the target declares. */
#pragma once
#include "channels/channel.h"

void forward_begin(struct channel *channel, const Ipc__Forward *forward);
