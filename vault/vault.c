/* gatehouse-vault: keeps the targets' credentials, and decides by itself for whom one is used.
 *
 * What leaves is a connection that is logged in, never a secret: the secret goes to a connector, which the
 * gate can only hear from. The one exception is a host's password with password_to_gate (vault/host.c). A
 * vault without its key, or with a damaged store, stays up and says so: everything that needs no secret goes
 * on, and the key can be put back without a restart.
 *
 * Ends, for the listener to start anew, when the connectors' zygote is lost. */
#include "vault/vault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "policy/certificate.h"
#include "policy/revocation.h"
#include "policy/ticket.h"
#include "vault/audit.h"
#include "vault/bounded.h"
#include "vault/client.h"
#include "vault/tls_ca.h"

enum { EXIT_CONFIG = 78, EXIT_SOFTWARE = 70, FD_CONFIG = 0, FD_ZYGOTE = 1, PATH_BYTES = 4096 };

const Ipc__Target *vault_target(const struct vault *vault, const char *name)
{
    for (size_t i = 0; i < vault->config->n_targets; i++)
        if (strcmp(vault->config->targets[i]->name, name) == 0)
            return vault->config->targets[i];
    return NULL;
}

/* ---- the store ---- */

/* Says when the vault got sealed or was opened, once. */
static void note_seal(struct vault *vault, bool sealed, const char *detail)
{
    if (sealed && !vault->was_sealed)
        log_event(LOG_ERROR, "vault_sealed", "detail", detail, NULL);
    if (!sealed && vault->was_sealed)
        log_event(LOG_INFO, "vault_opened", NULL);
    vault->was_sealed = sealed;
}

static void look_at_store(struct vault *vault)
{
    struct detail detail = { "STATE/vault can't be opened" };
    int r = vault->store ? store_refresh(vault->store, &detail) : STORE_SEALED;

    note_seal(vault, r != 0, detail.text);
}

int vault_secret(struct vault *vault, const char *entry, enum sealed_type type, struct secret **ret,
                 struct detail *detail)
{
    int r = vault->store ? store_get(vault->store, entry, type, ret, detail)
                         : detail_fail(detail, STORE_SEALED, "STATE/vault can't be opened");

    note_seal(vault, r == STORE_SEALED, detail->text);
    return r;
}

enum sealed_type vault_kube_type(struct vault *vault, const char *entry)
{
    enum sealed_type type = SEALED_TOKEN;

    /* Whatever is wrong is found out, and said, when it is decrypted. */
    if (vault->store && store_type(vault->store, entry, &type, NULL) == 0 && type != SEALED_CLIENT_CERT)
        type = SEALED_TOKEN;
    return type;
}

/* ---- configuration ---- */

static void config_free(Ipc__Config *config)
{
    if (config)
        ipc__config__free_unpacked(config, NULL);
}
DEFINE_CLEANUP(Ipc__Config *, config_free)

/* Reads a configuration and takes it in the old one's place; on failure the old one stays. */
static int take_config(struct vault *vault, int fd)
{
    CLEANUP(config_free) Ipc__Config *config = NULL;
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    int r = process_config(fd, &config);

    if (r)
        return r;
    r = rulebook_new(config, &rulebook);
    if (r)
        return r < 0 ? r : -EINVAL;
    bounded_renew(vault);
    rulebook_free(vault->rulebook); /* first: it points into its configuration */
    config_free(vault->config);
    vault->rulebook = STEAL(rulebook);
    vault->config = STEAL(config);
    return 0;
}

/* ---- the listener ---- */

static int on_peer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct vault *vault = owner;
    struct client *client = NULL;
    int r = client_new(vault, message->peer, STEAL_FD(fds[0]), &client);

    (void)n_fds;
    if (r)
        log_event(LOG_ERROR, "gate_not_taken", "connection", U64(message->peer->connection), "detail",
                  strerror(-r), NULL);
    return 0;
}

static int on_reload(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct vault *vault = owner;
    int r = take_config(vault, fds[0]);

    (void)message, (void)n_fds;
    if (r)
        log_event(LOG_ERROR, "reload_failed", "detail", strerror(-r), NULL);
    look_at_store(vault);
    return 0;
}

static void revocations_free(Ipc__RevocationList *list)
{
    if (list)
        ipc__revocation_list__free_unpacked(list, NULL);
}

/* Clients are checked at each use, so there is nothing more to do. When the list can't be taken over the old
 * one stays. */
static int on_revocations(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct vault *vault = owner;
    Ipc__RevocationList *list = NULL;
    int r = revocation_unpack(fds[0], &list);

    (void)message, (void)n_fds;
    if (r) {
        log_event(LOG_ERROR, "revocations_not_taken", "detail", strerror(-r), NULL);
        return 0;
    }
    revocations_free(vault->revocations);
    vault->revocations = list;
    return 0;
}

static int on_link(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)n_fds;
    if (strcmp(message->link->process, process_name(PROCESS_LEDGER)) != 0)
        return -EPROTO;
    vault_link(owner, STEAL_FD(fds[0]));
    return 0;
}

static void control_gone(void *owner, const char *reason)
{
    struct vault *vault = owner;

    (void)reason;
    loop_stop(vault->loop, 0);
}

static const struct ipc_rule control_rules[] = {
    { IPC__MESSAGE__BODY_PEER, 1, false, 1, 1, on_peer },
    { IPC__MESSAGE__BODY_RELOAD, 1, false, 1, 1, on_reload },
    { IPC__MESSAGE__BODY_REVOCATIONS, 1, false, 1, 1, on_revocations },
    { IPC__MESSAGE__BODY_LINK, 1, false, 1, 1, on_link },
};

/* ---- the connectors' zygote ---- */

static int on_zygote_ready(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)owner, (void)message, (void)fds, (void)n_fds;
    return 0;
}

/* Whoever waits for that connector sees its socket close; a crash the zygote has logged. */
static int on_child_exited(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)owner, (void)message, (void)fds, (void)n_fds;
    return 0;
}

static void zygote_gone(void *owner, const char *reason)
{
    struct vault *vault = owner;

    log_event(LOG_ERROR, "connector_zygote_gone", "reason", reason, NULL);
    loop_stop(vault->loop, EXIT_SOFTWARE);
}

static const struct ipc_rule zygote_rules[] = {
    { IPC__MESSAGE__BODY_READY, 1, true, 0, 0, on_zygote_ready },
    { IPC__MESSAGE__BODY_CHILD_EXITED, 1, false, 0, 0, on_child_exited },
};

/* ---- life ---- */

/* The listener says when it is over, by closing the control socket. */
static void on_signal(void *owner, int number)
{
    (void)owner, (void)number;
}

static int wire(struct vault *vault, int zygote)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
    int r = loop_new(&vault->loop);

    if (!r)
        r = loop_signals(vault->loop, signals, on_signal, vault);
    if (r) {
        fd_close(zygote);
        return r;
    }
    r = ipc_peer_new(vault->loop, zygote, "connector zygote", zygote_rules,
                     sizeof(zygote_rules) / sizeof(zygote_rules[0]), zygote_gone, vault, &vault->zygote);
    if (!r)
        r = ipc_peer_new(vault->loop, CONTROL_FD, "listener", control_rules,
                         sizeof(control_rules) / sizeof(control_rules[0]), control_gone, vault,
                         &vault->control);
    return r;
}

static int take_start(struct vault *vault, Ipc__Start *start, int *fds)
{
    struct detail detail = { "" };
    int r = take_config(vault, fds[FD_CONFIG]);

    fd_close(STEAL_FD(fds[FD_CONFIG]));
    if (!r && start->ticket_key.len != TICKET_KEY)
        r = -EINVAL;
    if (!r)
        r = secret_take(start->ticket_key.data, start->ticket_key.len, &vault->ticket_key);
    if (!r)
        r = wire(vault, STEAL_FD(fds[FD_ZYGOTE]));
    if (!r && store_new(start->state, &vault->store, &detail) != 0)
        log_event(LOG_ERROR, "vault_unreadable", "detail", detail.text, NULL);
    if (!r && vault->store)
        r = store_claim(vault->store);
    return r;
}

static int enter_jail(const char *state)
{
    char path[PATH_BYTES];
    const struct jail_path paths[] = { { path, false } };
    struct detail detail = { "" };
    bool landlock = false;
    int r = snprintf(path, sizeof(path), "%s/vault", state) < (int)sizeof(path) ? 0 : -ENAMETOOLONG;

    if (!r)
        r = jail_enter(PROCESS_VAULT, paths, 1, &landlock, &detail);
    if (r)
        log_event(LOG_ERROR, "jail_failed", "detail", r == -ENAMETOOLONG ? strerror(-r) : detail.text, NULL);
    else if (!landlock)
        log_event(LOG_WARNING, "no_landlock", NULL);
    return r;
}

static int serve(struct vault *vault)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    int r = ipc_peer_send(vault->control, &message, NULL, 0);

    look_at_store(vault);
    if (!r)
        r = loop_run(vault->loop);
    return r < 0 ? EXIT_SOFTWARE : r;
}

static void vault_empty(struct vault *vault)
{
    while (vault->clients)
        client_free(vault->clients);
    ipc_peer_free(vault->ledger);
    bounded_free_all(vault);
    ipc_peer_free(vault->zygote);
    ipc_peer_free(vault->control);
    loop_free(vault->loop);
    rulebook_free(vault->rulebook);
    config_free(vault->config);
    revocations_free(vault->revocations);
    store_free(vault->store);
    secret_free(vault->ticket_key);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    struct vault vault = { .loop = NULL };
    int fds[IPC_FDS_MAX];
    int r = process_begin(PROCESS_VAULT, &start, fds);

    if (r)
        return r;
    certificate_start();
    if (tls_ca_start())
        log_event(LOG_WARNING, "no_tls", "detail", "OpenSSL can't make certificates", NULL);
    r = take_start(&vault, start->start, fds);
    if (r) {
        log_event(LOG_ERROR, "start_failed", "detail", strerror(-r), NULL);
        r = EXIT_CONFIG;
    } else {
        r = enter_jail(start->start->state) ? EXIT_SOFTWARE : serve(&vault);
    }
    vault_empty(&vault);
    return r;
}
