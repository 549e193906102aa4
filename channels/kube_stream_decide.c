/* What becomes of a request: it is judged and recorded, and only then sent, refused or held. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channels/kube/fields.h"
#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"

static struct circumstances who_of(const struct kube_stream *s)
{
    const struct gate *gate = s->channel->gate;
    return (struct circumstances){ .roles = gate->identity->roles,
                                   .n_roles = gate->identity->n_roles,
                                   .target = s->channel->target->name };
}

/* ---- the recording ---- */

/* "PATCH /api/v1/…", an empty line, the body. */
static int text_of(const struct exchange_question *q, struct buffer *text)
{
    if (!q->head)
        return 0;
    const char *target = q->request ? q->request->target : q->head->target;
    int r = buffer_printf(text, "%s ", q->head->method);
    r = r ? r : buffer_append(text, target, strlen(target));
    if (r || q->body_n == 0)
        return r;
    r = buffer_append(text, "\n\n", 2);
    return r ? r : buffer_append(text, q->body, q->body_n);
}

static int record(struct kube_stream *s, const struct buffer *text)
{
    const struct kube_verdict *v = &s->verdict;
    char *effects[] = { (char *)(uintptr_t)v->effect };
    Ipc__Request request = IPC__REQUEST__INIT;
    request.what = (char *)(uintptr_t) "request";
    request.verdict = (char *)(uintptr_t)action_name(v->verdict.action);
    request.rule = (char *)(uintptr_t)v->verdict.rule;
    request.reason = (char *)(uintptr_t)v->verdict.reason;
    request.code = (char *)(uintptr_t)v->verdict.code;
    request.effects = effects;
    request.n_effects = v->effect[0] ? 1 : 0;
    request.stream = s->number;
    return recorder_request(s->channel->recorder, &request, buffer_head(text), buffer_size(text));
}

/* ---- the verdict ---- */

static int judge(struct kube_stream *s, const struct exchange_question *q)
{
    const struct circumstances who = who_of(s);
    const struct kube_judged judged = { .request = q->request,
                                        .type = http_head_field(q->head, "content-type"),
                                        .body = q->body,
                                        .body_n = q->body_n,
                                        .open_body = q->streams };
    return kube_verdict_of(s->channel->gate->rules, &who, &judged, &s->verdict);
}

/* What can't be judged, or is refused to everybody. */
static void set_built_in(struct kube_stream *s, const char *code, const char *reason)
{
    s->verdict.verdict =
        (struct verdict){ .action = ACTION_DENY, .code = code, .rule = "built-in", .reason = reason };
}

static int refuse_by_verdict(struct kube_stream *s, unsigned http)
{
    const struct verdict *verdict = &s->verdict.verdict;
    bool built_in = strcmp(verdict->rule, "built-in") == 0;
    const struct kube_status status = { .code = verdict->code,
                                        .reason = verdict->reason,
                                        .rule = built_in ? NULL : verdict->rule,
                                        .next = s->verdict.next[0] ? s->verdict.next : NULL,
                                        .http = http };
    return exchange_refuse(s->exchange, &status);
}

/* What nobody can be asked about. */
static const char *why_not(const struct kube_stream *s, const struct exchange_question *q)
{
    if (s->verdict.verdict.action == ACTION_DENY)
        return NULL;
    if (q->upgrades)
        return "exec, attach, port-forward and cp are not served in this version";
    return s->verdict.verdict.action == ACTION_HOLD && q->streams
               ? "it needs an approval, and what is sent through a proxy of the API server can't be shown to "
                 "anybody before"
               : NULL;
}

static int find_verdict(struct kube_stream *s, const struct exchange_question *q)
{
    s->verdict = (struct kube_verdict){ .effect = "" };
    if (q->fault) {
        set_built_in(s, q->code, q->fault);
        return 0;
    }
    int r = judge(s, q);
    const char *not = r == 0 ? why_not(s, q) : NULL;
    if (not ) {
        set_built_in(s, "denied", not );
        s->verdict.next[0] = '\0';
    }
    return r;
}

int kube_stream_decide(struct kube_stream *s)
{
    const struct exchange_question q = exchange_question(s->exchange);
    const uint64_t number = recorder_next(s->channel->recorder);
    struct buffer text;
    buffer_init(&text, EXCHANGE_BODY_MAX + 2 * KUBE_TARGET_MAX + 2 * HTTP_HEAD_MAX);
    s->repeated = false;
    int r = find_verdict(s, &q);
    r = r ? r : text_of(&q, &text);
    r = r ? r : record(s, &text);
    if (r == 0 && s->verdict.verdict.action == ACTION_ALLOW)
        r = kube_stream_send(s, NULL);
    else if (r == 0 && s->verdict.verdict.action == ACTION_HOLD)
        r = kube_stream_hold(s, &q, &text, number);
    else if (r == 0)
        r = refuse_by_verdict(s, q.http);
    buffer_free(&text);
    return r;
}

/* ---- the server ---- */

static void link_moved(void *owner)
{
    kube_stream_step(owner);
}

static void link_refused(void *owner, const char *code, const char *reason)
{
    struct kube_stream *s = owner;
    const struct kube_status status = { .code = code, .reason = reason };
    kube_link_free(STEAL(s->link));
    if (kube_stream_refuse(s, &status))
        (void)!exchange_stop(s->exchange, &status);
    kube_stream_step(s);
}

static int connect(struct kube_stream *s)
{
    static const struct kube_link_calls calls = { link_moved, link_refused };
    const struct kube_link_want want = { .target = s->channel->target,
                                         .recording = recorder_id(s->channel->recorder),
                                         .out = exchange_to_server(s->exchange) };
    s->link_used = false;
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
    const struct exchange_how how = { .host = s->host, .warning = warning };
    if (s->link && (kube_link_ended(s->link) || buffer_size(kube_link_in(s->link)) > 0))
        kube_link_free(STEAL(s->link));
    int r = s->link ? 0 : connect(s);
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
    bool stale = s->link_used && !s->repeated && exchange_may_repeat(s->exchange);
    int r = exchange_server_ended(s->exchange);
    kube_link_free(STEAL(s->link));
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
    kube_link_free(STEAL(s->link));
    return exchange_state(s->exchange) == EXCHANGE_OVER ? 0 : kube_stream_refuse(s, &garbled);
}

/* Between two requests a server has nothing to say. */
static void mind_idle_link(struct kube_stream *s)
{
    if (exchange_state(s->exchange) == EXCHANGE_ANSWERING || exchange_state(s->exchange) == EXCHANGE_SWITCHED)
        return;
    s->link_used = true;
    if (!exchange_keeps_server(s->exchange) || kube_link_ended(s->link) ||
        buffer_size(kube_link_in(s->link)) > 0)
        kube_link_free(STEAL(s->link));
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
