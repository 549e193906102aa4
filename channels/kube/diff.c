/* See diff.h. What is the same at the beginning and at the end is set aside; of the rest the longest common
 * subsequence is found in a table, which is small for what people send: where it would not be, all lines
 * between are taken for changed. */
#include "channels/kube/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct line {
    const char *text;
    size_t n;
};

struct text {
    struct line *lines;
    size_t n;
};

struct diff {
    struct text before, after;
    size_t head, tail;    /* lines that are the same at both ends */
    uint16_t *table;      /* length of the longest common subsequence of what follows; or NULL */
    size_t width, height; /* of the middle: lines before, after; the table has one more of each */
};

/* One line of the whole, in order. */
struct step {
    char sign; /* ' ', '-', '+' */
    const struct line *line;
    size_t before, after; /* lines of each that come before it */
};

static int split(const char *text, struct text *ret)
{
    size_t count = 0;
    for (const char *c = text; *c; c++)
        count += *c == '\n';
    if (count > DIFF_LINES_MAX)
        return DIFF_TOO_LONG;
    ret->lines = calloc(count + 1, sizeof *ret->lines);
    if (!ret->lines)
        return -ENOMEM;
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        ret->lines[ret->n++] = (struct line){ at, n };
        at += n + (at[n] == '\n');
    }
    return 0;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static void set_ends_aside(struct diff *d)
{
    const struct text *a = &d->before, *b = &d->after;
    while (d->head < a->n && d->head < b->n && same(&a->lines[d->head], &b->lines[d->head]))
        d->head++;
    while (d->tail < a->n - d->head && d->tail < b->n - d->head &&
           same(&a->lines[a->n - 1 - d->tail], &b->lines[b->n - 1 - d->tail]))
        d->tail++;
    d->height = a->n - d->head - d->tail;
    d->width = b->n - d->head - d->tail;
}

static uint16_t *cell(const struct diff *d, size_t i, size_t k)
{
    return &d->table[i * (d->width + 1) + k];
}

static int fill_table(struct diff *d)
{
    if (d->height == 0 || d->width == 0 || (d->height + 1) * (d->width + 1) > DIFF_CELLS_MAX)
        return 0;
    d->table = calloc((d->height + 1) * (d->width + 1), sizeof *d->table);
    if (!d->table)
        return -ENOMEM;
    for (size_t i = d->height; i-- > 0;) {
        for (size_t k = d->width; k-- > 0;) {
            uint16_t down = *cell(d, i + 1, k), right = *cell(d, i, k + 1);
            *cell(d, i, k) = same(&d->before.lines[d->head + i], &d->after.lines[d->head + k])
                                 ? (uint16_t)(*cell(d, i + 1, k + 1) + 1)
                             : down >= right ? down
                                             : right;
        }
    }
    return 0;
}

/* What stands at (i, k) of the middle. */
static char sign_at(const struct diff *d, size_t i, size_t k)
{
    if (i == d->height)
        return '+';
    if (k == d->width || !d->table)
        return '-';
    if (same(&d->before.lines[d->head + i], &d->after.lines[d->head + k]))
        return ' ';
    return *cell(d, i + 1, k) >= *cell(d, i, k + 1) ? '-' : '+';
}

static size_t walk(const struct diff *d, struct step *steps)
{
    size_t n = 0, i = 0, k = 0;
    while (i < d->before.n || k < d->after.n) {
        bool inside = i >= d->head && k >= d->head && (i < d->head + d->height || k < d->head + d->width);
        char sign = inside ? sign_at(d, i - d->head, k - d->head) : ' ';
        steps[n++] = (struct step){ sign, sign == '+' ? &d->after.lines[k] : &d->before.lines[i], i, k };
        i += sign != '+';
        k += sign != '-';
    }
    return n;
}

/* ---- writing ---- */

/* Where the hunk that begins at a change ends: behind its last change. */
static size_t hunk_end(const struct step *steps, size_t n, size_t at)
{
    size_t end = at;
    for (size_t i = at; i < n && i <= end + 2 * (size_t)DIFF_CONTEXT; i++)
        if (steps[i].sign != ' ')
            end = i + 1;
    return end;
}

static int put_range(struct buffer *out, char sign, size_t first, size_t n)
{
    return n == 1 ? buffer_printf(out, " %c%zu", sign, first + 1)
                  : buffer_printf(out, " %c%zu,%zu", sign, n ? first + 1 : first, n);
}

static int put_hunk(struct buffer *out, const struct step *steps, size_t from, size_t to)
{
    size_t before = 0, after = 0;
    for (size_t i = from; i < to; i++) {
        before += steps[i].sign != '+';
        after += steps[i].sign != '-';
    }
    int r = buffer_append(out, "@@", 2);
    r = r ? r : put_range(out, '-', steps[from].before, before);
    r = r ? r : put_range(out, '+', steps[from].after, after);
    r = r ? r : buffer_append(out, " @@\n", 4);
    for (size_t i = from; r == 0 && i < to; i++) {
        r = buffer_append(out, &steps[i].sign, 1);
        r = r ? r : buffer_append(out, steps[i].line->text, steps[i].line->n);
        r = r ? r : buffer_append(out, "\n", 1);
    }
    return r;
}

static int put_hunks(struct buffer *out, const struct step *steps, size_t n)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at < n;) {
        if (steps[at].sign == ' ') {
            at++;
            continue;
        }
        size_t end = hunk_end(steps, n, at);
        size_t from = at > DIFF_CONTEXT ? at - DIFF_CONTEXT : 0;
        r = put_hunk(out, steps, from, end + DIFF_CONTEXT < n ? end + DIFF_CONTEXT : n);
        at = end;
    }
    return r;
}

int diff_put(struct buffer *out, const char *before, const char *after)
{
    struct diff d = { .head = 0 };
    struct step *steps = NULL;
    int r = split(before, &d.before);
    r = r ? r : split(after, &d.after);
    if (r == 0) {
        set_ends_aside(&d);
        r = fill_table(&d);
    }
    if (r == 0 && !(steps = calloc(d.before.n + d.after.n + 1, sizeof *steps)))
        r = -ENOMEM;
    r = r ? r : put_hunks(out, steps, walk(&d, steps));
    free(steps);
    free(d.table);
    free(d.before.lines);
    free(d.after.lines);
    return r;
}
