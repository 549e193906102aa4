/* See house_tls.h. Asked for each connection anew: it costs the vault a signature, and nothing has to be kept
 * fresh here. */
#include "channels/house_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/tls.h"

struct house_tls_question {
    struct house_tls_question *next;
    struct gate *gate;
    uint32_t request;
    house_tls_ready *ready;
    void *owner;
};

int house_tls_ask(struct gate *gate, const Ipc__Target *target, house_tls_ready *ready, void *owner,
                  struct house_tls_question **ret)
{
    struct house_tls_question *question = gate->vault ? calloc(1, sizeof *question) : NULL;
    if (!question)
        return gate->vault ? -ENOMEM : -EPIPE;
    *question = (struct house_tls_question){ .next = gate->tls_questions,
                                             .gate = gate,
                                             .request = gate_request(gate),
                                             .ready = ready,
                                             .owner = owner };
    gate->tls_questions = question;
    Ipc__AskServerCertificate ask = IPC__ASK_SERVER_CERTIFICATE__INIT;
    ask.request = question->request;
    ask.target = target->name;
    Ipc__Message message = IPC_MESSAGE(ASK_SERVER_CERTIFICATE, ask_server_certificate, &ask);
    int r = ipc_peer_send(gate->vault, &message, NULL, 0);
    if (r) {
        house_tls_forget(question);
        return r;
    }
    *ret = question;
    return 0;
}

void house_tls_forget(struct house_tls_question *question)
{
    if (!question)
        return;
    struct house_tls_question **at = &question->gate->tls_questions;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    free(question);
}

/* The question is gone when its owner hears. */
static void answer(struct house_tls_question *question, const struct house_tls *given,
                   const struct refusal *why)
{
    house_tls_ready *ready = question->ready;
    void *owner = question->owner;
    house_tls_forget(question);
    ready(owner, given, why);
}

int house_tls_answered(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AnswerServerCertificate *a = message->answer_server_certificate;
    struct house_tls_question *question = gate->tls_questions;
    (void)fds, (void)n_fds;
    while (question && question->request != a->request)
        question = question->next;
    if (!question)
        return 0;
    if (a->refusal) {
        struct refusal why = refusal_of(a->refusal);
        answer(question, NULL, &why);
        return 0;
    }
    CLEANUP(tls_server_free) struct tls_server *server = NULL;
    CLEANUP(free) char *ca = strndup((const char *)a->ca.data, a->ca.len);
    int r = tls_server_new(a->certificate.data, a->certificate.len, a->key.data, a->key.len, &server);
    explicit_bzero(a->key.data, a->key.len);
    if (r || !ca)
        answer(question, NULL, &(struct refusal){ .code = "limit", .reason = "TLS can't be served now" });
    else
        answer(question, &(struct house_tls){ server, ca }, NULL);
    return 0;
}

void house_tls_vault_gone(struct gate *gate)
{
    while (gate->tls_questions)
        answer(gate->tls_questions, NULL,
               &(struct refusal){ .code = "target_unavailable",
                                  .reason = "the vault has restarted; ask again" });
}
