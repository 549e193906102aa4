/* The credential is added to heads and to nothing else, so each head has to be one: it is taken as a whole,
 * checked, and only then begun to be sent; and what is not a head is a body, followed to its end. After a
 * head that asks for another protocol nothing is followed any more, so the server's own 101 is waited for. It
 * has to be the first head on its connection: then the first bytes of the server are the answer to it, and no
 * answer to something else can be taken for that. */
#include "vault/connector_frames.h"

#include <errno.h>
#include <string.h>

struct frames frames_with(const char *lines, size_t lines_n)
{
    struct frames frames = { .lines = lines, .lines_n = lines_n };

    buffer_init(&frames.head, HEAD_MAX);
    buffer_init(&frames.ready, HEAD_MAX + FRAMES_LINES_MAX);
    return frames;
}

static void wipe(struct buffer *b)
{
    if (b->data)
        explicit_bzero(b->data, b->capacity);
    buffer_free(b);
}

void frames_free(struct frames *frames)
{
    wipe(&frames->head);
    wipe(&frames->ready);
}

void frames_hear(struct frames *frames, const uint8_t *bytes, size_t n)
{
    size_t more = FRAMES_HEARD - frames->heard_n;

    if (!frames->any || more == 0)
        return;
    if (more > n)
        more = n;
    memcpy(frames->heard + frames->heard_n, bytes, more);
    frames->heard_n += more;
}

/* What moves through a call. */
struct flow {
    const uint8_t *in;
    size_t n;
    uint8_t *out;
    size_t room;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- frames ---- */

static int begin_head(struct frames *frames, struct detail *detail)
{
    if (frames->left > HEAD_MAX || frames->left == 0)
        return detail_fail(detail, -EPROTO, "a head has %zu bytes", frames->left);
    if (frames->upgrade)
        return detail_fail(detail, -EPROTO, "a head came on a connection that was to change its protocol");
    if (frames->body.state != BODY_NONE)
        return detail_fail(detail, -EPROTO, "a head came before the end of a body");
    return frames->stale ? FRAMES_STALE : 0;
}

/* Takes bytes of the next frame's mark. */
static int take_mark(struct frames *frames, struct flow *flow, struct detail *detail)
{
    size_t n = least(FRAME_MARK - frames->mark_n, flow->n);
    struct reader r;
    uint32_t length = 0;
    uint8_t kind = 0;

    memcpy(frames->mark + frames->mark_n, flow->in, n);
    frames->mark_n += n;
    flow->in += n;
    flow->n -= n;
    if (frames->mark_n < FRAME_MARK)
        return 0;
    r = reader_of(frames->mark, FRAME_MARK);
    if (!reader_u8(&r, &kind) || !reader_u32(&r, &length))
        return -EPROTO;
    frames->left = length;
    if (kind == 'H')
        return begin_head(frames, detail);
    if (kind != 'B' || length > FRAME_BODY_MAX)
        return detail_fail(detail, -EPROTO, "a frame of kind %u has %u bytes", (unsigned)kind,
                           (unsigned)length);
    if (length == 0)
        frames->mark_n = 0;
    return 0;
}

/* ---- heads ---- */

static int take_whole_head(struct frames *frames, struct detail *detail)
{
    const uint8_t *bytes = buffer_head(&frames->head);
    size_t n = buffer_size(&frames->head);
    struct head head;
    int r = head_check(bytes, n, &head, detail);

    if (!r && head.body == HEAD_UPGRADE && frames->any)
        r = detail_fail(detail, -EPROTO, "another protocol needs a connection of its own");
    if (!r)
        r = buffer_append(&frames->ready, bytes, head.line_n);
    if (!r)
        r = buffer_append(&frames->ready, frames->lines, frames->lines_n);
    if (!r)
        r = buffer_append(&frames->ready, bytes + head.line_n, n - head.line_n);
    if (r)
        return r;
    buffer_consume(&frames->head, n);
    frames->body = body_of(&head);
    frames->upgrade = head.body == HEAD_UPGRADE;
    frames->any = true;
    frames->mark_n = 0;
    return 0;
}

static int take_head(struct frames *frames, struct flow *flow, struct detail *detail)
{
    size_t n = least(frames->left, flow->n);
    int r = buffer_append(&frames->head, flow->in, n);

    if (r)
        return r;
    flow->in += n;
    flow->n -= n;
    frames->left -= n;
    return frames->left == 0 ? take_whole_head(frames, detail) : 0;
}

static void give_ready(struct frames *frames, struct flow *flow)
{
    size_t n = least(buffer_size(&frames->ready), flow->room);

    if (n == 0)
        return;
    memcpy(flow->out, buffer_head(&frames->ready), n);
    buffer_consume(&frames->ready, n);
    flow->out += n;
    flow->room -= n;
}

/* ---- bodies ---- */

static bool waits_for_server(const struct frames *frames)
{
    return frames->upgrade && frames->heard_n < FRAMES_HEARD;
}

static int follow(struct frames *frames, const uint8_t *bytes, size_t n, struct detail *detail)
{
    if (frames->upgrade)
        return memcmp(frames->heard, "HTTP/1.1 101", FRAMES_HEARD) == 0
                   ? 0
                   : detail_fail(detail, -EPROTO, "bytes came for a protocol that the server refused");
    return body_take(&frames->body, bytes, n) == 0
               ? 0
               : detail_fail(detail, -EPROTO, "a body has other bytes than its head says");
}

static int move_body(struct frames *frames, struct flow *flow, struct detail *detail)
{
    size_t n = least(least(frames->left, flow->n), flow->room);
    int r = follow(frames, flow->in, n, detail);

    if (r)
        return r;
    memcpy(flow->out, flow->in, n);
    flow->in += n;
    flow->n -= n;
    flow->out += n;
    flow->room -= n;
    frames->left -= n;
    if (frames->left == 0)
        frames->mark_n = 0;
    return 0;
}

/* ---- the whole ---- */

/* Whether something may move now. */
static bool can_go_on(const struct frames *frames, const struct flow *flow)
{
    if (buffer_size(&frames->ready) > 0)
        return flow->room > 0;
    if (flow->n == 0)
        return false;
    if (frames->mark_n == FRAME_MARK && frames->mark[0] == 'B')
        return flow->room > 0 && !waits_for_server(frames);
    return true;
}

int frames_give(struct frames *frames, const uint8_t *in, size_t n, size_t *ret_taken, uint8_t *out,
                size_t room, size_t *ret_put, struct detail *detail)
{
    struct flow flow = { in, n, out, room };
    int r = 0;

    while (!r && can_go_on(frames, &flow)) {
        if (buffer_size(&frames->ready) > 0)
            give_ready(frames, &flow);
        else if (frames->mark_n < FRAME_MARK)
            r = take_mark(frames, &flow, detail);
        else if (frames->mark[0] == 'H')
            r = take_head(frames, &flow, detail);
        else
            r = move_body(frames, &flow, detail);
    }
    *ret_taken = n - flow.n;
    *ret_put = room - flow.room;
    return r;
}
