/* Statements that wait for people, in the front alone: what goes to the server at which step, and what
 * exactly is agreed to. No sockets, no ledger: the test says what people say. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/pg/back.h"
#include "channels/pg/front_hold.h"
#include "policy/config_parse.h"

enum { RECORDING_MAX = 64 * 1024 * 1024 };

static const char yaml[] =
    "listen: [\"127.0.0.1:2222\"]\nstate: state\nroles: [{ name: agent }, { name: dba }, { name: security "
    "}]\n"
    "targets:\n  - { name: orders, kind: postgres, address: \"127.0.0.1:1\", database: shop, login: app, "
    "credential: c, tls: disable }\n"
    "rules:\n"
    "  - { name: secret, targets: [orders], action: approve, match: { tables: [salaries] }, "
    "approve: { by: [security], preview: none } }\n"
    "  - { name: outside, targets: [orders], action: approve, match: { statements: [truncate] }, "
    "approve: { by: [dba], preview: none, in_transaction: deny } }\n"
    "  - { name: held, targets: [orders], action: approve, match: { statements: [delete] }, "
    "approve: { by: [dba], preview: none } }\n"
    "  - { name: rest, targets: [orders], action: allow, match: anything }\n";

struct session {
    struct front front;
    struct back back;
    struct recorder *recorder;
    int recording;
};

static Ipc__Config *config;
static struct rulebook *book;
static char *agent[] = { (char[]){ "agent" } };
static const struct circumstances who = {
    .roles = agent, .n_roles = 1, .target = "orders", .database = "shop"
};
static const struct approval_subject subject = { "sql", "local/agent-7", "", "orders", "app", "policy" };

static int make(void **state)
{
    struct config_faults faults = { 0 };
    (void)state;
    int r = config_parse("/hold.yaml", (const uint8_t *)yaml, strlen(yaml), false, &config, &faults);
    config_faults_print(&faults, "hold.yaml", stderr);
    config_faults_free(&faults);
    sql_start();
    return r ? -1 : rulebook_new(config, &book);
}

static int unmake(void **state)
{
    (void)state;
    rulebook_free(book);
    ipc__config__free_unpacked(config, NULL);
    return 0;
}

static void begin(struct session *s)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.id = (char *)(uintptr_t) "x";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    *s = (struct session){ .recording = memfd_create("recording", MFD_CLOEXEC) };
    assert_int_equal(recorder_new(dup(s->recording), &answer, RECORDING_MAX, false, &s->recorder), 0);
    assert_int_equal(front_init(&s->front, book, &who, NULL, s->recorder, 1), 0);
    back_init(&s->back, &s->front, false, true);
    s->front.text_kind = TEXT_UTF8;
    s->front.hold.subject = &subject;
}

static void end(struct session *s)
{
    front_free(&s->front);
    back_free(&s->back);
    recorder_free(s->recorder);
    fd_close(s->recording);
}

/* ---- a client ---- */

static void put_message(struct session *s, char type, const struct buffer *body)
{
    struct buffer *in = &s->front.lane.in;
    assert_int_equal(buffer_put_u8(in, (uint8_t)type), 0);
    assert_int_equal(buffer_put_u32(in, (uint32_t)buffer_size(body) + 4), 0);
    assert_int_equal(buffer_append(in, buffer_head(body), buffer_size(body)), 0);
}

static void query(struct session *s, const char *sql)
{
    assert_int_equal(pg_put_query(&s->front.lane.in, sql), 0);
    assert_int_equal(front_take(&s->front), 0);
}

static void parse(struct session *s, const char *sql, uint32_t type)
{
    struct buffer body;
    buffer_init(&body, 1 << 20);
    assert_int_equal(buffer_put_u8(&body, 0), 0);
    assert_int_equal(buffer_put_cstring(&body, sql), 0);
    assert_int_equal(buffer_put_u16(&body, 1), 0);
    assert_int_equal(buffer_put_u32(&body, type), 0);
    put_message(s, 'P', &body);
    buffer_free(&body);
    assert_int_equal(front_take(&s->front), 0);
}

static void bind(struct session *s, const char *value, size_t n)
{
    struct buffer body;
    buffer_init(&body, 16 << 20);
    assert_int_equal(buffer_put_u32(&body, 0), 0); /* two names, no format */
    assert_int_equal(buffer_put_u16(&body, 1), 0);
    assert_int_equal(buffer_put_string(&body, value, n), 0);
    assert_int_equal(buffer_put_u16(&body, 0), 0);
    put_message(s, 'B', &body);
    buffer_free(&body);
    assert_int_equal(front_take(&s->front), 0);
}

static size_t sent(struct session *s)
{
    size_t n = buffer_size(&s->front.lane.out);
    lane_forget(&s->front.lane);
    return n;
}

static bool out_has(struct session *s, const char *text)
{
    const struct buffer *out = &s->front.lane.out;
    size_t n = buffer_size(out);
    bool found = n > 0 && memmem(buffer_head(out), n, text, strlen(text)) != NULL;
    lane_forget(&s->front.lane);
    return found;
}

/* ---- the people ---- */

static void resumed(struct session *s)
{
    front_resume(&s->front, NULL);
    assert_int_equal(front_take(&s->front), 0);
}

static void all_agree(struct session *s)
{
    assert_int_equal(s->front.hold.state, HOLD_DUE);
    front_hold_asked(&s->front);
    front_hold_agreed(&s->front);
    resumed(s);
    assert_int_equal(s->front.hold.state, HOLD_USE_DUE);
    assert_int_equal(sent(s), 0);
    front_hold_go(&s->front);
    resumed(s);
}

/* ---- tests ---- */

static void nothing_is_sent_before_it_is_agreed_to_and_used(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "delete from t");
    assert_true(s.front.held);
    assert_int_equal(sent(&s), 0);
    query(&s, "select 1"); /* behind it */
    assert_int_equal(sent(&s), 0);
    front_hold_asked(&s.front);
    s.front.hold.state = HOLD_DUE;
    all_agree(&s);
    assert_false(s.front.held);
    assert_int_equal(s.front.hold.state, HOLD_NONE);
    assert_true(out_has(&s, "delete from t"));
    end(&s);
}

static void what_is_refused_never_goes_out(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "delete from t");
    front_hold_asked(&s.front);
    front_hold_refuse(&s.front, "approval_denied", "held", "denied by anna", "A7K2MQ");
    resumed(&s);
    assert_false(out_has(&s, "delete"));
    assert_int_equal(s.front.refusals.count, 1);
    assert_int_equal(s.front.hold.state, HOLD_NONE);
    query(&s, "delete from t"); /* asked anew */
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    front_cancel(&s.front);
    assert_int_equal(front_take(&s.front), 0);
    assert_false(out_has(&s, "delete"));
    assert_int_equal(s.front.hold.state, HOLD_NONE);
    end(&s);
}

static void digest_of(struct session *s, uint8_t ret[APPROVAL_DIGEST])
{
    assert_int_equal(s->front.hold.state, HOLD_DUE);
    memcpy(ret, s->front.hold.digest, APPROVAL_DIGEST);
    front_cancel(&s->front);
    assert_int_equal(front_take(&s->front), 0);
    lane_forget(&s->front.lane);
    s->front.skipping = false;
}

/* Runs what is to be set first; then one Query, or a Parse with a type and a Bind. */
static void digest_after(const char *set, const char *sql, uint32_t type, const char *value,
                         uint8_t ret[APPROVAL_DIGEST])
{
    struct session s;
    begin(&s);
    if (set)
        query(&s, set);
    if (value) {
        parse(&s, sql, type);
        bind(&s, value, strlen(value));
    } else {
        query(&s, sql);
    }
    digest_of(&s, ret);
    end(&s);
}

static void what_is_agreed_to_is_exactly_this(void **state)
{
    static const struct {
        const char *set, *sql, *value;
        uint32_t type;
        bool same;
    } cases[] = {
        { NULL, "delete from t where a = $1", "1", 23, true },
        { "select 1", "delete from t where a = $1", "1", 23, true },
        { "set statement_timeout = 5", "delete from t where a = $1", "1", 23, true },
        { NULL, "delete from t where a = $1 ", "1", 23, false },
        { NULL, "delete from t where a = $1", "2", 23, false },
        { NULL, "delete from t where a = $1", "1", 25, false },
        { NULL, "delete from u where a = $1", "1", 23, false },
        { "set search_path = u", "delete from t where a = $1", "1", 23, false },
        { "set role other", "delete from t where a = $1", "1", 23, false },
        { "do 'begin end'", "delete from t where a = $1", "1", 23, false },
    };
    uint8_t first[APPROVAL_DIGEST], other[APPROVAL_DIGEST];
    (void)state;
    digest_after(cases[0].set, cases[0].sql, cases[0].type, cases[0].value, first);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        digest_after(cases[i].set, cases[i].sql, cases[i].type, cases[i].value, other);
        if ((memcmp(first, other, APPROVAL_DIGEST) == 0) != cases[i].same)
            fail_msg("case %zu", i);
    }
}

static void settings_of_the_start_count_but_for_harmless_ones(void **state)
{
    uint8_t plain[APPROVAL_DIGEST], other[APPROVAL_DIGEST];
    struct session s;
    (void)state;
    digest_after(NULL, "delete from t", 0, NULL, plain);
    begin(&s);
    assert_int_equal(hold_note_setting(&s.front.hold, "application_name", "x"), 0);
    query(&s, "delete from t");
    digest_of(&s, other);
    assert_memory_equal(plain, other, APPROVAL_DIGEST);
    for (size_t i = 0; i < 2 * HOLD_SETTINGS_MAX; i++) { /* more than are named */
        assert_int_equal(hold_note_setting(&s.front.hold, "search_path", "x"), 0);
        query(&s, "delete from t");
        digest_of(&s, other);
        assert_memory_not_equal(plain, other, APPROVAL_DIGEST);
    }
    end(&s);
}

static void what_was_agreed_to_is_no_good_for_anything_else(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "delete from t");
    front_hold_asked(&s.front);
    front_hold_agreed(&s.front);
    s.front.hold.digest[3] ^= 1; /* as if the effects had changed */
    resumed(&s);
    assert_int_equal(s.front.hold.state, HOLD_DUE); /* asked anew */
    assert_int_equal(sent(&s), 0);
    for (unsigned i = 0; s.front.held; i++) {
        assert_true(i < HOLD_ROUNDS_MAX);
        front_hold_asked(&s.front);
        s.front.hold.digest[3] ^= 1;
        front_hold_go(&s.front);
        resumed(&s);
        assert_false(out_has(&s, "delete from t"));
    }
    assert_int_equal(s.front.refusals.count, 1); /* not for ever */
    end(&s);
}

static void each_rule_that_holds_it_is_there_once(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "delete from t; delete from salaries; delete from t");
    assert_int_equal(s.front.hold.holders.n, 2);
    assert_string_equal(s.front.hold.holders.items[0].name, "held");
    assert_string_equal(s.front.hold.holders.items[1].name, "secret");
    end(&s);
}

static void to_prepare_it_is_to_run_nothing(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "prepare p as delete from t");
    assert_false(s.front.held);
    assert_true(out_has(&s, "prepare p"));
    query(&s, "execute p");
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    assert_int_equal(sent(&s), 0);
    all_agree(&s);
    assert_true(out_has(&s, "execute p"));
    query(&s, "prepare q as delete from t; execute q");
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    assert_int_equal(sent(&s), 0);
    end(&s);
}

static void so_many_prepared_statements_and_no_more(void **state)
{
    char sql[1024] = "";
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "prepare p as delete from t");
    for (size_t i = 0; i < HOLD_PREPARED_MAX; i++)
        strcat(sql, "execute p;");
    query(&s, sql);
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    front_cancel(&s.front);
    assert_int_equal(front_take(&s.front), 0);
    strcat(sql, "execute p");
    query(&s, sql);
    assert_false(s.front.held);
    assert_false(out_has(&s, "execute p"));
    end(&s);
}

static void values_that_are_too_large_are_refused_and_others_waited_for(void **state)
{
    enum { LARGE = HOLD_BIND_MAX - 64 };
    char *value = malloc(HOLD_BIND_MAX + 1);
    struct session s;
    (void)state;
    memset(value, 'x', HOLD_BIND_MAX + 1);
    begin(&s);
    parse(&s, "delete from t where a = $1", 25);
    (void)sent(&s);
    bind(&s, value, LARGE);
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    all_agree(&s);
    assert_true(sent(&s) > LARGE);
    bind(&s, value, HOLD_BIND_MAX + 1);
    assert_false(s.front.held);
    assert_true(sent(&s) < 1024);
    end(&s);
    free(value);
}

static void in_a_transaction_only_where_the_rule_lets_it(void **state)
{
    struct session s;
    (void)state;
    begin(&s);
    query(&s, "select 1");
    (void)sent(&s);
    query(&s, "truncate t");
    assert_int_equal(s.front.hold.state, HOLD_SETTLES); /* the server has to say first */
    s.front.rounds_seen = 1;
    s.front.status = 'T';
    resumed(&s);
    assert_false(s.front.held);
    assert_false(out_has(&s, "truncate"));
    s.front.rounds_seen = s.front.rounds_due;
    s.front.status = 'I';
    query(&s, "truncate t");
    assert_int_equal(s.front.hold.state, HOLD_DUE);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_before_it_is_agreed_to_and_used),
        cmocka_unit_test(what_is_refused_never_goes_out),
        cmocka_unit_test(what_is_agreed_to_is_exactly_this),
        cmocka_unit_test(settings_of_the_start_count_but_for_harmless_ones),
        cmocka_unit_test(what_was_agreed_to_is_no_good_for_anything_else),
        cmocka_unit_test(each_rule_that_holds_it_is_there_once),
        cmocka_unit_test(to_prepare_it_is_to_run_nothing),
        cmocka_unit_test(so_many_prepared_statements_and_no_more),
        cmocka_unit_test(values_that_are_too_large_are_refused_and_others_waited_for),
        cmocka_unit_test(in_a_transaction_only_where_the_rule_lets_it),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
