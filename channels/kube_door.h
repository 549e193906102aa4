/* A forwarded connection to a Kubernetes target, until its first byte: plain HTTP, or TLS, which is then
 * served with a certificate of this bastion's own. */
#pragma once
#include "channels/channel.h"

enum { KUBE_DOOR_ASK_MS = 15 * 1000 }; /* for the vault */

struct kube_door;

/* Accepts the channel, whose recorder is there; the channel gets a kube_stream when its client has said
 * something. */
void kube_door_open(struct channel *channel);
void kube_door_free(struct kube_door *door);
