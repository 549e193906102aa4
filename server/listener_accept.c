/* Connections that have no process.
 *
 * A client that sends nothing costs a descriptor and not a process: it is watched for its first bytes (never
 * read), and gets a front at once when they come. Some clients wait for the server's banner first
 * (ssh-keyscan), so a few silent ones get a front after half a second as well. When too many wait, the oldest
 * silent one of the source that has most of them goes. */
#include "server/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

enum { ACCEPTS_PER_ROUND = 64, SWEEP_MS = 100, EXHAUSTED_MS = 100, REFUSALS_LOG_MS = 1000 };

/* One line a second at most, however many there are. */
static void log_refused(struct listener *l, const char *address, const char *why)
{
    uint64_t now = clock_ms();
    l->refused++;
    if (now - l->refused_logged_ms < REFUSALS_LOG_MS)
        return;
    log_event(LOG_WARNING, "connection_refused", "address", address, "why", why, "count", U64(l->refused),
              NULL);
    l->refused = 0;
    l->refused_logged_ms = now;
}

static void on_heard(void *owner, uint32_t ready)
{
    struct connection *c = owner;
    int waiting = 0;
    (void)ready;
    if (ioctl(c->fd, FIONREAD, &waiting) < 0 || waiting == 0) {
        connection_free(c); /* it closed without a word */
        return;
    }
    c->heard = true;
    source_free(STEAL(c->source)); /* its bytes stay where they are: they would be reported for ever */
    listener_pump(c->listener);
}

static void evict_one(struct listener *l)
{
    struct limits_key greediest;
    if (!limits_greatest(l->limits, LIMITS_WAITING, &greediest))
        return;
    struct connection *victim = NULL;
    for (struct connection *c = l->waiting.first; c && !(victim && !victim->heard); c = c->later)
        if (memcmp(&c->key, &greediest, sizeof greediest) == 0 && (!victim || !c->heard))
            victim = c;
    if (!victim)
        victim = l->waiting.first;
    if (victim) {
        log_refused(l, victim->address, "too many waiting connections");
        connection_free(victim);
    }
}

void listener_watch(struct connection *c)
{
    struct listener *l = c->listener;
    if (l->waiting.n > l->waiting_max)
        evict_one(l);
    if (source_new(l->loop, c->fd, LOOP_READ, on_heard, c, &c->source)) {
        connection_free(c);
        return;
    }
    if (l->waiting.n == 1)
        timer_set(l->sweep, SWEEP_MS);
}

static void take(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    struct connection *c = connection_new(l, fd, from);
    if (!c)
        return;
    if (!c->exempt && limits_is_out(l->limits, &c->key, c->accepted_ms)) {
        log_refused(l, c->address, "its source is penalised");
        connection_free(c);
        return;
    }
    listener_watch(c);
}

/* Out of descriptors or memory: accepting again at once would spin. */
static void pause_accepting(struct listener *l)
{
    log_event(LOG_ERROR, "accept_failed", "detail", strerror(errno), NULL);
    for (size_t i = 0; i < l->n_addresses; i++)
        source_interest(l->addresses[i].source, 0);
    timer_set(l->accept_again, EXHAUSTED_MS);
}

void listener_accept(struct address *address)
{
    struct listener *l = address->listener;
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        struct sockaddr_storage from = { 0 };
        socklen_t n = sizeof from;
        int fd = accept4(address->fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            take(l, fd, &from);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(l);
            return;
        } /* anything else is one connection's error: accept(2) */
    }
}

/* The oldest unfinished login of a source goes when it has had its time and another one waits. */
static bool make_room(struct listener *l, const struct limits_key *key)
{
    uint64_t now = clock_ms();
    for (struct connection *c = l->logins.first; c && now - c->front_ms > LIMIT_STALE_MS;
         c = c->login_later) {
        if (memcmp(&c->key, key, sizeof *key) == 0 && !c->was_silent) {
            log_refused(l, c->address, "too many unfinished logins");
            connection_free(c);
            return true;
        }
    }
    return false;
}

static bool may_start(struct listener *l, struct connection *c)
{
    if (!c->heard)
        return l->silent_fronts < LIMIT_SILENT_FRONTS && clock_ms() - c->accepted_ms >= LIMIT_SILENT_MS;
    if (l->fronts >= LIMIT_FRONTS ||
        limits_counted(l->limits, &c->key, LIMITS_FRONTS) >= LIMIT_FRONTS_OF_SOURCE)
        return make_room(l, &c->key);
    return true;
}

void listener_pump(struct listener *l)
{
    if (!processes_ready(l) || l->phase >= LISTENER_FAREWELL)
        return;
    for (struct connection *c = l->waiting.first, *later; c; c = later) {
        later = c->later;
        if (may_start(l, c) && connection_start(c))
            connection_free(c);
    }
}

void listener_sweep(void *owner)
{
    struct listener *l = owner;
    uint64_t now = clock_ms();
    while (l->waiting.first && now - l->waiting.first->accepted_ms > l->front.login_grace_ms)
        connection_free(l->waiting.first);
    listener_pump(l);
    if (l->waiting.n > 0)
        timer_set(l->sweep, SWEEP_MS);
}
