/* Approvals to webhooks: that somebody asks, and how it ended. */
#include "replay/ledger_approval.h"
#include "replay/notify_body.h"

static const char *decision_of(Ipc__ApprovalState state)
{
    switch (state) {
    case IPC__APPROVAL_STATE__APPROVAL_APPROVED:
        return "approved";
    case IPC__APPROVAL_STATE__APPROVAL_DENIED:
        return "denied";
    case IPC__APPROVAL_STATE__APPROVAL_EXPIRED:
        return "expired";
    case IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN:
        return "withdrawn";
    default:
        return NULL;
    }
}

static struct notification begin(const Ipc__Approval *about)
{
    return (struct notification){ .request = about->id,
                                  .identity = about->requester->name,
                                  .acting_for = about->requester->actor,
                                  .target = about->target,
                                  .login = about->login,
                                  .rule = about->rule,
                                  .reason = about->reason,
                                  .recording = about->recording };
}

static void tell_requested(struct notifier *notifier, const Ipc__Approval *about,
                           const Ipc__ApprovalContent *content)
{
    struct notification what = begin(about);
    const char *by[NOTIFY_NAMES_MAX];
    what.event = "approval_requested";
    what.at_ms = about->created_ms;
    what.expires_ms = about->expires_ms;
    what.quorum = about->approve->quorum;
    for (size_t i = 0; i < about->approve->n_by; i++)
        for (size_t k = 0; k < about->approve->by[i]->n_roles && what.n_by < NOTIFY_NAMES_MAX; k++)
            by[what.n_by++] = about->approve->by[i]->roles[k];
    what.by = by;
    what.statement = content->statement.data;
    what.statement_n = content->statement.len;
    notify_event(notifier, &what);
}

/* The last one decided: what it says is what came of it. */
static void tell_decided(struct notifier *notifier, const Ipc__Approval *about, const char *decision)
{
    struct notification what = begin(about);
    const char *deciders[NOTIFY_NAMES_MAX];
    bool approved = about->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED;
    bool denied = about->state == IPC__APPROVAL_STATE__APPROVAL_DENIED;
    what.event = "approval_decided";
    what.decision = decision;
    what.comment = about->why;
    for (size_t i = 0; i < about->n_decisions && what.n_deciders < NOTIFY_NAMES_MAX; i++) {
        const Ipc__ApprovalDecision *one = about->decisions[i];
        if ((!approved && !denied) || one->approve != approved)
            continue; /* a denial ends it, whoever agreed before */
        deciders[what.n_deciders++] = one->by->name;
        what.comment = one->reason;
    }
    what.deciders = deciders;
    notify_event(notifier, &what);
}

void approvals_notify(struct approvals *approvals, const Ipc__Approval *before, const Ipc__Approval *about,
                      const Ipc__ApprovalContent *content)
{
    const char *decision = decision_of(about->state);
    if (!before && content)
        tell_requested(approvals->ledger->notifier, about, content);
    else if (before && before->state == IPC__APPROVAL_STATE__APPROVAL_OPEN && decision)
        tell_decided(approvals->ledger->notifier, about, decision);
}
