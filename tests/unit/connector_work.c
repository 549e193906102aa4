/* See connector_work.h. */
#include "connector_work.h"
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "keygen.h"

struct postgres postgres;
struct process zygote;
static char log_path[2 * HOUSE_PATH];

void connector_begin(void)
{
    Ipc__Start start = IPC__START__INIT;
    int config;

    snprintf(log_path, sizeof(log_path), "%s/processes.log", postgres.directory);
    assert_int_equal(fd_of_bytes("config", "", 0, &config), 0);
    zygote = process_start(CONNECTOR, &start, &config, 1, log_path);
    ipc_message_free(expect(zygote.control, IPC__MESSAGE__BODY_READY, 10000, NULL));
}

int connector_start(void **state)
{
    (void)state;
    postgres_start(&postgres);
    connector_begin();
    return 0;
}

int connector_stop(void **state)
{
    (void)state;
    postgres_stop(&postgres); /* first: a failure must not leave it running */
    assert_int_equal(process_end(&zygote), 0);
    return 0;
}

/* ---- one job ---- */

struct work give(Ipc__Job *job)
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

int child_status(void)
{
    Ipc__Message *message = expect(zygote.control, IPC__MESSAGE__BODY_CHILD_EXITED, 40000, NULL);
    int status =
        message->child_exited->signal ? -message->child_exited->signal : message->child_exited->status;

    ipc_message_free(message);
    return status;
}

/* VmHWM in KiB of the zygote's only child. */
long child_peak_kib(void)
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

Ipc__Target target_of(const char *user, const char *host, const char *tls)
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

Ipc__Job job_of(Ipc__Target *target)
{
    Ipc__Job job = IPC__JOB__INIT;

    job.target = target;
    job.secret.data = (uint8_t *)(uintptr_t)HOUSE_PASSWORD;
    job.secret.len = strlen(HOUSE_PASSWORD);
    job.timeout_ms = 10000;
    return job;
}

/* The login must succeed; *ret_connected is for the caller to free. */
int log_in(Ipc__Job *job, Ipc__Message **ret_connected)
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
void fail_to_log_in(Ipc__Job *job, char said_to_gate[DETAIL_MAX], char said_to_vault[DETAIL_MAX])
{
    struct work work = give(job);
    Ipc__Message *connected = expect(work.gate, IPC__MESSAGE__BODY_CONNECTED, 15000, NULL);
    /* By then: a gate that leaves takes the vault's interest with it. */
    Ipc__Message *done = expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, 0, NULL);

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
    if (job->target->login[0])
        assert_null(strstr(said_to_gate, job->target->login));
    assert_null(strstr(said_to_gate, HOUSE_PASSWORD));
    assert_null(strstr(said_to_vault, HOUSE_PASSWORD));
}

void expect_answer(int fd, const char *sql, const char *expected)
{
    CLEANUP(free) char *value = query(fd, sql);

    assert_non_null(value);
    assert_string_equal(value, expected);
}

void take_ca(Ipc__Job *job, const char *file)
{
    job->tls_ca.data = (uint8_t *)keygen_read(postgres.directory, file, &job->tls_ca.len);
}

Ipc__Variable variable(const char *name, const char *value)
{
    Ipc__Variable variable = IPC__VARIABLE__INIT;

    variable.name = (char *)(uintptr_t)name;
    variable.value = (char *)(uintptr_t)value;
    return variable;
}

/* Starts a long statement, has it cancelled, and sees it fail as cancelled. */
void cancel_a_sleep(Ipc__Target *target, Ipc__Job *login)
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

int listen_anywhere(unsigned *ret_port)
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

void the_log_never_saw_the_password(void **state)
{
    CLEANUP(free) char *processes = keygen_read(postgres.directory, "processes.log", NULL);

    (void)state;
    assert_null(strstr(processes, "pa ss"));
    assert_null(strstr(processes, "child_killed"));
    assert_null(strstr(processes, "runtime error"));
}
