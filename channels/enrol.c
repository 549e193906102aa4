/* One enrolment:
 *
 *     Login -> one session -> token on stdin, or device flow -> the issuer's answer -> certificate on stdout
 *
 * stdout gets the certificate's line and nothing else, so that `ssh enroll@… > id-cert.pub` is all that a
 * script needs; everything for people goes to stderr. Whether the token is good is the issuer's business. */
#include "channels/enrol_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/refusal.h"
#include "policy/certificate.h"
#include "policy/certificate_issue.h"
#include "policy/token.h"

enum { CTRL_C = 0x03, CTRL_D = 0x04, STATUS_CANCELLED = 130, READ_MAX = 16 * 1024 };

void enrol_stage(struct enrolment *e, enum stage stage, uint64_t ms)
{
    uint64_t now = clock_ms(), left = e->over_ms > now ? e->over_ms - now : 0;
    e->stage = stage;
    timer_set(e->limit, ms < left ? ms : left);
}

/* ---- leaving ---- */

static void stop_reading(struct enrolment *e)
{
    source_free(STEAL(e->input_source));
    fd_close(STEAL_FD(e->input));
    if (buffer_size(&e->token) > 0)
        explicit_bzero((uint8_t *)(uintptr_t)buffer_head(&e->token), buffer_size(&e->token));
    buffer_free(&e->token);
}

static bool all_is_printed(const struct enrolment *e)
{
    return (!e->out || printer_empty(e->out)) && (!e->err || printer_empty(e->err));
}

/* The session ends once everything has gone out; then the client has some time to end the connection. */
static void leave_when_printed(void *owner)
{
    struct gate *gate = owner;
    struct enrolment *e = gate->enrolment;
    if (e->stage != STAGE_LEAVING || !all_is_printed(e))
        return;
    printer_free(STEAL(e->out));
    printer_free(STEAL(e->err));
    Ipc__Exit exited = IPC__EXIT__INIT;
    exited.channel = e->channel;
    exited.status = e->status;
    Ipc__Message message = IPC_MESSAGE(EXIT, exit, &exited);
    (void)ipc_peer_send(gate->front, &message, NULL, 0);
    e->over_ms = clock_ms() + ENROL_LINGER_MS;
    enrol_stage(e, STAGE_LEFT, ENROL_LINGER_MS);
}

void enrol_leave(struct gate *gate, uint32_t status)
{
    struct enrolment *e = gate->enrolment;
    stop_reading(e);
    ipc_peer_free(STEAL(gate->issuer)); /* whatever it is doing for us, it stops */
    e->status = status;
    enrol_stage(e, STAGE_LEAVING, ENROL_INPUT_MS);
    leave_when_printed(gate);
}

void enrol_complain(struct gate *gate, const char *text)
{
    if (gate->enrolment->err)
        printer_put(gate->enrolment->err, text, strlen(text));
}

/* What most codes advise is for those who are in. */
static const char *next_step(const char *code)
{
    if (strcmp(code, "denied") == 0)
        return "get a new token from your identity provider, and try again";
    return strcmp(code, "usage") == 0 ? "ssh enroll@BASTION < token > ~/.ssh/id-cert.pub" : NULL;
}

void enrol_fail(struct gate *gate, const char *code, const char *reason)
{
    char text[2 * DETAIL_MAX];
    struct refusal refusal = { .code = code, .reason = reason, .next = next_step(code) };
    log_event(LOG_WARNING, "enrolment_failed", "connection", U64(gate->connection), "source",
              gate->source_address, "code", code, "reason", reason, NULL);
    enrol_complain(gate, refusal_lines(&refusal, text, sizeof text));
    enrol_leave(gate, refusal_status(&refusal));
}

static void cancel(struct gate *gate)
{
    if (gate->enrolment->stage >= STAGE_LEAVING || gate->enrolment->stage <= STAGE_CHANNEL)
        return;
    log_event(LOG_INFO, "enrolment_cancelled", "connection", U64(gate->connection), NULL);
    enrol_complain(gate, "gatehouse: given up\n");
    enrol_leave(gate, STATUS_CANCELLED);
}

static void stage_over(void *owner)
{
    struct gate *gate = owner;
    switch (gate->enrolment->stage) {
    case STAGE_LOGIN:
    case STAGE_CHANNEL:
    case STAGE_LEAVING:
        gate_disconnect(gate, "enrolling took too long; connect again");
        return;
    case STAGE_LEFT:
        gate_disconnect(gate, "enrolling is over");
        return;
    case STAGE_TOKEN:
        enrol_fail(gate, "no_token", "no token came on stdin within 2 minutes");
        return;
    case STAGE_ISSUER:
        enrol_fail(gate, "issuer_unavailable", "the issuer did not answer");
        return;
    case STAGE_DEVICE:
        enrol_fail(gate, "issuer_unavailable", "nobody confirmed the code in time");
        return;
    }
}

/* ---- stdin ---- */

static void token_is_complete(struct gate *gate)
{
    struct enrolment *e = gate->enrolment;
    const char *text = (const char *)buffer_head(&e->token);
    size_t n = buffer_size(&e->token);
    for (; n > 0 && isspace((unsigned char)text[0]); n--)
        text++;
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        n--;
    source_interest(e->input_source, 0); /* its end would be reported for ever */
    if (n == 0)
        enrol_by_device(gate, "");
    else
        enrol_by_token(gate, text, n);
}

static void read_token(struct gate *gate)
{
    struct enrolment *e = gate->enrolment;
    size_t n = 0;
    int r = buffer_read(&e->token, e->input, READ_MAX, &n);
    if (r == -EAGAIN)
        return;
    if (r == -ENOBUFS)
        enrol_fail(gate, "malformed", "what came on stdin is too long for a token (32 KiB)");
    else if (r)
        cancel(gate);
    else if (n == 0)
        token_is_complete(gate);
}

/* A terminal in raw mode sends Ctrl-C as a byte; anything else that is typed has no meaning. */
static void watch_keys(struct gate *gate)
{
    struct enrolment *e = gate->enrolment;
    uint8_t keys[256];
    ssize_t n = read(e->input, keys, sizeof keys);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (n == 0 && e->pty) ||
        (n > 0 && (memchr(keys, CTRL_C, (size_t)n) || memchr(keys, CTRL_D, (size_t)n))))
        cancel(gate);
    else if (n == 0)
        source_interest(e->input_source, 0);
}

static void input_ready(void *owner, uint32_t ready)
{
    struct gate *gate = owner;
    (void)ready;
    if (gate->enrolment->stage == STAGE_TOKEN)
        read_token(gate);
    else
        watch_keys(gate);
}

/* ---- the front ---- */

static void decline(struct gate *gate, uint32_t channel, const char *why)
{
    Ipc__OpenRefused refused = IPC__OPEN_REFUSED__INIT;
    refused.channel = channel;
    refused.message = (char *)(uintptr_t)why;
    Ipc__Message message = IPC_MESSAGE(OPEN_REFUSED, open_refused, &refused);
    (void)ipc_peer_send(gate->front, &message, NULL, 0);
    log_event(LOG_WARNING, "forward_refused", "connection", U64(gate->connection), "reason", why, NULL);
}

static int attach(struct gate *gate, const Ipc__Open *open, int *fds)
{
    struct enrolment *e = gate->enrolment;
    e->channel = open->channel;
    e->pty = open->pty != NULL;
    e->input = fd_dup(fds[0]); /* the printer has its own */
    int r = e->input < 0 ? e->input : fd_nonblock(fds[0], true);
    if (r == 0)
        r = printer_new(gate->loop, STEAL_FD(fds[0]), false, leave_when_printed, gate, &e->out);
    if (r == 0)
        r = printer_new(gate->loop, STEAL_FD(fds[1]), e->pty, leave_when_printed, gate, &e->err);
    if (r == 0)
        r = source_new(gate->loop, e->input, LOOP_READ, input_ready, gate, &e->input_source);
    return r;
}

static bool is_issuer(const struct gate *gate, const char *name)
{
    for (size_t i = 0; i < gate->config->n_issuers; i++)
        if (strcmp(gate->config->issuers[i]->name, name) == 0)
            return true;
    return false;
}

static void begin_session(struct gate *gate, const Ipc__Open *open)
{
    struct enrolment *e = gate->enrolment;
    const char *command = open->what_case == IPC__OPEN__WHAT_EXEC        ? open->exec
                          : open->what_case == IPC__OPEN__WHAT_SUBSYSTEM ? open->subsystem
                                                                         : "";
    if (!gate->issuer)
        enrol_fail(gate, "issuer_unavailable", "the issuer is not available");
    else if (command[0] && !is_issuer(gate, command))
        enrol_fail(gate, "usage",
                   "enroll@ takes no command but the name of an issuer: send a token on stdin, or nothing");
    else if (command[0] || e->pty)
        enrol_by_device(gate, command);
    else
        enrol_stage(e, STAGE_TOKEN, ENROL_INPUT_MS);
}

int enrol_open(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__Open *open = message->open;
    bool session = open->what_case != IPC__OPEN__WHAT_FORWARD;
    if (open->what_case == IPC__OPEN__WHAT__NOT_SET || n_fds != (session ? 2u : 1u))
        return -EPROTO;
    if (!session) {
        decline(gate, open->channel, "enroll@ gets a certificate and nothing else: forward with that");
        return 0;
    }
    if (gate->enrolment->stage != STAGE_CHANNEL) {
        decline(gate, open->channel, "gatehouse: enroll@ has one session");
        return 0;
    }
    int r = attach(gate, open, fds);
    if (r)
        return r;
    Ipc__Opened opened = IPC__OPENED__INIT;
    opened.channel = open->channel;
    Ipc__Message answer = IPC_MESSAGE(OPENED, opened, &opened);
    (void)ipc_peer_send(gate->front, &answer, NULL, 0);
    begin_session(gate, open);
    return 0;
}

int enrol_signal(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)message;
    (void)fds;
    (void)n_fds;
    cancel(owner); /* whatever the signal: there is nothing that could handle one */
    return 0;
}

/* ---- login ---- */

static void send_verdict(struct gate *gate, const char *refusal)
{
    Ipc__LoginVerdict verdict = IPC__LOGIN_VERDICT__INIT;
    verdict.admitted = !refusal;
    if (refusal)
        verdict.message = (char *)(uintptr_t)refusal;
    verdict.pty_allowed = true;
    Ipc__Message message = IPC_MESSAGE(LOGIN_VERDICT, login_verdict, &verdict);
    (void)ipc_peer_send(gate->front, &message, NULL, 0);
    if (!refusal)
        return;
    log_event(LOG_WARNING, "enrolment_refused", "connection", U64(gate->connection), "source",
              gate->source_address, "reason", refusal, NULL);
    loop_stop(gate->loop, 0);
}

/* The front accepts every key type that it knows; which of them are certified is decided where keys are
 * understood. */
int enrol_login(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    struct enrolment *e = gate->enrolment;
    struct detail detail = { "the key could not be checked; try again" };
    (void)fds;
    (void)n_fds;
    if (gate->config->n_issuers == 0) {
        send_verdict(gate, "no certificates are issued here: ask those who run this bastion for one");
        return 0;
    }
    if (certificate_plain_key(message->login->certificate.data, message->login->certificate.len, &e->key,
                              &e->key_n, &detail) ||
        certificate_key_check(e->key, e->key_n, &detail)) {
        send_verdict(gate, detail.text);
        return 0;
    }
    gate_admitted(gate);
    send_verdict(gate, NULL);
    enrol_stage(e, STAGE_CHANNEL, ENROL_INPUT_MS);
    return 0;
}

int enrol_begin(struct gate *gate, int issuer_fd)
{
    CLEANUP(fd_close) int issuer = issuer_fd;
    struct enrolment *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    *e = (struct enrolment){ .input = -1, .over_ms = clock_ms() + ENROL_LIMIT_MS };
    buffer_init(&e->token, TOKEN_MAX + ENROL_SPACE_MAX);
    gate->enrolment = e;
    int r = timer_new(gate->loop, stage_over, gate, &e->limit);
    if (r == 0)
        r = enrol_meet_issuer(gate, STEAL_FD(issuer));
    if (r == 0)
        enrol_stage(e, STAGE_LOGIN, ENROL_LOGIN_MS);
    return r;
}
