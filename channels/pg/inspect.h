/* What a statement's text is: its effects, the verdict on it, and what it does to prepared statements. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "channels/pg/decision.h"
#include "channels/pg/settings.h"
#include "policy/catalog_scope.h"
#include "policy/lineage.h"
#include "policy/rules.h"
#include "policy/sql.h"

enum {
    INSPECT_CACHE_BYTES = 2 * 1024 * 1024, /* of decisions that are kept for the next time, per session */
    INSPECT_SHAPES_BYTES = 256 * 1024,     /* of those that stand for texts which differ in numbers alone */
    INSPECT_CACHED_TEXT_MAX = 16 * 1024,   /* bytes of a statement that is worth keeping */
    INSPECT_ROUNDS_MAX = 24,               /* questions to the catalog for one text */
};

struct inspector;

/* rulebook and who are borrowed and must outlive it, and so must scope; without one (NULL) names stay as they
 * are written. */
MUST_USE int inspector_new(const struct rulebook *rulebook, const struct circumstances *who,
                           struct scope *scope, struct inspector **ret);
/* The session may have left the default search_path: from the start, or by a statement that was allowed. What
 * was decided before is forgotten, and the caller forgets what was prepared: the server plans prepared
 * statements again when the path has changed (plancache.c, RevalidateCachedQuery). */
void inspector_set_path(struct inspector *inspector);
/* The session was opened read-only and stays so: statements that would change that are refused, and what
 * can't be looked into. */
void inspector_keep_read_only(struct inspector *inspector);
/* Columns are masked: statements are followed to them, which takes a scope. masks is borrowed and must
 * outlive it. */
void inspector_mask(struct inspector *inspector, const struct mask_set *masks);
/* Rules have limits: decisions tell which. */
void inspector_limit(struct inspector *inspector);
bool inspector_has_path(const struct inspector *inspector);
void inspector_free(struct inspector *inspector);
DEFINE_CLEANUP(struct inspector *, inspector_free)

enum { INSPECT_WAIT = 1 };
/* *ret is a reference of the caller's. text: NUL-terminated, n bytes without the NUL, any bytes.
 * INSPECT_WAIT: the scope's catalog has wants; once they have been fetched, the same text is given again.
 * fault: why they can't be; then what needs them is refused (target_unavailable). NULL: they can, or have
 * been. Negative errno: out of memory. */
MUST_USE int inspector_decide(struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                              const char *fault, struct decision **ret);
/* The same for a text that runs now or never: *ret may be a decision about another text that does the same,
 * so its `text` is not to be used. */
MUST_USE int inspector_decide_once(struct inspector *inspector, const char *text, size_t n,
                                   enum text_kind kind, const char *fault, struct decision **ret);
/* The text that waits will not be given again. */
void inspector_drop(struct inspector *inspector);
/* Whether what it was decided by still holds; else its text is to be decided anew. */
bool inspector_is_current(const struct inspector *inspector, const struct decision *decision);
/* It is about to run. *ret_unsettles: until its transaction is known to be over, the catalog does not tell
 * all. */
MUST_USE int inspector_run(struct inspector *inspector, const struct decision *decision, bool *ret_unsettles);
