/* Approvals as they happen, as JSON lines: `approvals --json --follow`, and both ways for programs as
 * `ssh -s BASTION approvals` (docs/approvals-protocol.md). */
#pragma once
#include "channels/channel.h"

/* program: both ways. */
void approvals_stream_begin(struct channel *channel, bool program);
