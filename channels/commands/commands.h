/* The commands that a connection offers: `ssh bastion COMMAND`. */
#pragma once
#include "channels/channel.h"

/* Runs the channel's command line: a shell without a command gets the help. */
void command_begin(struct channel *channel);

/* One command. words[0] is its name. Each prints and exits, or starts something that will. */
typedef void command_run(struct channel *channel);

struct command {
    const char *name, *usage, *summary;
    command_run *run;
};

/* All commands, in the order of `help`; ends with a NULL name. */
extern const struct command commands[];

void command_help(struct channel *channel);
void command_whoami(struct channel *channel);
void command_targets(struct channel *channel);
void command_describe(struct channel *channel);
void command_psql(struct channel *channel);
void command_kubectl(struct channel *channel);
void command_config(struct channel *channel);
void command_ssh(struct channel *channel);
void command_shell(struct channel *channel);
void command_sessions(struct channel *channel);
void command_replay(struct channel *channel);
void command_revoke(struct channel *channel);
void command_kill(struct channel *channel);
void command_watch(struct channel *channel);
void command_approvals(struct channel *channel);
void command_approve(struct channel *channel);
void command_deny(struct channel *channel);
void command_revoke_grant(struct channel *channel);

/* Answers to what sessions and replay asked the ledger. fd: -1 with a refusal; sessions: borrowed; replay:
 * the callee's. */
void sessions_answered(struct channel *channel, const Ipc__Refusal *refusal, int fd);
void replay_answered(struct channel *channel, const Ipc__Refusal *refusal, int fd);
/* The same of revoke; done: what was revoked. */
void revoke_answered(struct channel *channel, const Ipc__Refusal *refusal, const char *done);

/* The same of kill; whose: who had the session. */
void kill_answered(struct channel *channel, const Ipc__Refusal *refusal, const char *whose);
/* Handler: ledger Kill. */
int kill_told(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);

/* ---- for the commands ---- */

/* The words behind `COMMAND ARGUMENT --reason`, joined by blanks, since the quotes around them are often gone
 * by here; "" when there are none. False for anything else. */
bool command_reason(const struct channel *channel, char *ret, size_t size);

/* True when the only argument is --json; otherwise *ret_ok tells whether there was none at all. */
bool command_wants_json(const struct channel *channel, bool *ret_ok);
/* "gatehouse: usage: …" and exit status 64. */
void command_usage(struct channel *channel, const char *reason);
