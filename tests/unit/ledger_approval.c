/* replay/ledger_approval*: the real process, with this test as its listener, as the gates of those who ask,
 * and as the gates of those who decide. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "approval_fixture.h"
#include "base/io.h"
#include "check.h"
#include "replay/approval.h"

static const struct somebody agent = { .name = "corp/bot", .role = "agent", .actor = "agent-7" };
static const struct somebody olga = { .name = "corp/olga", .role = "dba" };
static const struct somebody anna = { .name = "corp/anna", .role = "dba", .second_role = "security" };
static const struct asked plain = { .target = NULL };
static const struct asked retry = { .mode = "retry", .for_ms = 60000 };

enum { OPEN = IPC__APPROVAL_STATE__APPROVAL_OPEN };

static void what_is_approved_runs_once(void **state)
{
    (void)state;
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &plain, id);
    assert_string_equal(consume(a, &agent, &plain, id), "pending");
    assert_string_equal(decide(o, id, true, "looks right", 0), "approved");
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    assert_string_equal(consume(a, &agent, &plain, id), "");
    assert_string_equal(consume(a, &agent, &plain, id), "denied");
    assert_string_equal(last_message(), "the approval was used already");
    assert_true(chain_has(&bench, "approval_requested"));
    assert_true(chain_has(&bench, "approval_decided"));
    assert_true(chain_has(&bench, "looks right"));
    assert_int_equal(chain_count(&bench, "approval_consumed"), 1);
    bench_close(&bench);
}

static void one_byte_of_difference_is_not_what_was_approved(void **state)
{
    (void)state;
    static const struct asked others[] = {
        { .statement = "DELETE FROM ordert" },
        { .statement = "DELETE FROM orders " },
        { .value = "" },
        { .value = "1" },
        { .target = "order" },
        { .policy = "p2" },
    };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &plain, id);
    assert_string_equal(decide(o, id, true, "", 0), "approved");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_string_equal(consume(a, &agent, &others[i], id), "denied");
        assert_string_equal(last_message(), "this is not what was approved");
    }
    struct somebody other = agent;
    other.actor = "agent-8";
    assert_string_equal(consume(a, &other, &plain, id), "denied");
    assert_string_equal(consume(a, &agent, &plain, id), "");
    bench_close(&bench);
}

static void another_identity_or_connection_finds_no_such_request(void **state)
{
    (void)state;
    static const struct somebody other = { .name = "corp/bot", .role = "agent", .actor = "agent-8" };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    int same = gate_of(&bench, 3, &agent), b = gate_of(&bench, 4, &other);
    ask_open(a, &plain, id);
    assert_string_equal(decide(o, id, true, "", 0), "approved");
    assert_string_equal(consume(same, &agent, &plain, id), "denied");
    assert_string_equal(last_message(), "no such request");
    assert_string_equal(consume(b, &agent, &plain, id), "denied");
    assert_string_equal(consume(a, &agent, &plain, id), "");
    bench_close(&bench);
}

static void nobody_decides_for_themselves_nor_without_a_role_nor_without_a_touch(void **state)
{
    (void)state;
    static const struct somebody self = { .name = "corp/bot", .role = "dba" };
    static const struct somebody person = { .name = "other/x", .role = "dba", .subject = "corp/bot" };
    static const struct somebody acted = { .name = "corp/carl", .role = "dba", .actor = "agent-7" };
    static const struct somebody guest = { .name = "corp/guest", .role = "guest" };
    static const struct somebody watcher = { .name = "corp/w", .role = "guest", .may = "replay" };
    static const struct somebody keyed = { .name = "corp/kay", .role = "dba", .hardware = true };
    static const struct asked touching = { .touch = true };
    const struct somebody *const own[] = { &self, &person, &acted };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent);
    ask_open(a, &touching, id);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        int gate = gate_of(&bench, 10 + i, own[i]);
        assert_string_equal(decide(gate, id, true, "", 0), "denied");
        assert_non_null(strstr(last_message(), "of their own"));
        gate_close(&bench, gate);
    }
    int g = gate_of(&bench, 20, &guest), w = gate_of(&bench, 21, &watcher), o = gate_of(&bench, 22, &olga);
    assert_string_equal(decide(g, id, false, "", 0), "denied");
    assert_non_null(strstr(last_message(), "no such request"));
    assert_string_equal(decide(w, id, true, "", 0), "denied");
    assert_non_null(strstr(last_message(), "none of your roles"));
    assert_string_equal(decide(o, id, true, "", 0), "denied");
    assert_non_null(strstr(last_message(), "security key"));
    int k = gate_of(&bench, 23, &keyed);
    assert_string_equal(decide(k, id, true, "", 0), "approved");
    assert_int_equal(chain_count(&bench, "approval_refused"), 5);
    bench_close(&bench);
}

static void two_at_once_one_wins_and_the_other_is_told_who_did(void **state)
{
    (void)state;
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga), n = gate_of(&bench, 3, &anna);
    ask_open(a, &plain, id);
    assert_string_equal(decide(o, id, true, "fine", 0), "approved");
    assert_string_equal(decide(n, id, false, "no", 0), "decided");
    assert_string_equal(last_message(), "approved by corp/olga: fine");
    assert_string_equal(consume(a, &agent, &plain, id), "");
    assert_string_equal(decide(n, id, false, "no", 0), "decided");
    assert_string_equal(last_message(), "approved by corp/olga: fine");
    bench_close(&bench);
}

static void a_quorum_is_of_distinct_people_one_of_each_group_and_any_deny_ends_it(void **state)
{
    (void)state;
    static const struct somebody sam = { .name = "corp/sam", .role = "security" };
    static const struct asked both = { .by = { "dba", "security" }, .quorum = 2 };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), n = gate_of(&bench, 2, &anna), s = gate_of(&bench, 3, &sam);
    int o = gate_of(&bench, 4, &olga);
    ask_open(a, &both, id);
    assert_string_equal(decide(n, id, true, "", 0), "open"); /* she is both, but one */
    assert_string_equal(decide(n, id, true, "", 0), "denied");
    assert_non_null(strstr(last_message(), "agreed already"));
    assert_string_equal(consume(a, &agent, &both, id), "pending");
    assert_string_equal(decide(s, id, true, "", 0), "approved");
    assert_string_equal(consume(a, &agent, &both, id), "");
    ask_open(a, &both, id);
    assert_string_equal(decide(n, id, true, "", 0), "open");
    assert_string_equal(decide(o, id, false, "not today", 0), "denied");
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_DENIED);
    assert_string_equal(decide(s, id, true, "", 0), "decided");
    assert_string_equal(last_message(), "denied by corp/olga: not today");
    assert_string_equal(consume(a, &agent, &both, id), "approval_denied");
    bench_close(&bench);
}

static void who_waits_too_long_is_told_and_what_is_withdrawn_stays_so(void **state)
{
    (void)state;
    static const struct asked brief = { .wait_ms = 50 };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &brief, id);
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_EXPIRED);
    assert_string_equal(decide(o, id, true, "", 0), "decided");
    assert_string_equal(consume(a, &agent, &brief, id), "approval_expired");
    ask_open(a, &plain, id);
    withdraw(a, id);
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN);
    assert_string_equal(decide(o, id, true, "", 0), "decided");
    assert_string_equal(last_message(), "withdrawn: cancelled");
    assert_string_equal(consume(a, &agent, &plain, id), "denied");
    ask_open(a, &plain, id);
    assert_string_equal(decide(o, id, true, "", 0), "approved");
    withdraw(a, id);
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_LAPSED);
    assert_string_equal(consume(a, &agent, &plain, id), "approval_expired");
    bench_close(&bench);
}

static void a_gate_that_dies_withdraws_what_it_held_and_leaves_what_is_to_be_tried_again(void **state)
{
    (void)state;
    struct bench bench;
    char held[8], approved[8], again[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &plain, held);
    ask_open(a, &plain, approved);
    ask_open(a, &retry, again);
    assert_string_equal(decide(o, approved, true, "", 0), "approved");
    follow(o);
    CLEANUP(free) char *before = list_of(o, "json", "", false, false);
    assert_non_null(strstr(before, held));
    gate_close(&bench, a);
    expect_news(o, held, IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN);
    CLEANUP(free) char *after = list_of(o, "json", "", false, false);
    assert_null(strstr(after, held));
    assert_null(strstr(after, approved));
    assert_non_null(strstr(after, again));
    int b = gate_of(&bench, 3, &agent);
    CLEANUP(ipc_message_free) Ipc__Message *pending = ask(b, &retry);
    assert_string_equal(pending->answer_approval->id, again);
    assert_int_equal(pending->answer_approval->state, OPEN);
    assert_string_equal(decide(o, again, true, "", 0), "approved");
    expect_news(b, again, IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    CLEANUP(ipc_message_free) Ipc__Message *ready = ask(b, &retry);
    assert_string_equal(ready->answer_approval->id, again);
    assert_int_equal(ready->answer_approval->state, IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    assert_string_equal(consume(b, &agent, &retry, again), "");
    assert_string_equal(consume(b, &agent, &retry, again), "denied");
    bench_close(&bench);
}

static void who_tries_again_is_told_once_that_it_was_denied(void **state)
{
    (void)state;
    struct bench bench;
    char id[8], next[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &retry, id);
    gate_close(&bench, a);
    assert_string_equal(decide(o, id, false, "use the archive", 0), "denied");
    int b = gate_of(&bench, 3, &agent);
    CLEANUP(ipc_message_free) Ipc__Message *told = ask(b, &retry);
    assert_non_null(told->answer_approval->refusal);
    assert_string_equal(told->answer_approval->refusal->code, "approval_denied");
    assert_string_equal(told->answer_approval->refusal->message, "denied by corp/olga: use the archive");
    ask_open(b, &retry, next);
    assert_string_not_equal(next, id);
    bench_close(&bench);
}

static void a_grant_lets_the_same_rule_pass_until_it_is_revoked(void **state)
{
    (void)state;
    static const struct asked other = { .statement = "DELETE FROM customers" };
    static const struct asked elsewhere = { .target = "billing" };
    static const struct asked other_rule = { .rule = "exports" };
    static const struct asked other_policy = { .policy = "p2" };
    const struct asked *const anew[] = { &elsewhere, &other_rule, &other_policy };
    static const struct somebody guest = { .name = "corp/guest", .role = "guest" };
    struct bench bench;
    char id[8], asked_anew[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga), g = gate_of(&bench, 3, &guest);
    ask_open(a, &plain, id);
    assert_string_equal(decide(o, id, true, "go on", 1800000), "approved");
    expect_news(a, id, IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    CLEANUP(ipc_message_free) Ipc__Message *passed = ask(a, &other);
    assert_null(passed->answer_approval->refusal);
    assert_string_equal(passed->answer_approval->grant, id);
    for (size_t i = 0; i < sizeof anew / sizeof *anew; i++)
        ask_open(a, anew[i], asked_anew);
    CLEANUP(free) char *grants = list_of(a, "json", "", false, true);
    assert_non_null(strstr(grants, id));
    CLEANUP(free) char *none = list_of(g, "json", "", false, true);
    assert_string_equal(none, "");
    assert_string_equal(revoke_grant(g, id), "denied");
    bench_kill(&bench);
    while (bench.n_gates)
        gate_close(&bench, bench.gates[0]);
    bench_start(&bench);
    a = gate_of(&bench, 4, &agent);
    o = gate_of(&bench, 5, &olga);
    CLEANUP(ipc_message_free) Ipc__Message *still = ask(a, &other);
    assert_string_equal(still->answer_approval->grant, id);
    assert_string_equal(revoke_grant(o, id), "");
    ask_open(a, &other, asked_anew);
    assert_true(chain_has(&bench, "grant_made"));
    assert_int_equal(chain_count(&bench, "grant_used"), 2);
    assert_int_equal(chain_count(&bench, "grant_revoked"), 1);
    bench_close(&bench);
}

static void lists_show_what_one_may_decide_or_has_asked(void **state)
{
    (void)state;
    static const struct somebody other = { .name = "corp/other", .role = "agent" };
    static const struct asked odd = { .statement = "DELETE FROM \"a\x1b[2Jb\"", .value = "17" };
    struct bench bench;
    char id[8];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga), x = gate_of(&bench, 3, &other);
    follow(o);
    CLEANUP(free) char *empty = list_of(o, "json", "", true, false);
    assert_string_equal(empty, "");
    ask_open(a, &odd, id);
    expect_news(o, id, IPC__APPROVAL_STATE__APPROVAL_OPEN);
    CLEANUP(free) char *json = list_of(o, "json", id, false, false);
    assert_non_null(strstr(json, "\"state\":\"open\""));
    assert_non_null(strstr(json, "\"actor\":\"agent-7\""));
    assert_non_null(strstr(json, "\\u001b[2Jb"));
    assert_non_null(strstr(json, "\"values\":[\"17\"]"));
    assert_non_null(strstr(json, "\"by\":[[\"dba\"]]"));
    CLEANUP(free) char *table = list_of(o, "table", "", false, false);
    assert_non_null(strstr(table, id));
    assert_null(strchr(table, 0x1b));
    CLEANUP(free) char *own = list_of(a, "json", "", false, false);
    assert_non_null(strstr(own, id));
    CLEANUP(free) char *hidden = list_of(x, "json", id, true, false);
    assert_string_equal(hidden, "");
    assert_string_equal(decide(o, id, false, "", 0), "denied");
    CLEANUP(free) char *one = list_of(o, "json", id, false, false);
    assert_non_null(strstr(one, "\"state\":\"denied\""));
    CLEANUP(free) char *nothing = list_of(x, "json", id, false, false);
    assert_string_equal(nothing, "");
    CLEANUP(free) char *closed = list_of(o, "json", "", true, false);
    assert_non_null(strstr(closed, "\"state\":\"denied\""));
    bench_close(&bench);
}

static void a_rule_that_nobody_can_meet_is_refused_and_so_is_a_gate_that_breaks_the_limits(void **state)
{
    (void)state;
    static const struct asked bad[] = { { .mode = "wait" }, { .wait_ms = UINT64_MAX } };
    static const struct asked foreign = { .recording = "0123456789ab" };
    struct bench bench;
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CLEANUP(ipc_message_free) Ipc__Message *reply = ask(a, &bad[i]);
        assert_non_null(reply->answer_approval->refusal);
        assert_string_equal(reply->answer_approval->refusal->code, "denied");
    }
    CLEANUP(ipc_message_free) Ipc__Message *dropped = ask(a, &foreign);
    assert_null(dropped);
    bench_close(&bench);
}

static void what_has_to_be_signed_is_and_stays_so(void **state)
{
    (void)state;
    static const struct asked to_sign = { .must_sign = true }, other = { .must_sign = true, .rule = "other" };
    struct bench bench;
    char id[8], signed_text[128];
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    ask_open(a, &to_sign, id);
    assert_string_equal(decide(o, id, true, "", 0), "unsigned");
    assert_string_equal(last_message(), "the rule wants a signed decision");
    assert_string_equal(decide_signed(o, id, true, 0, APPROVAL_SIGNATURE_MAX + 1), "usage");
    assert_string_equal(decide_signed(o, id, false, 0, 100), "usage");
    assert_string_equal(decide_signed(o, id, true, 1800 * 1000, APPROVAL_SIGNATURE_MAX), "approved");
    assert_true(chain_has(&bench, "-----BEGIN SSH SIGNATURE-----"));
    CLEANUP(free) char *one = list_of(o, "json", id, false, false);
    assert_non_null(strstr(one, "\"signed\":true"));
    (void)snprintf(signed_text, sizeof signed_text,
                   "\\u000arequest %s\\u000afor 30m\\u000a\",\"signature\":\"-----BEGIN", id);
    assert_non_null(strstr(one, signed_text));
    ask_open(a, &other, id);
    assert_string_equal(decide(o, id, false, "a denial needs none", 0), "denied");
    bench_close(&bench);
}

static void a_gate_can_report_nothing_in_the_name_of_approvals(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    int a = gate_of(&bench, 1, &agent);
    Ipc__Audit audit = IPC__AUDIT__INIT;
    audit.event = (char[]){ "approval_decided" };
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    gate_send(a, &message);
    assert_true(gate_is_dropped(a));
    bench_close(&bench);
}

/* Of a process: a number of its status file, in KiB; its CPU time in ticks. */
static long status_of(pid_t pid, const char *name)
{
    char path[64], line[256];
    long value = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = atol(line + strlen(name));
    if (file)
        (void)fclose(file);
    return value;
}

static void a_thousand_wait_in_little_memory_and_one_of_them_is_decided(void **state)
{
    (void)state;
    enum { MANY = 1000, MEMORY_KIB = 100 * 1024 };
    struct bench bench;
    char id[8], last[8], statement[4096];
    bench_open(&bench);
    memset(statement, 'x', sizeof statement - 1);
    statement[sizeof statement - 1] = 0;
    struct asked big = { .statement = statement };
    int a = gate_of(&bench, 1, &agent), o = gate_of(&bench, 2, &olga);
    long before = status_of(bench.pid, "VmRSS:");
    ask_open(a, &big, id);
    for (int i = 1; i < MANY; i++)
        ask_open(a, &big, last);
    long after = status_of(bench.pid, "VmRSS:");
    assert_true(before > 0 && after - before < MEMORY_KIB);
    assert_string_equal(decide(o, id, true, "", 0), "approved");
    assert_string_equal(consume(a, &agent, &big, id), "");
    gate_close(&bench, a);
    CLEANUP(free) char *none = list_of(o, "json", "", false, false);
    assert_string_equal(none, "");
    assert_int_equal(chain_count(&bench, "approval_withdrawn"), MANY - 1);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_approved_runs_once),
        cmocka_unit_test(one_byte_of_difference_is_not_what_was_approved),
        cmocka_unit_test(another_identity_or_connection_finds_no_such_request),
        cmocka_unit_test(nobody_decides_for_themselves_nor_without_a_role_nor_without_a_touch),
        cmocka_unit_test(two_at_once_one_wins_and_the_other_is_told_who_did),
        cmocka_unit_test(a_quorum_is_of_distinct_people_one_of_each_group_and_any_deny_ends_it),
        cmocka_unit_test(who_waits_too_long_is_told_and_what_is_withdrawn_stays_so),
        cmocka_unit_test(a_gate_that_dies_withdraws_what_it_held_and_leaves_what_is_to_be_tried_again),
        cmocka_unit_test(who_tries_again_is_told_once_that_it_was_denied),
        cmocka_unit_test(a_grant_lets_the_same_rule_pass_until_it_is_revoked),
        cmocka_unit_test(lists_show_what_one_may_decide_or_has_asked),
        cmocka_unit_test(a_rule_that_nobody_can_meet_is_refused_and_so_is_a_gate_that_breaks_the_limits),
        cmocka_unit_test(what_has_to_be_signed_is_and_stays_so),
        cmocka_unit_test(a_gate_can_report_nothing_in_the_name_of_approvals),
        cmocka_unit_test(a_thousand_wait_in_little_memory_and_one_of_them_is_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
