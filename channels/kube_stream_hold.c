/* A request that waits until people have agreed (channels/approval.h). HTTP has no words for one that waits,
 * so a client of a forward just waits; what kubectl in the sandbox waits for is told on its standard error.
 * What is approved is the method, the target in its one form, the type of the body, and the body. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/approval.h"
#include "channels/kube_preview.h"
#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"
#include "channels/tool.h"
#include "policy/approval_digest.h"

enum { IDS_MAX = 256, CONTEXT_MAX = 2 };

struct kube_hold {
    struct kube_stream *stream;
    struct approval *approval;
    struct kube_preview *preview;   /* until they are asked; or NULL */
    struct kube_preview_task *task; /* which finds out what they are shown; or NULL */
    char ids[IDS_MAX];              /* of what people were asked */
};

static void hold_free(struct kube_hold *hold)
{
    kube_preview_free(hold->preview);
    kube_preview_task_free(hold->task);
    free(hold);
}

bool kube_stream_waits(const struct kube_stream *s)
{
    return s->hold || s->reading || s->asks_recording || s->count_request;
}

void kube_stream_drop_hold(struct kube_stream *s, const char *why)
{
    struct kube_hold *hold = STEAL(s->hold);
    if (!hold)
        return;
    approval_drop(hold->approval, why);
    hold_free(hold);
}

/* ---- what the approval tells ---- */

static void opened(void *owner, const char *const *ids, size_t n)
{
    struct kube_hold *hold = owner;
    size_t at = 0;
    for (size_t i = 0; i < n && at < sizeof hold->ids; i++)
        at += (size_t)snprintf(hold->ids + at, sizeof hold->ids - at, "%s%s", i ? " " : "", ids[i]);
    if (hold->preview) /* without one, it is not shown */
        (void)!kube_preview_task_new(hold->stream->channel, STEAL(hold->preview), ids, n, &hold->task);
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

static void add(Ipc__ApprovalContent *content, Ipc__Variable *items, const char *name, const char *value)
{
    Ipc__Variable *item = &items[content->n_context];
    *item = (Ipc__Variable)IPC__VARIABLE__INIT;
    item->name = (char *)(uintptr_t)name;
    item->value = (char *)(uintptr_t)value;
    content->context[content->n_context++] = item;
}

/* People see a masked body, and agree to this one. */
static char *body_sum(const struct exchange_question *q, char *out, size_t size)
{
    uint8_t sum[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(sum, q->body, q->body_n);
    return sodium_bin2hex(out, size, sum, sizeof sum);
}

static int ask(struct kube_hold *hold, const struct exchange_question *q, const struct buffer *text,
               uint64_t number)
{
    struct kube_stream *s = hold->stream;
    const char *type = http_head_field(q->head, "content-type");
    Ipc__Variable context[CONTEXT_MAX], *list[CONTEXT_MAX];
    char sum[2 * crypto_hash_sha256_BYTES + 1];
    Ipc__ApprovalContent content = IPC__APPROVAL_CONTENT__INIT;
    CLEANUP(free) uint8_t *packed = NULL;
    uint8_t digest[APPROVAL_DIGEST];
    size_t n = 0;
    content.context = list;
    if (q->body_n > 0 && type)
        add(&content, context, "content-type", type);
    if (q->body_n > 0 && s->plan)
        add(&content, context, "body-sha256", body_sum(q, sum, sizeof sum));
    content.statement = (ProtobufCBinaryData){ buffer_size(text), (uint8_t *)(uintptr_t)buffer_head(text) };
    content.effects = s->verdict.effects;
    content.n_effects = s->verdict.n_effects;
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

static bool is_previewed(const struct holders *holders)
{
    for (size_t i = 0; i < holders->n; i++)
        if (strcmp(holders->items[i].approve->preview, "none") != 0)
            return true;
    return false;
}

static int find_preview(struct kube_hold *hold, const struct exchange_question *q)
{
    const struct kube_stream *s = hold->stream;
    const struct kube_preview_want want = { .question = q,
                                            .host = s->host,
                                            .config = s->channel->gate->config,
                                            .target = s->channel->target,
                                            .who = kube_stream_who(s) };
    int r = is_previewed(&s->verdict.holders) ? kube_preview_new(&want, &hold->preview) : 0;
    return r < 0 ? r : 0;
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
    int r = s->verdict.holders.overflow ? APPROVAL_TOO_LARGE : find_preview(hold, q);
    r = r ? r : ask(hold, q, text, number);
    if (r) {
        hold_free(hold);
        return r == APPROVAL_TOO_LARGE ? kube_stream_refuse(s, &too_large) : r;
    }
    s->hold = hold;
    return 0;
}
