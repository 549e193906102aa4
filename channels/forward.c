/* See forward.h. */
#include "channels/forward.h"

#include <stdio.h>

#include "channels/stream.h"

enum { POSTGRES_PORT = 5432 };

static void start_stream(struct channel *channel)
{
    if (stream_new(channel, STEAL_FD(channel->data_fd), true, &channel->stream)) {
        channel_refuse(channel, &(struct refusal){ .code = "limit", .reason = "out of memory" });
        return;
    }
    channel_accept(channel);
}

void forward_begin(struct channel *channel, const Ipc__Forward *forward)
{
    char reason[DETAIL_MAX];
    struct gate *gate = channel->gate;
    if (!gate->identity->forwarding) {
        channel_decline(channel, "your certificate does not permit port forwarding");
        return;
    }
    channel->target = gate_target(gate, forward->host);
    if (!channel->target) {
        (void)snprintf(reason, sizeof reason,
                       "no target \"%.100s\" for you: `targets` lists what you may reach", forward->host);
        channel_decline(channel, reason);
        return;
    }
    if (forward->port != POSTGRES_PORT && forward->port != channel->target->port) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" speaks PostgreSQL: forward to %s:%d",
                       channel->target->name, channel->target->name, POSTGRES_PORT);
        channel_decline(channel, reason);
        return;
    }
    channel_record(channel, start_stream);
}
