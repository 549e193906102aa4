/* What task.c does for the parts of a task: task_begin.c, task_transfer.c. */
#pragma once
#include "channels/ssh/task.h"

/* Takes over the client's descriptors. */
MUST_USE int ssh_task_prepare(struct ssh_task *task);
/* Sends what the client's side takes at once; the rest waits. -EPIPE: nobody reads it. */
MUST_USE int ssh_task_give(struct task_stream *stream, const uint8_t *bytes, size_t n);
/* Waits for what the streams are ready for. */
void ssh_task_watch(struct ssh_task *task);
/* Bytes have moved: the end is passed on, or the session over. False: the task is gone. */
MUST_USE bool ssh_task_moved(struct ssh_task *task);
/* What the command line names was decided on: it runs now, or (code is not NULL) is refused. False: the task
 * is gone. */
MUST_USE bool ssh_task_decided(struct ssh_task *task, const char *code, const char *reason);
/* What may be seen: recorded, then given to the client. -EPIPE: nobody reads it; others: it can't be
 * recorded. */
MUST_USE int ssh_task_show(struct ssh_task *task, bool is_error, const uint8_t *bytes, size_t n);
/* Outside of libssh: it could not be shown. The task may be gone. */
void ssh_task_unshown(struct ssh_task *task, int error);
/* Nothing stands in its way any more: the host is connected to, and it runs. */
void ssh_task_allowed(struct ssh_task *task);
/* While people decide: what is asked of them is withdrawn, and the session refused. */
void ssh_task_cancel(struct ssh_task *task);
