/* protobuf-c walks the descriptors of a message twice, once for its size: for the events of a statement and
 * its answer that was a third of what the gate did in user space. The bytes are the same
 * (tests/unit/recorder.c), and a field that is added to ipc.proto, and not here, leads back to protobuf-c. */
#include "channels/recorder_head.h"

#include <string.h>

enum {
    REQUEST_FIELDS = 14,
    OUTPUT_FIELDS = 2,
    FRONT = 24, /* bytes for what stands before the inner message: two tags, the time, its size */
    VARINT = 0,
    BYTES = 2,
    AT_US = 1, /* fields of Event */
    REQUEST = 3,
    OUTPUT = 4,
};

struct cursor {
    uint8_t *at;
    const uint8_t *end;
    bool full;
};

static void put_varint(struct cursor *c, uint64_t value)
{
    if (c->end - c->at < 10) {
        c->full = true;
        return;
    }
    for (; value >= 0x80; value >>= 7)
        *c->at++ = (uint8_t)(value | 0x80);
    *c->at++ = (uint8_t)value;
}

static void put_tag(struct cursor *c, unsigned field, unsigned type)
{
    put_varint(c, field << 3 | type);
}

static void put_number(struct cursor *c, unsigned field, uint64_t value)
{
    if (value == 0)
        return;
    put_tag(c, field, VARINT);
    put_varint(c, value);
}

static void put_bytes(struct cursor *c, unsigned field, const void *bytes, size_t n)
{
    put_tag(c, field, BYTES);
    put_varint(c, n);
    if (c->full || n > (size_t)(c->end - c->at)) {
        c->full = true;
        return;
    }
    if (n > 0)
        memcpy(c->at, bytes, n);
    c->at += n;
}

static void put_text(struct cursor *c, unsigned field, const char *text)
{
    if (text && *text)
        put_bytes(c, field, text, strlen(text));
}

static size_t varint_size(uint64_t value)
{
    size_t n = 1;
    for (; value >= 0x80; value >>= 7)
        n++;
    return n;
}

static void put_nulls(struct cursor *c, unsigned field, const protobuf_c_boolean *nulls, size_t n)
{
    if (n == 0)
        return;
    put_tag(c, field, BYTES);
    put_varint(c, n);
    for (size_t i = 0; i < n; i++)
        put_varint(c, nulls[i] ? 1 : 0);
}

static void put_formats(struct cursor *c, unsigned field, const uint32_t *formats, size_t n)
{
    size_t size = 0;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        size += varint_size(formats[i]);
    put_tag(c, field, BYTES);
    put_varint(c, size);
    for (size_t i = 0; i < n; i++)
        put_varint(c, formats[i]);
}

static void put_request(struct cursor *c, const Ipc__Request *request)
{
    put_number(c, 1, request->number);
    put_text(c, 2, request->what);
    put_text(c, 3, request->verdict);
    put_text(c, 4, request->rule);
    put_text(c, 5, request->reason);
    put_text(c, 6, request->code);
    for (size_t i = 0; i < request->n_effects; i++)
        put_bytes(c, 7, request->effects[i], strlen(request->effects[i]));
    for (size_t i = 0; i < request->n_values; i++)
        put_bytes(c, 8, request->values[i].data, request->values[i].len);
    put_number(c, 9, request->omitted);
    put_number(c, 10, request->stream);
    put_nulls(c, 11, request->nulls, request->n_nulls);
    put_formats(c, 12, request->formats, request->n_formats);
    put_number(c, 13, request->of);
    put_number(c, 14, request->values_omitted);
}

static void put_output(struct cursor *c, const Ipc__Output *output)
{
    put_number(c, 1, output->stream);
    put_text(c, 2, output->form);
}

/* The field of Event that it is, or 0. */
static unsigned field_of(const Ipc__Event *event)
{
    if (event->what_case == IPC__EVENT__WHAT_REQUEST && ipc__request__descriptor.n_fields == REQUEST_FIELDS)
        return REQUEST;
    if (event->what_case == IPC__EVENT__WHAT_OUTPUT && ipc__output__descriptor.n_fields == OUTPUT_FIELDS)
        return OUTPUT;
    return 0;
}

size_t recorder_head(const Ipc__Event *event, uint8_t bytes[RECORDER_HEAD_MAX], const uint8_t **ret_head)
{
    struct cursor inner = { .at = bytes + FRONT, .end = bytes + RECORDER_HEAD_MAX };
    uint8_t before[FRONT + 10];
    struct cursor outer = { .at = before, .end = before + sizeof before };
    unsigned field = field_of(event);
    if (field == 0)
        return 0;
    if (field == REQUEST)
        put_request(&inner, event->request);
    else
        put_output(&inner, event->output);
    size_t n = (size_t)(inner.at - (bytes + FRONT));
    put_number(&outer, AT_US, event->at_us);
    put_tag(&outer, field, BYTES);
    put_varint(&outer, n);
    size_t front = (size_t)(outer.at - before);
    if (inner.full || outer.full || front > FRONT)
        return 0;
    uint8_t *head = bytes + FRONT - front;
    memcpy(head, before, front);
    *ret_head = head;
    return front + n;
}
