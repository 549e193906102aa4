/* The line that is typed at a guarded shell's prompt: keys in, and what a terminal has to be sent. With the
 * keys of bash (emacs mode), a history, brackets around pastes. No I/O. docs/guarded-shells.md, "Keys" */
#pragma once
#include "base/buffer.h"

enum {
    LINE_MAX_BYTES =
        24 * 1024, /* SHELL_LINE_MAX: what is typed or pasted beyond makes the line one that is too long */
    LINE_HISTORY_MAX = 500, /* lines; the oldest go */
    LINE_HISTORY_SIZE = 256 * 1024,
    LINE_PROMPT_MAX = 256,
    LINE_SEARCH_MAX = 128,
    LINE_COLUMNS_MAX = 4096, /* a wider terminal is taken for one of these */
};

/* What a key leads to. */
enum line_wish {
    LINE_GOES_ON,
    LINE_ENTERED,
    LINE_CANCELLED, /* ^C */
    LINE_CLOSED,    /* ^D in an empty line */
};

struct line;

MUST_USE int line_new(unsigned columns, struct line **ret);
void line_free(struct line *line);
DEFINE_CLEANUP(struct line *, line_free)

/* Shows the prompt (text without control characters, cut beyond LINE_PROMPT_MAX) and what there is of a line.
 * The cursor has to be at the left edge. */
MUST_USE int line_show(struct line *line, const char *prompt, struct buffer *out);
/* Takes it off the screen, for something else to be printed; line_show() brings it back. */
MUST_USE int line_hide(struct line *line, struct buffer *out);
/* One byte of the keyboard. After LINE_ENTERED the text is read by line_text(), and line_more() or
 * line_take() is next. */
MUST_USE int line_key(struct line *line, uint8_t byte, struct buffer *out, enum line_wish *ret);
/* What was entered; NUL-terminated, in use until the next call. */
const char *line_text(const struct line *line, size_t *ret_n);
bool line_is_too_long(const struct line *line); /* then not all of it is there, and it means nothing */
/* It is not finished: another line is added. */
MUST_USE int line_more(struct line *line, struct buffer *out);
/* It is: the cursor goes below it, it goes into the history, and the next one begins empty. */
MUST_USE int line_take(struct line *line, struct buffer *out);
/* As after ^C. */
MUST_USE int line_drop(struct line *line, struct buffer *out);
MUST_USE int line_resize(struct line *line, unsigned columns, struct buffer *out);
