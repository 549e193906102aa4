/* Streams of exec, attach and port-forward: conversations of a client and a server, and what of them the
 * other side gets. */
#include "said.h"
#include "channels/kube/spdy.h"
#include "channels/kube/upgrade.h"
#include "channels/kube/websocket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXEC     "/api/v1/namespaces/prod/pods/web/exec?command=sh&stdin=true&stdout=true&stderr=true"
#define TTY      EXEC "&tty=true"
#define NO_STDIN "/api/v1/namespaces/prod/pods/web/exec?command=ls&stdout=true"
#define FORWARD  "/api/v1/namespaces/prod/pods/web/portforward"

struct talk {
    struct kube_request *request;
    struct kube_upgrade *upgrade;
    struct said told; /* to the owner */
    struct detail detail;
    bool quiet;   /* output is not told */
    char held[3]; /* of each output, its last byte is held back: of a lane, by its kind */
    struct websocket_reader *messages[2]; /* to each side */
    struct spdy_reader *frames[2];
    struct spdy_packer *packers[2]; /* from each side */
};

/* ---- the owner ---- */

static int opened(void *owner, const struct kube_lane *lane)
{
    struct talk *t = owner;
    say(&t->told, "open(%u)", lane->port);
    return 0;
}

static int closed(void *owner, const struct kube_lane *lane)
{
    struct talk *t = owner;
    say(&t->told, "closed(%u,%d,%d)", lane->port, (int)lane->in, (int)lane->out);
    return 0;
}

static int answered(void *owner, const struct kube_lane *lane, const uint8_t *error, size_t n)
{
    struct talk *t = owner;
    say(&t->told, n ? "failed(%u,%.*s)" : "answered(%u%.*s)", lane->port, (int)n, (const char *)error);
    return 0;
}

static int input(void *owner, const uint8_t *bytes, size_t n)
{
    struct talk *t = owner;
    say(&t->told, "in(%.*s)", (int)n, (const char *)bytes);
    return 0;
}

static int input_ended(void *owner)
{
    struct talk *t = owner;
    say(&t->told, "in-end");
    return 0;
}

static int output(void *owner, const struct kube_lane *lane, const uint8_t *bytes, size_t n,
                  struct buffer *shown)
{
    struct talk *t = owner;
    char *held = &t->held[lane->kind];
    if (!t->quiet)
        say(&t->told, "%s(%.*s)", lane->kind == KUBE_STDOUT ? "out" : "err", (int)n, (const char *)bytes);
    int r = *held ? buffer_put_u8(shown, (uint8_t)*held) : 0;
    *held = (char)bytes[n - 1];
    return r ? r : buffer_append(shown, bytes, n - 1);
}

static int output_ended(void *owner, const struct kube_lane *lane, struct buffer *shown)
{
    struct talk *t = owner;
    char *held = &t->held[lane->kind];
    int r = *held ? buffer_put_u8(shown, (uint8_t)*held) : 0;
    *held = 0;
    return r;
}

static int resized(void *owner, unsigned columns, unsigned rows)
{
    struct talk *t = owner;
    say(&t->told, "%ux%u", columns, rows);
    return 0;
}

static int exited(void *owner, const struct kube_exit *exit)
{
    struct talk *t = owner;
    say(&t->told, exit->known ? "exit(%u,%s)" : "exit(?%.0u%s)", exit->status, exit->message);
    return 0;
}

static const struct kube_upgrade_calls calls = {
    .opened = opened,
    .input = input,
    .input_ended = input_ended,
    .output = output,
    .output_ended = output_ended,
    .resized = resized,
    .exited = exited,
    .closed = closed,
    .answered = answered,
};

/* ---- both sides ---- */

static void begin(struct talk *t, const char *target, enum kube_upgrade_kind kind, const char *protocol)
{
    const struct kube_agreement agreement = { kind, protocol };
    struct detail detail;
    *t = (struct talk){ .quiet = false };
    assert_int_equal(kube_request_read("GET", target, &t->request, &detail), 0);
    assert_int_equal(kube_upgrade_new(t->request, &agreement, &calls, t, &t->upgrade), 0);
    for (unsigned side = 0; side < 2; side++) {
        assert_int_equal(websocket_reader_new(side == KUBE_CLIENT ? WEBSOCKET_OF_SERVER : WEBSOCKET_OF_CLIENT,
                                              &t->messages[side]),
                         0);
        assert_int_equal(spdy_reader_new(&t->frames[side]), 0);
        assert_int_equal(spdy_packer_new(&t->packers[side]), 0);
    }
}

static void finish(struct talk *t)
{
    for (unsigned side = 0; side < 2; side++) {
        websocket_reader_free(t->messages[side]);
        spdy_reader_free(t->frames[side]);
        spdy_packer_free(t->packers[side]);
    }
    kube_upgrade_free(t->upgrade);
    kube_request_free(t->request);
}

/* Consumes it. Byte by byte, which must not matter. */
static int give(struct talk *t, enum kube_side from, struct buffer *bytes)
{
    int r = 0;
    for (size_t i = 0, taken = 0; r == 0 && i < buffer_size(bytes); i += taken)
        r = kube_upgrade_read(t->upgrade, from, buffer_head(bytes) + i, 1, &taken, &t->detail);
    buffer_free(bytes);
    return r;
}

static int says(struct talk *t, enum kube_side from, enum websocket_opcode opcode, const char *bytes,
                size_t n)
{
    struct buffer out;
    buffer_init(&out, 200000);
    assert_int_equal(websocket_put(&out, from == KUBE_CLIENT ? WEBSOCKET_OF_CLIENT : WEBSOCKET_OF_SERVER,
                                   opcode, bytes, n),
                     0);
    return give(t, from, &out);
}
#define MESSAGE(t, from, bytes) says(t, from, WEBSOCKET_BINARY, bytes, sizeof(bytes) - 1)

/* What SPDY writes for a stream. */
static int stream(struct talk *t, uint32_t id, bool fin, const char *type, const char *port)
{
    struct buffer out;
    struct spdy_headers headers = { { { "streamtype", type }, { "x-other", "y" }, { "port", port } },
                                    port ? 3 : 2 };
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_stream(t->packers[KUBE_CLIENT], &out, id, fin, &headers), 0);
    return give(t, KUBE_CLIENT, &out);
}

static int reply(struct talk *t, uint32_t id)
{
    struct buffer out;
    struct spdy_headers headers = { { { "x-of-server", "z" } }, 1 };
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_reply(t->packers[KUBE_SERVER], &out, id, false, &headers), 0);
    return give(t, KUBE_SERVER, &out);
}

static int data(struct talk *t, enum kube_side from, uint32_t id, bool fin, const char *bytes)
{
    struct buffer out;
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_data(&out, id, fin, bytes, strlen(bytes)), 0);
    return give(t, from, &out);
}

static int reset(struct talk *t, enum kube_side from, uint32_t id)
{
    struct buffer out;
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_reset(&out, id, SPDY_CANCEL), 0);
    return give(t, from, &out);
}

/* ---- what they hear ---- */

static void say_bytes(struct said *said, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] >= ' ' && bytes[i] < 0x7f)
            say(said, "%c", bytes[i]);
        else
            say(said, "\\%u", bytes[i]);
}

static void hear_messages(struct talk *t, enum kube_side side, struct said *said)
{
    struct buffer *out = kube_upgrade_out(t->upgrade, side);
    struct websocket_event event;
    size_t taken = 0;
    while (buffer_size(out) > 0) {
        assert_int_equal(websocket_reader_next(t->messages[side], buffer_head(out), buffer_size(out), &taken,
                                               &event, &t->detail),
                         0);
        buffer_consume(out, taken);
        if (event.kind == WEBSOCKET_GOT_NOTHING)
            continue;
        say(said, "%s",
            event.kind == WEBSOCKET_GOT_CLOSE  ? "close"
            : event.kind == WEBSOCKET_GOT_PING ? "ping"
            : event.kind == WEBSOCKET_GOT_PONG ? "pong"
                                               : "");
        if (event.code)
            say(said, "%u", event.code);
        say(said, "[");
        say_bytes(said, event.bytes, event.n);
        say(said, "]");
    }
}

static void hear_frames(struct talk *t, enum kube_side side, const uint8_t *bytes, size_t n,
                        struct said *said)
{
    static const char *const kinds[] = { "", "S", "R", "x", "p", "g", "" };
    struct spdy_event event;
    size_t taken = 0;
    for (size_t at = 0; at < n; at += taken) {
        assert_int_equal(spdy_reader_next(t->frames[side], bytes + at, n - at, &taken, &event, &t->detail),
                         0);
        if (event.kind == SPDY_GOT_NOTHING)
            continue;
        say(said, "%s%u", kinds[event.kind], event.kind == SPDY_GOT_PING ? event.id : event.stream);
        for (size_t i = 0; event.headers && i < event.headers->n; i++)
            say(said, "{%s:%s}", event.headers->pairs[i].name, event.headers->pairs[i].value);
        if (event.kind == SPDY_GOT_DATA) {
            say(said, "[");
            say_bytes(said, event.bytes, event.n);
            say(said, "]");
        }
        say(said, "%s", event.fin ? "." : "");
    }
}

#define HEARS(t, side, wanted) hears(t, side, false, wanted)
#define SEES(t, side, wanted)  hears(t, side, true, wanted)
static void hears(struct talk *t, enum kube_side side, bool spdy, const char *wanted)
{
    struct said said = { .n = 0 };
    struct buffer *out = kube_upgrade_out(t->upgrade, side);
    if (!spdy) {
        hear_messages(t, side, &said);
    } else {
        hear_frames(t, side, buffer_head(out), buffer_size(out), &said);
        buffer_consume(out, buffer_size(out));
    }
    assert_string_equal(said.text, wanted);
}

#define TOLD(t, wanted)                                                                                      \
    do {                                                                                                     \
        assert_string_equal((t)->told.text, wanted);                                                         \
        (t)->told = (struct said){ .n = 0 };                                                                 \
    } while (0)

#define SUCCESS "{\"metadata\":{},\"status\":\"Success\"}"
#define SEVEN                                                                                                \
    "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"exit code 7\",\"reason\":\"NonZeroExitCode\","    \
    "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"7\"}]}}"

/* ---- WebSocket ---- */

static void a_command_over_channels(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    assert_false(kube_upgrade_is_terminal(t.upgrade));
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\1"), 0); /* the server says that it is ready */
    HEARS(&t, KUBE_CLIENT, "[\\1]");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\0abc"), 0);
    HEARS(&t, KUBE_SERVER, "[\\0abc]");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\1xyz"), 0);
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\2err"), 0);
    HEARS(&t, KUBE_CLIENT, "[\\1xy][\\2er]");
    TOLD(&t, "in(abc)out(xyz)err(err)");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\3" SEVEN), 0);
    HEARS(&t, KUBE_CLIENT, "[\\1z][\\2r][\\3" SEVEN "]"); /* what was held comes before it */
    TOLD(&t, "exit(7,exit code 7)");
    assert_int_equal(says(&t, KUBE_SERVER, WEBSOCKET_CLOSE, "\x03\xe8", 2), 0);
    HEARS(&t, KUBE_CLIENT, "close1000[]");
    assert_false(kube_upgrade_is_over(t.upgrade));
    assert_int_equal(says(&t, KUBE_CLIENT, WEBSOCKET_CLOSE, "\x03\xe8", 2), 0);
    HEARS(&t, KUBE_SERVER, "close1000[]");
    assert_true(kube_upgrade_is_over(t.upgrade));
    finish(&t);
}

static void success_is_an_exit_status_too(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\3" SUCCESS), 0);
    TOLD(&t, "exit(0,)");
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\3it failed"), 0);
    TOLD(&t, "exit(?it failed)");
    finish(&t);
}

static void only_the_fifth_version_ends_standard_input(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v5.channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\0abc"), 0);
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\xff\0"), 0);
    HEARS(&t, KUBE_SERVER, "[\\0abc][\\255\\0]");
    TOLD(&t, "in(abc)in-end");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\0more"), KUBE_UPGRADE_ENDED);
    assert_string_equal(t.detail.text, "data after the end of its stream");
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\xff\0"), KUBE_UPGRADE_ENDED);
    finish(&t);
}

static void base64_is_unpacked_and_packed(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.base64.channel.k8s.io");
    assert_int_equal(says(&t, KUBE_CLIENT, WEBSOCKET_TEXT, "0YWJj", 5), 0);
    HEARS(&t, KUBE_SERVER, "[0YWJj]");
    assert_int_equal(says(&t, KUBE_SERVER, WEBSOCKET_TEXT, "1eHl6", 5), 0);
    HEARS(&t, KUBE_CLIENT, "[1eHk=]");
    TOLD(&t, "in(abc)out(xyz)");
    assert_int_equal(says(&t, KUBE_CLIENT, WEBSOCKET_TEXT, "0YW!j", 5), KUBE_UPGRADE_ENDED);
    finish(&t);
}

static void a_terminals_size_is_read_and_written_anew(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, TTY, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    assert_true(kube_upgrade_is_terminal(t.upgrade));
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\4{\"Height\":24, \"Width\":80, \"More\":1}\n"), 0);
    HEARS(&t, KUBE_SERVER, "[\\4{\"Width\":80,\"Height\":24}\\10]");
    TOLD(&t, "80x24");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\4{\"Height\":24, \"Width\":99999}"), KUBE_UPGRADE_ENDED);
    finish(&t);
}

static void pings_go_through(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v5.channel.k8s.io");
    assert_int_equal(says(&t, KUBE_CLIENT, WEBSOCKET_PING, "abc", 3), 0);
    HEARS(&t, KUBE_SERVER, "ping[abc]");
    assert_int_equal(says(&t, KUBE_SERVER, WEBSOCKET_PONG, "abc", 3), 0);
    HEARS(&t, KUBE_CLIENT, "pong[abc]");
    finish(&t);
}

static void what_is_no_stream_of_the_request_ends_it(void **state)
{
    (void)state;
    static const struct {
        const char *target, *why;
        enum kube_side from;
        const char *bytes;
        size_t n;
    } cases[] = {
        { EXEC, "stream 5 is none of this request's", KUBE_CLIENT, "\5x", 2 },
        { EXEC, "stream 9 is none of this request's", KUBE_SERVER, "\x09x", 2 },
        { EXEC, "data on a stream of the other direction", KUBE_CLIENT, "\1x", 2 },
        { EXEC, "data on a stream of the other direction", KUBE_SERVER, "\4x", 2 },
        { NO_STDIN, "standard input was not asked for", KUBE_CLIENT, "\0x", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[512];
        struct talk t;
        begin(&t, cases[i].target, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
        assert_int_equal(says(&t, cases[i].from, WEBSOCKET_BINARY, cases[i].bytes, cases[i].n),
                         KUBE_UPGRADE_ENDED);
        assert_string_equal(t.detail.text, cases[i].why);
        (void)snprintf(
            wanted, sizeof wanted,
            "[\\3{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
            "\"message\":\"gatehouse: %s\",\"reason\":\"Forbidden\",\"code\":403}\\10]close1008[%s]",
            cases[i].why, cases[i].why);
        HEARS(&t, KUBE_CLIENT, wanted);
        HEARS(&t, KUBE_SERVER, "close1001[]");
        assert_true(kube_upgrade_is_over(t.upgrade));
        finish(&t);
    }
}

static void what_was_held_is_shown_before_the_reason(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\1xyz"), 0);
    kube_upgrade_stop(t.upgrade, "enough");
    HEARS(&t, KUBE_CLIENT, "[\\1xy][\\1z][\\3gatehouse: enough]close1008[enough]");
    finish(&t);
}

static void an_endless_error_is_refused(void **state)
{
    (void)state;
    struct talk t;
    static char text[KUBE_ERROR_MAX / 2 + 1];
    memset(text, 'x', sizeof text);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "error", NULL), 0);
    assert_int_equal(reply(&t, 1), 0);
    struct buffer out;
    for (int i = 0; i < 2; i++) {
        buffer_init(&out, 100000);
        assert_int_equal(spdy_put_data(&out, 1, false, text, sizeof text), 0);
        assert_int_equal(give(&t, KUBE_SERVER, &out), i == 0 ? 0 : KUBE_UPGRADE_ENDED);
    }
    assert_string_equal(t.detail.text, "the server says more than 64 KiB of an error");
    finish(&t);
}

static void nothing_is_taken_while_much_waits(void **state)
{
    (void)state;
    struct talk t;
    struct buffer out;
    size_t taken = 0, n;
    static char text[64 * 1024];
    memset(text, 'x', sizeof text);
    text[0] = 1;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    t.quiet = true;
    buffer_init(&out, 400000);
    for (int i = 0; i < 4; i++)
        assert_int_equal(websocket_put(&out, WEBSOCKET_OF_SERVER, WEBSOCKET_BINARY, text, sizeof text), 0);
    n = buffer_size(&out);
    assert_int_equal(kube_upgrade_read(t.upgrade, KUBE_SERVER, buffer_head(&out), n, &taken, &t.detail), 0);
    assert_true(taken > 0 && taken < n);
    assert_false(kube_upgrade_wants(t.upgrade));
    buffer_consume(&out, taken);
    assert_int_equal(
        kube_upgrade_read(t.upgrade, KUBE_SERVER, buffer_head(&out), buffer_size(&out), &taken, &t.detail),
        0);
    assert_int_equal(taken, 0);
    struct buffer *waiting = kube_upgrade_out(t.upgrade, KUBE_CLIENT);
    assert_true(buffer_size(waiting) < KUBE_UPGRADE_WAITING_MAX);
    buffer_consume(waiting, buffer_size(waiting));
    assert_true(kube_upgrade_wants(t.upgrade));
    buffer_free(&out);
    finish(&t);
}

static void a_server_that_goes_leaves_nothing_unsaid(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\1xyz"), 0);
    assert_int_equal(kube_upgrade_close(t.upgrade, KUBE_SERVER), 0);
    HEARS(&t, KUBE_CLIENT, "[\\1xy][\\1z]");
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "error", NULL), 0);
    assert_int_equal(reply(&t, 1), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 1, false, SUCCESS), 0);
    assert_int_equal(kube_upgrade_close(t.upgrade, KUBE_SERVER), 0);
    SEES(&t, KUBE_CLIENT, "R11[" SUCCESS "]1[].");
    TOLD(&t, "exit(0,)");
    finish(&t);
}

/* ---- SPDY ---- */

static void a_command_over_streams(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "error", NULL), 0);
    assert_int_equal(stream(&t, 3, false, "stdin", NULL), 0);
    assert_int_equal(stream(&t, 5, false, "stdout", NULL), 0);
    SEES(&t, KUBE_SERVER, "S1{streamtype:error}S3{streamtype:stdin}S5{streamtype:stdout}");
    assert_int_equal(reply(&t, 1) || reply(&t, 3) || reply(&t, 5), 0);
    SEES(&t, KUBE_CLIENT, "R1R3R5");
    assert_int_equal(data(&t, KUBE_CLIENT, 3, false, "abc"), 0);
    assert_int_equal(data(&t, KUBE_CLIENT, 3, true, ""), 0);
    SEES(&t, KUBE_SERVER, "3[a]3[b]3[c]3[].");
    assert_int_equal(data(&t, KUBE_SERVER, 5, false, "xyz"), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 1, true, SEVEN), 0);
    SEES(&t, KUBE_CLIENT, "5[x]5[y]5[z]1[" SEVEN "]1[].");
    TOLD(&t, "in(a)in(b)in(c)in-endout(x)out(y)out(z)exit(7,exit code 7)");
    assert_int_equal(data(&t, KUBE_SERVER, 5, true, ""), 0);
    SEES(&t, KUBE_CLIENT, "5[].");
    finish(&t);
}

static void what_was_said_before_a_reset_is_told(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "error", NULL), 0);
    assert_int_equal(reply(&t, 1), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 1, false, SUCCESS), 0);
    assert_int_equal(reset(&t, KUBE_SERVER, 1), 0);
    SEES(&t, KUBE_CLIENT, "R11[" SUCCESS "]1[].x1");
    assert_int_equal(data(&t, KUBE_CLIENT, 1, true, ""), 0); /* which it had sent before it knew */
    SEES(&t, KUBE_SERVER, "S1{streamtype:error}");
    TOLD(&t, "exit(0,)");
    finish(&t);
}

static int open_by_server(struct talk *t, uint32_t id)
{
    struct buffer out;
    struct spdy_headers headers = { { { "streamtype", "stdin" } }, 1 };
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_stream(t->packers[KUBE_SERVER], &out, id, false, &headers), 0);
    return give(t, KUBE_SERVER, &out);
}

static void streams_that_are_none_of_the_requests_end_it(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "data", NULL), KUBE_UPGRADE_ENDED);
    assert_true(kube_upgrade_is_over(t.upgrade));
    SEES(&t, KUBE_SERVER, "g0");
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 1, false, "error", NULL), 0);
    assert_int_equal(stream(&t, 3, false, "error", NULL), KUBE_UPGRADE_ENDED);
    SEES(&t, KUBE_CLIENT,
         "R11[{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":"
         "\"gatehouse: a stream that is none of this "
         "request's\",\"reason\":\"Forbidden\",\"code\":403}\\10]1[].g3");
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(stream(&t, 2, false, "error", NULL), KUBE_UPGRADE_ENDED);
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(open_by_server(&t, 2), KUBE_UPGRADE_ENDED);
    finish(&t);
    begin(&t, EXEC, KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io");
    assert_int_equal(data(&t, KUBE_SERVER, 1, false, "x"), KUBE_UPGRADE_ENDED);
    finish(&t);
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    assert_int_equal(stream(&t, 1, false, "data", "0"), KUBE_UPGRADE_ENDED);
    finish(&t);
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    assert_int_equal(stream(&t, 1, false, "data", NULL), KUBE_UPGRADE_ENDED);
    finish(&t);
}

static void forwarded_connections_are_told_and_counted(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    assert_int_equal(stream(&t, 1, true, "error", "8080"), 0);
    assert_int_equal(stream(&t, 3, false, "data", "8080"), 0);
    SEES(&t, KUBE_SERVER, "S1{streamtype:error}{port:8080}1[].S3{streamtype:data}{port:8080}");
    assert_int_equal(reply(&t, 1) || reply(&t, 3), 0);
    assert_int_equal(data(&t, KUBE_CLIENT, 3, true, "ab"), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 3, true, "xyz"), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 1, true, "gone"), 0);
    SEES(&t, KUBE_CLIENT, "R1R33[x]3[y]3[z]3[].1[gone]1[].");
    TOLD(&t, "open(8080)answered(8080)closed(8080,2,3)failed(8080,gone)");
    assert_int_equal(stream(&t, 5, false, "data", "9090"), 0);
    assert_int_equal(data(&t, KUBE_CLIENT, 5, false, "abc"), 0);
    assert_int_equal(kube_upgrade_forget(t.upgrade), 0);
    TOLD(&t, "open(9090)closed(9090,3,0)");
    finish(&t);
}

static void a_connection_that_is_cut_off_was_not_answered(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    assert_int_equal(stream(&t, 1, false, "data", "80") || stream(&t, 3, false, "data", "81"), 0);
    assert_int_equal(reply(&t, 1) || reply(&t, 3), 0);
    assert_int_equal(data(&t, KUBE_SERVER, 1, false, "half"), 0);
    assert_int_equal(reset(&t, KUBE_SERVER, 1), 0);
    TOLD(&t, "open(80)open(81)closed(80,0,4)");
    assert_int_equal(kube_upgrade_close(t.upgrade, KUBE_SERVER), 0);
    assert_int_equal(kube_upgrade_forget(t.upgrade), 0);
    TOLD(&t, "closed(81,0,0)");
    finish(&t);
}

static void the_number_of_streams_is_bounded(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    for (uint32_t i = 0; i < KUBE_LANES_MAX; i++) {
        struct buffer *out = kube_upgrade_out(t.upgrade, KUBE_SERVER);
        assert_int_equal(stream(&t, 2 * i + 1, false, "data", "80"), 0);
        buffer_consume(out, buffer_size(out));
        t.told.n = 0;
    }
    assert_int_equal(stream(&t, 2 * KUBE_LANES_MAX + 1, false, "data", "80"), KUBE_UPGRADE_ENDED);
    assert_string_equal(t.detail.text, "more than 512 streams at once");
    finish(&t);
    begin(&t, FORWARD, KUBE_UPGRADE_STREAMS, "portforward.k8s.io");
    for (uint32_t i = 0; i < 2 * KUBE_LANES_MAX; i++) { /* one after the other there may be any number */
        struct buffer *out = kube_upgrade_out(t.upgrade, KUBE_SERVER);
        assert_int_equal(stream(&t, 2 * i + 1, false, "data", "80"), 0);
        assert_int_equal(reset(&t, KUBE_CLIENT, 2 * i + 1), 0);
        buffer_consume(out, buffer_size(out));
        t.told.n = 0;
    }
    finish(&t);
}

/* ---- ports of a WebSocket ---- */

static void ports_over_channels(void **state)
{
    (void)state;
    struct talk t;
    begin(&t, FORWARD "?ports=8080,9090", KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io");
    TOLD(&t, "open(8080)open(9090)");
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\2\x82\x23"), 0);
    assert_int_equal(MESSAGE(&t, KUBE_SERVER, "\3oops"), 0);
    HEARS(&t, KUBE_CLIENT, "[\\2\\130#][\\3oops]");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\2abc"), 0);
    HEARS(&t, KUBE_SERVER, "[\\2abc]");
    assert_int_equal(MESSAGE(&t, KUBE_CLIENT, "\4abc"), KUBE_UPGRADE_ENDED);
    TOLD(&t, "failed(9090,oops)");
    finish(&t);
}

/* SPDY in the messages: as many as it takes, cut anywhere. */
static void a_tunnel(void **state)
{
    (void)state;
    struct talk t;
    struct buffer inner, out;
    struct spdy_headers headers = { { { "streamtype", "data" }, { "port", "80" }, { "requestid", "0" } }, 3 };
    struct said said = { .n = 0 };
    begin(&t, FORWARD, KUBE_UPGRADE_TUNNEL, "SPDY/3.1+portforward.k8s.io");
    buffer_init(&inner, 10000);
    buffer_init(&out, 10000);
    assert_int_equal(spdy_put_stream(t.packers[KUBE_CLIENT], &inner, 1, false, &headers), 0);
    assert_int_equal(spdy_put_data(&inner, 1, false, "abc", 3), 0);
    assert_int_equal(websocket_put(&out, WEBSOCKET_OF_CLIENT, WEBSOCKET_BINARY, buffer_head(&inner), 21), 0);
    assert_int_equal(websocket_put(&out, WEBSOCKET_OF_CLIENT, WEBSOCKET_BINARY, buffer_head(&inner) + 21,
                                   buffer_size(&inner) - 21),
                     0);
    assert_int_equal(give(&t, KUBE_CLIENT, &out), 0);
    TOLD(&t, "open(80)");
    struct buffer *to = kube_upgrade_out(t.upgrade, KUBE_SERVER);
    while (buffer_size(to) > 0) {
        struct websocket_event event;
        size_t taken = 0;
        assert_int_equal(websocket_reader_next(t.messages[KUBE_SERVER], buffer_head(to), buffer_size(to),
                                               &taken, &event, &t.detail),
                         0);
        buffer_consume(to, taken);
        if (event.kind == WEBSOCKET_GOT_MESSAGE)
            hear_frames(&t, KUBE_SERVER, event.bytes, event.n, &said);
    }
    assert_string_equal(said.text, "S1{streamtype:data}{port:80}{requestid:0}1[abc]");
    assert_int_equal(says(&t, KUBE_CLIENT, WEBSOCKET_TEXT, "x", 1), KUBE_UPGRADE_ENDED);
    buffer_free(&inner);
    finish(&t);
}

/* ---- before it ---- */

static void offer(const char *method, const char *target, const char *fields, const char *wanted)
{
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(http_reader_free) struct http_reader *reader = NULL;
    struct kube_offer offer;
    struct detail detail;
    struct http_event event;
    struct buffer in, out;
    size_t taken = 0;
    buffer_init(&in, 10000);
    buffer_init(&out, 10000);
    assert_int_equal(kube_request_read(method, target, &request, &detail), 0);
    assert_int_equal(
        buffer_printf(&in, "%s %s HTTP/1.1\r\nConnection: upgrade\r\n%s\r\n", method, target, fields), 0);
    assert_int_equal(http_reader_new(HTTP_REQUESTS, &reader), 0);
    assert_int_equal(http_reader_next(reader, buffer_head(&in), buffer_size(&in), &taken, &event, &detail),
                     0);
    int r = kube_offer_read(request, event.head, &offer, &detail);
    if (r)
        assert_int_equal(buffer_printf(&out, "!%s", detail.text), 0);
    else
        assert_int_equal(kube_offer_put(&offer, event.head, &out), 0);
    assert_int_equal(buffer_put_u8(&out, 0), 0);
    assert_string_equal((const char *)buffer_head(&out), wanted);
    buffer_free(&in);
    buffer_free(&out);
}

#define KEY    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define SOCKET "Connection: Upgrade\r\nUpgrade: websocket\r\n" KEY

static void what_is_offered_is_what_is_spoken_here(void **state)
{
    (void)state;
    offer("GET", EXEC,
          "Upgrade: websocket\r\n" KEY "Sec-WebSocket-Protocol: x, v5.channel.k8s.io,v4.channel.k8s.io\r\n",
          SOCKET "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io\r\n");
    offer("GET", EXEC, "Upgrade: WebSocket\r\n" KEY "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          SOCKET);
    offer("POST", EXEC,
          "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nX-Stream-Protocol-Version: "
          "v3.channel.k8s.io\r\n",
          "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: "
          "v4.channel.k8s.io\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n");
    offer("GET", FORWARD,
          "Upgrade: websocket\r\n" KEY "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n",
          SOCKET "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n");
}

static void other_upgrades_are_refused(void **state)
{
    (void)state;
    offer("GET", EXEC, "Upgrade: h2c\r\n", "!the protocols here are websocket and SPDY/3.1");
    offer("GET", EXEC, "Upgrade: websocket, SPDY/3.1\r\n" KEY,
          "!the protocols here are websocket and SPDY/3.1");
    offer("GET", "/api/v1/namespaces/prod/pods/web/proxy/x", "Upgrade: websocket\r\n" KEY,
          "!only exec, attach and portforward of pods change the protocol here");
    offer("GET", "/api/v1/pods?watch=true", "Upgrade: websocket\r\n" KEY,
          "!only exec, attach and portforward of pods change the protocol here");
    offer("POST", EXEC, "Upgrade: websocket\r\n" KEY, "!a WebSocket begins with GET");
    offer("GET", EXEC, "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n",
          "!WebSocket is spoken in version 13");
    offer("GET", EXEC, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n",
          "!the WebSocket's key is not as it has to be");
    offer("GET", EXEC, "Upgrade: websocket\r\n" KEY "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n",
          "!none of the versions in Sec-WebSocket-Protocol is spoken here");
    offer("POST", EXEC, "Upgrade: SPDY/3.1\r\n",
          "!none of the versions in X-Stream-Protocol-Version is spoken here");
}

static void agree(bool websocket, const char *protocol, const char *fields, const char *wanted)
{
    CLEANUP(http_reader_free) struct http_reader *reader = NULL;
    const struct kube_offer offer = { websocket, { protocol }, protocol ? 1 : 0 };
    struct kube_agreement agreement;
    struct detail detail;
    struct http_event event;
    struct buffer in, out;
    size_t taken = 0;
    buffer_init(&in, 10000);
    buffer_init(&out, 10000);
    assert_int_equal(
        buffer_printf(&in, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n%s\r\n", fields), 0);
    assert_int_equal(http_reader_new(HTTP_RESPONSES, &reader), 0);
    assert_int_equal(http_reader_next(reader, buffer_head(&in), buffer_size(&in), &taken, &event, &detail),
                     0);
    int r = kube_agreement_read(&offer, event.head, &agreement, &detail);
    if (r)
        assert_int_equal(buffer_printf(&out, "!%s", detail.text), 0);
    else
        assert_int_equal(kube_agreement_put(&agreement, event.head, &out), 0);
    assert_int_equal(buffer_put_u8(&out, 0), 0);
    assert_string_equal((const char *)buffer_head(&out), wanted);
    buffer_free(&in);
    buffer_free(&out);
}

#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void only_what_was_offered_can_be_agreed_on(void **state)
{
    (void)state;
    agree(
        true, "v4.channel.k8s.io",
        "Upgrade: websocket\r\nServer: x\r\n" ACCEPT "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n" ACCEPT);
    agree(true, NULL, "Upgrade: websocket\r\n" ACCEPT,
          "Connection: Upgrade\r\nUpgrade: websocket\r\n" ACCEPT);
    agree(true, NULL, "Upgrade: websocket\r\nSec-WebSocket-Protocol:\r\n" ACCEPT,
          "Connection: Upgrade\r\nUpgrade: websocket\r\n" ACCEPT);
    agree(false, "portforward.k8s.io",
          "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n",
          "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n");
    agree(true, "v4.channel.k8s.io", "Upgrade: websocket\r\n" ACCEPT,
          "!the server agrees to what was not offered");
    agree(true, "v4.channel.k8s.io",
          "Upgrade: websocket\r\n" ACCEPT "Sec-WebSocket-Protocol: channel.k8s.io\r\n",
          "!the server agrees to what was not offered");
    agree(true, NULL, "Upgrade: SPDY/3.1\r\n" ACCEPT, "!the server agrees to what was not offered");
    agree(true, NULL, "Upgrade: websocket\r\n", "!the server's handshake is none");
    agree(true, NULL, "Upgrade: websocket\r\n" ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n",
          "!the server agrees to an extension");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_over_channels),
        cmocka_unit_test(success_is_an_exit_status_too),
        cmocka_unit_test(only_the_fifth_version_ends_standard_input),
        cmocka_unit_test(base64_is_unpacked_and_packed),
        cmocka_unit_test(a_terminals_size_is_read_and_written_anew),
        cmocka_unit_test(pings_go_through),
        cmocka_unit_test(what_is_no_stream_of_the_request_ends_it),
        cmocka_unit_test(what_was_held_is_shown_before_the_reason),
        cmocka_unit_test(an_endless_error_is_refused),
        cmocka_unit_test(nothing_is_taken_while_much_waits),
        cmocka_unit_test(a_server_that_goes_leaves_nothing_unsaid),
        cmocka_unit_test(a_command_over_streams),
        cmocka_unit_test(what_was_said_before_a_reset_is_told),
        cmocka_unit_test(streams_that_are_none_of_the_requests_end_it),
        cmocka_unit_test(forwarded_connections_are_told_and_counted),
        cmocka_unit_test(a_connection_that_is_cut_off_was_not_answered),
        cmocka_unit_test(the_number_of_streams_is_bounded),
        cmocka_unit_test(ports_over_channels),
        cmocka_unit_test(a_tunnel),
        cmocka_unit_test(what_is_offered_is_what_is_spoken_here),
        cmocka_unit_test(other_upgrades_are_refused),
        cmocka_unit_test(only_what_was_offered_can_be_agreed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
