/* The held message is looked at again at each step, from its bytes: what it would do is decided anew when the
 * catalog has changed meanwhile, and only what has the digest that people agreed to goes on. */
#include "channels/pg/front_hold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/pg/front_record.h"
#include "channels/pg/preview.h"

static const char *static_code(const char *code)
{
    static const char *const codes[] = { "pending",  "approval_denied",       "approval_expired",
                                         "limit",    "recording_unavailable", "target_unavailable",
                                         "cancelled" };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(code, codes[i]) == 0)
            return codes[i];
    return "denied";
}

/* ---- who has to agree ---- */

static void holders_of(const struct held *held, struct holders *ret)
{
    *ret = (struct holders){ .n = 0 };
    if (held->decision->holders && !held->decision->only_prepares)
        holders_add_all(ret, held->decision->holders);
    for (size_t i = 0; i < held->n_executed; i++)
        if (held->executed[i]->holders)
            holders_add_all(ret, held->executed[i]->holders);
}

static const struct holder *that_denies_transactions(const struct holders *holders)
{
    for (size_t i = 0; i < holders->n; i++)
        if (holders->items[i].approve->deny_in_transaction)
            return &holders->items[i];
    return NULL;
}

static struct verdict deny_by(const struct holder *holder, const char *code, const char *reason)
{
    return (struct verdict){ .action = ACTION_DENY, .code = code, .rule = holder->name, .reason = reason };
}

static bool is_cut(const struct held *held)
{
    for (size_t i = 0; i < held->n_executed; i++)
        if (held->executed[i]->text_n < held->executed[i]->text_size)
            return true;
    return false;
}

/* Why nobody is asked; or NULL. */
static const char *cannot_be_asked(const struct holders *holders, const struct held *held)
{
    if (holders->overflow)
        return "more than 16 rules want an approval of it: send less at once";
    if (held->overflow)
        return "it executes more than 8 prepared statements: send less at once";
    if (is_cut(held))
        return "a prepared statement of more than 16 KiB can't be part of what is approved";
    return NULL;
}

/* ---- asking ---- */

static int record_asked(struct front *f, const char *what, const struct held *held,
                        const struct verdict *verdict)
{
    int r = front_settle(f);
    f->hold.number = recorder_next(f->recorder);
    if (r || !held->bind)
        return r ? r
                 : front_record(f, what, verdict, held->decision, held->decision->text,
                                held->decision->text_n, 0);
    return front_record_bind(f, held->bind, held->decision, held->of);
}

static int ask(struct front *f, const char *what, const struct held *held, const struct holders *holders,
               struct verdict *verdict, uint8_t *content, size_t n, const uint8_t *digest)
{
    struct hold *h = &f->hold;
    if (++h->rounds > HOLD_ROUNDS_MAX) {
        free(content);
        *verdict = deny_by(&holders->items[0], "target_unavailable",
                           "what it would do changes again and again while others decide");
        return 0;
    }
    hold_forget_question(h);
    h->kept[h->n_kept++] = decision_share(held->decision);
    for (size_t i = 0; i < held->n_executed; i++)
        h->kept[h->n_kept++] = decision_share(held->executed[i]);
    h->content = content;
    h->content_n = n;
    memcpy(h->digest, digest, APPROVAL_DIGEST);
    h->holders = *holders;
    h->state = HOLD_DUE;
    int r = record_asked(f, what, held, verdict);
    r = r ? r : preview_plan_new(h, held, f->inspector, f->text_kind, &h->preview);
    return r ? r : FRONT_HELD;
}

/* A transaction is open, or something was run in the pipeline that is one too; or it is not known yet. */
static int check_transaction(struct front *f, const struct holders *holders, struct verdict *verdict)
{
    const struct holder *by = that_denies_transactions(holders);
    if (!by)
        return 0;
    if (f->rounds_seen < f->rounds_due) {
        f->hold.state = HOLD_SETTLES;
        return FRONT_HELD;
    }
    if (f->status != 'I' || f->in_pipeline)
        *verdict = deny_by(by, "denied",
                           "it needs an approval, and the rule does not let a transaction wait for one: send "
                           "it outside of a transaction");
    return 0;
}

int front_hold(struct front *f, const char *what, const struct held *held, struct verdict *verdict)
{
    struct hold *h = &f->hold;
    struct holders holders;
    uint8_t digest[APPROVAL_DIGEST], *content = NULL;
    size_t n = 0;
    holders_of(held, &holders);
    if (holders.n == 0) { /* it only prepares what is held when it is executed */
        verdict->action = ACTION_ALLOW;
        return 0;
    }
    const char *why_not = cannot_be_asked(&holders, held);
    if (why_not) {
        *verdict = deny_by(&holders.items[0], "limit", why_not);
        return 0;
    }
    int r = h->state <= HOLD_SETTLES ? check_transaction(f, &holders, verdict) : 0;
    if (r || verdict->action == ACTION_DENY)
        return r;
    r = hold_content(h, held, &content, &n, digest);
    if (r == APPROVAL_TOO_LARGE)
        *verdict = deny_by(&holders.items[0], "limit", "more than 8 MiB can't be approved");
    if (r)
        return r == APPROVAL_TOO_LARGE ? 0 : r;
    if (h->state <= HOLD_SETTLES || memcmp(digest, h->digest, APPROVAL_DIGEST) != 0)
        return ask(f, what, held, &holders, verdict, content, n, digest);
    free(content);
    if (h->state == HOLD_REFUSED)
        *verdict = h->verdict;
    else if (h->state == HOLD_GO)
        verdict->action = ACTION_ALLOW;
    else if (h->state != HOLD_AGREED)
        return FRONT_HELD;
    return 0;
}

void front_hold_use(struct front *f)
{
    f->hold.state = HOLD_USE_DUE;
}

void front_hold_note(struct front *f, const struct decision *d)
{
    if (d->sets)
        hold_note_statement(&f->hold, d->text, d->text_n);
}

/* ---- for the session ---- */

void front_hold_asked(struct front *f)
{
    hold_forget_question(&f->hold);
    f->hold.holders = (struct holders){ .n = 0 };
    f->hold.state = HOLD_ASKED;
}

void front_hold_agreed(struct front *f)
{
    f->hold.state = HOLD_AGREED;
}

void front_hold_go(struct front *f)
{
    f->hold.state = HOLD_GO;
}

void front_hold_refuse(struct front *f, const char *code, const char *rule, const char *reason,
                       const char *request)
{
    struct hold *h = &f->hold;
    (void)snprintf(h->rule, sizeof h->rule, "%s", rule);
    (void)snprintf(h->reason, sizeof h->reason, "%s", reason);
    (void)snprintf(h->id, sizeof h->id, "%s", request);
    h->verdict = (struct verdict){ .action = ACTION_DENY,
                                   .code = static_code(code),
                                   .rule = h->rule,
                                   .reason = h->reason,
                                   .request = *h->id ? h->id : NULL };
    h->state = HOLD_REFUSED;
}
