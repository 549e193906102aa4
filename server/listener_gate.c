/* The gates of a connection: what each is given, and what it may ask for. */
#include "server/listener.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

enum { GATE_FDS_MAX = 5 };

/* What a gate gets besides the front and its control socket, in the order of Spawn. */
static const enum process_kind services_of_login[] = { PROCESS_VAULT, PROCESS_LEDGER, PROCESS_LAUNCHER };
static const enum process_kind services_of_enrolment[] = { PROCESS_ISSUER };

/* ---- what gates say ---- */

static int on_admitted(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    struct connection *c = part->connection;
    (void)message;
    (void)fds;
    (void)n_fds;
    if (c->phase == CONNECTION_LOGIN || c->phase == CONNECTION_ENROLLING) {
        connection_enter(c, CONNECTION_ADMITTED);
        listener_pump(c->listener);
    }
    return 0;
}

/* A socket between the gate and a service, which learns whose it is. */
static int introduce(struct connection *c, enum process_kind kind, int *ret_gate_end)
{
    struct process *service = c->listener->current[kind];
    int pair[2];
    if (!service || !service->peer)
        return -ECONNREFUSED;
    int r = fd_pair(SOCK_SEQPACKET, pair);
    if (r)
        return r;
    Ipc__Peer peer = IPC__PEER__INIT;
    peer.connection = c->id;
    peer.source_address = c->address;
    peer.source_port = c->port;
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &peer);
    r = ipc_peer_send(service->peer, &message, &pair[1], 1);
    fd_close(pair[1]);
    if (r)
        fd_close(pair[0]);
    else
        *ret_gate_end = pair[0];
    return r;
}

/* A certificate that has to be exchanged: nobody is let in by that alone. */
static int on_want_issuer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    CLEANUP(fd_close) int issuer = -1;
    (void)message;
    (void)fds;
    (void)n_fds;
    if (part->connection->phase != CONNECTION_LOGIN)
        return -EPROTO;
    int r = introduce(part->connection, PROCESS_ISSUER, &issuer);
    if (r)
        log_event(LOG_WARNING, "no_issuer", "connection", U64(part->connection->id), "detail", strerror(-r),
                  NULL);
    Ipc__IssuerGiven given = IPC__ISSUER_GIVEN__INIT;
    Ipc__Message answer = IPC_MESSAGE(ISSUER_GIVEN, issuer_given, &given);
    (void)ipc_peer_send(part->peer, &answer, &issuer, r ? 0 : 1);
    return 0;
}

void connections_tell_revocations(struct listener *l)
{
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    for (size_t i = 0; i < LISTENER_BUCKETS; i++)
        for (struct connection *c = l->table[i]; c; c = c->next)
            for (size_t k = 0; k < c->n_gates; k++)
                if (c->gates[k].peer)
                    (void)ipc_peer_send(c->gates[k].peer, &message, &l->revocations_fd, 1);
}

/* ---- making one ---- */

static struct part *free_gate_place(struct connection *c)
{
    for (size_t i = 0; i < c->n_gates; i++)
        if (part_ended(&c->gates[i]))
            return &c->gates[i];
    return c->n_gates < LISTENER_GATES_MAX ? &c->gates[c->n_gates++] : NULL;
}

static int make_part(struct connection *c, struct part *part, bool enrol, int *ret_child_end)
{
    static const struct ipc_rule login_rules[] = {
        { IPC__MESSAGE__BODY_ADMITTED, 1, true, 0, 0, on_admitted },
        { IPC__MESSAGE__BODY_WANT_ISSUER, 1, true, 0, 0, on_want_issuer },
        { IPC__MESSAGE__BODY_JUMP, 1, false, 1, 1, jump_asked },
    };
    return part_make(c, part, c->listener->current[PROCESS_GATE], "gate", login_rules, enrol ? 1 : 3,
                     ret_child_end);
}

static int make_gate(struct connection *c, bool enrol, int *ret_front_end)
{
    const enum process_kind *services = enrol ? services_of_enrolment : services_of_login;
    size_t n = enrol ? 1 : 3;
    struct part *part = free_gate_place(c);
    int fds[GATE_FDS_MAX] = { -1, -1, -1, -1, -1 }, to_front[2];
    if (!part)
        return -EMFILE;
    int r = fd_pair(SOCK_SEQPACKET, to_front);
    if (r) {
        *part = (struct part){ .connection = c };
        return r;
    }
    fds[0] = to_front[1];
    r = make_part(c, part, enrol, &fds[1]);
    for (size_t i = 0; i < n && r == 0; i++)
        r = introduce(c, services[i], &fds[2 + i]);
    if (r == 0)
        r = connection_spawn(c, c->listener->current[PROCESS_GATE], enrol, fds, 2 + n);
    for (size_t i = 0; i < GATE_FDS_MAX; i++)
        fd_close(fds[i]);
    if (r) {
        ipc_peer_free(part->peer);
        *part = (struct part){ .connection = c };
        fd_close(to_front[0]);
    } else {
        *ret_front_end = to_front[0];
    }
    return r;
}

/* fd -1: none is given, and the user is told why. */
static void answer(struct connection *c, int fd, const char *why)
{
    Ipc__GateGiven given = IPC__GATE_GIVEN__INIT;
    if (fd < 0)
        given.refused = (char *)(uintptr_t)why;
    Ipc__Message message = IPC_MESSAGE(GATE_GIVEN, gate_given, &given);
    (void)ipc_peer_send(c->front.peer, &message, &fd, fd < 0 ? 0 : 1);
}

void connection_give_gate(struct connection *c)
{
    CLEANUP(fd_close) int front_end = -1;
    const char *why = "gatehouse can't serve you at the moment; try again later";
    if (!c->wants || !processes_ready(c->listener) || !c->front.peer)
        return;
    bool enrol = c->wants == WANTS_TO_ENROL;
    c->wants = WANTS_NOTHING;
    if (enrol && !enrol_may_start(c, &why)) {
        log_event(LOG_WARNING, "enrolment_refused", "connection", U64(c->id), "address", c->address, "why",
                  why, NULL);
        answer(c, -1, why);
        return;
    }
    int r = enrol ? enrol_begin(c) : 0;
    if (r == 0)
        r = make_gate(c, enrol, &front_end);
    if (r)
        log_event(LOG_ERROR, "gate_failed", "connection", U64(c->id), "detail", strerror(-r), NULL);
    answer(c, front_end, why);
}
