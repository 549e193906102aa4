/* The server's answer, on its way to the client: its head is written anew, its body in a framing of our own
 * where it is changed on the way. An answer that is cut off is cut off for the client, too: the end of a
 * chunked body or its last bytes are never made up. */
#include "channels/kube/exchange_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channels/kube/fields.h"

enum { WARNING_MAX = 1024 };

/* RFC 9110 §5.6.4; kubectl prints `Warning: TEXT` for code 299. */
static int put_warning(struct buffer *out, const char *text)
{
    char quoted[2 * WARNING_MAX];
    size_t n = 0;
    n += (size_t)snprintf(quoted, sizeof quoted, "299 gatehouse \"");
    for (; *text && n + 4 < sizeof quoted; text++) {
        if (*text == '"' || *text == '\\')
            quoted[n++] = '\\';
        quoted[n++] = *text;
    }
    quoted[n++] = '"';
    quoted[n] = '\0';
    return http_put_field(out, "Warning", quoted);
}

static enum http_framing framing_for(struct exchange *x, const struct http_head *head, bool rewritten)
{
    if (head->framing == HTTP_NO_BODY || (head->framing == HTTP_LENGTH && !rewritten))
        return head->framing;
    if (!x->head->chunks)
        x->keeps_alive = false;
    return x->head->chunks ? HTTP_CHUNKED : HTTP_UNTIL_CLOSE;
}

static int put_head(struct exchange *x, const struct http_head *head, bool rewritten)
{
    struct buffer *out = &x->to_client;
    bool switches = head->status == 101;
    x->framing = framing_for(x, head, rewritten);
    int r = http_put_status(out, head->status);
    r = r ? r : switches ? kube_agreement_put(&x->agreement, head, out) : kube_fields_put_answer(out, head);
    if (r == 0 && x->warning)
        r = put_warning(out, x->warning);
    if (r == 0 && x->heads && !rewritten && http_head_field(head, "content-length"))
        r = http_put_field(out, "Content-Length", http_head_field(head, "content-length"));
    if (r == 0 && !x->keeps_alive && !switches && x->framing != HTTP_UNTIL_CLOSE)
        r = http_put_field(out, "Connection", "close");
    r = r ? r : http_put_end_of_head(out, x->framing, head->length);
    x->told = r == 0;
    return r;
}

/* What is not to be answered like this is cut off at the server. */
static int replace(struct exchange *x, const struct kube_status *status)
{
    x->server_keeps = false;
    return exchange_refuse(x, status);
}

static int take_head(struct exchange *x, const struct http_head *head)
{
    static const struct kube_status unasked = {
        .code = "target_unavailable",
        .http = 502,
        .reason = "the API server speaks another protocol than it was asked for"
    };
    struct exchange_way way = { .status = NULL };
    x->interim = head->status / 100 == 1 && head->status != 101;
    if (x->interim)
        return 0;
    if (head->status == 101 && (!x->upgrades || kube_agreement_read(&x->offer, head, &x->agreement, NULL)))
        return replace(x, &unasked);
    int r = x->calls->answered(x->owner, head, &way);
    if (r < 0)
        return r;
    return way.status ? replace(x, way.status) : put_head(x, head, way.rewritten);
}

/* What the owner lets the client see, in the framing that its head has told. */
static int show(struct exchange *x)
{
    const uint8_t *bytes = buffer_head(&x->shown);
    size_t n = buffer_size(&x->shown);
    int r = 0;
    if (n > 0)
        r = x->framing == HTTP_CHUNKED ? http_put_chunk(&x->to_client, bytes, n)
                                       : buffer_append(&x->to_client, bytes, n);
    buffer_consume(&x->shown, n);
    buffer_shrink(&x->shown, 0);
    return r;
}

/* The client can't be told anything any more but that there is no more. */
static int cut(struct exchange *x)
{
    int r = x->calls->ended(x->owner, true, &x->shown);
    r = r < 0 ? r : show(x);
    x->server_keeps = false;
    exchange_go(x, EXCHANGE_OVER);
    return r;
}

static int take_body(struct exchange *x, const uint8_t *bytes, size_t n)
{
    int r = x->calls->body(x->owner, bytes, n, &x->shown);
    if (r == EXCHANGE_CUT)
        return cut(x);
    return r ? r : show(x);
}

static int take_end(struct exchange *x, const struct http_head *head)
{
    if (x->interim)
        return 0;
    if (head->status == 101) {
        exchange_go(x, EXCHANGE_SWITCHED);
        return 0;
    }
    int told = x->calls->ended(x->owner, false, &x->shown);
    int r = told < 0 ? told : show(x);
    if (r == 0 && told == EXCHANGE_CUT) {
        x->server_keeps = false;
        exchange_go(x, EXCHANGE_OVER);
        return 0;
    }
    if (r == 0 && x->framing == HTTP_CHUNKED)
        r = http_put_last_chunk(&x->to_client);
    if (r)
        return r;
    /* Only now: before that, the rest of this answer would be taken for another's. Nor where the rest of the
     * request would be taken for the next one. */
    x->server_keeps = head->keeps_alive && x->whole;
    exchange_answered(x);
    return 0;
}

static int take_fault(struct exchange *x)
{
    x->server_keeps = false;
    if (x->told) {
        int r = cut(x);
        return r ? r : EXCHANGE_BAD_ANSWER;
    }
    return EXCHANGE_BAD_ANSWER;
}

static int take_event(struct exchange *x, const struct http_event *event)
{
    switch (event->kind) {
    case HTTP_GOT_HEAD:
        return take_head(x, event->head);
    case HTTP_GOT_BODY:
        return x->interim ? 0 : take_body(x, event->bytes, event->n);
    case HTTP_GOT_END:
        return take_end(x, event->head);
    case HTTP_GOT_NOTHING:
        break;
    }
    return 0;
}

int exchange_answer(struct exchange *x, const void *bytes, size_t n, size_t *ret_taken)
{
    size_t at = 0;
    int r = 0;
    n = n < EXCHANGE_PIECE ? n : EXCHANGE_PIECE;
    x->begun = x->begun || (n > 0 && x->state == EXCHANGE_ANSWERING);
    while (r == 0 && at < n && x->state == EXCHANGE_ANSWERING && buffer_size(&x->to_client) < EXCHANGE_HIGH) {
        struct http_event event;
        struct detail detail;
        size_t taken = 0;
        r = http_reader_next(x->answers, (const uint8_t *)bytes + at, n - at, &taken, &event, &detail);
        at += taken;
        if (r == HTTP_MALFORMED)
            r = take_fault(x);
        else if (r == 0)
            r = take_event(x, &event);
    }
    *ret_taken = at;
    return r;
}

int exchange_server_ended(struct exchange *x)
{
    struct http_event event;
    struct detail detail;
    x->server_keeps = false;
    if (x->state != EXCHANGE_ANSWERING)
        return 0;
    if (!x->told)
        return EXCHANGE_UNANSWERED;
    int r = http_reader_close(x->answers, &event, &detail);
    if (r == HTTP_MALFORMED || (r == 0 && event.kind != HTTP_GOT_END))
        return cut(x);
    return r ? r : take_end(x, event.head);
}

bool exchange_keeps_server(const struct exchange *x)
{
    return x->server_keeps;
}
