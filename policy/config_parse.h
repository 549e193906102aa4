/* The same as config_load(), from memory: for tests and fuzzing. */
#pragma once
#include <stdbool.h>
#include "policy/config.h"

/* `path` says where the bytes are from: a relative `state` is relative to its directory. files: read and
 * check the files that the configuration names; without, user_ca_public and trusted_cas have no blobs. Result
 * as config_load(). */
MUST_USE int config_parse(const char *path, const uint8_t *bytes, size_t n, bool files, Ipc__Config **ret,
                          struct config_faults *faults);
