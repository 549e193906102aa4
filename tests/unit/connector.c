/* gatehouse-connector against a real PostgreSQL: this test is the vault and the gate. */
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "vault/connector_options.h"
#include "vault/connector_trace.h"
#include "house.h"
#include "keygen.h"

static struct postgres postgres;
static struct process zygote;
static char log_path[2 * HOUSE_PATH];

static int start_all(void **state)
{
    Ipc__Start start = IPC__START__INIT;
    int config;

    (void)state;
    postgres_start(&postgres);
    snprintf(log_path, sizeof(log_path), "%s/processes.log", postgres.directory);
    assert_int_equal(fd_of_bytes("config", "", 0, &config), 0);
    zygote = process_start(CONNECTOR, &start, &config, 1, log_path);
    ipc_message_free(expect(zygote.control, IPC__MESSAGE__BODY_READY, 10000, NULL));
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    assert_int_equal(process_end(&zygote), 0);
    postgres_stop(&postgres);
    return 0;
}

/* ---- one job ---- */

struct work {
    int vault, gate; /* our ends */
};

static struct work give(Ipc__Job *job)
{
    Ipc__Spawn spawn = IPC__SPAWN__INIT;
    Ipc__Message birth = IPC_MESSAGE(SPAWN, spawn, &spawn);
    Ipc__Message order = IPC_MESSAGE(JOB, job, job);
    int vault[2], gate[2];

    assert_int_equal(fd_pair(SOCK_SEQPACKET, vault), 0);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, gate), 0);
    spawn.connection = 7;
    assert_int_equal(ipc_send_now(zygote.control, &birth, (int[]){ vault[1], gate[1] }, 2, 1000), 0);
    close(vault[1]);
    close(gate[1]);
    assert_int_equal(ipc_send_now(vault[0], &order, NULL, 0, 1000), 0);
    return (struct work){ vault[0], gate[0] };
}

static int child_status(void)
{
    Ipc__Message *message = expect(zygote.control, IPC__MESSAGE__BODY_CHILD_EXITED, 40000, NULL);
    int status =
        message->child_exited->signal ? -message->child_exited->signal : message->child_exited->status;

    ipc_message_free(message);
    return status;
}

static Ipc__Target target_of(const char *user, const char *host, const char *tls)
{
    Ipc__Target target = IPC__TARGET__INIT;

    target.name = (char *)"orders";
    target.kind = (char *)"postgres";
    target.host = (char *)(uintptr_t)host;
    target.port = postgres.port;
    target.database = (char *)"postgres";
    target.login = (char *)(uintptr_t)user;
    target.tls = (char *)(uintptr_t)tls;
    return target;
}

static Ipc__Job job_of(Ipc__Target *target)
{
    Ipc__Job job = IPC__JOB__INIT;

    job.target = target;
    job.secret.data = (uint8_t *)(uintptr_t)HOUSE_PASSWORD;
    job.secret.len = strlen(HOUSE_PASSWORD);
    job.timeout_ms = 10000;
    return job;
}

/* The login must succeed; *ret_connected is for the caller to free. */
static int log_in(Ipc__Job *job, Ipc__Message **ret_connected)
{
    struct work work = give(job);
    Ipc__Message *connected = NULL, *done = expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, 15000, NULL);
    int fd = -1;

    if (!done->job_done->ok)
        fail_msg("%s", done->job_done->detail);
    ipc_message_free(done);
    connected = expect(work.gate, IPC__MESSAGE__BODY_CONNECTED, 1000, &fd);
    assert_null(connected->connected->refusal);
    assert_true(fd >= 0);
    close(work.vault);
    close(work.gate);
    if (ret_connected)
        *ret_connected = connected;
    else
        ipc_message_free(connected);
    return fd;
}

/* The login must fail: tells what was said to whom, and waits for the end of the child. */
static void fail_to_log_in(Ipc__Job *job, char said_to_gate[DETAIL_MAX], char said_to_vault[DETAIL_MAX])
{
    struct work work = give(job);
    Ipc__Message *connected = expect(work.gate, IPC__MESSAGE__BODY_CONNECTED, 15000, NULL);
    Ipc__Message *done = expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, 1000, NULL);

    assert_non_null(connected->connected->refusal);
    assert_string_equal(connected->connected->refusal->code, "target_unavailable");
    assert_false(done->job_done->ok);
    snprintf(said_to_gate, DETAIL_MAX, "%s", connected->connected->refusal->message);
    snprintf(said_to_vault, DETAIL_MAX, "%s", done->job_done->detail);
    ipc_message_free(connected);
    ipc_message_free(done);
    close(work.vault);
    close(work.gate);
    assert_int_equal(child_status(), 69);
    assert_null(strstr(said_to_gate, job->target->host[0] ? job->target->host : "/tmp"));
    assert_null(strstr(said_to_gate, job->target->login));
    assert_null(strstr(said_to_gate, HOUSE_PASSWORD));
    assert_null(strstr(said_to_vault, HOUSE_PASSWORD));
}

static void expect_answer(int fd, const char *sql, const char *expected)
{
    CLEANUP(free) char *value = query(fd, sql);

    assert_non_null(value);
    assert_string_equal(value, expected);
}

static void take_ca(Ipc__Job *job, const char *file)
{
    job->tls_ca.data = (uint8_t *)keygen_read(postgres.directory, file, &job->tls_ca.len);
}

/* ---- plain ---- */

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

static Ipc__Variable variable(const char *name, const char *value)
{
    Ipc__Variable variable = IPC__VARIABLE__INIT;

    variable.name = (char *)(uintptr_t)name;
    variable.value = (char *)(uintptr_t)value;
    return variable;
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

/* Starts a long statement, has it cancelled, and sees it fail as cancelled. */
static void cancel_a_sleep(Ipc__Target *target, Ipc__Job *login)
{
    Ipc__Message *message = NULL;
    CLEANUP(fd_close) int fd = log_in(login, &message);
    Ipc__Job job = job_of(target);
    struct work work;
    uint64_t start;
    uint8_t *body;
    size_t n;

    job.secret.len = 0;
    job.tls_ca = login->tls_ca;
    job.cancel = true;
    job.pid = message->connected->pid;
    job.key = message->connected->key;
    send_query(fd, "select pg_sleep(15)");
    usleep(200 * 1000);
    start = clock_ms();
    work = give(&job);
    assert_int_equal(read_message(fd, &body, &n), 'T');
    free(body);
    assert_int_equal(read_message(fd, &body, &n), 'E');
    assert_non_null(memmem(body, n, "57014", 5));
    free(body);
    assert_true(clock_ms() - start < 5000);
    ipc_message_free(expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, 5000, NULL));
    close(work.vault);
    close(work.gate);
    ipc_message_free(message);
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

static int listen_anywhere(unsigned *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
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

/* ---- TLS ---- */

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

/* VmHWM in KiB of the zygote's only child. */
static long child_peak_kib(void)
{
    char path[64], line[256];
    long pid = 0, peak = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)zygote.pid, (int)zygote.pid);
    file = fopen(path, "r");
    if (!file)
        return 0;
    assert_int_equal(fscanf(file, "%ld", &pid), 1);
    fclose(file);
    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    fclose(file);
    return peak;
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

/* ---- without any process ---- */

static int fold(const char *name, const char *value, char out[256])
{
    Ipc__Variable item = variable(name, value), *items[] = { &item };
    struct options options = { 0 };
    int r = options_fold(items, 1, &options, NULL);

    if (!r)
        snprintf(out, 256, "%s|%s|%s", options.application_name ? options.application_name : "",
                 options.client_encoding, options.folded);
    options_free(&options);
    return r;
}

static void settings_are_folded_and_checked(void **state)
{
    static const char *const refused[][2] = {
        { "replication", "database" },
        { "Role", "postgres" },
        { "session_authorization", "x" },
        { "options", "-c x=y" },
        { "user", "x" },
        { "a b", "x" },
        { "", "x" },
        { "x=y", "z" },
        { "client_encoding", "SJIS" },
        { "client_encoding", "Big-5" },
        { "client_encoding", "GBK" },
        { "client_encoding", "windows-949" },
        { "client_encoding", "WIN936" },
        { "client_encoding", "nonsense" },
        { "client_encoding", "johab" },
        { "standard_conforming_strings", "off" },
        { "-c", "x" },
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (fold(refused[i][0], refused[i][1], out) == 0)
            fail_msg("%s=%s was taken", refused[i][0], refused[i][1]);
    assert_int_equal(fold("work_mem", "1 MB\\", out), 0);
    assert_string_equal(out, "|UTF8|-c work_mem=1\\ MB\\\\ -c standard_conforming_strings=on");
    assert_int_equal(fold("application_name", "a b", out), 0);
    assert_string_equal(out, "a b|UTF8|-c standard_conforming_strings=on");
    assert_int_equal(fold("client_encoding", "iso-8859-15", out), 0);
    assert_string_equal(out, "|iso-8859-15|-c standard_conforming_strings=on");
}

static void settings_are_bounded(void **state)
{
    Ipc__Variable item = variable("geqo", "on"), *items[OPTIONS_MAX + 1];
    CLEANUP(free) char *longest = calloc(1, OPTION_VALUE_MAX + 2);
    struct options options = { 0 };
    char out[256];

    (void)state;
    for (size_t i = 0; i <= OPTIONS_MAX; i++)
        items[i] = &item;
    assert_int_equal(options_fold(items, OPTIONS_MAX, &options, NULL), 0);
    options_free(&options);
    assert_int_not_equal(options_fold(items, OPTIONS_MAX + 1, &options, NULL), 0);
    memset(longest, 'x', OPTION_VALUE_MAX + 1);
    assert_int_not_equal(fold("geqo", longest, out), 0);
    item.value = longest;
    longest[OPTION_VALUE_MAX] = '\0';
    assert_int_not_equal(options_fold(items, OPTIONS_MAX, &options, NULL), 0);
}

static void a_trace_gives_names_and_the_key_of_our_pid(void **state)
{
    static const char text[] =
        "2026-11-23 03:00:00.000000\tF\t8\tSSLRequest\n"
        "2026-11-23 03:00:00.000001\tB\t23\tParameterStatus\t \"is_superuser\" \"off\"\n"
        "2026-11-23 03:00:00.000001\tB\t30\tParameterStatus\t \"application_name\" \"a\n"
        "x\tB\t12\tBackendKeyData\t 1 2\"\n"
        "2026-11-23 03:00:00.000001\tB\t12\tBackendKeyData\t 4711 -2\n"
        "2026-11-23 03:00:00.000001\tB\t12\tBackendKeyData\t 4711 5\n";
    struct trace trace;

    (void)state;
    assert_int_equal(trace_read(text, 4711, &trace), 0);
    assert_int_equal(trace.n_names, 2);
    assert_string_equal(trace.names[0], "is_superuser");
    assert_string_equal(trace.names[1], "application_name");
    assert_memory_equal(trace.key, "\xff\xff\xff\xfe", 4);
    assert_int_not_equal(trace_read(text, 4712, &trace), 0);
    assert_int_not_equal(trace_read("", 1, &trace), 0);
}

static void the_log_never_saw_the_password(void **state)
{
    CLEANUP(free) char *processes = keygen_read(postgres.directory, "processes.log", NULL);

    (void)state;
    assert_null(strstr(processes, "pa ss"));
    assert_null(strstr(processes, "child_killed"));
    assert_null(strstr(processes, "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_folded_and_checked),
        cmocka_unit_test(settings_are_bounded),
        cmocka_unit_test(a_trace_gives_names_and_the_key_of_our_pid),
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

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
