/* A forward is to a target, by name or by the address that it declares: what a target declares is inspected
 * as that target however it is asked for. Anything else is reached through the SSH target that the connection
 * leads to, if that one lists it. */
#include "channels/forward.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "channels/jump.h"
#include "channels/kube_door.h"
#include "channels/shared_recording.h"
#include "channels/ssh/flow.h"
#include "channels/stream.h"
#include "policy/forward_range.h"

/* What a target's kind speaks, and on which port one would look for it. */
static const struct {
    const char *kind, *protocol;
    uint32_t port;
} kinds[] = {
    { "postgres", "PostgreSQL", 5432 },
    { "ssh", "SSH", SSH_PORT },
    { "kubernetes", "HTTP (a Kubernetes API)", 443 },
};

/* ---- to a target ---- */

/* Through pipes where there are any to be had: statements are small and many (docs/adr/0035). */
static void start_stream(struct channel *channel)
{
    int ours[2], fronts[2];
    bool piped = duplex_pipes(ours, fronts) == 0;
    int socket = STEAL_FD(channel->data_fd);
    struct duplex client = piped ? duplex_of(ours[0], ours[1]) : duplex_of_socket(socket);
    if (stream_new(channel, client, true, &channel->stream))
        channel_refuse(channel, &(struct refusal){ .code = "limit", .reason = "out of memory" });
    else if (piped)
        channel_accept_on(channel, fronts);
    else
        channel_accept(channel);
    if (piped) {
        fd_close(socket);
        fd_close(fronts[0]);
        fd_close(fronts[1]);
    }
}

static bool is_host(const Ipc__Target *target)
{
    return strcmp(target->kind, "ssh") == 0;
}

static bool is_cluster(const Ipc__Target *target)
{
    return strcmp(target->kind, "kubernetes") == 0;
}

static size_t kind_of(const Ipc__Target *target)
{
    size_t kind = sizeof kinds / sizeof kinds[0] - 1;
    while (kind > 0 && strcmp(kinds[kind].kind, target->kind) != 0)
        kind--;
    return kind;
}

static void to_target(struct channel *channel, const Ipc__Target *target, uint32_t port)
{
    char reason[DETAIL_MAX];
    size_t kind = kind_of(target);
    uint32_t usual = kinds[kind].port;
    channel->target = target;
    if (port != usual && port != target->port) {
        (void)snprintf(reason, sizeof reason, "target \"%s\" speaks %s: forward to %s:%u", target->name,
                       kinds[kind].protocol, target->name, (unsigned)usual);
        channel_decline(channel, reason);
    } else if (is_host(target)) {
        jump_begin(channel);
    } else if (is_cluster(target)) {
        channel_record_shared(channel, kube_door_open);
    } else {
        channel_record(channel, start_stream);
    }
}

/* ---- which one ---- */

/* The SSH target that the connection leads to, or NULL: then it ends here. */
static const Ipc__Target *via_of(const struct gate *gate)
{
    const Ipc__Target *target = gate->route.target[0] ? gate_target(gate, gate->route.target) : NULL;
    return target && is_host(target) ? target : NULL;
}

/* Where the connection ends here, databases are reached by their names alone, and hosts by their addresses
 * too: that is how inventories of hosts have them. */
static bool may_be_asked_by_address(const Ipc__Target *target, const Ipc__Target *via)
{
    return via || is_host(target);
}

/* The target that is meant, whoever may reach it. Seen from another host its loopback address is that host's.
 */
static const Ipc__Target *meant(const struct gate *gate, const Ipc__Target *via, const char *host,
                                uint32_t port)
{
    const Ipc__Target *named = gate_declared(gate, host);
    const char *where = via && forward_is_loopback(host) ? via->host : host;
    for (size_t i = 0; !named && i < gate->config->n_targets; i++) {
        const Ipc__Target *target = gate->config->targets[i];
        if (may_be_asked_by_address(target, via) && forward_is_to(target, where, port))
            return target;
    }
    return named;
}

void forward_begin(struct channel *channel, const Ipc__Forward *forward)
{
    char reason[DETAIL_MAX];
    struct gate *gate = channel->gate;
    if (!gate->identity->forwarding) {
        channel_decline(channel, "your certificate does not permit port forwarding");
        return;
    }
    const Ipc__Target *via = via_of(gate), *target = meant(gate, via, forward->host, forward->port);
    const Ipc__Target *reached = target ? gate_target(gate, target->name) : NULL;
    if (reached) {
        to_target(channel, reached, forward->port);
        return;
    }
    if (via && !target && forward_is_listed(via, forward->host, forward->port)) {
        channel->target = via;
        ssh_flow_begin(channel, forward->host, forward->port);
        return;
    }
    if (via && !target)
        (void)snprintf(reason, sizeof reason, "target \"%s\" does not list %.100s:%u among its `forwards`",
                       via->name, forward->host, (unsigned)forward->port);
    else
        (void)snprintf(reason, sizeof reason,
                       "no target \"%.100s\" for you: `targets` lists what you may reach", forward->host);
    channel_decline(channel, reason);
}
