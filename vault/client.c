/* A gate's requests.
 *
 * The gate has checked the certificate; we check it ourselves, against the source address that the listener
 * told us, and again at each use: validity passes, certificates are revoked, and a reload may have taken away
 * a CA, a role or a target. What the gate says about itself is never looked at. */
#include "vault/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/certificate.h"
#include "policy/ticket.h"
#include "vault/errand.h"
#include "vault/host.h"
#include "vault/kube.h"
#include "vault/login.h"
#include "vault/tls_server.h"

enum { STATE_NEW = 1, STATE_VOUCHED = 2 };

enum {
    SETTINGS_MAX = 64,          /* of one login */
    SETTINGS_BYTES = 16 * 1024, /* of all of them */
    RECORDING_MAX = 128,
    CANCEL_KEY_MAX = 256,
};

static void identity_free(Ipc__Identity *identity)
{
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
}
DEFINE_CLEANUP(Ipc__Identity *, identity_free)

static void ticket_free(Ipc__Ticket *ticket)
{
    if (ticket)
        ipc__ticket__free_unpacked(ticket, NULL);
}
DEFINE_CLEANUP(Ipc__Ticket *, ticket_free)

/* Who the client is now. 0, a certificate_fault or negative. */
static int identify(const struct client *client, const struct certificate *certificate, Ipc__Identity **ret,
                    struct detail *detail)
{
    const Ipc__Config *config = client->vault->config;
    /* Sessions that may outlive their certificates go on as they began; revocation counts all the same. */
    bool outlives = config->keep_expired_sessions && client->admitted_s;
    uint64_t now = outlives ? client->admitted_s : clock_unix_ms() / 1000;
    int r = certificate_admit(certificate, config, client->vault->revocations, now, client->source_address,
                              ret, detail);

    if (r)
        return r;
    (*ret)->connection = client->connection;
    (*ret)->source_port = client->source_port;
    return 0;
}

/* ---- Present ---- */

static void answer_present(struct client *client, Ipc__Ticket *ticket, const char *message_text)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__Vouched vouched = IPC__VOUCHED__INIT;
    Ipc__Message message = IPC_MESSAGE(VOUCHED, vouched, &vouched);

    refusal.code = (char *)(uintptr_t) "denied";
    refusal.message = (char *)(uintptr_t)message_text;
    vouched.ticket = ticket;
    vouched.refusal = ticket ? NULL : &refusal;
    (void)ipc_peer_send(client->peer, &message, NULL, 0);
}

static int vouch(struct client *client, const Ipc__Present *present, Ipc__Ticket **ret, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    int r = certificate_parse(present->certificate.data, present->certificate.len, &certificate, detail);

    if (!r)
        r = identify(client, certificate, &identity, detail);
    if (r)
        return r;
    client->name = strdup(identity->name);
    if (!client->name)
        return -ENOMEM;
    r = ticket_issue(secret_bytes(client->vault->ticket_key), identity, ret);
    if (!r) {
        client->certificate = STEAL(certificate);
        client->admitted_s = clock_unix_ms() / 1000;
    }
    return r;
}

static int on_present(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    CLEANUP(ticket_free) Ipc__Ticket *ticket = NULL;
    struct client *client = owner;
    struct detail detail = { "the vault can't check your certificate now; try again" };
    int r = vouch(client, message->present, &ticket, &detail);

    (void)fds, (void)n_fds;
    if (r)
        log_event(LOG_WARNING, "not_vouched", "connection", U64(client->connection), "source",
                  client->source_address, "reason", detail.text, "error", r < 0 ? strerror(-r) : NULL, NULL);
    else
        ipc_peer_state(client->peer, STATE_VOUCHED);
    answer_present(client, ticket, detail.text);
    return 0;
}

/* ---- AskLogin ---- */

static void answer_login(struct client *client, uint32_t request, struct refusal *refused,
                         const struct secret *mask_key, int fd)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    Ipc__AnswerLogin answer = IPC__ANSWER_LOGIN__INIT;
    Ipc__Message message = IPC_MESSAGE(ANSWER_LOGIN, answer_login, &answer);

    answer.request = request;
    refusal.code = (char *)(uintptr_t)refused->code;
    refusal.message = refused->message.text;
    if (refused->code)
        answer.refusal = &refusal;
    if (mask_key) {
        answer.mask_key.data = (uint8_t *)(uintptr_t)secret_bytes(mask_key);
        answer.mask_key.len = secret_size(mask_key);
    }
    (void)ipc_peer_send(client->peer, &message, &fd, fd < 0 ? 0 : 1);
}

/* The target, when this client may reach it now. One answer for a target that is not there and for one that
 * is not for these roles: names of targets are nobody else's business. */
static const Ipc__Target *reach(const struct client *client, const char *name, struct refusal *refused,
                                Ipc__Identity **ret_identity)
{
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    const Ipc__Target *target = vault_target(client->vault, name);
    int r = identify(client, client->certificate, &identity, &refused->message);

    if (r < 0)
        detail_set(&refused->message, "the vault can't check your certificate now; try again");
    if (r) {
        refused->log = refused->message;
        refused->code = "denied";
        return NULL;
    }
    if (!target || !rulebook_reaches(client->vault->rulebook, identity->roles, identity->n_roles, name)) {
        detail_set(&refused->message, "there is no target of this name that your roles may reach; "
                                      "`targets` lists those that they may");
        detail_set(&refused->log, target ? "no rule lets these roles reach the target" : "no such target");
        refused->code = "denied";
        return NULL;
    }
    *ret_identity = STEAL(identity);
    return target;
}

static bool settings_fit(const Ipc__AskLogin *asked)
{
    size_t bytes = 0;

    for (size_t i = 0; i < asked->n_options; i++)
        bytes += strlen(asked->options[i]->name) + strlen(asked->options[i]->value);
    return asked->n_options <= SETTINGS_MAX && bytes <= SETTINGS_BYTES &&
           strlen(asked->recording) <= RECORDING_MAX;
}

/* Hashing masks of this target, for whomever they are. Without its key they redact instead. */
static void derive_mask_key(struct vault *vault, const Ipc__Target *target, struct secret **ret)
{
    struct detail detail = { "" };
    bool hashes = false;

    for (size_t i = 0; i < vault->config->n_masks; i++)
        hashes |= strcmp(vault->config->masks[i]->with, "hash") == 0;
    if (hashes && vault->store && store_mask_key(vault->store, target->name, ret, &detail) != 0)
        log_event(LOG_WARNING, "no_mask_key", "target", target->name, "detail", detail.text, NULL);
}

static int on_ask_login(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AskLogin *asked = message->ask_login;
    struct client *client = owner;
    struct refusal refused = { .code = NULL };
    CLEANUP(fd_close) int gate = -1;
    CLEANUP(secret_free) struct secret *mask_key = NULL;
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    const Ipc__Target *target;

    (void)fds, (void)n_fds;
    if (!settings_fit(asked))
        return -E2BIG;
    target = reach(client, asked->target, &refused, &identity);
    int r = target ? login_begin(client, target, asked, identity, &refused, &gate) : 0;
    if (r)
        return r;
    if (refused.code)
        log_event(LOG_WARNING, "login_refused", "connection", U64(client->connection), "identity",
                  client->name, "target", asked->target, "code", refused.code, "detail", refused.log.text,
                  NULL);
    if (!refused.code)
        derive_mask_key(client->vault, target, &mask_key);
    answer_login(client, asked->request, &refused, mask_key, gate);
    return 0;
}

/* ---- AskCancel ---- */

static int on_ask_cancel(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AskCancel *asked = message->ask_cancel;
    struct client *client = owner;
    const Ipc__Target *target = vault_target(client->vault, asked->target);
    int r;

    /* Not asked again: whether the certificate is still valid. Stopping what runs must always be possible,
       and who does not know the key of a running statement can't. */
    (void)fds, (void)n_fds;
    if (asked->key.len == 0 || asked->key.len > CANCEL_KEY_MAX)
        return -EINVAL;
    r = target && !target_is_host(target) && !target_is_kube(target) ? errand_cancel(client, target, asked)
                                                                     : -ENOENT;
    if (r && asked->request)
        errand_answer_cancel(client, asked->request, false);
    if (r)
        log_event(LOG_WARNING, "cancel_failed", "connection", U64(client->connection), "identity",
                  client->name, "target", asked->target, "detail", strerror(-r), NULL);
    return 0;
}

/* ---- AskServerCertificate ---- */

static int on_ask_server_certificate(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const Ipc__AskServerCertificate *asked = message->ask_server_certificate;
    struct client *client = owner;
    struct refusal refused = { .code = NULL };
    CLEANUP(identity_free) Ipc__Identity *identity = NULL;
    const Ipc__Target *target = reach(client, asked->target, &refused, &identity);

    (void)fds, (void)n_fds;
    tls_server_answer(client, asked->request, target, &refused);
    return 0;
}

/* ---- life ---- */

static void on_gone(void *owner, const char *reason)
{
    struct client *client = owner;

    log_event(LOG_DEBUG, "gate_gone", "connection", U64(client->connection), "reason", reason, NULL);
    client_free(client);
}

static const struct ipc_rule gate_rules[] = {
    { IPC__MESSAGE__BODY_PRESENT, STATE_NEW, true, 0, 0, on_present },
    { IPC__MESSAGE__BODY_ASK_LOGIN, STATE_VOUCHED, false, 0, 0, on_ask_login },
    { IPC__MESSAGE__BODY_ASK_CANCEL, STATE_VOUCHED, false, 0, 0, on_ask_cancel },
    { IPC__MESSAGE__BODY_ASK_SERVER_CERTIFICATE, STATE_VOUCHED, false, 0, 0, on_ask_server_certificate },
};

static void link_client(struct client *client)
{
    struct vault *vault = client->vault;

    client->slot = &vault->clients;
    client->next = vault->clients;
    if (client->next)
        client->next->slot = &client->next;
    vault->clients = client;
    vault->n_clients++;
}

DEFINE_CLEANUP(struct client *, client_free)

int client_new(struct vault *vault, const Ipc__Peer *peer, int fd, struct client **ret)
{
    CLEANUP(fd_close) int owned = fd;
    CLEANUP(client_free) struct client *client = NULL;
    int r;

    if (vault->n_clients >= VAULT_CLIENTS_MAX)
        return -EBUSY;
    client = calloc(1, sizeof(*client));
    if (!client)
        return -ENOMEM;
    client->vault = vault;
    client->connection = peer->connection;
    client->source_port = peer->source_port;
    client->source_address = strdup(peer->source_address);
    if (!client->source_address)
        return -ENOMEM;
    r = ipc_peer_new(vault->loop, STEAL_FD(owned), "gate", gate_rules,
                     sizeof(gate_rules) / sizeof(gate_rules[0]), on_gone, client, &client->peer);
    if (r)
        return r;
    link_client(client);
    *ret = STEAL(client);
    return 0;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    while (client->errands)
        errand_free(client->errands);
    if (client->slot) {
        *client->slot = client->next;
        if (client->next)
            client->next->slot = client->slot;
        client->vault->n_clients--;
    }
    ipc_peer_free(client->peer);
    certificate_free(client->certificate);
    free(client->source_address);
    free(client->name);
    free(client);
}
