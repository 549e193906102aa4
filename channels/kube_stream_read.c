/* A body in protobuf, which stock kubectl sends for `create` and `run`: what it sets is known to the API
 * server alone. So where rules or masks depend on that, the server is asked by a dry run, which keeps
 * nothing, and what it says it would keep is judged in place of what was sent. Only where nothing but the
 * body may speak against it: what is refused anyway never reaches the server. */
#include <string.h>
#include <strings.h>

#include "channels/kube_preview.h"
#include "channels/kube_stream_parts.h"

static bool is_protobuf(const struct exchange_question *q)
{
    const char *type = q->head ? http_head_field(q->head, "content-type") : NULL;
    return type && strcasestr(type, "protobuf") != NULL;
}

/* Whether it would not be refused, were there nothing in its body. Negative: out of memory. */
static int may_be_allowed(const struct kube_stream *s, const struct exchange_question *q)
{
    const struct circumstances who = kube_stream_who(s);
    const struct kube_judged judged = { .request = q->request };
    struct kube_verdict verdict;
    if (access_kind_of(q->request) != ACCESS_NONE)
        return true; /* needs no rule */
    int r = kube_verdict_of(s->channel->gate->rules, &who, &judged, &verdict);
    if (r)
        return r;
    bool allowed = verdict.verdict.action != ACTION_DENY;
    kube_verdict_clear(&verdict);
    return allowed;
}

static void done(void *owner, const struct kube_preview *preview)
{
    struct kube_stream *s = owner;
    size_t n = 0;
    const uint8_t *object = kube_preview_object(preview, &n);
    if (object && buffer_append(&s->read, object, n))
        buffer_consume(&s->read, buffer_size(&s->read)); /* then it is judged as what it is: not understood */
    kube_preview_task_free(STEAL(s->reading));
    kube_stream_step(s);
}

int kube_stream_read(struct kube_stream *s, const struct exchange_question *q)
{
    const struct kube_preview_want want = { .question = q,
                                            .host = s->host,
                                            .config = s->channel->gate->config,
                                            .target = s->channel->target,
                                            .who = kube_stream_who(s),
                                            .to_judge = true };
    struct kube_preview *preview = NULL;
    bool writes = q->request && q->body_n > 0 && !*q->request->subresource &&
                  (strcmp(q->request->verb, "create") == 0 || strcmp(q->request->verb, "update") == 0);
    if (s->was_read || q->fault || !writes || !is_protobuf(q))
        return 0;
    s->was_read = true;
    int r = may_be_allowed(s, q);
    if (r <= 0)
        return r;
    r = kube_preview_new(&want, &preview);
    if (r)
        return r < 0 ? r : 0;
    r = kube_preview_task_to(s->channel, preview, done, s, &s->reading);
    return r == 0 ? KUBE_STREAM_READS : r;
}

void kube_stream_forget_read(struct kube_stream *s)
{
    kube_preview_task_free(STEAL(s->reading));
    buffer_free(&s->read);
    s->was_read = false;
}
