/* See kube_talk.h. What is typed or sent is recorded before it goes to the server, and output once it is
 * masked and before it goes to the client, as in a session at a host (channels/ssh/task.c): at a terminal
 * what was typed is kept as far as it showed. Of a tool's connection the tool's own terminal is recorded, not
 * this.
 *
 * Buffers: the upgrade's own wait for the exchange's (frames to the connector, bytes to the client), and
 * nothing is read from either side while these are full. */
#include "channels/kube_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "channels/kube/frame.h"
#include "channels/recorder.h"
#include "channels/ssh/echo.h"
#include "channels/ssh/veil.h"
#include "channels/tool.h"

struct kube_talk {
    struct kube_stream *stream;
    struct kube_upgrade *upgrade;
    struct ssh_veil *veils[2]; /* of standard output and of the error output, while anything of it is held */
    struct echo *echo;         /* of a terminal */
    struct timer *timer;
    struct buffer shown; /* what the timer lets go */
    unsigned columns, rows;
    struct kube_exit exit;
    bool client_closed, server_closed; /* each was told to the upgrade */
    bool over;                         /* nothing but what waits passes any more */
};

static struct recorder *recorder_of(const struct kube_talk *t)
{
    return t->stream->channel->recorder;
}

void kube_talk_free(struct kube_talk *t)
{
    if (!t)
        return;
    if (t->upgrade && recorder_of(t))
        (void)!kube_upgrade_forget(t->upgrade);
    ssh_veil_free(t->veils[0]);
    ssh_veil_free(t->veils[1]);
    echo_free(t->echo);
    timer_free(t->timer);
    kube_upgrade_free(t->upgrade);
    buffer_free(&t->shown);
    free(t);
}
DEFINE_CLEANUP(struct kube_talk *, kube_talk_free)

uint32_t kube_talk_status(const struct kube_talk *t)
{
    return t->exit.known ? t->exit.status : 0;
}

/* ---- what is typed ---- */

static int typed(void *owner, const uint8_t *bytes, size_t n)
{
    const struct kube_talk *t = owner;
    return recorder_input(recorder_of(t), t->stream->number, "terminal", bytes, n);
}

static int typed_hidden(void *owner)
{
    const struct kube_talk *t = owner;
    return recorder_hidden(recorder_of(t));
}

static int input(void *owner, const uint8_t *bytes, size_t n)
{
    struct kube_talk *t = owner;
    if (!t->stream->record_output)
        return 0;
    return t->echo ? echo_typed(t->echo, bytes, n)
                   : recorder_input(recorder_of(t), t->stream->number, "stdin", bytes, n);
}

/* ---- what is shown ---- */

static bool is_terminals(const struct kube_talk *t, bool is_error)
{
    return !is_error && kube_upgrade_is_terminal(t->upgrade);
}

/* Of what the buffer has, all behind `before` is new. */
static int record(struct kube_talk *t, bool is_error, const struct buffer *shown, size_t before)
{
    const uint8_t *bytes = buffer_head(shown) + before;
    size_t n = buffer_size(shown) - before;
    if (n == 0 || !t->stream->record_output)
        return 0;
    int r = t->echo && !is_error ? echo_output(t->echo, bytes, n) : 0;
    return r ? r
             : recorder_output(recorder_of(t), t->stream->number, is_error ? "stderr" : "terminal", bytes, n);
}

static int veil_of(struct kube_talk *t, bool is_error, struct ssh_veil **ret)
{
    const struct masking *masking = &t->stream->masking;
    struct detectors *detectors = masking->veil.detectors;
    int r = 0;
    if (detectors && !t->veils[is_error])
        r = ssh_veil_new(detectors, &masking->detect, is_terminals(t, is_error), t->columns, t->rows,
                         &t->veils[is_error]);
    *ret = t->veils[is_error];
    return r;
}

static int output(void *owner, const struct kube_lane *lane, const uint8_t *bytes, size_t n,
                  struct buffer *shown)
{
    struct kube_talk *t = owner;
    struct ssh_veil *veil = NULL;
    bool is_error = lane->kind == KUBE_STDERR;
    size_t before = buffer_size(shown);
    int r = veil_of(t, is_error, &veil);
    if (r == 0)
        r = veil ? ssh_veil_feed(veil, bytes, n, shown) : buffer_append(shown, bytes, n);
    if (r == 0 && veil && is_terminals(t, is_error) && ssh_veil_holds(veil))
        timer_set(t->timer, VEIL_FLUSH_MS);
    return r ? r : record(t, is_error, shown, before);
}

/* What a terminal shows stays, whatever was said of its end. */
static int output_ended(void *owner, const struct kube_lane *lane, struct buffer *shown)
{
    struct kube_talk *t = owner;
    bool is_error = lane->kind == KUBE_STDERR;
    struct ssh_veil *veil = STEAL(t->veils[is_error]);
    size_t before = buffer_size(shown);
    if (!veil)
        return 0;
    int r = ssh_veil_end(veil, shown);
    ssh_veil_free(veil);
    return r ? r : record(t, is_error, shown, before);
}

/* ---- the rest ---- */

static int resized(void *owner, unsigned columns, unsigned rows)
{
    struct kube_talk *t = owner;
    t->columns = columns;
    t->rows = rows;
    int r =
        kube_upgrade_is_terminal(t->upgrade) && t->veils[0] ? ssh_veil_resize(t->veils[0], columns, rows) : 0;
    return r || !t->stream->record_output ? r : recorder_resize(recorder_of(t), columns, rows);
}

static int exited(void *owner, const struct kube_exit *exit)
{
    struct kube_talk *t = owner;
    char note[2 * sizeof exit->message + 64], message[2 * sizeof exit->message];
    t->exit = *exit;
    (void)text_escape(message, sizeof message, exit->message, strlen(exit->message), false);
    if (exit->known)
        (void)snprintf(note, sizeof note, "the command ended with exit status %u", exit->status);
    else
        (void)snprintf(note, sizeof note, "it ended: %s", message);
    return recorder_note(recorder_of(t), note);
}

/* Of a connection that kubectl in the sandbox forwards. */
static void tell_tool(const struct kube_talk *t, enum tool_port_event event)
{
    if (t->stream->channel->tool)
        tool_forwards(t->stream->channel->tool, event);
}

static int opened(void *owner, const struct kube_lane *lane)
{
    struct kube_talk *t = owner;
    char note[64];
    tell_tool(t, TOOL_PORT_OPENED);
    (void)snprintf(note, sizeof note, "port %u: connection %u begins", lane->port, lane->id);
    return recorder_note(recorder_of(t), note);
}

static int closed(void *owner, const struct kube_lane *lane)
{
    struct kube_talk *t = owner;
    char note[128];
    (void)snprintf(note, sizeof note, "port %u: connection %u ends, %s bytes in, %s bytes out", lane->port,
                   lane->id, U64(lane->in), U64(lane->out));
    return recorder_note(recorder_of(t), note);
}

/* A cut-off connection has no such answer. */
static int answered(void *owner, const struct kube_lane *lane, const uint8_t *error, size_t n)
{
    const struct kube_talk *t = owner;
    char note[DETAIL_MAX], said[DETAIL_MAX / 2];
    tell_tool(t, n ? TOOL_PORT_FAILED : TOOL_PORT_ENDED);
    if (n == 0)
        return 0;
    (void)text_escape(said, sizeof said, (const char *)error, n, false);
    (void)snprintf(note, sizeof note, "port %u: it failed: %s", lane->port, said);
    return recorder_note(recorder_of(t), note);
}

static const struct kube_upgrade_calls calls = {
    .opened = opened,
    .input = input,
    .output = output,
    .output_ended = output_ended,
    .resized = resized,
    .exited = exited,
    .closed = closed,
    .answered = answered,
};

/* ---- faults ---- */

/* The server's side is closed, the client's once it has what waits for it. */
static void fail(struct kube_talk *t, int error, const struct detail *detail)
{
    bool ours = error < 0, memory = error == -ENOMEM || error == -ENOBUFS;
    const char *why = !ours    ? detail->text
                      : memory ? "out of memory"
                               : "the recording can't be written, so nothing runs";
    const char *code = !ours ? "denied" : memory ? "limit" : "recording_unavailable";
    log_event(LOG_WARNING, "kube_stream_refused", "connection", U64(t->stream->channel->gate->connection),
              "target", t->stream->channel->target->name, "code", code, "detail", why, NULL);
    (void)snprintf(t->stream->reason, sizeof t->stream->reason, "%s", why);
    if (!ours)
        (void)!recorder_note(recorder_of(t), why);
    kube_upgrade_stop(t->upgrade, why);
}

static void on_timer(void *owner)
{
    struct kube_talk *t = owner;
    struct kube_stream *s = t->stream;
    struct ssh_veil *veil = t->veils[0];
    int r = veil ? ssh_veil_flush(veil, &t->shown) : 0;
    r = r ? r : record(t, false, &t->shown, 0);
    r = r ? r : kube_upgrade_show(t->upgrade, buffer_head(&t->shown), buffer_size(&t->shown));
    buffer_consume(&t->shown, buffer_size(&t->shown));
    if (r)
        fail(t, r, NULL);
    else if (veil && ssh_veil_holds(veil))
        timer_set(t->timer, VEIL_FLUSH_MS);
    kube_stream_step(s);
}

/* ---- beginning ---- */

static int fill(struct kube_talk *t)
{
    static const struct echo_calls echo_calls = { typed, typed_hidden };
    struct exchange *x = t->stream->exchange;
    buffer_init(&t->shown, KUBE_UPGRADE_WAITING_MAX);
    int r = timer_new(t->stream->channel->gate->loop, on_timer, t, &t->timer);
    r = r ? r : kube_upgrade_new(exchange_question(x).request, exchange_agreement(x), &calls, t, &t->upgrade);
    if (r == 0 && kube_upgrade_is_terminal(t->upgrade) && t->stream->record_output)
        r = echo_new(&echo_calls, t, &t->echo);
    return r;
}

int kube_talk_new(struct kube_stream *stream, struct kube_talk **ret)
{
    CLEANUP(kube_talk_free) struct kube_talk *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->stream = stream;
    int r = fill(t);
    if (r)
        return r;
    tell_tool(t, TOOL_PORT_REACHED);
    *ret = STEAL(t);
    return 0;
}

/* ---- bytes ---- */

static bool has_room(const struct kube_stream *s)
{
    return buffer_size(exchange_to_client(s->exchange)) < EXCHANGE_HIGH &&
           buffer_size(exchange_to_server(s->exchange)) < EXCHANGE_HIGH;
}

bool kube_talk_reads(const struct kube_talk *t)
{
    return kube_upgrade_wants(t->upgrade) && has_room(t->stream);
}

/* What the upgrade has for either side. */
static int pass_on(struct kube_talk *t, bool *moved)
{
    struct kube_stream *s = t->stream;
    struct buffer *client = kube_upgrade_out(t->upgrade, KUBE_CLIENT);
    struct buffer *server = kube_upgrade_out(t->upgrade, KUBE_SERVER);
    int r = 0;
    if (buffer_size(client) > 0 && buffer_size(exchange_to_client(s->exchange)) < EXCHANGE_HIGH) {
        r = buffer_append(exchange_to_client(s->exchange), buffer_head(client), buffer_size(client));
        buffer_consume(client, buffer_size(client));
        *moved = true;
    }
    if (r == 0 && buffer_size(server) > 0 && buffer_size(exchange_to_server(s->exchange)) < EXCHANGE_HIGH) {
        r = frame_put_body(exchange_to_server(s->exchange), buffer_head(server), buffer_size(server));
        buffer_consume(server, buffer_size(server));
        *moved = true;
    }
    return r;
}

static void take(struct kube_talk *t, enum kube_side from, struct buffer *in, bool *moved)
{
    struct detail detail = { "" };
    size_t taken = 0;
    if (buffer_size(in) == 0 || !has_room(t->stream))
        return;
    int r = kube_upgrade_read(t->upgrade, from, buffer_head(in), buffer_size(in), &taken, &detail);
    if (r)
        fail(t, r, &detail);
    buffer_consume(in, r < 0 ? buffer_size(in) : taken);
    *moved = *moved || taken > 0 || r;
}

static void mind_ends(struct kube_talk *t)
{
    struct kube_stream *s = t->stream;
    bool server_ended = !s->link || (kube_link_ended(s->link) && buffer_size(kube_link_in(s->link)) == 0);
    int r = 0;
    if (server_ended && !t->server_closed) {
        t->server_closed = true;
        r = kube_upgrade_close(t->upgrade, KUBE_SERVER);
    }
    if (r == 0 && s->client_ended && buffer_size(&s->in) == 0 && !t->client_closed) {
        t->client_closed = true;
        r = kube_upgrade_close(t->upgrade, KUBE_CLIENT);
    }
    if (r)
        fail(t, r, NULL);
    if (!t->over && (t->client_closed || kube_upgrade_is_over(t->upgrade))) {
        t->over = true;
        timer_set(s->timer, KUBE_DRAIN_MS); /* for the server to take what waits for it */
    }
}

static bool is_empty(struct kube_talk *t, enum kube_side to)
{
    struct exchange *x = t->stream->exchange;
    return buffer_size(kube_upgrade_out(t->upgrade, to)) == 0 &&
           buffer_size(to == KUBE_CLIENT ? exchange_to_client(x) : exchange_to_server(x)) == 0;
}

/* Nothing more will pass: what waits for the client goes out still (kube_stream.c). */
static bool is_done(struct kube_talk *t)
{
    bool passed = buffer_size(kube_upgrade_out(t->upgrade, KUBE_CLIENT)) == 0;
    if (t->server_closed)
        return passed;
    if (t->client_closed)
        return is_empty(t, KUBE_SERVER);
    return kube_upgrade_is_over(t->upgrade) && passed && is_empty(t, KUBE_SERVER);
}

void kube_talk_go_on(struct kube_talk *t, bool *ret_moved)
{
    struct kube_stream *s = t->stream;
    take(t, KUBE_CLIENT, &s->in, ret_moved);
    if (s->link)
        take(t, KUBE_SERVER, kube_link_in(s->link), ret_moved);
    mind_ends(t);
    int r = pass_on(t, ret_moved);
    if (r == 0 && !is_done(t))
        return;
    if (t->echo)
        (void)!echo_end(t->echo);
    if (!s->reason[0])
        (void)snprintf(s->reason, sizeof s->reason, "%s",
                       t->exit.known || t->exit.message[0] ? "exit"
                       : t->client_closed                  ? "the client left"
                                                           : "closed");
    (void)!exchange_stop(s->exchange, NULL);
    *ret_moved = true;
}

void kube_talk_stop(struct kube_talk *t, const char *reason)
{
    bool moved = false;
    kube_upgrade_stop(t->upgrade, reason);
    (void)!pass_on(t, &moved);
}
