/* What people are asked about a session at a host: its command or shell, or one line of a guarded shell. */
#pragma once
#include "channels/approval.h"
#include "channels/ssh/task.h"

struct task_question {
    const char *kind, *text; /* as in struct ssh_ask */
    const struct ssh_verdict *verdict;
    uint64_t number; /* of the request in the recording */
    bool terminal;
    const char *directory; /* where a guarded shell would run the line; NULL: it is none */
};

/* The client's environment, as far as the host gets it, is asked about as well. As ssh_ask(). */
MUST_USE int task_ask(struct ssh_task *task, const struct task_question *question,
                      const struct approval_calls *calls, void *owner, struct approval **ret);
