/* What the task_guard*.c files share. */
#pragma once
#include "channels/ssh/guarded_shell.h"
#include "channels/ssh/line.h"
#include "channels/ssh/task_guard.h"
#include "policy/shell_session.h"

enum {
    GUARD_TYPED_MAX = 64 * 1024, /* bytes of the client that wait */
    GUARD_EXITS_MAX = 3,         /* a shell with stopped jobs says no at first */
    GUARD_ANSWER_MS = 10 * 1000, /* for the shell to begin a command, or to say what was typed ahead */
};

enum guard_state {
    GUARD_STARTS,
    GUARD_PROMPT, /* a line is being typed */
    GUARD_HELD,   /* people decide on it */
    GUARD_RUNS,   /* it was given to the shell */
};

struct task_guard {
    struct ssh_task *task;
    enum guard_state state;
    struct guarded_shell *shell;
    struct shell_session *names;
    struct line *line;          /* NULL without a terminal */
    struct buffer text;         /* without one: what was read of a command that is not finished */
    struct buffer ahead, typed; /* of the client: what a command left unread, then what has come since */
    struct buffer drawn;        /* on its way to ssh_task_show() */
    struct approval *approval;  /* with GUARD_HELD */
    char *held;                 /* the line that it is about */
    struct timer *soon, *answer;
    unsigned status, exits; /* status: what the next line finds in $? */
    bool awaits;            /* with GUARD_RUNS: an answer of the shell, before the command or after it */
    bool prompts;           /* the prompt is to be shown */
    bool away;              /* what was printed last has not ended its line */
    bool end_passed;        /* of the client's input */
    bool skips;             /* the rest of a line that was too long */
};

/* ---- task_guard.c ---- */
/* Shows what was drawn, or a text, where the client sees it. */
MUST_USE int guard_show(struct task_guard *guard, bool is_error, const void *bytes, size_t n);
MUST_USE int guard_show_drawn(struct task_guard *guard);
/* The prompt with what there is of a line, on a row of its own. */
MUST_USE int guard_show_prompt(struct task_guard *guard);
/* Text with line ends as the client wants them. */
MUST_USE int guard_say(struct task_guard *guard, const char *text);
/* Back to the prompt; status: for $?. */
void guard_prompt(struct task_guard *guard, unsigned status);
/* The client's bytes that are next. */
struct buffer *guard_input(struct task_guard *guard);

/* ---- task_guard_input.c ---- */
/* Keys at the prompt, as many as are for this line. */
MUST_USE int guard_edit(struct task_guard *guard);
/* Lines of a client without a terminal. */
MUST_USE int guard_read_lines(struct task_guard *guard);
/* While people decide nothing is read, but for ^C. */
MUST_USE int guard_wait(struct task_guard *guard);
/* The client sends no more, if it doesn't. */
MUST_USE int guard_end_input(struct task_guard *guard);

/* ---- task_guard_line.c ---- */
/* A whole line. 1: it runs, or waits; 0: it was refused, or does nothing. Negative: as ssh_task_show(), or it
 * can't be recorded (-EIO, with task->unrecorded). */
MUST_USE int guard_line(struct task_guard *guard, const char *text, size_t n);
/* The same for one of which not all is there. */
MUST_USE int guard_too_long(struct task_guard *guard, const char *text, size_t n);
/* What it waits for is withdrawn. */
MUST_USE int guard_cancel(struct task_guard *guard);
/* The shell is told to end, with the status of what ran last. */
MUST_USE int guard_leave(struct task_guard *guard);
