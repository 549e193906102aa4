/* The life of a channel: its two ends, its sockets or pipes, and when it is over.
 *
 * ssh_channel_write() polls and so runs callbacks of any channel. Therefore callbacks write to those and
 * set flags, and nothing else: libssh is written to, and channels are closed and freed, only in
 * channel_serve(). */
#include "server/front_channel.h"

#include <errno.h>
#include <libssh/server.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "server/front_pump.h"

/* ---- from libssh ---- */

/* Asks the loop to serve this channel. */
static void touch(struct front_channel *c)
{
    c->touched = true;
    c->front->touched = true;
}

static int on_data(ssh_session ssh, ssh_channel channel, void *data, uint32_t n, int is_stderr, void *owner)
{
    struct front_channel *c = owner;
    (void)ssh;
    (void)channel;
    if (is_stderr || c->gate_is_deaf || c->state == CHANNEL_CLOSING)
        return (int)n; /* nobody reads it */
    if (!duplex_is_open(&c->data.gate) || c->gate_is_full)
        return 0;
    ssize_t taken = write(c->data.gate.out, data, n);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
        c->gate_is_deaf = true;
        return (int)n;
    }
    if (taken < (ssize_t)n) {
        c->gate_is_full = true;
        touch(c);
    }
    return taken > 0 ? (int)taken : 0;
}

static void on_eof(ssh_session ssh, ssh_channel channel, void *owner)
{
    struct front_channel *c = owner;
    (void)ssh;
    (void)channel;
    c->client_ended = true;
    touch(c);
}

static void on_close(ssh_session ssh, ssh_channel channel, void *owner)
{
    struct front_channel *c = owner;
    (void)ssh;
    (void)channel;
    c->client_ended = true;
    c->client_closed = true;
    touch(c);
}

static void on_signal(ssh_session ssh, ssh_channel channel, const char *name, void *owner)
{
    struct front_channel *c = owner;
    (void)ssh;
    (void)channel;
    if (c->state != CHANNEL_OPEN || !c->front->gate || strlen(name) > FRONT_TERM_MAX)
        return;
    Ipc__Signal signal = IPC__SIGNAL__INIT;
    signal.channel = c->number;
    signal.name = (char *)(uintptr_t)name;
    Ipc__Message message = IPC_MESSAGE(SIGNAL, signal, &signal);
    (void)ipc_peer_send(c->front->gate, &message, NULL, 0);
}

/* ---- life ---- */

int channel_new(struct front *front, bool is_session, struct front_channel **ret)
{
    struct front_channel *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct front_channel){
        .next = front->channels, .front = front, .number = ++front->last_channel, .is_session = is_session
    };
    c->data = (struct channel_side){ .channel = c, .gate = duplex_none() };
    c->error =
        (struct channel_side){ .channel = c, .gate = duplex_none(), .is_error = true, .at_end = !is_session };
    buffer_init(&c->to_gate, FRONT_HELD_MAX);
    buffer_init(&c->to_client, FRONT_CHUNK);
    front->channels = c;
    front->n_channels++;
    *ret = c;
    return 0;
}

static void drop_request(struct front_channel *c)
{
    ssh_message_free(STEAL(c->waiting));
    for (size_t i = 0; i < c->n_environment; i++)
        ipc__variable__free_unpacked(c->environment[i], NULL);
    c->n_environment = 0;
    if (c->pty)
        ipc__pty__free_unpacked(STEAL(c->pty), NULL);
}

void channel_free(struct front_channel *c)
{
    struct front_channel **slot = &c->front->channels;
    while (*slot != c)
        slot = &(*slot)->next;
    *slot = c->next;
    c->front->n_channels--;
    drop_request(c);
    duplex_close(&c->data.gate);
    duplex_close(&c->error.gate);
    buffer_free(&c->to_gate);
    buffer_free(&c->to_client);
    if (c->exit)
        ipc__exit__free_unpacked(c->exit, NULL);
    if (c->ssh) {
        (void)ssh_remove_channel_callbacks(c->ssh, &c->callbacks);
        ssh_channel_free(c->ssh);
    }
    free(c);
}

struct front_channel *channel_by_number(struct front *front, uint32_t number)
{
    struct front_channel *c = front->channels;
    while (c && c->number != number)
        c = c->next;
    return c;
}

struct front_channel *channel_by_ssh(struct front *front, ssh_channel ssh)
{
    struct front_channel *c = front->channels;
    while (c && c->ssh != ssh)
        c = c->next;
    return c;
}

void channel_attach(struct front_channel *c, ssh_channel ssh)
{
    c->ssh = ssh;
    c->callbacks.channel_data_function = on_data;
    c->callbacks.channel_eof_function = on_eof;
    c->callbacks.channel_close_function = on_close;
    c->callbacks.channel_signal_function = on_signal;
    c->callbacks.userdata = c;
    ssh_callbacks_init(&c->callbacks);
    (void)ssh_set_channel_callbacks(ssh, &c->callbacks);
}

/* ---- sockets and pipes ---- */

static void side_ready(void *owner, uint32_t ready)
{
    struct channel_side *side = owner;
    struct front *front = side->channel->front;
    if (ready & LOOP_HANGUP) { /* would be reported for ever; what is left is read without it */
        duplex_unwatch(&side->gate);
        if (!side->is_error)
            side->channel->gate_is_deaf = true;
    }
    side->ready = side->ready || (ready & (LOOP_READ | LOOP_HANGUP)) != 0;
    channel_serve(side->channel);
    front_settle_output(front);
}

static int make_side(struct channel_side *side, int *ret_gate_end)
{
    int pair[2];
    int r = fd_pair(SOCK_STREAM, pair);
    if (r)
        return r;
    side->gate = duplex_of_socket(pair[0]);
    *ret_gate_end = pair[1];
    r = duplex_nonblock(&side->gate);
    return r ? r : duplex_watch(&side->gate, side->channel->front->loop, 0, side_ready, side);
}

int channel_take_pipes(struct front_channel *c, int fds[2])
{
    duplex_close(&c->data.gate);
    c->data.gate = duplex_of(STEAL_FD(fds[0]), STEAL_FD(fds[1]));
    return duplex_watch(&c->data.gate, c->front->loop, 0, side_ready, &c->data);
}

int channel_make_sockets(struct front_channel *c, int ret_gate_ends[2], size_t *ret_n)
{
    ret_gate_ends[0] = ret_gate_ends[1] = -1;
    int r = make_side(&c->data, &ret_gate_ends[0]);
    if (r == 0 && c->is_session)
        r = make_side(&c->error, &ret_gate_ends[1]);
    *ret_n = c->is_session ? 2 : 1;
    if (r == 0)
        c->gate_is_full = true; /* what came before is still in libssh: push() fetches it in order */
    return r;
}

/* ---- the end ---- */

static void send_exit(struct front_channel *c)
{
    if (!c->is_session || !c->exit)
        return;
    if (c->exit->signal && *c->exit->signal)
        (void)ssh_channel_request_send_exit_signal(c->ssh, c->exit->signal, c->exit->core,
                                                   c->exit->message ? c->exit->message : "", "");
    else
        (void)ssh_channel_request_send_exit_status(c->ssh, (int)c->exit->status);
}

/* Both calls report a flush that has to wait like a failure, after having queued their message: so EOF by
 * itself first, then close, which would else stop at its own EOF. */
static void close_channel(struct front_channel *c)
{
    send_exit(c);
    (void)ssh_channel_send_eof(c->ssh);
    (void)ssh_channel_close(c->ssh);
    c->front->wrote = true;
    c->end_sent = true;
    c->state = CHANNEL_CLOSING;
    duplex_close(&c->data.gate);
    duplex_close(&c->error.gate);
    buffer_free(&c->to_gate);
    buffer_free(&c->to_client);
    drop_request(c);
}

/* The client closed while the gate has not taken all that came before: it gets a moment. */
static bool lingers(struct front_channel *c)
{
    if (!c->gate_is_full || c->gate_is_deaf || !duplex_is_open(&c->data.gate) ||
        c->front->phase == FRONT_DRAINING)
        return false;
    uint64_t now = clock_ms();
    if (c->linger_until_ms == 0) {
        c->linger_until_ms = now + FRONT_LINGER_MS;
        timer_set(c->front->linger, FRONT_LINGER_MS);
    }
    return now < c->linger_until_ms;
}

static bool is_done(const struct front_channel *c)
{
    if (!c->data.at_end || !c->error.at_end || buffer_size(&c->to_client) > 0)
        return false;
    if (c->is_session)
        return c->exit != NULL;
    return c->exit != NULL || c->gate_is_deaf;
}

static void set_interest(struct front_channel *c, struct channel_side *side)
{
    if (!duplex_is_watched(&side->gate))
        return;
    bool reads = pump_is_open(c) && !side->at_end && !c->front->write_pending &&
                 buffer_size(&c->to_client) == 0 && ssh_channel_window_size(c->ssh) > 0;
    bool writes = !side->is_error && c->gate_is_full && !c->gate_is_deaf && c->ssh;
    duplex_interest(&side->gate, (reads ? LOOP_READ : 0) | (writes ? LOOP_WRITE : 0));
}

static bool is_unwatched(const struct channel_side *side)
{
    return !duplex_is_watched(&side->gate) && !side->at_end;
}

static void move_bytes(struct front_channel *c)
{
    pump_to_gate(c);
    if (!pump_is_open(c))
        return;
    bool more = pump_to_client(c, &c->error);
    more |= pump_to_client(c, &c->data);
    bool unwatched = is_unwatched(&c->data) || is_unwatched(&c->error);
    if (buffer_size(&c->to_client) > 0 || ssh_channel_window_size(c->ssh) == 0 || unwatched)
        c->starved = true;
    if (more && unwatched)
        touch(c); /* no event will call us again */
    if (!c->is_session && c->data.at_end && !c->end_sent && buffer_size(&c->to_client) == 0 && !is_done(c)) {
        (void)ssh_channel_send_eof(c->ssh);
        c->front->wrote = true;
        c->end_sent = true;
    }
}

void channel_serve(struct front_channel *c)
{
    c->touched = c->starved = false;
    if (c->state == CHANNEL_ASKED && c->client_closed)
        drop_request(c);
    if (c->ssh && c->state != CHANNEL_CLOSING && duplex_is_open(&c->data.gate))
        move_bytes(c);
    if (c->ssh && c->state != CHANNEL_CLOSING &&
        (c->client_closed ? !lingers(c) : c->state == CHANNEL_OPEN && is_done(c)))
        close_channel(c);
    if (c->state == CHANNEL_CLOSING && c->client_closed) {
        channel_free(c);
        return;
    }
    set_interest(c, &c->data);
    set_interest(c, &c->error);
}

void channel_tell(struct front_channel *c, const char *text)
{
    if (!c->is_session || !pump_is_open(c))
        return;
    size_t n = strlen(text);
    if (ssh_channel_window_size(c->ssh) >= n + 2 && pump_left_over(c)) {
        (void)pump_write(c, text, n, true);
        (void)pump_write(c, c->pty ? "\r\n" : "\n", c->pty ? 2 : 1, true);
    }
}

void channel_stop_output(struct front_channel *c)
{
    if (duplex_is_open(&c->data.gate))
        duplex_stop_input(&c->data.gate);
    c->data.at_end = true;
    buffer_free(&c->to_client);
    touch(c);
}

void channel_exit(struct front_channel *c, const Ipc__Exit *exit)
{
    if (c->exit)
        return;
    c->exit = calloc(1, sizeof *c->exit);
    if (!c->exit)
        return;
    ipc__exit__init(c->exit);
    c->exit->status = exit->status;
    c->exit->signal = exit->signal ? strdup(exit->signal) : NULL;
    c->exit->message = exit->message ? strdup(exit->message) : NULL;
    c->exit->core = exit->core;
}

void channel_gate_lost(struct front_channel *c)
{
    Ipc__Exit exit = IPC__EXIT__INIT;
    exit.status = 255;
    c->gate_is_deaf = true;
    touch(c);
    channel_exit(c, &exit);
    duplex_unwatch(&c->data.gate);
    duplex_unwatch(&c->error.gate);
}
