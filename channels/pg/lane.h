/* One direction of a session: bytes come in, are decided on message by message, and go out. No I/O of its
 * own. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum {
    LANE_HIGH = 256 * 1024, /* bytes that wait to go out before nothing more is decided */
    LANE_KEEP = 32 * 1024,  /* bytes of capacity that an idle lane keeps */
    LANE_READ_MIN = 8 * 1024,
    LANE_READ_MAX = 128 * 1024, /* bytes of one read: the share of one wake-up */
};

/* Embedded. `decided` bytes at the head of `in` may go out; `rest` bytes of the last decided message have not
 * come yet, and will be passed, or dropped when `dropping`. */
struct lane {
    struct buffer in, out;
    size_t decided, rest, chunk;
    bool dropping;
    bool inside; /* what went to `out` last ended inside a message */
};

/* whole_max: bytes of the largest message that must be there as a whole before it is decided. */
void lane_init(struct lane *lane, size_t whole_max);
void lane_free(struct lane *lane);

/* What has not been decided yet. */
struct reader lane_undecided(const struct lane *lane);
/* The decided bytes that are still in `in`. */
struct reader lane_decided(const struct lane *lane);

/* Passes or drops what came of the rest; true when there is still more to come. */
MUST_USE bool lane_carry_on(struct lane *lane);
/* Decides the next n bytes (there or still to come): they pass. */
void lane_pass(struct lane *lane, size_t n);
/* The decided bytes move to the way out. */
MUST_USE int lane_flush(struct lane *lane);
/* The next n bytes (there or still to come) are dropped. Only after lane_flush. */
void lane_drop(struct lane *lane, size_t n);

/* Whether more may be decided, or read: nothing does while the other side takes too little. */
bool lane_open(const struct lane *lane);
/* Reads once. 0, *ret_end at end of file; -EAGAIN. */
MUST_USE int lane_read(struct lane *lane, int fd, bool *ret_end);
/* Writes what fd takes. */
MUST_USE int lane_write(struct lane *lane, int fd);
/* Drops what waits to go out: nobody takes it any more. */
void lane_forget(struct lane *lane);
/* Gives back the memory of a burst. */
void lane_settle(struct lane *lane);
