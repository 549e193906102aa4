/* Descriptors, time limits and the order of things. Bytes are read from one side only while nothing waits for
 * the other, in both directions independently: a client that does not read stops the server and nothing else.
 *
 * STARTUP   the client's first packets (startup.c)
 * LOGIN     the vault was asked; nothing is read
 * RUNNING   front.c one way, back.c the other
 * CLOSING   the target is closed; last words go to the client, then end of file, then it is given time to
 * close OVER      `ended` was called
 *
 * A function that may end the session says so by its name or is last in its caller: after OVER nothing of the
 * session may be touched, since the gate may have freed it. */
#include "channels/pg/session.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/io.h"
#include "channels/pg/session_parts.h"

/* The one place where the state changes; an edge that is not here is a mistake in this file. */
void session_go(struct pg_session *s, enum session_state to)
{
    static const unsigned edges[] = {
        [STARTUP] = 1 << LOGIN | 1 << CLOSING | 1 << OVER,
        [LOGIN] = 1 << RUNNING | 1 << CLOSING | 1 << OVER,
        [RUNNING] = 1 << CLOSING | 1 << OVER,
        [CLOSING] = 1 << OVER,
        [OVER] = 0,
    };
    if (!(edges[s->state] & 1U << to))
        abort();
    s->state = to;
}

/* ---- the end ---- */

static void unlist(struct pg_session *s)
{
    struct pg_session **at = &s->host->sessions;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    s->next = NULL;
}

/* A query that nobody waits for any more would run on until the server next writes: it is cancelled. */
static void close_server(struct pg_session *s)
{
    if (s->server_fd >= 0 && s->state == RUNNING && s->front.asked && !s->front.terminated &&
        !s->server_ended)
        s->host->calls->ask_cancel(s->owner, s->pid, s->key, s->key_n);
    source_free(STEAL(s->server));
    fd_close(STEAL_FD(s->server_fd));
}

static void close_all(struct pg_session *s)
{
    session_hold_drop(s, "its connection has ended");
    buffer_free(&s->notices);
    close_server(s);
    duplex_close(&s->client);
    timer_free(STEAL(s->timer));
    catalog_wait_end(&s->wait);
    unlist(s);
}

/* Last thing that any caller does with s. */
static void finish(struct pg_session *s, const char *reason)
{
    char words[DETAIL_MAX];
    (void)snprintf(words, sizeof(words), "%s", reason);
    close_all(s);
    session_go(s, OVER);
    s->host->calls->ended(s->owner, words);
}

/* Writes what is left for the client; ends when there is nothing more to do. */
static void drain_or_finish(struct pg_session *s)
{
    if (!s->client_gone && lane_write(&s->back.lane, s->client.out) < 0)
        s->client_gone = true;
    if (s->client_gone || (s->said_end && s->client_ended)) {
        finish(s, s->reason);
        return;
    }
    if (buffer_size(&s->back.lane.out) > 0) {
        duplex_interest(&s->client, LOOP_WRITE);
        return;
    }
    if (!s->said_end) {
        s->said_end = true;
        duplex_end_output(&s->client);
        timer_set(s->timer, PG_LINGER_MS);
    }
    if (s->client_ended)
        finish(s, s->reason);
    else
        duplex_interest(&s->client, LOOP_READ);
}

void session_close(struct pg_session *s, const char *reason)
{
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
    session_hold_drop(s, "its connection has ended");
    close_server(s);
    catalog_wait_end(&s->wait);
    unlist(s);
    session_go(s, CLOSING);
    timer_set(s->timer, PG_DRAIN_MS);
    drain_or_finish(s);
}

/* A FATAL ErrorResponse behind what waits to go out; left out where it would fall into the middle of a
 * message. */
static void say_fatal(struct pg_session *s, const char *code, const char *message)
{
    struct refusal_words words;
    struct buffer bytes;
    if (s->back.lane.inside)
        return;
    const struct pg_error error = refusal_fatal(code, message, &words);
    buffer_init(&bytes, PG_SMALL_MAX);
    /* Said even where it can't be recorded: that may be just what it tells. */
    if (pg_put_error(&bytes, &error) == 0 &&
        back_say(&s->back, buffer_head(&bytes), buffer_size(&bytes)) != 0 &&
        buffer_append(&s->back.lane.out, buffer_head(&bytes), buffer_size(&bytes)) != 0)
        s->client_gone = true;
    buffer_free(&bytes);
}

void pg_session_stop(struct pg_session *s, const char *code, const char *message)
{
    char reason[DETAIL_MAX];
    if (s->state >= CLOSING)
        return;
    (void)snprintf(reason, sizeof(reason), "%s: %s", code, message);
    say_fatal(s, code, message);
    session_close(s, reason);
}

void pg_session_refused(struct pg_session *s, const char *code, const char *message)
{
    pg_session_stop(s, code, message);
}

static void stop_unrecorded(struct pg_session *s)
{
    pg_session_stop(s, "recording_unavailable", "the session can't be recorded, so it ends here");
}

void session_stop_errno(struct pg_session *s, int error)
{
    char words[128];
    (void)snprintf(words, sizeof(words), "the gate failed: %s", strerror(-error));
    pg_session_stop(s, "limit", words);
}

/* ---- running ---- */

/* Nothing of the client's is decided for now. */
static bool waits(const struct pg_session *s)
{
    return s->front.held || front_is_behind_limit(&s->front);
}

/* Reads only while nothing waits for the other side. */
static void set_interest(struct pg_session *s)
{
    bool up_waits = buffer_size(&s->front.lane.out) > 0, down_waits = buffer_size(&s->back.lane.out) > 0;
    bool read_client =
        !up_waits && (!waits(s) || session_hold_reads(s)) && !s->client_ended && !s->server_ended;
    bool read_server = (!down_waits || s->client_gone) && !s->server_ended;
    duplex_interest(&s->client,
                    (read_client ? LOOP_READ : 0U) | (down_waits && !s->client_gone ? LOOP_WRITE : 0U));
    source_interest(s->server,
                    (read_server ? LOOP_READ : 0U) | (up_waits && !s->server_deaf ? LOOP_WRITE : 0U));
}

static void stop_by_front(struct pg_session *s, int r)
{
    char words[DETAIL_MAX + 32];
    if (r == FRONT_UNRECORDED) {
        stop_unrecorded(s);
    } else if (r == FRONT_MALFORMED) {
        (void)snprintf(words, sizeof(words), "protocol violation: %s", s->front.why.text);
        pg_session_stop(s, "protocol", words);
    } else {
        session_stop_errno(s, r);
    }
}

void session_stop_back(struct pg_session *s, int r)
{
    if (r == BACK_UNRECORDED)
        stop_unrecorded(s);
    else if (r == BACK_UNSAFE)
        pg_session_stop(s, "denied", s->back.why.text);
    else if (r == BACK_MALFORMED)
        pg_session_stop(s, "target_unavailable",
                        "the target does not speak the PostgreSQL protocol any more");
    else
        session_stop_errno(s, r);
}

static void wants_fetched(void *owner, const char *fault);

/* The next message waits for people, the catalog, or the ledger. */
static int wait_if_held(struct pg_session *s)
{
    if (s->front.hold.state == HOLD_NONE)
        session_hold_drop(s, "it does not run any more");
    if (session_counts(s))
        session_ask_count(s);
    else if (session_holds(s))
        return session_hold_step(s);
    else if (s->front.held && s->host->catalog)
        catalog_link_wait(s->host->catalog, &s->wait, wants_fetched, s);
    return 0;
}

/* What was made or changed is committed, or will never be: the catalog tells. */
static void settle_catalog(struct pg_session *s)
{
    if (!s->scope || !front_ready(&s->front, s->back.rounds, s->back.status))
        return;
    scope_settle(s->scope);
    catalog_link_forget(s->host->catalog);
}

/* Decides and writes until the server takes no more or nothing more is there. */
static int push_up(struct pg_session *s)
{
    for (;;) {
        int r = front_take(&s->front);
        bool stalled = !lane_open(&s->front.lane);
        r = r ? r : wait_if_held(s);
        if (r)
            return r;
        if (s->server_deaf || lane_write(&s->front.lane, s->server_fd) < 0) {
            s->server_deaf = true; /* its last words may still be there to be read */
            lane_forget(&s->front.lane);
        }
        if (!stalled || buffer_size(&s->front.lane.out) > 0)
            return 0;
    }
}

static int push_down(struct pg_session *s)
{
    for (;;) {
        int r = back_take(&s->back);
        bool stalled = !lane_open(&s->back.lane);
        r = r ? r : session_hold_tell(s);
        if (r)
            return r;
        session_mind_limits(s);
        if (s->client_gone || lane_write(&s->back.lane, s->client.out) < 0) {
            s->client_gone = true;
            lane_forget(&s->back.lane);
        }
        if (!stalled || buffer_size(&s->back.lane.out) > 0)
            return 0;
    }
}

/* What both directions have come to; the last thing after every event. */
static void settle_or_finish(struct pg_session *s)
{
    bool up_done = buffer_size(&s->front.lane.out) == 0 && !waits(s);
    settle_catalog(s);
    if (s->client_ended && s->client_gone && (up_done || waits(s))) {
        session_close(s, "the client closed");
        return;
    }
    if (s->server_ended && buffer_size(&s->back.lane.out) == 0) {
        if (!s->back.fatal && !s->front.terminated && !s->client_ended)
            pg_session_stop(s, "target_unavailable", "the target closed the connection");
        else
            session_close(s, s->back.fatal ? "the target closed" : "the client closed");
        return;
    }
    if (s->client_ended && up_done && !s->server_told) {
        s->server_told = true;
        (void)shutdown(s->server_fd, SHUT_WR);
    }
    if (s->back.idle && up_done && buffer_size(&s->back.lane.out) == 0) {
        lane_settle(&s->front.lane);
        lane_settle(&s->back.lane);
    }
    set_interest(s);
}

static void running_client(struct pg_session *s, uint32_t ready)
{
    bool behind = front_is_behind_limit(&s->front);
    int r = 0;
    if (ready & LOOP_WRITE)
        r = push_down(s);
    if (r) {
        session_stop_back(s, r);
        return;
    }
    if (behind && !front_is_behind_limit(&s->front))
        r = push_up(s);
    if (r) {
        stop_by_front(s, r);
        return;
    }
    if ((ready & (LOOP_READ | LOOP_HANGUP)) && buffer_size(&s->front.lane.out) == 0 &&
        (!waits(s) || session_hold_reads(s)) && !s->client_ended) {
        bool held = waits(s);
        r = lane_read(&s->front.lane, s->client.in, &s->client_ended);
        if ((r < 0 && r != -EAGAIN) || (held && s->client_ended))
            s->client_ended = s->client_gone = true;
        r = held ? 0 : push_up(s);
    }
    if (r) {
        stop_by_front(s, r);
        return;
    }
    if ((ready & LOOP_HANGUP) && (s->client_ended || waits(s)))
        s->client_ended = s->client_gone = true;
    settle_or_finish(s);
}

/* The held message is decided now; also when it can't be for want of the catalog. */
void session_go_on(struct pg_session *s)
{
    int r = push_up(s);
    if (r)
        stop_by_front(s, r);
    else
        running_client(s, LOOP_WRITE);
}

static void wants_fetched(void *owner, const char *fault)
{
    struct pg_session *s = owner;
    front_resume(&s->front, fault);
    session_go_on(s);
}

bool session_cancel(struct pg_session *s, void *asker)
{
    bool sent = false;
    if (!s->front.held || s->front.asked)
        sent = s->host->calls->ask_cancel_end(asker, s->pid, s->key, s->key_n) == 0;
    if (!s->front.held)
        return sent;
    if (session_counts(s))
        timer_stop(s->timer);
    catalog_wait_end(&s->wait);
    session_hold_drop(s, "cancelled");
    front_cancel(&s->front);
    session_go_on(s);
    return sent;
}

static void running_server(struct pg_session *s, uint32_t ready)
{
    bool behind = front_is_behind_limit(&s->front);
    int r = 0;
    if (ready & LOOP_WRITE)
        r = push_up(s);
    if (r) {
        stop_by_front(s, r);
        return;
    }
    if ((ready & (LOOP_READ | LOOP_HANGUP)) && !s->server_ended &&
        (buffer_size(&s->back.lane.out) == 0 || s->client_gone)) {
        r = lane_read(&s->back.lane, s->server_fd, &s->server_ended);
        if (r < 0 && r != -EAGAIN)
            s->server_ended = true;
        r = push_down(s);
        s->front.asked = s->front.asked && !s->back.idle;
    }
    if (r) {
        session_stop_back(s, r);
        return;
    }
    bool settled = session_hold_settled(s);
    if (settled)
        front_resume(&s->front, NULL);
    if (settled || (behind && !front_is_behind_limit(&s->front))) {
        session_go_on(s);
        return;
    }
    settle_or_finish(s);
}

void session_begin(struct pg_session *s)
{
    int r = s->host->veil ? veil_new(s->host->veil, &s->veil) : 0;
    if (r) {
        session_stop_errno(s, r);
        return;
    }
    s->front.veil = s->back.veil = s->veil;
    session_go(s, RUNNING);
    timer_stop(s->timer);
    session_go_on(s); /* with what the client has sent already */
}

/* ---- events ---- */

static void client_ready(void *owner, uint32_t ready)
{
    struct pg_session *s = owner;
    char nothing[4096];
    if (s->state == STARTUP) {
        opening_client(s);
    } else if (s->state == RUNNING) {
        running_client(s, ready);
    } else if (s->state == CLOSING) {
        if (ready & (LOOP_READ | LOOP_HANGUP)) {
            ssize_t n = read(s->client.in, nothing, sizeof(nothing));
            s->client_ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
        }
        drain_or_finish(s);
    } else {
        finish(s, "the client closed while the login was under way");
    }
}

void session_server_ready(void *owner, uint32_t ready)
{
    running_server(owner, ready);
}

static void time_is_up(void *owner)
{
    struct pg_session *s = owner;
    if (s->state == STARTUP)
        session_close(s, "the client sent no startup packet in time");
    else if (s->state == LOGIN && s->cancels)
        session_close(s, "a cancel request that the target did not read in time");
    else if (s->state == LOGIN)
        pg_session_refused(s, "target_unavailable", "the login to the target took too long");
    else if (s->state == RUNNING)
        session_limits_late(s);
    else
        finish(s, s->reason);
}

/* ---- birth and death ---- */

static int build(struct pg_session *s, struct recorder *recorder, uint32_t stream, bool record_output)
{
    int r = s->host->catalog ? scope_new(catalog_link_catalog(s->host->catalog), &s->scope) : 0;
    r = r ? r : front_init(&s->front, s->host->rulebook, &s->host->who, s->scope, recorder, stream);
    if (r)
        return r;
    if (s->host->read_only)
        inspector_keep_read_only(s->front.inspector);
    s->front.hold.subject = s->host->subject;
    buffer_init(&s->notices, PG_SMALL_MAX);
    if (s->host->masks)
        inspector_mask(s->front.inspector, s->host->masks);
    if (s->host->limited) {
        s->front.limits.on = true;
        inspector_limit(s->front.inspector);
    }
    back_init(&s->back, &s->front, s->host->veil != NULL, record_output);
    r = timer_new(s->host->loop, time_is_up, s, &s->timer);
    r = r ? r : duplex_watch(&s->client, s->host->loop, LOOP_READ, client_ready, s);
    if (r == 0)
        timer_set(s->timer, PG_STARTUP_MS);
    return r;
}

int pg_session_new(struct pg_host *host, struct duplex client, struct recorder *recorder, uint32_t stream,
                   bool record_output, void *owner, struct pg_session **ret)
{
    CLEANUP(pg_session_free) struct pg_session *s = calloc(1, sizeof(*s));
    if (!s) {
        duplex_close(&client);
        return -ENOMEM;
    }
    s->host = host;
    s->owner = owner;
    s->client = client;
    s->server_fd = -1;
    int r = build(s, recorder, stream, record_output);
    if (r)
        return r;
    s->next = host->sessions;
    host->sessions = s;
    *ret = STEAL(s);
    return 0;
}

void pg_session_free(struct pg_session *s)
{
    if (!s)
        return;
    close_all(s);
    startup_free(&s->startup);
    front_free(&s->front);
    back_free(&s->back);
    veil_free(s->veil);
    scope_free(s->scope);
    free(s);
}
