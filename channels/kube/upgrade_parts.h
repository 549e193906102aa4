/* The inside of an upgrade, shared by upgrade*.c. */
#pragma once
#include "channels/kube/spdy.h"
#include "channels/kube/upgrade.h"
#include "channels/kube/websocket.h"

struct lane {
    struct kube_lane seen; /* by the owner */
    bool ended[2];         /* by each side */
    bool replied;          /* SPDY: by the server */
    bool reset;            /* SPDY: by either side */
    struct buffer text;    /* of an error or a resize, until it is whole */
};

struct upgrade_end {
    struct websocket_reader *messages; /* from it */
    struct spdy_reader *frames;
    struct spdy_packer *packer; /* to it */
    struct buffer inner;        /* SPDY to it, before it becomes a message */
    struct buffer out;          /* to it */
    struct lane *lane;          /* of the message that is being read */
    bool closed;                /* it has said that nothing follows */
};

struct kube_upgrade {
    const struct kube_upgrade_calls *calls;
    void *owner;
    enum kube_upgrade_kind kind;
    bool base64, closes, says_status; /* what the protocol has */
    bool forwards, terminal, takes_input;
    uint16_t ports[KUBE_PORTS_MAX];
    size_t n_ports;
    struct lane **lanes;
    size_t n_lanes;
    uint32_t last_stream;
    struct upgrade_end ends[2]; /* enum kube_side */
    struct buffer shown;
    bool over;
};

static inline enum kube_side kube_other(enum kube_side side)
{
    return side == KUBE_CLIENT ? KUBE_SERVER : KUBE_CLIENT;
}

/* ---- upgrade_lane.c: what streams are ---- */

/* NULL: out of memory, or there are KUBE_LANES_MAX. */
struct lane *upgrade_open(struct kube_upgrade *u, enum kube_lane_kind kind, uint32_t id, uint32_t port);
struct lane *upgrade_lane(const struct kube_upgrade *u, uint32_t id);
struct lane *upgrade_lane_of(const struct kube_upgrade *u, enum kube_lane_kind kind);
/* Bytes of a stream, or (n is 0) a message without any. whole: what was said on it is, where that matters. */
MUST_USE int upgrade_bytes(struct kube_upgrade *u, enum kube_side from, struct lane *lane,
                           const uint8_t *bytes, size_t n, bool whole, struct detail *detail);
/* The side sends no more on it; with both, it is gone. */
MUST_USE int upgrade_end_lane(struct kube_upgrade *u, enum kube_side from, struct lane *lane);
/* It is gone at once. */
MUST_USE int upgrade_drop(struct kube_upgrade *u, struct lane *lane);
/* What is held of the output is given to the client. */
MUST_USE int upgrade_flush(struct kube_upgrade *u);
/* That, and what the server had said of an end. */
MUST_USE int upgrade_finish(struct kube_upgrade *u);
void upgrade_lane_free(struct lane *lane);

/* ---- upgrade_channel.c, upgrade_stream.c: how they are written ---- */

/* One step. KUBE_UPGRADE_ENDED: a protocol error. */
MUST_USE int upgrade_read_channels(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes,
                                   size_t n, size_t *ret_taken, struct detail *detail);
MUST_USE int upgrade_read_streams(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                                  size_t *ret_taken, struct detail *detail);
/* Data of a stream to a side, n may be 0; its end. */
MUST_USE int upgrade_put(struct kube_upgrade *u, enum kube_side to, const struct lane *lane,
                         const void *bytes, size_t n);
MUST_USE int upgrade_put_end(struct kube_upgrade *u, enum kube_side to, const struct lane *lane);
MUST_USE int upgrade_put_channel(struct kube_upgrade *u, enum kube_side to, const struct lane *lane,
                                 const void *bytes, size_t n);
MUST_USE int upgrade_put_channel_end(struct kube_upgrade *u, enum kube_side to, const struct lane *lane);
/* What every WebSocket has besides messages. */
MUST_USE int upgrade_pass_control(struct kube_upgrade *u, enum kube_side from,
                                  const struct websocket_event *event);
/* Where SPDY is written, and what makes messages of it. */
struct buffer *upgrade_inner(struct kube_upgrade *u, enum kube_side to);
MUST_USE int upgrade_wrap(struct kube_upgrade *u);

/* ---- upgrade_exit.c ---- */

MUST_USE int kube_exit_read(const void *text, size_t n, bool says_status, struct kube_exit *ret);
MUST_USE int kube_exit_put(const char *reason, bool says_status, struct buffer *out);
