/* gatehouse-launcher: runs psql, kubectl and the player for gates, each in a cage (sandbox.c).
 *
 * Its seccomp list holds what its tools need too, since they inherit it (sandbox_filter.c); what is not on it
 * fails instead of killing, because people try things out in psql. Landlock and a uid of its own do the rest.
 * It reads messages of gates, never a byte of what an agent typed or a server sent: those go between tool and
 * gate through descriptors that it makes and gives away. */
#include "server/launcher.h"
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "server/launcher_gate.h"
#include "server/launcher_kubectl.h"
#include "server/launcher_psql.h"
#include "server/launcher_tool.h"
#include "server/sandbox_files.h"
#include "server/sandbox_filter.h"

/* ---- the listener ---- */

static int peer_came(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)n_fds;
    int r = gate_new(owner, message->peer, STEAL_FD(fds[0]));
    if (r < 0) /* that gate finds its socket closed; the others go on */
        log_event(LOG_ERROR, "gate_refused", "connection", U64(message->peer->connection), "detail",
                  strerror(-r), NULL);
    return 0;
}

/* Nothing of the configuration is used here. */
static int reload(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)owner;
    (void)message;
    (void)fds;
    (void)n_fds;
    return 0;
}

static const struct ipc_rule control_rules[] = {
    { .body = IPC__MESSAGE__BODY_PEER, .states = 1, .fds_min = 1, .fds_max = 1, .handle = peer_came },
    { .body = IPC__MESSAGE__BODY_RELOAD, .states = 1, .fds_max = 1, .handle = reload },
};

static void control_gone(void *owner, const char *reason)
{
    struct launcher *launcher = owner;
    log_event(LOG_DEBUG, "control_gone", "reason", reason, NULL);
    loop_stop(launcher->loop, 0);
}

static int send_ready(struct launcher *launcher)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    return ipc_peer_send(launcher->control, &message, NULL, 0);
}

/* ---- children ---- */

static void child_ended(void *owner, int number)
{
    (void)number;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        tool_reaped(owner, pid, status);
}

/* ---- the start ---- */

static void prepare(struct program *program, const char *name, const char *path, struct sandbox_needs needs)
{
    int r = sandbox_new(path, needs, &program->sandbox, &program->missing);
    if (r == 0)
        return;
    if (!program->missing.text[0])
        detail_set(&program->missing, "%s", strerror(-r));
    log_event(LOG_WARNING, "tool_missing", "tool", name, "detail", program->missing.text, NULL);
}

static void prepare_kubectl(struct launcher *launcher, const char *wanted)
{
    static const struct sandbox_needs needs = { .sockets = AF_INET, .threads = true, .scratch = true },
                                      listens = { AF_INET, true, true, true };
    char path[KUBECTL_PATH_MAX];
    if (kubectl_find(wanted, path) < 0)
        detail_set(&launcher->kubectl.missing, "%.200s is not installed",
                   wanted && *wanted ? wanted : "kubectl");
    else if (!launcher->scratch[0])
        detail_set(&launcher->kubectl.missing,
                   "the state directory has no scratch/, which `gatehouse serve` makes");
    else
        prepare(&launcher->kubectl, "kubectl", path, needs);
    launcher->forwarder.missing = launcher->kubectl.missing;
    if (launcher->kubectl.sandbox) /* whose files are the same */
        prepare(&launcher->forwarder, "kubectl port-forward", path, listens);
}

static void prepare_programs(struct launcher *launcher, const char *libexec)
{
    char psql[PSQL_PATH_MAX], player[PATH_MAX];
    if (psql_find(psql) == 0)
        prepare(&launcher->psql, "psql", psql, (struct sandbox_needs){ .sockets = AF_UNIX });
    else
        detail_set(&launcher->psql.missing, "psql is not installed");
    (void)snprintf(player, sizeof player, "%s/gatehouse-player", libexec);
    prepare(&launcher->player, "player", player, (struct sandbox_needs){ 0 });
}

/* The launcher's own view of the files must include its tools', which can only be narrower. Programs are
 * opened up by directory: an upgrade puts a new file in the place of the old one. */
struct view {
    struct jail_path paths[3 * SANDBOX_PATHS_MAX + 3];
    char directories[6][PATH_MAX];
    size_t n_paths, n_directories;
};

static void view_add_directory(struct view *view, const char *program)
{
    char *copy = view->directories[view->n_directories++];
    if (!realpath(program, copy))
        return;
    view->paths[view->n_paths++] = (struct jail_path){ dirname(copy), false };
}

static void view_add(struct view *view, const struct program *program)
{
    if (!program->sandbox)
        return;
    struct sandbox_path paths[SANDBOX_PATHS_MAX];
    size_t n = sandbox_files(sandbox_program(program->sandbox), paths);
    for (size_t i = 0; i < n; i++) {
        if (paths[i].access == SANDBOX_EXECUTE)
            view_add_directory(view, paths[i].path);
        else
            view->paths[view->n_paths++] =
                (struct jail_path){ paths[i].path, paths[i].access == SANDBOX_DEVICE };
    }
}

static int enter_jail(struct launcher *launcher, struct detail *detail)
{
    CLEANUP(free) struct view *view = calloc(1, sizeof *view);
    if (!view)
        return -ENOMEM;
    view_add(view, &launcher->psql);
    view_add(view, &launcher->player);
    view_add(view, &launcher->kubectl);
    if (launcher->scratch[0])
        view->paths[view->n_paths++] = (struct jail_path){ launcher->scratch, true };
    view->paths[view->n_paths++] = (struct jail_path){ "/dev/ptmx", true };
    view->paths[view->n_paths++] = (struct jail_path){ "/dev/pts", true };
    bool landlock = false;
    int r = jail_enter(PROCESS_LAUNCHER, view->paths, view->n_paths, &landlock, detail);
    bool runs_nothing = !launcher->psql.sandbox && !launcher->player.sandbox && !launcher->kubectl.sandbox;
    if (r < 0 ||
        runs_nothing) /* gates are told why, so it stays; a kernel without seccomp can't seal it either */
        return r;
    return sandbox_filter_supervisor(detail);
}

/* Of the configuration one word is for us; where there is none (tests), what is installed is taken. */
static void take_config(struct launcher *launcher, int fd)
{
    Ipc__Config *config = NULL;
    if (fd >= 0 && process_config(fd, &config))
        log_event(LOG_ERROR, "config_unreadable", "detail", "kubectl is looked for in its usual places",
                  NULL);
    prepare_kubectl(launcher, config ? config->kubectl : NULL);
    if (config)
        ipc__config__free_unpacked(config, NULL);
}

static int take_start(struct launcher *launcher, const Ipc__Start *start, int config, struct detail *detail)
{
    if (start->ticket_key.len != TICKET_KEY)
        return detail_fail(detail, -EINVAL, "Start has no ticket key");
    memcpy(launcher->ticket_key, start->ticket_key.data, TICKET_KEY);
    prepare_programs(launcher, start->libexec);
    if (scratch_begin(start->state, launcher->scratch))
        launcher->scratch[0] = 0;
    take_config(launcher, config);
    return 0;
}

static int serve(struct launcher *launcher, struct detail *detail)
{
    static const int children[] = { SIGCHLD, 0 };
    int r = loop_new(&launcher->loop);
    if (r == 0)
        r = loop_signals(launcher->loop, children, child_ended, launcher);
    if (r == 0)
        r = ipc_peer_new(launcher->loop, CONTROL_FD, "listener", control_rules,
                         sizeof control_rules / sizeof control_rules[0], control_gone, launcher,
                         &launcher->control);
    if (r == 0)
        r = send_ready(launcher);
    if (r == 0)
        r = loop_run(launcher->loop);
    return r < 0 ? detail_fail(detail, r, "%s", strerror(-r)) : r;
}

static void launcher_end(struct launcher *launcher)
{
    gate_free_all(launcher);
    tool_kill_all(launcher);
    ipc_peer_free(launcher->control);
    loop_free(launcher->loop);
    sandbox_free(launcher->psql.sandbox);
    sandbox_free(launcher->player.sandbox);
    sandbox_free(launcher->kubectl.sandbox);
    sandbox_free(launcher->forwarder.sandbox);
    explicit_bzero(launcher->ticket_key, sizeof launcher->ticket_key);
}

/* Ctrl-C in the terminal of `gatehouse serve` is the listener's to handle. */
static void ignore_terminal_signals(void)
{
    static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    if (process_begin(PROCESS_LAUNCHER, &start, fds))
        return 78;
    ignore_terminal_signals();
    struct launcher launcher = { 0 };
    struct detail detail = { "" };
    int r = take_start(&launcher, start->start, fds[0], &detail);
    for (size_t i = 0; i < IPC_FDS_MAX; i++)
        fd_close(fds[i]); /* the configuration */
    if (r == 0)
        r = enter_jail(&launcher, &detail);
    if (r == 0)
        r = serve(&launcher, &detail);
    launcher_end(&launcher);
    if (r < 0)
        log_event(LOG_ERROR, "launcher_failed", "detail", detail.text, NULL);
    return r < 0 ? 70 : r;
}
