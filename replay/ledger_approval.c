/* The life of approval requests: kept before anybody is asked, decided once, never lost by a restart
 * (docs/approvals.md, docs/adr/0016).
 *
 * The store is the truth; in memory is what is open or approved, without its content. A change is made in
 * this order: a copy of what comes, the transaction, its event in the audit chain, the commit, and only then
 * the copy takes its place and anybody is told. Killed anywhere between, the ledger comes back with the form
 * before or the form after, and never with one that the audit chain does not know. */
#include "replay/ledger_approval.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- what is in memory ---- */

static Ipc__Approval *copy_approval(const Ipc__Approval *approval)
{
    size_t n = ipc__approval__get_packed_size(approval);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return NULL;
    (void)ipc__approval__pack(approval, bytes);
    return ipc__approval__unpack(NULL, n, bytes);
}

static Ipc__Grant *copy_grant(const Ipc__Grant *grant)
{
    size_t n = ipc__grant__get_packed_size(grant);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return NULL;
    (void)ipc__grant__pack(grant, bytes);
    return ipc__grant__unpack(NULL, n, bytes);
}

static void request_free(struct request *request)
{
    if (!request)
        return;
    if (request->about)
        ipc__approval__free_unpacked(request->about, NULL);
    free(request);
}
DEFINE_CLEANUP(struct request *, request_free)

static void granted_free(struct granted *granted)
{
    if (!granted)
        return;
    if (granted->about)
        ipc__grant__free_unpacked(granted->about, NULL);
    free(granted);
}
DEFINE_CLEANUP(struct granted *, granted_free)

static void add_request(struct approvals *approvals, struct request *request)
{
    request->here = &approvals->requests;
    request->next = approvals->requests;
    if (request->next)
        request->next->here = &request->next;
    approvals->requests = request;
    approvals->n_requests++;
}

static void forget_request(struct approvals *approvals, struct request *request)
{
    *request->here = request->next;
    if (request->next)
        request->next->here = request->here;
    approvals->n_requests--;
    request_free(request);
}

static void add_granted(struct approvals *approvals, struct granted *granted)
{
    granted->here = &approvals->grants;
    granted->next = approvals->grants;
    if (granted->next)
        granted->next->here = &granted->next;
    approvals->grants = granted;
    approvals->n_grants++;
}

static void forget_granted(struct approvals *approvals, struct granted *granted)
{
    *granted->here = granted->next;
    if (granted->next)
        granted->next->here = granted->here;
    approvals->n_grants--;
    granted_free(granted);
}

struct request *approvals_find(struct approvals *approvals, const char *id)
{
    struct request *request = approvals->requests;
    while (request && strcmp(request->about->id, id) != 0)
        request = request->next;
    return request;
}

/* ---- changing ---- */

/* The audit chain knows of something that did not become so. */
static void enter_undone(struct approvals *approvals, const struct change *change)
{
    Ipc__Variable what = lent_variable("undone", change->event);
    struct change undone = *change;
    undone.event = "approval_undone";
    undone.more = &what;
    undone.n_more = 1;
    if (approvals_enter(approvals, &undone))
        return; /* logged; the next start says what became of it */
}

static int write_change(struct approvals *approvals, const struct change *change)
{
    bool entered = false;
    int r = approval_store_begin(approvals->store, change->synced);
    if (r)
        return r;
    r = approval_store_put(approvals->store, change->next);
    if (r == 0 && change->content)
        r = approval_store_put_content(approvals->store, change->next->id, change->content);
    if (r == 0 && change->grant)
        r = approval_store_put_grant(approvals->store, change->grant);
    if (r == 0)
        r = approvals_enter(approvals, change);
    entered = r == 0;
    if (r == 0 && change->grant)
        r = approvals_enter_grant(approvals, "grant_made", change->grant, change->by, NULL, 0);
    if (r)
        approval_store_rollback(approvals->store);
    else
        r = approval_store_commit(approvals->store);
    if (r && entered)
        enter_undone(approvals, change);
    return r;
}

int approvals_change(struct approvals *approvals, struct request *request, struct gate *gate,
                     const struct change *change, struct request **ret)
{
    CLEANUP(request_free) struct request *made = calloc(1, sizeof *made);
    CLEANUP(granted_free) struct granted *granted = change->grant ? calloc(1, sizeof *granted) : NULL;
    if (made)
        made->about = copy_approval(change->next);
    if (granted)
        granted->about = copy_grant(change->grant);
    if (!made || !made->about || (change->grant && (!granted || !granted->about)))
        return -ENOMEM;
    int r = write_change(approvals, change);
    if (r) {
        log_event(LOG_ERROR, "approval_not_kept", "request", change->next->id, "event", change->event,
                  "detail", strerror(-r), NULL);
        return r;
    }
    approvals_notify(approvals, request ? request->about : NULL, change->next, change->content);
    if (granted)
        add_granted(approvals, STEAL(granted));
    if (request) {
        Ipc__Approval *before = request->about;
        request->about = made->about;
        made->about = before;
    } else {
        request = STEAL(made);
        request->gate = gate;
        add_request(approvals, request);
    }
    if (ret)
        *ret = request;
    return 0;
}

static const char *event_of(Ipc__ApprovalState state)
{
    switch (state) {
    case IPC__APPROVAL_STATE__APPROVAL_CONSUMED:
        return "approval_consumed";
    case IPC__APPROVAL_STATE__APPROVAL_EXPIRED:
        return "approval_expired";
    case IPC__APPROVAL_STATE__APPROVAL_LAPSED:
        return "approval_lapsed";
    default:
        return "approval_withdrawn";
    }
}

int approvals_end(struct approvals *approvals, struct request *request, Ipc__ApprovalState state,
                  const char *why, const Ipc__Identity *by)
{
    Ipc__Approval next = *request->about;
    next.state = state;
    next.why = lent(why);
    next.ended_ms = clock_unix_ms();
    Ipc__Variable more = lent_variable("why", why);
    /* What came to pass by itself does so once more at the next start, if a power cut loses it. */
    struct change change = {
        .next = &next, .event = event_of(state), .by = by, .more = &more, .n_more = 1, .synced = by != NULL
    };
    int r = approvals_change(approvals, request, NULL, &change, NULL);
    if (r == 0)
        approvals_tell(approvals, request);
    return r;
}

/* ---- telling ---- */

void approvals_tell(struct approvals *approvals, struct request *request)
{
    const Ipc__Approval *about = request->about;
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.id = about->id;
    news.state = about->state;
    news.digest = about->digest;
    news.decisions = about->decisions;
    news.n_decisions = about->n_decisions;
    news.why = about->why;
    news.expires_ms = about->expires_ms;
    Ipc__Message message = IPC_MESSAGE(APPROVAL_NEWS, approval_news, &news);
    if (request->gate)
        gate_tell(request->gate, &message, NULL, 0);
    approvals_tell_followers(approvals, about, NULL);
    if (!approval_is_live(about))
        forget_request(approvals, request);
    approvals_set_timer(approvals);
}

/* ---- grants ---- */

struct granted *approvals_granted(struct approvals *approvals, const Ipc__Person *who,
                                  const Ipc__AskApproval *ask)
{
    uint64_t now = clock_unix_ms();
    for (struct granted *g = approvals->grants; g; g = g->next)
        if (g->about->until_ms > now && strcmp(g->about->requester->name, who->name) == 0 &&
            strcmp(g->about->requester->actor, who->actor) == 0 && strcmp(g->about->rule, ask->rule) == 0 &&
            strcmp(g->about->target, ask->target) == 0 && strcmp(g->about->policy, ask->policy) == 0)
            return g;
    return NULL;
}

int approvals_remove_grant(struct approvals *approvals, struct granted *granted, const char *event,
                           const Ipc__Identity *by, const char *reason)
{
    Ipc__Variable more = lent_variable("reason", reason);
    int r = approval_store_begin(approvals->store, by != NULL);
    if (r)
        return r;
    r = approval_store_remove_grant(approvals->store, granted->about->id);
    if (r == 0)
        r = approvals_enter_grant(approvals, event, granted->about, by, &more, 1);
    if (r) {
        approval_store_rollback(approvals->store);
        return r;
    }
    r = approval_store_commit(approvals->store);
    if (r)
        return r;
    char *kept = granted->about->revoked_by;
    granted->about->revoked_by = lent(by ? by->name : "its time is over");
    approvals_tell_followers(approvals, NULL, granted->about);
    granted->about->revoked_by = kept;
    forget_granted(approvals, granted);
    return 0;
}

/* ---- time ---- */

void approvals_set_timer(struct approvals *approvals)
{
    uint64_t first = UINT64_MAX, now = clock_unix_ms();
    for (const struct request *r = approvals->requests; r; r = r->next)
        if (r->about->expires_ms < first)
            first = r->about->expires_ms;
    for (const struct granted *g = approvals->grants; g; g = g->next)
        if (g->about->until_ms < first)
            first = g->about->until_ms;
    if (first == UINT64_MAX) {
        timer_stop(approvals->timer);
        return;
    }
    uint64_t wait = first > now ? first - now : 0;
    timer_set(approvals->timer, wait < APPROVALS_CLOCK_MS ? wait : APPROVALS_CLOCK_MS);
}

static int expire(struct approvals *approvals, struct request *request)
{
    if (request->about->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED)
        return approvals_end(approvals, request, IPC__APPROVAL_STATE__APPROVAL_LAPSED,
                             "it was not used in time", NULL);
    return approvals_end(approvals, request, IPC__APPROVAL_STATE__APPROVAL_EXPIRED, "nobody decided in time",
                         NULL);
}

static void on_timer(void *owner)
{
    struct approvals *approvals = owner;
    uint64_t now = clock_unix_ms();
    int r = 0;
    for (struct request *q = approvals->requests, *next; q && r == 0; q = next) {
        next = q->next;
        if (q->about->expires_ms <= now)
            r = expire(approvals, q);
    }
    for (struct granted *g = approvals->grants, *next; g && r == 0; g = next) {
        next = g->next;
        if (g->about->until_ms <= now)
            r = approvals_remove_grant(approvals, g, "grant_expired", NULL, "");
    }
    approvals_set_timer(approvals);
    if (r) /* a full disk: nobody can use what is past its time meanwhile */
        timer_set(approvals->timer, APPROVALS_RETRY_MS);
}

/* ---- gates that go ---- */

static bool is_held(const Ipc__Approval *about)
{
    return strcmp(about->approve->mode, "hold") == 0;
}

void approvals_gate_gone(struct approvals *approvals, struct gate *gate)
{
    if (!approvals)
        return;
    for (size_t i = 0; i < approvals->n_followers; i++)
        if (approvals->followers[i] == gate)
            approvals->followers[i--] = approvals->followers[--approvals->n_followers];
    for (struct request *q = approvals->requests, *next; q; q = next) {
        next = q->next;
        if (q->gate != gate)
            continue;
        q->gate = NULL;
        if (!is_held(q->about))
            continue;
        bool open = q->about->state == IPC__APPROVAL_STATE__APPROVAL_OPEN;
        if (approvals_end(approvals, q,
                          open ? IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN
                               : IPC__APPROVAL_STATE__APPROVAL_LAPSED,
                          "the connection has ended", NULL))
            forget_request(approvals, q); /* the next start finds it in the store, and ends it there */
    }
}

/* ---- starting ---- */

struct found {
    struct approvals *approvals;
    struct request *held; /* whose gates ended with the ledger before */
};

static int take_up(void *owner, Ipc__Approval *about)
{
    struct found *found = owner;
    struct request *request = calloc(1, sizeof *request);
    if (!request || !about->requester || !about->approve) {
        ipc__approval__free_unpacked(about, NULL);
        free(request);
        return request ? -EBADMSG : -ENOMEM;
    }
    request->about = about;
    if (is_held(about)) {
        request->next = found->held;
        found->held = request;
    } else {
        add_request(found->approvals, request);
    }
    return 0;
}

static int take_up_grant(void *owner, Ipc__Grant *about)
{
    struct approvals *approvals = owner;
    struct granted *granted = calloc(1, sizeof *granted);
    if (!granted || !about->requester) {
        ipc__grant__free_unpacked(about, NULL);
        free(granted);
        return granted ? -EBADMSG : -ENOMEM;
    }
    granted->about = about;
    add_granted(approvals, granted);
    return 0;
}

static void end_held(struct approvals *approvals, struct request *held)
{
    while (held) {
        struct request *request = held;
        held = request->next;
        add_request(approvals, request);
        bool open = request->about->state == IPC__APPROVAL_STATE__APPROVAL_OPEN;
        if (approvals_end(approvals, request,
                          open ? IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN
                               : IPC__APPROVAL_STATE__APPROVAL_LAPSED,
                          "the ledger was restarted, and its session has ended with it", NULL))
            forget_request(approvals, request);
    }
}

static void tell_broken(struct approvals *approvals)
{
    Ipc__AuditEvent event = ledger_event("approval_store_broken", NULL);
    log_event(LOG_ERROR, "approvals_broken", "detail",
              "approvals.db could not be read, and was put aside: nothing is approved any more", NULL);
    if (ledger_enter(approvals->ledger, &event))
        return; /* logged */
}

static int open_all(struct approvals *approvals, const char *directory, struct detail *detail)
{
    bool broken = false;
    uint64_t now = clock_unix_ms();
    struct found found = { .approvals = approvals };
    int r = timer_new(approvals->ledger->loop, on_timer, approvals, &approvals->timer);
    if (r == 0)
        r = approval_store_open(directory, &approvals->store, &broken, detail);
    if (r == 0 && broken)
        tell_broken(approvals);
    if (r == 0)
        r = approval_store_each_grant(approvals->store, take_up_grant, approvals);
    if (r == 0)
        r = approval_store_each(approvals->store, true, take_up, &found);
    if (r == 0) {
        end_held(approvals, STEAL(found.held));
        if (approval_store_prune(approvals->store, now > APPROVALS_KEEP_MS ? now - APPROVALS_KEEP_MS : 0,
                                 APPROVALS_KEEP))
            log_event(LOG_WARNING, "approvals_not_pruned", NULL);
        approvals_set_timer(approvals);
    }
    while (found.held) {
        struct request *next = found.held->next;
        request_free(found.held);
        found.held = next;
    }
    return r;
}

int approvals_new(struct ledger *ledger, const char *directory, struct approvals **ret, struct detail *detail)
{
    CLEANUP(approvals_free) struct approvals *approvals = calloc(1, sizeof *approvals);
    if (!approvals)
        return -ENOMEM;
    approvals->ledger = ledger;
    int r = open_all(approvals, directory, detail);
    if (r == 0)
        *ret = STEAL(approvals);
    return r;
}

void approvals_free(struct approvals *approvals)
{
    if (!approvals)
        return;
    while (approvals->requests)
        forget_request(approvals, approvals->requests);
    while (approvals->grants)
        forget_granted(approvals, approvals->grants);
    timer_free(approvals->timer);
    approval_store_free(approvals->store);
    free(approvals);
}
