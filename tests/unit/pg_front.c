/* Conversations: bytes of a client, and what the server may see of them; bytes of the server, and what the
 * client may. No sockets: front and back are given bytes and asked for bytes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/pg/back.h"

#define BYTES(text) (text), sizeof(text) - 1

enum { RECORDING_MAX = 64 * 1024 * 1024 };

struct session {
    struct front front;
    struct back back;
    struct rulebook *rulebook;
    struct circumstances who;
    struct recorder *recorder;
    int recording;
};

/* ---- building ---- */

static struct rulebook *rules(void)
{
    static char drop[] = "drop", any[] = "*", *kinds[] = { drop }, *targets[] = { any };
    static Ipc__Match match, *matches[] = { &match };
    static Ipc__Rule rule[2], *both[] = { &rule[0], &rule[1] };
    static Ipc__Config config;
    struct rulebook *rulebook = NULL;
    ipc__config__init(&config);
    ipc__match__init(&match);
    match.statements = kinds;
    match.n_statements = 1;
    for (size_t i = 0; i < 2; i++) {
        ipc__rule__init(&rule[i]);
        rule[i].targets = targets;
        rule[i].n_targets = 1;
    }
    rule[0].name = (char *)(uintptr_t) "no-drop";
    rule[0].action = (char *)(uintptr_t) "deny";
    rule[0].reason = (char *)(uintptr_t) "nothing is dropped";
    rule[0].match = matches;
    rule[0].n_match = 1;
    rule[1].name = (char *)(uintptr_t) "rest";
    rule[1].action = (char *)(uintptr_t) "allow";
    rule[1].anything = true;
    config.rules = both;
    config.n_rules = 2;
    assert_int_equal(rulebook_new(&config, &rulebook), 0);
    return rulebook;
}

static void begin(struct session *s)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.id = (char *)(uintptr_t) "x";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    *s = (struct session){ .rulebook = rules(), .who = { .target = "test" } };
    s->recording = memfd_create("recording", MFD_CLOEXEC);
    assert_int_equal(recorder_new(dup(s->recording), &answer, RECORDING_MAX, false, &s->recorder), 0);
    assert_int_equal(front_init(&s->front, s->rulebook, &s->who, NULL, s->recorder, 1), 0);
    back_init(&s->back, &s->front, false, true);
    s->front.text_kind = TEXT_UTF8;
    memset(s->front.refusals.nonce, '0', REFUSAL_NONCE);
}

static void end(struct session *s)
{
    front_free(&s->front);
    back_free(&s->back);
    recorder_free(s->recorder);
    rulebook_free(s->rulebook);
    fd_close(s->recording);
}

static bool is_recorded(const struct session *s, const char *text)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_int_equal(fd_contents(s->recording, RECORDING_MAX, &bytes, &n), 0);
    assert_true(lseek(s->recording, 0, SEEK_END) >= 0);
    bool found = memmem(bytes, n, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

static int say(struct session *s, const void *bytes, size_t n)
{
    assert_int_equal(buffer_append(&s->front.lane.in, bytes, n), 0);
    return front_take(&s->front);
}

static int answer(struct session *s, const void *bytes, size_t n)
{
    assert_int_equal(buffer_append(&s->back.lane.in, bytes, n), 0);
    return back_take(&s->back);
}

/* What went out is exactly this; it is taken. */
static void assert_out(struct lane *lane, const char *bytes, size_t n)
{
    assert_int_equal(buffer_size(&lane->out), n);
    assert_memory_equal(buffer_head(&lane->out), bytes, n);
    lane_forget(lane);
}

/* ---- the client's side ---- */

#define WORD "gatehouse_0000000000000000_"
/* "…1 refused by rule no-drop": 53 bytes with its NUL. */
#define FAIL(number)                     WORD number " refused by rule no-drop\0"
#define FAIL_PARSE(name, length, number) "P\0\0\0" length name "\0" FAIL(number) "\0\0"
#define SYNC                             "S\0\0\0\4"
#define SELECT_QUERY                     "Q\0\0\0\x0dselect 1\0"
#define DROP_QUERY                                                                                           \
    "Q\0\0\0\x11"                                                                                            \
    "drop table t\0"
#define SELECT_PARSE "P\0\0\0\x10\0select 1\0\0\0"
#define DROP_PARSE                                                                                           \
    "P\0\0\0\x14\0"                                                                                          \
    "drop table t\0\0\0"
#define BIND    "B\0\0\0\x0c\0\0\0\0\0\0\0\0"
#define EXECUTE "E\0\0\0\x09\0\0\0\0\0"

static void each_conversation_goes_out_as_it_should(void **state)
{
    static const struct {
        const char *in;
        size_t in_n;
        const char *out;
        size_t out_n;
    } cases[] = {
        { BYTES(SELECT_QUERY), BYTES(SELECT_QUERY) },
        { BYTES(DROP_QUERY), BYTES("Q\0\0\0\x39" FAIL("1")) },
        { BYTES(SELECT_QUERY DROP_QUERY SELECT_QUERY),
          BYTES(SELECT_QUERY "Q\0\0\0\x39" FAIL("2") SELECT_QUERY) },
        { BYTES(SELECT_PARSE BIND EXECUTE SYNC), BYTES(SELECT_PARSE BIND EXECUTE SYNC) },
        { BYTES(DROP_PARSE BIND EXECUTE SYNC), BYTES(FAIL_PARSE("", "\x3c", "1") SYNC) },
        { BYTES(DROP_PARSE SELECT_QUERY SYNC SELECT_QUERY),
          BYTES(FAIL_PARSE("", "\x3c", "1") SYNC SELECT_QUERY) },
        { BYTES(SELECT_PARSE DROP_PARSE DROP_PARSE BIND EXECUTE SYNC),
          BYTES(SELECT_PARSE FAIL_PARSE("", "\x3c", "2") SYNC) },
        { BYTES(DROP_PARSE "X\0\0\0\4"), BYTES(FAIL_PARSE("", "\x3c", "1") "X\0\0\0\4") },
        { BYTES("Q\0\0\0\x05\0"), BYTES("Q\0\0\0\x05\0") },
        { BYTES("d\0\0\0\x08"
                "dataH\0\0\0\4c\0\0\0\4f\0\0\0\5\0"),
          BYTES("d\0\0\0\x08"
                "dataH\0\0\0\4c\0\0\0\4f\0\0\0\5\0") },
        { BYTES("D\0\0\0\6S\0C\0\0\0\6P\0"), BYTES("D\0\0\0\6S\0C\0\0\0\6P\0") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session s;
        begin(&s);
        assert_int_equal(say(&s, cases[i].in, cases[i].in_n), 0);
        assert_out(&s.front.lane, cases[i].out, cases[i].out_n);
        end(&s);
        /* And the same when every byte comes alone. */
        begin(&s);
        for (size_t at = 0; at < cases[i].in_n; at++)
            assert_int_equal(say(&s, cases[i].in + at, 1), 0);
        assert_out(&s.front.lane, cases[i].out, cases[i].out_n);
        end(&s);
    }
}

static void broken_messages_are_malformed_and_nothing_goes_out(void **state)
{
    static const struct {
        const char *in;
        size_t n;
    } cases[] = {
        { BYTES("Q\0\0\0\3") },
        { BYTES("Q\0\0\0\x0d"
                "select 1!") },
        { BYTES("p\0\0\0\5x") },
        { BYTES("Z\0\0\0\5I") },
        { BYTES("S\0\0\0\5x") },
        { BYTES("E\0\0\0\5\0") },
        { BYTES("E\0\1\0\5") },
        { BYTES("D\0\0\0\6Q\0") },
        { BYTES("P\0\0\0\6\0\0") },
        { BYTES("B\0\0\0\6\0\0") },
        { BYTES("C\0\0\0\5S") },
        { BYTES("\0\0\0\0\4") },
        { BYTES("R\0\0\0\x08\0\0\0\0") },
        { BYTES(SELECT_PARSE BIND "D\0\0\0\6x\0") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session s;
        begin(&s);
        assert_int_equal(say(&s, cases[i].in, cases[i].n), FRONT_MALFORMED);
        assert_true(s.front.why.text[0]);
        assert_int_equal(buffer_size(&s.front.lane.out), 0);
        end(&s);
    }
}

static void requests_are_recorded_before_they_go_out(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(SELECT_QUERY DROP_QUERY)), 0);
    assert_true(is_recorded(&s, "select 1"));
    assert_true(is_recorded(&s, "drop table t"));
    assert_true(is_recorded(&s, "no-drop"));
    end(&s);
}

static void without_a_recording_nothing_goes_out(void **state)
{
    struct session s;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    (void)state;
    static const struct {
        const char *in;
        size_t n;
    } cases[] = {
        { BYTES(SELECT_QUERY) }, { BYTES(DROP_QUERY) }, { BYTES(SELECT_PARSE) }, { BYTES("d\0\0\0\5x") }
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
        Ipc__AnswerRecording answer_full = IPC__ANSWER_RECORDING__INIT;
        answer_full.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
        answer_full.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
        begin(&s);
        recorder_free(s.recorder);
        assert_int_equal(recorder_new(dup(full), &answer_full, 100, false, &s.recorder), 0);
        s.front.recorder = s.recorder;
        assert_int_equal(say(&s, cases[i].in, cases[i].n), FRONT_UNRECORDED);
        assert_int_equal(buffer_size(&s.front.lane.out), 0);
        assert_int_equal(answer(&s, BYTES("Z\0\0\0\5I")), BACK_UNRECORDED);
        assert_int_equal(buffer_size(&s.back.lane.out), 0);
        end(&s);
    }
    fd_close(full);
}

static void a_bind_is_recorded_with_its_values(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(SELECT_PARSE "B\0\0\0\x15\0\0\0\0\0\1\0\0\0\5value\0\0" EXECUTE SYNC)), 0);
    assert_true(is_recorded(&s, "value"));
    assert_true(is_recorded(&s, "execute"));
    assert_false(is_recorded(&s, "bind"));
    assert_int_equal(recorder_next(s.recorder), 3);
    end(&s);
}

static void a_long_bind_streams_and_its_beginning_is_checked(void **state)
{
    enum { VALUE = 4 * FRONT_BIND_MAX };
    static uint8_t chunk[LANE_READ_MIN];
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(SELECT_PARSE)), 0);
    lane_forget(&s.front.lane);
    const uint32_t size = 4 + 8 + 4 + VALUE;
    const uint8_t head[] = {
        'B', 0, (uint8_t)(size >> 16),  (uint8_t)(size >> 8),  (uint8_t)size, 0, 0, 0, 0, 0,
        1,   0, (uint8_t)(VALUE >> 16), (uint8_t)(VALUE >> 8), (uint8_t)VALUE
    };
    assert_int_equal(say(&s, head, sizeof(head)), 0);
    size_t most = 0, out = 0;
    for (size_t sent = 0; sent < VALUE + 2; sent += sizeof(chunk)) {
        size_t n = VALUE + 2 - sent < sizeof(chunk) ? VALUE + 2 - sent : sizeof(chunk);
        assert_int_equal(say(&s, chunk, n), 0);
        most = buffer_size(&s.front.lane.in) > most ? buffer_size(&s.front.lane.in) : most;
        out += buffer_size(&s.front.lane.out);
        lane_forget(&s.front.lane);
    }
    assert_int_equal(out, 1 + size);
    assert_true(most <= FRONT_BIND_MAX + sizeof(chunk));
    assert_int_equal(say(&s, BYTES(SYNC)), 0);
    assert_out(&s.front.lane, BYTES(SYNC));
    end(&s);
}

static void a_statement_beyond_the_limit_is_refused_while_its_bytes_are_dropped(void **state)
{
    static uint8_t chunk[1024 * 1024];
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES("Q\x3f\xff\xff\xff")), 0);
    assert_true(buffer_size(&s.front.lane.out) > 0);
    lane_forget(&s.front.lane);
    size_t left = 0x3fffffff - 4;
    while (left > 0) {
        size_t n = left < sizeof(chunk) ? left : sizeof(chunk);
        assert_int_equal(say(&s, chunk, n), 0);
        assert_int_equal(buffer_size(&s.front.lane.in) + buffer_size(&s.front.lane.out), 0);
        left -= n;
    }
    assert_int_equal(say(&s, BYTES(SELECT_QUERY)), 0);
    assert_out(&s.front.lane, BYTES(SELECT_QUERY));
    assert_true(is_recorded(&s, "limit"));
    end(&s);
}

static void copied_data_is_recorded_across_pieces(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES("d\0\0\0\x14"
                                   "first half,")),
                     0);
    assert_int_equal(say(&s, BYTES("other" SELECT_QUERY)), 0);
    assert_true(is_recorded(&s, "first half,"));
    assert_true(is_recorded(&s, "other"));
    assert_out(&s.front.lane, BYTES("d\0\0\0\x14"
                                    "first half,other" SELECT_QUERY));
    end(&s);
}

static void statements_nobody_prepared_are_refused(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(BIND EXECUTE SYNC)), 0);
    assert_true(buffer_size(&s.front.lane.out) > sizeof(SYNC) - 1);
    assert_int_equal(*buffer_head(&s.front.lane.out), 'P');
    lane_forget(&s.front.lane);
    assert_int_equal(say(&s, BYTES("Q\0\0\0\x0e"
                                   "execute p\0")),
                     0);
    assert_non_null(
        memmem(buffer_head(&s.front.lane.out), buffer_size(&s.front.lane.out), WORD, sizeof(WORD) - 1));
    end(&s);
}

static void sql_level_prepare_and_deallocate_are_followed(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES("Q\0\0\0\x1a"
                                   "prepare p as select 1\0")),
                     0);
    assert_non_null(prepared_find(&s.front.prepared, "p"));
    lane_forget(&s.front.lane);
    assert_int_equal(say(&s, BYTES("Q\0\0\0\x0e"
                                   "execute p\0")),
                     0);
    assert_out(&s.front.lane, BYTES("Q\0\0\0\x0e"
                                    "execute p\0"));
    assert_int_equal(say(&s, BYTES("Q\0\0\0\x11"
                                   "deallocate p\0")),
                     0);
    assert_true(prepared_find(&s.front.prepared, "p")->closed);
    end(&s);
}

/* ---- the server's side ---- */

#define READY          "Z\0\0\0\5I"
#define ROW            "D\0\0\0\x0b\0\1\0\0\0\1x"
#define SYNTAX(number) "E\0\0\0\x4bSERROR\0C42601\0Msyntax error at or near \"" WORD number "\"\0\0"

static void messages_of_a_server_pass(void **state)
{
    static const struct {
        const char *in;
        size_t n;
    } cases[] = {
        { BYTES(ROW ROW READY) },
        { BYTES("1\0\0\0\4"
                "2\0\0\0\4n\0\0\0\4C\0\0\0\x0dSELECT 1\0" READY) },
        { BYTES("E\0\0\0\x15SERROR\0Mnothing\0\0" READY) },
        { BYTES("S\0\0\0\x11TimeZone\0UTC\0") },
        { BYTES("A\0\0\0\x0e\0\0\0\7"
                "chan\0\0") },
        { BYTES("G\0\0\0\7\0\0\0"
                "H\0\0\0\7\0\0\0"
                "d\0\0\0\6ab"
                "c\0\0\0\4") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session s;
        begin(&s);
        for (size_t at = 0; at < cases[i].n; at++)
            assert_int_equal(answer(&s, cases[i].in + at, 1), 0);
        assert_out(&s.back.lane, cases[i].in, cases[i].n);
        end(&s);
    }
}

static void the_servers_failure_is_replaced_by_our_words(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(DROP_QUERY)), 0);
    assert_int_equal(answer(&s, BYTES(ROW SYNTAX("1") READY)), 0);
    const uint8_t *out = buffer_head(&s.back.lane.out);
    size_t n = buffer_size(&s.back.lane.out);
    assert_memory_equal(out, ROW, sizeof(ROW) - 1);
    assert_memory_equal(out + n - 6, READY, 6);
    assert_null(memmem(out, n, "syntax", 6));
    assert_non_null(memmem(out, n, "C42501", 6));
    assert_non_null(memmem(out, n, "denied by rule \"no-drop\": nothing is dropped", 44));
    assert_non_null(memmem(out, n, "code=denied rule=no-drop request=1", 34));
    assert_true(is_recorded(&s, "denied by rule"));
    end(&s);
}

static void a_failure_without_our_word_is_the_servers_own(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(say(&s, BYTES(DROP_QUERY)), 0);
    assert_int_equal(answer(&s, BYTES("E\0\0\0\x14SERROR\0Mmemory\0\0")), 0);
    assert_out(&s.back.lane, BYTES("E\0\0\0\x14SERROR\0Mmemory\0\0"));
    end(&s);
}

static void the_servers_key_is_swallowed(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    assert_int_equal(answer(&s, BYTES("K\0\0\0\x0c\0\0\0\1key!" READY)), 0);
    assert_out(&s.back.lane, BYTES(READY));
    end(&s);
}

static void what_no_server_says_ends_the_session(void **state)
{
    static const struct {
        const char *in;
        size_t n;
    } cases[] = {
        { BYTES("Q\0\0\0\4") },   { BYTES("R\0\0\0\x08\0\0\0\0") }, { BYTES("W\0\0\0\7\0\0\0") },
        { BYTES("\0\0\0\0\0") },  { BYTES("D\0\0\0\3") },           { BYTES("Z\0\0\0\5X") },
        { BYTES("Z\0\0\0\6II") }, { BYTES("S\0\0\0\6a\0") },        { BYTES("S\0\2\0\0") },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session s;
        begin(&s);
        assert_int_equal(answer(&s, cases[i].in, cases[i].n), BACK_MALFORMED);
        assert_int_equal(buffer_size(&s.back.lane.out), 0);
        end(&s);
    }
}

static void settings_that_blind_the_parser_end_the_session(void **state)
{
    static const struct {
        const char *name, *value;
        int result;
    } cases[] = {
        { "standard_conforming_strings", "on", 0 },
        { "standard_conforming_strings", "off", BACK_UNSAFE },
        { "client_encoding", "UTF8", 0 },
        { "client_encoding", "SJIS", BACK_UNSAFE },
        { "client_encoding", "LATIN1", 0 },
        { "client_encoding", "", BACK_UNSAFE },
        { "TimeZone", "off", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session s;
        struct buffer bytes;
        begin(&s);
        buffer_init(&bytes, 4096);
        assert_int_equal(pg_put_setting(&bytes, cases[i].name, cases[i].value), 0);
        assert_int_equal(answer(&s, buffer_head(&bytes), buffer_size(&bytes)), cases[i].result);
        assert_int_equal(buffer_size(&s.back.lane.out) > 0, cases[i].result == 0);
        buffer_free(&bytes);
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_conversation_goes_out_as_it_should),
        cmocka_unit_test(broken_messages_are_malformed_and_nothing_goes_out),
        cmocka_unit_test(requests_are_recorded_before_they_go_out),
        cmocka_unit_test(without_a_recording_nothing_goes_out),
        cmocka_unit_test(a_bind_is_recorded_with_its_values),
        cmocka_unit_test(a_long_bind_streams_and_its_beginning_is_checked),
        cmocka_unit_test(a_statement_beyond_the_limit_is_refused_while_its_bytes_are_dropped),
        cmocka_unit_test(copied_data_is_recorded_across_pieces),
        cmocka_unit_test(statements_nobody_prepared_are_refused),
        cmocka_unit_test(sql_level_prepare_and_deallocate_are_followed),
        cmocka_unit_test(messages_of_a_server_pass),
        cmocka_unit_test(the_servers_failure_is_replaced_by_our_words),
        cmocka_unit_test(a_failure_without_our_word_is_the_servers_own),
        cmocka_unit_test(the_servers_key_is_swallowed),
        cmocka_unit_test(what_no_server_says_ends_the_session),
        cmocka_unit_test(settings_that_blind_the_parser_end_the_session),
    };
    sql_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
