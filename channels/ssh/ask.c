/* All of it is in the digest: what is typed or sent, what it does, as whom, and what of the client's the host
 * gets besides. */
#include "channels/ssh/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channel.h"
#include "policy/approval_digest.h"

struct context {
    Ipc__Variable login, *list[SSH_CONTEXT_MAX];
    size_t n;
};

static int fill(const struct ssh_ask *ask, struct context *context)
{
    if (ask->n_context + 1 > SSH_CONTEXT_MAX)
        return APPROVAL_TOO_LARGE;
    context->login = (Ipc__Variable)IPC__VARIABLE__INIT;
    context->login.name = (char *)(uintptr_t) "login";
    context->login.value = (char *)(uintptr_t)ask->login;
    if (ask->login[0])
        context->list[context->n++] = &context->login;
    for (size_t i = 0; i < ask->n_context; i++)
        context->list[context->n++] = (Ipc__Variable *)(uintptr_t)ask->context[i];
    return 0;
}

int ssh_ask(struct channel *channel, const struct ssh_ask *ask, const struct approval_calls *calls,
            void *owner, struct approval **ret)
{
    struct context context = { .n = 0 };
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    CLEANUP(free) uint8_t *packed = NULL;
    uint8_t digest[APPROVAL_DIGEST];
    size_t n = 0;
    int r = ask->holders->overflow ? APPROVAL_TOO_LARGE : fill(ask, &context);
    content.statement = (ProtobufCBinaryData){ strlen(ask->text), (uint8_t *)(uintptr_t)ask->text };
    content.effects = (char **)(uintptr_t)ask->effects;
    content.n_effects = ask->n_effects;
    content.context = context.list;
    content.n_context = context.n;
    r = r ? r : approval_pack(&content, &packed, &n);
    if (r)
        return r;
    const struct approval_subject subject = approval_subject_of(channel->gate, channel->target, ask->kind);
    approval_digest(&subject, &content, digest);
    const struct approval_question question = { .kind = ask->kind,
                                                .target = channel->target,
                                                .content = packed,
                                                .content_n = n,
                                                .digest = digest,
                                                .number = ask->number,
                                                .holders = ask->holders };
    return approval_new(channel->gate, channel->recorder, &question, calls, owner, ret);
}

void ssh_ask_words(char *out, size_t size, const char *reason, const char *request)
{
    (void)snprintf(out, size, *request && !strstr(reason, request) ? "%s: request %s" : "%s", reason,
                   request);
}
