/* The first half of a key exchange with a host (RFC 4253, RFC 5656, RFC 8731), for the host certificate that
 * it shows in it. Nothing is proven by that, and nothing is encrypted: the connection is given up then.
 * No I/O. */
#pragma once
#include <stdbool.h>
#include "base/buffer.h"

enum {
    HOST_OFFER_MAX = 64 * 1024,        /* bytes that a host may send until then */
    HOST_OFFER_PACKET_MAX = 35 * 1000, /* RFC 4253 section 6.1 */
    HOST_OFFER_LINE_MAX = 1024,        /* its version, or what it says before */
    HOST_OFFER_LINES_MAX = 64,
};

enum host_offer_fault {
    HOST_OFFER_PROTOCOL = 1, /* it does not speak SSH, or not as we do */
    HOST_OFFER_NONE,         /* it has no certificate of a kind that we know */
};

enum host_offer_state { OFFER_VERSION, OFFER_ALGORITHMS, OFFER_REPLY, OFFER_DONE };

struct host_offer {
    enum host_offer_state state;
    struct buffer in, out;
    size_t taken; /* bytes of the host so far */
    unsigned lines;
    struct buffer certificate; /* OFFER_DONE: wire form */
    struct detail why;         /* of a fault */
};

/* What is to be sent first is in `out`. 0, -ENOMEM. */
MUST_USE int host_offer_init(struct host_offer *offer);
void host_offer_clear(struct host_offer *offer);
/* Takes over what is in `in`. 0 (OFFER_DONE or more is needed), a fault, or negative. */
MUST_USE int host_offer_run(struct host_offer *offer);
