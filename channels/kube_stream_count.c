/* Requests a minute: the ledger counts them, since it alone sees all connections of an identity. */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "channels/kube_stream_parts.h"

const Ipc__Limits *kube_stream_limits(const struct kube_stream *s)
{
    const struct verdict *verdict = &s->verdict.verdict;
    return verdict->action == ACTION_ALLOW && verdict->by ? verdict->by->limits : NULL;
}

static int ask(struct kube_stream *s, uint32_t per_minute)
{
    struct gate *gate = s->channel->gate;
    if (!gate->ledger)
        return -EPIPE;
    Ipc__StatementUse use = IPC__STATEMENT_USE__INIT, *list[] = { &use };
    Ipc__AskStatements ask = IPC__ASK_STATEMENTS__INIT;
    use.rule = s->verdict.verdict.by->name;
    use.per_minute = per_minute;
    use.statements = 1;
    s->count_request = ask.request = gate_request(gate);
    ask.target = s->channel->target->name;
    ask.uses = list;
    ask.n_uses = 1;
    Ipc__Message message = IPC_MESSAGE(ASK_STATEMENTS, ask_statements, &ask);
    timer_set(s->timer, KUBE_COUNT_MS);
    return ipc_peer_send(gate->ledger, &message, NULL, 0);
}

int kube_stream_count(struct kube_stream *s, const char *warning)
{
    const Ipc__Limits *limits = kube_stream_limits(s);
    if (!limits || limits->statements_per_minute == 0)
        return kube_stream_send(s, warning);
    return ask(s, limits->statements_per_minute);
}

static int refuse_full(struct kube_stream *s, const Ipc__AnswerStatements *answer)
{
    char reason[DETAIL_MAX], next[64];
    (void)snprintf(reason, sizeof reason, "no more than %u requests a minute",
                   (unsigned)kube_stream_limits(s)->statements_per_minute);
    (void)snprintf(next, sizeof next, "wait %u second%s, then run it again", (unsigned)answer->wait_s,
                   answer->wait_s == 1 ? "" : "s");
    const struct kube_status status = { .code = "limit",
                                        .rule = answer->rule,
                                        .reason = reason,
                                        .next = next,
                                        .http = 429,
                                        .wait_s = answer->wait_s };
    return kube_stream_refuse(s, &status);
}

bool kube_streams_answer_count(struct gate *gate, const Ipc__AnswerStatements *answer)
{
    struct kube_stream *s = gate->kube_streams;
    while (s && (s->count_request == 0 || s->count_request != answer->request))
        s = s->next;
    if (!s)
        return false;
    s->count_request = 0;
    if (exchange_state(s->exchange) != EXCHANGE_ASKING)
        return true; /* its client has gone meanwhile */
    timer_stop(s->timer);
    if (*answer->rule ? refuse_full(s, answer) : kube_stream_send(s, NULL))
        (void)!exchange_stop(s->exchange, NULL);
    kube_stream_step(s);
    return true;
}
