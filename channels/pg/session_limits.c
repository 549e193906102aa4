/* Two waits, never at the same time: for the ledger's word on the next statement, and for the end of a result
 * that was over its limit. */
#include "channels/pg/session_parts.h"

#include <string.h>

bool session_counts(const struct pg_session *s)
{
    return s->front.held && s->front.limits.allowance == ALLOWANCE_ASKED;
}

/* ---- the ledger ---- */

static void counted(struct pg_session *s, const char *rule, uint32_t wait_s)
{
    struct limits *l = &s->front.limits;
    timer_stop(s->timer);
    l->allowance = ALLOWANCE_GO;
    for (size_t i = 0; *rule && i < l->asked.n_uses; i++) {
        if (strcmp(l->asked.uses[i].rule->name, rule) != 0)
            continue;
        l->allowance = ALLOWANCE_FULL;
        l->full_rule = l->asked.uses[i].rule->name;
        l->wait_s = wait_s;
    }
    front_resume(&s->front, NULL);
    session_go_on(s);
}

void session_ask_count(struct pg_session *s)
{
    const struct budget *asked = &s->front.limits.asked;
    /* Nobody can be asked while the ledger is gone, and then the whole connection ends at once. */
    (void)s->host->calls->ask_count(s->owner, asked->uses, asked->n_uses);
    timer_set(s->timer, PG_COUNT_MS);
}

void pg_session_counted(struct pg_session *s, const char *rule, uint32_t wait_s)
{
    if (s->state == RUNNING && session_counts(s))
        counted(s, rule, wait_s);
}

/* ---- a result over its limit ---- */

void session_mind_limits(struct pg_session *s)
{
    struct limits *l = &s->front.limits;
    if (l->cancel_due) {
        l->cancel_due = false;
        l->cancelling = s->host->calls->ask_cancel_end(s->owner, s->pid, s->key, s->key_n) == 0;
        s->cutting = true;
        timer_set(s->timer, PG_CUT_MS);
    }
    if (s->cutting && !l->cut && !l->cancelling) {
        s->cutting = false;
        timer_stop(s->timer);
    }
}

void pg_session_cancelled(struct pg_session *s)
{
    if (s->state == LOGIN && s->cancels) {
        session_close(s, "a cancel request");
        return;
    }
    if (s->state != RUNNING || !s->front.limits.cancelling)
        return;
    s->front.limits.cancelling = false;
    session_mind_limits(s);
    if (!front_is_behind_limit(&s->front))
        session_go_on(s);
}

void session_limits_late(struct pg_session *s)
{
    if (session_counts(s))
        pg_session_stop(s, "limit", "statements can't be counted now, so none can run");
    else if (s->front.limits.cut || s->front.limits.cancelling)
        pg_session_stop(s, "limit",
                        "a result was over the limit of a rule, and the target did not end it in time");
}
