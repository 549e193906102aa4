/* See duplex.h. A socket's source is the caller's own, without a step between; of pipes the one that is read
 * and the one that is written have a source each. */
#include "base/duplex.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PIPE_MIN = 64 * 1024,   /* bytes: what Linux gives who has not too many */
    PIPE_BULK = 256 * 1024, /* about what a socket holds */
};

static bool is_socket(const struct duplex *d)
{
    return d->in == d->out;
}

/* ---- opening and closing ---- */

int duplex_nonblock(const struct duplex *d)
{
    int r = fd_nonblock(d->in, true);
    return r || is_socket(d) ? r : fd_nonblock(d->out, true);
}

static int large_pipe(int ret_fds[2])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    if (fcntl(fds[0], F_GETPIPE_SZ) < PIPE_MIN) {
        fd_close(fds[0]);
        fd_close(fds[1]);
        return -ENOBUFS;
    }
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

int duplex_pipes(int ret_ours[2], int ret_theirs[2])
{
    int to_us[2], to_them[2];
    int r = large_pipe(to_us);
    if (r)
        return r;
    r = large_pipe(to_them);
    if (r) {
        fd_close(to_us[0]);
        fd_close(to_us[1]);
        return r;
    }
    ret_ours[0] = to_us[0];
    ret_ours[1] = to_them[1];
    ret_theirs[0] = to_them[0];
    ret_theirs[1] = to_us[1];
    return 0;
}

bool duplex_is_open(const struct duplex *d)
{
    return d->in >= 0 || d->out >= 0;
}

void duplex_close(struct duplex *d)
{
    duplex_unwatch(d);
    if (!is_socket(d))
        fd_close(d->out);
    fd_close(d->in);
    d->in = d->out = -1;
}

/* ---- watching ---- */

static void in_ready(void *owner, uint32_t ready)
{
    struct duplex *d = owner;
    (void)ready; /* bytes, or that all who wrote have gone: either way reading tells */
    d->handler(d->owner, LOOP_READ | (d->hung_up ? (uint32_t)LOOP_HANGUP : 0));
}

static void out_ready(void *owner, uint32_t ready)
{
    struct duplex *d = owner;
    if (ready & LOOP_HANGUP) { /* would be reported for ever */
        d->hung_up = true;
        source_free(STEAL(d->out_source));
    }
    if (d->hung_up) /* also of a full one: writing fails now */
        ready = LOOP_HANGUP | (d->interest & LOOP_WRITE);
    d->handler(d->owner, ready);
}

int duplex_watch(struct duplex *d, struct loop *loop, uint32_t interest, source_handler *handler, void *owner)
{
    d->handler = handler;
    d->owner = owner;
    if (is_socket(d))
        return source_new(loop, d->in, interest, handler, owner, &d->in_source);
    int r = source_new(loop, d->in, 0, in_ready, d, &d->in_source);
    r = r ? r : source_new(loop, d->out, 0, out_ready, d, &d->out_source);
    if (r)
        duplex_unwatch(d);
    else
        duplex_interest(d, interest);
    return r;
}

void duplex_unwatch(struct duplex *d)
{
    source_free(STEAL(d->in_source));
    source_free(STEAL(d->out_source));
}

bool duplex_is_watched(const struct duplex *d)
{
    return d->in_source || d->out_source;
}

/* Once it was full there is more to come than questions. Where the kernel gives no more it stays as it is. */
static void grow(struct duplex *d)
{
    if (!d->grown)
        (void)fcntl(d->out, F_SETPIPE_SZ, PIPE_BULK);
    d->grown = true;
}

void duplex_interest(struct duplex *d, uint32_t interest)
{
    if (is_socket(d)) {
        if (d->in_source)
            source_interest(d->in_source, interest);
        return;
    }
    if (d->in_source)
        source_interest(d->in_source, interest & LOOP_READ);
    d->interest = interest;
    if (interest & LOOP_WRITE)
        grow(d);
    if (d->out_source)
        source_interest(d->out_source, interest ? LOOP_HANGUP | (interest & LOOP_WRITE) : 0);
}

/* ---- the end of one direction ---- */

void duplex_end_output(struct duplex *d)
{
    if (is_socket(d)) {
        (void)shutdown(d->out, SHUT_WR);
        return;
    }
    source_free(STEAL(d->out_source));
    fd_close(STEAL_FD(d->out));
}

void duplex_stop_input(struct duplex *d)
{
    uint8_t dropped[4096];
    if (!is_socket(d)) {
        source_free(STEAL(d->in_source));
        fd_close(STEAL_FD(d->in));
        return;
    }
    (void)shutdown(d->in, SHUT_RD);
    /* Who waits for room would else wait for ever: nothing but reading makes the other end writable. */
    while (recv(d->in, dropped, sizeof dropped, MSG_DONTWAIT) > 0)
        ;
}

bool duplex_at_end(const struct duplex *d)
{
    uint8_t byte;
    struct pollfd look = { .fd = d->in, .events = POLLIN };
    if (d->in < 0)
        return true;
    if (is_socket(d))
        return recv(d->in, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    return poll(&look, 1, 0) == 1 && (look.revents & (POLLIN | POLLHUP)) == POLLHUP;
}
