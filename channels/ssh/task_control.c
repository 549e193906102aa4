/* What a client asks of its session besides sending bytes: another size, a signal. */
#include <string.h>

#include "channels/recorder.h"
#include "channels/ssh/host.h"
#include "channels/ssh/task_guard.h"
#include "channels/ssh/task_parts.h"
#include "channels/ssh/task_veil.h"

void ssh_task_window(struct ssh_task *task, const Ipc__Window *window)
{
    struct upstream *upstream = ssh_host_upstream(task->host);
    if (task->channel->recorder)
        (void)!recorder_resize(task->channel->recorder, window->columns, window->rows);
    if (!task->session || !task->running) {
        task->resized = true;
        task->columns = window->columns;
        task->rows = window->rows;
        return;
    }
    if (task->veil && task_veil_resize(task->veil, window->columns, window->rows)) {
        ssh_task_stop(task, &(struct refusal){ .code = "limit", .reason = "out of memory" });
        return;
    }
    if (task->guard) {
        int r = task_guard_resize(task->guard, window->columns);
        if (r) {
            ssh_task_unshown(task, r);
            return;
        }
    }
    upstream_channel_window(task->session, window->columns, window->rows);
    upstream_settle(upstream);
}

void ssh_task_cancel(struct ssh_task *task)
{
    ssh_task_stop(task, &(struct refusal){ .code = "denied",
                                           .reason = "cancelled: the request for approval is withdrawn" });
}

static bool is_end(const char *signal)
{
    static const char *const names[] = { "INT", "TERM", "HUP", "QUIT", "KILL" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], signal) == 0)
            return true;
    return false;
}

void ssh_task_signal(struct ssh_task *task, const char *name)
{
    struct upstream *upstream = ssh_host_upstream(task->host);
    if (task->hold && is_end(name)) {
        ssh_task_cancel(task);
        return;
    }
    if (!task->session || !task->running ||
        (task->guard && is_end(name) && task_guard_interrupted(task->guard)))
        return;
    upstream_channel_signal(task->session, name);
    upstream_settle(upstream);
}
