/* The live screen of approvals: what it knows, what keys do to it, what it shows. No I/O, no clock. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"
#include "channels/screen/canvas.h"

enum {
    BOARD_ITEMS_MAX = 512,     /* requests that are shown; the oldest */
    BOARD_TEXT_MAX = 1024,     /* bytes that may be typed at a prompt */
    BOARD_OVER_MS = 20 * 1000, /* how long what is decided stays in sight */
    BOARD_COLUMNS_LEAST = 20,
    BOARD_ROWS_LEAST = 5,
};

struct board;

MUST_USE int board_new(struct board **ret);
void board_free(struct board *board);
DEFINE_CLEANUP(struct board *, board_free)

/* A request, new or again, with its content; the board's from here on, also on failure. What is not open any
 * more stays in sight for a while if it was there before. */
MUST_USE int board_put(struct board *board, Ipc__Approval *approval, uint64_t now_ms);
/* One line for the person, until the next key. */
void board_note(struct board *board, const char *text, bool bad);

enum board_wish { BOARD_NOTHING, BOARD_QUIT, BOARD_DECIDE, BOARD_REPLAY, BOARD_FOLLOW, BOARD_REDRAW };

/* What a key asks for; borrows from the board, until the next call. */
struct board_step {
    enum board_wish wish;
    const Ipc__Approval *about; /* with BOARD_DECIDE, _REPLAY, _FOLLOW */
    bool approve;
    const char *reason;
    uint64_t for_ms;
};
struct board_step board_key(struct board *board, uint32_t key);

/* Draws all of it. *ret_row, *ret_column: where the cursor shows; row is negative when it shows nowhere. */
MUST_USE int board_draw(struct board *board, uint64_t now_ms, struct canvas *screen, int *ret_row,
                        int *ret_column);
/* How many milliseconds until something changes by time alone; 0: nothing will. */
uint64_t board_due(struct board *board, uint64_t now_ms);
