/* What the client sends, as lines: edited at a terminal, or one by one as they come; and its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/ssh/task_guard_parts.h"

enum { INTERRUPT = 0x03, END_OF_FILE = 0x04 };

static int finish_line(struct task_guard *guard)
{
    size_t n = 0;
    const char *text = line_text(guard->line, &n);
    bool too_long = line_is_too_long(guard->line);
    int r = too_long ? 0 : shell_is_unfinished(text, n);
    if (r < 0)
        return r;
    if (r > 0) {
        r = line_more(guard->line, &guard->drawn);
        return r ? r : guard_show_drawn(guard);
    }
    CLEANUP(free) char *copy = strndup(text, n);
    if (!copy)
        return -ENOMEM;
    r = line_take(guard->line, &guard->drawn);
    r = r ? r : guard_show_drawn(guard);
    r = r ? r : too_long ? guard_too_long(guard, copy, n) : guard_line(guard, copy, n);
    if (r == 0)
        guard_prompt(guard, guard->status);
    return r < 0 ? r : 0;
}

static int take_wish(struct task_guard *guard, enum line_wish wish)
{
    int r = guard_show_drawn(guard);
    if (r)
        return r;
    switch (wish) {
    case LINE_ENTERED:
        return finish_line(guard);
    case LINE_CANCELLED:
        r = line_drop(guard->line, &guard->drawn);
        guard_prompt(guard, 130);
        return r ? r : guard_show_drawn(guard);
    case LINE_CLOSED:
        r = line_take(guard->line, &guard->drawn);
        r = r ? r : guard_show_drawn(guard);
        return r ? r : guard_leave(guard);
    default:
        return 0;
    }
}

/* Keys at the prompt, as many as are for this line. */
int guard_edit(struct task_guard *guard)
{
    int r = 0;
    while (r == 0 && guard->state == GUARD_PROMPT) {
        struct buffer *input = guard_input(guard);
        enum line_wish wish = LINE_GOES_ON;
        if (guard->prompts)
            r = guard_show_prompt(guard);
        if (r || buffer_size(input) == 0)
            break;
        while (r == 0 && buffer_size(input) > 0 && wish == LINE_GOES_ON) {
            r = line_key(guard->line, *buffer_head(input), &guard->drawn, &wish);
            buffer_consume(input, 1);
            if (buffer_room(&guard->drawn) < buffer_size(&guard->drawn))
                r = r ? r : guard_show_drawn(guard);
        }
        buffer_shrink(input, 0);
        r = r ? r : take_wish(guard, wish);
    }
    return r;
}

/* Without a terminal: one more line of text. 1: it can be decided on. */
static int add_line(struct task_guard *guard, const uint8_t *line, size_t n)
{
    struct buffer *text = &guard->text;
    n -= n > 0 && line[n - 1] == '\r';
    int r = buffer_size(text) > 0 ? buffer_append(text, "\n", 1) : 0;
    r = r ? r : buffer_append(text, line, n);
    if (r)
        return r;
    bool last = guard->task->input_over && buffer_size(&guard->typed) == 0;
    r = shell_is_unfinished((const char *)buffer_head(text), buffer_size(text));
    return r < 0 ? r : r == 0 || last;
}

static int run_text(struct task_guard *guard, bool too_long)
{
    size_t n = buffer_size(&guard->text);
    CLEANUP(free) char *text = malloc(n + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, n ? (const void *)buffer_head(&guard->text) : "", n);
    text[n] = '\0';
    buffer_free(&guard->text);
    buffer_init(&guard->text, SHELL_LINE_MAX);
    int r = too_long ? guard_too_long(guard, text, n) : guard_line(guard, text, n);
    return r < 0 ? r : 0;
}

int guard_read_lines(struct task_guard *guard)
{
    struct buffer *typed = &guard->typed;
    int r = 0;
    while (r == 0 && guard->state == GUARD_PROMPT && buffer_size(typed) > 0) {
        const uint8_t *head = buffer_head(typed), *end = memchr(head, '\n', buffer_size(typed));
        size_t n = end ? (size_t)(end - head) : buffer_size(typed);
        bool too_long = n >= SHELL_LINE_MAX - buffer_size(&guard->text);
        if (!end && !too_long && !guard->task->input_over)
            return 0;
        CLEANUP(free) uint8_t *line = malloc(n + 1);
        if (!line)
            return -ENOMEM;
        memcpy(line, head, n);
        buffer_consume(typed, n + (end ? 1 : 0));
        buffer_shrink(typed, 0);
        if (guard->skips || too_long) {
            r = guard->skips ? 0 : run_text(guard, true);
            guard->skips = !end;
            continue;
        }
        r = add_line(guard, line, n);
        r = r > 0 ? run_text(guard, false) : r;
    }
    return r;
}

/* The client sends no more. */
int guard_end_input(struct task_guard *guard)
{
    struct ssh_task *task = guard->task;
    if (!task->input_over || buffer_size(&guard->ahead) > 0 || buffer_size(&guard->typed) > 0)
        return 0;
    if (guard->line && guard->state == GUARD_PROMPT)
        return guard_leave(guard);
    if (guard->line && guarded_shell_runs(guard->shell) && !guard->end_passed) {
        static const uint8_t key = END_OF_FILE;
        guard->end_passed = true;
        return guarded_shell_type(guard->shell, &key, 1);
    }
    if (guard->line || guard->state != GUARD_PROMPT)
        return 0;
    return buffer_size(&guard->text) > 0 ? run_text(guard, false) : guard_leave(guard);
}

/* While people decide nothing is read, but for ^C. */
int guard_wait(struct task_guard *guard)
{
    struct buffer *input = guard_input(guard);
    if (!guard->line || buffer_size(input) == 0)
        return 0;
    bool cancelled = memchr(buffer_head(input), INTERRUPT, buffer_size(input)) != NULL;
    buffer_consume(&guard->ahead, buffer_size(&guard->ahead));
    buffer_consume(&guard->typed, buffer_size(&guard->typed));
    return cancelled ? guard_cancel(guard) : 0;
}
