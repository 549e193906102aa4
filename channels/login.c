/* libssh, in the front, has verified the user's signature; the front claims so by sending the certificate.
 * Here and in the vault the certificate itself is verified, so a front that lies can only claim certificates
 * that it has been shown. The vault's ticket is what ledger and launcher believe. */
#include "channels/login.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "policy/certificate.h"

enum { LOGIN_LIMIT_MS = 5000 };

struct login {
    struct timer *limit;
    char user[64];
};

static void login_free(struct login *login)
{
    if (login)
        timer_free(login->limit);
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

/* The gate's own reading; fills gate->identity. */
static int check_certificate(struct gate *gate, const Ipc__Login *request, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    int r = certificate_parse(request->certificate.data, request->certificate.len, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, gate->config, NULL, (uint64_t)time(NULL),
                              gate->source_address, &gate->identity, detail);
    return r;
}

int login_begin(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    (void)fds;
    (void)n_fds;
    const Ipc__Login *request = message->login;
    (void)text_escape(gate->login->user, sizeof gate->login->user, request->user, strlen(request->user),
                      false);
    struct detail detail = { "the certificate could not be checked; try again" };
    if (check_certificate(gate, request, &detail)) {
        login_refuse(gate, detail.text);
        return 0;
    }
    gate->identity->connection = gate->connection;
    gate->identity->source_port = gate->source_port;
    Ipc__Present present = IPC__PRESENT__INIT;
    present.certificate = request->certificate;
    Ipc__Message question = IPC_MESSAGE(PRESENT, present, &present);
    if (!gate->vault)
        login_refuse(gate, "the vault is not available; connect again later");
    else
        (void)ipc_peer_send(gate->vault, &question, NULL, 0);
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
              "source", gate->source_address, "port", U64(gate->source_port), "user", user, NULL);
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
    if (!vouched->ticket) {
        login_refuse(gate,
                     vouched->refusal ? vouched->refusal->message : "the vault refused the certificate");
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
    return 0;
}
