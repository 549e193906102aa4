/* What the gates of those who decide may say. Two who decide at the same instant: messages come one after the
 * other, the second finds the request decided, and is told by whom. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/identity.h"
#include "replay/ledger_approval.h"

static void approval_free(Ipc__Approval *approval)
{
    if (approval)
        ipc__approval__free_unpacked(approval, NULL);
}
DEFINE_CLEANUP(Ipc__Approval *, approval_free)

struct verdict {
    struct gate *gate;
    const Ipc__Identity *who;
    const Ipc__Decide *decide;
    char id[APPROVAL_ID + 1];
};

static int answer(const struct verdict *v, const char *code, const char *text, const Ipc__Approval *about)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerDecide body = IPC__ANSWER_DECIDE__INIT;
    body.request = v->decide->request;
    body.id = lent(v->id);
    if (code) {
        refusal.code = lent(code);
        refusal.message = lent(text);
        body.refusal = &refusal;
    } else {
        body.done = lent(text);
    }
    if (about) {
        body.state = about->state;
        body.decisions = about->decisions;
        body.n_decisions = about->n_decisions;
    }
    Ipc__Message message = IPC_MESSAGE(ANSWER_DECIDE, answer_decide, &body);
    gate_tell(v->gate, &message, NULL, 0);
    return 0;
}

static int refuse_unknown(const struct verdict *v)
{
    return answer(v, "denied", "there is no such request, or none that you may decide", NULL);
}

/* ---- refusing ---- */

static const char *code_of(int fault)
{
    return fault == APPROVAL_OVER         ? "decided"
           : fault == APPROVAL_UNREADABLE ? "usage"
           : fault == APPROVAL_UNSIGNED   ? "unsigned"
                                          : "denied";
}

/* That somebody tried to decide what is not theirs is worth knowing. */
static int refuse(const struct verdict *v, const Ipc__Approval *about, int fault, const struct detail *detail)
{
    struct approvals *approvals = gate_ledger(v->gate)->approvals;
    Ipc__Variable more[] = { lent_variable("verdict", v->decide->approve ? "approve" : "deny"),
                             lent_variable("why", detail->text) };
    struct change change = {
        .next = about, .event = "approval_refused", .by = v->who, .more = more, .n_more = 2
    };
    if (fault == APPROVAL_OWN || fault == APPROVAL_NOT_ENTITLED || fault == APPROVAL_NO_TOUCH) {
        if (!gate_may_audit(v->gate))
            return -EPROTO;
        if (approvals_enter(approvals, &change))
            return answer(v, "recording_unavailable", "this can't be entered now", NULL);
    }
    return answer(v, code_of(fault), detail->text, about);
}

static int refuse_over(const struct verdict *v)
{
    struct approvals *approvals = gate_ledger(v->gate)->approvals;
    CLEANUP(approval_free) Ipc__Approval *over = NULL;
    struct detail detail = { "" };
    if (approval_store_get(approvals->store, v->id, &over) || !approvals_sees(over, v->who))
        return refuse_unknown(v);
    approval_tell(over, &detail);
    return answer(v, "decided", detail.text, over);
}

/* ---- deciding ---- */

static Ipc__Grant grant_of(const Ipc__Approval *next, uint64_t now)
{
    Ipc__Grant grant = IPC__GRANT__INIT;
    grant.id = next->id;
    grant.requester = next->requester;
    grant.target = next->target;
    grant.rule = next->rule;
    grant.policy = next->policy;
    grant.by = next->approve->by;
    grant.n_by = next->approve->n_by;
    grant.made_ms = now;
    grant.until_ms = now + approval_grant_ms(next);
    grant.decisions = next->decisions;
    grant.n_decisions = next->n_decisions;
    return grant;
}

static void tell_done(const struct verdict *v, const Ipc__Approval *about)
{
    char text[DETAIL_MAX];
    (void)snprintf(text, sizeof text, "%s %s",
                   about->state == IPC__APPROVAL_STATE__APPROVAL_DENIED     ? "denied"
                   : about->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED ? "approved"
                                                                            : "agreed to",
                   about->id);
    if (about->state == IPC__APPROVAL_STATE__APPROVAL_OPEN)
        (void)snprintf(text, sizeof text, "you agreed to %s; others have to agree as well", about->id);
    (void)answer(v, NULL, text, about);
}

static int keep(const struct verdict *v, struct request *request, const Ipc__Approval *next, uint64_t now)
{
    struct approvals *approvals = gate_ledger(v->gate)->approvals;
    char reason[APPROVAL_REASON_MAX + 1], duration[24];
    CLEANUP(free) char *signature = NULL;
    const Ipc__ApprovalDecision *decision = next->decisions[next->n_decisions - 1];
    Ipc__Grant grant = grant_of(next, now);
    bool approved = next->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED;
    bool granted = approved && approval_grant_ms(next) > 0;
    (void)snprintf(reason, sizeof reason, "%s", decision->reason);
    if (decision->signature.len) {
        signature = sshsig_armour(decision->signature.data, decision->signature.len);
        if (!signature)
            return -ENOMEM;
    }
    Ipc__Variable more[] = {
        lent_variable("verdict", decision->approve ? "approve" : "deny"), lent_variable("reason", reason),
        lent_variable("for", decision->for_ms ? text_duration(duration, decision->for_ms) : ""),
        lent_variable("signature", signature ? signature : "")
    };
    struct change change = { .next = next,
                             .event = "approval_decided",
                             .by = v->who,
                             .more = more,
                             .n_more = sizeof more / sizeof *more,
                             .grant = granted ? &grant : NULL,
                             .synced = true };
    if (granted && approvals->n_grants >= APPROVALS_GRANTS_MAX)
        return answer(v, "limit", "there are too many grants; approve it without --for", NULL);
    if (approvals_change(approvals, request, NULL, &change, NULL))
        return answer(v, "recording_unavailable", "the decision can't be kept now, so it does not count",
                      NULL);
    /* What next borrowed from is gone. */
    log_event(LOG_INFO, "approval_decided", "request", v->id, "by", v->who->name, "state",
              approval_state_name(request->about->state), NULL);
    tell_done(v, request->about);
    approvals_tell(approvals, request);
    if (granted)
        approvals_tell_followers(approvals, NULL, approvals->grants->about);
    return 0;
}

int approvals_on_decide(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct verdict v = { .gate = owner, .who = gate_identity(owner), .decide = message->decide };
    struct approvals *approvals = gate_ledger(owner)->approvals;
    struct approval_step step;
    struct detail detail = { "" };
    Ipc__Approval next;
    uint64_t now = clock_unix_ms();
    (void)fds, (void)n_fds;
    if (!approval_read_id(v.decide->id, v.id))
        return refuse_unknown(&v);
    struct request *request = approvals_find(approvals, v.id);
    if (!request)
        return refuse_over(&v);
    if (!approvals_sees(request->about, v.who))
        return refuse_unknown(&v);
    if (request->about->state == IPC__APPROVAL_STATE__APPROVAL_OPEN && request->about->expires_ms <= now)
        return answer(&v, "decided", "expired: nobody decided in time", request->about);
    int fault = approval_decide(request->about, v.who, v.decide, now, &step, &next, &detail);
    if (fault)
        return refuse(&v, request->about, fault, &detail);
    return keep(&v, request, &next, now);
}

/* ---- grants ---- */

static int answer_grant(struct gate *gate, const Ipc__RevokeGrant *revoke, const char *code, const char *text)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerRevokeGrant body = IPC__ANSWER_REVOKE_GRANT__INIT;
    body.request = revoke->request;
    if (code) {
        refusal.code = lent(code);
        refusal.message = lent(text);
        body.refusal = &refusal;
    } else {
        body.done = lent(text);
    }
    Ipc__Message message = IPC_MESSAGE(ANSWER_REVOKE_GRANT, answer_revoke_grant, &body);
    gate_tell(gate, &message, NULL, 0);
    return 0;
}

/* Those who may decide such requests, those who may revoke at all, and who has it. */
static bool may_revoke(const Ipc__Grant *grant, const Ipc__Identity *who)
{
    return identity_may(who, "revoke") || approval_is_asked(grant->by, grant->n_by, who) ||
           strcmp(grant->requester->name, who->name) == 0;
}

int approvals_on_revoke_grant(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__RevokeGrant *revoke = message->revoke_grant;
    struct approvals *approvals = gate_ledger(owner)->approvals;
    char id[APPROVAL_ID + 1];
    struct granted *granted = approvals->grants;
    (void)fds, (void)n_fds;
    if (strlen(revoke->reason) > APPROVAL_REASON_MAX || !text_is_utf8(revoke->reason, strlen(revoke->reason)))
        return answer_grant(owner, revoke, "usage", "the reason is not UTF-8 text of at most 1024 bytes");
    bool readable = approval_read_id(revoke->id, id);
    while (granted && (!readable || strcmp(granted->about->id, id) != 0))
        granted = granted->next;
    if (!granted || !may_revoke(granted->about, gate_identity(owner)))
        return answer_grant(owner, revoke, "denied", "there is no such grant, or none that you may revoke");
    if (approvals_remove_grant(approvals, granted, "grant_revoked", gate_identity(owner), revoke->reason))
        return answer_grant(owner, revoke, "recording_unavailable", "the grant can't be revoked now");
    return answer_grant(owner, revoke, NULL, id);
}
