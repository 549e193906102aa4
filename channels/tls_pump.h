/* Joins a client that speaks TLS to one of the gate's own streams, which sees what is inside. */
#pragma once
#include "base/error.h"
#include "base/loop.h"

enum {
    TLS_HANDSHAKE_MS = 15 * 1000,
    TLS_DRAIN_MS = 10 * 1000, /* for the last bytes to go out */
    TLS_LINGER_MS = 2 * 1000, /* for the client to close after we did */
};

struct tls_server;

/* Takes both descriptors, stream sockets, also on failure. Goes on by itself until both sides have ended,
 * then frees itself: what the stream has said last goes out also when its channel is gone. */
MUST_USE int tls_pump_begin(struct loop *loop, struct tls_server *server, int client_fd, int inner_fd);
