/* `ssh -t BASTION approvals`: the live screen (channels/screen/) on a channel's terminal. */
#pragma once
#include "channels/channel.h"

/* Whether the channel's terminal can show it; else a table is better. */
bool approvals_screen_fits(const struct channel *channel);
void approvals_screen_begin(struct channel *channel);
