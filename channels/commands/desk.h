/* What an operator does with approvals on one channel: the ledger's answers and news find their way to it. */
#pragma once
#include "channels/channel.h"

/* What is called when; what a kind of desk does not wait for is NULL. Each may exit the channel. */
struct desk_kind {
    /* AnswerApprovals. fd: borrowed, -1 with a refusal. */
    void (*listed)(void *owner, const Ipc__Refusal *refusal, int fd);
    void (*decided)(void *owner, const Ipc__AnswerDecide *answer);
    void (*grant_revoked)(void *owner, const Ipc__AnswerRevokeGrant *answer);
    /* Only of desks that follow: a request or a grant that this identity may see. */
    void (*news)(void *owner, const Ipc__ApprovalNews *news);
    /* AnswerReplay. fd: the callee's, -1 with a refusal. */
    void (*opened)(void *owner, const Ipc__Refusal *refusal, int fd);
    /* A tool that ran on the channel has ended, or could not be started. */
    void (*tool_over)(void *owner, const struct refusal *refusal);
    void (*window)(void *owner, const Ipc__Window *window);
    /* Fails closed, telling the client why; NULL: it is refused as any command. */
    void (*stop)(void *owner, const struct refusal *why);
    /* All that was printed has gone out. */
    void (*drained)(void *owner);
    void (*free)(void *owner);
};

struct desk {
    const struct desk_kind *kind;
    void *owner;
    bool follows;
};

/* Gives the channel a desk; owner is the desk's from here on, also on failure, which exits the channel. NULL
 * owner: there was no memory for it. */
MUST_USE int desk_new(struct channel *channel, const struct desk_kind *kind, void *owner);
void desk_free(struct channel *channel);

/* Questions: one waits at a time. False: there is no ledger any more, and the channel was refused. */
MUST_USE bool desk_ask(struct channel *channel, Ipc__AskApprovals *ask);
MUST_USE bool desk_decide(struct channel *channel, Ipc__Decide *decide);
MUST_USE bool desk_revoke_grant(struct channel *channel, Ipc__RevokeGrant *revoke);
MUST_USE bool desk_ask_replay(struct channel *channel, Ipc__AskReplay *ask);
/* News from now on. Whoever follows first and asks then misses nothing. */
MUST_USE bool desk_follow(struct channel *channel);

/* Handlers: ledger AnswerApprovals, AnswerDecide, AnswerRevokeGrant. */
int desk_answer_approvals(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int desk_answer_decide(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int desk_answer_revoke_grant(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* The same of AnswerReplay; fd is taken. */
void desk_opened(struct channel *channel, const Ipc__Refusal *refusal, int fd);
void desk_tool_over(struct channel *channel, const struct refusal *refusal);
void desk_window(struct channel *channel, const Ipc__Window *window);
void desk_stop(struct channel *channel, const struct refusal *why);
/* The channel's printer is empty. */
void desk_drained(struct channel *channel);
/* For every desk that follows; news of others' requests, with `approval` or `grant`. */
void desks_news(struct gate *gate, const Ipc__ApprovalNews *news);
