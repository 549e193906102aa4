/* What the ledger needs in a new state directory. */
#pragma once
#include "base/error.h"

/* Makes STATE/recordings, STATE/audit, STATE/index, STATE/approvals and STATE/notify (0700) and the audit
 * master key. For `gatehouse init`; fails with detail when there is a key already. */
MUST_USE int replay_init(const char *state, struct detail *detail);
/* Makes the directories where they are missing and, as root, hands them with all that is in them but the key
 * to the ledger's uid. The ledger does this at its start, before it gives up its own rights. */
MUST_USE int replay_directories(const char *state, struct detail *detail);
