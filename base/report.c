/* See report.h. */
#include "base/report.h"

#include <errno.h>
#include <stdio.h>

int report_send(struct ipc_peer *ledger, const char *event, va_list pairs)
{
    Ipc__Variable fields[REPORT_PAIRS_MAX], *list[REPORT_PAIRS_MAX];
    char values[REPORT_PAIRS_MAX][REPORT_VALUE_MAX];
    Ipc__Audit audit = IPC__AUDIT__INIT;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        size_t i = audit.n_fields;
        if (!value || !value[0] || i == REPORT_PAIRS_MAX)
            continue;
        (void)snprintf(values[i], sizeof values[i], "%s", value);
        fields[i] = (Ipc__Variable)IPC__VARIABLE__INIT;
        fields[i].name = (char *)(uintptr_t)name;
        fields[i].value = values[i];
        list[audit.n_fields++] = &fields[i];
    }
    audit.event = (char *)(uintptr_t)event;
    audit.fields = list;
    return ledger ? ipc_peer_send(ledger, &message, NULL, 0) : -ENOTCONN;
}
