/* gatehouse-listener: binds and accepts, starts every other process and keeps it running, and hands each
 * connection to a front and each authenticated one to a gate. It reads no byte that a client sent, parses no
 * file, and links nothing beyond libc. */
#include "server/listener.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"

enum { FDS_PER_WAITING = 1, FDS_RESERVED = 512 };

static void on_signal(void *owner, int signal_number)
{
    struct listener *l = owner;
    switch (signal_number) {
    case SIGCHLD:
        processes_reap(l);
        return;
    case SIGHUP:
        listener_reload(l);
        return;
    default:
        if (l->phase == LISTENER_RUNNING)
            listener_drain(l);
        else
            listener_stop(l);
    }
}

static void accept_again(void *owner)
{
    struct listener *l = owner;
    for (size_t i = 0; i < l->n_addresses; i++)
        source_interest(l->addresses[i].source, LOOP_READ);
}

static void take_start(struct listener *l, const Ipc__Start *start, int *fds)
{
    l->start = start;
    l->config_fd = fds[0];
    l->revocations_fd = -1;
    for (size_t i = 1; i < IPC_FDS_MAX && fds[i] >= 0; i++)
        l->host_keys[l->n_host_keys++] = fds[i];
    ipc__front_settings__init(&l->front);
    if (start->front)
        l->front = *start->front;
    if (!l->front.login_grace_ms)
        l->front.login_grace_ms = LIMIT_LOGIN_GRACE_MS;
    if (!l->front.auth_tries_max)
        l->front.auth_tries_max = LIMIT_AUTH_TRIES;
    if (!l->front.channels_max)
        l->front.channels_max = LIMIT_CHANNELS;
    if (!l->front.keepalive_ms)
        l->front.keepalive_ms = LIMIT_KEEPALIVE_MS;
    if (!l->front.banner_plain_key || !*l->front.banner_plain_key)
        l->front.banner_plain_key =
            "gatehouse: a key alone opens nothing here, it needs a certificate (denied).\n"
            "gatehouse: next: get one with 'ssh enroll@HOST < token > ~/.ssh/id-cert.pub' (HOST: this "
            "server; id: "
            "your key), or let gatehouse-login do it, or ask those who run this server";
}

/* How many may wait goes by how many descriptors there are. */
static void size_waiting(struct listener *l)
{
    struct rlimit files;
    l->waiting_max = LIMIT_WAITING;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 2 * LIMIT_WAITING + FDS_RESERVED)
        l->waiting_max = files.rlim_cur > FDS_RESERVED ? (size_t)(files.rlim_cur - FDS_RESERVED) / 2 : 64;
}

static int prepare(struct listener *l, struct detail *detail)
{
    static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP, 0 };
    bool landlock;
    int r = jail_enter(PROCESS_LISTENER, NULL, 0, &landlock, detail);
    if (r)
        return r;
    size_waiting(l);
    if (getrandom(l->ticket_key, sizeof l->ticket_key, 0) != (ssize_t)sizeof l->ticket_key)
        return detail_fail(detail, -EIO, "no random bytes");
    if (process_config(l->config_fd, &l->config) || l->n_host_keys == 0)
        return detail_fail(detail, -EINVAL, "no configuration or no host key came with Start");
    r = limits_new(&l->limits);
    if (r == 0)
        r = loop_new(&l->loop);
    if (r == 0)
        r = loop_signals(l->loop, signals, on_signal, l);
    if (r == 0)
        r = timer_new(l->loop, listener_sweep, l, &l->sweep);
    if (r == 0)
        r = timer_new(l->loop, accept_again, l, &l->accept_again);
    if (r)
        return detail_fail(detail, r, "%s", strerror(-r));
    return listener_bind(l, l->config, detail);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    static struct listener listener;
    struct detail detail = { "" };
    int fds[IPC_FDS_MAX];
    int r = process_begin(PROCESS_LISTENER, &start, fds);
    if (r)
        return r;
    take_start(&listener, start->start, fds);
    if (prepare(&listener, &detail)) {
        log_event(LOG_ERROR, "start_failed", "detail", detail.text, NULL);
        return 78;
    }
    processes_start(&listener);
    r = loop_run(listener.loop);
    log_event(r == 0 ? LOG_INFO : LOG_ERROR, "stopped", NULL);
    return r < 0 ? 70 : r;
}
