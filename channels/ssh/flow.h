/* A connection that an SSH target makes for a client (`ssh -L 8443:10.0.0.7:443 web1@bastion`), where the
 * target lists it. Nothing of what is said in it is looked at or kept: when it was, and how many bytes went
 * either way. */
#pragma once
#include "base/buffer.h"
#include "channels/channel.h"
#include "channels/ssh/upstream_channel.h"

struct approval;
struct ssh_host;
struct ssh_verdict;

struct ssh_flow {
    struct ssh_flow *next; /* of the host's */
    struct channel *channel;
    struct ssh_host *host;
    char *to; /* where to; a name or a numeric address */
    uint32_t port;
    struct approval *approval; /* while people decide; or NULL */
    struct upstream_channel *session;
    struct timer *limit;
    struct source *source;
    struct buffer waiting; /* for the client, whose side took no more */
    struct buffer input;
    bool accepted;     /* the client was told that it stands */
    bool input_over;   /* its EOF came */
    bool client_gone;  /* it takes nothing more */
    bool target_ended; /* EOF: nothing more comes */
    bool over;         /* the target has closed */
};

/* The channel's target is the one to go through; it lists the place. Recorded, judged and begun, or declined.
 */
void ssh_flow_begin(struct channel *channel, const char *host, uint32_t port);
void ssh_flow_free(struct ssh_flow *flow);
/* Ends it; a client that still waits for it is told why. Frees the channel. */
void ssh_flow_stop(struct ssh_flow *flow, const struct refusal *why);

/* Nothing stands in its way any more: the target is connected to. */
void ssh_flow_allowed(struct ssh_flow *flow);
/* flow_hold.c: people are asked; ssh_flow_allowed() or ssh_flow_stop() follows, not from inside of this. As
 * ssh_ask(). */
MUST_USE int ssh_flow_hold(struct ssh_flow *flow, const struct ssh_verdict *verdict, const char *place,
                           const char *login, uint64_t number);

/* ---- for host.c ---- */

void ssh_flow_ready(struct ssh_flow *flow);
/* Gives its channel at the target back; ssh_flow_stop() follows. */
void ssh_flow_abandon(struct ssh_flow *flow);
const char *ssh_flow_recording(const struct ssh_flow *flow); /* its id */
