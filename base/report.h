/* An event for the audit chain, as a process tells it to the ledger (which adds when, who and from where). */
#pragma once
#include <stdarg.h>
#include "base/ipc.h"

enum {
    REPORT_PAIRS_MAX = 13,   /* further ones are left out; the ledger takes 16 */
    REPORT_VALUE_MAX = 1000, /* bytes with the NUL, longer ones are cut; the ledger takes 1,024 */
};

/* Names and values in turns, up to a NULL; a pair whose value is NULL or empty is left out. ledger may be
 * NULL: nobody is there to be told, -ENOTCONN. As ipc_peer_send(). */
int report_send(struct ipc_peer *ledger, const char *event, va_list pairs);
