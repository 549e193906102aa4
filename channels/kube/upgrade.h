/* What follows a 101 of a Kubernetes API server: exec, attach and port-forward, over WebSocket or SPDY/3.1.
 * No I/O. docs/kubernetes.md, "Streams"
 *
 * Both sides keep the protocol on which they agreed, but nothing of either is passed on as it came: what
 * comes is read down to the single streams, and written anew. What is none of these is refused. */
#pragma once
#include "channels/kube/http.h"
#include "policy/kube_request.h"

enum {
    KUBE_UPGRADE_STEP_MAX = 32 * 1024, /* bytes that are read at once */
    KUBE_UPGRADE_ENOUGH = 64 * 1024,   /* bytes that wait for a side, with which nothing more is read */
    KUBE_UPGRADE_WAITING_MAX = 3 * 1024 * 1024, /* bytes that ever wait for a side */
    KUBE_LANES_MAX = 512,                       /* streams at once: 256 forwarded connections */
    KUBE_ERROR_MAX = 64 * 1024,                 /* bytes of what is said of an end */
    KUBE_RESIZE_MAX = 256,                      /* of one message about a terminal's size */
    KUBE_PORTS_MAX = 128,                       /* that a WebSocket forwards */
};

/* ---- before it: what is offered and agreed on ---- */

enum kube_upgrade_kind {
    KUBE_UPGRADE_CHANNELS, /* WebSocket; each message begins with the number of its stream */
    KUBE_UPGRADE_STREAMS,  /* SPDY/3.1 */
    KUBE_UPGRADE_TUNNEL,   /* SPDY/3.1 in binary messages of a WebSocket */
};
enum { KUBE_OFFERS_MAX = 16 };
enum { KUBE_UPGRADE_REFUSED = 1 };

struct kube_offer {
    bool websocket;                         /* or SPDY/3.1 */
    const char *protocols[KUBE_OFFERS_MAX]; /* those of the client's that are spoken here; static */
    size_t n;
};

/* Reads what a request offers (head->upgrades). KUBE_UPGRADE_REFUSED: detail says why it can't be
 * had, for the client. */
MUST_USE int kube_offer_read(const struct kube_request *request, const struct http_head *head,
                             struct kube_offer *ret, struct detail *detail);
/* The fields of the request to the server that belong to it, Connection and Upgrade too. */
MUST_USE int kube_offer_put(const struct kube_offer *offer, const struct http_head *head, struct buffer *out);

struct kube_agreement {
    enum kube_upgrade_kind kind;
    const char *protocol; /* "v4.channel.k8s.io"; "" of a WebSocket: none was named; static */
};
/* Reads a server's 101. KUBE_UPGRADE_REFUSED: it is none to what was offered. */
MUST_USE int kube_agreement_read(const struct kube_offer *offer, const struct http_head *head,
                                 struct kube_agreement *ret, struct detail *detail);
/* The fields of the 101 to the client. */
MUST_USE int kube_agreement_put(const struct kube_agreement *agreement, const struct http_head *head,
                                struct buffer *out);

/* ---- the streams ---- */

enum kube_lane_kind {
    KUBE_STDIN,
    KUBE_STDOUT,
    KUBE_STDERR,
    KUBE_ERROR,  /* of exec and attach: how it ended; of a port: why it failed */
    KUBE_RESIZE, /* a terminal's size */
    KUBE_PORT,   /* a forwarded connection; nothing of it is looked at */
};

struct kube_lane {
    enum kube_lane_kind kind;
    uint32_t id;      /* the protocol's */
    uint32_t port;    /* of KUBE_PORT, and of the KUBE_ERROR that belongs to it */
    uint64_t in, out; /* bytes from the client, and from the server */
};

struct kube_exit {
    bool known;
    uint32_t status;   /* where it is known */
    char message[256]; /* of the server, where there is one; escape it */
};

/* Each before anything of it goes on; anything but 0 is handed up. Any may be NULL but output and
 * output_ended. */
struct kube_upgrade_calls {
    int (*opened)(void *owner, const struct kube_lane *lane); /* of a port */
    int (*input)(void *owner, const uint8_t *bytes, size_t n);
    int (*input_ended)(void *owner);
    /* lane: KUBE_STDOUT or KUBE_STDERR. Appends what may be seen of it to shown. */
    int (*output)(void *owner, const struct kube_lane *lane, const uint8_t *bytes, size_t n,
                  struct buffer *shown);
    /* What is held of it is to be shown: nothing follows, or not for now. More than once, too. */
    int (*output_ended)(void *owner, const struct kube_lane *lane, struct buffer *shown);
    int (*resized)(void *owner, unsigned columns, unsigned rows);
    int (*exited)(void *owner, const struct kube_exit *exit);
    int (*closed)(void *owner, const struct kube_lane *lane); /* of a port */
    /* Of a port: the server has said all, or (n > 0) why it failed; lane: KUBE_PORT, or its KUBE_ERROR. */
    int (*answered)(void *owner, const struct kube_lane *lane, const uint8_t *error, size_t n);
};

enum kube_side { KUBE_CLIENT, KUBE_SERVER };

struct kube_upgrade;

/* Everything is borrowed but for the call; calls for as long as it lives. */
MUST_USE int kube_upgrade_new(const struct kube_request *request, const struct kube_agreement *agreement,
                              const struct kube_upgrade_calls *calls, void *owner, struct kube_upgrade **ret);
void kube_upgrade_free(struct kube_upgrade *upgrade);
DEFINE_CLEANUP(struct kube_upgrade *, kube_upgrade_free)
/* Whether the output is a terminal's. */
bool kube_upgrade_is_terminal(const struct kube_upgrade *upgrade);

enum { KUBE_UPGRADE_ENDED = 1 };
/* Takes as many of a side's bytes as there is room for what comes of them. KUBE_UPGRADE_ENDED: it broke the
 * protocol, and kube_upgrade_stop() was called with what detail says. Others: of the calls, and errno. After
 * either kube_upgrade_stop() is all that can be called. */
MUST_USE int kube_upgrade_read(struct kube_upgrade *upgrade, enum kube_side from, const void *bytes, size_t n,
                               size_t *ret_taken, struct detail *detail);
/* Whether it would take any of either side now. */
bool kube_upgrade_wants(const struct kube_upgrade *upgrade);
/* The side sends no more. Errors are those of the calls. */
MUST_USE int kube_upgrade_close(struct kube_upgrade *upgrade, enum kube_side from);
/* What is to be sent to a side: the owner consumes it. */
struct buffer *kube_upgrade_out(struct kube_upgrade *upgrade, enum kube_side to);
/* Bytes of standard output that were held for a while (VEIL_FLUSH_MS) and are let go now. */
MUST_USE int kube_upgrade_show(struct kube_upgrade *upgrade, const void *bytes, size_t n);
/* Ends it from here: the client is told why in the protocol's way, and both that nothing follows. What waits
 * goes out still. */
void kube_upgrade_stop(struct kube_upgrade *upgrade, const char *reason);
/* The forwarded connections that are open are told as closed: it is about to be freed. */
MUST_USE int kube_upgrade_forget(struct kube_upgrade *upgrade);
/* Whether nothing more passes: both have said their farewell, or it was stopped. */
bool kube_upgrade_is_over(const struct kube_upgrade *upgrade);
