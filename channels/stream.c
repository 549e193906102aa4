/* A stream is a pg_session and what it needs of the gate: the login from the vault, the raw connection from
 * the connector. Sessions to one target share a pg_host, by which a CancelRequest on another channel finds
 * its session. */
#include "channels/stream.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/approval.h"
#include "channels/audit.h"
#include "channels/masking.h"
#include "channels/pg/catalog_link.h"
#include "channels/preview.h"
#include "channels/recorder.h"
#include "channels/stream_parts.h"
#include "channels/tool.h"
#include "policy/approval_digest.h"

enum { STATUS_CLOSED = 0 };

/* What the streams to one target share. */
struct stream_host {
    struct stream_host *next;
    struct gate *gate;
    const Ipc__Target *target;
    struct pg_host pg;
    struct masking masking;
    struct approval_subject subject;
    uint32_t request;           /* to the vault, for the login of pg.catalog; else 0 */
    struct ipc_peer *connector; /* until that has answered */
};

/* ---- the shared part ---- */

static int ask_login(void *owner, Ipc__Variable *const *options, size_t n);
static void ask_cancel(void *owner, uint32_t pid, const uint8_t *key, size_t n);
static void session_ended(void *owner, const char *reason);

static int ask_cancel_end(void *owner, uint32_t pid, const uint8_t *key, size_t n);

static const struct pg_calls calls = {
    ask_login,           ask_cancel,          ask_cancel_end,       stream_ask_count,
    stream_ask_approval, stream_use_approval, stream_drop_approval, session_ended
};

static int ask_side_login(void *owner, Ipc__Variable *const *options, size_t n);

static const struct catalog_calls side_calls = { ask_side_login };

static void host_free(struct stream_host *host)
{
    if (host)
        catalog_link_free(host->pg.catalog);
    if (host)
        masking_clear(&host->masking);
    free(host);
}
DEFINE_CLEANUP(struct stream_host *, host_free)

static struct pg_host *host_of(struct gate *gate, const Ipc__Target *target)
{
    for (struct stream_host *host = gate->hosts; host; host = host->next) {
        if (host->target == target)
            return &host->pg;
    }
    CLEANUP(host_free) struct stream_host *host = calloc(1, sizeof *host);
    if (!host)
        return NULL;
    *host = (struct stream_host){ .next = gate->hosts, .gate = gate, .target = target };
    host->pg = (struct pg_host){ .loop = gate->loop,
                                 .rulebook = gate->rules,
                                 .who = { .roles = gate->identity->roles,
                                          .n_roles = gate->identity->n_roles,
                                          .target = target->name,
                                          .database = target->database },
                                 .calls = &calls,
                                 .read_only = roles_are_read_only(gate->config, gate->identity->roles,
                                                                  gate->identity->n_roles) };
    host->subject = approval_subject_of(gate, target, "sql");
    host->pg.subject = &host->subject;
    bool asks =
        rulebook_asks_names(gate->rules, gate->identity->roles, gate->identity->n_roles, target->name);
    if (masking_init(&host->masking, gate->config, &host->pg.who, gate->detectors))
        return NULL;
    host->pg.limited =
        rulebook_limits(gate->rules, gate->identity->roles, gate->identity->n_roles, target->name);
    if (masking_is_needed(&host->masking) || host->pg.limited)
        host->pg.veil = &host->masking.veil;
    if (host->masking.veil.worst)
        host->pg.masks = host->masking.masks;
    if ((asks || host->pg.masks) && catalog_link_new(gate->loop, &side_calls, host, &host->pg.catalog))
        return NULL;
    gate->hosts = host;
    return &STEAL(host)->pg;
}

/* The one that host_of() has found or made for it. */
static struct stream_host *host_of_stream(const struct stream *stream)
{
    struct stream_host *host = stream->channel->gate->hosts;
    while (host && host->target != stream->channel->target)
        host = host->next;
    return host;
}

/* ---- a stream's life ---- */

int stream_new(struct channel *channel, struct duplex client, bool record_output, struct stream **ret)
{
    struct gate *gate = channel->gate;
    struct pg_host *host = host_of(gate, channel->target);
    struct stream *stream = host ? calloc(1, sizeof *stream) : NULL;
    if (!stream || duplex_nonblock(&client)) {
        free(stream);
        duplex_close(&client);
        return -ENOMEM;
    }
    *stream = (struct stream){ .next = gate->streams, .channel = channel };
    int r = pg_session_new(host, client, channel->recorder, ++gate->last_stream, record_output, stream,
                           &stream->session);
    if (r) {
        free(stream);
        return r;
    }
    gate->streams = stream;
    *ret = stream;
    return 0;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    for (struct stream **slot = &stream->channel->gate->streams; *slot; slot = &(*slot)->next) {
        if (*slot == stream) {
            *slot = stream->next;
            break;
        }
    }
    ipc_peer_free(stream->connector);
    pg_session_free(stream->session);
    free(stream);
}

void stream_stop(struct stream *stream, const struct refusal *why)
{
    pg_session_stop(stream->session, why->code, why->reason);
}

/* The session's descriptors are closed. A forward ends with it; of a tool it was one connection among others.
 */
static void session_ended(void *owner, const char *reason)
{
    struct stream *stream = owner;
    struct channel *channel = stream->channel;
    log_event(LOG_INFO, "stream_ended", "connection", U64(channel->gate->connection), "target",
              channel->target->name, "reason", reason, NULL);
    if (channel->tool) {
        tool_forget_stream(channel->tool, stream);
        stream_free(stream);
        return;
    }
    channel_finish(channel, STATUS_CLOSED, NULL, reason);
}

/* ---- logging in ---- */

static void refuse_login(struct stream *stream, const char *code, const char *message)
{
    log_event(LOG_WARNING, "target_login_refused", "connection", U64(stream->channel->gate->connection),
              "identity", stream->channel->gate->identity->name, "target", stream->channel->target->name,
              "code", code, "reason", message, NULL);
    gate_audit(stream->channel->gate, "target_login_refused", "target", stream->channel->target->name, "code",
               code, "recording", recorder_id(stream->channel->recorder), NULL);
    pg_session_refused(stream->session, code, message);
}

static int send_ask(struct gate *gate, const Ipc__Target *target, uint32_t request,
                    Ipc__Variable *const *options, size_t n, const char *recording)
{
    Ipc__AskLogin ask = IPC__ASK_LOGIN__INIT;
    ask.request = request;
    ask.target = target->name;
    ask.options = (Ipc__Variable **)(uintptr_t)options;
    ask.n_options = n;
    ask.recording = (char *)(uintptr_t)recording;
    Ipc__Message message = IPC_MESSAGE(ASK_LOGIN, ask_login, &ask);
    return ipc_peer_send(gate->vault, &message, NULL, 0);
}

static int ask_login(void *owner, Ipc__Variable *const *options, size_t n)
{
    struct stream *stream = owner;
    struct gate *gate = stream->channel->gate;
    if (!gate->vault)
        return -EPIPE;
    stream->request = gate_request(gate);
    return send_ask(gate, stream->channel->target, stream->request, options, n,
                    recorder_id(stream->channel->recorder));
}

/* ---- the side connection, by which names are resolved ---- */

static int ask_side_login(void *owner, Ipc__Variable *const *options, size_t n)
{
    struct stream_host *host = owner;
    if (!host->gate->vault)
        return -EPIPE;
    ipc_peer_free(STEAL(host->connector)); /* of an earlier attempt, given up */
    host->request = gate_request(host->gate);
    return send_ask(host->gate, host->target, host->request, options, n, "");
}

static void side_refused(struct stream_host *host, const char *code, const char *message)
{
    log_event(LOG_WARNING, "catalog_login_refused", "connection", U64(host->gate->connection), "target",
              host->target->name, "code", code, "reason", message, NULL);
    catalog_link_refused(host->pg.catalog);
}

static void side_connector_gone(void *owner, const char *reason)
{
    struct stream_host *host = owner;
    ipc_peer_free(STEAL(host->connector));
    side_refused(host, "target_unavailable", reason);
}

static int side_connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct stream_host *host = owner;
    const Ipc__Connected *answer = message->connected;
    if (!answer->refusal && n_fds != 1)
        return -EPROTO;
    ipc_peer_free(STEAL(host->connector));
    if (answer->refusal) {
        side_refused(host, answer->refusal->code, answer->refusal->message);
        return 0;
    }
    gate_audit(host->gate, "target_login", "target", host->target->name, "login", host->target->login,
               "credential", host->target->credential, "purpose", "catalog", NULL);
    catalog_link_connected(host->pg.catalog, STEAL_FD(fds[0]), answer->leftover.data, answer->leftover.len);
    return 0;
}

static void side_answered(struct stream_host *host, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds)
{
    static const struct ipc_rule connector_rules[] = {
        { IPC__MESSAGE__BODY_CONNECTED, 1, true, 0, 1, side_connected },
    };
    host->request = 0;
    if (answer->refusal || n_fds != 1)
        side_refused(host, answer->refusal ? answer->refusal->code : "target_unavailable",
                     answer->refusal ? answer->refusal->message : "the vault gave no login");
    else if (ipc_peer_new(host->gate->loop, STEAL_FD(fds[0]), "connector", connector_rules, 1,
                          side_connector_gone, host, &host->connector))
        side_refused(host, "limit", "out of memory or descriptors");
}

/* ---- answers ---- */

static int send_cancel(const struct stream *stream, uint32_t request, uint32_t pid, const uint8_t *key,
                       size_t n)
{
    struct gate *gate = stream->channel->gate;
    if (!gate->vault)
        return -EPIPE;
    Ipc__AskCancel ask = IPC__ASK_CANCEL__INIT;
    ask.target = stream->channel->target->name;
    ask.pid = pid;
    ask.key = (ProtobufCBinaryData){ .len = n, .data = (uint8_t *)(uintptr_t)key };
    ask.request = request;
    Ipc__Message message = IPC_MESSAGE(ASK_CANCEL, ask_cancel, &ask);
    return ipc_peer_send(gate->vault, &message, NULL, 0);
}

static void ask_cancel(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    (void)send_cancel(owner, 0, pid, key, n);
}

static int ask_cancel_end(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    struct stream *stream = owner;
    stream->cancel_request = gate_request(stream->channel->gate);
    return send_cancel(stream, stream->cancel_request, pid, key, n);
}

static void connector_gone(void *owner, const char *reason)
{
    struct stream *stream = owner;
    (void)reason;
    ipc_peer_free(STEAL(stream->connector));
    refuse_login(stream, "target_unavailable", "the login to the target was given up");
}

static int connected(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct stream *stream = owner;
    const Ipc__Connected *answer = message->connected;
    if (!answer->refusal && n_fds != 1)
        return -EPROTO;
    ipc_peer_free(STEAL(stream->connector));
    if (answer->refusal) {
        refuse_login(stream, answer->refusal->code, answer->refusal->message);
    } else {
        gate_audit(stream->channel->gate, "target_login", "target", stream->channel->target->name, "login",
                   stream->channel->target->login, "credential", stream->channel->target->credential,
                   "recording", recorder_id(stream->channel->recorder), NULL);
        pg_session_connected(stream->session, answer, STEAL_FD(fds[0]));
    }
    return 0;
}

int stream_answer_login(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    static const struct ipc_rule connector_rules[] = {
        { IPC__MESSAGE__BODY_CONNECTED, 1, true, 0, 1, connected },
    };
    struct gate *gate = owner;
    const Ipc__AnswerLogin *answer = message->answer_login;
    struct stream *stream = gate->streams;
    for (struct stream_host *host = gate->hosts; host; host = host->next) {
        if (host->request != 0 && host->request == answer->request) {
            side_answered(host, answer, fds, n_fds);
            return 0;
        }
    }
    if (preview_answer_login(gate, answer, fds, n_fds))
        return 0;
    while (stream && (stream->request != answer->request || answer->request == 0))
        stream = stream->next;
    if (!stream)
        return 0; /* its client has gone meanwhile */
    stream->request = 0;
    masking_set_key(&host_of_stream(stream)->masking, answer->mask_key.data, answer->mask_key.len);
    if (answer->refusal || n_fds != 1) {
        refuse_login(stream, answer->refusal ? answer->refusal->code : "target_unavailable",
                     answer->refusal ? answer->refusal->message : "the vault gave no login");
        return 0;
    }
    if (ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "connector", connector_rules, 1, connector_gone, stream,
                     &stream->connector))
        refuse_login(stream, "limit", "out of memory or descriptors");
    return 0;
}

int stream_answer_cancel(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const struct gate *gate = owner;
    struct stream *stream = gate->streams;
    (void)fds, (void)n_fds;
    while (stream && stream->cancel_request != message->answer_cancel->request)
        stream = stream->next;
    if (stream)
        pg_session_cancelled(stream->session);
    return 0;
}

static void cancels_lost(struct gate *gate)
{
    for (struct stream *stream = gate->streams, *next; stream; stream = next) {
        next = stream->next;
        if (stream->cancel_request)
            pg_session_cancelled(stream->session);
    }
}

void streams_vault_gone(struct gate *gate)
{
    cancels_lost(gate);
    previews_vault_gone(gate);
    for (struct stream_host *host = gate->hosts; host; host = host->next) {
        if (host->request != 0)
            side_refused(host, "target_unavailable", "the vault has restarted");
        host->request = 0;
    }
    for (struct stream *stream = gate->streams, *next; stream; stream = next) {
        next = stream->next;
        if (stream->request == 0)
            continue;
        stream->request = 0;
        refuse_login(stream, "target_unavailable", "the vault has restarted; connect again");
    }
}
