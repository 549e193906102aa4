/* The end, in three steps: draining (no new connections; those that are may go on for a while), farewell
 * (their control sockets are closed: fronts tell their clients and gates finish their recordings), ending
 * (the services and zygotes go; who does not go by itself is killed). */
#include "server/listener.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

void listener_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    if (n == 0 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0; /* an abstract name */
    CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

static void kill_rest(void *owner)
{
    struct listener *l = owner;
    for (struct process *p = l->processes; p; p = p->next) {
        log_event(LOG_WARNING, "process_killed", "child", process_name(p->kind), "child_pid", U64(p->pid),
                  NULL);
        (void)kill(p->pid, SIGKILL);
    }
    loop_stop(l->loop, 0);
}

static void next_step(struct listener *l, timer_handler *when_over, uint64_t ms)
{
    timer_free(STEAL(l->phase_over));
    if (timer_new(l->loop, when_over, l, &l->phase_over))
        kill_rest(l);
    else
        timer_set(l->phase_over, ms);
}

/* Services end when their control socket closes, zygotes too. */
static void end_processes(void *owner)
{
    struct listener *l = owner;
    if (l->phase >= LISTENER_ENDING)
        return;
    l->phase = LISTENER_ENDING;
    for (struct process *p = l->processes; p; p = p->next)
        ipc_peer_free(STEAL(p->peer));
    next_step(l, kill_rest, LISTENER_END_MS);
    listener_check_end(l);
}

static void close_parts(struct connection *c)
{
    ipc_peer_free(STEAL(c->front.peer));
    for (size_t i = 0; i < c->n_gates; i++)
        ipc_peer_free(STEAL(c->gates[i].peer));
}

/* Connections are forgotten when their children have exited, of which the zygotes still tell. */
static void say_farewell(struct listener *l, uint64_t limit_ms)
{
    if (l->phase >= LISTENER_FAREWELL)
        return;
    l->phase = LISTENER_FAREWELL;
    while (l->waiting.first)
        connection_free(l->waiting.first);
    for (size_t i = 0; i < LISTENER_BUCKETS; i++)
        for (struct connection *c = l->table[i]; c; c = c->next)
            close_parts(c);
    next_step(l, end_processes, limit_ms);
    listener_check_end(l);
}

static void drained(void *owner)
{
    say_farewell(owner, LISTENER_FAREWELL_MS);
}

void listener_drain(struct listener *l)
{
    if (l->phase != LISTENER_RUNNING)
        return;
    l->phase = LISTENER_DRAINING;
    log_event(LOG_INFO, "draining", "connections", U64(l->connections - l->waiting.n), "limit",
              text_duration((char[24]){ 0 }, l->config->drain_ms), NULL);
    listener_notify("STOPPING=1");
    listener_unbind(l);
    while (l->waiting.first)
        connection_free(l->waiting.first);
    next_step(l, drained, l->config->drain_ms);
    listener_check_end(l);
}

void listener_stop(struct listener *l)
{
    if (l->phase >= LISTENER_FAREWELL) {
        end_processes(l);
        return;
    }
    log_event(LOG_INFO, "stopping", NULL);
    listener_unbind(l);
    say_farewell(l, LISTENER_HASTE_MS);
}

void listener_check_end(struct listener *l)
{
    if ((l->phase == LISTENER_DRAINING || l->phase == LISTENER_FAREWELL) && l->connections == 0)
        end_processes(l);
    else if (l->phase == LISTENER_ENDING && !l->processes)
        loop_stop(l->loop, 0);
}
