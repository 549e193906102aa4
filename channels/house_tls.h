/* With what this gate is a TLS server towards its client: the vault makes it, when it is needed
 * (vault/tls_ca.h), for names that mean the client's own machine. */
#pragma once
#include "channels/gate.h"
#include "channels/refusal.h"

struct tls_server;

/* What the vault gave; good until it is asked again. */
struct house_tls {
    struct tls_server *server;
    char *ca; /* PEM, of the CA that clients are to trust */
};

/* why: NULL when it is there. Both are the callee's for the call. Not called from inside of house_tls_ask().
 */
typedef void house_tls_ready(void *owner, const struct house_tls *given, const struct refusal *why);

struct house_tls_question;

/* Negative: there is no vault to ask. The question is freed with its answer; free it earlier to hear nothing.
 */
MUST_USE int house_tls_ask(struct gate *gate, const Ipc__Target *target, house_tls_ready *ready, void *owner,
                           struct house_tls_question **ret);
void house_tls_forget(struct house_tls_question *question);

/* Handler: vault AnswerServerCertificate. */
int house_tls_answered(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* Who waits is refused. */
void house_tls_vault_gone(struct gate *gate);
