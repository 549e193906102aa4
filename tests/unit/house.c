/* See house.h. */
#include "house.h"
#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buffer.h"
#include "base/io.h"
#include "base/start.h"
#include "keygen.h"

enum { ANSWER_MS = 20000, MESSAGE_MAX = 64 * 1024 * 1024, FIRST_PORT = 21000, LAST_PORT = 21099 };

/* ---- processes ---- */

struct process process_start(const char *path, const Ipc__Start *start, int *fds, size_t n_fds,
                             const char *log)
{
    Ipc__Message message = IPC_MESSAGE(START, start, (Ipc__Start *)(uintptr_t)start);
    struct process process = { .pid = -1 };
    int pair[2];

    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    process.control = pair[0];
    process.pid = fork();
    if (process.pid == 0) {
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);

        if (out < 0 || dup2(out, 2) < 0 || dup2(pair[1], CONTROL_FD) < 0)
            _exit(126);
        if (pair[1] == CONTROL_FD)
            (void)!fcntl(CONTROL_FD, F_SETFD, 0);
        (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it needs ptrace, which the jail takes away */
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    assert_true(process.pid > 0);
    close(pair[1]);
    assert_int_equal(ipc_send_now(process.control, &message, fds, n_fds, ANSWER_MS), 0);
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    return process;
}

int process_control(struct process *process)
{
    return STEAL_FD(process->control);
}

int process_end(struct process *process)
{
    int status = 0;

    fd_close(STEAL_FD(process->control));
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    return status;
}

Ipc__Message *expect(int fd, Ipc__Message__BodyCase body, int limit_ms, int *ret_fd)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(fd, limit_ms, &message, fds, &n);

    if (r)
        fail_msg("no message %d: %s", (int)body, strerror(-r));
    if (message->body_case != body)
        fail_msg("message %d instead of %d", (int)message->body_case, (int)body);
    if (ret_fd)
        *ret_fd = fds[0];
    else
        assert_int_equal(n, 0);
    assert_true(n <= 1);
    return message;
}

void expect_end(int fd, int limit_ms)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;

    assert_int_equal(ipc_receive_now(fd, limit_ms, &message, fds, &n), -EPIPE);
}

/* ---- PostgreSQL ---- */

static void program_of(const char *name, char out[HOUSE_PATH])
{
    glob_t found;

    assert_int_equal(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found), 0);
    snprintf(out, HOUSE_PATH, "%s/%s", found.gl_pathv[found.gl_pathc - 1], name);
    globfree(&found);
}

/* A server refuses to run as root: then its programs run as the user postgres. */
static void run_as_owner(const struct postgres *postgres, const char *const *arguments)
{
    const char *argv[24] = { "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups" };
    char program[HOUSE_PATH];
    size_t n = geteuid() == 0 ? 4 : 0;

    program_of(arguments[0], program);
    argv[n++] = program;
    for (size_t i = 1; arguments[i]; i++) {
        assert_true(n < 23);
        argv[n++] = arguments[i];
    }
    argv[n] = NULL;
    keygen_run(postgres->directory, argv);
}

static bool port_is_free(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_free = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_free;
}

static void write_text(const struct postgres *postgres, const char *name, const char *text)
{
    char path[2 * HOUSE_PATH];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", postgres->directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void make_certificates(const struct postgres *postgres)
{
    static const char *const steps[][20] = {
        { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
          "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=House CA", NULL },
        { "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
          "-keyout", "other.key", "-out", "other-ca.pem", "-days", "2", "-subj", "/CN=Other CA", NULL },
        { "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
          "server.key", "-out", "server.csr", "-subj", "/CN=localhost", NULL },
        { "openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
          "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem", NULL },
    };

    write_text(postgres, "server.ext", "subjectAltName=DNS:localhost\n");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        keygen_run(postgres->directory, steps[i]);
}

static void give_away(const struct postgres *postgres)
{
    const char *chown_all[] = { "chown", "-R", "postgres:postgres", ".", NULL };

    if (geteuid() == 0)
        keygen_run(postgres->directory, chown_all);
}

static void make_users(const struct postgres *postgres)
{
    static const char sql[] = "set password_encryption='scram-sha-256';"
                              "create user scram_user password '%s'; create user plain_user password '%s';"
                              "create user tls_user password '%s';"
                              "set password_encryption='md5'; create user md5_user password '%s';";
    char port[16], text[1024];
    const char *psql[] = { "psql",     "-X", "-q", "-h", postgres->directory, "-p", port, "-U",
                           "postgres", "-c", text, NULL };
    const char *password = "pa ss''w\\ord-7f3a"; /* HOUSE_PASSWORD as a literal */

    snprintf(port, sizeof(port), "%u", postgres->port);
    snprintf(text, sizeof(text), sql, password, password, password, password);
    run_as_owner(postgres, psql);
}

void postgres_start(struct postgres *postgres)
{
    static const char *const initdb[] = { "initdb", "-D", "data", "-U",         "postgres", "-A",
                                          "trust",  "-E", "UTF8", "--locale=C", "-N",       NULL };
    static const char *const start[] = {
        "pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "start", NULL
    };
    char text[2 * HOUSE_PATH + 256];

    keygen_directory(postgres->directory);
    make_certificates(postgres);
    give_away(postgres);
    run_as_owner(postgres, initdb);
    for (postgres->port = FIRST_PORT; !port_is_free(postgres->port); postgres->port++)
        assert_true(postgres->port < LAST_PORT);
    snprintf(text, sizeof(text),
             "port=%u\nlisten_addresses='127.0.0.1'\nunix_socket_directories='%s'\nfsync=off\nssl=on\n"
             "ssl_cert_file='../server.pem'\nssl_key_file='../server.key'\nmax_connections=40\n",
             postgres->port, postgres->directory);
    write_text(postgres, "data/postgresql.auto.conf", text);
    write_text(
        postgres, "data/pg_hba.conf",
        "local all postgres trust\nlocal all all scram-sha-256\n"
        "hostnossl all tls_user all reject\nhost all md5_user all md5\nhost all plain_user all password\n"
        "host all all all scram-sha-256\n");
    snprintf(postgres->socket, sizeof(postgres->socket), "%.200s/.s.PGSQL.%u", postgres->directory,
             postgres->port);
    give_away(postgres);
    run_as_owner(postgres, start);
    make_users(postgres);
    chmod(postgres->directory, 0755);
}

void postgres_stop(struct postgres *postgres)
{
    static const char *const stop[] = { "pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop", NULL };

    run_as_owner(postgres, stop);
    keygen_remove(postgres->directory);
}

/* ---- the protocol, as far as tests need it ---- */

static bool read_exactly(int fd, void *bytes, size_t n)
{
    uint8_t *next = bytes;

    while (n > 0) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t got;

        if (poll(&p, 1, ANSWER_MS) <= 0)
            fail_msg("the server says nothing");
        got = read(fd, next, n);
        if (got < 0 && errno == EAGAIN)
            continue;
        if (got <= 0)
            return false;
        next += got;
        n -= (size_t)got;
    }
    return true;
}

char read_message(int fd, uint8_t **ret, size_t *ret_n)
{
    uint8_t head[5];
    uint32_t n;

    if (!read_exactly(fd, head, sizeof(head)))
        return 0;
    n = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    assert_in_range(n, 4, MESSAGE_MAX);
    *ret_n = n - 4;
    *ret = calloc(1, n);
    assert_non_null(*ret);
    if (!read_exactly(fd, *ret, *ret_n)) {
        free(*ret);
        return 0;
    }
    return (char)head[0];
}

void send_query(int fd, const char *sql)
{
    struct buffer b;

    buffer_init(&b, 65536);
    assert_int_equal(buffer_put_u8(&b, 'Q'), 0);
    assert_int_equal(buffer_put_u32(&b, (uint32_t)strlen(sql) + 5), 0);
    assert_int_equal(buffer_put_cstring(&b, sql), 0);
    assert_int_equal(fd_write_all(fd, buffer_head(&b), buffer_size(&b), ANSWER_MS), 0);
    buffer_free(&b);
}

static char *first_value(const uint8_t *row, size_t n)
{
    struct reader r = reader_of(row, n);
    const uint8_t *bytes;
    uint16_t columns;
    uint32_t size = 0;

    assert_true(reader_u16(&r, &columns) && reader_u32(&r, &size));
    if (!reader_bytes(&r, size, &bytes))
        return strdup("(null)");
    return strndup((const char *)bytes, size);
}

/* "E:" and the field C. */
static char *sqlstate(const uint8_t *error, size_t n)
{
    struct reader r = reader_of(error, n);
    char *text = NULL;
    const char *value;
    uint8_t field;

    while (reader_u8(&r, &field) && field && reader_cstring(&r, &value))
        if (field == 'C')
            assert_true(asprintf(&text, "E:%s", value) > 0);
    return text;
}

char *query(int fd, const char *sql)
{
    char *result = NULL;

    send_query(fd, sql);
    for (;;) {
        uint8_t *body = NULL;
        size_t n = 0;
        char type = read_message(fd, &body, &n);

        if (!type) {
            free(result);
            return strdup("(closed)");
        }
        if ((type == 'D' && !result) || type == 'E') {
            free(result);
            result = type == 'D' ? first_value(body, n) : sqlstate(body, n);
        }
        free(body);
        if (type == 'Z')
            return result;
    }
}
