/* SPDY frames: how they arrive must not matter, and whatever is read and written anew is read as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Data without its borders. */
static int note(const struct spdy_event *event, struct buffer *out)
{
    if (event->kind == SPDY_GOT_DATA)
        return event->n ? buffer_append(out, event->bytes, event->n) : 0;
    int r = buffer_printf(out, "<%d %u %u %u %d", event->kind, event->stream, event->id, event->status,
                          event->fin);
    for (size_t i = 0; r == 0 && event->headers && i < event->headers->n; i++)
        r = buffer_printf(out, "{%s:%s}", event->headers->pairs[i].name, event->headers->pairs[i].value);
    return r;
}

static int write_anew(const struct spdy_event *event, struct spdy_packer *packer, struct buffer *out)
{
    switch (event->kind) {
    case SPDY_GOT_NOTHING:
        return 0;
    case SPDY_GOT_STREAM:
        return spdy_put_stream(packer, out, event->stream, event->fin, event->headers);
    case SPDY_GOT_REPLY:
        return spdy_put_reply(packer, out, event->stream, event->fin, event->headers);
    case SPDY_GOT_RESET:
        return spdy_put_reset(out, event->stream, event->status);
    case SPDY_GOT_PING:
        return spdy_put_ping(out, event->id);
    case SPDY_GOT_GOAWAY:
        return spdy_put_goaway(out, event->stream, event->status);
    case SPDY_GOT_DATA:
        return spdy_put_data(out, event->stream, event->fin, event->bytes, event->n);
    }
    return 0;
}

static int read_all(const uint8_t *bytes, size_t n, size_t step, struct buffer *said, struct buffer *anew)
{
    CLEANUP(spdy_reader_free) struct spdy_reader *reader = NULL;
    CLEANUP(spdy_packer_free) struct spdy_packer *packer = NULL;
    struct spdy_event event;
    struct detail detail;
    if (spdy_reader_new(&reader) || spdy_packer_new(&packer))
        abort();
    for (size_t at = 0, taken = 0; at < n; at += taken) {
        int r = spdy_reader_next(reader, bytes + at, n - at < step ? n - at : step, &taken, &event, &detail);
        if (r)
            return r;
        if (event.kind != SPDY_GOT_NOTHING &&
            (note(&event, said) || (anew && write_anew(&event, packer, anew))))
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
    if (n < 1)
        return 0;
    buffer_init(&whole, 1 << 24);
    buffer_init(&split, 1 << 24);
    buffer_init(&anew, 1 << 24);
    buffer_init(&again, 1 << 24);
    int r = read_all(bytes + 1, n - 1, SIZE_MAX, &whole, &anew);
    if (read_all(bytes + 1, n - 1, (size_t)bytes[0] + 1, &split, NULL) != r)
        abort();
    must_be_same(&whole, &split);
    if (read_all(buffer_head(&anew), buffer_size(&anew), SIZE_MAX, &again, NULL))
        abort();
    must_be_same(&whole, &again);
    buffer_free(&whole);
    buffer_free(&split);
    buffer_free(&anew);
    buffer_free(&again);
    return 0;
}
