/* A tool from fork to wait.
 *
 *   FORKED ──caged──▶ CAGED ──execve let pass──▶ EXECUTING ──setup closed──▶ RUNNING ──▶ ENDING ──▶ reaped
 *
 * The gate hears AnswerRun when the tool is RUNNING, so that a program which can't be executed is a refusal
 * and not a strange exit. ENDING is entered when nobody wants the tool any more. Whatever happens, it is over
 * only when waitpid() says so: until then the pid is ours and can be signalled without hitting a stranger. */
#include "server/launcher_tool.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "server/launcher_tell.h"
#include "server/launcher_streams.h"
#include "server/sandbox_notice.h"

enum tool_state { TOOL_FORKED, TOOL_CAGED, TOOL_EXECUTING, TOOL_RUNNING, TOOL_ENDING, TOOL_STATES };

struct tool {
    struct launcher *launcher;
    struct tool *next;
    struct ipc_peer *gate; /* NULL: nobody is to be told */
    uint64_t connection;
    uint32_t request;
    const char *name;
    pid_t pid; /* 0 once it is reaped */
    enum tool_state state;
    int setup, notices; /* sandbox.h; -1 when done with */
    struct source *setup_source, *notice_source;
    struct timer *limit;       /* of the start, then of the end */
    struct streams streams;    /* the gate's, until it has them; what is offered, until it is accepted */
    uint64_t sockets_since_ms; /* the second in which sockets are counted */
    unsigned sockets, sockets_most;
};

static void tool_move(struct tool *tool, enum tool_state to)
{
    static const bool may[TOOL_STATES][TOOL_STATES] = {
        [TOOL_FORKED] = { [TOOL_CAGED] = true, [TOOL_ENDING] = true },
        [TOOL_CAGED] = { [TOOL_EXECUTING] = true, [TOOL_ENDING] = true },
        [TOOL_EXECUTING] = { [TOOL_RUNNING] = true, [TOOL_ENDING] = true },
        [TOOL_RUNNING] = { [TOOL_ENDING] = true },
    };
    if (may[tool->state][to])
        tool->state = to;
}

/* ---- its end ---- */

static void tool_free(struct tool *tool)
{
    if (!tool)
        return;
    source_free(tool->setup_source);
    source_free(tool->notice_source);
    timer_free(tool->limit);
    fd_close(tool->setup);
    fd_close(tool->notices);
    streams_close(&tool->streams);
    free(tool);
}
DEFINE_CLEANUP(struct tool *, tool_free)

static void send_signal(const struct tool *tool, int number)
{
    if (tool->pid > 0)
        (void)kill(tool->pid, number);
}

static void tool_end(struct tool *tool, int number)
{
    tool->gate = NULL;
    tool_move(tool, TOOL_ENDING);
    streams_close(&tool->streams);
    send_signal(tool, number);
    timer_set(tool->limit, LAUNCHER_HANGUP_MS);
}

static void refuse(struct tool *tool, const char *message)
{
    tell_refused(tool->gate, tool->request, "target_unavailable", message);
    tool->gate = NULL;
}

static void start_failed(struct tool *tool, const char *why)
{
    struct detail message;
    detail_set(&message, "%s can't be run here: %s", tool->name, why);
    log_event(LOG_ERROR, "tool_failed", "connection", U64(tool->connection), "tool", tool->name, "detail",
              why, NULL);
    refuse(tool, message.text);
    tool_end(tool, SIGKILL);
}

static void limit_reached(void *owner)
{
    struct tool *tool = owner;
    if (tool->state == TOOL_ENDING)
        send_signal(tool, SIGKILL);
    else if (tool->state != TOOL_RUNNING)
        start_failed(tool, "it takes too long to start");
}

/* ---- what it asks ---- */

static void setup_ready(void *owner, uint32_t ready);

static bool may_open_socket(struct tool *tool)
{
    if (tool->state == TOOL_EXECUTING) /* it runs, and the loop has not come to that yet */
        setup_ready(tool, LOOP_READ);
    uint64_t now = clock_ms();
    if (now - tool->sockets_since_ms >= 1000) {
        tool->sockets_since_ms = now;
        tool->sockets = 0;
    }
    return tool->state == TOOL_RUNNING && tool->gate && ++tool->sockets <= tool->sockets_most;
}

/* One end of a fresh pair for the tool, which takes it for its server; the other for the gate. */
static int give_socket(struct tool *tool, const struct sandbox_notice *notice)
{
    if (!may_open_socket(tool))
        return sandbox_notice_refuse(tool->notices, notice, EMFILE);
    int pair[2];
    int r = fd_pair(SOCK_STREAM, pair);
    if (r < 0)
        return sandbox_notice_refuse(tool->notices, notice, EMFILE);
    CLEANUP(fd_close) int tools = pair[0];
    CLEANUP(fd_close) int gates = pair[1];
    r = fd_nonblock(gates, true);
    if (r == 0)
        r = fd_nonblock(tools, notice->nonblock);
    if (r < 0)
        return sandbox_notice_refuse(tool->notices, notice, EMFILE);
    r = sandbox_notice_give(tool->notices, notice, tools);
    if (r == 0)
        tell_connected(tool->gate, tool->request, gates);
    else if (r != -ENOENT)
        return sandbox_notice_refuse(tool->notices, notice, EMFILE); /* its own limit of descriptors */
    return r;
}

/* A listening tool is told an address, whichever socket it asks about. */
static int tell_name(struct tool *tool, const struct sandbox_notice *notice)
{
    int r = sandbox_notice_address(notice, tool->pid);
    if (r == 0)
        return sandbox_notice_done(tool->notices, notice);
    log_event(
        LOG_ERROR, "tool_failed", "connection", U64(tool->connection), "tool", tool->name, "detail",
        "its memory can't be written to, which is how it is told an address (Yama's ptrace_scope is 2 or 3?)",
        NULL);
    send_signal(tool, SIGKILL); /* it would not take a refusal for one */
    return sandbox_notice_refuse(tool->notices, notice, EFAULT);
}

/* It accepts what it is offered, once; after that nobody connects. */
static int give_connection(struct tool *tool, const struct sandbox_notice *notice)
{
    if (tool->streams.offered < 0)
        return sandbox_notice_refuse(tool->notices, notice, EAGAIN);
    CLEANUP(fd_close) int offered = STEAL_FD(tool->streams.offered);
    int r = fd_nonblock(offered, notice->nonblock);
    if (r == 0)
        r = sandbox_notice_address(notice, tool->pid);
    return r < 0 ? sandbox_notice_refuse(tool->notices, notice, EMFILE)
                 : sandbox_notice_give(tool->notices, notice, offered);
}

static int answer_notice(struct tool *tool, const struct sandbox_notice *notice)
{
    switch (notice->wish) {
    case SANDBOX_WISH_EXEC:
        if (tool->state != TOOL_CAGED)
            break;
        tool_move(tool, TOOL_EXECUTING);
        return sandbox_notice_continue(tool->notices, notice);
    case SANDBOX_WISH_SOCKET:
        return give_socket(tool, notice);
    case SANDBOX_WISH_NAME:
        return tell_name(tool, notice);
    case SANDBOX_WISH_ACCEPT:
        return give_connection(tool, notice);
    case SANDBOX_WISH_OTHER:
        break;
    }
    return sandbox_notice_refuse(tool->notices, notice, EPERM);
}

static void notice_ready(void *owner, uint32_t ready)
{
    struct tool *tool = owner;
    struct sandbox_notice notice;
    if (ready & LOOP_READ && sandbox_notice_take(tool->notices, &notice) == 0) {
        int r = answer_notice(tool, &notice);
        if (r < 0 && r != -ENOENT)
            log_event(LOG_WARNING, "tool_unanswered", "tool", tool->name, "detail", strerror(-r), NULL);
    } else if (ready & LOOP_HANGUP) { /* nobody is left in the cage */
        source_free(STEAL(tool->notice_source));
        fd_close(STEAL_FD(tool->notices));
    }
}

/* ---- its start ---- */

static void caged(struct tool *tool, int notices)
{
    tool->notices = notices;
    tool_move(tool, TOOL_CAGED);
    int r = source_new(tool->launcher->loop, notices, LOOP_READ, notice_ready, tool, &tool->notice_source);
    if (r < 0)
        start_failed(tool, strerror(-r));
}

static void silent(struct tool *tool)
{
    source_free(STEAL(tool->setup_source));
    fd_close(STEAL_FD(tool->setup));
    if (tool->state != TOOL_EXECUTING)
        return; /* it died, or is ending: waitpid() will tell */
    tool_move(tool, TOOL_RUNNING);
    timer_stop(tool->limit);
    tell_running(tool->gate, tool->request, tool->streams.gates, tool->streams.n, tool->streams.offered >= 0);
    for (size_t i = 0; i < tool->streams.n; i++)
        fd_close(STEAL_FD(tool->streams.gates[i]));
}

static void setup_ready(void *owner, uint32_t ready)
{
    (void)ready;
    struct tool *tool = owner;
    struct detail detail = { "" };
    int notices = -1;
    switch (sandbox_step(tool->setup, &notices, &detail)) {
    case SANDBOX_CAGED:
        caged(tool, notices);
        break;
    case SANDBOX_FAILED:
        start_failed(tool, detail.text);
        break;
    case SANDBOX_SILENT:
        silent(tool);
        break;
    default:
        break;
    }
}

static int fork_tool(struct tool *tool, const struct tool_order *order)
{
    struct streams *streams = &tool->streams;
    int r = order->pty                 ? streams_terminal(order->pty, streams)
            : order->command->forwards ? streams_connection(streams)
                                       : streams_pipes(streams);
    const struct sandbox_run run = {
        .arguments = order->command->arguments.items,
        .environment = order->command->environment.items,
        .standard = { streams->tools[0], streams->tools[1], streams->tools[2] },
        .extra = order->extra,
        .terminal = order->pty != NULL,
        .scratch = order->scratch,
    };
    if (r == 0)
        r = sandbox_start(order->sandbox, &run, &tool->pid, &tool->setup);
    streams_close_tools(streams);
    return r;
}

int tool_start(struct launcher *launcher, const struct tool_order *order, struct detail *detail)
{
    CLEANUP(tool_free) struct tool *tool = calloc(1, sizeof *tool);
    if (!tool)
        return detail_fail(detail, -ENOMEM, "out of memory");
    *tool = (struct tool){
        .launcher = launcher,
        .gate = order->gate,
        .connection = order->connection,
        .request = order->request,
        .name = order->name,
        .sockets_most = order->sockets_per_second,
        .setup = -1,
        .notices = -1,
        .streams = streams_none(),
    };
    int r = timer_new(launcher->loop, limit_reached, tool, &tool->limit);
    if (r == 0)
        r = fork_tool(tool, order);
    if (r < 0)
        return detail_fail(detail, r, "%s can't be started: %s", order->name, strerror(-r));
    timer_set(tool->limit, LAUNCHER_START_MS);
    tool->next = launcher->tools; /* from here on there is a child: waitpid() ends what goes wrong */
    launcher->tools = tool;
    launcher->n_tools++;
    r = source_new(launcher->loop, tool->setup, LOOP_READ, setup_ready, tool, &tool->setup_source);
    struct tool *started = STEAL(tool);
    if (r < 0)
        start_failed(started, strerror(-r));
    return 0;
}

/* ---- all of them ---- */

struct tool *tool_find(const struct launcher *launcher, const struct ipc_peer *gate, uint32_t request)
{
    struct tool *tool = launcher->tools;
    while (tool && !(tool->gate == gate && tool->request == request))
        tool = tool->next;
    return tool;
}

size_t tool_count(const struct launcher *launcher, const struct ipc_peer *gate)
{
    size_t n = 0;
    for (const struct tool *tool = launcher->tools; tool; tool = tool->next)
        n += tool->gate == gate;
    return n;
}

void tool_signal(struct tool *tool, const char *name)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {
        { "INT", SIGINT },   { "TERM", SIGTERM }, { "HUP", SIGHUP },   { "WINCH", SIGWINCH },
        { "KILL", SIGKILL }, { "QUIT", SIGQUIT }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            send_signal(tool, known[i].number);
}

void tool_abandon_all(struct launcher *launcher, const struct ipc_peer *gate)
{
    for (struct tool *tool = launcher->tools; tool; tool = tool->next)
        if (tool->gate == gate)
            tool_end(tool, SIGHUP);
}

static struct tool *unlink_pid(struct launcher *launcher, pid_t pid)
{
    for (struct tool **at = &launcher->tools; *at; at = &(*at)->next) {
        struct tool *tool = *at;
        if (tool->pid != pid)
            continue;
        *at = tool->next;
        launcher->n_tools--;
        return tool;
    }
    return NULL;
}

/* What it said before it died may still be unread: the start, or why there was none. */
static void hear_last_words(struct tool *tool)
{
    enum { WORDS = 3 }; /* caged, failed, silence */
    for (int i = 0; i < WORDS && tool->setup_source && tool->state != TOOL_ENDING; i++)
        setup_ready(tool, LOOP_READ);
}

void tool_reaped(struct launcher *launcher, pid_t pid, int status)
{
    struct tool *tool = unlink_pid(launcher, pid);
    if (!tool)
        return;
    tool->pid = 0;
    hear_last_words(tool);
    if (tool->state == TOOL_RUNNING)
        tell_exited(tool->gate, tool->request, status);
    else if (tool->state != TOOL_ENDING)
        refuse(tool, "the tool died while it was started");
    log_event(LOG_DEBUG, "tool_exited", "connection", U64(tool->connection), "tool", tool->name, "status",
              U64((unsigned)status), NULL);
    tool_free(tool);
}

void tool_kill_all(struct launcher *launcher)
{
    while (launcher->tools) {
        struct tool *tool = launcher->tools;
        send_signal(tool, SIGKILL);
        tool_free(unlink_pid(launcher, tool->pid)); /* init reaps it */
    }
}
