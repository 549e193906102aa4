/* Messages between processes: protobuf over SOCK_SEQPACKET, fds ride along.
 * base/ipc.proto is the one schema. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "ipc.pb-c.h"

enum {
    IPC_MESSAGE_MAX = 160 * 1024, /* bytes of one packed message; bulk goes through fds */
    IPC_FDS_MAX = 8,
    IPC_QUEUE_MAX = 1024, /* messages that wait for a slow peer; beyond that it is gone */
};

/* `Ipc__Message m = IPC_MESSAGE(EXIT, exit, &body);` — wraps one body. */
#define IPC_MESSAGE(CASE, field, pointer)                                                                    \
    {                                                                                                        \
        .base = PROTOBUF_C_MESSAGE_INIT(&ipc__message__descriptor), .body_case = IPC__MESSAGE__BODY_##CASE,  \
        .field = (pointer)                                                                                   \
    }

/* ---- one message at a time, for processes that do one thing ---- */

/* Sends at once, waiting at most timeout_ms. fds are borrowed. */
MUST_USE int ipc_send_now(int fd, const Ipc__Message *message, const int *fds, size_t n_fds, int timeout_ms);
/* Waits at most timeout_ms (negative: for ever). *ret is freed with ipc__message__free_unpacked(m, NULL).
 * fds beyond *ret_n are -1; received fds are close-on-exec and the caller's. -EPIPE when the peer is gone,
 * -EBADMSG for what does not decode. */
MUST_USE int ipc_receive_now(int fd, int timeout_ms, Ipc__Message **ret, int ret_fds[IPC_FDS_MAX],
                             size_t *ret_n);

static inline void ipc_message_free(Ipc__Message *message)
{
    if (message)
        ipc__message__free_unpacked(message, NULL);
}
DEFINE_CLEANUP(Ipc__Message *, ipc_message_free)

/* ---- a peer on the event loop ---- */

struct ipc_peer;

/* fds: received with this message; a handler that keeps one takes it with STEAL_FD, the rest is
 * closed. Any return but 0 means: the peer broke the rules, and ends. The handler may free the peer
 * (and return 0). */
typedef int ipc_handler(void *owner, const Ipc__Message *message, int *fds, size_t n_fds);

/* What a peer may say, and when. Not in the table, wrong state, a second time, or another number
 * of fds than said: the peer ends. */
struct ipc_rule {
    Ipc__Message__BodyCase body;
    uint32_t states; /* bits of the states in which it may come */
    bool once;
    uint8_t fds_min, fds_max;
    ipc_handler *handle;
};

/* Called once, when the peer closed, broke the rules or did not take its messages; reason is for the
 * log. The handler frees the peer. */
typedef void ipc_gone_handler(void *owner, const char *reason);

/* fd is the peer's from here on, also on failure. `name` (static) is for reasons. The table is static and
 * borrowed. Starts in state bit 1. */
MUST_USE int ipc_peer_new(struct loop *loop, int fd, const char *name, const struct ipc_rule *rules,
                          size_t n_rules, ipc_gone_handler *gone, void *owner, struct ipc_peer **ret);
void ipc_peer_free(struct ipc_peer *peer);
DEFINE_CLEANUP(struct ipc_peer *, ipc_peer_free)
void ipc_peer_state(struct ipc_peer *peer, uint32_t state);
/* Never blocks: queues (fds duplicated) while the socket is full. fds are borrowed. An error needs no
 * handling beyond stopping what was under way: `gone` is called from the loop as well. */
int ipc_peer_send(struct ipc_peer *peer, const Ipc__Message *message, const int *fds, size_t n_fds);
