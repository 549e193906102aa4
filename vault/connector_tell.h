/* What a connector says to the vault and to the gate. */
#pragma once
#include "vault/connector.h"

/* text is for the log, never for the agent. */
void tell_vault(int vault, bool ok, const char *text);
void tell_vault_all(int vault, Ipc__JobDone *done);
/* After tell_vault(): a gate that is refused may end at once, and a vault whose client is gone no longer asks
 * what became of the login. The agent learns that the target is unavailable, and its own mistakes; the log
 * says the rest. option: the setting that the target does not take, or NULL. */
void refuse_gate(const struct job *job, const char *option);
MUST_USE int tell_gate(const struct job *job, Ipc__Connected *connected, const int *fds, size_t n_fds);
