/* See audit.h. */
#include "channels/audit.h"

#include <stdarg.h>

void gate_audit(struct gate *gate, const char *event, ...)
{
    Ipc__Variable fields[AUDIT_PAIRS_MAX], *list[AUDIT_PAIRS_MAX];
    Ipc__Audit audit = IPC__AUDIT__INIT;
    Ipc__Message message = IPC_MESSAGE(AUDIT, audit, &audit);
    va_list pairs;
    va_start(pairs, event);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        if (!value || audit.n_fields == AUDIT_PAIRS_MAX)
            continue;
        Ipc__Variable *field = &fields[audit.n_fields];
        ipc__variable__init(field);
        field->name = (char *)(uintptr_t)name;
        field->value = (char *)(uintptr_t)value;
        list[audit.n_fields++] = field;
    }
    va_end(pairs);
    audit.event = (char *)(uintptr_t)event;
    audit.fields = list;
    if (gate->ledger)
        (void)ipc_peer_send(gate->ledger, &message, NULL, 0);
}
