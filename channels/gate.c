/* Main of gatehouse-gate: a zygote that has parsed nothing but its configuration, and one child per SSH
 * connection whose user proved possession of a key. The child gets every descriptor handed: it opens none.
 *
 * The tables below are who may say what, when. State 1: the certificate is being checked; state 2: admitted;
 * state 4: the connection is about to end. A gate for enroll@ has tables of its own, and knows neither vault
 * nor ledger nor launcher. */
#include "channels/gate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "base/zygote.h"
#include "channels/approval.h"
#include "channels/channel.h"
#include "channels/commands/commands.h"
#include "channels/commands/desk.h"
#include "channels/enrol.h"
#include "channels/jump.h"
#include "channels/house_tls.h"
#include "channels/kube_link.h"
#include "channels/kube_stream.h"
#include "channels/lifetime.h"
#include "channels/login.h"
#include "channels/masking.h"
#include "channels/ssh/host.h"
#include "channels/stream.h"
#include "channels/tool.h"
#include "policy/certificate.h"
#include "channels/tls.h"
#include "policy/kube_body.h"
#include "policy/revocation.h"
#include "policy/sql.h"

enum {
    CHECKING = 1,
    ADMITTED = 2,
    ENDING = 4,
    FAREWELL_MS = 500, /* for refusals to reach their clients before the connection ends */
};

/* What all children of one zygote share, read-only. */
struct shared {
    Ipc__Config *config;
    struct rulebook *rules;
    struct detectors *detectors;      /* their children have copies of their own, by copy on write */
    Ipc__RevocationList *revocations; /* the newest; NULL: none came yet */
};

const Ipc__Target *gate_declared(const struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->config->n_targets; i++)
        if (strcmp(gate->config->targets[i]->name, name) == 0)
            return gate->config->targets[i];
    return NULL;
}

const Ipc__Target *gate_target(const struct gate *gate, const char *name)
{
    const Ipc__Target *target = gate_declared(gate, name);
    return target && rulebook_reaches(gate->rules, gate->identity->roles, gate->identity->n_roles, name)
               ? target
               : NULL;
}

uint32_t gate_request(struct gate *gate)
{
    return ++gate->last_request;
}

void gate_disconnect(struct gate *gate, const char *message)
{
    if (gate->front) {
        Ipc__Disconnect disconnect = IPC__DISCONNECT__INIT;
        disconnect.message = (char *)(uintptr_t)message;
        disconnect.within_ms = gate->drain_ms;
        Ipc__Message m = IPC_MESSAGE(DISCONNECT, disconnect, &disconnect);
        (void)ipc_peer_send(gate->front, &m, NULL, 0);
    }
    loop_stop(gate->loop, 0);
}

void gate_end(struct gate *gate, const struct refusal *why, const char *goodbye, uint64_t farewell_ms,
              uint32_t drain_ms)
{
    if (gate->ending)
        return;
    gate->ending = true;
    gate->drain_ms = drain_ms;
    (void)snprintf(gate->goodbye, sizeof gate->goodbye, "%s", goodbye);
    if (gate->front)
        ipc_peer_state(gate->front, ENDING);
    channels_stop(gate, why);
    timer_set(gate->farewell, farewell_ms);
}

/* ---- peers that went ---- */

static void front_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    log_event(LOG_DEBUG, "connection_closed", "connection", U64(gate->connection), "detail", reason, NULL);
    loop_stop(gate->loop, 0);
}

/* What channels_stop() has written has had its time to go out. */
static void say_farewell(void *owner)
{
    struct gate *gate = owner;
    gate_disconnect(gate, gate->goodbye);
}

static void listener_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    (void)reason;
    gate_disconnect(gate, "the bastion has stopped; connect again later");
}

/* Nothing runs unrecorded: what is open stops, and with it the connection. */
static void ledger_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    log_event(LOG_ERROR, "ledger_lost", "connection", U64(gate->connection), "detail", reason, NULL);
    ipc_peer_free(STEAL(gate->ledger));
    if (gate->login) {
        login_refuse(gate, "the ledger is not available; connect again later");
        return;
    }
    gate_end(gate, &(struct refusal){ .code = "recording_unavailable", .reason = "the recording was lost" },
             "the recording was lost, so this connection ends (code recording_unavailable); connect again",
             FAREWELL_MS, 0);
}

/* Sessions that are logged in go on; new logins are refused. */
static void vault_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    log_event(LOG_WARNING, "vault_lost", "connection", U64(gate->connection), "detail", reason, NULL);
    ipc_peer_free(STEAL(gate->vault));
    if (gate->login)
        login_refuse(gate, "the vault is not available; connect again later");
    ssh_hosts_vault_gone(gate);
    streams_vault_gone(gate);
    kube_links_vault_gone(gate);
    house_tls_vault_gone(gate);
}

static void launcher_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    log_event(LOG_WARNING, "launcher_lost", "connection", U64(gate->connection), "detail", reason, NULL);
    ipc_peer_free(STEAL(gate->launcher));
    tools_launcher_gone(gate);
}

/* ---- the listener's news ---- */

static int on_revocations(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)message;
    (void)n_fds;
    lifetime_revocations(owner, fds[0]);
    return 0;
}

/* Who enrols has no certificate, and the issuer knows by itself whom it must not certify. */
static int ignore(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)owner;
    (void)message;
    (void)fds;
    (void)n_fds;
    return 0;
}

/* ---- the vault's answers ---- */

static int on_answer_login(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    if (ssh_hosts_answer_login(owner, message->answer_login, fds, n_fds) ||
        kube_links_answer_login(owner, message->answer_login, fds, n_fds))
        return 0;
    return stream_answer_login(owner, message, fds, n_fds);
}

/* ---- the ledger's news ---- */

static int on_approval_news(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    const Ipc__ApprovalNews *news = message->approval_news;
    if (news->approval || news->grant)
        desks_news(owner, news);
    else
        approval_news(owner, news);
    return 0;
}

static int on_answer_statements(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    if (kube_streams_answer_count(owner, message->answer_statements))
        return 0;
    return stream_answer_count(owner, message, fds, n_fds);
}

/* ---- tables ---- */

static const struct ipc_rule front_rules[] = {
    { IPC__MESSAGE__BODY_LOGIN, CHECKING, true, 0, 0, login_begin },
    { IPC__MESSAGE__BODY_OPEN, ADMITTED, false, 1, 2, channel_open },
    { IPC__MESSAGE__BODY_OPEN, ENDING, false, 1, 2, channel_turn_away },
    { IPC__MESSAGE__BODY_WINDOW, ADMITTED | ENDING, false, 0, 0, channel_window },
    { IPC__MESSAGE__BODY_SIGNAL, ADMITTED | ENDING, false, 0, 0, channel_signal },
};

static const struct ipc_rule listener_rules[] = {
    { IPC__MESSAGE__BODY_REVOCATIONS, CHECKING | ADMITTED, false, 1, 1, on_revocations },
    { IPC__MESSAGE__BODY_ISSUER_GIVEN, CHECKING, true, 0, 1, login_issuer_given },
    { IPC__MESSAGE__BODY_JUMP_TAKEN, ADMITTED, false, 0, 0, jump_taken },
};

static const struct ipc_rule vault_rules[] = {
    { IPC__MESSAGE__BODY_VOUCHED, CHECKING, true, 0, 0, login_vouched },
    { IPC__MESSAGE__BODY_ANSWER_LOGIN, ADMITTED, false, 0, 1, on_answer_login },
    { IPC__MESSAGE__BODY_ANSWER_CANCEL, ADMITTED, false, 0, 0, stream_answer_cancel },
    { IPC__MESSAGE__BODY_ANSWER_SERVER_CERTIFICATE, ADMITTED, false, 0, 0, house_tls_answered },
};

static const struct ipc_rule ledger_rules[] = {
    { IPC__MESSAGE__BODY_ANSWER_RECORDING, ADMITTED, false, 0, 1, channel_answer_recording },
    { IPC__MESSAGE__BODY_ANSWER_SESSIONS, ADMITTED, false, 0, 1, channel_answer_sessions },
    { IPC__MESSAGE__BODY_ANSWER_REPLAY, ADMITTED, false, 0, 1, channel_answer_replay },
    { IPC__MESSAGE__BODY_ANSWER_REVOKE, ADMITTED, false, 0, 0, channel_answer_revoke },
    { IPC__MESSAGE__BODY_ANSWER_KILL, ADMITTED, false, 0, 0, channel_answer_kill },
    { IPC__MESSAGE__BODY_KILL, ADMITTED | ENDING, false, 0, 0, kill_told },
    { IPC__MESSAGE__BODY_ANSWER_STATEMENTS, ADMITTED, false, 0, 0, on_answer_statements },
    { IPC__MESSAGE__BODY_APPROVAL_NEWS, ADMITTED, false, 0, 0, on_approval_news },
    { IPC__MESSAGE__BODY_ANSWER_APPROVALS, ADMITTED, false, 0, 1, desk_answer_approvals },
    { IPC__MESSAGE__BODY_ANSWER_DECIDE, ADMITTED, false, 0, 0, desk_answer_decide },
    { IPC__MESSAGE__BODY_ANSWER_REVOKE_GRANT, ADMITTED, false, 0, 0, desk_answer_revoke_grant },
    { IPC__MESSAGE__BODY_ANSWER_APPROVAL, ADMITTED, false, 0, 0, approval_answered },
    { IPC__MESSAGE__BODY_ANSWER_CONSUME, ADMITTED, false, 0, 0, approval_consumed },
};

static const struct ipc_rule launcher_rules[] = {
    { IPC__MESSAGE__BODY_ANSWER_RUN, ADMITTED, false, 0, 3, tool_answer_run },
    { IPC__MESSAGE__BODY_TOOL_CONNECTED, ADMITTED, false, 1, 1, tool_connected },
    { IPC__MESSAGE__BODY_TOOL_EXITED, ADMITTED, false, 0, 0, tool_exited },
};

/* Of a gate for enroll@. The issuer's are in enrol.c. */
static const struct ipc_rule enrol_front_rules[] = {
    { IPC__MESSAGE__BODY_LOGIN, CHECKING, true, 0, 0, enrol_login },
    { IPC__MESSAGE__BODY_OPEN, ADMITTED, false, 1, 2, enrol_open },
    { IPC__MESSAGE__BODY_WINDOW, ADMITTED, false, 0, 0, ignore },
    { IPC__MESSAGE__BODY_SIGNAL, ADMITTED, false, 0, 0, enrol_signal },
};

static const struct ipc_rule enrol_listener_rules[] = {
    { IPC__MESSAGE__BODY_REVOCATIONS, CHECKING | ADMITTED, false, 1, 1, ignore },
};

#define RULES(list) (list), sizeof(list) / sizeof((list)[0])

/* In the order of Spawn's descriptors. */
static int meet_peers(struct gate *gate, int *fds)
{
    int r = ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "front", RULES(front_rules), front_gone, gate,
                         &gate->front);
    if (r == 0)
        r = ipc_peer_new(gate->loop, STEAL_FD(fds[1]), "listener", RULES(listener_rules), listener_gone, gate,
                         &gate->listener);
    if (r == 0)
        r = ipc_peer_new(gate->loop, STEAL_FD(fds[2]), "vault", RULES(vault_rules), vault_gone, gate,
                         &gate->vault);
    if (r == 0)
        r = ipc_peer_new(gate->loop, STEAL_FD(fds[3]), "ledger", RULES(ledger_rules), ledger_gone, gate,
                         &gate->ledger);
    if (r == 0)
        r = ipc_peer_new(gate->loop, STEAL_FD(fds[4]), "launcher", RULES(launcher_rules), launcher_gone, gate,
                         &gate->launcher);
    return r;
}

/* The same for enroll@. */
static int meet_enrol_peers(struct gate *gate, int *fds)
{
    int r = ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "front", RULES(enrol_front_rules), front_gone, gate,
                         &gate->front);
    if (r == 0)
        r = ipc_peer_new(gate->loop, STEAL_FD(fds[1]), "listener", RULES(enrol_listener_rules), listener_gone,
                         gate, &gate->listener);
    return r ? r : enrol_begin(gate, STEAL_FD(fds[2]));
}

void gate_admitted(struct gate *gate)
{
    struct ipc_peer *peers[] = { gate->front, gate->listener, gate->vault, gate->ledger, gate->launcher };
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        if (peers[i])
            ipc_peer_state(peers[i], ADMITTED);
    }
}

static int gate_child(void *owner, const Ipc__Spawn *spawn, int *fds, size_t n_fds)
{
    const struct shared *shared = owner;
    struct gate gate = { .config = shared->config,
                         .rules = shared->rules,
                         .detectors = shared->detectors,
                         .revocations = shared->revocations,
                         .connection = spawn->connection,
                         .source_address = spawn->source_address,
                         .source_port = spawn->source_port };
    if (n_fds != (spawn->enrol ? 3 : 5) || loop_new(&gate.loop) ||
        timer_new(gate.loop, say_farewell, &gate, &gate.farewell) || jump_arrive(&gate, &spawn->outer))
        return 70;
    if (spawn->enrol ? meet_enrol_peers(&gate, fds) : meet_peers(&gate, fds) || login_expect(&gate))
        return 70;
    int status = loop_run(gate.loop);
    /* The kernel takes back the rest; what has to reach others goes out here. */
    channels_end(&gate);
    return status < 0 ? 70 : status;
}

/* When it can't be taken over the old one stays: the vault has it too, and lets nobody in who is on it. */
static void on_new_revocations(void *owner, int fd)
{
    struct shared *shared = owner;
    Ipc__RevocationList *list = NULL;
    int r = revocation_unpack(fd, &list);
    if (r) {
        log_event(LOG_ERROR, "revocations_not_taken", "detail", strerror(-r), NULL);
        return;
    }
    if (shared->revocations)
        ipc__revocation_list__free_unpacked(shared->revocations, NULL);
    shared->revocations = list;
}

int main(void)
{
    Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    int r = process_begin(PROCESS_GATE, &start, fds);
    if (r)
        return r;
    struct shared shared = { 0 };
    struct detail detail = { "" };
    bool landlocked = false;
    if (process_config(fds[0], &shared.config) || rulebook_new(shared.config, &shared.rules) ||
        masking_compile(shared.config, &shared.detectors) || upstream_start() || tls_start()) {
        log_event(LOG_ERROR, "start_failed", "detail", "the configuration can't be taken over", NULL);
        return 78;
    }
    fd_close(fds[0]);
    ipc_message_free(start);
    sql_start();
    certificate_start();
    kube_body_start();
    if (jail_prepare(PROCESS_GATE, NULL, 0, &landlocked, &detail)) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return 70;
    }
    if (!landlocked)
        log_event(LOG_WARNING, "no_landlock", NULL);
    return zygote_run(CONTROL_FD, PROCESS_GATE, gate_child, on_new_revocations, &shared);
}
