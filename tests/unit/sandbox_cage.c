/* The cage by itself, with this test as its supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/io.h"
#include "server/sandbox.h"
#include "server/sandbox_filter.h"
#include "server/sandbox_notice.h"

enum { LIMIT = 5000 };

static const struct sandbox_needs unix_sockets = { .sockets = AF_UNIX },
                                  listening = { .sockets = AF_INET, .listens = true };
static char directory[] = "/tmp/gatehouse-cage-XXXXXX";
static char program[sizeof directory + 16];

static void install(void)
{
    char command[512];
    (void)snprintf(command, sizeof command, "install -m 755 %s %s.new && mv %s.new %s", PROBE, program,
                   program, program);
    assert_int_equal(system(command), 0);
}

static int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    (void)snprintf(program, sizeof program, "%s/probe", directory);
    install();
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(program);
    return rmdir(directory);
}

/* A run of the probe whose output goes nowhere. */
struct trial {
    pid_t pid;
    int setup, notices;
};

static void begin_with(struct sandbox *sandbox, const char *word, struct trial *trial)
{
    char *const words[] = { program, (char *)(uintptr_t)word, (char *)(uintptr_t) "42", NULL };
    char *const none[] = { NULL };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct detail detail;
    const struct sandbox_run run = { words, none, { null, null, null }, -1, false, NULL };
    assert_int_equal(sandbox_start(sandbox, &run, &trial->pid, &trial->setup), 0);
    fd_close(null);
    assert_int_equal(fd_wait(trial->setup, POLLIN, LIMIT), 0);
    assert_int_equal(sandbox_step(trial->setup, &trial->notices, &detail), SANDBOX_CAGED);
}

static void begin(struct sandbox *sandbox, struct trial *trial)
{
    begin_with(sandbox, "exit", trial);
}

static struct sandbox_notice next_notice(const struct trial *trial)
{
    struct sandbox_notice notice;
    assert_int_equal(fd_wait(trial->notices, POLLIN, LIMIT), 0);
    assert_int_equal(sandbox_notice_take(trial->notices, &notice), 0);
    return notice;
}

static int step(const struct trial *trial, struct detail *detail)
{
    int unused;
    assert_int_equal(fd_wait(trial->setup, POLLIN, LIMIT), 0);
    return sandbox_step(trial->setup, &unused, detail);
}

static int end(struct trial *trial)
{
    int status;
    assert_int_equal(waitpid(trial->pid, &status, 0), trial->pid);
    fd_close(trial->setup);
    fd_close(trial->notices);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static struct sandbox *cage_for(struct sandbox_needs needs)
{
    struct sandbox *sandbox = NULL;
    struct detail detail = { "" };
    if (sandbox_new(program, needs, &sandbox, &detail))
        fail_msg("%s", detail.text);
    return sandbox;
}

static struct sandbox *cage(void)
{
    return cage_for(unix_sockets);
}

static void a_program_runs_once_the_supervisor_lets_it(void **state)
{
    (void)state;
    CLEANUP(sandbox_free) struct sandbox *sandbox = cage();
    struct detail detail;
    struct trial trial;
    int unused;
    begin(sandbox, &trial);
    struct sandbox_notice notice = next_notice(&trial);
    assert_int_equal(notice.wish, SANDBOX_WISH_EXEC);
    assert_int_equal(sandbox_step(trial.setup, &unused, &detail), -EAGAIN);
    assert_int_equal(sandbox_notice_continue(trial.notices, &notice), 0);
    assert_int_equal(step(&trial, &detail), SANDBOX_SILENT);
    assert_int_equal(end(&trial), 42);
}

static void a_program_that_the_supervisor_refuses_does_not_run(void **state)
{
    (void)state;
    CLEANUP(sandbox_free) struct sandbox *sandbox = cage();
    struct detail detail;
    struct trial trial;
    begin(sandbox, &trial);
    struct sandbox_notice notice = next_notice(&trial);
    assert_int_equal(sandbox_notice_refuse(trial.notices, &notice, EPERM), 0);
    assert_int_equal(step(&trial, &detail), SANDBOX_FAILED);
    assert_string_equal(detail.text, "execve: Operation not permitted");
    assert_int_equal(end(&trial), 126);
}

static void an_answer_to_a_dead_program_does_nothing(void **state)
{
    (void)state;
    CLEANUP(sandbox_free) struct sandbox *sandbox = cage();
    struct trial trial;
    begin(sandbox, &trial);
    struct sandbox_notice notice = next_notice(&trial);
    assert_int_equal(kill(trial.pid, SIGKILL), 0);
    int notices = fd_dup(trial.notices);
    assert_int_equal(end(&trial), -SIGKILL);
    assert_int_equal(sandbox_notice_give(notices, &notice, STDERR_FILENO), -ENOENT);
    assert_int_equal(sandbox_notice_continue(notices, &notice), -ENOENT);
    fd_close(notices);
}

static void a_new_version_in_the_place_of_the_old_one_runs(void **state)
{
    (void)state;
    CLEANUP(sandbox_free) struct sandbox *sandbox = cage();
    struct trial trial;
    install(); /* another inode */
    begin(sandbox, &trial);
    struct sandbox_notice notice = next_notice(&trial);
    assert_int_equal(sandbox_notice_continue(trial.notices, &notice), 0);
    assert_int_equal(end(&trial), 42);
}

/* Answers what it asks, and expects it in this order. */
static void a_program_that_listens_accepts_what_it_is_offered(void **state)
{
    (void)state;
    CLEANUP(sandbox_free) struct sandbox *sandbox = cage_for(listening);
    struct trial trial;
    int socket_pair[2], pair[2];
    char said[4] = "";
    assert_int_equal(fd_pair(SOCK_STREAM, socket_pair), 0);
    assert_int_equal(fd_pair(SOCK_STREAM, pair), 0);
    begin_with(sandbox, "listen", &trial);
    struct sandbox_notice notice = next_notice(&trial);
    assert_int_equal(sandbox_notice_continue(trial.notices, &notice), 0);
    notice = next_notice(&trial);
    assert_int_equal(notice.wish, SANDBOX_WISH_SOCKET);
    assert_int_equal(sandbox_notice_give(trial.notices, &notice, socket_pair[0]), 0);
    notice = next_notice(&trial); /* neither bind() nor listen() asks */
    assert_int_equal(notice.wish, SANDBOX_WISH_NAME);
    assert_int_equal(sandbox_notice_address(&notice, trial.pid), 0);
    assert_int_equal(sandbox_notice_done(trial.notices, &notice), 0);
    notice = next_notice(&trial);
    assert_int_equal(notice.wish, SANDBOX_WISH_ACCEPT);
    assert_true(notice.cloexec && !notice.nonblock);
    assert_int_equal(sandbox_notice_address(&notice, trial.pid), 0);
    assert_int_equal(sandbox_notice_give(trial.notices, &notice, pair[0]), 0);
    fd_close(pair[0]);
    notice = next_notice(&trial);
    assert_int_equal(sandbox_notice_address(&notice, trial.pid), 0); /* none is wanted */
    assert_int_equal(sandbox_notice_refuse(trial.notices, &notice, EAGAIN), 0);
    notice = next_notice(&trial);
    assert_int_equal(sandbox_notice_address(&notice, trial.pid), -EFAULT);
    assert_int_equal(sandbox_notice_refuse(trial.notices, &notice, EFAULT), 0);
    assert_int_equal(fd_write_all(pair[1], "hey", 3, LIMIT), 0);
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    assert_int_equal(recv(pair[1], said, sizeof said, MSG_WAITALL), 3);
    assert_string_equal(said, "hey");
    fd_close(pair[1]);
    fd_close(socket_pair[0]);
    fd_close(socket_pair[1]);
    assert_int_equal(end(&trial), 0);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct sandbox *sandbox = NULL;
    struct detail detail = { "" };
    assert_true(sandbox_new("/nonexistent/psql", unix_sockets, &sandbox, &detail) < 0);
    assert_string_equal(detail.text, "/nonexistent/psql: No such file or directory");
    assert_null(sandbox);
}

/* Returns the number of the first check that fails. */
static int try_as_supervisor(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/x" };
    struct detail detail;
    int pair[2];
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter_supervisor(&detail) < 0)
        return 1;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != ENOSYS || socket(AF_INET6, SOCK_STREAM, 0) >= 0 ||
        errno != EPERM)
        return 2;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) >= 0 || errno != EPERM)
        return 3;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) >= 0 || errno != EPERM)
        return 4;
    if (ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) >= 0 || errno != EPERM ||
        process_vm_readv(getppid(), NULL, 0, NULL, 0, 0) >= 0 || errno != EPERM)
        return 5;
    if (setuid(0) >= 0 || errno != EPERM)
        return 6;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return 7;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 && waitpid(child, NULL, 0) == child ? 0 : 8;
}

static void the_supervisor_is_sealed_too(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    (void)try_as_supervisor;
    skip();
#else
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(try_as_supervisor());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_runs_once_the_supervisor_lets_it),
        cmocka_unit_test(a_program_that_the_supervisor_refuses_does_not_run),
        cmocka_unit_test(an_answer_to_a_dead_program_does_nothing),
        cmocka_unit_test(a_new_version_in_the_place_of_the_old_one_runs),
        cmocka_unit_test(a_program_that_listens_accepts_what_it_is_offered),
        cmocka_unit_test(a_program_that_is_not_there_is_named),
        cmocka_unit_test(the_supervisor_is_sealed_too),
    };
    return cmocka_run_group_tests_name("sandbox_cage", tests, make_directory, remove_directory);
}
