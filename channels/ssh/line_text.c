/* Positions are bytes, and always between two characters; those that combine move with the one before. */
#include <string.h>
#include "channels/screen/width.h"
#include "channels/ssh/line_parts.h"

/* ---- where characters begin ---- */

static bool is_continued(char byte)
{
    return ((uint8_t)byte & 0xc0) == 0x80;
}

static uint32_t character_at(const struct line *line, size_t at)
{
    const char *from = line->text + at;
    return at < line->n ? utf8_next(&from, line->text + line->n) : 0;
}

size_t line_before(const struct line *line, size_t at)
{
    do {
        while (at > 0 && is_continued(line->text[--at]))
            ;
    } while (at > 0 && width_of(character_at(line, at)) == 0);
    return at;
}

size_t line_behind(const struct line *line, size_t at)
{
    do {
        if (at < line->n)
            at++;
        while (at < line->n && is_continued(line->text[at]))
            at++;
    } while (at < line->n && width_of(character_at(line, at)) == 0);
    return at;
}

static bool is_blank(const struct line *line, size_t at)
{
    return strchr(" \t\n", line->text[at]) != NULL;
}

/* Letters and digits, of which characters beyond ASCII are. */
static bool is_word(const struct line *line, size_t at)
{
    uint8_t c = (uint8_t)line->text[at];
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t line_left_of(const struct line *line, bool blanks)
{
    size_t at = line->at;
    while (at > 0 && (blanks ? is_blank(line, line_before(line, at)) : !is_word(line, line_before(line, at))))
        at = line_before(line, at);
    while (at > 0 && (blanks ? !is_blank(line, line_before(line, at)) : is_word(line, line_before(line, at))))
        at = line_before(line, at);
    return at;
}

size_t line_right_of(const struct line *line)
{
    size_t at = line->at;
    while (at < line->n && !is_word(line, at))
        at = line_behind(line, at);
    while (at < line->n && is_word(line, at))
        at = line_behind(line, at);
    return at;
}

/* Of the line of text that the cursor is in. */
size_t line_start_of(const struct line *line)
{
    size_t at = line->at;
    while (at > 0 && line->text[at - 1] != '\n')
        at--;
    return at;
}

size_t line_end_of(const struct line *line)
{
    const char *found = memchr(line->text + line->at, '\n', line->n - line->at);
    return found ? (size_t)(found - line->text) : line->n;
}

/* ---- changes ---- */

void line_remove(struct line *line, size_t from, size_t to)
{
    memmove(line->text + from, line->text + to, line->n - to);
    line->n -= to - from;
    line->text[line->n] = '\0';
    line->at = from;
    line->redraws = true;
}

void line_kill(struct line *line, size_t from, size_t to)
{
    if (from == to)
        return;
    memcpy(line->killed, line->text + from, to - from);
    line->killed_n = to - from;
    line_remove(line, from, to);
}

bool line_insert(struct line *line, const char *text, size_t n)
{
    if (n > LINE_MAX_BYTES - line->n) {
        line->too_long = true;
        return false;
    }
    memmove(line->text + line->at + n, line->text + line->at, line->n - line->at);
    memcpy(line->text + line->at, text, n);
    line->n += n;
    line->at += n;
    line->text[line->n] = '\0';
    return true;
}

void line_set(struct line *line, const char *text)
{
    line->n = line->at = 0;
    line->text[0] = '\0';
    line->too_long = false;
    (void)line_insert(line, text, strlen(text));
    line->redraws = true;
}

void line_swap(struct line *line)
{
    size_t at = line->at == line->n ? line_before(line, line->at) : line->at;
    size_t left = line_before(line, at), right = line_behind(line, at);
    char first[64];
    if (at == 0 || at - left > sizeof first)
        return;
    memcpy(first, line->text + left, at - left);
    memmove(line->text + left, line->text + at, right - at);
    memcpy(line->text + left + (right - at), first, at - left);
    line->at = right;
    line->redraws = true;
}
