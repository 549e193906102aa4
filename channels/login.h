/* The login as the gate sees it: its own check of the certificate, the vault's, and the verdict for the
 * front. */
#pragma once
#include "channels/gate.h"

/* Starts the limit within which the login must be through. */
MUST_USE int login_expect(struct gate *gate);
/* Handlers: front Login, listener IssuerGiven, vault Vouched. */
int login_begin(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int login_issuer_given(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int login_vouched(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* Tells the front that it was nothing, and why; the process ends. */
void login_refuse(struct gate *gate, const char *message);
