/* gatehouse-front as a process, with this test as its listener and its gate: strangers that never get as far
 * as a login, and who may log in by what. */
#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/ipc.h"
#include "server/child.h"
#include "server/front_exit.h"

#include "check.h"

enum { WAIT_MS = 10000, GRACE_MS = 700, LONG_GRACE_MS = 20000 };

static struct {
    int zygote; /* its control socket */
    pid_t pid;
    uint64_t connections;
} house;

/* A new host key in a memfd. libssh writes keys to files only. */
static int host_key(void)
{
    ssh_key key = NULL;
    uint8_t *text = NULL;
    size_t n;
    int fd = -1;
    char path[] = "/tmp/front-test-XXXXXX";
    CLEANUP(fd_close) int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key), SSH_OK);
    assert_int_equal(ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path), SSH_OK);
    CLEANUP(fd_close) int written = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(written >= 0);
    (void)unlink(path);
    assert_int_equal(fd_contents(written, 1 << 16, &text, &n), 0);
    assert_int_equal(fd_of_bytes("host-key", text, n, &fd), 0);
    free(text);
    ssh_key_free(key);
    return fd;
}

static Ipc__Message *receive(Ipc__Message__BodyCase expected)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n;
    assert_int_equal(ipc_receive_now(house.zygote, WAIT_MS, &message, fds, &n), 0);
    assert_int_equal(message->body_case, expected);
    return message;
}

static int start_with_grace(uint32_t grace_ms)
{
    char program[] = FRONT;
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 0); /* who is not dumpable can't look for leaks */
    char *arguments[] = { program, NULL };
    assert_int_equal(child_start(program, arguments, &house.zygote, &house.pid), 0);
    Ipc__FrontSettings settings = IPC__FRONT_SETTINGS__INIT;
    settings.login_grace_ms = grace_ms;
    settings.auth_tries_max = 3;
    settings.channels_max = 4;
    Ipc__Start start = IPC__START__INIT;
    start.front = &settings;
    Ipc__Message message = IPC_MESSAGE(START, start, &start);
    int key = host_key();
    assert_int_equal(ipc_send_now(house.zygote, &message, &key, 1, WAIT_MS), 0);
    fd_close(key);
    ipc_message_free(receive(IPC__MESSAGE__BODY_READY));
    return 0;
}

static int start_front(void **state)
{
    (void)state;
    return start_with_grace(GRACE_MS);
}

static int start_patient_front(void **state)
{
    (void)state;
    return start_with_grace(LONG_GRACE_MS);
}

static int end_front(void **state)
{
    (void)state;
    int status;
    fd_close(house.zygote);
    assert_int_equal(waitpid(house.pid, &status, 0), house.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

/* A connection with a front of its own: *ret_client is the client's end, *ret_control the listener's. */
static void open_connection(int *ret_client, int *ret_control)
{
    int client[2], control[2];
    assert_int_equal(fd_pair(SOCK_STREAM, client), 0);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, control), 0);
    Ipc__Spawn spawn = IPC__SPAWN__INIT;
    spawn.connection = ++house.connections;
    spawn.source_address = "192.0.2.1";
    Ipc__Message message = IPC_MESSAGE(SPAWN, spawn, &spawn);
    int fds[] = { client[1], control[1] };
    assert_int_equal(ipc_send_now(house.zygote, &message, fds, 2, WAIT_MS), 0);
    fd_close(client[1]);
    fd_close(control[1]);
    *ret_client = client[0];
    *ret_control = control[0];
}

/* How the front of the last connection ended: no signal, and this status. */
static void expect_end(enum front_exit status)
{
    Ipc__Message *message = receive(IPC__MESSAGE__BODY_CHILD_EXITED);
    assert_int_equal(message->child_exited->connection, house.connections);
    assert_int_equal(message->child_exited->signal, 0);
    assert_int_equal(message->child_exited->status, status);
    ipc_message_free(message);
}

static void read_banner(int client)
{
    char line[64] = "";
    for (size_t n = 0; n < sizeof line - 1 && (n == 0 || line[n - 1] != '\n'); n++)
        assert_int_equal(fd_read_all(client, line + n, 1, WAIT_MS), 0);
    assert_string_equal(line, "SSH-2.0-OpenSSH_compatible_Gatehouse\r\n");
}

static void the_banner_comes_to_who_says_nothing_and_the_grace_time_ends_it(void **state)
{
    (void)state;
    CLEANUP(fd_close) int client = -1;
    CLEANUP(fd_close) int control = -1;
    uint64_t began = clock_ms();
    open_connection(&client, &control);
    read_banner(client);
    expect_end(FRONT_EXIT_NO_LOGIN);
    assert_true(clock_ms() - began >= GRACE_MS);
}

static void garbage_ends_its_own_front(void **state)
{
    (void)state;
    static const char *const openings[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-1.0-old\r\n", "\n\n\n",
                                            "SSH-2.0-x\r\n" };
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        CLEANUP(fd_close) int client = -1;
        CLEANUP(fd_close) int control = -1;
        uint8_t noise[40000];
        assert_int_equal(getrandom(noise, sizeof noise, 0), sizeof noise);
        noise[0] = 0x7f; /* no packet is that long */
        open_connection(&client, &control);
        (void)send(client, openings[i], strlen(openings[i]), MSG_NOSIGNAL);
        (void)send(client, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT);
        expect_end(FRONT_EXIT_NO_LOGIN);
    }
}

static void an_endless_version_line_ends_its_front(void **state)
{
    (void)state;
    CLEANUP(fd_close) int client = -1;
    CLEANUP(fd_close) int control = -1;
    open_connection(&client, &control);
    for (int i = 0; i < 1000; i++)
        (void)send(client, "SSH-2.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40, MSG_NOSIGNAL | MSG_DONTWAIT);
    expect_end(FRONT_EXIT_NO_LOGIN);
}

static void a_client_that_closes_is_forgotten_at_once(void **state)
{
    (void)state;
    static const char *const parts[] = { "", "S", "SSH-2.0-x\r\n", "SSH-2.0-x\r\n\0\0\0\x14" };
    static const size_t sizes[] = { 0, 1, 11, 15 };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        CLEANUP(fd_close) int control = -1;
        int client;
        uint64_t began = clock_ms();
        open_connection(&client, &control);
        (void)send(client, parts[i], sizes[i], MSG_NOSIGNAL);
        fd_close(client);
        expect_end(FRONT_EXIT_NO_LOGIN);
        assert_true(clock_ms() - began < GRACE_MS);
    }
}

static void a_connection_that_the_listener_gives_up_ends(void **state)
{
    (void)state;
    CLEANUP(fd_close) int client = -1;
    int control;
    uint64_t began = clock_ms();
    open_connection(&client, &control);
    read_banner(client);
    fd_close(control);
    expect_end(FRONT_EXIT_NO_LOGIN);
    assert_true(clock_ms() - began < GRACE_MS);
}

/* ---- logins, with libssh as the client ---- */

struct attempt {
    int control; /* the listener's end */
    pid_t client;
};

/* A client in a process of its own: `user` tries the key in `kind`, exits with SSH_AUTH_*'s value. */
static pid_t start_client(int fd, const char *user, enum ssh_keytypes_e kind, int bits)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        close(fd);
        return pid;
    }
    ssh_session session = ssh_new();
    ssh_key key = NULL;
    bool no = false;
    (void)ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
    (void)ssh_options_set(session, SSH_OPTIONS_HOST, "front");
    (void)ssh_options_set(session, SSH_OPTIONS_USER, user);
    (void)ssh_options_set(session, SSH_OPTIONS_FD, &fd);
    if (ssh_pki_generate(kind, bits, &key) != SSH_OK || ssh_connect(session) != SSH_OK)
        _exit(100);
    (void)ssh_userauth_none(session, NULL); /* by its answer the server's list of signatures has come, too */
    int r = ssh_userauth_publickey(session, NULL, key);
    _exit(r == SSH_AUTH_SUCCESS ? 0 : r == SSH_AUTH_DENIED ? 1 : 2);
}

static struct attempt try_login(const char *user, enum ssh_keytypes_e kind, int bits)
{
    struct attempt attempt;
    int client;
    open_connection(&client, &attempt.control);
    attempt.client = start_client(client, user, kind, bits);
    return attempt;
}

static Ipc__Message *from_front(int fd, Ipc__Message__BodyCase expected)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n;
    assert_int_equal(ipc_receive_now(fd, WAIT_MS, &message, fds, &n), 0);
    assert_int_equal(message->body_case, expected);
    assert_int_equal(n, 0);
    return message;
}

static int client_status(struct attempt *attempt)
{
    int status;
    assert_int_equal(waitpid(attempt->client, &status, 0), attempt->client);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void give_gate(int control, int fd, const char *refused)
{
    Ipc__GateGiven given = IPC__GATE_GIVEN__INIT;
    given.refused = (char *)(uintptr_t)refused;
    Ipc__Message message = IPC_MESSAGE(GATE_GIVEN, gate_given, &given);
    assert_int_equal(ipc_send_now(control, &message, &fd, fd >= 0 ? 1 : 0, WAIT_MS), 0);
}

static void give_verdict(int gate, bool admitted)
{
    Ipc__LoginVerdict verdict = IPC__LOGIN_VERDICT__INIT;
    verdict.admitted = admitted;
    verdict.message = (char[]){ "no such key" };
    Ipc__Message message = IPC_MESSAGE(LOGIN_VERDICT, login_verdict, &verdict);
    assert_int_equal(ipc_send_now(gate, &message, NULL, 0, WAIT_MS), 0);
}

/* The key's wire form begins with its type. */
static bool is_of_type(const Ipc__Login *login, const char *type)
{
    size_t n = strlen(type);
    return login->certificate.len > 4 + n && login->certificate.data[3] == n &&
           memcmp(login->certificate.data + 4, type, n) == 0;
}

static void enroll_is_let_in_by_a_plain_key_of_each_kind(void **state)
{
    (void)state;
    static const struct {
        enum ssh_keytypes_e kind;
        int bits;
        const char *type;
    } keys[] = { { SSH_KEYTYPE_ED25519, 0, "ssh-ed25519" },
                 { SSH_KEYTYPE_ECDSA_P256, 256, "ecdsa-sha2-nistp256" },
                 { SSH_KEYTYPE_ECDSA_P384, 384, "ecdsa-sha2-nistp384" },
                 { SSH_KEYTYPE_ECDSA_P521, 521, "ecdsa-sha2-nistp521" },
                 { SSH_KEYTYPE_RSA, 2048, "ssh-rsa" } };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        int gate[2];
        struct attempt attempt = try_login("enroll", keys[i].kind, keys[i].bits);
        CLEANUP(ipc_message_free)
        Ipc__Message *want = from_front(attempt.control, IPC__MESSAGE__BODY_WANT_GATE);
        assert_true(want->want_gate->enrol);
        assert_int_equal(fd_pair(SOCK_SEQPACKET, gate), 0);
        give_gate(attempt.control, gate[1], "");
        close(gate[1]);
        CLEANUP(ipc_message_free) Ipc__Message *login = from_front(gate[0], IPC__MESSAGE__BODY_LOGIN);
        assert_string_equal(login->login->user, "enroll");
        assert_true(is_of_type(login->login, keys[i].type));
        give_verdict(gate[0], true);
        assert_int_equal(client_status(&attempt), 0);
        close(gate[0]);
        close(attempt.control);
        expect_end(FRONT_EXIT_DONE);
    }
}

static void nobody_else_is_let_in_by_a_plain_key(void **state)
{
    (void)state;
    static const char *const users[] = { "agent", "enroll2", "Enroll", "enrol", "" };
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct attempt attempt = try_login(users[i], SSH_KEYTYPE_ED25519, 0);
        ipc_message_free(from_front(attempt.control, IPC__MESSAGE__BODY_ASK_KEY));
        Ipc__AnswerKey known = IPC__ANSWER_KEY__INIT;
        Ipc__Message answer = IPC_MESSAGE(ANSWER_KEY, answer_key, &known);
        assert_int_equal(ipc_send_now(attempt.control, &answer, NULL, 0, WAIT_MS), 0);
        assert_int_equal(client_status(&attempt), 1);
        expect_end(FRONT_EXIT_LOGIN_FAILED);
        close(attempt.control);
    }
}

static void enroll_is_refused_when_the_listener_gives_no_gate(void **state)
{
    (void)state;
    struct attempt attempt = try_login("enroll", SSH_KEYTYPE_ED25519, 0);
    ipc_message_free(from_front(attempt.control, IPC__MESSAGE__BODY_WANT_GATE));
    give_gate(attempt.control, -1, "too many are enrolling");
    assert_int_equal(client_status(&attempt), 1);
    expect_end(FRONT_EXIT_LOGIN_FAILED);
    close(attempt.control);
}

static void enroll_is_refused_when_its_gate_refuses_the_key(void **state)
{
    (void)state;
    int gate[2];
    struct attempt attempt = try_login("enroll", SSH_KEYTYPE_ED25519, 0);
    ipc_message_free(from_front(attempt.control, IPC__MESSAGE__BODY_WANT_GATE));
    assert_int_equal(fd_pair(SOCK_SEQPACKET, gate), 0);
    give_gate(attempt.control, gate[1], "");
    close(gate[1]);
    ipc_message_free(from_front(gate[0], IPC__MESSAGE__BODY_LOGIN));
    give_verdict(gate[0], false);
    assert_int_equal(client_status(&attempt), 1);
    expect_end(FRONT_EXIT_LOGIN_FAILED);
    close(gate[0]);
    close(attempt.control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_comes_to_who_says_nothing_and_the_grace_time_ends_it),
        cmocka_unit_test(garbage_ends_its_own_front),
        cmocka_unit_test(an_endless_version_line_ends_its_front),
        cmocka_unit_test(a_client_that_closes_is_forgotten_at_once),
        cmocka_unit_test(a_connection_that_the_listener_gives_up_ends),
    };
    const struct CMUnitTest logins[] = {
        cmocka_unit_test(enroll_is_let_in_by_a_plain_key_of_each_kind),
        cmocka_unit_test(nobody_else_is_let_in_by_a_plain_key),
        cmocka_unit_test(enroll_is_refused_when_the_listener_gives_no_gate),
        cmocka_unit_test(enroll_is_refused_when_its_gate_refuses_the_key),
    };
    int failed = cmocka_run_group_tests(tests, start_front, end_front);
    return failed + cmocka_run_group_tests(logins, start_patient_front, end_front);
}
