/* SFTP version 3 between a client and a target's sftp server: docs/ssh-targets.md, section Transfers. */
#pragma once
#include "channels/sftp/transfer.h"

enum {
    SFTP_FILES_MAX = 1024,  /* open at once in one session */
    SFTP_PENDING_MAX = 512, /* requests that the target has not answered: the client waits then */
};

MUST_USE int sftp_transfer_new(const struct transfer_host *host, struct transfer **ret);
