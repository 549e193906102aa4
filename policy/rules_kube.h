/* The conditions of a block on requests to a Kubernetes API. Private to the rules. */
#pragma once
#include "policy/rules_match.h"

/* Whether the block, apart from its `not:`, has such a condition. */
bool match_is_about_clusters(const Ipc__Match *match);
/* Whether those that it has hold for such an effect; `not:` is not looked at. */
bool kube_keys_hold(const Ipc__Match *match, const struct effect *effect, enum certainty certainty);
/* Whether a path of a body, as policy/kube_body.h writes it, is meant by a pattern (policy/kube_path.h). */
bool kube_path_matches(const char *pattern, const char *path);
