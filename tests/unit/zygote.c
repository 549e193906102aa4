/* base/zygote: a child per Spawn, its end told, and nobody dies with it; children know the newest list of
 * what is revoked. */
#include "base/zygote.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "check.h"

static char news[8]; /* what the newest Revocations held */

static void revoked(void *owner, int fd)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    (void)owner;
    if (fd_contents(fd, sizeof news - 1, &bytes, &n) == 0)
        memcpy(news, bytes, n + 1);
}

static int child(void *owner, const Ipc__Spawn *spawn, int *fds, size_t n_fds)
{
    (void)owner;
    if (n_fds == 1 && spawn->connection == 100)
        return write(fds[0], news, 5) == 5 ? 0 : 8;
    if (n_fds != 1 || strcmp(spawn->source_address, "::1") != 0)
        return 9;
    if (spawn->connection == 666)
        (void)raise(SIGKILL);
    return write(fds[0], "hello", 5) == 5 ? (int)spawn->connection : 8;
}

static int control = -1;
static pid_t zygote = -1;

static int start(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    zygote = fork();
    assert_true(zygote >= 0);
    if (zygote == 0) {
        close(pair[0]);
        log_open("zygote", false, LOG_ERROR); /* as process_begin does: its log line needs the time zone */
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* as jail_prepare does: only root may seal without */
        _exit(zygote_run(pair[1], PROCESS_ISSUER, child, revoked, NULL));
    }
    close(pair[1]);
    control = pair[0];
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fd_close(control);
    int status;
    assert_int_equal(waitpid(zygote, &status, 0), zygote);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return 0;
}

static Ipc__Message *expect(Ipc__Message__BodyCase body)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n;
    assert_int_equal(ipc_receive_now(control, 5000, &message, fds, &n), 0);
    assert_int_equal(message->body_case, body);
    return message;
}

static int spawn(uint64_t connection)
{
    int pair[2];
    assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
    Ipc__Spawn body = IPC__SPAWN__INIT;
    body.connection = connection;
    body.source_address = (char[]){ "::1" };
    Ipc__Message message = IPC_MESSAGE(SPAWN, spawn, &body);
    assert_int_equal(ipc_send_now(control, &message, &pair[1], 1, 1000), 0);
    close(pair[1]);
    return pair[0];
}

static void children_run_and_their_end_is_told(void **state)
{
    (void)state;
    ipc_message_free(expect(IPC__MESSAGE__BODY_READY));
    for (uint64_t connection = 3; connection < 6; connection++) {
        int fd = spawn(connection);
        char text[6] = "";
        assert_int_equal(fd_read_all(fd, text, 5, 5000), 0);
        assert_string_equal(text, "hello");
        assert_int_equal(read(fd, text, 1), 0); /* nobody else holds the other end */
        close(fd);
        CLEANUP(ipc_message_free) Ipc__Message *exited = expect(IPC__MESSAGE__BODY_CHILD_EXITED);
        assert_int_equal(exited->child_exited->connection, connection);
        assert_int_equal(exited->child_exited->status, connection);
        assert_int_equal(exited->child_exited->signal, 0);
    }
}

static void a_killed_child_is_told_with_its_signal(void **state)
{
    (void)state;
    ipc_message_free(expect(IPC__MESSAGE__BODY_READY));
#ifdef GATEHOUSE_SANITIZE
    skip(); /* without seccomp, raise() is no violation of the jail */
#endif
    int fd = spawn(666);
    CLEANUP(ipc_message_free) Ipc__Message *exited = expect(IPC__MESSAGE__BODY_CHILD_EXITED);
    assert_int_equal(exited->child_exited->status, -1);
    assert_true(exited->child_exited->signal == SIGKILL);
    close(fd);
    fd = spawn(7); /* the next one is well */
    CLEANUP(ipc_message_free) Ipc__Message *well = expect(IPC__MESSAGE__BODY_CHILD_EXITED);
    assert_int_equal(well->child_exited->status, 7);
    close(fd);
}

static void tell_revocations(const char *text, size_t n_fds)
{
    CLEANUP(fd_close) int fd = -1;
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    assert_int_equal(fd_of_bytes("list", text, strlen(text), &fd), 0);
    assert_int_equal(ipc_send_now(control, &message, &fd, n_fds, 1000), 0);
}

static void children_have_the_revocations_that_came_before_them(void **state)
{
    (void)state;
    static const char *const lists[] = { "first", "later", "third" };
    ipc_message_free(expect(IPC__MESSAGE__BODY_READY));
    for (size_t i = 0; i < 3; i++) {
        char text[6] = "";
        tell_revocations(lists[i], 1);
        int fd = spawn(100);
        assert_int_equal(fd_read_all(fd, text, 5, 5000), 0);
        assert_string_equal(text, lists[i]);
        close(fd);
        ipc_message_free(expect(IPC__MESSAGE__BODY_CHILD_EXITED));
    }
}

static void revocations_without_a_list_end_the_zygote(void **state)
{
    (void)state;
    char byte;
    ipc_message_free(expect(IPC__MESSAGE__BODY_READY));
    tell_revocations("none", 0);
    assert_int_equal(fd_read_all(control, &byte, 1, 5000), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(children_have_the_revocations_that_came_before_them, start, stop),
        cmocka_unit_test_setup_teardown(revocations_without_a_list_end_the_zygote, start, stop),
        cmocka_unit_test_setup_teardown(children_run_and_their_end_is_told, start, stop),
        cmocka_unit_test_setup_teardown(a_killed_child_is_told_with_its_signal, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
