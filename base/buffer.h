/* Bounded byte buffer, and a checked cursor over bytes that came from a peer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

/* A queue of bytes: appended at the end, consumed at the front; embedded by
 * its owner. Never grows beyond `limit` bytes of content. */
struct buffer {
    uint8_t *data;
    size_t start, end, capacity, limit;
};

/* Starts empty; allocates nothing yet. */
void buffer_init(struct buffer *b, size_t limit);
/* Frees the memory; the buffer is empty and usable again. */
void buffer_free(struct buffer *b);
/* Frees the memory of an empty buffer beyond `keep` bytes of capacity: idle sessions stay small. */
void buffer_shrink(struct buffer *b, size_t keep);

size_t buffer_size(const struct buffer *b);         /* bytes held */
size_t buffer_room(const struct buffer *b);         /* bytes that may still be appended */
const uint8_t *buffer_head(const struct buffer *b); /* first byte; NULL when nothing was ever held */

/* Makes room for n more bytes and points at it. -ENOBUFS beyond the limit, -ENOMEM. */
MUST_USE int buffer_reserve(struct buffer *b, size_t n, uint8_t **ret_space);
/* Counts n bytes, written into the reserved room, as content. */
void buffer_commit(struct buffer *b, size_t n);
MUST_USE int buffer_append(struct buffer *b, const void *bytes, size_t n);
/* Drops the last n bytes; n <= buffer_size(). */
void buffer_retract(struct buffer *b, size_t n);
/* Drops n bytes from the front; n <= buffer_size(). */
void buffer_consume(struct buffer *b, size_t n);

/* Big-endian writers, as append. */
MUST_USE int buffer_put_u8(struct buffer *b, uint8_t v);
MUST_USE int buffer_put_u16(struct buffer *b, uint16_t v);
MUST_USE int buffer_put_u32(struct buffer *b, uint32_t v);
MUST_USE int buffer_put_u64(struct buffer *b, uint64_t v);
/* The string with its terminating NUL. */
MUST_USE int buffer_put_cstring(struct buffer *b, const char *s);
/* An SSH string (RFC 4251 §5): uint32 length, then the bytes. */
MUST_USE int buffer_put_string(struct buffer *b, const void *bytes, size_t n);
MUST_USE int buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Reads at most max bytes from fd into b; *ret_n is 0 at end of file.
 * -EAGAIN when there is nothing now, -ENOBUFS when b is full. */
MUST_USE int buffer_read(struct buffer *b, int fd, size_t max, size_t *ret_n);
/* Writes what fd takes and consumes it; 0 also when only part went out. */
MUST_USE int buffer_write(struct buffer *b, int fd);

/* A cursor over borrowed bytes. Every take checks; after the first failure
 * `failed` stays set and every later take fails too. */
struct reader {
    const uint8_t *next, *end;
    bool failed;
};

struct reader reader_of(const void *bytes, size_t n);
size_t reader_left(const struct reader *r);
/* Each returns false and leaves *ret untouched when the bytes are not there. */
MUST_USE bool reader_u8(struct reader *r, uint8_t *ret);
MUST_USE bool reader_u16(struct reader *r, uint16_t *ret);
MUST_USE bool reader_u32(struct reader *r, uint32_t *ret);
MUST_USE bool reader_u64(struct reader *r, uint64_t *ret);
MUST_USE bool reader_bytes(struct reader *r, size_t n, const uint8_t **ret);
/* A NUL-terminated string inside the bytes; *ret points at it. */
MUST_USE bool reader_cstring(struct reader *r, const char **ret);
/* An SSH string (RFC 4251 §5) as a cursor of its own. */
MUST_USE bool reader_string(struct reader *r, struct reader *ret);
/* True when nothing failed and nothing is left: how a decoder ends. */
MUST_USE bool reader_done(const struct reader *r);
