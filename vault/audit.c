/* See audit.h. The ledger sends nothing back. */
#include "vault/audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/io.h"
#include "base/log.h"

enum { PAIRS_MAX = 12, VALUE_BYTES = 1000 /* the ledger takes 1,024 */ };

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
    Ipc__Variable fields[PAIRS_MAX], *list[PAIRS_MAX];
    char values[PAIRS_MAX][VALUE_BYTES];
    Ipc__Audit audit = IPC__AUDIT__INIT;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    va_list pairs;

    va_start(pairs, event);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        size_t i = audit.n_fields;

        if (!value || !value[0] || i == PAIRS_MAX)
            continue;
        (void)snprintf(values[i], sizeof(values[i]), "%s", value);
        fields[i] = (Ipc__Variable)IPC__VARIABLE__INIT;
        fields[i].name = (char *)(uintptr_t)name;
        fields[i].value = values[i];
        list[audit.n_fields++] = &fields[i];
    }
    va_end(pairs);
    audit.event = (char *)(uintptr_t)event;
    audit.fields = list;
    return vault->ledger ? ipc_peer_send(vault->ledger, &message, NULL, 0) : -ENOTCONN;
}
