/* Streams of SPDY (k8s.io/apimachinery, pkg/util/httpstream/spdy; client-go, tools/remotecommand and
 * tools/portforward). The client opens them, and says by headers what they are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/kube/upgrade_parts.h"

enum { REQUEST_ID_MAX = 64 };

/* ---- writing ---- */

struct buffer *upgrade_inner(struct kube_upgrade *u, enum kube_side to)
{
    return u->kind == KUBE_UPGRADE_TUNNEL ? &u->ends[to].inner : &u->ends[to].out;
}

int upgrade_wrap(struct kube_upgrade *u)
{
    int r = 0;
    for (unsigned to = 0; u->kind == KUBE_UPGRADE_TUNNEL && to < 2 && r == 0; to++) {
        struct buffer *inner = &u->ends[to].inner;
        if (buffer_size(inner) == 0)
            continue;
        r = websocket_put(&u->ends[to].out, to == KUBE_CLIENT ? WEBSOCKET_OF_SERVER : WEBSOCKET_OF_CLIENT,
                          WEBSOCKET_BINARY, buffer_head(inner), buffer_size(inner));
        buffer_consume(inner, buffer_size(inner));
    }
    return r;
}

int upgrade_put(struct kube_upgrade *u, enum kube_side to, const struct lane *lane, const void *bytes,
                size_t n)
{
    if (u->kind == KUBE_UPGRADE_CHANNELS)
        return upgrade_put_channel(u, to, lane, bytes, n);
    return n ? spdy_put_data(upgrade_inner(u, to), lane->seen.id, false, bytes, n) : 0;
}

int upgrade_put_end(struct kube_upgrade *u, enum kube_side to, const struct lane *lane)
{
    if (u->kind == KUBE_UPGRADE_CHANNELS)
        return upgrade_put_channel_end(u, to, lane);
    return spdy_put_data(upgrade_inner(u, to), lane->seen.id, true, NULL, 0);
}

/* ---- a new stream ---- */

static const char *const exec_types[] = {
    [KUBE_STDIN] = "stdin", [KUBE_STDOUT] = "stdout", [KUBE_STDERR] = "stderr",
    [KUBE_ERROR] = "error", [KUBE_RESIZE] = "resize",
};

static bool exec_kind(const struct kube_upgrade *u, const char *type, enum kube_lane_kind *ret)
{
    for (unsigned i = 0; i < sizeof exec_types / sizeof exec_types[0]; i++) {
        if (strcmp(exec_types[i], type) != 0)
            continue;
        *ret = (enum kube_lane_kind)i;
        return !upgrade_lane_of(u, *ret);
    }
    return false;
}

static bool forward_kind(const struct spdy_headers *headers, const char *type, enum kube_lane_kind *ret,
                         uint64_t *ret_port)
{
    const char *port = spdy_header(headers, "port"), *request = spdy_header(headers, "requestid");
    if (!port || !text_to_u64(port, UINT16_MAX, ret_port) || *ret_port == 0 ||
        (request && strlen(request) > REQUEST_ID_MAX))
        return false;
    *ret = strcmp(type, "error") == 0 ? KUBE_ERROR : KUBE_PORT;
    return *ret == KUBE_ERROR || strcmp(type, "data") == 0;
}

/* Those that are known, as they were understood. */
static void write_headers(const struct kube_upgrade *u, const struct lane *lane,
                          const struct spdy_headers *in, char port[24], struct spdy_headers *out)
{
    const char *request = spdy_header(in, "requestid");
    bool data = lane->seen.kind == KUBE_PORT;
    *out = (struct spdy_headers){ .n = 0 };
    out->pairs[out->n++] = (struct spdy_pair){ "streamtype", data ? "data" : exec_types[lane->seen.kind] };
    if (!u->forwards)
        return;
    out->pairs[out->n++] = (struct spdy_pair){ "port", text_u64(port, lane->seen.port) };
    if (request)
        out->pairs[out->n++] = (struct spdy_pair){ "requestid", request };
}

static int open_lane(struct kube_upgrade *u, const struct spdy_event *event, struct lane **ret,
                     struct detail *detail)
{
    const char *type = spdy_header(event->headers, "streamtype");
    enum kube_lane_kind kind = KUBE_PORT;
    uint64_t port = 0;
    bool known =
        type && (u->forwards ? forward_kind(event->headers, type, &kind, &port) : exec_kind(u, type, &kind));
    if (!known)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a stream that is none of this request's");
    if (u->n_lanes == KUBE_LANES_MAX)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "more than %d streams at once", KUBE_LANES_MAX);
    *ret = upgrade_open(u, kind, event->stream, (uint32_t)port);
    return *ret ? 0 : -ENOMEM;
}

static int got_stream(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                      struct detail *detail)
{
    struct spdy_headers headers;
    struct lane *lane = NULL;
    char port[24] = "";
    if (from == KUBE_SERVER || event->stream % 2 == 0 || event->stream <= u->last_stream)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a stream is opened where none can be");
    u->last_stream = event->stream;
    int r = open_lane(u, event, &lane, detail);
    if (r == 0 && lane->seen.kind == KUBE_PORT && u->calls->opened)
        r = u->calls->opened(u->owner, &lane->seen);
    if (r)
        return r;
    write_headers(u, lane, event->headers, port, &headers);
    r = spdy_put_stream(u->ends[KUBE_SERVER].packer, upgrade_inner(u, KUBE_SERVER), event->stream, false,
                        &headers);
    return r || !event->fin ? r : upgrade_end_lane(u, from, lane);
}

/* ---- the other frames ---- */

static bool is_past(const struct kube_upgrade *u, uint32_t stream)
{
    return stream % 2 == 1 && stream <= u->last_stream;
}

static int got_reply(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                     struct detail *detail)
{
    static const struct spdy_headers none;
    struct lane *lane = upgrade_lane(u, event->stream);
    if (from == KUBE_CLIENT || !is_past(u, event->stream) || (lane && lane->replied))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a reply to nothing");
    if (!lane)
        return 0;
    lane->replied = true;
    int r = spdy_put_reply(u->ends[KUBE_CLIENT].packer, upgrade_inner(u, KUBE_CLIENT), event->stream, false,
                           &none);
    return r || !event->fin ? r : upgrade_end_lane(u, from, lane);
}

static int got_reset(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                     struct detail *detail)
{
    struct lane *lane = upgrade_lane(u, event->stream);
    if (!is_past(u, event->stream))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a reset of no stream");
    if (!lane)
        return 0;
    lane->reset = true;
    /* What came before it is not lost with it; the end of the lane may be its last. */
    int r = from == KUBE_SERVER && !lane->ended[from] ? upgrade_end_lane(u, from, lane) : 0;
    r = r ? r : spdy_put_reset(upgrade_inner(u, kube_other(from)), event->stream, event->status);
    lane = upgrade_lane(u, event->stream);
    return r || !lane ? r : upgrade_drop(u, lane);
}

static int got_goaway(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                      struct detail *detail)
{
    (void)detail;
    int r = from == KUBE_SERVER ? upgrade_flush(u) : 0;
    u->ends[from].closed = true;
    return r ? r : spdy_put_goaway(upgrade_inner(u, kube_other(from)), event->stream, event->status);
}

static int got_ping(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                    struct detail *detail)
{
    (void)detail;
    return spdy_put_ping(upgrade_inner(u, kube_other(from)), event->id);
}

static int got_data(struct kube_upgrade *u, enum kube_side from, const struct spdy_event *event,
                    struct detail *detail)
{
    struct lane *lane = upgrade_lane(u, event->stream);
    if (!is_past(u, event->stream))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "data of a stream that was not opened");
    if (!lane)
        return 0; /* it was reset, and the sender did not know yet */
    int r = event->n ? upgrade_bytes(u, from, lane, event->bytes, event->n, false, detail) : 0;
    return r || !event->fin ? r : upgrade_end_lane(u, from, lane);
}

static int read_frame(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                      size_t *ret_taken, struct detail *detail)
{
    static int (*const handlers[])(struct kube_upgrade *, enum kube_side, const struct spdy_event *,
                                   struct detail *) = {
        [SPDY_GOT_STREAM] = got_stream, [SPDY_GOT_REPLY] = got_reply,   [SPDY_GOT_RESET] = got_reset,
        [SPDY_GOT_PING] = got_ping,     [SPDY_GOT_GOAWAY] = got_goaway, [SPDY_GOT_DATA] = got_data,
    };
    struct spdy_event event;
    int r = spdy_reader_next(u->ends[from].frames, bytes, n, ret_taken, &event, detail);
    if (r)
        return r == SPDY_MALFORMED ? KUBE_UPGRADE_ENDED : r;
    return event.kind == SPDY_GOT_NOTHING ? 0 : handlers[event.kind](u, from, &event, detail);
}

/* ---- in a WebSocket ---- */

static int read_tunnel(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                       size_t *ret_taken, struct detail *detail)
{
    struct websocket_event event;
    int r = websocket_reader_next(u->ends[from].messages, bytes, n, ret_taken, &event, detail);
    if (r)
        return r == WEBSOCKET_MALFORMED ? KUBE_UPGRADE_ENDED : r;
    if (event.kind == WEBSOCKET_GOT_NOTHING)
        return 0;
    if (event.kind != WEBSOCKET_GOT_MESSAGE)
        return upgrade_pass_control(u, from, &event);
    if (event.text)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "a message of text, where SPDY is spoken");
    for (size_t at = 0, taken = 0; r == 0 && at < event.n; at += taken)
        r = read_frame(u, from, event.bytes + at, event.n - at, &taken, detail);
    return r ? r : upgrade_wrap(u);
}

int upgrade_read_streams(struct kube_upgrade *u, enum kube_side from, const uint8_t *bytes, size_t n,
                         size_t *ret_taken, struct detail *detail)
{
    return u->kind == KUBE_UPGRADE_TUNNEL ? read_tunnel(u, from, bytes, n, ret_taken, detail)
                                          : read_frame(u, from, bytes, n, ret_taken, detail);
}
