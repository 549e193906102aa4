/* See task_hold.h. What is approved is the line, what it does, as whom, and what of the client's environment
 * the host gets: all of it is in the digest. */
#include "channels/ssh/task_hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "channels/approval.h"
#include "channels/ssh/task_parts.h"
#include "policy/approval_digest.h"

enum { CONTEXT_MAX = 16, TYPED_MAX = 4096, CANCEL = 0x03 };

struct task_hold {
    struct ssh_task *task;
    struct approval *approval;
};

void task_hold_free(struct task_hold *hold)
{
    if (!hold)
        return;
    approval_drop(hold->approval, "the client left");
    free(hold);
}
DEFINE_CLEANUP(struct task_hold *, task_hold_free)

/* ---- what the approval tells ---- */

static void say(struct ssh_task *task, const char *word, const char *text)
{
    char line[1536];
    int n = snprintf(line, sizeof line, "gatehouse: %s%s%s", word, text, task->channel->pty ? "\r\n" : "\n");
    if (n > 0)
        (void)!ssh_task_give(&task->err, (const uint8_t *)line,
                             (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    ssh_task_watch(task);
}

static void opened(void *owner, const char *const *ids, size_t n)
{
    (void)owner;
    (void)ids;
    (void)n;
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    const struct task_hold *hold = owner;
    (void)detail;
    say(hold->task, "", message);
    if (hint)
        say(hold->task, "next: ", hint);
}

static void agreed(void *owner)
{
    const struct task_hold *hold = owner;
    approval_use(hold->approval);
}

static void go(void *owner)
{
    const struct task_hold *hold = owner;
    ssh_task_allowed(hold->task);
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    const struct task_hold *hold = owner;
    char words[1024], id[32];
    (void)snprintf(id, sizeof id, "%s", request);
    (void)snprintf(words, sizeof words, *id && !strstr(reason, id) ? "%s: request %s" : "%s", reason, id);
    ssh_task_stop(hold->task, &(struct refusal){ .code = code, .reason = words, .rule = rule });
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

/* ---- what is asked ---- */

struct context {
    Ipc__Variable items[CONTEXT_MAX], *list[CONTEXT_MAX];
    size_t n;
};

static int add(struct context *context, const char *name, const char *value)
{
    if (context->n == CONTEXT_MAX)
        return APPROVAL_TOO_LARGE;
    Ipc__Variable *item = &context->items[context->n];
    *item = (Ipc__Variable)IPC__VARIABLE__INIT;
    item->name = (char *)(uintptr_t)name;
    item->value = (char *)(uintptr_t)value;
    context->list[context->n++] = item;
    return 0;
}

static int fill(const struct ssh_task *task, struct context *context)
{
    int r = task->login[0] ? add(context, "login", task->login) : 0;
    r = r ? r : add(context, "terminal", task->channel->pty ? "yes" : "no");
    for (size_t i = 0; r == 0 && i < task->n_environment; i++)
        r = add(context, task->environment[i]->name, task->environment[i]->value);
    return r;
}

static const char *kind_of(const struct ssh_task *task)
{
    return task->kind == SSH_EXEC ? "command" : ssh_kind_name(task->kind);
}

static int ask(struct task_hold *hold, const struct ssh_verdict *verdict, uint64_t number)
{
    const struct ssh_task *task = hold->task;
    struct context context = { .n = 0 };
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    CLEANUP(free) uint8_t *packed = NULL;
    uint8_t digest[APPROVAL_DIGEST];
    size_t n = 0;
    int r = fill(task, &context);
    content.statement = (ProtobufCBinaryData){ strlen(task->text), (uint8_t *)task->text };
    content.effects = (char **)(uintptr_t)verdict->effects;
    content.n_effects = verdict->n_effects;
    content.context = context.list;
    content.n_context = context.n;
    r = r ? r : approval_pack(&content, &packed, &n);
    if (r)
        return r;
    const struct approval_subject subject =
        approval_subject_of(task->channel->gate, task->channel->target, kind_of(task));
    approval_digest(&subject, &content, digest);
    const struct approval_question question = { .kind = kind_of(task),
                                                .target = task->channel->target,
                                                .content = packed,
                                                .content_n = n,
                                                .digest = digest,
                                                .number = number,
                                                .holders = &verdict->holders };
    return approval_new(task->channel->gate, task->channel->recorder, &question, &calls, hold,
                        &hold->approval);
}

int task_hold_new(struct ssh_task *task, const struct ssh_verdict *verdict, uint64_t number,
                  struct task_hold **ret)
{
    CLEANUP(task_hold_free) struct task_hold *hold = calloc(1, sizeof *hold);
    if (!hold)
        return -ENOMEM;
    hold->task = task;
    if (verdict->holders.overflow)
        return APPROVAL_TOO_LARGE;
    int r = ask(hold, verdict, number);
    if (r)
        return r;
    task->reads = task->channel->pty != NULL;
    ssh_task_watch(task);
    *ret = STEAL(hold);
    return 0;
}

bool task_hold_heard(struct task_hold *hold)
{
    char typed[TYPED_MAX];
    if (!hold->task->reads)
        return false;
    ssize_t n = recv(hold->task->out.fd, typed, sizeof typed, MSG_DONTWAIT);
    if (n == 0) { /* it sends no more, and may still wait for the end */
        hold->task->reads = false;
        ssh_task_watch(hold->task);
    }
    return n > 0 && memchr(typed, CANCEL, (size_t)n);
}
