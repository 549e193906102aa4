/* YAML as JSON: what kubectl makes of a manifest. */
#pragma once
#include "policy/config_tree.h"

/* *ret is malloc'ed, ends with a NUL, and has *ret_n bytes. 1 after a report; -ENOMEM. */
MUST_USE int config_node_json(const struct config_node *node, struct config_faults *faults, char **ret,
                              size_t *ret_n);
/* The same of a whole document; JSON is returned as it is. */
MUST_USE int config_bytes_json(const uint8_t *bytes, size_t n, struct config_faults *faults, char **ret,
                               size_t *ret_n);
