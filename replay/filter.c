/* Parses as ECMA-48 and xterm do (after the VT500 state diagram), and lets through by list, never by
 * exception: a sequence that is not known here is dropped. C1 controls are never let through, neither as
 * single bytes (they are not UTF-8) nor as U+0080 to U+009F. */
#include "replay/filter.h"

#include <string.h>

#include "base/text.h"

enum { ESC = 0x1b, BEL = 0x07, CAN = 0x18, SUB = 0x1a };

void filter_init(struct filter *filter, bool plain)
{
    *filter = (struct filter){ .plain = plain };
}

/* ---- text ---- */

static int put_character(const uint8_t *bytes, size_t n, struct buffer *out)
{
    static const uint8_t replacement[] = { 0xef, 0xbf, 0xbd };
    bool c1 = n == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0;
    if (c1)
        return 0;
    return text_is_utf8(bytes, n) ? buffer_append(out, bytes, n) : buffer_append(out, replacement, 3);
}

static size_t utf8_length(uint8_t lead)
{
    return lead >= 0xf0 && lead <= 0xf4  ? 4
           : lead >= 0xe0 && lead < 0xf0 ? 3
           : lead >= 0xc2 && lead < 0xe0 ? 2
                                         : 1;
}

static int take_high(struct filter *f, uint8_t c, struct buffer *out)
{
    bool continues = (c & 0xc0) == 0x80;
    if (f->utf8_n > 0 && !continues) {
        f->utf8_n = 0; /* the one before was never finished */
        int r = put_character((const uint8_t[]){ 0xff }, 1, out);
        if (r)
            return r;
    }
    if (f->utf8_n == 0)
        f->utf8_need = utf8_length(c);
    f->utf8[f->utf8_n++] = c;
    if (f->utf8_n < f->utf8_need)
        return 0;
    size_t n = f->utf8_n;
    f->utf8_n = 0;
    return put_character(f->utf8, n, out);
}

/* In plain text a carriage return is a line's end unless a newline follows, which then is it. */
static int take_plain_control(struct filter *f, uint8_t c, struct buffer *out)
{
    if (c == '\r') {
        f->after_cr = true;
        return 0;
    }
    return c == '\n' || c == '\t' ? buffer_append(out, &c, 1) : 0;
}

static int take_control(struct filter *f, uint8_t c, struct buffer *out)
{
    if (c == ESC) {
        f->state = FILTER_ESCAPE;
        return 0;
    }
    if (f->plain)
        return take_plain_control(f, c, out);
    /* BEL, BS, TAB, LF, VT, FF, CR, SO, SI; ENQ would make the terminal answer. */
    return c >= BEL && c <= 0x0f ? buffer_append(out, &c, 1) : 0;
}

static int take_text(struct filter *f, uint8_t c, struct buffer *out)
{
    int r = 0;
    if (f->after_cr && c != '\r' && c != ESC) {
        f->after_cr = false;
        if (c != '\n')
            r = buffer_append(out, "\n", 1);
    }
    if (r == 0 && f->utf8_n > 0 && c < 0x80) {
        f->utf8_n = 0;
        r = put_character((const uint8_t[]){ 0xff }, 1, out);
    }
    if (r)
        return r;
    if (c >= 0x80)
        return take_high(f, c, out);
    if (c < 0x20)
        return take_control(f, c, out);
    return c == 0x7f ? 0 : buffer_append(out, &c, 1);
}

/* ---- sequences ---- */

/* ESC, then what is kept, as one piece. */
static int put_sequence(const struct filter *f, struct buffer *out)
{
    if (f->plain)
        return 0;
    int r = buffer_append(out, "\x1b", 1);
    return r ? r : buffer_append(out, f->sequence, f->n);
}

/* Private modes that change how the viewer's keyboard and mouse report: dropped. */
static bool mode_is_input(unsigned long mode)
{
    static const unsigned long input[] = { 1,    9,    66,   67,   1000, 1001, 1002, 1003, 1004,
                                           1005, 1006, 1007, 1015, 1016, 1035, 1036, 1039, 2004 };
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        if (input[i] == mode)
            return true;
    return false;
}

static bool modes_are_harmless(const char *parameters)
{
    unsigned long mode = 0;
    for (; *parameters; parameters++) {
        if (*parameters >= '0' && *parameters <= '9' && mode < 100000)
            mode = mode * 10 + (unsigned long)(*parameters - '0');
        else if (mode_is_input(mode))
            return false;
        else
            mode = 0;
    }
    return !mode_is_input(mode);
}

/* f->sequence is "[", parameters, intermediates, final. */
static bool csi_is_harmless(const struct filter *f)
{
    char text[FILTER_SEQUENCE_MAX + 1];
    memcpy(text, f->sequence + 1, f->n - 1);
    text[f->n - 1] = 0;
    char final = text[f->n - 2];
    text[f->n - 2] = 0;
    if (text[0] == '?')
        return (final == 'h' || final == 'l') && strspn(text + 1, "0123456789;") == strlen(text + 1) &&
               modes_are_harmless(text + 1);
    if (strcmp(text, "!") == 0)
        return final == 'p'; /* soft reset */
    /* Without private markers and intermediates: moving, erasing, inserting, colours, scrolling, tabs. */
    return strspn(text, "0123456789;:") == strlen(text) &&
           strchr("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu", final) != NULL;
}

static int take_csi(struct filter *f, uint8_t c, struct buffer *out)
{
    if (c < 0x20 || c >= 0x7f) {
        f->state =
            FILTER_TEXT; /* CAN and the like; a control inside a sequence is not worth keeping the rest for */
        return c == ESC ? take_control(f, c, out) : 0;
    }
    bool fits = f->n < sizeof f->sequence;
    if (fits)
        f->sequence[f->n++] = c;
    else
        f->swallowed++;
    if (c < 0x40)
        return 0;
    f->state = FILTER_TEXT;
    return fits && f->swallowed == 0 && csi_is_harmless(f) ? put_sequence(f, out) : 0;
}

static int take_escape(struct filter *f, uint8_t c, struct buffer *out)
{
    f->n = 0;
    f->swallowed = 0;
    f->sequence[f->n++] = c;
    f->state = FILTER_TEXT;
    if (c == '[')
        f->state = FILTER_CSI;
    else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
        f->state = FILTER_STRING;
    else if (c == '(' || c == ')')
        f->state = FILTER_CHARSET;
    else if (c == ESC)
        f->state = FILTER_ESCAPE;
    else if (c && strchr("78DEHM=>c", c))
        return put_sequence(f, out);
    return 0;
}

/* A character set: line drawing and ASCII are what programs use. */
static int take_charset(struct filter *f, uint8_t c, struct buffer *out)
{
    f->state = FILTER_TEXT;
    if (c == ESC)
        return take_control(f, c, out);
    if (!c || !strchr("0AB", c))
        return 0;
    f->sequence[f->n++] = c;
    return put_sequence(f, out);
}

static void take_string(struct filter *f, uint8_t c)
{
    if (c == BEL || c == CAN || c == SUB || ++f->swallowed >= FILTER_STRING_MAX)
        f->state = FILTER_TEXT;
    else if (c == ESC)
        f->state = FILTER_STRING_ESCAPE;
}

static int take(struct filter *f, uint8_t c, struct buffer *out)
{
    switch (f->state) {
    case FILTER_TEXT:
        return take_text(f, c, out);
    case FILTER_ESCAPE:
        return take_escape(f, c, out);
    case FILTER_CHARSET:
        return take_charset(f, c, out);
    case FILTER_CSI:
        return take_csi(f, c, out);
    case FILTER_STRING:
        take_string(f, c);
        return 0;
    case FILTER_STRING_ESCAPE:
        /* ESC \ ends the string; any other ESC ends it too, and begins something else. */
        f->state = FILTER_TEXT;
        return c == '\\' ? 0 : take_escape(f, c, out);
    }
    return 0;
}

int filter_run(struct filter *filter, const uint8_t *bytes, size_t n, struct buffer *out)
{
    for (size_t i = 0; i < n; i++) {
        int r = take(filter, bytes[i], out);
        if (r)
            return r;
    }
    return 0;
}
