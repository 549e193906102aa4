/* See vt.h. */
#include "vt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/screen/width.h"
#include "check.h"

static void blank(struct vt *vt, unsigned row, unsigned from)
{
    for (unsigned column = from; column < vt->columns; column++) {
        strcpy(vt->cells[row][column], " ");
        strcpy(vt->style[row][column], "0");
    }
}

void vt_new(struct vt *vt, unsigned columns, unsigned rows)
{
    *vt = (struct vt){ .columns = columns, .rows = rows, .now = "0", .cursor = true };
    for (unsigned row = 0; row < rows; row++)
        blank(vt, row, 0);
}

static void private_mode(struct vt *vt, const char *parameters, char final)
{
    bool on = final == 'h';
    assert_true(final == 'h' || final == 'l');
    if (strcmp(parameters, "?1049") == 0)
        vt->alternate = on;
    else if (strcmp(parameters, "?25") == 0)
        vt->cursor = on;
    else
        fail_msg("mode %s", parameters);
}

static void control(struct vt *vt, const char *parameters, char final)
{
    unsigned a = 1, b = 1;
    if (parameters[0] == '?') {
        private_mode(vt, parameters, final);
        return;
    }
    switch (final) {
    case 'H':
        assert_true(!*parameters || sscanf(parameters, "%u;%u", &a, &b) == 2);
        assert_in_range(a, 1, vt->rows);
        assert_in_range(b, 1, vt->columns);
        vt->row = a - 1, vt->column = b - 1;
        break;
    case 'J':
        assert_string_equal(parameters, "2");
        for (unsigned row = 0; row < vt->rows; row++)
            blank(vt, row, 0);
        break;
    case 'K':
        assert_string_equal(parameters, "");
        assert_string_equal(vt->now, "0"); /* else it would be erased in colour on some */
        blank(vt, vt->row, vt->column);
        break;
    case 'm':
        assert_true(strlen(parameters) < sizeof vt->now);
        strcpy(vt->now, parameters);
        break;
    default:
        fail_msg("sequence %s%c", parameters, final);
    }
}

static void character(struct vt *vt, const char *bytes, size_t n, unsigned width)
{
    if (width == 0) {
        assert_true(vt->column > 0);
        unsigned at = vt->column - 1 - (vt->cells[vt->row][vt->column - 1][0] == 0);
        strncat(vt->cells[vt->row][at], bytes, n);
        return;
    }
    assert_in_range(vt->column + width, 1, vt->columns); /* nothing wraps by itself */
    for (unsigned i = 0; i < width; i++) {
        (void)snprintf(vt->cells[vt->row][vt->column], VT_CELL, "%.*s", i ? 0 : (int)n, bytes);
        strcpy(vt->style[vt->row][vt->column], vt->now);
        vt->column++;
    }
}

void vt_feed(struct vt *vt, const void *bytes, size_t n)
{
    const char *at = bytes, *end = at + n;
    while (at < end) {
        if (*at == '\x1b') {
            char parameters[32] = "";
            assert_int_equal(at[1], '[');
            size_t length = strspn(at + 2, "0123456789;?");
            assert_true(length < sizeof parameters);
            memcpy(parameters, at + 2, length);
            control(vt, parameters, at[2 + length]);
            at += length + 3;
            continue;
        }
        assert_true((unsigned char)*at >= 0x20);
        const char *start = at;
        uint32_t code = utf8_next(&at, end);
        character(vt, start, (size_t)(at - start), width_of(code));
    }
    assert_ptr_equal(at, end);
}

char *vt_text(const struct vt *vt)
{
    char *text = calloc(1, (size_t)vt->rows * (vt->columns * VT_CELL + 1) + 1);
    for (unsigned row = 0; row < vt->rows; row++) {
        for (unsigned column = 0; column < vt->columns; column++)
            strcat(text, vt->cells[row][column]);
        size_t n = strlen(text);
        while (n > 0 && text[n - 1] == ' ')
            text[--n] = 0;
        strcat(text, "\n");
    }
    return text;
}
