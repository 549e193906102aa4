/* Errands to API servers. With a token_request the gate has its end of the connector before there is one:
 * what came of the token decides whether there will be. */
#include "vault/errand_parts.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"

static int send_kube(struct errand *errand, const Ipc__Target *target, const struct secret *secret,
                     enum sealed_type type, uint64_t usable_ms)
{
    const struct kube_grant *grant = errand->kube;
    Ipc__Job job = IPC__JOB__INIT;

    errand_job(&job, target, secret);
    job.vault_type = (char *)(uintptr_t)sealed_type_name(type);
    job.kube_headers.data = (uint8_t *)(uintptr_t)buffer_head(&grant->headers);
    job.kube_headers.len = buffer_size(&grant->headers);
    job.usable_ms = usable_ms;
    timer_set(errand->timer, VAULT_ERRAND_MS + VAULT_ERRAND_GRACE_MS);
    return errand_send(errand, &job);
}

void errand_go_on(struct errand *errand, const struct secret *token, uint64_t usable_ms)
{
    const Ipc__Target *target = vault_target(errand->client->vault, errand->target);
    int r = target && target_is_kube(target) ? send_kube(errand, target, token, SEALED_TOKEN, usable_ms)
                                             : -ENOENT;

    if (r)
        errand_finish(errand, false, strerror(-r)); /* the gate sees its end close */
}

/* As a connector would say it (vault/connector_tell.c). */
void errand_give_up(struct errand *errand, const char *detail)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    Ipc__Message message = IPC_MESSAGE(CONNECTED, connected, &connected);
    struct detail text;

    detail_set(&text, "target \"%s\" is unavailable; try again later, or ask an operator: the log says why",
               errand->target);
    refusal.code = (char *)(uintptr_t) "target_unavailable";
    refusal.message = text.text;
    connected.refusal = &refusal;
    (void)!ipc_send_now(errand->connector, &message, NULL, 0, 0); /* nothing else is in it */
    errand_finish(errand, false, detail);
}

/* Either there is a token, or it is waited for. */
static int with_token(struct errand *errand, const Ipc__Target *target, const struct secret *credential)
{
    struct client *client = errand->client;
    struct bounded *bounded = NULL;
    uint64_t usable_ms = 0;
    int r = bounded_get(client->vault, target, credential, errand->kube->type, client->connection, &bounded);

    if (r)
        return r;
    const struct secret *token = bounded_token(bounded, &usable_ms);
    if (token)
        return send_kube(errand, target, token, SEALED_TOKEN, usable_ms);
    timer_set(errand->timer,
              2 * (VAULT_ERRAND_MS + VAULT_ERRAND_GRACE_MS)); /* the fetch has a limit of its own */
    bounded_wait(bounded, errand);
    return 0;
}

int errand_kube(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                struct kube_grant **grant, const struct secret *secret, int *ret_gate)
{
    CLEANUP(errand_free) struct errand *errand = NULL;
    CLEANUP(fd_close) int gate = -1;
    int r = errand_new(client, target, asked->recording, false, &errand);

    if (r)
        return r;
    errand->kube = STEAL(*grant);
    r = errand_pair(errand, &gate);
    if (!r && target->token_request)
        r = with_token(errand, target, secret);
    else if (!r)
        r = send_kube(errand, target, secret, errand->kube->type, 0);
    if (r)
        return r;
    *ret_gate = STEAL_FD(gate);
    (void)STEAL(errand);
    return 0;
}
