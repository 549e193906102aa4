/* `ssh -J bastion web1`: a connection inside of a connection. The outer one's gate gives the forwarded
 * channel to the listener, and says of it what the inner one's gate has to know; the inner client's words
 * never do. */
#pragma once
#include "channels/channel.h"

enum { SSH_PORT = 22 };

/* The channel, a forward to its target's SSH port, is handed over, or declined. */
void jump_begin(struct channel *channel);
/* Handler: listener JumpTaken. */
int jump_taken(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);

/* ---- in the inner connection's gate ---- */

/* What the outer one's gate said, packed; empty: this is no inner connection. Negative when it makes no
 * sense. */
MUST_USE int jump_arrive(struct gate *gate, const ProtobufCBinaryData *outer);
/* Where the connection leads, by the user name before the @. Who has given none gets the target's own login:
 * a client then sends the same name to both, that of its local user. */
void jump_route(struct gate *gate, const char *user);
/* NULL, or why this identity may not come in here. */
const char *jump_refuses(const struct gate *gate);
