/* A session between two sockets: a client and a server that are both this test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/pg/session.h"
#include "channels/pg/wire.h"
#include "policy/sql.h"

#define BYTES(text) (text), sizeof(text) - 1

enum { ROUND_MS = 20, ANSWER_MAX = 64 * 1024 };

struct fixture {
    struct pg_host host;
    struct rulebook *rulebook;
    struct recorder *recorder;
    struct pg_session *session;
    int client, server; /* the test's ends */
    bool asked;         /* for a login */
    int login_result;
    char ended[512]; /* the reason, once */
    unsigned endings;
    uint32_t cancelled;
    char application[64];
};

static struct fixture *now; /* the fixture of the running test */

static int ask_login(void *owner, Ipc__Variable *const *options, size_t n)
{
    struct fixture *f = owner;
    f->asked = true;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(options[i]->name, "application_name") == 0)
            strncpy(f->application, options[i]->value, sizeof(f->application) - 1);
    }
    return f->login_result;
}

static void ask_cancel(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    struct fixture *f = owner;
    assert_int_equal(n, 6);
    assert_memory_equal(key, "secret", 6);
    f->cancelled = pid;
}

static int ask_cancel_end(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    ask_cancel(owner, pid, key, n);
    return 0;
}

static void ended(void *owner, const char *reason)
{
    struct fixture *f = owner;
    strncpy(f->ended, reason, sizeof(f->ended) - 1);
    f->endings++;
    pg_session_free(STEAL(f->session));
}

static const struct pg_calls calls = {
    .ask_login = ask_login, .ask_cancel = ask_cancel, .ask_cancel_end = ask_cancel_end, .ended = ended
};

static struct rulebook *rules(void)
{
    static char all[] = "all", allow[] = "allow", any[] = "*", *targets[] = { any };
    static Ipc__Rule rule, *list[] = { &rule };
    static Ipc__Config config;
    struct rulebook *rulebook = NULL;
    ipc__config__init(&config);
    ipc__rule__init(&rule);
    rule.name = all;
    rule.action = allow;
    rule.targets = targets;
    rule.n_targets = 1;
    config.rules = list;
    config.n_rules = 1;
    assert_int_equal(rulebook_new(&config, &rulebook), 0);
    return rulebook;
}

static struct recorder *recorder_to(const char *path)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 0 };
    struct recorder *recorder = NULL;
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    assert_int_equal(recorder_new(open(path, O_WRONLY | O_CLOEXEC), &answer, UINT64_MAX, false, &recorder),
                     0);
    return recorder;
}

static int client_of(struct fixture *f, struct pg_session **ret)
{
    int ends[2];
    assert_int_equal(fd_pair(SOCK_STREAM | SOCK_NONBLOCK, ends), 0);
    assert_int_equal(pg_session_new(&f->host, duplex_of_socket(ends[0]), f->recorder, 1, true, f, ret), 0);
    return ends[1];
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){ .client = -1, .server = -1 };
    f.rulebook = rules();
    f.recorder = recorder_to("/dev/null");
    f.host = (struct pg_host){ .rulebook = f.rulebook, .who = { .target = "test" }, .calls = &calls };
    assert_int_equal(loop_new(&f.host.loop), 0);
    f.client = client_of(&f, &f.session);
    *state = now = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pg_session_free(f->session);
    recorder_free(f->recorder);
    rulebook_free(f->rulebook);
    loop_free(f->host.loop);
    fd_close(f->client);
    fd_close(f->server);
    return 0;
}

/* Lets the session do what it has to do. */
static void settle(void)
{
    for (int i = 0; i < 6; i++)
        assert_int_equal(loop_round(now->host.loop, ROUND_MS), 0);
}

static void put(int fd, const char *bytes, size_t n)
{
    assert_int_equal(fd_write_all(fd, bytes, n, 1000), 0);
    settle();
}

static void start(void)
{
    put(now->client, BYTES("\0\0\0\x24\0\3\0\0user\0me\0application_name\0x\0\0"));
    assert_true(now->asked);
}

/* Everything that is there to be read. */
static size_t get(int fd, char answer[ANSWER_MAX])
{
    ssize_t n = recv(fd, answer, ANSWER_MAX, MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static bool is_said(int fd, const char *words)
{
    static char answer[ANSWER_MAX];
    size_t n = get(fd, answer);
    return n > 0 && memmem(answer, n, words, strlen(words)) != NULL;
}

static bool is_at_end(int fd)
{
    char byte = 0;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

struct login {
    Ipc__Connected connected;
    Ipc__Variable items[2], *list[2];
};

static void login_init(struct login *l, const char *conforming, const char *encoding)
{
    static char names[2][32] = { "standard_conforming_strings", "client_encoding" };
    const char *const values[] = { conforming, encoding };
    ipc__connected__init(&l->connected);
    for (size_t i = 0; i < 2; i++) {
        ipc__variable__init(&l->items[i]);
        l->items[i].name = names[i];
        l->items[i].value = (char *)(uintptr_t)values[i];
        l->list[i] = &l->items[i];
    }
    l->connected.parameters = l->list;
    l->connected.n_parameters = 2;
    l->connected.pid = 4711;
    l->connected.key = (ProtobufCBinaryData){ 6, (uint8_t *)(uintptr_t) "secret" };
}

static void log_in(const struct login *l)
{
    int ends[2];
    assert_int_equal(fd_pair(SOCK_STREAM, ends), 0);
    now->server = ends[1];
    pg_session_connected(now->session, &l->connected, ends[0]);
    settle();
}

static void begin(void)
{
    struct login l;
    char answer[ANSWER_MAX];
    start();
    login_init(&l, "on", "UTF8");
    log_in(&l);
    assert_true(get(now->client, answer) > 0);
}

static void the_greeting_is_the_servers_but_for_the_key(void **state)
{
    struct fixture *f = *state;
    struct login l;
    char answer[ANSWER_MAX];
    start();
    assert_string_equal(f->application, "x");
    login_init(&l, "on", "UTF8");
    log_in(&l);
    size_t n = get(f->client, answer);
    assert_memory_equal(answer, "R\0\0\0\x08\0\0\0\0S", 10);
    assert_memory_equal(answer + n - 6, "Z\0\0\0\5I", 6);
    assert_memory_equal(answer + n - 19, "K\0\0\0\x0c\0\0\x12\x67", 9);
    assert_null(memmem(answer, n, "secret", 6));
}

static void what_libpq_had_read_already_goes_to_the_client(void **state)
{
    struct fixture *f = *state;
    struct login l;
    start();
    login_init(&l, "on", "UTF8");
    l.connected.leftover = (ProtobufCBinaryData){ 14, (uint8_t *)(uintptr_t) "N\0\0\0\x0dMhello\0\0" };
    log_in(&l);
    assert_true(is_said(f->client, "Mhello"));
}

static void what_the_client_sent_early_goes_to_the_server(void **state)
{
    struct fixture *f = *state;
    struct login l;
    start();
    put(f->client, BYTES("Q\0\0\0\x0dselect 1\0"));
    login_init(&l, "on", "UTF8");
    log_in(&l);
    assert_true(is_said(f->server, "select 1"));
}

static void settings_that_blind_the_parser_are_refused_at_login(void **state)
{
    static const char *const cases[][2] = {
        { "off", "UTF8" }, { "on", "SJIS" }, { "", "UTF8" }, { "on", "" }
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct login l;
        if (i > 0) {
            (void)tear_down(state);
            (void)set_up(state);
        }
        start();
        login_init(&l, cases[i][0], cases[i][1]);
        log_in(&l);
        assert_true(is_said(now->client, "SFATAL"));
        assert_true(is_at_end(now->server));
    }
}

static void a_refused_login_is_told_and_ends(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_MAX];
    start();
    pg_session_refused(f->session, "vault_sealed", "the vault is sealed");
    settle();
    size_t n = get(f->client, answer);
    assert_non_null(memmem(answer, n, "SFATAL", 6));
    assert_non_null(memmem(answer, n, "C57P03", 6));
    assert_non_null(memmem(answer, n, "code=vault_sealed", 17));
    assert_true(is_at_end(f->client));
    fd_close(STEAL_FD(f->client));
    settle();
    assert_int_equal(f->endings, 1);
}

static void nobody_to_ask_is_told_too(void **state)
{
    struct fixture *f = *state;
    f->login_result = -EPIPE;
    start();
    assert_true(is_said(f->client, "code=target_unavailable"));
}

static void a_stopped_session_says_why_and_closes_the_target(void **state)
{
    struct fixture *f = *state;
    begin();
    pg_session_stop(f->session, "recording_unavailable", "no recording");
    settle();
    assert_true(is_said(f->client, "code=recording_unavailable"));
    assert_true(is_at_end(f->server));
    pg_session_stop(f->session, "recording_unavailable", "twice");
    fd_close(STEAL_FD(f->client));
    settle();
    assert_int_equal(f->endings, 1);
    assert_string_equal(f->ended, "recording_unavailable: no recording");
}

static void no_words_fall_into_the_middle_of_a_message(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_MAX];
    begin();
    put(f->server, BYTES("D\0\0\1\0half a row"));
    pg_session_stop(f->session, "recording_unavailable", "no recording");
    settle();
    assert_int_equal(get(f->client, answer), 15);
    assert_true(is_at_end(f->client));
}

static void a_server_that_goes_without_a_word_is_said(void **state)
{
    struct fixture *f = *state;
    begin();
    fd_close(STEAL_FD(f->server));
    settle();
    assert_true(is_said(f->client, "code=target_unavailable"));
    assert_true(is_at_end(f->client));
}

static void a_server_that_says_why_is_believed(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_MAX];
    begin();
    put(f->server, BYTES("E\0\0\0\x13SFATAL\0Mbye  \0\0"));
    fd_close(STEAL_FD(f->server));
    settle();
    assert_int_equal(get(f->client, answer), 20);
    assert_true(is_at_end(f->client));
}

static void garbage_of_the_server_ends_the_session(void **state)
{
    struct fixture *f = *state;
    begin();
    put(f->server, BYTES("HTTP/1.1 400 Bad Request\r\n"));
    assert_true(is_said(f->client, "code=target_unavailable"));
}

static void a_client_that_goes_closes_the_target(void **state)
{
    struct fixture *f = *state;
    begin();
    put(f->client, BYTES("Q\0\0\0\x0dselect 1\0"));
    fd_close(STEAL_FD(f->client));
    settle();
    assert_true(is_said(f->server, "select 1"));
    assert_true(is_at_end(f->server));
    assert_string_equal(f->ended, "the client closed");
}

static void a_cancel_request_with_the_minted_key_reaches_its_session(void **state)
{
    struct fixture *f = *state;
    struct login l;
    char answer[ANSWER_MAX], request[] = "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x12\x67key!";
    struct pg_session *other = NULL;
    start();
    login_init(&l, "on", "UTF8");
    log_in(&l);
    size_t n = get(f->client, answer);
    for (int wrong = 1; wrong >= 0; wrong--) {
        struct pg_session *session = f->session;
        int fd = client_of(f, &other);
        memcpy(request + 12, answer + n - 10, 4);
        request[12] = (char)(request[12] ^ wrong);
        f->session = other; /* the one that will end */
        put(fd, request, 16);
        settle();
        assert_int_equal(f->cancelled, wrong ? 0 : 4711);
        if (!wrong) {
            /* Clients wait for the end of this connection: the target may not have read the request yet. */
            assert_int_equal(recv(fd, answer, 1, MSG_DONTWAIT), -1);
            pg_session_cancelled(other);
        }
        assert_true(is_at_end(fd));
        fd_close(fd);
        settle();
        assert_null(f->session);
        f->session = session;
    }
}

static void a_session_may_be_freed_at_any_time(void **state)
{
    struct fixture *f = *state;
    begin();
    put(f->server, BYTES("D\0\0\1\0half a row"));
    pg_session_free(STEAL(f->session));
    settle();
    assert_null(f->host.sessions);
    assert_int_equal(f->endings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_greeting_is_the_servers_but_for_the_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_libpq_had_read_already_goes_to_the_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_client_sent_early_goes_to_the_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_that_blind_the_parser_are_refused_at_login, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refused_login_is_told_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_to_ask_is_told_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_session_says_why_and_closes_the_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_words_fall_into_the_middle_of_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_goes_without_a_word_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_says_why_is_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_of_the_server_ends_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_goes_closes_the_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancel_request_with_the_minted_key_reaches_its_session, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_session_may_be_freed_at_any_time, set_up, tear_down),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    sql_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
