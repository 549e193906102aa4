/* See flow.h. As in task.c neither side is read while the other one is full, output() runs inside of libssh,
 * and everything else in handlers, each of which leaves at once when the flow is gone. */
#include "channels/ssh/flow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/approval.h"
#include "channels/recorder.h"
#include "channels/ssh/host.h"
#include "channels/ssh/verdict.h"

enum {
    FLOW_WAITING_MAX = 512 * 1024, /* bytes that the client has not taken: a packet, or a chunk */
    FLOW_OPEN_LIMIT_MS = 30 * 1000,
    FLOW_LINGER_MS = 10 * 1000, /* for the target to take what a client that went had sent */
};

static const struct refusal no_memory = { .code = "limit", .reason = "out of memory or descriptors" };
static const struct refusal unrecorded = { .code = "recording_unavailable",
                                           .reason = "the connection can't be recorded" };

/* ---- life ---- */

void ssh_flow_abandon(struct ssh_flow *flow)
{
    struct upstream *upstream = ssh_host_upstream(flow->host);
    bool had = flow->session != NULL;
    upstream_channel_free(STEAL(flow->session));
    if (had && upstream)
        upstream_settle_later(upstream);
}

void ssh_flow_free(struct ssh_flow *flow)
{
    if (!flow)
        return;
    approval_drop(flow->approval, "the client left");
    ssh_flow_abandon(flow);
    if (flow->host)
        ssh_host_leave_flow(flow->host, flow);
    source_free(flow->source);
    timer_free(flow->limit);
    buffer_free(&flow->waiting);
    buffer_free(&flow->input);
    free(flow->to);
    free(flow);
}

static void finish(struct ssh_flow *flow, const char *reason)
{
    struct channel *channel = flow->channel;
    ssh_flow_free(STEAL(channel->ssh_flow));
    channel_finish(channel, 0, NULL, reason);
}

void ssh_flow_stop(struct ssh_flow *flow, const struct refusal *why)
{
    struct channel *channel = flow->channel;
    if (flow->accepted) {
        finish(flow, why->code); /* there is no word for it in an open channel: it closes */
        return;
    }
    ssh_flow_free(STEAL(channel->ssh_flow));
    channel_refuse(channel, why);
}

const char *ssh_flow_recording(const struct ssh_flow *flow)
{
    return flow->channel->recorder ? recorder_id(flow->channel->recorder) : "";
}

static void took_too_long(void *owner)
{
    struct ssh_flow *flow = owner;
    if (flow->accepted)
        finish(flow, "the client left");
    else
        ssh_flow_stop(flow, &(struct refusal){ .code = "target_unavailable",
                                               .reason = "the target made no connection within 30 seconds" });
}

/* Once the target has closed and the client has everything. */
static bool finish_when_done(struct ssh_flow *flow)
{
    if (!flow->over || (!flow->client_gone && buffer_size(&flow->waiting) > 0))
        return false;
    finish(flow, "closed");
    return true;
}

static bool wants_input(struct ssh_flow *flow)
{
    return flow->session && !flow->input_over && upstream_channel_room(flow->session) > 0;
}

static void set_interest(struct ssh_flow *flow)
{
    if (flow->source)
        source_interest(flow->source, LOOP_HANGUP | (wants_input(flow) ? LOOP_READ : 0) |
                                          (buffer_size(&flow->waiting) > 0 ? LOOP_WRITE : 0));
}

/* ---- from the target ---- */

static enum upstream_taken output(void *owner, bool is_error, const uint8_t *bytes, size_t n)
{
    struct ssh_flow *flow = owner;
    ssize_t taken = 0;
    if (flow->client_gone || is_error)
        return UPSTREAM_GO_ON;
    recorder_count(flow->channel->recorder, 0, n);
    if (buffer_size(&flow->waiting) == 0)
        taken = send(flow->channel->data_fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN && errno != EINTR)
        return UPSTREAM_NO_MORE;
    taken = taken < 0 ? 0 : taken;
    if (buffer_append(&flow->waiting, bytes + taken, n - (size_t)taken))
        return UPSTREAM_NO_MORE;
    if (flow->source && buffer_size(&flow->waiting) > 0)
        source_interest(flow->source, LOOP_HANGUP | LOOP_WRITE);
    return buffer_size(&flow->waiting) > 0 ? UPSTREAM_PAUSE : UPSTREAM_GO_ON;
}

static void given_up(void *owner)
{
    finish(owner, "the client reads no more");
}

static void end_output(struct ssh_flow *flow)
{
    if (flow->target_ended && buffer_size(&flow->waiting) == 0)
        (void)shutdown(flow->channel->data_fd, SHUT_WR);
}

static void output_ended(void *owner)
{
    struct ssh_flow *flow = owner;
    flow->target_ended = true;
    end_output(flow);
    set_interest(flow);
}

static void ended(void *owner, const struct upstream_exit *exit)
{
    struct ssh_flow *flow = owner;
    (void)exit;
    flow->over = flow->target_ended = true;
    ssh_flow_abandon(flow);
    if (!finish_when_done(flow))
        set_interest(flow);
}

/* ---- from the client ---- */

/* One chunk at most; false: there is nothing now. */
static bool read_input(struct ssh_flow *flow)
{
    size_t room = wants_input(flow) ? upstream_channel_room(flow->session) : 0, n = 0;
    if (room == 0)
        return false;
    int r = buffer_read(&flow->input, flow->channel->data_fd, room, &n);
    if (r == -EAGAIN || r == -EINTR)
        return false;
    if (r || n == 0) {
        flow->input_over = true;
        upstream_channel_end_input(flow->session);
        return false;
    }
    recorder_count(flow->channel->recorder, n, 0);
    if (upstream_channel_write(flow->session, buffer_head(&flow->input), n)) {
        flow->input_over = true; /* the target takes no more */
        n = buffer_size(&flow->input);
    }
    buffer_consume(&flow->input, n);
    buffer_shrink(&flow->input, 0);
    return true;
}

/* Both ways are over, or it has gone: what it has sent is passed on still. */
static void hang_up(struct ssh_flow *flow)
{
    flow->client_gone = true;
    source_free(STEAL(flow->source));
    buffer_free(&flow->waiting);
    timer_set(flow->limit, FLOW_LINGER_MS);
    if (flow->session)
        upstream_channel_more(flow->session, false);
    while (read_input(flow))
        ;
}

static void input_wanted(void *owner)
{
    struct ssh_flow *flow = owner;
    while (flow->client_gone && read_input(flow))
        ;
    set_interest(flow);
}

static void flush(struct ssh_flow *flow)
{
    if (buffer_size(&flow->waiting) == 0)
        return;
    if (buffer_write(&flow->waiting, flow->channel->data_fd))
        buffer_free(&flow->waiting); /* a hang-up follows */
    if (buffer_size(&flow->waiting) > 0)
        return;
    buffer_shrink(&flow->waiting, 0);
    if (flow->session)
        upstream_channel_more(flow->session, false);
    end_output(flow);
}

static void client_ready(void *owner, uint32_t ready)
{
    struct ssh_flow *flow = owner;
    struct upstream *upstream = ssh_host_upstream(flow->host);
    if (ready & LOOP_HANGUP) {
        hang_up(flow);
    } else {
        flush(flow);
        (void)read_input(flow);
    }
    if (!finish_when_done(flow))
        set_interest(flow);
    if (upstream)
        upstream_settle(upstream);
}

/* ---- starting ---- */

static void started(void *owner, bool terminal)
{
    struct ssh_flow *flow = owner;
    (void)terminal;
    timer_stop(flow->limit);
    if (source_new(flow->channel->gate->loop, flow->channel->data_fd, LOOP_HANGUP, client_ready, flow,
                   &flow->source)) {
        ssh_flow_stop(flow, &no_memory);
        return;
    }
    flow->accepted = true;
    channel_accept(flow->channel);
    set_interest(flow);
}

static void open_refused(void *owner, const char *detail)
{
    struct ssh_flow *flow = owner;
    char reason[DETAIL_MAX];
    log_event(LOG_WARNING, "target_refused", "connection", U64(flow->channel->gate->connection), "target",
              flow->channel->target->name, "kind", "forward", "to", flow->to, "detail", detail, NULL);
    (void)snprintf(reason, sizeof reason, "target \"%s\" could not reach %.200s port %u",
                   flow->channel->target->name, flow->to, (unsigned)flow->port);
    ssh_flow_stop(flow, &(struct refusal){ .code = "target_unavailable", .reason = reason });
}

static const struct upstream_channel_calls calls = {
    .started = started,
    .refused = open_refused,
    .output = output,
    .given_up = given_up,
    .output_ended = output_ended,
    .input_wanted = input_wanted,
    .ended = ended,
};

void ssh_flow_ready(struct ssh_flow *flow)
{
    const struct upstream_run run = { .what = UPSTREAM_FORWARD, .text = flow->to, .port = flow->port };
    struct upstream *upstream = ssh_host_upstream(flow->host);
    if (upstream_channel_new(upstream, &run, &calls, flow, &flow->session)) {
        ssh_flow_stop(flow, &no_memory);
        return;
    }
    timer_set(flow->limit, FLOW_OPEN_LIMIT_MS);
    upstream_settle_later(upstream);
}

/* ---- beginning ---- */

static int prepare(struct ssh_flow *flow)
{
    int r = fd_nonblock(flow->channel->data_fd, true);
    return r ? r : timer_new(flow->channel->gate->loop, took_too_long, flow, &flow->limit);
}

/* "HOST:PORT", an IPv6 address in brackets. */
static const char *place_of(const struct ssh_flow *flow, char out[DETAIL_MAX])
{
    bool v6 = strchr(flow->to, ':') != NULL;
    (void)snprintf(out, DETAIL_MAX, "%s%.300s%s:%u", v6 ? "[" : "", flow->to, v6 ? "]" : "",
                   (unsigned)flow->port);
    return out;
}

/* The login that the connection leads to; "" is the target's own. */
static const char *login_of(const struct channel *channel)
{
    const char *login = channel->gate->route.login;
    return strcmp(login, channel->target->login) == 0 ? "" : login;
}

void ssh_flow_allowed(struct ssh_flow *flow)
{
    struct channel *channel = flow->channel;
    if (ssh_host_join_flow(channel->gate, channel->target, login_of(channel), flow))
        ssh_flow_stop(flow, &no_memory);
}

/* Allowed, or held. */
static void go_on(struct ssh_flow *flow, const struct ssh_verdict *v, const char *place, uint64_t number)
{
    int r = prepare(flow);
    if (r == 0 && v->verdict.action == ACTION_HOLD)
        r = ssh_flow_hold(flow, v, place, login_of(flow->channel), number);
    else if (r == 0)
        ssh_flow_allowed(flow);
    if (r)
        ssh_flow_stop(flow, &no_memory);
}

/* The recording is there: nothing has been asked of the target yet. */
static void judge(struct channel *channel)
{
    struct ssh_flow *flow = channel->ssh_flow;
    char place[DETAIL_MAX], reason[DETAIL_MAX];
    struct ssh_verdict v;
    (void)place_of(flow, place);
    if (ssh_verdict_of(channel->gate, channel->target, SSH_FORWARD, place, &v)) {
        ssh_flow_stop(flow, &no_memory);
        return;
    }
    (void)snprintf(reason, sizeof reason, "%.300s (rule %s)", v.reason, v.verdict.rule);
    const struct refusal denied = { .code = v.verdict.code, .reason = reason, .rule = v.verdict.rule };
    uint64_t number = recorder_next(channel->recorder);
    if (ssh_verdict_record(flow->channel->recorder, &v, SSH_FORWARD, place, strlen(place)))
        ssh_flow_stop(flow, &unrecorded);
    else if (v.verdict.action == ACTION_DENY)
        ssh_flow_stop(flow, &denied);
    else
        go_on(flow, &v, place, number);
    ssh_verdict_clear(&v);
}

void ssh_flow_begin(struct channel *channel, const char *host, uint32_t port)
{
    char place[DETAIL_MAX];
    struct ssh_flow *flow = calloc(1, sizeof *flow);
    if (!flow || !(flow->to = strdup(host))) {
        free(flow);
        channel_refuse(channel, &no_memory);
        return;
    }
    flow->channel = channel;
    flow->port = port;
    buffer_init(&flow->waiting, FLOW_WAITING_MAX);
    buffer_init(&flow->input, UPSTREAM_INPUT_MAX);
    channel->ssh_flow = flow;
    const char *login = login_of(channel);
    channel_record_as(channel, "forward", login[0] ? login : channel->target->login, place_of(flow, place),
                      judge);
}
