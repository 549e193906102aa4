/* One gate: it introduces itself once, by the vault's ticket, and has from then on the rights of that
 * identity and no others. A gate that breaks the rules is dropped, and with it its session: it stops when its
 * ledger is gone. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "replay/ledger_approval.h"

enum { NEW = 1, INTRODUCED = 2 };

struct gate {
    struct ledger *ledger;
    struct ipc_peer *peer;
    struct gate *next, **here;
    uint64_t connection;
    char source[64];
    Ipc__Identity *identity; /* NULL: not introduced */
    char (*recordings)[RECORDING_ID + 1];
    size_t n_recordings, capacity;
    unsigned audits;
};

static void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    if (gate->here) {
        *gate->here = gate->next;
        if (gate->next)
            gate->next->here = gate->here;
        gate->ledger->n_gates--;
    }
    ipc_peer_free(gate->peer);
    if (gate->identity)
        ipc__identity__free_unpacked(gate->identity, NULL);
    free(gate->recordings);
    free(gate);
}
DEFINE_CLEANUP(struct gate *, gate_free)

/* ---- entering ---- */

static void describe(const struct gate *gate, Ipc__AuditEvent *event)
{
    event->connection = gate->connection;
    event->source_address = lent(gate->source);
    if (gate->identity)
        event->identity = gate->identity->name;
}

static void enter_login(struct gate *gate)
{
    char serial[24], roles[AUDIT_FIELD_MAX] = "";
    const Ipc__Identity *who = gate->identity;
    for (size_t i = 0, at = 0; i < who->n_roles && at < sizeof roles; i++)
        at += (size_t)snprintf(roles + at, sizeof roles - at, "%s%s", i ? "," : "", who->roles[i]);
    const Ipc__Claims *claims = who->claims;
    Ipc__Variable all[] = {
        lent_variable("roles", roles),
        lent_variable("key", who->fingerprint),
        lent_variable("serial", text_u64(serial, who->serial)),
        lent_variable("ca", who->ca_fingerprint),
        lent_variable("actor", claims ? claims->actor : ""),
        lent_variable("authorized_party", claims ? claims->authorized_party : ""),
    };
    Ipc__Variable *fields[] = { &all[0], &all[1], &all[2], &all[3], &all[4], &all[5] };
    Ipc__AuditEvent event = ledger_event("login", NULL);
    event.fields = fields;
    event.n_fields = sizeof fields / sizeof *fields - (claims ? 0 : 2);
    describe(gate, &event);
    /* When it can't be entered (a full disk) no recording can be opened either, and that is told properly. */
    if (ledger_enter(gate->ledger, &event))
        return;
}

static void enter_logout(struct gate *gate)
{
    Ipc__AuditEvent event = ledger_event("logout", NULL);
    describe(gate, &event);
    if (gate->identity && ledger_enter(gate->ledger, &event))
        return; /* logged there; nothing depends on it */
}

static bool is_ours(const char *event)
{
    static const char *const names[] = { "ledger_start",   "login",         "logout", "session_start",
                                         "session_seal",   "expired",       "replay", "revoked",
                                         "revoke_refused", "session_killed" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], event) == 0)
            return true;
    return strncmp(event, "approval_", 9) == 0 || strncmp(event, "grant_", 6) == 0;
}

int audit_report(struct ledger *ledger, const char *by, const Ipc__Audit *audit, Ipc__AuditEvent *event)
{
    if (!audit->event[0] || strlen(audit->event) > AUDIT_NAME_MAX || is_ours(audit->event) ||
        audit->n_fields > AUDIT_FIELDS_MAX)
        return -EPROTO;
    for (size_t i = 0; i < audit->n_fields; i++)
        if (strlen(audit->fields[i]->name) > AUDIT_NAME_MAX ||
            strlen(audit->fields[i]->value) > AUDIT_FIELD_MAX)
            return -EPROTO;
    event->event = audit->event;
    event->by = lent(by);
    event->fields = audit->fields;
    event->n_fields = audit->n_fields;
    return ledger_enter(ledger, event);
}

/* ---- handlers ---- */

static int on_introduce(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds, (void)n_fds;
    Ipc__Identity *identity = NULL;
    int r = ticket_check(gate->ledger->ticket_key, message->introduce->ticket, &identity);
    if (r)
        return r;
    /* A ticket is good for the connection that it was made for, and no other. */
    if (identity->connection != gate->connection) {
        ipc__identity__free_unpacked(identity, NULL);
        return -EACCES;
    }
    gate->identity = identity;
    ipc_peer_state(gate->peer, INTRODUCED);
    enter_login(gate);
    return 0;
}

static bool strings_fit(const Ipc__AskRecording *ask)
{
    return strlen(ask->kind) <= LEDGER_NAME_MAX && strlen(ask->target) <= LEDGER_NAME_MAX &&
           strlen(ask->target_kind) <= LEDGER_NAME_MAX && strlen(ask->login) <= LEDGER_NAME_MAX &&
           (!ask->pty || strlen(ask->pty->term) <= LEDGER_NAME_MAX);
}

static int remember(struct gate *gate, const char *id)
{
    if (gate->n_recordings == gate->capacity) {
        size_t capacity = gate->capacity ? gate->capacity * 2 : 4;
        void *more = reallocarray(gate->recordings, capacity, sizeof *gate->recordings);
        if (!more)
            return -ENOMEM;
        gate->recordings = more;
        gate->capacity = capacity;
    }
    memcpy(gate->recordings[gate->n_recordings++], id, RECORDING_ID + 1);
    return 0;
}

static int refuse_recording(struct gate *gate, uint32_t request, const char *code, const char *text)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    refusal.code = lent(code);
    refusal.message = lent(text);
    answer.request = request;
    answer.refusal = &refusal;
    Ipc__Message message = IPC_MESSAGE(ANSWER_RECORDING, answer_recording, &answer);
    return ipc_peer_send(gate->peer, &message, NULL, 0);
}

static int give_recording(struct gate *gate, uint32_t request, struct opened *opened)
{
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.request = request;
    answer.id = opened->id;
    answer.chain_key = (ProtobufCBinaryData){ CHAIN_KEY, opened->chain.key };
    answer.chain_version = opened->chain.version;
    answer.chain_tag = (ProtobufCBinaryData){ CHAIN_TAG, opened->chain.last };
    answer.entries = opened->chain.entries;
    Ipc__Message message = IPC_MESSAGE(ANSWER_RECORDING, answer_recording, &answer);
    int r = ipc_peer_send(gate->peer, &message, &opened->fd, 1);
    chain_wipe(&opened->chain);
    fd_close(opened->fd);
    return r;
}

static int on_ask_recording(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AskRecording *ask = message->ask_recording;
    struct opened opened;
    (void)fds, (void)n_fds;
    if (!strings_fit(ask))
        return -EPROTO;
    if (gate->n_recordings >= LEDGER_RECORDINGS_MAX)
        return refuse_recording(gate, ask->request, "limit",
                                "too many recordings are open on this connection");
    int r = ledger_open(gate->ledger, gate->identity, ask, &opened);
    if (r) {
        log_event(LOG_ERROR, "recording_unavailable", "connection", U64(gate->connection), "detail",
                  strerror(-r), NULL);
        return refuse_recording(gate, ask->request, "recording_unavailable",
                                "the session can't be recorded now");
    }
    r = remember(gate, opened.id);
    if (r) {
        sealer_add(gate->ledger->sealer, opened.id, 0);
        chain_wipe(&opened.chain);
        fd_close(opened.fd);
        return r;
    }
    return give_recording(gate, ask->request, &opened);
}

static int on_finished(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds, (void)n_fds;
    for (size_t i = 0; i < gate->n_recordings; i++) {
        if (strcmp(gate->recordings[i], message->finished->id) != 0)
            continue;
        memmove(gate->recordings[i], gate->recordings[--gate->n_recordings], RECORDING_ID + 1);
        sealer_add(gate->ledger->sealer, message->finished->id, 0);
        return 0;
    }
    return -EPROTO;
}

static int on_ask_sessions(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AskSessions *ask = message->ask_sessions;
    (void)fds, (void)n_fds;
    if (strlen(ask->target) > LEDGER_NAME_MAX || strlen(ask->identity) > LEDGER_NAME_MAX ||
        strlen(ask->grep) > LEDGER_NAME_MAX)
        return -EPROTO;
    CLEANUP(fd_close) int fd = -1;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerSessions answer = IPC__ANSWER_SESSIONS__INIT;
    answer.request = ask->request;
    int r = ledger_sessions(gate->ledger, gate->identity, ask, &fd);
    if (r < 0)
        log_event(LOG_ERROR, "index_failed", "detail", strerror(-r), NULL);
    if (r) {
        refusal.code = lent("limit");
        refusal.message = lent(r == STORE_SLOW ? "the search took too long: narrow it by --target or --since"
                                               : "the index of sessions can't be searched now");
        answer.refusal = &refusal;
    }
    Ipc__Message reply = IPC_MESSAGE(ANSWER_SESSIONS, answer_sessions, &answer);
    return ipc_peer_send(gate->peer, &reply, &fd, r ? 0 : 1);
}

static int on_ask_replay(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    CLEANUP(fd_close) int fd = -1;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerReplay answer = IPC__ANSWER_REPLAY__INIT;
    (void)fds, (void)n_fds;
    answer.request = message->ask_replay->request;
    int r = ledger_replay(gate->ledger, gate->identity, message->ask_replay, &fd);
    if (r) {
        refusal.code = lent(r == -ENOENT ? "denied" : "recording_unavailable");
        refusal.message = lent(r == -ENOENT ? "no such recording" : "it can't be opened now");
        answer.refusal = &refusal;
    }
    Ipc__Message reply = IPC_MESSAGE(ANSWER_REPLAY, answer_replay, &answer);
    return ipc_peer_send(gate->peer, &reply, &fd, r ? 0 : 1);
}

static int on_audit(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds, (void)n_fds;
    if (gate->audits++ >= LEDGER_AUDITS_MAX)
        return -EPROTO;
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    describe(gate, &event);
    int r = audit_report(gate->ledger, "gate", message->audit, &event);
    /* A full disk is logged; that no session starts now is told to whoever asks for a recording. */
    return r == -EPROTO ? r : 0;
}

static int on_ask_revoke(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds, (void)n_fds;
    return revokes_ask(gate->ledger->revokes, gate->identity, message->ask_revoke);
}

static int on_ask_statements(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AskStatements *ask = message->ask_statements;
    const char *rule = "";
    (void)fds, (void)n_fds;
    if (ask->n_uses > RATES_USES_MAX || strlen(ask->target) > LEDGER_NAME_MAX)
        return -EPROTO;
    Ipc__AnswerStatements answer = IPC__ANSWER_STATEMENTS__INIT;
    answer.request = ask->request;
    int r =
        rates_take(gate->ledger->rates, gate->identity->name, ask, clock_ms() / 1000, &rule, &answer.wait_s);
    if (r < 0)
        return r;
    answer.rule = lent(rule);
    Ipc__Message reply = IPC_MESSAGE(ANSWER_STATEMENTS, answer_statements, &answer);
    return ipc_peer_send(gate->peer, &reply, NULL, 0);
}

void gate_answer_revoke(struct gate *gate, uint32_t request, const char *code, const char *message,
                        const char *done)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerRevoke answer = IPC__ANSWER_REVOKE__INIT;
    answer.request = request;
    if (code) {
        refusal.code = lent(code);
        refusal.message = lent(message);
        answer.refusal = &refusal;
    } else {
        answer.done = lent(done);
    }
    Ipc__Message reply = IPC_MESSAGE(ANSWER_REVOKE, answer_revoke, &answer);
    (void)ipc_peer_send(gate->peer, &reply, NULL, 0);
}

/* ---- for the other parts of the ledger ---- */

struct ledger *gate_ledger(const struct gate *gate)
{
    return gate->ledger;
}

const Ipc__Identity *gate_identity(const struct gate *gate)
{
    return gate->identity;
}

bool gate_records(const struct gate *gate, const char *id)
{
    for (size_t i = 0; i < gate->n_recordings; i++)
        if (strcmp(gate->recordings[i], id) == 0)
            return true;
    return false;
}

struct gate *gate_by_recording(struct ledger *ledger, const char *id)
{
    struct gate *gate = ledger->gates;
    while (gate && !gate_records(gate, id))
        gate = gate->next;
    return gate;
}

bool gate_may_audit(struct gate *gate)
{
    return gate->audits++ < LEDGER_AUDITS_MAX;
}

void gate_tell(struct gate *gate, const Ipc__Message *message, const int *fds, size_t n_fds)
{
    (void)ipc_peer_send(gate->peer, message, fds, n_fds);
}

static const struct ipc_rule rules[] = {
    { IPC__MESSAGE__BODY_INTRODUCE, NEW, true, 0, 0, on_introduce },
    { IPC__MESSAGE__BODY_AUDIT, NEW | INTRODUCED, false, 0, 0, on_audit },
    { IPC__MESSAGE__BODY_ASK_RECORDING, INTRODUCED, false, 0, 0, on_ask_recording },
    { IPC__MESSAGE__BODY_FINISHED, INTRODUCED, false, 0, 0, on_finished },
    { IPC__MESSAGE__BODY_ASK_SESSIONS, INTRODUCED, false, 0, 0, on_ask_sessions },
    { IPC__MESSAGE__BODY_ASK_REPLAY, INTRODUCED, false, 0, 0, on_ask_replay },
    { IPC__MESSAGE__BODY_ASK_REVOKE, INTRODUCED, false, 0, 0, on_ask_revoke },
    { IPC__MESSAGE__BODY_ASK_KILL, INTRODUCED, false, 0, 0, kills_on_ask },
    { IPC__MESSAGE__BODY_ASK_STATEMENTS, INTRODUCED, false, 0, 0, on_ask_statements },
    { IPC__MESSAGE__BODY_ASK_APPROVAL, INTRODUCED, false, 1, 1, approvals_on_ask },
    { IPC__MESSAGE__BODY_APPROVAL_PREVIEW, INTRODUCED, false, 0, 0, approvals_on_preview },
    { IPC__MESSAGE__BODY_WITHDRAW, INTRODUCED, false, 0, 0, approvals_on_withdraw },
    { IPC__MESSAGE__BODY_CONSUME, INTRODUCED, false, 0, 0, approvals_on_consume },
    { IPC__MESSAGE__BODY_ASK_APPROVALS, INTRODUCED, false, 0, 0, approvals_on_list },
    { IPC__MESSAGE__BODY_FOLLOW_APPROVALS, INTRODUCED, false, 0, 0, approvals_on_follow },
    { IPC__MESSAGE__BODY_DECIDE, INTRODUCED, false, 0, 0, approvals_on_decide },
    { IPC__MESSAGE__BODY_REVOKE_GRANT, INTRODUCED, false, 0, 0, approvals_on_revoke_grant },
};

/* ---- coming and going ---- */

static void on_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    struct ledger *ledger = gate->ledger;
    bool orderly = strcmp(reason, "closed") == 0;
    if (!orderly)
        log_event(LOG_WARNING, "gate_dropped", "connection", U64(gate->connection), "reason", reason, NULL);
    for (size_t i = 0; i < gate->n_recordings; i++)
        sealer_add(ledger->sealer, gate->recordings[i], LEDGER_SETTLE_MS);
    approvals_gate_gone(ledger->approvals, gate);
    enter_logout(gate);
    gate_free(gate);
    if (!ledger->draining || ledger->gates)
        return;
    if (sealer_idle(ledger->sealer))
        loop_stop(ledger->loop, 0);
    else
        sealer_hurry(ledger->sealer);
}

int gate_add(struct ledger *ledger, int fd, const Ipc__Peer *about)
{
    if (ledger->n_gates >= LEDGER_GATES_MAX ||
        strlen(about->source_address) >= sizeof((struct gate *)0)->source) {
        fd_close(fd);
        return -ENOBUFS;
    }
    CLEANUP(gate_free) struct gate *gate = calloc(1, sizeof *gate);
    if (!gate) {
        fd_close(fd);
        return -ENOMEM;
    }
    gate->ledger = ledger;
    gate->connection = about->connection;
    (void)snprintf(gate->source, sizeof gate->source, "%s", about->source_address);
    int r = ipc_peer_new(ledger->loop, fd, "gate", rules, sizeof rules / sizeof *rules, on_gone, gate,
                         &gate->peer);
    if (r)
        return r;
    gate->here = &ledger->gates;
    gate->next = ledger->gates;
    if (gate->next)
        gate->next->here = &gate->next;
    ledger->gates = gate;
    ledger->n_gates++;
    (void)STEAL(gate);
    return 0;
}

/* A connection has one gate that was admitted; others of it never introduced themselves. */
struct gate *gate_by_connection(struct ledger *ledger, uint64_t connection)
{
    struct gate *gate = ledger->gates;
    while (gate && !(gate->connection == connection && gate->identity))
        gate = gate->next;
    return gate;
}

void gates_free(struct ledger *ledger)
{
    while (ledger->gates)
        gate_free(ledger->gates);
}
