/* A buffer is one allocation with the content between start and end. Consuming moves start; reserving
 * first reuses the space in front of start, then grows by doubling up to what limit demands. */
#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 256 };

void buffer_init(struct buffer *b, size_t limit)
{
    *b = (struct buffer){ .limit = limit };
}

void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){ .limit = b->limit };
}

void buffer_shrink(struct buffer *b, size_t keep)
{
    if (b->start == b->end && b->capacity > keep)
        buffer_free(b);
}

size_t buffer_size(const struct buffer *b)
{
    return b->end - b->start;
}

size_t buffer_room(const struct buffer *b)
{
    return b->limit - buffer_size(b);
}

const uint8_t *buffer_head(const struct buffer *b)
{
    return b->data ? b->data + b->start : NULL;
}

static void move_to_front(struct buffer *b)
{
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, buffer_size(b));
        b->end -= b->start;
        b->start = 0;
    }
}

static int grow(struct buffer *b, size_t needed)
{
    size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    uint8_t *data = realloc(b->data, capacity);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->capacity = capacity;
    return 0;
}

int buffer_reserve(struct buffer *b, size_t n, uint8_t **ret_space)
{
    if (n > buffer_room(b))
        return -ENOBUFS;
    if (b->capacity - b->end < n) {
        move_to_front(b);
        if (b->capacity - b->end < n) {
            int r = grow(b, b->end + n);
            if (r)
                return r;
        }
    }
    *ret_space = b->data + b->end;
    return 0;
}

void buffer_commit(struct buffer *b, size_t n)
{
    b->end += n;
}

int buffer_append(struct buffer *b, const void *bytes, size_t n)
{
    if (n == 0)
        return 0;
    uint8_t *space;
    int r = buffer_reserve(b, n, &space);
    if (r)
        return r;
    memcpy(space, bytes, n);
    buffer_commit(b, n);
    return 0;
}

void buffer_retract(struct buffer *b, size_t n)
{
    b->end -= n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buffer_consume(struct buffer *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

int buffer_put_u8(struct buffer *b, uint8_t v)
{
    return buffer_append(b, &v, 1);
}

int buffer_put_u16(struct buffer *b, uint16_t v)
{
    const uint8_t bytes[] = { (uint8_t)(v >> 8), (uint8_t)v };
    return buffer_append(b, bytes, sizeof bytes);
}

int buffer_put_u32(struct buffer *b, uint32_t v)
{
    const uint8_t bytes[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    return buffer_append(b, bytes, sizeof bytes);
}

int buffer_put_u64(struct buffer *b, uint64_t v)
{
    int r = buffer_put_u32(b, (uint32_t)(v >> 32));
    return r ? r : buffer_put_u32(b, (uint32_t)v);
}

int buffer_put_cstring(struct buffer *b, const char *s)
{
    return buffer_append(b, s, strlen(s) + 1);
}

int buffer_put_string(struct buffer *b, const void *bytes, size_t n)
{
    if (n > UINT32_MAX)
        return -ENOBUFS;
    int r = buffer_put_u32(b, (uint32_t)n);
    return r ? r : buffer_append(b, bytes, n);
}

int buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *space;
    int r = n < 0 ? -EINVAL : buffer_reserve(b, (size_t)n + 1, &space);
    if (r == 0) {
        (void)vsnprintf((char *)space, (size_t)n + 1, format, again);
        buffer_commit(b, (size_t)n);
    }
    va_end(again);
    return r;
}

int buffer_read(struct buffer *b, int fd, size_t max, size_t *ret_n)
{
    size_t n = max < buffer_room(b) ? max : buffer_room(b);
    if (n == 0)
        return -ENOBUFS;
    uint8_t *space;
    int r = buffer_reserve(b, n, &space);
    if (r)
        return r;
    ssize_t got = read(fd, space, n);
    if (got < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    buffer_commit(b, (size_t)got);
    *ret_n = (size_t)got;
    return 0;
}

int buffer_write(struct buffer *b, int fd)
{
    while (buffer_size(b) > 0) {
        ssize_t put = write(fd, buffer_head(b), buffer_size(b));
        if (put < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN ? 0 : -errno;
        }
        buffer_consume(b, (size_t)put);
    }
    return 0;
}

struct reader reader_of(const void *bytes, size_t n)
{
    static const uint8_t nothing;
    const uint8_t *first = bytes ? bytes : &nothing;
    return (struct reader){ .next = first, .end = first + (bytes ? n : 0) };
}

size_t reader_left(const struct reader *r)
{
    return r->failed ? 0 : (size_t)(r->end - r->next);
}

bool reader_bytes(struct reader *r, size_t n, const uint8_t **ret)
{
    if (reader_left(r) < n || r->failed) {
        r->failed = true;
        return false;
    }
    *ret = r->next;
    r->next += n;
    return true;
}

bool reader_u8(struct reader *r, uint8_t *ret)
{
    const uint8_t *p;
    if (!reader_bytes(r, 1, &p))
        return false;
    *ret = p[0];
    return true;
}

bool reader_u16(struct reader *r, uint16_t *ret)
{
    const uint8_t *p;
    if (!reader_bytes(r, 2, &p))
        return false;
    *ret = (uint16_t)(p[0] << 8 | p[1]);
    return true;
}

bool reader_u32(struct reader *r, uint32_t *ret)
{
    const uint8_t *p;
    if (!reader_bytes(r, 4, &p))
        return false;
    *ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    return true;
}

bool reader_u64(struct reader *r, uint64_t *ret)
{
    uint32_t high, low;
    if (!reader_u32(r, &high) || !reader_u32(r, &low))
        return false;
    *ret = (uint64_t)high << 32 | low;
    return true;
}

bool reader_cstring(struct reader *r, const char **ret)
{
    const uint8_t *nul = r->failed || reader_left(r) == 0 ? NULL : memchr(r->next, 0, reader_left(r));
    if (!nul) {
        r->failed = true;
        return false;
    }
    *ret = (const char *)r->next;
    r->next = nul + 1;
    return true;
}

bool reader_string(struct reader *r, struct reader *ret)
{
    uint32_t n;
    const uint8_t *p;
    if (!reader_u32(r, &n) || !reader_bytes(r, n, &p))
        return false;
    *ret = reader_of(p, n);
    return true;
}

bool reader_done(const struct reader *r)
{
    return !r->failed && r->next == r->end;
}
