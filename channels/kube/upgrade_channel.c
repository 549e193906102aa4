/* Streams in the messages of a WebSocket (k8s.io/apimachinery, pkg/util/httpstream/wsstream): the first byte
 * is the stream's number. Of the base64 kinds it is the number's digit, and the rest is base64. Version 5 has
 * a message to close one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/kube/upgrade_parts.h"

enum { CHANNEL_CLOSE = 255, NO_CHANNEL = 256 };

static enum websocket_side sender(enum kube_side to)
{
    return to == KUBE_CLIENT ? WEBSOCKET_OF_SERVER : WEBSOCKET_OF_CLIENT;
}

/* ---- writing ---- */

static int put_base64(struct buffer *out, enum kube_side to, uint8_t channel, const void *bytes, size_t n)
{
    struct websocket_writer w;
    CLEANUP(free) char *text = malloc(4 * ((n + 2) / 3) + 1);
    if (!text)
        return -ENOMEM;
    size_t length = strlen(text_base64(text, bytes, n));
    int r = websocket_begin(&w, out, sender(to), WEBSOCKET_TEXT, 1 + length);
    r = r ? r : websocket_add(&w, &(uint8_t){ (uint8_t)(channel + '0') }, 1);
    return r ? r : websocket_add(&w, text, length);
}

static int put_message(struct kube_upgrade *u, enum kube_side to, uint8_t channel, const void *bytes,
                       size_t n)
{
    struct websocket_writer w;
    struct buffer *out = &u->ends[to].out;
    if (u->base64)
        return put_base64(out, to, channel, bytes, n);
    int r = websocket_begin(&w, out, sender(to), WEBSOCKET_BINARY, 1 + n);
    r = r ? r : websocket_add(&w, &channel, 1);
    return r || n == 0 ? r : websocket_add(&w, bytes, n);
}

int upgrade_put_channel(struct kube_upgrade *u, enum kube_side to, const struct lane *lane, const void *bytes,
                        size_t n)
{
    return put_message(u, to, (uint8_t)lane->seen.id, bytes, n);
}

int upgrade_put_channel_end(struct kube_upgrade *u, enum kube_side to, const struct lane *lane)
{
    uint8_t channel = (uint8_t)lane->seen.id;
    return u->closes ? put_message(u, to, CHANNEL_CLOSE, &channel, 1) : 0;
}

/* ---- reading ---- */

int upgrade_pass_control(struct kube_upgrade *u, enum kube_side from, const struct websocket_event *event)
{
    enum kube_side to = kube_other(from);
    struct buffer *out = &u->ends[to].out;
    char reason[WEBSOCKET_REASON_MAX + 1] = "";
    if (event->kind != WEBSOCKET_GOT_CLOSE)
        return websocket_put(out, sender(to),
                             event->kind == WEBSOCKET_GOT_PING ? WEBSOCKET_PING : WEBSOCKET_PONG,
                             event->bytes, event->n);
    int r = from == KUBE_SERVER ? upgrade_finish(u) : 0;
    r = r ? r : upgrade_wrap(u);
    if (event->n > 0 && event->n < sizeof reason)
        memcpy(reason, event->bytes, event->n);
    r = r ? r : websocket_put_close(out, sender(to), event->code, reason);
    u->ends[from].closed = true;
    u->over |= u->ends[to].closed;
    return r;
}

static unsigned channel_of(const struct kube_upgrade *u, const struct websocket_event *event)
{
    if (event->n == 0)
        return NO_CHANNEL;
    return u->base64 ? (uint8_t)(event->bytes[0] - '0') : event->bytes[0];
}

static int close_channel(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                         struct detail *detail)
{
    struct lane *lane = n == 1 ? upgrade_lane(u, bytes[0]) : NULL;
    if (!lane)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a stream is closed that is not there");
    return upgrade_end_lane(u, from, lane);
}

/* Its channel's number left out. */
static int take(struct kube_upgrade *u, enum kube_side from, unsigned channel, const uint8_t *bytes, size_t n,
                const struct websocket_event *event, struct detail *detail)
{
    struct upgrade_end *end = &u->ends[from];
    if (event->begins && channel == CHANNEL_CLOSE && u->closes && event->ends)
        return close_channel(u, from, bytes, n, detail);
    if (event->begins)
        end->lane = upgrade_lane(u, channel);
    if (!end->lane)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "stream %u is none of this request's", channel);
    return upgrade_bytes(u, from, end->lane, bytes, n, event->ends, detail);
}

static int take_base64(struct kube_upgrade *u, enum kube_side from, const struct websocket_event *event,
                       struct detail *detail)
{
    const char *text = (const char *)event->bytes + 1;
    size_t length = event->n - 1, n = 0;
    CLEANUP(free) uint8_t *bytes = malloc(length + 1);
    if (!bytes)
        return -ENOMEM;
    if (!event->begins || !event->ends)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a message of base64 is longer than 64 KiB");
    if (!text_from_base64(text, length, bytes, length + 1, &n))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "that is no base64");
    return take(u, from, channel_of(u, event), bytes, n, event, detail);
}

static int take_message(struct kube_upgrade *u, enum kube_side from, const struct websocket_event *event,
                        struct detail *detail)
{
    if (event->n == 0)
        return 0; /* of no stream: the server takes no notice of it either */
    if (u->base64)
        return take_base64(u, from, event, detail);
    size_t head = event->begins ? 1 : 0;
    return take(u, from, head ? channel_of(u, event) : NO_CHANNEL, event->bytes + head, event->n - head,
                event, detail);
}

int upgrade_read_channels(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                          size_t *ret_taken, struct detail *detail)
{
    struct websocket_event event;
    int r = websocket_reader_next(u->ends[from].messages, bytes, n, ret_taken, &event, detail);
    if (r)
        return r == WEBSOCKET_MALFORMED ? KUBE_UPGRADE_ENDED : r;
    switch (event.kind) {
    case WEBSOCKET_GOT_NOTHING:
        return 0;
    case WEBSOCKET_GOT_MESSAGE:
        return take_message(u, from, &event, detail);
    case WEBSOCKET_GOT_PING:
    case WEBSOCKET_GOT_PONG:
    case WEBSOCKET_GOT_CLOSE:
        break;
    }
    return upgrade_pass_control(u, from, &event);
}
