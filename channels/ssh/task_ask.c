/* See task_ask.h. */
#include "channels/ssh/task_ask.h"

#include <string.h>

#include "base/text.h"
#include "channels/ssh/ask.h"
#include "policy/approval_digest.h"

static Ipc__Variable variable(const char *name, const char *value)
{
    Ipc__Variable v = IPC__VARIABLE__INIT;
    v.name = (char *)(uintptr_t)name;
    v.value = (char *)(uintptr_t)value;
    return v;
}

int task_ask(struct ssh_task *task, const struct task_question *question, const struct approval_calls *calls,
             void *owner, struct approval **ret)
{
    char directory[1024];
    const Ipc__Variable terminal = variable("terminal", question->terminal ? "yes" : "no"),
                        shell = variable("shell", "guarded"), place = variable("directory", directory);
    const Ipc__Variable *context[SSH_CONTEXT_MAX] = { &terminal };
    size_t n = 1;
    if (question->directory) {
        (void)text_escape(directory, sizeof directory, question->directory, strlen(question->directory),
                          false);
        context[n++] = &shell;
        context[n++] = &place;
    }
    if (task->n_environment + n > SSH_CONTEXT_MAX)
        return APPROVAL_TOO_LARGE;
    for (size_t i = 0; i < task->n_environment; i++)
        context[n++] = task->environment[i];
    const struct ssh_ask about = { .kind = question->kind,
                                   .text = question->text,
                                   .effects = (const char *const *)question->verdict->effects,
                                   .n_effects = question->verdict->n_effects,
                                   .number = question->number,
                                   .holders = &question->verdict->holders,
                                   .login = task->login,
                                   .context = context,
                                   .n_context = n };
    return ssh_ask(task->channel, &about, calls, owner, ret);
}
