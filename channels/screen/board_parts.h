/* What the board_*.c files share. */
#pragma once
#include "channels/screen/board.h"

struct board_item {
    Ipc__Approval *about;
    bool unfolded;
    uint64_t over_ms; /* when it was seen to be over; 0: it is live */
};

enum board_mode {
    MODE_LIST,
    MODE_HELP,
    MODE_REASON,
    MODE_FOR,
    MODE_STOPPED, /* there is no prompt (any more), but what is typed was meant for one */
};

struct board {
    struct board_item items[BOARD_ITEMS_MAX];
    size_t n, more; /* more: live ones that there is no room for */
    size_t selected;
    unsigned top; /* row of the page that is the first in sight */
    bool follow_selection;
    enum board_mode mode;
    bool approving;
    char subject[16]; /* id that the prompt is about */
    char text[BOARD_TEXT_MAX + 1], reason[BOARD_TEXT_MAX + 1];
    char note[256];
    bool note_is_bad;
};

/* NULL when the list is empty. */
struct board_item *board_selected(struct board *board);

/* ---- board_page.c ---- */
/* The list as one tall canvas; ret_first, ret_last: the rows of what is selected. */
MUST_USE int board_page(struct board *board, uint64_t now_ms, unsigned columns, struct canvas **ret,
                        unsigned *ret_first, unsigned *ret_last);

/* ---- pen.c ---- */
/* Writes into a tall canvas, row after row. */
struct pen {
    struct canvas *page;
    unsigned row, column, indent;
    unsigned rows_left; /* of the text that is being written, this one included; 0: it was cut */
    int error;
};
/* The next row, for a text of at most so many rows. */
void pen_begin(struct pen *pen, unsigned indent, unsigned rows);
/* Text that goes on in the next row, at the indent; newlines and tabs are kept. */
void pen_text(struct pen *pen, enum style style, const char *text, size_t n);
/* Text in this row alone, at most so many columns. */
void pen_clip(struct pen *pen, enum style style, const char *text, unsigned columns);
