/* Streams of exec, attach and port-forward, from both sides: whatever they say, what goes on is what the
 * protocol allows, and nothing waits beyond its bound. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/spdy.h"
#include "channels/kube/upgrade.h"
#include "channels/kube/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int take(void *owner, const uint8_t *bytes, size_t n)
{
    (void)owner;
    return n > 0 && bytes[0] == 0xff && bytes[n - 1] == 0xff ? -EIO : 0; /* some can't be recorded */
}

static int output(void *owner, const struct kube_lane *lane, const uint8_t *bytes, size_t n,
                  struct buffer *shown)
{
    (void)owner;
    (void)lane;
    return buffer_append(shown, bytes, n);
}

static int output_ended(void *owner, const struct kube_lane *lane, struct buffer *shown)
{
    (void)owner;
    (void)lane;
    (void)shown;
    return 0;
}

static int exited(void *owner, const struct kube_exit *exit)
{
    (void)owner;
    if (strlen(exit->message) >= sizeof exit->message)
        abort();
    return 0;
}

static const struct kube_upgrade_calls calls = {
    .input = take, .output = output, .output_ended = output_ended, .exited = exited
};

/* What a side gets is read as its protocol. */
struct hearing {
    struct websocket_reader *messages;
    struct spdy_reader *frames;
};

static void hear_frames(struct hearing *hearing, const uint8_t *bytes, size_t n)
{
    struct spdy_event event;
    for (size_t at = 0, taken = 0; at < n; at += taken)
        if (spdy_reader_next(hearing->frames, bytes + at, n - at, &taken, &event, NULL))
            abort();
}

static void hear(struct hearing *hearing, enum kube_upgrade_kind kind, struct buffer *out)
{
    struct websocket_event event;
    if (buffer_size(out) > KUBE_UPGRADE_WAITING_MAX)
        abort();
    if (kind == KUBE_UPGRADE_STREAMS)
        hear_frames(hearing, buffer_head(out), buffer_size(out));
    size_t n = buffer_size(out), taken = 0;
    for (size_t at = 0; kind != KUBE_UPGRADE_STREAMS && at < n; at += taken) {
        if (websocket_reader_next(hearing->messages, buffer_head(out) + at, n - at, &taken, &event, NULL))
            abort();
        if (event.kind == WEBSOCKET_GOT_MESSAGE && kind == KUBE_UPGRADE_TUNNEL)
            hear_frames(hearing, event.bytes, event.n);
    }
    buffer_consume(out, n);
}

static void talk(struct kube_upgrade *upgrade, enum kube_upgrade_kind kind, struct hearing hearing[2],
                 const uint8_t *bytes, size_t n)
{
    struct detail detail;
    int r = 0;
    for (size_t at = 0; r == 0 && at + 2 <= n;) {
        enum kube_side from = bytes[at] & 1 ? KUBE_SERVER : KUBE_CLIENT;
        size_t length = (size_t)(bytes[at] >> 1) << 8 | bytes[at + 1], taken = 0;
        at += 2;
        length = length < n - at ? length : n - at;
        r = kube_upgrade_read(upgrade, from, bytes + at, length, &taken, &detail);
        at += length;
        for (unsigned side = 0; side < 2; side++)
            hear(&hearing[side], kind, kube_upgrade_out(upgrade, side));
    }
    if (r == 0 && kube_upgrade_close(upgrade, KUBE_SERVER))
        abort();
    kube_upgrade_stop(upgrade, "enough");
    for (unsigned side = 0; side < 2; side++)
        hear(&hearing[side], kind, kube_upgrade_out(upgrade, side));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct {
        const char *target;
        struct kube_agreement agreement;
    } kinds[] = {
        { "/api/v1/namespaces/a/pods/b/exec?stdin=1", { KUBE_UPGRADE_CHANNELS, "v5.channel.k8s.io" } },
        { "/api/v1/namespaces/a/pods/b/exec?stdin=1&tty=1",
          { KUBE_UPGRADE_CHANNELS, "v4.base64.channel.k8s.io" } },
        { "/api/v1/namespaces/a/pods/b/exec?stdin=1", { KUBE_UPGRADE_STREAMS, "v4.channel.k8s.io" } },
        { "/api/v1/namespaces/a/pods/b/portforward", { KUBE_UPGRADE_STREAMS, "portforward.k8s.io" } },
        { "/api/v1/namespaces/a/pods/b/portforward?ports=1,2",
          { KUBE_UPGRADE_CHANNELS, "v4.channel.k8s.io" } },
        { "/api/v1/namespaces/a/pods/b/portforward", { KUBE_UPGRADE_TUNNEL, "SPDY/3.1+portforward.k8s.io" } },
    };
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(kube_upgrade_free) struct kube_upgrade *upgrade = NULL;
    struct hearing hearing[2] = { { NULL, NULL }, { NULL, NULL } };
    if (n < 1)
        return 0;
    size_t kind = bytes[0] % (sizeof kinds / sizeof kinds[0]);
    if (kube_request_read("GET", kinds[kind].target, &request, NULL) ||
        kube_upgrade_new(request, &kinds[kind].agreement, &calls, NULL, &upgrade))
        abort();
    for (unsigned side = 0; side < 2; side++)
        if (websocket_reader_new(side == KUBE_CLIENT ? WEBSOCKET_OF_SERVER : WEBSOCKET_OF_CLIENT,
                                 &hearing[side].messages) ||
            spdy_reader_new(&hearing[side].frames))
            abort();
    talk(upgrade, kinds[kind].agreement.kind, hearing, bytes + 1, n - 1);
    for (unsigned side = 0; side < 2; side++) {
        websocket_reader_free(hearing[side].messages);
        spdy_reader_free(hearing[side].frames);
    }
    return 0;
}
