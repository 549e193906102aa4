/* What has to stand in the audit chain besides the recordings: the ledger enters it. */
#pragma once
#include "channels/gate.h"

/* Pairs of names and values, as report_send() has them, ended by NULL. Without a ledger: nothing. */
void gate_audit(struct gate *gate, const char *event, ...) __attribute__((sentinel));
