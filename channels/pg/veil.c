/* Which answer belongs to what: a queue of what went to the server and will be answered by rows, descriptions
 * or ReadyForQuery. After an error the server skips to the next Sync, and so does the queue. */
#include "channels/pg/veil_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum expected_kind { EXPECT_QUERY, EXPECT_DESCRIBE, EXPECT_EXECUTE, EXPECT_SYNC };

struct expected {
    struct expected *next;
    enum expected_kind kind;
    struct veil_formats formats; /* of an Execute */
    size_t n, at;                /* of a Query: its statements, and which of them is being answered */
    struct veil_plan *plans[];   /* one each; the others have one */
};

struct veil {
    struct veil_how how;
    struct expected *first, **last;
    size_t count;
    bool skipping; /* after an error: the server drops what comes until a Sync */
    struct veil_copying copying;
};

int veil_new(const struct veil_how *how, struct veil **ret)
{
    struct veil *veil = calloc(1, sizeof *veil);
    if (!veil)
        return -ENOMEM;
    veil->how = *how;
    veil->last = &veil->first;
    *ret = veil;
    return 0;
}

static void expected_free(struct expected *expected)
{
    for (size_t i = 0; i < expected->n; i++)
        veil_plan_free(expected->plans[i]);
    veil_formats_clear(&expected->formats);
    free(expected);
}

static void pop(struct veil *veil)
{
    struct expected *first = veil->first;
    veil->first = first->next;
    if (!veil->first)
        veil->last = &veil->first;
    veil->count--;
    expected_free(first);
}

void veil_free(struct veil *veil)
{
    if (!veil)
        return;
    while (veil->first)
        pop(veil);
    free(veil);
}

/* ---- what goes to the server ---- */

static int push(struct veil *veil, enum expected_kind kind, struct veil_plan *const *plans, size_t n,
                struct expected **ret)
{
    if (kind == EXPECT_SYNC)
        veil->skipping = false;
    *ret = NULL;
    if (veil->skipping)
        return 0;
    if (veil->count == VEIL_EXPECTED_MAX)
        return VEIL_LIMIT;
    struct expected *expected = calloc(1, sizeof *expected + n * sizeof(struct veil_plan *));
    if (!expected)
        return -ENOMEM;
    expected->kind = kind;
    expected->n = n;
    for (size_t i = 0; i < n; i++)
        expected->plans[i] = veil_plan_share(plans[i]);
    *veil->last = expected;
    veil->last = &expected->next;
    veil->count++;
    *ret = expected;
    return 0;
}

int veil_query(struct veil *veil, struct veil_plan *const *plans, size_t n)
{
    struct expected *expected;
    return push(veil, EXPECT_QUERY, plans, n, &expected);
}

int veil_describe(struct veil *veil, struct veil_plan *plan)
{
    struct expected *expected;
    return push(veil, EXPECT_DESCRIBE, &plan, 1, &expected);
}

int veil_execute(struct veil *veil, struct veil_plan *plan, const struct veil_formats *formats)
{
    struct expected *expected;
    int r = push(veil, EXPECT_EXECUTE, &plan, 1, &expected);
    return r || !expected ? r : veil_formats_copy(formats, &expected->formats);
}

int veil_sync(struct veil *veil)
{
    struct expected *expected;
    return push(veil, EXPECT_SYNC, NULL, 0, &expected);
}

/* libpq sends a Sync right behind each Execute; a server that has begun COPY FROM STDIN reads it and ignores
 * it. */
void veil_copied(struct veil *veil)
{
    struct expected **from = NULL;
    for (struct expected **slot = &veil->first; *slot; slot = &(*slot)->next)
        if ((*slot)->kind == EXPECT_EXECUTE)
            from = &(*slot)->next;
    while (from && *from && (*from)->kind == EXPECT_SYNC) {
        struct expected *sync = *from;
        *from = sync->next;
        veil->count--;
        expected_free(sync);
    }
    if (from && !*from)
        veil->last = from;
}

/* ---- what the server answers ---- */

/* NULL: nothing is masked by columns there. False: no such statement was sent. */
static bool current_plan(const struct veil *veil, struct veil_plan **ret)
{
    const struct expected *first = veil->first;
    if (!first || first->kind == EXPECT_SYNC || first->at >= first->n)
        return false;
    *ret = first->plans[first->at];
    return true;
}

static int take_description(struct veil *veil, struct reader body)
{
    struct veil_plan *plan;
    int error = 0;
    if (!current_plan(veil, &plan) || veil->first->kind == EXPECT_EXECUTE)
        return VEIL_UNEXPECTED;
    bool good = !plan || veil_plan_describe(plan, body, &error);
    if (veil->first->kind == EXPECT_DESCRIBE)
        pop(veil);
    return good ? VEIL_PASS : error ? error : VEIL_UNEXPECTED;
}

static int take_row(struct veil *veil, struct reader body, struct buffer *out)
{
    struct veil_plan *plan;
    if (!current_plan(veil, &plan) || veil->first->kind == EXPECT_DESCRIBE)
        return VEIL_UNEXPECTED;
    return veil_row(&veil->how, plan, &veil->first->formats, body, out);
}

static int take_copy_begin(struct veil *veil, struct reader body)
{
    uint8_t binary = 0;
    if (!reader_u8(&body, &binary))
        return VEIL_UNEXPECTED;
    veil->copying = (struct veil_copying){ .binary = binary == 1 };
    return VEIL_PASS;
}

static int take_copy(struct veil *veil, struct reader body, struct buffer *out)
{
    struct veil_plan *plan;
    if (!current_plan(veil, &plan))
        return VEIL_UNEXPECTED;
    return veil_copy_data(&veil->how, plan, &veil->copying, body, out);
}

/* One statement is done. */
static int take_complete(struct veil *veil)
{
    struct expected *first = veil->first;
    if (!first || (first->kind != EXPECT_QUERY && first->kind != EXPECT_EXECUTE))
        return VEIL_UNEXPECTED;
    if (first->kind == EXPECT_EXECUTE)
        pop(veil);
    else
        first->at++;
    return VEIL_PASS;
}

static int take_no_rows(struct veil *veil)
{
    if (!veil->first || veil->first->kind != EXPECT_DESCRIBE)
        return VEIL_UNEXPECTED;
    pop(veil);
    return VEIL_PASS;
}

static const struct mask *hides_texts(const struct veil *veil)
{
    struct veil_plan *plan;
    return current_plan(veil, &plan) && plan && plan->hides_texts ? plan->worst : NULL;
}

static int take_error(struct veil *veil, struct reader body, struct buffer *out)
{
    int r = veil_text(&veil->how, hides_texts(veil), 'E', body, out);
    while (veil->first && veil->first->kind != EXPECT_SYNC && veil->first->kind != EXPECT_QUERY)
        pop(veil);
    veil->skipping = !veil->first;
    return r;
}

static int take_ready(struct veil *veil)
{
    if (veil->first && veil->first->kind != EXPECT_QUERY && veil->first->kind != EXPECT_SYNC)
        return VEIL_UNEXPECTED;
    if (veil->first)
        pop(veil);
    return VEIL_PASS;
}

bool veil_looks_into(const struct veil *veil, uint8_t type)
{
    struct veil_plan *plan;
    switch (type) {
    case 'D':
    case 'd':
        return veil->how.detectors || (current_plan(veil, &plan) && plan);
    case 'T':
        return veil->how.columns;
    case 'A':
    case 'E':
    case 'N':
    case 'H':
        return true;
    default:
        return false;
    }
}

int veil_answer(struct veil *veil, uint8_t type, struct reader body, struct buffer *out)
{
    switch (type) {
    case 'T':
        return take_description(veil, body);
    case 'D':
        return take_row(veil, body, out);
    case 'H':
        return take_copy_begin(veil, body);
    case 'd':
        return take_copy(veil, body, out);
    case 'C':
    case 'I':
    case 's':
        return take_complete(veil);
    case 'n':
        return take_no_rows(veil);
    case 'E':
        return take_error(veil, body, out);
    case 'N':
        return veil_text(&veil->how, hides_texts(veil), 'N', body, out);
    case 'A':
        return veil->how.detectors ? veil_text(&veil->how, NULL, 'A', body, out) : VEIL_PASS;
    case 'Z':
        return take_ready(veil);
    default:
        return VEIL_PASS;
    }
}

bool veil_is_clean(struct veil *veil, const void *bytes, size_t n)
{
    struct veil_plan *plan = NULL;
    if (current_plan(veil, &plan) && plan)
        for (size_t i = 0; i < plan->n_cells || !plan->described; i++)
            if (!plan->described || plan->cells[i].fate.mask)
                return false;
    return !veil->how.detectors || detect_is_clean(veil->how.detectors, veil->how.detect, bytes, n);
}
