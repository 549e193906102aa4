/* See pump.h. One buffer; the source is read only while the buffer is empty, so at most PUMP_CHUNK bytes
 * wait. */
#include "channels/pump.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/io.h"

enum { PUMP_CHUNK = 64 * 1024 };

struct pump {
    struct source *from_source, *to_source;
    int from, to;
    bool keep_open;
    struct buffer buffer;
    pump_watch *watch;
    pump_end *end;
    void *owner;
};

static void finish(struct pump *pump, int error)
{
    source_free(STEAL(pump->from_source));
    source_free(STEAL(pump->to_source));
    if (!pump->keep_open)
        (void)shutdown(pump->to, SHUT_WR); /* a pipe or a terminal is closed instead */
    fd_close(STEAL_FD(pump->to));
    fd_close(STEAL_FD(pump->from));
    pump->end(pump->owner, error);
}

/* Waits for whichever side is next: room in the destination, or bytes of the source. */
static void wait_for_next(struct pump *pump)
{
    bool full = buffer_size(&pump->buffer) > 0;
    source_interest(pump->to_source, full ? LOOP_WRITE : LOOP_HANGUP);
    source_interest(pump->from_source, full ? 0 : LOOP_READ);
    buffer_shrink(&pump->buffer, 0);
}

static void to_ready(void *owner, uint32_t ready)
{
    struct pump *pump = owner;
    (void)ready;
    int r = buffer_write(&pump->buffer, pump->to);
    if (r == 0 && (ready & LOOP_HANGUP) && buffer_size(&pump->buffer) > 0)
        r = -EPIPE;
    if (r) {
        finish(pump, r);
        return;
    }
    if (ready & LOOP_HANGUP && buffer_size(&pump->buffer) == 0) {
        finish(pump, -EPIPE); /* nobody will read what comes */
        return;
    }
    wait_for_next(pump);
}

static void from_ready(void *owner, uint32_t ready)
{
    struct pump *pump = owner;
    (void)ready;
    size_t before = buffer_size(&pump->buffer), n = 0;
    int r = buffer_read(&pump->buffer, pump->from, PUMP_CHUNK, &n);
    if (r == -EAGAIN)
        return;
    if (r == -EIO)
        n = 0, r = 0; /* a terminal whose other side is closed */
    if (r == 0 && n > 0 && pump->watch)
        r = pump->watch(pump->owner, buffer_head(&pump->buffer) + before, n);
    if (r || n == 0) {
        finish(pump, r);
        return;
    }
    r = buffer_write(&pump->buffer, pump->to);
    if (r) {
        finish(pump, r);
        return;
    }
    wait_for_next(pump);
}

int pump_new(struct loop *loop, int from, int to, pump_watch *watch, pump_end *end, void *owner,
             struct pump **ret)
{
    CLEANUP(pump_free) struct pump *pump = calloc(1, sizeof *pump);
    if (!pump)
        return -ENOMEM;
    *pump =
        (struct pump){ .from = fd_dup(from), .to = fd_dup(to), .watch = watch, .end = end, .owner = owner };
    buffer_init(&pump->buffer, PUMP_CHUNK);
    if (pump->from < 0 || pump->to < 0)
        return -EMFILE;
    int r = fd_nonblock(pump->from, true);
    if (r == 0)
        r = fd_nonblock(pump->to, true);
    if (r == 0)
        r = source_new(loop, pump->from, LOOP_READ, from_ready, pump, &pump->from_source);
    if (r == 0)
        r = source_new(loop, pump->to, LOOP_HANGUP, to_ready, pump, &pump->to_source);
    if (r)
        return r;
    *ret = STEAL(pump);
    return 0;
}

void pump_keep_open(struct pump *pump)
{
    pump->keep_open = true;
}

void pump_free(struct pump *pump)
{
    if (!pump)
        return;
    source_free(pump->from_source);
    source_free(pump->to_source);
    fd_close(pump->from);
    fd_close(pump->to);
    buffer_free(&pump->buffer);
    free(pump);
}
