/* `ssh -J bastion web1`: a forwarded channel to the SSH port of a target is handed back by its gate, and
 * becomes one more incoming connection: a front and a gate of its own, which checks the certificate that is
 * shown in it. What distinguishes it is told from gate to gate, through us and unread; its front knows
 * nothing of it.
 *
 * It counts for the source of the connection that it runs inside of: the bastion is nobody's client, and what
 * goes wrong is not to be laid to its own address. */
#include "server/listener.h"

#include <errno.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

/* NULL, or why there can't be another one; fit for the user. */
static const char *why_not(const struct connection *c)
{
    if (c->outer)
        return "a jump from within a jump is not possible; jump from the bastion itself";
    if (c->listener->phase != LISTENER_RUNNING)
        return "the bastion is shutting down; try again later";
    if (c->inner >= LIMIT_JUMPS)
        return "too many connections are open inside of this one; close some, or connect again";
    return NULL;
}

static void answer(struct part *part, uint32_t channel, const char *refused, uint64_t inner)
{
    Ipc__JumpTaken taken = IPC__JUMP_TAKEN__INIT;
    Ipc__Message message = IPC_MESSAGE(JUMP_TAKEN, jump_taken, &taken);
    taken.channel = channel;
    taken.connection = inner;
    if (refused)
        taken.refused = (char *)(uintptr_t)refused;
    (void)ipc_peer_send(part->peer, &message, NULL, 0);
}

int jump_asked(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    struct connection *c = part->connection;
    const Ipc__Jump *jump = message->jump;
    (void)n_fds;
    if (c->phase != CONNECTION_ADMITTED || jump->outer.len == 0 || jump->outer.len > LISTENER_OUTER_MAX)
        return -EPROTO;
    const char *refused = why_not(c);
    struct connection *inner = NULL;
    if (!refused) {
        inner = connection_new_inner(c, STEAL_FD(fds[0]), jump->outer.data, jump->outer.len);
        refused = inner ? NULL : "the bastion is out of memory; try again later";
    }
    if (refused)
        log_event(LOG_WARNING, "jump_refused", "connection", U64(c->id), "address", c->address, "why",
                  refused, NULL);
    else
        log_event(LOG_DEBUG, "jump", "connection", U64(inner->id), "outer", U64(c->id), NULL);
    answer(part, jump->channel, refused, inner ? inner->id : 0);
    if (inner)
        listener_watch(inner);
    return 0;
}
