/* TokenRequest: the vault's errand to get a bounded token for a Kubernetes target (vault/bounded.h). */
#pragma once
#include "vault/connector.h"

/* Asks with the stored credential, which is wiped, and tells the vault. Returns the exit status. */
MUST_USE int token_run(struct job *job, char *secret, size_t secret_n, int vault);
