/* See veil_grid.h. */
#include "channels/ssh/veil_grid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int veil_grid_init(struct veil_grid *grid, unsigned columns, unsigned rows)
{
    struct veil_cell *cells = calloc((size_t)columns * rows, sizeof *cells);
    if (!cells)
        return -ENOMEM;
    *grid = (struct veil_grid){ cells, columns, rows };
    return 0;
}

void veil_grid_free(struct veil_grid *grid)
{
    free(grid->cells);
    *grid = (struct veil_grid){ NULL, 0, 0 };
}

int veil_grid_resize(struct veil_grid *grid, unsigned columns, unsigned rows)
{
    struct veil_grid wanted;
    int r = veil_grid_init(&wanted, columns, rows);
    if (r)
        return r;
    unsigned width = columns < grid->columns ? columns : grid->columns;
    for (unsigned row = 0; row < rows && row < grid->rows; row++)
        memcpy(&wanted.cells[(size_t)row * columns], &grid->cells[(size_t)row * grid->columns],
               width * sizeof *wanted.cells);
    veil_grid_free(grid);
    *grid = wanted;
    return 0;
}

struct veil_cell *veil_grid_cell(const struct veil_grid *grid, unsigned row, unsigned column)
{
    return row < grid->rows && column < grid->columns ? &grid->cells[(size_t)row * grid->columns + column]
                                                      : NULL;
}

void veil_grid_clear(struct veil_grid *grid)
{
    memset(grid->cells, 0, (size_t)grid->columns * grid->rows * sizeof *grid->cells);
}

size_t veil_encode(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(0xff << (8 - n) | c);
    return n;
}

static void put(struct veil_text *text, uint32_t character, size_t cell)
{
    uint8_t bytes[4];
    size_t n = veil_encode(character ? character : ' ', bytes);
    if (text->n + n > VEIL_TEXT_MAX)
        return;
    memcpy(text->bytes + text->n, bytes, n);
    for (size_t i = 0; i < n; i++)
        text->cells[text->n++] = (uint32_t)cell;
}

static unsigned used(const struct veil_grid *grid, unsigned row)
{
    const struct veil_cell *cells = &grid->cells[(size_t)row * grid->columns];
    unsigned n = grid->columns;
    while (n > 0 && cells[n - 1].character == 0 && !cells[n - 1].second)
        n--;
    return n;
}

bool veil_grid_is_full(const struct veil_grid *grid, unsigned row)
{
    return used(grid, row) == grid->columns;
}

struct veil_met veil_grid_text(const struct veil_grid *grid, unsigned from, unsigned to,
                               struct veil_reading reading, size_t upto, struct veil_text *text)
{
    struct veil_met met = { false, false };
    text->at = text->n;
    for (unsigned row = from; row < to && row < grid->rows; row++) {
        size_t first = (size_t)row * grid->columns;
        unsigned n = used(grid, row);
        for (unsigned column = 0; column < n; column++) {
            const struct veil_cell *cell = &grid->cells[first + column];
            met.masked |= cell->masked;
            if (!cell->second)
                put(text, cell->masked && reading.masked ? '*' : cell->character, first + column + 1);
            if (first + column < upto)
                text->at = text->n;
        }
        met.full |= n == grid->columns;
        if (n < grid->columns || !reading.joined)
            put(text, '\n', 0);
        if (first + grid->columns <= upto)
            text->at = text->n;
    }
    return met;
}
