/* A guarded shell (docs/guarded-shells.md): each line is read and edited here, decided on, and run by one
 * shell at the target that lasts. */
#pragma once
#include "channels/ssh/task.h"

struct task_guard;

/* For a shell that runs, by the command of guarded_script.h: sets task->guard. False: it can't be, and the
 * task is gone. */
MUST_USE bool task_guard_start(struct ssh_task *task);
/* What is still open for approval is withdrawn. */
void task_guard_free(struct task_guard *guard);

/* How many bytes of the client it takes now. */
size_t task_guard_room(const struct task_guard *guard);
/* Takes all that is in there, at most that many. False: the task is gone. */
MUST_USE bool task_guard_typed(struct task_guard *guard, struct buffer *input);
/* From the target, inside of libssh. Errors are those of ssh_task_show(). */
MUST_USE int task_guard_output(struct task_guard *guard, bool is_error, const uint8_t *bytes, size_t n);
/* Does what can be done: after input, its end, room at the target. False: the task is gone. */
MUST_USE bool task_guard_move(struct task_guard *guard);
MUST_USE int task_guard_resize(struct task_guard *guard, unsigned columns);
/* The client interrupts by a signal: true when that was for a line that waits for approval. */
MUST_USE bool task_guard_interrupted(struct task_guard *guard);
