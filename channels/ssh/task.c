/* Bytes from the client are read only while the target's window is open and nothing waits for it; bytes from
 * the target are taken only while none wait for the client. So neither can make the gate hold more than a
 * chunk for each direction, beside the window that libssh has given to the target.
 *
 * output() runs inside of libssh: it records, sends to the client and sets flags. Everything else happens in
 * handlers of the loop and in calls from upstream_settle(), each of which may end the task, and is left at
 * once when it did. */
#include "channels/ssh/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/recorder.h"
#include "channels/ssh/echo.h"
#include "channels/ssh/guarded_script.h"
#include "channels/ssh/host.h"
#include "channels/ssh/task_guard.h"
#include "channels/ssh/task_parts.h"
#include "channels/ssh/task_hold.h"
#include "channels/ssh/task_transfer.h"
#include "channels/ssh/task_veil.h"

enum { STATUS_NONE = 255 }; /* of a session that ended without one, as with ssh itself */

static const struct refusal no_memory = { .code = "limit", .reason = "out of memory or descriptors" };
static const struct refusal unrecorded = { .code = "recording_unavailable",
                                           .reason = "the session can't be recorded, so it ends here" };

/* ---- life ---- */

static void drop_sources(struct ssh_task *task)
{
    source_free(STEAL(task->out.source));
    source_free(STEAL(task->err.source));
}

void ssh_task_abandon(struct ssh_task *task)
{
    struct upstream *upstream = ssh_host_upstream(task->host);
    bool had = task->session != NULL;
    if (task->transfer)
        task_transfer_abandon(task->transfer);
    upstream_channel_free(STEAL(task->session));
    if (had && upstream)
        upstream_settle_later(upstream);
}

void ssh_task_free(struct ssh_task *task)
{
    if (!task)
        return;
    task_transfer_free(STEAL(task->transfer));
    ssh_task_abandon(task);
    if (task->host)
        ssh_host_leave(task->host, task);
    drop_sources(task);
    timer_free(task->limit);
    task_hold_free(STEAL(task->hold));
    task_guard_free(STEAL(task->guard));
    task_veil_free(task->veil);
    echo_free(task->echo);
    buffer_free(&task->out.waiting);
    buffer_free(&task->err.waiting);
    buffer_free(&task->input);
    free(task->environment);
    free(task->login);
    free(task->text);
    free(task);
}

void ssh_task_stop(struct ssh_task *task, const struct refusal *why)
{
    struct channel *channel = task->channel;
    ssh_task_free(STEAL(channel->ssh_task));
    channel_refuse(channel, why);
}

void ssh_task_refused(struct ssh_task *task, const struct refusal *why)
{
    ssh_task_stop(task, why);
}

const char *ssh_task_recording(const struct ssh_task *task)
{
    return task->channel->recorder ? recorder_id(task->channel->recorder) : "";
}

/* The end of a session that ran: the channel is freed. */
static void finish(struct ssh_task *task)
{
    struct channel *channel = task->channel;
    struct upstream_exit exit = task->exit;
    bool signalled = exit.known && exit.signal[0];
    const char *reason = task->client_gone ? "the client left"
                         : signalled       ? exit.signal
                         : exit.known      ? "exit"
                                           : "the target gave no exit status";
    if (task->echo)
        (void)!echo_end(task->echo);
    channel->exit_message = exit.message;
    channel->exit_core = exit.core;
    ssh_task_free(STEAL(channel->ssh_task));
    channel_finish(channel, exit.known ? exit.status : STATUS_NONE, signalled ? exit.signal : NULL, reason);
}

/* Once the target has closed and the client has everything. */
static void finish_when_done(struct ssh_task *task)
{
    bool empty = buffer_size(&task->out.waiting) == 0 && buffer_size(&task->err.waiting) == 0 &&
                 (!task->transfer || task_transfer_is_empty(task->transfer));
    if (task->over && (task->client_gone || empty))
        finish(task);
}

/* ---- interest ---- */

static bool wants_input(struct ssh_task *task)
{
    if (!task->running || task->over || task->input_over)
        return false;
    if (task->transfer)
        return task_transfer_wants_input(task->transfer);
    if (task->guard)
        return task_guard_room(task->guard) > 0;
    return upstream_channel_room(task->session) > 0;
}

/* A client that hangs up is always heard; when it has, nothing else comes. */
static void watch_stream(const struct task_stream *stream, bool reads)
{
    if (stream->source)
        source_interest(stream->source, LOOP_HANGUP | (reads ? LOOP_READ : 0) |
                                            (buffer_size(&stream->waiting) > 0 ? LOOP_WRITE : 0));
}

void ssh_task_watch(struct ssh_task *task)
{
    watch_stream(&task->out, task->reads);
    watch_stream(&task->err, false);
}

static void set_interest(struct ssh_task *task)
{
    task->reads = wants_input(task);
    ssh_task_watch(task);
}

/* ---- from the target ---- */

static const char *form_of(bool is_error)
{
    return is_error ? "stderr" : "terminal";
}

int ssh_task_give(struct task_stream *stream, const uint8_t *bytes, size_t n)
{
    ssize_t taken = 0;
    if (stream->deaf)
        return -EPIPE;
    if (buffer_size(&stream->waiting) == 0) {
        taken = send(stream->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN && errno != EINTR) {
            stream->deaf = true;
            return -EPIPE;
        }
        taken = taken < 0 ? 0 : taken;
    }
    return buffer_append(&stream->waiting, bytes + taken, n - (size_t)taken);
}

int ssh_task_show(struct ssh_task *task, bool is_error, const uint8_t *bytes, size_t n)
{
    struct task_stream *stream = is_error ? &task->err : &task->out;
    if ((task->echo && !is_error && echo_output(task->echo, bytes, n)) ||
        recorder_output(task->channel->recorder, 0, form_of(is_error), bytes, n)) {
        task->unrecorded = true;
        return -EIO;
    }
    int r = ssh_task_give(stream, bytes, n);
    watch_stream(stream, !is_error && task->reads);
    return r == -EPIPE && is_error ? 0 : r;
}

static enum upstream_taken output(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    struct ssh_task *task = owner;
    const struct task_stream *stream = is_error ? &task->err : &task->out;
    if (task->client_gone)
        return UPSTREAM_GO_ON;
    if (task->transfer && !is_error)
        return task_transfer_output(task->transfer, bytes, n);
    int r = task->guard  ? task_guard_output(task->guard, is_error, bytes, n)
            : task->veil ? task_veil_output(task->veil, is_error, bytes, n)
                         : ssh_task_show(task, is_error, bytes, n);
    if (r)
        return UPSTREAM_NO_MORE;
    return buffer_size(&stream->waiting) > 0 ? UPSTREAM_PAUSE : UPSTREAM_GO_ON;
}

/* Nobody reads the output (`ssh … | head`): what runs dies of SIGPIPE at home, and here. Or it can't be
 * recorded. */
static void given_up(void *owner)
{
    struct ssh_task *task = owner;
    if (task->unrecorded) {
        log_event(LOG_ERROR, "recording_failed", "connection", U64(task->channel->gate->connection), NULL);
        ssh_task_stop(task, &unrecorded);
        return;
    }
    if (task->transfer && task_transfer_failed(task->transfer)) {
        task_transfer_stop(task->transfer);
        return;
    }
    task->exit = (struct upstream_exit){ .known = true, .signal = "PIPE" };
    finish(task);
}

static void unshown(struct ssh_task *task, int error)
{
    if (error == -EPIPE || task->unrecorded)
        given_up(task);
    else
        ssh_task_stop(task, &no_memory);
}

void ssh_task_unshown(struct ssh_task *task, int error)
{
    struct upstream *upstream = ssh_host_upstream(task->host);
    unshown(task, error);
    if (upstream)
        upstream_settle(upstream);
}

/* False: the task is gone. */
static bool end_veil(struct ssh_task *task)
{
    int r = task->veil && !task->client_gone ? task_veil_end(task->veil) : 0;
    if (r)
        unshown(task, r);
    return r == 0;
}

/* What of the target's end the client may hear now. */
static void end_streams(struct ssh_task *task)
{
    if (!task->target_ended)
        return;
    if (buffer_size(&task->out.waiting) == 0 && (!task->transfer || task_transfer_is_empty(task->transfer)))
        task->out_shut = shutdown(task->out.fd, SHUT_WR) == 0;
    if (buffer_size(&task->err.waiting) == 0)
        (void)shutdown(task->err.fd, SHUT_WR);
}

static void output_ended(void *owner)
{
    struct ssh_task *task = owner;
    if (!end_veil(task))
        return;
    task->target_ended = true;
    if (task->transfer) {
        task_transfer_target_ended(task->transfer);
        (void)!task_transfer_move(task->transfer);
        return;
    }
    end_streams(task);
    set_interest(task);
}

static void session_ended(void *owner, const struct upstream_exit *exit)
{
    struct ssh_task *task = owner;
    if (!end_veil(task))
        return;
    task->exit = *exit;
    task->over = true;
    ssh_task_abandon(task);
    set_interest(task);
    finish_when_done(task);
}

static void flush(struct ssh_task *task, struct task_stream *stream)
{
    if (buffer_size(&stream->waiting) == 0)
        return;
    if (buffer_write(&stream->waiting, stream->fd)) {
        stream->deaf = true;
        buffer_free(&stream->waiting);
    }
    if (buffer_size(&stream->waiting) > 0)
        return;
    buffer_shrink(&stream->waiting, 0);
    if (task->session && (!task->transfer || stream == &task->err))
        upstream_channel_more(task->session, stream == &task->err);
    end_streams(task);
}

/* ---- from the client ---- */

static int typed(void *owner, const uint8_t *bytes, size_t n)
{
    const struct ssh_task *task = owner;
    return recorder_input(task->channel->recorder, 0, "terminal", bytes, n);
}

static int typed_hidden(void *owner)
{
    const struct ssh_task *task = owner;
    return recorder_hidden(task->channel->recorder);
}

static const struct echo_calls echo_calls = { typed, typed_hidden };

/* False: the task is gone. */
static bool end_input(struct ssh_task *task)
{
    task->input_over = true;
    if (task->guard)
        return task_guard_move(task->guard);
    if (task->session)
        upstream_channel_end_input(task->session);
    return true;
}

/* False: it can't be recorded, and the task is gone. */
static bool pass_input(struct ssh_task *task)
{
    struct recorder *recorder = task->channel->recorder;
    const uint8_t *bytes = buffer_head(&task->input);
    size_t n = buffer_size(&task->input);
    if (task->echo ? echo_typed(task->echo, bytes, n) : recorder_input(recorder, 0, "stdin", bytes, n)) {
        ssh_task_stop(task, &unrecorded);
        return false;
    }
    if (upstream_channel_write(task->session, bytes, n))
        task->input_over = true; /* the target reads no more */
    buffer_consume(&task->input, n);
    buffer_shrink(&task->input, 0);
    return true;
}

/* One chunk at most, for others want their turn; false: the task is gone. */
static bool read_input(struct ssh_task *task)
{
    if (task->transfer)
        return !wants_input(task) || task_transfer_read(task->transfer);
    size_t room = 0, n = 0;
    if (wants_input(task))
        room = task->guard ? task_guard_room(task->guard) : upstream_channel_room(task->session);
    if (room == 0)
        return true;
    int r = buffer_read(&task->input, task->out.fd, room, &n);
    if (r == -EAGAIN || r == -EINTR)
        return true;
    if (r || n == 0)
        return end_input(task);
    return task->guard ? task_guard_typed(task->guard, &task->input) : pass_input(task);
}

/* Once nothing tells any more that there is something to read: what is there is read as the target takes it.
 */
static bool read_rest(struct ssh_task *task)
{
    while ((task->hung_up || task->client_gone) && wants_input(task)) {
        if (!read_input(task))
            return false;
    }
    if (!task->client_gone || !task->input_over)
        return true;
    finish(task);
    return false;
}

static void input_wanted(void *owner)
{
    struct ssh_task *task = owner;
    if (task->transfer && !task_transfer_move(task->transfer))
        return;
    if (task->guard && !task_guard_move(task->guard))
        return;
    if (read_rest(task))
        set_interest(task);
}

/* It has closed the channel, or its connection is lost. */
static void client_left(struct ssh_task *task)
{
    task->client_gone = true;
    drop_sources(task);
    buffer_free(&task->out.waiting);
    buffer_free(&task->err.waiting);
    timer_set(task->limit, TASK_LINGER_MS);
    if (!task->running || task->over || task->input_over || task->transfer || task->guard) {
        finish(task);
    } else if (read_rest(task)) {
        upstream_channel_more(task->session, false);
        upstream_channel_more(task->session, true);
    }
}

/* Both directions are over: the client has sent its EOF, and either got ours or reads nothing more. Whether
 * it has left altogether is seen at the other socket. */
static bool hang_up(struct ssh_task *task)
{
    task->hung_up = true;
    source_free(STEAL(task->out.source));
    if (!task->out_shut) {
        task->out.deaf = true;
        buffer_free(&task->out.waiting);
        if (task->session)
            upstream_channel_more(task->session,
                                  false); /* the next output tells the target that nobody reads */
    }
    return read_rest(task);
}

static void client_ready(void *owner, uint32_t ready)
{
    struct ssh_task *task = owner;
    struct upstream *upstream = ssh_host_upstream(task->host);
    bool there = (ready & LOOP_HANGUP) ? hang_up(task) : true;
    if (there && task->hold) {
        if (task_hold_heard(task->hold))
            ssh_task_cancel(task);
        return;
    }
    if (there)
        flush(task, &task->out);
    if (there && task->transfer && buffer_size(&task->out.waiting) == 0)
        there = task_transfer_move(task->transfer);
    if (there && task->over)
        finish_when_done(task);
    else if (there && read_input(task))
        set_interest(task);
    if (upstream)
        upstream_settle(upstream);
}

/* Nobody but whoever closes both ends ends this one. */
static void error_ready(void *owner, uint32_t ready)
{
    struct ssh_task *task = owner;
    struct upstream *upstream = ssh_host_upstream(task->host);
    if (ready & LOOP_HANGUP) {
        client_left(task);
    } else {
        flush(task, &task->err);
        if (task->over)
            finish_when_done(task);
        else
            set_interest(task);
    }
    if (upstream)
        upstream_settle(upstream);
}

/* ---- starting ---- */

static void took_too_long(void *owner)
{
    struct ssh_task *task = owner;
    struct upstream *upstream = ssh_host_upstream(task->host);
    static const struct refusal not_started = {
        .code = "target_unavailable",
        .reason = "the target did not start the session within 20 seconds",
    };
    static const struct refusal no_prompt = {
        .code = "target_unavailable",
        .reason = "the shell at the target got to no prompt within 20 seconds",
        .next =
            "try again later, or tell the bastion's operators what the account's login shell is: it has to "
            "run `exec sh -c`, see docs/guarded-shells.md",
    };
    if (task->client_gone)
        finish(task);
    else
        ssh_task_stop(task, task->guard ? &no_prompt : &not_started);
    if (upstream)
        upstream_settle(upstream);
}

static void started(void *owner, bool terminal)
{
    struct ssh_task *task = owner;
    timer_stop(task->limit);
    task->terminal = terminal;
    if ((terminal && echo_new(&echo_calls, task, &task->echo)) || task_veil_new(task, &task->veil)) {
        ssh_task_stop(task, &no_memory);
        return;
    }
    if (task->guarded && !task_guard_start(task))
        return;
    task->running = true;
    static const char note[] = "gatehouse: the target gave no terminal\r\n";
    if (task->channel->pty && !terminal)
        (void)!ssh_task_give(&task->err, (const uint8_t *)note, sizeof note - 1);
    if (task->resized)
        upstream_channel_window(task->session, task->columns, task->rows);
    set_interest(task);
}

static void start_refused(void *owner, const char *detail)
{
    struct ssh_task *task = owner;
    log_event(LOG_WARNING, "target_refused", "connection", U64(task->channel->gate->connection), "target",
              task->channel->target->name, "kind", ssh_kind_name(task->kind), "detail", detail, NULL);
    ssh_task_stop(
        task, &(struct refusal){ .code = "target_unavailable",
                                 .reason = task->kind == SSH_SUBSYSTEM ? "the target has no such subsystem"
                                                                       : "the target refused the session",
                                 .next = "fewer sessions at once, or tell the bastion's operators" });
}

static const struct upstream_channel_calls calls = {
    .started = started,
    .refused = start_refused,
    .output = output,
    .given_up = given_up,
    .output_ended = output_ended,
    .input_wanted = input_wanted,
    .ended = session_ended,
};

/* False: it could not be begun, and is gone. */
static bool run_it(struct ssh_task *task)
{
    const struct upstream_run run = {
        .what = task->kind == SSH_EXEC || task->guarded ? UPSTREAM_EXEC
                : task->kind == SSH_SHELL               ? UPSTREAM_SHELL
                                                        : UPSTREAM_SUBSYSTEM,
        .text = task->guarded ? guarded_script_command(task->channel->pty != NULL) : task->text,
        .pty = task->channel->pty,
        .environment = task->environment,
        .n_environment = task->n_environment,
    };
    struct upstream *upstream = ssh_host_upstream(task->host);
    if (upstream_channel_new(upstream, &run, &calls, task, &task->session)) {
        ssh_task_stop(task, &no_memory);
        return false;
    }
    timer_set(task->limit, TASK_START_LIMIT_MS);
    upstream_settle_later(upstream);
    return true;
}

void ssh_task_ready(struct ssh_task *task)
{
    if (!task->transfer || task_transfer_ready(task->transfer))
        (void)run_it(task);
}

/* ---- for task_transfer.c ---- */

bool ssh_task_decided(struct ssh_task *task, const char *code, const char *reason)
{
    if (!code)
        return run_it(task);
    ssh_task_stop(task, &(struct refusal){ .code = code, .reason = reason });
    return false;
}

bool ssh_task_moved(struct ssh_task *task)
{
    end_streams(task);
    set_interest(task);
    if (!task->over)
        return true;
    bool done = buffer_size(&task->out.waiting) == 0 && buffer_size(&task->err.waiting) == 0 &&
                task_transfer_is_empty(task->transfer);
    finish_when_done(task);
    return !done;
}

int ssh_task_prepare(struct ssh_task *task)
{
    struct channel *channel = task->channel;
    struct loop *loop = channel->gate->loop;
    task->out.fd = channel->data_fd;
    task->err.fd = channel->error_fd;
    int r = fd_nonblock(task->out.fd, true);
    if (r == 0)
        r = fd_nonblock(task->err.fd, true);
    if (r == 0)
        r = source_new(loop, task->out.fd, LOOP_HANGUP, client_ready, task, &task->out.source);
    if (r == 0)
        r = source_new(loop, task->err.fd, LOOP_HANGUP, error_ready, task, &task->err.source);
    if (r == 0)
        r = timer_new(loop, took_too_long, task, &task->limit);
    return r;
}
