/* See task_veil.h. */
#include "channels/ssh/task_veil.h"

#include <errno.h>
#include <stdlib.h>

#include "channels/masking.h"
#include "channels/ssh/task_parts.h"
#include "channels/ssh/veil.h"

struct task_veil {
    struct ssh_task *task;
    struct masking masking;
    struct ssh_veil *out, *err; /* out: NULL for a transfer */
    struct timer *timer;
    struct buffer shown;
    bool over;
};

void task_veil_free(struct task_veil *veil)
{
    if (!veil)
        return;
    ssh_veil_free(veil->out);
    ssh_veil_free(veil->err);
    masking_clear(&veil->masking);
    timer_free(veil->timer);
    buffer_free(&veil->shown);
    free(veil);
}
DEFINE_CLEANUP(struct task_veil *, task_veil_free)

/* What has come out of one of the two. */
static int show(struct task_veil *veil, bool is_error)
{
    size_t n = buffer_size(&veil->shown);
    int r = n ? ssh_task_show(veil->task, is_error, buffer_head(&veil->shown), n) : 0;
    buffer_consume(&veil->shown, n);
    buffer_shrink(&veil->shown, 0);
    return r;
}

/* Somebody waits for what may have been the beginning of a match. */
static void on_timer(void *owner)
{
    struct task_veil *veil = owner;
    int r = buffer_size(&veil->task->out.waiting) == 0 ? ssh_veil_flush(veil->out, &veil->shown) : 0;
    r = r ? r : show(veil, false);
    if (r)
        ssh_task_unshown(veil->task, r); /* which frees it */
    else if (ssh_veil_holds(veil->out))
        timer_set(veil->timer, VEIL_FLUSH_MS);
}

static int masking_of(struct ssh_task *task, struct masking *masking)
{
    const struct gate *gate = task->channel->gate;
    const struct circumstances who = { .roles = gate->identity->roles,
                                       .n_roles = gate->identity->n_roles,
                                       .target = task->channel->target->name };
    return masking_init(masking, gate->config, &who, gate->detectors);
}

static int fill(struct task_veil *veil)
{
    const struct ssh_task *task = veil->task;
    struct detectors *detectors = veil->masking.veil.detectors;
    const Ipc__Pty *pty = task->channel->pty;
    bool terminal = task->terminal && pty;
    unsigned columns = task->resized ? task->columns : pty ? pty->columns : 0;
    unsigned rows = task->resized ? task->rows : pty ? pty->rows : 0;
    int r = ssh_veil_new(detectors, &veil->masking.detect, false, 0, 0, &veil->err);
    if (r == 0 && !task->transfer)
        r = ssh_veil_new(detectors, &veil->masking.detect, terminal, columns, rows, &veil->out);
    return r ? r : timer_new(task->channel->gate->loop, on_timer, veil, &veil->timer);
}

int task_veil_new(struct ssh_task *task, struct task_veil **ret)
{
    CLEANUP(task_veil_free) struct task_veil *veil = calloc(1, sizeof *veil);
    if (!veil)
        return -ENOMEM;
    veil->task = task;
    buffer_init(&veil->shown, TASK_WAITING_MAX);
    int r = masking_of(task, &veil->masking);
    if (r || !veil->masking.veil.detectors)
        return r;
    r = fill(veil);
    if (r == 0)
        *ret = STEAL(veil);
    return r;
}

int task_veil_output(struct task_veil *veil, bool is_error, const uint8_t *bytes, size_t n)
{
    int r = ssh_veil_feed(is_error ? veil->err : veil->out, bytes, n, &veil->shown);
    if (r == 0 && veil->out && ssh_veil_holds(veil->out))
        timer_set(veil->timer, VEIL_FLUSH_MS);
    return r ? r : show(veil, is_error);
}

int task_veil_end(struct task_veil *veil)
{
    if (veil->over)
        return 0;
    veil->over = true;
    timer_stop(veil->timer);
    int r = veil->out ? ssh_veil_end(veil->out, &veil->shown) : 0;
    r = r ? r : show(veil, false);
    r = r ? r : ssh_veil_end(veil->err, &veil->shown);
    return r ? r : show(veil, true);
}

int task_veil_resize(struct task_veil *veil, uint32_t columns, uint32_t rows)
{
    return veil->out ? ssh_veil_resize(veil->out, columns, rows) : 0;
}
