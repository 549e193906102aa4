/* gatehouse-front as a process, with this test as its listener: strangers that never get as far as a login.
 */
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

enum { WAIT_MS = 10000, GRACE_MS = 700 };

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

static int start_front(void **state)
{
    (void)state;
    char program[] = FRONT;
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 0); /* who is not dumpable can't look for leaks */
    char *arguments[] = { program, NULL };
    assert_int_equal(child_start(program, arguments, &house.zygote, &house.pid), 0);
    Ipc__FrontSettings settings = IPC__FRONT_SETTINGS__INIT;
    settings.login_grace_ms = GRACE_MS;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banner_comes_to_who_says_nothing_and_the_grace_time_ends_it),
        cmocka_unit_test(garbage_ends_its_own_front),
        cmocka_unit_test(an_endless_version_line_ends_its_front),
        cmocka_unit_test(a_client_that_closes_is_forgotten_at_once),
        cmocka_unit_test(a_connection_that_the_listener_gives_up_ends),
    };
    return cmocka_run_group_tests(tests, start_front, end_front);
}
