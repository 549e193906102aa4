/* replay/ledger_approval*: the ledger is killed at each step of a request's life, and another one reads what
 * it left. What was told stays true; what was not approved is never approved; what was used is used up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "approval_fixture.h"
#include "base/io.h"
#include "check.h"

static const struct somebody agent = { .name = "corp/bot", .role = "agent", .actor = "agent-7" };
static const struct somebody olga = { .name = "corp/olga", .role = "dba" };
static const struct asked held = { .target = NULL };
static const struct asked retry = { .mode = "retry", .for_ms = 600000 };

/* The bench with one who asks and one who decides. */
struct scene {
    struct bench bench;
    uint64_t connection;
    int a, o;
};

static void enter(struct scene *s)
{
    s->a = gate_of(&s->bench, ++s->connection, &agent);
    s->o = gate_of(&s->bench, ++s->connection, &olga);
}

static void kill_and_start(struct scene *s)
{
    struct findings f;
    bench_kill(&s->bench);
    while (s->bench.n_gates)
        gate_close(&s->bench, s->bench.gates[0]);
    bench_start(&s->bench);
    enter(s);
    assert_int_equal(verify_house(&s->bench.house, NULL, &f), 0);
    assert_string_equal(f.faults, "");
}

static void open_scene(struct scene *s)
{
    *s = (struct scene){ .connection = 0 };
    bench_open(&s->bench);
    enter(s);
}

static void what_was_held_is_shown_as_withdrawn(void **state)
{
    (void)state;
    struct scene s;
    char open[8], approved[8];
    open_scene(&s);
    ask_open(s.a, &held, open);
    ask_open(s.a, &held, approved);
    assert_string_equal(decide(s.o, approved, true, "", 0), "approved");
    kill_and_start(&s);
    assert_string_equal(decide(s.o, open, true, "", 0), "decided");
    assert_string_equal(last_message(),
                        "withdrawn: the ledger was restarted, and its session has ended with it");
    assert_string_equal(consume(s.a, &agent, &held, open), "denied");
    assert_string_equal(consume(s.a, &agent, &held, approved), "approval_expired");
    CLEANUP(free) char *list = list_of(s.o, "json", "", true, false);
    assert_non_null(strstr(list, "\"state\":\"withdrawn\""));
    assert_non_null(strstr(list, "\"state\":\"lapsed\""));
    bench_close(&s.bench);
}

static void what_is_to_be_tried_again_survives_each_step(void **state)
{
    (void)state;
    struct scene s;
    char id[8];
    open_scene(&s);
    ask_open(s.a, &retry, id);
    kill_and_start(&s);
    assert_string_equal(consume(s.a, &agent, &retry, id), "pending");
    assert_string_equal(decide(s.o, id, true, "fine", 0), "approved");
    kill_and_start(&s);
    assert_string_equal(decide(s.o, id, false, "", 0), "decided");
    assert_string_equal(last_message(), "approved by corp/olga: fine");
    assert_string_equal(consume(s.a, &agent, &retry, id), "");
    kill_and_start(&s);
    assert_string_equal(consume(s.a, &agent, &retry, id), "denied");
    assert_string_equal(last_message(), "the approval was used already");
    assert_int_equal(chain_count(&s.bench, "approval_requested"), 1);
    assert_int_equal(chain_count(&s.bench, "approval_consumed"), 1);
    bench_close(&s.bench);
}

static void a_denial_and_an_expiry_survive(void **state)
{
    (void)state;
    static const struct asked brief = { .mode = "retry", .wait_ms = 30, .statement = "DELETE FROM a" };
    struct scene s;
    char denied[8], expired[8];
    open_scene(&s);
    ask_open(s.a, &retry, denied);
    ask_open(s.a, &brief, expired);
    assert_string_equal(decide(s.o, denied, false, "no", 0), "denied");
    expect_news(s.a, expired, IPC__APPROVAL_STATE__APPROVAL_EXPIRED);
    kill_and_start(&s);
    assert_string_equal(consume(s.a, &agent, &retry, denied), "approval_denied");
    assert_string_equal(consume(s.a, &agent, &brief, expired), "approval_expired");
    assert_string_equal(decide(s.o, expired, true, "", 0), "decided");
    bench_close(&s.bench);
}

static void an_approval_whose_time_passed_without_a_ledger_has_lapsed(void **state)
{
    (void)state;
    static const struct asked brief = { .mode = "retry", .for_ms = 1 };
    struct scene s;
    char id[8];
    open_scene(&s);
    ask_open(s.a, &brief, id);
    assert_string_equal(decide(s.o, id, true, "", 0), "approved");
    kill_and_start(&s);
    assert_string_equal(consume(s.a, &agent, &brief, id), "approval_expired");
    bench_close(&s.bench);
}

/* Whatever the instant: a decision or a use that was not answered is either there or not, and both its
 * entry in the audit chain and a second try agree with what the next ledger says. */
static void killed_in_the_middle_of_a_step_it_is_done_or_not_and_never_twice(void **state)
{
    (void)state;
    enum { ROUNDS = 24, STEP_US = 40 };
    struct scene s;
    open_scene(&s);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char id[8], statement[64];
        struct asked one = retry;
        (void)snprintf(statement, sizeof statement, "DELETE FROM orders WHERE id = %u", i);
        one.statement = statement;
        ask_open(s.a, &one, id);
        send_decision(s.o, id, true, "", 0);
        usleep(i * STEP_US);
        kill_and_start(&s);
        const char *code = consume(s.a, &agent, &one, id);
        if (strcmp(code, "pending") == 0) { /* the decision was lost: nobody was told that it counts */
            assert_string_equal(decide(s.o, id, true, "", 0), "approved");
            send_consume(s.a, &agent, &one, id);
            usleep(i * STEP_US);
            kill_and_start(&s);
            /* unanswered, it may be used or not; used now, it is used up */
            code = consume(s.a, &agent, &one, id);
            assert_true(code[0] == 0 || strcmp(last_message(), "the approval was used already") == 0);
        } else {
            assert_string_equal(code, "");
        }
        assert_string_equal(consume(s.a, &agent, &one, id), "denied");
        assert_string_equal(last_message(), "the approval was used already");
    }
    bench_close(&s.bench);
}

static void a_store_that_cannot_be_read_approves_nothing(void **state)
{
    (void)state;
    struct scene s;
    char id[8], path[128];
    open_scene(&s);
    ask_open(s.a, &retry, id);
    assert_string_equal(decide(s.o, id, true, "", 3600000), "approved");
    while (s.bench.n_gates)
        gate_close(&s.bench, s.bench.gates[0]);
    assert_int_equal(bench_stop(&s.bench), 0);
    (void)snprintf(path, sizeof path, "%s/approvals/approvals.db", s.bench.house.state);
    spill(path, "this is no database, whatever its name", 38);
    bench_start(&s.bench);
    enter(&s);
    assert_string_equal(consume(s.a, &agent, &retry, id), "denied");
    assert_true(chain_has(&s.bench, "approval_store_broken"));
    ask_open(s.a, &retry, id); /* no grant either */
    bench_close(&s.bench);
}

static void where_the_disk_takes_nothing_nobody_is_asked(void **state)
{
    (void)state;
    struct scene s = { .connection = 0 };
    char statement[20000];
    struct asked big = { .statement = statement };
    memset(statement, 'x', sizeof statement - 1);
    statement[sizeof statement - 1] = 0;
    bench_prepare(&s.bench);
    s.bench.file_limit = 128 * 1024;
    bench_start(&s.bench);
    enter(&s);
    bool refused = false;
    for (int i = 0; i < 50 && !refused; i++) {
        CLEANUP(ipc_message_free) Ipc__Message *reply = ask(s.a, &big);
        assert_non_null(reply);
        refused = reply->answer_approval->refusal != NULL;
        if (refused)
            assert_string_equal(reply->answer_approval->refusal->code, "recording_unavailable");
    }
    assert_true(refused);
    bench_close(&s.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_held_is_shown_as_withdrawn),
        cmocka_unit_test(what_is_to_be_tried_again_survives_each_step),
        cmocka_unit_test(a_denial_and_an_expiry_survive),
        cmocka_unit_test(an_approval_whose_time_passed_without_a_ledger_has_lapsed),
        cmocka_unit_test(killed_in_the_middle_of_a_step_it_is_done_or_not_and_never_twice),
        cmocka_unit_test(a_store_that_cannot_be_read_approves_nothing),
        cmocka_unit_test(where_the_disk_takes_nothing_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
