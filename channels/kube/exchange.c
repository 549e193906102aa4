/* READING takes head and body; a fault in either is something to ask about, too, so that it stands in the
 * recording. In ASKING the owner finds out what becomes of it, and may take its time. ANSWERING is in
 * exchange_answer.c; of a request that streams (somebody else's HTTP behind a proxy of the API server) the
 * body follows meanwhile. SKIPPING goes to where the next request begins.
 *
 * A request that the reader can't make sense of ends the connection, since nobody knows where the next one
 * begins. */
#include "channels/kube/exchange_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channels/kube/fields.h"
#include "channels/kube/frame.h"

int exchange_new(const struct exchange_calls *calls, void *owner, struct exchange **ret)
{
    CLEANUP(exchange_free) struct exchange *x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    x->calls = calls;
    x->owner = owner;
    buffer_init(&x->to_server, EXCHANGE_SERVER_MAX);
    buffer_init(&x->to_client, EXCHANGE_CLIENT_MAX);
    buffer_init(&x->body, EXCHANGE_BODY_MAX);
    buffer_init(&x->shown, EXCHANGE_CLIENT_MAX / 2);
    int r = http_reader_new(HTTP_REQUESTS, &x->requests);
    if (r == 0)
        *ret = STEAL(x);
    return r;
}

void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    http_reader_free(x->requests);
    http_reader_free(x->answers);
    buffer_free(&x->to_server);
    buffer_free(&x->to_client);
    buffer_free(&x->body);
    buffer_free(&x->shown);
    kube_request_free(x->request);
    free(x->warning);
    free(x);
}

enum exchange_state exchange_state(const struct exchange *x)
{
    return x->state;
}

struct buffer *exchange_to_server(struct exchange *x)
{
    return &x->to_server;
}

struct buffer *exchange_to_client(struct exchange *x)
{
    return &x->to_client;
}

struct exchange_question exchange_question(const struct exchange *x)
{
    return (struct exchange_question){ .head = x->head,
                                       .request = x->request,
                                       .fault = x->code ? x->fault.text : NULL,
                                       .code = x->code,
                                       .http = x->http,
                                       .body = buffer_head(&x->body),
                                       .body_n = buffer_size(&x->body),
                                       .streams = x->streams,
                                       .upgrades = x->upgrades };
}

void exchange_go(struct exchange *x, enum exchange_state to)
{
    static const unsigned edges[] = {
        [EXCHANGE_READING] = 1U << EXCHANGE_ASKING | 1U << EXCHANGE_OVER,
        [EXCHANGE_ASKING] =
            1U << EXCHANGE_ANSWERING | 1U << EXCHANGE_SKIPPING | 1U << EXCHANGE_READING | 1U << EXCHANGE_OVER,
        [EXCHANGE_ANSWERING] =
            1U << EXCHANGE_READING | 1U << EXCHANGE_SKIPPING | 1U << EXCHANGE_SWITCHED | 1U << EXCHANGE_OVER,
        [EXCHANGE_SKIPPING] = 1U << EXCHANGE_READING | 1U << EXCHANGE_OVER,
        [EXCHANGE_SWITCHED] = 1U << EXCHANGE_OVER,
        [EXCHANGE_OVER] = 1U << EXCHANGE_OVER,
    };
    if (edges[x->state] & 1U << to)
        x->state = to;
    else
        abort();
}

/* ---- reading a request ---- */

void exchange_forget_request(struct exchange *x)
{
    kube_request_free(STEAL(x->request));
    free(STEAL(x->warning));
    buffer_free(&x->body);
    x->head = NULL;
    x->code = NULL;
    x->http = 0;
    x->skipped = 0;
    x->streams = x->upgrades = x->heads = x->whole = x->keeps_alive = false;
    x->sent = x->begun = x->interim = x->told = false;
}

static void set_fault(struct exchange *x, const char *code, unsigned http)
{
    if (x->code)
        return;
    x->code = code;
    x->http = http;
}

/* Somebody else's HTTP: no body of the API's own. */
static bool is_proxied(const struct kube_request *request)
{
    return request->connects &&
           (strcmp(request->verb, "proxy") == 0 || strcmp(request->subresource, "proxy") == 0);
}

/* Other protocols than these may be asked for on the way, and it is no fault to leave it at HTTP (RFC 9110
 * §7.8): h2c. */
static bool asks_for_stream(const struct http_head *head)
{
    const char *protocol = http_head_field(head, "upgrade");
    return head->upgrades && protocol &&
           (strcasecmp(protocol, "websocket") == 0 || strncasecmp(protocol, "spdy/", 5) == 0);
}

static int check_upgrade(struct exchange *x)
{
    const struct http_head *head = x->head;
    int r = kube_offer_read(x->request, head, &x->offer, &x->fault);
    if (r == 0 && head->framing != HTTP_NO_BODY && !(head->framing == HTTP_LENGTH && head->length == 0))
        r = detail_fail(&x->fault, KUBE_UPGRADE_REFUSED,
                        "a request that changes the protocol has no body here");
    if (r > 0)
        set_fault(x, "denied", 0);
    return r < 0 ? r : 0;
}

static int check(struct exchange *x)
{
    int r = kube_fields_check(x->head, &x->fault);
    if (r > 0)
        set_fault(x, "denied", 0);
    if (r)
        return r < 0 ? r : 0;
    r = kube_request_read(x->head->method, x->head->target, &x->request, &x->fault);
    if (r > 0)
        set_fault(x, "unparsable", 0);
    return r == 0 && x->upgrades ? check_upgrade(x) : r < 0 ? r : 0;
}

static bool is_too_long(struct exchange *x, uint64_t more)
{
    if (x->streams || buffer_size(&x->body) + more <= EXCHANGE_BODY_MAX)
        return false;
    if (!x->code)
        detail_set(&x->fault, "the body is longer than %d MiB, which is as much as can be looked into",
                   EXCHANGE_BODY_MAX / 1024 / 1024);
    set_fault(x, "limit", 413);
    return true;
}

/* What is refused already is asked about before its body is here. */
static int take_head(struct exchange *x, const struct http_head *head)
{
    const char *expected = http_head_field(head, "expect");
    exchange_forget_request(x);
    x->head = head;
    x->keeps_alive = head->keeps_alive;
    x->heads = strcmp(head->method, "HEAD") == 0;
    x->upgrades = asks_for_stream(head);
    int r = check(x);
    if (r)
        return r;
    x->streams = x->request && is_proxied(x->request) && head->framing != HTTP_NO_BODY;
    if (x->code || (head->framing == HTTP_LENGTH && is_too_long(x, head->length)) || x->streams)
        exchange_go(x, EXCHANGE_ASKING);
    else if (expected && strcasecmp(expected, "100-continue") == 0 && head->framing != HTTP_NO_BODY)
        r = buffer_append(&x->to_client, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    return r;
}

static int stream_body(struct exchange *x, const uint8_t *bytes, size_t n)
{
    int r = x->calls->sending ? x->calls->sending(x->owner, bytes, n) : 0;
    if (r || x->head->framing != HTTP_CHUNKED)
        return r ? r : frame_put_body(&x->to_server, bytes, n);
    struct buffer chunk;
    buffer_init(&chunk, n + 64);
    r = http_put_chunk(&chunk, bytes, n);
    r = r ? r : frame_put_body(&x->to_server, buffer_head(&chunk), buffer_size(&chunk));
    buffer_free(&chunk);
    return r;
}

static int take_body(struct exchange *x, const uint8_t *bytes, size_t n)
{
    if (x->state == EXCHANGE_ANSWERING)
        return stream_body(x, bytes, n);
    if (x->state == EXCHANGE_SKIPPING) {
        x->skipped += n;
        if (x->skipped > EXCHANGE_SKIP_MAX)
            exchange_go(x, EXCHANGE_OVER);
        return 0;
    }
    if (is_too_long(x, n)) {
        exchange_go(x, EXCHANGE_ASKING);
        return 0;
    }
    return buffer_append(&x->body, bytes, n);
}

static int take_end(struct exchange *x)
{
    x->whole = true;
    if (x->state == EXCHANGE_SKIPPING) {
        exchange_go(x, EXCHANGE_READING);
        exchange_forget_request(x);
    } else if (x->state == EXCHANGE_ANSWERING) {
        return x->head->framing == HTTP_CHUNKED ? frame_put_body(&x->to_server, "0\r\n\r\n", 5) : 0;
    } else {
        exchange_go(x, EXCHANGE_ASKING);
    }
    return 0;
}

static bool wants_bytes(const struct exchange *x)
{
    switch (x->state) {
    case EXCHANGE_READING:
        return buffer_size(&x->to_client) < EXCHANGE_HIGH;
    case EXCHANGE_SKIPPING:
        return true;
    case EXCHANGE_ANSWERING:
        return x->streams && !x->whole && buffer_size(&x->to_server) < EXCHANGE_HIGH;
    default:
        return false;
    }
}

/* Nobody knows where the next request begins. */
static void take_fault(struct exchange *x)
{
    if (x->state == EXCHANGE_ANSWERING || x->state == EXCHANGE_SKIPPING) {
        exchange_go(x, EXCHANGE_OVER);
        return;
    }
    struct detail kept = x->fault;
    exchange_forget_request(x);
    x->fault = kept;
    set_fault(x, "malformed", 400);
    exchange_go(x, EXCHANGE_ASKING);
}

int exchange_take(struct exchange *x, const void *bytes, size_t n, size_t *ret_taken)
{
    size_t at = 0;
    int r = 0;
    n = n < EXCHANGE_PIECE ? n : EXCHANGE_PIECE;
    while (r == 0 && at < n && wants_bytes(x)) {
        struct http_event event;
        size_t taken = 0;
        r = http_reader_next(x->requests, (const uint8_t *)bytes + at, n - at, &taken, &event, &x->fault);
        if (r == HTTP_MALFORMED) {
            take_fault(x);
            at = n;
            r = 0;
            break;
        }
        at += taken;
        if (r == 0 && event.kind == HTTP_GOT_HEAD)
            r = take_head(x, event.head);
        else if (r == 0 && event.kind == HTTP_GOT_BODY)
            r = take_body(x, event.bytes, event.n);
        else if (r == 0 && event.kind == HTTP_GOT_END)
            r = take_end(x);
    }
    *ret_taken = at;
    return r;
}

void exchange_client_ended(struct exchange *x)
{
    if (x->state == EXCHANGE_READING || x->state == EXCHANGE_SKIPPING)
        exchange_go(x, EXCHANGE_OVER);
    else if (x->state == EXCHANGE_ANSWERING && !x->whole)
        exchange_go(x, EXCHANGE_OVER);
    else if (x->state != EXCHANGE_OVER)
        x->keeps_alive = false;
}

/* ---- sending it on ---- */

static int put_head(struct exchange *x, const struct exchange_how *how, struct buffer *head)
{
    const struct kube_fields_how fields = { how->host, how->json, how->tables };
    bool has_body = x->head->framing != HTTP_NO_BODY;
    int r = http_put_request(head, x->head->method, x->request->target);
    r = r ? r : kube_fields_put(head, x->head, &fields);
    if (r == 0 && x->upgrades)
        r = kube_offer_put(&x->offer, x->head, head);
    if (r || x->streams)
        return r ? r : http_put_end_of_head(head, x->head->framing, x->head->length);
    return http_put_end_of_head(head, has_body ? HTTP_LENGTH : HTTP_NO_BODY, buffer_size(&x->body));
}

static int expect_answer(struct exchange *x)
{
    if (x->answers && x->server_keeps && x->sent == false) {
        http_reader_answers_head(x->answers, x->heads);
        return 0; /* the connection of the request before */
    }
    http_reader_free(STEAL(x->answers));
    int r = http_reader_new(HTTP_RESPONSES, &x->answers);
    if (r == 0)
        http_reader_answers_head(x->answers, x->heads);
    return r;
}

int exchange_send(struct exchange *x, const struct exchange_how *how)
{
    struct buffer head;
    buffer_init(&head, 2 * FRAME_HEAD_MAX);
    int r = expect_answer(x);
    r = r ? r : put_head(x, how, &head);
    if (x->sent)
        buffer_consume(&x->to_server, buffer_size(&x->to_server)); /* nobody will take it any more */
    r = r ? r : frame_put_head(&x->to_server, buffer_head(&head), buffer_size(&head));
    r = r ? r : frame_put_body(&x->to_server, buffer_head(&x->body), buffer_size(&x->body));
    buffer_free(&head);
    if (r == 0 && how->warning && !x->warning)
        r = (x->warning = strdup(how->warning)) ? 0 : -ENOMEM;
    if (r)
        return r;
    x->sent = true;
    x->server_keeps = false;
    if (x->state == EXCHANGE_ASKING)
        exchange_go(x, EXCHANGE_ANSWERING);
    return 0;
}

bool exchange_may_repeat(const struct exchange *x)
{
    return x->head && !x->begun && !x->streams && !x->upgrades &&
           (x->heads || strcmp(x->head->method, "GET") == 0);
}

const struct kube_agreement *exchange_agreement(const struct exchange *x)
{
    return &x->agreement;
}
