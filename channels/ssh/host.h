/* A target and a login at it: one SSH connection, made when the first session wants it, shared by all of this
 * gate. A command that a certificate can be made for has one of its own instead, on which the host runs
 * nothing else (force-command). */
#pragma once
#include "channels/channel.h"
#include "channels/ssh/upstream.h"

struct ssh_flow;
struct ssh_host;
struct ssh_task;

/* The task joins the host for this target and login ("": the target's own), and is told by ssh_task_ready()
 * or ssh_task_refused(), perhaps at once: it may be gone afterwards. -ENOMEM: neither. */
MUST_USE int ssh_host_join(struct gate *gate, const Ipc__Target *target, const char *login,
                           struct ssh_task *task);
void ssh_host_leave(struct ssh_host *host, struct ssh_task *task);
/* The same for flows: ssh_flow_ready(), ssh_flow_refused(). */
MUST_USE int ssh_host_join_flow(struct gate *gate, const Ipc__Target *target, const char *login,
                                struct ssh_flow *flow);
void ssh_host_leave_flow(struct ssh_host *host, struct ssh_flow *flow);
/* The connection; NULL unless ready. */
struct upstream *ssh_host_upstream(const struct ssh_host *host);

/* Handler: vault AnswerLogin, if it answers one of ours; false: it does not. */
bool ssh_hosts_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds);
/* Logins that wait are refused. */
void ssh_hosts_vault_gone(struct gate *gate);
