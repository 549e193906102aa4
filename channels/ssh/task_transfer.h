/* A session that moves files: SFTP, or scp, rsync or git by its command line. Between the client and the
 * target stands a transfer (channels/sftp/transfer.h), which decides and records; its contents are not
 * recorded. */
#pragma once
#include "channels/ssh/task.h"

struct task_transfer;

/* For a session that was allowed; *ret stays NULL when it is of another kind. */
MUST_USE int task_transfer_new(struct ssh_task *task, struct task_transfer **ret);
/* Files that are under way are told of. */
void task_transfer_free(struct task_transfer *transfer);

/* The connection to the target is there. True: the program may run; else ssh_task_run() or ssh_task_stop()
 * follows, perhaps from inside of this. */
MUST_USE bool task_transfer_ready(struct task_transfer *transfer);
/* Whether the host is asked where paths lead. */
bool task_transfer_asks_paths(const struct task_transfer *transfer);
/* Whether more of the client would get any further. */
bool task_transfer_wants_input(const struct task_transfer *transfer);
/* Reads once from the client. False: the task is gone. */
MUST_USE bool task_transfer_read(struct task_transfer *transfer);
/* As upstream_channel_calls.output, of the target's stdout. */
enum upstream_taken task_transfer_output(struct task_transfer *transfer, const uint8_t *bytes, size_t n);
/* Moves what can be moved; after everything that may let it. False: the task is gone. */
MUST_USE bool task_transfer_move(struct task_transfer *transfer);
void task_transfer_target_ended(struct task_transfer *transfer);
/* Everything that is for the client is with the stream. */
bool task_transfer_is_empty(const struct task_transfer *transfer);
/* The connection to the target goes: it is not used any more. */
void task_transfer_abandon(struct task_transfer *transfer);
/* Somebody broke the protocol, or it can't be recorded. */
bool task_transfer_failed(const struct task_transfer *transfer);
/* Then: ends the task, saying which. */
void task_transfer_stop(struct task_transfer *transfer);
