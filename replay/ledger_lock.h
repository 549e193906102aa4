/* One ledger for a state directory: two would write one audit chain. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"

/* Takes STATE/audit/lock for the life of the process, in *ret_fd. The ledger of a listener that was killed
 * seals what is open before it ends: it is waited for, up to LEDGER_LOCK_MS, and the log says so. -EBUSY
 * beyond that. Before the jail. */
MUST_USE int ledger_lock(const char *state, int *ret_fd, struct detail *detail);
