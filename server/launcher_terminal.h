/* Pseudo-terminals for tools. */
#pragma once
#include "base/error.h"
#include "base/ipc.h"

enum { TERMINAL_SIDE_MAX = 4096 }; /* columns or rows; more is cut */

/* Opens a pair of the wanted size, close-on-exec. The master is non-blocking, for the gate. */
MUST_USE int terminal_open(const Ipc__Pty *wanted, int *ret_master, int *ret_slave);
