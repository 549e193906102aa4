/* What has to stand in the audit chain besides the recordings: the ledger enters it. */
#pragma once
#include "channels/gate.h"

enum { AUDIT_PAIRS_MAX = 8 };

/* Pairs of names and values (NULL values are left out), ended by NULL. The ledger adds when, who and from
 * where. */
void gate_audit(struct gate *gate, const char *event, ...) __attribute__((sentinel));
