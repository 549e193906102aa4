/* The recording of an exec or attach. Everything else that a client does at a cluster through one SSH
 * connection is in one recording (channels/shared_recording.h); what is done in a container is looked for,
 * and replayed, by itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube_stream_parts.h"
#include "channels/recording.h"
#include "policy/kube_exec.h"

bool kube_stream_wants_recording(const struct kube_stream *s, const struct exchange_question *q)
{
    return s->channel->shared && q->upgrades && !q->fault &&
           strcmp(q->request->subresource, "portforward") != 0;
}

static void is_there(struct channel *channel)
{
    struct kube_stream *s = channel->kube_stream;
    s->asks_recording = false;
    kube_stream_step(s);
}

int kube_stream_ask_recording(struct kube_stream *s, const struct exchange_question *q)
{
    static const struct kube_status none = { .code = "recording_unavailable",
                                             .reason = "no recording could be started" };
    struct channel *channel = s->channel;
    CLEANUP(free) char *line = kube_exec_line(q->request);
    if (!line)
        return -ENOMEM;
    const struct recording_about about = { .kind = q->request->subresource,
                                           .target = channel->target,
                                           .login = channel->target->login,
                                           .command = line };
    channel->request = recording_ask(channel->gate, &about);
    if (channel->request == 0)
        return kube_stream_refuse(s, &none);
    channel->recorded = is_there;
    s->asks_recording = true;
    return 0;
}
