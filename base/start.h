/* How a process of ours begins: control socket, Start message, log. */
#pragma once
#include "base/ipc.h"
#include "base/jail.h"

enum { CONTROL_FD = 3 }; /* where the one who executed us put our end of the control socket */

/* Reads the Start message from CONTROL_FD (2 s), opens the log under the kind's name, ignores SIGPIPE,
 * closes all other descriptors. On failure prints why and returns non-zero: exit with 78. fds as in
 * ipc_receive_now: their order is the message's. */
MUST_USE int process_begin(enum process_kind kind, Ipc__Message **ret_start, int ret_fds[IPC_FDS_MAX]);
