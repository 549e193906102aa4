/* A command, a shell or a subsystem at a host that waits until people have agreed (channels/approval.h). */
#pragma once
#include "channels/ssh/task.h"

struct task_hold;

/* Asks; number: of the request in the recording. ssh_task_allowed() or ssh_task_stop() follows, not from
 * inside of this. APPROVAL_TOO_LARGE, negative errno: nobody could be asked. */
MUST_USE int task_hold_new(struct ssh_task *task, const struct ssh_verdict *verdict, uint64_t number,
                           struct task_hold **ret);
/* What is still open is withdrawn. */
void task_hold_free(struct task_hold *hold);
/* The client has sent something. What is typed at a terminal meanwhile is dropped, as at a program that reads
 * nothing; True: it was a cancel (^C), and the request is withdrawn. */
MUST_USE bool task_hold_heard(struct task_hold *hold);
