/* Who revokes what. The gate asks, the ledger knows by the ticket who that is and whether it may, the issuer
 * writes it down and tells everybody; only when that is done is the person told, and the audit chain says who
 * did it.
 *
 * The link to the issuer comes from the listener, again after each restart of either. The issuer reports its
 * own events by it as well. */
#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/identity.h"
#include "replay/ledger.h"

/* One that waits for the issuer. What is told later is copied: its gate may be gone by then. */
struct revoke {
    uint64_t number; /* 0: free */
    uint64_t connection;
    uint32_t request;
    char *what, *reason, *by, *source;
    struct timer *limit;
    struct revokes *revokes;
};

struct revokes {
    struct ledger *ledger;
    struct ipc_peer *issuer; /* NULL: none at the moment */
    uint64_t last;
    struct revoke waiting[LEDGER_REVOKES_MAX];
};

static void forget(struct revoke *revoke)
{
    free(revoke->what);
    free(revoke->reason);
    free(revoke->by);
    free(revoke->source);
    timer_free(revoke->limit);
    *revoke = (struct revoke){ .number = 0 };
}

/* ---- the audit chain ---- */

/* Logs a failure; what was revoked stays so. */
static void enter(struct revokes *revokes, const char *name, const struct revoke *revoke, const char *error)
{
    Ipc__Variable all[3] = { lent_variable("what", revoke->what), lent_variable("reason", revoke->reason) };
    Ipc__Variable *fields[] = { &all[0], &all[1], &all[2] };
    Ipc__AuditEvent event = ledger_event(name, NULL);
    event.connection = revoke->connection;
    event.identity = revoke->by;
    event.source_address = revoke->source;
    event.fields = fields;
    event.n_fields = 2;
    if (error)
        all[event.n_fields++] = lent_variable("error", error);
    if (ledger_enter(revokes->ledger, &event))
        return;
}

/* ---- the end of one ---- */

static void answer(struct revoke *revoke, const char *code, const char *message)
{
    struct revokes *revokes = revoke->revokes;
    struct gate *gate = gate_by_connection(revokes->ledger, revoke->connection);
    enter(revokes, code ? "revoke_refused" : "revoked", revoke, message);
    log_event(code ? LOG_WARNING : LOG_INFO, code ? "revoke_refused" : "revoked", "connection",
              U64(revoke->connection), "what", revoke->what, "by", revoke->by, "detail", message, NULL);
    if (gate)
        gate_answer_revoke(gate, revoke->request, code, message, revoke->what);
    forget(revoke);
}

static void took_too_long(void *owner)
{
    answer(owner, "issuer_unavailable", "the issuer did not answer: it may be revoked, or not");
}

static int on_revoke_done(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct revokes *revokes = owner;
    const Ipc__RevokeDone *done = message->revoke_done;
    (void)fds, (void)n_fds;
    for (size_t i = 0; i < LEDGER_REVOKES_MAX; i++) {
        if (done->request == 0 || revokes->waiting[i].number != done->request)
            continue;
        answer(&revokes->waiting[i], done->error[0] ? "usage" : NULL, done->error[0] ? done->error : NULL);
        break;
    }
    return 0; /* one that came too late is nobody's any more */
}

/* ---- the issuer ---- */

static int on_audit(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct revokes *revokes = owner;
    (void)fds, (void)n_fds;
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    int r = audit_report(revokes->ledger, "issuer", message->audit, &event);
    return r == -EPROTO ? r : 0; /* a full disk is not the issuer's fault */
}

static void fail_all(struct revokes *revokes)
{
    for (size_t i = 0; i < LEDGER_REVOKES_MAX; i++)
        if (revokes->waiting[i].number)
            answer(&revokes->waiting[i], "issuer_unavailable",
                   "the issuer has stopped: it may be revoked, or not");
}

static void on_issuer_gone(void *owner, const char *reason)
{
    struct revokes *revokes = owner;
    log_event(LOG_WARNING, "issuer_lost", "reason", reason, NULL);
    ipc_peer_free(STEAL(revokes->issuer));
    fail_all(revokes);
}

void revokes_link(struct revokes *revokes, int fd)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_AUDIT, 1, false, 0, 0, on_audit },
        { IPC__MESSAGE__BODY_REVOKE_DONE, 1, false, 0, 0, on_revoke_done },
    };
    ipc_peer_free(STEAL(revokes->issuer));
    fail_all(revokes);
    int r = ipc_peer_new(revokes->ledger->loop, fd, "issuer", rules, sizeof rules / sizeof *rules,
                         on_issuer_gone, revokes, &revokes->issuer);
    if (r)
        log_event(LOG_ERROR, "issuer_not_linked", "detail", strerror(-r), NULL);
}

/* ---- asking ---- */

/* It becomes a line of a file. */
static bool is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static struct revoke *free_place(struct revokes *revokes)
{
    for (size_t i = 0; i < LEDGER_REVOKES_MAX; i++)
        if (revokes->waiting[i].number == 0)
            return &revokes->waiting[i];
    return NULL;
}

static int fill(struct revoke *revoke, struct revokes *revokes, const Ipc__Identity *who,
                const Ipc__AskRevoke *ask)
{
    *revoke = (struct revoke){ .number = ++revokes->last,
                               .connection = who->connection,
                               .request = ask->request,
                               .what = strdup(ask->what),
                               .reason = strdup(ask->reason),
                               .by = strdup(who->name),
                               .source = strdup(who->source_address),
                               .revokes = revokes };
    if (revoke->what && revoke->reason && revoke->by && revoke->source &&
        timer_new(revokes->ledger->loop, took_too_long, revoke, &revoke->limit) == 0)
        return 0;
    forget(revoke);
    return -ENOMEM;
}

static void ask_issuer(struct revokes *revokes, struct revoke *revoke)
{
    Ipc__Revoke body = IPC__REVOKE__INIT;
    body.request = revoke->number;
    body.what = revoke->what;
    body.by = revoke->by;
    body.reason = revoke->reason;
    Ipc__Message message = IPC_MESSAGE(REVOKE, revoke, &body);
    timer_set(revoke->limit, LEDGER_REVOKE_MS);
    (void)ipc_peer_send(revokes->issuer, &message, NULL, 0);
}

int revokes_ask(struct revokes *revokes, const Ipc__Identity *who, const Ipc__AskRevoke *ask)
{
    if (!ask->what[0] || strlen(ask->what) > LEDGER_REASON_MAX || strlen(ask->reason) > LEDGER_REASON_MAX)
        return -EPROTO;
    struct revoke *revoke = free_place(revokes);
    struct gate *gate = gate_by_connection(revokes->ledger, who->connection);
    if (!revoke || fill(revoke, revokes, who, ask)) {
        if (gate)
            gate_answer_revoke(gate, ask->request, "limit", "too many revocations are under way", NULL);
        return 0;
    }
    if (!identity_may(who, "revoke"))
        answer(revoke, "denied", "none of your roles may revoke");
    else if (!is_one_line(ask->what) || !is_one_line(ask->reason))
        answer(revoke, "usage", "neither an identity nor a reason may contain control characters");
    else if (!revokes->issuer)
        answer(revoke, "issuer_unavailable", "the issuer, which keeps what is revoked, is not available");
    else
        ask_issuer(revokes, revoke);
    return 0;
}

int revokes_new(struct ledger *ledger, struct revokes **ret)
{
    *ret = calloc(1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    (*ret)->ledger = ledger;
    return 0;
}

void revokes_free(struct revokes *revokes)
{
    if (!revokes)
        return;
    for (size_t i = 0; i < LEDGER_REVOKES_MAX; i++)
        forget(&revokes->waiting[i]);
    ipc_peer_free(revokes->issuer);
    free(revokes);
}
