/* What an enrolment says to the issuer, and hears from it. The provider's words go to somebody's terminal:
 * escaped. */
#include "channels/enrol_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/certificate.h"
#include "policy/token.h"

/* ---- what it says ---- */

static void issuer_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    (void)reason;
    ipc_peer_free(STEAL(gate->issuer));
    if (gate->enrolment->stage > STAGE_CHANNEL && gate->enrolment->stage < STAGE_LEAVING)
        enrol_fail(gate, "issuer_unavailable", "the issuer is not available");
}

static int on_device_code(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__DeviceCode *code = message->device_code;
    char text[4096], uri[1024], user_code[128], whole[1536], issuer[128], life[24];
    (void)fds;
    (void)n_fds;
    if (gate->enrolment->stage != STAGE_DEVICE)
        return -EPROTO;
    (void)text_escape(uri, sizeof uri, code->uri, strlen(code->uri), false);
    (void)text_escape(user_code, sizeof user_code, code->code, strlen(code->code), false);
    (void)text_escape(whole, sizeof whole, code->complete_uri, strlen(code->complete_uri), false);
    (void)text_escape(issuer, sizeof issuer, code->issuer, strlen(code->issuer), false);
    int n = snprintf(text, sizeof text,
                     "gatehouse: log in with %s: open\n\n    %s\n\nand enter the code\n\n    %s\n\n", issuer,
                     uri, user_code);
    if (whole[0] && n > 0 && (size_t)n < sizeof text)
        n += snprintf(text + n, sizeof text - (size_t)n, "or open what has both:\n\n    %s\n\n", whole);
    if (n > 0 && (size_t)n < sizeof text)
        (void)snprintf(text + n, sizeof text - (size_t)n,
                       "gatehouse: waiting for that, at most %s; Ctrl-C gives up\n",
                       text_duration(life, (uint64_t)code->expires_s * 1000));
    enrol_complain(gate, text);
    return 0;
}

/* "TYPE BASE64 COMMENT\n", as ssh-keygen writes it; the type is what the certificate says first. */
static int print_certificate(struct gate *gate, const Ipc__Certified *certified)
{
    struct reader blob = reader_of(certified->certificate.data, certified->certificate.len), type;
    char comment[1024];
    if (!reader_string(&blob, &type) || reader_left(&type) > 64 ||
        certified->certificate.len > CERTIFICATE_MAX)
        return -EBADMSG;
    CLEANUP(free) char *base64 = malloc(4 * ((certified->certificate.len + 2) / 3) + 1);
    if (!base64)
        return -ENOMEM;
    (void)text_base64(base64, certified->certificate.data, certified->certificate.len);
    (void)text_escape(comment, sizeof comment, certified->identity, strlen(certified->identity), false);
    struct buffer line;
    buffer_init(&line, 4 * CERTIFICATE_MAX);
    int r = buffer_printf(&line, "%.*s %s %s\n", (int)reader_left(&type), (const char *)type.next, base64,
                          comment);
    if (r == 0)
        printer_put(gate->enrolment->out, buffer_head(&line), buffer_size(&line));
    buffer_free(&line);
    return r;
}

static void tell_success(struct gate *gate, const Ipc__Certified *certified)
{
    char text[2048], name[1024], until[32], left[24];
    uint64_t now = clock_unix_ms() / 1000;
    uint64_t seconds = certified->valid_before > now ? certified->valid_before - now : 0;
    (void)text_escape(name, sizeof name, certified->identity, strlen(certified->identity), false);
    (void)snprintf(text, sizeof text, "gatehouse: certificate for %s, valid until %s (%s)\n", name,
                   text_time(until, certified->valid_before * 1000),
                   text_duration(left, (seconds > 120 ? seconds / 60 * 60 : seconds) * 1000));
    enrol_complain(gate, text);
    log_event(LOG_INFO, "enrolled", "connection", U64(gate->connection), "identity", certified->identity,
              "source", gate->source_address, "until", until, NULL);
}

static int on_certified(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__Certified *certified = message->certified;
    (void)fds;
    (void)n_fds;
    if (gate->enrolment->stage != STAGE_ISSUER && gate->enrolment->stage != STAGE_DEVICE)
        return -EPROTO;
    if (certified->refusal) {
        enrol_fail(gate, certified->refusal->code, certified->refusal->message);
        return 0;
    }
    if (print_certificate(gate, certified)) {
        enrol_fail(gate, "issuer_unavailable", "the issuer's answer is no certificate");
        return 0;
    }
    tell_success(gate, certified);
    Ipc__Admitted admitted = IPC__ADMITTED__INIT;
    Ipc__Message news = IPC_MESSAGE(ADMITTED, admitted, &admitted);
    (void)ipc_peer_send(gate->listener, &news, NULL, 0);
    enrol_leave(gate, 0);
    return 0;
}

/* ---- what it is asked ---- */

/* Nothing is lost by asking the issuer; but what can't be a token is told at once, and in plainer words. */
static const char *why_no_token(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return "what came on stdin is no token";
    return n > TOKEN_MAX ? "what came on stdin is too long for a token (32 KiB)" : NULL;
}

static void certify(struct gate *gate, const char *text, size_t n)
{
    struct enrolment *e = gate->enrolment;
    char *token = strndup(text, n);
    if (!token) {
        enrol_fail(gate, "limit", "out of memory");
        return;
    }
    Ipc__Certify body = IPC__CERTIFY__INIT;
    body.key = (ProtobufCBinaryData){ .len = e->key_n, .data = e->key };
    body.token = token;
    Ipc__Message question = IPC_MESSAGE(CERTIFY, certify, &body);
    enrol_stage(e, STAGE_ISSUER, ENROL_ISSUER_MS);
    (void)ipc_peer_send(gate->issuer, &question, NULL, 0);
    explicit_bzero(token, n);
    free(token);
}

static bool has_device_flow(const struct gate *gate)
{
    for (size_t i = 0; i < gate->config->n_issuers; i++)
        if (gate->config->issuers[i]->client_id[0])
            return true;
    return false;
}

void enrol_by_device(struct gate *gate, const char *issuer)
{
    struct enrolment *e = gate->enrolment;
    if (!has_device_flow(gate)) {
        enrol_fail(gate, "no_token",
                   "no token came on stdin, and no issuer here offers to log in with a browser");
        return;
    }
    Ipc__DeviceStart body = IPC__DEVICE_START__INIT;
    body.key = (ProtobufCBinaryData){ .len = e->key_n, .data = e->key };
    body.issuer = (char *)(uintptr_t)issuer;
    Ipc__Message question = IPC_MESSAGE(DEVICE_START, device_start, &body);
    enrol_stage(e, STAGE_DEVICE, ENROL_LIMIT_MS);
    (void)ipc_peer_send(gate->issuer, &question, NULL, 0);
}

void enrol_by_token(struct gate *gate, const char *text, size_t n)
{
    const char *why = why_no_token(text, n);
    if (why)
        enrol_fail(gate, "malformed", why);
    else
        certify(gate, text, n);
}

int enrol_meet_issuer(struct gate *gate, int fd)
{
    static const struct ipc_rule rules[] = {
        { IPC__MESSAGE__BODY_DEVICE_CODE, 1, true, 0, 0, on_device_code },
        { IPC__MESSAGE__BODY_CERTIFIED, 1, true, 0, 0, on_certified },
    };
    return ipc_peer_new(gate->loop, fd, "issuer", rules, sizeof rules / sizeof rules[0], issuer_gone, gate,
                        &gate->issuer);
}
