/* replay/ledger: who may revoke, what the issuer is asked, what the audit chain says of it. This test is the
 * listener, the gates and the issuer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "ledger_fixture.h"

enum { WAIT_MS = 3000 };

static int link_issuer(struct bench *bench)
{
    int pair[2];
    Ipc__Link link = IPC__LINK__INIT;
    link.process = (char[]){ "issuer" };
    Ipc__Message message = IPC_MESSAGE(LINK, link, &link);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(bench->control, &message, &pair[1], 1, WAIT_MS), 0);
    close(pair[1]);
    return pair[0];
}

static void ask(int gate, uint32_t request, const char *what, const char *reason)
{
    Ipc__AskRevoke body = IPC__ASK_REVOKE__INIT;
    body.request = request;
    body.what = (char *)(uintptr_t)what;
    body.reason = (char *)(uintptr_t)reason;
    Ipc__Message message = IPC_MESSAGE(ASK_REVOKE, ask_revoke, &body);
    gate_send(gate, &message);
}

/* The answer to a gate; NULL code: it was done. */
static void expect_answer(int gate, uint32_t request, const char *code)
{
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *message = gate_receive(gate, &fd);
    assert_non_null(message);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_ANSWER_REVOKE);
    assert_int_equal(message->answer_revoke->request, request);
    if (code) {
        assert_non_null(message->answer_revoke->refusal);
        assert_string_equal(message->answer_revoke->refusal->code, code);
    } else {
        assert_null(message->answer_revoke->refusal);
    }
}

/* What the issuer is asked. */
static Ipc__Message *expect_revoke(int issuer, const char *what, const char *by, const char *reason)
{
    int fd = -1;
    Ipc__Message *message = gate_receive(issuer, &fd);
    assert_non_null(message);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_REVOKE);
    assert_string_equal(message->revoke->what, what);
    assert_string_equal(message->revoke->by, by);
    assert_string_equal(message->revoke->reason, reason);
    return message;
}

static void say_done(int issuer, uint64_t request, const char *error)
{
    Ipc__RevokeDone done = IPC__REVOKE_DONE__INIT;
    done.request = request;
    done.error = (char *)(uintptr_t)error;
    Ipc__Message message = IPC_MESSAGE(REVOKE_DONE, revoke_done, &done);
    gate_send(issuer, &message);
}

static bool chain_has(const struct bench *bench, const char *text)
{
    char path[256];
    size_t n;
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", bench->house.state);
    CLEANUP(free) uint8_t *chain = slurp(path, &n);
    return memmem(chain, n, text, strlen(text)) != NULL;
}

static void a_revocation_is_told_when_the_issuer_has_it_and_entered_with_its_author(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 5, "corp/mallory", "left the company");
    CLEANUP(ipc_message_free)
    Ipc__Message *asked = expect_revoke(issuer, "corp/mallory", "corp/olga", "left the company");
    assert_false(chain_has(&bench, "left the company"));
    say_done(issuer, asked->revoke->request, "");
    expect_answer(gate, 5, NULL);
    assert_true(chain_has(&bench, "left the company"));
    assert_true(chain_has(&bench, "corp/mallory"));
    assert_true(chain_has(&bench, "\x12\x07revoked"));
    bench_close(&bench);
}

static void who_may_not_revoke_is_refused_and_entered(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    int none = gate_new(&bench, 1, "corp/agent", NULL), other = gate_new(&bench, 2, "corp/auditor", "replay");
    ask(none, 1, "corp/olga", "");
    expect_answer(none, 1, "denied");
    ask(other, 2, "corp/olga", "");
    expect_answer(other, 2, "denied");
    assert_true(chain_has(&bench, "revoke_refused"));
    assert_int_equal(fd_wait(issuer, 1, 50), -ETIMEDOUT); /* POLLIN: it was asked nothing */
    bench_close(&bench);
}

static void what_would_not_be_one_line_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "corp/x\nid:corp/everybody", "");
    expect_answer(gate, 1, "usage");
    ask(gate, 2, "corp/x", "because\nserial:7");
    expect_answer(gate, 2, "usage");
    ask(gate, 3, "corp/x", "\x7f");
    expect_answer(gate, 3, "usage");
    assert_int_equal(fd_wait(issuer, 1, 50), -ETIMEDOUT);
    bench_close(&bench);
}

static void a_gate_that_asks_for_too_much_is_dropped(void **state)
{
    (void)state;
    struct bench bench;
    char long_name[514];
    memset(long_name, 'x', sizeof long_name);
    long_name[513] = 0;
    bench_open(&bench);
    int first = gate_new(&bench, 1, "corp/olga", "revoke"),
        second = gate_new(&bench, 2, "corp/olga", "revoke");
    ask(first, 1, long_name, "");
    assert_true(gate_is_dropped(first));
    ask(second, 1, "", "");
    assert_true(gate_is_dropped(second));
    int stranger = gate_new(&bench, 3, NULL, NULL);
    ask(stranger, 1, "corp/x", "");
    assert_true(gate_is_dropped(stranger));
    bench_close(&bench);
}

static void without_an_issuer_it_is_told_so_at_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "corp/x", "");
    expect_answer(gate, 1, "issuer_unavailable");
    int issuer = link_issuer(&bench);
    gate = gate_new(&bench, 2, "corp/olga", "revoke"); /* so that the ledger has the link by now */
    ask(gate, 2, "corp/x", "");
    ipc_message_free(expect_revoke(issuer, "corp/x", "corp/olga", ""));
    close(issuer); /* it dies with the answer on its lips */
    expect_answer(gate, 2, "issuer_unavailable");
    CLEANUP(fd_close) int next = link_issuer(&bench);
    gate = gate_new(&bench, 3, "corp/olga", "revoke");
    ask(gate, 3, "serial:9", "");
    CLEANUP(ipc_message_free) Ipc__Message *asked = expect_revoke(next, "serial:9", "corp/olga", "");
    say_done(next, asked->revoke->request, "");
    expect_answer(gate, 3, NULL);
    bench_close(&bench);
}

static void what_the_issuer_can_not_do_is_told_and_not_entered_as_done(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "serial:0", "");
    CLEANUP(ipc_message_free) Ipc__Message *asked = expect_revoke(issuer, "serial:0", "corp/olga", "");
    say_done(issuer, asked->revoke->request + 1, ""); /* nobody's */
    say_done(issuer, asked->revoke->request, "no certificate has the serial 0");
    expect_answer(gate, 1, "usage");
    assert_true(chain_has(&bench, "revoke_refused"));
    assert_false(chain_has(&bench, "\x12\x07revoked")); /* an AuditEvent.event */
    bench_close(&bench);
}

static void an_answer_for_a_gate_that_left_harms_nobody(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "corp/x", "gone");
    CLEANUP(ipc_message_free) Ipc__Message *asked = expect_revoke(issuer, "corp/x", "corp/olga", "gone");
    gate_close(&bench, gate);
    say_done(issuer, asked->revoke->request, "");
    int other = gate_new(&bench, 2, "corp/olga", "revoke");
    ask(other, 8, "corp/y", "");
    CLEANUP(ipc_message_free) Ipc__Message *second = expect_revoke(issuer, "corp/y", "corp/olga", "");
    say_done(issuer, second->revoke->request, "");
    expect_answer(other, 8, NULL);
    assert_true(chain_has(&bench, "gone"));
    bench_close(&bench);
}

static void send_audit(int from, const char *event)
{
    Ipc__Audit audit = IPC__AUDIT__INIT;
    audit.event = (char *)(uintptr_t)event;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    gate_send(from, &message);
}

static void the_issuer_reports_its_own_events_and_none_of_the_ledgers(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    send_audit(issuer, "certificate_issued");
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "corp/x", "");
    ipc_message_free(expect_revoke(issuer, "corp/x", "corp/olga", ""));
    assert_true(chain_has(&bench, "certificate_issued"));
    send_audit(issuer, "revoked");
    assert_true(gate_is_dropped(issuer));
    expect_answer(gate, 1, "issuer_unavailable");
    send_audit(gate, "revoked");
    assert_true(gate_is_dropped(gate));
    bench_close(&bench);
}

static void an_issuer_that_says_anything_else_is_dropped(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    CLEANUP(fd_close) int issuer = link_issuer(&bench);
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    gate_send(issuer, &message);
    assert_true(gate_is_dropped(issuer));
    int gate = gate_new(&bench, 1, "corp/olga", "revoke");
    ask(gate, 1, "corp/x", "");
    expect_answer(gate, 1, "issuer_unavailable");
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revocation_is_told_when_the_issuer_has_it_and_entered_with_its_author),
        cmocka_unit_test(who_may_not_revoke_is_refused_and_entered),
        cmocka_unit_test(what_would_not_be_one_line_is_refused),
        cmocka_unit_test(a_gate_that_asks_for_too_much_is_dropped),
        cmocka_unit_test(without_an_issuer_it_is_told_so_at_once),
        cmocka_unit_test(what_the_issuer_can_not_do_is_told_and_not_entered_as_done),
        cmocka_unit_test(an_answer_for_a_gate_that_left_harms_nobody),
        cmocka_unit_test(the_issuer_reports_its_own_events_and_none_of_the_ledgers),
        cmocka_unit_test(an_issuer_that_says_anything_else_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
