/* A forward that waits until people have agreed. Its client sees nothing of that but that the connection is
 * not there yet: SSH has no words for a channel that is being opened. */
#include <stdio.h>

#include "base/log.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/ssh/ask.h"
#include "channels/ssh/flow.h"
#include "channels/ssh/verdict.h"

static void opened(void *owner, const char *const *ids, size_t n)
{
    const struct ssh_flow *flow = owner;
    for (size_t i = 0; i < n; i++)
        log_event(LOG_INFO, "forward_held", "connection", U64(flow->channel->gate->connection), "identity",
                  flow->channel->gate->identity->name, "target", flow->channel->target->name, "to", flow->to,
                  "request", ids[i], NULL);
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    (void)owner;
    (void)message;
    (void)detail;
    (void)hint;
}

static void agreed(void *owner)
{
    const struct ssh_flow *flow = owner;
    approval_use(flow->approval);
}

static void go(void *owner)
{
    struct ssh_flow *flow = owner;
    approval_drop(STEAL(flow->approval), "it runs");
    ssh_flow_allowed(flow);
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    char words[1024];
    ssh_ask_words(words, sizeof words, reason, request);
    ssh_flow_stop(owner, &(struct refusal){ .code = code, .reason = words, .rule = rule });
}

int ssh_flow_hold(struct ssh_flow *flow, const struct ssh_verdict *verdict, const char *place,
                  const char *login, uint64_t number)
{
    static const struct approval_calls calls = { opened, notice, agreed, go, refused };
    const struct ssh_ask about = { .kind = "forward",
                                   .text = place,
                                   .effects = (const char *const *)verdict->effects,
                                   .n_effects = verdict->n_effects,
                                   .number = number,
                                   .holders = &verdict->holders,
                                   .login = login };
    return ssh_ask(flow->channel, &about, &calls, flow, &flow->approval);
}
