/* How a process of ours begins: control socket, Start message, log. */
#pragma once
#include "base/ipc.h"
#include "base/jail.h"

enum {
    CONTROL_FD = 3, /* where the one who executed us put our end of the control socket */
    PACKED_CONFIG_MAX = 16 * 1024 * 1024, /* bytes of a configuration as it travels */
};

/* Reads the Start message from CONTROL_FD (2 s), opens the log under the kind's name, ignores SIGPIPE,
 * closes all other descriptors. On failure prints why and returns non-zero: exit with 78. fds as in
 * ipc_receive_now: their order is the message's. */
MUST_USE int process_begin(enum process_kind kind, Ipc__Message **ret_start, int ret_fds[IPC_FDS_MAX]);

/* Unpacks the configuration that came as a memfd; the fd stays the caller's. *ret is freed with
 * ipc__config__free_unpacked. -EBADMSG when it is none. */
MUST_USE int process_config(int fd, Ipc__Config **ret);
