/* The whole screen: a bar, the part of the page that is in sight, and a row for notes and prompts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "channels/screen/board_parts.h"
#include "channels/screen/width.h"

static const char *const help[] = {
    "up k, down j  another request",
    "Enter         all of it, or less",
    "space, b      further, back",
    "a             approve: reason, time",
    "d             deny, with a reason",
    "s             the session so far",
    "f             follow it live",
    "q             leave",
    "",
    "a time for `approve` lets the same",
    "rule pass for the same identity and",
    "target, without asking, so long",
};

static void put(struct canvas *screen, unsigned row, unsigned column, enum style style, const char *text)
{
    (void)canvas_put(screen, row, column, screen->columns, style, text, strlen(text));
}

static const char keys[] = "a approve  d deny  s so far  f live  ? help ";

static void draw_bar(const struct board *board, struct canvas *screen)
{
    char text[96];
    size_t live = 0;
    for (size_t i = 0; i < board->n; i++)
        live += board->items[i].over_ms == 0;
    canvas_fill(screen, 0, STYLE_BAR);
    (void)snprintf(text, sizeof text,
                   live + board->more == 0 ? " Approvals: nothing waits" : " Approvals: %zu wait%s",
                   live + board->more, live + board->more == 1 ? "s" : "");
    put(screen, 0, 0, STYLE_BAR, text);
    if (screen->columns >= 72)
        put(screen, 0, screen->columns - (unsigned)sizeof keys + 1, STYLE_BAR, keys);
    else if (screen->columns >= 36)
        put(screen, 0, screen->columns - 7, STYLE_BAR, "? help ");
}

/* The end of what is typed stays in sight. Returns the column of the cursor. */
static unsigned draw_prompt(const struct board *board, struct canvas *screen, unsigned row)
{
    char label[96], shown[4 * BOARD_TEXT_MAX + 8];
    unsigned width = 0, columns = screen->columns;
    const char *what = board->mode == MODE_FOR ? "also for (30m; Enter: once): "
                       : columns < 64          ? "reason: "
                                               : "reason (Enter: none, Esc: back): ";
    (void)snprintf(label, sizeof label, "%s %s, %s", board->approving ? "approve" : "deny", board->subject,
                   what);
    (void)text_escape(shown, sizeof shown, board->text, strlen(board->text), false);
    canvas_fill(screen, row, STYLE_BOLD);
    unsigned start = canvas_put(screen, row, 0, columns, STYLE_BOLD, label, strlen(label));
    const char *from = shown, *end = shown + strlen(shown);
    for (const char *at = shown; at < end;)
        width += width_of(utf8_next(&at, end));
    while (from < end && start + width + 1 > columns)
        width -= width_of(utf8_next(&from, end));
    return canvas_put(screen, row, start, columns, STYLE_PLAIN, from, (size_t)(end - from));
}

static int draw_list(struct board *board, uint64_t now_ms, struct canvas *screen)
{
    CLEANUP(canvas_free) struct canvas *page = NULL;
    unsigned first, last, rows = screen->rows - 2;
    int r = board_page(board, now_ms, screen->columns, &page, &first, &last);
    if (r)
        return r;
    /* The selected one is in sight: its head in any case. */
    if (board->follow_selection && last >= board->top + rows)
        board->top = last + 1 - rows;
    if (board->follow_selection && first < board->top)
        board->top = first;
    if (page->rows <= rows)
        board->top = 0;
    else if (board->top > page->rows - rows)
        board->top = page->rows - rows;
    canvas_copy(screen, 1, page, board->top, rows);
    if (board->n == 0)
        put(screen, 2 < screen->rows - 1 ? 2 : 1, 1, STYLE_DIM,
            "Requests show up here by themselves. q: leave");
    return 0;
}

static void draw_help(struct canvas *screen)
{
    for (unsigned i = 0; i < sizeof help / sizeof *help && i + 2 < screen->rows; i++)
        put(screen, i + 1, 1, STYLE_PLAIN, help[i]);
}

static void draw_note(const struct board *board, struct canvas *screen, unsigned row)
{
    char text[96];
    if (board->note[0]) {
        put(screen, row, 0, board->note_is_bad ? STYLE_BAD : STYLE_GOOD, board->note);
    } else if (board->more) {
        (void)snprintf(text, sizeof text, "and %zu more, that are not shown here", board->more);
        put(screen, row, 0, STYLE_DIM, text);
    }
}

int board_draw(struct board *board, uint64_t now_ms, struct canvas *screen, int *ret_row, int *ret_column)
{
    unsigned last = screen->rows - 1;
    int r = 0;
    *ret_row = -1;
    *ret_column = 0;
    for (unsigned row = 0; row < screen->rows; row++)
        canvas_fill(screen, row, STYLE_PLAIN);
    if (screen->columns < BOARD_COLUMNS_LEAST || screen->rows < BOARD_ROWS_LEAST) {
        put(screen, 0, 0, STYLE_PLAIN, "too small");
        return 0;
    }
    draw_bar(board, screen);
    if (board->mode == MODE_HELP)
        draw_help(screen);
    else
        r = draw_list(board, now_ms, screen);
    if (r)
        return r;
    bool prompts = board->mode == MODE_REASON || board->mode == MODE_FOR;
    if (!prompts || board->note[0])
        draw_note(board, screen, last);
    if (prompts && !board->note[0]) {
        *ret_row = (int)last;
        *ret_column = (int)draw_prompt(board, screen, last);
    }
    return 0;
}
