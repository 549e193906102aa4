/* `gatehouse vault set NAME --type kubeconfig`. */
#pragma once
#include <stdio.h>
#include "base/error.h"

/* Reads a kubeconfig from fd and keeps the credential of its current context, as a token or a client-cert.
 * out: the CA's certificate and nothing else; said: what goes into the configuration, and what was left out.
 * Errors as vault_admin_set() has them. */
MUST_USE int vault_import(const char *state, const char *name, int fd, FILE *out, FILE *said,
                          struct detail *detail);
