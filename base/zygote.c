/* The zygote is single-threaded and waits for two things: Spawn on its control socket, and children that end.
 */
#include "base/zygote.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

struct child {
    struct child *next;
    pid_t pid;
    uint64_t connection;
};

struct zygote {
    struct loop *loop;
    struct ipc_peer *control;
    enum process_kind kind;
    zygote_child *run;
    zygote_revocations *revoked;
    void *owner;
    struct child *children;
    bool retired;
};

/* Undoes what the zygote's loop set up; then the child is on its own. */
static int become_child(struct zygote *zygote, const Ipc__Spawn *spawn, int *fds, size_t n_fds)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (jail_close_others(fds, n_fds))
        return 70;
    struct detail detail;
    if (jail_seal(zygote->kind, &detail)) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return 70;
    }
    return zygote->run(zygote->owner, spawn, fds, n_fds);
}

static void tell_exited(struct zygote *zygote, uint64_t connection, int status)
{
    Ipc__ChildExited exited = IPC__CHILD_EXITED__INIT;
    exited.connection = connection;
    exited.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    exited.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    Ipc__Message message = IPC_MESSAGE(CHILD_EXITED, child_exited, &exited);
    (void)ipc_peer_send(zygote->control, &message, NULL, 0);
}

static int handle_spawn(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct zygote *zygote = owner;
    struct child *child = calloc(1, sizeof *child);
    pid_t pid = child ? fork() : -1;
    if (pid == 0) {
        free(child);
        _exit(become_child(zygote, message->spawn, fds, n_fds));
    }
    if (pid < 0) {
        log_event(LOG_ERROR, "fork_failed", "detail", strerror(errno), NULL);
        free(child);
        tell_exited(zygote, message->spawn->connection, 71 << 8);
        return 0;
    }
    *child = (struct child){ .next = zygote->children, .pid = pid, .connection = message->spawn->connection };
    zygote->children = child;
    return 0;
}

static void end_when_done(struct zygote *zygote)
{
    if (zygote->retired && !zygote->children)
        loop_stop(zygote->loop, 0);
}

static int handle_retire(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct zygote *zygote = owner;
    (void)message;
    (void)fds;
    (void)n_fds;
    zygote->retired = true;
    end_when_done(zygote);
    return 0;
}

static int handle_revocations(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct zygote *zygote = owner;
    (void)message;
    (void)n_fds;
    zygote->revoked(zygote->owner, fds[0]);
    return 0;
}

static void forget_child(struct zygote *zygote, pid_t pid, int status)
{
    for (struct child **slot = &zygote->children; *slot; slot = &(*slot)->next) {
        struct child *child = *slot;
        if (child->pid != pid)
            continue;
        *slot = child->next;
        if (WIFSIGNALED(status))
            log_event(LOG_ERROR, "child_killed", "child", process_name(zygote->kind), "connection",
                      U64(child->connection), "child_pid", U64(pid), "signal", U64(WTERMSIG(status)), NULL);
        tell_exited(zygote, child->connection, status);
        free(child);
        return;
    }
}

static void on_signal(void *owner, int signal_number)
{
    struct zygote *zygote = owner;
    if (signal_number != SIGCHLD)
        return; /* the listener decides when its zygotes end */
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        forget_child(zygote, pid, status);
    end_when_done(zygote);
}

/* The one who gives us work is gone: the children notice by themselves, at their own control sockets. */
static void control_gone(void *owner, const char *reason)
{
    struct zygote *zygote = owner;
    (void)reason;
    loop_stop(zygote->loop, 0);
}

/* A front and a gate hand on what others wait for. Woken by a write they would push the writer aside, which
 * then finds less to do at once than if it had gone on: with several channels that costs more than it brings.
 */
static void does_not_push(enum process_kind kind)
{
    static const struct sched_param none;
    if (kind == PROCESS_FRONT || kind == PROCESS_GATE)
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

int zygote_run(int control, enum process_kind kind, zygote_child *child, zygote_revocations *revoked,
               void *owner)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_SPAWN, 1, false, 1, IPC_FDS_MAX, handle_spawn },
        { IPC__MESSAGE__BODY_RETIRE, 1, true, 0, 0, handle_retire },
        { IPC__MESSAGE__BODY_REVOCATIONS, 1, false, 1, 1, handle_revocations },
    };
    const size_t n_rules = sizeof rules / sizeof rules[0] - (revoked ? 0 : 1); /* that is the last one */
    static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0 };
    struct zygote zygote = { .kind = kind, .run = child, .revoked = revoked, .owner = owner };
    CLEANUP(loop_free) struct loop *loop = NULL;
    int r = loop_new(&loop);
    zygote.loop = loop;
    if (r == 0)
        r = loop_signals(loop, signals, on_signal, &zygote);
    if (r == 0)
        r = ipc_peer_new(loop, control, "control", rules, n_rules, control_gone, &zygote, &zygote.control);
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    struct detail detail;
    does_not_push(kind);
    if (r == 0 && (r = jail_seal_zygote(kind, &detail)) != 0)
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
    if (r == 0)
        r = ipc_peer_send(zygote.control, &message, NULL, 0);
    if (r == 0)
        r = loop_run(loop);
    ipc_peer_free(zygote.control);
    while (zygote.children) {
        struct child *next = zygote.children->next;
        free(zygote.children);
        zygote.children = next;
    }
    return r == 0 ? 0 : 70;
}
