/* A channel lives from Open until Exit (sessions) or until its descriptor is closed (forwards). What it does
 * is in stream.c (a PostgreSQL connection), tool.c (psql, the player) or commands/ (answered here). */
#include "channels/channel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "channels/commands/commands.h"
#include "channels/commands/config_kube.h"
#include "channels/commands/desk.h"
#include "channels/forward.h"
#include "channels/kube_door.h"
#include "channels/kube_stream.h"
#include "channels/printer.h"
#include "channels/recording.h"
#include "channels/shared_recording.h"
#include "channels/ssh/entry.h"
#include "channels/ssh/flow.h"
#include "channels/ssh/task.h"
#include "channels/stream.h"
#include "channels/tool.h"

enum { STATUS_LOST = 255 }; /* of a session whose client went away, as with ssh itself */

struct channel *channel_by_number(struct gate *gate, uint32_t number)
{
    struct channel *channel = gate->channels;
    while (channel && channel->number != number)
        channel = channel->next;
    return channel;
}

static struct channel *find_request(struct gate *gate, uint32_t request)
{
    struct channel *channel = gate->channels;
    while (channel && (channel->request != request || request == 0))
        channel = channel->next;
    return channel;
}

static void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    for (struct channel **slot = &channel->gate->channels; *slot; slot = &(*slot)->next) {
        if (*slot == channel) {
            *slot = channel->next;
            break;
        }
    }
    stream_free(channel->stream);
    kube_door_free(channel->kube_door);
    kube_stream_free(channel->kube_stream);
    tool_free(channel->tool);
    ssh_task_free(channel->ssh_task);
    ssh_flow_free(channel->ssh_flow);
    desk_free(channel);
    config_kube_free(channel->config_kube);
    shared_recording_leave(channel);
    recorder_free(channel->recorder);
    printer_free(channel->out);
    printer_free(channel->err);
    fd_close(channel->data_fd);
    fd_close(channel->error_fd);
    if (channel->open)
        ipc__open__free_unpacked(channel->open, NULL);
    words_free(&channel->words);
    free(channel->command);
    free(channel);
}

/* ---- opening ---- */

/* Messages are freed after their handler: the channel keeps a copy of its own. */
static Ipc__Open *copy_open(const Ipc__Open *open)
{
    size_t n = ipc__open__get_packed_size(open);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return NULL;
    (void)ipc__open__pack(open, bytes);
    return ipc__open__unpack(NULL, n, bytes);
}

static const char *command_of(const Ipc__Open *open, const Ipc__Identity *identity)
{
    if (open->what_case == IPC__OPEN__WHAT_FORWARD)
        return NULL;
    if (identity->force_command[0])
        return identity->force_command;
    if (open->what_case == IPC__OPEN__WHAT_EXEC)
        return open->exec;
    return open->what_case == IPC__OPEN__WHAT_SUBSYSTEM ? open->subsystem : "";
}

static struct channel *channel_new(struct gate *gate, const Ipc__Open *open, int *fds, size_t n_fds)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return NULL;
    const char *command = command_of(open, gate->identity);
    *channel = (struct channel){ .next = gate->channels,
                                 .gate = gate,
                                 .number = open->channel,
                                 .session = command != NULL,
                                 .data_fd = STEAL_FD(fds[0]),
                                 .error_fd = n_fds > 1 ? STEAL_FD(fds[1]) : -1,
                                 .open = copy_open(open),
                                 .command = command ? strdup(command) : NULL };
    gate->channels = channel;
    if (!channel->open || (command && !channel->command)) {
        channel_free(channel);
        return NULL;
    }
    channel->pty = channel->open->pty;
    return channel;
}

int channel_open(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__Open *open = message->open;
    bool session = open->what_case != IPC__OPEN__WHAT_FORWARD;
    if (open->what_case == IPC__OPEN__WHAT__NOT_SET || n_fds != (session ? 2u : 1u) ||
        channel_by_number(gate, open->channel))
        return -EPROTO;
    struct channel *channel = channel_new(gate, open, fds, n_fds);
    if (!channel)
        return -ENOMEM;
    if (!session) {
        forward_begin(channel, open->forward);
        return 0;
    }
    channel_accept(channel);
    if (!ssh_entry_begin(channel))
        command_begin(channel);
    return 0;
}

int channel_turn_away(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds;
    (void)n_fds;
    Ipc__OpenRefused refused = IPC__OPEN_REFUSED__INIT;
    refused.channel = message->open->channel;
    refused.message = gate->goodbye;
    Ipc__Message answer = IPC_MESSAGE(OPEN_REFUSED, open_refused, &refused);
    (void)ipc_peer_send(gate->front, &answer, NULL, 0);
    return 0;
}

static void say_opened(struct channel *channel, const int *fds, size_t n_fds)
{
    Ipc__Opened opened = IPC__OPENED__INIT;
    opened.channel = channel->number;
    Ipc__Message message = IPC_MESSAGE(OPENED, opened, &opened);
    (void)ipc_peer_send(channel->gate->front, &message, fds, n_fds);
}

void channel_accept(struct channel *channel)
{
    say_opened(channel, NULL, 0);
}

void channel_accept_on(struct channel *channel, const int front_ends[2])
{
    say_opened(channel, front_ends, 2);
}

void channel_decline(struct channel *channel, const char *reason)
{
    Ipc__OpenRefused refused = IPC__OPEN_REFUSED__INIT;
    refused.channel = channel->number;
    refused.message = (char *)(uintptr_t)reason;
    Ipc__Message message = IPC_MESSAGE(OPEN_REFUSED, open_refused, &refused);
    (void)ipc_peer_send(channel->gate->front, &message, NULL, 0);
    gate_audit(channel->gate, "forward_refused", "reason", reason, NULL);
    log_event(LOG_WARNING, "forward_refused", "connection", U64(channel->gate->connection), "identity",
              channel->gate->identity->name, "reason", reason, NULL);
    channel_free(channel);
}

int channel_window(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct channel *channel = channel_by_number(owner, message->window->channel);
    if (channel && channel->tool)
        tool_window(channel->tool, message->window);
    if (channel && channel->desk)
        desk_window(channel, message->window);
    if (channel && channel->ssh_task)
        ssh_task_window(channel->ssh_task, message->window);
    return 0; /* a channel that ended meanwhile is no fault */
}

int channel_signal(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct channel *channel = channel_by_number(owner, message->signal->channel);
    if (channel && channel->tool)
        tool_signal(channel->tool, message->signal->name);
    if (channel && channel->ssh_task)
        ssh_task_signal(channel->ssh_task, message->signal->name);
    return 0;
}

/* ---- the recording ---- */

void channel_record(struct channel *channel, channel_recorded *recorded)
{
    channel_record_as(channel, channel->session ? "exec" : "forward", channel->target->login,
                      channel->command ? channel->command : "", recorded);
}

void channel_record_as(struct channel *channel, const char *kind, const char *login, const char *command,
                       channel_recorded *recorded)
{
    const struct recording_about about = {
        .kind = kind, .target = channel->target, .login = login, .command = command, .pty = channel->pty
    };
    channel->request = recording_ask(channel->gate, &about);
    channel->recorded = recorded;
    if (channel->request == 0)
        channel_refuse(channel, &(struct refusal){ .code = "recording_unavailable",
                                                   .reason = "the recording was lost" });
}

int channel_answer_recording(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    Ipc__AnswerRecording *answer = message->answer_recording;
    if (shared_recording_answered(gate, answer, fds, n_fds))
        return 0;
    struct channel *channel = find_request(gate, answer->request);
    if (!channel || !channel->recorded)
        return 0; /* the channel closed while it waited; the ledger seals at our end */
    struct refusal why;
    channel->request = 0;
    channel_recorded *recorded = STEAL(channel->recorded);
    struct recorder *recorder = recording_begin(gate, answer, fds, n_fds, &why);
    if (recorder) {
        shared_recording_leave(channel);
        channel->recorder = recorder;
        recorded(channel);
    } else if (channel->kube_stream)
        kube_stream_stop(channel->kube_stream, &why);
    else
        channel_refuse(channel, &why);
    return 0;
}

static void end_recording(struct channel *channel, uint32_t status, const char *reason)
{
    shared_recording_leave(channel);
    if (channel->recorder)
        recording_finish(channel->gate, STEAL(channel->recorder), status, reason);
}

int channel_answer_sessions(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct channel *channel = find_request(owner, message->answer_sessions->request);
    if (!channel)
        return 0;
    channel->request = 0;
    sessions_answered(channel, message->answer_sessions->refusal, n_fds == 1 ? fds[0] : -1);
    return 0;
}

int channel_answer_replay(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct channel *channel = find_request(owner, message->answer_replay->request);
    if (!channel)
        return 0;
    channel->request = 0;
    int fd = n_fds == 1 ? STEAL_FD(fds[0]) : -1;
    if (channel->desk)
        desk_opened(channel, message->answer_replay->refusal, fd);
    else
        replay_answered(channel, message->answer_replay->refusal, fd);
    return 0;
}

int channel_answer_revoke(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct channel *channel = find_request(owner, message->answer_revoke->request);
    if (!channel)
        return 0;
    channel->request = 0;
    revoke_answered(channel, message->answer_revoke->refusal, message->answer_revoke->done);
    return 0;
}

int channel_answer_kill(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct channel *channel = find_request(owner, message->answer_kill->request);
    if (!channel)
        return 0;
    channel->request = 0;
    kill_answered(channel, message->answer_kill->refusal, message->answer_kill->whose);
    return 0;
}

/* ---- printing and ending ---- */

/* Once nothing waits to be printed, a closing channel is finished. */
static void printed(void *owner)
{
    struct channel *channel = owner;
    if (!channel->closing)
        desk_drained(channel);
    else if ((!channel->out || printer_empty(channel->out)) && (!channel->err || printer_empty(channel->err)))
        channel_finish(channel, channel->status, NULL, "exit");
}

static struct printer *printer_on(struct channel *channel, struct printer **slot, int *fd)
{
    if (!*slot && *fd >= 0)
        (void)!printer_new(channel->gate->loop, STEAL_FD(*fd), channel->pty != NULL, printed, channel, slot);
    return *slot;
}

void channel_print(struct channel *channel, const void *bytes, size_t n)
{
    struct printer *printer = printer_on(channel, &channel->out, &channel->data_fd);
    if (printer)
        printer_put(printer, bytes, n);
}

void channel_complain(struct channel *channel, const char *text)
{
    struct printer *printer = printer_on(channel, &channel->err, &channel->error_fd);
    if (printer)
        printer_put(printer, text, strlen(text));
}

void channel_exit(struct channel *channel, uint32_t status)
{
    channel->closing = true;
    channel->status = status;
    printed(channel);
}

void channel_refuse(struct channel *channel, const struct refusal *refusal)
{
    char text[2 * DETAIL_MAX];
    log_event(LOG_INFO, "refused", "connection", U64(channel->gate->connection), "identity",
              channel->gate->identity->name, "target", channel->target ? channel->target->name : NULL, "code",
              refusal->code, "reason", refusal->reason, NULL);
    if (!channel->session) {
        (void)snprintf(text, sizeof text, "%s (code %s)", refusal->reason, refusal->code);
        channel_decline(channel, text);
        return;
    }
    channel_complain(channel, refusal_lines(refusal, text, sizeof text));
    channel_exit(channel, refusal_status(refusal));
}

void channel_finish(struct channel *channel, uint32_t status, const char *signal, const char *reason)
{
    end_recording(channel, status, reason);
    printer_free(STEAL(channel->out));
    printer_free(STEAL(channel->err));
    fd_close(STEAL_FD(channel->data_fd));
    fd_close(STEAL_FD(channel->error_fd));
    if (channel->session && channel->gate->front) {
        Ipc__Exit exited = IPC__EXIT__INIT;
        exited.channel = channel->number;
        exited.status = status;
        if (signal)
            exited.signal = (char *)(uintptr_t)signal;
        if (signal && channel->exit_message)
            exited.message = (char *)(uintptr_t)channel->exit_message;
        exited.core = channel->exit_core;
        Ipc__Message message = IPC_MESSAGE(EXIT, exit, &exited);
        (void)ipc_peer_send(channel->gate->front, &message, NULL, 0);
    }
    channel_free(channel);
}

void channel_stop(struct channel *channel, const struct refusal *why)
{
    if (channel->stream)
        stream_stop(channel->stream, why);
    else if (channel->kube_stream)
        kube_stream_stop(channel->kube_stream, why);
    else if (channel->desk && !channel->closing)
        desk_stop(channel, why);
    else if (channel->tool)
        tool_stop(channel->tool, why);
    else if (channel->ssh_task)
        ssh_task_stop(channel->ssh_task, why);
    else if (channel->ssh_flow)
        ssh_flow_stop(channel->ssh_flow, why);
    else if (!channel->closing)
        channel_refuse(channel, why); /* it waits for an answer of somebody */
}

void channels_stop(struct gate *gate, const struct refusal *why)
{
    for (struct channel *channel = gate->channels, *next; channel; channel = next) {
        next = channel->next;
        channel_stop(channel, why);
    }
}

void channels_end(struct gate *gate)
{
    while (gate->channels) {
        kube_stream_free(STEAL(gate->channels->kube_stream)); /* which may have something to record */
        end_recording(gate->channels, STATUS_LOST, "connection closed");
        channel_free(gate->channels);
    }
    shared_recordings_end(gate);
}
