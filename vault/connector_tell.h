/* What a connector says to the vault and to the gate. */
#pragma once
#include "vault/connector.h"

/* text is for the log, never for the agent. */
void tell_vault(int vault, bool ok, const char *text);
void tell_vault_all(int vault, Ipc__JobDone *done);
/* The agent learns that the target is unavailable, and its own mistakes; the log says the rest. option: the
 * setting that the target does not take, or NULL. */
void refuse_gate(const struct job *job, const char *option);
MUST_USE int tell_gate(const struct job *job, Ipc__Connected *connected, const int *fds, size_t n_fds);
