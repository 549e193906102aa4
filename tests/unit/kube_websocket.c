/* WebSocket frames: what is read, whole and byte by byte; what is written is read as it was. */
#include "said.h"
#include "channels/kube/websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "b(abc)" and "t(abc)" are messages, "i", "o", "c1000" ping, pong and close; a part that does not end its
 * message has no ")". "!why" is a fault. */
static void say_event(struct said *said, const struct websocket_event *event)
{
    static const char controls[] = { [WEBSOCKET_GOT_PING] = 'i', [WEBSOCKET_GOT_PONG] = 'o' };
    if (event->kind == WEBSOCKET_GOT_MESSAGE)
        say(said, "%s%.*s%s",
            !event->begins ? ""
            : event->text  ? "t("
                           : "b(",
            (int)event->n, (const char *)event->bytes, event->ends ? ")" : "");
    else if (event->kind == WEBSOCKET_GOT_CLOSE)
        say(said, "c%u(%.*s)", event->code, (int)event->n, (const char *)event->bytes);
    else if (event->kind != WEBSOCKET_GOT_NOTHING)
        say(said, "%c(%.*s)", controls[event->kind], (int)event->n, (const char *)event->bytes);
}

static void read_all(enum websocket_side side, const char *bytes, size_t n, size_t step, struct said *said)
{
    CLEANUP(websocket_reader_free) struct websocket_reader *reader = NULL;
    struct websocket_event event = { .kind = WEBSOCKET_GOT_PING };
    struct detail detail;
    *said = (struct said){ .n = 0 };
    assert_int_equal(websocket_reader_new(side, &reader), 0);
    for (size_t at = 0, taken = 0; at < n; at += taken) {
        size_t there = n - at < step ? n - at : step;
        int r = websocket_reader_next(reader, bytes + at, there, &taken, &event, &detail);
        if (r) {
            assert_int_equal(r, WEBSOCKET_MALFORMED);
            say(said, "!%s", detail.text);
            return;
        }
        assert_true(taken == there || event.kind != WEBSOCKET_GOT_NOTHING);
        say_event(said, &event);
    }
}

static void expect(enum websocket_side side, const char *bytes, size_t n, const char *wanted)
{
    struct said whole, split;
    read_all(side, bytes, n, SIZE_MAX, &whole);
    read_all(side, bytes, n, 1, &split);
    bool fault = strchr(wanted, '!') != NULL;
    if (fault ? strncmp(whole.text, wanted, strlen(wanted)) != 0 : strcmp(whole.text, wanted) != 0)
        fail_msg("\"%s\" instead of \"%s\"", whole.text, wanted);
    assert_string_equal(split.text, whole.text);
}

#define EXPECT(side, bytes, wanted) expect(side, bytes, sizeof(bytes) - 1, wanted)
#define CLIENT                      WEBSOCKET_OF_CLIENT
#define SERVER                      WEBSOCKET_OF_SERVER

static void frames_are_read(void **state)
{
    (void)state;
    /* RFC 6455 §5.7 */
    EXPECT(SERVER, "\x81\x05Hello", "t(Hello)");
    EXPECT(CLIENT, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "t(Hello)");
    EXPECT(SERVER, "\x01\x03Hel\x80\x02lo", "t(Hello)");
    EXPECT(SERVER, "\x89\x05Hello", "i(Hello)");
    EXPECT(CLIENT, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "o(Hello)");
    /* and what it does not show */
    EXPECT(SERVER, "\x82\x00\x82\x01x", "b()b(x)");
    EXPECT(SERVER,
           "\x02\x01"
           "a\x89\x01"
           "p\x00\x00\x80\x01"
           "b",
           "i(p)b(ab)");
    EXPECT(SERVER, "\x88\x00", "c0()");
    EXPECT(SERVER,
           "\x88\x05\x03\xe8"
           "bye\x81\x05Hello",
           "c1000(bye)");
}

static void what_breaks_the_protocol_is_refused(void **state)
{
    (void)state;
    EXPECT(CLIENT, "\x81\x05Hello", "!this is no WebSocket: a client's frame is not masked");
    EXPECT(SERVER, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "!this is no WebSocket: a server's frame");
    EXPECT(CLIENT, "\x81\x05", "!this is no WebSocket: a client's frame is not masked");
    EXPECT(SERVER, "\xc1\x05Hello", "!this is no WebSocket: reserved bits");
    EXPECT(SERVER, "\x83\x00", "!this is no WebSocket: an unknown opcode");
    EXPECT(SERVER, "\x8b\x00", "!this is no WebSocket: an unknown opcode");
    EXPECT(SERVER, "\x80\x01x", "!this is no WebSocket: a continuation of no message");
    EXPECT(SERVER, "\x01\x01x\x81\x01y", "!this is no WebSocket: a message begins before");
    EXPECT(SERVER, "\x09\x00", "!this is no WebSocket: a control frame");
    EXPECT(SERVER, "\x89\x7e\x00\x7e", "!this is no WebSocket: a control frame");
    EXPECT(SERVER, "\x81\x7e\x00\x7d", "!this is no WebSocket: a length");
    EXPECT(SERVER, "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "!this is no WebSocket: a length");
    EXPECT(SERVER, "\x81\x7f\x80\x00\x00\x00\x00\x01\x00\x00", "!this is no WebSocket: a length");
    EXPECT(SERVER, "\x88\x01\x03", "!this is no WebSocket: a close");
    EXPECT(SERVER, "\x88\x02\x03\xed", "!this is no WebSocket: a close"); /* 1005 */
    EXPECT(SERVER, "\x88\x02\x03\xe7", "!this is no WebSocket: a close"); /* 999 */
    EXPECT(SERVER, "\x88\x03\x03\xe8\xff", "!this is no WebSocket: a close");
}

/* A message beyond the bound comes in parts, which say so. */
static void a_long_message_comes_in_parts(void **state)
{
    (void)state;
    CLEANUP(websocket_reader_free) struct websocket_reader *reader = NULL;
    struct websocket_event event;
    struct detail detail;
    enum { SIZE = WEBSOCKET_PART_MAX + 3 };
    struct buffer out;
    size_t taken = 0, at = 0;
    char *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    memset(bytes, 'x', SIZE);
    buffer_init(&out, SIZE + WEBSOCKET_HEAD_MAX);
    assert_int_equal(websocket_put(&out, CLIENT, WEBSOCKET_BINARY, bytes, SIZE), 0);
    assert_int_equal(websocket_put(&out, CLIENT, WEBSOCKET_BINARY, bytes, SIZE), -ENOBUFS);
    assert_int_equal(websocket_reader_new(CLIENT, &reader), 0);
    assert_int_equal(
        websocket_reader_next(reader, buffer_head(&out), buffer_size(&out), &taken, &event, &detail), 0);
    assert_true(event.kind == WEBSOCKET_GOT_MESSAGE && event.begins && !event.ends);
    assert_int_equal(event.n, WEBSOCKET_PART_MAX);
    assert_memory_equal(event.bytes, bytes, event.n);
    at = taken;
    assert_int_equal(websocket_reader_next(reader, buffer_head(&out) + at, buffer_size(&out) - at, &taken,
                                           &event, &detail),
                     0);
    assert_true(event.kind == WEBSOCKET_GOT_MESSAGE && !event.begins && event.ends);
    assert_int_equal(event.n, 3);
    assert_int_equal(at + taken, buffer_size(&out));
    buffer_free(&out);
    free(bytes);
}

static void what_is_written_is_read_as_it_was(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536 };
    char *bytes = malloc(65536);
    assert_non_null(bytes);
    for (size_t i = 0; i < 65536; i++)
        bytes[i] = (char)(i * 7);
    for (unsigned i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        enum websocket_side side = i % 2 ? CLIENT : SERVER;
        CLEANUP(websocket_reader_free) struct websocket_reader *reader = NULL;
        struct websocket_event event;
        struct detail detail;
        struct buffer out;
        size_t taken = 0, n = sizes[i / 2];
        buffer_init(&out, 70000);
        assert_int_equal(websocket_put(&out, side, WEBSOCKET_BINARY, bytes, n), 0);
        assert_int_equal(websocket_reader_new(side, &reader), 0);
        assert_int_equal(
            websocket_reader_next(reader, buffer_head(&out), buffer_size(&out), &taken, &event, &detail), 0);
        assert_int_equal(taken, buffer_size(&out));
        assert_true(event.kind == WEBSOCKET_GOT_MESSAGE && event.begins && event.ends && event.n == n);
        assert_true(n == 0 || memcmp(event.bytes, bytes, n) == 0);
        buffer_free(&out);
    }
    free(bytes);
}

/* A reason is cut between characters. */
static void a_close_says_what_fits(void **state)
{
    (void)state;
    struct said said;
    struct buffer out;
    char reason[200] = "";
    for (size_t i = 0; i < 60; i++)
        memcpy(reason + 3 * i, "€", 3);
    buffer_init(&out, 1000);
    assert_int_equal(websocket_put_close(&out, SERVER, WEBSOCKET_POLICY, reason), 0);
    read_all(SERVER, (const char *)buffer_head(&out), buffer_size(&out), SIZE_MAX, &said);
    assert_int_equal(strncmp(said.text, "c1008(€", 9), 0);
    assert_int_equal(said.n, 6 + 123 + 1);
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read),
        cmocka_unit_test(what_breaks_the_protocol_is_refused),
        cmocka_unit_test(a_long_message_comes_in_parts),
        cmocka_unit_test(what_is_written_is_read_as_it_was),
        cmocka_unit_test(a_close_says_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
