/* The list of requests: two or three rows for each, all of it for the selected one. What others have written
 * is escaped before it comes near the canvas. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/commands/approval_text.h"
#include "channels/screen/board_parts.h"
#include "channels/screen/sql_paint.h"
#include "channels/screen/width.h"
#include "policy/approval_form.h"

enum {
    INDENT = 2,
    NARROW = 64,     /* columns; below that a request's head needs two rows */
    FOLDED_ROWS = 6, /* of a statement, unless it is unfolded */
    FOLDED_PREVIEW = 4,
    UNFOLDED_ROWS = 1200, /* of one text */
    ESCAPE = 8,
};

static const char *escaped(char *out, size_t size, const char *text)
{
    return text_escape(out, size, text, strlen(text), false);
}

/* ---- the head ---- */

static enum style style_of(const Ipc__Approval *a, uint64_t now_ms)
{
    switch (a->state) {
    case IPC__APPROVAL_STATE__APPROVAL_OPEN:
        return a->expires_ms < now_ms + 60 * 1000 ? STYLE_BAD : STYLE_WARN;
    case IPC__APPROVAL_STATE__APPROVAL_APPROVED:
    case IPC__APPROVAL_STATE__APPROVAL_CONSUMED:
        return STYLE_GOOD;
    default:
        return STYLE_DIM;
    }
}

/* "9m", "denied by corp/anna". */
static void standing(const Ipc__Approval *a, uint64_t now_ms, char *out, size_t size)
{
    char by[128], left[24];
    const Ipc__ApprovalDecision *last = a->n_decisions ? a->decisions[a->n_decisions - 1] : NULL;
    if (a->state == IPC__APPROVAL_STATE__APPROVAL_OPEN)
        (void)snprintf(out, size, "%s", approval_left(left, a->expires_ms, now_ms));
    else if (last && a->state != IPC__APPROVAL_STATE__APPROVAL_EXPIRED &&
             a->state != IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN)
        (void)snprintf(out, size, "%s by %s",
                       a->state == IPC__APPROVAL_STATE__APPROVAL_CONSUMED ? "ran, approved"
                                                                          : approval_state_name(a->state),
                       escaped(by, sizeof by, last->by->name));
    else
        (void)snprintf(out, size, "%s", approval_state_name(a->state));
}

static void put_who_and_where(struct pen *pen, const Ipc__Approval *a)
{
    char who[200], where[200], target[96], login[96];
    (void)approval_who(who, sizeof who, a);
    (void)snprintf(where, sizeof where, "%s as %s", escaped(target, sizeof target, a->target),
                   escaped(login, sizeof login, a->login));
    unsigned room = pen->page->columns > pen->column ? pen->page->columns - pen->column : 0;
    unsigned needed = width_of_text(where) + (unsigned)strlen(" on ");
    /* Where there is not room for both, each has half of it. */
    pen_clip(pen, STYLE_BOLD, who, needed < room / 2 ? room - needed : room / 2);
    pen_clip(pen, STYLE_DIM, " on ", pen->page->columns);
    pen_clip(pen, STYLE_PLAIN, where, pen->page->columns);
}

static void put_head(struct pen *pen, const struct board_item *item, bool selected, uint64_t now_ms)
{
    char text[200];
    const Ipc__Approval *a = item->about;
    pen_clip(pen, selected ? STYLE_SELECTED : STYLE_PLAIN, selected ? ">" : " ", 1);
    pen_clip(pen, selected ? STYLE_SELECTED : STYLE_BOLD, a->id, 8);
    pen_clip(pen, STYLE_PLAIN, "  ", 2);
    standing(a, now_ms, text, sizeof text);
    pen_clip(pen, style_of(a, now_ms), text, pen->page->columns);
    pen_clip(pen, STYLE_PLAIN, "  ", 2);
    if (pen->page->columns < NARROW)
        pen_begin(pen, INDENT, 1);
    put_who_and_where(pen, a);
}

/* ---- the rest ---- */

static void put_statement(struct pen *pen, const Ipc__ApprovalContent *content, unsigned rows)
{
    size_t n = content->statement.len;
    CLEANUP(free) char *shown = malloc(ESCAPE * n + 16);
    if (!shown)
        return;
    (void)text_escape(shown, ESCAPE * n + 16, content->statement.data, n, true);
    const char *at = shown, *end = shown + strlen(shown);
    while (end > at && (end[-1] == '\n' || end[-1] == ' '))
        end--;
    pen_begin(pen, INDENT, rows);
    while (at < end && pen->rows_left > 0) {
        enum style style;
        size_t length = sql_style(at, (size_t)(end - at), &style);
        pen_text(pen, style, at, length);
        at += length;
    }
    if (pen->rows_left == 0 || content->omitted) {
        pen_begin(pen, INDENT, 1);
        pen_clip(pen, STYLE_DIM, content->omitted ? "… more than is kept" : "… Enter: all of it",
                 pen->page->columns);
    }
}

static void put_first_row(struct pen *pen, const Ipc__ApprovalContent *content)
{
    char shown[600];
    size_t n = content->statement.len < 300 ? content->statement.len : 300;
    (void)text_escape(shown, sizeof shown, content->statement.data, n, true);
    for (char *c = shown; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    pen_begin(pen, INDENT, 1);
    pen_clip(pen, STYLE_DIM, shown, pen->page->columns);
}

/* "label text", of which the text is foreign and goes on in as many rows as it needs. */
static void put_fact(struct pen *pen, const char *label, enum style style, const char *text, unsigned rows)
{
    size_t n = strlen(text);
    CLEANUP(free) char *shown = malloc(ESCAPE * n + 16);
    if (!shown || n == 0)
        return;
    (void)text_escape(shown, ESCAPE * n + 16, text, n, true);
    pen_begin(pen, INDENT, rows);
    pen_text(pen, STYLE_DIM, label, strlen(label));
    pen_text(pen, style, shown, strlen(shown));
}

static void put_rule(struct pen *pen, const Ipc__Approval *a)
{
    char text[1200], by[600], people[32] = "";
    (void)snprintf(text, sizeof text, "%s%s%s", a->rule, a->reason[0] ? ": " : "", a->reason);
    put_fact(pen, "rule ", STYLE_PLAIN, text, 3);
    if (a->approve->quorum > 1)
        (void)snprintf(people, sizeof people, ", %u people", (unsigned)a->approve->quorum);
    (void)snprintf(text, sizeof text, "%s%s%s%s", approval_by(by, sizeof by, a), people,
                   a->approve->touch ? ", security key" : "", a->approve->must_sign ? ", signed" : "");
    put_fact(pen, "decided by ", STYLE_PLAIN, text, 3);
}

static void put_decisions(struct pen *pen, const Ipc__Approval *a)
{
    for (size_t i = 0; i < a->n_decisions; i++) {
        char text[1600], time[24];
        const Ipc__ApprovalDecision *d = a->decisions[i];
        (void)snprintf(text, sizeof text, "%s%s%s%s%s", d->by->name, d->for_ms ? ", for " : "",
                       d->for_ms ? text_duration(time, d->for_ms) : "", d->reason[0] ? ": " : "", d->reason);
        put_fact(pen, d->approve ? "approved by " : "denied by ", d->approve ? STYLE_GOOD : STYLE_BAD, text,
                 3);
    }
    if (a->state == IPC__APPROVAL_STATE__APPROVAL_EXPIRED ||
        a->state == IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN)
        put_fact(pen, "", STYLE_DIM, a->why, 2);
}

static void put_value(struct pen *pen, size_t number, const Ipc__ApprovalValue *value)
{
    char label[32], shown[1400];
    (void)snprintf(label, sizeof label, "$%zu ", number);
    pen_begin(pen, INDENT, 3);
    pen_text(pen, STYLE_DIM, label, strlen(label));
    if (value->null) {
        pen_text(pen, STYLE_KEYWORD, "NULL", 4);
        return;
    }
    (void)text_escape(shown, sizeof shown, value->value.data, value->value.len, false);
    pen_text(pen, STYLE_LITERAL, shown, strlen(shown));
}

static void put_unfolded(struct pen *pen, const Ipc__Approval *a, const Ipc__ApprovalContent *content)
{
    char text[256], at[32];
    for (size_t i = 0; i < content->n_values; i++)
        put_value(pen, i + 1, content->values[i]);
    for (size_t i = 0; i < content->n_effects; i++)
        put_fact(pen, "does ", STYLE_PLAIN, content->effects[i], 3);
    for (size_t i = 0; i < content->n_context; i++) {
        (void)snprintf(text, sizeof text, "%s = %s", content->context[i]->name, content->context[i]->value);
        put_fact(pen, "set ", STYLE_PLAIN, text, 2);
    }
    put_fact(pen, "from ", STYLE_PLAIN, a->source, 1);
    (void)snprintf(text, sizeof text, "%s, request %" PRIu64, a->recording, a->number);
    put_fact(pen, "recording ", STYLE_PLAIN, a->recording[0] ? text : "", 2);
    put_fact(pen, "asked ", STYLE_PLAIN, text_time(at, a->created_ms), 1);
}

static void put_item(struct pen *pen, const struct board_item *item, bool selected, uint64_t now_ms)
{
    const Ipc__Approval *a = item->about;
    put_head(pen, item, selected, now_ms);
    if (!selected) {
        if (a->content)
            put_first_row(pen, a->content);
        return;
    }
    if (a->content)
        put_statement(pen, a->content, item->unfolded ? UNFOLDED_ROWS : FOLDED_ROWS);
    put_rule(pen, a);
    if (a->content) {
        put_fact(pen, "", STYLE_WARN, a->content->preview, item->unfolded ? UNFOLDED_ROWS : FOLDED_PREVIEW);
        if (item->unfolded)
            put_unfolded(pen, a, a->content);
    }
    put_decisions(pen, a);
}

int board_page(struct board *board, uint64_t now_ms, unsigned columns, struct canvas **ret,
               unsigned *ret_first, unsigned *ret_last)
{
    CLEANUP(canvas_free) struct canvas *page = NULL;
    int r = canvas_new(columns, 8, &page);
    if (r)
        return r;
    struct pen pen = { .page = page };
    *ret_first = *ret_last = 0;
    for (size_t i = 0; i < board->n && pen.error == 0; i++) {
        bool selected = i == board->selected;
        if (selected)
            *ret_first = pen.row;
        put_item(&pen, &board->items[i], selected, now_ms);
        if (selected)
            *ret_last = pen.row;
        pen_begin(&pen, 0, 1);
    }
    if (pen.error && pen.error != -ENOBUFS)
        return pen.error;
    page->rows = pen.row < page->rows ? pen.row + 1 : page->rows;
    *ret = STEAL(page);
    return 0;
}
