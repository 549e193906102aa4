/* The text alone decides: rules, roles and target do not change while a session lives. So decisions are kept
 * by text, least recently used ones go first, and the steady state of a client that repeats itself costs one
 * look-up.
 *
 * The server must read what the parser read. Texts that are not valid in the session's encoding are refused
 * unparsed, and so is every statement that would set one of the guarded settings to something unknown
 * (settings.c). */
#include "channels/pg/inspect.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "channels/pg/table.h"

/* A decision in the cache. The key is the text's kind and the text: what is fine as UTF-8 may not be fine
 * later. */
struct cached {
    struct link link; /* first: see table.h */
    struct cached *newer, *older;
    enum text_kind kind;
    struct decision *decision;
};

struct inspector {
    const struct rulebook *rulebook;
    struct circumstances who; /* search_path_set is the session's own */
    struct table table;
    struct cached *newest, *oldest;
    size_t bytes;
    uint32_t seen[INSPECT_SEEN]; /* by the low bits of a text's hash: the high ones of the last */
};

struct verdict verdict_built_in(const char *code, const char *reason)
{
    return (struct verdict){ .action = ACTION_DENY, .code = code, .rule = "built-in", .reason = reason };
}

/* ---- decisions ---- */

struct decision *decision_share(struct decision *d)
{
    d->references++;
    return d;
}

void decision_free(struct decision *d)
{
    if (!d || --d->references > 0)
        return;
    for (size_t i = 0; i < d->n_effects; i++)
        free(d->effects[i]);
    for (size_t i = 0; i < d->n_steps; i++)
        free(d->steps[i].name);
    free(d->effects);
    free(d->steps);
    free(d->subject);
    free(d->text);
    free(d);
}

size_t decision_weight(const struct decision *d)
{
    enum { PER_STRING = 48 };
    return sizeof(*d) + d->text_n + (d->n_effects + d->n_steps * 2 + 4) * PER_STRING;
}

static size_t count_effects(const struct sql_request *request)
{
    size_t n = 0;
    for (size_t i = 0; i < request->count; i++)
        n += request->statements[i].effects.count;
    return n;
}

static int describe(struct decision *d, const struct sql_request *request)
{
    char words[EFFECT_NAME_MAX + 64];
    size_t seen = 0, n = count_effects(request);
    d->effects = calloc(n < INSPECT_EFFECTS_SHOWN ? n + 1 : INSPECT_EFFECTS_SHOWN, sizeof(*d->effects));
    if (!d->effects)
        return -ENOMEM;
    for (size_t i = 0; i < request->count; i++) {
        const struct effects *effects = &request->statements[i].effects;
        for (size_t j = 0; j < effects->count; j++, seen++) {
            bool decided = d->verdict.action != ACTION_ALLOW && seen == d->verdict.effect;
            if (!decided && d->n_effects == INSPECT_EFFECTS_SHOWN)
                continue;
            (void)effect_describe(&effects->items[j], words, sizeof(words));
            if (decided && !d->subject && !(d->subject = strdup(words)))
                return -ENOMEM;
            if (d->n_effects < INSPECT_EFFECTS_SHOWN && !(d->effects[d->n_effects++] = strdup(words)))
                return -ENOMEM;
        }
    }
    return 0;
}

static bool is_step(enum sql_role role)
{
    return role == SQL_PREPARE || role == SQL_EXECUTE || role == SQL_DEALLOCATE || role == SQL_DISCARD;
}

static int note_steps(struct decision *d, const struct sql_request *request)
{
    for (size_t i = 0; i < request->count; i++) {
        const struct sql_statement *statement = &request->statements[i];
        if (!is_step(statement->role))
            continue;
        struct step *wider = reallocarray(d->steps, d->n_steps + 1, sizeof(*wider));
        if (!wider)
            return -ENOMEM;
        d->steps = wider;
        d->steps[d->n_steps] = (struct step){ .role = statement->role };
        d->n_steps++;
        if (statement->name && !(d->steps[d->n_steps - 1].name = strdup(statement->name)))
            return -ENOMEM;
    }
    return 0;
}

/* Whether it sets one of the settings that parser and server must agree on, to a value that sql_parse() does
 * not vouch for: it then says `unknown` too. No rule allows that, not even one for anything. */
static bool is_harmful(const struct sql_statement *statement)
{
    bool guarded = false, unknown = false;
    for (size_t i = 0; i < statement->effects.count; i++) {
        const struct effect *effect = &statement->effects.items[i];
        guarded =
            guarded || (effect->kind == EFFECT_SET && effect->object && setting_is_guarded(effect->object));
        unknown = unknown || effect->kind == EFFECT_UNKNOWN;
    }
    return guarded && unknown;
}

/* Statement by statement, since one may move the search_path for those behind it; the strictest verdict is
 * the request's. */
static int judge(const struct inspector *inspector, struct decision *d, const struct sql_request *request)
{
    struct circumstances now = inspector->who;
    size_t before = 0;
    d->verdict = rulebook_decide(inspector->rulebook, &now, &(const struct effects){ 0 });
    for (size_t i = 0; i < request->count; i++) {
        const struct effects *effects = &request->statements[i].effects;
        struct verdict verdict = rulebook_decide(inspector->rulebook, &now, effects);
        if (is_harmful(&request->statements[i]))
            verdict =
                verdict_built_in("denied", "client_encoding stays UTF8 and standard_conforming_strings on "
                                           "(or as set at connection start): statements are inspected");
        if (i == 0 || verdict.action > d->verdict.action) {
            d->verdict = verdict;
            d->verdict.effect += before;
        }
        now.search_path_set = now.search_path_set || effects_may_set_search_path(effects);
        before += effects->count;
    }
    d->moves_path = now.search_path_set;
    return describe(d, request);
}

static int parse_and_judge(const struct inspector *inspector, struct decision *d, const char *text)
{
    CLEANUP(sql_request_free) struct sql_request *request = NULL;
    int r = sql_parse(text, &request);
    r = r ? r : note_steps(d, request);
    return r ? r : judge(inspector, d, request);
}

static bool is_ascii(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return false;
    }
    return true;
}

static int decide_anew(const struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                       struct decision **ret)
{
    CLEANUP(decision_free) struct decision *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->references = 1;
    d->text_size = n;
    d->text_n = n < INSPECT_CACHED_TEXT_MAX ? n : INSPECT_CACHED_TEXT_MAX;
    d->text = strndup(text, d->text_n);
    if (!d->text)
        return -ENOMEM;
    int r = 0;
    if (n > SQL_PARSE_MAX)
        d->verdict = verdict_built_in("limit", "the statement is longer than 16 MiB");
    else if (kind == TEXT_UTF8 && !text_is_utf8(text, n))
        d->verdict = verdict_built_in("unparsable", "the statement is not valid UTF-8");
    else if (kind != TEXT_UTF8 && !is_ascii(text, n))
        d->verdict =
            verdict_built_in("unparsable", "statements in a single-byte client_encoding must be ASCII: "
                                           "connect with client_encoding=UTF8");
    else
        r = parse_and_judge(inspector, d, text);
    if (r == 0)
        *ret = STEAL(d);
    return r;
}

/* ---- the cache ---- */

static void unlink_age(struct inspector *inspector, struct cached *c)
{
    if (c->newer)
        c->newer->older = c->older;
    else
        inspector->newest = c->older;
    if (c->older)
        c->older->newer = c->newer;
    else
        inspector->oldest = c->newer;
    c->newer = c->older = NULL;
}

static void link_newest(struct inspector *inspector, struct cached *c)
{
    c->older = inspector->newest;
    if (inspector->newest)
        inspector->newest->newer = c;
    else
        inspector->oldest = c;
    inspector->newest = c;
}

static void forget(struct inspector *inspector, struct cached *c)
{
    unlink_age(inspector, c);
    table_remove(&inspector->table, &c->link);
    inspector->bytes -= sizeof(*c) + decision_weight(c->decision);
    decision_free(c->decision);
    free(c);
}

static struct cached *look_up(struct inspector *inspector, const char *text, size_t n, enum text_kind kind)
{
    struct cached *c = (struct cached *)table_find(&inspector->table, text, n);
    if (!c)
        return NULL;
    if (c->kind != kind) {
        forget(inspector, c);
        return NULL;
    }
    if (c != inspector->newest) {
        unlink_age(inspector, c);
        link_newest(inspector, c);
    }
    return c;
}

/* Keeping it is a favour: without memory the decision is just not kept. */
static void keep(struct inspector *inspector, struct decision *d, enum text_kind kind)
{
    struct cached *c = calloc(1, sizeof(*c));
    if (!c)
        return;
    c->link.key = d->text;
    c->link.key_n = d->text_n;
    c->kind = kind;
    if (table_add(&inspector->table, &c->link) < 0) {
        free(c);
        return;
    }
    c->decision = decision_share(d);
    link_newest(inspector, c);
    inspector->bytes += sizeof(*c) + decision_weight(d);
    while (inspector->bytes > INSPECT_CACHE_BYTES && inspector->oldest != c)
        forget(inspector, inspector->oldest);
}

/* Whether it has come before, perhaps; true at the second time. */
static bool is_seen(struct inspector *inspector, const char *text, size_t n)
{
    uint64_t hash = table_hash(&inspector->table, text, n);
    uint32_t *slot = &inspector->seen[hash % INSPECT_SEEN], mark = (uint32_t)(hash >> 32);
    bool seen = *slot == mark;
    *slot = mark;
    return seen;
}

int inspector_decide(struct inspector *inspector, const char *text, size_t n, enum text_kind kind,
                     struct decision **ret)
{
    struct decision *d = NULL;
    bool worth = n <= INSPECT_CACHED_TEXT_MAX;
    struct cached *known = worth ? look_up(inspector, text, n, kind) : NULL;
    if (known) {
        *ret = decision_share(known->decision);
        return 0;
    }
    int r = decide_anew(inspector, text, n, kind, &d);
    if (r == 0 && d->moves_path && d->verdict.action == ACTION_ALLOW && !inspector_has_path(inspector)) {
        /* It may run again once it has moved the path: judged as if it had. */
        inspector_set_path(inspector);
        decision_free(STEAL(d));
        r = decide_anew(inspector, text, n, kind, &d);
    }
    if (r)
        return r;
    if (worth && is_seen(inspector, text, n))
        keep(inspector, d, kind);
    *ret = d;
    return 0;
}

int inspector_new(const struct rulebook *rulebook, const struct circumstances *who, struct inspector **ret)
{
    struct inspector *inspector = calloc(1, sizeof(*inspector));
    if (!inspector)
        return -ENOMEM;
    inspector->rulebook = rulebook;
    inspector->who = *who;
    table_init(&inspector->table);
    *ret = inspector;
    return 0;
}

void inspector_set_path(struct inspector *inspector)
{
    inspector->who.search_path_set = true;
    while (inspector->oldest)
        forget(inspector, inspector->oldest);
}

bool inspector_has_path(const struct inspector *inspector)
{
    return inspector->who.search_path_set;
}

void inspector_free(struct inspector *inspector)
{
    if (!inspector)
        return;
    while (inspector->oldest)
        forget(inspector, inspector->oldest);
    table_free(&inspector->table);
    free(inspector);
}
