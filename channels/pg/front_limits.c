/* A limited Execute is followed by a Flush of ours, since the server would keep the end of the result to
 * itself until the client's Sync, which waits. */
#include "channels/pg/front_limits.h"

#include <errno.h>
#include "channels/pg/front_record.h"

/* The limits of the text, of what it executes by name, and of the cursors that it fetches from. */
static int budget_of(struct front *f, const struct decision *d, struct budget *ret, const char **ret_cursor)
{
    int r = budget_add(ret, &d->budget, UINT32_MAX);
    for (size_t i = 0; r == 0 && i < d->n_steps; i++) {
        struct decision **slot = d->steps[i].role == SQL_EXECUTE && d->steps[i].name
                                     ? prepared_slot(&f->prepared, d->steps[i].name)
                                     : NULL;
        if (slot && *slot)
            r = budget_add(ret, &(*slot)->budget, 1);
    }
    *ret_cursor = limits_fetched(&f->limits, d, ret);
    return r;
}

int front_count(struct front *f, const struct decision *d, struct verdict *verdict)
{
    struct budget budget = { .rows = 0 };
    const char *cursor = NULL;
    if (!f->limits.on)
        return 0;
    int r = budget_of(f, d, &budget, &cursor);
    r = r ? r : limits_allowance(&f->limits, &budget, verdict);
    budget_clear(&budget);
    return r == LIMITS_REFUSED ? 0 : r;
}

int front_limit_bind(struct front *f, const char *portal, struct decision *d)
{
    struct budget budget = { .rows = 0 };
    const char *cursor = NULL;
    if (!f->limits.on)
        return 0;
    int r = budget_of(f, d, &budget, &cursor);
    r = r ? r : limits_bound(&f->limits, portal, d, &budget, cursor);
    r = r ? r : limits_declared(&f->limits, d);
    budget_clear(&budget);
    return r;
}

int front_limit_query(struct front *f, struct decision *d)
{
    struct budget budget = { .rows = 0 };
    const char *cursor = NULL;
    if (!f->limits.on)
        return 0;
    int r = limits_declared(&f->limits, d);
    r = r ? r : budget_of(f, d, &budget, &cursor);
    if (r == 0 && limits_begin_query(&f->limits, d, &budget, cursor))
        veil_mark(f->veil);
    budget_clear(&budget);
    return r;
}

static int put_flush(struct front *f)
{
    static const uint8_t bytes[] = { 'H', 0, 0, 0, 4 };
    return buffer_append(&f->lane.out, bytes, sizeof bytes);
}

static int flush(struct front *f)
{
    int r = front_settle(f);
    return r ? r : lane_flush(&f->lane);
}

int front_limit_execute(struct front *f, const char *portal)
{
    if (!f->limits.on || !limits_begin_execute(&f->limits, portal))
        return 0;
    veil_mark(f->veil);
    int r = flush(f);
    return r ? r : put_flush(f);
}

int front_limit_copied(struct front *f)
{
    bool waits = f->limits.copying_in && !f->limits.simple && f->veil && veil_is_marked(f->veil);
    f->limits.copying_in = false;
    int r = waits ? flush(f) : 0;
    return r || !waits ? r : put_flush(f);
}

bool front_is_behind_limit(const struct front *f)
{
    const struct limits *l = &f->limits;
    if (!l->on || !f->veil)
        return false;
    return l->cut || l->cancelling || l->cancel_due || (veil_is_marked(f->veil) && !l->copying_in);
}

/* Nothing of the client's is behind the limited request, so this is next for the server. */
int front_abort(struct front *f, const struct verdict *verdict)
{
    char text[REFUSAL_TEXT_MAX];
    refusals_substitute(&f->refusals, f->limits.request, verdict->rule, text);
    int r = flush(f);
    if (r == 0 && f->limits.simple) {
        r = pg_put_query(&f->lane.out, text);
        r = r ? r : veil_query(f->veil, NULL, 0);
        f->rounds_due++;
    } else if (r == 0) {
        r = pg_put_parse(&f->lane.out, "gatehouse", text);
        r = r ? r : put_flush(f);
        r = r ? r : veil_parse(f->veil, "gatehouse", NULL);
    }
    f->asked = true;
    return r == VEIL_LIMIT ? -ENOBUFS : r;
}
