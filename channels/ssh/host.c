/* A host is idle, asks the vault, waits for the connector, logs in, and is ready; whatever fails tells every
 * task why and makes it idle again, so that the next session tries anew. Nobody waits longer than
 * LOGIN_LIMIT_MS. */
#include "channels/ssh/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "channels/recorder.h"
#include "channels/ssh/flow.h"
#include "channels/ssh/task.h"

enum {
    LOGIN_LIMIT_MS = 30 * 1000,
    IDLE_LIMIT_MS = 60 * 1000, /* without a session, before the connection is given up */
};

enum host_state { HOST_IDLE, HOST_ASKS, HOST_LOGS_IN, HOST_READY };

struct ssh_host {
    struct ssh_host *next;
    struct gate *gate;
    const Ipc__Target *target;
    char *login;   /* "": the target's own */
    char *command; /* nothing else can be run on it; or "" */
    enum host_state state;
    uint32_t request;           /* to the vault, while it is asked; else 0 */
    struct ipc_peer *connector; /* until it has answered */
    struct upstream_key *key;
    struct upstream *upstream;
    struct timer *limit; /* of the login; then, without tasks, of idleness */
    struct ssh_task *tasks;
    struct ssh_flow *flows;
};

static const char *login_of(const struct ssh_host *host)
{
    return host->login[0] ? host->login : host->target->login;
}

/* ---- failure ---- */

static void reset(struct ssh_host *host)
{
    host->state = HOST_IDLE;
    host->request = 0;
    timer_stop(host->limit);
    ipc_peer_free(STEAL(host->connector));
    upstream_key_free(STEAL(host->key));
    upstream_free(STEAL(host->upstream));
}

/* Tells every task, which each free themselves. */
static void fail(struct ssh_host *host, const struct refusal *why)
{
    struct ssh_task *tasks = STEAL(host->tasks);
    struct ssh_flow *flows = STEAL(host->flows);
    for (struct ssh_task *task = tasks; task; task = task->next)
        ssh_task_abandon(task); /* channels go before their connection */
    for (struct ssh_flow *flow = flows; flow; flow = flow->next)
        ssh_flow_abandon(flow);
    reset(host);
    while (tasks) {
        struct ssh_task *task = tasks;
        tasks = task->next;
        task->host = NULL;
        ssh_task_refused(task, why);
    }
    while (flows) {
        struct ssh_flow *flow = flows;
        flows = flow->next;
        flow->host = NULL;
        ssh_flow_stop(flow, why);
    }
}

static void refuse_login(struct ssh_host *host, const struct refusal *why, const char *detail)
{
    struct gate *gate = host->gate;
    log_event(LOG_WARNING, "target_login_refused", "connection", U64(gate->connection), "identity",
              gate->identity->name, "target", host->target->name, "login", login_of(host), "code", why->code,
              "reason", why->reason, "detail", detail, NULL);
    gate_audit(gate, "target_login_refused", "target", host->target->name, "login", login_of(host), "code",
               why->code, "detail", detail, NULL);
    fail(host, why);
}

/* There may be many of those, each for one command. */
static void forget(struct ssh_host *host)
{
    reset(host);
    for (struct ssh_host **slot = &host->gate->ssh_hosts; *slot; slot = &(*slot)->next) {
        if (*slot == host) {
            *slot = host->next;
            break;
        }
    }
    timer_free(host->limit);
    free(host->login);
    free(host->command);
    free(host);
}

static void took_too_long(void *owner)
{
    struct ssh_host *host = owner;
    if (host->command[0] && !host->tasks)
        forget(host);
    else if (host->state == HOST_READY)
        reset(host); /* it was idle */
    else
        refuse_login(host,
                     &(struct refusal){ .code = "target_unavailable",
                                        .reason = "the target did not let the bastion in within 30 seconds" },
                     "timed out");
}

static void lost(void *owner, enum upstream_fault fault, const char *detail)
{
    struct ssh_host *host = owner;
    char reason[DETAIL_MAX];
    struct refusal why = { .code = "target_unavailable", .reason = reason };
    if (host->state == HOST_READY) {
        (void)snprintf(reason, sizeof reason, "the connection to target \"%s\" was lost", host->target->name);
        log_event(LOG_WARNING, "target_lost", "connection", U64(host->gate->connection), "target",
                  host->target->name, "detail", detail, NULL);
        fail(host, &why);
        return;
    }
    if (fault == UPSTREAM_HOST_KEY) {
        why.code = "host_key_mismatch";
        (void)snprintf(reason, sizeof reason,
                       "the host key of target \"%s\" is not the one that is pinned for it",
                       host->target->name);
    } else if (fault == UPSTREAM_NOT_LET_IN) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" refused the bastion's login",
                       host->target->name);
    } else {
        (void)snprintf(reason, sizeof reason, "target \"%s\" does not answer as an SSH server that suits",
                       host->target->name);
    }
    refuse_login(host, &why, detail);
}

/* ---- logging in ---- */

static void ready(void *owner)
{
    struct ssh_host *host = owner;
    host->state = HOST_READY;
    timer_stop(host->limit);
    upstream_key_free(STEAL(host->key));
    gate_audit(
        host->gate, "target_login", "target", host->target->name, "login", login_of(host), "credential",
        host->target->credential[0] ? host->target->credential : host->target->certificate_authority, NULL);
    for (struct ssh_task *task = host->tasks, *next; task; task = next) {
        next = task->next;
        ssh_task_ready(task);
    }
    for (struct ssh_flow *flow = host->flows, *next; flow; flow = next) {
        next = flow->next;
        ssh_flow_ready(flow);
    }
}

static void connector_gone(void *owner, const char *reason)
{
    refuse_login(
        owner,
        &(struct refusal){ .code = "target_unavailable", .reason = "the login to the target was given up" },
        reason);
}

static const struct upstream_calls calls = { ready, lost };

static int connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct ssh_host *host = owner;
    const Ipc__Connected *answer = message->connected;
    if (!answer->refusal && n_fds != (host->key ? 1u : 2u))
        return -EPROTO;
    ipc_peer_free(STEAL(host->connector));
    if (answer->refusal) {
        struct refusal why = refusal_of(answer->refusal);
        refuse_login(host, &why, NULL);
        return 0;
    }
    const struct upstream_login login = { .target = host->target,
                                          .user = answer->login[0] ? answer->login : login_of(host),
                                          .key = host->key,
                                          .certificate = answer->ssh_certificate.data,
                                          .certificate_n = answer->ssh_certificate.len,
                                          .agent = host->key ? -1 : STEAL_FD(fds[1]) };
    host->state = HOST_LOGS_IN;
    int r = upstream_new(host->gate->loop, STEAL_FD(fds[0]), &login, &calls, host, &host->upstream);
    if (r)
        refuse_login(
            host, &(struct refusal){ .code = "target_unavailable", .reason = "the login could not be begun" },
            strerror(-r));
    else
        upstream_settle(host->upstream);
    return 0;
}

static int send_ask(struct ssh_host *host, const uint8_t *key, size_t n)
{
    struct gate *gate = host->gate;
    Ipc__AskLogin ask = IPC__ASK_LOGIN__INIT;
    ask.request = host->request = gate_request(gate);
    ask.target = host->target->name;
    ask.login = host->login;
    ask.command = host->command;
    ask.ssh_public_key = (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)key };
    ask.recording =
        (char *)(uintptr_t)(host->tasks ? ssh_task_recording(host->tasks) : ssh_flow_recording(host->flows));
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &ask);
    return ipc_peer_send(gate->vault, &message, NULL, 0);
}

/* Asks the vault; the first task is there. */
static int begin(struct ssh_host *host)
{
    CLEANUP(free) uint8_t *public = NULL;
    size_t n = 0;
    int r = host->gate->vault ? 0 : -EPIPE;
    if (r == 0 && host->target->certificate_authority[0])
        r = upstream_key_new(&host->key, &public, &n);
    if (r == 0)
        r = send_ask(host, public, n);
    if (r == 0) {
        host->state = HOST_ASKS;
        timer_set(host->limit, LOGIN_LIMIT_MS);
    }
    return r;
}

/* ---- the vault's answer ---- */

static void answered(struct ssh_host *host, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_CONNECTED, 1, true, 0, 2, connected } };
    host->request = 0;
    if (answer->refusal || n_fds != 1) {
        struct refusal why = { .code = "target_unavailable", .reason = "the vault gave no login" };
        if (answer->refusal)
            why = refusal_of(answer->refusal);
        refuse_login(host, &why, NULL);
    } else if (ipc_peer_new(host->gate->loop, STEAL_FD(fds[0]), "connector", rules, 1, connector_gone, host,
                            &host->connector)) {
        refuse_login(host, &(struct refusal){ .code = "limit", .reason = "out of memory or descriptors" },
                     NULL);
    }
}

bool ssh_hosts_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    for (struct ssh_host *host = gate->ssh_hosts; host; host = host->next) {
        if (host->request != 0 && host->request == answer->request) {
            answered(host, answer, fds, n_fds);
            return true;
        }
    }
    return false;
}

void ssh_hosts_vault_gone(struct gate *gate)
{
    static const struct refusal why = { .code = "target_unavailable",
                                        .reason = "the vault has restarted",
                                        .next = "connect again" };
    for (struct ssh_host *host = gate->ssh_hosts; host; host = host->next) {
        if (host->request != 0)
            refuse_login(host, &why, NULL);
    }
}

/* ---- tasks ---- */

static struct ssh_host *find(struct gate *gate, const Ipc__Target *target, const char *login,
                             const char *command)
{
    struct ssh_host *host = gate->ssh_hosts;
    while (host && !(host->target == target && strcmp(host->login, login) == 0 &&
                     strcmp(host->command, command) == 0))
        host = host->next;
    return host;
}

static struct ssh_host *make(struct gate *gate, const Ipc__Target *target, const char *login,
                             const char *command)
{
    struct ssh_host *host = calloc(1, sizeof *host);
    if (!host)
        return NULL;
    *host = (struct ssh_host){ .next = gate->ssh_hosts,
                               .gate = gate,
                               .target = target,
                               .login = strdup(login),
                               .command = strdup(command) };
    if (!host->login || !host->command || timer_new(gate->loop, took_too_long, host, &host->limit)) {
        free(host->login);
        free(host->command);
        free(host);
        return NULL;
    }
    gate->ssh_hosts = host;
    return host;
}

static struct ssh_host *find_or_make(struct gate *gate, const Ipc__Target *target, const char *login,
                                     const char *command)
{
    struct ssh_host *host = find(gate, target, login, command);
    return host ? host : make(gate, target, login, command);
}

/* Somebody has joined it: its login is begun, unless it is there or under way. */
static void wake(struct ssh_host *host)
{
    if (host->state == HOST_IDLE && begin(host)) {
        refuse_login(host,
                     &(struct refusal){ .code = "target_unavailable",
                                        .reason = "the vault is not available",
                                        .next = "connect again later" },
                     NULL);
    }
}

int ssh_host_join(struct gate *gate, const Ipc__Target *target, const char *login, struct ssh_task *task)
{
    const char *only = target->certificate_authority[0] ? ssh_task_only(task) : NULL;
    struct ssh_host *host = find_or_make(gate, target, login, only ? only : "");
    if (!host)
        return -ENOMEM;
    task->next = host->tasks;
    task->host = host;
    host->tasks = task;
    if (host->state == HOST_READY) {
        timer_stop(host->limit);
        ssh_task_ready(task);
    } else {
        wake(host);
    }
    return 0;
}

int ssh_host_join_flow(struct gate *gate, const Ipc__Target *target, const char *login, struct ssh_flow *flow)
{
    struct ssh_host *host = find_or_make(gate, target, login, "");
    if (!host)
        return -ENOMEM;
    flow->next = host->flows;
    flow->host = host;
    host->flows = flow;
    if (host->state == HOST_READY) {
        timer_stop(host->limit);
        ssh_flow_ready(flow);
    } else {
        wake(host);
    }
    return 0;
}

/* The last one that leaves ends a login that nobody waits for any more. */
static void left(struct ssh_host *host)
{
    if (host->tasks || host->flows)
        return;
    if (host->state != HOST_READY)
        reset(host);
    if (host->command[0])
        timer_set(host->limit, 0); /* nobody else can use it; not from in here */
    else if (host->state == HOST_READY)
        timer_set(host->limit, IDLE_LIMIT_MS);
}

void ssh_host_leave_flow(struct ssh_host *host, struct ssh_flow *flow)
{
    for (struct ssh_flow **slot = &host->flows; *slot; slot = &(*slot)->next) {
        if (*slot == flow) {
            *slot = flow->next;
            break;
        }
    }
    flow->host = NULL;
    left(host);
}

void ssh_host_leave(struct ssh_host *host, struct ssh_task *task)
{
    for (struct ssh_task **slot = &host->tasks; *slot; slot = &(*slot)->next) {
        if (*slot == task) {
            *slot = task->next;
            break;
        }
    }
    task->host = NULL;
    left(host);
}

struct upstream *ssh_host_upstream(const struct ssh_host *host)
{
    return host && host->state == HOST_READY ? host->upstream : NULL;
}
