/* See launcher_house.h. Every wait has a limit: a test that hangs says which one. */
#include "launcher_house.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/clock.h"
#include "base/io.h"
#include "base/ipc.h"
#include "policy/ticket.h"
#include "server/launcher_psql.h"

enum { PORT = 21300, LIMIT_MS = 20000 }; /* the port names a socket; nothing listens on TCP */

static uint8_t ticket_key[TICKET_KEY] = "a key for tests, thirty-two long";

/* ---- the server ---- */

static int PRINTF_LIKE(1, 2) shell(const char *format, ...)
{
    char command[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    int status = system(command);
    return status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

static const char *as_user(void)
{
    return getuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups" : "";
}

static void bin_of(char out[PSQL_PATH_MAX])
{
    assert_int_equal(psql_find(out), 0);
    *strrchr(out, '/') = '\0';
}

void house_sql(const struct house *house, const char *database, const char *sql)
{
    char bin[PSQL_PATH_MAX];
    bin_of(bin);
    assert_int_equal(
        shell("%s %s/psql -X -q -v ON_ERROR_STOP=1 -h %s -p %d -U postgres -d %s -c \"%s\" >/dev/null",
              as_user(), bin, house->directory, PORT, database, sql),
        0);
}

static void start_server(struct house *house)
{
    char bin[PSQL_PATH_MAX];
    const char *directory = house->directory;
    bin_of(bin);
    if (getuid() == 0)
        assert_int_equal(shell("chown postgres %s", directory), 0);
    assert_int_equal(shell("%s %s/initdb -U postgres -A trust -N --no-instructions %s/data >/dev/null",
                           as_user(), bin, directory),
                     0);
    assert_int_equal(shell("%s %s/pg_ctl -s -w -D %s/data -l %s/log -o \"-c listen_addresses= -c port=%d "
                           "-c unix_socket_directories=%s -c fsync=off\" start",
                           as_user(), bin, directory, directory, PORT, directory),
                     0);
    house_sql(house, "postgres", "create role tester superuser login");
    house_sql(house, "postgres", "create database orders");
}

static int connect_server(const struct house *house)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%d", house->directory, PORT);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* ---- the launcher ---- */

/* A kernel without this system call. */
static void take_away(int call)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(1);
}

static void execute_launcher(int control, int missing_call)
{
    if (missing_call >= 0)
        take_away(missing_call);
    if (dup2(control, 3) < 0)
        _exit(1);
    (void)fcntl(3, F_SETFD, 0);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* the leak checker can't look into a jailed process */
    (void)execl(LAUNCHER, LAUNCHER, (char *)NULL);
    _exit(1);
}

static void start_launcher(struct house *house, int missing_call)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    house->launcher = fork();
    assert_true(house->launcher >= 0);
    if (house->launcher == 0)
        execute_launcher(pair[1], missing_call);
    (void)close(pair[1]);
    house->control = pair[0];
    Ipc__Start start = IPC__START__INIT;
    start.libexec = house->directory;
    start.ticket_key = (ProtobufCBinaryData){ sizeof ticket_key, ticket_key };
    Ipc__Message message = IPC_MESSAGE(START, start, &start);
    assert_int_equal(ipc_send_now(house->control, &message, NULL, 0, LIMIT_MS), 0);
    int fds[IPC_FDS_MAX];
    size_t n;
    Ipc__Message *answer = NULL;
    assert_int_equal(ipc_receive_now(house->control, LIMIT_MS, &answer, fds, &n), 0);
    assert_int_equal(answer->body_case, IPC__MESSAGE__BODY_READY);
    ipc_message_free(answer);
}

static void introduce(struct house *house)
{
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    identity.name = (char *)(uintptr_t) "tester";
    identity.connection = house->connection;
    identity.source_address = (char *)(uintptr_t) "127.0.0.1";
    Ipc__Ticket *ticket = NULL;
    assert_int_equal(ticket_issue(ticket_key, &identity, &ticket), 0);
    Ipc__Introduce introduce = IPC__INTRODUCE__INIT;
    introduce.ticket = ticket;
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &introduce);
    assert_int_equal(ipc_send_now(house->gate, &message, NULL, 0, LIMIT_MS), 0);
    ipc__ticket__free_unpacked(ticket, NULL);
}

void house_new_gate(struct house *house)
{
    house_drop_gate(house);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    Ipc__Peer peer = IPC__PEER__INIT;
    peer.connection = ++house->connection;
    peer.source_address = (char *)(uintptr_t) "127.0.0.1";
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &peer);
    assert_int_equal(ipc_send_now(house->control, &message, &pair[1], 1, LIMIT_MS), 0);
    (void)close(pair[1]);
    house->gate = pair[0];
    introduce(house);
}

static void drop_relays(struct house *house)
{
    for (size_t i = 0; i < house->n_relays; i++) {
        fd_close(house->relays[i].fds[0]);
        fd_close(house->relays[i].fds[1]);
    }
    house->n_relays = 0;
}

void house_drop_gate(struct house *house)
{
    fd_close(STEAL_FD(house->gate));
    drop_relays(house);
    house->run = NULL;
}

struct house *house_open(const char *probe)
{
    (void)signal(SIGPIPE, SIG_IGN);
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    house->gate = -1;
    strcpy(house->directory, "/tmp/gatehouse-launcher-XXXXXX");
    assert_non_null(mkdtemp(house->directory));
    assert_int_equal(chmod(house->directory, 0755), 0);
    assert_int_equal(shell("install -m 755 %s %s/gatehouse-player", probe, house->directory), 0);
    start_server(house);
    start_launcher(house, -1);
    house_new_gate(house);
    return house;
}

static void end_launcher(struct house *house)
{
    int status = 0;
    house_drop_gate(house);
    fd_close(STEAL_FD(house->control));
    assert_int_equal(waitpid(house->launcher, &status, 0), house->launcher);
    assert_int_equal(status, 0);
}

void house_relaunch(struct house *house, int missing_call)
{
    end_launcher(house);
    start_launcher(house, missing_call);
    house_new_gate(house);
}

void house_close(struct house *house)
{
    char bin[PSQL_PATH_MAX];
    bin_of(bin);
    /* The server first: it would outlive a failed check of the launcher. */
    assert_int_equal(shell("%s %s/pg_ctl -s -m immediate -D %s/data stop", as_user(), bin, house->directory),
                     0);
    assert_int_equal(shell("rm -rf %s", house->directory), 0);
    end_launcher(house);
    free(house);
}

/* ---- moving bytes ---- */

static bool text_read(struct text *text, int fd)
{
    char bytes[65536];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0)
        return errno == EAGAIN;
    if (n == 0)
        return false;
    if (text->n + (size_t)n + 1 > text->capacity) {
        text->capacity = 2 * text->capacity + sizeof bytes + 1;
        text->bytes = realloc(text->bytes, text->capacity);
        assert_non_null(text->bytes);
    }
    memcpy(text->bytes + text->n, bytes, (size_t)n);
    text->n += (size_t)n;
    text->bytes[text->n] = '\0';
    return true;
}

/* Only as much as the other side takes now: it may be waiting for this test to read its output. */
static bool relay_move(int from, int to)
{
    enum { PART = 8192 }; /* a writable socket has room for it */
    char bytes[PART];
    if (fd_wait(to, POLLOUT, 0) != 0)
        return usleep(200) == 0;
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0)
        return errno == EAGAIN;
    return n > 0 && fd_write_all(to, bytes, (size_t)n, LIMIT_MS) == 0;
}

static void relay_close(struct house *house, size_t i)
{
    fd_close(house->relays[i].fds[0]);
    fd_close(house->relays[i].fds[1]);
    house->relays[i] = house->relays[--house->n_relays];
}

static void take_message(struct house *house)
{
    struct run *run = house->run;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    CLEANUP(ipc_message_free) Ipc__Message *message = NULL;
    assert_int_equal(ipc_receive_now(house->gate, LIMIT_MS, &message, fds, &n), 0);
    assert_non_null(run);
    switch (message->body_case) {
    case IPC__MESSAGE__BODY_ANSWER_RUN:
        assert_int_equal(message->answer_run->request, run->request);
        run->answered = true;
        if (message->answer_run->refusal) {
            (void)snprintf(run->code, sizeof run->code, "%s", message->answer_run->refusal->code);
            (void)snprintf(run->message, sizeof run->message, "%s", message->answer_run->refusal->message);
            assert_int_equal(n, 0);
            break;
        }
        assert_int_equal(n, run->pty ? 1 : 3);
        run->in = fds[0];
        run->out = run->pty ? fds[0] : fds[1];
        run->err = run->pty ? -1 : fds[2];
        break;
    case IPC__MESSAGE__BODY_TOOL_CONNECTED:
        assert_int_equal(n, 1);
        assert_true(run->answered);
        house->connects++;
        assert_true(house->n_relays < HOUSE_RELAYS_MAX);
        house->relays[house->n_relays++] = (struct relay){ { fds[0], connect_server(house) } };
        break;
    case IPC__MESSAGE__BODY_TOOL_EXITED:
        assert_int_equal(n, 0);
        run->exited = true;
        run->status = message->tool_exited->status;
        (void)snprintf(run->signal, sizeof run->signal, "%s", message->tool_exited->signal);
        break;
    default:
        fail_msg("the launcher said %d", message->body_case);
    }
}

static void pump_run(struct run *run, const struct pollfd *out, const struct pollfd *err)
{
    if (out->revents && !text_read(&run->output, run->out)) {
        if (run->out != run->in)
            fd_close(run->out);
        run->out = -1;
    }
    if (err->revents && !text_read(&run->errors, run->err))
        fd_close(STEAL_FD(run->err));
}

static void pump_once(struct house *house, int ms)
{
    struct pollfd ready[3 + 2 * HOUSE_RELAYS_MAX];
    struct run *run = house->run;
    bool listens = run && !run->deaf;
    ready[0] = (struct pollfd){ house->gate, POLLIN, 0 };
    ready[1] = (struct pollfd){ listens ? run->out : -1, POLLIN, 0 };
    ready[2] = (struct pollfd){ listens ? run->err : -1, POLLIN, 0 };
    size_t relays = house->n_relays;
    for (size_t i = 0; i < relays; i++)
        for (size_t side = 0; side < 2; side++)
            ready[3 + 2 * i + side] = (struct pollfd){ house->relays[i].fds[side], POLLIN, 0 };
    if (poll(ready, 3 + 2 * relays, ms) <= 0)
        return;
    if (run)
        pump_run(run, &ready[1], &ready[2]);
    for (size_t i = relays; i-- > 0;) { /* backwards: closing moves the last one here */
        struct relay *relay = &house->relays[i];
        if ((ready[3 + 2 * i].revents && !relay_move(relay->fds[0], relay->fds[1])) ||
            (ready[4 + 2 * i].revents && !relay_move(relay->fds[1], relay->fds[0])))
            relay_close(house, i);
    }
    if (ready[0].revents)
        take_message(house);
}

void house_pump(struct house *house, int ms)
{
    for (uint64_t end = clock_ms() + (uint64_t)ms; clock_ms() < end;)
        pump_once(house, 20);
}

/* ---- a run ---- */

static void ask(struct house *house, struct run *run, Ipc__Pty *pty, int recording)
{
    Ipc__AskRun ask = IPC__ASK_RUN__INIT;
    Ipc__Variable variable = IPC__VARIABLE__INIT, *variables[1] = { &variable };
    ask.request = run->request = ++house->requests;
    ask.tool = run->player ? IPC__TOOL__TOOL_PLAYER : IPC__TOOL__TOOL_PSQL;
    ask.target = (char *)(uintptr_t) "orders";
    while (run->words[ask.n_arguments])
        ask.n_arguments++;
    ask.arguments = (char **)(uintptr_t)run->words;
    ask.pty = run->pty ? pty : NULL;
    if (run->environment[0]) {
        variable.name = (char *)(uintptr_t)run->environment[0];
        variable.value = (char *)(uintptr_t)run->environment[1];
        ask.environment = variables;
        ask.n_environment = 1;
    }
    Ipc__Message message = IPC_MESSAGE(ASK_RUN, ask_run, &ask);
    assert_int_equal(ipc_send_now(house->gate, &message, &recording, recording >= 0, LIMIT_MS), 0);
}

void house_run(struct house *house, struct run *run)
{
    Ipc__Pty pty = IPC__PTY__INIT;
    pty.term = (char *)(uintptr_t)(run->term ? run->term : "xterm");
    pty.columns = 120;
    pty.rows = 40;
    house->run = run;
    house->connects = 0;
    run->in = run->out = run->err = -1;
    CLEANUP(fd_close) int recording = run->player ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    uint64_t began = clock_us();
    ask(house, run, &pty, recording);
    uint64_t end = clock_ms() + LIMIT_MS;
    while (!run->answered && clock_ms() < end)
        pump_once(house, 50);
    assert_true(run->answered);
    run->started_ms = (double)(clock_us() - began) / 1000.0;
}

void house_type(struct run *run, const char *text)
{
    assert_int_equal(fd_write_all(run->in, text, strlen(text), LIMIT_MS), 0);
}

void house_end_input(struct run *run)
{
    assert_false(run->pty);
    fd_close(STEAL_FD(run->in));
}

void house_signal(struct house *house, const struct run *run, const char *name)
{
    Ipc__ToolSignal body = IPC__TOOL_SIGNAL__INIT;
    body.request = run->request;
    body.name = (char *)(uintptr_t)name;
    Ipc__Message message = IPC_MESSAGE(TOOL_SIGNAL, tool_signal, &body);
    assert_int_equal(ipc_send_now(house->gate, &message, NULL, 0, LIMIT_MS), 0);
}

void house_resize(const struct run *run, unsigned short columns, unsigned short rows)
{
    struct winsize size = { .ws_col = columns, .ws_row = rows };
    assert_int_equal(ioctl(run->in, TIOCSWINSZ, &size), 0);
}

bool house_sees(struct house *house, struct run *run, size_t from, const char *text, int ms)
{
    for (uint64_t end = clock_ms() + (uint64_t)ms; clock_ms() < end; pump_once(house, 20))
        if (run->output.n > from && strstr(run->output.bytes + from, text))
            return true;
    return false;
}

bool house_ends(struct house *house, struct run *run, int ms)
{
    for (uint64_t end = clock_ms() + (uint64_t)ms; clock_ms() < end; pump_once(house, 20)) {
        if (!run->exited || run->out >= 0 || run->err >= 0)
            continue;
        fd_close(STEAL_FD(run->in));
        house->run = NULL;
        drop_relays(house);
        return true;
    }
    return false;
}

void run_free(struct run *run)
{
    free(run->output.bytes);
    free(run->errors.bytes);
    run->output = run->errors = (struct text){ NULL, 0, 0 };
}

/* The fourth word of /proc/PID/stat, behind the name in parentheses. */
static pid_t parent_of(const char *pid)
{
    char path[300], line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%s/stat", pid);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
        return 0;
    const char *after = strrchr(line, ')');
    return after && strlen(after) > 4 ? (pid_t)strtol(after + 4, NULL, 10) : 0;
}

size_t house_tools(const struct house *house)
{
    size_t n = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry; (entry = readdir(processes));)
        n +=
            entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == house->launcher;
    (void)closedir(processes);
    return n;
}
