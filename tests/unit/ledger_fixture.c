/* See ledger_fixture.h. */
#include "ledger_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "check.h"
#include "policy/ticket.h"

enum { LIMIT_MS = 2000, STATE_MODE = 0711 };

static int config_fd(const struct bench *bench)
{
    uint8_t bytes[256];
    int fd = -1;
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Recording recording = IPC__RECORDING__INIT;
    recording.durability = (char[]){ "written" };
    recording.retention_ms = bench->retention_ms;
    config.recording = &recording;
    size_t n = ipc__config__pack(&config, bytes);
    assert_int_equal(fd_of_bytes("config", bytes, n, &fd), 0);
    return fd;
}

static void send_start(struct bench *bench)
{
    CLEANUP(fd_close) int config = config_fd(bench);
    Ipc__Start start = IPC__START__INIT;
    start.state = bench->house.state;
    start.ticket_key = (ProtobufCBinaryData){ sizeof bench->ticket_key, bench->ticket_key };
    Ipc__Message message = IPC_MESSAGE(START, start, &start);
    assert_int_equal(ipc_send_now(bench->control, &message, &config, 1, LIMIT_MS), 0);
}

void bench_start(struct bench *bench)
{
    int pair[2];
    house_close(&bench->house);
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    bench->pid = fork();
    assert_true(bench->pid >= 0);
    if (bench->pid == 0) {
        /* 3 may be one of the pair itself. */
        struct rlimit limit = { bench->file_limit, bench->file_limit };
        if (bench->file_limit && setrlimit(RLIMIT_FSIZE, &limit) < 0)
            _exit(126);
        /* The leak checker needs what the jail takes away. */
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        int end = fcntl(pair[1], F_DUPFD, 10);
        if (dup2(end, 3) == 3)
            execl(LEDGER, "gatehouse-ledger", (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    bench->control = pair[0];
    send_start(bench);
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *ready = gate_receive(bench->control, &fd);
    assert_non_null(ready);
    assert_int_equal(ready->body_case, IPC__MESSAGE__BODY_READY);
}

void bench_prepare(struct bench *bench)
{
    *bench = (struct bench){ .control = -1 };
    house_make(&bench->house);
    assert_int_equal(chmod(bench->house.state, STATE_MODE),
                     0); /* the ledger has a uid of its own under root */
    randombytes_buf(bench->ticket_key, sizeof bench->ticket_key);
}

void bench_open(struct bench *bench)
{
    bench_prepare(bench);
    bench_start(bench);
}

int bench_stop(struct bench *bench)
{
    int status = 0;
    fd_close(STEAL_FD(bench->control));
    assert_int_equal(waitpid(bench->pid, &status, 0), bench->pid);
    bench->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void bench_kill(struct bench *bench)
{
    assert_int_equal(kill(bench->pid, SIGKILL), 0);
    assert_int_equal(bench_stop(bench), -1);
}

void gate_close(struct bench *bench, int gate)
{
    for (size_t i = 0; i < bench->n_gates; i++) {
        if (bench->gates[i] != gate)
            continue;
        close(gate);
        bench->gates[i] = bench->gates[--bench->n_gates];
        return;
    }
    fail_msg("not an open gate: %d", gate);
}

void bench_close(struct bench *bench)
{
    while (bench->n_gates)
        gate_close(bench, bench->gates[0]);
    if (bench->pid)
        assert_int_equal(bench_stop(bench), 0);
    house_remove(&bench->house);
}

/* ---- gates ---- */

void gate_send(int gate, const Ipc__Message *message)
{
    assert_int_equal(ipc_send_now(gate, message, NULL, 0, LIMIT_MS), 0);
}

Ipc__Message *gate_receive(int gate, int *ret_fd)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(gate, LIMIT_MS, &message, fds, &n);
    if (r == -EPIPE)
        return NULL;
    assert_int_equal(r, 0);
    assert_true(n <= 1);
    *ret_fd = n ? fds[0] : -1;
    return message;
}

bool gate_is_dropped(int gate)
{
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *message = gate_receive(gate, &fd);
    fd_close(fd);
    return !message;
}

static void introduce(struct bench *bench, int gate, uint64_t connection, const char *who, const char *may)
{
    char *list[] = { (char *)(uintptr_t)may };
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    Ipc__Ticket *ticket = NULL;
    identity.name = (char *)(uintptr_t)who;
    identity.connection = connection;
    identity.source_address = (char[]){ "127.0.0.1" };
    identity.may = list;
    identity.n_may = may ? 1 : 0;
    assert_int_equal(ticket_issue(bench->ticket_key, &identity, &ticket), 0);
    Ipc__Introduce body = IPC__INTRODUCE__INIT;
    body.ticket = ticket;
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &body);
    gate_send(gate, &message);
    ipc__ticket__free_unpacked(ticket, NULL);
}

int gate_new(struct bench *bench, uint64_t connection, const char *who, const char *may)
{
    int pair[2];
    Ipc__Peer peer = IPC__PEER__INIT;
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    peer.connection = connection;
    peer.source_address = (char[]){ "127.0.0.1" };
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &peer);
    assert_int_equal(ipc_send_now(bench->control, &message, &pair[1], 1, LIMIT_MS), 0);
    close(pair[1]);
    assert_true(bench->n_gates < sizeof bench->gates / sizeof *bench->gates);
    bench->gates[bench->n_gates++] = pair[0];
    if (who)
        introduce(bench, pair[0], connection, who, may);
    return pair[0];
}

bool gate_record(int gate, struct pen *pen, const char *command)
{
    Ipc__AskRecording ask = IPC__ASK_RECORDING__INIT;
    ask.request = 7;
    ask.kind = (char[]){ "exec" };
    ask.target = (char[]){ "orders" };
    ask.target_kind = (char[]){ "postgres" };
    ask.command = (char *)(uintptr_t)command;
    Ipc__Message message = IPC_MESSAGE(ASK_RECORDING, ask_recording, &ask);
    *pen = (struct pen){ .fd = -1 };
    gate_send(gate, &message);
    CLEANUP(ipc_message_free) Ipc__Message *reply = gate_receive(gate, &pen->fd);
    if (!reply)
        return false;
    assert_int_equal(reply->body_case, IPC__MESSAGE__BODY_ANSWER_RECORDING);
    const Ipc__AnswerRecording *answer = reply->answer_recording;
    assert_int_equal(answer->request, 7);
    if (answer->refusal) {
        assert_string_equal(answer->refusal->code, "recording_unavailable");
        return false;
    }
    assert_int_equal(answer->chain_key.len, CHAIN_KEY);
    chain_start(&pen->chain, answer->chain_version, answer->chain_key.data);
    memcpy(pen->chain.last, answer->chain_tag.data, CHAIN_TAG);
    pen->chain.entries = answer->entries;
    assert_int_equal(strlen(answer->id), RECORDING_ID);
    strcpy(pen->id, answer->id);
    pen->n = 1; /* the header is there */
    return true;
}

void gate_finish(int gate, const struct pen *pen)
{
    Ipc__Finished finished = IPC__FINISHED__INIT;
    finished.id = (char *)(uintptr_t)pen->id;
    Ipc__Message message = IPC_MESSAGE(FINISHED, finished, &finished);
    gate_send(gate, &message);
}

static char *ask_sessions(int gate, const char *identity, const char *grep, bool json)
{
    uint8_t *lines = NULL;
    size_t n = 0;
    Ipc__AskSessions ask = IPC__ASK_SESSIONS__INIT;
    ask.identity = (char *)(uintptr_t)identity;
    ask.grep = (char *)(uintptr_t)grep;
    ask.json = json;
    Ipc__Message message = IPC_MESSAGE(ASK_SESSIONS, ask_sessions, &ask);
    gate_send(gate, &message);
    CLEANUP(fd_close) int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *reply = gate_receive(gate, &fd);
    assert_non_null(reply);
    if (reply->answer_sessions->refusal)
        return NULL;
    assert_int_equal(fd_contents(fd, 1 << 20, &lines, &n), 0);
    return (char *)lines;
}

char *gate_sessions(int gate, const char *identity, const char *grep)
{
    return ask_sessions(gate, identity, grep, true);
}

char *gate_table(int gate)
{
    return ask_sessions(gate, "", "", false);
}

int gate_replay(int gate, const char *id)
{
    int fd = -1;
    Ipc__AskReplay ask = IPC__ASK_REPLAY__INIT;
    ask.id = (char *)(uintptr_t)id;
    Ipc__Message message = IPC_MESSAGE(ASK_REPLAY, ask_replay, &ask);
    gate_send(gate, &message);
    CLEANUP(ipc_message_free) Ipc__Message *reply = gate_receive(gate, &fd);
    assert_non_null(reply);
    assert_int_equal(reply->answer_replay->refusal == NULL, fd >= 0);
    if (reply->answer_replay->refusal)
        assert_string_equal(reply->answer_replay->refusal->message, "no such recording");
    return fd;
}

bool wait_for_finding(struct bench *bench, const char *id, const char *text)
{
    uint64_t until = clock_ms() + 3000;
    while (clock_ms() < until) {
        struct findings f;
        assert_int_equal(verify_house(&bench->house, id, &f), 0);
        if (strstr(f.notes, text) || strstr(f.faults, text))
            return true;
        usleep(20000);
    }
    return false;
}
