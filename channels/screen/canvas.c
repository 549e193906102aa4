/* See canvas.h. Only sequences that every descendant of the VT100 and xterm knows: CUP, ED, EL, SGR. */
#include "channels/screen/canvas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/screen/width.h"

static const char *const colours[STYLES] = {
    [STYLE_PLAIN] = "0",        [STYLE_DIM] = "0;2",      [STYLE_BOLD] = "0;1",   [STYLE_BAR] = "0;7",
    [STYLE_SELECTED] = "0;1;7", [STYLE_GOOD] = "0;1;32",  [STYLE_BAD] = "0;1;31", [STYLE_WARN] = "0;33",
    [STYLE_KEYWORD] = "0;1;34", [STYLE_LITERAL] = "0;32",
};
static const char *const plain[STYLES] = {
    [STYLE_PLAIN] = "0",        [STYLE_DIM] = "0;2",   [STYLE_BOLD] = "0;1", [STYLE_BAR] = "0;7",
    [STYLE_SELECTED] = "0;1;7", [STYLE_GOOD] = "0;1",  [STYLE_BAD] = "0;1",  [STYLE_WARN] = "0",
    [STYLE_KEYWORD] = "0;1",    [STYLE_LITERAL] = "0",
};

static unsigned within(unsigned n, unsigned most)
{
    return n == 0 ? 1 : n < most ? n : most;
}

static struct cell *cell_at(const struct canvas *canvas, unsigned row, unsigned column)
{
    return &canvas->cells[(size_t)row * canvas->columns + column];
}

int canvas_new(unsigned columns, unsigned rows, struct canvas **ret)
{
    struct canvas *canvas = calloc(1, sizeof *canvas);
    if (!canvas)
        return -ENOMEM;
    canvas->columns = within(columns, CANVAS_COLUMNS_MAX);
    int r = canvas_grow(canvas, within(rows, CANVAS_ROWS_MAX));
    if (r) {
        canvas_free(canvas);
        return r;
    }
    *ret = canvas;
    return 0;
}

void canvas_free(struct canvas *canvas)
{
    if (!canvas)
        return;
    free(canvas->cells);
    free(canvas);
}

int canvas_grow(struct canvas *canvas, unsigned rows)
{
    if (rows > CANVAS_ROWS_MAX - canvas->rows)
        return -ENOBUFS;
    unsigned first = canvas->rows;
    void *more = reallocarray(canvas->cells, (size_t)(first + rows) * canvas->columns, sizeof *canvas->cells);
    if (!more)
        return -ENOMEM;
    canvas->cells = more;
    canvas->rows += rows;
    for (unsigned row = first; row < canvas->rows; row++)
        canvas_fill(canvas, row, STYLE_PLAIN);
    return 0;
}

void canvas_fill(struct canvas *canvas, unsigned row, enum style style)
{
    for (unsigned column = 0; column < canvas->columns; column++)
        *cell_at(canvas, row, column) = (struct cell){ .code = ' ', .style = (uint8_t)style };
}

/* Half of a wide character can't stay behind. */
static void clear_halves(struct canvas *canvas, unsigned row, unsigned column, unsigned width)
{
    if (column > 0 && cell_at(canvas, row, column)->tail)
        cell_at(canvas, row, column - 1)->code = ' ';
    if (column + width < canvas->columns && cell_at(canvas, row, column + width)->tail)
        *cell_at(canvas, row, column + width) =
            (struct cell){ .code = ' ', .style = cell_at(canvas, row, column + width)->style };
}

static void set(struct canvas *canvas, unsigned row, unsigned column, unsigned width, enum style style,
                uint32_t code)
{
    clear_halves(canvas, row, column, width);
    *cell_at(canvas, row, column) = (struct cell){ .code = code, .style = (uint8_t)style };
    if (width == 2)
        *cell_at(canvas, row, column + 1) = (struct cell){ .style = (uint8_t)style, .tail = true };
}

static unsigned columns_of(const char *text, const char *end)
{
    unsigned n = 0;
    while (text < end)
        n += width_of(utf8_next(&text, end));
    return n;
}

unsigned canvas_put(struct canvas *canvas, unsigned row, unsigned column, unsigned end, enum style style,
                    const char *text, size_t n)
{
    const char *at = text, *stop = text + n;
    unsigned start = column;
    if (end > canvas->columns)
        end = canvas->columns;
    if (row >= canvas->rows || column >= end)
        return column;
    bool cut = columns_of(at, stop) > end - column;
    unsigned last = cut ? end - 1 : end; /* room for the sign of the cut */
    while (at < stop) {
        uint32_t code = utf8_next(&at, stop);
        unsigned width = width_of(code);
        if (width == 0) {
            if (column > start)
                cell_at(canvas, row, column - 1 - cell_at(canvas, row, column - 1)->tail)->mark = code;
            continue;
        }
        if (column + width > last)
            break;
        set(canvas, row, column, width, style, code < 0x20 || (code >= 0x7f && code < 0xa0) ? 0xfffd : code);
        column += width;
    }
    if (cut)
        set(canvas, row, column++, 1, style, 0x2026);
    return column;
}

void canvas_copy(struct canvas *to, unsigned to_row, const struct canvas *from, unsigned from_row,
                 unsigned rows)
{
    for (unsigned i = 0; i < rows && to_row + i < to->rows && from_row + i < from->rows; i++)
        memcpy(cell_at(to, to_row + i, 0), cell_at(from, from_row + i, 0), to->columns * sizeof *to->cells);
}

/* ---- painting ---- */

static bool is_same(const struct cell *a, const struct cell *b)
{
    return a->code == b->code && a->mark == b->mark && a->style == b->style && a->tail == b->tail;
}

static bool is_blank(const struct cell *cell)
{
    return cell->code == ' ' && cell->mark == 0 && cell->style == STYLE_PLAIN && !cell->tail;
}

static int paint_cell(const struct cell *cell, bool colour, int *style, struct buffer *out)
{
    char utf8[8];
    int r = 0;
    if (cell->tail)
        return 0;
    if (*style != cell->style)
        r = buffer_printf(out, "\x1b[%sm", (colour ? colours : plain)[cell->style]);
    *style = cell->style;
    size_t n = utf8_put(utf8, cell->code);
    if (cell->mark)
        n += utf8_put(utf8 + n, cell->mark);
    return r ? r : buffer_append(out, utf8, n);
}

/* From the first column that differs to the last one; what is blank up to the end is erased. */
static int paint_row(const struct canvas *before, const struct canvas *now, unsigned row, bool colour,
                     int *style, struct buffer *out)
{
    unsigned first = 0, last = now->columns, text = now->columns;
    while (before && first < last && is_same(cell_at(before, row, first), cell_at(now, row, first)))
        first++;
    while (before && last > first && is_same(cell_at(before, row, last - 1), cell_at(now, row, last - 1)))
        last--;
    if (first == last)
        return 0;
    if (first > 0 && cell_at(now, row, first)->tail)
        first--;
    while (text > first && is_blank(cell_at(now, row, text - 1)))
        text--;
    int r = buffer_printf(out, "\x1b[%u;%uH", row + 1, first + 1);
    for (unsigned column = first; column < last && column < text && r == 0; column++)
        r = paint_cell(cell_at(now, row, column), colour, style, out);
    if (r == 0 && last > text) {
        r = buffer_printf(out, *style == STYLE_PLAIN ? "\x1b[K" : "\x1b[0m\x1b[K");
        *style = STYLE_PLAIN;
    }
    return r;
}

int canvas_paint(const struct canvas *before, const struct canvas *now, bool colour, struct buffer *out)
{
    int style = -1, r = before ? 0 : buffer_printf(out, "\x1b[0m\x1b[2J");
    for (unsigned row = 0; row < now->rows && r == 0; row++)
        r = paint_row(before, now, row, colour, &style, out);
    return r || style <= STYLE_PLAIN ? r : buffer_printf(out, "\x1b[0m");
}
