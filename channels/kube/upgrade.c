/* One upgrade is two conversations, with the client and with the server, joined by the streams that both
 * know: upgrade_lane.c says what those are, upgrade_channel.c and upgrade_stream.c how they are written.
 *
 * Bounds: what a step of reading adds to what waits is at most what is read at once and what was held, in its
 * protocol's form; no step is taken while more than KUBE_UPGRADE_ENOUGH waits for either side. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "channels/kube/upgrade_parts.h"

enum { SHOWN_MAX = 2 * 1024 * 1024 }; /* a terminal whose masks change is drawn anew */

/* ---- life ---- */

static void end_free(struct upgrade_end *end)
{
    websocket_reader_free(end->messages);
    spdy_reader_free(end->frames);
    spdy_packer_free(end->packer);
    buffer_free(&end->inner);
    buffer_free(&end->out);
}

void kube_upgrade_free(struct kube_upgrade *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->n_lanes; i++)
        upgrade_lane_free(u->lanes[i]);
    free(u->lanes);
    end_free(&u->ends[KUBE_CLIENT]);
    end_free(&u->ends[KUBE_SERVER]);
    buffer_free(&u->shown);
    free(u);
}

static int end_fill(struct upgrade_end *end, enum kube_upgrade_kind kind, enum kube_side side)
{
    int r = 0;
    buffer_init(&end->inner, KUBE_UPGRADE_WAITING_MAX - WEBSOCKET_HEAD_MAX);
    buffer_init(&end->out, KUBE_UPGRADE_WAITING_MAX);
    if (kind != KUBE_UPGRADE_STREAMS)
        r = websocket_reader_new(side == KUBE_CLIENT ? WEBSOCKET_OF_CLIENT : WEBSOCKET_OF_SERVER,
                                 &end->messages);
    if (r == 0 && kind != KUBE_UPGRADE_CHANNELS)
        r = spdy_reader_new(&end->frames);
    if (r == 0 && kind != KUBE_UPGRADE_CHANNELS)
        r = spdy_packer_new(&end->packer);
    return r;
}

/* As the server reads a query (k8s.io/apimachinery, pkg/runtime/conversion.go). */
static bool is_asked(const struct kube_request *request, const char *name)
{
    const char *value = kube_request_parameter(request, name);
    return value && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0;
}

/* "80,443", perhaps more than once. More than KUBE_PORTS_MAX, or what is none, is left out: data for it finds
 * no stream. */
static void read_ports(struct kube_upgrade *u, const struct kube_request *request)
{
    for (size_t i = 0; i < request->n_query; i++) {
        if (strcmp(request->query[i].name, "ports") != 0)
            continue;
        const char *at = request->query[i].value;
        while (*at && u->n_ports < KUBE_PORTS_MAX) {
            char text[8] = "";
            uint64_t port = 0;
            size_t n = strcspn(at, ",");
            if (n < sizeof text)
                memcpy(text, at, n);
            if (!text_to_u64(text, UINT16_MAX, &port))
                return;
            u->ports[u->n_ports++] = (uint16_t)port;
            at += n + (at[n] == ',');
        }
    }
}

static int open_ports(struct kube_upgrade *u)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < u->n_ports; i++) {
        const struct lane *data = upgrade_open(u, KUBE_PORT, 2 * i, u->ports[i]);
        if (!data || !upgrade_open(u, KUBE_ERROR, 2 * i + 1, u->ports[i]))
            return -ENOMEM;
        r = u->calls->opened ? u->calls->opened(u->owner, &data->seen) : 0;
    }
    return r;
}

/* Of a WebSocket they are all there from the beginning. */
static int open_channels(struct kube_upgrade *u)
{
    if (u->forwards)
        return open_ports(u);
    for (enum kube_lane_kind kind = KUBE_STDIN; kind <= KUBE_RESIZE; kind++)
        if (!upgrade_open(u, kind, kind, 0))
            return -ENOMEM;
    return 0;
}

static void read_protocol(struct kube_upgrade *u, const struct kube_agreement *agreement)
{
    const char *protocol = agreement->protocol;
    u->kind = agreement->kind;
    u->closes = strncmp(protocol, "v5.", 3) == 0;
    u->says_status = u->closes || strncmp(protocol, "v4.", 3) == 0;
    u->base64 = strstr(protocol, "base64.") != NULL;
}

int kube_upgrade_new(const struct kube_request *request, const struct kube_agreement *agreement,
                     const struct kube_upgrade_calls *calls, void *owner, struct kube_upgrade **ret)
{
    CLEANUP(kube_upgrade_free) struct kube_upgrade *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->calls = calls;
    u->owner = owner;
    buffer_init(&u->shown, SHOWN_MAX);
    read_protocol(u, agreement);
    u->forwards = strcmp(request->subresource, "portforward") == 0;
    u->terminal = !u->forwards && is_asked(request, "tty");
    u->takes_input = !u->forwards && is_asked(request, "stdin");
    if (u->forwards)
        read_ports(u, request);
    int r = end_fill(&u->ends[KUBE_CLIENT], u->kind, KUBE_CLIENT);
    r = r ? r : end_fill(&u->ends[KUBE_SERVER], u->kind, KUBE_SERVER);
    if (r == 0 && u->kind == KUBE_UPGRADE_CHANNELS)
        r = open_channels(u);
    if (r == 0)
        *ret = STEAL(u);
    return r;
}

bool kube_upgrade_is_terminal(const struct kube_upgrade *u)
{
    return u->terminal;
}

bool kube_upgrade_is_over(const struct kube_upgrade *u)
{
    return u->over;
}

struct buffer *kube_upgrade_out(struct kube_upgrade *u, enum kube_side to)
{
    return &u->ends[to].out;
}

/* ---- reading ---- */

static bool has_room(const struct kube_upgrade *u)
{
    return buffer_size(&u->ends[KUBE_CLIENT].out) < KUBE_UPGRADE_ENOUGH &&
           buffer_size(&u->ends[KUBE_SERVER].out) < KUBE_UPGRADE_ENOUGH;
}

bool kube_upgrade_wants(const struct kube_upgrade *u)
{
    return u->over || has_room(u);
}

int kube_upgrade_read(struct kube_upgrade *u, enum kube_side from, const void *bytes, size_t n,
                      size_t *ret_taken, struct detail *detail)
{
    const uint8_t *at = bytes;
    size_t left = n;
    int r = 0;
    while (r == 0 && !u->over && left > 0 && has_room(u)) {
        size_t step = left < KUBE_UPGRADE_STEP_MAX ? left : KUBE_UPGRADE_STEP_MAX, taken = 0;
        r = u->kind == KUBE_UPGRADE_CHANNELS ? upgrade_read_channels(u, from, at, step, &taken, detail)
                                             : upgrade_read_streams(u, from, at, step, &taken, detail);
        at += taken;
        left -= taken;
    }
    if (r == KUBE_UPGRADE_ENDED)
        kube_upgrade_stop(u, detail->text);
    *ret_taken = u->over ? n : n - left;
    return r;
}

int kube_upgrade_close(struct kube_upgrade *u, enum kube_side from)
{
    int r = 0;
    if (u->over)
        return 0;
    u->ends[from].closed = true;
    if (from == KUBE_SERVER) {
        r = upgrade_finish(u);
        r = r ? r : upgrade_wrap(u);
    }
    return r;
}

/* ---- the end from here ---- */

/* So that kubectl prints it. */
static int tell_why(struct kube_upgrade *u, const char *reason)
{
    static const struct spdy_headers none;
    struct buffer text;
    int r = 0;
    buffer_init(&text, KUBE_ERROR_MAX);
    for (size_t i = 0; r == 0 && i < u->n_lanes; i++) {
        struct lane *lane = u->lanes[i];
        if (lane->seen.kind != KUBE_ERROR || lane->ended[KUBE_SERVER])
            continue;
        if (u->kind != KUBE_UPGRADE_CHANNELS && !lane->replied)
            r = spdy_put_reply(u->ends[KUBE_CLIENT].packer, upgrade_inner(u, KUBE_CLIENT), lane->seen.id,
                               false, &none);
        buffer_consume(&text, buffer_size(&text));
        r = r ? r : kube_exit_put(reason, u->says_status && !u->forwards, &text);
        r = r ? r : upgrade_put(u, KUBE_CLIENT, lane, buffer_head(&text), buffer_size(&text));
        lane->ended[KUBE_SERVER] = true;
        if (r == 0 && u->kind != KUBE_UPGRADE_CHANNELS)
            r = upgrade_put_end(u, KUBE_CLIENT, lane);
    }
    buffer_free(&text);
    return r;
}

static int say_farewell(struct kube_upgrade *u, enum kube_side to, const char *reason)
{
    bool client = to == KUBE_CLIENT;
    int r = 0;
    if (u->kind != KUBE_UPGRADE_CHANNELS)
        r = spdy_put_goaway(upgrade_inner(u, to), client ? u->last_stream : 0,
                            client ? SPDY_GOAWAY_PROTOCOL_ERROR : SPDY_GOAWAY_OK);
    r = r ? r : upgrade_wrap(u);
    /* Where a close has been passed on to it already, nothing may follow. */
    if (r || u->kind == KUBE_UPGRADE_STREAMS || u->ends[kube_other(to)].closed)
        return r;
    return client ? websocket_put_close(&u->ends[to].out, WEBSOCKET_OF_SERVER, WEBSOCKET_POLICY, reason)
                  : websocket_put_close(&u->ends[to].out, WEBSOCKET_OF_CLIENT, WEBSOCKET_GOING_AWAY, NULL);
}

/* What can't be written any more (no memory, no room) is not said: the connections end all the same. */
void kube_upgrade_stop(struct kube_upgrade *u, const char *reason)
{
    if (u->over)
        return;
    bool open = !u->ends[KUBE_SERVER].closed || u->kind == KUBE_UPGRADE_STREAMS;
    int r = 0;
    if (open) {
        (void)!upgrade_flush(u); /* what can't be recorded is not shown */
        r = tell_why(u, reason);
    }
    if (r == 0)
        r = say_farewell(u, KUBE_CLIENT, reason);
    if (r == 0)
        r = say_farewell(u, KUBE_SERVER, reason);
    (void)r;
    u->over = true;
}
