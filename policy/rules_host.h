/* The conditions of a block on what is done on hosts. Private to the rules. */
#pragma once
#include "policy/rules_match.h"

/* Whether the block, apart from its `not:`, has such a condition; or one on SQL. */
bool match_is_about_hosts(const Ipc__Match *match);
bool match_is_about_statements(const Ipc__Match *match);
/* Whether those that it has hold for an effect on a host; `not:` is not looked at. */
bool host_keys_hold(const Ipc__Match *match, const struct circumstances *who, const struct effect *effect,
                    enum certainty certainty);
