/* A request that waits until people have agreed (channels/approval.h). HTTP has no words for one that waits,
 * so a client of a forward just waits; what kubectl in the sandbox waits for is told on its standard error.
 * What is approved is the method, the target in its one form, the type of the body, and the body. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/approval.h"
#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"
#include "channels/tool.h"
#include "policy/approval_digest.h"

enum { IDS_MAX = 256 };

struct kube_hold {
    struct kube_stream *stream;
    struct approval *approval;
    char ids[IDS_MAX]; /* of what people were asked */
};

bool kube_stream_waits(const struct kube_stream *s)
{
    return s->hold != NULL;
}

void kube_stream_drop_hold(struct kube_stream *s, const char *why)
{
    struct kube_hold *hold = STEAL(s->hold);
    if (!hold)
        return;
    approval_drop(hold->approval, why);
    free(hold);
}

/* ---- what the approval tells ---- */

static void opened(void *owner, const char *const *ids, size_t n)
{
    struct kube_hold *hold = owner;
    size_t at = 0;
    for (size_t i = 0; i < n && at < sizeof hold->ids; i++)
        at += (size_t)snprintf(hold->ids + at, sizeof hold->ids - at, "%s%s", i ? " " : "", ids[i]);
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    const struct kube_hold *hold = owner;
    struct tool *tool = hold->stream->channel->tool;
    (void)detail;
    if (tool)
        tool_notice(tool, message);
    if (tool && hint)
        tool_notice(tool, hint);
}

static void agreed(void *owner)
{
    const struct kube_hold *hold = owner;
    approval_use(hold->approval);
}

static void go(void *owner)
{
    struct kube_hold *hold = owner;
    struct kube_stream *s = hold->stream;
    char words[IDS_MAX + 32] = "";
    if (hold->ids[0])
        (void)snprintf(words, sizeof words, "approved: request %s", hold->ids);
    kube_stream_drop_hold(s, NULL);
    if (kube_stream_send(s, words[0] ? words : NULL))
        (void)!exchange_stop(s->exchange, NULL);
    kube_stream_step(s);
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    const struct kube_hold *hold = owner;
    struct kube_stream *s = hold->stream;
    char words[1024], id[32], called[128];
    (void)snprintf(id, sizeof id, "%s", request);
    (void)snprintf(called, sizeof called, "%s", rule);
    (void)snprintf(words, sizeof words, *id && !strstr(reason, id) ? "%s: request %s" : "%s", reason, id);
    const struct kube_status status = { .code = code, .rule = called, .reason = words, .request = id };
    kube_stream_drop_hold(s, "it was refused");
    if (kube_stream_refuse(s, &status))
        (void)!exchange_stop(s->exchange, &status);
    kube_stream_step(s);
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

/* ---- what is asked ---- */

static int ask(struct kube_hold *hold, const struct exchange_question *q, const struct buffer *text,
               uint64_t number)
{
    struct kube_stream *s = hold->stream;
    const char *type = http_head_field(q->head, "content-type");
    Ipc__Variable context = IPC__VARIABLE__INIT, *list[] = { &context };
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    char *effects[] = { s->verdict.effect };
    CLEANUP(free) uint8_t *packed = NULL;
    uint8_t digest[APPROVAL_DIGEST];
    size_t n = 0;
    context.name = (char *)(uintptr_t) "content-type";
    context.value = (char *)(uintptr_t)(type ? type : "");
    content.statement = (ProtobufCBinaryData){ buffer_size(text), (uint8_t *)(uintptr_t)buffer_head(text) };
    content.effects = effects;
    content.n_effects = 1;
    content.context = list;
    content.n_context = q->body_n > 0 && type ? 1 : 0;
    int r = approval_pack(&content, &packed, &n);
    if (r)
        return r;
    const struct approval_subject subject =
        approval_subject_of(s->channel->gate, s->channel->target, "kubernetes");
    approval_digest(&subject, &content, digest);
    const struct approval_question question = { .kind = "kubernetes",
                                                .target = s->channel->target,
                                                .content = packed,
                                                .content_n = n,
                                                .digest = digest,
                                                .number = number,
                                                .holders = &s->verdict.holders };
    return approval_new(s->channel->gate, s->channel->recorder, &question, &calls, hold, &hold->approval);
}

int kube_stream_hold(struct kube_stream *s, const struct exchange_question *q, const struct buffer *text,
                     uint64_t number)
{
    static const struct kube_status too_large = { .code = "limit",
                                                  .reason =
                                                      "it is too large to be approved, or too many rules "
                                                      "hold it" };
    struct kube_hold *hold = calloc(1, sizeof *hold);
    if (!hold)
        return -ENOMEM;
    hold->stream = s;
    int r = s->verdict.holders.overflow ? APPROVAL_TOO_LARGE : ask(hold, q, text, number);
    if (r) {
        free(hold);
        return r == APPROVAL_TOO_LARGE ? kube_stream_refuse(s, &too_large) : r;
    }
    s->hold = hold;
    return 0;
}
