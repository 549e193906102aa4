/* See kube_preview.h. */
#include "channels/kube_preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube_link.h"
#include "channels/recorder.h"
#include "policy/holders.h"

enum { ID_MAX = 16 };

struct kube_preview_task {
    struct gate *gate;
    struct kube_preview *preview;
    char ids[HOLDERS_MAX][ID_MAX];
    size_t n_ids;
    kube_preview_done *done; /* or NULL */
    void *owner;
    struct kube_link *link; /* NULL: it is over */
    struct timer *timer;
};

void kube_preview_task_free(struct kube_preview_task *task)
{
    if (!task)
        return;
    kube_link_free(task->link);
    timer_free(task->timer);
    kube_preview_free(task->preview);
    free(task);
}

static void tell(const struct kube_preview_task *task)
{
    struct buffer words;
    buffer_init(&words, KUBE_PREVIEW_TEXT_MAX);
    int r = kube_preview_words(task->preview, &words);
    char text[KUBE_PREVIEW_TEXT_MAX + 64];
    (void)snprintf(text, sizeof text, "%.*s%s", (int)buffer_size(&words),
                   buffer_size(&words) ? (const char *)buffer_head(&words) : "",
                   r == -ENOBUFS ? "\n[cut: the rest is not shown]\n" : "");
    buffer_free(&words);
    for (size_t i = 0; text[0] && task->gate->ledger && i < task->n_ids; i++) {
        Ipc__ApprovalPreview preview = IPC__APPROVAL_PREVIEW__INIT;
        preview.id = (char *)(uintptr_t)task->ids[i];
        preview.text = text;
        Ipc__Message message = IPC_MESSAGE(APPROVAL_PREVIEW, approval_preview, &preview);
        (void)ipc_peer_send(task->gate->ledger, &message, NULL, 0);
    }
}

static void finish(struct kube_preview_task *task)
{
    if (!task->link)
        return;
    kube_link_free(STEAL(task->link));
    timer_stop(task->timer);
    if (task->done)
        task->done(task->owner, task->preview);
    else
        tell(task);
}

static void on_timer(void *owner)
{
    finish(owner);
}

static void moved(void *owner)
{
    struct kube_preview_task *task = owner;
    struct buffer *in = kube_link_in(task->link);
    size_t taken = 0;
    int r = 0;
    while (r == 0 && buffer_size(in) > 0) {
        r = kube_preview_take(task->preview, buffer_head(in), buffer_size(in), &taken);
        buffer_consume(in, taken);
    }
    if (r || kube_link_ended(task->link))
        finish(task);
    else
        kube_link_go_on(task->link, true);
}

static void refused(void *owner, const char *code, const char *reason)
{
    (void)code, (void)reason;
    finish(owner);
}

static int fill(struct kube_preview_task *task, struct channel *channel)
{
    static const struct kube_link_calls calls = { moved, refused };
    const struct kube_link_want want = { .target = channel->target,
                                         .recording = recorder_id(channel->recorder),
                                         .purpose = "preview",
                                         .out = kube_preview_out(task->preview),
                                         .fresh = true };
    int r = timer_new(channel->gate->loop, on_timer, task, &task->timer);
    r = r ? r : kube_link_new(channel->gate, &want, &calls, task, &task->link);
    if (r == 0)
        timer_set(task->timer, KUBE_PREVIEW_WAIT_MS);
    return r;
}

/* The preview is the task's, also on failure. */
static int start(struct kube_preview_task *made, struct channel *channel, struct kube_preview_task **ret)
{
    struct kube_preview_task *task = malloc(sizeof *task);
    if (!task) {
        kube_preview_free(made->preview);
        return -ENOMEM;
    }
    *task = *made;
    int r = fill(task, channel);
    if (r) {
        kube_preview_task_free(task);
        return r;
    }
    *ret = task;
    return 0;
}

int kube_preview_task_new(struct channel *channel, struct kube_preview *preview, const char *const *ids,
                          size_t n_ids, struct kube_preview_task **ret)
{
    struct kube_preview_task task = { .gate = channel->gate, .preview = preview };
    for (; task.n_ids < n_ids && task.n_ids < HOLDERS_MAX; task.n_ids++)
        (void)snprintf(task.ids[task.n_ids], ID_MAX, "%s", ids[task.n_ids]);
    return start(&task, channel, ret);
}

int kube_preview_task_to(struct channel *channel, struct kube_preview *preview, kube_preview_done *done,
                         void *owner, struct kube_preview_task **ret)
{
    struct kube_preview_task task = {
        .gate = channel->gate, .preview = preview, .done = done, .owner = owner
    };
    return start(&task, channel, ret);
}
