/* client → gate: libssh's data callback (front_channel.c) hands the bytes straight to the gate's socket or
 * pipe. What that does not take stays in libssh, which then does not renew the client's window; once it is
 * writable again, pump_to_gate() fetches it. gate → client: it is read only while the client's window is open
 * and libssh holds no unsent bytes. */
#include "server/front_pump.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PUSHES_PER_ROUND = 16 };

/* ---- client → gate ---- */

/* Each read renews the window, however much is left (libssh 0.10 to 0.12): reading by pieces would let the
 * client send a window's worth for every piece. So all that is there is taken at once. False: there is
 * nothing. */
static bool take_all(struct front_channel *c)
{
    int there = ssh_channel_poll(c->ssh, 0);
    uint8_t *space;
    if (there <= 0)
        return false;
    if (buffer_reserve(&c->to_gate, (size_t)there, &space)) {
        front_end(c->front, 0, "more data than the window allows");
        return false;
    }
    int n = ssh_channel_read_nonblocking(c->ssh, space, (uint32_t)there, 0);
    if (n > 0)
        buffer_commit(&c->to_gate, (size_t)n);
    return n > 0;
}

/* True while there may be more to do at once. */
static bool push_once(struct front_channel *c)
{
    if (buffer_size(&c->to_gate) == 0 && !take_all(c)) {
        c->gate_is_full = false; /* libssh is empty: its callback serves the next bytes */
        return false;
    }
    ssize_t taken = write(c->data.gate.out, buffer_head(&c->to_gate), buffer_size(&c->to_gate));
    if (taken > 0)
        buffer_consume(&c->to_gate, (size_t)taken);
    else if (taken < 0 && errno != EAGAIN && errno != EINTR)
        c->gate_is_deaf = true;
    return buffer_size(&c->to_gate) == 0 && !c->gate_is_deaf;
}

void pump_to_gate(struct front_channel *c)
{
    for (int i = 0;
         i < PUSHES_PER_ROUND && c->gate_is_full && !c->gate_is_deaf && duplex_is_open(&c->data.gate); i++)
        if (!push_once(c))
            break;
    if (c->gate_is_deaf) {
        buffer_free(&c->to_gate);
        c->gate_is_full = false;
    }
    if (!c->gate_is_full) {
        buffer_shrink(&c->to_gate, 0);
        if (c->client_ended && duplex_is_open(&c->data.gate) && !c->gate_is_deaf) {
            duplex_end_output(&c->data.gate);
            c->gate_is_deaf = true;
        }
    }
}

/* ---- gate → client ---- */

bool pump_is_open(const struct front_channel *c)
{
    return c->ssh && c->state == CHANNEL_OPEN && !c->end_sent && !c->client_closed;
}

static void uncork(void *owner)
{
    struct front *front = owner;
    static const int off = 0;
    (void)setsockopt(front->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    front->corked = false;
}

/* Several channels may have something for the client: their packets leave as one segment at the round's end.
 */
static void cork(struct front *front)
{
    static const int on = 1;
    if (front->corked || loop_ready(front->loop) < 2 || loop_at_round_end(front->loop, uncork, front))
        return;
    front->corked = setsockopt(front->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
}

/* Hands over as much as libssh takes; fewer than n only in a key exchange. Negative: the channel is lost. */
int pump_write(struct front_channel *c, const void *bytes, size_t n, bool is_error)
{
    c->front->wrote = true;
    cork(c->front);
    return is_error ? ssh_channel_write_stderr(c->ssh, bytes, (uint32_t)n)
                    : ssh_channel_write(c->ssh, bytes, (uint32_t)n);
}

static void end_sides(struct front_channel *c)
{
    c->data.at_end = c->error.at_end = true;
    buffer_free(&c->to_client);
}

/* True when nothing is left over from a key exchange. */
bool pump_left_over(struct front_channel *c)
{
    if (buffer_size(&c->to_client) == 0)
        return true;
    int n = pump_write(c, buffer_head(&c->to_client), buffer_size(&c->to_client), c->to_client_is_error);
    if (n < 0) {
        end_sides(c);
        return true;
    }
    buffer_consume(&c->to_client, (size_t)n);
    buffer_shrink(&c->to_client, 0);
    return buffer_size(&c->to_client) == 0;
}

/* Moves at most one chunk; false when nothing moved. */
bool pump_to_client(struct front_channel *c, struct channel_side *side)
{
    if (side->gate.in < 0 || side->at_end || (!side->ready && duplex_is_watched(&side->gate) && !c->exit) ||
        !pump_left_over(c))
        return false;
    size_t window = ssh_channel_window_size(c->ssh);
    if (window == 0 || !front_can_send(c->front)) {
        if (c->exit ||
            !duplex_is_watched(&side->gate)) /* the end can be seen, if nothing is left before it */
            side->at_end = side->at_end || duplex_at_end(&side->gate);
        return false;
    }
    ssize_t n = read(side->gate.in, c->front->chunk, window < FRONT_CHUNK ? window : FRONT_CHUNK);
    side->ready = n > 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        side->at_end = true;
        return false;
    }
    int written = pump_write(c, c->front->chunk, (size_t)n, side->is_error);
    if (written < 0) {
        end_sides(c);
        return false;
    }
    if (written < n) {
        c->to_client_is_error = side->is_error;
        if (buffer_append(&c->to_client, c->front->chunk + written, (size_t)(n - written)))
            front_end(c->front, 0, "out of memory");
        return false;
    }
    return true;
}
