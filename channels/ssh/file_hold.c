/* See file_hold.h. What is approved is the operation with its paths, as the target knows them, and the login:
 * not the content of a file. The target's answer to where a path leads may have changed by the time that
 * people have decided, so it is asked once more then (channels/sftp/). */
#include "channels/ssh/file_hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/ssh/ask.h"

struct file_hold {
    struct file_hold *next;
    struct file_holds *all;
    struct approval *approval;
    uint64_t number;
    char about[FILE_MESSAGE_MAX]; /* the operation, for people */
};

struct file_holds {
    struct ssh_task *task;
    struct file_judge *judge;
    file_holds_decided *decided;
    void *owner;
    struct file_hold *list;
    size_t n;
};

static void drop(struct file_hold *hold, const char *why)
{
    struct file_holds *all = hold->all;
    for (struct file_hold **at = &all->list; *at; at = &(*at)->next) {
        if (*at == hold) {
            *at = hold->next;
            all->n--;
            break;
        }
    }
    approval_drop(hold->approval, why);
    free(hold);
}

/* ---- what the approval tells ---- */

static void opened(void *owner, const char *const *ids, size_t n)
{
    (void)owner;
    (void)ids;
    (void)n;
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    const struct file_hold *hold = owner;
    struct file_judge *judge = hold->all->judge;
    char line[3 * FILE_MESSAGE_MAX];
    (void)detail;
    (void)hint;
    (void)snprintf(line, sizeof line, "gatehouse: %.*s: %s\n", FILE_MESSAGE_MAX, message, hold->about);
    judge->complain(judge->owner, line);
}

static void agreed(void *owner)
{
    const struct file_hold *hold = owner;
    approval_use(hold->approval);
}

static void tell(struct file_hold *hold, const struct file_verdict *verdict, const char *why)
{
    struct file_holds *all = hold->all;
    drop(hold, why);
    all->decided(all->owner, verdict);
}

static void go(void *owner)
{
    struct file_hold *hold = owner;
    tell(hold, &(struct file_verdict){ .allowed = true, .number = hold->number }, "it runs");
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    struct file_hold *hold = owner;
    struct file_verdict verdict = { .number = hold->number };
    char words[FILE_MESSAGE_MAX];
    ssh_ask_words(words, sizeof words, reason, request);
    file_refusal(&verdict, code, words, rule);
    file_judge_complain(hold->all->judge, &verdict, hold->about);
    tell(hold, &verdict, "it was refused");
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

/* ---- asking ---- */

static int ask(struct file_hold *hold, const struct file_question *question)
{
    const struct ssh_task *task = hold->all->task;
    Ipc__Variable channel = IPC__VARIABLE__INIT;
    const Ipc__Variable *context[] = { &channel };
    channel.name = (char *)(uintptr_t) "channel";
    channel.value = (char *)(uintptr_t)hold->all->judge->who.channel;
    const struct ssh_ask about = { .kind = "file",
                                   .text = question->text,
                                   .effects = question->effects,
                                   .n_effects = question->n_effects,
                                   .number = question->number,
                                   .holders = question->holders,
                                   .login = task->login,
                                   .context = context,
                                   .n_context = 1 };
    return ssh_ask(task->channel, &about, &calls, hold, &hold->approval);
}

int file_holds_ask(struct file_holds *holds, const struct file_question *question)
{
    if (holds->n >= FILE_HELD_MAX)
        return -EMFILE;
    struct file_hold *hold = calloc(1, sizeof *hold);
    if (!hold)
        return -ENOMEM;
    hold->all = holds;
    hold->number = question->number;
    (void)text_escape(hold->about, sizeof hold->about, question->text, strlen(question->text), false);
    int r = ask(hold, question);
    if (r) {
        free(hold);
        return r;
    }
    hold->next = holds->list;
    holds->list = hold;
    holds->n++;
    return 0;
}

int file_holds_new(struct ssh_task *task, struct file_judge *judge, file_holds_decided *decided, void *owner,
                   struct file_holds **ret)
{
    struct file_holds *holds = calloc(1, sizeof *holds);
    if (!holds)
        return -ENOMEM;
    *holds = (struct file_holds){ .task = task, .judge = judge, .decided = decided, .owner = owner };
    *ret = holds;
    return 0;
}

void file_holds_free(struct file_holds *holds)
{
    if (!holds)
        return;
    while (holds->list)
        drop(holds->list, "the client left");
    free(holds);
}
