/* A grid of characters in styles, and the bytes that turn one into another on a terminal. No I/O. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"

enum { CANVAS_COLUMNS_MAX = 500, CANVAS_ROWS_MAX = 4000 };

enum style {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_BAR,      /* the first and the last row */
    STYLE_SELECTED, /* the row that keys act on */
    STYLE_GOOD,
    STYLE_BAD,
    STYLE_WARN,
    STYLE_KEYWORD,
    STYLE_LITERAL,
    STYLES
};

struct cell {
    uint32_t code, mark; /* mark: a character that combines with it, or 0 */
    uint8_t style;
    bool tail; /* the right half of a wide character: nothing of its own */
};

struct canvas {
    unsigned columns, rows;
    struct cell *cells;
};

/* Blank. Sizes beyond the limits are cut to them, and 0 is 1. */
MUST_USE int canvas_new(unsigned columns, unsigned rows, struct canvas **ret);
void canvas_free(struct canvas *canvas);
DEFINE_CLEANUP(struct canvas *, canvas_free)
/* More rows, blank. -ENOBUFS beyond CANVAS_ROWS_MAX. */
MUST_USE int canvas_grow(struct canvas *canvas, unsigned rows);
/* A whole row in one style, blank. */
void canvas_fill(struct canvas *canvas, unsigned row, enum style style);
/* Puts UTF-8 text without control characters, at most to the column `end`, and cut there with "…". Returns
 * the column behind it. */
unsigned canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned end, enum style style,
                    const char *text, size_t n);
/* Copies rows of one into another of the same width. */
void canvas_copy(struct canvas *to, unsigned to_row, const struct canvas *from, unsigned from_row,
                 unsigned rows);

/* What a terminal has to be sent that shows `before` (NULL: anything) to show `now`, of the same size. The
 * cursor is anywhere afterwards. colour: else only bold, dim, reverse. */
MUST_USE int canvas_paint(const struct canvas *before, const struct canvas *now, bool colour,
                          struct buffer *out);
