/* The vault, which tells of what it signs. It is told nothing. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "replay/ledger.h"

static int on_audit(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    Ipc__AuditEvent event = IPC__AUDIT_EVENT__INIT;
    (void)fds, (void)n_fds;
    int r = audit_report(owner, "vault", message->audit, &event);
    return r == -EPROTO ? r : 0; /* a full disk is not the vault's fault */
}

static void on_gone(void *owner, const char *reason)
{
    struct ledger *ledger = owner;
    log_event(LOG_WARNING, "vault_lost", "reason", reason, NULL);
    ipc_peer_free(STEAL(ledger->vault));
}

void ledger_link_vault(struct ledger *ledger, int fd)
{
    static const struct ipc_rule rules[] = { { IPC__MESSAGE__BODY_AUDIT, 1, false, 0, 0, on_audit } };
    ipc_peer_free(STEAL(ledger->vault));
    int r = ipc_peer_new(ledger->loop, fd, "vault", rules, 1, on_gone, ledger, &ledger->vault);
    if (r)
        log_event(LOG_ERROR, "vault_not_linked", "detail", strerror(-r), NULL);
}
