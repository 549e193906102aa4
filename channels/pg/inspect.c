/* The text decides, and what the catalog says of its names: rules, roles and target do not change while a
 * session lives. So decisions are kept by text for as long as the catalog does not move, and the steady state
 * of a client that repeats itself costs one look-up. One that puts its numbers into the text is never
 * repeating itself: for statements where these decide nothing, the text without them is a second key
 * (policy/sql_shape.c).
 *
 * The server must read what the parser read. Texts that are not valid in the session's encoding are refused
 * unparsed, and so is every statement that would set one of the guarded settings to something unknown
 * (settings.c). */
#include "channels/pg/inspect.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "channels/pg/inspect_parts.h"
#include "policy/sql_resolve.h"
#include "policy/sql_shape.h"

static int add_change(void *owner, enum scope_change change, const char *text)
{
    struct decision *d = owner;
    struct change *wider = reallocarray(d->changes, d->n_changes + 1, sizeof(*wider));
    if (!wider)
        return -ENOMEM;
    d->changes = wider;
    d->changes[d->n_changes] = (struct change){ .change = change, .text = text ? strdup(text) : NULL };
    if (text && !d->changes[d->n_changes].text)
        return -ENOMEM;
    d->n_changes++;
    return 0;
}

static int apply_changes(struct scope *scope, const struct decision *d, size_t from)
{
    int r = 0;
    for (size_t i = from; r == 0 && i < d->n_changes; i++)
        r = scope_note(scope, d->changes[i].change, d->changes[i].text);
    return r;
}

/* ---- names ---- */

static void forget_resolved(struct pending *pending)
{
    struct decision *d = pending->decision;
    for (size_t i = 0; pending->resolved && i < pending->request->count; i++)
        effects_free(&pending->resolved[i]);
    while (d && d->n_changes > 0)
        free(d->changes[--d->n_changes].text);
    pending->at = 0;
    pending->asked = false;
}

void inspector_drop(struct inspector *inspector)
{
    struct pending *pending = &inspector->pending;
    if (pending->request && inspector->scope && !pending->allowed)
        scope_rewind(inspector->scope, &pending->before);
    forget_resolved(pending);
    free(pending->resolved);
    sql_request_free(pending->request);
    decision_free(pending->decision);
    *pending = (struct pending){ .at = 0 };
}

static int resolve_one(const struct inspector *inspector, struct pending *pending)
{
    const struct sql_statement *statement = &pending->request->statements[pending->at];
    struct decision *d = pending->decision;
    size_t before = d->n_changes;
    int r = sql_resolve(inspector->scope, statement, pending->asked, &pending->resolved[pending->at]);
    if (r)
        return r;
    r = sql_changes(statement, add_change, d);
    /* It is there for those behind it, whether or not the whole will be allowed: at worst they are seen
     * too strictly. */
    if (r == 0 && pending->at + 1 < pending->request->count)
        r = apply_changes(inspector->scope, d, before);
    pending->at++;
    pending->asked = false;
    return r;
}

/* What the statements behind will want, so that one question fetches all of it. */
static void look_ahead(const struct inspector *inspector, const struct pending *pending)
{
    enum { AHEAD_MAX = 32 };
    for (size_t i = pending->at + 1; i < pending->request->count && i < pending->at + AHEAD_MAX; i++) {
        struct effects unused = { .count = 0 };
        int r = sql_resolve(inspector->scope, &pending->request->statements[i], false, &unused);
        effects_free(&unused);
        if (r < 0)
            return;
    }
}

/* Where the columns of the results come from. INSPECT_WAIT: the catalog has to be asked first. */
static int follow(const struct inspector *inspector, struct pending *pending, const char *text)
{
    struct decision *d = pending->decision;
    lineages_free(STEAL(d->lineages));
    if (!inspector->masks)
        return 0;
    int r = lineage_follow(text, inspector->scope, inspector->masks, &d->lineages);
    if (r == -EINVAL)
        return 0; /* judge() refuses what was not followed */
    for (size_t i = 0; r == 0 && i < d->lineages->count; i++)
        if (d->lineages->items[i].wanted)
            r = INSPECT_WAIT;
    pending->rounds += r == INSPECT_WAIT;
    return r;
}

static int resolve(const struct inspector *inspector, struct pending *pending, const char *text)
{
    if (pending->at > 0 && pending->generation != scope_generation(inspector->scope))
        forget_resolved(pending); /* what was looked up meanwhile has changed */
    pending->generation = scope_generation(inspector->scope);
    while (pending->at < pending->request->count) {
        int r = resolve_one(inspector, pending);
        if (r == SQL_RESOLVE_WANTED) {
            look_ahead(inspector, pending);
            pending->asked = true;
            pending->rounds++;
            return INSPECT_WAIT;
        }
        if (r)
            return r;
        pending->generation = scope_generation(inspector->scope); /* its own changes */
    }
    int r = follow(inspector, pending, text);
    if (r)
        return r;
    for (size_t i = 0; i < pending->request->count; i++) {
        effects_free(&pending->request->statements[i].effects);
        pending->request->statements[i].effects = pending->resolved[i];
        pending->resolved[i] = (struct effects){ .count = 0 };
    }
    return 0;
}

/* Writing a masked value to where it is not masked is an effect of its own. */
static int note_unmasking(const struct decision *d, struct sql_request *request)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && d->lineages && i < d->lineages->count && i < request->count; i++) {
        const struct lineage *lineage = &d->lineages->items[i];
        if (lineage->unmask)
            r = effects_add(&request->statements[i].effects, EFFECT_UNMASK, OBJECT_OTHER,
                            lineage->unmask_what ? lineage->unmask_what : lineage->unmask->text->name, NULL);
    }
    return r < 0 ? r : 0;
}

static int without_catalog(struct decision *d, const struct sql_request *request)
{
    d->verdict = verdict_built_in("target_unavailable",
                                  "the names in the statement can't be looked up in the target's "
                                  "catalog now");
    return decision_describe(d, request);
}

/* What is held is shown to people, and compared later: all of it. */
static int keep_whole(struct decision *d, const char *text)
{
    if (d->verdict.action != ACTION_HOLD || d->text_n == d->text_size)
        return 0;
    char *whole = strndup(text, d->text_size);
    if (!whole)
        return -ENOMEM;
    free(d->text);
    d->text = whole;
    d->text_n = d->text_size;
    return 0;
}

static int resolve_and_judge(struct inspector *inspector, const char *text, const char *fault)
{
    struct pending *pending = &inspector->pending;
    struct decision *d = pending->decision;
    int r = inspector->scope ? resolve(inspector, pending, text) : 0;
    if (r == INSPECT_WAIT && (fault || pending->rounds > INSPECT_ROUNDS_MAX))
        return without_catalog(d, pending->request);
    if (r)
        return r;
    r = note_unmasking(d, pending->request);
    r = r ? r : inspector_judge(inspector, d, pending->request);
    r = r ? r : keep_whole(d, text);
    pending->allowed = r == 0 && d->verdict.action == ACTION_ALLOW;
    if (r == 0 && inspector->scope && d->verdict.action == ACTION_ALLOW)
        r = apply_changes(inspector->scope, d, 0);
    if (inspector->scope)
        d->generation = scope_generation(inspector->scope);
    return r;
}

static bool is_ascii(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return false;
    }
    return true;
}

static int begin_decision(struct inspector *inspector, const char *text, size_t n)
{
    struct decision *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    inspector->pending.decision = d;
    d->references = 1;
    d->text_size = n;
    d->text_n = n < INSPECT_CACHED_TEXT_MAX ? n : INSPECT_CACHED_TEXT_MAX;
    d->text = strndup(text, d->text_n);
    return d->text ? 0 : -ENOMEM;
}

static int parse(struct inspector *inspector, const char *text)
{
    struct pending *pending = &inspector->pending;
    if (inspector->scope)
        pending->before = scope_mark(inspector->scope);
    int r = sql_parse(text, &pending->request);
    r = r ? r : decision_note_steps(pending->decision, pending->request);
    if (r)
        return r;
    pending->decision->n_statements = pending->request->count;
    if (!inspector->scope)
        return 0;
    pending->resolved = calloc(pending->request->count + 1, sizeof(*pending->resolved));
    return pending->resolved ? 0 : -ENOMEM;
}

/* Texts that the parser must not see. */
static bool is_refused_unseen(struct decision *d, const char *text, size_t n, enum text_kind kind)
{
    if (n > SQL_PARSE_MAX)
        d->verdict = verdict_built_in("limit", "the statement is longer than 16 MiB");
    else if (kind == TEXT_UTF8 && !text_is_utf8(text, n))
        d->verdict = verdict_built_in("unparsable", "the statement is not valid UTF-8");
    else if (kind != TEXT_UTF8 && !is_ascii(text, n))
        d->verdict =
            verdict_built_in("unparsable", "statements in a single-byte client_encoding must be ASCII: "
                                           "connect with client_encoding=UTF8");
    else
        return false;
    return true;
}

/* Goes on where it had to wait, or begins. */
static int decide_anew(struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                       const char *fault, struct decision **ret)
{
    int r = 0;
    if (!inspector->pending.decision) {
        r = begin_decision(inspector, text, n);
        if (r == 0 && is_refused_unseen(inspector->pending.decision, text, n, kind)) {
            *ret = STEAL(inspector->pending.decision);
            return 0;
        }
        r = r ? r : parse(inspector, text);
    }
    r = r ? r : resolve_and_judge(inspector, text, fault);
    if (r == 0)
        *ret = STEAL(inspector->pending.decision);
    if (r != INSPECT_WAIT)
        inspector_drop(inspector);
    return r;
}

/* ---- what is kept ---- */

static struct kept *find(const struct inspector *inspector, struct decided *decided, const char *key,
                         size_t n, enum text_kind kind)
{
    struct kept *kept = decided_find(decided, key, n, kind);
    if (kept && kept->decision && !inspector_is_current(inspector, kept->decision)) {
        decided_forget(decided, kept);
        kept = NULL;
    }
    return kept;
}

int inspector_decide(struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                     const char *fault, struct decision **ret)
{
    struct decision *d = NULL;
    bool worth = n <= INSPECT_CACHED_TEXT_MAX && !fault;
    const struct kept *known = worth ? find(inspector, &inspector->texts, text, n, kind) : NULL;
    if (known) {
        inspector_drop(inspector);
        *ret = decision_share(known->decision);
        return 0;
    }
    int r = decide_anew(inspector, text, n, kind, fault, &d);
    if (r == 0 && !inspector->scope && d->moves_path && d->verdict.action != ACTION_DENY &&
        !inspector_has_path(inspector)) {
        /* It may run again once it has moved the path: judged as if it had. */
        inspector_set_path(inspector);
        decision_free(STEAL(d));
        r = decide_anew(inspector, text, n, kind, fault, &d);
    }
    if (r)
        return r;
    if (worth && decided_is_seen(&inspector->texts, text, n))
        decided_keep(&inspector->texts, d->text, d->text_n, kind, d);
    *ret = d;
    return 0;
}

/* Whether it may stand for other texts of the same shape: one allowed statement that leaves nothing behind in
 * the session. */
static bool is_plain(const struct decision *d)
{
    return d->verdict.action == ACTION_ALLOW && d->n_statements == 1 && d->n_steps == 0 &&
           d->n_changes == 0 && !d->moves_path && !d->sets && !d->lineages;
}

static void keep_shape(struct inspector *inspector, const char *text, const struct sql_shape *shape,
                       enum text_kind kind, struct decision *d)
{
    if (!is_plain(d) || !decided_is_seen(&inspector->shapes, shape->key, shape->n))
        return;
    bool free = sql_shape_is_free(text, shape);
    decided_keep(&inspector->shapes, shape->key, shape->n, kind, free ? d : NULL);
}

int inspector_decide_once(struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                          const char *fault, struct decision **ret)
{
    struct sql_shape shape;
    if (fault || inspector->masks || inspector->limited || !sql_shape_of(text, n, &shape))
        return inspector_decide(inspector, text, n, kind, fault, ret);
    const struct kept *known = find(inspector, &inspector->shapes, shape.key, shape.n, kind);
    if (known && known->decision) {
        inspector_drop(inspector);
        *ret = decision_share(known->decision);
        return 0;
    }
    bool is_new = !known;
    int r = inspector_decide(inspector, text, n, kind, fault, ret);
    if (r == 0 && is_new)
        keep_shape(inspector, text, &shape, kind, *ret);
    return r;
}

bool inspector_is_current(const struct inspector *inspector, const struct decision *decision)
{
    return !inspector->scope || decision->generation == scope_generation(inspector->scope);
}

int inspector_run(struct inspector *inspector, const struct decision *decision, bool *ret_unsettles)
{
    *ret_unsettles = false;
    if (!inspector->scope || decision->n_changes == 0)
        return 0;
    int r = apply_changes(inspector->scope, decision, 0);
    *ret_unsettles = !scope_is_settled(inspector->scope);
    return r;
}

int inspector_new(const struct rulebook *rulebook, const struct circumstances *who, struct scope *scope,
                  struct inspector **ret)
{
    struct inspector *inspector = calloc(1, sizeof(*inspector));
    if (!inspector)
        return -ENOMEM;
    inspector->rulebook = rulebook;
    inspector->scope = scope;
    inspector->who = *who;
    decided_init(&inspector->texts, INSPECT_CACHE_BYTES);
    decided_init(&inspector->shapes, INSPECT_SHAPES_BYTES);
    *ret = inspector;
    return 0;
}

void inspector_keep_read_only(struct inspector *inspector)
{
    inspector->read_only = true;
}

void inspector_mask(struct inspector *inspector, const struct mask_set *masks)
{
    inspector->masks = masks;
}

void inspector_limit(struct inspector *inspector)
{
    inspector->limited = true;
}

void inspector_set_path(struct inspector *inspector)
{
    inspector->who.search_path_set = true;
    decided_clear(&inspector->texts);
    decided_clear(&inspector->shapes);
}

bool inspector_has_path(const struct inspector *inspector)
{
    return inspector->who.search_path_set;
}

void inspector_free(struct inspector *inspector)
{
    if (!inspector)
        return;
    inspector_drop(inspector);
    decided_free(&inspector->texts);
    decided_free(&inspector->shapes);
    free(inspector);
}
