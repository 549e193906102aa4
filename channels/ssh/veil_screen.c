/* libvterm says where each character goes; we keep the characters, and for those that have not been sent yet
 * the place in the held bytes. After each piece of output, and before anything on the screen is scrolled
 * away, erased or overwritten, its text is searched. What a match covers is replaced: by a `*` in the held
 * bytes, so that all else in them stays as it was; or, where it is shown already, by drawing over it. So the
 * client's terminal is always in the state that the target believes, but for the characters that are masked.
 *
 * What libvterm does not know is not sent on, unless it is known to move nothing: a terminal that knows it
 * would show something else than what was searched. The same goes for control strings (sixels …), but for
 * titles and the like, which are searched by themselves.
 *
 * A match that goes on over lines (a key block) is found as long as its beginning is on the screen; when that
 * scrolls away, its text is carried along in front of what is searched. */
#include "channels/ssh/veil_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/ssh/veil_parts.h"
#include "channels/ssh/veil_token.h"

static struct veil_grid *grid_of(struct veil_screen *s)
{
    return &s->grids[s->alternate];
}

/* ---- searching ---- */

static void conceal(struct veil_screen *s, struct veil_cell *cell)
{
    if (cell->masked || cell->character == 0 || cell->character == ' ')
        return;
    cell->masked = true;
    if (cell->batch == s->batch)
        s->characters[cell->held].masked = true;
    else
        s->draws_over = cell->due = true;
}

static void matched(void *visitor, size_t start, size_t n)
{
    struct veil_screen *s = visitor;
    for (size_t i = start; i < start + n && i < s->text.n; i++) {
        if (s->text.cells[i])
            conceal(s, &grid_of(s)->cells[s->text.cells[i] - 1]);
        else if (i < s->text_carried && s->carry[i].byte > ' ' && s->carry[i].batch == s->batch)
            s->characters[s->carry[i].held].masked = true;
    }
}

static void ignored(void *visitor, size_t start, size_t n)
{
    (void)visitor;
    (void)start;
    (void)n;
}

/* The rows that a change can be part of a match with. */
static void rows_to_search(const struct veil_screen *s, const struct veil_grid *grid, unsigned *from,
                           unsigned *to)
{
    *from = 0;
    *to = grid->rows;
    if ((size_t)grid->rows * grid->columns <= SMALL)
        return;
    *from = s->changed_from > AROUND ? s->changed_from - AROUND : 0;
    *to = s->changed_to + AROUND < grid->rows ? s->changed_to + AROUND : grid->rows;
}

static void put_carried(struct veil_screen *s)
{
    for (; s->text.n < s->carry_n; s->text.n++) {
        s->text.bytes[s->text.n] = s->carry[s->text.n].byte;
        s->text.cells[s->text.n] = 0;
    }
}

struct region {
    unsigned from, to; /* rows */
    size_t upto;       /* the cursor's cell */
};

static struct veil_met search_as(struct veil_screen *s, const struct region *region,
                                 struct veil_reading reading)
{
    size_t hold = 0;
    s->text.n = 0;
    if (region->from == 0 && !s->alternate && !reading.masked)
        put_carried(s);
    s->text_carried = s->text.n;
    if (!reading.joined && s->text.n > 0 && s->text.n < VEIL_TEXT_MAX) {
        s->text.cells[s->text.n] = 0;
        s->text.bytes[s->text.n++] = '\n';
    }
    struct veil_met met =
        veil_grid_text(grid_of(s), region->from, region->to, reading, region->upto, &s->text);
    met.full |= s->text_carried > 0;
    size_t at = s->text.at;
    int r = detect_look(s->detectors, s->how, s->text.bytes, s->text.n, matched, s, &hold);
    r = r ? r : detect_look(s->detectors, s->how, s->text.bytes, at, ignored, NULL, &hold);
    s->waits = s->waits || (r == 0 && hold < at);
    s->fault = s->fault ? s->fault : r;
    return met;
}

static void search(struct veil_screen *s)
{
    const struct veil_grid *grid = grid_of(s);
    unsigned from, to;
    size_t upto = (size_t)s->cursor.row * grid->columns + (size_t)s->cursor.col;
    if (s->changed_to == 0 || s->fault)
        return;
    rows_to_search(s, grid, &from, &to);
    /* The cursor stands on the last column after that was written. */
    if (s->last_width && s->last.row == s->cursor.row && s->last.col + s->last_width > s->cursor.col)
        upto++;
    s->waits = false;
    s->changed_to = 0;
    const struct region region = { from, to, upto };
    struct veil_met met = search_as(s, &region, (struct veil_reading){ .joined = true });
    if (met.full)
        (void)search_as(s, &region, (struct veil_reading){ .joined = false });
    if (met.masked)
        (void)search_as(s, &region, (struct veil_reading){ .joined = true, .masked = true });
    if (met.masked && met.full)
        (void)search_as(s, &region, (struct veil_reading){ .joined = false, .masked = true });
}

static void note_change(struct veil_screen *s, unsigned row)
{
    s->changed_from = s->changed_to == 0 || row < s->changed_from ? row : s->changed_from;
    s->changed_to = row + 1 > s->changed_to ? row + 1 : s->changed_to;
}

/* ---- what libvterm tells ---- */

static int on_glyph(VTermGlyphInfo *info, VTermPos pos, void *user)
{
    struct veil_screen *s = user;
    struct veil_grid *grid = grid_of(s);
    struct veil_cell *cell = veil_grid_cell(grid, (unsigned)pos.row, (unsigned)pos.col);
    if (!cell || s->fault || info->chars[1])
        return 1; /* chars[1]: a mark that joins the character that stands there */
    if (cell->character && cell->character != info->chars[0])
        search(s);
    if (s->n_characters == HELD_CHARACTERS_MAX)
        s->fault = -ENOBUFS; /* released before: see take_tokens() */
    if (s->fault)
        return 1;
    *cell = (struct veil_cell){ .character = info->chars[0] };
    if (!s->in_sequence) {
        cell->held = (uint32_t)s->n_characters;
        cell->batch = s->batch;
        s->characters[s->n_characters++] =
            (struct held){ (uint16_t)s->token_at, (uint8_t)s->token_n, (uint8_t)info->width, false };
    }
    for (int i = 1; i < info->width; i++) {
        struct veil_cell *second = veil_grid_cell(grid, (unsigned)pos.row, (unsigned)(pos.col + i));
        if (second)
            *second = (struct veil_cell){ .second = true };
    }
    s->last = pos;
    s->last_width = info->width;
    s->last_character = info->width > 0 ? info->chars[0] : 0;
    note_change(s, (unsigned)pos.row);
    return 1;
}

static int on_cursor(VTermPos pos, VTermPos old, int visible, void *user)
{
    struct veil_screen *s = user;
    (void)old;
    (void)visible;
    s->cursor = pos;
    return 1;
}

/* Its beginning says what a match is; of a line that is none only its end can become one. */
static void shorten_carry(struct veil_screen *s, bool open)
{
    size_t head = open ? CARRY_MAX / 4 : 0, tail = open ? CARRY_MAX / 4 : CARRY_LINE;
    if (s->carry_n <= (open ? (size_t)CARRY_MAX - CARRY_LINE : CARRY_LINE))
        return;
    memmove(s->carry + head, s->carry + s->carry_n - tail, tail * sizeof *s->carry);
    s->carry_n = head + tail;
}

/* A row leaves at the top. */
static void carry_row(struct veil_screen *s, unsigned row)
{
    const struct veil_grid *grid = grid_of(s);
    bool open = false, full = veil_grid_is_full(grid, row);
    for (unsigned column = 0; column < grid->columns; column++)
        open |= veil_grid_cell(grid, row, column)->masked;
    if (!open && !full) {
        s->carry_n = 0;
        return;
    }
    s->text.n = 0;
    (void)veil_grid_text(grid, row, row + 1, (struct veil_reading){ .joined = true }, 0, &s->text);
    shorten_carry(s, open);
    for (size_t i = 0; i < s->text.n && s->carry_n < CARRY_MAX; i++) {
        const struct veil_cell *cell = s->text.cells[i] ? &grid->cells[s->text.cells[i] - 1] : NULL;
        s->carry[s->carry_n++] = (struct carried){ .byte = s->text.bytes[i],
                                                   .held = cell ? cell->held : 0,
                                                   .batch = cell ? cell->batch : 0 };
    }
}

static int on_scroll(VTermRect rect, int downward, int rightward, void *user)
{
    struct veil_screen *s = user;
    const struct veil_grid *grid = grid_of(s);
    search(s);
    bool whole = rect.start_row == 0 && rect.start_col == 0 && rect.end_col == (int)grid->columns;
    if (whole && downward > 0 && rightward == 0 && !s->alternate)
        for (unsigned row = 0; row < (unsigned)downward && row < grid->rows; row++)
            carry_row(s, row);
    return 0; /* it is told again as moves and erasures */
}

static int on_move(VTermRect to, VTermRect from, void *user)
{
    struct veil_screen *s = user;
    struct veil_grid *grid = grid_of(s);
    search(s);
    int rows = to.end_row - to.start_row, columns = to.end_col - to.start_col;
    for (int i = 0; i < rows; i++) {
        int row = to.start_row > from.start_row ? rows - 1 - i : i;
        struct veil_cell *target =
            veil_grid_cell(grid, (unsigned)(to.start_row + row), (unsigned)to.start_col);
        struct veil_cell *source =
            veil_grid_cell(grid, (unsigned)(from.start_row + row), (unsigned)from.start_col);
        if (target && source && to.end_col <= (int)grid->columns && from.end_col <= (int)grid->columns)
            memmove(target, source, (size_t)columns * sizeof *target);
        note_change(s, (unsigned)(to.start_row + row));
    }
    return 1;
}

static int on_erase(VTermRect rect, int selective, void *user)
{
    struct veil_screen *s = user;
    (void)selective;
    search(s);
    for (int row = rect.start_row; row < rect.end_row; row++)
        for (int column = rect.start_col; column < rect.end_col; column++) {
            struct veil_cell *cell = veil_grid_cell(grid_of(s), (unsigned)row, (unsigned)column);
            if (cell)
                *cell = (struct veil_cell){ .character = 0 };
        }
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct veil_screen *s = user;
    if (property == VTERM_PROP_ALTSCREEN && value->boolean != s->alternate) {
        search(s);
        s->alternate = value->boolean;
        veil_grid_clear(&s->grids[1]);
    }
    return 1;
}

static const VTermStateCallbacks callbacks = {
    .putglyph = on_glyph,
    .movecursor = on_cursor,
    .scrollrect = on_scroll,
    .moverect = on_move,
    .erase = on_erase,
    .settermprop = on_property,
};

static int unknown_control(unsigned char control, void *user)
{
    (void)control;
    ((struct veil_screen *)user)->unknown = true;
    return 1;
}

static int unknown_csi(const char *leader, const long args[], int n_args, const char *intermediate,
                       char command, void *user)
{
    (void)leader;
    (void)args;
    (void)n_args;
    (void)intermediate;
    (void)command;
    ((struct veil_screen *)user)->unknown = true;
    return 1;
}

static const VTermParserCallbacks unrecognised = { .control = unknown_control, .csi = unknown_csi };

/* ---- what goes out ---- */

/* All that is held has been sent: no cell points into it any more. */
static void forget_held(struct veil_screen *s)
{
    s->batch++;
    s->n_characters = 0;
    buffer_consume(&s->held, buffer_size(&s->held));
}

int veil_screen_release(struct veil_screen *s, struct buffer *out)
{
    search(s);
    if (s->fault)
        return s->fault;
    int r = veil_put_held(s, out);
    forget_held(s);
    if (r == 0 && s->draws_over)
        r = veil_draw_over(s, out);
    s->waits = false;
    return s->fault = r;
}

bool veil_screen_holds(const struct veil_screen *s)
{
    return buffer_size(&s->held) > 0;
}

/* ---- what comes in ---- */

static int hold(struct veil_screen *s, const uint8_t *bytes, size_t n)
{
    s->token_at = buffer_size(&s->held);
    s->token_n = n;
    int r = buffer_append(&s->held, bytes, n);
    if (r == 0)
        (void)vterm_input_write(s->vterm, (const char *)bytes, n);
    return r ? r : s->fault;
}

/* Sequences beyond libvterm that move nothing: title stack, reports, key and mouse modes. */
static bool is_idle(const uint8_t *bytes, size_t n)
{
    char last = (char)bytes[n - 1];
    if (bytes[2] == '>' || bytes[2] == '<' || bytes[2] == '=')
        return strchr("mucqtp", last) != NULL;
    if (bytes[2] == '?')
        return strchr("numc", last) != NULL;
    return strchr("tncqp", last) != NULL;
}

/* libvterm's own REP does not end when there is no character to repeat: it is sent on as what it stands for.
 */
static int repeat(struct veil_screen *s, const uint8_t *bytes, size_t n)
{
    uint8_t character[4];
    unsigned long count = strtoul((const char *)bytes + 2, NULL, 10);
    size_t length = veil_encode(s->last_character, character);
    int r = 0;
    count = n == 3 || count == 0 ? 1 : count < VEIL_SIDE_MAX ? count : VEIL_SIDE_MAX - 1;
    for (; r == 0 && s->last_character && count > 0; count--)
        r = hold(s, character, length);
    return r;
}

static int take_sequence(struct veil_screen *s, const uint8_t *bytes, size_t n)
{
    if (bytes[n - 1] == 'b')
        return bytes[2] < 0x3c && bytes[n - 2] != ' ' ? repeat(s, bytes, n) : 0;
    s->unknown = false;
    s->in_sequence = true;
    (void)vterm_input_write(s->vterm, (const char *)bytes, n);
    s->in_sequence = false;
    if (s->fault || (s->unknown && !is_idle(bytes, n)))
        return s->fault;
    return buffer_append(&s->held, bytes, n);
}

/* Titles, the working directory, colours, semantic marks, links; not the clipboard. */
static int take_osc(struct veil_screen *s, const uint8_t *bytes, size_t n)
{
    static const long known[] = { 0, 1, 2, 4, 7, 8, 10, 11, 12, 104, 110, 111, 112, 133, 777 };
    char *end = NULL;
    long code = strtol((const char *)bytes + 2, &end, 10);
    bool ok = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ok |= known[i] == code && end != (const char *)bytes + 2;
    int fires = ok ? detect_fires(s->detectors, s->how, bytes + 2, n - 2, NULL) : 0;
    if (fires < 0)
        return fires;
    return ok && !fires ? buffer_append(&s->held, bytes, n) : 0;
}

static int take(struct veil_screen *s, struct veil_token token, const uint8_t *bytes)
{
    switch (token.kind) {
    case VEIL_CHARACTER:
        return hold(s, bytes, token.n);
    case VEIL_CONTROL:
        return hold(s, bytes, token.n);
    case VEIL_SEQUENCE:
        return take_sequence(s, bytes, token.n);
    case VEIL_OSC:
        return take_osc(s, bytes, token.n);
    case VEIL_DROPPED:
    case VEIL_PART:
        break;
    }
    return token.n == 1 && bytes[0] >= 0x80 ? hold(s, (const uint8_t *)"?", 1) : 0;
}

/* A chunk is never more than can be held, so that a client that reads slowly holds nothing up in here. */
static int take_tokens(struct veil_screen *s, struct buffer *out)
{
    int r = 0;
    while (r == 0) {
        const uint8_t *bytes = buffer_head(&s->raw);
        struct veil_token token = veil_token_of(bytes, buffer_size(&s->raw));
        if (token.kind == VEIL_PART)
            break;
        if (buffer_size(&s->held) + token.n > VEIL_HOLD_MAX ||
            s->n_characters + VEIL_SIDE_MAX > HELD_CHARACTERS_MAX)
            r = veil_screen_release(s, out);
        r = r ? r : take(s, token, bytes);
        buffer_consume(&s->raw, token.n);
    }
    return r;
}

int veil_screen_feed(struct veil_screen *s, const uint8_t *bytes, size_t n, struct buffer *out)
{
    int r = s->fault;
    while (r == 0 && n > 0) {
        size_t room = buffer_room(&s->raw), piece = n < room ? n : room;
        r = buffer_append(&s->raw, bytes, piece);
        r = r ? r : take_tokens(s, out);
        bytes += piece;
        n -= piece;
    }
    if (r == 0)
        search(s);
    if (r == 0 && s->fault == 0 && !s->waits)
        r = veil_screen_release(s, out);
    s->fault = s->fault ? s->fault : r;
    return s->fault;
}

/* ---- life ---- */

static unsigned side(unsigned wanted, unsigned usual)
{
    return wanted == 0 ? usual : wanted > VEIL_SIDE_MAX ? VEIL_SIDE_MAX : wanted;
}

int veil_screen_new(struct detectors *detectors, const struct detect_how *how, unsigned columns,
                    unsigned rows, struct veil_screen **ret)
{
    CLEANUP(veil_screen_free) struct veil_screen *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    columns = side(columns, 80);
    rows = side(rows, 24);
    s->detectors = detectors;
    s->how = how;
    s->batch = 1;
    buffer_init(&s->raw, VEIL_STRING_MAX + 64);
    buffer_init(&s->held, VEIL_HOLD_MAX + VEIL_STRING_MAX + 4 * VEIL_SIDE_MAX);
    s->characters = calloc(HELD_CHARACTERS_MAX, sizeof *s->characters);
    s->vterm = vterm_new((int)rows, (int)columns);
    if (!s->vterm || !s->characters || veil_grid_init(&s->grids[0], columns, rows) ||
        veil_grid_init(&s->grids[1], columns, rows))
        return -ENOMEM;
    vterm_set_utf8(s->vterm, 1);
    s->state = vterm_obtain_state(s->vterm);
    vterm_state_set_callbacks(s->state, &callbacks, s);
    vterm_state_set_unrecognised_fallbacks(s->state, &unrecognised, s);
    vterm_state_reset(s->state, 1);
    *ret = STEAL(s);
    return 0;
}

void veil_screen_free(struct veil_screen *s)
{
    if (!s)
        return;
    if (s->vterm)
        vterm_free(s->vterm);
    veil_grid_free(&s->grids[0]);
    veil_grid_free(&s->grids[1]);
    buffer_free(&s->raw);
    buffer_free(&s->held);
    free(s->characters);
    free(s);
}

int veil_screen_resize(struct veil_screen *s, unsigned columns, unsigned rows)
{
    columns = side(columns, 80);
    rows = side(rows, 24);
    search(s);
    int r = s->fault ? s->fault : veil_grid_resize(&s->grids[0], columns, rows);
    r = r ? r : veil_grid_resize(&s->grids[1], columns, rows);
    if (r == 0)
        vterm_set_size(s->vterm, (int)rows, (int)columns);
    s->last_width = 0;
    return s->fault = r;
}
