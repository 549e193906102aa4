/* One client connection to a Kubernetes target: a forward, or what kubectl in the sandbox has opened. Joins
 * the protocol (channels/kube) with the vault, the recording, the rules and the people who approve. */
#pragma once
#include "channels/channel.h"

enum {
    KUBE_ANSWER_MS = 5 * 60 * 1000, /* for the first byte of an answer */
    KUBE_COUNT_MS = 30 * 1000,      /* for the ledger to say whether one more request may be sent */
    KUBE_DRAIN_MS = 10 * 1000,      /* for the last bytes to go out */
    KUBE_LINGER_MS = 2 * 1000,      /* for the client to close after we did */
    KUBE_IN_MAX = 64 * 1024,        /* bytes of a client that wait */
};

struct kube_stream;

/* client_fd: a stream socket towards the client; the stream's from here on, also on failure. record_output:
 * what is answered is recorded (not so for tools, whose terminal is recorded). channel->recorder is there. */
MUST_USE int kube_stream_new(struct channel *channel, int client_fd, bool record_output,
                             struct kube_stream **ret);
void kube_stream_free(struct kube_stream *stream);
/* Fails closed: the client gets a Status where it waits for an answer; the server's side is closed. */
void kube_stream_stop(struct kube_stream *stream, const struct refusal *why);

/* Ledger AnswerStatements: false when it is not to a question of a kube_stream. */
bool kube_streams_answer_count(struct gate *gate, const Ipc__AnswerStatements *answer);
