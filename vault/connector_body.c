/* See connector_body.h. Chunks are taken in the one form that the gate writes: hexadecimal digits, no
 * extensions, no trailers. */
#include "vault/connector_body.h"

#include <errno.h>

enum { SIZE_DIGITS_MAX = 8 };

struct body body_of(const struct head *head)
{
    if (head->body == HEAD_LENGTH)
        return (struct body){ .state = BODY_COUNTED, .left = head->length };
    return (struct body){ .state = head->body == HEAD_CHUNKED ? BODY_SIZE : BODY_NONE };
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int take_size(struct body *body, uint8_t c)
{
    int digit = digit_of(c);

    if (digit < 0) {
        if (c != '\r' || body->digits == 0)
            return -EPROTO;
        body->state = BODY_SIZE_END;
        return 0;
    }
    if (body->digits == SIZE_DIGITS_MAX)
        return -EPROTO;
    body->digits++;
    body->left = 16 * body->left + (uint64_t)digit;
    return 0;
}

/* One byte of the framing of chunks. */
static int take_mark(struct body *body, uint8_t c)
{
    static const struct {
        uint8_t byte;
        enum body_state next;
    } marks[] = {
        [BODY_SIZE_END] = { '\n', BODY_CHUNK },  [BODY_CHUNK_END] = { '\r', BODY_CHUNK_END2 },
        [BODY_CHUNK_END2] = { '\n', BODY_SIZE }, [BODY_LAST] = { '\r', BODY_LAST_END },
        [BODY_LAST_END] = { '\n', BODY_NONE },
    };

    if (body->state == BODY_SIZE)
        return take_size(body, c);
    if (c != marks[body->state].byte)
        return -EPROTO;
    body->state = marks[body->state].next;
    if (body->state == BODY_CHUNK && body->left == 0)
        body->state = BODY_LAST;
    if (body->state == BODY_SIZE) {
        body->left = 0;
        body->digits = 0;
    }
    return 0;
}

int body_take(struct body *body, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        if (body->state == BODY_NONE)
            return -EPROTO;
        if (body->state != BODY_COUNTED && body->state != BODY_CHUNK) {
            int r = take_mark(body, bytes[i++]);

            if (r)
                return r;
            continue;
        }
        size_t step = n - i < body->left ? n - i : (size_t)body->left;
        i += step;
        body->left -= step;
        if (body->left == 0)
            body->state = body->state == BODY_COUNTED ? BODY_NONE : BODY_CHUNK_END;
    }
    return 0;
}
