/* Executes processes of ours, each with its end of a control socket at CONTROL_FD. */
#pragma once
#include <sys/types.h>
#include "base/error.h"

/* A process group of its own (a terminal's Ctrl-C is for the listener), a clean environment, no signal
 * blocked. *ret_control is our end, close-on-exec. That the program can't be executed shows as exit status
 * 127. */
MUST_USE int child_start(const char *program, char *const arguments[], int *ret_control, pid_t *ret_pid);
