/* A terminal as small as the screen needs it: what its bytes draw. The test fails at a sequence that it does
 * not know. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { VT_COLUMNS_MAX = 200, VT_ROWS_MAX = 60, VT_CELL = 8 };

struct vt {
    unsigned columns, rows, row, column;
    char cells[VT_ROWS_MAX][VT_COLUMNS_MAX][VT_CELL]; /* UTF-8; "" is the right half of a wide character */
    char style[VT_ROWS_MAX][VT_COLUMNS_MAX][16];
    char now[16];
    bool alternate, cursor;
};

void vt_new(struct vt *vt, unsigned columns, unsigned rows);
void vt_feed(struct vt *vt, const void *bytes, size_t n);
/* Rows without the blanks at their ends, joined by newlines; malloc'ed. */
char *vt_text(const struct vt *vt);
