/* rsync and git: what their command lines name is decided on before they run; what they say to each other is
 * theirs. */
#pragma once
#include "policy/transfer_command.h"
#include "channels/sftp/transfer.h"

/* Takes over what command owns; it is empty afterwards. line: the command line, for the recording. */
MUST_USE int opaque_transfer_new(const struct transfer_host *host, struct transfer_command *command,
                                 const char *line, struct transfer **ret);
