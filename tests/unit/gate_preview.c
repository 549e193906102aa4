/* channels/preview: what people are shown of a held statement is asked of the target, and the ledger told.
 * This test is the vault, the connector, the target and the ledger. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "channels/pg/preview.h"
#include "channels/preview.h"
#include "check.h"

enum { WAIT_MS = 5000 };

struct scene {
    struct gate gate;
    Ipc__Target target;
    int vault, ledger; /* our ends */
};

/* The one thing that it needs of gate.c. */
uint32_t gate_request(struct gate *gate);
uint32_t gate_request(struct gate *gate)
{
    static uint32_t last;
    (void)gate;
    return ++last;
}

static int on_answer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    assert_true(preview_answer_login(owner, message->answer_login, fds, n_fds));
    return 0;
}

static void gone(void *owner, const char *reason)
{
    (void)owner, (void)reason;
}

static int link_to(struct scene *s, const char *name, struct ipc_peer **ret)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_ANSWER_LOGIN, 1, false, 0, 1, on_answer } };
    int pair[2];
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_peer_new(s->gate.loop, pair[1], name, rules, 1, gone, &s->gate, ret), 0);
    return pair[0];
}

static void scene_open(struct scene *s)
{
    *s = (struct scene){ .vault = -1 };
    s->target = (Ipc__Target)IPC__TARGET__INIT;
    s->target.name = (char *)"orders";
    assert_int_equal(loop_new(&s->gate.loop), 0);
    s->vault = link_to(s, "vault", &s->gate.vault);
    s->ledger = link_to(s, "ledger", &s->gate.ledger);
}

static void scene_close(struct scene *s)
{
    assert_null(s->gate.previews);
    ipc_peer_free(s->gate.vault);
    ipc_peer_free(s->gate.ledger);
    fd_close(s->vault);
    fd_close(s->ledger);
    loop_free(s->gate.loop);
}

static void pump(struct scene *s)
{
    for (int i = 0; i < 6; i++)
        assert_int_equal(loop_round(s->gate.loop, 1), 0);
}

static void start(struct scene *s, const char *id, const char *query)
{
    struct preview_plan *plan = calloc(1, sizeof *plan);
    assert_non_null(plan);
    plan->note = strdup("known without asking");
    plan->rounds = *query ? 1 : 0;
    buffer_init(&plan->out, 1024);
    assert_int_equal(buffer_append(&plan->out, query, strlen(query)), 0);
    preview_start(&s->gate, &s->target, plan, &id, 1);
}

static Ipc__Message *next(int fd)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    assert_int_equal(ipc_receive_now(fd, WAIT_MS, &message, fds, &n), 0);
    assert_int_equal(n, 0);
    return message;
}

static uint32_t expect_login(struct scene *s)
{
    pump(s);
    CLEANUP(ipc_message_free) Ipc__Message *message = next(s->vault);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_ASK_LOGIN);
    assert_string_equal(message->ask_login->target, "orders");
    return message->ask_login->request;
}

/* The ledger is told of this one, with these words; entries of the audit chain may come before. */
static void expect_told(struct scene *s, const char *id, const char *words)
{
    pump(s);
    for (;;) {
        CLEANUP(ipc_message_free) Ipc__Message *message = next(s->ledger);
        if (message->body_case == IPC__MESSAGE__BODY_AUDIT)
            continue;
        assert_int_equal(message->body_case, IPC__MESSAGE__BODY_APPROVAL_PREVIEW);
        assert_string_equal(message->approval_preview->id, id);
        assert_non_null(strstr(message->approval_preview->text, words));
        return;
    }
}

static bool is_silent(int fd)
{
    return fd_wait(fd, 1, 50) != 0;
}

/* A connector for the login; -1: a refusal. */
static int answer_login(struct scene *s, uint32_t request, bool well)
{
    Ipc__AnswerLogin answer = IPC__ANSWER_LOGIN__INIT;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_LOGIN, answer_login, &answer);
    int pair[2] = { -1, -1 };
    answer.request = request;
    answer.refusal = well ? NULL : &refusal;
    if (well)
        assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(s->vault, &message, &pair[1], well ? 1 : 0, WAIT_MS), 0);
    fd_close(pair[1]);
    pump(s);
    return pair[0];
}

/* The target's end of the connection that the connector hands over. */
static int connect_it(struct scene *s, int connector)
{
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    Ipc__Message message = IPC_MESSAGE(CONNECTED, connected, &connected);
    int pair[2];
    assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
    assert_int_equal(ipc_send_now(connector, &message, &pair[1], 1, WAIT_MS), 0);
    close(pair[1]);
    pump(s);
    return pair[0];
}

static void the_target_is_asked_and_the_ledger_told(void **state)
{
    struct scene s;
    char asked[16] = "";
    (void)state;
    scene_open(&s);
    start(&s, "A7K2MQ", "QUERY");
    CLEANUP(fd_close) int connector = answer_login(&s, expect_login(&s), true);
    CLEANUP(fd_close) int server = connect_it(&s, connector);
    assert_int_equal(read(server, asked, sizeof asked), 5);
    assert_string_equal(asked, "QUERY");
    assert_int_equal(write(server, "Z\0\0\0\5I", 6), 6); /* ReadyForQuery */
    expect_told(&s, "A7K2MQ", "known without asking");
    assert_int_equal(read(server, asked, sizeof asked), 0); /* and the connection is given up */
    scene_close(&s);
}

static void without_a_login_what_is_known_is_told(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    start(&s, "A7K2MQ", "QUERY");
    (void)answer_login(&s, expect_login(&s), false);
    expect_told(&s, "A7K2MQ", "known");
    start(&s, "B7K2MQ", ""); /* nothing is to be asked */
    expect_told(&s, "B7K2MQ", "known");
    assert_true(is_silent(s.vault));
    scene_close(&s);
}

static void a_connector_or_a_vault_that_goes_ends_it(void **state)
{
    struct scene s;
    (void)state;
    scene_open(&s);
    start(&s, "A7K2MQ", "QUERY");
    close(answer_login(&s, expect_login(&s), true));
    expect_told(&s, "A7K2MQ", "known");
    start(&s, "B7K2MQ", "QUERY");
    (void)expect_login(&s);
    previews_vault_gone(&s.gate);
    expect_told(&s, "B7K2MQ", "known");
    scene_close(&s);
}

static void so_many_are_asked_at_once_and_the_next_one_waits(void **state)
{
    struct scene s;
    uint32_t requests[PREVIEWS_AT_ONCE];
    (void)state;
    scene_open(&s);
    for (int i = 0; i < PREVIEWS_AT_ONCE + 1; i++)
        start(&s, "A7K2MQ", "QUERY");
    for (int i = 0; i < PREVIEWS_AT_ONCE; i++)
        requests[i] = expect_login(&s);
    assert_true(is_silent(s.vault));
    (void)answer_login(&s, requests[0], false);
    uint32_t last = expect_login(&s);
    for (int i = 1; i < PREVIEWS_AT_ONCE; i++)
        (void)answer_login(&s, requests[i], false);
    (void)answer_login(&s, last, false);
    scene_close(&s);
}

static void beyond_the_limit_there_is_none(void **state)
{
    struct scene s;
    size_t n = 0;
    (void)state;
    scene_open(&s);
    for (int i = 0; i < PREVIEWS_MAX + 10; i++)
        start(&s, "A7K2MQ", "QUERY");
    while (s.gate.previews) {
        (void)answer_login(&s, expect_login(&s), false);
        n++;
    }
    assert_int_equal(n, PREVIEWS_MAX);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_is_asked_and_the_ledger_told),
        cmocka_unit_test(without_a_login_what_is_known_is_told),
        cmocka_unit_test(a_connector_or_a_vault_that_goes_ends_it),
        cmocka_unit_test(so_many_are_asked_at_once_and_the_next_one_waits),
        cmocka_unit_test(beyond_the_limit_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
