/* Logging in with libpq, and taking the connection over from it (facts.md, "libpq and the PostgreSQL
 * protocol").
 *
 * Nothing may come from the surroundings: the environment is cleared in the zygote, every keyword that could
 * be read from a file is passed, names are resolved before, and no client text is ever parsed as a connection
 * string. The non-blocking calls are driven by our own poll, with the job's deadline: connect_timeout does
 * not apply to them. */
#include "vault/connector_login.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/io.h"
#include "vault/connector_options.h"

enum {
    PARAMETERS = 32,
    TRY_MIN_MS = 1000, /* for one of several addresses */
    PATH_BYTES = 128,
};

/* OpenSSL finds its algorithms at their first use, which takes milliseconds: once here, not in each child. */
static void warm_up(void)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    SSL_CTX_free(context);
    (void)EVP_Digest("", 0, digest, &n, EVP_md5(), NULL);
    (void)HMAC(EVP_sha256(), "", 0, digest, 0, digest, &n);
    ERR_clear_error();
}

void login_start(void)
{
    (void)clearenv();
    (void)setenv("HOME", "/nonexistent", 1); /* or libpq asks the user database */
    (void)setenv("LC_ALL", "C", 1);
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    PQinitOpenSSL(0, 0);
    warm_up();
}

/* libpq prints notices on stderr otherwise: the log would have lines that a server wrote. */
static void drop_notice(void *unused, const PGresult *result)
{
    (void)unused, (void)result;
}

/* ---- one attempt ---- */

struct parameters {
    const char *keys[PARAMETERS + 1], *values[PARAMETERS + 1];
    size_t count;
};

static void add(struct parameters *p, const char *key, const char *value)
{
    if (p->count == PARAMETERS)
        abort();
    p->keys[p->count] = key;
    p->values[p->count++] = value;
}

/* What one attempt needs beyond the job. */
struct attempt {
    const struct job *job;
    const struct options *options;
    const char *password, *address; /* address: NULL for a Unix socket */
    const char *ca_path;            /* or NULL */
    uint64_t until_ms;
    bool reached; /* the server was there: no other address would do better */
};

static void fill(struct parameters *p, const struct attempt *a, char port[12], char directory[PATH_BYTES])
{
    const Ipc__Target *target = a->job->target;
    bool on_socket = target->socket[0] != '\0';

    snprintf(port, 12, "%u", (unsigned)target->port);
    if (on_socket)
        snprintf(directory, PATH_BYTES, "%.*s", (int)(strrchr(target->socket, '/') - target->socket),
                 target->socket);
    add(p, "host", on_socket ? directory : target->host);
    if (!on_socket)
        add(p, "hostaddr", a->address);
    add(p, "port", port);
    add(p, "dbname", target->database);
    add(p, "user", target->login);
    add(p, "password", a->password);
    add(p, "passfile", "/nonexistent");
    add(p, "sslmode", on_socket ? "disable" : target->tls);
    if (a->ca_path)
        add(p, "sslrootcert", a->ca_path);
    add(p, "sslcert", "/nonexistent");
    add(p, "sslkey", "/nonexistent");
    add(p, "sslcrl", "/nonexistent");
    add(p, "ssl_min_protocol_version", "TLSv1.2");
    add(p, "gssencmode", "disable");
    add(p, "target_session_attrs", "any");
    add(p, "application_name", a->options->application_name ? a->options->application_name : "");
    add(p, "client_encoding", a->options->client_encoding);
    add(p, "options", a->options->folded);
    add(p, "keepalives", "1");
    add(p, "keepalives_idle", "60");
    add(p, "keepalives_interval", "15");
    add(p, "keepalives_count", "4");
}

/* libpq's message, in one line. */
static int libpq_failed(const PGconn *conn, int code, struct detail *detail)
{
    const char *message = PQerrorMessage(conn);
    size_t n = strlen(message);

    while (n > 0 && message[n - 1] == '\n')
        n--;
    return detail_fail(detail, code, "%.*s", (int)(n < DETAIL_MAX ? n : DETAIL_MAX),
                       n ? message : "no reason given");
}

static int drive(struct attempt *a, PGconn *conn, struct detail *detail)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        int r =
            job_wait(a->job, PQsocket(conn), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, a->until_ms);

        if (r == -ECANCELED)
            return detail_fail(detail, r, "the gate hung up");
        if (r)
            return detail_fail(detail, r,
                               a->reached ? "the server answered, but the login took too long"
                                          : "no answer in time");
        state = PQconnectPoll(conn);
        a->reached |= PQstatus(conn) != CONNECTION_STARTED && PQstatus(conn) != CONNECTION_BAD;
        if (state == PGRES_POLLING_FAILED)
            return libpq_failed(conn, -ECONNREFUSED, detail);
    }
    return 0;
}

/* A server that understands our bytes as the gate will mean them. */
static int check_session(const struct attempt *a, PGconn *conn, struct detail *detail)
{
    const char *strings = PQparameterStatus(conn, "standard_conforming_strings");
    bool on_socket = a->job->target->socket[0] != '\0';

    if (PQprotocolVersion(conn) != 3 || PQtransactionStatus(conn) != PQTRANS_IDLE)
        return detail_fail(detail, -EPROTO, "the server is not ready after the login");
    if (!strings || strcmp(strings, "on") != 0)
        return detail_fail(detail, -EPROTO, "the server keeps standard_conforming_strings off");
    if (!on_socket && strcmp(a->job->target->tls, "disable") != 0 && !PQsslInUse(conn))
        return detail_fail(detail, -EPROTO, "the connection is not encrypted");
    return 0;
}

static PGconn *start(const struct attempt *a)
{
    struct parameters parameters = { .count = 0 };
    char port[12], directory[PATH_BYTES];

    fill(&parameters, a, port, directory);
    return PQconnectStartParams(parameters.keys, parameters.values,
                                0); /* 0: dbname is a name, not a string */
}

static int attempt(struct attempt *a, struct login *ret, struct detail *detail)
{
    PGconn *conn = start(a);
    char *text = NULL;
    size_t text_n = 0;
    FILE *trace = open_memstream(&text, &text_n);
    int r;

    if (!conn || !trace)
        r = -ENOMEM;
    else if (PQstatus(conn) == CONNECTION_BAD)
        r = libpq_failed(conn, -ECONNREFUSED, detail);
    else {
        PQsetNoticeReceiver(conn, drop_notice, NULL);
        PQtrace(conn, trace);
        r = drive(a, conn, detail);
    }
    if (conn)
        PQuntrace(conn);
    if (trace)
        fclose(trace);
    if (!r)
        r = check_session(a, conn, detail);
    if (!r && trace_read(text, (uint32_t)PQbackendPID(conn), &ret->trace))
        r = detail_fail(detail, -EPROTO, "the server gave no cancel key");
    if (text)
        explicit_bzero(text, text_n);
    free(text);
    if (!r)
        ret->conn = STEAL(conn);
    if (conn)
        PQfinish(conn);
    return r;
}

/* ---- the login ---- */

/* libpq wants the CA certificates in a file: one without a name in the file system. */
static int ca_file(const struct job *job, int *ret_fd, char path[PATH_BYTES], struct detail *detail)
{
    const ProtobufCBinaryData *ca = &job->message->tls_ca;
    int r;

    if (!job_verifies(job))
        return 0;
    if (ca->len == 0)
        return detail_fail(detail, -ENOENT, "the target's tls_ca could not be read");
    r = fd_of_bytes("tls_ca", ca->data, ca->len, ret_fd);
    if (r)
        return detail_fail(detail, r, "memfd: %s", strerror(-r));
    snprintf(path, PATH_BYTES, "/proc/self/fd/%d", *ret_fd);
    return 0;
}

/* Each address in turn, until one answers at all; each gets its share of the time that is left. */
static int try_addresses(struct attempt *a, struct login *ret, struct detail *detail)
{
    struct addresses addresses = { .count = 0 };
    int r;

    if (a->job->target->socket[0]) {
        a->until_ms = a->job->deadline_ms;
        return attempt(a, ret, detail);
    }
    r = addresses_of(a->job->target->host, &addresses, detail);
    for (size_t i = 0; i < addresses.count && !r; i++) {
        uint64_t share = (uint64_t)job_left_ms(a->job) / (addresses.count - i);

        a->address = addresses.text[i];
        a->until_ms = clock_ms() + (share > TRY_MIN_MS ? share : TRY_MIN_MS);
        r = attempt(a, ret, detail);
        if (!r || a->reached || r == -ECANCELED || job_left_ms(a->job) == 0)
            return r;
        if (i + 1 < addresses.count)
            r = 0;
    }
    return r;
}

/* The server names the setting in quotes when it refuses one. */
static const char *option_in(const struct job *job, const struct detail *detail)
{
    for (size_t i = 0; i < job->message->n_options; i++) {
        char quoted[CONNECTOR_NAME_MAX + 16];

        snprintf(quoted, sizeof(quoted), "parameter \"%s\"", job->message->options[i]->name);
        if (strcasestr(detail->text, quoted))
            return job->message->options[i]->name;
    }
    return NULL;
}

int login_run(const struct job *job, char *password, struct login *ret, const char **ret_option,
              struct detail *detail)
{
    CLEANUP(fd_close) int ca = -1;
    struct options options = { 0 };
    struct attempt a = { .job = job, .options = &options, .password = password };
    char ca_path[PATH_BYTES] = "";
    int r = options_fold(job->message->options, job->message->n_options, &options, detail);

    if (!r)
        r = ca_file(job, &ca, ca_path, detail);
    if (!r) {
        a.ca_path = ca_path[0] ? ca_path : NULL;
        r = try_addresses(&a, ret, detail);
    }
    explicit_bzero(password, strlen(password));
    if (!r && PQpass(ret->conn)) /* libpq's own copy; the connection does not need it any more */
        explicit_bzero(PQpass(ret->conn), strlen(PQpass(ret->conn)));
    options_free(&options);
    *ret_option = r ? option_in(job, detail) : NULL;
    return r;
}
