/* See veil_screen.c. */
#include "channels/ssh/veil_parts.h"

int veil_put_held(const struct veil_screen *s, struct buffer *out)
{
    const uint8_t *bytes = buffer_head(&s->held);
    size_t at = 0, n = buffer_size(&s->held);
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->n_characters; i++) {
        const struct held *c = &s->characters[i];
        if (!c->masked)
            continue;
        r = buffer_append(out, bytes + at, c->at - at);
        r = r ? r : buffer_append(out, "**", c->width > 1 ? 2 : 1);
        at = c->at + c->n;
    }
    return r || at == n ? r : buffer_append(out, bytes + at, n - at);
}

/* The pen as it was: by SGR (ECMA-48 §8.3.117) with the colours of ISO 8613-6. */
static int put_color(const struct veil_screen *s, VTermAttr attribute, int base, struct buffer *out)
{
    VTermValue value;
    if (!vterm_state_get_penattr(s->state, attribute, &value))
        return 0;
    const VTermColor *color = &value.color;
    if (VTERM_COLOR_IS_DEFAULT_FG(color) || VTERM_COLOR_IS_DEFAULT_BG(color))
        return 0;
    if (VTERM_COLOR_IS_INDEXED(color))
        return buffer_printf(out, "\x1b[%d;5;%dm", base, color->indexed.idx);
    return buffer_printf(out, "\x1b[%d;2;%d;%d;%dm", base, color->rgb.red, color->rgb.green, color->rgb.blue);
}

static int put_pen(const struct veil_screen *s, struct buffer *out)
{
    static const struct {
        VTermAttr attribute;
        int code;
    } flags[] = { { VTERM_ATTR_BOLD, 1 },  { VTERM_ATTR_ITALIC, 3 },  { VTERM_ATTR_UNDERLINE, 4 },
                  { VTERM_ATTR_BLINK, 5 }, { VTERM_ATTR_REVERSE, 7 }, { VTERM_ATTR_STRIKE, 9 } };
    int r = buffer_printf(out, "\x1b[0m");
    for (size_t i = 0; r == 0 && i < sizeof flags / sizeof flags[0]; i++) {
        VTermValue value = { .number = 0 };
        if (!vterm_state_get_penattr(s->state, flags[i].attribute, &value))
            continue;
        bool on = flags[i].attribute == VTERM_ATTR_UNDERLINE ? value.number != 0 : value.boolean != 0;
        if (on)
            r = buffer_printf(out, "\x1b[%dm", flags[i].code);
    }
    r = r ? r : put_color(s, VTERM_ATTR_FOREGROUND, 38, out);
    return r ? r : put_color(s, VTERM_ATTR_BACKGROUND, 48, out);
}

static int draw_due(struct veil_screen *s, struct buffer *out)
{
    const struct veil_grid *grid = &s->grids[s->alternate];
    int r = 0;
    for (unsigned row = 0; row < grid->rows; row++)
        for (unsigned column = 0; r == 0 && column < grid->columns; column++) {
            struct veil_cell *cell = veil_grid_cell(grid, row, column);
            if (!cell->due)
                continue;
            const struct veil_cell *right = veil_grid_cell(grid, row, column + 1);
            cell->due = false;
            r = buffer_printf(out, "\x1b[%u;%uH%s", row + 1, column + 1, right && right->second ? "**" : "*");
        }
    return r;
}

static int put_cursor(const struct veil_screen *s, struct buffer *out)
{
    /* A character in the last column leaves the cursor there, about to wrap: only writing it again does so.
     */
    bool about = s->last_width == 1 && s->last.row == s->cursor.row && s->cursor.col == s->last.col;
    const struct veil_cell *last =
        about ? veil_grid_cell(&s->grids[s->alternate], (unsigned)s->last.row, (unsigned)s->last.col) : NULL;
    int r = buffer_printf(out, "\x1b[%d;%dH", s->cursor.row + 1, s->cursor.col + 1);
    if (r || !last)
        return r;
    bool plain = !last->masked && last->character > ' ' && last->character < 0x7f;
    return buffer_printf(out, "%c", plain ? (char)last->character : '*');
}

int veil_draw_over(struct veil_screen *s, struct buffer *out)
{
    int r = buffer_printf(out, "\x1b[0m");
    r = r ? r : draw_due(s, out);
    r = r ? r : put_pen(s, out);
    s->draws_over = false;
    return r ? r : put_cursor(s, out);
}
