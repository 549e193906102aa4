/* `gatehouse policy explain`: what was recognised in a statement, the rule that decides, the verdict. */
#pragma once
#include <stddef.h>
#include "base/buffer.h"
#include "base/ipc.h"
#include "policy/rules.h"

enum { EXPLAIN_MAX = 4 * 1024 * 1024 }; /* bytes of output that suffice for any statement people type */

/* Nobody asks in the name of a role or about a target that the configuration lacks: 1, and detail. */
enum { EXPLAIN_NO_SUCH = 1 };

/* What is asked of a target. */
struct explain_request {
    const char *text; /* of a database SQL, of a host a command line, of a cluster "GET /api/v1/pods" */
    const char *type; /* of a cluster: the Content-Type of its body, or NULL: kubectl's */
    const uint8_t *body;
    size_t body_n;
};

/* Appends the explanation to out; *ret_action is the
 * verdict's. 0, EXPLAIN_NO_SUCH, -ENOBUFS when out is full, or another negative errno. Call sql_start()
 * before. */
MUST_USE int explain_statement(const Ipc__Config *config, char *const *roles, size_t n_roles,
                               const char *target, const struct explain_request *request, struct buffer *out,
                               enum action *ret_action, struct detail *detail);

/* Who asks, from the configuration's names; detail says which name it lacks. */
MUST_USE int explain_circumstances(const Ipc__Config *config, char *const *roles, size_t n_roles,
                                   const char *target, struct circumstances *ret, struct detail *detail);
/* The kind of a target; "" when there is none of that name. */
const char *explain_kind(const Ipc__Config *config, const char *target);
