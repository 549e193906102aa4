/* The loop around libssh.
 *
 * libssh's own event loop runs callbacks inside of writes, so that whoever closes or frees in a callback
 * leaves it with dangling pointers. Here libssh only ever sees its one socket: it is polled without waiting
 * when our loop says so (ssh_message_get() polls and hands over requests one by one), callbacks set flags,
 * and front_settle() does the rest until nothing is left to do.
 *
 * After every write, also when all went out, libssh wants to hear POLLOUT before it sends again. The next
 * poll for input tells it that along the way; only who writes again before that polls for it, and only what
 * is then still unsent makes us wait for the client. */
#include "server/front.h"

#include <errno.h>
#include <libssh/server.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "server/front_channel.h"
#include "server/front_exit.h"

/* ---- ending ---- */

void front_end(struct front *front, int status, const char *message)
{
    if (front->over)
        return;
    front->over = true;
    front->status = front->phase >= FRONT_SESSION ? FRONT_EXIT_DONE : status;
    if (message)
        (void)snprintf(front->goodbye, sizeof front->goodbye, "%s", message);
    loop_stop(front->loop, 0);
}

static int login_status(const struct front *front)
{
    return front->certificate_seen || front->plain_key_seen ? FRONT_EXIT_LOGIN_FAILED : FRONT_EXIT_NO_LOGIN;
}

static bool holds_bytes(const struct front *front)
{
    return (ssh_get_status(front->ssh) & SSH_WRITE_PENDING) != 0;
}

/* After each write libssh wants to hear that the socket is writable before it sends again. */
static bool wants_poll(const struct front *front)
{
    return (ssh_get_poll_flags(front->ssh) & SSH_WRITE_PENDING) != 0;
}

bool front_can_send(struct front *front)
{
    if (!wants_poll(front))
        return true;
    if (!front->event || holds_bytes(front))
        return false;
    (void)ssh_event_dopoll(front->event, 0);
    front->client_is_full = wants_poll(front);
    return !front->client_is_full && ssh_is_connected(front->ssh);
}

/* Polls until libssh has sent everything, or the limit is over. */
static void flush_out(struct front *front)
{
    uint64_t deadline = clock_ms() + FRONT_FLUSH_MS;
    for (;;) {
        ssh_message_free(ssh_message_get(front->ssh));
        uint64_t now = clock_ms();
        if (!ssh_is_connected(front->ssh) || !wants_poll(front) || now >= deadline)
            return;
        if (fd_wait(front->fd, POLLOUT, (int)(deadline - now)))
            return;
    }
}

/* Closing a TCP socket with unread bytes resets it, and our last words with it: so they are read away first.
 */
static void linger(struct front *front)
{
    uint64_t deadline = clock_ms() + 1000;
    (void)shutdown(front->fd, SHUT_WR);
    for (uint64_t now = clock_ms(); now < deadline; now = clock_ms()) {
        if (fd_wait(front->fd, POLLIN, (int)(deadline - now)))
            return;
        if (recv(front->fd, front->chunk, FRONT_CHUNK, MSG_DONTWAIT) <= 0)
            return;
    }
}

static void say_goodbye(struct front *front)
{
    if (!ssh_is_connected(front->ssh) || front->phase == FRONT_KEY_EXCHANGE)
        return;
    flush_out(front);
    if (!ssh_is_connected(front->ssh))
        return;
    (void)ssh_session_set_disconnect_message(front->ssh, *front->goodbye ? front->goodbye : "goodbye");
    ssh_disconnect(front->ssh);
    linger(front);
}

/* ---- polling ---- */

static void serve_channels(struct front *front)
{
    front->touched = false;
    for (struct front_channel *c = front->channels, *next; c; c = next) {
        next = c->next;
        if (c->touched || c->starved)
            channel_serve(c);
    }
}

static void watch_client(struct front *front)
{
    front->client_is_full = front->client_is_full && wants_poll(front);
    bool pending = holds_bytes(front) || front->client_is_full;
    if (front->source)
        source_interest(front->source, LOOP_READ | (pending ? LOOP_WRITE : 0));
    if (pending == front->write_pending)
        return;
    front->write_pending = pending;
    for (struct front_channel *c = front->channels, *next; c; c = next) {
        next = c->next;
        channel_serve(c);
    }
}

static bool client_lost(struct front *front)
{
    if (ssh_is_connected(front->ssh) && !(ssh_get_status(front->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR)))
        return false;
    front_end(front, login_status(front), NULL);
    return true;
}

/* Whatever polls libssh, which most of its calls may do, can have taken a request from the socket: nothing
 * but ssh_message_get() will show it, and no event will call us for it again. */
static bool may_have_requests(const struct front *front)
{
    return front->packets.in_packets != front->heard;
}

void front_settle(struct front *front)
{
    if (front->over || front->phase == FRONT_KEY_EXCHANGE)
        return;
    timer_set(front->idle, FRONT_IDLE_MS);
    for (int i = 0; i < FRONT_ROUNDS_MAX; i++) {
        front->wrote = false;
        ssh_message message = ssh_message_get(front->ssh);
        front->heard = front->packets.in_packets;
        if (client_lost(front)) {
            ssh_message_free(message);
            return;
        }
        if (message && front->phase == FRONT_LOGIN) {
            front_login_message(front, message);
            ssh_message_free(message);
        } else if (message) {
            front_message(front, message);
        }
        serve_channels(front);
        watch_client(front);
        if (front->over)
            return;
        if (front->phase == FRONT_DRAINING && !front->channels)
            front_end(front, FRONT_EXIT_DONE, NULL);
        if (!message && !front->touched && !may_have_requests(front) && !(front->wrote && holds_bytes(front)))
            return;
    }
    timer_set(front->again, 0);
}

void front_settle_output(struct front *front)
{
    if (front->over)
        return;
    if (front->touched || may_have_requests(front) || holds_bytes(front) || front->phase != FRONT_SESSION)
        front_settle(front);
    else
        timer_set(front->idle, FRONT_IDLE_MS);
}

static void again(void *owner)
{
    front_settle(owner);
}

static void exchange_keys(struct front *front)
{
    int r = ssh_handle_key_exchange(front->ssh);
    if (r == SSH_ERROR || client_lost(front)) {
        front_end(front, FRONT_EXIT_NO_LOGIN, NULL);
        return;
    }
    source_interest(front->source, LOOP_READ | (wants_poll(front) ? LOOP_WRITE : 0));
    if (r == SSH_OK) {
        front->event = ssh_event_new();
        if (!front->event || ssh_event_add_session(front->event, front->ssh) != SSH_OK) {
            front_end(front, FRONT_EXIT_FAILED, NULL);
            return;
        }
        front->phase = FRONT_LOGIN;
        front_settle(front);
    }
}

static void client_ready(void *owner, uint32_t ready)
{
    struct front *front = owner;
    if (front->phase == FRONT_KEY_EXCHANGE) {
        exchange_keys(front);
        return;
    }
    front_settle(front);
    if ((ready & LOOP_HANGUP) && !front->over)
        front_end(front, login_status(front), NULL);
}

/* ---- timers ---- */

static void grace_over(void *owner)
{
    struct front *front = owner;
    if (front->phase <= FRONT_LOGIN)
        front_end(front, login_status(front), "the login took too long");
}

/* Nothing happened for a while: an idle connection holds as little memory as can be. */
static void give_back(void *owner)
{
    struct front *front = owner;
    (void)madvise(front->chunk, FRONT_CHUNK, MADV_DONTNEED);
    (void)malloc_trim(0);
}

static void linger_over(void *owner)
{
    struct front *front = owner;
    bool more = false;
    for (struct front_channel *c = front->channels, *next; c; c = next) {
        next = c->next;
        bool lingers = c->linger_until_ms > clock_ms();
        if (c->linger_until_ms && !lingers)
            channel_serve(c);
        more |= lingers;
    }
    if (more)
        timer_set(front->linger, 1000);
    front_settle(front);
}

static void given_up(void *owner, uint32_t ready)
{
    struct front *front = owner;
    (void)ready; /* answers are read where they are asked for: this is the end */
    front_end(front, login_status(front), "the server is busy or shutting down, try again later");
}

static void drain_over(void *owner)
{
    front_end(owner, FRONT_EXIT_DONE, NULL);
}

void front_drain(struct front *front, const char *message, uint32_t limit_ms)
{
    if (front->over || front->phase == FRONT_DRAINING)
        return;
    front->phase = FRONT_DRAINING;
    (void)snprintf(front->goodbye, sizeof front->goodbye, "%s", message);
    for (struct front_channel *c = front->channels, *next; c; c = next) {
        next = c->next;
        if (!c->exit && message && *message)
            channel_tell(c, message);
        channel_gate_lost(c);
        if (c->state == CHANNEL_FRESH || (c->state == CHANNEL_ASKED && !c->ssh))
            channel_free(c);
    }
    timer_free(front->grace);
    front->grace = NULL;
    if (timer_new(front->loop, drain_over, front, &front->grace))
        front_end(front, FRONT_EXIT_DONE, NULL);
    else
        timer_set(front->grace, limit_ms && limit_ms < FRONT_DRAIN_MS ? limit_ms : FRONT_DRAIN_MS);
    timer_set(front->again, 0);
}

/* ---- the whole ---- */

/* Dead clients are found by the kernel. A keepalive message of SSH would also end those that are alive but
 * stand still, such as one whose output goes to a pager that waits for a key. */
static void watch_for_death(int connection, uint32_t keepalive_ms)
{
    int on = 1, idle = (int)(keepalive_ms / 1000), between = idle / FRONT_KEEPALIVES_MAX;
    if (keepalive_ms == 0)
        return;
    idle = idle > 0 ? idle : 1;
    between = between > 0 ? between : 1;
    int count = FRONT_KEEPALIVES_MAX;
    unsigned give_up_ms = (unsigned)(idle + count * between) * 1000;
    (void)setsockopt(connection, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(connection, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(connection, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
    (void)setsockopt(connection, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    (void)setsockopt(connection, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up_ms, sizeof give_up_ms);
}

static int open_session(struct front *front, ssh_bind bind, int connection)
{
    int r = fd_nonblock(connection, true); /* else one write to a full socket stops everything */
    if (r == 0) {
        fd_nodelay(connection);
        watch_for_death(connection, front->settings->keepalive_ms);
        front->fd = fd_dup(connection);
        r = front->fd < 0 ? front->fd : 0;
    }
    front->ssh = r == 0 ? ssh_new() : NULL;
    if (!front->ssh || ssh_bind_accept_fd(bind, front->ssh, connection) != SSH_OK)
        return r ? r : -EIO;
    ssh_set_blocking(front->ssh, 0);
    ssh_set_counters(front->ssh, NULL, &front->packets);
    ssh_set_auth_methods(front->ssh, SSH_AUTH_METHOD_PUBLICKEY);
    return 0;
}

static int make_timers(struct front *front)
{
    struct loop *loop = front->loop;
    int r = timer_new(loop, again, front, &front->again);
    if (r == 0)
        r = timer_new(loop, grace_over, front, &front->grace);
    if (r == 0)
        r = timer_new(loop, give_back, front, &front->idle);
    if (r == 0)
        r = timer_new(loop, linger_over, front, &front->linger);
    if (r)
        return r;
    timer_set(front->grace, front->settings->login_grace_ms);
    return 0;
}

int front_serve(struct front *front, void *ssh_bind_of_zygote)
{
    front->chunk = mmap(NULL, FRONT_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (front->chunk == MAP_FAILED || loop_new(&front->loop))
        return FRONT_EXIT_FAILED;
    int r = open_session(front, ssh_bind_of_zygote, front->fd);
    if (r == 0)
        r = make_timers(front);
    if (r == 0)
        r = source_new(front->loop, front->fd, LOOP_READ | LOOP_WRITE, client_ready, front, &front->source);
    if (r == 0)
        r = source_new(front->loop, front->control, LOOP_READ, given_up, front, &front->control_source);
    if (r)
        return FRONT_EXIT_FAILED;
    exchange_keys(front);
    if (loop_run(front->loop) < 0 && !front->over)
        return FRONT_EXIT_FAILED;
    say_goodbye(front);
    return front->status;
}
