/* Reaching a Kubernetes API server: TLS and the credential stay in the connector, for as long as the gate
 * uses the connection (docs/adr, "The connector keeps the TLS of Kubernetes"). */
#pragma once
#include "vault/connector.h"

/* Connects, makes sure of the server, tells gate and vault, and carries the gate's requests
 * (connector_frames.h); or asks for a bounded token, when the job wants one. Wipes the secret. Returns the
 * exit status. */
MUST_USE int kube_run(struct job *job, char *secret, size_t secret_n, int vault);
