/* replay/ledger: who may end whose session, and that the chain says who did before it ends. This test is the
 * gates. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "check.h"
#include "ledger_fixture.h"

static void ask(int gate, uint32_t request, const char *id, const char *reason)
{
    Ipc__AskKill body = IPC__ASK_KILL__INIT;
    body.request = request;
    body.id = (char *)(uintptr_t)id;
    body.reason = (char *)(uintptr_t)reason;
    Ipc__Message message = IPC_MESSAGE(ASK_KILL, ask_kill, &body);
    gate_send(gate, &message);
}

/* code NULL: it is being ended, and `words` is whose it was; else words are in the refusal. */
static void expect_answer(int gate, uint32_t request, const char *code, const char *words)
{
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *message = gate_receive(gate, &fd);
    assert_non_null(message);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_ANSWER_KILL);
    assert_int_equal(message->answer_kill->request, request);
    const Ipc__Refusal *refusal = message->answer_kill->refusal;
    if (!code) {
        assert_null(refusal);
        assert_string_equal(message->answer_kill->whose, words);
        return;
    }
    assert_non_null(refusal);
    assert_string_equal(refusal->code, code);
    assert_non_null(strstr(refusal->message, words));
}

static void expect_kill(int gate, const char *id, const char *by, const char *reason)
{
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *message = gate_receive(gate, &fd);
    assert_non_null(message);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_KILL);
    assert_string_equal(message->kill->id, id);
    assert_string_equal(message->kill->by, by);
    assert_string_equal(message->kill->reason, reason);
}

static bool chain_has(const struct bench *bench, const char *text)
{
    char path[256];
    size_t n;
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", bench->house.state);
    CLEANUP(free) uint8_t *chain = slurp(path, &n);
    return memmem(chain, n, text, strlen(text)) != NULL;
}

static void who_may_ends_a_session_and_the_chain_says_who_did(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    bench_open(&bench);
    int victim = gate_new(&bench, 1, "corp/agent", NULL), guard = gate_new(&bench, 2, "corp/gina", "kill");
    assert_true(gate_record(victim, &pen, "sleep 600"));
    ask(guard, 7, pen.id, "it runs wild");
    expect_answer(guard, 7, NULL, "corp/agent");
    expect_kill(victim, pen.id, "corp/gina", "it runs wild");
    assert_true(chain_has(&bench, "session_killed"));
    assert_true(chain_has(&bench, "it runs wild"));
    gate_finish(victim, &pen);
    bench_close(&bench);
}

static void who_may_not_ends_nothing(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    bench_open(&bench);
    int victim = gate_new(&bench, 1, "corp/agent", NULL), other = gate_new(&bench, 2, "corp/otto", "replay");
    assert_true(gate_record(victim, &pen, "sleep 600"));
    ask(other, 1, pen.id, "");
    expect_answer(other, 1, "denied", "do not let you end sessions");
    ask(victim, 2, pen.id, "my own"); /* nor its owner, by this */
    expect_answer(victim, 2, "denied", "do not let you end sessions");
    assert_false(chain_has(&bench, "session_killed"));
    gate_finish(victim, &pen);
    bench_close(&bench);
}

static void only_what_lives_can_be_ended(void **state)
{
    (void)state;
    struct bench bench;
    struct pen pen;
    char first[RECORDING_ID + 1];
    bench_open(&bench);
    int victim = gate_new(&bench, 1, "corp/agent", NULL), guard = gate_new(&bench, 2, "corp/gina", "kill");
    ask(guard, 1, "", "");
    expect_answer(guard, 1, "usage", "no live session");
    ask(guard, 2, "nothing-of-this-name", "");
    expect_answer(guard, 2, "usage", "no live session");
    assert_true(gate_record(victim, &pen, "true"));
    (void)snprintf(first, sizeof first, "%s", pen.id);
    gate_finish(victim, &pen);
    assert_true(gate_record(victim, &pen, "second")); /* the ledger has heard of the first one's end */
    ask(guard, 3, first, "");
    expect_answer(guard, 3, "usage", "no live session");
    gate_finish(victim, &pen);
    bench_close(&bench);
}

static void a_reason_beyond_the_limit_ends_the_gate(void **state)
{
    (void)state;
    struct bench bench;
    char reason[2048];
    bench_open(&bench);
    int guard = gate_new(&bench, 2, "corp/gina", "kill");
    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = 0;
    ask(guard, 1, "id", reason);
    assert_true(gate_is_dropped(guard));
    bench_close(&bench);
}

/* ---- the vault's link ---- */

static int link_vault(struct bench *bench)
{
    int pair[2];
    Ipc__Link link = IPC__LINK__INIT;
    link.process = (char[]){ "vault" };
    Ipc__Message message = IPC_MESSAGE(LINK, link, &link);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(bench->control, &message, &pair[1], 1, 3000), 0);
    close(pair[1]);
    return pair[0];
}

static void say(int vault, const char *event)
{
    Ipc__Audit audit = IPC__AUDIT__INIT;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    audit.event = (char *)(uintptr_t)event;
    gate_send(vault, &message);
}

static void what_the_vault_signs_is_entered_under_its_name_and_nothing_of_ours(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int vault = link_vault(&bench);
    CLEANUP(fd_close) int other = -1;
    say(vault, "target_certificate");
    for (uint64_t until = clock_ms() + 10000; !chain_has(&bench, "target_certificate");)
        assert_true(clock_ms() < until);
    assert_true(chain_has(&bench, "vault"));
    other = link_vault(&bench); /* takes its place */
    assert_true(gate_is_dropped(vault));
    say(other, "session_start"); /* a name of the ledger's own */
    assert_true(gate_is_dropped(other));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_ends_a_session_and_the_chain_says_who_did),
        cmocka_unit_test(who_may_not_ends_nothing),
        cmocka_unit_test(only_what_lives_can_be_ended),
        cmocka_unit_test(a_reason_beyond_the_limit_ends_the_gate),
        cmocka_unit_test(what_the_vault_signs_is_entered_under_its_name_and_nothing_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
