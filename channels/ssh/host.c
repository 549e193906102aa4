/* A host is idle, asks the vault, waits for the connector, logs in, and is ready; whatever fails tells every
 * task why and makes it idle again, so that the next session tries anew. Nobody waits longer than
 * HOST_LOGIN_LIMIT_MS. */
#include "channels/ssh/host_parts.h"

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
    IDLE_LIMIT_MS = 60 * 1000, /* without a session, before the connection is given up */
};

const char *ssh_host_login(const struct ssh_host *host)
{
    return host->login[0] ? host->login : host->target->login;
}

/* ---- failure ---- */

static void reset(struct ssh_host *host)
{
    host->state = HOST_IDLE;
    host->request = 0;
    timer_stop(host->limit);
    ssh_host_drop_login(host);
    upstream_free(STEAL(host->upstream));
}

/* Tells every task, which each free themselves. */
void ssh_host_fail(struct ssh_host *host, const struct refusal *why)
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

void ssh_host_refuse_login(struct ssh_host *host, const struct refusal *why, const char *detail)
{
    struct gate *gate = host->gate;
    log_event(LOG_WARNING, "target_login_refused", "connection", U64(gate->connection), "identity",
              gate->identity->name, "target", host->target->name, "login", ssh_host_login(host), "code",
              why->code, "reason", why->reason, "detail", detail, NULL);
    gate_audit(gate, "target_login_refused", "target", host->target->name, "login", ssh_host_login(host),
               "code", why->code, "detail", detail, NULL);
    ssh_host_fail(host, why);
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
    free(host->proven_key);
    free(host->proven_keys);
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
        ssh_host_refuse_login(
            host,
            &(struct refusal){ .code = "target_unavailable",
                               .reason = "the target did not let the bastion in within 30 seconds" },
            "timed out");
}

void ssh_host_ready(struct ssh_host *host)
{
    for (struct ssh_task *task = host->tasks, *next; task; task = next) {
        next = task->next;
        ssh_task_ready(task);
    }
    for (struct ssh_flow *flow = host->flows, *next; flow; flow = next) {
        next = flow->next;
        ssh_flow_ready(flow);
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
                               .arrival = { .fd = -1, .agent = -1 },
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
    if (host->state == HOST_IDLE && ssh_host_begin(host)) {
        ssh_host_refuse_login(host,
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
