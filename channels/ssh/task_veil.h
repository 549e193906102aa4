/* The masks on a session's output: between the target and what records and shows it. */
#pragma once
#include "channels/ssh/task.h"

struct task_veil;

/* For a session that runs. *ret stays NULL when nothing is masked for this identity on this target. Of a
 * transfer only what it says (stderr) is masked: its contents are decided on, not rewritten. */
MUST_USE int task_veil_new(struct ssh_task *task, struct task_veil **ret);
void task_veil_free(struct task_veil *veil);
/* What may be seen of it is recorded and given to the client (ssh_task_show()). Errors are those of that, or
 * -ENOBUFS, -ENOMEM: then nothing more can be shown. */
MUST_USE int task_veil_output(struct task_veil *veil, bool is_error, const uint8_t *bytes, size_t n);
/* The target sends no more: what is held is shown. */
MUST_USE int task_veil_end(struct task_veil *veil);
MUST_USE int task_veil_resize(struct task_veil *veil, uint32_t columns, uint32_t rows);
