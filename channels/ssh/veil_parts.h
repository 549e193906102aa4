/* The inside of a screen's veil, shared by veil_screen.c (what comes in) and veil_draw.c (what goes out). */
#pragma once
#include <vterm.h>
#include "channels/ssh/veil_grid.h"
#include "channels/ssh/veil_screen.h"

enum {
    CARRY_MAX = 6 * 1024,
    CARRY_LINE = 1024, /* of a line that is no match: more than any detector that can't be open is wide */
    HELD_CHARACTERS_MAX = VEIL_HOLD_MAX,
    AROUND = 8,       /* rows above and below a change that are searched in a large terminal */
    SMALL = 8 * 1024, /* cells of a screen that is searched whole */
};

/* A character in the held bytes. */
struct held {
    uint16_t at;
    uint8_t n, width;
    bool masked;
};

/* A byte of text that has scrolled away; as in struct veil_cell. */
struct carried {
    uint8_t byte;
    uint32_t held, batch;
};

struct veil_screen {
    struct detectors *detectors;
    const struct detect_how *how;
    VTerm *vterm;
    VTermState *state;
    struct veil_grid grids[2]; /* the second: the alternate screen */
    bool alternate;

    struct buffer raw;  /* of an incomplete token */
    struct buffer held; /* on its way to the client */
    struct held *characters;
    size_t n_characters;
    uint32_t batch;           /* of the held characters */
    size_t token_at, token_n; /* in `held`, of the character that libvterm is given */

    unsigned changed_from, changed_to; /* rows that were written since they were searched; to 0: none */
    bool waits;                        /* a match may be beginning at the cursor */
    bool unknown;                      /* libvterm did not know the sequence */
    bool draws_over;                   /* there are shown cells to be masked */
    int fault;
    VTermPos cursor, last; /* last: of the character that was put last */
    int last_width;
    bool in_sequence;        /* libvterm is given one, */
    uint32_t last_character; /* and REP (ECMA-48 §8.3.103) would repeat this; 0: nothing */
    size_t carry_n;
    struct carried carry[CARRY_MAX];
    size_t text_carried; /* bytes in front of the text that are carried */
    struct veil_text text;
};

/* What is held, with a `*` for each half of a character that is masked. */
MUST_USE int veil_put_held(const struct veil_screen *screen, struct buffer *out);
/* Masks over what is shown already; cursor and pen are then as they were. */
MUST_USE int veil_draw_over(struct veil_screen *screen, struct buffer *out);
