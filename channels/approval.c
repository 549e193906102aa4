/* A part for each rule that holds the request:
 *
 * ASKED     the question is with the ledger
 * OPEN      people decide
 * GRANTED   a grant lets it pass; looked at again when the rest has taken its time
 * AGREED    approved, not used yet
 * USING     the ledger is asked whether it may run now
 * USED      it may
 *
 * Whatever calls the owner is the last thing that a function does: the owner may free the approval in there.
 */
#include "channels/approval.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "channels/recorder.h"
#include "policy/approval_digest.h"

enum part_state { ASKED, OPEN, GRANTED, AGREED, USING, USED };

enum { ID_MAX = 16, WORDS_MAX = 1024 };

struct part {
    enum part_state state;
    const char *rule; /* of the configuration */
    const Ipc__Approve *approve;
    char *reason;
    uint32_t request;    /* the question's number */
    uint64_t since_ms;   /* clock_ms(): when the state was entered */
    uint64_t expires_ms; /* unix; OPEN, AGREED */
    char id[ID_MAX];
};

struct approval {
    struct approval *next;
    struct gate *gate;
    struct recorder *recorder;
    const struct approval_calls *calls;
    void *owner;
    const char *kind;
    const Ipc__Target *target;
    uint64_t number;
    uint8_t digest[APPROVAL_DIGEST];
    int content; /* a memfd, as long as it may be asked again; else -1 */
    struct timer *timer;
    bool opened;  /* that people are asked is told */
    bool told;    /* the first notice is out */
    bool go_due;  /* the timer says go */
    bool dropped; /* nobody waits for it: only for the ledger's answer, to withdraw what it made */
    struct part parts[HOLDERS_MAX];
    size_t n_parts;
};

struct approval_subject approval_subject_of(const struct gate *gate, const Ipc__Target *target,
                                            const char *kind)
{
    const Ipc__Identity *who = gate->identity;
    return (struct approval_subject){ .kind = kind,
                                      .identity = who->name,
                                      .actor = who->claims ? who->claims->actor : "",
                                      .target = target->name,
                                      .login = target->login,
                                      .policy = gate->config->digest };
}

static void enter(struct part *part, enum part_state state)
{
    part->state = state;
    part->since_ms = clock_ms();
}

static bool is_retried(const struct part *part)
{
    return strcmp(part->approve->mode, "retry") == 0;
}

static size_t count(const struct approval *a, enum part_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_parts; i++)
        n += a->parts[i].state == state;
    return n;
}

/* ---- the recording ---- */

struct step {
    Ipc__ApprovalState state;
    const char *id, *why;
    uint64_t expires_ms;
    Ipc__ApprovalDecision **decisions;
    size_t n_decisions;
};

static int record(struct approval *a, const struct step *step)
{
    if (!a->recorder)
        return -EPIPE;
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.id = (char *)(uintptr_t)step->id;
    news.state = step->state;
    news.digest = (ProtobufCBinaryData){ APPROVAL_DIGEST, a->digest };
    news.decisions = step->decisions;
    news.n_decisions = step->n_decisions;
    news.why = (char *)(uintptr_t)(step->why ? step->why : "");
    news.expires_ms = step->expires_ms;
    return recorder_approval(a->recorder, &news);
}

/* ---- what the owner is told ---- */

static void refuse(struct approval *a, const struct part *part, const char *code, const char *reason)
{
    a->calls->refused(a->owner, code, part->rule, reason, part->id);
}

static void refuse_unrecorded(struct approval *a, const struct part *part)
{
    refuse(a, part, "recording_unavailable", "the recording can't be written, so nothing runs");
}

struct words {
    char text[WORDS_MAX];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(words->text + words->n, sizeof words->text - words->n, format, arguments);
    va_end(arguments);
    words->n += n < 0 ? 0 : (size_t)n;
    if (words->n >= sizeof words->text)
        words->n = sizeof words->text - 1;
}

/* In whole seconds, and in minutes from ten of them on. */
static char *time_left(char out[24], uint64_t expires_ms)
{
    enum { SECOND = 1000, MINUTE = 60 * SECOND };
    uint64_t now = clock_unix_ms(), left = expires_ms > now ? expires_ms - now + SECOND / 2 : 0;
    left -= left % (left >= 10 * (uint64_t)MINUTE ? MINUTE : SECOND);
    if (left < SECOND)
        left = SECOND;
    if (left > MINUTE && left % MINUTE && left < 10 * (uint64_t)MINUTE) {
        (void)snprintf(out, 24, "%um%us", (unsigned)(left / MINUTE), (unsigned)(left % MINUTE / SECOND));
        return out;
    }
    return text_duration(out, left);
}

static void tell_open(struct approval *a, const char *first)
{
    struct words words = { .n = 0 };
    char by[HOLDER_BY_MAX], left[24], detail[WORDS_MAX];
    const struct part *one = NULL;
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct part *part = &a->parts[i];
        if (part->state != OPEN)
            continue;
        say(&words, "%s %s by %s (rule \"%s\"), up to %s%s", one ? " and" : first, part->id,
            holder_by(part->approve, by), part->rule, time_left(left, part->expires_ms),
            a->told ? " more" : "");
        one = one ? one : part;
    }
    if (!one)
        return;
    (void)snprintf(detail, sizeof detail, "code=pending rule=%s request=%s", one->rule, one->id);
    bool told = a->told;
    a->told = true;
    a->calls->notice(a->owner, words.text, told ? NULL : detail,
                     told ? NULL : "it runs when that comes; a cancel (Ctrl-C) withdraws the request");
}

static void refuse_pending(struct approval *a, const struct part *part)
{
    char by[HOLDER_BY_MAX], left[24], words[WORDS_MAX];
    (void)snprintf(words, sizeof words, "it needs an approval by %s, who were asked: request %s, up to %s",
                   holder_by(part->approve, by), part->id, time_left(left, part->expires_ms));
    refuse(a, part, "pending", words);
}

/* Once. */
static void tell_opened(struct approval *a)
{
    const char *ids[HOLDERS_MAX];
    size_t n = 0;
    for (size_t i = 0; !a->opened && i < a->n_parts; i++)
        if (a->parts[i].state == OPEN)
            ids[n++] = a->parts[i].id;
    a->opened = true;
    if (n > 0)
        a->calls->opened(a->owner, ids, n);
}

/* When all that was asked has been answered. */
static void settle(struct approval *a)
{
    if (count(a, ASKED) > 0)
        return;
    tell_opened(a);
    for (size_t i = 0; i < a->n_parts; i++) {
        if (a->parts[i].state == OPEN && is_retried(&a->parts[i])) {
            refuse_pending(a, &a->parts[i]);
            return;
        }
    }
    if (count(a, OPEN) > 0)
        tell_open(a, a->told ? "still waiting for approval" : "waiting for approval");
    else if (count(a, USING) == 0)
        count(a, USED) > 0 ? a->calls->go(a->owner) : a->calls->agreed(a->owner);
}

/* ---- asking ---- */

static int ask(struct approval *a, struct part *part)
{
    Ipc__AskApproval ask = IPC__ASK_APPROVAL__INIT;
    enter(part, ASKED);
    part->request = ask.request = gate_request(a->gate);
    ask.target = a->target->name;
    ask.login = a->target->login;
    ask.kind = (char *)(uintptr_t)a->kind;
    ask.rule = (char *)(uintptr_t)part->rule;
    ask.reason = part->reason;
    ask.policy = a->gate->config->digest;
    ask.recording = (char *)(uintptr_t)recorder_id(a->recorder);
    ask.number = a->number;
    ask.approve = (Ipc__Approve *)(uintptr_t)part->approve;
    Ipc__Message message = IPC_MESSAGE(ASK_APPROVAL, ask_approval, &ask);
    return a->gate->ledger ? ipc_peer_send(a->gate->ledger, &message, &a->content, 1) : -EPIPE;
}

static int ask_all(struct approval *a)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->n_parts; i++)
        r = ask(a, &a->parts[i]);
    if (a->n_parts == 1)
        fd_close(STEAL_FD(a->content));
    return r;
}

/* Silence of the ledger, and of the clock, has an end. */
static void on_timer(void *owner)
{
    struct approval *a = owner;
    uint64_t now = clock_ms(), unix_now = clock_unix_ms();
    timer_set(a->timer, APPROVAL_NOTICE_MS);
    if (a->go_due) {
        a->go_due = false;
        a->calls->go(a->owner);
        return;
    }
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct part *part = &a->parts[i];
        if ((part->state == ASKED || part->state == USING) && now - part->since_ms >= APPROVAL_NOTICE_MS) {
            refuse(a, part, "recording_unavailable", "the ledger does not answer, so nobody can approve it");
            return;
        }
        if (part->state == OPEN && unix_now > part->expires_ms + APPROVAL_NOTICE_MS) {
            refuse(a, part, "approval_expired", "nobody decided in time");
            return;
        }
    }
    if (count(a, ASKED) == 0)
        tell_open(a, "still waiting for approval");
}

static int fill(struct approval *a, const struct approval_question *question)
{
    for (; a->n_parts < question->holders->n; a->n_parts++) {
        const struct holder *holder = &question->holders->items[a->n_parts];
        struct part *part = &a->parts[a->n_parts];
        *part = (struct part){ .rule = holder->name, .approve = holder->approve };
        part->reason = strdup(holder->reason ? holder->reason : "");
        if (!part->reason)
            return -ENOMEM;
    }
    return fd_of_content("approval", question->content, question->content_n, &a->content);
}

static void approval_free(struct approval *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < HOLDERS_MAX; i++)
        free(a->parts[i].reason);
    timer_free(a->timer);
    fd_close(a->content);
    free(a);
}
DEFINE_CLEANUP(struct approval *, approval_free)

int approval_new(struct gate *gate, struct recorder *recorder, const struct approval_question *question,
                 const struct approval_calls *calls, void *owner, struct approval **ret)
{
    CLEANUP(approval_free) struct approval *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    *a = (struct approval){ .next = gate->approvals,
                            .gate = gate,
                            .recorder = recorder,
                            .calls = calls,
                            .owner = owner,
                            .kind = question->kind,
                            .target = question->target,
                            .number = question->number,
                            .content = -1 };
    memcpy(a->digest, question->digest, APPROVAL_DIGEST);
    int r = fill(a, question);
    r = r ? r : timer_new(gate->loop, on_timer, a, &a->timer);
    r = r ? r : ask_all(a);
    if (r)
        return r;
    timer_set(a->timer, APPROVAL_NOTICE_MS);
    gate->approvals = a;
    *ret = STEAL(a);
    return 0;
}

/* ---- using ---- */

static void consume(struct approval *a, struct part *part)
{
    Ipc__Consume consume = IPC__CONSUME__INIT;
    enter(part, USING);
    part->request = consume.request = gate_request(a->gate);
    consume.id = part->id;
    consume.digest = (ProtobufCBinaryData){ APPROVAL_DIGEST, a->digest };
    consume.recording = (char *)(uintptr_t)recorder_id(a->recorder);
    consume.number = a->number;
    Ipc__Message message = IPC_MESSAGE(CONSUME, consume, &consume);
    if (a->gate->ledger)
        (void)ipc_peer_send(a->gate->ledger, &message, NULL, 0);
}

/* A grant that was there when the others were asked may be over by now. */
static bool ask_old_grants(struct approval *a)
{
    bool asked = false;
    for (size_t i = 0; i < a->n_parts; i++) {
        struct part *part = &a->parts[i];
        if (part->state == GRANTED && a->content >= 0 &&
            clock_ms() - part->since_ms > APPROVAL_GRANT_FRESH_MS) {
            (void)ask(a, part); /* without a ledger the connection ends */
            asked = true;
        }
    }
    return asked;
}

void approval_use(struct approval *a)
{
    if (ask_old_grants(a))
        return; /* `agreed` is called once more */
    for (size_t i = 0; i < a->n_parts; i++)
        if (a->parts[i].state == AGREED)
            consume(a, &a->parts[i]);
    a->go_due = count(a, USING) == 0; /* by grants alone; not from inside of this call */
    if (a->go_due)
        timer_set(a->timer, 0);
}

/* ---- answers ---- */

static struct part *find_request(struct gate *gate, uint32_t request, enum part_state state,
                                 struct approval **ret)
{
    for (struct approval *a = gate->approvals; a; a = a->next)
        for (size_t i = 0; i < a->n_parts; i++)
            if (a->parts[i].request == request && a->parts[i].state == state) {
                *ret = a;
                return &a->parts[i];
            }
    return NULL;
}

static void withdraw(struct approval *a, const struct part *part, const char *why)
{
    Ipc__Withdraw body = IPC__WITHDRAW__INIT;
    body.id = (char *)(uintptr_t)part->id;
    body.why = (char *)(uintptr_t)why;
    Ipc__Message message = IPC_MESSAGE(WITHDRAW, withdraw, &body);
    if (a->gate->ledger && !is_retried(part))
        (void)ipc_peer_send(a->gate->ledger, &message, NULL, 0);
}

static void unlist(struct approval *a)
{
    for (struct approval **at = &a->gate->approvals; *at; at = &(*at)->next) {
        if (*at == a) {
            *at = a->next;
            break;
        }
    }
    approval_free(a);
}

static void withdraw_all(struct approval *a, const char *why)
{
    for (size_t i = 0; i < a->n_parts; i++) {
        struct part *part = &a->parts[i];
        bool open = part->state == OPEN;
        if (is_retried(part) || (!open && part->state != AGREED))
            continue;
        withdraw(a, part, why);
        struct step step = { open ? IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN
                                  : IPC__APPROVAL_STATE__APPROVAL_LAPSED,
                             part->id,
                             why,
                             0,
                             NULL,
                             0 };
        (void)!record(a, &step); /* the next one fails as well, and ends the session */
        enter(part, USED);
    }
}

void approvals_end_recording(struct gate *gate, const struct recorder *recorder)
{
    for (struct approval *a = gate->approvals; a; a = a->next) {
        if (a->recorder != recorder)
            continue;
        withdraw_all(a, "its connection has ended");
        a->recorder = NULL;
    }
}

void approval_drop(struct approval *a, const char *why)
{
    if (!a)
        return;
    withdraw_all(a, why);
    a->dropped = true;
    timer_stop(a->timer);
    if (count(a, ASKED) == 0)
        unlist(a);
}

/* It was dropped while the ledger was being asked. */
static void answered_late(struct approval *a, struct part *part, const Ipc__AnswerApproval *answer)
{
    (void)snprintf(part->id, sizeof part->id, "%s", answer->id);
    if (*part->id && !answer->refusal)
        withdraw(a, part, "nobody waits for it any more");
    enter(part, USED);
    if (count(a, ASKED) == 0)
        unlist(a);
}

static int record_answer(struct approval *a, const struct part *part, const Ipc__AnswerApproval *answer)
{
    struct step step = { answer->state,
                         *answer->grant ? answer->grant : answer->id,
                         *answer->grant ? "by a grant" : "",
                         part->expires_ms,
                         answer->decisions,
                         answer->n_decisions };
    return *step.id ? record(a, &step) : 0;
}

static void refused_by_ledger(struct approval *a, const struct part *part, const Ipc__Refusal *why)
{
    refuse(a, part, why->code, why->message);
}

int approval_answered(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AnswerApproval *answer = message->answer_approval;
    struct approval *a = NULL;
    struct part *part = find_request(owner, answer->request, ASKED, &a);
    (void)fds, (void)n_fds;
    if (!part)
        return 0;
    if (a->dropped) {
        answered_late(a, part, answer);
        return 0;
    }
    (void)snprintf(part->id, sizeof part->id, "%s", answer->id);
    part->expires_ms = answer->expires_ms;
    enter(part, *answer->grant                                            ? GRANTED
                : answer->state == IPC__APPROVAL_STATE__APPROVAL_APPROVED ? AGREED
                                                                          : OPEN);
    if (record_answer(a, part, answer)) {
        refuse_unrecorded(a, part);
    } else if (answer->refusal) {
        enter(part, USED); /* there is nothing to withdraw */
        refused_by_ledger(a, part, answer->refusal);
    } else if (answer->digest.len != APPROVAL_DIGEST ||
               memcmp(answer->digest.data, a->digest, APPROVAL_DIGEST)) {
        refuse(a, part, "denied", "the ledger has read something else than what is to run");
    } else {
        settle(a);
    }
    return 0;
}

int approval_consumed(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AnswerConsume *answer = message->answer_consume;
    struct approval *a = NULL;
    struct part *part = find_request(owner, answer->request, USING, &a);
    (void)fds, (void)n_fds;
    if (!part || a->dropped)
        return 0;
    enter(part, USED);
    struct step step = {
        IPC__APPROVAL_STATE__APPROVAL_CONSUMED, part->id, "", 0, answer->decisions, answer->n_decisions
    };
    if (answer->refusal)
        refused_by_ledger(a, part, answer->refusal);
    else if (record(a, &step))
        refuse_unrecorded(a, part);
    else
        settle(a);
    return 0;
}

/* ---- news ---- */

static struct part *find_id(struct gate *gate, const char *id, struct approval **ret)
{
    for (struct approval *a = gate->approvals; a; a = a->next)
        for (size_t i = 0; i < a->n_parts; i++)
            if ((a->parts[i].state == OPEN || a->parts[i].state == AGREED) &&
                strcmp(a->parts[i].id, id) == 0) {
                *ret = a;
                return &a->parts[i];
            }
    return NULL;
}

/* "denied by corp/anna: not today" */
static void refuse_denied(struct approval *a, const struct part *part, const Ipc__ApprovalNews *news)
{
    char by[256], reason[512] = "", words[WORDS_MAX];
    const Ipc__ApprovalDecision *last = news->n_decisions ? news->decisions[news->n_decisions - 1] : NULL;
    if (last && last->by)
        (void)text_escape(by, sizeof by, last->by->name, strlen(last->by->name), false);
    if (last)
        (void)text_escape(reason, sizeof reason, last->reason, strlen(last->reason), false);
    (void)snprintf(words, sizeof words, "denied by %s%s%s", last && last->by ? by : "an approver",
                   *reason ? ": " : "", reason);
    refuse(a, part, "approval_denied", words);
}

static void refuse_expired(struct approval *a, const struct part *part, const Ipc__ApprovalNews *news)
{
    char by[HOLDER_BY_MAX], wait[24], words[WORDS_MAX];
    if (news->state == IPC__APPROVAL_STATE__APPROVAL_EXPIRED)
        (void)snprintf(words, sizeof words, "nobody decided within %s (asked: %s)",
                       text_duration(wait, part->approve->wait_ms), holder_by(part->approve, by));
    else
        (void)snprintf(words, sizeof words, "it was approved, and not used in time");
    refuse(a, part, "approval_expired", words);
}

static void moved(struct approval *a, struct part *part, const Ipc__ApprovalNews *news)
{
    part->expires_ms = news->expires_ms;
    switch (news->state) {
    case IPC__APPROVAL_STATE__APPROVAL_OPEN:
        tell_open(a, "one has agreed; still waiting for approval");
        break;
    case IPC__APPROVAL_STATE__APPROVAL_APPROVED:
        enter(part, AGREED);
        settle(a);
        break;
    case IPC__APPROVAL_STATE__APPROVAL_DENIED:
        enter(part, USED); /* there is nothing to withdraw */
        refuse_denied(a, part, news);
        break;
    default:
        enter(part, USED);
        refuse_expired(a, part, news);
        break;
    }
}

void approval_news(struct gate *gate, const Ipc__ApprovalNews *news)
{
    struct approval *a = NULL;
    struct part *part = find_id(gate, news->id, &a);
    if (!part || a->dropped)
        return;
    struct step step = { news->state,      news->id,        news->why,
                         news->expires_ms, news->decisions, news->n_decisions };
    if (record(a, &step))
        refuse_unrecorded(a, part);
    else
        moved(a, part, news);
}
