/* A message is put together before it is told, as far as it is no longer than a part: clients decode each
 * message for itself, so where one ends should stay where it was.
 *
 * The same bytes must be one thing to everybody: lengths in more bytes than they need, reserved bits and
 * opcodes, masks on the wrong side, and control frames in pieces are faults, not curiosities. */
#include "channels/kube/websocket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/text.h"

struct websocket_reader {
    enum websocket_side side;
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t head_n;
    bool in_payload;
    /* of the frame */
    enum websocket_opcode opcode;
    bool final;
    uint8_t key[4];
    uint64_t at, left; /* of its payload */
    /* of the message */
    bool in_message, text;
    bool begun; /* a part of it was told */
    struct buffer held;
    size_t told; /* bytes of held that were told by the last call */
    uint8_t control[WEBSOCKET_CONTROL_MAX];
    size_t control_n;
    bool over; /* a close was read */
    const char *why;
};

int websocket_reader_new(enum websocket_side side, struct websocket_reader **ret)
{
    struct websocket_reader *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->side = side;
    buffer_init(&r->held, WEBSOCKET_PART_MAX);
    *ret = r;
    return 0;
}

void websocket_reader_free(struct websocket_reader *r)
{
    if (!r)
        return;
    buffer_free(&r->held);
    free(r);
}

static bool is_control(enum websocket_opcode opcode)
{
    return opcode >= WEBSOCKET_CLOSE;
}

/* ---- a frame's head ---- */

static size_t length_bytes(const struct websocket_reader *r)
{
    unsigned length = r->head[1] & 0x7f;
    return length == 127 ? 8 : length == 126 ? 2 : 0;
}

static size_t head_needs(const struct websocket_reader *r)
{
    if (r->head_n < 2)
        return 2;
    return 2 + length_bytes(r) + (r->side == WEBSOCKET_OF_CLIENT ? sizeof r->key : 0);
}

/* RFC 6455 §5.2: what the first two bytes say already, for the rest may not come. */
static const char *fault_of_start(const struct websocket_reader *r)
{
    bool masked = r->head[1] & 0x80;
    if (r->head[0] & 0x70)
        return "reserved bits are set, and no extension was agreed to";
    if (masked != (r->side == WEBSOCKET_OF_CLIENT))
        return masked ? "a server's frame is masked" : "a client's frame is not masked";
    return NULL;
}

static const char *fault_of_head(const struct websocket_reader *r)
{
    size_t n = length_bytes(r);
    if ((n == 2 && r->left < 126) || (n == 8 && r->left <= 0xffff) || r->left >> 63)
        return "a length is not written as it has to be";
    switch (r->opcode) {
    case WEBSOCKET_CONTINUATION:
        return r->in_message ? NULL : "a continuation of no message";
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        return r->in_message ? "a message begins before the last one ended" : NULL;
    case WEBSOCKET_CLOSE:
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        return r->final && r->left <= WEBSOCKET_CONTROL_MAX ? NULL
                                                            : "a control frame is too long or in pieces";
    }
    return "an unknown opcode";
}

static bool read_head(struct websocket_reader *r)
{
    struct reader in = reader_of(r->head, r->head_n);
    const uint8_t *key = NULL;
    uint8_t first = 0, second = 0;
    uint16_t wide = 0;
    bool read = reader_u8(&in, &first) && reader_u8(&in, &second);
    r->left = second & 0x7f;
    if (r->left == 126) {
        read = read && reader_u16(&in, &wide);
        r->left = wide;
    } else if (r->left == 127) {
        read = read && reader_u64(&in, &r->left);
    }
    r->final = first & 0x80;
    r->opcode = (enum websocket_opcode)(first & 0x0f);
    r->why = read ? fault_of_head(r) : "a head is cut off";
    if (r->why)
        return false;
    if (r->side == WEBSOCKET_OF_CLIENT && reader_bytes(&in, sizeof r->key, &key))
        memcpy(r->key, key, sizeof r->key);
    r->at = r->head_n = 0;
    r->in_payload = true;
    if (r->opcode == WEBSOCKET_TEXT || r->opcode == WEBSOCKET_BINARY) {
        r->in_message = true;
        r->begun = false;
        r->text = r->opcode == WEBSOCKET_TEXT;
    }
    return true;
}

/* ---- its payload ---- */

static void unmask(struct websocket_reader *r, uint8_t *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = bytes[i] ^ r->key[(r->at + i) % sizeof r->key];
    r->at += n;
    r->left -= n;
}

static int take_payload(struct websocket_reader *r, const uint8_t *bytes, size_t n, size_t *ret_taken)
{
    uint8_t *space = r->control + r->control_n;
    size_t room = is_control(r->opcode) ? sizeof r->control - r->control_n : buffer_room(&r->held);
    n = n < r->left ? n : (size_t)r->left;
    n = n < room ? n : room;
    *ret_taken = n;
    if (n == 0)
        return 0;
    if (!is_control(r->opcode)) {
        int result = buffer_reserve(&r->held, n, &space);
        if (result)
            return result;
    }
    unmask(r, space, bytes, n);
    if (is_control(r->opcode))
        r->control_n += n;
    else
        buffer_commit(&r->held, n);
    return 0;
}

/* RFC 6455 §5.5.1, §7.4 */
static bool read_close(struct websocket_reader *r, struct websocket_event *ret)
{
    r->over = true;
    if (r->control_n == 0)
        return true;
    unsigned code = r->control_n >= 2 ? (unsigned)(r->control[0] << 8 | r->control[1]) : 0;
    bool known = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
                 (code >= 3000 && code <= 4999);
    if (!known || !text_is_utf8(r->control + 2, r->control_n - 2)) {
        r->why = "a close says what it may not say";
        return false;
    }
    ret->code = code;
    ret->bytes += 2;
    ret->n -= 2;
    return true;
}

static bool tell_control(struct websocket_reader *r, struct websocket_event *ret)
{
    *ret = (struct websocket_event){ .kind = r->opcode == WEBSOCKET_PING   ? WEBSOCKET_GOT_PING
                                             : r->opcode == WEBSOCKET_PONG ? WEBSOCKET_GOT_PONG
                                                                           : WEBSOCKET_GOT_CLOSE,
                                     .bytes = r->control,
                                     .n = r->control_n };
    return r->opcode != WEBSOCKET_CLOSE || read_close(r, ret);
}

static void tell_message(struct websocket_reader *r, bool ends, struct websocket_event *ret)
{
    r->told = buffer_size(&r->held);
    *ret = (struct websocket_event){ .kind = WEBSOCKET_GOT_MESSAGE,
                                     .bytes = buffer_head(&r->held),
                                     .n = r->told,
                                     .text = r->text,
                                     .begins = !r->begun,
                                     .ends = ends };
    r->begun = true;
    r->in_message = !ends;
}

/* After bytes were taken: whether there is something to tell. */
static bool tell(struct websocket_reader *r, struct websocket_event *ret)
{
    bool control = is_control(r->opcode);
    if (r->left == 0) {
        r->in_payload = false;
        if (control)
            return tell_control(r, ret);
        if (r->final) {
            tell_message(r, true, ret);
            return true;
        }
    }
    if (control || buffer_room(&r->held) > 0)
        return false;
    tell_message(r, false, ret);
    return true;
}

static void begin_call(struct websocket_reader *r)
{
    buffer_consume(&r->held, r->told);
    r->told = 0;
    if (!r->in_payload)
        r->control_n = 0;
}

int websocket_reader_next(struct websocket_reader *r, const void *bytes, size_t n, size_t *ret_taken,
                          struct websocket_event *ret, struct detail *detail)
{
    const uint8_t *at = bytes;
    size_t left = n, taken = 0;
    struct websocket_event event = { .kind = WEBSOCKET_GOT_NOTHING };
    begin_call(r);
    while (!r->why && !r->over && event.kind == WEBSOCKET_GOT_NOTHING) {
        if (r->in_payload) {
            int result = take_payload(r, at, left, &taken);
            if (result)
                return result;
            at += taken;
            left -= taken;
            if (tell(r, &event) || r->why || (r->in_payload && left == 0))
                break;
        } else if (left == 0) {
            break;
        } else {
            r->head[r->head_n++] = *at++;
            left--;
            r->why = r->head_n == 2 ? fault_of_start(r) : NULL;
            if (r->why)
                break;
            if (r->head_n == head_needs(r) && r->head_n >= 2 && !read_head(r))
                break;
        }
    }
    if (r->why)
        return detail_fail(detail, WEBSOCKET_MALFORMED, "this is no WebSocket: %s", r->why);
    *ret_taken = r->over && event.kind == WEBSOCKET_GOT_NOTHING ? n : n - left;
    *ret = event;
    return 0;
}

/* ---- writing ---- */

int websocket_begin(struct websocket_writer *w, struct buffer *out, enum websocket_side side,
                    enum websocket_opcode opcode, size_t n)
{
    bool masks = side == WEBSOCKET_OF_CLIENT;
    *w = (struct websocket_writer){ .out = out };
    if (buffer_room(out) < n + WEBSOCKET_HEAD_MAX)
        return -ENOBUFS; /* not half a frame */
    if (masks && getrandom(w->key, sizeof w->key, 0) != (ssize_t)sizeof w->key)
        return -EIO;
    int r = buffer_put_u8(out, (uint8_t)(0x80 | opcode));
    r = r ? r : buffer_put_u8(out, (uint8_t)((masks ? 0x80 : 0) | (n < 126 ? n : n <= 0xffff ? 126 : 127)));
    if (r == 0 && n >= 126)
        r = n <= 0xffff ? buffer_put_u16(out, (uint16_t)n) : buffer_put_u64(out, n);
    return r || !masks ? r : buffer_append(out, w->key, sizeof w->key);
}

int websocket_add(struct websocket_writer *w, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    uint8_t *space = NULL;
    int r = buffer_reserve(w->out, n, &space);
    if (r)
        return r;
    for (size_t i = 0; i < n; i++)
        space[i] = from[i] ^ w->key[(w->at + i) % sizeof w->key]; /* all zeroes where nothing is masked */
    w->at += n;
    buffer_commit(w->out, n);
    return 0;
}

int websocket_put(struct buffer *out, enum websocket_side side, enum websocket_opcode opcode,
                  const void *bytes, size_t n)
{
    struct websocket_writer w;
    int r = websocket_begin(&w, out, side, opcode, n);
    return r || n == 0 ? r : websocket_add(&w, bytes, n);
}

/* The longest part of it that is whole characters. */
static size_t cut(const char *reason)
{
    size_t n = strnlen(reason, WEBSOCKET_REASON_MAX);
    while (n > 0 && !text_is_utf8(reason, n))
        n--;
    return n;
}

int websocket_put_close(struct buffer *out, enum websocket_side side, unsigned code, const char *reason)
{
    uint8_t payload[WEBSOCKET_CONTROL_MAX];
    size_t n = code && reason ? cut(reason) : 0;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (n)
        memcpy(payload + 2, reason, n);
    return websocket_put(out, side, WEBSOCKET_CLOSE, payload, code ? n + 2 : 0);
}
