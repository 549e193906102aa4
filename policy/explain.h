/* `gatehouse policy explain`: what was recognised in a statement, the rule that decides, the verdict. */
#pragma once
#include <stddef.h>
#include "base/buffer.h"
#include "base/ipc.h"
#include "policy/rules.h"

enum { EXPLAIN_MAX = 4 * 1024 * 1024 }; /* bytes of output that suffice for any statement people type */

/* Nobody asks in the name of a role or about a target that the configuration lacks: 1, and detail. */
enum { EXPLAIN_NO_SUCH = 1 };

/* sql: a command line when the target is a host. Appends the explanation to out; *ret_action is the
 * verdict's. 0, EXPLAIN_NO_SUCH, -ENOBUFS when out is full, or another negative errno. Call sql_start()
 * before. */
MUST_USE int explain_statement(const Ipc__Config *config, char *const *roles, size_t n_roles,
                               const char *target, const char *sql, struct buffer *out,
                               enum action *ret_action, struct detail *detail);

/* Who asks, from the configuration's names; detail says which name it lacks. */
MUST_USE int explain_circumstances(const Ipc__Config *config, char *const *roles, size_t n_roles,
                                   const char *target, struct circumstances *ret, struct detail *detail);
