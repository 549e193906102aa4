/* Services and zygotes: started at first, started again when they die, and zygotes replaced by fresh ones
 * after a crash or a reload. A process that breaks the rules of its control socket is killed; what happens
 * next is then the same as when it dies by itself. */
#include "server/listener.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "server/child.h"

/* In the order in which they are started. The vault brings its connector zygote along. */
static const enum process_kind kinds[] = { PROCESS_LEDGER, PROCESS_COURIER, PROCESS_ISSUER, PROCESS_LAUNCHER,
                                           PROCESS_VAULT,  PROCESS_GATE,    PROCESS_FRONT };

enum { KINDS = sizeof kinds / sizeof kinds[0], CALM_MS = 30000, PATH_BYTES = 4096, SEND_MS = 1000 };

static bool is_zygote(enum process_kind kind)
{
    return kind == PROCESS_FRONT || kind == PROCESS_GATE;
}

/* Once all was ready, logins with a certificate go on without these. */
static bool is_for_enrolment(enum process_kind kind)
{
    return kind == PROCESS_ISSUER || kind == PROCESS_COURIER;
}

bool processes_ready(const struct listener *l)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!l->current[kinds[i]] && !(l->announced && is_for_enrolment(kinds[i])))
            return false;
    return true;
}

/* ---- what they say ---- */

static void retire(struct process *p)
{
    Ipc__Retire body = IPC__RETIRE__INIT;
    Ipc__Message message = IPC_MESSAGE(RETIRE, retire, &body);
    if (p->retired || !p->peer)
        return;
    p->retired = true;
    (void)ipc_peer_send(p->peer, &message, NULL, 0);
}

/* The first time that everything is there. */
static void announce(struct listener *l)
{
    l->announced = true;
    for (size_t i = 0; i < l->n_addresses; i++)
        source_interest(l->addresses[i].source, LOOP_READ);
    (void)!write(STDERR_FILENO, "READY\n", 6);
    listener_notify("READY=1");
}

static void serve_those_who_wait(struct listener *l)
{
    if (!processes_ready(l))
        return;
    if (!l->announced)
        announce(l);
    for (struct connection *c = l->logins.first, *later; c; c = later) {
        later = c->login_later;
        connection_give_gate(c);
    }
    listener_pump(l);
}

static int on_ready(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct process *p = owner;
    struct listener *l = p->listener;
    (void)message;
    (void)fds;
    (void)n_fds;
    timer_stop(p->limit);
    p->ready = true;
    if (l->current[p->kind])
        retire(l->current[p->kind]);
    l->current[p->kind] = p;
    log_event(LOG_DEBUG, "process_ready", "child", process_name(p->kind), "child_pid", U64(p->pid), "ms",
              U64(clock_ms() - p->started_ms), NULL);
    links_make(l, p->kind);
    serve_those_who_wait(l);
    return 0;
}

static int on_revocations(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct process *p = owner;
    (void)message;
    (void)n_fds;
    revocations_take(p->listener, &fds[0]);
    return 0;
}

static int on_child_exited(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct process *p = owner;
    (void)fds;
    (void)n_fds;
    connection_child_exited(p->listener, p, message->child_exited);
    return 0;
}

/* A retired zygote has reason to close. */
static void peer_gone(void *owner, const char *reason)
{
    struct process *p = owner;
    ipc_peer_free(STEAL(p->peer));
    if (p->retired || p->listener->phase == LISTENER_ENDING)
        return;
    log_event(strcmp(reason, "closed") == 0 ? LOG_DEBUG : LOG_ERROR, "process_lost", "child",
              process_name(p->kind), "detail", reason, NULL);
    (void)kill(p->pid, SIGKILL);
}

static void not_ready(void *owner)
{
    struct process *p = owner;
    log_event(LOG_ERROR, "process_not_ready", "child", process_name(p->kind), "ms", U64(LISTENER_READY_MS),
              NULL);
    (void)kill(p->pid, SIGKILL);
}

/* ---- starting ---- */

static int send_start(struct listener *l, enum process_kind kind, int control, const int *fds, size_t n)
{
    Ipc__Start start = IPC__START__INIT;
    start.log_json = l->start->log_json;
    start.debug = l->start->debug;
    start.state = l->start->state;
    start.libexec = l->start->libexec;
    if (kind == PROCESS_FRONT)
        start.front = &l->front;
    if (kind == PROCESS_VAULT || kind == PROCESS_LEDGER || kind == PROCESS_LAUNCHER) {
        start.ticket_key.data = l->ticket_key;
        start.ticket_key.len = sizeof l->ticket_key;
    }
    Ipc__Message message = IPC_MESSAGE(START, start, &start);
    return ipc_send_now(control, &message, fds, n, SEND_MS);
}

static int execute(struct listener *l, enum process_kind kind, int *ret_control, pid_t *ret_pid)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/gatehouse-%s", l->start->libexec, process_name(kind));
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    char *arguments[] = { strrchr(path, '/') + 1, NULL };
    return child_start(path, arguments, ret_control, ret_pid);
}

static struct process *remember(struct listener *l, enum process_kind kind, pid_t pid)
{
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    *p = (struct process){
        .next = l->processes, .listener = l, .kind = kind, .pid = pid, .started_ms = clock_ms()
    };
    if (timer_new(l->loop, not_ready, p, &p->limit)) {
        free(p);
        return NULL;
    }
    l->processes = p;
    return p;
}

/* Starts the connector zygote; the vault gets *ret_control, and hears its Ready. */
static int start_connector(struct listener *l, int *ret_control)
{
    pid_t pid;
    CLEANUP(fd_close) int control = -1;
    int r = execute(l, PROCESS_CONNECTOR, &control, &pid);
    if (r == 0 && !remember(l, PROCESS_CONNECTOR, pid))
        r = -ENOMEM;
    if (r == 0)
        r = send_start(l, PROCESS_CONNECTOR, control, &l->config_fd, 1);
    if (r == 0)
        *ret_control = STEAL_FD(control);
    return r;
}

static int make_peer(struct process *p, int control)
{
    static const struct ipc_rule service_rules[] = { { IPC__MESSAGE__BODY_READY, 1, true, 0, 0, on_ready } };
    static const struct ipc_rule zygote_rules[] = {
        { IPC__MESSAGE__BODY_READY, 1, true, 0, 0, on_ready },
        { IPC__MESSAGE__BODY_CHILD_EXITED, 1, false, 0, 0, on_child_exited },
    };
    static const struct ipc_rule issuer_rules[] = {
        { IPC__MESSAGE__BODY_READY, 1, true, 0, 0, on_ready },
        { IPC__MESSAGE__BODY_REVOCATIONS, 1, false, 1, 1, on_revocations },
    };
    const struct ipc_rule *rules = is_zygote(p->kind)          ? zygote_rules
                                   : p->kind == PROCESS_ISSUER ? issuer_rules
                                                               : service_rules;
    return ipc_peer_new(p->listener->loop, control, process_name(p->kind), rules,
                        rules == service_rules ? 1 : 2, peer_gone, p, &p->peer);
}

static int start_with(struct listener *l, enum process_kind kind, const int *fds, size_t n)
{
    pid_t pid;
    CLEANUP(fd_close) int control = -1;
    int r = execute(l, kind, &control, &pid);
    struct process *p = r == 0 ? remember(l, kind, pid) : NULL;
    if (!p)
        return r ? r : -ENOMEM;
    timer_set(p->limit, LISTENER_READY_MS);
    r = send_start(l, kind, control, fds, n);
    if (r == 0)
        r = make_peer(p, STEAL_FD(control));
    if (r == 0)
        revocations_tell(l, p);
    return r;
}

static void start_again(struct listener *l, enum process_kind kind)
{
    uint64_t *wait = &l->backoff_ms[kind];
    *wait = *wait == 0                            ? LISTENER_BACKOFF_MS
            : *wait * 2 < LISTENER_BACKOFF_MAX_MS ? *wait * 2
                                                  : LISTENER_BACKOFF_MAX_MS;
    timer_set(l->restart[kind], *wait);
}

void process_start(struct listener *l, enum process_kind kind)
{
    int fds[1 + IPC_FDS_MAX] = { l->config_fd };
    CLEANUP(fd_close) int connector = -1;
    int r = 0;
    if (kind == PROCESS_FRONT) {
        r = start_with(l, kind, l->host_keys, l->n_host_keys);
    } else if (kind == PROCESS_VAULT) {
        r = start_connector(l, &connector);
        fds[1] = connector;
        if (r == 0)
            r = start_with(l, kind, fds, 2);
    } else {
        r = start_with(l, kind, fds, 1);
    }
    if (r) {
        log_event(LOG_ERROR, "start_failed", "child", process_name(kind), "detail", strerror(-r), NULL);
        start_again(l, kind);
    }
}

/* A timer knows one owner: the kind whose time has come is found by it. */
struct restart {
    struct listener *listener;
    enum process_kind kind;
};

static void restart_now(void *owner)
{
    struct restart *restart = owner;
    process_start(restart->listener, restart->kind);
}

void processes_start(struct listener *l)
{
    static struct restart restarts[PROCESS_KINDS]; /* of the one listener of this process */
    for (size_t i = 0; i < KINDS; i++) {
        restarts[kinds[i]] = (struct restart){ l, kinds[i] };
        if (timer_new(l->loop, restart_now, &restarts[kinds[i]], &l->restart[kinds[i]]))
            abort();
        process_start(l, kinds[i]);
    }
}

void process_replace(struct listener *l, enum process_kind kind, struct process *p)
{
    if (p->retired || l->current[kind] != p)
        return;
    l->current[kind] = NULL;
    retire(p);
    process_start(l, kind);
}

/* ---- ending ---- */

static void log_end(const struct process *p, int status)
{
    bool failed = WIFSIGNALED(status) || WEXITSTATUS(status) != 0 || !p->retired;
    log_event(failed ? LOG_ERROR : LOG_DEBUG, "process_ended", "child", process_name(p->kind), "child_pid",
              U64(p->pid), WIFSIGNALED(status) ? "signal" : "status",
              U64(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)), NULL);
}

/* The vault can't work without the connector zygote that it was started with. */
static void end_vault(struct listener *l)
{
    for (struct process *p = l->processes; p; p = p->next)
        if (p->kind == PROCESS_VAULT)
            (void)kill(p->pid, SIGKILL);
}

/* A process that was never ready may be one that a broken configuration or installation does not let start.
 */
static void after_end(struct listener *l, struct process *p, int status)
{
    bool was_current = l->current[p->kind] == p;
    if (was_current)
        l->current[p->kind] = NULL;
    if (is_zygote(p->kind))
        connections_lost_zygote(l, p);
    if (l->phase >= LISTENER_ENDING || p->retired)
        return;
    if (!l->announced && l->phase == LISTENER_RUNNING && !p->ready && p->kind != PROCESS_CONNECTOR) {
        log_event(LOG_ERROR, "start_failed", "child", process_name(p->kind), NULL);
        loop_stop(l->loop, WIFEXITED(status) && WEXITSTATUS(status) == 78 ? 78 : 70);
        return;
    }
    if (p->kind == PROCESS_CONNECTOR) {
        end_vault(l);
        return;
    }
    if (clock_ms() - p->started_ms > CALM_MS)
        l->backoff_ms[p->kind] = 0;
    if (!l->current[p->kind])
        start_again(l, p->kind);
}

static void forget(struct listener *l, struct process **slot, int status)
{
    struct process *p = *slot;
    *slot = p->next;
    if (l->phase < LISTENER_ENDING)
        log_end(p, status);
    after_end(l, p, status);
    ipc_peer_free(p->peer);
    timer_free(p->limit);
    free(p);
}

void processes_reap(struct listener *l)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (listener_reload_reap(l, pid, status))
            continue;
        struct process **slot = &l->processes;
        while (*slot && (*slot)->pid != pid)
            slot = &(*slot)->next;
        if (*slot)
            forget(l, slot, status);
    }
    listener_check_end(l);
}
