/* gatehouse-issuer: verifies OIDC tokens and signs user certificates.
 *
 * It alone holds the user CA's private key, and it has no network: the courier fetches for it, the listener
 * hands it whoever wants a certificate, the ledger learns of each one. It keeps the list of what is revoked,
 * which the listener passes on to all others.
 *
 * The key is read as root when there is one, before the jail; so is nothing else. A configuration with
 * another key or another list is for a new process: this one ends, and the listener starts it. */
#include "server/issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "policy/certificate.h"

enum { EXIT_CONFIG = 78, EXIT_SOFTWARE = 70 };

static void config_free(Ipc__Config *config)
{
    if (config)
        ipc__config__free_unpacked(config, NULL);
}
DEFINE_CLEANUP(Ipc__Config *, config_free)

void issuer_restart(struct issuer *issuer, const char *why)
{
    log_event(LOG_WARNING, "issuer_restarts", "reason", why, NULL);
    loop_stop(issuer->loop, 0);
}

/* ---- the user CA ---- */

static bool needs_signer(const Ipc__Config *config)
{
    return config->n_issuers > 0 && config->user_ca[0];
}

static int read_signer(const char *path, struct certificate_signer **ret, struct detail *detail)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) < 0)
        return detail_fail(detail, -errno, "user CA %s: %s", path, strerror(errno));
    if (about.st_mode & (S_IRWXG | S_IRWXO))
        return detail_fail(detail, -EACCES, "user CA %s may be read by others: chmod 600 it", path);
    struct detail why = { "" };
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd_contents(fd, ISSUER_CA_MAX, &bytes, &n);
    if (r == 0)
        r = certificate_signer_new(bytes, n, ret, &why);
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
    return r ? detail_fail(detail, r < 0 ? r : -EINVAL, "user CA %s: %s", path,
                           why.text[0] ? why.text : strerror(r < 0 ? -r : EINVAL))
             : 0;
}

/* Certificates are checked with the public file beside it: a pair that is none would lock everybody out. */
static int check_pair(const struct certificate_signer *signer, const Ipc__Config *config,
                      struct detail *detail)
{
    char *principals[] = { (char *)(uintptr_t) "nobody" };
    uint64_t now = clock_unix_ms() / 1000;
    struct certificate_grant grant = { .key = config->user_ca_public->blob.data,
                                       .key_n = config->user_ca_public->blob.len,
                                       .key_id = "self-check",
                                       .serial = 1,
                                       .valid_after = now - ISSUER_BACKDATE_S,
                                       .valid_before = now + ISSUER_BACKDATE_S,
                                       .principals = principals,
                                       .n_principals = 1 };
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    CLEANUP(free) uint8_t *blob = NULL;
    Ipc__Identity *identity = NULL;
    size_t n = 0;
    int r = certificate_issue(signer, &grant, &blob, &n, detail);
    if (r == 0)
        r = certificate_parse(blob, n, &certificate, detail);
    if (r == 0)
        r = certificate_admit(certificate, config, NULL, now, "192.0.2.1", &identity, detail);
    if (identity)
        ipc__identity__free_unpacked(identity, NULL);
    if (r == CERTIFICATE_UNKNOWN_CA || r == CERTIFICATE_BAD_SIGNATURE)
        return detail_fail(detail, -EINVAL, "user CA %s and %s.pub are not of one pair", config->user_ca,
                           config->user_ca);
    return r < 0 ? r : 0; /* that nobody has a role is as it should be */
}

static int load_signer(struct issuer *issuer, struct detail *detail)
{
    if (!needs_signer(issuer->config))
        return 0;
    int r = read_signer(issuer->config->user_ca, &issuer->signer, detail);
    if (r == 0 && issuer->config->user_ca_public)
        r = check_pair(issuer->signer, issuer->config, detail);
    return r;
}

/* ---- configuration ---- */

static bool is_same_ca(const Ipc__Ca *a, const Ipc__Ca *b)
{
    if (!a || !b)
        return a == b;
    return a->blob.len == b->blob.len && memcmp(a->blob.data, b->blob.data, a->blob.len) == 0;
}

/* What of a new configuration only a new process can do; NULL: nothing. */
static const char *why_restart(const struct issuer *issuer, const Ipc__Config *config)
{
    if (strcmp(config->revoked, issuer->config->revoked) != 0)
        return "identity.revoked names another file";
    if (!needs_signer(config))
        return issuer->signer ? "the user CA's key is not needed any more" : NULL;
    if (!issuer->signer)
        return "the user CA's key is needed now";
    if (strcmp(config->user_ca, issuer->config->user_ca) != 0 ||
        !is_same_ca(config->user_ca_public, issuer->config->user_ca_public))
        return "the user CA has changed";
    return NULL;
}

static int on_reload(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer *issuer = owner;
    CLEANUP(config_free) Ipc__Config *config = NULL;
    struct detail detail = { "" };
    (void)message;
    (void)n_fds;
    int r = process_config(fds[0], &config);
    const char *why = r ? NULL : why_restart(issuer, config);
    if (why) {
        issuer_restart(issuer, why);
        return 0;
    }
    if (r == 0)
        r = providers_take(issuer->providers, config, &detail);
    if (r) {
        log_event(LOG_ERROR, "reload_failed", "detail", detail.text[0] ? detail.text : strerror(-r), NULL);
        return 0;
    }
    Ipc__Config *old = issuer->config;
    issuer->config = STEAL(config);
    config = old; /* freed on return */
    return 0;
}

/* ---- links ---- */

static int on_revoke(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer *issuer = owner;
    const Ipc__Revoke *revoke = message->revoke;
    Ipc__RevokeDone done = IPC__REVOKE_DONE__INIT;
    Ipc__Message reply = IPC_MESSAGE(REVOKE_DONE, revoke_done, &done);
    struct detail detail = { "" };
    (void)fds;
    (void)n_fds;
    done.request = revoke->request;
    int r = revoked_add(issuer->revoked, revoke->what, revoke->by, revoke->reason, &detail);
    if (r)
        done.error = detail.text[0] ? detail.text : strerror(r < 0 ? -r : EINVAL);
    log_event(r ? LOG_ERROR : LOG_INFO, r ? "revoke_failed" : "revoked", "what", revoke->what, "by",
              revoke->by, "detail", r ? done.error : NULL, NULL);
    (void)ipc_peer_send(issuer->ledger, &reply, NULL, 0);
    return 0;
}

/* The listener links us anew once there is another one. */
static void ledger_gone(void *owner, const char *reason)
{
    struct issuer *issuer = owner;
    log_event(LOG_WARNING, "ledger_lost", "reason", reason, NULL);
    ipc_peer_free(STEAL(issuer->ledger));
}

static int link_ledger(struct issuer *issuer, int fd)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_REVOKE, 1, false, 0, 0, on_revoke } };
    ipc_peer_free(STEAL(issuer->ledger));
    return ipc_peer_new(issuer->loop, fd, "ledger", rules, 1, ledger_gone, issuer, &issuer->ledger);
}

static int on_link(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer *issuer = owner;
    const char *process = message->link->process;
    int r = -EPROTO;
    (void)n_fds;
    if (strcmp(process, process_name(PROCESS_COURIER)) == 0)
        r = fetcher_link(issuer->fetcher, STEAL_FD(fds[0]));
    else if (strcmp(process, process_name(PROCESS_LEDGER)) == 0)
        r = link_ledger(issuer, STEAL_FD(fds[0]));
    if (r)
        log_event(LOG_ERROR, "link_failed", "other", process, "detail", strerror(-r), NULL);
    return 0;
}

static int on_peer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer *issuer = owner;
    (void)n_fds;
    int r = issuer_gate_new(issuer, message->peer, STEAL_FD(fds[0]));
    if (r)
        log_event(LOG_ERROR, "gate_not_taken", "connection", U64(message->peer->connection), "detail",
                  strerror(-r), NULL);
    return 0;
}

/* ---- what is revoked ---- */

static void publish(void *owner, int fd)
{
    struct issuer *issuer = owner;
    Ipc__Revocations body = IPC__REVOCATIONS__INIT;
    Ipc__Message message = IPC_MESSAGE(REVOCATIONS, revocations, &body);
    (void)ipc_peer_send(issuer->control, &message, &fd, 1);
}

static void replaced(void *owner, const char *path)
{
    char why[DETAIL_MAX];
    (void)snprintf(why, sizeof why, "%s was replaced by another file", path);
    issuer_restart(owner, why);
}

static const struct revoked_handlers revoked_handlers = { publish, replaced };

/* Nobody is let in before it is known who may not come in. */
static int become_ready(struct issuer *issuer, struct detail *detail)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    int r = revoked_start(issuer->revoked, detail);
    if (r)
        return r;
    issuer->ready = true;
    timer_stop(issuer->inherit);
    return ipc_peer_send(issuer->control, &message, NULL, 0);
}

static int on_revocations(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct issuer *issuer = owner;
    struct detail detail = { "" };
    (void)message;
    (void)n_fds;
    revoked_inherit(issuer->revoked, STEAL_FD(fds[0]));
    if (!issuer->ready && become_ready(issuer, &detail)) {
        log_event(LOG_ERROR, "start_failed", "detail", detail.text, NULL);
        loop_stop(issuer->loop, EXIT_CONFIG);
    }
    return 0;
}

/* The listener has no list either: it has just been started, with a file that can't be read. */
static void nothing_inherited(void *owner)
{
    struct issuer *issuer = owner;
    struct detail detail = { "" };
    if (issuer->ready || become_ready(issuer, &detail) == 0)
        return;
    log_event(LOG_ERROR, "start_failed", "detail", detail.text, NULL);
    loop_stop(issuer->loop, EXIT_CONFIG);
}

/* ---- life ---- */

static void control_gone(void *owner, const char *reason)
{
    struct issuer *issuer = owner;
    (void)reason;
    loop_stop(issuer->loop, 0);
}

static const struct ipc_rule control_rules[] = {
    { IPC__MESSAGE__BODY_PEER, 1, false, 1, 1, on_peer },
    { IPC__MESSAGE__BODY_LINK, 1, false, 1, 1, on_link },
    { IPC__MESSAGE__BODY_REVOCATIONS, 1, false, 1, 1, on_revocations },
    { IPC__MESSAGE__BODY_RELOAD, 1, false, 1, 1, on_reload },
};

/* The listener says when it is over, by closing the control socket. */
static void on_signal(void *owner, int number)
{
    (void)owner;
    (void)number;
}

static int wire(struct issuer *issuer, const char *state, struct detail *detail)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
    int r = loop_new(&issuer->loop);
    if (r == 0)
        r = loop_signals(issuer->loop, signals, on_signal, issuer);
    if (r == 0)
        r = timer_new(issuer->loop, nothing_inherited, issuer, &issuer->inherit);
    if (r == 0)
        r = ipc_peer_new(issuer->loop, CONTROL_FD, "listener", control_rules,
                         sizeof control_rules / sizeof control_rules[0], control_gone, issuer,
                         &issuer->control);
    if (r == 0)
        r = fetcher_new(issuer->loop, &issuer->fetcher);
    if (r == 0)
        r = providers_new(issuer->loop, issuer->fetcher, &issuer->providers);
    if (r == 0)
        r = providers_take(issuer->providers, issuer->config, detail);
    if (r == 0)
        r = revoked_new(issuer->loop, state, issuer->config->revoked, &revoked_handlers, issuer,
                        &issuer->revoked, detail);
    return r;
}

static int take_start(struct issuer *issuer, const Ipc__Start *start, int *fds, struct detail *detail)
{
    int r = process_config(fds[0], &issuer->config);
    fd_close(STEAL_FD(fds[0]));
    if (r == 0)
        r = load_signer(issuer, detail);
    return r ? r : wire(issuer, start->state, detail);
}

static int enter_jail(const struct issuer *issuer, struct detail *detail)
{
    struct jail_path paths[REVOKED_PATHS_MAX];
    bool landlock = false;
    int r = jail_enter(PROCESS_ISSUER, paths, revoked_paths(issuer->revoked, paths), &landlock, detail);
    if (r == 0 && !landlock)
        log_event(LOG_WARNING, "no_landlock", NULL);
    return r;
}

static int serve(struct issuer *issuer)
{
    struct detail detail = { "" };
    if (become_ready(issuer, &detail)) {
        /* A predecessor's list is on its way to us when there was one. */
        log_event(LOG_ERROR, "revoked_unreadable", "detail", detail.text, NULL);
        timer_set(issuer->inherit, ISSUER_INHERIT_MS);
    }
    int r = loop_run(issuer->loop);
    return r < 0 ? EXIT_SOFTWARE : r;
}

static void issuer_empty(struct issuer *issuer)
{
    while (issuer->gates)
        issuer_gate_free(issuer->gates);
    providers_free(issuer->providers);
    fetcher_free(issuer->fetcher);
    revoked_free(issuer->revoked);
    ipc_peer_free(issuer->ledger);
    ipc_peer_free(issuer->control);
    timer_free(issuer->inherit);
    loop_free(issuer->loop);
    certificate_signer_free(issuer->signer);
    config_free(issuer->config);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    struct issuer issuer = { .loop = NULL };
    struct detail detail = { "" };
    int fds[IPC_FDS_MAX];
    int r = process_begin(PROCESS_ISSUER, &start, fds);
    if (r)
        return r;
    token_start();
    r = take_start(&issuer, start->start, fds, &detail);
    if (r) {
        log_event(LOG_ERROR, "start_failed", "detail", detail.text[0] ? detail.text : strerror(-r), NULL);
        r = EXIT_CONFIG;
    } else if (enter_jail(&issuer, &detail)) {
        log_event(LOG_ERROR, "jail_failed", "detail", detail.text, NULL);
        r = EXIT_SOFTWARE;
    } else {
        r = serve(&issuer);
    }
    issuer_empty(&issuer);
    return r;
}
