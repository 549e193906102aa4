/* From the first byte of a client to the greeting that the target's server would have given: everything
 * before the session runs. What is not PostgreSQL is closed without an answer, and named in the log. */
#include "channels/pg/session_parts.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include "base/io.h"

static struct pg_session *find_cancelled(const struct pg_session *s, const struct startup *packet)
{
    struct pg_session *other = s->host->sessions;
    while (other &&
           !(other->state == RUNNING && other->pid == packet->cancel_pid && packet->cancel_key_n == MINTED &&
             memcmp(other->minted, packet->cancel_key, MINTED) == 0))
        other = other->next;
    return other;
}

/* The connection is closed when the target has read the request, as a server does: to its client that means
 * that nothing which it sends from now on will be hit. */
static void cancel(struct pg_session *s, const struct startup *packet)
{
    struct pg_session *other = find_cancelled(s, packet);
    if (!other) {
        session_close(s, "a cancel request for nothing that runs");
        return;
    }
    s->cancels = true;
    session_go(s, LOGIN);
    duplex_interest(&s->client, 0);
    timer_set(s->timer, PG_CANCEL_MS);
    if (!session_cancel(other, s->owner))
        session_close(s, "a cancel request");
}

static void log_in(struct pg_session *s)
{
    session_go(s, LOGIN);
    for (size_t i = 0; i < s->startup.n_options; i++) {
        if (hold_note_setting(&s->front.hold, s->startup.options[i]->name, s->startup.options[i]->value)) {
            session_stop_errno(s, -ENOMEM);
            return;
        }
        if (strcasecmp(s->startup.options[i]->name, "search_path") == 0)
            inspector_set_path(s->front.inspector);
        if (s->scope && strcasecmp(s->startup.options[i]->name, "search_path") == 0 &&
            scope_start_path(s->scope, s->startup.options[i]->value) < 0) {
            session_stop_errno(s, -ENOMEM);
            return;
        }
    }
    duplex_interest(&s->client, 0);
    timer_set(s->timer, PG_LOGIN_MS);
    if (s->host->calls->ask_login(s->owner, s->startup.options, s->startup.n_options) != 0)
        pg_session_refused(s, "target_unavailable", "nobody can log in to the target now");
}

static int put_no(struct pg_session *s)
{
    int r = buffer_put_u8(&s->back.lane.out, 'N');
    return r ? r : lane_write(&s->back.lane, s->client.out);
}

/* True when another packet may follow in what was read. */
static bool took_packet(struct pg_session *s)
{
    struct detail why = { "" };
    struct startup *packet = &s->startup;
    struct buffer *in = &s->front.lane.in;
    int r = startup_read(buffer_head(in), buffer_size(in), packet, &why);
    if (r == STARTUP_REFUSED) {
        pg_session_stop(s, "denied", why.text);
    } else if (r == STARTUP_FOREIGN) {
        session_close(s, why.text);
    } else if (r == STARTUP_SHORT) {
        if (s->client_ended)
            session_close(s, "the client closed before its startup packet was complete");
    } else if (r < 0) {
        session_stop_errno(s, r);
    } else {
        buffer_consume(in, packet->size);
        if (packet->kind == STARTUP_ENCRYPTION && put_no(s) == 0)
            return true;
        if (packet->kind == STARTUP_SESSION)
            log_in(s);
        else if (packet->kind == STARTUP_CANCEL)
            cancel(s, packet);
        else
            session_close(s, "the client closed");
    }
    return false;
}

void opening_client(struct pg_session *s)
{
    enum { PACKETS_MAX = 4 }; /* SSLRequest, GSSENCRequest, and the one that counts */
    int r = lane_read(&s->front.lane, s->client.in, &s->client_ended);
    if (r == -EAGAIN)
        return;
    if (r < 0) {
        session_close(s, "the client closed");
        return;
    }
    for (int i = 0; i < PACKETS_MAX; i++) {
        if (!took_packet(s))
            return;
    }
    session_close(s, "the client asks for encryption again and again");
}

static const char *parameter(const Ipc__Connected *connected, const char *name)
{
    for (size_t i = 0; i < connected->n_parameters; i++) {
        if (strcmp(connected->parameters[i]->name, name) == 0)
            return connected->parameters[i]->value;
    }
    return "";
}

/* AuthenticationOk, settings, the minted key, ReadyForQuery: as the server said it, but for the key. */
static int greet(struct pg_session *s, const Ipc__Connected *connected)
{
    struct buffer out;
    buffer_init(&out, LANE_HIGH);
    int r = 0;
    if (s->startup.negotiate)
        r = pg_put_negotiate(&out, s->startup.unknown, s->startup.n_unknown);
    r = r ? r : pg_put_authenticated(&out);
    for (size_t i = 0; r == 0 && i < connected->n_parameters; i++)
        r = pg_put_setting(&out, connected->parameters[i]->name, connected->parameters[i]->value);
    r = r ? r : pg_put_key(&out, s->pid, s->minted, MINTED);
    r = r ? r : pg_put_ready(&out, 'I');
    r = r ? r : back_say(&s->back, buffer_head(&out), buffer_size(&out));
    r = r ? r : buffer_append(&s->back.lane.in, connected->leftover.data, connected->leftover.len);
    buffer_free(&out);
    return r;
}

static int open_server(struct pg_session *s, const Ipc__Connected *connected)
{
    if (s->server_fd < 0 || connected->key.len > PG_KEY_MAX)
        return -EINVAL;
    int r = fd_nonblock(s->server_fd, true);
    r = r ? r : source_new(s->host->loop, s->server_fd, LOOP_READ, session_server_ready, s, &s->server);
    if (r)
        return r;
    s->pid = connected->pid;
    s->key_n = connected->key.len;
    if (s->key_n > 0)
        memcpy(s->key, connected->key.data, s->key_n);
    return getrandom(s->minted, MINTED, 0) == MINTED ? 0 : -EIO;
}

void pg_session_connected(struct pg_session *s, const Ipc__Connected *connected, int server_fd)
{
    if (s->state != LOGIN) {
        fd_close(server_fd);
        return;
    }
    s->server_fd = server_fd;
    if (connected->refusal) {
        pg_session_refused(s, connected->refusal->code, connected->refusal->message);
        return;
    }
    int r = open_server(s, connected);
    if (r) {
        session_stop_errno(s, r);
        return;
    }
    r = back_setting(&s->back, "standard_conforming_strings",
                     parameter(connected, "standard_conforming_strings"));
    r = r ? r : back_setting(&s->back, "client_encoding", parameter(connected, "client_encoding"));
    r = r ? r : greet(s, connected);
    if (r) {
        session_stop_back(s, r);
        return;
    }
    startup_free(&s->startup);
    session_begin(s);
}
