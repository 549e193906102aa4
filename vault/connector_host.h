/* Reaching an SSH target: the connection, and what the gate's SSH client needs to log in over it. */
#pragma once
#include "vault/connector.h"

/* In the zygote, before the jail. */
void host_start(void);
/* Connects, gets the certificate from the vault or becomes the agent of the key in `secret` (which is wiped),
 * or asks for the password when the gate does; tells gate and vault, and returns the exit status once nothing
 * is left to do. The job's alarm is running.
 */
MUST_USE int host_run(struct job *job, uint8_t *secret, size_t secret_n, int vault);
