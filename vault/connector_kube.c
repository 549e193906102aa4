/* The gate writes requests without a credential and never learns one. A bearer token stands in each request
 * and a client certificate in the handshake; so whoever adds the first or holds the second has to stay
 * between them, which is this process. It checks of a request what keeps ours apart from the gate's
 * (connector_head.h) and reads nothing that the server says: what could be broken by an answer has been
 * left in the gate. */
#include "vault/connector_kube.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/jail.h"
#include "base/log.h"
#include "base/text.h"
#include "vault/connector_frames.h"
#include "vault/connector_kube_login.h"
#include "vault/connector_relay.h"
#include "vault/connector_tell.h"
#include "vault/connector_token.h"

enum { EXIT_SOFTWARE = 70 };

/* One connection to the API server, and what it adds to requests. */
struct session {
    struct kube_login login;
    struct frames frames;
    uint64_t stale_ms; /* monotonic; 0: never */
    struct detail fault;
};

/* ---- the filter ---- */

static int give(void *owner, const uint8_t *in, size_t n, size_t *ret_taken, uint8_t *out, size_t room,
                size_t *ret_put)
{
    struct session *session = owner;

    session->frames.stale = session->stale_ms && clock_ms() >= session->stale_ms;
    return frames_give(&session->frames, in, n, ret_taken, out, room, ret_put, &session->fault);
}

static void hear(void *owner, const uint8_t *bytes, size_t n)
{
    struct session *session = owner;

    frames_hear(&session->frames, bytes, n);
}

static int carry(struct session *session, const struct job *job, int plain_fd)
{
    const struct relay_filter filter = { session, give, hear, .tells_end = true };
    struct detail detail = { "" };
    int r = jail_tighten(&detail);

    if (r) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        return EXIT_SOFTWARE;
    }
    r = relay_run(session->login.tls, session->login.fd, plain_fd, &filter, &detail);
    if (r < 0)
        log_event(LOG_WARNING, "target_request_refused", "connection", U64(job->connection), "target",
                  job->target->name, "detail", session->fault.text[0] ? session->fault.text : strerror(-r),
                  NULL);
    else if (detail.text[0])
        log_event(LOG_WARNING, "target_lost", "connection", U64(job->connection), "target", job->target->name,
                  "detail", detail.text, NULL);
    return r < 0 ? CONNECTOR_UNAVAILABLE : 0;
}

/* ---- a session's connection ---- */

/* *ret_fd: our end of the gate's stream. */
static int hand_over(struct job *job, struct session *session, int *ret_fd)
{
    Ipc__Connected connected = IPC__CONNECTED__INIT;
    uint64_t usable = job->message->usable_ms;
    int pair[2];
    int r = fd_pair(SOCK_STREAM, pair);

    if (r)
        return r;
    if (usable)
        session->stale_ms = clock_ms() + usable;
    connected.relayed = true;
    connected.usable_ms = usable;
    r = tell_gate(job, &connected, &pair[1], 1);
    fd_close(pair[1]);
    if (r)
        fd_close(pair[0]);
    else
        *ret_fd = pair[0];
    return r;
}

static int serve(struct job *job, struct session *session, int vault)
{
    CLEANUP(fd_close) int ours = -1;
    int r = hand_over(job, session, &ours);

    tell_vault(vault, r == 0, r ? "the gate did not take the connection" : "");
    fd_close(STEAL_FD(job->gate));
    fd_close(vault);
    return r ? CONNECTOR_UNAVAILABLE : carry(session, job, ours);
}

static int run_session(struct job *job, char *secret, size_t secret_n, int vault)
{
    struct session session = { .stale_ms = 0 };
    struct detail detail = { "" };
    int status = CONNECTOR_UNAVAILABLE;
    int r = kube_login(job, secret, secret_n, &session.login, &detail);

    alarm(0);
    if (r) {
        tell_vault(vault, false,
                   detail.text[0] ? detail.text : strerror(-r)); /* first: see connector_tell.h */
        refuse_gate(job, NULL);
        return status;
    }
    session.frames =
        frames_with((const char *)buffer_head(&session.login.lines), buffer_size(&session.login.lines));
    status = serve(job, &session, vault);
    frames_free(&session.frames);
    kube_login_free(&session.login);
    return status;
}

int kube_run(struct job *job, char *secret, size_t secret_n, int vault)
{
    return job->message->want_token ? token_run(job, secret, secret_n, vault)
                                    : run_session(job, secret, secret_n, vault);
}
