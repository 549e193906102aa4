/* replay/player: the forms of playing, from files that a ledger and a gate could have left. */
#include "replay/player.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "replay/entries.h"
#include "replay/filter.h"

/* ---- recordings ---- */

struct tape {
    int fd;
    struct chain chain;
    uint64_t at_us;
};

static void put(struct tape *tape, Ipc__Event *event, const void *body, size_t n)
{
    uint8_t head[4096];
    event->at_us = tape->at_us;
    assert_true(ipc__event__get_packed_size(event) <= sizeof head);
    size_t size = ipc__event__pack(event, head);
    assert_int_equal(chain_append(&tape->chain, tape->fd, head, size, body, n), 0);
}

static struct tape tape_new(const char *kind, bool pty)
{
    struct tape tape = { .fd = memfd_create("tape", MFD_CLOEXEC) };
    static const uint8_t key[CHAIN_KEY];
    Ipc__Identity who = IPC__IDENTITY__INIT;
    Ipc__Pty terminal = IPC__PTY__INIT;
    Ipc__Header header = IPC__HEADER__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    char *roles[] = { (char[]){ "agent" } };
    assert_true(tape.fd >= 0);
    assert_int_equal(fd_write_all(tape.fd, magic_recording, ENTRIES_MAGIC, -1), 0);
    chain_start(&tape.chain, CHAIN_V2, key);
    who.name = (char[]){ "agent-1" };
    who.roles = roles;
    who.n_roles = 1;
    terminal.term = (char[]){ "xterm" };
    terminal.columns = 100;
    terminal.rows = 30;
    header.id = (char[]){ "000000000001" };
    header.started_ms = 1700000000000;
    header.identity = &who;
    header.kind = (char *)(uintptr_t)kind;
    header.target = (char[]){ "orders" };
    header.pty = pty ? &terminal : NULL;
    event.what_case = IPC__EVENT__WHAT_HEADER;
    event.header = &header;
    put(&tape, &event, NULL, 0);
    return tape;
}

static void put_output(struct tape *tape, uint64_t at_us, const char *form, const void *bytes, size_t n)
{
    Ipc__Output output = IPC__OUTPUT__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    output.form = (char *)(uintptr_t)form;
    event.what_case = IPC__EVENT__WHAT_OUTPUT;
    event.output = &output;
    tape->at_us = at_us;
    put(tape, &event, bytes, n);
}

#define PUT(tape, at_us, form, literal) put_output(tape, at_us, form, literal, sizeof(literal) - 1)

static void put_input(struct tape *tape, uint64_t at_us, const char *bytes)
{
    Ipc__Input input = IPC__INPUT__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    input.form = (char[]){ "terminal" };
    event.what_case = IPC__EVENT__WHAT_INPUT;
    event.input = &input;
    tape->at_us = at_us;
    put(tape, &event, bytes, strlen(bytes));
}

static void put_request(struct tape *tape, const char *text, bool denied)
{
    ProtobufCBinaryData values[] = { { 3, (uint8_t[]){ 'a', 0x1b, 'b' } }, { 0, NULL } };
    protobuf_c_boolean nulls[] = { 0, 1 };
    Ipc__Request request = IPC__REQUEST__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    request.number = 1;
    request.what = (char[]){ "query" };
    request.verdict = denied ? (char[]){ "deny" } : (char[]){ "allow" };
    request.rule = denied ? (char[]){ "no-drop" } : (char[]){ "sql" };
    request.reason = denied ? (char[]){ "tables stay" } : (char[]){ "" };
    request.code = denied ? (char[]){ "denied" } : (char[]){ "" };
    request.values = values;
    request.nulls = nulls;
    request.n_values = request.n_nulls = denied ? 0 : 2;
    event.what_case = IPC__EVENT__WHAT_REQUEST;
    event.request = &request;
    put(tape, &event, text, strlen(text));
}

static void put_resize(struct tape *tape, uint64_t at_us)
{
    Ipc__Resize resize = IPC__RESIZE__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    resize.columns = 120;
    resize.rows = 40;
    event.what_case = IPC__EVENT__WHAT_RESIZE;
    event.resize = &resize;
    tape->at_us = at_us;
    put(tape, &event, NULL, 0);
}

static void put_end(struct tape *tape, uint64_t at_us)
{
    Ipc__End end = IPC__END__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    end.status = 3;
    event.what_case = IPC__EVENT__WHAT_END;
    event.end = &end;
    tape->at_us = at_us;
    put(tape, &event, NULL, 0);
}

/* Plays with these arguments; malloc'ed text. Closes the tape. */
static char *play(struct tape *tape, int argc, char **argv)
{
    struct player_options options;
    struct detail detail = { "" };
    uint8_t *text = NULL;
    size_t n = 0;
    CLEANUP(fd_close) int out = memfd_create("out", MFD_CLOEXEC);
    assert_int_equal(player_options(argc, argv, 0, &options, &detail), argc);
    int r = player_run(tape->fd, out, -1, &options, &detail);
    if (r)
        fail_msg("%s", detail.text);
    assert_int_equal(fd_contents(out, 1 << 24, &text, &n), 0);
    fd_close(STEAL_FD(tape->fd));
    return (char *)text;
}

#define PLAY(tape, ...)                                                                                      \
    play(tape, sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *), (char *[]){ __VA_ARGS__ })

/* ---- the forms ---- */

static void a_cast_has_header_output_input_and_resize(void **state)
{
    (void)state;
    struct tape tape = tape_new("shell", true);
    PUT(&tape, 500000, "terminal", "\x1b[1mhi\xc3");
    put_input(&tape, 600000, "ls\r");
    PUT(&tape, 1250000, "terminal", "\xbc\"\r\n");
    put_resize(&tape, 2000000);
    put_end(&tape, 2500000);
    char *text = PLAY(&tape, "--cast");
    assert_string_equal(text, "{\"version\":2,\"width\":100,\"height\":30,\"timestamp\":1700000000,"
                              "\"title\":\"agent-1 orders (000000000001)\",\"env\":{\"TERM\":\"xterm\"}}\n"
                              "[0.500000, \"o\", \"\\u001b[1mhi\"]\n"
                              "[0.600000, \"i\", \"ls\\u000d\"]\n"
                              "[1.250000, \"o\", \"\xc3\xbc\\\"\\u000d\\u000a\"]\n"
                              "[2.000000, \"r\", \"120x40\"]\n");
    free(text);
}

static void a_cast_of_version_3_counts_from_event_to_event(void **state)
{
    (void)state;
    struct tape tape = tape_new("shell", true);
    PUT(&tape, 500000, "terminal", "a");
    PUT(&tape, 750000, "terminal", "b");
    PUT(&tape, 600000, "terminal", "c"); /* time never goes back */
    put_end(&tape, 1000000);
    char *text = PLAY(&tape, "--cast=3");
    assert_non_null(strstr(text, "{\"version\":3,\"term\":{\"cols\":100,\"rows\":30,\"type\":\"xterm\"},"));
    assert_non_null(strstr(text,
                           "\n[0.500000, \"o\", \"a\"]\n[0.250000, \"o\", \"b\"]\n[0.000000, \"o\", \"c\"]\n"
                           "[0.250000, \"x\", \"3\"]\n"));
    free(text);
}

static const char result[] = "T\0\0\0\x1c\0\1id\0\0\0\0\0\0\0\0\0\0\x17\0\4\0\0\0\0\0\0"
                             "\0D\0\0\0\x0b\0\1\0\0\0\1"
                             "5C\0\0\0\x0dSELECT 1\0Z\0\0\0\5I";

static void text_shows_statements_values_results_and_refusals(void **state)
{
    (void)state;
    struct tape tape = tape_new("forward", false);
    put_request(&tape, "SELECT id\nFROM t", false);
    put_output(&tape, 10, "postgres", "Z\0\0\0\5I", 6);
    put_request(&tape, "DROP TABLE t", true);
    put_end(&tape, 1000);
    char *text = PLAY(&tape, "--text");
    assert_non_null(
        strstr(text, "# recording 000000000001\n# started   2023-11-14T22:13:20.000Z\n# identity  agent-1\n"
                     "# roles     agent\n"));
    assert_non_null(
        strstr(text, "orders=> SELECT id\norders-> FROM t\n-- $1 = 'a\\x1bb', $2 = NULL\n"
                     "orders=> DROP TABLE t\n-- denied by rule \"no-drop\": tables stay (code denied)\n"));
    assert_non_null(strstr(text, "# ended     status 3, 2 requests, 1 denied\n"));
    free(text);
}

static void a_tools_own_output_is_not_shown_twice(void **state)
{
    (void)state;
    struct tape tape = tape_new("exec", false);
    put_request(&tape, "SELECT 5 AS id", false);
    put_output(&tape, 10, "postgres", result, sizeof result - 1);
    PUT(&tape, 20, "terminal", "psql: five\n");
    char *text = PLAY(&tape, "--text");
    assert_non_null(strstr(text, "orders=> SELECT 5 AS id\n"));
    assert_non_null(strstr(text, "psql: five\n"));
    assert_null(strstr(text, "(1 row)"));
    free(text);
}

static void events_are_json_lines(void **state)
{
    (void)state;
    struct tape tape = tape_new("forward", false);
    put_request(&tape, "DROP TABLE \"t\"", true);
    put_output(&tape, 1500000, "postgres", "Z\0\0\0\5I", 6);
    put_output(&tape, 1600000, "stderr", "oops\xff", 5);
    char *text = PLAY(&tape, "--events");
    assert_non_null(
        strstr(text, "{\"n\":0,\"at_us\":0,\"time\":\"2023-11-14T22:13:20.000Z\",\"event\":\"header\","));
    assert_non_null(strstr(
        text, "\"event\":\"request\",\"number\":1,\"what\":\"query\",\"stream\":0,\"verdict\":\"deny\","
              "\"rule\":\"no-drop\",\"reason\":\"tables stay\",\"code\":\"denied\",\"effects\":[],"
              "\"text\":\"DROP TABLE \\\"t\\\"\"}\n"));
    assert_non_null(
        strstr(text, "{\"n\":2,\"at_us\":1500000,\"time\":\"2023-11-14T22:13:21.500Z\",\"event\":\"output\","
                     "\"stream\":0,\"form\":\"postgres\",\"bytes\":6,\"base64\":\"WgAAAAVJ\"}\n"));
    assert_non_null(strstr(text, "\"text\":\"oops\\ufffd\"}\n"));
    free(text);
}

static void put_transfer(struct tape *tape, bool whole)
{
    static uint8_t sum[32] = { 0xab, [31] = 0xcd };
    Ipc__Transfer t = IPC__TRANSFER__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    t.of = 1;
    t.program = (char[]){ "sftp" };
    t.direction = (char[]){ "upload" };
    t.path = (ProtobufCBinaryData){ 4, (uint8_t *)(char[]){ "/l\x1bk" } };
    t.bytes = 6;
    t.sha256 = (ProtobufCBinaryData){ sizeof sum, sum };
    t.first = whole ? 0 : 2;
    t.length = whole ? 6 : 4;
    t.whole = whole;
    t.has_size = whole;
    t.size = 6;
    t.state = (char[]){ "complete" };
    t.note = (char *)(uintptr_t)(whole ? "" : "not contiguous");
    event.what_case = IPC__EVENT__WHAT_TRANSFER;
    event.transfer = &t;
    put(tape, &event, NULL, 0);
}

static void transfers_are_told_of_with_their_checksums(void **state)
{
    (void)state;
    struct tape tape = tape_new("sftp", false);
    put_transfer(&tape, true);
    put_transfer(&tape, false);
    put_end(&tape, 10);
    struct tape again = { .fd = fd_dup(tape.fd) };
    char *text = PLAY(&tape, "--text"), *events = PLAY(&again, "--events");
    assert_non_null(strstr(text, "-- wrote 6 bytes: /l\\x1bk sha256 ab000000"));
    assert_non_null(strstr(text, "cd, complete\n"));
    assert_non_null(strstr(text, "cd of 4 bytes at 2, complete: not contiguous\n"));
    assert_non_null(strstr(events,
                           "\"event\":\"transfer\",\"of\":1,\"program\":\"sftp\",\"direction\":\"upload\","
                           "\"path\":\"/l\\u001bk\",\"bytes\":6,\"size\":6,\"sha256\":\"ab00"));
    assert_non_null(strstr(events, "cd\",\"first\":2,\"length\":4,\"whole\":false,\"duration_us\":0,"
                                   "\"state\":\"complete\",\"note\":\"not contiguous\"}\n"));
    free(text);
    free(events);
}

static void every_truncation_is_played_to_its_last_whole_event(void **state)
{
    (void)state;
    struct tape tape = tape_new("shell", true);
    PUT(&tape, 1, "terminal", "first\r\n");
    off_t whole = lseek(tape.fd, 0, SEEK_CUR);
    PUT(&tape, 2, "terminal", "second\r\n");
    off_t end = lseek(tape.fd, 0, SEEK_CUR);
    for (off_t size = end - 1; size > whole; size--) {
        struct tape cut = { .fd = dup(tape.fd) };
        assert_int_equal(ftruncate(tape.fd, size), 0);
        char *text = PLAY(&cut, "--text");
        assert_non_null(strstr(text, "first\n"));
        assert_null(strstr(text, "second"));
        assert_non_null(strstr(text, "ends inside an event"));
        free(text);
    }
    close(tape.fd);
}

static void what_is_no_recording_is_refused(void **state)
{
    (void)state;
    struct player_options options = { .form = PLAYER_TEXT };
    struct detail detail = { "" };
    static const char *const contents[] = { "", "short", "GHREC\0\0\3 of the future",
                                            "PNG and so on and on" };
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(fd_close) int fd = memfd_create("x", MFD_CLOEXEC);
        assert_true(write(fd, contents[i], i == 2 ? 12 : strlen(contents[i])) >= 0);
        assert_int_equal(player_run(fd, 1, -1, &options, &detail), -EBADMSG);
        assert_true(detail.text[0]);
    }
    assert_non_null(strstr(detail.text, "no such file"));
}

static void options_are_checked(void **state)
{
    (void)state;
    struct player_options o;
    struct detail detail;
    static char *const good[][2] = {
        { "--speed", "2" }, { "--speed", "0.5" }, { "--idle-limit", "2" }, { "--idle-limit", "500ms" }
    };
    static char *const bad[][2] = { { "--speed", "0" },    { "--speed", "1e9" },    { "--speed", "-1" },
                                    { "--cast=4", "x" },   { "--speed", "" },       { "--what", "x" },
                                    { "--speed", "9999" }, { "--idle-limit", "x" }, { "--speed", "0.0001" },
                                    { "--\x1b[2J", "x" } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(player_options(2, good[i], 0, &o, &detail), 2);
    assert_int_equal(o.idle_limit_us, 500000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(player_options(2, bad[i], 0, &o, &detail), -EINVAL);
    assert_null(strchr(detail.text, 0x1b));
    assert_int_equal(player_options(1, (char *[]){ "--speed" }, 0, &o, &detail), -EINVAL);
    assert_int_equal(player_options(3, (char *[]){ "--speed=2", "--text", "file" }, 0, &o, &detail), 2);
    assert_int_equal(o.speed_permille, 2000);
    assert_int_equal(o.form, PLAYER_TEXT);
}

/* ---- the terminal ---- */

/* Everything that the master side gets until the child ends. */
static size_t read_all(int master, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = n + 1 < size && fd_wait(master, 1, 5000) == 0 ? read(master, out + n, size - 1 - n) : 0;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    out[n] = 0;
    return n;
}

/* Plays in a pty of its own, with these keys typed ahead. */
static void play_in_terminal(struct tape *tape, char **argv, int argc, const char *keys, char *out,
                             size_t size)
{
    int master = -1;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    assert_true(pid >= 0);
    if (pid == 0) {
        struct player_options options;
        int r = player_options(argc, argv, 0, &options, NULL);
        (void)!write(1, "READY", 5);
        _exit(r < 0 ? 1 : player_run(tape->fd, 1, 0, &options, NULL) ? 2 : 0);
    }
    usleep(50000);
    assert_int_equal(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
    (void)read_all(master, out, size);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    close(master);
    close(tape->fd);
}

static void a_terminal_replay_draws_but_does_not_act(void **state)
{
    (void)state;
    char out[8192];
    struct tape tape = tape_new("shell", true);
    PUT(&tape, 1000, "terminal", "\x1b[31mred\x1b[0m\x1b]52;c;ZXZpbA==\x07");
    PUT(&tape, 2000, "terminal", "\x1b[6n\x1bP+q544e\x1b\\\x05 last");
    PUT(&tape, 30000000, "terminal", "after half a minute");
    play_in_terminal(&tape, (char *[]){ "--idle-limit", "0.1" }, 2, "", out, sizeof out);
    assert_non_null(strstr(out, "\x1b[31mred\x1b[0m"));
    assert_non_null(strstr(out, "last"));
    assert_non_null(strstr(out, "after half a minute"));
    assert_null(strstr(out, "]52"));
    assert_null(strstr(out, "[6n"));
    assert_null(strstr(out, "+q"));
    assert_non_null(strstr(out, "end of the recording"));
}

static void keys_step_and_quit(void **state)
{
    (void)state;
    char out[8192];
    struct tape tape = tape_new("shell", true);
    PUT(&tape, 3600000000, "terminal", "one");
    PUT(&tape, 7200000000, "terminal", "two");
    PUT(&tape, 9000000000, "terminal", "three");
    play_in_terminal(&tape, NULL, 0, "..q", out, sizeof out);
    assert_non_null(strstr(out, "one"));
    assert_non_null(strstr(out, "two"));
    assert_null(strstr(out, "three"));
    assert_non_null(strstr(out, "stopped"));
}

/* ---- the filter ---- */

static void the_filter_lets_through_by_list(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain \xc3\xbc\r\n", "plain \xc3\xbc\r\n" },
        { "\x1b[1;31mx\x1b[2;5H\x1b[K", "\x1b[1;31mx\x1b[2;5H\x1b[K" },
        { "\x1b[38:2::1:2:3mx", "\x1b[38:2::1:2:3mx" },
        { "\x1b[?1049h\x1b[?25l", "\x1b[?1049h\x1b[?25l" },
        { "\x1b[?1000hx", "x" },
        { "\x1b[?25;1006hx", "x" },
        { "\x1b[?2004hx", "x" },
        { "\x1b[c\x1b[>c\x1b[6n\x1b[?6n\x1b[21tx", "x" },
        { "\x1b[5ix\x1b[4i", "x" },
        { "\x1b[?69$px", "x" },
        { "\x1b]0;title\x07x", "x" },
        { "\x1b]52;c;AAAA\x1b\\x", "x" },
        { "\x1b]8;;http://x\x1b\\link", "link" },
        { "\x1bP$qm\x1b\\x\x1b_G\x1b\\y\x1b^z\x1b\\", "xy" },
        { "\x1bZ\x05x\x1b#8", "x8" },
        { "\x1b(0lqk\x1b(B", "\x1b(0lqk\x1b(B" },
        { "\xc2\x9b"
          "31mx",
          "31mx" },
        { "\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd" },
        { "\xe2\x82x", "\xef\xbf\xbdx" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step < 100; step += 98) {
            struct filter filter;
            struct buffer out;
            size_t n = strlen(cases[i].in);
            filter_init(&filter, false);
            buffer_init(&out, 4096);
            for (size_t at = 0; at < n; at += step)
                assert_int_equal(filter_run(&filter, (const uint8_t *)cases[i].in + at,
                                            n - at < step ? n - at : step, &out),
                                 0);
            assert_int_equal(buffer_size(&out), strlen(cases[i].out));
            assert_memory_equal(buffer_head(&out), cases[i].out, strlen(cases[i].out));
            buffer_free(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cast_has_header_output_input_and_resize),
        cmocka_unit_test(a_cast_of_version_3_counts_from_event_to_event),
        cmocka_unit_test(text_shows_statements_values_results_and_refusals),
        cmocka_unit_test(a_tools_own_output_is_not_shown_twice),
        cmocka_unit_test(events_are_json_lines),
        cmocka_unit_test(transfers_are_told_of_with_their_checksums),
        cmocka_unit_test(every_truncation_is_played_to_its_last_whole_event),
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_terminal_replay_draws_but_does_not_act),
        cmocka_unit_test(keys_step_and_quit),
        cmocka_unit_test(the_filter_lets_through_by_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
