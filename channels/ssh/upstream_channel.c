/* A channel's life: it is opened, asks for what it needs, runs, and is over when the target's CLOSE has come
 * and all output was given away. Callbacks of libssh run inside of writes to any channel: they hand output
 * on, which touches nothing of libssh, and set flags.
 *
 * What its owner does not take stays in libssh, which then does not renew the target's window; once the owner
 * wants more, pull() fetches it, in order. */
#include "channels/ssh/upstream_channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/ssh/upstream_parts.h"

enum { PULLS_PER_ROUND = 16 };

static const char too_much[] = "the target sends more than its window allows";

/* ---- from libssh ---- */

static void touch(struct upstream_channel *c)
{
    c->touched = true;
    c->upstream->touched = true;
}

static void hand_on(struct upstream_channel *c, bool is_error, const uint8_t *bytes, size_t n)
{
    enum upstream_taken taken = c->given_up ? UPSTREAM_GO_ON : c->calls->output(c->owner, is_error, bytes, n);
    c->streams[is_error ? 1 : 0].stalled = taken == UPSTREAM_PAUSE;
    if (taken == UPSTREAM_NO_MORE) {
        c->given_up = true;
        touch(c);
    }
}

static int on_data(ssh_session ssh, ssh_channel channel, void *data, uint32_t n, int is_stderr, void *owner)
{
    struct upstream_channel *c = owner;
    struct upstream_stream *stream = &c->streams[is_stderr ? 1 : 0];
    (void)ssh;
    (void)channel;
    /* A fast target's first output comes together with its consent: the owner hears of that first. */
    if (stream->stalled || stream->draining || c->state != CHANNEL_RUNS) {
        stream->draining = true;
        if (n > UPSTREAM_OUTPUT_MAX) /* libssh lets a target send beyond its window */
            c->upstream->broken = too_much;
        return 0;
    }
    hand_on(c, is_stderr != 0, data, n);
    return (int)n;
}

static void on_eof(ssh_session ssh, ssh_channel channel, void *owner)
{
    struct upstream_channel *c = owner;
    (void)ssh;
    (void)channel;
    c->ended = true;
    touch(c);
}

static void on_close(ssh_session ssh, ssh_channel channel, void *owner)
{
    struct upstream_channel *c = owner;
    (void)ssh;
    (void)channel;
    c->ended = c->closed = true;
    touch(c);
}

static void on_exit_status(ssh_session ssh, ssh_channel channel, int status, void *owner)
{
    struct upstream_channel *c = owner;
    (void)ssh;
    (void)channel;
    c->exit.known = true;
    c->exit.status = (uint32_t)status;
}

static void on_exit_signal(ssh_session ssh, ssh_channel channel, const char *signal, int core,
                           const char *message, const char *language, void *owner)
{
    struct upstream_channel *c = owner;
    (void)ssh;
    (void)channel;
    (void)language;
    c->exit.known = true;
    c->exit.core = core != 0;
    (void)text_escape(c->exit.signal, sizeof c->exit.signal, signal, strlen(signal), false);
    (void)text_escape(c->exit.message, sizeof c->exit.message, message, strlen(message), false);
}

static int on_window(ssh_session ssh, ssh_channel channel, uint32_t bytes, void *owner)
{
    struct upstream_channel *c = owner;
    (void)ssh;
    (void)channel;
    (void)bytes;
    if (c->starved)
        touch(c);
    return 0;
}

/* ---- life ---- */

int upstream_channel_new(struct upstream *u, const struct upstream_run *run,
                         const struct upstream_channel_calls *calls, void *owner,
                         struct upstream_channel **ret)
{
    struct upstream_channel *c = u->phase == UPSTREAM_READY ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return u->phase == UPSTREAM_READY ? -ENOMEM : -EPIPE;
    *c = (struct upstream_channel){ .upstream = u, .calls = calls, .owner = owner, .run = *run };
    c->ssh = ssh_channel_new(u->ssh);
    if (!c->ssh) {
        free(c);
        return -ENOMEM;
    }
    buffer_init(&c->unsent, UPSTREAM_CHUNK);
    c->callbacks.userdata = c;
    c->callbacks.channel_data_function = on_data;
    c->callbacks.channel_eof_function = on_eof;
    c->callbacks.channel_close_function = on_close;
    c->callbacks.channel_exit_status_function = on_exit_status;
    c->callbacks.channel_exit_signal_function = on_exit_signal;
    c->callbacks.channel_write_wontblock_function = on_window;
    ssh_callbacks_init(&c->callbacks);
    (void)ssh_set_channel_callbacks(c->ssh, &c->callbacks);
    c->next = u->channels;
    u->channels = c;
    touch(c);
    *ret = c;
    return 0;
}

void upstream_channel_free(struct upstream_channel *c)
{
    if (!c)
        return;
    struct upstream_channel **slot = &c->upstream->channels;
    while (*slot != c)
        slot = &(*slot)->next;
    *slot = c->next;
    (void)ssh_remove_channel_callbacks(c->ssh, &c->callbacks);
    ssh_channel_free(c->ssh);
    c->upstream->wrote = c->upstream->touched = true;
    buffer_free(&c->unsent);
    free(c);
}

/* ---- starting ---- */

static int ask_for_terminal(struct upstream_channel *c)
{
    const Ipc__Pty *pty = c->run.pty;
    if (!pty)
        return SSH_OK;
    int r = ssh_channel_request_pty_size(c->ssh, pty->term, (int)pty->columns, (int)pty->rows);
    c->terminal = r == SSH_OK;
    return r;
}

static int start(struct upstream_channel *c)
{
    switch (c->run.what) {
    case UPSTREAM_EXEC:
        return ssh_channel_request_exec(c->ssh, c->run.text);
    case UPSTREAM_SUBSYSTEM:
        return ssh_channel_request_subsystem(c->ssh, c->run.text);
    case UPSTREAM_FORWARD:
        return SSH_OK; /* it is there once it is open */
    default:
        return ssh_channel_request_shell(c->ssh);
    }
}

/* RFC 4254 §7.2; where the client's own end is, is nobody's business there. */
static int open_channel(struct upstream_channel *c)
{
    if (c->run.what == UPSTREAM_FORWARD)
        return ssh_channel_open_forward(c->ssh, c->run.text, (int)c->run.port, "127.0.0.1", 0);
    return ssh_channel_open_session(c->ssh);
}

/* One step of starting: what libssh says to it. A terminal or a variable that is refused is done without, as
 * ssh does. */
static int take_step(struct upstream_channel *c)
{
    int r = SSH_OK;
    switch (c->state) {
    case CHANNEL_OPENS:
        r = open_channel(c);
        break;
    case CHANNEL_ASKS_PTY:
        r = ask_for_terminal(c) == SSH_AGAIN ? SSH_AGAIN : SSH_OK;
        break;
    case CHANNEL_ASKS_ENV:
        while (r == SSH_OK && c->n_asked < c->run.n_environment) {
            const Ipc__Variable *v = c->run.environment[c->n_asked];
            r = ssh_channel_request_env(c->ssh, v->name, v->value) == SSH_AGAIN ? SSH_AGAIN : SSH_OK;
            c->n_asked += r == SSH_OK ? 1 : 0;
        }
        break;
    default:
        r = start(c);
    }
    return r;
}

/* False: there is nothing more to do for it now, or it is no more. */
static bool advance(struct upstream_channel *c)
{
    int r = take_step(c);
    c->upstream->wrote = true;
    if (r == SSH_AGAIN)
        return false;
    if (r != SSH_OK) {
        c->state = CHANNEL_OVER;
        if (ssh_is_connected(c->upstream->ssh))
            c->calls->refused(c->owner, ssh_get_error(c->upstream->ssh));
        return false; /* a lost connection is told by lost() */
    }
    c->state++;
    if (c->state == CHANNEL_RUNS) {
        c->starved = true;
        c->touched = true;
        c->calls->started(c->owner, c->terminal);
        return false;
    }
    return true;
}

/* ---- moving bytes ---- */

/* Each read renews the window, however much is left (libssh 0.10 to 0.12): reading by pieces would let the
 * target send a window's worth for every piece. So all that is there is read at once, and then nothing until
 * the owner wants more. */
static int read_all(struct upstream_channel *c, bool is_error)
{
    int there = ssh_channel_poll(c->ssh, is_error);
    if (there <= 0 || there > UPSTREAM_OUTPUT_MAX) {
        c->upstream->broken = there > 0 ? too_much : c->upstream->broken;
        return 0;
    }
    CLEANUP(free) uint8_t *large = there > UPSTREAM_CHUNK ? malloc((size_t)there) : NULL;
    uint8_t *bytes = large ? large : c->upstream->chunk;
    uint32_t room = large ? (uint32_t)there : there < UPSTREAM_CHUNK ? (uint32_t)there : UPSTREAM_CHUNK;
    int n = ssh_channel_read_nonblocking(c->ssh, bytes, room, is_error);
    c->upstream->wrote = true; /* the window is renewed */
    if (n > 0)
        hand_on(c, is_error, bytes, (size_t)n);
    return n;
}

/* Hands on what libssh has kept. */
static void pull(struct upstream_channel *c, bool is_error)
{
    struct upstream_stream *stream = &c->streams[is_error ? 1 : 0];
    for (int i = 0; i < PULLS_PER_ROUND && stream->draining && !stream->stalled; i++)
        stream->draining = read_all(c, is_error) > 0;
    if (stream->draining && !stream->stalled)
        c->upstream->touched = true; /* goes on in the next round */
}

static bool is_drained(const struct upstream_channel *c)
{
    return !c->streams[0].draining && !c->streams[1].draining;
}

/* True when nothing is left over from a key exchange. */
static bool send_rest(struct upstream_channel *c)
{
    if (buffer_size(&c->unsent) == 0)
        return true;
    if (!upstream_can_send(c->upstream))
        return false;
    int n = ssh_channel_write(c->ssh, buffer_head(&c->unsent), (uint32_t)buffer_size(&c->unsent));
    c->upstream->wrote = true;
    buffer_consume(&c->unsent, n < 0 ? buffer_size(&c->unsent) : (size_t)n);
    buffer_shrink(&c->unsent, 0);
    return buffer_size(&c->unsent) == 0;
}

static void send_end(struct upstream_channel *c)
{
    if (!c->input_ended || c->end_sent || c->closed || !send_rest(c))
        return;
    (void)ssh_channel_send_eof(c->ssh);
    c->upstream->wrote = true;
    c->end_sent = true;
}

bool upstream_channel_waits(const struct upstream_channel *c)
{
    return c->state < CHANNEL_RUNS || c->starved || buffer_size(&c->unsent) > 0 ||
           (c->input_ended && !c->end_sent) || !is_drained(c);
}

void upstream_channel_serve(struct upstream_channel *c)
{
    while (c->state < CHANNEL_RUNS) {
        if (!advance(c))
            return;
    }
    if (c->state == CHANNEL_OVER)
        return;
    pull(c, false);
    pull(c, true);
    (void)send_rest(c);
    send_end(c);
    if (c->given_up) {
        c->state = CHANNEL_OVER;
        c->calls->given_up(c->owner);
    } else if (c->closed && is_drained(c)) {
        c->state = CHANNEL_OVER;
        c->calls->ended(c->owner, &c->exit);
    } else if (c->ended && is_drained(c) && !c->end_told) {
        c->end_told = true;
        touch(c); /* an owner that is left may want to be served */
        c->calls->output_ended(c->owner);
    } else if (c->starved && upstream_channel_room(c) > 0) {
        c->starved = false;
        c->calls->input_wanted(c->owner);
    }
}

/* ---- for the owner ---- */

size_t upstream_channel_room(struct upstream_channel *c)
{
    size_t window = 0;
    if (c->state == CHANNEL_RUNS && !c->input_ended && !c->closed && send_rest(c) &&
        upstream_can_send(c->upstream))
        window = ssh_channel_window_size(c->ssh);
    c->starved = c->starved || window == 0;
    return window < UPSTREAM_CHUNK ? window : UPSTREAM_CHUNK;
}

int upstream_channel_write(struct upstream_channel *c, const void *bytes, size_t n)
{
    int written = ssh_channel_write(c->ssh, bytes, (uint32_t)n);
    c->upstream->wrote = true;
    if (written < 0)
        return -EPIPE;
    return buffer_append(&c->unsent, (const uint8_t *)bytes + written, n - (size_t)written);
}

void upstream_channel_end_input(struct upstream_channel *c)
{
    c->input_ended = true;
    c->starved = false;
    touch(c);
}

void upstream_channel_more(struct upstream_channel *c, bool is_error)
{
    struct upstream_stream *stream = &c->streams[is_error ? 1 : 0];
    stream->stalled = false;
    stream->draining = true; /* whether libssh holds anything shows when it is asked */
    touch(c);
}

void upstream_channel_window(struct upstream_channel *c, uint32_t columns, uint32_t rows)
{
    if (c->state == CHANNEL_RUNS && c->terminal && !c->closed)
        (void)ssh_channel_change_pty_size(c->ssh, (int)columns, (int)rows);
    c->upstream->wrote = true;
}

void upstream_channel_signal(struct upstream_channel *c, const char *name)
{
    if (c->state == CHANNEL_RUNS && !c->closed)
        (void)ssh_channel_request_send_signal(c->ssh, name);
    c->upstream->wrote = true;
}
