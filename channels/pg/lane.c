/* In the steady state everything that was read is decided and goes out whole: flush then swaps the two
 * buffers, and no byte is copied between the one socket and the other. Messages that nobody looks into need
 * not be there as a whole: their header decides, and the rest follows as it comes. So memory is bounded by
 * what must be seen whole. */
#include "channels/pg/lane.h"

void lane_init(struct lane *lane, size_t whole_max)
{
    *lane = (struct lane){ .chunk = LANE_READ_MIN };
    buffer_init(&lane->in, whole_max + LANE_READ_MAX);
    /* Everything that is in, behind what may already wait, and what was put in between. */
    buffer_init(&lane->out, whole_max + LANE_READ_MAX + 4 * (size_t)LANE_HIGH);
}

void lane_free(struct lane *lane)
{
    buffer_free(&lane->in);
    buffer_free(&lane->out);
}

struct reader lane_undecided(const struct lane *lane)
{
    size_t n = buffer_size(&lane->in);
    return n > lane->decided ? reader_of(buffer_head(&lane->in) + lane->decided, n - lane->decided)
                             : reader_of(NULL, 0);
}

struct reader lane_decided(const struct lane *lane)
{
    return reader_of(buffer_head(&lane->in), lane->decided);
}

static void carry_on(struct lane *lane)
{
    struct reader there = lane_undecided(lane);
    size_t n = reader_left(&there) < lane->rest ? reader_left(&there) : lane->rest;
    lane->rest -= n;
    if (lane->dropping)
        buffer_consume(&lane->in, n);
    else
        lane->decided += n;
}

bool lane_carry_on(struct lane *lane)
{
    if (lane->rest > 0)
        carry_on(lane);
    return lane->rest > 0;
}

void lane_pass(struct lane *lane, size_t n)
{
    lane->rest = n;
    lane->dropping = false;
    carry_on(lane);
}

void lane_drop(struct lane *lane, size_t n)
{
    lane->rest = n;
    lane->dropping = true;
    carry_on(lane);
}

static int swap_out(struct lane *lane)
{
    struct reader tail = lane_undecided(lane);
    struct buffer whole = lane->in, empty = lane->out;
    size_t in_limit = lane->in.limit, out_limit = lane->out.limit, left = reader_left(&tail);
    int r = buffer_append(&empty, tail.next, left);
    if (r) {
        lane->out = empty;
        return r;
    }
    whole.end -= left;
    lane->in = empty;
    lane->out = whole;
    lane->in.limit = in_limit;
    lane->out.limit = out_limit;
    return 0;
}

int lane_flush(struct lane *lane)
{
    int r = 0;
    if (lane->decided == 0)
        return 0;
    if (buffer_size(&lane->out) == 0) {
        r = swap_out(lane);
    } else {
        r = buffer_append(&lane->out, buffer_head(&lane->in), lane->decided);
        if (r == 0)
            buffer_consume(&lane->in, lane->decided);
    }
    if (r == 0) {
        lane->decided = 0;
        lane->inside = lane->rest > 0 && !lane->dropping;
    }
    return r;
}

bool lane_open(const struct lane *lane)
{
    return buffer_size(&lane->out) < LANE_HIGH;
}

int lane_read(struct lane *lane, int fd, bool *ret_end)
{
    size_t got = 0;
    int r = buffer_read(&lane->in, fd, lane->chunk, &got);
    if (r)
        return r;
    *ret_end = got == 0;
    if (got == lane->chunk && lane->chunk < LANE_READ_MAX)
        lane->chunk *= 2;
    else if (got < lane->chunk / 4 && lane->chunk > LANE_READ_MIN)
        lane->chunk /= 2;
    return 0;
}

int lane_write(struct lane *lane, int fd)
{
    return buffer_write(&lane->out, fd);
}

void lane_forget(struct lane *lane)
{
    buffer_consume(&lane->out, buffer_size(&lane->out));
}

void lane_settle(struct lane *lane)
{
    buffer_shrink(&lane->in, LANE_KEEP);
    buffer_shrink(&lane->out, LANE_KEEP);
    lane->chunk = LANE_READ_MIN;
}
