/* An errand: a pair of sockets to the vault and one to the gate, a Spawn to the zygote, the Job, and then
 * JobDone or silence. The job waits in the socket until the connector has been born. */
#include "vault/errand_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "vault/audit.h"
#include "vault/host.h"
#include "vault/bounded.h"

static void log_end(const struct errand *errand, bool ok, const char *detail)
{
    log_event(ok ? LOG_INFO : LOG_WARNING, errand->cancel ? "target_cancel" : "target_login", "connection",
              U64(errand->client->connection), "identity", errand->client->name, "target", errand->target,
              "login", errand->host ? errand->host->login : NULL, "user",
              errand->kube ? errand->kube->user : NULL, "recording",
              errand->recording[0] ? errand->recording : NULL, "outcome", ok ? "ok" : "failed", "ms",
              U64(clock_ms() - errand->started_ms), "detail", detail[0] ? detail : NULL, NULL);
}

void errand_free(struct errand *errand)
{
    if (!errand)
        return;
    if (errand->slot) {
        *errand->slot = errand->next;
        if (errand->next)
            errand->next->slot = errand->slot;
        errand->client->n_errands--;
        errand->client->vault->n_errands--;
    }
    bounded_forget(errand->bounded, errand);
    ipc_peer_free(errand->peer);
    timer_free(errand->timer);
    host_login_free(errand->host);
    kube_grant_free(errand->kube);
    fd_close(errand->connector);
    free(errand->target);
    free(errand->recording);
    free(errand);
}

void errand_answer_cancel(struct client *client, uint32_t request, bool ok)
{
    Ipc__AnswerCancel answer = IPC__ANSWER_CANCEL__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_CANCEL, answer_cancel, &answer);

    answer.request = request;
    answer.ok = ok;
    (void)ipc_peer_send(client->peer, &message, NULL, 0);
}

/* The last word on an errand: a gate may wait for it. */
void errand_finish(struct errand *errand, bool ok, const char *detail)
{
    log_end(errand, ok, detail);
    if (errand->request)
        errand_answer_cancel(errand->client, errand->request, ok);
    errand_free(errand);
}

static int on_done(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct errand *errand = owner;

    (void)fds, (void)n_fds;
    errand_finish(errand, message->job_done->ok, message->job_done->detail);
    return 0;
}

/* The gate sees the same: its end of the connector closed without a word. */
static void on_gone(void *owner, const char *reason)
{
    (void)reason;
    errand_finish(owner, false,
                  "the connector ended without an answer: it crashed, or a name took too long to resolve");
}

static void on_time(void *owner)
{
    errand_finish(owner, false, "the connector took too long");
}

static const struct ipc_rule connector_rules[] = {
    { IPC__MESSAGE__BODY_ASK_CERTIFICATE, 1, true, 0, 0, errand_ask_certificate },
    { IPC__MESSAGE__BODY_ASK_PASSWORD, 1, true, 0, 0, errand_ask_password },
    { IPC__MESSAGE__BODY_JOB_DONE, 1, true, 0, 0, on_done },
};

static void link_errand(struct errand *errand, struct client *client)
{
    errand->slot = &client->errands;
    errand->next = client->errands;
    if (errand->next)
        errand->next->slot = &errand->next;
    client->errands = errand;
    client->n_errands++;
    client->vault->n_errands++;
}

int errand_new(struct client *client, const Ipc__Target *target, const char *recording, bool cancel,
               struct errand **ret)
{
    CLEANUP(errand_free) struct errand *errand = NULL;
    int r;

    if (client->n_errands >= VAULT_CLIENT_ERRANDS_MAX || client->vault->n_errands >= VAULT_ERRANDS_MAX)
        return -EBUSY;
    errand = calloc(1, sizeof(*errand));
    if (!errand)
        return -ENOMEM;
    errand->client = client;
    errand->cancel = cancel;
    errand->connector = -1;
    errand->started_ms = clock_ms();
    errand->target = strdup(target->name);
    errand->recording = strdup(recording);
    if (!errand->target || !errand->recording)
        return -ENOMEM;
    r = timer_new(client->vault->loop, on_time, errand, &errand->timer);
    if (r)
        return r;
    timer_set(errand->timer, VAULT_ERRAND_MS + VAULT_ERRAND_GRACE_MS);
    link_errand(errand, client);
    *ret = STEAL(errand);
    return 0;
}

/* Has the zygote fork a connector that holds fds[0] (to us) and, for a login, fds[1] (to the gate). */
static int spawn(struct vault *vault, uint64_t connection, const int *fds, size_t n_fds)
{
    Ipc__Spawn body = IPC__SPAWN__INIT;
    Ipc__Message message = IPC_MESSAGE(SPAWN, spawn, &body);

    body.connection = connection;
    return ipc_peer_send(vault->zygote, &message, fds, n_fds);
}

int connector_send(struct vault *vault, const struct connector_owner *owner, Ipc__Job *job, int gate,
                   struct ipc_peer **ret)
{
    Ipc__Message message = IPC_MESSAGE(JOB, job, job);
    CLEANUP(fd_close) int theirs = -1;
    int pair[2];
    int r = fd_pair(SOCK_SEQPACKET, pair);

    if (r)
        return r;
    theirs = pair[1];
    r = ipc_peer_new(vault->loop, pair[0], "connector", owner->rules, owner->n_rules, owner->gone,
                     owner->owner, ret);
    if (!r)
        r = spawn(vault, owner->connection, (const int[]){ theirs, gate }, gate < 0 ? 1 : 2);
    job->timeout_ms = VAULT_ERRAND_MS;
    return r ? r : ipc_peer_send(*ret, &message, NULL, 0);
}

/* gate: -1 when there is none to be served. */
static int send_off(struct errand *errand, Ipc__Job *job, int gate)
{
    const struct connector_owner owner = { .rules = connector_rules,
                                           .n_rules = sizeof(connector_rules) / sizeof(connector_rules[0]),
                                           .gone = on_gone,
                                           .owner = errand,
                                           .connection = errand->client->connection };

    return connector_send(errand->client->vault, &owner, job, gate, &errand->peer);
}

/* The last one wins: whatever the gate asked for, it begins read-only. */
static Ipc__Variable **with_read_only(const Ipc__AskLogin *asked, Ipc__Variable *last)
{
    static char name[] = "default_transaction_read_only", on[] = "on";
    Ipc__Variable **options = calloc(asked->n_options + 1, sizeof(*options));

    if (!options)
        return NULL;
    if (asked->n_options)
        memcpy(options, asked->options, asked->n_options * sizeof(*options));
    last->name = name;
    last->value = on;
    options[asked->n_options] = last;
    return options;
}

void errand_job(Ipc__Job *job, const Ipc__Target *target, const struct secret *secret)
{
    job->target = (Ipc__Target *)(uintptr_t)target;
    job->tls_ca = target->tls_ca_pem;
    if (secret) {
        job->secret.data =
            secret_bytes(secret); /* packed into a buffer that ipc wipes; no other copy is made */
        job->secret.len = secret_size(secret);
    }
}

int errand_pair(struct errand *errand, int *ret_gate)
{
    int pair[2];
    int r = fd_pair(SOCK_SEQPACKET, pair);

    if (r)
        return r;
    *ret_gate = pair[0];
    errand->connector = pair[1];
    return 0;
}

int errand_send(struct errand *errand, Ipc__Job *job)
{
    CLEANUP(fd_close) int connector = STEAL_FD(errand->connector);

    return send_off(errand, job, connector);
}

/* job: all but target and secret. On success the errand is its client's. */
static int send_login(struct errand *errand, const Ipc__Target *target, const struct secret *secret,
                      Ipc__Job *job, int *ret_gate)
{
    CLEANUP(fd_close) int gate = -1;
    int r = errand_pair(errand, &gate);

    if (r)
        return r;
    errand_job(job, target, secret);
    r = errand_send(errand, job);
    if (!r)
        *ret_gate = STEAL_FD(gate);
    return r;
}

int errand_login(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked, bool read_only,
                 const struct secret *password, int *ret_gate)
{
    CLEANUP(free) Ipc__Variable **options = NULL;
    Ipc__Variable last = IPC__VARIABLE__INIT;
    CLEANUP(errand_free) struct errand *errand = NULL;
    Ipc__Job job = IPC__JOB__INIT;
    int r = errand_new(client, target, asked->recording, false, &errand);

    if (r)
        return r;
    job.options = asked->options;
    job.n_options = asked->n_options;
    if (read_only) {
        options = with_read_only(asked, &last);
        if (!options)
            return -ENOMEM;
        job.options = options;
        job.n_options++;
    }
    r = send_login(errand, target, password, &job, ret_gate);
    if (!r)
        (void)STEAL(errand); /* its client's list has it */
    return r;
}

int errand_host(struct client *client, const Ipc__Target *target, const Ipc__AskLogin *asked,
                struct host_login **host, const struct secret *key, int *ret_gate)
{
    CLEANUP(errand_free) struct errand *errand = NULL;
    bool by_ca = (*host)->key != NULL, by_password = (*host)->by_password;
    Ipc__Job job = IPC__JOB__INIT;
    int r = errand_new(client, target, asked->recording, false, &errand);

    if (r)
        return r;
    errand->host = STEAL(*host);
    if (!by_ca)
        timer_set(errand->timer, VAULT_ERRAND_MS + VAULT_SIGNING_MS + VAULT_ERRAND_GRACE_MS);
    job.login = errand->host->login;
    /* The CA's key stays here: it signs when the connector has connected. A password is asked for. */
    r = send_login(errand, target, by_ca || by_password ? NULL : key, &job, ret_gate);
    if (!r)
        (void)STEAL(errand);
    return r;
}

int errand_cancel(struct client *client, const Ipc__Target *target, const Ipc__AskCancel *asked)
{
    CLEANUP(errand_free) struct errand *errand = NULL;
    Ipc__Job job = IPC__JOB__INIT;
    int r = errand_new(client, target, "", true, &errand);

    if (r)
        return r;
    errand->request = asked->request;
    job.target = (Ipc__Target *)(uintptr_t)target;
    job.tls_ca = target->tls_ca_pem;
    job.cancel = true;
    job.pid = asked->pid;
    job.key = asked->key;
    r = send_off(errand, &job, -1);
    if (!r)
        (void)STEAL(errand);
    return r;
}
