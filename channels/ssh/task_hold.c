/* See task_hold.h. */
#include "channels/ssh/task_hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "channels/ssh/ask.h"
#include "channels/ssh/task_ask.h"
#include "channels/ssh/task_parts.h"

enum { TYPED_MAX = 4096, CANCEL = 0x03 };

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
    char words[1024];
    ssh_ask_words(words, sizeof words, reason, request);
    ssh_task_stop(hold->task, &(struct refusal){ .code = code, .reason = words, .rule = rule });
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

int task_hold_new(struct ssh_task *task, const struct ssh_verdict *verdict, uint64_t number,
                  struct task_hold **ret)
{
    CLEANUP(task_hold_free) struct task_hold *hold = calloc(1, sizeof *hold);
    if (!hold)
        return -ENOMEM;
    hold->task = task;
    const struct task_question question = { .kind = ssh_kind_what(task->kind),
                                            .text = task->text,
                                            .verdict = verdict,
                                            .number = number,
                                            .terminal = task->channel->pty != NULL };
    int r = task_ask(task, &question, &calls, hold, &hold->approval);
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
