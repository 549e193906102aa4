/* See kube_stream.h. Each handler takes what has come and calls kube_stream_step(), which goes on as far as
 * bytes, decisions and room allow; it alone frees the stream.
 *
 * While a request is under way the client is read a little, since that it has gone is seen by its end of file
 * alone. Whoever sends no more gets the rest of an answer, but not of one that has no end of its own. */
#include "channels/kube_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/kube_preview.h"
#include "channels/kube_stream_parts.h"
#include "channels/kube_talk.h"
#include "channels/recorder.h"
#include "channels/tool.h"
#include "policy/detect.h"

enum { STATUS_CLOSED = 0 };

/* ---- life ---- */

static void client_ready(void *owner, uint32_t ready);
static void time_is_up(void *owner);

static int masks_of(struct kube_stream *s)
{
    const struct gate *gate = s->channel->gate;
    const struct circumstances who = kube_stream_who(s);
    return masking_init(&s->masking, gate->config, &who, gate->detectors);
}

static void name_host(struct kube_stream *s)
{
    const Ipc__Target *target = s->channel->target;
    bool bare = strchr(target->host, ':') != NULL;
    (void)snprintf(s->host, sizeof s->host, "%s%.255s%s:%u", bare ? "[" : "", target->host, bare ? "]" : "",
                   (unsigned)target->port);
}

static int fill(struct kube_stream *s)
{
    struct gate *gate = s->channel->gate;
    buffer_init(&s->in, KUBE_IN_MAX);
    buffer_init(&s->read, KUBE_PREVIEW_ANSWER_MAX);
    buffer_init(&s->gathered, ACCESS_MAX);
    name_host(s);
    int r = fd_nonblock(s->client_fd, true);
    r = r ? r : masks_of(s);
    r = r ? r : exchange_new(&kube_stream_show, s, &s->exchange);
    r = r ? r : timer_new(gate->loop, time_is_up, s, &s->timer);
    return r ? r : source_new(gate->loop, s->client_fd, LOOP_READ, client_ready, s, &s->client);
}

int kube_stream_new(struct channel *channel, int client_fd, bool record_output, struct kube_stream **ret)
{
    struct kube_stream *s = calloc(1, sizeof *s);
    if (!s) {
        fd_close(client_fd);
        return -ENOMEM;
    }
    *s = (struct kube_stream){ .next = channel->gate->kube_streams,
                               .channel = channel,
                               .number = ++channel->gate->last_stream,
                               .record_output = record_output,
                               .client_fd = client_fd };
    channel->gate->kube_streams = s;
    int r = fill(s);
    if (r) {
        kube_stream_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void kube_stream_free(struct kube_stream *s)
{
    if (!s)
        return;
    for (struct kube_stream **at = &s->channel->gate->kube_streams; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    kube_stream_drop_hold(s, "the client left");
    kube_stream_forget_read(s);
    kube_talk_free(s->talk);
    kube_verdict_clear(&s->verdict);
    kube_link_free(s->link);
    exchange_free(s->exchange);
    detect_stream_free(s->detect);
    kube_veil_free(s->veil);
    kube_plan_free(s->plan);
    buffer_free(&s->gathered);
    masking_clear(&s->masking);
    source_free(s->client);
    timer_free(s->timer);
    fd_close(s->client_fd);
    buffer_free(&s->in);
    free(s);
}

/* A forward ends with its stream; of a tool it was one connection among others. */
static void finish(struct kube_stream *s)
{
    struct channel *channel = s->channel;
    char reason[DETAIL_MAX];
    uint32_t status = s->talk ? kube_talk_status(s->talk) : STATUS_CLOSED;
    (void)snprintf(reason, sizeof reason, "%s", s->reason[0] ? s->reason : "closed");
    /* Go opens three sockets for one connection, when it can't tell its own address: two are never used. */
    log_event(s->heard ? LOG_INFO : LOG_DEBUG, "stream_ended", "connection", U64(channel->gate->connection),
              "target", channel->target->name, "reason", reason, NULL);
    if (channel->tool) {
        tool_forget_kube_stream(channel->tool, s);
        kube_stream_free(s);
        return;
    }
    kube_stream_free(STEAL(channel->kube_stream));
    channel_finish(channel, status, NULL, reason);
}

void kube_stream_stop(struct kube_stream *s, const struct refusal *why)
{
    const struct kube_status status = { .code = why->code, .reason = why->reason, .next = why->next };
    (void)snprintf(s->reason, sizeof s->reason, "%s", why->code);
    if (s->talk)
        kube_talk_stop(s->talk, why->reason);
    kube_stream_drop_link(s);
    if (exchange_stop(s->exchange, &status) == 0)
        (void)!buffer_write(exchange_to_client(s->exchange), s->client_fd);
    kube_stream_step(s);
}

/* ---- the step ---- */

/* An answer without an end of its own: nobody is there to read it. */
static bool is_endless(const struct kube_stream *s)
{
    const struct kube_request *request = exchange_question(s->exchange).request;
    const char *follow = request ? kube_request_parameter(request, "follow") : NULL;
    return request && (request->connects || strcmp(request->verb, "watch") == 0 ||
                       (follow && strcmp(follow, "0") != 0 && strcasecmp(follow, "false") != 0));
}

static int take_client(struct kube_stream *s, bool *moved)
{
    size_t taken = 0;
    if (buffer_size(&s->in) == 0)
        return 0;
    int r = exchange_take(s->exchange, buffer_head(&s->in), buffer_size(&s->in), &taken);
    buffer_consume(&s->in, taken);
    *moved = *moved || taken > 0;
    return r;
}

static void mind_client_end(struct kube_stream *s)
{
    enum exchange_state state = exchange_state(s->exchange);
    if (!s->client_ended || buffer_size(&s->in) > 0 || state == EXCHANGE_OVER)
        return;
    if (state == EXCHANGE_SWITCHED)
        return; /* kube_talk.c minds it */
    if ((state == EXCHANGE_ANSWERING && is_endless(s)) || (state == EXCHANGE_ASKING && kube_stream_waits(s)))
        (void)!exchange_stop(s->exchange, NULL);
    else
        exchange_client_ended(s->exchange);
}

static int talk(struct kube_stream *s, bool *moved)
{
    int r = s->talk ? 0 : kube_talk_new(s, &s->talk);
    if (r == 0)
        kube_talk_go_on(s->talk, moved);
    return r;
}

/* One thing at a time. */
static int advance(struct kube_stream *s, bool *moved)
{
    enum exchange_state before = exchange_state(s->exchange);
    int r = 0;
    if (before == EXCHANGE_ASKING && !kube_stream_waits(s))
        r = kube_stream_decide(s);
    else if (before == EXCHANGE_SWITCHED)
        r = talk(s, moved);
    else if (before != EXCHANGE_OVER)
        r = take_client(s, moved);
    r = r ? r : kube_stream_server(s, moved);
    if (r == 0)
        mind_client_end(s);
    *moved = *moved || exchange_state(s->exchange) != before;
    return r;
}

static void set_interest(struct kube_stream *s)
{
    bool over = exchange_state(s->exchange) == EXCHANGE_OVER;
    uint32_t interest = buffer_size(exchange_to_client(s->exchange)) > 0 ? LOOP_WRITE : LOOP_HANGUP;
    if (!s->client_ended && (over || buffer_room(&s->in) > 0))
        interest |= LOOP_READ;
    source_interest(s->client, interest);
    buffer_shrink(&s->in, 0);
    buffer_shrink(exchange_to_client(s->exchange), 0);
}

/* Everything is out: the client closes next, or we do. */
static bool close_down(struct kube_stream *s)
{
    if (buffer_size(exchange_to_client(s->exchange)) > 0) {
        timer_set(s->timer, KUBE_DRAIN_MS);
        return false;
    }
    if (s->client_ended)
        return true;
    if (!s->closing) {
        (void)shutdown(s->client_fd, SHUT_WR);
        timer_set(s->timer, KUBE_LINGER_MS);
    }
    s->closing = true;
    return false;
}

static int go_on(struct kube_stream *s)
{
    bool moved = true;
    int r = 0;
    while (r == 0 && moved) {
        struct buffer *out = exchange_to_client(s->exchange);
        size_t before = buffer_size(out);
        moved = false;
        r = advance(s, &moved);
        if (r == 0 && buffer_size(out) > 0 && buffer_write(out, s->client_fd)) {
            (void)!exchange_stop(s->exchange, NULL);
            buffer_consume(out, buffer_size(out));
            s->client_ended = true;
        }
        moved = moved || (before >= EXCHANGE_HIGH && buffer_size(out) < EXCHANGE_HIGH);
    }
    return r;
}

static void fail(struct kube_stream *s, int error)
{
    bool unrecorded = error != -ENOMEM && error != -ENOBUFS;
    const struct kube_status status = { .code = unrecorded ? "recording_unavailable" : "limit",
                                        .reason = unrecorded
                                                      ? "the recording can't be written, so nothing runs"
                                                      : "out of memory" };
    log_event(LOG_ERROR, "stream_failed", "connection", U64(s->channel->gate->connection), "detail",
              strerror(-error), NULL);
    (void)snprintf(s->reason, sizeof s->reason, "%s", status.code);
    kube_stream_drop_link(s);
    if (exchange_stop(s->exchange, &status) == 0)
        (void)!buffer_write(exchange_to_client(s->exchange), s->client_fd);
}

/* The server's side takes what waits for it, as far as it can. True: that made room, or was all that was
 * waited for, and nobody but the caller would notice. */
static bool serve_link(struct kube_stream *s)
{
    const struct buffer *out = exchange_to_server(s->exchange);
    bool full = buffer_size(out) >= EXCHANGE_HIGH, waits = buffer_size(out) > 0;
    if (s->link)
        kube_link_go_on(s->link, s->talk ? kube_talk_reads(s->talk)
                                         : buffer_size(exchange_to_client(s->exchange)) < EXCHANGE_HIGH);
    return s->link && ((full && buffer_size(out) < EXCHANGE_HIGH) || (waits && buffer_size(out) == 0));
}

void kube_stream_step(struct kube_stream *s)
{
    if (s->inside)
        return;
    do {
        s->inside = true;
        int r = go_on(s);
        if (r)
            fail(s, r);
        s->inside = false;
        if (exchange_state(s->exchange) == EXCHANGE_OVER) {
            kube_stream_drop_link(s);
            kube_stream_drop_hold(s, "the client left");
            kube_stream_forget_read(s);
            if (close_down(s)) {
                finish(s);
                return;
            }
        }
    } while (serve_link(s));
    set_interest(s);
}

/* ---- the client's side ---- */

static void client_ready(void *owner, uint32_t ready)
{
    struct kube_stream *s = owner;
    struct buffer *out = exchange_to_client(s->exchange);
    size_t n = 0;
    bool over = exchange_state(s->exchange) == EXCHANGE_OVER;
    if (over) /* what comes now is dropped */
        buffer_consume(&s->in, buffer_size(&s->in));
    if (!s->client_ended && buffer_room(&s->in) > 0) {
        int r = buffer_read(&s->in, s->client_fd, KUBE_IN_MAX, &n);
        s->client_ended = r != -EAGAIN && (r || n == 0);
        s->heard = s->heard || n > 0;
        recorder_count(s->channel->recorder, n, 0);
    }
    if (ready & LOOP_HANGUP && n == 0) { /* it takes nothing any more */
        s->client_ended = true;
        buffer_consume(out, buffer_size(out));
        (void)!exchange_stop(s->exchange, NULL);
    }
    kube_stream_step(s);
}

/* An answer that does not come; last bytes that nobody takes; a client that does not close. */
static void time_is_up(void *owner)
{
    static const struct kube_status late = { .code = "target_unavailable",
                                             .reason = "the API server did not answer within 5 minutes" };
    static const struct kube_status uncounted = {
        .code = "recording_unavailable",
        .reason = "the ledger does not answer, so nobody knows whether it may run"
    };
    struct kube_stream *s = owner;
    if (exchange_state(s->exchange) == EXCHANGE_OVER) {
        finish(s);
        return;
    }
    if (exchange_state(s->exchange) == EXCHANGE_SWITCHED) { /* nobody takes the rest */
        (void)!exchange_stop(s->exchange, NULL);
        kube_stream_step(s);
        return;
    }
    bool counts = s->count_request != 0;
    if (exchange_state(s->exchange) != EXCHANGE_ANSWERING && !counts)
        return;
    s->count_request = 0;
    kube_stream_drop_link(s);
    if (kube_stream_refuse(s, counts ? &uncounted : &late))
        (void)!exchange_stop(s->exchange, &late);
    kube_stream_step(s);
}
