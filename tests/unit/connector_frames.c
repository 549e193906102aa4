/* What a gate may write to the connector of an API server: conversations with what goes out, whole, in single
 * bytes and into little room; each accepted one has twins that are refused. */
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vault/connector_frames.h"

#define LINES "Authorization: Bearer t0ken\r\nImpersonate-User: anna\r\n"
#define GET   "GET /api HTTP/1.1\r\nHost: h\r\n\r\n"
#define SENT  "GET /api HTTP/1.1\r\n" LINES "Host: h\r\n\r\n"

enum { STEPS_MAX = 6, OUT_MAX = 600 * 1024 };

/* Steps begin with what they are: H and B frames, S what the server says, ~ the token's time is over. */
struct conversation {
    const char *steps[STEPS_MAX];
    const char *sent;  /* all that goes to the server */
    const char *fault; /* a part of the reason; NULL: none */
};

struct talk {
    struct frames frames;
    uint8_t *out;
    size_t n;
    struct detail detail;
};

/* As the relay does it: in pieces of `step` bytes, with `room` bytes to put something to. */
static int give(struct talk *talk, const uint8_t *bytes, size_t n, size_t step, size_t room)
{
    for (size_t at = 0;;) {
        size_t taken = 0, put = 0, there = n - at < step ? n - at : step;
        size_t space = OUT_MAX - talk->n < room ? OUT_MAX - talk->n : room;
        int r = frames_give(&talk->frames, bytes + at, there, &taken, talk->out + talk->n, space, &put,
                            &talk->detail);

        assert_true(taken <= there && put <= space);
        at += taken;
        talk->n += put;
        if (r || (taken == 0 && put == 0))
            return r ? r : at == n ? 0 : -EAGAIN;
    }
}

static int give_frame(struct talk *talk, uint8_t kind, const void *bytes, size_t n, size_t step, size_t room)
{
    struct buffer frame;
    int r;

    buffer_init(&frame, n + FRAME_MARK);
    assert_int_equal(buffer_put_u8(&frame, kind), 0);
    assert_int_equal(buffer_put_u32(&frame, (uint32_t)n), 0);
    assert_int_equal(buffer_append(&frame, bytes, n), 0);
    r = give(talk, buffer_head(&frame), buffer_size(&frame), step, room);
    buffer_free(&frame);
    return r;
}

static struct talk begin(void)
{
    struct talk talk = { .frames = frames_with(LINES, strlen(LINES)) };

    talk.out = malloc(OUT_MAX);
    assert_non_null(talk.out);
    return talk;
}

static void end(struct talk *talk)
{
    frames_free(&talk->frames);
    free(talk->out);
}

static void run(const struct conversation *c, size_t step, size_t room)
{
    struct talk talk = begin();
    int r = 0;

    for (size_t i = 0; i < STEPS_MAX && c->steps[i] && !r; i++) {
        const char *text = c->steps[i] + 1;

        switch (c->steps[i][0]) {
        case 'S':
            frames_hear(&talk.frames, (const uint8_t *)text, strlen(text));
            r = give(&talk, NULL, 0, step, room);
            break;
        case '~':
            talk.frames.stale = true;
            break;
        default:
            r = give_frame(&talk, (uint8_t)c->steps[i][0], text, strlen(text), step, room);
        }
    }
    if (c->fault) {
        assert_int_equal(r, -EPROTO);
        if (!strstr(talk.detail.text, c->fault))
            fail_msg("\"%s\" without \"%s\"", talk.detail.text, c->fault);
    } else if (r) {
        fail_msg("%s: %s", c->steps[0], talk.detail.text);
    }
    assert_int_equal(talk.n, strlen(c->sent));
    assert_memory_equal(talk.out, c->sent, talk.n);
    end(&talk);
}

static void run_all(const struct conversation *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        run(&list[i], SIZE_MAX, SIZE_MAX);
        run(&list[i], 1, SIZE_MAX);
        run(&list[i], SIZE_MAX, 1);
        run(&list[i], 3, 7);
    }
}
#define RUN(list) run_all(list, sizeof(list) / sizeof(*(list)))

static void each_request_gets_the_lines_behind_its_first(void **state)
{
    static const struct conversation list[] = {
        { { "H" GET }, SENT, NULL },
        { { "H" GET, "SHTTP/1.1 200 OK\r\n\r\n", "H" GET }, SENT SENT, NULL },
        { { "HDELETE /api?x=1&y=%20 HTTP/1.1\r\n\r\n" },
          "DELETE /api?x=1&y=%20 HTTP/1.1\r\n" LINES "\r\n",
          NULL },
        { { "HGET / HTTP/1.1\r\nx-authorization: a\r\nImpersonate: b\r\nA:\r\n\r\n" },
          "GET / HTTP/1.1\r\n" LINES "x-authorization: a\r\nImpersonate: b\r\nA:\r\n\r\n",
          NULL },
    };

    (void)state;
    RUN(list);
}

static void a_body_is_followed_to_its_end(void **state)
{
#define PUT(fields) "PUT /a HTTP/1.1\r\n" fields "\r\n"
    static const struct conversation list[] = {
        { { "H" PUT("Content-Length: 5\r\n"), "Bhel", "Blo", "H" GET },
          "PUT /a HTTP/1.1\r\n" LINES "Content-Length: 5\r\n\r\nhello" SENT,
          NULL },
        { { "H" PUT("content-length:0\r\n"), "H" GET },
          "PUT /a HTTP/1.1\r\n" LINES "content-length:0\r\n\r\n" SENT,
          NULL },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B3\r\nabc\r\n", "BA\r\n0123456789\r\n0", "B\r\n\r\n",
            "H" GET },
          "PUT /a HTTP/1.1\r\n" LINES
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n" SENT,
          NULL },
        { { "H" PUT("Content-Length: 2\r\n"), "B" },
          "PUT /a HTTP/1.1\r\n" LINES "Content-Length: 2\r\n\r\n",
          NULL },
    };

    (void)state;
    RUN(list);
}

/* By which a gate that was broken into would have a request of its own, without our lines. */
static void nothing_but_a_head_begins_a_request(void **state)
{
#define HEAD(fields) "PUT /a HTTP/1.1\r\n" LINES fields "\r\n"
    static const struct conversation list[] = {
        { { "H" GET, "BGET /secrets HTTP/1.1\r\n\r\n" }, SENT, "other bytes than its head says" },
        { { "H" PUT("Content-Length: 4\r\n"), "BabcdGET / HTTP/1.1\r\n\r\n" },
          HEAD("Content-Length: 4\r\n"),
          "other bytes than its head says" },
        { { "H" PUT("Content-Length: 4\r\n"), "Bab", "H" GET },
          HEAD("Content-Length: 4\r\n") "ab",
          "before the end of a body" },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B2\r\nabX\r\n" },
          HEAD("Transfer-Encoding: chunked\r\n"),
          "other bytes" },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B0\r\nX: y\r\n\r\n" },
          HEAD("Transfer-Encoding: chunked\r\n"),
          "other bytes" },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B2;x=y\r\nab\r\n" },
          HEAD("Transfer-Encoding: chunked\r\n"),
          "other bytes" },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B100000000\r\n" },
          HEAD("Transfer-Encoding: chunked\r\n"),
          "other bytes" },
        { { "H" PUT("Transfer-Encoding: chunked\r\n"), "B\r\n" },
          HEAD("Transfer-Encoding: chunked\r\n"),
          "other bytes" },
        { { "BGET / HTTP/1.1\r\n\r\n" }, "", "other bytes" },
    };

    (void)state;
    /* What is put before the fault depends on the pieces; that it is a fault does not. */
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        run(&list[i], SIZE_MAX, SIZE_MAX);
}

static void what_is_not_one_strict_head_is_refused(void **state)
{
    static const struct {
        const char *head, *fault;
    } list[] = {
        { "GET /api HTTP/1.1\r\nHost: h\r\n", "does not end in an empty line" },
        { "GET /api HTTP/1.1\r\n\r\n\r\n", "2 bytes follow" },
        { "GET /api HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", "follow the empty line" },
        { "GET /api HTTP/1.1\nHost: h\n\n", "no request line" },
        { "GET /api HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "bare CR or LF" },
        { "GET /api HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", "bare CR or LF" },
        { "GET /api HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "not NAME: VALUE" },
        { "GET /api HTTP/1.1\r\nHost : h\r\n\r\n", "not NAME: VALUE" },
        { "GET /api HTTP/1.1\r\n: h\r\n\r\n", "not NAME: VALUE" },
        { "GET /api HTTP/1.1\r\nHost\r\n\r\n", "not NAME: VALUE" },
        { "GET /api HTTP/1.1\r\nHost: a\x01\r\n\r\n", "control bytes" },
        { "GET /api HTTP/1.1\r\nHost: a\x7f\r\n\r\n", "control bytes" },
        { "GET /api HTTP/1.0\r\n\r\n", "not HTTP/1.1" },
        { "GET /api http/1.1\r\n\r\n", "not HTTP/1.1" },
        { "PRI * HTTP/2.0\r\n\r\n", "not a path" },
        { "GET http://other.example/api HTTP/1.1\r\n\r\n", "not a path" },
        { "GET /a b HTTP/1.1\r\n\r\n", "not a path" },
        { "GET  HTTP/1.1\r\n\r\n", "not a path" },
        { "GET /api\r\n\r\n", "not METHOD TARGET" },
        { "CONNECT /api HTTP/1.1\r\n\r\n", "the method" },
        { "G\x01T /api HTTP/1.1\r\n\r\n", "the method" },
        { "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n\r\n", "the method" },
        { "\r\n\r\n", "not METHOD TARGET" },
        { "GET / HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n", "only the vault gives" },
        { "GET / HTTP/1.1\r\naUTHORIZATION:x\r\n\r\n", "only the vault gives" },
        { "GET / HTTP/1.1\r\nImpersonate-User: admin\r\n\r\n", "only the vault gives" },
        { "GET / HTTP/1.1\r\nimpersonate-extra-scopes: x\r\n\r\n", "only the vault gives" },
        { "GET / HTTP/1.1\r\nImpersonate_Group: x\r\n\r\n", "only the vault gives" },
        { "GET / HTTP/1.1\r\nX-Remote-User: x\r\n\r\n", "only the vault gives" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "two Content-Length" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", "not a number" },
        { "PUT / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "not a number" },
        { "PUT / HTTP/1.1\r\nContent-Length:\r\n\r\n", "not a number" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1000000000000000000\r\n\r\n", "not a number" },
        { "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "both" },
        { "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "not chunked" },
        { "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
          "not chunked" },
        { "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "neither websocket" },
        { "GET / HTTP/1.1\r\nUpgrade: websocket, h2c\r\n\r\n", "neither websocket" },
        { "GET / HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n", "has a body" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char step[256];
        struct conversation c = { { step }, "", list[i].fault };

        snprintf(step, sizeof step, "H%s", list[i].head);
        run_all(&c, 1);
    }
}

static void a_nul_is_refused_wherever_it_stands(void **state)
{
    static const char head[] = "GET /api HTTP/1.1\r\nHost: h\r\n\r\n";

    (void)state;
    for (size_t i = 0; i < sizeof head - 1; i++) {
        struct talk talk = begin();
        char bytes[sizeof head];

        memcpy(bytes, head, sizeof head);
        bytes[i] = '\0';
        assert_int_equal(give_frame(&talk, 'H', bytes, sizeof head - 1, SIZE_MAX, SIZE_MAX), -EPROTO);
        assert_int_equal(talk.n, 0);
        end(&talk);
    }
}

#define UPGRADE      "POST /exec HTTP/1.1\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n"
#define UPGRADE_SENT "POST /exec HTTP/1.1\r\n" LINES "Upgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n"

static void another_protocol_begins_when_the_server_says_so(void **state)
{
    static const struct conversation list[] = {
        { { "H" UPGRADE, "SHTTP/1.1 101 Switching Protocols\r\n\r\n", "B\x80GET / HTTP/1.1\r\n\r\n" },
          UPGRADE_SENT "\x80GET / HTTP/1.1\r\n\r\n",
          NULL },
        { { "H" UPGRADE, "SHTTP/1", "S.1 10", "S1 S", "Babc" }, UPGRADE_SENT "abc", NULL },
        { { "H" UPGRADE, "SHTTP/1.1 403 Forbidden\r\n\r\n", "Babc" }, UPGRADE_SENT, "the server refused" },
        { { "H" UPGRADE, "SHTTP/1.1 101 S", "H" GET }, UPGRADE_SENT, "was to change its protocol" },
        { { "H" UPGRADE, "SHTTP/1.1 403 F", "H" GET }, UPGRADE_SENT, "was to change its protocol" },
        { { "H" GET, "SHTTP/1.1 101 Not\r\n", "H" UPGRADE }, SENT, "a connection of its own" },
        /* Said before anything was asked. */
        { { "SHTTP/1.1 101 Yes\r\n", "H" UPGRADE, "SHTTP/1.1 403 F", "Babc" },
          UPGRADE_SENT,
          "the server refused" },
    };

    (void)state;
    RUN(list);
}

static void bytes_for_another_protocol_wait_for_the_server(void **state)
{
    struct talk talk = begin();
    static const uint8_t body[] = { 'B', 0, 0, 0, 3, 'a', 'b', 'c' };
    size_t taken = 0, put = 0;

    (void)state;
    assert_int_equal(give_frame(&talk, 'H', UPGRADE, strlen(UPGRADE), SIZE_MAX, SIZE_MAX), 0);
    assert_int_equal(give(&talk, body, sizeof body, SIZE_MAX, SIZE_MAX), -EAGAIN);
    assert_int_equal(talk.n, strlen(UPGRADE_SENT));
    frames_hear(&talk.frames, (const uint8_t *)"HTTP/1.1 101", 12);
    assert_int_equal(frames_give(&talk.frames, body + FRAME_MARK, 3, &taken, talk.out, 9, &put, NULL), 0);
    assert_int_equal(taken, 3);
    assert_int_equal(put, 3);
    end(&talk);
}

static void no_request_begins_with_a_stale_token(void **state)
{
    struct talk talk = begin();

    (void)state;
    assert_int_equal(give_frame(&talk, 'H', PUT("Content-Length: 3\r\n"),
                                strlen(PUT("Content-Length: 3\r\n")), SIZE_MAX, SIZE_MAX),
                     0);
    talk.frames.stale = true;
    assert_int_equal(give_frame(&talk, 'B', "abc", 3, SIZE_MAX, SIZE_MAX), 0); /* what had begun goes on */
    size_t n = talk.n;
    assert_int_equal(give_frame(&talk, 'H', GET, strlen(GET), SIZE_MAX, SIZE_MAX), FRAMES_STALE);
    assert_int_equal(talk.n, n);
    end(&talk);
}

/* ---- limits ---- */

static void a_head_has_a_limit(void **state)
{
    CLEANUP(free) char *head = malloc(HEAD_MAX + 2);
    static const char begins[] = "GET / HTTP/1.1\r\nX: ", ends[] = "\r\n\r\n";

    (void)state;
    for (size_t n = HEAD_MAX; n <= HEAD_MAX + 1; n++) {
        struct talk talk = begin();

        memset(head, 'x', n);
        memcpy(head, begins, strlen(begins));
        memcpy(head + n - strlen(ends), ends, strlen(ends));
        assert_int_equal(give_frame(&talk, 'H', head, n, 4096, 100), n == HEAD_MAX ? 0 : -EPROTO);
        assert_int_equal(talk.n, n == HEAD_MAX ? n + strlen(LINES) : 0);
        end(&talk);
    }
}

static void a_frame_of_a_body_has_a_limit(void **state)
{
    static const char put[] = "PUT / HTTP/1.1\r\nContent-Length: 262145\r\n\r\n";
    CLEANUP(free) char *body = calloc(1, FRAME_BODY_MAX + 1);

    (void)state;
    for (size_t n = FRAME_BODY_MAX; n <= FRAME_BODY_MAX + 1; n++) {
        struct talk talk = begin();

        assert_int_equal(give_frame(&talk, 'H', put, strlen(put), SIZE_MAX, SIZE_MAX), 0);
        size_t before = talk.n;
        assert_int_equal(give_frame(&talk, 'B', body, n, 65536, 4096), n == FRAME_BODY_MAX ? 0 : -EPROTO);
        assert_int_equal(talk.n - before, n == FRAME_BODY_MAX ? n : 0);
        end(&talk);
    }
}

static void other_kinds_of_frames_are_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct talk talk = begin();

        if (kind != 'H' && kind != 'B')
            assert_int_equal(give_frame(&talk, (uint8_t)kind, GET, strlen(GET), SIZE_MAX, SIZE_MAX), -EPROTO);
        end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_gets_the_lines_behind_its_first),
        cmocka_unit_test(a_body_is_followed_to_its_end),
        cmocka_unit_test(nothing_but_a_head_begins_a_request),
        cmocka_unit_test(what_is_not_one_strict_head_is_refused),
        cmocka_unit_test(a_nul_is_refused_wherever_it_stands),
        cmocka_unit_test(another_protocol_begins_when_the_server_says_so),
        cmocka_unit_test(bytes_for_another_protocol_wait_for_the_server),
        cmocka_unit_test(no_request_begins_with_a_stale_token),
        cmocka_unit_test(a_head_has_a_limit),
        cmocka_unit_test(a_frame_of_a_body_has_a_limit),
        cmocka_unit_test(other_kinds_of_frames_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
