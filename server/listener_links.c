/* Services that talk to each other, and the list of what is revoked, which the issuer keeps and others need.
 *
 * The listener reads neither: it makes the sockets, and passes the list's descriptor on. Messages on one
 * socket keep their order, so whoever is given a list before a connection has it by then. */
#include "server/listener.h"

#include <string.h>

#include "base/io.h"
#include "base/log.h"

static const struct {
    enum process_kind one, other;
} links[LISTENER_LINKS] = { { PROCESS_ISSUER, PROCESS_COURIER },
                            { PROCESS_ISSUER, PROCESS_LEDGER },
                            { PROCESS_LEDGER, PROCESS_COURIER },
                            { PROCESS_VAULT, PROCESS_LEDGER } };

static int give_end(struct listener *l, enum process_kind to, enum process_kind about, int fd)
{
    Ipc__Link body = IPC__LINK__INIT;
    body.process = (char *)(uintptr_t)process_name(about);
    Ipc__Message message = IPC_MESSAGE(LINK, link, &body);
    return ipc_peer_send(l->current[to]->peer, &message, &fd, 1);
}

/* When one end can't be given the other is closed, and its process sees that. */
static void make_link(struct listener *l, enum process_kind one, enum process_kind other)
{
    int pair[2];
    int r = fd_pair(SOCK_SEQPACKET, pair);
    if (r == 0) {
        r = give_end(l, one, other, pair[0]);
        if (r == 0)
            r = give_end(l, other, one, pair[1]);
        fd_close(pair[0]);
        fd_close(pair[1]);
    }
    if (r)
        log_event(LOG_ERROR, "link_failed", "one", process_name(one), "other", process_name(other), "detail",
                  strerror(-r), NULL);
}

static bool is_there(const struct listener *l, enum process_kind kind)
{
    return l->current[kind] && l->current[kind]->peer;
}

void links_make(struct listener *l, enum process_kind kind)
{
    for (size_t i = 0; i < LISTENER_LINKS; i++)
        if ((links[i].one == kind || links[i].other == kind) && is_there(l, links[i].one) &&
            is_there(l, links[i].other))
            make_link(l, links[i].one, links[i].other);
}

/* ---- what is revoked ---- */

void revocations_tell(struct listener *l, struct process *p)
{
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    if (l->revocations_fd < 0 || !p->peer || p->retired)
        return;
    if (p->kind == PROCESS_GATE || p->kind == PROCESS_VAULT || p->kind == PROCESS_ISSUER)
        (void)ipc_peer_send(p->peer, &message, &l->revocations_fd, 1);
}

void revocations_take(struct listener *l, int *fd)
{
    fd_close(l->revocations_fd);
    l->revocations_fd = STEAL_FD(*fd);
    for (struct process *p = l->processes; p; p = p->next)
        if (p->kind != PROCESS_ISSUER) /* it is the one who told us */
            revocations_tell(l, p);
    connections_tell_revocations(l);
}
