/* File operations of one session at a host that wait until people have agreed: several at once, each by
 * itself, while others go on. */
#pragma once
#include "channels/sftp/judge.h"
#include "channels/ssh/task.h"

struct file_holds;

/* What was decided; transfer_decided() is next. Never called from inside of file_holds_ask(). */
typedef void file_holds_decided(void *owner, const struct file_verdict *verdict);

/* judge: says what waits and what was refused. All borrowed. */
MUST_USE int file_holds_new(struct ssh_task *task, struct file_judge *judge, file_holds_decided *decided,
                            void *owner, struct file_holds **ret);
/* What is still open is withdrawn. */
void file_holds_free(struct file_holds *holds);
/* 0; APPROVAL_TOO_LARGE, or negative: nobody could be asked. At most FILE_HELD_MAX at once (-EMFILE). */
MUST_USE int file_holds_ask(struct file_holds *holds, const struct file_question *question);
