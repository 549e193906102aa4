/* What a gate writes to the connector of a Kubernetes target (base/ipc.proto, Connected): frames in, the
 * bytes of HTTP out, with what proves who we are behind each request line. No I/O. */
#pragma once
#include "base/buffer.h"
#include "vault/connector_body.h"

enum {
    FRAME_MARK = 5,               /* bytes before a payload: kind, u32 length */
    FRAME_BODY_MAX = 256 * 1024,  /* bytes of one 'B' */
    FRAMES_LINES_MAX = 64 * 1024, /* bytes of all that we add to a head */
    FRAMES_HEARD = 12,            /* bytes of a status line up to its status */
};

enum { FRAMES_STALE = 1 }; /* the next request needs a connection of its own */

/* Embedded. */
struct frames {
    const char *lines; /* borrowed: whole header lines with CRLF */
    size_t lines_n;
    struct buffer head, ready; /* a head that is not whole yet; one that is on its way out */
    uint8_t mark[FRAME_MARK];
    size_t mark_n;
    size_t left;      /* bytes of the payload to come */
    struct body body; /* of the request that was sent last */
    bool any;         /* a request was sent */
    bool upgrade;     /* it asked for another protocol, and was the first */
    uint8_t heard[FRAMES_HEARD];
    size_t heard_n; /* the first bytes of the server on this connection */
    bool stale;     /* set by the owner: no further request may begin */
};

struct frames frames_with(const char *lines, size_t lines_n);
void frames_free(struct frames *frames); /* wipes what it held */

/* Takes some of in and puts what is to be sent, at most room bytes. 0, FRAMES_STALE, or -EPROTO with the
 * reason for the log: no gate of ours says that. Nothing taken and nothing put: it waits for more, or for the
 * server's answer to an upgrade. */
MUST_USE int frames_give(struct frames *frames, const uint8_t *in, size_t n, size_t *ret_taken, uint8_t *out,
                         size_t room, size_t *ret_put, struct detail *detail);
/* What the server said, in order. */
void frames_hear(struct frames *frames, const uint8_t *bytes, size_t n);
