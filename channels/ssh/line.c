/* What keys do to the line, and what the shell does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "channels/screen/width.h"
#include "channels/ssh/line_parts.h"

static const char BELL[] = "\a";
/* Whether the terminal puts brackets around what is pasted: only at the prompt. */
static const char BRACKETS_ON[] = "\x1b[?2004h", BRACKETS_OFF[] = "\x1b[?2004l";

static bool is_continued(char byte)
{
    return ((uint8_t)byte & 0xc0) == 0x80;
}

static unsigned fit(unsigned columns)
{
    return columns == 0 ? 80 : columns < 8 ? 8 : columns > LINE_COLUMNS_MAX ? LINE_COLUMNS_MAX : columns;
}

int line_new(unsigned columns, struct line **ret)
{
    struct line *line = calloc(1, sizeof *line);
    if (!line)
        return -ENOMEM;
    line->columns = fit(columns);
    *ret = line;
    return 0;
}

void line_free(struct line *line)
{
    if (!line)
        return;
    line_history_free(&line->history);
    free(line->put_aside);
    explicit_bzero(line, sizeof *line);
    free(line);
}

const char *line_text(const struct line *line, size_t *ret_n)
{
    *ret_n = line->n;
    return line->text;
}

bool line_is_too_long(const struct line *line)
{
    return line->too_long;
}

/* ---- history ---- */

static void ring(struct buffer *out, int *r)
{
    *r = *r ? *r : buffer_append(out, BELL, 1);
}

static int choose(struct line *line, size_t which)
{
    const struct line_history *history = &line->history;
    if (which > history->n || which == line->chosen)
        return 0;
    if (line->chosen == history->n) {
        free(line->put_aside);
        line->put_aside = strdup(line->text);
        if (!line->put_aside)
            return -ENOMEM;
    }
    line->chosen = which;
    line_set(line, which < history->n ? history->lines[which] : line->put_aside ? line->put_aside : "");
    return 0;
}

static void insert_last_word(struct line *line)
{
    const struct line_history *history = &line->history;
    if (history->n == 0)
        return;
    const char *text = history->lines[history->n - 1];
    size_t end = strlen(text), from;
    while (end > 0 && strchr(" \t\n", text[end - 1]))
        end--;
    for (from = end; from > 0 && !strchr(" \t\n", text[from - 1]);)
        from--;
    (void)line_insert(line, text + from, end - from);
    line->redraws = true;
}

/* The next older line with what is wanted in it. */
static int search(struct line *line, size_t from, struct buffer *out)
{
    int r = 0;
    size_t found = line_history_find(&line->history, from, line->wanted);
    line->redraws = true;
    if (found == line->history.n) {
        ring(out, &r);
        return r;
    }
    r = choose(line, found);
    const char *where = strstr(line->text, line->wanted);
    line->at = where ? (size_t)(where - line->text) : line->n;
    return r;
}

static void end_search(struct line *line)
{
    line->searches = false;
    line->wanted_n = 0;
    line->wanted[0] = '\0';
    line->redraws = true;
}

/* True: it was for the search. Any other key ends that, and does what it does. */
static bool in_search(struct line *line, enum line_key key, uint32_t code, struct buffer *out, int *ret)
{
    char bytes[4];
    if (key == LINE_KEY_SEARCH) {
        *ret = search(line, line->chosen, out);
    } else if (key == LINE_KEY_TEXT && code >= ' ') {
        size_t n = utf8_put(bytes, code);
        if (n > LINE_SEARCH_MAX - line->wanted_n)
            return true;
        memcpy(line->wanted + line->wanted_n, bytes, n);
        line->wanted_n += n;
        line->wanted[line->wanted_n] = '\0';
        *ret = search(line, line->chosen < line->history.n ? line->chosen + 1 : line->chosen, out);
    } else if (key == LINE_KEY_BACKSPACE) {
        while (line->wanted_n > 0 && is_continued(line->wanted[--line->wanted_n]))
            ;
        line->wanted[line->wanted_n] = '\0';
        line->redraws = true;
    } else {
        end_search(line);
        if (key == LINE_KEY_STOP) /* back to what was typed */
            *ret = choose(line, line->history.n);
        return key == LINE_KEY_STOP;
    }
    return true;
}

/* ---- keys ---- */

static int type(struct line *line, uint32_t code, struct buffer *out)
{
    char bytes[4];
    size_t n = utf8_put(bytes, code), from = line->at;
    int r = 0;
    bool at_end = line->at == line->n;
    if (line->too_long)
        return 0; /* it was told; what comes now is the rest of the paste */
    if (!line_insert(line, bytes, n))
        ring(out, &r);
    else if (!at_end || width_of(code) == 0 || !line_draw_last(line, from, out, &r))
        line->redraws = true;
    return r;
}

static void move(struct line *line, size_t to)
{
    line->redraws |= line->at != to;
    line->at = to;
}

/* Keys that do nothing but edit. */
static int edit(struct line *line, enum line_key key, struct buffer *out)
{
    int r = 0;
    switch (key) {
    case LINE_KEY_LEFT:
        move(line, line_before(line, line->at));
        break;
    case LINE_KEY_RIGHT:
        move(line, line_behind(line, line->at));
        break;
    case LINE_KEY_WORD_LEFT:
        move(line, line_left_of(line, false));
        break;
    case LINE_KEY_WORD_RIGHT:
        move(line, line_right_of(line));
        break;
    case LINE_KEY_HOME:
        move(line, line_start_of(line));
        break;
    case LINE_KEY_LAST:
        move(line, line_end_of(line));
        break;
    case LINE_KEY_BACKSPACE:
        line_remove(line, line_before(line, line->at), line->at);
        break;
    case LINE_KEY_DELETE:
        line_remove(line, line->at, line_behind(line, line->at));
        break;
    case LINE_KEY_KILL_END:
        line_kill(line, line->at, line_end_of(line));
        break;
    case LINE_KEY_KILL_START:
        line_kill(line, line_start_of(line), line->at);
        break;
    case LINE_KEY_KILL_BLANK_LEFT:
        line_kill(line, line_left_of(line, true), line->at);
        break;
    case LINE_KEY_KILL_WORD_LEFT:
        line_kill(line, line_left_of(line, false), line->at);
        break;
    case LINE_KEY_KILL_WORD_RIGHT:
        line_kill(line, line->at, line_right_of(line));
        break;
    case LINE_KEY_YANK:
        line->redraws = true;
        if (!line_insert(line, line->killed, line->killed_n))
            ring(out, &r);
        break;
    case LINE_KEY_SWAP:
        line_swap(line);
        break;
    case LINE_KEY_LAST_WORD:
        insert_last_word(line);
        break;
    default:
        ring(out, &r);
    }
    return r;
}

static int act(struct line *line, enum line_key key, uint32_t code, struct buffer *out)
{
    const size_t newest = line->history.n;
    switch (key) {
    case LINE_KEY_NONE:
    case LINE_KEY_STOP:
        return 0;
    case LINE_KEY_TEXT:
        return type(line, code, out);
    case LINE_KEY_UP:
        return choose(line, line->chosen > 0 ? line->chosen - 1 : 0);
    case LINE_KEY_DOWN:
        return choose(line, line->chosen + 1);
    case LINE_KEY_FIRST_LINE:
        return choose(line, 0);
    case LINE_KEY_LAST_LINE:
        return choose(line, newest);
    case LINE_KEY_SEARCH:
        line->searches = line->redraws = true;
        return 0;
    case LINE_KEY_CLEAR:
        line->shown = false;
        line->row = 0;
        line->redraws = true;
        return buffer_append(out, "\x1b[H\x1b[2J", 7);
    default:
        return edit(line, key, out);
    }
}

int line_key(struct line *line, uint8_t byte, struct buffer *out, enum line_wish *ret)
{
    uint32_t code = 0;
    int r = 0;
    enum line_wish wish = LINE_GOES_ON;
    enum line_key key = line_keys_take(&line->keys, byte, &code);
    if (line->searches && key != LINE_KEY_NONE && in_search(line, key, code, out, &r))
        key = LINE_KEY_NONE;
    if (key == LINE_KEY_END && line->n > 0)
        key = LINE_KEY_DELETE;
    if (r == 0 && key == LINE_KEY_ENTER)
        wish = LINE_ENTERED;
    else if (r == 0 && key == LINE_KEY_CANCEL)
        wish = LINE_CANCELLED;
    else if (r == 0 && key == LINE_KEY_END)
        wish = LINE_CLOSED;
    else if (r == 0)
        r = act(line, key, code, out);
    if (r == 0 && line->redraws)
        r = line_draw(line, out);
    if (r == 0)
        *ret = wish;
    return r;
}

/* ---- for the shell ---- */

int line_show(struct line *line, const char *prompt, struct buffer *out)
{
    size_t n = strnlen(prompt, LINE_PROMPT_MAX);
    while (n > 0 && prompt[n] && is_continued(prompt[n]))
        n--;
    memcpy(line->prompt, prompt, n);
    line->prompt[n] = '\0';
    int r = buffer_append(out, BRACKETS_ON, sizeof BRACKETS_ON - 1);
    return r ? r : line_draw(line, out);
}

int line_more(struct line *line, struct buffer *out)
{
    line->at = line->n;
    if (!line_insert(line, "\n", 1))
        return 0;
    return line_draw(line, out);
}

static void begin(struct line *line)
{
    line->n = line->at = 0;
    line->text[0] = '\0';
    line->too_long = false;
    line->chosen = line->history.n;
    line->keys.pastes = false;
    free(STEAL(line->put_aside));
}

static int leave(struct line *line, struct buffer *out)
{
    int r = line_leave(line, out);
    return r ? r : buffer_append(out, BRACKETS_OFF, sizeof BRACKETS_OFF - 1);
}

int line_take(struct line *line, struct buffer *out)
{
    int r = leave(line, out);
    if (r == 0 && !line->too_long)
        r = line_history_add(&line->history, line->text, line->n);
    begin(line);
    return r;
}

int line_drop(struct line *line, struct buffer *out)
{
    int r = 0;
    line->searches = false;
    line->at = line->n;
    if (line->shown)
        r = line_draw(line, out);
    r = r ? r : buffer_append(out, "^C", 2);
    line->shown = line->shown && r == 0;
    if (r == 0)
        r = buffer_append(out, "\r\n", 2);
    line->shown = false;
    line->row = 0;
    r = r ? r : buffer_append(out, BRACKETS_OFF, sizeof BRACKETS_OFF - 1);
    begin(line);
    return r;
}

int line_resize(struct line *line, unsigned columns, struct buffer *out)
{
    bool shown = line->shown;
    int r = line_hide(line, out);
    line->columns = fit(columns);
    return r || !shown ? r : line_draw(line, out);
}
