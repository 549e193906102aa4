/* gatehouse-ledger: opens every recording for its gate, seals it when it ends, keeps the audit chain and the
 * index. It never writes what happened in a session, only that there was one, and what its recording was at
 * the end. */
#include "replay/ledger_approval.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "replay/init.h"
#include "replay/ledger_lock.h"
#include "replay/place.h"

enum { EXIT_CONFIG = 78, EXIT_FAILED = 70 };

int ledger_enter(struct ledger *ledger, Ipc__AuditEvent *event)
{
    int r = audit_append(ledger->audit, event);
    if (r) {
        log_event(LOG_ERROR, "audit_failed", "event", event->event, "detail", strerror(-r), NULL);
        return r;
    }
    return registry_take(ledger->open, event, true);
}

/* ---- the listener ---- */

static bool is_synced(const Ipc__Config *config)
{
    return config->recording && strcmp(config->recording->durability, "synced") == 0;
}

static int on_peer(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)n_fds;
    int r = gate_add(owner, STEAL_FD(fds[0]), message->peer);
    if (r)
        log_event(LOG_ERROR, "gate_refused", "connection", U64(message->peer->connection), "detail",
                  strerror(-r), NULL);
    return 0;
}

static int on_reload(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct ledger *ledger = owner;
    Ipc__Config *config = NULL;
    (void)message, (void)n_fds;
    int r = process_config(fds[0], &config);
    if (r) {
        log_event(LOG_ERROR, "reload_failed", "detail", strerror(-r), NULL);
        return 0;
    }
    notifier_config(ledger->notifier, config); /* before the old one goes, which it has pointers to */
    ipc__config__free_unpacked(ledger->config, NULL);
    ledger->config = config;
    audit_synced(ledger->audit, is_synced(config));
    return 0;
}

static int on_audit(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds, (void)n_fds;
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    int r = audit_report(owner, "listener", message->audit, &event);
    return r == -EPROTO ? r : 0; /* a full disk is not the listener's fault */
}

static int on_link(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct ledger *ledger = owner;
    (void)n_fds;
    if (strcmp(message->link->process, process_name(PROCESS_ISSUER)) == 0)
        revokes_link(ledger->revokes, STEAL_FD(fds[0]));
    else if (strcmp(message->link->process, process_name(PROCESS_COURIER)) == 0)
        notifier_link(ledger->notifier, STEAL_FD(fds[0]));
    else if (strcmp(message->link->process, process_name(PROCESS_VAULT)) == 0)
        ledger_link_vault(ledger, STEAL_FD(fds[0]));
    else
        return -EPROTO;
    return 0;
}

static const struct ipc_rule listener_rules[] = {
    { IPC__MESSAGE__BODY_PEER, 1, false, 1, 1, on_peer },
    { IPC__MESSAGE__BODY_RELOAD, 1, false, 1, 1, on_reload },
    { IPC__MESSAGE__BODY_AUDIT, 1, false, 0, 0, on_audit },
    { IPC__MESSAGE__BODY_LINK, 1, false, 1, 1, on_link },
};

static void on_drain_limit(void *owner)
{
    struct ledger *ledger = owner;
    log_event(LOG_WARNING, "drain_limit", "gates", U64(ledger->n_gates), NULL);
    loop_stop(ledger->loop, 0);
}

/* Gates end with the listener; what they leave is sealed before the ledger goes. */
static void on_listener_gone(void *owner, const char *reason)
{
    struct ledger *ledger = owner;
    ipc_peer_free(STEAL(ledger->listener));
    log_event(LOG_INFO, "draining", "reason", reason, NULL);
    ledger->draining = true;
    if (ledger->gates) {
        timer_set(ledger->drain, LEDGER_DRAIN_MS);
        return;
    }
    if (sealer_idle(ledger->sealer)) {
        loop_stop(ledger->loop, 0);
        return;
    }
    timer_set(ledger->drain, LEDGER_DRAIN_MS);
    sealer_hurry(ledger->sealer);
}

/* ---- starting ---- */

static int on_audit_event(void *owner, uint64_t number, const Ipc__AuditEvent *event)
{
    (void)number;
    return registry_take(owner, event, true);
}

static int enter_start(struct ledger *ledger, const struct audit_end *end)
{
    char dropped[24], lost[24];
    Ipc__Variable all[2];
    Ipc__Variable *fields[] = { &all[0], &all[1] };
    Ipc__AuditEvent event = ledger_event("ledger_start", NULL);
    event.fields = fields;
    if (end->dropped)
        all[event.n_fields++] = lent_variable("dropped", text_u64(dropped, end->dropped));
    if (end->lost)
        all[event.n_fields++] = lent_variable("lost", text_u64(lost, end->lost));
    return ledger_enter(ledger, &event);
}

/* For a log that is kept elsewhere: docs/recording-format.md §5. */
static void log_head(const struct ledger *ledger, const struct audit_end *end)
{
    uint8_t tag[CHAIN_TAG];
    char hex[2 * CHAIN_TAG + 1];
    audit_tag(ledger->audit, tag);
    for (size_t i = 0; i < CHAIN_TAG; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", tag[i]);
    log_event(end->lost ? LOG_ERROR : LOG_INFO, "audit_head", "entries", U64(audit_entries(ledger->audit)),
              "tag", hex, "lost", end->lost ? U64(end->lost) : NULL, NULL);
}

static int open_directory(const char *state, const char *name, int *ret_fd, struct detail *detail)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", state, name);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return detail_fail(detail, -errno, "%s can't be opened: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static int enter_jail(const char *state, struct detail *detail)
{
    char recordings[PATH_MAX], audit[PATH_MAX], index[PATH_MAX], approvals[PATH_MAX], notify[PATH_MAX];
    bool landlock = true;
    (void)snprintf(recordings, sizeof recordings, "%s/recordings", state);
    (void)snprintf(audit, sizeof audit, "%s/audit", state);
    (void)snprintf(index, sizeof index, "%s/index", state);
    (void)snprintf(approvals, sizeof approvals, "%s/approvals", state);
    (void)snprintf(notify, sizeof notify, "%s/notify", state);
    const struct jail_path paths[] = {
        { recordings, true }, { audit, true }, { index, true }, { approvals, true }, { notify, false }
    };
    int r = jail_enter(PROCESS_LEDGER, paths, sizeof paths / sizeof *paths, &landlock, detail);
    if (r == 0 && !landlock)
        log_event(LOG_WARNING, "no_landlock", NULL);
    return r;
}

static int reseal(void *owner, struct registered *one)
{
    struct ledger *ledger = owner;
    sealer_add(ledger->sealer, one->id, LEDGER_SETTLE_MS);
    return 0;
}

static int reindex(void *owner, const char *id)
{
    struct ledger *ledger = owner;
    if (!registry_find(ledger->open, id))
        sealer_index(ledger->sealer, id);
    return 0;
}

/* What an earlier run left: recordings without a seal, an index that misses something. */
static int take_up(struct ledger *ledger, bool index_empty)
{
    int r = registry_each(ledger->open, reseal, ledger);
    if (r == 0)
        r = index_empty ? place_walk(ledger->recordings_fd, reindex, ledger)
                        : store_live(ledger->store, reindex, ledger);
    return r;
}

static int open_all(struct ledger *ledger, const char *state, struct detail *detail)
{
    char index[PATH_MAX], approvals[PATH_MAX];
    struct audit_end end = { 0 };
    bool index_empty = false;
    (void)snprintf(index, sizeof index, "%s/index", state);
    int r = open_directory(state, "recordings", &ledger->recordings_fd, detail);
    if (r == 0)
        r = open_directory(state, "audit", &ledger->audit_fd, detail);
    if (r == 0)
        r = registry_new(&ledger->open);
    if (r == 0)
        r = audit_open(ledger->audit_fd, ledger->keys, is_synced(ledger->config), on_audit_event,
                       ledger->open, &ledger->audit, &end, detail);
    if (r == 0)
        r = store_open(index, &ledger->store, &index_empty, detail);
    if (r == 0)
        r = sealer_new(ledger, &ledger->sealer);
    if (r == 0)
        r = revokes_new(ledger, &ledger->revokes);
    if (r == 0)
        r = rates_new(&ledger->rates);
    if (r == 0)
        r = notifier_new(ledger->loop, ledger->config, &ledger->notifier);
    if (r == 0)
        r = take_up(ledger, index_empty);
    if (r == 0 &&
        enter_start(ledger, &end) == 0) /* a full disk: logged; sessions are refused until it has room */
        log_head(ledger, &end);
    (void)snprintf(approvals, sizeof approvals, "%s/approvals", state);
    if (r == 0)
        r = approvals_new(ledger, approvals, &ledger->approvals, detail);
    return r;
}

static int begin(struct ledger *ledger, const Ipc__Start *start, int config_fd, struct detail *detail)
{
    if (start->ticket_key.len != TICKET_KEY)
        return detail_fail(detail, -EINVAL, "no ticket key was given");
    memcpy(ledger->ticket_key, start->ticket_key.data, TICKET_KEY);
    (void)gethostname(ledger->node, sizeof ledger->node - 1);
    int r = process_config(config_fd, &ledger->config);
    if (r)
        return detail_fail(detail, r, "the configuration can't be read: %s", strerror(-r));
    r = replay_directories(start->state, detail);
    if (r == 0)
        r = ledger_lock(start->state, &ledger->lock_fd, detail);
    if (r == 0)
        r = keys_load(start->state, &ledger->keys, detail);
    if (r == 0)
        r = enter_jail(start->state, detail);
    if (r == 0)
        r = loop_new(&ledger->loop);
    return r ? r : open_all(ledger, start->state, detail);
}

static int serve(struct ledger *ledger)
{
    int r = ipc_peer_new(ledger->loop, CONTROL_FD, "listener", listener_rules,
                         sizeof listener_rules / sizeof *listener_rules, on_listener_gone, ledger,
                         &ledger->listener);
    if (r == 0)
        r = timer_new(ledger->loop, on_drain_limit, ledger, &ledger->drain);
    if (r == 0)
        r = retention_start(ledger);
    if (r)
        return r;
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    r = ipc_peer_send(ledger->listener, &message, NULL, 0);
    return r ? r : loop_run(ledger->loop);
}

static void end(struct ledger *ledger)
{
    gates_free(ledger);
    ipc_peer_free(ledger->vault);
    ipc_peer_free(ledger->listener);
    timer_free(ledger->retention);
    timer_free(ledger->drain);
    sealer_free(ledger->sealer);
    revokes_free(ledger->revokes);
    approvals_free(ledger->approvals);
    rates_free(ledger->rates);
    notifier_free(ledger->notifier);
    store_free(ledger->store);
    audit_free(ledger->audit);
    registry_free(ledger->open);
    keys_free(ledger->keys);
    loop_free(ledger->loop);
    if (ledger->config)
        ipc__config__free_unpacked(ledger->config, NULL);
    explicit_bzero(ledger->ticket_key, sizeof ledger->ticket_key);
    fd_close(ledger->recordings_fd);
    fd_close(ledger->audit_fd);
    fd_close(ledger->lock_fd);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    struct detail detail = { "" };
    struct ledger ledger = { .recordings_fd = -1, .audit_fd = -1, .lock_fd = -1 };
    int r = process_begin(PROCESS_LEDGER, &start, fds);
    if (r)
        return EXIT_CONFIG;
    /* It goes when the listener goes, not when a terminal or a service manager signals the whole group: the
     * last sessions are sealed first. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file size limit is answered as a full disk is */
    r = begin(&ledger, start->start, fds[0], &detail);
    fd_close(fds[0]);
    if (r) {
        log_event(LOG_ERROR, "start_failed", "detail",
                  detail.text[0] ? detail.text : strerror(r < 0 ? -r : r), NULL);
        end(&ledger);
        return EXIT_CONFIG;
    }
    r = serve(&ledger);
    if (r < 0)
        log_event(LOG_ERROR, "loop_failed", "detail", strerror(-r), NULL);
    end(&ledger);
    return r ? EXIT_FAILED : 0;
}
