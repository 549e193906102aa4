/* The line on a screen: it is drawn anew from its first row on, but for what is typed at its end. A text that
 * ends at the right edge leaves the cursor there on some terminals, and below on others: so a line end is
 * sent in its place. */
#include <string.h>
#include "channels/screen/width.h"
#include "channels/ssh/line_parts.h"

enum { TAB = 8 };

static const char MORE[] = "> "; /* before the second line, and those behind it */

/* Where the cursor is, and what is to be sent; out: NULL to measure only. */
struct pen {
    struct buffer *out;
    unsigned columns, row, column;
    int error;
};

static void put(struct pen *pen, const void *bytes, size_t n)
{
    if (pen->out && pen->error == 0)
        pen->error = buffer_append(pen->out, bytes, n);
}

static void next_row(struct pen *pen)
{
    put(pen, "\r\n", 2);
    pen->row++;
    pen->column = 0;
}

static void put_character(struct pen *pen, const char *bytes, size_t n, unsigned width)
{
    if (pen->column + width > pen->columns) /* a wide one does not fit */
        next_row(pen);
    put(pen, bytes, n);
    pen->column += width;
    if (pen->column == pen->columns)
        next_row(pen);
}

static void put_text(struct pen *pen, const char *text, size_t n)
{
    for (const char *at = text, *end = text + n; at < end;) {
        const char *from = at;
        uint32_t code = utf8_next(&at, end);
        if (code == '\n') {
            next_row(pen);
            put_text(pen, MORE, sizeof MORE - 1);
        } else if (code == '\t') {
            for (unsigned left = TAB - pen->column % TAB; left > 0; left--)
                put_character(pen, " ", 1, 1);
        } else {
            put_character(pen, from, (size_t)(at - from), width_of(code));
        }
    }
}

static void put_prompt(const struct line *line, struct pen *pen)
{
    static const char search[] = "(search: ", found[] = ") ";
    if (!line->searches) {
        put_text(pen, line->prompt, strlen(line->prompt));
        return;
    }
    put_text(pen, search, sizeof search - 1);
    put_text(pen, line->wanted, line->wanted_n);
    put_text(pen, found, sizeof found - 1);
}

static struct pen pen_for(const struct line *line, struct buffer *out)
{
    return (struct pen){ .out = out, .columns = line->columns };
}

/* Where the character at `at` stands. */
static struct pen measure(const struct line *line, size_t at)
{
    struct pen pen = pen_for(line, NULL);
    put_prompt(line, &pen);
    put_text(&pen, line->text, at);
    return pen;
}

static void move_up(struct pen *pen, unsigned rows)
{
    if (rows > 0 && pen->error == 0)
        pen->error = buffer_printf(pen->out, "\x1b[%uA", rows);
}

int line_hide(struct line *line, struct buffer *out)
{
    struct pen pen = pen_for(line, out);
    if (!line->shown)
        return 0;
    move_up(&pen, line->row);
    put(&pen, "\r\x1b[J", 4);
    line->shown = false;
    line->row = 0;
    return pen.error;
}

int line_draw(struct line *line, struct buffer *out)
{
    struct pen pen = pen_for(line, out), to = measure(line, line->at);
    int r = line_hide(line, out);
    if (r)
        return r;
    put_prompt(line, &pen);
    put_text(&pen, line->text, line->n);
    move_up(&pen, pen.row - to.row);
    put(&pen, "\r", 1);
    if (to.column > 0 && pen.error == 0)
        pen.error = buffer_printf(out, "\x1b[%uC", to.column);
    line->row = to.row;
    line->column = to.column;
    line->shown = true;
    line->redraws = false;
    return pen.error;
}

bool line_draw_last(struct line *line, size_t from, struct buffer *out, int *ret)
{
    struct pen pen = { .out = out, .columns = line->columns, .row = line->row, .column = line->column };
    uint8_t first = (uint8_t)line->text[from];
    if (line->searches || !line->shown || line->redraws || first < ' ')
        return false;
    put_text(&pen, line->text + from, line->n - from);
    line->row = pen.row;
    line->column = pen.column;
    *ret = pen.error;
    return true;
}

int line_leave(struct line *line, struct buffer *out)
{
    if (!line->shown)
        return 0;
    struct pen end = measure(line, line->n), pen = pen_for(line, out);
    for (unsigned row = line->row; row < end.row; row++)
        put(&pen, "\r\n", 2);
    if (end.column > 0)
        put(&pen, "\r\n", 2);
    line->shown = false;
    line->row = 0;
    return pen.error;
}
