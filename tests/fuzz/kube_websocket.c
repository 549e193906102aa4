/* WebSocket frames: how they arrive must not matter, and whatever is read and written anew is read as the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Kind, code, and the bytes of messages without their borders. */
static int note(const struct websocket_event *event, struct buffer *out)
{
    int r = 0;
    if (event->kind != WEBSOCKET_GOT_MESSAGE || event->begins)
        r = buffer_printf(out, "<%d%d%u", event->kind, event->text, event->code);
    r = r || event->n == 0 ? r : buffer_append(out, event->bytes, event->n);
    return r || (event->kind == WEBSOCKET_GOT_MESSAGE && !event->ends) ? r : buffer_put_u8(out, '>');
}

static int write_anew(const struct websocket_event *event, enum websocket_side side, struct buffer *out)
{
    static const enum websocket_opcode opcodes[] = {
        [WEBSOCKET_GOT_PING] = WEBSOCKET_PING, [WEBSOCKET_GOT_PONG] = WEBSOCKET_PONG
    };
    char reason[WEBSOCKET_REASON_MAX + 1] = "";
    switch (event->kind) {
    case WEBSOCKET_GOT_NOTHING:
        return 0;
    case WEBSOCKET_GOT_MESSAGE:
        return websocket_put(out, side, event->text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, event->bytes,
                             event->n);
    case WEBSOCKET_GOT_PING:
    case WEBSOCKET_GOT_PONG:
        return websocket_put(out, side, opcodes[event->kind], event->bytes, event->n);
    case WEBSOCKET_GOT_CLOSE:
        if (event->n)
            memcpy(reason, event->bytes, event->n);
        return websocket_put_close(out, side, event->code, reason);
    }
    return 0;
}

static int read_all(enum websocket_side side, const uint8_t *bytes, size_t n, size_t step,
                    struct buffer *said, struct buffer *anew)
{
    CLEANUP(websocket_reader_free) struct websocket_reader *reader = NULL;
    struct websocket_event event;
    struct detail detail;
    if (websocket_reader_new(side, &reader))
        abort();
    for (size_t at = 0, taken = 0; at < n; at += taken) {
        int r =
            websocket_reader_next(reader, bytes + at, n - at < step ? n - at : step, &taken, &event, &detail);
        if (r)
            return r;
        if (event.kind == WEBSOCKET_GOT_NOTHING)
            continue;
        if (note(&event, said) || (anew && write_anew(&event, side, anew)))
            abort();
    }
    return 0;
}

static void must_be_same(const struct buffer *a, const struct buffer *b)
{
    if (buffer_size(a) != buffer_size(b) ||
        (buffer_size(a) > 0 && memcmp(buffer_head(a), buffer_head(b), buffer_size(a)) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buffer whole, split, anew, again;
    if (n < 2)
        return 0;
    enum websocket_side side = bytes[0] & 1 ? WEBSOCKET_OF_CLIENT : WEBSOCKET_OF_SERVER;
    buffer_init(&whole, 1 << 22);
    buffer_init(&split, 1 << 22);
    buffer_init(&anew, 1 << 22);
    buffer_init(&again, 1 << 22);
    int r = read_all(side, bytes + 2, n - 2, SIZE_MAX, &whole, &anew);
    if (read_all(side, bytes + 2, n - 2, (size_t)bytes[1] + 1, &split, NULL) != r)
        abort();
    must_be_same(&whole, &split);
    /* What a fault cut off is not there to be written. A message in parts becomes several. */
    if (r == 0 && n < WEBSOCKET_PART_MAX) {
        if (read_all(side, buffer_head(&anew), buffer_size(&anew), SIZE_MAX, &again, NULL))
            abort();
        must_be_same(&whole, &again);
    }
    buffer_free(&whole);
    buffer_free(&split);
    buffer_free(&anew);
    buffer_free(&again);
    return 0;
}
