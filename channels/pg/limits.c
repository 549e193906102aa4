/* What is limited is remembered by the names of portals and cursors, which share one name space at the server
 * too. Entries come when a Bind or DECLARE is sent, not when it is confirmed: one that fails leaves a limit
 * where there may be none, never the other way round. */
#include "channels/pg/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void limits_init(struct limits *l)
{
    *l = (struct limits){ .on = false };
    table_init(&l->portals);
}

static void limited_free(struct limited *limited)
{
    if (!limited)
        return;
    free((char *)(uintptr_t)limited->link.key);
    free(limited->cursor);
    decision_free(limited->decision);
    free(limited);
}

static void remove_one(void *owner, struct link *link)
{
    struct limits *l = owner;
    struct limited *limited = (struct limited *)link;
    table_remove(&l->portals, link);
    if (l->shown == &limited->shown) {
        l->here = limited->shown;
        l->shown = &l->here;
    }
    limited_free(limited);
}

void limits_free(struct limits *l)
{
    table_each(&l->portals, remove_one, l);
    table_free(&l->portals);
    decision_free(STEAL(l->decision));
    budget_clear(&l->asked);
}

static struct limited *find(const struct limits *l, const char *name)
{
    return (struct limited *)table_find(&l->portals, name, table_name_size(name));
}

void limits_closed(struct limits *l, const char *name)
{
    struct limited *old = find(l, name);
    if (old)
        remove_one(l, &old->link);
}

static int put(struct limits *l, const char *name, struct decision *d, const struct budget *budget,
               const char *cursor)
{
    limits_closed(l, name);
    if (l->portals.count >= LIMITS_PORTALS_MAX) {
        budget_narrow(&l->others, budget);
        return 0;
    }
    struct limited *limited = calloc(1, sizeof *limited);
    if (!limited)
        return -ENOMEM;
    limited->link.key = strdup(name);
    limited->link.key_n = table_name_size(name);
    limited->cursor = cursor ? strdup(cursor) : NULL;
    limited->decision = decision_share(d);
    budget_narrow(&limited->budget, budget);
    if (!limited->link.key || (cursor && !limited->cursor) || table_add(&l->portals, &limited->link)) {
        limited_free(limited);
        return -ENOMEM;
    }
    return 0;
}

int limits_bound(struct limits *l, const char *portal, struct decision *d, const struct budget *budget,
                 const char *cursor)
{
    if (budget_limits_results(budget))
        return put(l, portal, d, budget, cursor);
    limits_closed(l, portal);
    return 0;
}

int limits_declared(struct limits *l, struct decision *d)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->n_steps; i++)
        if (d->steps[i].role == SQL_DECLARE && d->steps[i].name && budget_limits_results(&d->budget))
            r = put(l, d->steps[i].name, d, &d->budget, NULL);
    return r;
}

const char *limits_fetched(const struct limits *l, const struct decision *d, struct budget *budget)
{
    const char *cursor = NULL;
    for (size_t i = 0; i < d->n_steps; i++) {
        if (d->steps[i].role != SQL_FETCH || !d->steps[i].name)
            continue;
        const struct limited *from = find(l, d->steps[i].name);
        budget_narrow(budget, from ? &from->budget : &l->others);
        cursor = cursor ? cursor : d->steps[i].name;
    }
    return cursor;
}

/* ---- the result under way ---- */

static bool begin(struct limits *l, const struct budget *budget, struct shown *shown, struct decision *d,
                  bool simple)
{
    if (!budget_limits_results(budget))
        return false;
    l->now = (struct budget){ .rows = 0 };
    budget_narrow(&l->now, budget);
    l->here = (struct shown){ 0 };
    l->shown = shown ? shown : &l->here;
    l->simple = simple;
    l->copying_in = false;
    decision_free(STEAL(l->decision));
    l->decision = d ? decision_share(d) : NULL;
    return true;
}

bool limits_begin_query(struct limits *l, struct decision *d, const struct budget *budget, const char *cursor)
{
    struct limited *from = cursor ? find(l, cursor) : NULL;
    return begin(l, budget, from ? &from->shown : NULL, d, true);
}

bool limits_begin_execute(struct limits *l, const char *portal)
{
    struct limited *limited = find(l, portal);
    if (!limited)
        return begin(l, &l->others, NULL, NULL, false);
    struct limited *from = limited->cursor ? find(l, limited->cursor) : NULL;
    return begin(l, &limited->budget, from ? &from->shown : &limited->shown, limited->decision, false);
}

bool limits_show(struct limits *l, size_t n)
{
    if ((l->now.rows && l->shown->rows >= l->now.rows) ||
        (l->now.bytes && (n > l->now.bytes || l->shown->bytes > l->now.bytes - n)))
        return false;
    l->shown->rows++;
    l->shown->bytes += n;
    return true;
}

/* What a cursor has shown counts on. */
void limits_next_result(struct limits *l)
{
    l->here = (struct shown){ 0 };
}

struct verdict limits_verdict(struct limits *l)
{
    char why[BUDGET_ENDED_MAX];
    bool rows = l->now.rows && l->shown->rows >= l->now.rows;
    (void)snprintf(l->words, sizeof l->words, "%s",
                   rows ? budget_ended_by_rows(&l->now, why) : budget_ended_by_bytes(&l->now, why));
    return (struct verdict){ .action = ACTION_DENY,
                             .code = "limit",
                             .rule = rows ? l->now.rows_rule : l->now.bytes_rule,
                             .reason = l->words };
}

/* ---- statements a minute ---- */

static int refused(struct limits *l, struct verdict *verdict, const char *rule, uint32_t wait_s)
{
    *verdict = (struct verdict){
        .action = ACTION_DENY, .code = "limit", .rule = rule, .reason = l->words, .wait_s = wait_s
    };
    return LIMITS_REFUSED;
}

static uint32_t per_minute(const struct budget *budget, const char *rule)
{
    for (size_t i = 0; i < budget->n_uses; i++)
        if (strcmp(budget->uses[i].rule->name, rule) == 0)
            return budget->uses[i].rule->limits->statements_per_minute;
    return 0;
}

int limits_allowance(struct limits *l, const struct budget *uses, struct verdict *verdict)
{
    if (uses->n_uses == 0 || l->allowance == ALLOWANCE_GO)
        return 0;
    for (size_t i = 0; i < uses->n_uses; i++) {
        const Ipc__Rule *rule = uses->uses[i].rule;
        if (uses->uses[i].statements <= rule->limits->statements_per_minute)
            continue;
        (void)snprintf(l->words, sizeof l->words, "%u statements at once, and it allows %u a minute",
                       (unsigned)uses->uses[i].statements, (unsigned)rule->limits->statements_per_minute);
        return refused(l, verdict, rule->name, 0);
    }
    if (l->allowance == ALLOWANCE_FULL) {
        (void)snprintf(l->words, sizeof l->words,
                       "it allows %u statements a minute, on all connections together",
                       (unsigned)per_minute(uses, l->full_rule));
        return refused(l, verdict, l->full_rule, l->wait_s);
    }
    budget_clear(&l->asked);
    l->allowance = ALLOWANCE_ASKED;
    int r = budget_add(&l->asked, uses, UINT32_MAX);
    return r ? r : LIMITS_ASK;
}
