/* See desk.h. */
#include "channels/commands/desk.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"

int desk_new(struct channel *channel, const struct desk_kind *kind, void *owner)
{
    struct desk *desk = owner ? calloc(1, sizeof *desk) : NULL;
    if (!desk) {
        if (owner && kind->free)
            kind->free(owner);
        channel_refuse(channel, &(struct refusal){ .code = "limit", .reason = "out of memory" });
        return -ENOMEM;
    }
    *desk = (struct desk){ .kind = kind, .owner = owner };
    channel->desk = desk;
    return 0;
}

static bool anybody_follows(const struct gate *gate)
{
    for (const struct channel *channel = gate->channels; channel; channel = channel->next)
        if (channel->desk && channel->desk->follows)
            return true;
    return false;
}

static void tell_follow(struct gate *gate, bool on)
{
    Ipc__FollowApprovals follow = IPC__FOLLOW_APPROVALS__INIT;
    follow.on = on;
    Ipc__Message message = IPC_MESSAGE(FOLLOW_APPROVALS, follow_approvals, &follow);
    if (gate->ledger)
        (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}

void desk_free(struct channel *channel)
{
    struct desk *desk = STEAL(channel->desk);
    if (!desk)
        return;
    if (desk->follows && !anybody_follows(channel->gate))
        tell_follow(channel->gate, false);
    if (desk->kind->free)
        desk->kind->free(desk->owner);
    free(desk);
}

/* ---- asking ---- */

static bool has_ledger(struct channel *channel)
{
    if (channel->gate->ledger)
        return true;
    channel_refuse(channel, &(struct refusal){ .code = "recording_unavailable",
                                               .reason = "approvals can't be reached now" });
    return false;
}

static bool send(struct channel *channel, const Ipc__Message *message)
{
    if (!has_ledger(channel))
        return false;
    (void)ipc_peer_send(channel->gate->ledger, message, NULL, 0);
    return true;
}

bool desk_ask(struct channel *channel, Ipc__AskApprovals *ask)
{
    ask->request = channel->request = gate_request(channel->gate);
    Ipc__Message message = IPC_MESSAGE(ASK_APPROVALS, ask_approvals, ask);
    return send(channel, &message);
}

bool desk_decide(struct channel *channel, Ipc__Decide *decide)
{
    decide->request = channel->request = gate_request(channel->gate);
    Ipc__Message message = IPC_MESSAGE(DECIDE, decide, decide);
    return send(channel, &message);
}

bool desk_revoke_grant(struct channel *channel, Ipc__RevokeGrant *revoke)
{
    revoke->request = channel->request = gate_request(channel->gate);
    Ipc__Message message = IPC_MESSAGE(REVOKE_GRANT, revoke_grant, revoke);
    return send(channel, &message);
}

bool desk_ask_replay(struct channel *channel, Ipc__AskReplay *ask)
{
    ask->request = channel->request = gate_request(channel->gate);
    Ipc__Message message = IPC_MESSAGE(ASK_REPLAY, ask_replay, ask);
    return send(channel, &message);
}

bool desk_follow(struct channel *channel)
{
    bool already = anybody_follows(channel->gate);
    if (!has_ledger(channel))
        return false;
    channel->desk->follows = true;
    if (!already)
        tell_follow(channel->gate, true);
    return true;
}

/* ---- answers ---- */

/* NULL: the channel ended meanwhile, or is about to. */
static struct channel *whose(struct gate *gate, uint32_t request)
{
    struct channel *channel = gate->channels;
    while (channel && !(channel->desk && channel->request == request && request != 0))
        channel = channel->next;
    if (!channel || channel->closing)
        return NULL;
    channel->request = 0;
    return channel;
}

int desk_answer_approvals(void *gate, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AnswerApprovals *answer = message->answer_approvals;
    struct channel *channel = whose(gate, answer->request);
    if (channel && channel->desk->kind->listed)
        channel->desk->kind->listed(channel->desk->owner, answer->refusal, n_fds == 1 ? fds[0] : -1);
    return 0;
}

int desk_answer_decide(void *gate, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds, (void)n_fds;
    struct channel *channel = whose(gate, message->answer_decide->request);
    if (channel && channel->desk->kind->decided)
        channel->desk->kind->decided(channel->desk->owner, message->answer_decide);
    return 0;
}

int desk_answer_revoke_grant(void *gate, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds, (void)n_fds;
    struct channel *channel = whose(gate, message->answer_revoke_grant->request);
    if (channel && channel->desk->kind->grant_revoked)
        channel->desk->kind->grant_revoked(channel->desk->owner, message->answer_revoke_grant);
    return 0;
}

void desk_opened(struct channel *channel, const Ipc__Refusal *refusal, int fd)
{
    if (channel->closing || !channel->desk->kind->opened)
        fd_close(fd);
    else
        channel->desk->kind->opened(channel->desk->owner, refusal, fd);
}

void desk_tool_over(struct channel *channel, const struct refusal *refusal)
{
    if (channel->desk->kind->tool_over)
        channel->desk->kind->tool_over(channel->desk->owner, refusal);
}

void desk_window(struct channel *channel, const Ipc__Window *window)
{
    if (!channel->closing && channel->desk->kind->window)
        channel->desk->kind->window(channel->desk->owner, window);
}

void desk_stop(struct channel *channel, const struct refusal *why)
{
    if (channel->desk->kind->stop)
        channel->desk->kind->stop(channel->desk->owner, why);
    else
        channel_refuse(channel, why);
}

void desk_drained(struct channel *channel)
{
    if (channel->desk && channel->desk->kind->drained)
        channel->desk->kind->drained(channel->desk->owner);
}

void desks_news(struct gate *gate, const Ipc__ApprovalNews *news)
{
    for (struct channel *channel = gate->channels, *next; channel; channel = next) {
        next = channel->next;
        if (channel->desk && channel->desk->follows && !channel->closing && channel->desk->kind->news)
            channel->desk->kind->news(channel->desk->owner, news);
    }
}
