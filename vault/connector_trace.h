/* What libpq's trace of a login says: the names of all reported parameters, and the cancel key, which libpq
 * tells by no other public call. No I/O. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "vault/connector.h"

enum { TRACE_KEY_MAX = 256 }; /* bytes of a cancel key; 4 until PostgreSQL 18 */

struct trace {
    char names[CONNECTOR_PARAMETERS_MAX][CONNECTOR_NAME_MAX];
    size_t n_names;
    uint32_t pid;
    uint8_t key[TRACE_KEY_MAX];
    size_t key_n;
};

/* Reads the text of PQtrace (PostgreSQL 14 and newer). -EPROTO when there is no BackendKeyData for this pid.
 */
MUST_USE int trace_read(const char *text, uint32_t pid, struct trace *ret);
