/* What follows once a kube_stream has changed the protocol: exec, attach and port-forward
 * (channels/kube/upgrade.h), joined with the recording and the masks. Private to channels/kube_stream*.c. */
#pragma once
#include "channels/kube_stream_parts.h"

struct kube_talk;

/* The exchange has switched. */
MUST_USE int kube_talk_new(struct kube_stream *stream, struct kube_talk **ret);
void kube_talk_free(struct kube_talk *talk);
/* Moves what can be moved between both sides; the exchange is over once nothing will any more. */
void kube_talk_go_on(struct kube_talk *talk, bool *ret_moved);
/* Whether the server's bytes are wanted. */
bool kube_talk_reads(const struct kube_talk *talk);
/* Ends it: the client is told why. */
void kube_talk_stop(struct kube_talk *talk, const char *reason);
/* Of the command, where the server told it; else 0. */
uint32_t kube_talk_status(const struct kube_talk *talk);
