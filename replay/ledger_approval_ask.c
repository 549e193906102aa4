/* What the gates of those who ask may say: ask, add a preview, withdraw, and use what was approved, once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "replay/ledger_approval.h"

static void content_free(Ipc__ApprovalContent *content)
{
    if (content)
        ipc__approval_content__free_unpacked(content, NULL);
}
DEFINE_CLEANUP(Ipc__ApprovalContent *, content_free)

static void approval_free(Ipc__Approval *approval)
{
    if (approval)
        ipc__approval__free_unpacked(approval, NULL);
}
DEFINE_CLEANUP(Ipc__Approval *, approval_free)

/* Who it is, and no more: what another identity asked for does not exist for this one. */
static bool is_requester(const Ipc__Approval *about, const Ipc__Identity *who)
{
    Ipc__Person person = person_of(who);
    return strcmp(about->requester->name, person.name) == 0 &&
           strcmp(about->requester->actor, person.actor) == 0;
}

static bool is_held(const Ipc__Approve *approve)
{
    return strcmp(approve->mode, "hold") == 0;
}

/* ---- asking ---- */

/* One question under way. */
struct question {
    struct approvals *approvals;
    struct gate *gate;
    const Ipc__Identity *who;
    const Ipc__AskApproval *ask;
    Ipc__ApprovalContent *content;
    Ipc__Person person;
    uint8_t digest[APPROVAL_DIGEST];
};

static int answer(const struct question *q, Ipc__AnswerApproval *answer)
{
    answer->request = q->ask->request;
    answer->digest = (ProtobufCBinaryData){ APPROVAL_DIGEST, (uint8_t *)(uintptr_t)q->digest };
    Ipc__Message message = IPC_MESSAGE(ANSWER_APPROVAL, answer_approval, answer);
    gate_tell(q->gate, &message, NULL, 0);
    return 0;
}

static int refuse(const struct question *q, const char *code, const char *text)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerApproval body = IPC__ANSWER_APPROVAL__INIT;
    refusal.code = lent(code);
    refusal.message = lent(text);
    body.refusal = &refusal;
    return answer(q, &body);
}

static int refuse_unkept(const struct question *q)
{
    return refuse(q, "recording_unavailable", "the request can't be kept now, so nobody was asked");
}

static int answer_state(const struct question *q, const Ipc__Approval *about)
{
    Ipc__AnswerApproval body = IPC__ANSWER_APPROVAL__INIT;
    body.id = about->id;
    body.state = about->state;
    body.expires_ms = about->expires_ms;
    body.decisions = about->decisions;
    body.n_decisions = about->n_decisions;
    return answer(q, &body);
}

static bool strings_fit(const Ipc__AskApproval *ask)
{
    const char *const all[] = { ask->target, ask->login,  ask->kind,     ask->rule,
                                ask->reason, ask->policy, ask->recording };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strlen(all[i]) > LEDGER_NAME_MAX)
            return false;
    return true;
}

/* NULL when it is none, or beyond the limits. */
static Ipc__ApprovalContent *read_content(int fd)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    if (fd_contents(fd, APPROVAL_CONTENT_MAX, &bytes, &n))
        return NULL;
    CLEANUP(content_free) Ipc__ApprovalContent *content = ipc__approval_content__unpack(NULL, n, bytes);
    if (!content || content->n_context > APPROVAL_CONTEXT_MAX)
        return NULL;
    for (size_t i = 0; i < content->n_context; i++)
        if (strlen(content->context[i]->name) > LEDGER_NAME_MAX ||
            strlen(content->context[i]->value) > LEDGER_NAME_MAX)
            return NULL;
    return STEAL(content);
}

static int use_grant(const struct question *q, const Ipc__Grant *grant)
{
    char digest[2 * APPROVAL_DIGEST + 1];
    Ipc__Variable more[] = { lent_variable("digest", approval_digest_text(q->digest, digest)),
                             lent_variable("recording", q->ask->recording) };
    if (approvals_enter_grant(q->approvals, "grant_used", grant, q->who, more, 2))
        return refuse_unkept(q);
    Ipc__AnswerApproval body = IPC__ANSWER_APPROVAL__INIT;
    body.grant = grant->id;
    body.state = IPC__APPROVAL_STATE__APPROVAL_APPROVED;
    body.expires_ms = grant->until_ms;
    body.decisions = grant->decisions;
    body.n_decisions = grant->n_decisions;
    return answer(q, &body);
}

/* Retry: the same thing was asked before, and somebody may have decided since. */
static struct request *find_same(const struct question *q)
{
    for (struct request *r = q->approvals->requests; r; r = r->next)
        if (!is_held(r->about->approve) && r->about->digest.len == APPROVAL_DIGEST &&
            memcmp(r->about->digest.data, q->digest, APPROVAL_DIGEST) == 0 && is_requester(r->about, q->who))
            return r;
    return NULL;
}

/* Retry: it was denied, or nobody decided, and whoever asked does not know yet. Told once; who then tries
 * again asks anew. */
static bool told_end(const struct question *q)
{
    CLEANUP(approval_free) Ipc__Approval *over = NULL;
    struct detail detail = { "" };
    if (approval_store_untold(q->approvals->store, q->digest, APPROVAL_DIGEST, &over) ||
        is_held(over->approve))
        return false;
    over->told = true;
    if (approval_store_begin(q->approvals->store, false))
        return false;
    if (approval_store_put(q->approvals->store, over)) {
        approval_store_rollback(q->approvals->store);
        return false;
    }
    if (approval_store_commit(q->approvals->store))
        return false;
    approval_tell(over, &detail);
    bool denied = over->state == IPC__APPROVAL_STATE__APPROVAL_DENIED;
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerApproval body = IPC__ANSWER_APPROVAL__INIT;
    refusal.code = lent(denied ? "approval_denied" : "approval_expired");
    refusal.message = detail.text;
    body.refusal = &refusal;
    body.id = over->id;
    body.state = over->state;
    body.decisions = over->decisions;
    body.n_decisions = over->n_decisions;
    (void)answer(q, &body);
    return true;
}

static bool has_room(const struct question *q)
{
    size_t own = 0;
    for (const struct request *r = q->approvals->requests; r; r = r->next)
        own += strcmp(r->about->requester->name, q->who->name) == 0;
    return q->approvals->n_requests < APPROVALS_MAX && own < APPROVALS_OF_ONE_MAX;
}

/* Unused by any request that can still be looked at. */
static int free_id(struct approvals *approvals, char out[APPROVAL_ID + 1])
{
    enum { TRIES = 16 };
    for (int i = 0; i < TRIES; i++) {
        CLEANUP(approval_free) Ipc__Approval *taken = NULL;
        approval_new_id(out);
        int r = approval_store_get(approvals->store, out, &taken);
        bool granted = false;
        for (const struct granted *g = approvals->grants; g; g = g->next)
            granted |= strcmp(g->about->id, out) == 0;
        if (r == -ENOENT && !granted)
            return 0;
        if (r && r != -ENOENT)
            return r;
    }
    return -EEXIST;
}

static void prune(struct approvals *approvals)
{
    uint64_t now = clock_unix_ms();
    if (++approvals->made % APPROVALS_PRUNE_EVERY == 0 &&
        approval_store_prune(approvals->store, now > APPROVALS_KEEP_MS ? now - APPROVALS_KEEP_MS : 0,
                             APPROVALS_KEEP))
        log_event(LOG_WARNING, "approvals_not_pruned", NULL);
}

static int make(struct question *q)
{
    char id[APPROVAL_ID + 1];
    CLEANUP(content_free) Ipc__ApprovalContent *kept = NULL;
    struct request *request = NULL;
    if (free_id(q->approvals, id) || approval_cut(q->content, &kept))
        return refuse_unkept(q);
    Ipc__Approval about = IPC__APPROVAL__INIT;
    about.id = id;
    about.state = IPC__APPROVAL_STATE__APPROVAL_OPEN;
    about.digest = (ProtobufCBinaryData){ APPROVAL_DIGEST, q->digest };
    about.requester = &q->person;
    about.roles = q->who->roles;
    about.n_roles = q->who->n_roles;
    about.source = q->who->source_address;
    about.connection = q->who->connection;
    about.target = q->ask->target;
    about.login = q->ask->login;
    about.kind = q->ask->kind;
    about.rule = q->ask->rule;
    about.reason = q->ask->reason;
    about.policy = q->ask->policy;
    about.recording = q->ask->recording;
    about.number = q->ask->number;
    about.approve = q->ask->approve;
    about.created_ms = clock_unix_ms();
    about.expires_ms = about.created_ms + q->ask->approve->wait_ms;
    struct change change = {
        .next = &about, .content = kept, .event = "approval_requested", .by = q->who, .synced = true
    };
    if (approvals_change(q->approvals, NULL, q->gate, &change, &request))
        return refuse_unkept(q);
    int r = answer_state(q, request->about);
    approvals_tell_followers(q->approvals, request->about, NULL);
    approvals_set_timer(q->approvals);
    prune(q->approvals);
    return r;
}

int approvals_on_ask(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AskApproval *ask = message->ask_approval;
    struct detail detail = { "" };
    (void)n_fds;
    if (!strings_fit(ask) || (ask->recording[0] && !gate_records(owner, ask->recording)))
        return -EPROTO;
    CLEANUP(content_free) Ipc__ApprovalContent *content = read_content(fds[0]);
    if (!content)
        return -EPROTO;
    struct question q = { .approvals = gate_ledger(owner)->approvals,
                          .gate = owner,
                          .who = gate_identity(owner),
                          .ask = ask,
                          .content = content };
    q.person = person_of(q.who);
    struct approval_subject subject = { ask->kind,   q.person.name, q.person.actor,
                                        ask->target, ask->login,    ask->policy };
    approval_digest(&subject, content, q.digest);
    const struct granted *granted = approvals_granted(q.approvals, &q.person, ask);
    if (granted)
        return use_grant(&q, granted->about);
    if (!approval_can_be_met(ask->approve, &detail))
        return refuse(&q, "denied", detail.text);
    struct request *same = is_held(ask->approve) ? NULL : find_same(&q);
    if (same && same->about->expires_ms > clock_unix_ms()) {
        same->gate = owner;
        return answer_state(&q, same->about);
    }
    if (!is_held(ask->approve) && told_end(&q))
        return 0;
    if (!has_room(&q))
        return refuse(&q, "limit", "too many requests wait for approval");
    return make(&q);
}

/* ---- preview, withdrawal ---- */

int approvals_on_preview(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct approvals *approvals = gate_ledger(owner)->approvals;
    const Ipc__ApprovalPreview *preview = message->approval_preview;
    struct request *request = approvals_find(approvals, preview->id);
    CLEANUP(content_free) Ipc__ApprovalContent *content = NULL;
    (void)fds, (void)n_fds;
    if (strlen(preview->text) > APPROVAL_PREVIEW_MAX)
        return -EPROTO;
    if (!request || request->about->state != IPC__APPROVAL_STATE__APPROVAL_OPEN)
        return 0; /* it came too late */
    if (!is_requester(request->about, gate_identity(owner)))
        return -EPROTO;
    if (approval_store_content(approvals->store, request->about->id, &content))
        return 0; /* a preview is a help, and no more */
    char *before = content->preview;
    content->preview = preview->text;
    int r = approval_store_begin(approvals->store, false);
    if (r == 0)
        r = approval_store_put_content(approvals->store, request->about->id, content);
    if (r == 0)
        r = approval_store_commit(approvals->store);
    else
        approval_store_rollback(approvals->store);
    content->preview = before;
    if (r)
        log_event(LOG_ERROR, "preview_not_kept", "request", request->about->id, "detail", strerror(-r), NULL);
    else
        approvals_tell_followers(approvals, request->about, NULL);
    return 0;
}

int approvals_on_withdraw(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct approvals *approvals = gate_ledger(owner)->approvals;
    const Ipc__Withdraw *withdraw = message->withdraw;
    struct request *request = approvals_find(approvals, withdraw->id);
    (void)fds, (void)n_fds;
    if (strlen(withdraw->why) > LEDGER_NAME_MAX)
        return -EPROTO;
    if (!request)
        return 0; /* it was over already */
    if (!is_requester(request->about, gate_identity(owner)) ||
        (is_held(request->about->approve) && request->gate != owner))
        return -EPROTO;
    bool open = request->about->state == IPC__APPROVAL_STATE__APPROVAL_OPEN;
    if (approvals_end(approvals, request,
                      open ? IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN : IPC__APPROVAL_STATE__APPROVAL_LAPSED,
                      withdraw->why, gate_identity(owner)))
        return 0; /* logged; it expires, or ends with the gate */
    return 0;
}

/* ---- using it ---- */

static int answer_consume(struct gate *gate, const Ipc__Consume *consume, const char *code, const char *text,
                          const Ipc__Approval *about)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerConsume body = IPC__ANSWER_CONSUME__INIT;
    body.request = consume->request;
    body.id = consume->id;
    if (code) {
        refusal.code = lent(code);
        refusal.message = lent(text);
        body.refusal = &refusal;
    }
    if (about) {
        body.decisions = about->decisions;
        body.n_decisions = about->n_decisions;
    }
    Ipc__Message message = IPC_MESSAGE(ANSWER_CONSUME, answer_consume, &body);
    gate_tell(gate, &message, NULL, 0);
    return 0;
}

static const char *code_of(Ipc__ApprovalState state)
{
    switch (state) {
    case IPC__APPROVAL_STATE__APPROVAL_OPEN:
        return "pending";
    case IPC__APPROVAL_STATE__APPROVAL_DENIED:
        return "approval_denied";
    case IPC__APPROVAL_STATE__APPROVAL_EXPIRED:
    case IPC__APPROVAL_STATE__APPROVAL_LAPSED:
        return "approval_expired";
    default:
        return "denied";
    }
}

/* It is not among the live ones: why, for whoever asked for it. */
static int refuse_over(struct gate *gate, const Ipc__Consume *consume, struct approvals *approvals)
{
    CLEANUP(approval_free) Ipc__Approval *over = NULL;
    struct detail detail = { "" };
    char text[DETAIL_MAX];
    if (approval_store_get(approvals->store, consume->id, &over) || !is_requester(over, gate_identity(gate)))
        return answer_consume(gate, consume, "denied", "no such request", NULL);
    if (over->state == IPC__APPROVAL_STATE__APPROVAL_CONSUMED)
        return answer_consume(gate, consume, "denied", "the approval was used already", over);
    approval_tell(over, &detail);
    (void)snprintf(text, sizeof text, "the request is over: %.400s", detail.text);
    return answer_consume(gate, consume, code_of(over->state), text, over);
}

/* Somebody runs something else than was approved. */
static int refuse_other(struct gate *gate, const Ipc__Consume *consume, const struct request *request)
{
    struct change change = { .next = request->about, .event = "approval_refused", .by = gate_identity(gate) };
    Ipc__Variable more = lent_variable("why", "something else was to run");
    change.more = &more;
    change.n_more = 1;
    if (!gate_may_audit(gate))
        return -EPROTO;
    if (approvals_enter(gate_ledger(gate)->approvals, &change))
        return answer_consume(gate, consume, "recording_unavailable", "this can't be entered now", NULL);
    return answer_consume(gate, consume, "denied", "this is not what was approved", NULL);
}

static int consume_now(struct gate *gate, const Ipc__Consume *consume, struct request *request)
{
    struct approvals *approvals = gate_ledger(gate)->approvals;
    char number[24];
    Ipc__Variable more[] = { lent_variable("used_in", consume->recording),
                             lent_variable("used_number", text_u64(number, consume->number)) };
    Ipc__Approval next = *request->about;
    next.state = IPC__APPROVAL_STATE__APPROVAL_CONSUMED;
    next.ended_ms = clock_unix_ms();
    struct change change = { .next = &next,
                             .event = "approval_consumed",
                             .by = gate_identity(gate),
                             .more = more,
                             .n_more = 2,
                             .synced = true };
    if (approvals_change(approvals, request, NULL, &change, NULL))
        return answer_consume(gate, consume, "recording_unavailable", "its use can't be entered now", NULL);
    int r = answer_consume(gate, consume, NULL, NULL, request->about);
    approvals_tell(approvals, request);
    return r;
}

int approvals_on_consume(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__Consume *consume = message->consume;
    struct approvals *approvals = gate_ledger(owner)->approvals;
    struct request *request = approvals_find(approvals, consume->id);
    (void)fds, (void)n_fds;
    if (consume->recording[0] && !gate_records(owner, consume->recording))
        return -EPROTO;
    if (!request)
        return refuse_over(owner, consume, approvals);
    const Ipc__Approval *about = request->about;
    if (!is_requester(about, gate_identity(owner)) ||
        (is_held(about->approve) && request->gate != (struct gate *)owner))
        return answer_consume(owner, consume, "denied", "no such request", NULL);
    if (about->state != IPC__APPROVAL_STATE__APPROVAL_APPROVED)
        return answer_consume(owner, consume, code_of(about->state), "nobody has decided yet", about);
    if (about->expires_ms <= clock_unix_ms())
        return answer_consume(owner, consume, "approval_expired", "the approval was not used in time", about);
    if (consume->digest.len != about->digest.len ||
        memcmp(consume->digest.data, about->digest.data, about->digest.len) != 0)
        return refuse_other(owner, consume, request);
    return consume_now(owner, consume, request);
}
