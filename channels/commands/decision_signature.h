/* Whether an approver's signature counts (docs/approvals.md §6). */
#pragma once
#include "channels/gate.h"

/* decide: id, digest, for_ms and signature (out of its armour) are looked at. Against the key of the gate's
 * certificate. 0, positive with a detail, or negative. */
MUST_USE int decision_signature_check(const struct gate *gate, const Ipc__Decide *decide,
                                      struct detail *detail);
