/* A request that was allowed, on its way: the connection to the API server, and what comes of it. It is
 * given back afterwards, for whatever is asked next through this gate. */
#include <errno.h>
#include <string.h>

#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"

void kube_stream_drop_link(struct kube_stream *s)
{
    struct buffer *out = exchange_to_server(s->exchange);
    kube_link_free(STEAL(s->link));
    buffer_consume(out, buffer_size(out)); /* nobody will take it any more */
}

static void link_moved(void *owner)
{
    kube_stream_step(owner);
}

static void link_refused(void *owner, const char *code, const char *reason)
{
    struct kube_stream *s = owner;
    const struct kube_status status = { .code = code, .reason = reason };
    kube_stream_drop_link(s);
    if (kube_stream_refuse(s, &status))
        (void)!exchange_stop(s->exchange, &status);
    kube_stream_step(s);
}

/* A connection that becomes another protocol's has to be new: only so does the connector know that the
 * server's 101 answers this request (vault/connector_frames.h). */
static int connect(struct kube_stream *s)
{
    static const struct kube_link_calls calls = { link_moved, link_refused };
    const struct kube_request *request = exchange_question(s->exchange).request;
    const struct kube_link_want want = { .target = s->channel->target,
                                         .recording = recorder_id(s->channel->recorder),
                                         .out = exchange_to_server(s->exchange),
                                         .fresh = s->repeated || (request && request->connects) };
    int r = kube_link_new(s->channel->gate, &want, &calls, s, &s->link);
    return r == -EPIPE || r == -ENOTCONN ? 1 : r;
}

int kube_stream_send(struct kube_stream *s, const char *warning)
{
    static const struct kube_status alone = { .code = "target_unavailable",
                                              .reason = "the vault can't be asked; connect again" };
    static const struct kube_status too_long = { .code = "limit",
                                                 .http = 431,
                                                 .reason = "the head is longer than 64 KiB" };
    const struct exchange_how how = { .host = s->host,
                                      .json = s->plan || s->access != ACCESS_NONE,
                                      .tables = !s->plan || kube_plan_allows_tables(s->plan),
                                      .warning = warning };
    kube_stream_drop_link(s);
    int r = connect(s);
    if (r > 0)
        return kube_stream_refuse(s, &alone);
    r = r ? r : exchange_send(s->exchange, &how);
    if (r == -EMSGSIZE)
        return kube_stream_refuse(s, &too_long);
    if (r == 0)
        timer_set(s->timer, KUBE_ANSWER_MS);
    return r;
}

/* A kept connection that the server closes just when it is used is nobody's fault (RFC 9112 §9.3.1). */
static int server_over(struct kube_stream *s)
{
    static const struct kube_status unanswered = {
        .code = "target_unavailable",
        .reason = "the API server closed the connection without an answer; whether it did what was asked "
                  "is not known",
    };
    bool stale = kube_link_is_used(s->link) && !s->repeated && exchange_may_repeat(s->exchange);
    int r = exchange_server_ended(s->exchange);
    kube_stream_drop_link(s);
    if (r != EXCHANGE_UNANSWERED)
        return r;
    s->repeated = true;
    return stale ? kube_stream_send(s, NULL) : kube_stream_refuse(s, &unanswered);
}

static int take_server(struct kube_stream *s, bool *moved)
{
    static const struct kube_status garbled = { .code = "target_unavailable",
                                                .http = 502,
                                                .reason = "the API server's answer is no HTTP" };
    struct buffer *in = kube_link_in(s->link);
    size_t taken = 0;
    int r = exchange_answer(s->exchange, buffer_head(in), buffer_size(in), &taken);
    buffer_consume(in, taken);
    *moved = *moved || taken > 0;
    timer_stop(s->timer);
    if (r != EXCHANGE_BAD_ANSWER)
        return r;
    kube_stream_drop_link(s);
    return exchange_state(s->exchange) == EXCHANGE_OVER ? 0 : kube_stream_refuse(s, &garbled);
}

/* The request is over, or the client is. */
static void mind_idle_link(struct kube_stream *s)
{
    if (exchange_state(s->exchange) == EXCHANGE_ANSWERING || exchange_state(s->exchange) == EXCHANGE_SWITCHED)
        return;
    if (exchange_keeps_server(s->exchange))
        kube_link_give_back(STEAL(s->link));
    else
        kube_stream_drop_link(s);
}

int kube_stream_server(struct kube_stream *s, bool *moved)
{
    int r = 0;
    if (!s->link)
        return 0;
    if (exchange_state(s->exchange) == EXCHANGE_ANSWERING && kube_link_stands(s->link)) {
        if (buffer_size(kube_link_in(s->link)) > 0)
            r = take_server(s, moved);
        else if (kube_link_ended(s->link))
            r = server_over(s);
    }
    if (r == 0 && s->link)
        mind_idle_link(s);
    return r;
}
