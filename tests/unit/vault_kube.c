/* gatehouse-vault and gatehouse-connector about Kubernetes targets: this test is the listener and the gates;
 * kube_server.py is the API server, which says what it saw. */
#include "check.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buffer.h"
#include "base/io.h"
#include "keygen.h"
#include "tls_house.h"
#include "vault/admin.h"
#include "vault/vault.h"
#include "vault_house.h"

enum { ANSWER_MS = 30000, TARGETS_MAX = 16 };

#define TOKEN "stored-t0ken"

static struct vault_house house;
static struct tls_server server;

/* ---- the configuration ---- */

/* Each target with what is special about it. */
static const struct {
    const char *name, *credential, *account, *user, *group, *port;
} clusters[] = {
    { "token", "prod-token", NULL, NULL, NULL, "good" },
    { "cert", "prod-cert", NULL, "{identity}", "gatehouse:{role}", "good" },
    { "claims", "prod-token", NULL, "{username}", NULL, "good" },
    { "bounded", "prod-token", "deployer", "{identity}", NULL, "good" },
    { "again", "prod-token", "deployer", NULL, NULL, "good" },
    { "replaced", "other-token", "deployer", NULL, NULL, "good" },
    { "short", "prod-token", "short", NULL, NULL, "good" },
    { "missing", "prod-token", "missing", NULL, NULL, "good" },
    { "crowd", "prod-token", "crowd", NULL, NULL, "good" },
    { "silent", "prod-token", "deployer", NULL, NULL, "silent" },
    { "password", "a-password", NULL, NULL, NULL, "good" },
    { "nothing", "not-there", NULL, NULL, NULL, "good" },
};
enum { CLUSTERS = sizeof clusters / sizeof *clusters };

struct setting {
    Ipc__Target targets[CLUSTERS], *list[CLUSTERS];
    Ipc__Impersonate who[CLUSTERS];
    Ipc__TokenRequest requests[CLUSTERS];
    char *groups[CLUSTERS];
};

static void add_cluster(struct setting *s, size_t i, ProtobufCBinaryData ca)
{
    Ipc__Target *target = s->list[i] = &s->targets[i];

    ipc__target__init(target);
    ipc__impersonate__init(&s->who[i]);
    ipc__token_request__init(&s->requests[i]);
    target->name = (char *)(uintptr_t)clusters[i].name;
    target->kind = (char *)"kubernetes";
    target->host = (char *)"127.0.0.1";
    target->port = tls_server_port(&server, clusters[i].port);
    target->credential = (char *)(uintptr_t)clusters[i].credential;
    target->tls_ca_pem = ca;
    if (clusters[i].user) {
        target->impersonate = &s->who[i];
        s->who[i].user = (char *)(uintptr_t)clusters[i].user;
        s->groups[i] = (char *)(uintptr_t)clusters[i].group;
        s->who[i].groups = &s->groups[i];
        s->who[i].n_groups = clusters[i].group != NULL;
    }
    if (clusters[i].account) {
        target->token_request = &s->requests[i];
        s->requests[i].namespace_ = (char *)"ops";
        s->requests[i].service_account = (char *)(uintptr_t)clusters[i].account;
        s->requests[i].lifetime_ms = 600000;
    }
}

static int config_fd(void)
{
    struct setting s;
    ProtobufCBinaryData pem;

    pem.data = (uint8_t *)keygen_read(house.state, "ca.pem", &pem.len);
    for (size_t i = 0; i < CLUSTERS; i++)
        add_cluster(&s, i, pem);
    int fd = vault_house_config(&house, s.list, CLUSTERS);
    free(pem.data);
    return fd;
}

static void reload(void)
{
    Ipc__Reload body = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &body);
    CLEANUP(fd_close) int fd = config_fd();

    assert_int_equal(ipc_send_now(house.vault.control, &message, &fd, 1, ANSWER_MS), 0);
}

static void set(const char *name, const char *type, const char *value)
{
    struct detail detail = { "" };

    if (vault_house_set(&house, name, type, value, strlen(value), &detail))
        fail_msg("%s", detail.text);
}

static void fill_vault(void)
{
    CLEANUP(free) char *certificate = keygen_read(house.state, "client.pem", NULL);
    CLEANUP(free) char *key = keygen_read(house.state, "client.key", NULL);
    char pem[8192];

    snprintf(pem, sizeof pem, "%s%s", certificate, key);
    set("prod-token", "token", TOKEN "\n");
    set("other-token", "token", TOKEN);
    set("prod-cert", "client-cert", pem);
    set("a-password", "password", "a-passw0rd");
}

static int start_all(void **unused)
{
    (void)unused;
    vault_house_prepare(&house);
    tls_make_ca(house.state, "ca");
    tls_make_certificate(house.state, "server", "api", "subjectAltName=IP:127.0.0.1", "2");
    tls_make_certificate(house.state, "client", "gatehouse", "extendedKeyUsage=clientAuth", "2");
    tls_make_certificate(house.state, "expired", "api", "subjectAltName=IP:127.0.0.1", "-1");
    tls_make_certificate(house.state, "misnamed", "api", "subjectAltName=DNS:elsewhere.example", "2");
    tls_server_start(&server, house.state, KUBE_SERVER);
    fill_vault();
    vault_house_start(&house, config_fd(), config_fd());
    return 0;
}

static int stop_all(void **unused)
{
    (void)unused;
    tls_server_stop(&server);
    vault_house_stop(&house);
    return 0;
}

/* ---- a gate ---- */

static void ask(int gate, const char *target)
{
    Ipc__AskLogin body = IPC__ASK_LOGIN__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &body);

    body.request = 5;
    body.target = (char *)(uintptr_t)target;
    body.recording = (char *)"REC123";
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
}

/* The connector's fd, or -1 with what was said instead. */
static int answered(int gate, char said[DETAIL_MAX])
{
    int fd = -1;
    Ipc__Message *message = expect(gate, IPC__MESSAGE__BODY_ANSWER_LOGIN, ANSWER_MS, &fd);
    const Ipc__Refusal *refusal = message->answer_login->refusal;

    snprintf(said, DETAIL_MAX, "%s: %s", refusal ? refusal->code : "", refusal ? refusal->message : "");
    ipc_message_free(message);
    return fd;
}

/* The stream to the API server, or -1 with the refusal. */
static int connected(int connector, uint64_t *ret_usable_ms, char said[DETAIL_MAX])
{
    int fd = -1;
    Ipc__Message *message = expect(connector, IPC__MESSAGE__BODY_CONNECTED, ANSWER_MS, &fd);
    const Ipc__Refusal *refusal = message->connected->refusal;

    if (refusal)
        snprintf(said, DETAIL_MAX, "%s: %s", refusal->code, refusal->message);
    *ret_usable_ms = message->connected->usable_ms;
    ipc_message_free(message);
    return fd;
}

static int reach(int gate, const char *target, uint64_t *ret_usable_ms)
{
    char said[DETAIL_MAX] = "";

    ask(gate, target);
    CLEANUP(fd_close) int connector = answered(gate, said);
    if (connector < 0)
        fail_msg("%s", said);
    int fd = connected(connector, ret_usable_ms, said);
    if (fd < 0)
        fail_msg("%s", said);
    return fd;
}

/* What the API server saw of one request. */
static char *request(int fd)
{
    static const char head[] = "H\0\0\0\x1cGET /version HTTP/1.1\r\nA: b\r\n\r\n";
    struct buffer b;
    size_t n = 1;

    assert_int_equal(sizeof head - 1, 5 + 31);
    CLEANUP(free) char *frame = malloc(sizeof head);
    memcpy(frame, head, sizeof head);
    frame[4] = 31;
    assert_int_equal(fd_write_all(fd, frame, sizeof head - 1, ANSWER_MS), 0);
    buffer_init(&b, 65536);
    while (n > 0 && !(buffer_size(&b) && buffer_head(&b)[buffer_size(&b) - 1] == '}')) {
        assert_int_equal(fd_wait(fd, POLLIN, ANSWER_MS), 0);
        assert_int_equal(buffer_read(&b, fd, 1, &n), 0);
    }
    char *text = calloc(1, buffer_size(&b) + 1);
    if (buffer_size(&b))
        memcpy(text, buffer_head(&b), buffer_size(&b));
    buffer_free(&b);
    return text;
}

static void expect_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" without \"%s\"", text, part);
}

static void expect_log(const char *part)
{
    vault_house_expect_log(&house, part);
}

/* ---- the entry's type ---- */

static void a_token_is_for_the_connector_alone(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    uint64_t usable;
    CLEANUP(fd_close) int fd = reach(gate, "token", &usable);
    CLEANUP(free) char *saw = request(fd);

    (void)unused;
    expect_has(saw, "[\"Authorization\", \"Bearer " TOKEN "\"]");
    assert_null(strstr(saw, "Impersonate"));
    assert_int_equal(usable, 0);
    expect_log("target=token recording=REC123 outcome=ok");
}

static void a_client_certificate_speaks_for_the_user(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    uint64_t usable;
    CLEANUP(fd_close) int fd = reach(gate, "cert", &usable);
    CLEANUP(free) char *saw = request(fd);

    (void)unused;
    expect_has(saw, "\"client\": \"gatehouse\"");
    expect_has(saw, "[\"Impersonate-User\", \"corp/anna\"], [\"Impersonate-Group\", \"gatehouse:agent\"]");
    assert_null(strstr(saw, "Authorization"));
    expect_log("target=cert user=corp/anna recording=REC123 outcome=ok");
}

static void expect_refusal(const char *target, const char *words)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    char said[DETAIL_MAX];

    ask(gate, target);
    assert_int_equal(answered(gate, said), -1);
    expect_has(said, words);
}

static void what_is_in_the_vault_has_to_fit(void **unused)
{
    (void)unused;
    expect_refusal("password", "target_unavailable: target \"password\" is unavailable");
    expect_log("is a password, not a token");
    expect_refusal("nothing", "target_unavailable: target \"nothing\" is unavailable");
    expect_log("has no entry \\\"not-there\\\"");
}

static void who_can_not_be_named_there_is_told_why(void **unused)
{
    (void)unused;
    expect_refusal("claims", "denied: your certificate says no username");
}

/* ---- bounded tokens ---- */

static void sessions_have_bounded_tokens_alone(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    uint64_t usable, later;
    CLEANUP(fd_close) int fd = reach(gate, "bounded", &usable);
    CLEANUP(free) char *saw = request(fd);

    (void)unused;
    expect_has(saw, "\"Bearer bounded-deployer-");
    expect_has(saw, "[\"Impersonate-User\", \"corp/anna\"]");
    assert_null(strstr(saw, TOKEN));
    assert_in_range(usable, 400 * 1000, 480 * 1000);
    expect_log("target_token connection=");
    expect_log("target=bounded service_account=ops/deployer outcome=ok lifetime=10m");
    /* One is enough for all. */
    CLEANUP(fd_close) int second = reach(gate, "bounded", &later);
    CLEANUP(free) char *saw_again = request(second);
    const char *token = strstr(saw, "bounded-deployer-");
    CLEANUP(free) char *same = strndup(token, strcspn(token, "\""));
    expect_has(saw_again, same);
    assert_true(later <= usable);
    assert_int_equal(vault_house_log_count(&house, "target=bounded service_account"), 1);
    expect_log("target=bounded user=corp/anna");
}

static void those_who_come_at_once_wait_for_one_token(void **unused)
{
    enum { GATES = 8 };
    int gates[GATES], connectors[GATES];
    char said[DETAIL_MAX] = "";
    uint64_t usable;

    (void)unused;
    for (size_t i = 0; i < GATES; i++) {
        gates[i] = vault_house_gate(&house);
    }
    for (size_t i = 0; i < GATES; i++)
        ask(gates[i], "crowd");
    close(gates[0]); /* the one that asked first does not stay */
    for (size_t i = 1; i < GATES; i++) {
        connectors[i] = answered(gates[i], said);
        assert_true(connectors[i] >= 0);
    }
    for (size_t i = 1; i < GATES; i++) {
        CLEANUP(fd_close) int fd = connected(connectors[i], &usable, said);
        if (fd < 0)
            fail_msg("%s", said);
        CLEANUP(free) char *saw = request(fd);
        expect_has(saw, "Bearer bounded-crowd-");
        close(connectors[i]);
        close(gates[i]);
    }
    assert_int_equal(vault_house_log_count(&house, "target=crowd service_account"), 1);
}

static void a_token_that_is_too_short_is_asked_for_anew(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    uint64_t usable, again;
    CLEANUP(fd_close) int fd = reach(gate, "short", &usable);

    (void)unused;
    assert_in_range(usable, 1, 16 * 1000);
    CLEANUP(free) char *saw = request(fd);
    expect_has(saw, "bounded-short-");
    CLEANUP(fd_close) int second = reach(gate, "short", &again);
    assert_true(again <= usable);
    assert_int_equal(vault_house_log_count(&house, "target=short service_account"), 1);
}

static void a_token_that_can_not_be_had_is_explained_in_the_log(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    char said[DETAIL_MAX] = "";
    uint64_t usable;

    (void)unused;
    ask(gate, "missing");
    CLEANUP(fd_close) int connector = answered(gate, said);
    assert_true(connector >= 0);
    assert_int_equal(connected(connector, &usable, said), -1);
    expect_has(said, "target_unavailable: target \"missing\" is unavailable; try again later");
    assert_null(strstr(said, "404"));
    expect_log("target=missing service_account=ops/missing outcome=failed");
    expect_log("serviceaccounts \\\"missing\\\" not found");
    expect_log("target_login connection=");
}

static char *token_of(int gate, const char *target)
{
    uint64_t usable;
    CLEANUP(fd_close) int fd = reach(gate, target, &usable);
    CLEANUP(free) char *saw = request(fd);
    const char *token = strstr(saw, "bounded-");

    assert_non_null(token);
    return strndup(token, strcspn(token, "\""));
}

static void another_configuration_asks_for_another_token(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(free) char *first = token_of(gate, "again");
    CLEANUP(free) char *second = token_of(gate, "again");

    (void)unused;
    assert_string_equal(first, second);
    reload();
    CLEANUP(free) char *third = token_of(gate, "again");
    assert_string_not_equal(first, third);
}

static void a_credential_that_is_replaced_or_removed_takes_its_token_with_it(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(free) char *first = token_of(gate, "replaced");
    char said[DETAIL_MAX] = "";
    uint64_t usable;

    (void)unused;
    set("other-token", "token", "no-such-token");
    ask(gate, "replaced");
    CLEANUP(fd_close) int connector = answered(gate, said);
    assert_int_equal(connected(connector, &usable, said), -1);
    expect_log("the API server answered 401 Unauthorized");
    set("other-token", "token", TOKEN);
    CLEANUP(free) char *second = token_of(gate, "replaced");
    assert_string_not_equal(first, second);
    assert_int_equal(vault_admin_remove(house.state, "other-token", NULL), 0);
    expect_refusal("replaced", "target_unavailable");
}

static void a_token_is_in_the_audit_chain_or_not_used(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    char said[DETAIL_MAX] = "";
    uint64_t usable;

    (void)unused;
    reload(); /* forgets the tokens */
    close(house.ledger);
    expect_log("ledger_lost");
    ask(gate, "again");
    CLEANUP(fd_close) int connector = answered(gate, said);
    assert_int_equal(connected(connector, &usable, said), -1);
    expect_has(said, "target_unavailable");
    expect_log("not in the audit chain");
    vault_house_link_ledger(&house);
    free(token_of(gate, "again"));
    Ipc__Message *told = expect(house.ledger, IPC__MESSAGE__BODY_AUDIT, ANSWER_MS, NULL);
    const Ipc__Audit *audit = told->audit;
    assert_string_equal(audit->event, "target_token");
    assert_int_equal(audit->n_fields, 4);
    assert_string_equal(audit->fields[1]->value, "again");
    assert_string_equal(audit->fields[2]->value, "ops/deployer");
    assert_string_equal(audit->fields[3]->value, "10m");
    ipc_message_free(told);
}

static void logins_under_way_have_a_limit(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    int connectors[VAULT_CLIENT_ERRANDS_MAX];
    char said[DETAIL_MAX];

    (void)unused;
    for (size_t i = 0; i < VAULT_CLIENT_ERRANDS_MAX; i++) { /* all wait for one token */
        ask(gate, "silent");
        connectors[i] = answered(gate, said);
        assert_true(connectors[i] >= 0);
    }
    ask(gate, "silent");
    assert_int_equal(answered(gate, said), -1);
    expect_has(said, "limit: too many logins to targets are under way");
    CLEANUP(fd_close) int other = vault_house_gate(&house); /* whom that does not concern */
    uint64_t usable;
    close(reach(other, "token", &usable));
    for (size_t i = 0; i < VAULT_CLIENT_ERRANDS_MAX; i++)
        close(connectors[i]);
}

static void a_gate_that_leaves_does_not_end_the_vault(void **unused)
{
    char said[DETAIL_MAX];

    (void)unused;
    for (int i = 0; i < 3; i++) {
        int gate = vault_house_gate(&house);
        ask(gate, "silent");
        int connector = answered(gate, said);
        assert_true(connector >= 0);
        close(connector);
        close(gate);
    }
    reload(); /* while it is fetched */
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    uint64_t usable;
    CLEANUP(fd_close) int fd = reach(gate, "token", &usable);
}

/* ---- gatehouse vault set ---- */

static void expect_not_taken(const char *type, const char *value, const char *words)
{
    CLEANUP(fd_close) int fd = -1;
    struct detail detail = { "" };

    assert_int_equal(fd_of_bytes("stdin", value, strlen(value), &fd), 0);
    assert_int_not_equal(vault_admin_set(house.state, "new", type, fd, &detail), 0);
    expect_has(detail.text, words);
}

static void what_could_not_be_used_is_not_taken(void **unused)
{
    CLEANUP(free) char *certificate = keygen_read(house.state, "client.pem", NULL);
    CLEANUP(free) char *key = keygen_read(house.state, "client.key", NULL);
    CLEANUP(free) char *past = keygen_read(house.state, "expired.pem", NULL);
    CLEANUP(free) char *past_key = keygen_read(house.state, "expired.key", NULL);
    char pem[8192];

    (void)unused;
    expect_not_taken("token", "two words\n", "bearer token");
    expect_not_taken("token", "two\nlines\n", "bearer token");
    expect_not_taken("client-cert", certificate, "no private key");
    expect_not_taken("client-cert", key, "no certificate");
    snprintf(pem, sizeof pem, "%s%s", certificate, past_key);
    expect_not_taken("client-cert", pem, "not that of the first certificate");
    snprintf(pem, sizeof pem, "%s%s", past, past_key);
    expect_not_taken("client-cert", pem, "expired on");
    snprintf(pem, sizeof pem, "%s%s%s", certificate, key, past_key);
    expect_not_taken("client-cert", pem, "two private keys");
    snprintf(pem, sizeof pem, "%s%s", key, certificate); /* in any order */
    set("key-first", "client-cert", pem);
    snprintf(pem, sizeof pem, "%s/locked.key", house.state);
    keygen_run(house.state, (const char *const[]){ "openssl", "pkey", "-in", "client.key", "-aes128",
                                                   "-passout", "pass:secret", "-out", pem, NULL });
    CLEANUP(free) char *locked = keygen_read(house.state, "locked.key", NULL);
    snprintf(pem, sizeof pem, "%s%s", certificate, locked);
    expect_not_taken("client-cert", pem, "has a passphrase");
}

static void no_credential_is_in_any_log(void **unused)
{
    CLEANUP(free) char *log = keygen_read(house.state, "processes.log", NULL);

    (void)unused;
    assert_null(strstr(log, TOKEN));
    assert_null(strstr(log, "bounded-"));
    assert_null(strstr(log, "PRIVATE KEY"));
    assert_null(strstr(log, "a-passw0rd"));
    assert_null(strstr(log, "child_killed"));
    assert_null(strstr(log, "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_for_the_connector_alone),
        cmocka_unit_test(a_client_certificate_speaks_for_the_user),
        cmocka_unit_test(what_is_in_the_vault_has_to_fit),
        cmocka_unit_test(who_can_not_be_named_there_is_told_why),
        cmocka_unit_test(sessions_have_bounded_tokens_alone),
        cmocka_unit_test(those_who_come_at_once_wait_for_one_token),
        cmocka_unit_test(a_token_that_is_too_short_is_asked_for_anew),
        cmocka_unit_test(a_token_that_can_not_be_had_is_explained_in_the_log),
        cmocka_unit_test(another_configuration_asks_for_another_token),
        cmocka_unit_test(a_credential_that_is_replaced_or_removed_takes_its_token_with_it),
        cmocka_unit_test(a_token_is_in_the_audit_chain_or_not_used),
        cmocka_unit_test(logins_under_way_have_a_limit),
        cmocka_unit_test(a_gate_that_leaves_does_not_end_the_vault),
        cmocka_unit_test(what_could_not_be_used_is_not_taken),
        cmocka_unit_test(no_credential_is_in_any_log),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
