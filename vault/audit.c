/* See audit.h. The ledger sends nothing back. */
#include "vault/audit.h"

#include <string.h>
#include "base/io.h"
#include "base/log.h"
#include "base/report.h"

static void ledger_gone(void *owner, const char *reason)
{
    struct vault *vault = owner;

    log_event(LOG_WARNING, "ledger_lost", "reason", reason, NULL);
    ipc_peer_free(STEAL(vault->ledger));
}

void vault_link(struct vault *vault, int fd)
{
    int r;

    ipc_peer_free(STEAL(vault->ledger));
    r = ipc_peer_new(vault->loop, fd, "ledger", NULL, 0, ledger_gone, vault, &vault->ledger);
    if (r)
        log_event(LOG_ERROR, "ledger_not_linked", "detail", strerror(-r), NULL);
}

int vault_audit(struct vault *vault, const char *event, ...)
{
    va_list pairs;

    va_start(pairs, event);
    int r = report_send(vault->ledger, event, pairs);
    va_end(pairs);
    return r;
}
