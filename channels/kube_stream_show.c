/* What of an API server's answer the client gets to see: masked, and recorded first.
 *
 * An answer in which something is masked by its place has to be JSON, and is cut off where it is none any
 * more. In other texts (logs, what is behind a proxy) detectors look for what they know. Answers to reviews
 * are gathered, and told with what Gatehouse says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"
#include "policy/detect.h"

enum { STATUS_SHOWN = 256 };

static int record_status(struct kube_stream *s, unsigned status, const char *about)
{
    char line[STATUS_SHOWN];
    int n = snprintf(line, sizeof line, "%u%s%.200s", status, *about ? " " : "", about);
    return recorder_output(s->channel->recorder, s->number, "status", line, (size_t)n);
}

int kube_stream_refuse(struct kube_stream *s, const struct kube_status *status)
{
    timer_stop(s->timer);
    int r = record_status(s, kube_status_http(status), status->reason);
    return r ? r : exchange_refuse(s->exchange, status);
}

/* ---- how it is shown ---- */

static bool begins(const char *type, const char *prefix)
{
    return type && strncasecmp(type, prefix, strlen(prefix)) == 0;
}

static bool is_json(const struct http_head *head)
{
    const char *type = http_head_field(head, "content-type"),
               *coding = http_head_field(head, "content-encoding");
    return begins(type, "application/json") && (!coding || strcasecmp(coding, "identity") == 0);
}

/* Logs; and whatever comes from behind a proxy, which says of its type what it likes. */
static bool is_other_text(const struct kube_stream *s, const struct http_head *head)
{
    const char *type = http_head_field(head, "content-type");
    const struct kube_request *request = exchange_question(s->exchange).request;
    return !type || begins(type, "text/") || begins(type, "application/octet-stream") ||
           (request && request->connects);
}

/* The key of the vault has come with the connection. */
static int begin_veil(struct kube_stream *s, unsigned status)
{
    const struct circumstances who = kube_stream_who(s);
    const struct exchange_question q = exchange_question(s->exchange);
    size_t n = 0;
    const uint8_t *key = kube_link_mask_key(s->link, &n);
    masking_set_key(&s->masking, key, n);
    kube_plan_free(STEAL(s->plan));
    int r = kube_plan_new(s->channel->gate->config, s->channel->target, &who, q.request, s->masking.veil.key,
                          &s->plan);
    if (r == 0 && s->plan)
        r = kube_plan_hide_words(s->plan, q.head->method, status);
    return r || !s->plan ? r : kube_veil_new(s->plan, &s->veil);
}

static void forget_answer(struct kube_stream *s)
{
    kube_veil_free(STEAL(s->veil));
    detect_stream_free(STEAL(s->detect));
    buffer_free(&s->gathered);
}

static bool has_body(const struct http_head *head)
{
    return head->framing != HTTP_NO_BODY && !(head->framing == HTTP_LENGTH && head->length == 0);
}

static bool is_over_limit(const struct kube_stream *s, const struct http_head *head)
{
    const Ipc__Limits *limits = kube_stream_limits(s);
    return limits && limits->bytes > 0 && head->framing == HTTP_LENGTH && head->length > limits->bytes;
}

static int answered(void *owner, const struct http_head *head, struct exchange_way *way)
{
    static const struct kube_status unseen = {
        .code = "target_unavailable",
        .http = 502,
        .reason =
            "something in the API server's answer is masked, and it is no JSON in which it could be found",
        .next = "ask for JSON, or tell the bastion's operators",
    };
    static const struct kube_status over_limit = {
        .code = "limit",
        .http = 403,
        .reason = "the answer is longer than your rule allows",
        .next = "ask for less: a namespace, a selector, limit=",
    };
    struct kube_stream *s = owner;
    const char *type = http_head_field(head, "content-type");
    forget_answer(s);
    s->answer_bytes = 0;
    int r = record_status(s, head->status, type ? type : "");
    if (r || !has_body(head))
        return r;
    if (is_over_limit(s, head)) {
        way->status = &over_limit;
        return 0;
    }
    way->rewritten = s->plan || s->access != ACCESS_NONE;
    if (s->plan && !is_json(head))
        way->status = &unseen;
    else if (s->plan)
        r = begin_veil(s, head->status);
    else if (s->masking.veil.detectors && is_other_text(s, head)) {
        r = detect_stream_new(s->masking.veil.detectors, &s->masking.detect, &s->detect);
        way->rewritten = true;
    }
    return r;
}

/* ---- its bytes ---- */

/* The first piece that does not fit into the rule's limit is not shown, nor what follows. */
static int limit(struct kube_stream *s, struct buffer *out, size_t before)
{
    const Ipc__Limits *limits = kube_stream_limits(s);
    char note[256];
    s->answer_bytes += buffer_size(out) - before;
    if (!limits || limits->bytes == 0 || s->answer_bytes <= limits->bytes)
        return 0;
    buffer_retract(out, buffer_size(out) - before);
    (void)snprintf(note, sizeof note,
                   "the answer has more than %llu bytes, and was ended there (rule \"%.100s\")",
                   (unsigned long long)limits->bytes, s->verdict.verdict.rule);
    int r = recorder_note(s->channel->recorder, note);
    return r ? r : EXCHANGE_CUT;
}

/* What is shown is recorded; a tool's terminal is. */
static int record_body(struct kube_stream *s, const struct buffer *out, size_t before)
{
    size_t n = buffer_size(out) - before;
    if (n == 0)
        return 0;
    if (s->record_output)
        return recorder_output(s->channel->recorder, s->number, "body", buffer_head(out) + before, n);
    recorder_count(s->channel->recorder, 0, n);
    return 0;
}

static int show(struct kube_stream *s, const uint8_t *bytes, size_t n, struct buffer *out)
{
    if (s->access != ACCESS_NONE)
        return buffer_append(&s->gathered, bytes, n) ? EXCHANGE_CUT : 0;
    if (s->veil)
        return kube_veil_bytes(s->veil, bytes, n, out);
    return s->detect ? detect_feed(s->detect, bytes, n, out) : buffer_append(out, bytes, n);
}

static int body(void *owner, const uint8_t *bytes, size_t n, struct buffer *out)
{
    struct kube_stream *s = owner;
    size_t before = buffer_size(out);
    int shown = show(s, bytes, n, out);
    int r = limit(s, out, before);
    r = r ? r : record_body(s, out, before);
    if (r || shown == 0 || shown == -ENOMEM)
        return r ? r : shown;
    r = recorder_note(s->channel->recorder, "the answer was cut off where what is masked could not be told");
    return r ? r : EXCHANGE_CUT;
}

static int show_review(struct kube_stream *s, struct buffer *out)
{
    const struct circumstances who = kube_stream_who(s);
    const uint8_t *bytes = buffer_head(&s->gathered);
    size_t n = buffer_size(&s->gathered);
    int r = s->access == ACCESS_REVIEW
                ? access_answer_review(bytes, n, &s->access_verdict, out)
                : access_answer_rules(s->channel->gate->rules, &who, s->access_space, bytes, n, out);
    return r == ACCESS_UNREADABLE ? buffer_append(out, bytes, n) : r;
}

static int ended(void *owner, bool cut, struct buffer *out)
{
    struct kube_stream *s = owner;
    size_t before = buffer_size(out);
    int r = s->detect ? detect_end(s->detect, out) : s->veil && !cut ? kube_veil_end(s->veil) : 0;
    bool broken = r == KUBE_VEIL_UNREADABLE && s->veil;
    r = broken ? 0 : r;
    if (r == 0 && s->access != ACCESS_NONE && buffer_size(&s->gathered) > 0 && !cut)
        r = show_review(s, out);
    r = r ? r : record_body(s, out, before);
    if (r == 0 && (cut || broken))
        r = recorder_note(s->channel->recorder, "the answer was cut off");
    forget_answer(s);
    return r == 0 && broken ? EXCHANGE_CUT : r;
}

/* What goes through a proxy of the API server, of which the request has no body. */
static int sending(void *owner, const uint8_t *bytes, size_t n)
{
    struct kube_stream *s = owner;
    return recorder_input(s->channel->recorder, s->number, "body", bytes, n);
}

const struct exchange_calls kube_stream_show = { answered, body, ended, sending };
