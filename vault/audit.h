/* What the vault itself enters in the audit chain: the ledger is told, and no gate is asked. */
#pragma once
#include "vault/vault.h"

/* A link to the ledger: fd is the vault's from here on. It takes the place of an earlier one. */
void vault_link(struct vault *vault, int fd);
/* Pairs of names and values, ended by NULL: report_send(). */
MUST_USE __attribute__((sentinel)) int vault_audit(struct vault *vault, const char *event, ...);
