/* replay/ledger: an approval request and its end reach the courier. This test is the listener, the gates and
 * the courier. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "check.h"
#include "ledger_fixture.h"
#include "policy/ticket.h"
#include "replay/notify_key.h"

enum { WAIT_MS = 5000 };
static const char key_text[] = "0123456789abcdef0123456789abcdef";

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int link_courier(struct bench *bench)
{
    int pair[2];
    Ipc__Link link = IPC__LINK__INIT;
    link.process = lent("courier");
    Ipc__Message message = IPC_MESSAGE(LINK, link, &link);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(bench->control, &message, &pair[1], 1, WAIT_MS), 0);
    close(pair[1]);
    return pair[0];
}

/* One webhook, with a key when there is a name. */
static void configure(struct bench *bench, const char *secret, bool include)
{
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Recording recording = IPC__RECORDING__INIT;
    Ipc__Notify webhook = IPC__NOTIFY__INIT, *webhooks[] = { &webhook };
    Ipc__Reload reload = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &reload);
    char *events[] = { lent("approval_requested"), lent("approval_decided") };
    uint8_t bytes[2048];
    int fd = -1;
    recording.durability = lent("written");
    config.recording = &recording;
    config.state = bench->house.state;
    config.notify = webhooks;
    config.n_notify = 1;
    webhook.webhook = lent("https://chat.example.com/hook");
    webhook.form = lent("json");
    webhook.events = events;
    webhook.n_events = 2;
    webhook.secret = lent(secret);
    webhook.include_statement = include;
    assert_true(ipc__config__get_packed_size(&config) <= sizeof bytes);
    size_t n = ipc__config__pack(&config, bytes);
    assert_int_equal(fd_of_bytes("config", bytes, n, &fd), 0);
    assert_int_equal(ipc_send_now(bench->control, &message, &fd, 1, WAIT_MS), 0);
    close(fd);
}

/* The key as the ledger's own: under root it has another uid. */
static void write_key(struct bench *bench)
{
    char path[512];
    struct stat about;
    snprintf(path, sizeof path, "%s/notify", bench->house.state);
    assert_int_equal(stat(path, &about), 0);
    snprintf(path, sizeof path, "%s/notify/chat.key", bench->house.state);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", key_text) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
    if (geteuid() == 0)
        assert_int_equal(chown(path, about.st_uid, about.st_gid), 0);
}

static int gate_of(struct bench *bench, uint64_t connection, const char *who, const char *role)
{
    int gate = gate_new(bench, connection, NULL, NULL);
    char *roles[] = { lent(role) };
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    Ipc__Ticket *ticket = NULL;
    identity.name = lent(who);
    identity.connection = connection;
    identity.source_address = lent("192.0.2.4");
    identity.roles = roles;
    identity.n_roles = 1;
    assert_int_equal(ticket_issue(bench->ticket_key, &identity, &ticket), 0);
    Ipc__Introduce body = IPC__INTRODUCE__INIT;
    body.ticket = ticket;
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &body);
    gate_send(gate, &message);
    ipc__ticket__free_unpacked(ticket, NULL);
    return gate;
}

/* Asks, and returns the request's id in out. */
static void ask(int gate, const char *statement, char out[16])
{
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    Ipc__Approve approve = IPC__APPROVE__INIT;
    Ipc__RoleGroup group = IPC__ROLE_GROUP__INIT, *groups[] = { &group };
    Ipc__AskApproval body = IPC__ASK_APPROVAL__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_APPROVAL, ask_approval, &body);
    char *roles[] = { lent("dba") };
    uint8_t bytes[512];
    int fd = -1;
    content.statement.data = (uint8_t *)(uintptr_t)statement;
    content.statement.len = strlen(statement);
    group.roles = roles;
    group.n_roles = 1;
    approve.by = groups;
    approve.n_by = 1;
    approve.quorum = 1;
    approve.wait_ms = 60 * 1000;
    approve.mode = lent("hold");
    approve.preview = lent("none");
    body.request = 1;
    body.target = lent("orders");
    body.login = lent("app");
    body.kind = lent("sql");
    body.rule = lent("destructive");
    body.reason = lent("a second pair of eyes");
    body.policy = lent("0123");
    body.approve = &approve;
    size_t n = ipc__approval_content__pack(&content, bytes);
    assert_int_equal(fd_of_bytes("content", bytes, n, &fd), 0);
    assert_int_equal(ipc_send_now(gate, &message, &fd, 1, WAIT_MS), 0);
    close(fd);
    CLEANUP(ipc_message_free) Ipc__Message *answer = gate_receive(gate, &fd);
    assert_non_null(answer);
    assert_int_equal(answer->body_case, IPC__MESSAGE__BODY_ANSWER_APPROVAL);
    if (answer->answer_approval->refusal)
        fail_msg("refused: %s", answer->answer_approval->refusal->message);
    snprintf(out, 16, "%s", answer->answer_approval->id);
}

static void decide(int gate, const char *id, bool approve)
{
    Ipc__Decide body = IPC__DECIDE__INIT;
    Ipc__Message message = IPC_MESSAGE(DECIDE, decide, &body);
    int fd = -1;
    body.request = 2;
    body.id = lent(id);
    body.approve = approve;
    body.reason = lent("not on a Friday");
    gate_send(gate, &message);
    CLEANUP(ipc_message_free) Ipc__Message *answer = gate_receive(gate, &fd);
    assert_non_null(answer);
    assert_int_equal(answer->body_case, IPC__MESSAGE__BODY_ANSWER_DECIDE);
    if (answer->answer_decide->refusal)
        fail_msg("refused: %s", answer->answer_decide->refusal->message);
}

static Ipc__Message *expect_post(int courier)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(courier, WAIT_MS, &message, fds, &n);
    if (r)
        fail_msg("nothing was posted: %s", strerror(-r));
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_POST);
    assert_string_equal(message->post->url, "https://chat.example.com/hook");
    return message;
}

static bool says(const Ipc__Message *message, const char *words)
{
    return memmem(message->post->body.data, message->post->body.len, words, strlen(words)) != NULL;
}

static void answer_post(int courier, uint32_t request, uint32_t status)
{
    Ipc__Posted posted = IPC__POSTED__INIT;
    Ipc__Message message = IPC_MESSAGE(POSTED, posted, &posted);
    posted.request = request;
    posted.status = status;
    assert_int_equal(ipc_send_now(courier, &message, NULL, 0, WAIT_MS), 0);
}

/* ---- what is told ---- */

static void a_request_and_its_denial_are_told(void **state)
{
    struct bench bench;
    char id[16], words[64];
    (void)state;
    bench_open(&bench);
    configure(&bench, "", false);
    int courier = link_courier(&bench);
    int agent = gate_of(&bench, 1, "local/agent", "agent"), dba = gate_of(&bench, 2, "corp/dora", "dba");
    ask(agent, "DELETE FROM orders WHERE card = '4111'", id);
    Ipc__Message *first = expect_post(courier);
    snprintf(words, sizeof words, "\"request\":\"%s\"", id);
    assert_true(says(first, words));
    assert_true(says(first, "\"event\":\"approval_requested\""));
    assert_true(says(first, "\"identity\":\"local/agent\""));
    assert_true(says(first, "\"target\":\"orders\""));
    assert_true(says(first, "\"rule\":\"destructive\""));
    assert_true(says(first, "\"by\":[\"dba\"],\"quorum\":1,\"expires_at\":\"20"));
    assert_false(says(first, "4111"));
    assert_int_equal(first->post->n_headers, 2); /* not signed */
    decide(dba, id, false);
    answer_post(courier, first->post->request, 200);
    Ipc__Message *second = expect_post(courier);
    assert_true(says(second, words));
    assert_true(says(second, "\"event\":\"approval_decided\""));
    assert_true(
        says(second, "\"decision\":\"denied\",\"deciders\":[\"corp/dora\"],\"comment\":\"not on a Friday\""));
    assert_false(says(second, "4111"));
    ipc_message_free(first);
    ipc_message_free(second);
    close(courier);
    bench_close(&bench);
}

static void one_that_is_withdrawn_is_told_too(void **state)
{
    struct bench bench;
    char id[16];
    (void)state;
    bench_open(&bench);
    configure(&bench, "", false);
    int courier = link_courier(&bench);
    int agent = gate_of(&bench, 1, "local/agent", "agent");
    ask(agent, "DELETE FROM orders", id);
    gate_close(&bench, agent);
    Ipc__Message *first = expect_post(courier);
    answer_post(courier, first->post->request, 200);
    Ipc__Message *second = expect_post(courier);
    assert_true(says(second, "\"decision\":\"withdrawn\",\"comment\":\"the connection has ended\""));
    ipc_message_free(first);
    ipc_message_free(second);
    close(courier);
    bench_close(&bench);
}

static void an_approval_is_told_with_its_statement_where_that_is_wanted(void **state)
{
    struct bench bench;
    char id[16];
    (void)state;
    bench_open(&bench);
    configure(&bench, "", true);
    int courier = link_courier(&bench);
    int agent = gate_of(&bench, 1, "local/agent", "agent"), dba = gate_of(&bench, 2, "corp/dora", "dba");
    ask(agent, "DELETE FROM orders", id);
    Ipc__Message *first = expect_post(courier);
    assert_true(says(first, "\"statement\":\"DELETE FROM orders\",\"statement_truncated\":false"));
    decide(dba, id, true);
    answer_post(courier, first->post->request, 200);
    Ipc__Message *second = expect_post(courier);
    assert_true(says(second, "\"decision\":\"approved\",\"deciders\":[\"corp/dora\"]"));
    ipc_message_free(first);
    ipc_message_free(second);
    close(courier);
    bench_close(&bench);
}

/* ---- faults ---- */

static void nobody_waits_for_a_courier_that_is_not_there(void **state)
{
    struct bench bench;
    char id[16];
    (void)state;
    bench_open(&bench);
    configure(&bench, "", false);
    int agent = gate_of(&bench, 1, "local/agent", "agent"), dba = gate_of(&bench, 2, "corp/dora", "dba");
    ask(agent, "DELETE FROM orders", id);
    decide(dba, id, true);
    int courier = link_courier(&bench); /* it comes later, and hears of both */
    Ipc__Message *first = expect_post(courier);
    assert_true(says(first, "approval_requested"));
    ipc_message_free(first);
    close(courier); /* dies with it in hand */
    courier = link_courier(&bench);
    first = expect_post(courier);
    assert_true(says(first, "approval_requested"));
    answer_post(courier, first->post->request, 200);
    Ipc__Message *second = expect_post(courier);
    assert_true(says(second, "approval_decided"));
    ipc_message_free(first);
    ipc_message_free(second);
    close(courier);
    bench_close(&bench);
}

static void the_signature_is_made_inside_the_jail(void **state)
{
    struct bench bench;
    char id[16], signature[NOTIFY_SIGNATURE];
    uint8_t bytes[sizeof key_text];
    struct notify_key *key = NULL;
    (void)state;
    bench_open(&bench);
    write_key(&bench);
    configure(&bench, "chat.key", false);
    int courier = link_courier(&bench);
    int agent = gate_of(&bench, 1, "local/agent", "agent");
    ask(agent, "DELETE FROM orders", id);
    Ipc__Message *post = expect_post(courier);
    assert_int_equal(post->post->n_headers, 3);
    const Ipc__Variable *header = post->post->headers[2];
    assert_string_equal(header->name, "Gatehouse-Signature");
    memcpy(bytes, key_text, sizeof bytes);
    assert_int_equal(notify_key_new(bytes, sizeof key_text - 1, &key), 0);
    assert_string_equal(notify_sign(key, strtoull(header->value + 2, NULL, 10), post->post->body.data,
                                    post->post->body.len, signature),
                        header->value);
    notify_key_free(key);
    ipc_message_free(post);
    close(courier);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_and_its_denial_are_told),
        cmocka_unit_test(one_that_is_withdrawn_is_told_too),
        cmocka_unit_test(an_approval_is_told_with_its_statement_where_that_is_wanted),
        cmocka_unit_test(nobody_waits_for_a_courier_that_is_not_there),
        cmocka_unit_test(the_signature_is_made_inside_the_jail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
