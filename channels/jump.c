/* See jump.h. The inner connection is judged by its own gate, with the certificate that is shown in it; that
 * both are of one identity keeps somebody's way in from being lent to others. */
#include "channels/jump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"

enum { OUTER_MAX = 4096 }; /* bytes, as the listener takes them */

/* ---- in the outer connection's gate ---- */

static int send_jump(struct channel *channel)
{
    struct gate *gate = channel->gate;
    uint8_t packed[OUTER_MAX];
    Ipc__Outer outer = IPC__OUTER__INIT;
    Ipc__Jump jump = IPC__JUMP__INIT;
    Ipc__Message message = IPC_MESSAGE(JUMP, jump, &jump);
    outer.target = channel->target->name;
    outer.identity = gate->identity->name;
    outer.user = gate->user;
    outer.connection = gate->connection;
    if (ipc__outer__get_packed_size(&outer) > sizeof packed)
        return -E2BIG;
    jump.channel = channel->number;
    jump.outer.len = ipc__outer__pack(&outer, packed);
    jump.outer.data = packed;
    int r = ipc_peer_send(gate->listener, &message, &channel->data_fd, 1);
    fd_close(STEAL_FD(channel->data_fd));
    return r;
}

void jump_begin(struct channel *channel)
{
    if (channel->gate->outer) {
        channel_decline(channel, "a jump from within a jump is not possible; jump from the bastion itself");
        return;
    }
    int r = channel->gate->listener ? send_jump(channel) : -EPIPE;
    if (r)
        channel_decline(channel, "the bastion can't take a connection inside of this one; try again");
}

int jump_taken(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__JumpTaken *taken = message->jump_taken;
    struct channel *channel = channel_by_number(gate, taken->channel);
    (void)fds;
    (void)n_fds;
    if (!channel) /* the client has given up meanwhile: the inner connection sees it close */
        return 0;
    if (taken->refused[0]) {
        channel_decline(channel, taken->refused);
        return 0;
    }
    gate_audit(gate, "jump", "target", channel->target->name, "inner", U64(taken->connection), NULL);
    log_event(LOG_INFO, "jump", "connection", U64(gate->connection), "identity", gate->identity->name,
              "target", channel->target->name, "inner", U64(taken->connection), NULL);
    channel_accept(channel);
    channel_finish(channel, 0, NULL, "handed over");
    return 0;
}

/* ---- in the inner connection's gate ---- */

int jump_arrive(struct gate *gate, const ProtobufCBinaryData *outer)
{
    if (outer->len == 0)
        return 0;
    gate->outer = ipc__outer__unpack(NULL, outer->len, outer->data);
    return gate->outer && gate->outer->target[0] && gate->outer->identity[0] ? 0 : -EINVAL;
}

static bool has_login(const Ipc__Target *target, const char *login)
{
    for (size_t i = 0; i < target->n_logins; i++)
        if (strcmp(target->logins[i], login) == 0)
            return true;
    return strcmp(target->login, login) == 0;
}

void jump_route(struct gate *gate, const char *user)
{
    const Ipc__Target *target = gate_declared(gate, gate->outer->target);
    bool chosen = (target && has_login(target, user)) || strcmp(user, gate->outer->user) != 0;
    struct route route = { .login = "" };
    (void)snprintf(route.target, sizeof route.target, "%s", gate->outer->target);
    if (chosen)
        (void)snprintf(route.login, sizeof route.login, "%s", user);
    gate->route = route;
}

const char *jump_refuses(const struct gate *gate)
{
    if (!gate->outer || strcmp(gate->outer->identity, gate->identity->name) == 0)
        return NULL;
    return "the certificate shown here is of another identity than the one that was shown to the bastion";
}
