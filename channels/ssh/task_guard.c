/* What the client types is for the line while one is being typed, and for the command while one runs: only
 * then does any of it get to the target, and the shell there takes nothing of it for a command
 * (guarded_script.c). Between the two, from when a line is sent until the shell says that it has begun, it
 * waits here.
 *
 * task_guard_output() is called inside of libssh: it shows and sets states; what is to be sent, and the next
 * line, waits for the loop's next round, as it does with transfers. */
#include "channels/ssh/task_guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"
#include "channels/approval.h"
#include "channels/recorder.h"
#include "channels/ssh/echo.h"
#include "channels/ssh/host.h"
#include "channels/ssh/task_guard_parts.h"
#include "channels/ssh/task_parts.h"
#include "channels/ssh/task_veil.h"

enum { DIRECTORY_SHOWN = 60 };

/* ---- what is shown ---- */

int guard_show(struct task_guard *guard, bool is_error, const void *bytes, size_t n)
{
    struct ssh_task *task = guard->task;
    if (n == 0 || task->client_gone)
        return 0;
    return task->veil ? task_veil_output(task->veil, is_error, bytes, n)
                      : ssh_task_show(task, is_error, bytes, n);
}

int guard_show_drawn(struct task_guard *guard)
{
    int r = guard_show(guard, false, buffer_head(&guard->drawn), buffer_size(&guard->drawn));
    buffer_consume(&guard->drawn, buffer_size(&guard->drawn));
    buffer_shrink(&guard->drawn, 0);
    return r;
}

int guard_say(struct task_guard *guard, const char *text)
{
    if (!guard->line)
        return guard_show(guard, true, text, strlen(text));
    int r = 0;
    while (r == 0 && *text) {
        size_t n = strcspn(text, "\n");
        r = buffer_append(&guard->drawn, text, n);
        text += n;
        if (r == 0 && *text == '\n') {
            r = buffer_append(&guard->drawn, "\r\n", 2);
            text++;
        }
    }
    return r ? r : guard_show_drawn(guard);
}

void guard_prompt(struct task_guard *guard, unsigned status)
{
    guard->state = GUARD_PROMPT;
    guard->status = status;
    guard->prompts = true;
}

/* "deploy@web1:~/src$ " */
static void put_prompt(const struct task_guard *guard, char *out, size_t size)
{
    const struct ssh_task *task = guard->task;
    const char *directory = guarded_shell_directory(guard->shell), *home = guarded_shell_home(guard->shell);
    size_t n = strlen(home), length;
    bool at_home = n > 1 && strncmp(directory, home, n) == 0 && (directory[n] == '/' || directory[n] == '\0');
    char shown[4 * DIRECTORY_SHOWN];
    const char *cut = "";
    directory += at_home ? n : 0;
    length = strlen(directory);
    if (length > DIRECTORY_SHOWN) {
        directory += length - DIRECTORY_SHOWN;
        while (((uint8_t)*directory & 0xc0) == 0x80)
            directory++;
        cut = "...";
    }
    (void)text_escape(shown, sizeof shown, directory, strlen(directory), false);
    (void)snprintf(out, size, "%s@%s:%s%s%s$ ", task->login[0] ? task->login : task->channel->target->login,
                   task->channel->target->name, at_home ? "~" : "", cut, shown);
}

/* The prompt with what there is of a line, on a row of its own. */
int guard_show_prompt(struct task_guard *guard)
{
    char prompt[LINE_PROMPT_MAX];
    int r = 0;
    guard->prompts = false;
    if (!guard->line)
        return 0;
    put_prompt(guard, prompt, sizeof prompt);
    if (guard->away)
        r = buffer_append(&guard->drawn, "\r\n", 2);
    guard->away = false;
    r = r ? r : line_show(guard->line, prompt, &guard->drawn);
    return r ? r : guard_show_drawn(guard);
}

/* ---- a shell that does not answer ---- */

/* A job in the background may have made the terminal swallow what the shell waits for: then it waits for
 * ever. A command that runs has been answered for. */
static void watch_answer(struct task_guard *guard)
{
    bool awaits = guard->state == GUARD_RUNS && !guarded_shell_runs(guard->shell);
    if (!awaits)
        timer_stop(guard->answer);
    else if (!guard->awaits)
        timer_set(guard->answer, GUARD_ANSWER_MS);
    guard->awaits = awaits;
}

/* It may be a slow target as well, so this is all that is done. */
static void unanswered(void *owner)
{
    struct task_guard *guard = owner;
    struct ssh_task *task = guard->task;
    char text[512];
    if (task->over)
        return;
    if (buffer_size(&task->out.waiting) > 0) { /* the answer may be behind what the client does not read */
        timer_set(guard->answer, GUARD_ANSWER_MS);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "gatehouse: the shell at the target has not answered for %d seconds; a job there may have "
                   "changed the mode of the terminal\n"
                   "gatehouse: next: wait if the target is slow; else close this connection%s and connect "
                   "again\n",
                   GUARD_ANSWER_MS / 1000, guard->line ? " (Enter ~ .)" : "");
    int r = guard_say(guard, text);
    if (r)
        ssh_task_unshown(task, r);
}

/* ---- from the shell ---- */

/* Whether the cursor was left within a row, as far as that can be seen without following the screen. */
static bool is_away(const uint8_t *bytes, size_t n)
{
    uint8_t last = n ? bytes[n - 1] : '\n';
    const uint8_t *escape = n ? memrchr(bytes, 0x1b, n < 16 ? n : 16) : NULL;
    return last != '\n' && last != '\r' && !escape;
}

static int printed(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    struct task_guard *guard = owner;
    int r = 0;
    if (guard->line && guard->state == GUARD_PROMPT) { /* a job in the background */
        r = line_hide(guard->line, &guard->drawn);
        r = r ? r : guard_show_drawn(guard);
        guard->prompts = true;
    }
    guard->away = is_away(bytes, n);
    return r ? r : guard_show(guard, is_error, bytes, n);
}

static int ended(struct task_guard *guard, bool ran)
{
    struct ssh_task *task = guard->task;
    timer_stop(task->limit);
    if (task->echo && echo_end(task->echo)) {
        task->unrecorded = true;
        return -EIO;
    }
    if (!ran && guard_say(guard, "gatehouse: interrupted before it ran\n"))
        return -EPIPE;
    guard_prompt(guard, ran ? guarded_shell_status(guard->shell) : 130);
    return 0;
}

static int heard(void *owner, enum guarded_news news, const char *text, size_t n)
{
    struct task_guard *guard = owner;
    timer_set(guard->soon, 0);
    switch (news) {
    case GUARDED_TYPED:
        return n > buffer_room(&guard->ahead) ? 0 : buffer_append(&guard->ahead, text, n);
    case GUARDED_BEGUN:
        watch_answer(guard);
        return 0;
    default:
        return ended(guard, news != GUARDED_LOST);
    }
}

static const struct guarded_calls shell_calls = { printed, heard };

int task_guard_output(struct task_guard *guard, bool is_error, const uint8_t *bytes, size_t n)
{
    int r = guarded_shell_output(guard->shell, is_error, bytes, n);
    if (buffer_size(guarded_shell_waiting(guard->shell)) > 0)
        timer_set(guard->soon, 0);
    watch_answer(guard);
    if (r == 0 && guard->prompts && guard->state == GUARD_PROMPT)
        r = guard_show_prompt(guard);
    return r;
}

/* ---- to the shell ---- */

/* False: the task is gone. */
static bool stop(struct task_guard *guard, int error)
{
    ssh_task_unshown(guard->task, error);
    return false;
}

/* -EPIPE: the target reads no more. */
static int send_waiting(struct task_guard *guard)
{
    struct ssh_task *task = guard->task;
    struct buffer *waiting = guarded_shell_waiting(guard->shell);
    for (;;) {
        size_t n = buffer_size(waiting), room = n && task->session ? upstream_channel_room(task->session) : 0;
        n = n < room ? n : room;
        if (n == 0)
            return 0;
        if (upstream_channel_write(task->session, buffer_head(waiting), n))
            task->input_over = true;
        buffer_consume(waiting, n);
        buffer_shrink(waiting, 0);
    }
}

struct buffer *guard_input(struct task_guard *guard)
{
    return buffer_size(&guard->ahead) ? &guard->ahead : &guard->typed;
}

/* Keys for the command that runs. */
static int pass_keys(struct task_guard *guard)
{
    struct ssh_task *task = guard->task;
    while (guard->line && guarded_shell_runs(guard->shell) &&
           buffer_size(guarded_shell_waiting(guard->shell)) == 0) {
        struct buffer *input = guard_input(guard);
        size_t n = buffer_size(input);
        if (n == 0)
            return 0;
        if (task->echo && echo_typed(task->echo, buffer_head(input), n)) {
            task->unrecorded = true;
            return -EIO;
        }
        int r = guarded_shell_type(guard->shell, buffer_head(input), n);
        buffer_consume(input, n);
        buffer_shrink(input, 0);
        r = r ? r : send_waiting(guard);
        if (r)
            return r;
    }
    return 0;
}

/* ---- moving ---- */

bool task_guard_move(struct task_guard *guard)
{
    struct ssh_task *task = guard->task;
    if (task->over || !task->session)
        return true;
    int r = guard->state == GUARD_HELD ? guard_wait(guard) : 0;
    if (r == 0 && guard->state == GUARD_PROMPT)
        r = guard->line ? guard_edit(guard) : guard_read_lines(guard);
    r = r ? r : send_waiting(guard);
    r = r ? r : pass_keys(guard);
    r = r ? r : guard_end_input(guard);
    r = r ? r : send_waiting(guard);
    watch_answer(guard);
    return r ? stop(guard, r) : ssh_task_moved(task);
}

/* ---- for the task ---- */

size_t task_guard_room(const struct task_guard *guard)
{
    bool waits = guard->state == GUARD_RUNS || guard->state == GUARD_STARTS ||
                 (guard->state == GUARD_HELD && !guard->line);
    size_t n = buffer_size(&guard->typed);
    return waits && n > GUARD_TYPED_MAX / 2 ? 0 : GUARD_TYPED_MAX - n;
}

bool task_guard_typed(struct task_guard *guard, struct buffer *input)
{
    int r = buffer_append(&guard->typed, buffer_head(input), buffer_size(input));
    buffer_consume(input, buffer_size(input));
    buffer_shrink(input, 0);
    return r ? stop(guard, r) : task_guard_move(guard);
}

int task_guard_resize(struct task_guard *guard, unsigned columns)
{
    int r = guard->line ? line_resize(guard->line, columns, &guard->drawn) : 0;
    return r ? r : guard_show_drawn(guard);
}

bool task_guard_interrupted(struct task_guard *guard)
{
    if (guard->state != GUARD_HELD)
        return false;
    int r = guard_cancel(guard);
    if (r)
        (void)stop(guard, r);
    else
        timer_set(guard->soon, 0);
    return true;
}

static void soon(void *owner)
{
    struct task_guard *guard = owner;
    struct upstream *upstream = ssh_host_upstream(guard->task->host);
    (void)!task_guard_move(guard);
    if (upstream)
        upstream_settle(upstream);
}

void task_guard_free(struct task_guard *guard)
{
    if (!guard)
        return;
    approval_drop(guard->approval, "the client left");
    free(guard->held);
    timer_free(guard->soon);
    timer_free(guard->answer);
    guarded_shell_free(guard->shell);
    shell_session_free(guard->names);
    line_free(guard->line);
    buffer_free(&guard->text);
    buffer_free(&guard->ahead);
    buffer_free(&guard->typed);
    buffer_free(&guard->drawn);
    free(guard);
}
DEFINE_CLEANUP(struct task_guard *, task_guard_free)

static int make_nonce(char out[GUARDED_NONCE + 1])
{
    uint8_t bytes[GUARDED_NONCE / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int make(struct ssh_task *task, struct task_guard **ret)
{
    CLEANUP(task_guard_free) struct task_guard *guard = calloc(1, sizeof *guard);
    char nonce[GUARDED_NONCE + 1];
    if (!guard)
        return -ENOMEM;
    guard->task = task;
    buffer_init(&guard->text, SHELL_LINE_MAX);
    buffer_init(&guard->ahead, 2 * GUARDED_MARK_MAX);
    buffer_init(&guard->typed, GUARD_TYPED_MAX);
    buffer_init(&guard->drawn, TASK_WAITING_MAX);
    const Ipc__Pty *pty = task->channel->pty;
    int r = make_nonce(nonce);
    r = r ? r : guarded_shell_new(task->terminal, nonce, &shell_calls, guard, &guard->shell);
    r = r ? r : shell_session_new(&guard->names);
    if (r == 0 && task->terminal)
        r = line_new(task->resized ? task->columns : pty->columns, &guard->line);
    r = r ? r : timer_new(task->channel->gate->loop, soon, guard, &guard->soon);
    r = r ? r : timer_new(task->channel->gate->loop, unanswered, guard, &guard->answer);
    if (r)
        return r;
    timer_set(task->limit, TASK_START_LIMIT_MS);
    *ret = STEAL(guard);
    return 0;
}

bool task_guard_start(struct ssh_task *task)
{
    if (task->channel->pty && !task->terminal) {
        ssh_task_stop(task, &(struct refusal){ .code = "target_unavailable",
                                               .reason = "the target gave no terminal",
                                               .next = "try without one: ssh -T" });
        return false;
    }
    if (make(task, &task->guard) == 0)
        return true;
    ssh_task_stop(task, &(struct refusal){ .code = "limit", .reason = "out of memory or descriptors" });
    return false;
}
