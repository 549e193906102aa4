/* gatehouse-connector against a real PostgreSQL, in clear text: who gets in, and what failures say to whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "connector_work.h"

static void every_way_of_authentication_logs_in(void **state)
{
    static const char *const users[] = { "scram_user", "md5_user", "plain_user" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        Ipc__Target target = target_of(users[i], "127.0.0.1", "disable");
        Ipc__Job job = job_of(&target);
        CLEANUP(fd_close) int fd = log_in(&job, NULL);

        assert_int_equal(child_status(), 0); /* the connector is gone, the connection is not */
        expect_answer(fd, "select current_user", users[i]);
    }
}

static void a_unix_socket_logs_in(void **state)
{
    Ipc__Target target = target_of("scram_user", "", "disable");
    Ipc__Job job = job_of(&target);
    CLEANUP(fd_close) int fd = -1;

    (void)state;
    target.socket = postgres.socket;
    fd = log_in(&job, NULL);
    assert_int_equal(child_status(), 0);
    expect_answer(fd, "select coalesce(inet_client_addr()::text, 'local')", "local");
}

static void a_name_is_resolved(void **state)
{
    Ipc__Target target = target_of("scram_user", "localhost", "disable");
    Ipc__Job job = job_of(&target);
    CLEANUP(fd_close) int fd = log_in(&job, NULL);

    (void)state;
    assert_int_equal(child_status(), 0);
    expect_answer(fd, "select 1", "1");
}

static const char *parameter(const Ipc__Connected *connected, const char *name)
{
    for (size_t i = 0; i < connected->n_parameters; i++)
        if (strcmp(connected->parameters[i]->name, name) == 0)
            return connected->parameters[i]->value;
    return NULL;
}

static void the_gate_hears_every_parameter_and_the_real_key(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    Ipc__Message *message = NULL;
    CLEANUP(fd_close) int fd = log_in(&job, &message);
    const Ipc__Connected *connected = message->connected;
    char pid[16];

    (void)state;
    assert_true(connected->n_parameters >= 13);
    assert_string_equal(parameter(connected, "client_encoding"), "UTF8");
    assert_string_equal(parameter(connected, "standard_conforming_strings"), "on");
    assert_non_null(parameter(connected, "server_version"));
    assert_non_null(parameter(connected, "in_hot_standby"));
    assert_string_equal(parameter(connected, "application_name"), "");
    assert_false(connected->relayed);
    assert_int_equal(connected->key.len, 4);
    assert_string_equal(connected->transaction_status, "I");
    snprintf(pid, sizeof(pid), "%u", connected->pid);
    expect_answer(fd, "select pg_backend_pid()", pid);
    ipc_message_free(message);
    assert_int_equal(child_status(), 0);
}

static void settings_of_the_client_reach_the_server(void **state)
{
    Ipc__Variable items[] = {
        variable("application_name", "an agent"), variable("TimeZone", "Asia/Tokyo"),
        variable("DateStyle", "SQL, DMY"),        variable("search_path", "\"a b\\c\", public"),
        variable("client_encoding", "LATIN1"),    variable("standard_conforming_strings", "on"),
    };
    Ipc__Variable *options[6];
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    int fd;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        options[i] = &items[i];
    job.options = options;
    job.n_options = 6;
    fd = log_in(&job, NULL);
    expect_answer(fd, "show application_name", "an agent");
    expect_answer(fd, "show timezone", "Asia/Tokyo");
    expect_answer(fd, "show datestyle", "SQL, DMY");
    expect_answer(fd, "show search_path", "\"a b\\c\", public");
    expect_answer(fd, "show client_encoding", "LATIN1");
    close(fd);
    assert_int_equal(child_status(), 0);
}

static void a_setting_that_the_server_refuses_is_named(void **state)
{
    Ipc__Variable item = variable("TimeZone", "Nowhere/Land"), *options[] = { &item };
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];

    (void)state;
    job.options = options;
    job.n_options = 1;
    fail_to_log_in(&job, gate, vault);
    assert_non_null(strstr(gate, "\"TimeZone\""));
}

static void a_cancel_stops_what_runs(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);

    (void)state;
    cancel_a_sleep(&target, &job);
    assert_int_equal(child_status(), 0);
    assert_int_equal(child_status(), 0);
    target.host = (char *)"";
    target.socket = postgres.socket;
    cancel_a_sleep(&target, &job);
    assert_int_equal(child_status(), 0);
    assert_int_equal(child_status(), 0);
}

/* ---- what goes wrong ---- */

static void a_wrong_password_is_told_to_the_log_only(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];

    (void)state;
    job.secret.data = (uint8_t *)(uintptr_t) "not the password";
    job.secret.len = 16;
    fail_to_log_in(&job, gate, vault);
    assert_non_null(strstr(gate, "unavailable"));
    assert_non_null(strstr(vault, "password authentication failed"));
    assert_null(strstr(vault, "not the password"));
}

static void a_target_that_is_down_is_unavailable(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];

    (void)state;
    close(listen_anywhere(&target.port));
    fail_to_log_in(&job, gate, vault);
    assert_non_null(strstr(vault, "refused"));
    target.socket = (char *)"/tmp/no-such-directory/.s.PGSQL.5432";
    target.host = (char *)"";
    fail_to_log_in(&job, gate, vault);
}

static void a_target_that_hangs_is_given_up_in_time(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];
    uint64_t start = clock_ms();
    int hanging = listen_anywhere(&target.port);

    (void)state;
    job.timeout_ms = 700;
    fail_to_log_in(&job, gate, vault);
    assert_in_range(clock_ms() - start, 600, 4000);
    assert_non_null(strstr(vault, "too long"));
    close(hanging);
}

static void a_name_that_does_not_resolve_ends_in_time(void **state)
{
    Ipc__Target target = target_of("scram_user", "no-such-host.invalid", "disable");
    Ipc__Job job = job_of(&target);
    struct work work;
    uint64_t start = clock_ms();

    (void)state;
    job.timeout_ms = 1000;
    work = give(&job);
    assert_int_equal(child_status(), 69); /* with an answer or, when DNS hangs, without one */
    assert_true(clock_ms() - start < 6000);
    close(work.vault);
    close(work.gate);
}

static void a_gate_that_hangs_up_is_not_worked_for(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    int hanging = listen_anywhere(&target.port);
    uint64_t start = clock_ms();
    struct work work = give(&job);

    (void)state;
    close(work.gate);
    assert_int_equal(child_status(), 69);
    assert_true(clock_ms() - start < 3000);
    close(work.vault);
    close(hanging);
}

static void a_server_that_talks_nonsense_is_unavailable(void **state)
{
    Ipc__Target target = target_of("scram_user", "127.0.0.1", "disable");
    Ipc__Job job = job_of(&target);
    char gate[DETAIL_MAX], vault[DETAIL_MAX];
    int listening = listen_anywhere(&target.port);
    pid_t server = fork();

    (void)state;
    if (server == 0) {
        int fd = accept(listening, NULL, NULL);
        char bytes[64];

        (void)!read(fd, bytes, sizeof(bytes));
        (void)!write(fd, "SSH-2.0-nonsense\r\n", 18);
        (void)!read(fd, bytes, sizeof(bytes));
        _exit(0);
    }
    fail_to_log_in(&job, gate, vault);
    assert_int_equal(waitpid(server, NULL, 0), server);
    close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_of_authentication_logs_in),
        cmocka_unit_test(a_unix_socket_logs_in),
        cmocka_unit_test(a_name_is_resolved),
        cmocka_unit_test(the_gate_hears_every_parameter_and_the_real_key),
        cmocka_unit_test(settings_of_the_client_reach_the_server),
        cmocka_unit_test(a_setting_that_the_server_refuses_is_named),
        cmocka_unit_test(a_cancel_stops_what_runs),
        cmocka_unit_test(a_wrong_password_is_told_to_the_log_only),
        cmocka_unit_test(a_target_that_is_down_is_unavailable),
        cmocka_unit_test(a_target_that_hangs_is_given_up_in_time),
        cmocka_unit_test(a_name_that_does_not_resolve_ends_in_time),
        cmocka_unit_test(a_gate_that_hangs_up_is_not_worked_for),
        cmocka_unit_test(a_server_that_talks_nonsense_is_unavailable),
        cmocka_unit_test(the_log_never_saw_the_password),
    };

    return cmocka_run_group_tests(tests, connector_start, connector_stop);
}
