/* Control frames are put together before they are read; data passes in the pieces in which it comes. */
#include "channels/kube/spdy.h"

#include <errno.h>
#include <string.h>

enum { HEAD = 8, VERSION = 3, FLAG_FIN = 1 };

enum frame_type { /* §2.6; 5 was NOOP, 10 is CREDENTIAL: neither is spoken here */
                  SYN_STREAM = 1,
                  SYN_REPLY = 2,
                  RST_STREAM = 3,
                  SETTINGS = 4,
                  PING = 6,
                  GOAWAY = 7,
                  HEADERS = 8,
                  WINDOW_UPDATE = 9,
};

struct spdy_reader {
    struct spdy_unpacker *unpacker;
    struct spdy_headers headers;
    uint8_t head[HEAD];
    size_t head_n;
    bool in_frame;
    /* of the frame */
    bool control;
    uint16_t type;
    uint8_t flags;
    uint32_t stream; /* of a data frame */
    uint32_t left;
    struct buffer held;
    bool broken;
};

int spdy_reader_new(struct spdy_reader **ret)
{
    CLEANUP(spdy_reader_free) struct spdy_reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    buffer_init(&r->held, SPDY_CONTROL_MAX);
    int result = spdy_unpacker_new(&r->unpacker);
    if (result)
        return result;
    *ret = STEAL(r);
    return 0;
}

void spdy_reader_free(struct spdy_reader *r)
{
    if (!r)
        return;
    spdy_unpacker_free(r->unpacker);
    buffer_free(&r->held);
    free(r);
}

/* ---- a frame's head ---- */

static const char *fault_of_head(const struct spdy_reader *r, unsigned version)
{
    if (!r->control)
        return r->stream == 0 ? "data of no stream" : r->flags & ~FLAG_FIN ? "unknown flags" : NULL;
    if (version != VERSION)
        return "another version than 3";
    return r->left > SPDY_CONTROL_MAX ? "a control frame is too long" : NULL;
}

static int read_head(struct spdy_reader *r, struct detail *detail)
{
    struct reader in = reader_of(r->head, HEAD);
    uint32_t first = 0, second = 0;
    if (!reader_u32(&in, &first) || !reader_u32(&in, &second))
        return -EINVAL;
    r->control = first >> 31;
    r->type = (uint16_t)first;
    r->stream = first & SPDY_STREAM_MAX;
    r->flags = (uint8_t)(second >> 24);
    r->left = second & SPDY_DATA_MAX;
    const char *why = fault_of_head(r, (first >> 16) & 0x7fff);
    if (why)
        return detail_fail(detail, SPDY_MALFORMED, "this is no SPDY/3.1: %s", why);
    r->head_n = 0;
    r->in_frame = true;
    return 0;
}

/* ---- control frames ---- */

static bool read_id(struct reader *in, uint32_t *ret)
{
    bool read = reader_u32(in, ret);
    *ret &= SPDY_STREAM_MAX;
    return read && *ret != 0;
}

static int read_headers(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                        struct detail *detail)
{
    ret->fin = r->flags & FLAG_FIN;
    ret->headers = &r->headers;
    int result = spdy_unpack(r->unpacker, in->next, reader_left(in), &r->headers, detail);
    in->next = in->end;
    return result == SPDY_HEADERS_MALFORMED ? SPDY_MALFORMED : result;
}

static int read_syn_stream(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                           struct detail *detail)
{
    uint32_t associated;
    uint16_t priority_and_slot;
    ret->kind = SPDY_GOT_STREAM;
    if (r->flags & ~FLAG_FIN || !read_id(in, &ret->stream) || !reader_u32(in, &associated) ||
        !reader_u16(in, &priority_and_slot))
        return SPDY_MALFORMED;
    return read_headers(r, in, ret, detail);
}

static int read_syn_reply(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                          struct detail *detail)
{
    ret->kind = SPDY_GOT_REPLY;
    if (r->flags & ~FLAG_FIN || !read_id(in, &ret->stream))
        return SPDY_MALFORMED;
    return read_headers(r, in, ret, detail);
}

static int read_reset(struct spdy_reader *r, struct reader *in, struct spdy_event *ret, struct detail *detail)
{
    (void)detail;
    ret->kind = SPDY_GOT_RESET;
    return !r->flags && read_id(in, &ret->stream) && reader_u32(in, &ret->status) && ret->status
               ? 0
               : SPDY_MALFORMED;
}

static int read_ping(struct spdy_reader *r, struct reader *in, struct spdy_event *ret, struct detail *detail)
{
    (void)detail;
    ret->kind = SPDY_GOT_PING;
    return !r->flags && reader_u32(in, &ret->id) && ret->id ? 0 : SPDY_MALFORMED;
}

static int read_goaway(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                       struct detail *detail)
{
    (void)detail;
    ret->kind = SPDY_GOT_GOAWAY;
    bool read = !r->flags && reader_u32(in, &ret->stream) && reader_u32(in, &ret->status);
    ret->stream &= SPDY_STREAM_MAX;
    return read ? 0 : SPDY_MALFORMED;
}

static int read_window(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                       struct detail *detail)
{
    uint32_t stream, delta;
    (void)ret;
    (void)detail;
    return !r->flags && reader_u32(in, &stream) && reader_u32(in, &delta) && delta & SPDY_STREAM_MAX
               ? 0
               : SPDY_MALFORMED;
}

static int read_settings(struct spdy_reader *r, struct reader *in, struct spdy_event *ret,
                         struct detail *detail)
{
    uint32_t n = 0;
    const uint8_t *entries;
    (void)r;
    (void)ret;
    (void)detail;
    return reader_u32(in, &n) && n <= SPDY_CONTROL_MAX / 8 && reader_bytes(in, (size_t)n * 8, &entries)
               ? 0
               : SPDY_MALFORMED;
}

static const struct {
    enum frame_type type;
    const char *name;
    int (*read)(struct spdy_reader *, struct reader *, struct spdy_event *, struct detail *);
} frames[] = {
    { SYN_STREAM, "SYN_STREAM", read_syn_stream },
    { SYN_REPLY, "SYN_REPLY", read_syn_reply },
    { RST_STREAM, "RST_STREAM", read_reset },
    { SETTINGS, "SETTINGS", read_settings },
    { PING, "PING", read_ping },
    { GOAWAY, "GOAWAY", read_goaway },
    { WINDOW_UPDATE, "WINDOW_UPDATE", read_window },
};

/* HEADERS, which would be more of a stream's headers, nobody sends. */
static int read_control(struct spdy_reader *r, struct spdy_event *ret, struct detail *detail)
{
    struct reader in = reader_of(buffer_head(&r->held), buffer_size(&r->held));
    struct detail why = { "" };
    *ret = (struct spdy_event){ .kind = SPDY_GOT_NOTHING };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        if (frames[i].type != r->type)
            continue;
        int result = frames[i].read(r, &in, ret, &why);
        if (result < 0 || (result == 0 && reader_done(&in)))
            return result;
        return detail_fail(detail, SPDY_MALFORMED, "this is no SPDY/3.1: a %s frame%s%s", frames[i].name,
                           why.text[0] ? ": " : " is not as it has to be", why.text);
    }
    return detail_fail(detail, SPDY_MALFORMED, "a SPDY frame of type %u, which has no use here", r->type);
}

/* ---- reading ---- */

static int take_control(struct spdy_reader *r, const uint8_t *bytes, size_t n, size_t *ret_taken,
                        struct spdy_event *ret, struct detail *detail)
{
    *ret_taken = n < r->left ? n : r->left;
    int result = *ret_taken ? buffer_append(&r->held, bytes, *ret_taken) : 0;
    if (result)
        return result;
    r->left -= (uint32_t)*ret_taken;
    if (r->left > 0)
        return 0;
    r->in_frame = false;
    result = read_control(r, ret, detail);
    buffer_consume(&r->held, buffer_size(&r->held));
    return result;
}

static void take_data(struct spdy_reader *r, const uint8_t *bytes, size_t n, size_t *ret_taken,
                      struct spdy_event *ret)
{
    *ret_taken = n < r->left ? n : r->left;
    r->left -= (uint32_t)*ret_taken;
    r->in_frame = r->left > 0;
    *ret = (struct spdy_event){ .kind = SPDY_GOT_DATA,
                                .stream = r->stream,
                                .fin = !r->in_frame && r->flags & FLAG_FIN,
                                .bytes = bytes,
                                .n = *ret_taken };
}

static int next(struct spdy_reader *r, const uint8_t **at, size_t *left, struct spdy_event *ret,
                struct detail *detail)
{
    size_t taken = 0;
    int result = 0;
    while (result == 0 && ret->kind == SPDY_GOT_NOTHING && (*left > 0 || (r->in_frame && r->left == 0))) {
        if (!r->in_frame) {
            taken = HEAD - r->head_n < *left ? HEAD - r->head_n : *left;
            memcpy(r->head + r->head_n, *at, taken);
            r->head_n += taken;
            result = r->head_n == HEAD ? read_head(r, detail) : 0;
        } else if (r->control) {
            result = take_control(r, *at, *left, &taken, ret, detail);
        } else {
            take_data(r, *at, *left, &taken, ret);
        }
        *at += taken;
        *left -= taken;
    }
    return result;
}

int spdy_reader_next(struct spdy_reader *r, const void *bytes, size_t n, size_t *ret_taken,
                     struct spdy_event *ret, struct detail *detail)
{
    const uint8_t *at = bytes;
    size_t left = n;
    struct spdy_event event = { .kind = SPDY_GOT_NOTHING };
    if (r->broken)
        return detail_fail(detail, SPDY_MALFORMED, "what came before was no SPDY/3.1");
    int result = next(r, &at, &left, &event, detail);
    r->broken = result != 0;
    if (result)
        return result;
    *ret_taken = n - left;
    *ret = event;
    return 0;
}

/* ---- writing ---- */

static int put_head(struct buffer *out, enum frame_type type, bool fin, size_t n)
{
    int r = buffer_put_u16(out, 0x8000 | VERSION);
    r = r ? r : buffer_put_u16(out, (uint16_t)type);
    return r ? r : buffer_put_u32(out, (uint32_t)(fin ? FLAG_FIN << 24 : 0) | (uint32_t)n);
}

static int put_with_headers(struct spdy_packer *packer, struct buffer *out, enum frame_type type,
                            uint32_t stream, bool fin, const struct spdy_headers *headers)
{
    struct buffer block;
    static const uint8_t none[6];
    size_t more = type == SYN_STREAM ? sizeof none : 0; /* associated with none, priority 0, slot 0 */
    buffer_init(&block, SPDY_CONTROL_MAX - HEAD);
    int r = spdy_pack(packer, headers, &block);
    r = r ? r : put_head(out, type, fin, sizeof stream + more + buffer_size(&block));
    r = r ? r : buffer_put_u32(out, stream);
    r = r || !more ? r : buffer_append(out, none, more);
    r = r ? r : buffer_append(out, buffer_head(&block), buffer_size(&block));
    buffer_free(&block);
    return r;
}

int spdy_put_stream(struct spdy_packer *packer, struct buffer *out, uint32_t stream, bool fin,
                    const struct spdy_headers *headers)
{
    return put_with_headers(packer, out, SYN_STREAM, stream, fin, headers);
}

int spdy_put_reply(struct spdy_packer *packer, struct buffer *out, uint32_t stream, bool fin,
                   const struct spdy_headers *headers)
{
    return put_with_headers(packer, out, SYN_REPLY, stream, fin, headers);
}

int spdy_put_reset(struct buffer *out, uint32_t stream, uint32_t status)
{
    int r = put_head(out, RST_STREAM, false, 8);
    r = r ? r : buffer_put_u32(out, stream);
    return r ? r : buffer_put_u32(out, status);
}

int spdy_put_ping(struct buffer *out, uint32_t id)
{
    int r = put_head(out, PING, false, 4);
    return r ? r : buffer_put_u32(out, id);
}

int spdy_put_goaway(struct buffer *out, uint32_t last, uint32_t status)
{
    int r = put_head(out, GOAWAY, false, 8);
    r = r ? r : buffer_put_u32(out, last);
    return r ? r : buffer_put_u32(out, status);
}

int spdy_put_data(struct buffer *out, uint32_t stream, bool fin, const void *bytes, size_t n)
{
    if (buffer_room(out) < n + HEAD)
        return -ENOBUFS; /* not half a frame */
    int r = buffer_put_u32(out, stream);
    r = r ? r : buffer_put_u32(out, (uint32_t)(fin ? FLAG_FIN << 24 : 0) | (uint32_t)n);
    return r || n == 0 ? r : buffer_append(out, bytes, n);
}
