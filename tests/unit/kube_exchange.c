/* Exchanges: what a client sends and a server answers, and what each gets to see; whole and byte by byte. */
#include "channels/kube/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "channels/kube/fields.h"
#include "channels/kube/frame.h"

enum { TALK_MAX = 64 * 1024 };

/* A client and a server with all that they ever say. */
struct talk {
    const char *client, *server;
    size_t client_n, server_n, step;
    const char *refuse; /* paths that begin so are refused */
    bool json, no_tables, rewrite, replace;
    const char *cut_at; /* the answer is cut off where this comes */
    bool server_closes; /* after its last byte */
    size_t asked, ended, cut;
    char question[512]; /* the last one, in words */
    char sending[64];   /* of the bodies that stream */
    size_t sending_n;
    struct exchange *x;
    struct buffer sent, seen; /* to the server: heads and bodies without frames; to the client */
};

static int answered(void *owner, const struct http_head *head, struct exchange_way *way)
{
    static const struct kube_status instead = { .code = "denied", .reason = "not to be shown" };
    struct talk *t = owner;
    (void)head;
    way->rewritten = t->rewrite;
    way->status = t->replace ? &instead : NULL;
    return 0;
}

/* "secret" becomes "[masked]" where it is whole; a dot is held back until the end. */
static int body(void *owner, const uint8_t *bytes, size_t n, struct buffer *out)
{
    const struct talk *t = owner;
    if (t->cut_at && memmem(bytes, n, t->cut_at, strlen(t->cut_at)))
        return EXCHANGE_CUT;
    for (size_t i = 0; t->rewrite && i < n; i++)
        if (buffer_append(out, bytes[i] == 's' ? "***" : (const char *)bytes + i, bytes[i] == 's' ? 3 : 1))
            return -1;
    return t->rewrite ? 0 : buffer_append(out, bytes, n);
}

static int ended(void *owner, bool cut, struct buffer *out)
{
    struct talk *t = owner;
    t->ended++;
    t->cut += cut;
    return t->rewrite && !cut ? buffer_append(out, "!", 1) : 0;
}

static int sending(void *owner, const uint8_t *bytes, size_t n)
{
    struct talk *t = owner;
    assert_true(t->sending_n + n < sizeof t->sending);
    memcpy(t->sending + t->sending_n, bytes, n);
    t->sending_n += n;
    return 0;
}

static const struct exchange_calls calls = { answered, body, ended, sending };

static void decide(struct talk *t)
{
    static const struct kube_status denied = {
        .code = "denied", .rule = "r", .reason = "no", .next = "nothing"
    };
    const struct exchange_question q = exchange_question(t->x);
    const struct exchange_how how = { .host = "api:6443", .json = t->json, .tables = !t->no_tables };
    t->asked++;
    (void)snprintf(t->question, sizeof t->question, "%s %s%s%s +%zu%s%s", q.head ? q.head->method : "-",
                   q.request ? q.request->target : "-", q.fault ? " fault: " : "", q.fault ? q.fault : "",
                   q.body_n, q.streams ? " streams" : "", q.upgrades ? " upgrades" : "");
    if (q.fault || (t->refuse && strncmp(q.request->path, t->refuse, strlen(t->refuse)) == 0)) {
        const struct kube_status fault = { .code = q.code, .reason = q.fault, .http = q.http };
        assert_int_equal(exchange_refuse(t->x, q.fault ? &fault : &denied), 0);
    } else {
        assert_int_equal(exchange_send(t->x, &how), 0);
    }
}

static void take_frames(struct talk *t)
{
    struct buffer *out = exchange_to_server(t->x);
    while (buffer_size(out) > 0) {
        struct reader r = reader_of(buffer_head(out), buffer_size(out));
        uint8_t kind = 0;
        uint32_t n = 0;
        const uint8_t *bytes = NULL;
        assert_true(reader_u8(&r, &kind) && reader_u32(&r, &n) && reader_bytes(&r, n, &bytes));
        assert_true(kind == FRAME_HEAD || kind == FRAME_BODY);
        assert_int_equal(buffer_append(&t->sent, bytes, n), 0);
        buffer_consume(out, FRAME_PREFIX + n);
    }
}

static void take_shown(struct talk *t)
{
    struct buffer *out = exchange_to_client(t->x);
    assert_int_equal(buffer_append(&t->seen, buffer_head(out), buffer_size(out)), 0);
    buffer_consume(out, buffer_size(out));
}

static bool give_server(struct talk *t, size_t *at)
{
    size_t there = t->server_n - *at < t->step ? t->server_n - *at : t->step, taken = 0;
    if (exchange_state(t->x) != EXCHANGE_ANSWERING)
        return false;
    if (there == 0 && t->server_closes) {
        t->server_closes = false;
        if (exchange_server_ended(t->x) == EXCHANGE_UNANSWERED)
            assert_int_equal(
                exchange_stop(t->x, &(struct kube_status){ .code = "target_unavailable", .reason = "gone" }),
                0);
        return true;
    }
    int r = exchange_answer(t->x, t->server + *at, there, &taken);
    *at += taken;
    if (r == EXCHANGE_BAD_ANSWER && exchange_state(t->x) == EXCHANGE_ANSWERING)
        r = exchange_stop(t->x, &(struct kube_status){ .code = "target_unavailable", .reason = "garbled" });
    assert_true(r == 0 || r == EXCHANGE_BAD_ANSWER);
    return taken > 0;
}

static void run(struct talk *t)
{
    size_t client = 0, server = 0;
    t->client_n = t->client_n ? t->client_n : strlen(t->client);
    t->server_n = strlen(t->server);
    t->asked = t->ended = t->cut = 0;
    buffer_init(&t->sent, 8 << 20);
    buffer_init(&t->seen, 8 << 20);
    assert_int_equal(exchange_new(&calls, t, &t->x), 0);
    bool closes = t->server_closes;
    for (bool moved = true; moved;) {
        size_t there = t->client_n - client < t->step ? t->client_n - client : t->step, taken = 0;
        assert_int_equal(exchange_take(t->x, t->client + client, there, &taken), 0);
        client += taken;
        moved = taken > 0;
        if (exchange_state(t->x) == EXCHANGE_ASKING) {
            decide(t);
            moved = true;
        }
        take_frames(t);
        moved = give_server(t, &server) || moved;
        take_shown(t);
    }
    t->server_closes = closes;
}

static void finish(struct talk *t)
{
    exchange_free(t->x);
    buffer_free(&t->sent);
    buffer_free(&t->seen);
}

static void same(const struct buffer *there, const char *wanted)
{
    char *text = strndup((const char *)buffer_head(there), buffer_size(there));
    assert_string_equal(buffer_size(there) ? text : "", wanted);
    free(text);
}

/* In two ways: the result is the same. */
static void expect(struct talk t, const char *sent, const char *seen)
{
    static const size_t steps[] = { SIZE_MAX, 1, 7 };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        t.step = steps[i];
        run(&t);
        same(&t.sent, sent);
        if (seen)
            same(&t.seen, seen);
        finish(&t);
    }
}

/* ---- requests ---- */

#define GET_PODS "GET /api/v1/pods HTTP/1.1\r\nHost: localhost:8001\r\nAccept: application/json\r\n\r\n"
#define SENT_PODS                                                                                            \
    "GET /api/v1/pods HTTP/1.1\r\nHost: api:6443\r\nAccept: application/json\r\n"                            \
    "Accept-Encoding: identity\r\n\r\n"
#define OK_AB   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nab"
#define SEEN_AB "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nab"

static void a_request_is_sent_in_our_own_words(void **state)
{
    (void)state;
    expect((struct talk){ .client = GET_PODS, .server = OK_AB }, SENT_PODS, SEEN_AB);
}

static void requests_follow_each_other_on_one_connection(void **state)
{
    (void)state;
    expect((struct talk){ .client = GET_PODS GET_PODS, .server = OK_AB OK_AB }, SENT_PODS SENT_PODS,
           SEEN_AB SEEN_AB);
}

static void a_body_is_sent_whole_with_a_length_of_ours(void **state)
{
    (void)state;
    expect((struct talk){ .client =
                              "POST /api/v1/namespaces/a/pods HTTP/1.1\r\nContent-Type: application/json\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n1\r\n}\r\n0\r\n\r\n",
                          .server = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" },
           "POST /api/v1/namespaces/a/pods HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n"
           "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{ }",
           "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
}

static void who_waits_for_100_continue_gets_it(void **state)
{
    (void)state;
    expect((struct talk){ .client = "PUT /api/v1/namespaces/a/pods/p HTTP/1.1\r\nExpect: 100-continue\r\n"
                                    "Content-Length: 2\r\n\r\n{}",
                          .server = OK_AB },
           "PUT /api/v1/namespaces/a/pods/p HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n"
           "Content-Length: 2\r\n\r\n{}",
           "HTTP/1.1 100 Continue\r\n\r\n" SEEN_AB);
}

static void what_a_proxy_of_the_server_gets_is_streamed(void **state)
{
    (void)state;
    static const char up[] = "POST /api/v1/namespaces/a/services/s/proxy/up HTTP/1.1\r\n";
    static const struct {
        const char *fields, *sent;
    } cases[] = {
        { "Content-Length: 5\r\n\r\nhello", "Content-Length: 5\r\n\r\nhello" },
        { "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
          "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" },
    };
    for (size_t i = 0; i < 2; i++) {
        char client[512], sent[512];
        (void)snprintf(client, sizeof client, "%s%s", up, cases[i].fields);
        (void)snprintf(sent, sizeof sent, "%sHost: api:6443\r\nAccept-Encoding: identity\r\n%s", up,
                       cases[i].sent);
        struct talk t = { .client = client, .server = "", .step = SIZE_MAX };
        run(&t);
        same(&t.sent, sent);
        assert_string_equal(t.question, "POST /api/v1/namespaces/a/services/s/proxy/up +0 streams");
        assert_string_equal(t.sending, "hello");
        finish(&t);
    }
}

static void a_server_that_answers_before_it_has_read_all_ends_the_connection(void **state)
{
    (void)state;
    struct talk t = { .client = "POST /api/v1/namespaces/a/services/s/proxy/up HTTP/1.1\r\n"
                                "Content-Length: 9\r\n\r\nhel",
                      .server = OK_AB,
                      .step = SIZE_MAX };
    run(&t);
    assert_int_equal(exchange_state(t.x), EXCHANGE_OVER);
    assert_false(exchange_keeps_server(t.x));
    finish(&t);
}

static void a_connection_with_half_a_body_on_it_is_not_kept(void **state)
{
    (void)state;
    static const char begun[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na";
    for (int i = 0; i < 3; i++) {
        struct talk t = { .client = "POST /api/v1/namespaces/a/services/s/proxy/up HTTP/1.1\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
                          .server = begun,
                          .step = SIZE_MAX };
        size_t taken = 0;
        run(&t);
        assert_int_equal(exchange_state(t.x), EXCHANGE_ANSWERING);
        if (i == 0)
            assert_int_equal(exchange_take(t.x, "no chunk\r\n", 10, &taken), 0);
        else if (i == 1)
            exchange_client_ended(t.x);
        else
            assert_int_equal(exchange_stop(t.x, NULL), 0);
        assert_int_equal(exchange_state(t.x), EXCHANGE_OVER);
        assert_false(exchange_keeps_server(t.x));
        finish(&t);
    }
}

static void fields_that_are_not_known_stay_here(void **state)
{
    (void)state;
    expect((struct talk){ .client =
                              "GET /version HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nAudit-ID: 1\r\n"
                              "Accept-Encoding: gzip\r\nUser-Agent: k\r\nKubectl-Command: kubectl get\r\n"
                              "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                              "HTTP2-Settings: AA\r\n\r\n",
                          .server = OK_AB },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\nUser-Agent: k\r\n"
           "Kubectl-Command: kubectl get\r\n\r\n",
           NULL);
}

static void accept_is_narrowed_to_json_where_it_must_be(void **state)
{
    (void)state;
    expect((struct talk){ .client =
                              "GET /version HTTP/1.1\r\nAccept: application/vnd.kubernetes.protobuf, "
                              "application/json;as=Table;v=v1;g=meta.k8s.io , application/jsonp\r\n\r\n",
                          .server = OK_AB,
                          .json = true },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\n"
           "Accept: application/json;as=Table;v=v1;g=meta.k8s.io\r\nAccept-Encoding: identity\r\n\r\n",
           NULL);
    expect((struct talk){ .client =
                              "GET /version HTTP/1.1\r\nAccept: application/json;as=Table;v=v1;g=x\r\n\r\n",
                          .server = OK_AB,
                          .json = true,
                          .no_tables = true },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept: application/json\r\n"
           "Accept-Encoding: identity\r\n\r\n",
           NULL);
    expect((struct talk){ .client = "GET /version HTTP/1.1\r\nAccept: application/json; as = Table;v=v1, "
                                    "application/json;AS= TABLE\r\n\r\n",
                          .server = OK_AB,
                          .json = true,
                          .no_tables = true },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept: application/json\r\n"
           "Accept-Encoding: identity\r\n\r\n",
           NULL);
    expect((struct talk){ .client = "GET /version HTTP/1.1\r\nAccept: */*\r\n\r\n",
                          .server = OK_AB,
                          .json = true },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept: application/json\r\n"
           "Accept-Encoding: identity\r\n\r\n",
           NULL);
}

/* ---- refusals ---- */

static void contains(const struct buffer *there, const char *wanted)
{
    assert_non_null(memmem(buffer_head(there), buffer_size(there), wanted, strlen(wanted)));
}

static void a_refusal_is_a_status_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct talk t = { .client = "DELETE /api/v1/namespaces/a/pods/p HTTP/1.1\r\n\r\n" GET_PODS,
                      .server = OK_AB,
                      .refuse = "/api/v1/namespaces/a/",
                      .step = SIZE_MAX };
    run(&t);
    same(&t.sent, SENT_PODS);
    contains(&t.seen, "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ");
    contains(&t.seen,
             "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
             "\"message\":\"denied by rule \\\"r\\\": no (code denied); next: nothing\","
             "\"reason\":\"Forbidden\",\"details\":{\"name\":\"p\",\"kind\":\"pods\",\"causes\":["
             "{\"reason\":\"code\",\"message\":\"denied\"},{\"reason\":\"rule\",\"message\":\"r\"},"
             "{\"reason\":\"reason\",\"message\":\"no\"},{\"reason\":\"next\",\"message\":\"nothing\"}]},"
             "\"code\":403}");
    contains(&t.seen, "}\nHTTP/1.1 200 OK");
    assert_int_equal(t.asked, 2);
    finish(&t);
}

static void faults_are_asked_about_and_nothing_of_them_is_sent(void **state)
{
    (void)state;
    static const struct {
        const char *client, *question, *seen;
        bool goes_on;
    } cases[] = {
        { "GET /api/v1/pods HTTP/1.1\r\nImpersonate-User: root\r\n\r\n", "fault: the field Impersonate-User",
          "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nX-Remote-User: root\r\n\r\n", "fault: the field X-Remote-User",
          "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n", "fault: the field Authorization",
          "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:2\r\n\r\n",
          "fault: it comes from a page", "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nHost: localhost:1\r\nOrigin: null\r\n\r\n",
          "fault: it comes from a page", "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nHost: localhost:1\r\nSec-Fetch-Site: cross-site\r\n\r\n",
          "fault: it comes from a page", "HTTP/1.1 403 ", true },
        { "GET /api/v1/pods HTTP/1.1\r\nConnection: content-type\r\n\r\n", "fault: the field Connection",
          "HTTP/1.1 403 ", true },
        { "GET /api/v1//pods HTTP/1.1\r\n\r\n", "GET - fault: ", "HTTP/1.1 403 ", true },
        { "POST /api/v1/namespaces/a/pods HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
          "fault: a body with a Content-Encoding", "HTTP/1.1 403 ", true },
        { "POST /api/v1/namespaces/a/pods HTTP/1.1\r\nContent-Length: 9999999\r\n\r\nabc",
          "fault: the body is longer than 3 MiB", "HTTP/1.1 413 ", false },
        { "GET /api/v1/pods HTTP/1.1\r\nHost : x\r\n\r\n", "- - fault: this is no HTTP message",
          "HTTP/1.1 400 ", false },
        { "\x16\x03\x01", "- - fault: this is no HTTP message", "HTTP/1.1 400 ", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t = { .client = cases[i].client, .server = "", .step = SIZE_MAX };
        run(&t);
        assert_non_null(strstr(t.question, cases[i].question));
        assert_int_equal(buffer_size(&t.sent), 0);
        contains(&t.seen, cases[i].seen);
        assert_int_equal(exchange_state(t.x), cases[i].goes_on ? EXCHANGE_READING : EXCHANGE_OVER);
        finish(&t);
    }
}

static void a_page_of_the_same_place_may_ask(void **state)
{
    (void)state;
    expect(
        (struct talk){
            .client = "GET /version HTTP/1.1\r\nHost: LOCALHOST:8001\r\nOrigin: http://localhost:8001\r\n"
                      "Sec-Fetch-Site: same-origin\r\n\r\n",
            .server = OK_AB },
        "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n\r\n", SEEN_AB);
}

static void an_empty_authorization_is_none(void **state)
{
    (void)state;
    expect((struct talk){ .client = "GET /version HTTP/1.1\r\nAuthorization: \r\n\r\n", .server = OK_AB },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n\r\n", SEEN_AB);
}

/* A body of n bytes, in chunks, then a request. */
static char *long_request(size_t n)
{
    char *text = malloc(n + 4096);
    int at = sprintf(
        text, "POST /api/v1/namespaces/a/pods HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
    memset(text + at, 'x', n);
    (void)strcpy(text + (size_t)at + n, "\r\n0\r\n\r\n" GET_PODS);
    return text;
}

static void bodies_have_a_limit_and_what_is_beyond_is_skipped(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        unsigned asked;
        enum exchange_state end;
    } cases[] = {
        { EXCHANGE_BODY_MAX, 2, EXCHANGE_READING },
        { EXCHANGE_BODY_MAX + 1, 2, EXCHANGE_READING },
        { EXCHANGE_BODY_MAX + EXCHANGE_SKIP_MAX + EXCHANGE_PIECE, 1, EXCHANGE_OVER },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = long_request(cases[i].n);
        struct talk t = { .client = text, .server = OK_AB OK_AB, .step = EXCHANGE_PIECE };
        run(&t);
        assert_int_equal(t.asked, cases[i].asked);
        assert_int_equal(exchange_state(t.x), cases[i].end);
        assert_int_equal(buffer_size(&t.sent) > EXCHANGE_BODY_MAX, i == 0);
        finish(&t);
        free(text);
    }
}

static void who_closes_in_the_middle_of_a_request_is_not_answered(void **state)
{
    (void)state;
    struct talk t = { .client = "PUT /api/v1/namespaces/a/pods/p HTTP/1.1\r\nContent-Length: 9\r\n\r\nab",
                      .server = "",
                      .step = SIZE_MAX };
    run(&t);
    exchange_client_ended(t.x);
    assert_int_equal(exchange_state(t.x), EXCHANGE_OVER);
    assert_int_equal(t.asked, 0);
    finish(&t);
}

/* ---- answers ---- */

static void an_answer_that_is_changed_has_chunks(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS GET_PODS,
                      .server = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nass" OK_AB,
                      .rewrite = true,
                      .step = SIZE_MAX };
    run(&t);
    same(&t.seen, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\na******\r\n1\r\n!\r\n0\r\n\r\n"
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "2\r\nab\r\n1\r\n!\r\n0\r\n\r\n");
    assert_int_equal(t.ended, 2);
    finish(&t);
}

static void a_client_of_http_1_0_gets_no_chunks(void **state)
{
    (void)state;
    expect((struct talk){ .client = "GET /version HTTP/1.0\r\n\r\n",
                          .server =
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" },
           "GET /version HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n\r\n",
           "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab");
}

static void an_answer_that_is_not_to_be_shown_is_a_status(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS, .server = OK_AB, .replace = true, .step = SIZE_MAX };
    run(&t);
    contains(&t.seen, "HTTP/1.1 403 Forbidden\r\n");
    contains(&t.seen, "not to be shown");
    assert_null(memmem(buffer_head(&t.seen), buffer_size(&t.seen), "ab\r\n", 4));
    assert_false(exchange_keeps_server(t.x));
    assert_int_equal(exchange_state(t.x), EXCHANGE_READING);
    finish(&t);
}

static void heads_and_answers_without_bodies_end_by_themselves(void **state)
{
    (void)state;
    expect((struct talk){ .client = "HEAD /version HTTP/1.1\r\n\r\n" GET_PODS,
                          .server = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
                                    "HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n" },
           "HEAD /version HTTP/1.1\r\nHost: api:6443\r\nAccept-Encoding: identity\r\n\r\n" SENT_PODS,
           "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n");
}

static void interim_answers_are_dropped(void **state)
{
    (void)state;
    expect((struct talk){ .client = GET_PODS, .server = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_AB },
           SENT_PODS, SEEN_AB);
}

static void another_protocol_that_nobody_asked_for_is_refused(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS,
                      .server =
                          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nzzz",
                      .step = SIZE_MAX };
    run(&t);
    contains(&t.seen, "HTTP/1.1 502 ");
    assert_null(memmem(buffer_head(&t.seen), buffer_size(&t.seen), "zzz", 3));
    finish(&t);
}

#define KEY    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define GET_EXEC                                                                                             \
    "GET /api/v1/namespaces/a/pods/p/exec?command=ls HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: "           \
    "websocket\r\n" KEY

static void another_protocol_than_was_offered_is_refused(void **state)
{
    (void)state;
    struct talk t = { .client = GET_EXEC "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n",
                      .server = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                "Upgrade: websocket\r\nSec-WebSocket-Protocol: x\r\n" ACCEPT "\r\nzzz",
                      .step = SIZE_MAX };
    run(&t);
    contains(&t.seen, "HTTP/1.1 502 ");
    finish(&t);
}

static void upgrades_that_are_not_read_here_are_refused(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /api/v1/namespaces/a/pods/p/proxy/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\n" KEY "\r\n",
        "POST /api/v1/namespaces/a/pods/p/exec?command=ls HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: "
        "SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 3\r\n\r\nabc",
        "POST /api/v1/namespaces/a/pods/p/exec?command=ls HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: "
        "SPDY/3.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct talk t = { .client = requests[i], .server = "", .step = SIZE_MAX };
        run(&t);
        contains(&t.seen, "HTTP/1.1 403 ");
        assert_int_equal(buffer_size(&t.sent), 0);
        finish(&t);
    }
}

static void an_upgrade_switches_both_sides_and_takes_nothing_of_what_follows(void **state)
{
    (void)state;
    struct talk t = { .client = GET_EXEC "\r\nCLIENT",
                      .server = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nServer: x\r\n"
                                "Upgrade: websocket\r\n" ACCEPT "\r\nSERVER",
                      .step = SIZE_MAX };
    run(&t);
    same(&t.sent, "GET /api/v1/namespaces/a/pods/p/exec?command=ls HTTP/1.1\r\nHost: api:6443\r\n"
                  "Accept-Encoding: identity\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" KEY "\r\n");
    same(&t.seen,
         "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" ACCEPT "\r\n");
    assert_int_equal(exchange_state(t.x), EXCHANGE_SWITCHED);
    finish(&t);
}

static void an_answer_that_is_cut_off_is_cut_off(void **state)
{
    (void)state;
    static const char *const servers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct talk t = {
            .client = GET_PODS GET_PODS, .server = servers[i], .server_closes = true, .step = SIZE_MAX
        };
        run(&t);
        assert_int_equal(exchange_state(t.x), EXCHANGE_OVER);
        assert_int_equal(t.cut, 1);
        assert_null(memmem(buffer_head(&t.seen), buffer_size(&t.seen), "0\r\n\r\n", 5));
        assert_int_equal(t.asked, 1);
        finish(&t);
    }
}

static void an_answer_that_its_owner_cuts_goes_no_further(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS GET_PODS, .server = OK_AB OK_AB, .cut_at = "ab", .step = SIZE_MAX };
    run(&t);
    same(&t.seen, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n");
    assert_int_equal(exchange_state(t.x), EXCHANGE_OVER);
    finish(&t);
}

static void an_answer_up_to_the_close_is_whole(void **state)
{
    (void)state;
    expect((struct talk){ .client = GET_PODS GET_PODS,
                          .server = "HTTP/1.1 200 OK\r\n\r\nab",
                          .server_closes = true },
           SENT_PODS SENT_PODS, NULL);
}

static void a_server_that_closes_unanswered_is_told_of(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS, .server = "", .server_closes = true, .step = SIZE_MAX };
    run(&t);
    contains(&t.seen, "HTTP/1.1 503 ");
    finish(&t);
    t.server = "HTTP/1.1 200 OK\r\nContent-Len";
    run(&t);
    contains(&t.seen, "HTTP/1.1 503 ");
    finish(&t);
}

static void what_is_no_answer_is_not_shown(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS, .server = "SSH-2.0-OpenSSH\r\n", .step = SIZE_MAX };
    run(&t);
    contains(&t.seen, "garbled");
    finish(&t);
}

static void a_warning_is_shown_with_the_answer(void **state)
{
    (void)state;
    struct talk t = { .client = "", .server = "", .step = SIZE_MAX };
    size_t taken = 0;
    run(&t);
    assert_int_equal(exchange_take(t.x, GET_PODS, strlen(GET_PODS), &taken), 0);
    const struct exchange_how how = { .host = "api", .warning = "say \"hello\"" };
    assert_int_equal(exchange_send(t.x, &how), 0);
    assert_int_equal(exchange_answer(t.x, OK_AB, strlen(OK_AB), &taken), 0);
    take_shown(&t);
    contains(&t.seen, "Warning: 299 gatehouse \"say \\\"hello\\\"\"\r\n");
    finish(&t);
}

static void a_request_is_sent_again_when_nothing_was_answered(void **state)
{
    (void)state;
    struct talk t = { .client = "", .server = "", .step = SIZE_MAX };
    const struct exchange_how how = { .host = "api:6443" };
    size_t taken = 0;
    run(&t);
    assert_int_equal(exchange_take(t.x, GET_PODS, strlen(GET_PODS), &taken), 0);
    assert_int_equal(exchange_send(t.x, &how), 0);
    assert_true(exchange_may_repeat(t.x));
    assert_int_equal(exchange_server_ended(t.x), EXCHANGE_UNANSWERED);
    assert_int_equal(exchange_send(t.x, &how), 0);
    take_frames(&t);
    same(&t.sent, SENT_PODS);
    assert_int_equal(exchange_answer(t.x, OK_AB, 3, &taken), 0);
    assert_false(exchange_may_repeat(t.x));
    finish(&t);
}

static void the_rest_of_an_answer_is_nobody_elses(void **state)
{
    (void)state;
    struct talk t = { .client = GET_PODS,
                      .server = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                      .step = SIZE_MAX };
    run(&t);
    assert_int_equal(exchange_state(t.x), EXCHANGE_ANSWERING);
    assert_false(exchange_keeps_server(t.x));
    assert_int_equal(exchange_stop(t.x, NULL), 0);
    assert_false(exchange_keeps_server(t.x));
    finish(&t);
    t.server = OK_AB;
    run(&t);
    assert_true(exchange_keeps_server(t.x));
    finish(&t);
}

static void a_client_that_reads_nothing_stops_the_server(void **state)
{
    (void)state;
    struct talk t = { .client = "", .server = "", .step = SIZE_MAX };
    const struct exchange_how how = { .host = "api:6443" };
    static char piece[EXCHANGE_PIECE];
    size_t taken = 0, all = 0;
    run(&t);
    assert_int_equal(exchange_take(t.x, GET_PODS, strlen(GET_PODS), &taken), 0);
    assert_int_equal(exchange_send(t.x, &how), 0);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
    assert_int_equal(exchange_answer(t.x, head, sizeof head - 1, &taken), 0);
    do {
        assert_int_equal(exchange_answer(t.x, piece, sizeof piece, &taken), 0);
        all += taken;
    } while (taken > 0);
    assert_true(all >= EXCHANGE_HIGH - 1024 && all <= EXCHANGE_HIGH + EXCHANGE_PIECE);
    take_shown(&t);
    assert_int_equal(exchange_answer(t.x, piece, sizeof piece, &taken), 0);
    assert_true(taken > 0);
    finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_sent_in_our_own_words),
        cmocka_unit_test(requests_follow_each_other_on_one_connection),
        cmocka_unit_test(a_body_is_sent_whole_with_a_length_of_ours),
        cmocka_unit_test(who_waits_for_100_continue_gets_it),
        cmocka_unit_test(what_a_proxy_of_the_server_gets_is_streamed),
        cmocka_unit_test(a_connection_with_half_a_body_on_it_is_not_kept),
        cmocka_unit_test(a_server_that_answers_before_it_has_read_all_ends_the_connection),
        cmocka_unit_test(fields_that_are_not_known_stay_here),
        cmocka_unit_test(accept_is_narrowed_to_json_where_it_must_be),
        cmocka_unit_test(a_refusal_is_a_status_and_the_connection_goes_on),
        cmocka_unit_test(faults_are_asked_about_and_nothing_of_them_is_sent),
        cmocka_unit_test(a_page_of_the_same_place_may_ask),
        cmocka_unit_test(an_empty_authorization_is_none),
        cmocka_unit_test(bodies_have_a_limit_and_what_is_beyond_is_skipped),
        cmocka_unit_test(who_closes_in_the_middle_of_a_request_is_not_answered),
        cmocka_unit_test(an_answer_that_is_changed_has_chunks),
        cmocka_unit_test(a_client_of_http_1_0_gets_no_chunks),
        cmocka_unit_test(an_answer_that_is_not_to_be_shown_is_a_status),
        cmocka_unit_test(heads_and_answers_without_bodies_end_by_themselves),
        cmocka_unit_test(interim_answers_are_dropped),
        cmocka_unit_test(another_protocol_that_nobody_asked_for_is_refused),
        cmocka_unit_test(another_protocol_than_was_offered_is_refused),
        cmocka_unit_test(upgrades_that_are_not_read_here_are_refused),
        cmocka_unit_test(an_upgrade_switches_both_sides_and_takes_nothing_of_what_follows),
        cmocka_unit_test(an_answer_that_is_cut_off_is_cut_off),
        cmocka_unit_test(an_answer_that_its_owner_cuts_goes_no_further),
        cmocka_unit_test(an_answer_up_to_the_close_is_whole),
        cmocka_unit_test(a_server_that_closes_unanswered_is_told_of),
        cmocka_unit_test(what_is_no_answer_is_not_shown),
        cmocka_unit_test(a_warning_is_shown_with_the_answer),
        cmocka_unit_test(a_request_is_sent_again_when_nothing_was_answered),
        cmocka_unit_test(the_rest_of_an_answer_is_nobody_elses),
        cmocka_unit_test(a_client_that_reads_nothing_stops_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
