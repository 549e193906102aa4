/* Who ends whose session. The gate asks, the ledger knows by the ticket who that is and whether it may, and
 * which gate has the recording open; the audit chain says who did it before that gate is told. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "policy/identity.h"
#include "replay/ledger.h"

static int enter(struct gate *gate, const struct gate *victim, const Ipc__AskKill *ask)
{
    const Ipc__Identity *who = gate_identity(gate), *whose = gate_identity(victim);
    Ipc__Variable reason = lent_variable("reason", ask->reason), owner = lent_variable("whose", whose->name);
    Ipc__Variable *fields[] = { &owner, &reason };
    Ipc__AuditEvent event = ledger_event("session_killed", who);
    event.recording = ask->id;
    event.fields = fields;
    event.n_fields = sizeof fields / sizeof fields[0];
    return ledger_enter(gate_ledger(gate), &event);
}

static void answer(struct gate *gate, const Ipc__AskKill *ask, const char *code, const char *message)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerKill body = IPC__ANSWER_KILL__INIT;
    body.request = ask->request;
    refusal.code = lent(code);
    refusal.message = lent(message);
    if (code[0])
        body.refusal = &refusal;
    else
        body.whose = lent(message);
    Ipc__Message reply = IPC_MESSAGE(ANSWER_KILL, answer_kill, &body);
    gate_tell(gate, &reply, NULL, 0);
}

static void end(struct gate *gate, struct gate *victim, const Ipc__AskKill *ask)
{
    Ipc__Kill body = IPC__KILL__INIT;
    body.id = ask->id;
    body.by = gate_identity(gate)->name;
    body.reason = ask->reason;
    Ipc__Message message = IPC_MESSAGE(KILL, kill, &body);
    log_event(LOG_INFO, "session_killed", "recording", ask->id, "by", body.by, "whose",
              gate_identity(victim)->name, "reason", ask->reason, NULL);
    answer(gate, ask, "",
           gate_identity(victim)->name); /* first: it may be a session on the same connection */
    gate_tell(victim, &message, NULL, 0);
}

int kills_on_ask(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AskKill *ask = message->ask_kill;
    (void)fds, (void)n_fds;
    if (strlen(ask->id) > LEDGER_NAME_MAX || strlen(ask->reason) > LEDGER_REASON_MAX)
        return -EPROTO;
    struct gate *victim = gate_by_recording(gate_ledger(gate), ask->id);
    if (!identity_may(gate_identity(gate), "kill"))
        answer(gate, ask, "denied", "your roles do not let you end sessions");
    else if (!victim || !gate_identity(victim))
        answer(gate, ask, "usage", "no live session has this id");
    else if (!gate_may_audit(gate))
        answer(gate, ask, "limit", "too many at once");
    else if (enter(gate, victim, ask))
        answer(gate, ask, "recording_unavailable", "it can't be entered who ends what");
    else
        end(gate, victim, ask);
    return 0;
}
