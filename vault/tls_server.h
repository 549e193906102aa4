/* AnswerServerCertificate: what a gate serves TLS with. */
#pragma once
#include "vault/client.h"

struct refusal;

/* target NULL: it was refused, for the reason in `refused`. */
void tls_server_answer(struct client *client, uint32_t request, const Ipc__Target *target,
                       struct refusal *refused);
