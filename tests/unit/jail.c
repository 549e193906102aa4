/* base/jail: a child enters the jail of a kind and tries what it must not do; the kernel ends it. */
#include "base/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

typedef void attempt(void);

/* Runs attempt inside the jail; returns the wait status. 42: it came through. */
static int in_jail(enum process_kind kind, attempt *try)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool landlocked;
        if (jail_enter(kind, NULL, 0, &landlocked, NULL))
            _exit(1);
        try();
        _exit(42);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void do_nothing(void)
{
}

static void open_a_file(void)
{
    (void)!open("/etc/hostname", O_RDONLY);
}

static void open_a_socket(void)
{
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void open_a_unix_socket(void)
{
    (void)!socket(AF_UNIX, SOCK_STREAM, 0);
}

static void make_a_tcp_pair(void)
{
    int fds[2];
    (void)!socketpair(AF_INET, SOCK_STREAM, 0, fds);
}

static void start_a_program(void)
{
    (void)!execl("/bin/true", "true", (char *)NULL);
}

static void fork_itself(void)
{
    (void)!syscall(SYS_fork);
}

static void trace_another(void)
{
    (void)!syscall(SYS_ptrace, 16, getppid(), 0, 0);
}

static void map_code(void)
{
    (void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void make_code_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)!mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void signal_another(void)
{
    (void)!kill(getppid(), 0);
}

static void rewind_a_file(void)
{
    (void)!lseek(2, 0, SEEK_SET);
}

static void truncate_a_file(void)
{
    (void)!ftruncate(2, 0);
}

static void write_elsewhere(void)
{
    (void)!pwrite(2, "x", 1, 0);
}

static void map_a_file(void)
{
    (void)!mmap(NULL, 4096, PROT_READ, MAP_SHARED, 2, 0);
}

static void make_a_unix_pair(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        _exit(1);
}

static void use_memory_and_time(void)
{
    void *bytes = malloc(1 << 20);
    if (!bytes)
        _exit(1);
    memset(bytes, 1, 1 << 20);
    free(bytes);
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
}

static void assert_killed(enum process_kind kind, attempt *try)
{
    int status = in_jail(kind, try);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void assert_survives(enum process_kind kind, attempt *try)
{
    int status = in_jail(kind, try);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static const enum process_kind per_connection[] = { PROCESS_FRONT, PROCESS_GATE };

static void a_front_and_a_gate_live_in_their_jail(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_survives(per_connection[i], do_nothing);
        assert_survives(per_connection[i], use_memory_and_time);
    }
    assert_survives(PROCESS_FRONT, make_a_unix_pair);
    assert_survives(PROCESS_GATE, make_a_unix_pair);
}

static void a_front_and_a_gate_that_reach_out_die(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    skip(); /* the seccomp part is off under sanitizers */
#endif
    static attempt *const attempts[] = { open_a_file,     open_a_socket,   open_a_unix_socket,
                                         make_a_tcp_pair, start_a_program, fork_itself,
                                         trace_another,   map_code,        make_code_executable,
                                         signal_another };
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < sizeof attempts / sizeof attempts[0]; k++)
            assert_killed(per_connection[i], attempts[k]);
    }
}

static void a_gate_can_only_append_to_what_it_was_given(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    skip();
#endif
    assert_killed(PROCESS_GATE, rewind_a_file);
    assert_killed(PROCESS_GATE, truncate_a_file);
    assert_killed(PROCESS_GATE, write_elsewhere);
    assert_killed(PROCESS_GATE, map_a_file);
}

static void the_vault_makes_no_connection(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    skip();
#endif
    assert_killed(PROCESS_VAULT, open_a_socket);
    assert_killed(PROCESS_VAULT, start_a_program);
    assert_killed(PROCESS_LEDGER, open_a_socket);
    assert_killed(PROCESS_LEDGER, start_a_program);
    assert_killed(PROCESS_CONNECTOR, start_a_program);
}

/* A zygote of the kind, or the listener, which has no list of its own. */
static int under_seal_of(int (*seal)(enum process_kind kind, struct detail *detail), enum process_kind kind,
                         attempt *try)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool landlocked;
        if (jail_prepare(kind, NULL, 0, &landlocked, NULL) || seal(kind, NULL))
            _exit(1);
        try();
        _exit(42);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void fork_and_reap(void)
{
    pid_t pid = fork();
    int status = 0;
    if (pid == 0)
        _exit(7);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
        _exit(1);
}

static void a_zygote_forks_and_reaches_out_no_further_than_its_children(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    skip();
#endif
    static attempt *const attempts[] = { open_a_file, open_a_socket, start_a_program, trace_another,
                                         map_code };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(WEXITSTATUS(under_seal_of(jail_seal_zygote, per_connection[i], fork_and_reap)), 42);
        for (size_t k = 0; k < sizeof attempts / sizeof attempts[0]; k++) {
            int status = under_seal_of(jail_seal_zygote, per_connection[i], attempts[k]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        }
    }
}

static void leave_its_namespaces(void)
{
    (void)!syscall(SYS_unshare, 0);
}

static void the_listener_forbids_what_nobody_does_and_starts_the_rest(void **state)
{
    (void)state;
#ifdef GATEHOUSE_SANITIZE
    skip();
#endif
    static attempt *const attempts[] = { trace_another, leave_its_namespaces };
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        int status = under_seal_of(jail_seal, PROCESS_LISTENER, attempts[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
    int status = under_seal_of(jail_seal, PROCESS_LISTENER, start_a_program);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0); /* what it has started came through */
}

static void tell_what_it_is(void)
{
    if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        _exit(1);
    if (getuid() == 0)
        _exit(2);
}

/* Before the seal, so that the questions may be asked. */
static void a_prepared_process_has_no_way_back(void **state)
{
    (void)state;
    for (int kind = PROCESS_FRONT; kind < PROCESS_KINDS; kind++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            bool landlocked = false;
            if (jail_prepare((enum process_kind)kind, NULL, 0, &landlocked, NULL))
                _exit(1);
            tell_what_it_is();
            int fd = open("/etc/hostname", O_RDONLY);
            _exit(fd >= 0 && landlocked ? 3 : 42);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
    }
}

static void nothing_rides_into_a_process_unasked(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int a = dup(2), b = dup(2), c = dup(2), d = dup(2);
        const int keep[] = { d, b };
        if (jail_close_others(keep, 2))
            _exit(1);
        _exit(fcntl(a, F_GETFD) < 0 && fcntl(b, F_GETFD) >= 0 && fcntl(c, F_GETFD) < 0 &&
                      fcntl(d, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0
                  ? 42
                  : 2);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_front_and_a_gate_live_in_their_jail),
        cmocka_unit_test(a_front_and_a_gate_that_reach_out_die),
        cmocka_unit_test(a_gate_can_only_append_to_what_it_was_given),
        cmocka_unit_test(the_vault_makes_no_connection),
        cmocka_unit_test(a_zygote_forks_and_reaches_out_no_further_than_its_children),
        cmocka_unit_test(the_listener_forbids_what_nobody_does_and_starts_the_rest),
        cmocka_unit_test(a_prepared_process_has_no_way_back),
        cmocka_unit_test(nothing_rides_into_a_process_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
