/* See kube_door.h. HTTP begins with a letter, a ClientHello with 0x16 (RFC 8446, 5.1): one byte tells. Where
 * TLS is served, a pair of sockets stands in for the client, and a tls_pump between. */
#include "channels/kube_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/house_tls.h"
#include "channels/kube_stream.h"
#include "channels/tls.h"
#include "channels/tls_pump.h"

struct kube_door {
    struct channel *channel;
    struct source *client; /* until the first byte */
    struct house_tls_question *question;
    struct timer *limit;
};

void kube_door_free(struct kube_door *door)
{
    if (!door)
        return;
    source_free(door->client);
    house_tls_forget(door->question);
    timer_free(door->limit);
    free(door);
}

static void close_door(struct kube_door *door, const char *reason)
{
    struct channel *channel = door->channel;
    kube_door_free(STEAL(channel->kube_door));
    channel_finish(channel, 0, NULL, reason);
}

static void enter(struct kube_door *door, int client_fd)
{
    struct channel *channel = door->channel;
    kube_door_free(STEAL(channel->kube_door));
    if (kube_stream_new(channel, client_fd, true, &channel->kube_stream))
        channel_finish(channel, 0, NULL, "out of memory");
}

/* The client can't be told in words. */
static void give_up(struct kube_door *door, const struct refusal *why)
{
    static const uint8_t internal_error[] = { 0x15, 3, 3, 0, 2, 2, 80 }; /* RFC 8446, 6.2: a fatal alert */
    const struct channel *channel = door->channel;
    log_event(LOG_WARNING, "tls_not_served", "connection", U64(channel->gate->connection), "target",
              channel->target->name, "code", why->code, "reason", why->reason, NULL);
    (void)!send(channel->data_fd, internal_error, sizeof internal_error, MSG_DONTWAIT | MSG_NOSIGNAL);
    close_door(door, why->code);
}

static void certificate_came(void *owner, const struct house_tls *given, const struct refusal *why)
{
    struct kube_door *door = owner;
    struct channel *channel = door->channel;
    int pair[2];
    door->question = NULL;
    if (why) {
        give_up(door, why);
        return;
    }
    if (fd_pair(SOCK_STREAM, pair)) {
        close_door(door, "out of descriptors");
        return;
    }
    int inner = pair[1];
    if (tls_pump_begin(channel->gate->loop, given->server, STEAL_FD(channel->data_fd), pair[0])) {
        fd_close(inner);
        close_door(door, "out of memory");
        return;
    }
    enter(door, inner);
}

static void took_too_long(void *owner)
{
    give_up(owner, &(struct refusal){ .code = "target_unavailable",
                                      .reason = "the vault gave no certificate in time" });
}

static void look(void *owner, uint32_t ready)
{
    struct kube_door *door = owner;
    struct channel *channel = door->channel;
    uint8_t first = 0;
    (void)ready;
    ssize_t n = recv(channel->data_fd, &first, sizeof first, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_door(door, "closed");
        return;
    }
    source_free(STEAL(door->client));
    if (first != TLS_FIRST_BYTE) {
        enter(door, STEAL_FD(channel->data_fd));
        return;
    }
    timer_set(door->limit, KUBE_DOOR_ASK_MS);
    if (house_tls_ask(channel->gate, channel->target, certificate_came, door, &door->question))
        give_up(door, &(struct refusal){ .code = "target_unavailable", .reason = "the vault is not there" });
}

void kube_door_open(struct channel *channel)
{
    struct kube_door *door = calloc(1, sizeof *door);
    int r = door ? 0 : -ENOMEM;
    channel->kube_door = door;
    if (door)
        door->channel = channel;
    r = r ? r : timer_new(channel->gate->loop, took_too_long, door, &door->limit);
    r = r ? r : source_new(channel->gate->loop, channel->data_fd, LOOP_READ, look, door, &door->client);
    if (r)
        channel_refuse(channel, &(struct refusal){ .code = "limit", .reason = "out of memory" });
    else
        channel_accept(channel);
}
