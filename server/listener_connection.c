/* Connections that have a front, and then a gate (listener_gate.c).
 *
 * A part (front or gate) has ended when its control socket closes. Its zygote tells how, by ChildExited, just
 * before or after; a connection is forgotten when both have come for all of its parts. A zygote that died
 * itself tells nothing more, and its children's sockets alone count. */
#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "server/front_exit.h"

enum { KNOWN_KEYS_OF_LOGIN = 8 };

/* ---- phases ---- */

static void count_front(struct connection *c, int change)
{
    size_t *total = c->was_silent ? &c->listener->silent_fronts : &c->listener->fronts;
    *total = change > 0 ? *total + 1 : *total - 1;
    if (!c->was_silent)
        limits_count(c->listener->limits, &c->key, LIMITS_FRONTS, change);
}

static void begin_phase(struct connection *c, enum connection_phase phase)
{
    struct listener *l = c->listener;
    c->phase = phase;
    if (phase == CONNECTION_WAITING) {
        queue_add(&l->waiting, c, false);
        limits_count(l->limits, &c->key, LIMITS_WAITING, 1);
    } else if (phase == CONNECTION_LOGIN) {
        c->was_silent = !c->heard;
        c->front_ms = clock_ms();
        queue_add(&l->logins, c, true);
        count_front(c, 1);
    } else if (phase == CONNECTION_ENROLLING) {
        l->enrolling++;
        limits_count(l->limits, &c->key, LIMITS_ENROLLING, 1);
    }
}

static void leave_phase(struct connection *c)
{
    struct listener *l = c->listener;
    if (c->phase == CONNECTION_WAITING) {
        queue_remove(&l->waiting, c, false);
        limits_count(l->limits, &c->key, LIMITS_WAITING, -1);
    } else if (c->phase == CONNECTION_LOGIN) {
        queue_remove(&l->logins, c, true);
        count_front(c, -1);
    } else if (c->phase == CONNECTION_ENROLLING) {
        l->enrolling--;
        limits_count(l->limits, &c->key, LIMITS_ENROLLING, -1);
    }
}

void connection_enter(struct connection *c, enum connection_phase phase)
{
    leave_phase(c);
    begin_phase(c, phase);
}

/* ---- life ---- */

static void describe_source(struct connection *c, const struct sockaddr_storage *from)
{
    const void *ip;
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        c->port = ntohs(six->sin6_port);
        ip = &six->sin6_addr;
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)from;
        c->port = ntohs(four->sin_port);
        ip = &four->sin_addr;
    }
    (void)inet_ntop(from->ss_family, ip, c->address, sizeof c->address);
    c->key = limits_key_of(from);
    c->exempt = limits_is_exempt(from);
}

static struct connection *make(struct listener *l, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c) {
        fd_close(fd);
        return NULL;
    }
    *c = (struct connection){
        .listener = l, .id = ++l->last_id, .fd = fd, .accepted_us = clock_us(), .accepted_ms = clock_ms()
    };
    table_add(c);
    l->connections++;
    return c;
}

struct connection *connection_new(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    struct connection *c = make(l, fd);
    if (!c)
        return NULL;
    describe_source(c, from);
    begin_phase(c, CONNECTION_WAITING);
    return c;
}

struct connection *connection_new_inner(struct connection *outer, int fd, const uint8_t *says, size_t n)
{
    uint8_t *copy = malloc(n);
    struct connection *c = copy ? make(outer->listener, fd) : NULL;
    if (!c) {
        if (!copy)
            fd_close(fd);
        free(copy);
        return NULL;
    }
    memcpy(copy, says, n);
    memcpy(c->address, outer->address, sizeof c->address);
    c->port = outer->port;
    c->key = outer->key;
    c->exempt = outer->exempt;
    c->outer = outer->id;
    c->outer_says = copy;
    c->outer_says_n = n;
    outer->inner++;
    begin_phase(c, CONNECTION_WAITING);
    return c;
}

void connection_free(struct connection *c)
{
    struct listener *l = c->listener;
    struct connection *outer = c->outer ? connection_by_id(l, c->outer) : NULL;
    if (outer)
        outer->inner--;
    leave_phase(c);
    table_remove(c);
    l->connections--;
    if (c->source)
        source_free(c->source);
    fd_close(c->fd);
    timer_free(c->enrol_limit);
    ipc_peer_free(c->front.peer);
    for (size_t i = 0; i < c->n_gates; i++)
        ipc_peer_free(c->gates[i].peer);
    free(c->outer_says);
    free(c);
    listener_check_end(l);
}

bool part_ended(const struct part *part)
{
    return !part->peer && (part->exited || !part->zygote);
}

static void free_when_ended(struct connection *c)
{
    for (size_t i = 0; i < c->n_gates; i++)
        if (!part_ended(&c->gates[i]))
            return;
    if (c->phase != CONNECTION_WAITING && part_ended(&c->front))
        connection_free(c);
}

static void part_gone(void *owner, const char *reason)
{
    struct part *part = owner;
    struct listener *l = part->connection->listener;
    (void)reason;
    ipc_peer_free(STEAL(part->peer));
    free_when_ended(part->connection);
    listener_pump(l);
}

/* ---- the front ---- */

/* Who has begun to enrol may go on with another key, but not become somebody else. */
static int on_want_gate(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    struct connection *c = part->connection;
    bool enrol = message->want_gate->enrol;
    (void)fds;
    (void)n_fds;
    if (c->wants || !(c->phase == CONNECTION_LOGIN || (enrol && c->phase == CONNECTION_ENROLLING)))
        return -EPROTO;
    c->wants = enrol ? WANTS_TO_ENROL : WANTS_GATE;
    connection_give_gate(c);
    return 0;
}

static int on_ask_key(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    Ipc__AnswerKey body = IPC__ANSWER_KEY__INIT;
    (void)fds;
    (void)n_fds;
    body.known = known_keys_has(&part->connection->listener->known_keys, message->ask_key->key);
    Ipc__Message answer = IPC_MESSAGE(ANSWER_KEY, answer_key, &body);
    (void)ipc_peer_send(part->peer, &answer, NULL, 0);
    return 0;
}

/* The gate's Admitted may come after this: the front was told by the gate, not by us. */
static int on_known_keys(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct part *part = owner;
    (void)fds;
    (void)n_fds;
    if (part->connection->n_gates == 0)
        return -EPROTO;
    for (size_t i = 0; i < message->known_keys->n_keys && i < KNOWN_KEYS_OF_LOGIN; i++)
        known_keys_add(&part->connection->listener->known_keys, message->known_keys->keys[i]);
    return 0;
}

int connection_spawn(struct connection *c, struct process *zygote, bool enrol, const int *fds, size_t n)
{
    Ipc__Spawn spawn = IPC__SPAWN__INIT;
    spawn.enrol = enrol;
    spawn.connection = c->id;
    spawn.source_address = c->address;
    spawn.source_port = c->port;
    spawn.accepted_us = c->accepted_us;
    if (zygote->kind == PROCESS_GATE)
        spawn.outer = (ProtobufCBinaryData){ .len = c->outer_says_n, .data = c->outer_says };
    Ipc__Message message = IPC_MESSAGE(SPAWN, spawn, &spawn);
    return ipc_peer_send(zygote->peer, &message, fds, n);
}

int part_make(struct connection *c, struct part *part, struct process *zygote, const char *name,
              const struct ipc_rule *rules, size_t n_rules, int *ret_child_end)
{
    int pair[2];
    int r = fd_pair(SOCK_SEQPACKET, pair);
    if (r)
        return r;
    *part = (struct part){ .connection = c, .zygote = zygote };
    r = ipc_peer_new(c->listener->loop, pair[0], name, rules, n_rules, part_gone, part, &part->peer);
    if (r)
        fd_close(pair[1]);
    else
        *ret_child_end = pair[1];
    return r;
}

int connection_start(struct connection *c)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_WANT_GATE, 1, false, 0, 0, on_want_gate },
        { IPC__MESSAGE__BODY_ASK_KEY, 1, false, 0, 0, on_ask_key },
        { IPC__MESSAGE__BODY_KNOWN_KEYS, 1, true, 0, 0, on_known_keys },
    };
    struct process *zygote = c->listener->current[PROCESS_FRONT];
    CLEANUP(fd_close) int child_end = -1;
    if (!zygote)
        return -EAGAIN;
    if (c->source)
        source_free(STEAL(c->source));
    int r = part_make(c, &c->front, zygote, "front", rules, sizeof rules / sizeof rules[0], &child_end);
    if (r == 0)
        r = connection_spawn(c, zygote, false, (const int[]){ c->fd, child_end }, 2);
    if (r)
        return r;
    fd_close(STEAL_FD(c->fd));
    connection_enter(c, CONNECTION_LOGIN);
    return 0;
}

/* ---- how children ended ---- */

static void penalise(struct connection *c, uint64_t ms)
{
    if (!c->exempt)
        limits_penalise(c->listener->limits, &c->key, ms, clock_ms());
}

static void judge_front(struct connection *c, int status)
{
    bool enrols = c->phase == CONNECTION_ENROLLING; /* and no certificate came of it */
    if (c->phase != CONNECTION_LOGIN && !enrols)
        return;
    if (status == FRONT_EXIT_LOGIN_FAILED)
        penalise(c, PENALTY_LOGIN_FAILED_MS);
    else if (status == FRONT_EXIT_NO_LOGIN || enrols)
        penalise(c, PENALTY_NO_LOGIN_MS);
}

static struct part *find_part(struct connection *c, const struct process *zygote)
{
    if (zygote->kind == PROCESS_FRONT)
        return c->front.zygote == zygote && !c->front.exited ? &c->front : NULL;
    for (size_t i = 0; i < c->n_gates; i++) /* of several gates the older ones exit first */
        if (c->gates[i].zygote == zygote && !c->gates[i].exited)
            return &c->gates[i];
    return NULL;
}

void connection_child_exited(struct listener *l, struct process *zygote, const Ipc__ChildExited *exited)
{
    struct connection *c = connection_by_id(l, exited->connection);
    struct part *part = c ? find_part(c, zygote) : NULL;
    if (exited->signal) {
        log_event(LOG_ERROR, "child_crashed", "child", process_name(zygote->kind), "connection",
                  U64(exited->connection), "address", c ? c->address : NULL, "signal", U64(exited->signal),
                  NULL);
        if (c)
            penalise(c, PENALTY_CRASH_MS);
        process_replace(l, zygote->kind, zygote);
    }
    if (!part)
        return;
    part->exited = true;
    if (part == &c->front && !exited->signal)
        judge_front(c, exited->status);
    free_when_ended(c);
    listener_pump(l);
}

void connections_lost_zygote(struct listener *l, struct process *zygote)
{
    for (size_t i = 0; i < LISTENER_BUCKETS; i++) {
        for (struct connection *c = l->table[i], *next; c; c = next) {
            next = c->next;
            if (c->front.zygote == zygote)
                c->front.zygote = NULL;
            for (size_t k = 0; k < c->n_gates; k++)
                if (c->gates[k].zygote == zygote)
                    c->gates[k].zygote = NULL;
            free_when_ended(c);
        }
    }
}
