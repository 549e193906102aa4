/* One line: what it does, what the rules say, what is recorded of it, and who else has to agree. Lines are
 * judged as exec lines are (channel "exec"), with what earlier ones have defined. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/recorder.h"
#include "channels/refusal.h"
#include "channels/ssh/ask.h"
#include "channels/ssh/task_ask.h"
#include "channels/ssh/task_guard_parts.h"
#include "channels/ssh/task_parts.h"
#include "policy/approval_digest.h"
#include "policy/transfer_servers.h"

/* What can't be sent, whatever the rules say: the shell would read something else than what was judged. */
static bool is_text(const char *text, size_t n)
{
    if (memchr(text, '\0', n) || !text_is_utf8(text, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (((uint8_t)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static bool is_empty(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\n", text[i]))
            return false;
    return true;
}

/* `exit`, `exit 3`, `logout`: to leave needs no rule. */
static bool is_exit(const char *text)
{
    static const char blanks[] = " \t\n";
    text += strspn(text, blanks);
    size_t n = strcspn(text, blanks);
    if (!(n == 4 && memcmp(text, "exit", 4) == 0) && !(n == 6 && memcmp(text, "logout", 6) == 0))
        return false;
    text += n;
    text += strspn(text, blanks);
    n = strspn(text, "0123456789");
    return n <= 3 && text[n + strspn(text + n, blanks)] == '\0';
}

static int run(struct task_guard *guard, const char *text, size_t n)
{
    int r = shell_session_ran(guard->names, text, n);
    r = r ? r : guarded_shell_run(guard->shell, text, n, guard->status);
    if (r)
        return r;
    guard->state = GUARD_RUNS;
    timer_set(guard->soon, 0);
    return 1;
}

int guard_leave(struct task_guard *guard)
{
    static const char leave[] = "exit";
    if (guard->exits++ == GUARD_EXITS_MAX)
        return -EPIPE;
    int r = guarded_shell_run(guard->shell, leave, sizeof leave - 1, guard->status);
    if (r == 0)
        guard->state = GUARD_RUNS;
    return r;
}

/* ---- refusals ---- */

static int refuse(struct task_guard *guard, const struct refusal *why)
{
    char lines[4096];
    guard->status = refusal_status(why);
    return guard_say(guard, refusal_lines(why, lines, sizeof lines));
}

static int record(struct task_guard *guard, struct ssh_verdict *v, const char *text, size_t n)
{
    struct ssh_task *task = guard->task;
    int r = ssh_verdict_record(task->channel->recorder, v, SSH_EXEC, text, n);
    task->unrecorded |= r != 0;
    return r ? -EIO : 0;
}

/* Without rules: what is no text of a command. */
static int refuse_unread(struct task_guard *guard, const char *code, const char *reason, const char *text,
                         size_t n)
{
    struct ssh_verdict v = { .verdict = { .action = ACTION_DENY, .code = code, .rule = "default" } };
    (void)snprintf(v.reason, sizeof v.reason, "%s", reason);
    int r = record(guard, &v, text, n);
    return r ? r : refuse(guard, &(struct refusal){ .code = code, .reason = reason });
}

int guard_too_long(struct task_guard *guard, const char *text, size_t n)
{
    return refuse_unread(guard, "limit", "the line is longer than 24 KiB; send files by sftp", text, n);
}

/* ---- approvals ---- */

static void opened(void *owner, const char *const *ids, size_t n)
{
    (void)owner;
    (void)ids;
    (void)n;
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    struct task_guard *guard = owner;
    char text[2048];
    (void)detail;
    (void)snprintf(text, sizeof text, "gatehouse: %s\n%s%s%s", message, hint ? "gatehouse: next: " : "",
                   hint ? hint : "", hint ? "\n" : "");
    int r = guard_say(guard, text);
    if (r)
        ssh_task_unshown(guard->task, r);
}

static void agreed(void *owner)
{
    const struct task_guard *guard = owner;
    approval_use(guard->approval);
}

static void forget(struct task_guard *guard, const char *why)
{
    approval_drop(STEAL(guard->approval), why);
    free(STEAL(guard->held));
}

static void go(void *owner)
{
    struct task_guard *guard = owner;
    CLEANUP(free) char *text = STEAL(guard->held);
    forget(guard, "it runs");
    int r = run(guard, text, strlen(text));
    if (r < 0)
        ssh_task_unshown(guard->task, r);
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    struct task_guard *guard = owner;
    char words[1024];
    ssh_ask_words(words, sizeof words, reason, request);
    int r = refuse(guard, &(struct refusal){ .code = code, .reason = words, .rule = rule });
    forget(guard, "it was refused");
    if (r) {
        ssh_task_unshown(guard->task, r);
        return;
    }
    guard_prompt(guard, guard->status);
    timer_set(guard->soon, 0);
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

int guard_cancel(struct task_guard *guard)
{
    forget(guard, "it was cancelled");
    int r = refuse(guard, &(struct refusal){ .code = "denied",
                                             .reason = "cancelled: the request for approval is withdrawn" });
    guard_prompt(guard, guard->status);
    return r;
}

static int hold(struct task_guard *guard, const struct ssh_verdict *verdict, uint64_t number,
                const char *text, size_t n)
{
    guard->held = strndup(text, n);
    const struct task_question question = { .kind = ssh_kind_what(SSH_EXEC),
                                            .text = guard->held,
                                            .verdict = verdict,
                                            .number = number,
                                            .terminal = guard->line != NULL,
                                            .directory = guarded_shell_directory(guard->shell) };
    int r = guard->held ? task_ask(guard->task, &question, &calls, guard, &guard->approval) : -ENOMEM;
    if (r == 0) {
        guard->state = GUARD_HELD;
        return 1;
    }
    free(STEAL(guard->held));
    if (r == APPROVAL_TOO_LARGE)
        return refuse(guard,
                      &(struct refusal){ .code = "limit", .reason = "it is too large to be approved" });
    return refuse(guard, &(struct refusal){ .code = "limit", .reason = "nobody can be asked now" });
}

/* ---- the line ---- */

static int judge(struct task_guard *guard, const char *text, size_t n, struct ssh_verdict *ret)
{
    const struct ssh_task *task = guard->task;
    const struct gate *gate = task->channel->gate;
    const Ipc__Target *target = task->channel->target;
    const struct circumstances who = ssh_circumstances(gate, target, SSH_EXEC, "");
    struct effects effects = { 0 };
    int r = shell_session_effects(guard->names, text, n, &effects);
    if (r == 0)
        r = transfer_servers_add(gate->rules, &who, NULL, &effects);
    if (r == 0)
        r = ssh_verdict_of_effects(gate, target, SSH_EXEC, "", &effects, ret);
    effects_free(&effects);
    return r;
}

static int decide(struct task_guard *guard, const char *text, size_t n)
{
    struct ssh_verdict v;
    int r = judge(guard, text, n, &v);
    if (r)
        return r;
    uint64_t number = recorder_next(guard->task->channel->recorder);
    r = record(guard, &v, text, n);
    if (r == 0 && v.verdict.action == ACTION_DENY)
        r = refuse(guard, &(struct refusal){ .code = v.verdict.code,
                                             .reason = v.reason,
                                             .rule = v.verdict.rule,
                                             .next = v.next[0] ? v.next : NULL });
    else if (r == 0)
        r = v.verdict.action == ACTION_HOLD ? hold(guard, &v, number, text, n) : run(guard, text, n);
    ssh_verdict_clear(&v);
    return r;
}

int guard_line(struct task_guard *guard, const char *text, size_t n)
{
    if (is_empty(text, n))
        return 0;
    if (!is_text(text, n))
        return refuse_unread(guard, "unparsable", "there are control characters in it, or it is not UTF-8",
                             text, n);
    if (n > SHELL_LINE_MAX)
        return guard_too_long(guard, text, n);
    if (is_exit(text)) {
        int r = guarded_shell_run(guard->shell, text, n, guard->status);
        guard->state = r ? guard->state : GUARD_RUNS;
        return r ? r : 1;
    }
    return decide(guard, text, n);
}
