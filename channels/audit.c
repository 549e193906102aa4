/* See audit.h. */
#include "channels/audit.h"

#include "base/report.h"

void gate_audit(struct gate *gate, const char *event, ...)
{
    va_list pairs;
    va_start(pairs, event);
    (void)report_send(gate->ledger, event, pairs);
    va_end(pairs);
}
