/* gatehouse-vault with real connectors and a real PostgreSQL: this test is the listener and the gates. */
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "policy/revocation.h"
#include "policy/ticket.h"
#include "vault/admin.h"
#include "vault/vault.h"
#include "house.h"
#include "keygen.h"

enum { ANSWER_MS = 20000, ERRANDS_PER_GATE = VAULT_CLIENT_ERRANDS_MAX };

#define SOURCE "192.0.2.7"

static const uint8_t ticket_key[TICKET_KEY] = "a key for tickets of thirty two.";

static struct postgres postgres;
static struct process zygote, vault;
static char state[HOUSE_PATH], log_path[2 * HOUSE_PATH];
static uint64_t connections;
static int hanging; /* a server that accepts and says nothing */
static unsigned hanging_port;

/* ---- the configuration ---- */

static Ipc__Target target_of(const char *name, const char *credential, unsigned port)
{
    Ipc__Target target = IPC__TARGET__INIT;

    target.name = (char *)(uintptr_t)name;
    target.kind = (char *)"postgres";
    target.host = (char *)"127.0.0.1";
    target.port = port;
    target.database = (char *)"postgres";
    target.login = (char *)"scram_user";
    target.credential = (char *)(uintptr_t)credential;
    target.tls = (char *)"disable";
    return target;
}

/* Targets that the role agent reaches: orders, hangs, bare (no entry), token (an entry of another type),
 * wrong (its password is). Only dba reaches secret. */
static int config_fd(bool agent_exists)
{
    static const char *const reached[] = { "orders", "hangs", "bare", "token", "wrong" };
    Ipc__Target targets[] = {
        target_of("orders", "orders-app", postgres.port),    target_of("hangs", "orders-app", hanging_port),
        target_of("bare", "nothing", postgres.port),         target_of("token", "a-token", postgres.port),
        target_of("wrong", "wrong-password", postgres.port), target_of("secret", "orders-app", postgres.port)
    };
    Ipc__Target *target_list[6];
    char *agent_list[] = { (char *)"agent" }, *dba_list[] = { (char *)"dba" },
         *secret_list[] = { (char *)"secret" };
    Ipc__Role agent = IPC__ROLE__INIT, dba = IPC__ROLE__INIT, *roles[] = { &dba, &agent };
    Ipc__Rule first = IPC__RULE__INIT, second = IPC__RULE__INIT, *rules[] = { &first, &second };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Ca ca = IPC__CA__INIT;
    int fd = -1;

    for (size_t i = 0; i < 6; i++)
        target_list[i] = &targets[i];
    agent.name = (char *)"agent";
    dba.name = (char *)"dba";
    first.name = second.name = (char *)"rule";
    first.action = second.action = (char *)"allow";
    first.roles = agent_list;
    second.roles = dba_list;
    first.n_roles = second.n_roles = 1;
    first.targets = (char **)(uintptr_t)reached;
    first.n_targets = 5;
    second.targets = secret_list;
    second.n_targets = 1;
    ca.blob.data = keygen_blob(state, "ca.pub", &ca.blob.len);
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = agent_exists ? 2 : 1;
    config.targets = target_list;
    config.n_targets = 6;
    config.rules = rules;
    config.n_rules = 2;
    size_t n = ipc__config__get_packed_size(&config);
    CLEANUP(free) uint8_t *bytes = malloc(n);
    ipc__config__pack(&config, bytes);
    assert_int_equal(fd_of_bytes("config", bytes, n, &fd), 0);
    free(ca.blob.data);
    return fd;
}

static void set(const char *name, const char *type, const char *value)
{
    CLEANUP(fd_close) int fd = -1;
    struct detail detail = { "" };

    assert_int_equal(fd_of_bytes("stdin", value, strlen(value), &fd), 0);
    if (vault_admin_set(state, name, type, fd, &detail))
        fail_msg("%s", detail.text);
}

/* ---- processes ---- */

static void start_processes(void)
{
    Ipc__Start start = IPC__START__INIT;
    int fds[2];

    fds[0] = config_fd(true);
    zygote = process_start(CONNECTOR, &start, fds, 1, log_path);
    start.state = state;
    start.ticket_key.data = (uint8_t *)(uintptr_t)ticket_key;
    start.ticket_key.len = TICKET_KEY;
    fds[0] = config_fd(true);
    fds[1] = process_control(&zygote);
    vault = process_start(VAULT, &start, fds, 2, log_path);
    ipc_message_free(expect(vault.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
}

static int start_all(void **unused)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);

    (void)unused;
    postgres_start(&postgres);
    hanging = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(hanging, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(hanging, 64), 0);
    assert_int_equal(getsockname(hanging, (struct sockaddr *)&address, &n), 0);
    hanging_port = ntohs(address.sin_port);

    keygen_directory(state);
    assert_int_equal(chmod(state, 0711), 0);
    keygen_key(state, "ca", "ed25519", NULL);
    keygen_key(state, "user", "ed25519", NULL);
    assert_int_equal(vault_admin_init(state, NULL), 0);
    set("orders-app", "password", HOUSE_PASSWORD);
    set("wrong-password", "password", "this-is-not-it");
    set("a-token", "token", "t");
    snprintf(log_path, sizeof(log_path), "%s/processes.log", state);
    start_processes();
    return 0;
}

static int stop_all(void **unused)
{
    (void)unused;
    postgres_stop(&postgres); /* first: a failure must not leave it running */
    assert_int_equal(process_end(&vault), 0);
    assert_int_equal(process_end(&zygote), 0);
    close(hanging);
    keygen_remove(state);
    return 0;
}

static bool log_has(const char *text)
{
    CLEANUP(free) char *log = keygen_read(state, "processes.log", NULL);

    return strstr(log, text) != NULL;
}

/* ---- a gate ---- */

static int gate_from(const char *source)
{
    Ipc__Peer peer = IPC__PEER__INIT;
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &peer);
    int pair[2];

    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    peer.connection = ++connections;
    peer.source_address = (char *)(uintptr_t)source;
    peer.source_port = 40022;
    assert_int_equal(ipc_send_now(vault.control, &message, &pair[1], 1, ANSWER_MS), 0);
    close(pair[1]);
    return pair[0];
}

static void present(int gate, const char *const *options)
{
    Ipc__Present body = IPC__PRESENT__INIT;
    Ipc__Message message = IPC_MESSAGE(PRESENT, present, &body);

    body.certificate.data = keygen_certify(state, "user", "ca", options, &body.certificate.len);
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    free(body.certificate.data);
}

#define OPTIONS(...) ((const char *const[]){ "-I", "anna", "-n", __VA_ARGS__, NULL })

static Ipc__Message *vouched(int gate)
{
    return expect(gate, IPC__MESSAGE__BODY_VOUCHED, ANSWER_MS, NULL);
}

/* A gate whose client holds these principals. */
static int admitted_gate(const char *principals)
{
    int gate = gate_from(SOURCE);
    Ipc__Message *message;

    present(gate, OPTIONS(principals));
    message = vouched(gate);
    assert_non_null(message->vouched->ticket);
    ipc_message_free(message);
    return gate;
}

static void ask(int gate, uint32_t request, const char *target)
{
    Ipc__AskLogin body = IPC__ASK_LOGIN__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &body);

    body.request = request;
    body.target = (char *)(uintptr_t)target;
    body.recording = (char *)"REC123";
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
}

/* The code of the refusal, and its text; or "" and the connector's fd. */
static int answer(int gate, uint32_t request, char code[32], char text[DETAIL_MAX])
{
    int fd = -1;
    Ipc__Message *message = expect(gate, IPC__MESSAGE__BODY_ANSWER_LOGIN, ANSWER_MS, &fd);
    const Ipc__AnswerLogin *got = message->answer_login;

    assert_int_equal(got->request, request);
    assert_true((got->refusal == NULL) == (fd >= 0));
    snprintf(code, 32, "%s", got->refusal ? got->refusal->code : "");
    snprintf(text, DETAIL_MAX, "%s", got->refusal ? got->refusal->message : "");
    ipc_message_free(message);
    return fd;
}

static void expect_refusal(int gate, const char *target, const char *expected, char text[DETAIL_MAX])
{
    char code[32];

    ask(gate, 9, target);
    fd_close(answer(gate, 9, code, text));
    assert_string_equal(code, expected);
    assert_null(strstr(text, "scram_user"));
    assert_null(strstr(text, "127.0.0.1"));
}

static int connector_for(int gate, const char *target)
{
    char code[32], text[DETAIL_MAX];
    int fd;

    ask(gate, 5, target);
    fd = answer(gate, 5, code, text);
    if (fd < 0)
        fail_msg("%s: %s", code, text);
    return fd;
}

/* The whole way to a connection that answers queries. */
static void log_in(int gate)
{
    CLEANUP(fd_close) int connector = connector_for(gate, "orders");
    CLEANUP(fd_close) int fd = -1;
    Ipc__Message *message = expect(connector, IPC__MESSAGE__BODY_CONNECTED, ANSWER_MS, &fd);
    CLEANUP(free) char *value = NULL;

    if (message->connected->refusal)
        fail_msg("%s", message->connected->refusal->message);
    ipc_message_free(message);
    value = query(fd, "select current_user");
    assert_string_equal(value, "scram_user");
}

/* ---- Present ---- */

static void a_valid_certificate_gets_a_ticket(void **unused)
{
    CLEANUP(fd_close) int gate = gate_from(SOURCE);
    Ipc__Identity *identity = NULL;
    Ipc__Message *message;

    (void)unused;
    present(gate, OPTIONS("agent,other"));
    message = vouched(gate);
    assert_null(message->vouched->refusal);
    assert_int_equal(ticket_check(ticket_key, message->vouched->ticket, &identity), 0);
    assert_string_equal(identity->name, "anna");
    assert_int_equal(identity->n_roles, 1);
    assert_string_equal(identity->roles[0], "agent");
    assert_int_equal(identity->connection, connections);
    assert_string_equal(identity->source_address, SOURCE);
    assert_int_equal(identity->source_port, 40022);
    ipc__identity__free_unpacked(identity, NULL);
    ipc_message_free(message);
}

static void a_bad_certificate_gets_a_reason_and_nothing_else(void **unused)
{
    static const char *const cases[][5] = {
        { "agent", "-V", "0x10:0x20", "expired" },
        { "stranger", "-V", "always:forever", "none of its principals" },
        { "agent", "-O", "source-address=198.51.100.0/24", "may not be used from" },
        { "agent", "-O", "critical:x@example.com=y", "not supported here" },
    };

    (void)unused;
    for (size_t i = 0; i < 4; i++) {
        CLEANUP(fd_close) int gate = gate_from(SOURCE);
        Ipc__Message *message;

        present(gate, OPTIONS(cases[i][0], cases[i][1], cases[i][2]));
        message = vouched(gate);
        assert_null(message->vouched->ticket);
        assert_string_equal(message->vouched->refusal->code, "denied");
        assert_non_null(strstr(message->vouched->refusal->message, cases[i][3]));
        ipc_message_free(message);
        ask(gate, 1, "orders");
        expect_end(gate, ANSWER_MS);
    }
}

static void who_speaks_out_of_turn_is_cut_off(void **unused)
{
    CLEANUP(fd_close) int early = gate_from(SOURCE);
    CLEANUP(fd_close) int twice = admitted_gate("agent");
    CLEANUP(fd_close) int garbage = admitted_gate("agent");
    CLEANUP(fd_close) int other = admitted_gate("agent");

    (void)unused;
    ask(early, 1, "orders");
    expect_end(early, ANSWER_MS);
    present(twice, OPTIONS("agent"));
    expect_end(twice, ANSWER_MS);
    assert_int_equal(send(garbage, "\xff\xff\xff\xff", 4, 0), 4);
    expect_end(garbage, ANSWER_MS);
    log_in(other); /* and nobody else */
}

/* ---- AskLogin ---- */

static void an_admitted_gate_gets_a_connection(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");

    (void)unused;
    log_in(gate);
    log_in(gate);
    assert_true(log_has("target_login"));
    assert_true(log_has("REC123"));
}

static void a_target_out_of_reach_looks_like_none(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    char hidden[DETAIL_MAX], missing[DETAIL_MAX];

    (void)unused;
    expect_refusal(gate, "secret", "denied", hidden);
    expect_refusal(gate, "no-such-target", "denied", missing);
    assert_string_equal(hidden, missing);
    log_in(gate);
}

static void a_missing_entry_makes_the_target_unavailable(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    char text[DETAIL_MAX];

    (void)unused;
    expect_refusal(gate, "bare", "target_unavailable", text);
    assert_true(log_has("the vault has no entry"));
    expect_refusal(gate, "token", "target_unavailable", text);
    assert_true(log_has("is a token, not a password"));
}

static void a_wrong_password_is_told_to_the_log_only(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    CLEANUP(fd_close) int connector = connector_for(gate, "wrong");
    Ipc__Message *message = expect(connector, IPC__MESSAGE__BODY_CONNECTED, ANSWER_MS, NULL);

    (void)unused;
    assert_string_equal(message->connected->refusal->code, "target_unavailable");
    assert_null(strstr(message->connected->refusal->message, "password"));
    ipc_message_free(message);
    expect_end(connector, ANSWER_MS);
    usleep(100 * 1000);
    assert_true(log_has("password authentication failed"));
}

static void a_password_that_is_changed_is_used_at_once(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");

    (void)unused;
    log_in(gate);
    set("orders-app", "password", "outdated");
    {
        CLEANUP(fd_close) int connector = connector_for(gate, "orders");
        Ipc__Message *message = expect(connector, IPC__MESSAGE__BODY_CONNECTED, ANSWER_MS, NULL);

        assert_non_null(message->connected->refusal);
        ipc_message_free(message);
    }
    set("orders-app", "password", HOUSE_PASSWORD);
    log_in(gate);
    assert_int_equal(vault_admin_rekey(state, NULL), 0);
    log_in(gate);
}

static void a_vault_without_its_key_is_sealed_until_it_is_back(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    char key[2 * HOUSE_PATH], away[2 * HOUSE_PATH], text[DETAIL_MAX];

    (void)unused;
    snprintf(key, sizeof(key), "%s/vault/key", state);
    snprintf(away, sizeof(away), "%s/vault/away", state);
    assert_int_equal(rename(key, away), 0);
    expect_refusal(gate, "orders", "vault_sealed", text);
    assert_non_null(strstr(text, "sealed"));
    assert_true(log_has("vault_sealed"));
    {
        CLEANUP(fd_close) int another = admitted_gate("agent"); /* who it is needs no secret */
        expect_refusal(another, "orders", "vault_sealed", text);
    }
    assert_int_equal(rename(away, key), 0);
    log_in(gate);
    assert_true(log_has("vault_opened"));
}

static void a_certificate_that_expires_later_stops_later_logins(void **unused)
{
    CLEANUP(fd_close) int gate = gate_from(SOURCE);
    uint64_t until = clock_unix_ms() / 1000 + 3;
    char validity[64], text[DETAIL_MAX];
    Ipc__Message *message;

    (void)unused;
    snprintf(validity, sizeof(validity), "0x1:0x%" PRIx64, until);
    present(gate, OPTIONS("agent", "-V", validity));
    message = vouched(gate);
    assert_non_null(message->vouched->ticket);
    ipc_message_free(message);
    log_in(gate);
    while (clock_unix_ms() / 1000 < until)
        usleep(50 * 1000);
    expect_refusal(gate, "orders", "denied", text);
    assert_non_null(strstr(text, "your certificate expired"));
}

static void reload(bool agent_exists)
{
    Ipc__Reload body = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &body);
    CLEANUP(fd_close) int fd = config_fd(agent_exists);

    assert_int_equal(ipc_send_now(vault.control, &message, &fd, 1, ANSWER_MS), 0);
}

static void tell_revocations(const char *lines)
{
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    CLEANUP(fd_close) int fd = -1;
    struct detail detail = { "" };

    assert_int_equal(revocation_read((const uint8_t *)lines, strlen(lines), &list, &detail), 0);
    assert_int_equal(revocation_seal(&list), 0);
    assert_int_equal(revocation_pack(&list, &fd), 0);
    revocation_free(&list);
    assert_int_equal(ipc_send_now(vault.control, &message, &fd, 1, ANSWER_MS), 0);
    close(gate_from(SOURCE)); /* by the same socket, so after it */
    usleep(100 * 1000);
}

static void a_revoked_certificate_stops_later_logins_and_gets_no_ticket(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    CLEANUP(fd_close) int late = -1;
    char text[DETAIL_MAX];
    Ipc__Message *message;

    (void)unused;
    log_in(gate);
    tell_revocations("id:somebody-else\n");
    log_in(gate);
    tell_revocations("id:anna\n");
    expect_refusal(gate, "orders", "denied", text);
    assert_non_null(strstr(text, "revoked"));
    late = gate_from(SOURCE);
    present(late, OPTIONS("agent"));
    message = vouched(late);
    assert_null(message->vouched->ticket);
    assert_non_null(strstr(message->vouched->refusal->message, "revoked"));
    ipc_message_free(message);
    tell_revocations("");
    log_in(gate);
}

static void a_broken_list_leaves_the_old_one(void **unused)
{
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    CLEANUP(fd_close) int fd = -1;
    char text[DETAIL_MAX];

    (void)unused;
    tell_revocations("id:anna\n");
    assert_int_equal(fd_of_bytes("list", "\xff\xff\xff", 3, &fd), 0);
    assert_int_equal(ipc_send_now(vault.control, &message, &fd, 1, ANSWER_MS), 0);
    expect_refusal(gate, "orders", "denied", text);
    assert_true(log_has("revocations_not_taken"));
    tell_revocations("");
    log_in(gate);
}

static void a_role_that_is_taken_away_stops_later_logins(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    char text[DETAIL_MAX];

    (void)unused;
    log_in(gate);
    reload(false);
    usleep(100 * 1000);
    expect_refusal(gate, "orders", "denied", text);
    reload(true);
    usleep(100 * 1000);
    log_in(gate);
}

static void a_broken_configuration_leaves_the_old_one(void **unused)
{
    Ipc__Reload body = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &body);
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    CLEANUP(fd_close) int fd = -1;

    (void)unused;
    assert_int_equal(fd_of_bytes("config", "\xff\xff\xff", 3, &fd), 0);
    assert_int_equal(ipc_send_now(vault.control, &message, &fd, 1, ANSWER_MS), 0);
    log_in(gate);
    assert_true(log_has("reload_failed"));
}

static void logins_of_one_gate_are_bounded(void **unused)
{
    int gate = admitted_gate("agent"), connectors[ERRANDS_PER_GATE];
    CLEANUP(fd_close) int other = admitted_gate("agent");
    char text[DETAIL_MAX];

    (void)unused;
    for (int i = 0; i < ERRANDS_PER_GATE; i++)
        connectors[i] = connector_for(gate, "hangs");
    expect_refusal(gate, "hangs", "limit", text);
    expect_refusal(gate, "orders", "limit", text);
    log_in(other);
    close(gate); /* its connectors lose their gate, and end */
    for (int i = 0; i < ERRANDS_PER_GATE; i++)
        close(connectors[i]);
    log_in(other);
}

static void settings_beyond_all_bounds_end_the_gate(void **unused)
{
    enum { COUNT = 65 };
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    Ipc__Variable item = IPC__VARIABLE__INIT, *items[COUNT];
    Ipc__AskLogin body = IPC__ASK_LOGIN__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &body);

    (void)unused;
    for (int i = 0; i < COUNT; i++)
        items[i] = &item;
    item.name = (char *)"geqo";
    body.target = (char *)"orders";
    body.options = items;
    body.n_options = COUNT;
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    expect_end(gate, ANSWER_MS);
}

/* ---- AskCancel ---- */

static void a_cancel_reaches_the_statement(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    CLEANUP(fd_close) int connector = connector_for(gate, "orders");
    CLEANUP(fd_close) int fd = -1;
    Ipc__Message *connected = expect(connector, IPC__MESSAGE__BODY_CONNECTED, ANSWER_MS, &fd);
    Ipc__AskCancel body = IPC__ASK_CANCEL__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_CANCEL, ask_cancel, &body);
    uint64_t start = clock_ms();
    uint8_t *bytes;
    size_t n;

    (void)unused;
    send_query(fd, "select pg_sleep(15)");
    usleep(200 * 1000);
    body.target = (char *)"orders";
    body.pid = connected->connected->pid;
    body.key = connected->connected->key;
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    assert_int_equal(read_message(fd, &bytes, &n), 'T');
    free(bytes);
    assert_int_equal(read_message(fd, &bytes, &n), 'E');
    assert_non_null(memmem(bytes, n, "57014", 5));
    free(bytes);
    assert_true(clock_ms() - start < 6000);
    /* Nobody asked to be told: the next word to the gate is the answer to the next question. */
    body.request = 77;
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    Ipc__Message *told = expect(gate, IPC__MESSAGE__BODY_ANSWER_CANCEL, ANSWER_MS, NULL);
    assert_int_equal(told->answer_cancel->request, 77);
    assert_true(told->answer_cancel->ok);
    ipc_message_free(told);
    ipc_message_free(connected);
}

static void a_cancel_that_can_not_be_sent_is_over_too(void **unused)
{
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    Ipc__AskCancel body = IPC__ASK_CANCEL__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_CANCEL, ask_cancel, &body);
    uint8_t key[4] = { 1, 2, 3, 4 };

    (void)unused;
    body.target = (char *)"nowhere";
    body.key = (ProtobufCBinaryData){ sizeof key, key };
    body.request = 78;
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
    Ipc__Message *told = expect(gate, IPC__MESSAGE__BODY_ANSWER_CANCEL, ANSWER_MS, NULL);
    assert_int_equal(told->answer_cancel->request, 78);
    assert_false(told->answer_cancel->ok);
    ipc_message_free(told);
}

/* ---- the end ---- */

static void no_secret_is_in_any_log(void **unused)
{
    (void)unused;
    assert_false(log_has("7f3a"));
    assert_false(log_has("this-is-not-it"));
    assert_false(log_has("child_killed"));
    assert_false(log_has("runtime error"));
}

static void a_vault_without_connectors_ends(void **unused)
{
    int status;

    (void)unused;
    assert_int_equal(kill(zygote.pid, SIGKILL), 0);
    (void)process_end(&zygote);
    assert_int_equal(waitpid(vault.pid, &status, 0), vault.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    close(vault.control);
    start_processes();
    CLEANUP(fd_close) int gate = admitted_gate("agent");
    log_in(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_certificate_gets_a_ticket),
        cmocka_unit_test(a_bad_certificate_gets_a_reason_and_nothing_else),
        cmocka_unit_test(who_speaks_out_of_turn_is_cut_off),
        cmocka_unit_test(an_admitted_gate_gets_a_connection),
        cmocka_unit_test(a_target_out_of_reach_looks_like_none),
        cmocka_unit_test(a_missing_entry_makes_the_target_unavailable),
        cmocka_unit_test(a_wrong_password_is_told_to_the_log_only),
        cmocka_unit_test(a_password_that_is_changed_is_used_at_once),
        cmocka_unit_test(a_vault_without_its_key_is_sealed_until_it_is_back),
        cmocka_unit_test(a_certificate_that_expires_later_stops_later_logins),
        cmocka_unit_test(a_revoked_certificate_stops_later_logins_and_gets_no_ticket),
        cmocka_unit_test(a_broken_list_leaves_the_old_one),
        cmocka_unit_test(a_role_that_is_taken_away_stops_later_logins),
        cmocka_unit_test(a_broken_configuration_leaves_the_old_one),
        cmocka_unit_test(logins_of_one_gate_are_bounded),
        cmocka_unit_test(settings_beyond_all_bounds_end_the_gate),
        cmocka_unit_test(a_cancel_reaches_the_statement),
        cmocka_unit_test(a_cancel_that_can_not_be_sent_is_over_too),
        cmocka_unit_test(no_secret_is_in_any_log),
        cmocka_unit_test(a_vault_without_connectors_ends),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
