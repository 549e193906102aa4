/* What of an API server's answer the client gets to see: masked, and recorded first. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channels/kube_stream_parts.h"
#include "channels/recorder.h"
#include "policy/detect.h"

enum { STATUS_SHOWN = 256 };

static int record_status(struct kube_stream *s, unsigned status, const char *about)
{
    char line[STATUS_SHOWN];
    int n = snprintf(line, sizeof line, "%u%s%.200s", status, *about ? " " : "", about);
    return recorder_output(s->channel->recorder, s->number, "status", line, (size_t)n);
}

int kube_stream_refuse(struct kube_stream *s, const struct kube_status *status)
{
    timer_stop(s->timer);
    int r = record_status(s, kube_status_http(status), status->reason);
    return r ? r : exchange_refuse(s->exchange, status);
}

static int answered(void *owner, const struct http_head *head, struct exchange_way *way)
{
    struct kube_stream *s = owner;
    const char *type = http_head_field(head, "content-type");
    (void)way;
    return record_status(s, head->status, type ? type : "");
}

/* What is shown is recorded; a tool's terminal is. */
static int record_body(struct kube_stream *s, const struct buffer *out, size_t before)
{
    size_t n = buffer_size(out) - before;
    if (n == 0)
        return 0;
    if (s->record_output)
        return recorder_output(s->channel->recorder, s->number, "body", buffer_head(out) + before, n);
    return 0;
}

static int body(void *owner, const uint8_t *bytes, size_t n, struct buffer *out)
{
    struct kube_stream *s = owner;
    size_t before = buffer_size(out);
    int r = s->detect ? detect_feed(s->detect, bytes, n, out) : buffer_append(out, bytes, n);
    return r ? r : record_body(s, out, before);
}

static int ended(void *owner, bool cut, struct buffer *out)
{
    struct kube_stream *s = owner;
    size_t before = buffer_size(out);
    int r = s->detect ? detect_end(s->detect, out) : 0;
    r = r ? r : record_body(s, out, before);
    if (r == 0 && cut)
        r = recorder_note(s->channel->recorder, "the API server's answer was cut off");
    return r;
}

const struct exchange_calls kube_stream_show = { answered, body, ended };
