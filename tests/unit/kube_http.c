/* HTTP messages: conversations with what they are read as, whole and byte by byte. */
#include "said.h"
#include "channels/kube/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read, in words: "GET /x{a:b}+L3|abc|." for head, body and end; "!why" for a fault. */
static void say_head(struct said *said, const struct http_head *head)
{
    static const char framing[] = "0LCU";
    if (head->method)
        say(said, "%s %s", head->method, head->target);
    else
        say(said, "%u", head->status);
    for (size_t i = 0; i < head->n_fields; i++)
        say(said, "{%s:%s}", head->fields[i].name, head->fields[i].value);
    say(said, "%s%s%c", head->keeps_alive ? "+" : "-", head->upgrades ? "^" : "", framing[head->framing]);
    if (head->framing == HTTP_LENGTH)
        say(said, "%llu", (unsigned long long)head->length);
    say(said, "|");
}

/* step: bytes that are given at a time. answer: to HEAD. */
static void read_all(enum http_side side, bool answer, const char *bytes, size_t n, size_t step, bool close,
                     struct said *said)
{
    CLEANUP(http_reader_free) struct http_reader *reader = NULL;
    struct http_event event;
    struct detail detail;
    *said = (struct said){ .n = 0 };
    assert_int_equal(http_reader_new(side, &reader), 0);
    http_reader_answers_head(reader, answer);
    for (size_t at = 0; at < n || close;) {
        size_t taken = 0, there = n - at < step ? n - at : step;
        int r = at < n ? http_reader_next(reader, bytes + at, there, &taken, &event, &detail)
                       : http_reader_close(reader, &event, &detail);
        if (r) {
            assert_int_equal(r, HTTP_MALFORMED);
            say(said, "!%s", detail.text);
            return;
        }
        close = close && at < n;
        at += taken;
        if (event.kind == HTTP_GOT_HEAD)
            say_head(said, event.head);
        if (event.kind == HTTP_GOT_BODY)
            say(said, "%.*s", (int)event.n, (const char *)event.bytes);
        if (event.kind == HTTP_GOT_END)
            say(said, "|.");
        if (event.kind == HTTP_GOT_NOTHING)
            assert_true(taken == there || at >= n);
    }
}

static void expect(enum http_side side, bool answer, const char *bytes, const char *wanted)
{
    struct said whole, split;
    bool close = strstr(wanted, "U|") || strstr(wanted, "cut off");
    read_all(side, answer, bytes, strlen(bytes), SIZE_MAX, close, &whole);
    read_all(side, answer, bytes, strlen(bytes), 1, close, &split);
    bool fault = wanted[0] == '!';
    if (fault ? !strstr(whole.text, wanted + 1) : strcmp(whole.text, wanted) != 0)
        fail_msg("%s: \"%s\" instead of \"%s\"", bytes, whole.text, wanted);
    if (fault ? !strstr(split.text, wanted + 1) : strcmp(split.text, wanted) != 0)
        fail_msg("byte by byte: %s: \"%s\" instead of \"%s\"", bytes, split.text, wanted);
}

static void requests_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *wanted;
    } cases[] = {
        { "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x{Host:a}+0||." },
        { "GET /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n", "GET /x+0||.GET /y+0||." },
        { "GET /x HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /x{Connection:close}-0||." },
        { "GET /x HTTP/1.0\r\n\r\n", "GET /x-0||." },
        { "GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET /x{Connection:Keep-Alive}+0||." },
        { "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "POST /x{Content-Length:3}+L3|abc|." },
        { "POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "POST /x{Content-Length:0}+L0||." },
        { "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
          "PUT /x{Transfer-Encoding:chunked}+C|abcde|." },
        { "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
          "PUT /x{Transfer-Encoding:chunked}+C||.GET /+0||." },
        { "GET /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          "GET /x{Connection:Upgrade}{Upgrade:websocket}+^0||." },
        { "GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "GET /x{Upgrade:websocket}+0||." },
        { "PATCH /x?a=b%20c HTTP/1.1\r\nA: b c \r\nA: d\r\n\r\n", "PATCH /x?a=b%20c{A:b c}{A:d}+0||." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(HTTP_REQUESTS, false, cases[i].bytes, cases[i].wanted);
}

static void responses_are_read(void **state)
{
    (void)state;
    static const struct {
        bool head;
        const char *bytes, *wanted;
    } cases[] = {
        { false, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "200{Content-Length:2}+L2|ab|." },
        { true, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "200{Content-Length:2}+0||." },
        { false, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
          "204+0||.200{Content-Length:0}+L0||." },
        { false, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "304{Content-Length:9}+0||." },
        { false, "HTTP/1.1 200 OK\r\n\r\nabc", "200-U|abc|." },
        { false,
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
          "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
          "100+0||.201{Transfer-Encoding:chunked}+C|x|." },
        { false, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n",
          "101{Connection:Upgrade}{Upgrade:SPDY/3.1}+^0||." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(HTTP_RESPONSES, cases[i].head, cases[i].bytes, cases[i].wanted);
}

static void what_others_may_read_differently_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum http_side side;
        const char *bytes, *wanted;
    } cases[] = {
        { HTTP_REQUESTS, "garbage\r\n\r\n", "!invalid HTTP method" },
        { HTTP_REQUESTS, "GET /x HTTP/2.0\r\n\r\n", "!HTTP/1.1 is spoken" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "!" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
          "!" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "!other than chunked" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", "!" },
        { HTTP_REQUESTS, "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "!HTTP/1.1 is spoken" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc", "!content-length" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length: 3,3\r\n\r\nabc", "!content-length" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length : 3\r\n\r\nabc", "!" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "!chunk size" },
        { HTTP_REQUESTS, "GET /x HTTP/1.1\r\nA: b\x01\r\n\r\n", "!" },
        { HTTP_REQUESTS, "GET /x HTTP/1.1\r\nHost: a\r\n", "!cut off" },
        { HTTP_REQUESTS, "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "!cut off" },
        { HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "!cut off" },
        { HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "!cut off" },
        { HTTP_RESPONSES, "SSH-2.0-x\r\n", "!" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct said said;
        for (size_t step = 1; step < 1000; step += 500) {
            read_all(cases[i].side, false, cases[i].bytes, strlen(cases[i].bytes), step,
                     strstr(cases[i].wanted, "cut off") != NULL, &said);
            if (!strchr(said.text, '!') || !strcasestr(said.text, cases[i].wanted + 1))
                fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].bytes, said.text, cases[i].wanted);
        }
    }
}

static void heads_are_bounded(void **state)
{
    (void)state;
    char *text = malloc(HTTP_HEAD_MAX * 2);
    struct said said;
    assert_non_null(text);
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nA: ");
    memset(text + n, 'a', HTTP_HEAD_MAX);
    strcpy(text + n + HTTP_HEAD_MAX, "\r\n\r\n");
    read_all(HTTP_REQUESTS, false, text, strlen(text), SIZE_MAX, false, &said);
    assert_non_null(strstr(said.text, "longer than 64 KiB"));
    n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < HTTP_FIELDS_MAX + 1; i++)
        n += (size_t)sprintf(text + n, "A: b\r\n");
    read_all(HTTP_REQUESTS, false, text, n, SIZE_MAX, false, &said);
    assert_non_null(strstr(said.text, "more than 128 fields"));
    n = (size_t)sprintf(text, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 80000 / 20; i++)
        n += (size_t)sprintf(text + n, "Trailer: aaaaaaaaaaa\r\n");
    read_all(HTTP_REQUESTS, false, text, n, SIZE_MAX, false, &said);
    assert_non_null(strchr(said.text, '!'));
    free(text);
}

static void what_is_about_the_connection_is_known(void **state)
{
    (void)state;
    CLEANUP(http_reader_free) struct http_reader *reader = NULL;
    static const char text[] = "GET / HTTP/1.1\r\nConnection: close, X-Own\r\nX-Own: 1\r\nAccept: a\r\n\r\n";
    struct http_event event;
    size_t taken;
    assert_int_equal(http_reader_new(HTTP_REQUESTS, &reader), 0);
    assert_int_equal(http_reader_next(reader, text, sizeof text - 1, &taken, &event, NULL), 0);
    assert_int_equal(event.kind, HTTP_GOT_HEAD);
    for (size_t i = 0; i < event.head->n_fields; i++)
        assert_int_equal(http_field_is_of_connection(event.head, event.head->fields[i].name), i != 2);
    assert_true(http_field_is_of_connection(event.head, "TE"));
    assert_false(http_field_is_of_connection(event.head, "Authorization"));
    assert_string_equal(http_head_field(event.head, "ACCEPT"), "a");
    assert_null(http_head_field(event.head, "Accep"));
}

static void what_is_written_is_read_again(void **state)
{
    struct buffer out;
    struct said said;
    (void)state;
    buffer_init(&out, 4096);
    assert_int_equal(http_put_request(&out, "PUT", "/x"), 0);
    assert_int_equal(http_put_field(&out, "A", "b"), 0);
    assert_int_equal(http_put_end_of_head(&out, HTTP_CHUNKED, 0), 0);
    assert_int_equal(http_put_chunk(&out, "hello", 5), 0);
    assert_int_equal(http_put_last_chunk(&out), 0);
    read_all(HTTP_REQUESTS, false, (const char *)buffer_head(&out), buffer_size(&out), SIZE_MAX, false,
             &said);
    assert_string_equal(said.text, "PUT /x{A:b}{Transfer-Encoding:chunked}+C|hello|.");
    buffer_consume(&out, buffer_size(&out));
    assert_int_equal(http_put_status(&out, 403), 0);
    assert_int_equal(http_put_end_of_head(&out, HTTP_LENGTH, 2), 0);
    assert_int_equal(buffer_append(&out, "no", 2), 0);
    read_all(HTTP_RESPONSES, false, (const char *)buffer_head(&out), buffer_size(&out), SIZE_MAX, false,
             &said);
    assert_string_equal(said.text, "403{Content-Length:2}+L2|no|.");
    buffer_consume(&out, buffer_size(&out));
    assert_int_equal(http_put_status(&out, 999), 0);
    assert_int_equal(http_put_end_of_head(&out, HTTP_UNTIL_CLOSE, 0), 0);
    read_all(HTTP_RESPONSES, false, (const char *)buffer_head(&out), buffer_size(&out), SIZE_MAX, true,
             &said);
    assert_string_equal(said.text, "999{Connection:close}-U||.");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(responses_are_read),
        cmocka_unit_test(what_others_may_read_differently_is_refused),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(what_is_about_the_connection_is_known),
        cmocka_unit_test(what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
