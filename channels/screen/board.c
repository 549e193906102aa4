/* See board.h. The list and its keys; what it looks like is in board_page.c and board_draw.c. */
#include "channels/screen/board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/screen/board_parts.h"
#include "channels/screen/keys.h"
#include "channels/screen/width.h"
#include "policy/approval_form.h"

int board_new(struct board **ret)
{
    struct board *board = calloc(1, sizeof *board);
    if (!board)
        return -ENOMEM;
    board->follow_selection = true;
    *ret = board;
    return 0;
}

static void drop(struct board *board, size_t at)
{
    ipc__approval__free_unpacked(board->items[at].about, NULL);
    board->n--;
    memmove(&board->items[at], &board->items[at + 1], (board->n - at) * sizeof *board->items);
    if (board->selected > at || (board->selected == board->n && board->selected > 0))
        board->selected--;
}

void board_free(struct board *board)
{
    if (!board)
        return;
    while (board->n > 0)
        drop(board, board->n - 1);
    free(board);
}

struct board_item *board_selected(struct board *board)
{
    return board->n > 0 ? &board->items[board->selected] : NULL;
}

void board_note(struct board *board, const char *text, bool bad)
{
    (void)text_escape(board->note, sizeof board->note, text, strlen(text), false);
    board->note_is_bad = bad;
}

/* ---- what happens ---- */

static struct board_item *find(struct board *board, const char *id)
{
    for (size_t i = 0; i < board->n; i++)
        if (strcmp(board->items[i].about->id, id) == 0)
            return &board->items[i];
    return NULL;
}

/* Somebody who types a reason blindly must not go through the list with it, and approve something else. */
static void stop(struct board *board, const char *why)
{
    board->mode = MODE_STOPPED;
    board_note(board, why, true);
}

/* A prompt is about something that can be decided no more. */
static void close_prompt(struct board *board, const Ipc__Approval *about)
{
    char text[160];
    bool asked = board->mode == MODE_REASON || board->mode == MODE_FOR;
    if (!asked || strcmp(board->subject, about->id) != 0)
        return;
    (void)snprintf(text, sizeof text, "%s is %s: nothing was sent (Enter)", about->id,
                   approval_state_name(about->state));
    stop(board, text);
}

int board_put(struct board *board, Ipc__Approval *approval, uint64_t now_ms)
{
    struct board_item *item = find(board, approval->id);
    bool open = approval->state == IPC__APPROVAL_STATE__APPROVAL_OPEN;
    if (item) {
        ipc__approval__free_unpacked(item->about, NULL);
        item->about = approval;
        item->over_ms = open ? 0 : item->over_ms ? item->over_ms : now_ms;
        if (!open)
            close_prompt(board, approval);
        return 0;
    }
    if (!open || board->n == BOARD_ITEMS_MAX) {
        board->more += open;
        ipc__approval__free_unpacked(approval, NULL);
        return 0;
    }
    board->items[board->n++] = (struct board_item){ .about = approval };
    return 0;
}

/* ---- keys ---- */

static const struct board_step nothing = { .wish = BOARD_NOTHING };

static void move(struct board *board, int by)
{
    if (by < 0 && board->selected > 0)
        board->selected--;
    else if (by > 0 && board->selected + 1 < board->n)
        board->selected++;
    board->follow_selection = true;
}

static void scroll(struct board *board, int by)
{
    unsigned step = 10;
    board->follow_selection = false;
    board->top = by > 0 ? board->top + step : board->top > step ? board->top - step : 0;
}

static void open_prompt(struct board *board, bool approve)
{
    const struct board_item *item = board_selected(board);
    if (!item)
        return;
    if (item->about->state != IPC__APPROVAL_STATE__APPROVAL_OPEN) {
        stop(board, "it is decided already (Enter)");
        return;
    }
    if (approve && item->about->approve->must_sign) {
        stop(board, "it has to be signed: gatehouse-approve BASTION ID does that (Enter)");
        return;
    }
    board->approving = approve;
    board->mode = MODE_REASON;
    board->text[0] = board->reason[0] = 0;
    (void)snprintf(board->subject, sizeof board->subject, "%s", item->about->id);
}

static struct board_step wish_for_recording(struct board *board, enum board_wish wish)
{
    const struct board_item *item = board_selected(board);
    if (!item)
        return nothing;
    if (!item->about->recording[0]) {
        board_note(board, "there is no recording of it", true);
        return nothing;
    }
    return (struct board_step){ .wish = wish, .about = item->about };
}

static struct board_step list_key(struct board *board, uint32_t key)
{
    switch (key) {
    case 'q':
    case KEY_CTRL_C:
    case KEY_CTRL_D:
        return (struct board_step){ .wish = BOARD_QUIT };
    case KEY_CTRL_L:
        return (struct board_step){ .wish = BOARD_REDRAW };
    case KEY_UP:
    case 'k':
        move(board, -1);
        break;
    case KEY_DOWN:
    case 'j':
        move(board, 1);
        break;
    case KEY_HOME:
    case 'g':
        board->selected = 0;
        board->follow_selection = true;
        break;
    case KEY_END:
    case 'G':
        board->selected = board->n ? board->n - 1 : 0;
        board->follow_selection = true;
        break;
    case KEY_PAGE_UP:
    case 'b':
        scroll(board, -1);
        break;
    case KEY_PAGE_DOWN:
    case ' ':
        scroll(board, 1);
        break;
    case KEY_ENTER:
        if (board_selected(board))
            board_selected(board)->unfolded = !board_selected(board)->unfolded;
        board->follow_selection = true;
        break;
    case 'a':
    case 'd':
        open_prompt(board, key == 'a');
        break;
    case 's':
        return wish_for_recording(board, BOARD_REPLAY);
    case 'f':
        return wish_for_recording(board, BOARD_FOLLOW);
    case '?':
    case 'h':
        board->mode = MODE_HELP;
        break;
    default:
        break;
    }
    return nothing;
}

/* ---- the prompt ---- */

static struct board_step send(struct board *board, uint64_t for_ms)
{
    struct board_item *item = find(board, board->subject);
    board->mode = MODE_LIST;
    if (!item)
        return nothing;
    return (struct board_step){ .wish = BOARD_DECIDE,
                                .about = item->about,
                                .approve = board->approving,
                                .reason = board->reason,
                                .for_ms = for_ms };
}

static struct board_step answer(struct board *board)
{
    uint64_t for_ms = 0;
    if (board->mode == MODE_REASON) {
        memcpy(board->reason, board->text, sizeof board->reason);
        board->text[0] = 0;
        if (!board->approving)
            return send(board, 0);
        board->mode = MODE_FOR;
        return nothing;
    }
    if (board->text[0] && (!text_to_duration(board->text, &for_ms) || for_ms == 0 ||
                           for_ms > UINT64_C(30) * 24 * 3600 * 1000)) {
        board_note(board, "a time is 30m or 2h, at most 30d; or nothing", true);
        board->text[0] = 0;
        return nothing;
    }
    return send(board, for_ms);
}

static void type(struct board *board, uint32_t code)
{
    char utf8[4];
    size_t size = strlen(board->text), n = utf8_put(utf8, code);
    if (size + n > BOARD_TEXT_MAX)
        return;
    memcpy(board->text + size, utf8, n);
    board->text[size + n] = 0;
}

static void rub_out(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && ((unsigned char)text[--n] & 0xc0) == 0x80) {
    }
    text[n] = 0;
}

static struct board_step prompt_key(struct board *board, uint32_t key)
{
    switch (key) {
    case KEY_ENTER:
        return answer(board);
    case KEY_ESCAPE:
    case KEY_CTRL_C:
    case KEY_CTRL_D:
        board->mode = MODE_LIST;
        board_note(board, "nothing was sent", false);
        break;
    case KEY_BACKSPACE:
        rub_out(board->text);
        break;
    case KEY_CTRL_U:
        board->text[0] = 0;
        break;
    default:
        if (key >= 0x20 && key < 0x110000)
            type(board, key);
    }
    return nothing;
}

struct board_step board_key(struct board *board, uint32_t key)
{
    bool leaves = key == KEY_ENTER || key == KEY_ESCAPE || key == KEY_CTRL_C || key == KEY_CTRL_D;
    if (key == KEY_NONE || (board->mode == MODE_STOPPED && !leaves))
        return nothing;
    board->note[0] = 0;
    if (board->mode == MODE_STOPPED) {
        board->mode = MODE_LIST;
        return nothing;
    }
    if (board->mode == MODE_REASON || board->mode == MODE_FOR)
        return prompt_key(board, key);
    if (board->mode == MODE_HELP) {
        board->mode = MODE_LIST;
        return key == KEY_CTRL_C || key == KEY_CTRL_D ? (struct board_step){ .wish = BOARD_QUIT } : nothing;
    }
    return list_key(board, key);
}

/* ---- time ---- */

/* Live ones have their time shown, in seconds only near its end. */
static uint64_t item_due(const struct board_item *item, uint64_t now_ms)
{
    if (item->over_ms)
        return item->over_ms + BOARD_OVER_MS > now_ms ? item->over_ms + BOARD_OVER_MS - now_ms : 1;
    uint64_t left = item->about->expires_ms > now_ms ? item->about->expires_ms - now_ms : 0;
    uint64_t unit = left > 7200 * 1000 ? 3600 * 1000 : left > 120 * 1000 ? 60 * 1000 : 1000;
    return left % unit + 1;
}

uint64_t board_due(struct board *board, uint64_t now_ms)
{
    uint64_t due = 0;
    for (size_t i = board->n; i-- > 0;) {
        const struct board_item *item = &board->items[i];
        if (item->over_ms && item->over_ms + BOARD_OVER_MS <= now_ms && i != board->selected) {
            drop(board, i);
            continue;
        }
        uint64_t one = item_due(item, now_ms);
        due = due == 0 || one < due ? one : due;
    }
    return due;
}
