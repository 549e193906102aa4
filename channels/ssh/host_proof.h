/* Asks a host for its certificate, over a connection of its own that is closed then. */
#pragma once
#include "base/loop.h"
#include "channels/ssh/host_offer.h"

struct host_proof;

struct host_proof_calls {
    /* The certificate's wire form; borrowed. */
    void (*shown)(void *owner, const uint8_t *certificate, size_t n);
    /* none: it has none; else it could not be asked. detail is for the log. */
    void (*failed)(void *owner, bool none, const char *detail);
};

/* fd is a connected stream socket, the proof's from here on, also on failure. One call follows, which may
 * free it. */
MUST_USE int host_proof_new(struct loop *loop, int fd, const struct host_proof_calls *calls, void *owner,
                            struct host_proof **ret);
void host_proof_free(struct host_proof *proof);
