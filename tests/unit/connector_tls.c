/* gatehouse-connector with TLS: whom it trusts, and that its relay loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/io.h"
#include "connector_work.h"

static void each_tls_mode_accepts_what_it_should(void **state)
{
    static const struct {
        const char *mode, *host, *ca;
        bool ok;
    } cases[] = {
        { "require", "127.0.0.1", NULL, true },
        { "verify-ca", "127.0.0.1", "ca.pem", true },
        { "verify-full", "localhost", "ca.pem", true },
        { "verify-full", "127.0.0.1", "ca.pem", false },
        { "verify-ca", "localhost", "other-ca.pem", false },
        { "verify-full", "localhost", "other-ca.pem", false },
        { "verify-full", "localhost", NULL, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Ipc__Target target = target_of("tls_user", cases[i].host, cases[i].mode);
        Ipc__Job job = job_of(&target);

        if (cases[i].ca)
            take_ca(&job, cases[i].ca);
        if (cases[i].ok) {
            Ipc__Message *message = NULL;
            int fd = log_in(&job, &message);

            assert_true(message->connected->relayed);
            expect_answer(fd, "select ssl from pg_stat_ssl where pid = pg_backend_pid()", "t");
            ipc_message_free(message);
            close(fd);
            assert_int_equal(child_status(), 0);
        } else {
            char gate[DETAIL_MAX], vault[DETAIL_MAX];

            fail_to_log_in(&job, gate, vault);
        }
        free(job.tls_ca.data);
    }
}

static void a_server_without_tls_is_refused_when_tls_is_wanted(void **state)
{
    Ipc__Target target = target_of("tls_user", "127.0.0.1", "require");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];
    int listening = listen_anywhere(&target.port);
    pid_t server = fork();

    (void)state;
    if (server == 0) {
        int fd = accept(listening, NULL, NULL);
        char bytes[64];

        (void)!read(fd, bytes, 8);
        (void)!write(fd, "N", 1);
        _exit(read(fd, bytes, sizeof(bytes)) == 0 ? 0 : 1); /* nothing may follow in clear text */
    }
    fail_to_log_in(&job, gate, vault);
    assert_non_null(strstr(vault, "SSL"));
    int status;
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    close(listening);
}

static int log_in_with_tls(void)
{
    Ipc__Target target = target_of("tls_user", "localhost", "verify-full");
    Ipc__Job job = job_of(&target);
    int fd;

    take_ca(&job, "ca.pem");
    fd = log_in(&job, NULL);
    free(job.tls_ca.data);
    return fd;
}

/* The server ends right behind the last byte, since Terminate is sent with the query. */
static void nothing_is_lost_when_the_end_follows_at_once(void **state)
{
    enum { ROWS = 300000, WIDTH = 100 };
    CLEANUP(fd_close) int fd = log_in_with_tls();
    size_t rows = 0, bytes = 0;
    char sql[128];

    (void)state;
    snprintf(sql, sizeof(sql), "copy (select repeat('x', %d) from generate_series(1, %d)) to stdout", WIDTH,
             ROWS);
    send_query(fd, sql);
    assert_int_equal(fd_write_all(fd, "X\0\0\0\4", 5, 1000), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    usleep(300 * 1000); /* let everything fill up */
    for (;;) {
        uint8_t *body = NULL;
        size_t n = 0;
        char type = read_message(fd, &body, &n);

        if (!type)
            break;
        rows += type == 'd';
        bytes += type == 'd' ? n : 0;
        free(body);
    }
    assert_int_equal(rows, ROWS);
    assert_int_equal(bytes, (size_t)ROWS * (WIDTH + 1));
    assert_int_equal(child_status(), 0);
}

static void much_goes_both_ways_at_once(void **state)
{
    enum { CHUNKS = 400, CHUNK = 16000 };
    int fd = log_in_with_tls();
    CLEANUP(free) char *line = malloc(CHUNK + 5);
    char expected[32];
    uint8_t *body;
    size_t n;

    (void)state;
    expect_answer(fd, "create temp table t (v text); select 1", "1");
    send_query(fd, "copy t from stdin");
    assert_int_equal(read_message(fd, &body, &n), 'G');
    free(body);
    memcpy(line, "d\0\0\0\0", 5);
    memset(line + 5, 'y', CHUNK);
    line[3] = (char)((CHUNK + 4) >> 8);
    line[4] = (char)((CHUNK + 4) & 0xff);
    line[CHUNK + 4] = '\n';
    for (int i = 0; i < CHUNKS; i++)
        assert_int_equal(fd_write_all(fd, line, CHUNK + 5, 10000), 0);
    assert_int_equal(fd_write_all(fd, "c\0\0\0\4", 5, 1000), 0);
    assert_int_equal(read_message(fd, &body, &n), 'C');
    free(body);
    assert_int_equal(read_message(fd, &body, &n), 'Z');
    free(body);
    snprintf(expected, sizeof(expected), "%d", CHUNKS * (CHUNK - 1));
    expect_answer(fd, "select sum(length(v)) from t", expected);
    close(fd);
    assert_int_equal(child_status(), 0);
}

static void a_relay_holds_little_however_much_goes_through(void **state)
{
    enum { ROWS = 400000, WIDTH = 90, MORE_KIB = 1024 };
    int fd = log_in_with_tls();
    long before = child_peak_kib();
    char sql[128];

    (void)state;
    if (before == 0)
        skip();
    snprintf(sql, sizeof(sql), "select repeat('x', %d) from generate_series(1, %d)", WIDTH, ROWS);
    send_query(fd, sql);
    usleep(500 * 1000); /* nobody reads: it has to stop, not to collect */
    assert_true(child_peak_kib() - before < MORE_KIB);
    for (char type = ' '; type != 'Z';) {
        uint8_t *body;
        size_t n;

        type = read_message(fd, &body, &n);
        assert_true(type);
        free(body);
    }
    assert_true(child_peak_kib() - before < MORE_KIB);
    close(fd);
    assert_int_equal(child_status(), 0);
}

static void a_server_that_is_killed_ends_the_relay(void **state)
{
    CLEANUP(fd_close) int fd = log_in_with_tls();

    (void)state;
    expect_answer(fd, "select 1", "1");
    CLEANUP(free) char *pid = query(fd, "select pg_backend_pid()");
    assert_int_equal(kill(atoi(pid), SIGKILL), 0); /* the whole server restarts: the last test with it */
    uint8_t *body;
    size_t n;
    while (read_message(fd, &body, &n))
        free(body);
    close(STEAL_FD(fd));
    assert_in_range(child_status(), 0, 69);
}

static void a_cancel_goes_through_tls_too(void **state)
{
    static const char *const modes[] = { "require", "verify-ca", "verify-full" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        Ipc__Target target = target_of("tls_user", "localhost", modes[i]);
        Ipc__Job job = job_of(&target);

        take_ca(&job, "ca.pem");
        cancel_a_sleep(&target, &job);
        free(job.tls_ca.data);
        assert_int_equal(child_status(), 0);
        assert_int_equal(child_status(), 0);
    }
}

static void a_cancel_does_not_go_to_a_false_server(void **state)
{
    Ipc__Target target = target_of("tls_user", "localhost", "verify-full");
    Ipc__Job job = job_of(&target);
    Ipc__Message *done;
    struct work work;

    (void)state;
    take_ca(&job, "other-ca.pem");
    job.cancel = true;
    job.pid = 1;
    job.key.data = (uint8_t *)(uintptr_t) "1234";
    job.key.len = 4;
    work = give(&job);
    done = expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, 5000, NULL);
    assert_false(done->job_done->ok);
    assert_non_null(strstr(done->job_done->detail, "verify"));
    ipc_message_free(done);
    free(job.tls_ca.data);
    close(work.vault);
    close(work.gate);
    assert_int_equal(child_status(), 69);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tls_mode_accepts_what_it_should),
        cmocka_unit_test(a_server_without_tls_is_refused_when_tls_is_wanted),
        cmocka_unit_test(nothing_is_lost_when_the_end_follows_at_once),
        cmocka_unit_test(much_goes_both_ways_at_once),
        cmocka_unit_test(a_relay_holds_little_however_much_goes_through),
        cmocka_unit_test(a_cancel_goes_through_tls_too),
        cmocka_unit_test(a_cancel_does_not_go_to_a_false_server),
        cmocka_unit_test(a_server_that_is_killed_ends_the_relay),
        cmocka_unit_test(the_log_never_saw_the_password),
    };

    return cmocka_run_group_tests(tests, connector_start, connector_stop);
}
