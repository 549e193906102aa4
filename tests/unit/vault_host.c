/* gatehouse-vault and gatehouse-connector about SSH targets: this test is the listener, the gates and the
 * hosts. What the real sshd says to it is tests/e2e/test_ssh_target_login.py's. */
#include "check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/io.h"
#include "base/text.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "vault/admin.h"
#include "vault/host.h"
#include "vault_house.h"

enum { ANSWER_MS = 20000, TARGETS = 10 };

static struct vault_house house;
static int host; /* the target's port */
static unsigned port;

/* ---- the configuration ---- */

static Ipc__Target target_of(const char *name, const char *credential, const char *ca)
{
    static char *logins[] = { (char *)"root", (char *)"git" };
    Ipc__Target target = IPC__TARGET__INIT;
    target.name = (char *)(uintptr_t)name;
    target.kind = (char *)"ssh";
    target.host = (char *)"127.0.0.1";
    target.port = port;
    target.login = (char *)"deploy";
    target.logins = logins;
    target.n_logins = 2;
    target.credential = (char *)(uintptr_t)credential;
    target.certificate_authority = (char *)(uintptr_t)ca;
    return target;
}

static int config_fd(void)
{
    Ipc__Target targets[TARGETS] = {
        target_of("key", "web-key", ""),        target_of("ca", "", "target-ca"),
        target_of("password", "pass", ""),      target_of("gone", "web-key", ""),
        target_of("anywhere", "", "target-ca"), target_of("through", "", "target-ca"),
        target_of("lent", "pass", ""),          target_of("lent-key", "web-key", ""),
        target_of("lent-long", "long", ""),     target_of("lent-taken", "taken", "")
    };
    Ipc__Target *target_list[TARGETS];
    Ipc__ForwardRange range = IPC__FORWARD_RANGE__INIT, *ranges[] = { &range };
    for (size_t i = 0; i < TARGETS; i++)
        target_list[i] = &targets[i];
    targets[3].port = 1; /* nobody listens */
    targets[4].source_address = (char *)"any";
    targets[5].source_address = (char *)"192.0.2.0/24,198.51.100.7";
    targets[5].forwards = ranges;
    targets[5].n_forwards = 1;
    for (size_t i = 6; i < TARGETS; i++)
        targets[i].password_to_gate = true;
    return vault_house_config(&house, target_list, TARGETS);
}

static int set(const char *name, const char *type, const void *value, size_t n, struct detail *detail)
{
    return vault_house_set(&house, name, type, value, n, detail);
}

static void set_key(const char *entry, const char *file)
{
    struct detail detail = { "" };
    size_t n;
    CLEANUP(free) char *key = keygen_read(house.state, file, &n);
    if (set(entry, "ssh-key", key, n, &detail))
        fail_msg("%s", detail.text);
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    port = ntohs(address.sin_port);
    return fd;
}

/* The vault has told of this event with this value in it; of what, besides, does not matter. */
static void expect_audit_of(const char *event, const char *name, const char *value)
{
    bool found = false;
    while (!found) {
        Ipc__Message *told = expect(house.ledger, IPC__MESSAGE__BODY_AUDIT, ANSWER_MS, NULL);
        for (size_t i = 0; i < told->audit->n_fields; i++)
            found |= strcmp(told->audit->event, event) == 0 &&
                     strcmp(told->audit->fields[i]->name, name) == 0 &&
                     strcmp(told->audit->fields[i]->value, value) == 0;
        ipc_message_free(told);
    }
}

static void expect_audit(const char *name, const char *value)
{
    expect_audit_of("target_certificate", name, value);
}

static int start_all(void **unused)
{
    char long_one[HOST_PASSWORD_MAX + 1];
    (void)unused;
    host = listen_on_loopback();
    vault_house_prepare(&house);
    keygen_key(house.state, "gate", "ed25519", NULL);
    keygen_key(house.state, "web", "ed25519", NULL);
    keygen_key(house.state, "target_ca", "ecdsa", NULL);
    set_key("web-key", "web");
    set_key("target-ca", "target_ca");
    memset(long_one, 'x', sizeof(long_one));
    assert_int_equal(set("pass", "password", "not-a-key", 9, NULL), 0);
    assert_int_equal(set("taken", "password", "not-a-key", 9, NULL), 0);
    assert_int_equal(set("long", "password", long_one, sizeof(long_one), NULL), 0);
    vault_house_start(&house, config_fd(), config_fd());
    return 0;
}

static int stop_all(void **unused)
{
    (void)unused;
    vault_house_stop(&house);
    close(host);
    return 0;
}

static void expect_log(const char *text)
{
    vault_house_expect_log(&house, text);
}

/* ---- a gate ---- */

static void ask(int gate, const char *target, const char *login, const char *command, const char *key)
{
    Ipc__AskLogin body = IPC__ASK_LOGIN__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &body);
    CLEANUP(free) uint8_t *blob = NULL;
    body.request = 5;
    body.target = (char *)(uintptr_t)target;
    body.login = (char *)(uintptr_t)login;
    body.command = (char *)(uintptr_t)command;
    body.recording = (char *)"REC123";
    if (key)
        body.ssh_public_key.data = blob = keygen_blob(house.state, key, &body.ssh_public_key.len);
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, ANSWER_MS), 0);
}

/* The connector's fd, or -1 with the refusal's code and words. */
static int answered(int gate, char code[32], char text[DETAIL_MAX])
{
    int fd = -1;
    Ipc__Message *message = expect(gate, IPC__MESSAGE__BODY_ANSWER_LOGIN, ANSWER_MS, &fd);
    const Ipc__Refusal *refusal = message->answer_login->refusal;
    snprintf(code, 32, "%s", refusal ? refusal->code : "");
    snprintf(text, DETAIL_MAX, "%s", refusal ? refusal->message : "");
    ipc_message_free(message);
    return fd;
}

struct arrival {
    Ipc__Message *message;
    const Ipc__Connected *connected;
    int fds[IPC_FDS_MAX];
    size_t n_fds;
    int accepted; /* the host's end of the connection */
};

/* connector: goes on being there, for more than the arrival. */
static struct arrival arrive_by(int gate, const char *target, const char *login, const char *command,
                                int *ret_connector)
{
    struct arrival a = { .accepted = -1 };
    char code[32], text[DETAIL_MAX];
    ask(gate, target, login, command, "gate.pub");
    int connector = answered(gate, code, text);
    if (connector < 0)
        fail_msg("%s: %s", code, text);
    *ret_connector = connector;
    assert_int_equal(ipc_receive_now(connector, ANSWER_MS, &a.message, a.fds, &a.n_fds), 0);
    assert_int_equal(a.message->body_case, IPC__MESSAGE__BODY_CONNECTED);
    a.connected = a.message->connected;
    if (!a.connected->refusal)
        a.accepted = accept(host, NULL, NULL);
    return a;
}

static struct arrival arrive(int gate, const char *target, const char *login, const char *command)
{
    CLEANUP(fd_close) int connector = -1;
    return arrive_by(gate, target, login, command, &connector);
}

static void leave(struct arrival *a)
{
    for (size_t i = 0; i < a->n_fds; i++)
        fd_close(a->fds[i]);
    fd_close(a->accepted);
    ipc_message_free(a->message);
}

static void expect_refusal(const char *target, const char *login, const char *code, const char *words)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    char got[32], text[DETAIL_MAX];
    ask(gate, target, login, "", "gate.pub");
    assert_int_equal(answered(gate, got, text), -1);
    assert_string_equal(got, code);
    if (!strstr(text, words))
        fail_msg("\"%s\" without \"%s\"", text, words);
}

/* What is written at one end comes out at the other. */
static void expect_same_connection(const struct arrival *a)
{
    char got[3] = "";
    assert_int_equal(write(a->fds[0], "hi", 2), 2);
    assert_int_equal(fd_read_all(a->accepted, got, 2, ANSWER_MS), 0);
    assert_string_equal(got, "hi");
}

/* ---- by certificate ---- */

/* What ssh-keygen -L says of the certificate. */
static char *describe(const Ipc__Connected *connected)
{
    char path[2 * HOUSE_PATH], line[4 * HOUSE_PATH];
    CLEANUP(free) char *base64 = malloc(4 * connected->ssh_certificate.len);
    size_t n = 0;
    snprintf(path, sizeof(path), "%s/minted-cert.pub", house.state);
    FILE *file = fopen(path, "w");
    fprintf(file, "ssh-ed25519-cert-v01@openssh.com %s\n",
            text_base64(base64, connected->ssh_certificate.data, connected->ssh_certificate.len));
    fclose(file);
    snprintf(line, sizeof(line), "TZ=UTC ssh-keygen -L -f %s > %s/minted.txt", path, house.state);
    assert_int_equal(system(line), 0);
    return keygen_read(house.state, "minted.txt", &n);
}

static bool line_has(const char *text, const char *line)
{
    return strstr(text, line) != NULL;
}

/* "Valid: from 2026-01-31T09:05:07 to 2026-01-31T09:07:07" */
static void expect_two_minutes(const char *text)
{
    int from[3], to[3];
    const char *valid = strstr(text, "Valid: from ");
    assert_non_null(valid);
    assert_int_equal(sscanf(valid, "Valid: from %*d-%*d-%*dT%d:%d:%d to %*d-%*d-%*dT%d:%d:%d", &from[0],
                            &from[1], &from[2], &to[0], &to[1], &to[2]),
                     6);
    int seconds = (to[0] - from[0]) * 3600 + (to[1] - from[1]) * 60 + to[2] - from[2];
    assert_int_equal((seconds + 24 * 3600) % (24 * 3600), 120); /* a minute back, a minute ahead */
}

static void a_certificate_is_for_one_login_from_one_address(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "ca", "", "");
    CLEANUP(free) char *text = describe(a.connected);
    CLEANUP(free) char *gate_key = keygen_read(house.state, "gate.pub", NULL);
    (void)unused;
    assert_int_equal(a.n_fds, 1);
    expect_same_connection(&a);
    assert_string_equal(a.connected->login, "deploy");
    assert_true(line_has(text, "user certificate"));
    assert_true(line_has(text, "Key ID: \"corp/anna\""));
    assert_true(line_has(text, "Principals: \n                deploy\n        Critical"));
    assert_true(line_has(text, "source-address 127.0.0.1\n        Extensions"));
    assert_true(line_has(text, "permit-pty\n"));
    assert_false(line_has(text, "force-command"));
    assert_false(line_has(text, "forwarding"));
    assert_false(line_has(text, "Serial: 0\n"));
    assert_true(line_has(text, "(using ecdsa-sha2-nistp256)"));
    expect_two_minutes(text);
    leave(&a);
    expect_log("target_certificate");
    expect_log("recording=REC123");
    expect_audit("identity", "corp/anna");
}

static void a_further_login_and_a_command_are_in_the_certificate(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "ca", "git", "git-upload-pack '/srv/x y'");
    CLEANUP(free) char *text = describe(a.connected);
    (void)unused;
    assert_string_equal(a.connected->login, "git");
    assert_true(line_has(text, "Principals: \n                git\n        Critical"));
    assert_true(line_has(text, "force-command git-upload-pack '/srv/x y'\n"));
    leave(&a);
    expect_audit("command", "git-upload-pack '/srv/x y'");
}

static void what_can_not_be_entered_in_the_audit_chain_is_not_signed(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    (void)unused;
    close(house.ledger);
    expect_log("ledger_lost");
    struct arrival a = arrive(gate, "ca", "", "");
    assert_non_null(a.connected->refusal);
    assert_int_equal(a.n_fds, 0);
    a.accepted = accept(host, NULL, NULL); /* it was connected to */
    leave(&a);
    expect_log("not in the audit chain");
    vault_house_link_ledger(&house);
}

static void behind_nat_the_configuration_says_the_source(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "anywhere", "", ""), b = arrive(gate, "through", "", "");
    CLEANUP(free) char *any = describe(a.connected);
    CLEANUP(free) char *listed = describe(b.connected);
    (void)unused;
    assert_false(line_has(any, "source-address"));
    assert_true(line_has(listed, "source-address 192.0.2.0/24,198.51.100.7\n"));
    assert_true(line_has(listed, "permit-port-forwarding"));
    leave(&a);
    leave(&b);
}

static void no_certificate_is_made_of_no_key(void **unused)
{
    CLEANUP(fd_close) int none = vault_house_gate(&house);
    CLEANUP(fd_close) int wrong = vault_house_gate(&house);
    (void)unused;
    ask(none, "ca", "", "", NULL);
    expect_end(none, ANSWER_MS);
    free(keygen_certify(house.state, "gate", "user-ca", (const char *const[]){ "-I", "x", NULL },
                        &(size_t){ 0 }));
    ask(wrong, "ca", "", "", "gate-cert.pub"); /* a certificate is no plain key */
    expect_end(wrong, ANSWER_MS);
}

/* ---- by key ---- */

static uint8_t answer_of_agent(int fd, uint8_t **ret, size_t *ret_n)
{
    uint8_t head[4];
    assert_int_equal(fd_read_all(fd, head, 4, ANSWER_MS), 0);
    struct reader r = reader_of(head, 4);
    uint32_t n = 0;
    assert_true(reader_u32(&r, &n) && n > 0 && n < 16384);
    uint8_t *bytes = malloc(n);
    assert_int_equal(fd_read_all(fd, bytes, n, ANSWER_MS), 0);
    uint8_t type = bytes[0];
    *ret = bytes;
    *ret_n = n;
    return type;
}

static void send_frame(int fd, uint8_t type, const struct buffer *body)
{
    struct buffer frame;
    buffer_init(&frame, 16384);
    assert_int_equal(buffer_put_u32(&frame, (uint32_t)(1 + (body ? buffer_size(body) : 0))), 0);
    assert_int_equal(buffer_put_u8(&frame, type), 0);
    if (body)
        assert_int_equal(buffer_append(&frame, buffer_head(body), buffer_size(body)), 0);
    assert_int_equal(fd_write_all(fd, buffer_head(&frame), buffer_size(&frame), ANSWER_MS), 0);
    buffer_free(&frame);
}

static void ask_signature(int agent, const Ipc__Connected *connected, const char *login)
{
    struct buffer data, body;
    buffer_init(&data, 8192);
    buffer_init(&body, 8192);
    assert_int_equal(buffer_put_string(&data, "0123456789abcdef0123456789abcdef", 32), 0);
    assert_int_equal(buffer_put_u8(&data, 50), 0);
    assert_int_equal(buffer_put_string(&data, login, strlen(login)), 0);
    assert_int_equal(buffer_put_string(&data, "ssh-connection", 14), 0);
    assert_int_equal(buffer_put_string(&data, "publickey", 9), 0);
    assert_int_equal(buffer_put_u8(&data, 1), 0);
    assert_int_equal(buffer_put_string(&data, "ssh-ed25519", 11), 0);
    assert_int_equal(buffer_put_string(&data, connected->ssh_key.data, connected->ssh_key.len), 0);
    assert_int_equal(buffer_put_string(&body, connected->ssh_key.data, connected->ssh_key.len), 0);
    assert_int_equal(buffer_put_string(&body, buffer_head(&data), buffer_size(&data)), 0);
    assert_int_equal(buffer_put_u32(&body, 0), 0);
    send_frame(agent, 13, &body);
    buffer_free(&data);
    buffer_free(&body);
}

static void expect_closed(int fd)
{
    char byte;
    assert_int_equal(fd_read_all(fd, &byte, 1, ANSWER_MS), -EPIPE);
}

static void a_key_stays_with_an_agent_that_signs_once(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "key", "root", "");
    size_t key_n, n;
    CLEANUP(free) uint8_t *key = keygen_blob(house.state, "web.pub", &key_n);
    uint8_t *bytes;
    (void)unused;
    assert_int_equal(a.n_fds, 2);
    expect_same_connection(&a);
    assert_string_equal(a.connected->login, "root");
    assert_int_equal(a.connected->ssh_certificate.len, 0);
    assert_int_equal(a.connected->ssh_key.len, key_n);
    assert_memory_equal(a.connected->ssh_key.data, key, key_n);
    send_frame(a.fds[1], 11, NULL);
    assert_int_equal(answer_of_agent(a.fds[1], &bytes, &n), 12);
    assert_non_null(memmem(bytes, n, key, key_n));
    free(bytes);
    ask_signature(a.fds[1], a.connected, "root");
    assert_int_equal(answer_of_agent(a.fds[1], &bytes, &n), 14);
    free(bytes);
    expect_closed(a.fds[1]);
    expect_same_connection(&a); /* which outlives its agent */
    leave(&a);
    expect_log("login=root recording=REC123 outcome=ok");
}

static void another_login_is_not_signed(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "key", "", "");
    uint8_t *bytes;
    size_t n;
    (void)unused;
    ask_signature(a.fds[1], a.connected, "root"); /* asked for as deploy */
    assert_int_equal(answer_of_agent(a.fds[1], &bytes, &n), 5);
    free(bytes);
    expect_closed(a.fds[1]);
    leave(&a);
    expect_log("the login to be signed is another one than was asked for");
}

static void a_gate_that_does_not_trust_the_host_asks_for_nothing(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "key", "git", "");
    (void)unused;
    leave(&a);
    expect_log("the gate ended without a signature");
}

/* ---- by password ---- */

static void say_ask_password(int connector)
{
    Ipc__AskPassword ask_body = IPC__ASK_PASSWORD__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_PASSWORD, ask_password, &ask_body);
    assert_int_equal(ipc_send_now(connector, &message, NULL, 0, ANSWER_MS), 0);
}

/* What the connector answers, and then it ends. */
static void expect_password(int connector, const char *password)
{
    Ipc__Message *answer = expect(connector, IPC__MESSAGE__BODY_ANSWER_PASSWORD, ANSWER_MS, NULL);
    assert_int_equal(answer->answer_password->password.len, strlen(password));
    assert_memory_equal(answer->answer_password->password.data, password, strlen(password));
    assert_string_equal(answer->answer_password->error, "");
    ipc_message_free(answer);
    expect_end(connector, ANSWER_MS);
}

static void a_password_is_given_once_when_the_gate_asks(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(fd_close) int connector = -1;
    struct arrival a = arrive_by(gate, "lent", "root", "", &connector);
    (void)unused;
    assert_int_equal(a.n_fds, 1);
    assert_string_equal(a.connected->login, "root");
    assert_int_equal(a.connected->ssh_key.len + a.connected->ssh_certificate.len, 0);
    expect_same_connection(&a);
    say_ask_password(connector);
    expect_password(connector, "not-a-key");
    expect_same_connection(&a); /* which outlives its connector */
    leave(&a);
    expect_audit_of("target_password", "login", "root");
    expect_log("target_password connection=");
    expect_log("login=root credential=pass recording=REC123");
}

static void a_password_that_nobody_asks_for_is_not_given(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    int connector = -1;
    struct arrival a = arrive_by(gate, "lent", "git", "", &connector);
    (void)unused;
    fd_close(connector);
    leave(&a);
    expect_log("login=git recording=REC123 outcome=failed");
    expect_log("the gate ended without asking for the password");
}

static void whoever_says_something_else_gets_no_password(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(fd_close) int connector = -1;
    Ipc__AskCertificate body = IPC__ASK_CERTIFICATE__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_CERTIFICATE, ask_certificate, &body);
    struct arrival a = arrive_by(gate, "lent", "", "", &connector);
    (void)unused;
    assert_int_equal(ipc_send_now(connector, &message, NULL, 0, ANSWER_MS), 0);
    expect_end(connector, ANSWER_MS);
    leave(&a);
    expect_log("the gate said something else than that it wants the password");
}

static void a_password_is_looked_up_when_it_is_asked_for(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(fd_close) int connector = -1;
    struct arrival a = arrive_by(gate, "lent-taken", "", "", &connector);
    (void)unused;
    assert_int_equal(vault_admin_remove(house.state, "taken", NULL), 0);
    say_ask_password(connector);
    expect_password(connector, "");
    leave(&a);
    expect_log("the vault has no entry \\\"taken\\\"");
}

static void a_password_that_can_not_be_entered_in_the_audit_chain_is_not_given(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    CLEANUP(fd_close) int connector = -1;
    size_t lost = vault_house_log_count(&house, "ledger_lost");
    (void)unused;
    close(house.ledger);
    struct arrival a = arrive_by(gate, "lent", "", "", &connector);
    vault_house_expect_log_times(&house, "ledger_lost", lost + 1);
    say_ask_password(connector);
    expect_password(connector, "");
    leave(&a);
    expect_log("no password is given that is not in the audit chain");
    vault_house_link_ledger(&house);
}

/* ---- refusals ---- */

static void a_login_that_is_not_the_targets_is_refused_by_name(void **unused)
{
    (void)unused;
    expect_refusal("key", "admin", "denied", "its logins: deploy, root, git");
    expect_refusal("ca", "Deploy", "denied", "nobody logs in as \"Deploy\"");
}

static void a_password_does_not_log_in_at_a_host_unless_the_target_says_so(void **unused)
{
    (void)unused;
    expect_refusal("password", "", "target_unavailable", "`password_to_gate: true`");
    expect_log("is a password, not a ssh-key: a gate gets it only with `password_to_gate: true`");
}

static void other_entries_are_no_passwords_for_a_host(void **unused)
{
    (void)unused;
    expect_refusal("lent-key", "", "target_unavailable", "ask an operator");
    expect_log("is a ssh-key, not a password");
    expect_refusal("lent-long", "", "target_unavailable", "ask an operator");
    expect_log("is longer than the 512 bytes of a password for a host");
}

static void a_host_that_is_away_is_unavailable(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    struct arrival a = arrive(gate, "gone", "", "");
    (void)unused;
    assert_non_null(a.connected->refusal);
    assert_string_equal(a.connected->refusal->code, "target_unavailable");
    assert_int_equal(a.n_fds, 0);
    leave(&a);
    expect_log("127.0.0.1 port 1: Connection refused");
}

static void a_login_that_is_too_long_ends_the_gate(void **unused)
{
    CLEANUP(fd_close) int gate = vault_house_gate(&house);
    char login[66];
    (void)unused;
    memset(login, 'a', 65);
    login[65] = '\0';
    ask(gate, "key", login, "", NULL);
    expect_end(gate, ANSWER_MS);
}

/* ---- gatehouse vault set ---- */

static void expect_no_key(const char *file, const char *words)
{
    struct detail detail = { "" };
    size_t n;
    CLEANUP(free) char *bytes = keygen_read(house.state, file, &n);
    assert_int_not_equal(set("no-key", "ssh-key", bytes, n, &detail), 0);
    if (!strstr(detail.text, words))
        fail_msg("\"%s\" without \"%s\"", detail.text, words);
}

static void what_is_no_key_is_not_taken(void **unused)
{
    char path[2 * HOUSE_PATH];
    (void)unused;
    snprintf(path, sizeof(path), "%s/locked", house.state);
    keygen_run(house.state, (const char *const[]){ "ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f",
                                                   path, NULL });
    snprintf(path, sizeof(path), "%s/short", house.state);
    keygen_run(house.state, (const char *const[]){ "ssh-keygen", "-q", "-t", "rsa", "-b", "1024", "-N", "",
                                                   "-f", path, NULL });
    expect_no_key("locked", "passphrase");
    expect_no_key("short", "1024");
    expect_no_key("web.pub", "not a private key");
    keygen_key(house.state, "long", "rsa", "3072");
    set_key("an-rsa-key", "long");
}

/* ---- the end ---- */

static void no_key_is_in_any_log(void **unused)
{
    CLEANUP(free) char *log = keygen_read(house.state, "processes.log", NULL);
    (void)unused;
    assert_null(strstr(log, "PRIVATE KEY"));
    assert_null(strstr(log, "not-a-key"));
    assert_null(strstr(log, "child_killed"));
    assert_null(strstr(log, "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_for_one_login_from_one_address),
        cmocka_unit_test(a_further_login_and_a_command_are_in_the_certificate),
        cmocka_unit_test(what_can_not_be_entered_in_the_audit_chain_is_not_signed),
        cmocka_unit_test(behind_nat_the_configuration_says_the_source),
        cmocka_unit_test(no_certificate_is_made_of_no_key),
        cmocka_unit_test(a_key_stays_with_an_agent_that_signs_once),
        cmocka_unit_test(another_login_is_not_signed),
        cmocka_unit_test(a_gate_that_does_not_trust_the_host_asks_for_nothing),
        cmocka_unit_test(a_password_is_given_once_when_the_gate_asks),
        cmocka_unit_test(a_password_that_nobody_asks_for_is_not_given),
        cmocka_unit_test(whoever_says_something_else_gets_no_password),
        cmocka_unit_test(a_password_is_looked_up_when_it_is_asked_for),
        cmocka_unit_test(a_password_that_can_not_be_entered_in_the_audit_chain_is_not_given),
        cmocka_unit_test(a_login_that_is_not_the_targets_is_refused_by_name),
        cmocka_unit_test(a_password_does_not_log_in_at_a_host_unless_the_target_says_so),
        cmocka_unit_test(other_entries_are_no_passwords_for_a_host),
        cmocka_unit_test(a_host_that_is_away_is_unavailable),
        cmocka_unit_test(a_login_that_is_too_long_ends_the_gate),
        cmocka_unit_test(what_is_no_key_is_not_taken),
        cmocka_unit_test(no_key_is_in_any_log),
    };
    return cmocka_run_group_tests(tests, start_all, stop_all);
}
