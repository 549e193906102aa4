/* Output of the tool is recorded before it goes on (pump_watch); its connections to the server become
 * streams, which record the statements. A tool is done when the launcher has reaped it and its output has
 * been passed on: both, so that nothing is lost at the end. */
#include "channels/tool_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "channels/commands/desk.h"
#include "channels/kube_stream.h"
#include "channels/recorder.h"
#include "channels/stream.h"

enum {
    END_OF_INPUT = 0x04 /* VEOF: what a terminal sends for the end of input */
};

void tool_tell(struct tool *tool, const char *name)
{
    struct gate *gate = tool->channel->gate;
    if (!gate->launcher || tool->exited)
        return;
    Ipc__ToolSignal signal = IPC__TOOL_SIGNAL__INIT;
    signal.request = tool->request;
    signal.name = (char *)(uintptr_t)name;
    Ipc__Message message = IPC_MESSAGE(TOOL_SIGNAL, tool_signal, &signal);
    (void)ipc_peer_send(gate->launcher, &message, NULL, 0);
}

void tool_free(struct tool *tool)
{
    if (!tool)
        return;
    tool_tell(tool, "KILL");
    for (size_t i = 0; i < STREAMS_MAX; i++)
        stream_free(tool->streams[i]);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        kube_stream_free(tool->kube_streams[i]);
    pump_free(tool->input);
    pump_free(tool->output);
    pump_free(tool->errors);
    pump_free(tool->words);
    timer_free(tool->limit);
    fd_close(tool->terminal);
    free(tool);
}

static const struct refusal unrecorded = { .code = "recording_unavailable",
                                           .reason = "the session can't be recorded, so it ends here" };

void tool_finish_when_done(struct tool *tool)
{
    if (!tool->exited || tool->output || tool->errors || tool->words)
        return;
    if (tool->channel->desk) {
        struct channel *channel = tool->channel;
        tool_free(STEAL(channel->tool));
        desk_tool_over(channel, NULL);
        return;
    }
    if (tool->unrecorded)
        channel_finish(tool->channel, refusal_status(&unrecorded), NULL, unrecorded.reason);
    else
        channel_finish(tool->channel, tool->status, tool->signal[0] ? tool->signal : NULL, "exit");
}

/* ---- bytes ---- */

static int record(struct tool *tool, const char *form, const void *bytes, size_t n)
{
    struct recorder *recorder = tool->channel->recorder;
    return recorder ? recorder_output(recorder, 0, form, bytes, n) : 0;
}

static int output_seen(void *owner, const void *bytes, size_t n)
{
    return record(owner, "terminal", bytes, n);
}

int tool_errors_seen(void *owner, const void *bytes, size_t n)
{
    return record(owner, "stderr", bytes, n);
}

/* What can't be recorded is not shown, and nothing further runs. A client that reads no more is no failure of
 * ours. */
void tool_stop_if_unrecorded(struct tool *tool, int error)
{
    if (error == 0 || error == -EPIPE || error == -ECONNRESET || tool->unrecorded)
        return;
    log_event(LOG_ERROR, "recording_failed", "detail", strerror(-error), NULL);
    tool->unrecorded = true;
    tool_stop(tool, &unrecorded);
}

static void output_ended(void *owner, int error)
{
    struct tool *tool = owner;
    tool_stop_if_unrecorded(tool, error);
    if (error)
        tool_tell(tool, "HUP");
    pump_free(STEAL(tool->output));
    tool_finish_when_done(tool);
}

void tool_errors_ended(void *owner, int error)
{
    struct tool *tool = owner;
    tool_stop_if_unrecorded(tool, error);
    pump_free(STEAL(tool->errors));
    tool_finish_when_done(tool);
}

/* The client sends no more: a pipe ends by itself, a terminal has to be told. */
void tool_input_ended(void *owner, int error)
{
    struct tool *tool = owner;
    (void)error;
    pump_free(STEAL(tool->input));
    static const char end[] = { END_OF_INPUT };
    if (tool->terminal >= 0)
        (void)!write(tool->terminal, end, sizeof end);
}

/* ---- starting ---- */

static struct channel *channel_of(struct gate *gate, uint32_t request)
{
    struct channel *channel = gate->channels;
    while (channel && !(channel->tool && channel->tool->request == request))
        channel = channel->next;
    return channel;
}

void tool_start(struct channel *channel, Ipc__Tool kind, char **arguments, size_t n_arguments, const int *fds,
                size_t n_fds)
{
    struct gate *gate = channel->gate;
    struct tool *tool = gate->launcher ? calloc(1, sizeof *tool) : NULL;
    if (!tool) {
        channel_refuse(channel,
                       &(struct refusal){ .code = "target_unavailable",
                                          .reason = "tools can't be started on this connection any more",
                                          .next = "connect again" });
        return;
    }
    *tool = (struct tool){ .channel = channel, .request = gate_request(gate), .terminal = -1 };
    channel->tool = tool;
    Ipc__AskRun ask = IPC__ASK_RUN__INIT;
    ask.request = tool->request;
    ask.tool = kind;
    ask.arguments = arguments;
    ask.n_arguments = n_arguments;
    ask.pty = channel->pty;
    ask.environment = channel->open->environment; /* the launcher passes on what is harmless */
    ask.n_environment = channel->open->n_environment;
    if (channel->target)
        ask.target = channel->target->name;
    Ipc__Message message = IPC_MESSAGE(ASK_RUN, ask_run, &ask);
    (void)ipc_peer_send(gate->launcher, &message, fds, n_fds);
}

static int attach_terminal(struct tool *tool, int *fds)
{
    struct loop *loop = tool->channel->gate->loop;
    int data = tool->channel->data_fd;
    tool->terminal = STEAL_FD(fds[0]);
    int r = pump_new(loop, tool->terminal, data, output_seen, output_ended, tool, &tool->output);
    if (r == 0 && tool->channel->desk)
        pump_keep_open(tool->output);
    return r ? r : pump_new(loop, data, tool->terminal, NULL, tool_input_ended, tool, &tool->input);
}

static int attach_pipes(struct tool *tool, int *fds)
{
    struct loop *loop = tool->channel->gate->loop;
    struct channel *channel = tool->channel;
    int r = pump_new(loop, fds[1], channel->data_fd, output_seen, output_ended, tool, &tool->output);
    if (r == 0)
        r = pump_new(loop, fds[2], channel->error_fd, tool_errors_seen, tool_errors_ended, tool,
                     &tool->errors);
    return r ? r : pump_new(loop, channel->data_fd, fds[0], NULL, tool_input_ended, tool, &tool->input);
}

static int attach(struct tool *tool, bool forwards, int *fds)
{
    return tool->channel->pty ? attach_terminal(tool, fds)
           : forwards         ? tool_attach_connection(tool, fds)
                              : attach_pipes(tool, fds);
}

int tool_answer_run(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct channel *channel = channel_of(owner, message->answer_run->request);
    if (!channel)
        return 0; /* its channel closed meanwhile; the KILL is on its way */
    struct tool *tool = channel->tool;
    if (message->answer_run->refusal) {
        struct refusal refusal = refusal_of(message->answer_run->refusal);
        tool->exited = true; /* nothing to kill */
        tool_free(STEAL(channel->tool));
        if (channel->desk)
            desk_tool_over(channel, &refusal);
        else
            channel_refuse(channel, &refusal);
        return 0;
    }
    if (tool->started || n_fds != (channel->pty ? 1u : 3u))
        return -EPROTO;
    tool->started = true;
    if (attach(tool, message->answer_run->forwards, fds))
        tool_stop(tool, &(struct refusal){ .code = "limit", .reason = "out of memory or descriptors" });
    return 0;
}

int tool_connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)n_fds;
    struct channel *channel = channel_of(owner, message->tool_connected->request);
    if (!channel || !channel->recorder || !channel->target)
        return 0; /* the descriptor closes: the tool sees a closed connection */
    struct tool *tool = channel->tool;
    size_t free_slot = 0;
    while (free_slot < STREAMS_MAX && (tool->streams[free_slot] || tool->kube_streams[free_slot]))
        free_slot++;
    if (free_slot == STREAMS_MAX)
        return 0;
    if (strcmp(channel->target->kind, "kubernetes") == 0)
        (void)!kube_stream_new(channel, STEAL_FD(fds[0]), false, &tool->kube_streams[free_slot]);
    else
        (void)!stream_new(channel, duplex_of_socket(STEAL_FD(fds[0])), false, &tool->streams[free_slot]);
    return 0;
}

void tool_forget_kube_stream(struct tool *tool, const struct kube_stream *stream)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (tool->kube_streams[i] == stream)
            tool->kube_streams[i] = NULL;
    }
}

void tool_forget_stream(struct tool *tool, const struct stream *stream)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (tool->streams[i] == stream)
            tool->streams[i] = NULL;
    }
}

/* With a terminal there is no stderr. */
static int notices_of(const struct tool *tool)
{
    return tool->channel->pty ? tool->channel->data_fd : tool->channel->error_fd;
}

void tool_notice(struct tool *tool, const char *text)
{
    char line[2 * DETAIL_MAX];
    bool pty = tool->channel->pty != NULL;
    int n = snprintf(line, sizeof line - 2, "gatehouse: %s", text);
    size_t end = n < 0 ? 0 : (size_t)n < sizeof line - 3 ? (size_t)n : sizeof line - 3;
    end += (size_t)snprintf(line + end, 3, pty ? "\r\n" : "\n");
    if (notices_of(tool) >= 0 && record(tool, pty ? "terminal" : "stderr", line, end) == 0)
        (void)!send(notices_of(tool), line, end, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- signals, size, end ---- */

void tool_window(struct tool *tool, const Ipc__Window *window)
{
    if (tool->terminal < 0)
        return;
    struct winsize size = { .ws_row = (unsigned short)window->rows,
                            .ws_col = (unsigned short)window->columns,
                            .ws_xpixel = (unsigned short)window->width,
                            .ws_ypixel = (unsigned short)window->height };
    (void)ioctl(tool->terminal, TIOCSWINSZ, &size);
    if (tool->channel->recorder)
        (void)!recorder_resize(tool->channel->recorder, window->columns, window->rows);
}

void tool_signal(struct tool *tool, const char *name)
{
    tool_tell(tool, name);
}

int tool_exited(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    const Ipc__ToolExited *exited = message->tool_exited;
    struct channel *channel = channel_of(owner, exited->request);
    if (!channel)
        return 0;
    struct tool *tool = channel->tool;
    tool->exited = true;
    tool->status = exited->status;
    (void)snprintf(tool->signal, sizeof tool->signal, "%s", exited->signal);
    if (tool->forwards)
        tool_forward_exited(tool);
    tool_finish_when_done(tool);
    return 0;
}

void tool_stop(struct tool *tool, const struct refusal *why)
{
    char text[2 * DETAIL_MAX];
    (void)refusal_lines(why, text, sizeof text);
    if (notices_of(tool) >= 0) /* what does not fit at once is not waited for */
        (void)!send(notices_of(tool), text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
    tool_tell(tool, "KILL");
}

void tools_launcher_gone(struct gate *gate)
{
    for (struct channel *channel = gate->channels, *next; channel; channel = next) {
        next = channel->next;
        if (!channel->tool)
            continue;
        struct refusal why = { .code = "target_unavailable",
                               .reason = "the tool's launcher has stopped",
                               .next = "connect again" };
        tool_stop(channel->tool, &why);
        channel_finish(channel, refusal_status(&why), NULL, why.reason);
    }
}
