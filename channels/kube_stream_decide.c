/* What becomes of a request: it is judged and recorded, and only then sent, refused or held. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channels/kube/fields.h"
#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"

struct circumstances kube_stream_who(const struct kube_stream *s)
{
    const struct gate *gate = s->channel->gate;
    return (struct circumstances){ .roles = gate->identity->roles,
                                   .n_roles = gate->identity->n_roles,
                                   .target = s->channel->target->name };
}

/* ---- the recording ---- */

/* What is masked in answers is in what is sent as well. A JSON patch has no form in which a mask would find
 * its values. */
static int put_masked(const struct kube_stream *s, const struct exchange_question *q, struct buffer *text)
{
    CLEANUP(kube_veil_free) struct kube_veil *veil = NULL;
    const char *type = http_head_field(q->head, "content-type");
    struct buffer shown;
    buffer_init(&shown, EXCHANGE_BODY_MAX);
    bool patch = type && strncasecmp(type, "application/json-patch+json", 27) == 0;
    int r = kube_veil_new(s->plan, &veil);
    if (r)
        return r;
    r = patch ? KUBE_VEIL_UNREADABLE : kube_veil_bytes(veil, q->body, q->body_n, &shown);
    r = r ? r : kube_veil_end(veil);
    if (r == 0)
        r = buffer_append(text, buffer_head(&shown), buffer_size(&shown));
    else if (r == KUBE_VEIL_UNREADABLE || r == -ENOBUFS)
        r = buffer_printf(text, "[masked: %zu bytes]", q->body_n);
    buffer_free(&shown);
    return r;
}

/* "PATCH /api/v1/…", an empty line, the body. */
static int text_of(const struct kube_stream *s, const struct exchange_question *q, struct buffer *text)
{
    if (!q->head)
        return 0;
    const char *target = q->request ? q->request->target : q->head->target;
    int r = buffer_printf(text, "%s ", q->head->method);
    r = r ? r : buffer_append(text, target, strlen(target));
    if (r || q->body_n == 0)
        return r;
    r = buffer_append(text, "\n\n", 2);
    if (r || !s->plan)
        return r ? r : buffer_append(text, q->body, q->body_n);
    return put_masked(s, q, text);
}

static int record(struct kube_stream *s, const struct buffer *text)
{
    const struct kube_verdict *v = &s->verdict;
    Ipc__Request request = IPC__REQUEST__INIT;
    request.what = (char *)(uintptr_t) "request";
    request.verdict = (char *)(uintptr_t)action_name(v->verdict.action);
    request.rule = (char *)(uintptr_t)v->verdict.rule;
    request.reason = (char *)(uintptr_t)v->reason;
    request.code = (char *)(uintptr_t)v->verdict.code;
    request.effects = (char **)(uintptr_t)v->effects;
    request.n_effects = v->n_effects;
    request.stream = s->number;
    return recorder_request(s->channel->recorder, &request, buffer_head(text), buffer_size(text));
}

/* ---- the verdict ---- */

/* What is looked into, and its type: the body, or what the server made of it. */
static const char *body_of(const struct kube_stream *s, const struct exchange_question *q,
                           const uint8_t **ret_body, size_t *ret_n)
{
    bool read = buffer_size(&s->read) > 0;
    *ret_body = read ? buffer_head(&s->read) : q->body;
    *ret_n = read ? buffer_size(&s->read) : q->body_n;
    return read ? "application/json" : http_head_field(q->head, "content-type");
}

static int judge(struct kube_stream *s, const struct exchange_question *q)
{
    const struct circumstances who = kube_stream_who(s);
    struct kube_judged judged = { .request = q->request, .open_body = q->streams };
    judged.type = body_of(s, q, &judged.body, &judged.body_n);
    return kube_verdict_of(s->channel->gate->rules, &who, &judged, &s->verdict);
}

/* What can't be judged, or is refused to everybody. */
static void set_built_in(struct kube_stream *s, const char *code, const char *reason)
{
    s->verdict.verdict =
        (struct verdict){ .action = ACTION_DENY, .code = code, .rule = "built-in", .reason = reason };
    (void)snprintf(s->verdict.reason, sizeof s->verdict.reason, "%s", reason);
}

static int refuse_by_verdict(struct kube_stream *s, unsigned http)
{
    const struct verdict *verdict = &s->verdict.verdict;
    bool built_in = strcmp(verdict->rule, "built-in") == 0;
    const struct kube_status status = { .code = verdict->code,
                                        .reason = s->verdict.reason,
                                        .rule = built_in ? NULL : verdict->rule,
                                        .next = s->verdict.next[0] ? s->verdict.next : NULL,
                                        .http = http };
    return exchange_refuse(s->exchange, &status);
}

/* Who asks what they may do is told so, whatever the rules say to reviews. */
static int find_access(struct kube_stream *s, const struct exchange_question *q)
{
    const struct circumstances who = kube_stream_who(s);
    enum access_kind kind = access_kind_of(q->request);
    const uint8_t *body;
    size_t n;
    int r = 0;
    (void)body_of(s, q, &body, &n);
    if (kind == ACCESS_REVIEW)
        r = access_judge(s->channel->gate->rules, &who, body, n, &s->access_verdict);
    if (kind == ACCESS_NONE || r)
        return r < 0 ? r : 0; /* what can't be read is a request like others */
    (void)access_space(body, n, s->access_space, sizeof s->access_space);
    s->access = kind;
    s->verdict.verdict =
        (struct verdict){ .action = ACTION_ALLOW, .code = "", .rule = "built-in", .reason = "" };
    s->verdict.reason[0] = s->verdict.next[0] = '\0';
    return 0;
}

/* What nobody can be asked about. */
static const char *why_not(const struct kube_stream *s, const struct exchange_question *q)
{
    if (s->verdict.verdict.action == ACTION_DENY)
        return NULL;
    return s->verdict.verdict.action == ACTION_HOLD && q->streams
               ? "it needs an approval, and what is sent through a proxy of the API server can't be shown to "
                 "anybody before"
               : NULL;
}

static void set_fault(struct kube_stream *s, int fault)
{
    static const char *const codes[] = { [KUBE_PLAN_SENDS_MASK] = "denied",
                                         [KUBE_PLAN_ASKS] = "masked_predicate",
                                         [KUBE_PLAN_UNREADABLE] = "unparsable" };
    set_built_in(s, codes[fault], s->fault.text);
    (void)snprintf(
        s->verdict.next, sizeof s->verdict.next, "%s",
        fault == KUBE_PLAN_SENDS_MASK
            ? "change single fields (kubectl patch, set, label …) instead of sending back what you were shown"
        : fault == KUBE_PLAN_ASKS ? "ask without it"
                                  : "send it as JSON");
}

/* What is masked in its answer, and whether it would tell or overwrite that. */
static int find_plan(struct kube_stream *s, const struct exchange_question *q)
{
    const struct circumstances who = kube_stream_who(s);
    const struct gate *gate = s->channel->gate;
    int r = kube_plan_new(gate->config, s->channel->target, &who, q->request, s->masking.veil.key, &s->plan);
    if (r || !s->plan || s->verdict.verdict.action == ACTION_DENY)
        return r;
    const uint8_t *body;
    size_t n;
    const char *type = body_of(s, q, &body, &n);
    r = kube_plan_check(s->plan, q->request, type, body, n, &s->fault);
    if (r > 0)
        set_fault(s, r);
    return r < 0 ? r : 0;
}

static int find_verdict(struct kube_stream *s, const struct exchange_question *q)
{
    kube_verdict_clear(&s->verdict);
    s->verdict = (struct kube_verdict){ .n_effects = 0 };
    kube_plan_free(STEAL(s->plan));
    s->access = ACCESS_NONE;
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
    r = r ? r : find_plan(s, q);
    return r ? r : find_access(s, q);
}

int kube_stream_decide(struct kube_stream *s)
{
    const struct exchange_question q = exchange_question(s->exchange);
    if (kube_stream_wants_recording(s, &q))
        return kube_stream_ask_recording(s, &q);
    const uint64_t number = recorder_next(s->channel->recorder);
    struct buffer text;
    buffer_init(&text, EXCHANGE_BODY_MAX + 2 * KUBE_TARGET_MAX + 2 * HTTP_HEAD_MAX);
    s->repeated = false;
    int r = kube_stream_read(s, &q);
    if (r)
        return r < 0 ? r : 0;
    r = find_verdict(s, &q);
    r = r ? r : text_of(s, &q, &text);
    r = r ? r : record(s, &text);
    if (r == 0 && s->verdict.verdict.action == ACTION_ALLOW)
        r = kube_stream_count(s, s->access == ACCESS_REVIEW && s->access_verdict.action == ACTION_HOLD
                                     ? s->access_verdict.words
                                     : NULL);
    else if (r == 0 && s->verdict.verdict.action == ACTION_HOLD)
        r = kube_stream_hold(s, &q, &text, number);
    else if (r == 0)
        r = refuse_by_verdict(s, q.http);
    buffer_free(&text);
    kube_stream_forget_read(s);
    return r;
}
