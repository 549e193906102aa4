/* SIGHUP: the configuration is read again, by a process that may parse YAML:
 *
 *     PROGRAM serve --read-config 3 -c CONFIG_PATH        (Start.program, Start.config_path)
 *
 * Descriptor 3 is a SOCK_SEQPACKET socket. The program sends one Start message on it as `gatehouse serve`
 * does at first (fds: config, one memfd per host key) and exits with 0; or it prints what is wrong and exits
 * with 78, and everything stays as it is. */
#include "server/listener.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "server/child.h"

struct reload {
    struct listener *listener;
    pid_t pid;
    struct ipc_peer *peer;
    struct timer *limit;
    bool exited;
};

static void reload_free(struct reload *reload)
{
    if (!reload)
        return;
    ipc_peer_free(reload->peer);
    timer_free(reload->limit);
    free(reload);
}

static void tell_services(struct listener *l)
{
    /* The courier before the issuer, which at once asks it for what is new. */
    static const enum process_kind services[] = { PROCESS_VAULT, PROCESS_LEDGER, PROCESS_LAUNCHER,
                                                  PROCESS_COURIER, PROCESS_ISSUER };
    Ipc__Reload body = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &body);
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (l->current[services[i]] && l->current[services[i]]->peer)
            (void)ipc_peer_send(l->current[services[i]]->peer, &message, &l->config_fd, 1);
}

/* From here on everything new goes by the new configuration; what runs keeps the one it began with. */
static void put_in_force(struct listener *l, Ipc__Config *config, int *fds, size_t n_fds)
{
    ipc__config__free_unpacked(l->config, NULL);
    l->config = config;
    fd_close(l->config_fd);
    l->config_fd = STEAL_FD(fds[0]);
    for (size_t i = 0; i < l->n_host_keys; i++)
        fd_close(STEAL_FD(l->host_keys[i]));
    l->n_host_keys = 0;
    for (size_t i = 1; i < n_fds; i++)
        l->host_keys[l->n_host_keys++] = STEAL_FD(fds[i]);
    tell_services(l);
    process_start(l, PROCESS_GATE);
    process_start(l, PROCESS_FRONT);
    log_event(LOG_INFO, "reloaded", "config", l->start->config_path, "digest", config->digest, NULL);
}

static int on_start(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct listener *l = owner;
    struct detail detail = { "the configuration does not unpack" };
    (void)message;
    Ipc__Config *config = NULL;
    if (process_config(fds[0], &config) || listener_bind(l, config, &detail)) {
        log_event(LOG_ERROR, "reload_refused", "config", l->start->config_path, "detail", detail.text, NULL);
        if (config)
            ipc__config__free_unpacked(config, NULL);
        return 0;
    }
    put_in_force(l, config, fds, n_fds);
    return 0;
}

/* It has exited, and its message was read. */
static void end_when_over(struct listener *l)
{
    if (l->reload->exited && !l->reload->peer)
        reload_free(STEAL(l->reload));
}

static void reader_gone(void *owner, const char *reason)
{
    struct listener *l = owner;
    (void)reason;
    ipc_peer_free(STEAL(l->reload->peer));
    end_when_over(l);
}

static void reader_late(void *owner)
{
    struct listener *l = owner;
    log_event(LOG_ERROR, "reload_refused", "config", l->start->config_path, "detail",
              "reading it took too long", NULL);
    (void)kill(l->reload->pid, SIGKILL);
}

void listener_reload(struct listener *l)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_START, 1, true, 2, IPC_FDS_MAX,
                                               on_start } };
    if (l->reload || !l->announced || !l->start->program || !*l->start->program) {
        log_event(LOG_WARNING, "reload_refused", "detail",
                  l->reload ? "one is under way" : "not possible now", NULL);
        return;
    }
    char *arguments[] = {
        l->start->program, "serve", "--read-config", "3", "-c", l->start->config_path, NULL
    };
    struct reload *reload = calloc(1, sizeof *reload);
    int control = -1;
    int r = reload ? child_start(l->start->program, arguments, &control, &reload->pid) : -ENOMEM;
    if (r == 0)
        r = ipc_peer_new(l->loop, control, "configuration", rules, 1, reader_gone, l, &reload->peer);
    if (r == 0)
        r = timer_new(l->loop, reader_late, l, &reload->limit);
    if (r) {
        log_event(LOG_ERROR, "reload_refused", "detail", strerror(-r), NULL);
        reload_free(reload);
        return;
    }
    l->reload = reload;
    timer_set(reload->limit, LISTENER_RELOAD_MS);
}

bool listener_reload_reap(struct listener *l, pid_t pid, int status)
{
    if (!l->reload || l->reload->pid != pid)
        return false;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        log_event(LOG_ERROR, "reload_refused", "config", l->start->config_path, "detail",
                  "it has faults; the old configuration stays in force", NULL);
    l->reload->exited = true;
    end_when_over(l);
    return true;
}
