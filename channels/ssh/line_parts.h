/* What the line_*.c files share. */
#pragma once
#include "channels/ssh/line.h"
#include "channels/ssh/line_keys.h"

struct line_history {
    char *lines[LINE_HISTORY_MAX]; /* the newest last */
    size_t n, size;
};

struct line {
    char text[LINE_MAX_BYTES + 1], killed[LINE_MAX_BYTES + 1];
    size_t n, at, killed_n; /* at: the cursor, between characters */
    bool too_long;
    struct line_keys keys;

    struct line_history history;
    size_t chosen;   /* in it; history.n: the line that is being typed, */
    char *put_aside; /* which is here while another is shown */
    bool searches;
    char wanted[LINE_SEARCH_MAX + 1];
    size_t wanted_n;

    char prompt[LINE_PROMPT_MAX + 1];
    unsigned columns;
    unsigned row, column; /* of the cursor; row: below the first of the prompt */
    bool shown, redraws;  /* redraws: the line differs from what is shown */
};

/* ---- line_text.c: where characters and words begin, and changes of the text ---- */
size_t line_before(const struct line *line, size_t at);
size_t line_behind(const struct line *line, size_t at);
/* Where the word begins that the cursor is behind; blanks: words are what is between blanks. */
size_t line_left_of(const struct line *line, bool blanks);
size_t line_right_of(const struct line *line);
/* Of the line of text that the cursor is in. */
size_t line_start_of(const struct line *line);
size_t line_end_of(const struct line *line);
void line_remove(struct line *line, size_t from, size_t to);
void line_kill(struct line *line, size_t from, size_t to);       /* line_remove(), and kept */
bool line_insert(struct line *line, const char *text, size_t n); /* false: there is no room: it is too long */
void line_set(struct line *line, const char *text);
void line_swap(struct line *line);

/* ---- line_history.c ---- */
MUST_USE int line_history_add(struct line_history *history, const char *text, size_t n);
void line_history_free(struct line_history *history);
/* The newest line before `from` that has the text in it; history->n: none. */
size_t line_history_find(const struct line_history *history, size_t from, const char *text);

/* ---- line_draw.c ---- */
/* All of it, from its first row on. */
MUST_USE int line_draw(struct line *line, struct buffer *out);
/* The cursor goes below the text. */
MUST_USE int line_leave(struct line *line, struct buffer *out);
/* A character was put at the end of the text, and nothing else differs. False: all has to be drawn. */
bool line_draw_last(struct line *line, size_t from, struct buffer *out, int *ret);
