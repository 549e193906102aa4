/* The protocol of scp as it was before it used SFTP (`scp -O`): rcp's, between two programs of which one
 * sends files. */
#pragma once
#include "policy/transfer_command.h"
#include "channels/sftp/transfer.h"

enum {
    SCP_LINE_MAX = 8 * 1024, /* bytes of a control line or a message; OpenSSH's own are shorter */
    SCP_DEPTH_MAX = 256,     /* directories inside of each other */
};

/* Takes over what command owns; it is empty afterwards. */
MUST_USE int scp_transfer_new(const struct transfer_host *host, struct transfer_command *command,
                              struct transfer **ret);
