/* What vault/errand*.c and bounded.c share. */
#pragma once
#include "vault/bounded.h"
#include "vault/errand.h"
#include "vault/host.h"
#include "vault/kube.h"

struct errand {
    struct client *client;
    struct errand *next, **slot; /* in client->errands */
    struct ipc_peer *peer;       /* the connector; NULL: none was sent yet */
    struct timer *timer;
    char *target, *recording;
    bool cancel;
    uint32_t request;        /* of a cancel whose end the gate waits for; else 0 */
    struct host_login *host; /* at a host; else NULL */
    struct kube_grant *kube; /* at an API server; else NULL */
    struct bounded *bounded; /* whose token it waits for; else NULL */
    struct errand *also;     /* the next one that waits for it */
    int connector;           /* the connector's end towards the gate, until there is a connector; else -1 */
    uint64_t started_ms;
};

DEFINE_CLEANUP(struct errand *, errand_free)

MUST_USE int errand_new(struct client *client, const Ipc__Target *target, const char *recording, bool cancel,
                        struct errand **ret);
/* Logs how it went, tells a gate that waits for it, and frees it. */
void errand_finish(struct errand *errand, bool ok, const char *detail);
/* errand->connector, and the gate's end of the same. */
MUST_USE int errand_pair(struct errand *errand, int *ret_gate);
/* Fills in what each login has. secret is borrowed until the job is sent; NULL: none. */
void errand_job(Ipc__Job *job, const Ipc__Target *target, const struct secret *secret);
/* Sends a connector with errand->connector. */
MUST_USE int errand_send(struct errand *errand, Ipc__Job *job);

/* errand_host.c: what a connector asks for at a host, each once. */
ipc_handler errand_ask_certificate, errand_ask_password;

/* Who hears from a connector. */
struct connector_owner {
    const struct ipc_rule *rules;
    size_t n_rules;
    void (*gone)(void *owner, const char *reason);
    void *owner;
    uint64_t connection; /* for whom it is, for the log */
};
/* Has the zygote fork a connector and gives it the job. gate: its end towards the gate, borrowed; -1: none.
 */
MUST_USE int connector_send(struct vault *vault, const struct connector_owner *owner, Ipc__Job *job, int gate,
                            struct ipc_peer **ret);
