/* Rules: effects in, one verdict out. The first match decides each effect; the strictest decides the request.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/ipc.h"
#include "policy/effect.h"

enum action { ACTION_ALLOW, ACTION_HOLD, ACTION_DENY }; /* in order of strictness */

/* What was decided about one request. The strings are borrowed from the rulebook or static. */
struct verdict {
    enum action action;
    const char *code;    /* contract.md §3: "denied", "unparsable", …; "" when allowed */
    const char *rule;    /* name of the deciding rule; "default" when none matched */
    const char *reason;  /* the rule's reason, or a default text; never NULL */
    size_t effect;       /* index of the effect that decided */
    const Ipc__Rule *by; /* the deciding rule; borrowed from the rulebook; NULL: none did */
    bool on_host;        /* that effect is on a host: effect_is_on_host() */
    uint32_t wait_s;     /* seconds after which it would be allowed; 0: waiting does not help */
    const char *request; /* id of the request for approval that was not granted; or NULL */
};

struct rulebook;

/* Who asks for what: everything that rules may look at besides the effects. */
struct circumstances {
    char *const *roles;
    size_t n_roles;
    const char *target;
    const char *database; /* postgres; or NULL */
    const char *channel;  /* ssh: "shell", "exec", "sftp" or "forward": what the effects are of; or NULL */
    /* The session may have left the default search_path (SET, set_config, startup): then an unqualified name
     * is not taken for one of schema public any more, where a rule allows. */
    bool search_path_set;
};

/* Keeps pointers into config, which must outlive it. -EINVAL for an action or a statement kind that does not
 * exist. */
MUST_USE int rulebook_new(const Ipc__Config *config, struct rulebook **ret);
void rulebook_free(struct rulebook *rulebook);
DEFINE_CLEANUP(struct rulebook *, rulebook_free)

/* Never fails: what can't be decided is denied. No effects at all (an empty statement) is allowed. */
struct verdict rulebook_decide(const struct rulebook *rulebook, const struct circumstances *who,
                               const struct effects *effects);
/* One effect by itself; a harmless call that no rule is about is allowed by the rule "". */
struct verdict rulebook_decide_effect(const struct rulebook *rulebook, const struct circumstances *who,
                                      const struct effect *effect);
/* Every rule that holds some effect of a request whose verdict is ACTION_HOLD, in order, each once: the
 * verdict names only one of them, and each has approvers of its own. Those that only perhaps match are among
 * them. Returns how many there are; ret has the first max of them. */
size_t rulebook_holding(const struct rulebook *rulebook, const struct circumstances *who,
                        const struct effects *effects, const Ipc__Rule **ret, size_t max);
/* Whether any rule could allow (or hold) anything for these roles on this target: who may see and reach it.
 */
bool rulebook_reaches(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                      const char *target);
/* Whether a rule with limits applies to these roles on this target (policy/budget.h). */
bool rulebook_limits(const struct rulebook *rulebook, char *const *roles, size_t n_roles, const char *target);
/* Whether one of the roles is marked read_only: then the whole session is. */
bool roles_are_read_only(const Ipc__Config *config, char *const *roles, size_t n_roles);
/* Whether what names mean may decide: false when one rule decides everything that has a name. */
bool rulebook_asks_names(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target);
/* Whether some rule for them looks at paths of files, or has people do so. */
bool rulebook_asks_paths(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target);
/* Whether some rule for them has files looked through (sensitive: deny). */
bool rulebook_looks_into_files(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                               const char *target);
/* The rules that apply to roles and target, in order; for `describe`. Returns how many were put into ret. */
size_t rulebook_applying(const struct rulebook *rulebook, char *const *roles, size_t n_roles,
                         const char *target, const Ipc__Rule **ret, size_t max);
/* What an agent can do next after this verdict: one sentence, static or in out. */
const char *verdict_next(const struct verdict *verdict, char *out, size_t size);
const char *action_name(enum action action); /* "allow", "approve", "deny" */
