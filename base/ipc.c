/* One datagram is one message. A peer checks every message against its table before the handler sees it; what
 * can't be sent at once waits in a bounded queue with its own duplicates of the fds. */
#include "base/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"

enum { MESSAGES_PER_ROUND = 32 }; /* of one peer, before others get their turn */

/* ---- datagrams ---- */

union control {
    char bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
    struct cmsghdr align;
};

static int send_packet(int fd, const uint8_t *bytes, size_t n, const int *fds, size_t n_fds)
{
    union control control;
    struct iovec part = { (void *)(uintptr_t)bytes, n };
    struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
    if (n_fds > 0) {
        memset(&control, 0, sizeof control);
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *head = CMSG_FIRSTHDR(&packet);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * n_fds);
    }
    for (;;) {
        if (sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return 0;
        if (errno != EINTR)
            return -errno;
    }
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(STEAL_FD(fds[i]));
}

static void take_fds(struct msghdr *packet, int fds[IPC_FDS_MAX], size_t *n_fds)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(packet); head; head = CMSG_NXTHDR(packet, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
            if (*n_fds < IPC_FDS_MAX)
                fds[(*n_fds)++] = fd;
            else
                fd_close(fd);
        }
    }
}

/* 0 and a message; -EAGAIN: none now; -EPIPE: closed; -EBADMSG: not a message of ours. */
static int receive_packet(int fd, Ipc__Message **ret, int fds[IPC_FDS_MAX], size_t *ret_n_fds)
{
    /* Not on the stack: hardened builds touch every page of such a frame, 160 KiB in each idle process. One
     * thread uses it, and nothing stays in it. */
    static uint8_t bytes[IPC_MESSAGE_MAX];
    union control control;
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr packet = { .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes };
    ssize_t n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
    size_t n_fds = 0;
    for (size_t i = 0; i < IPC_FDS_MAX; i++)
        fds[i] = -1;
    take_fds(&packet, fds, &n_fds);
    if (n == 0 && n_fds == 0)
        return -EPIPE;
    Ipc__Message *message = NULL;
    if (!(packet.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        message = ipc__message__unpack(NULL, (size_t)n, bytes);
    explicit_bzero(bytes, (size_t)n); /* a Job carries a secret */
    if (!message || message->body_case == IPC__MESSAGE__BODY__NOT_SET) {
        ipc_message_free(message);
        close_all(fds, n_fds);
        return -EBADMSG;
    }
    *ret = message;
    *ret_n_fds = n_fds;
    return 0;
}

/* Packs into malloc'ed bytes. */
static int pack(const Ipc__Message *message, uint8_t **ret, size_t *ret_n)
{
    size_t n = ipc__message__get_packed_size(message);
    if (n > IPC_MESSAGE_MAX)
        return -EMSGSIZE;
    uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -ENOMEM;
    *ret_n = ipc__message__pack(message, bytes);
    *ret = bytes;
    return 0;
}

static void free_wiped(uint8_t *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
}

int ipc_send_now(int fd, const Ipc__Message *message, const int *fds, size_t n_fds, int timeout_ms)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (n_fds > IPC_FDS_MAX)
        return -EINVAL;
    int r = pack(message, &bytes, &n);
    while (r == 0) {
        r = send_packet(fd, bytes, n, fds, n_fds);
        if (r != -EAGAIN)
            break;
        r = fd_wait(fd, POLLOUT, timeout_ms);
    }
    free_wiped(bytes, n);
    return r;
}

int ipc_receive_now(int fd, int timeout_ms, Ipc__Message **ret, int ret_fds[IPC_FDS_MAX], size_t *ret_n)
{
    for (;;) {
        int r = fd_wait(fd, POLLIN, timeout_ms);
        if (r)
            return r;
        r = receive_packet(fd, ret, ret_fds, ret_n);
        if (r != -EAGAIN)
            return r;
    }
}

/* ---- a peer on the loop ---- */

struct queued {
    struct queued *next;
    uint8_t *bytes;
    size_t n, n_fds;
    int fds[IPC_FDS_MAX];
};

struct ipc_peer {
    int fd;
    const char *name;
    const struct ipc_rule *rules;
    size_t n_rules;
    uint64_t seen; /* bit per rule that came already */
    uint32_t state;
    ipc_gone_handler *gone;
    void *owner;
    struct source *source;
    struct timer *failing; /* calls `gone` from the loop after a send failed */
    struct queued *first, **last;
    size_t queued;
    bool handling, dead; /* freed while a handler runs: the memory goes once it has returned */
    char reason[128];
};

static void queued_free(struct queued *q)
{
    close_all(q->fds, q->n_fds);
    free_wiped(q->bytes, q->n);
    free(q);
}

static void drop_queue(struct ipc_peer *peer)
{
    while (peer->first) {
        struct queued *q = peer->first;
        peer->first = q->next;
        queued_free(q);
    }
    peer->last = &peer->first;
    peer->queued = 0;
}

static void tell_gone(struct ipc_peer *peer, const char *reason)
{
    source_free(STEAL(peer->source));
    if (peer->failing)
        timer_stop(peer->failing);
    peer->gone(peer->owner, reason);
}

/* One of the table's rules allows this message now. */
static const struct ipc_rule *find_rule(struct ipc_peer *peer, const Ipc__Message *message, size_t n_fds)
{
    for (size_t i = 0; i < peer->n_rules; i++) {
        const struct ipc_rule *rule = &peer->rules[i];
        if (rule->body != message->body_case || !(rule->states & peer->state))
            continue;
        if (n_fds < rule->fds_min || n_fds > rule->fds_max || (rule->once && peer->seen >> i & 1))
            return NULL;
        peer->seen |= UINT64_C(1) << i;
        return rule;
    }
    return NULL;
}

/* False when the peer is gone, by whatever way. */
static bool handle_one(struct ipc_peer *peer)
{
    CLEANUP(ipc_message_free) Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    int r = receive_packet(peer->fd, &message, fds, &n_fds);
    if (r == -EAGAIN)
        return true;
    if (r) {
        tell_gone(peer, r == -EPIPE ? "closed" : r == -EBADMSG ? "sent no message" : strerror(-r));
        return false;
    }
    int body = (int)message->body_case;
    const struct ipc_rule *rule = find_rule(peer, message, n_fds);
    peer->handling = true;
    r = rule ? rule->handle(peer->owner, message, fds, n_fds) : -EPROTO;
    close_all(fds, n_fds);
    peer->handling = false;
    if (peer->dead) {
        free(peer);
        return false;
    }
    if (r) {
        (void)snprintf(peer->reason, sizeof peer->reason,
                       rule ? "%s: message %d not accepted (%s)" : "%s: message %d not allowed now (%s)",
                       peer->name, body, r < 0 ? strerror(-r) : "refused");
        tell_gone(peer, peer->reason);
        return false;
    }
    return true;
}

static void flush_queue(struct ipc_peer *peer)
{
    while (peer->first) {
        struct queued *q = peer->first;
        int r = send_packet(peer->fd, q->bytes, q->n, q->fds, q->n_fds);
        if (r == -EAGAIN)
            return;
        if (r) {
            tell_gone(peer, strerror(-r));
            return;
        }
        peer->first = q->next;
        if (!peer->first)
            peer->last = &peer->first;
        peer->queued--;
        queued_free(q);
    }
    source_interest(peer->source, LOOP_READ);
}

static void peer_ready(void *owner, uint32_t ready)
{
    struct ipc_peer *peer = owner;
    if (ready & (LOOP_READ | LOOP_HANGUP)) {
        for (int i = 0; i < MESSAGES_PER_ROUND; i++) {
            if (!handle_one(peer))
                return;
            struct pollfd more = { .fd = peer->fd, .events = POLLIN };
            if (poll(&more, 1, 0) <= 0)
                break;
        }
    }
    if (ready & LOOP_WRITE)
        flush_queue(peer);
}

static void peer_failed(void *owner)
{
    struct ipc_peer *peer = owner;
    tell_gone(peer, peer->reason);
}

int ipc_peer_new(struct loop *loop, int fd, const char *name, const struct ipc_rule *rules, size_t n_rules,
                 ipc_gone_handler *gone, void *owner, struct ipc_peer **ret)
{
    CLEANUP(ipc_peer_free) struct ipc_peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        fd_close(fd);
        return -ENOMEM;
    }
    *peer = (struct ipc_peer){
        .fd = fd, .name = name, .rules = rules, .n_rules = n_rules, .state = 1, .gone = gone, .owner = owner
    };
    peer->last = &peer->first;
    int r = fd_nonblock(fd, true);
    if (r == 0)
        r = source_new(loop, fd, LOOP_READ, peer_ready, peer, &peer->source);
    if (r == 0)
        r = timer_new(loop, peer_failed, peer, &peer->failing);
    if (r)
        return r;
    *ret = STEAL(peer);
    return 0;
}

void ipc_peer_free(struct ipc_peer *peer)
{
    if (!peer)
        return;
    source_free(STEAL(peer->source));
    timer_free(STEAL(peer->failing));
    drop_queue(peer);
    fd_close(STEAL_FD(peer->fd));
    peer->dead = true;
    if (!peer->handling)
        free(peer);
}

void ipc_peer_state(struct ipc_peer *peer, uint32_t state)
{
    peer->state = state;
}

static int enqueue(struct ipc_peer *peer, uint8_t *bytes, size_t n, const int *fds, size_t n_fds)
{
    if (peer->queued >= IPC_QUEUE_MAX)
        return -ENOBUFS;
    struct queued *q = calloc(1, sizeof *q);
    if (!q)
        return -ENOMEM;
    for (size_t i = 0; i < n_fds; i++) {
        int copy = fd_dup(fds[i]);
        if (copy < 0) {
            close_all(q->fds, q->n_fds);
            free(q);
            return copy;
        }
        q->fds[q->n_fds++] = copy;
    }
    q->bytes = bytes;
    q->n = n;
    *peer->last = q;
    peer->last = &q->next;
    peer->queued++;
    source_interest(peer->source, LOOP_READ | LOOP_WRITE);
    return 0;
}

int ipc_peer_send(struct ipc_peer *peer, const Ipc__Message *message, const int *fds, size_t n_fds)
{
    if (!peer->source)
        return -EPIPE;
    if (n_fds > IPC_FDS_MAX)
        return -EINVAL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = pack(message, &bytes, &n);
    if (r == 0)
        r = peer->first ? -EAGAIN : send_packet(peer->fd, bytes, n, fds, n_fds);
    if (r == -EAGAIN) {
        r = enqueue(peer, bytes, n, fds, n_fds);
        if (r == 0)
            return 0;
    }
    free_wiped(bytes, n);
    if (r) {
        (void)snprintf(peer->reason, sizeof peer->reason, "%s: sending failed (%s)", peer->name,
                       strerror(-r));
        timer_set(peer->failing, 0);
    }
    return r;
}
