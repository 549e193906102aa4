/* The relay.
 *
 * Two one-way pipes, each with a fixed buffer. Back-pressure: a pipe whose buffer is full does not read. The
 * end of a side travels behind its last byte, as shutdown(SHUT_WR) on either side. The server gets no
 * close_notify: it would lie unread behind the Terminate message, and a socket that is closed with unread
 * bytes resets the connection and drops what the server has not sent yet. PostgreSQL's protocol has an end of
 * its own.
 *
 * TLS has its own ideas of when it wants to read or write, so each round tries everything that may be
 * possible and then waits for what SSL_get_error() asked for.
 *
 * With a filter there is a third pipe, before it: what the gate said and the filter has not taken yet. HTTP
 * has no end of its own for what follows a 101, and its servers read what they are sent: they get a
 * close_notify. */
#include "vault/connector_relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/io.h"

enum { ROUNDS = 16 }; /* of progress before poll is asked again */

struct pipe {
    uint8_t bytes[RELAY_BUFFER];
    size_t start, end;
    bool ended;     /* the source has ended */
    bool shut;      /* and the other side was told */
    bool abandoned; /* nobody takes it any more: what comes is dropped */
};

struct relay {
    SSL *tls;
    int tls_fd, plain_fd;
    struct pipe up, down; /* up: plain → TLS; down: TLS → plain */
    struct pipe *raw;     /* plain → filter; NULL without one */
    const struct relay_filter *filter;
    int fault; /* what the filter ended it with; or 0 */
    struct detail *detail;
    bool read_wants_write, write_wants_read;
    bool plain_blocked, tls_blocked; /* the last write did not take everything */
    uint64_t close_by_ms;            /* 0: no side has ended yet */
};

static bool has_bytes(const struct pipe *pipe)
{
    return pipe->start < pipe->end;
}

static bool has_room(const struct pipe *pipe)
{
    return !pipe->ended && (pipe->abandoned || pipe->end - pipe->start < RELAY_BUFFER);
}

/* Where the next bytes may go; always at least one byte when has_room(). */
static size_t space(struct pipe *pipe, uint8_t **ret)
{
    if (pipe->abandoned || !has_bytes(pipe))
        pipe->start = pipe->end = 0;
    if (pipe->end == RELAY_BUFFER && pipe->start > 0) {
        memmove(pipe->bytes, pipe->bytes + pipe->start, pipe->end - pipe->start);
        pipe->end -= pipe->start;
        pipe->start = 0;
    }
    *ret = pipe->bytes + pipe->end;
    return RELAY_BUFFER - pipe->end;
}

static void abandon(struct pipe *pipe)
{
    pipe->abandoned = pipe->shut = true;
    pipe->start = pipe->end = 0;
}

/* Where the gate's bytes come in. */
static struct pipe *entry(struct relay *relay)
{
    return relay->raw ? relay->raw : &relay->up;
}

static void abandon_up(struct relay *relay)
{
    abandon(&relay->up);
    if (relay->raw)
        abandon(relay->raw);
}

/* Each of the steps returns whether it moved anything. */

static bool read_plain(struct relay *relay)
{
    struct pipe *pipe = entry(relay);
    uint8_t *room;
    size_t n;
    ssize_t got;

    if (!has_room(pipe))
        return false;
    n = space(pipe, &room);
    got = recv(relay->plain_fd, room, n, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got > 0 && !pipe->abandoned)
        pipe->end += (size_t)got;
    if (got <= 0)
        pipe->ended = true;
    if (got < 0)
        abandon(&relay->down);
    return true;
}

/* The gate's end goes on once the filter has nothing more to put. Bytes that it does not take wait for
 * something that the server says, as long as it may. */
static bool filter_plain(struct relay *relay)
{
    struct pipe *raw = relay->raw, *up = &relay->up;
    size_t taken = 0, put = 0, room;
    bool waits;
    uint8_t *out;

    if (!raw || up->ended || !has_room(up))
        return false;
    if (!up->abandoned) {
        room = space(up, &out);
        relay->fault = relay->filter->give(relay->filter->owner, raw->bytes + raw->start,
                                           raw->end - raw->start, &taken, out, room, &put);
        raw->start += taken;
        up->end += put;
    }
    waits = has_bytes(raw) && !relay->down.ended;
    up->ended = raw->ended && taken == 0 && put == 0 && !waits;
    return taken > 0 || put > 0 || up->ended;
}

static bool write_plain(struct relay *relay)
{
    struct pipe *pipe = &relay->down;
    ssize_t put;

    relay->plain_blocked = false;
    if (!has_bytes(pipe)) {
        if (!pipe->ended || pipe->shut)
            return false;
        pipe->shut = true;
        (void)shutdown(relay->plain_fd, SHUT_WR);
        return true;
    }
    put = send(relay->plain_fd, pipe->bytes + pipe->start, pipe->end - pipe->start, MSG_NOSIGNAL);
    if (put > 0)
        pipe->start += (size_t)put;
    else if (errno == EAGAIN)
        relay->plain_blocked = true;
    else if (errno != EINTR)
        abandon(pipe);
    return put > 0;
}

/* After the gate's end nobody minds. */
static void note_break(struct relay *relay)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (!entry(relay)->ended && !relay->detail->text[0])
        detail_set(relay->detail, "%s",
                   reason  ? reason
                   : errno ? strerror(errno)
                           : "the connection was lost");
}

static bool read_tls(struct relay *relay)
{
    uint8_t *room;
    size_t n, got = 0;
    int error;

    relay->read_wants_write = false;
    if (!has_room(&relay->down))
        return false;
    n = space(&relay->down, &room);
    ERR_clear_error();
    errno = 0;
    if (SSL_read_ex(relay->tls, room, n, &got) == 1) {
        if (relay->filter)
            relay->filter->hear(relay->filter->owner, room, got);
        if (!relay->down.abandoned)
            relay->down.end += got;
        return true;
    }
    error = SSL_get_error(relay->tls, 0);
    relay->read_wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return false;
    relay->down.ended = true; /* close_notify, a cut connection or an error: what came before is valid */
    if (error != SSL_ERROR_ZERO_RETURN) {
        note_break(relay);
        abandon_up(relay);
    }
    return true;
}

static bool write_tls(struct relay *relay)
{
    struct pipe *pipe = &relay->up;
    size_t put = 0;
    int error;

    relay->tls_blocked = relay->write_wants_read = false;
    if (!has_bytes(pipe)) {
        if (!pipe->ended || pipe->shut)
            return false;
        pipe->shut = true;
        if (relay->filter && relay->filter->tells_end)
            (void)SSL_shutdown(relay->tls);
        (void)shutdown(relay->tls_fd, SHUT_WR);
        return true;
    }
    ERR_clear_error();
    errno = 0;
    if (SSL_write_ex(relay->tls, pipe->bytes + pipe->start, pipe->end - pipe->start, &put) == 1) {
        pipe->start += put;
        return true;
    }
    error = SSL_get_error(relay->tls, 0);
    relay->tls_blocked = error == SSL_ERROR_WANT_WRITE;
    relay->write_wants_read = error == SSL_ERROR_WANT_READ;
    if (!relay->tls_blocked && !relay->write_wants_read) {
        note_break(relay);
        abandon_up(relay);
    }
    return false;
}

static bool is_done(const struct relay *relay)
{
    bool down_done = relay->down.abandoned || (relay->down.ended && relay->down.shut);

    return relay->up.ended && relay->up.shut && down_done;
}

/* Once one side has ended, the other gets a limited time without progress. A gate that still reads what the
 * server said last may do so as slowly as it likes. */
static int time_left(struct relay *relay)
{
    uint64_t now = clock_ms();

    if ((!entry(relay)->ended && !relay->down.ended) || has_bytes(&relay->down))
        return -1;
    if (relay->close_by_ms == 0)
        relay->close_by_ms = now + RELAY_CLOSE_MS;
    return relay->close_by_ms > now ? (int)(relay->close_by_ms - now) : 0;
}

static int wait_for_more(struct relay *relay)
{
    struct pollfd fds[2] = { { .fd = relay->tls_fd }, { .fd = relay->plain_fd } };
    bool sent_all = relay->up.ended && relay->up.shut;
    int n;

    if ((has_room(&relay->down) && !relay->read_wants_write) || relay->write_wants_read)
        fds[0].events |= POLLIN;
    if (relay->tls_blocked || relay->read_wants_write)
        fds[0].events |= POLLOUT;
    if (has_room(entry(relay)))
        fds[1].events |= POLLIN;
    if (relay->plain_blocked)
        fds[1].events |= POLLOUT;
    if (!fds[0].events)
        fds[0].fd = -1; /* poll reports a hang-up even unasked, again and again */
    if (!fds[1].events && !sent_all)
        fds[1].fd = -1;
    n = poll(fds, 2, time_left(relay));
    if (n < 0 && errno != EINTR)
        return -errno;
    if (n > 0 && sent_all && (fds[1].revents & (POLLHUP | POLLERR)))
        abandon(&relay->down); /* the gate has not only ended, it is gone */
    return n == 0 ? -ETIMEDOUT : 0;
}

/* Everything that is possible now, for some rounds; returns whether more may be: what lies in our buffers or
 * in OpenSSL's is nothing that poll would tell of. */
static bool move_bytes(struct relay *relay)
{
    bool moved = true;
    for (int i = 0; i < ROUNDS && moved && !relay->fault; i++) {
        moved = read_plain(relay);

        moved |= filter_plain(relay);
        moved |= write_tls(relay);
        moved |= read_tls(relay);
        moved |= write_plain(relay);
        if (moved)
            relay->close_by_ms = 0;
    }
    /* The server has ended and the gate has all of it: nothing that the gate still says can be of use. */
    if (relay->down.ended && relay->down.shut && !relay->up.abandoned)
        abandon_up(relay);
    return moved;
}

static void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    free(relay->raw);
    free(relay);
}
DEFINE_CLEANUP(struct relay *, relay_free)

static int run(struct relay *relay)
{
    int r = fd_nonblock(relay->tls_fd, true);

    if (!r)
        r = fd_nonblock(relay->plain_fd, true);
    while (!r) {
        bool more = move_bytes(relay);
        if (relay->fault || is_done(relay))
            return relay->fault;
        if (!more)
            r = wait_for_more(relay);
    }
    return r == -ETIMEDOUT ? 0 : r;
}

int relay_run(SSL *tls, int tls_fd, int plain_fd, const struct relay_filter *filter, struct detail *detail)
{
    CLEANUP(relay_free) struct relay *relay = calloc(1, sizeof(*relay));

    if (!relay)
        return -ENOMEM;
    relay->tls = tls;
    relay->tls_fd = tls_fd;
    relay->plain_fd = plain_fd;
    relay->filter = filter;
    relay->detail = detail;
    relay->raw = filter ? calloc(1, sizeof(*relay->raw)) : NULL;
    if (filter && !relay->raw)
        return -ENOMEM;
    SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_options(tls, SSL_OP_NO_RENEGOTIATION);
    return run(relay);
}
