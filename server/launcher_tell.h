/* What the launcher says to a gate about its tools. A gate that is NULL is gone: nothing is said. */
#pragma once
#include <stdbool.h>
#include "base/ipc.h"

void tell_refused(struct ipc_peer *gate, uint32_t request, const char *code, const char *message);
/* The fds are borrowed. */
void tell_running(struct ipc_peer *gate, uint32_t request, const int *fds, size_t n_fds, bool forwards);
void tell_connected(struct ipc_peer *gate, uint32_t request, int stream);
void tell_exited(struct ipc_peer *gate, uint32_t request, int wait_status);
