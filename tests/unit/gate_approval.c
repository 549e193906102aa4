/* channels/approval: one request that waits for people. This test is the ledger, and its owner. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/chain.h"
#include "base/io.h"
#include "channels/approval.h"
#include "channels/recorder.h"
#include "check.h"
#include "policy/approval_digest.h"

enum { WAIT_MS = 5000 };

struct scene {
    struct gate gate;
    struct approval *approval;
    struct recorder *recorder;
    int ledger; /* our end */
    uint8_t digest[APPROVAL_DIGEST];
    uint32_t requests;
    Ipc__Approve approve[2];
    Ipc__RoleGroup group, *groups[1];
    char *roles[1];
    Ipc__Identity identity;
    Ipc__Config config;
    Ipc__Target target;
    /* what the owner was told */
    unsigned opened, notices, agreed, gone;
    char code[32], reason[512];
};

/* The one thing that it needs of gate.c. */
uint32_t gate_request(struct gate *gate);
uint32_t gate_request(struct gate *gate)
{
    static uint32_t last;
    (void)gate;
    return ++last;
}

/* ---- the owner ---- */

static void opened(void *owner, const char *const *ids, size_t n)
{
    struct scene *s = owner;
    (void)ids;
    s->opened += (unsigned)n;
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    struct scene *s = owner;
    (void)message, (void)detail, (void)hint;
    s->notices++;
}

static void agreed(void *owner)
{
    struct scene *s = owner;
    s->agreed++;
    approval_use(s->approval);
}

static void go(void *owner)
{
    struct scene *s = owner;
    s->gone++;
    approval_drop(STEAL(s->approval), "it runs");
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    struct scene *s = owner;
    (void)rule, (void)request;
    (void)snprintf(s->code, sizeof s->code, "%s", code);
    (void)snprintf(s->reason, sizeof s->reason, "%s", reason);
    approval_drop(STEAL(s->approval), "refused");
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

/* ---- the gate's link ---- */

static int on_news(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds, (void)n_fds;
    approval_news(owner, message->approval_news);
    return 0;
}

static const struct ipc_rule rules[] = {
    { IPC__MESSAGE__BODY_ANSWER_APPROVAL, 1, false, 0, 0, approval_answered },
    { IPC__MESSAGE__BODY_ANSWER_CONSUME, 1, false, 0, 0, approval_consumed },
    { IPC__MESSAGE__BODY_APPROVAL_NEWS, 1, false, 0, 0, on_news },
};

static void on_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    (void)reason;
    ipc_peer_free(STEAL(gate->ledger));
}

static void scene_open(struct scene *s, const char *mode)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 2 };
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    int pair[2];
    *s = (struct scene){ .digest = { 7 } };
    s->identity = (Ipc__Identity)IPC__IDENTITY__INIT;
    s->config = (Ipc__Config)IPC__CONFIG__INIT;
    s->target = (Ipc__Target)IPC__TARGET__INIT;
    s->group = (Ipc__RoleGroup)IPC__ROLE_GROUP__INIT;
    s->roles[0] = (char *)"dba";
    s->group.roles = s->roles;
    s->group.n_roles = 1;
    s->groups[0] = &s->group;
    for (size_t i = 0; i < 2; i++) {
        s->approve[i] = (Ipc__Approve)IPC__APPROVE__INIT;
        s->approve[i].by = s->groups;
        s->approve[i].n_by = 1;
        s->approve[i].wait_ms = 600000;
        s->approve[i].mode = (char *)(uintptr_t)mode;
    }
    s->gate.identity = &s->identity;
    s->gate.config = &s->config;
    assert_int_equal(loop_new(&s->gate.loop), 0);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    s->ledger = pair[0];
    assert_int_equal(ipc_peer_new(s->gate.loop, pair[1], "ledger", rules, sizeof rules / sizeof *rules,
                                  on_gone, &s->gate, &s->gate.ledger),
                     0);
    answer.id = (char *)"REC1";
    answer.chain_key = (ProtobufCBinaryData){ sizeof key, key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof tag, tag };
    answer.chain_version = CHAIN_V2;
    assert_int_equal(
        recorder_new(memfd_create("recording", MFD_CLOEXEC), &answer, 1 << 20, false, &s->recorder), 0);
}

static void scene_close(struct scene *s)
{
    approval_drop(s->approval, "over");
    recorder_free(s->recorder);
    ipc_peer_free(s->gate.ledger);
    fd_close(s->ledger);
    loop_free(s->gate.loop);
}

static void begin(struct scene *s, size_t rules_n)
{
    static const char *const names[] = { "one", "two" };
    struct holders holders = { .n = 0 };
    for (size_t i = 0; i < rules_n; i++)
        holders_add(&holders, &(struct holder){ names[i], "why", &s->approve[i] });
    const struct approval_question question = { .kind = "file",
                                                .target = &s->target,
                                                .content = (const uint8_t *)"",
                                                .digest = s->digest,
                                                .number = 3,
                                                .holders = &holders };
    assert_int_equal(approval_new(&s->gate, s->recorder, &question, &calls, s, &s->approval), 0);
}

/* ---- the ledger ---- */

static void pump(struct scene *s)
{
    for (int i = 0; i < 6; i++)
        assert_int_equal(loop_round(s->gate.loop, 1), 0);
}

static Ipc__Message *expect(struct scene *s, Ipc__Message__BodyCase body)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    pump(s);
    assert_int_equal(ipc_receive_now(s->ledger, WAIT_MS, &message, fds, &n), 0);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    assert_int_equal(message->body_case, body);
    return message;
}

static uint32_t expect_question(struct scene *s)
{
    CLEANUP(ipc_message_free) Ipc__Message *message = expect(s, IPC__MESSAGE__BODY_ASK_APPROVAL);
    assert_int_equal(message->ask_approval->number, 3);
    assert_string_equal(message->ask_approval->kind, "file");
    return message->ask_approval->request;
}

static void say(struct scene *s, const Ipc__Message *message)
{
    assert_int_equal(ipc_send_now(s->ledger, message, NULL, 0, WAIT_MS), 0);
    pump(s);
}

static void say_answer(struct scene *s, uint32_t request, const char *id, const char *grant, uint8_t first)
{
    Ipc__AnswerApproval answer = IPC__ANSWER_APPROVAL__INIT;
    uint8_t digest[APPROVAL_DIGEST] = { first };
    Ipc__Message message = IPC_MESSAGE(ANSWER_APPROVAL, answer_approval, &answer);
    answer.request = request;
    answer.id = (char *)(uintptr_t)id;
    answer.grant = (char *)(uintptr_t)grant;
    answer.state = IPC__APPROVAL_STATE__APPROVAL_OPEN;
    answer.digest = (ProtobufCBinaryData){ sizeof digest, digest };
    answer.expires_ms = UINT64_MAX / 2;
    say(s, &message);
}

static void say_news(struct scene *s, const char *id, Ipc__ApprovalState state)
{
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    Ipc__Message message = IPC_MESSAGE(APPROVAL_NEWS, approval_news, &news);
    news.id = (char *)(uintptr_t)id;
    news.state = state;
    news.expires_ms = UINT64_MAX / 2;
    say(s, &message);
}

static void answer_consume(struct scene *s, const char *code)
{
    Ipc__AnswerConsume answer = IPC__ANSWER_CONSUME__INIT;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_CONSUME, answer_consume, &answer);
    CLEANUP(ipc_message_free) Ipc__Message *asked = expect(s, IPC__MESSAGE__BODY_CONSUME);
    assert_memory_equal(asked->consume->digest.data, s->digest, APPROVAL_DIGEST);
    answer.request = asked->consume->request;
    refusal.code = (char *)(uintptr_t)code;
    if (code)
        answer.refusal = &refusal;
    say(s, &message);
}

/* ---- sentences ---- */

static void it_runs_once_it_is_approved_and_used_up(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 1);
    say_answer(&s, expect_question(&s), "A7K2MQ", "", 7);
    assert_int_equal(s.opened, 1);
    assert_int_equal(s.notices, 1);
    assert_int_equal(s.agreed, 0);
    say_news(&s, "B7K2MQ", IPC__APPROVAL_STATE__APPROVAL_APPROVED); /* somebody else's */
    assert_int_equal(s.agreed, 0);
    say_news(&s, "A7K2MQ", IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    assert_int_equal(s.agreed, 1);
    assert_int_equal(s.gone, 0);
    answer_consume(&s, NULL);
    assert_int_equal(s.gone, 1);
    assert_null(s.gate.approvals);
    scene_close(&s);
}

static void all_rules_have_to_agree(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 2);
    uint32_t one = expect_question(&s), two = expect_question(&s);
    say_answer(&s, one, "A7K2MQ", "", 7);
    assert_int_equal(s.notices, 0); /* before all are asked nothing is told */
    say_answer(&s, two, "B7K2MQ", "", 7);
    say_news(&s, "A7K2MQ", IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    assert_int_equal(s.agreed, 0);
    say_news(&s, "B7K2MQ", IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    assert_int_equal(s.agreed, 1);
    answer_consume(&s, NULL);
    assert_int_equal(s.gone, 0);
    answer_consume(&s, NULL);
    assert_int_equal(s.gone, 1);
    scene_close(&s);
}

static void one_denial_refuses_it_and_withdraws_the_others(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 2);
    uint32_t one = expect_question(&s), two = expect_question(&s);
    say_answer(&s, one, "A7K2MQ", "", 7);
    say_answer(&s, two, "B7K2MQ", "", 7);
    say_news(&s, "A7K2MQ", IPC__APPROVAL_STATE__APPROVAL_DENIED);
    assert_string_equal(s.code, "approval_denied");
    CLEANUP(ipc_message_free) Ipc__Message *message = expect(&s, IPC__MESSAGE__BODY_WITHDRAW);
    assert_string_equal(message->withdraw->id, "B7K2MQ");
    assert_int_equal(s.gone, 0);
    scene_close(&s);
}

static void what_was_read_otherwise_does_not_run(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 1);
    say_answer(&s, expect_question(&s), "A7K2MQ", "", 8); /* another digest */
    assert_string_equal(s.code, "denied");
    scene_close(&s);
}

static void what_the_ledger_does_not_let_pass_does_not_run(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 1);
    say_answer(&s, expect_question(&s), "A7K2MQ", "", 7);
    say_news(&s, "A7K2MQ", IPC__APPROVAL_STATE__APPROVAL_APPROVED);
    answer_consume(&s, "approval_expired");
    assert_string_equal(s.code, "approval_expired");
    assert_int_equal(s.gone, 0);
    scene_close(&s);
}

static void a_grant_lets_it_pass_without_anybody(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 1);
    say_answer(&s, expect_question(&s), "", "GRANT1", 7);
    assert_int_equal(s.opened, 0);
    assert_int_equal(s.gone, 1);
    scene_close(&s);
}

static void retry_is_refused_as_pending_and_not_withdrawn(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "retry");
    begin(&s, 1);
    say_answer(&s, expect_question(&s), "A7K2MQ", "", 7);
    assert_string_equal(s.code, "pending");
    assert_non_null(strstr(s.reason, "A7K2MQ"));
    assert_int_equal(fd_wait(s.ledger, 1, 50), -ETIMEDOUT);
    scene_close(&s);
}

static void who_leaves_withdraws_also_what_the_ledger_has_not_answered_yet(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s, "hold");
    begin(&s, 1);
    uint32_t request = expect_question(&s);
    approval_drop(STEAL(s.approval), "the client left");
    say_answer(&s, request, "A7K2MQ", "", 7);
    CLEANUP(ipc_message_free) Ipc__Message *message = expect(&s, IPC__MESSAGE__BODY_WITHDRAW);
    assert_string_equal(message->withdraw->id, "A7K2MQ");
    assert_int_equal(s.opened + s.notices + s.agreed, 0);
    assert_null(s.gate.approvals);
    scene_close(&s);
}

static void without_a_ledger_nobody_is_asked(void **state)
{
    struct scene s;
    struct holders holders = { .n = 0 };
    (void)state;
    scene_open(&s, "hold");
    ipc_peer_free(STEAL(s.gate.ledger));
    holders_add(&holders, &(struct holder){ "one", "why", &s.approve[0] });
    const struct approval_question question = { .kind = "file",
                                                .target = &s.target,
                                                .content = (const uint8_t *)"",
                                                .digest = s.digest,
                                                .holders = &holders };
    assert_int_equal(approval_new(&s.gate, s.recorder, &question, &calls, &s, &s.approval), -EPIPE);
    assert_null(s.gate.approvals);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_once_it_is_approved_and_used_up),
        cmocka_unit_test(all_rules_have_to_agree),
        cmocka_unit_test(one_denial_refuses_it_and_withdraws_the_others),
        cmocka_unit_test(what_was_read_otherwise_does_not_run),
        cmocka_unit_test(what_the_ledger_does_not_let_pass_does_not_run),
        cmocka_unit_test(a_grant_lets_it_pass_without_anybody),
        cmocka_unit_test(retry_is_refused_as_pending_and_not_withdrawn),
        cmocka_unit_test(who_leaves_withdraws_also_what_the_ledger_has_not_answered_yet),
        cmocka_unit_test(without_a_ledger_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
