/* Statements that wait for people: joins a PostgreSQL session with its approval. */
#include "channels/approval.h"
#include "channels/pg/hold.h"
#include "channels/pg/preview.h"
#include "channels/preview.h"
#include "channels/stream_parts.h"

static void opened(void *owner, const char *const *ids, size_t n)
{
    struct stream *stream = owner;
    if (stream->preview)
        preview_start(stream->channel->gate, stream->channel->target, STEAL(stream->preview), ids, n);
}

static void notice(void *owner, const char *message, const char *detail, const char *hint)
{
    const struct stream *stream = owner;
    pg_session_notice(stream->session, message, detail, hint);
}

static void agreed(void *owner)
{
    const struct stream *stream = owner;
    pg_session_agreed(stream->session);
}

static void go(void *owner)
{
    const struct stream *stream = owner;
    pg_session_go(stream->session);
}

static void refused(void *owner, const char *code, const char *rule, const char *reason, const char *request)
{
    const struct stream *stream = owner;
    pg_session_not_approved(stream->session, code, rule, reason, request);
}

static const struct approval_calls calls = { opened, notice, agreed, go, refused };

int stream_ask_approval(void *owner, struct hold *hold)
{
    struct stream *stream = owner;
    const struct approval_question question = { .kind = "sql",
                                                .target = stream->channel->target,
                                                .content = hold->content,
                                                .content_n = hold->content_n,
                                                .digest = hold->digest,
                                                .number = hold->number,
                                                .holders = &hold->holders };
    stream->preview = STEAL(hold->preview);
    return approval_new(stream->channel->gate, stream->channel->recorder, &question, &calls, stream,
                        &stream->approval);
}

void stream_use_approval(void *owner, const struct hold *hold)
{
    const struct stream *stream = owner;
    (void)hold;
    approval_use(stream->approval);
}

void stream_drop_approval(void *owner, const char *why)
{
    struct stream *stream = owner;
    approval_drop(stream->approval, why);
    preview_plan_free(STEAL(stream->preview));
    stream->approval = NULL;
}
