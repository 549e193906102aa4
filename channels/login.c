/* libssh, in the front, has verified the user's signature; the front claims so by sending the certificate.
 * Here and in the vault the certificate itself is verified, so a front that lies can only claim certificates
 * that it has been shown. The vault's ticket is what ledger and launcher believe.
 *
 * An OpenPubkey certificate, which nobody but its own key has signed, goes to the issuer first: what comes
 * back is one of ours for the same key, and everything else is as if that had been shown. */
#include "channels/login.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "channels/jump.h"
#include "channels/lifetime.h"
#include "policy/certificate.h"

enum {
    LOGIN_LIMIT_MS = 5000,
    LOGIN_EXCHANGE_MS = 20000, /* the issuer may have to fetch its provider's keys */
};

struct login {
    struct timer *limit;
    char user[64];
    uint8_t *shown; /* the OpenPubkey certificate that is exchanged, or NULL */
    size_t shown_n;
    char key[64]; /* its key's fingerprint */
};

static void login_free(struct login *login)
{
    if (!login)
        return;
    timer_free(login->limit);
    free(login->shown);
    free(login);
}

static void send_verdict(struct gate *gate, bool admitted, const char *text)
{
    Ipc__LoginVerdict verdict = IPC__LOGIN_VERDICT__INIT;
    verdict.admitted = admitted;
    verdict.message = (char *)(uintptr_t)text;
    verdict.pty_allowed = admitted && gate->identity->pty;
    verdict.forwarding_allowed = admitted && gate->identity->forwarding;
    Ipc__Message message = IPC_MESSAGE(LOGIN_VERDICT, login_verdict, &verdict);
    (void)ipc_peer_send(gate->front, &message, NULL, 0);
}

void login_refuse(struct gate *gate, const char *text)
{
    log_event(LOG_WARNING, "login_refused", "connection", U64(gate->connection), "source",
              gate->source_address, "user", gate->login ? gate->login->user : NULL, "reason", text, NULL);
    gate_audit(gate, "login_refused", "reason", text, "user", gate->login ? gate->login->user : NULL, NULL);
    send_verdict(gate, false, text);
    ipc_peer_free(STEAL(gate->issuer));
    login_free(STEAL(gate->login));
    loop_stop(gate->loop, 0);
}

static void took_too_long(void *owner)
{
    login_refuse(owner, "the login took too long; try again");
}

int login_expect(struct gate *gate)
{
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return -ENOMEM;
    int r = timer_new(gate->loop, took_too_long, gate, &login->limit);
    if (r) {
        free(login);
        return r;
    }
    timer_set(login->limit, LOGIN_LIMIT_MS);
    gate->login = login;
    return 0;
}

/* ---- the certificate ---- */

/* The gate's own reading: fills gate->certificate and gate->identity. */
static int check_certificate(struct gate *gate, const uint8_t *blob, size_t n, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int r = certificate_parse(blob, n, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, gate->config, gate->revocations, (uint64_t)time(NULL),
                              gate->source_address, &gate->identity, detail);
    if (r)
        return r;
    gate->identity->connection = gate->connection;
    gate->identity->source_port = gate->source_port;
    gate->certificate = STEAL(certificate);
    return 0;
}

/* Checks it, and asks the vault for its own opinion. */
static void present(struct gate *gate, uint8_t *blob, size_t n)
{
    struct detail detail = { "the certificate could not be checked; try again" };
    if (check_certificate(gate, blob, n, &detail)) {
        login_refuse(gate, detail.text);
        return;
    }
    if (jump_refuses(gate)) {
        login_refuse(gate, jump_refuses(gate));
        return;
    }
    Ipc__Present body = IPC__PRESENT__INIT;
    body.certificate = (ProtobufCBinaryData){ .len = n, .data = blob };
    Ipc__Message question = IPC_MESSAGE(PRESENT, present, &body);
    if (!gate->vault)
        login_refuse(gate, "the vault is not available; connect again later");
    else
        (void)ipc_peer_send(gate->vault, &question, NULL, 0);
}

/* ---- OpenPubkey ---- */

static bool exchanges(const struct gate *gate)
{
    for (size_t i = 0; i < gate->config->n_issuers; i++)
        if (gate->config->issuers[i]->openpubkey)
            return true;
    return false;
}

/* False: it is an ordinary one, or none. */
static bool is_packet(const struct gate *gate, const Ipc__Login *request, char key[64])
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct detail detail;
    return exchanges(gate) &&
           certificate_parse(request->certificate.data, request->certificate.len, &certificate, &detail) ==
               0 &&
           certificate_is_packet(certificate) && certificate_fingerprint(certificate, key, 64) == 0;
}

/* All that the gate can check of it without the provider's keys; the rest is the issuer's. */
static int check_packet(struct gate *gate, const Ipc__Login *request, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int r = certificate_parse(request->certificate.data, request->certificate.len, &certificate, detail);
    if (r == 0)
        r = certificate_check_packet(certificate, gate->revocations, (uint64_t)time(NULL),
                                     gate->source_address, detail);
    return r;
}

static void begin_exchange(struct gate *gate, const Ipc__Login *request)
{
    struct login *login = gate->login;
    struct detail detail = { "the certificate could not be checked; try again" };
    if (check_packet(gate, request, &detail)) {
        login_refuse(gate, detail.text);
        return;
    }
    login->shown = malloc(request->certificate.len);
    if (!login->shown) {
        login_refuse(gate, detail.text);
        return;
    }
    memcpy(login->shown, request->certificate.data, request->certificate.len);
    login->shown_n = request->certificate.len;
    timer_set(login->limit, LOGIN_EXCHANGE_MS);
    Ipc__WantIssuer want = IPC__WANT_ISSUER__INIT;
    Ipc__Message question = IPC_MESSAGE(WANT_ISSUER, want_issuer, &want);
    (void)ipc_peer_send(gate->listener, &question, NULL, 0);
}

static void issuer_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    (void)reason;
    ipc_peer_free(STEAL(gate->issuer));
    if (gate->login)
        login_refuse(gate, "the issuer is not available; try again");
}

/* Whatever the issuer mixed up, nobody gets a certificate that isn't for the key that was proven. */
static bool is_for_key(const Ipc__Certified *certified, const char *key)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    struct detail detail;
    char fingerprint[64];
    return certificate_parse(certified->certificate.data, certified->certificate.len, &certificate,
                             &detail) == 0 &&
           certificate_fingerprint(certificate, fingerprint, sizeof fingerprint) == 0 &&
           strcmp(fingerprint, key) == 0;
}

static int exchanged(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__Certified *certified = message->certified;
    (void)fds;
    (void)n_fds;
    if (!gate->login)
        return 0;
    ipc_peer_free(STEAL(gate->issuer));
    if (certified->refusal) {
        login_refuse(gate, certified->refusal->message);
    } else if (!is_for_key(certified, gate->login->key)) {
        login_refuse(gate, "the issuer certified another key; tell those who run this bastion");
    } else {
        timer_set(gate->login->limit, LOGIN_LIMIT_MS);
        present(gate, certified->certificate.data, certified->certificate.len);
    }
    return 0;
}

int login_issuer_given(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_CERTIFIED, 1, true, 0, 0, exchanged } };
    struct gate *gate = owner;
    (void)message;
    if (!gate->login || !gate->login->shown)
        return -EPROTO;
    if (n_fds != 1 ||
        ipc_peer_new(gate->loop, STEAL_FD(fds[0]), "issuer", rules, 1, issuer_gone, gate, &gate->issuer)) {
        login_refuse(gate, "the issuer is not available; try again");
        return 0;
    }
    Ipc__Exchange exchange = IPC__EXCHANGE__INIT;
    exchange.certificate = (ProtobufCBinaryData){ .len = gate->login->shown_n, .data = gate->login->shown };
    Ipc__Message question = IPC_MESSAGE(EXCHANGE, exchange, &exchange);
    (void)ipc_peer_send(gate->issuer, &question, NULL, 0);
    return 0;
}

/* ---- the course of it ---- */

int login_begin(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds;
    (void)n_fds;
    const Ipc__Login *request = message->login;
    (void)text_escape(gate->login->user, sizeof gate->login->user, request->user, strlen(request->user),
                      false);
    if (strlen(request->user) < sizeof gate->user)
        memcpy(gate->user, request->user, strlen(request->user) + 1);
    if (gate->outer)
        jump_route(gate, request->user);
    else if (!route_read(request->user, strlen(request->user), &gate->route))
        gate->route = (struct route){ .target = "" };
    if (is_packet(gate, request, gate->login->key))
        begin_exchange(gate, request);
    else
        present(gate, request->certificate.data, request->certificate.len);
    return 0;
}

static void introduce(struct ipc_peer *peer, Ipc__Ticket *ticket)
{
    Ipc__Introduce introduction = IPC__INTRODUCE__INIT;
    introduction.ticket = ticket;
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &introduction);
    if (peer)
        (void)ipc_peer_send(peer, &message, NULL, 0);
}

static void log_login(const struct gate *gate, const char *user)
{
    const Ipc__Identity *who = gate->identity;
    struct buffer roles;
    buffer_init(&roles, 1024);
    for (size_t i = 0; i < who->n_roles; i++)
        (void)!buffer_printf(&roles, "%s%s", i ? "," : "", who->roles[i]);
    (void)!buffer_put_u8(&roles, 0);
    log_event(LOG_INFO, "login", "connection", U64(gate->connection), "identity", who->name, "roles",
              (const char *)buffer_head(&roles), "serial", U64(who->serial), "key", who->fingerprint,
              "source", gate->source_address, "port", U64(gate->source_port), "user", user, "outer",
              gate->outer ? U64(gate->outer->connection) : NULL, NULL);
    buffer_free(&roles);
}

int login_vouched(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds;
    (void)n_fds;
    const Ipc__Vouched *vouched = message->vouched;
    if (!gate->login || !gate->identity)
        return -EPROTO;
    struct detail detail = { "your certificate has been revoked" };
    if (!vouched->ticket || lifetime_is_revoked(gate, &detail)) {
        login_refuse(gate, vouched->ticket    ? detail.text
                           : vouched->refusal ? vouched->refusal->message
                                              : "the vault refused the certificate");
        return 0;
    }
    introduce(gate->ledger, vouched->ticket);
    introduce(gate->launcher, vouched->ticket);
    Ipc__Admitted admitted = IPC__ADMITTED__INIT;
    Ipc__Message tell = IPC_MESSAGE(ADMITTED, admitted, &admitted);
    (void)ipc_peer_send(gate->listener, &tell, NULL, 0);
    gate_admitted(gate);
    send_verdict(gate, true, "");
    log_login(gate, gate->login->user);
    login_free(STEAL(gate->login));
    if (lifetime_begin(gate))
        gate_disconnect(gate, "out of memory; connect again later");
    return 0;
}
