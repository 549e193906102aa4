/* See board_parts.h. */
#include <errno.h>
#include <string.h>

#include "channels/screen/board_parts.h"
#include "channels/screen/width.h"

enum { GROW = 32, TAB = 4 };

void pen_begin(struct pen *pen, unsigned indent, unsigned rows)
{
    pen->row++;
    pen->column = pen->indent = indent;
    pen->rows_left = rows;
    if (pen->row >= pen->page->rows && pen->error == 0)
        pen->error = canvas_grow(pen->page, GROW);
}

static void go_on_below(struct pen *pen)
{
    if (pen->rows_left > 1)
        pen_begin(pen, pen->indent, pen->rows_left - 1);
    else
        pen->rows_left = 0;
}

static void put_one(struct pen *pen, enum style style, const char *text, size_t n, unsigned width)
{
    if (pen->column + width > pen->page->columns) {
        go_on_below(pen);
        if (*text == ' ')
            return; /* the end of the row stands for it */
    }
    if (pen->error || pen->rows_left == 0)
        return;
    unsigned behind = canvas_put(pen->page, pen->row, pen->column, pen->page->columns, style, text, n);
    pen->column = width ? behind : pen->column;
}

/* Columns up to the next blank. */
static unsigned word_width(const char *at, const char *end)
{
    unsigned width = 0;
    while (at < end && *at != ' ' && *at != '\n' && *at != '\t')
        width += width_of(utf8_next(&at, end));
    return width;
}

/* A word goes below as a whole, if it fits there. */
static void make_room(struct pen *pen, const char *at, const char *end)
{
    unsigned width = word_width(at, end), columns = pen->page->columns;
    if (pen->column > pen->indent && pen->column + width > columns && pen->indent + width <= columns)
        go_on_below(pen);
}

void pen_text(struct pen *pen, enum style style, const char *text, size_t n)
{
    const char *at = text, *end = text + n;
    while (at < end && pen->error == 0 && pen->rows_left > 0) {
        const char *start = at;
        if (at == text || at[-1] == ' ')
            make_room(pen, at, end);
        uint32_t code = utf8_next(&at, end);
        if (code == '\n') {
            go_on_below(pen);
            continue;
        }
        if (code == '\t') {
            for (int i = 0; i < TAB && pen->column < pen->page->columns; i++)
                put_one(pen, style, " ", 1, 1);
            continue;
        }
        /* A mark goes with the character that it combines with. */
        while (at < end) {
            const char *next = at;
            if (width_of(utf8_next(&next, end)) != 0)
                break;
            at = next;
        }
        put_one(pen, style, start, (size_t)(at - start), width_of(code));
    }
}

void pen_clip(struct pen *pen, enum style style, const char *text, unsigned columns)
{
    if (pen->error || pen->row >= pen->page->rows)
        return;
    pen->column =
        canvas_put(pen->page, pen->row, pen->column, pen->column + columns, style, text, strlen(text));
}
