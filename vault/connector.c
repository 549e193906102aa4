/* gatehouse-connector: logs in to one target, hands the connection to the gate, and is gone.
 *
 * To a host it connects alone; see connector_host.c. To an API server it always stays; see connector_kube.c.
 * The zygote loads libpq and OpenSSL and waits; each login is a fork of it, inside the jail. The child gets
 * one Job from the vault, with the secret. A plain connection is handed to the gate as it is: the child ends
 * without a Terminate, by _exit. With TLS it stays, holds the keys of the connection and carries the bytes,
 * in a jail that by then allows nothing but that. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/zygote.h"
#include "vault/connector.h"
#include "vault/connector_cancel.h"
#include "vault/connector_host.h"
#include "vault/connector_kube.h"
#include "vault/connector_login.h"
#include "vault/connector_relay.h"
#include "vault/connector_tell.h"
#include "vault/token_answer.h"

enum {
    JOB_LIMIT_MS = 5000, /* for the job to come, from a vault that has just asked for us */
    ALARM_EXTRA_S = 2,   /* beyond the deadline: only the resolver can block for that long */
    EXIT_SOFTWARE = 70,
};

/* ---- after the login ---- */

static int hand_over(const struct job *job, const struct login *login, bool relayed, int fd)
{
    Ipc__Variable items[CONNECTOR_PARAMETERS_MAX], *parameters[CONNECTOR_PARAMETERS_MAX];
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    size_t n = 0;

    for (size_t i = 0; i < login->trace.n_names; i++) {
        const char *value = PQparameterStatus(login->conn, login->trace.names[i]);

        if (!value)
            continue;
        ipc__variable__init(&items[n]);
        items[n].name = (char *)(uintptr_t)login->trace.names[i];
        items[n].value = (char *)(uintptr_t)value;
        parameters[n] = &items[n];
        n++;
    }
    connected.parameters = parameters;
    connected.n_parameters = n;
    connected.pid = login->trace.pid;
    connected.key.data = (uint8_t *)(uintptr_t)login->trace.key;
    connected.key.len = login->trace.key_n;
    connected.relayed = relayed;
    connected.transaction_status = (char *)(uintptr_t) "I";
    return tell_gate(job, &connected, &fd, 1);
}

static int hand_over_plain(const struct job *job, const struct login *login, int vault)
{
    int r = hand_over(job, login, false, PQsocket(login->conn));

    tell_vault(vault, r == 0, r ? "the gate did not take the connection" : "");
    return r ? CONNECTOR_UNAVAILABLE : 0;
}

static int relay_tls(struct job *job, const struct login *login, int vault)
{
    CLEANUP(fd_close) int ours = -1;
    struct detail detail;
    int pair[2];
    int r = fd_pair(SOCK_STREAM, pair);

    if (!r) {
        ours = pair[0];
        r = hand_over(job, login, true, pair[1]);
        fd_close(pair[1]);
    }
    tell_vault(vault, r == 0, r ? "the gate did not take the connection" : "");
    fd_close(STEAL_FD(job->gate));
    fd_close(vault);
    if (r)
        return CONNECTOR_UNAVAILABLE;
    r = jail_tighten(&detail);
    if (r) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return EXIT_SOFTWARE;
    }
    r = relay_run(PQsslStruct(login->conn, "OpenSSL"), PQsocket(login->conn), ours, NULL, &detail);
    return r ? CONNECTOR_UNAVAILABLE : 0;
}

/* ---- one job ---- */

/* Moves the secret out of the message, NUL-terminated, and wipes it there. */
static char *take_secret(Ipc__Job *message)
{
    char *secret = calloc(1, message->secret.len + 1);

    if (secret && message->secret.data)
        memcpy(secret, message->secret.data, message->secret.len);
    if (message->secret.data)
        explicit_bzero(message->secret.data, message->secret.len);
    return secret;
}

static int run_login(struct job *job, char *password, int vault)
{
    struct login login = { 0 };
    struct detail detail = { "" };
    const char *option = NULL;
    int r = login_run(job, password, &login, &option, &detail);

    alarm(0);
    if (r) {
        tell_vault(vault, false, detail.text[0] ? detail.text : strerror(-r));
        refuse_gate(job, option);
        return CONNECTOR_UNAVAILABLE;
    }
    return PQsslInUse(login.conn) ? relay_tls(job, &login, vault) : hand_over_plain(job, &login, vault);
}

static int run_cancel(const struct job *job, int vault)
{
    struct detail detail = { "" };
    int r = cancel_run(job, &detail);

    tell_vault(vault, r == 0, r ? detail.text : "");
    return r ? CONNECTOR_UNAVAILABLE : 0;
}

static void too_late(int number)
{
    (void)number;
    _exit(CONNECTOR_UNAVAILABLE); /* gate and vault see our sockets close */
}

static void set_deadline(struct job *job)
{
    uint32_t limit = job->message->timeout_ms;

    if (limit == 0 || limit > CONNECTOR_TIMEOUT_MAX_MS)
        limit = CONNECTOR_TIMEOUT_MAX_MS;
    job->deadline_ms = clock_ms() + limit;
    (void)signal(SIGALRM, too_late);
    alarm(limit / 1000 + ALARM_EXTRA_S);
}

static bool is_host(const Ipc__Target *target)
{
    return strcmp(target->kind, "ssh") == 0;
}

static bool is_kube(const Ipc__Target *target)
{
    return strcmp(target->kind, "kubernetes") == 0;
}

/* A socket is PostgreSQL's; a host has one way to prove who we are. */
static bool job_is_sane(const Ipc__Job *job)
{
    const Ipc__Target *target = job->target;

    if (!target || target->port == 0 || target->port > UINT16_MAX)
        return false;
    if (is_host(target))
        return target->host[0] && !target->socket[0] && job->login[0] && !job->cancel &&
               (job->secret.len > 0) == !(target->certificate_authority[0] || target->password_to_gate);
    if (is_kube(target))
        return target->host[0] && !target->socket[0] && !job->cancel && job->secret.len > 0 &&
               (!job->want_token || target->token_request);
    return strcmp(target->kind, "postgres") == 0 &&
           (target->socket[0] == '/' || (target->host[0] && !target->socket[0]));
}

static int run_kind(struct job *job, char *secret, int vault)
{
    if (job->message->cancel)
        return run_cancel(job, vault);
    if (is_kube(job->target))
        return kube_run(job, secret, job->message->secret.len, vault);
    return is_host(job->target) ? host_run(job, (uint8_t *)secret, job->message->secret.len, vault)
                                : run_login(job, secret, vault);
}

static int run_job(Ipc__Message *message, const Ipc__Spawn *spawn, int vault, int gate)
{
    struct job job = {
        .message = message->job, .target = message->job->target, .gate = gate, .connection = spawn->connection
    };
    char *secret = take_secret(message->job);
    int status;

    if (!secret || !job_is_sane(message->job)) {
        tell_vault(vault, false, "the job makes no sense");
        return EXIT_SOFTWARE;
    }
    set_deadline(&job);
    status = run_kind(&job, secret, vault);
    free(secret);
    return status;
}

/* The forked child. fds: to the vault; and, unless it is about a cancel, to the gate. */
static int connector_child(void *owner, const Ipc__Spawn *spawn, int *fds, size_t n_fds)
{
    Ipc__Message *message = NULL;
    int job_fds[IPC_FDS_MAX];
    size_t n_job_fds = 0;
    int gate = n_fds > 1 ? fds[1] : -1;
    int r = ipc_receive_now(fds[0], JOB_LIMIT_MS, &message, job_fds, &n_job_fds);

    (void)owner;
    if (r || message->body_case != IPC__MESSAGE__BODY_JOB || n_job_fds > 0)
        return EXIT_SOFTWARE;
    if (!message->job->cancel && !message->job->want_token && gate < 0)
        return EXIT_SOFTWARE;
    return run_job(message, spawn, fds[0], gate);
}

int main(void)
{
    /* What name resolution reads; editors and DHCP clients replace those files, so the directories are named.
     */
    static const struct jail_path paths[] = {
        { "/etc", false },
        { "/run/systemd/resolve", false },
        { "/run/NetworkManager", false },
        { "/run/resolvconf", false },
    };
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    struct detail detail = { "" };
    bool landlock = false;
    int r = process_begin(PROCESS_CONNECTOR, &start, fds);

    if (r)
        return r;
    for (size_t i = 0; i < IPC_FDS_MAX; i++)
        fd_close(fds[i]); /* each job says all that is needed */
    login_start();
    host_start();
    token_answer_start();
    addresses_start();
    r = jail_prepare(PROCESS_CONNECTOR, paths, sizeof(paths) / sizeof(paths[0]), &landlock, &detail);
    if (r) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return EXIT_SOFTWARE;
    }
    if (!landlock)
        log_event(LOG_WARNING, "no_landlock", "detail", "this kernel has no Landlock", NULL);
    return zygote_run(CONTROL_FD, PROCESS_CONNECTOR, connector_child, NULL, NULL);
}
