/* A login: the vault is asked, a connector brings a connection, and libssh logs in over it. Where the host's
 * key is certified (host_ca) the connector brings two: in the first one the host shows its certificate, and
 * has to prove the key in it in the second, as any other that is pinned. */
#include "channels/ssh/host_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "channels/recorder.h"
#include "channels/ssh/flow.h"
#include "channels/ssh/host_proof.h"
#include "channels/ssh/task.h"
#include "policy/certificate_host.h"

enum { CONNECTOR_CONNECTS = 1, CONNECTOR_HAS_CONNECTED = 2, CONNECTOR_WAS_ASKED = 4 };

void ssh_host_drop_login(struct ssh_host *host)
{
    struct host_arrival *arrival = &host->arrival;
    fd_close(STEAL_FD(arrival->fd));
    fd_close(STEAL_FD(arrival->agent));
    free(STEAL(arrival->login));
    free(STEAL(arrival->certificate));
    host_proof_free(STEAL(host->proof));
    ipc_peer_free(STEAL(host->connector));
    upstream_key_free(STEAL(host->key));
}

static void lost(void *owner, enum upstream_fault fault, const char *detail)
{
    struct ssh_host *host = owner;
    char reason[DETAIL_MAX];
    struct refusal why = { .code = "target_unavailable", .reason = reason };
    if (host->state == HOST_READY) {
        (void)snprintf(reason, sizeof reason, "the connection to target \"%s\" was lost", host->target->name);
        log_event(LOG_WARNING, "target_lost", "connection", U64(host->gate->connection), "target",
                  host->target->name, "detail", detail, NULL);
        ssh_host_fail(host, &why);
        return;
    }
    if (fault == UPSTREAM_HOST_KEY) {
        why.code = "host_key_mismatch";
        (void)snprintf(reason, sizeof reason,
                       "the host key of target \"%s\" is not the one that is pinned for it",
                       host->target->name);
    } else if (fault == UPSTREAM_ASKS_ELSE) {
        (void)snprintf(
            reason, sizeof reason,
            "target \"%s\" asks for something else than one password; ask an operator: the log says "
            "what",
            host->target->name);
    } else if (fault == UPSTREAM_NOT_LET_IN) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" refused the bastion's login",
                       host->target->name);
    } else {
        (void)snprintf(reason, sizeof reason, "target \"%s\" does not answer as an SSH server that suits",
                       host->target->name);
    }
    ssh_host_refuse_login(host, &why, detail);
}

/* ---- logging in ---- */

/* A host may let in anybody. */
static const char *how(const struct ssh_host *host)
{
    if (host->target->password_to_gate)
        return upstream_used_password(host->upstream) ? "password" : "none";
    return host->target->certificate_authority[0] ? "certificate" : "key";
}

static void ready(void *owner)
{
    struct ssh_host *host = owner;
    host->state = HOST_READY;
    timer_stop(host->limit);
    ssh_host_drop_login(host);
    gate_audit(host->gate, "target_login", "target", host->target->name, "login", ssh_host_login(host),
               "credential",
               host->target->credential[0] ? host->target->credential : host->target->certificate_authority,
               "how", how(host), NULL);
    ssh_host_ready(host);
}

static void connector_gone(void *owner, const char *reason)
{
    ssh_host_refuse_login(
        owner,
        &(struct refusal){ .code = "target_unavailable", .reason = "the login to the target was given up" },
        reason);
}

static void not_begun(struct ssh_host *host, int error)
{
    ssh_host_refuse_login(
        host, &(struct refusal){ .code = "target_unavailable", .reason = "the login could not be begun" },
        strerror(-error));
}

static void refuse_no_password(struct ssh_host *host)
{
    char reason[DETAIL_MAX];
    (void)snprintf(reason, sizeof reason,
                   "the vault gave no password for target \"%s\"; ask an operator: the log says why",
                   host->target->name);
    ssh_host_refuse_login(host, &(struct refusal){ .code = "target_unavailable", .reason = reason }, NULL);
}

/* The connector asks the vault. Should it be gone, its peer says so from the loop. */
static void want_password(void *owner)
{
    struct ssh_host *host = owner;
    Ipc__AskPassword ask = IPC__ASK_PASSWORD__INIT;
    Ipc__Message message = IPC_MESSAGE(ASK_PASSWORD, ask_password, &ask);
    ipc_peer_state(host->connector, CONNECTOR_WAS_ASKED);
    (void)ipc_peer_send(host->connector, &message, NULL, 0);
}

static int password_came(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct ssh_host *host = owner;
    const ProtobufCBinaryData *password = &message->answer_password->password;
    (void)fds, (void)n_fds;
    ipc_peer_free(STEAL(host->connector));
    if (password->len == 0) {
        refuse_no_password(host);
        return 0;
    }
    int r = upstream_give_password(host->upstream, password->data, password->len);
    explicit_bzero(password->data, password->len);
    if (r)
        not_begun(host, r);
    else
        upstream_settle(host->upstream);
    return 0;
}

static const struct upstream_calls calls = { .ready = ready, .want_password = want_password, .lost = lost };

/* The host has to prove one of the keys of `target`. */
static void log_in(struct ssh_host *host, const Ipc__Target *target)
{
    struct host_arrival *arrival = &host->arrival;
    const struct upstream_login login = { .target = target,
                                          .user = arrival->login,
                                          .key = host->key,
                                          .certificate = arrival->certificate,
                                          .certificate_n = arrival->certificate_n,
                                          .agent = STEAL_FD(arrival->agent),
                                          .by_password = host->target->password_to_gate };
    host->state = HOST_LOGS_IN;
    int r = upstream_new(host->gate->loop, STEAL_FD(arrival->fd), &login, &calls, host, &host->upstream);
    if (r)
        not_begun(host, r);
    else
        upstream_settle(host->upstream);
}

/* ---- a host whose key is certified ---- */

static void refuse_key(struct ssh_host *host, const char *detail)
{
    char reason[DETAIL_MAX];
    (void)snprintf(reason, sizeof reason, "the host key of target \"%s\" is not one that its CA vouches for",
                   host->target->name);
    ssh_host_refuse_login(host, &(struct refusal){ .code = "host_key_mismatch", .reason = reason }, detail);
}

/* Beside the keys that are pinned as well. */
static int take_key(struct ssh_host *host, uint8_t *key, size_t n)
{
    size_t pinned = host->target->n_host_keys;
    ProtobufCBinaryData *keys = calloc(pinned + 1, sizeof *keys);
    free(host->proven_key);
    free(host->proven_keys);
    host->proven_key = key;
    host->proven_keys = keys;
    if (!keys)
        return -ENOMEM;
    keys[0] = (ProtobufCBinaryData){ .len = n, .data = key };
    for (size_t i = 0; i < pinned; i++)
        keys[i + 1] = host->target->host_keys[i];
    host->proven = *host->target;
    host->proven.host_keys = keys;
    host->proven.n_host_keys = pinned + 1;
    return 0;
}

static void shown(void *owner, const uint8_t *certificate, size_t certificate_n)
{
    struct ssh_host *host = owner;
    struct detail detail = { "" };
    uint8_t *key = NULL;
    size_t n = 0;
    int r = certificate_host_key(certificate, certificate_n, host->target, clock_unix_ms() / 1000, &key, &n,
                                 &detail);
    host_proof_free(STEAL(host->proof));
    if (r > 0) {
        refuse_key(host, detail.text);
        return;
    }
    r = r ? r : take_key(host, key, n);
    if (r)
        not_begun(host, r);
    else
        log_in(host, &host->proven);
}

static void not_shown(void *owner, bool none, const char *text)
{
    struct ssh_host *host = owner;
    char detail[DETAIL_MAX], reason[DETAIL_MAX];
    (void)snprintf(detail, sizeof detail, "%s", text);
    host_proof_free(STEAL(host->proof));
    if (none && host->target->n_host_keys > 0) {
        log_in(host, host->target);
    } else if (none) {
        refuse_key(host, detail);
    } else {
        (void)snprintf(reason, sizeof reason, "target \"%s\" does not answer as an SSH server that suits",
                       host->target->name);
        ssh_host_refuse_login(host, &(struct refusal){ .code = "target_unavailable", .reason = reason },
                              detail);
    }
}

static void prove(struct ssh_host *host, int fd)
{
    static const struct host_proof_calls proof_calls = { shown, not_shown };
    int r = host_proof_new(host->gate->loop, fd, &proof_calls, host, &host->proof);
    if (r)
        not_begun(host, r);
}

/* ---- the connector's answer ---- */

static bool has_agent(const struct ssh_host *host)
{
    return !host->key && !host->target->password_to_gate;
}

static int arrive(struct ssh_host *host, const Ipc__Connected *answer, int *fds)
{
    struct host_arrival *arrival = &host->arrival;
    size_t n = answer->ssh_certificate.len;
    arrival->fd = STEAL_FD(fds[0]);
    arrival->agent = has_agent(host) ? STEAL_FD(fds[1]) : -1;
    arrival->login = strdup(answer->login[0] ? answer->login : ssh_host_login(host));
    arrival->certificate = malloc(n ? n : 1);
    if (!arrival->login || !arrival->certificate)
        return -ENOMEM;
    if (n > 0)
        memcpy(arrival->certificate, answer->ssh_certificate.data, n);
    arrival->certificate_n = n;
    return 0;
}

/* The connection, the agent if there is one, and the one that the host shows its certificate in. */
static int connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct ssh_host *host = owner;
    const Ipc__Connected *answer = message->connected;
    bool certified = host->target->n_host_cas > 0;
    if (!answer->refusal && n_fds != (has_agent(host) ? 2u : 1u) + (certified ? 1u : 0u))
        return -EPROTO;
    if (answer->refusal || !host->target->password_to_gate)
        ipc_peer_free(STEAL(host->connector));
    else
        ipc_peer_state(host->connector, CONNECTOR_HAS_CONNECTED); /* it waits, to be asked */
    if (answer->refusal) {
        struct refusal why = refusal_of(answer->refusal);
        ssh_host_refuse_login(host, &why, NULL);
        return 0;
    }
    int r = arrive(host, answer, fds);
    if (r)
        not_begun(host, r);
    else if (certified)
        prove(host, STEAL_FD(fds[n_fds - 1]));
    else
        log_in(host, host->target);
    return 0;
}

static int send_ask(struct ssh_host *host, const uint8_t *key, size_t n)
{
    struct gate *gate = host->gate;
    Ipc__AskLogin ask = IPC__ASK_LOGIN__INIT;
    ask.request = host->request = gate_request(gate);
    ask.target = host->target->name;
    ask.login = host->login;
    ask.command = host->command;
    ask.ssh_public_key = (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)key };
    ask.recording =
        (char *)(uintptr_t)(host->tasks ? ssh_task_recording(host->tasks) : ssh_flow_recording(host->flows));
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &ask);
    return ipc_peer_send(gate->vault, &message, NULL, 0);
}

/* Asks the vault; the first task is there. */
int ssh_host_begin(struct ssh_host *host)
{
    CLEANUP(free) uint8_t *public = NULL;
    size_t n = 0;
    int r = host->gate->vault ? 0 : -EPIPE;
    if (r == 0 && host->target->certificate_authority[0])
        r = upstream_key_new(&host->key, &public, &n);
    if (r == 0)
        r = send_ask(host, public, n);
    if (r == 0) {
        host->state = HOST_ASKS;
        timer_set(host->limit, HOST_LOGIN_LIMIT_MS);
    }
    return r;
}

/* ---- the vault's answer ---- */

static void answered(struct ssh_host *host, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_CONNECTED, CONNECTOR_CONNECTS, true, 0, 3, connected },
        { IPC__MESSAGE__BODY_ANSWER_PASSWORD, CONNECTOR_WAS_ASKED, true, 0, 0, password_came },
    };
    host->request = 0;
    if (answer->refusal || n_fds != 1) {
        struct refusal why = { .code = "target_unavailable", .reason = "the vault gave no login" };
        if (answer->refusal)
            why = refusal_of(answer->refusal);
        ssh_host_refuse_login(host, &why, NULL);
    } else if (ipc_peer_new(host->gate->loop, STEAL_FD(fds[0]), "connector", rules,
                            sizeof rules / sizeof rules[0], connector_gone, host, &host->connector)) {
        ssh_host_refuse_login(
            host, &(struct refusal){ .code = "limit", .reason = "out of memory or descriptors" }, NULL);
    }
}

bool ssh_hosts_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    for (struct ssh_host *host = gate->ssh_hosts; host; host = host->next) {
        if (host->request != 0 && host->request == answer->request) {
            answered(host, answer, fds, n_fds);
            return true;
        }
    }
    return false;
}

void ssh_hosts_vault_gone(struct gate *gate)
{
    static const struct refusal why = { .code = "target_unavailable",
                                        .reason = "the vault has restarted",
                                        .next = "connect again" };
    for (struct ssh_host *host = gate->ssh_hosts; host; host = host->next) {
        if (host->request != 0)
            ssh_host_refuse_login(host, &why, NULL);
    }
}
