/* The characters on a screen, where each came from, and the text that they make. Embedded by the screen's
 * veil. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    VEIL_TEXT_MAX = 16 * 1024, /* bytes of text that are searched at a time */
};

struct veil_cell {
    uint32_t character; /* 0: blank */
    uint32_t held;      /* index of the character that is held back, if */
    uint32_t batch;     /* is what is held now; else it is shown already */
    bool second;        /* the right half of a wide character */
    bool masked;        /* what is shown there is the mask, */
    bool due;           /* once it has been drawn */
};

struct veil_grid {
    struct veil_cell *cells;
    unsigned columns, rows;
};

struct veil_text {
    uint8_t bytes[VEIL_TEXT_MAX];
    uint32_t cells[VEIL_TEXT_MAX]; /* 1 + index of the cell; 0: of none */
    size_t n;
    size_t at; /* bytes up to the cell that was asked for */
};

/* UTF-8; returns the number of bytes. */
size_t veil_encode(uint32_t character, uint8_t out[4]);

MUST_USE int veil_grid_init(struct veil_grid *grid, unsigned columns, unsigned rows);
void veil_grid_free(struct veil_grid *grid);
/* What is in both stays. */
MUST_USE int veil_grid_resize(struct veil_grid *grid, unsigned columns, unsigned rows);
/* NULL outside of the grid. */
struct veil_cell *veil_grid_cell(const struct veil_grid *grid, unsigned row, unsigned column);
void veil_grid_clear(struct veil_grid *grid);
/* Whether the row goes on in the next one. */
bool veil_grid_is_full(const struct veil_grid *grid, unsigned row);
/* How rows make text. */
struct veil_reading {
    bool joined; /* a row that is full to its edge goes on in the next, as a line that was wrapped; else each
                    is a line */
    bool masked; /* masks are read as what is shown; else as what they stand for */
};
/* What veil_grid_text() has met: whether another reading would give another text. */
struct veil_met {
    bool full, masked;
};

/* Appends the rows [from, to) to the text. Blanks at the end of rows are left out. `upto`: the cell (row ×
 * columns + column) before which text->at is set. */
struct veil_met veil_grid_text(const struct veil_grid *grid, unsigned from, unsigned to,
                               struct veil_reading reading, size_t upto, struct veil_text *text);
