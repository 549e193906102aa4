/* A session's beginning: which login, what of the environment, what the rules say, all before the target
 * hears of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/recorder.h"
#include "channels/ssh/host.h"
#include "channels/ssh/task_hold.h"
#include "channels/ssh/task_parts.h"
#include "channels/ssh/task_transfer.h"
#include "policy/approval_digest.h"

static const struct refusal no_memory = { .code = "limit", .reason = "out of memory or descriptors" };
static const struct refusal unrecorded = { .code = "recording_unavailable",
                                           .reason = "the session can't be recorded, so it ends here" };

/* A path in LANGUAGE or TZ has programs read files that the client chose: messages that they use as formats,
 * and a shell's that it expands. */
static bool is_harmless(const Ipc__Variable *variable)
{
    const char *value = variable->value;
    bool zone = strcmp(variable->name, "TZ") == 0;
    return zone ? *value != '/' && *value != ':' && !strstr(value, "..") : !strchr(value, '/');
}

static bool is_passed_on(const char *name)
{
    static const char *const names[] = { "LANG", "LANGUAGE", "COLORTERM", "GIT_PROTOCOL", "TZ" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return strncmp(name, "LC_", 3) == 0;
}

static int take_environment(struct ssh_task *task)
{
    const Ipc__Open *open = task->channel->open;
    task->environment = calloc(open->n_environment + 1, sizeof *task->environment);
    for (size_t i = 0; task->environment && i < open->n_environment; i++) {
        if (is_passed_on(open->environment[i]->name) && is_harmless(open->environment[i]))
            task->environment[task->n_environment++] = open->environment[i];
    }
    return task->environment ? 0 : -ENOMEM;
}

/* Where rules look at paths a second session asks where they lead. */
const char *ssh_task_only(const struct ssh_task *task)
{
    bool fits = task->kind == SSH_EXEC && task->text[0] && strlen(task->text) <= TASK_ONLY_MAX;
    return fits && !(task->transfer && task_transfer_asks_paths(task->transfer)) ? task->text : NULL;
}

void ssh_task_allowed(struct ssh_task *task)
{
    task_hold_free(STEAL(task->hold));
    task->reads = false;
    ssh_task_watch(task);
    if (ssh_host_join(task->channel->gate, task->channel->target, task->login, task))
        ssh_task_stop(task, &no_memory);
}

static void go_on(struct ssh_task *task, const struct ssh_verdict *v, uint64_t number)
{
    if (task_transfer_new(task, &task->transfer) || take_environment(task) || ssh_task_prepare(task)) {
        ssh_task_stop(task, &no_memory);
        return;
    }
    int r = v->verdict.action == ACTION_HOLD ? task_hold_new(task, v, number, &task->hold) : 0;
    if (r == APPROVAL_TOO_LARGE)
        ssh_task_stop(task, &(struct refusal){ .code = "limit", .reason = "it is too large to be approved" });
    else if (r)
        ssh_task_stop(task, &no_memory);
    else if (!task->hold)
        ssh_task_allowed(task);
}

/* The recording is there: nothing has gone to the target yet. */
static void judge(struct channel *channel)
{
    struct ssh_task *task = channel->ssh_task;
    struct ssh_verdict v;
    if (ssh_verdict_of(channel->gate, channel->target, task->kind, task->text, &v)) {
        ssh_task_stop(task, &no_memory);
        return;
    }
    task->guarded = task->kind == SSH_SHELL && v.verdict.by && v.verdict.by->guarded;
    uint64_t number = recorder_next(channel->recorder);
    int r = ssh_verdict_record(task->channel->recorder, &v, task->kind, task->text, strlen(task->text));
    const struct refusal denied = {
        .code = v.verdict.code, .reason = v.reason, .rule = v.verdict.rule, .next = v.next[0] ? v.next : NULL
    };
    if (r)
        ssh_task_stop(task, &unrecorded);
    else if (v.verdict.action == ACTION_DENY)
        ssh_task_stop(task, &denied);
    else
        go_on(task, &v, number);
    ssh_verdict_clear(&v);
}

static bool has_login(const Ipc__Target *target, const char *login)
{
    for (size_t i = 0; i < target->n_logins; i++) {
        if (strcmp(target->logins[i], login) == 0)
            return true;
    }
    return strcmp(target->login, login) == 0;
}

void ssh_task_begin(struct channel *channel, const Ipc__Target *target, const char *login, enum ssh_kind kind,
                    const char *text)
{
    char reason[DETAIL_MAX];
    channel->target = target;
    if (login[0] && !has_login(target, login)) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" has no login \"%.100s\" for you", target->name,
                       login);
        channel_refuse(channel, &(struct refusal){ .code = "denied", .reason = reason });
        return;
    }
    struct ssh_task *task = calloc(1, sizeof *task);
    if (!task) {
        channel_refuse(channel, &no_memory);
        return;
    }
    *task = (struct ssh_task){ .channel = channel, .kind = kind, .out.fd = -1, .err.fd = -1 };
    buffer_init(&task->out.waiting, TASK_WAITING_MAX);
    buffer_init(&task->err.waiting, TASK_WAITING_MAX);
    buffer_init(&task->input, UPSTREAM_INPUT_MAX);
    task->login = strdup(strcmp(login, target->login) == 0 ? "" : login);
    task->text = strdup(text);
    channel->ssh_task = task;
    if (!task->login || !task->text) {
        ssh_task_stop(task, &no_memory);
        return;
    }
    channel_record_as(channel, ssh_kind_name(kind), task->login[0] ? task->login : target->login, task->text,
                      judge);
}
