/* A block: all of its keys must hold for the same effect; inside a key any one entry suffices.
 *
 * Certainty. `select email from a join b …` may read a.email or b.email, and `orders` may be any schema's.
 * Every condition is therefore asked in one of two ways (rules_match.h), and `not:` turns the way around: it
 * surely holds when its block not even perhaps does.
 *
 * Effects without a name (unknown, unparsable) match only where `statements:` (on hosts: `opaque:`) names
 * them: a condition on something else, or a `not:`, says nothing about what was not understood.
 *
 * A block that has a condition on SQL, also within `not:`, is about no effect on a host or in a cluster, and
 * the other way round: `not: { tables: [secret] }` on targets "*" says nothing about a shell.
 *
 * Harmless calls are mentioned so that `functions:` can be about them. A block about tables, columns or
 * unbounded writes and not about functions is blind to them: otherwise `allow select on public.*` would not
 * cover `select lower(name) from public.t`, and `deny all but public.*` would forbid it. */
#include "policy/rules_match.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include "policy/rules_host.h"
#include "policy/rules_kube.h"
#include "policy/rules_name.h"

struct patterns {
    struct name_pattern *items;
    size_t count;
};

struct block {
    const Ipc__Match *match; /* borrowed */
    uint64_t kinds;          /* bit per effect_kind; 0 without `statements:` */
    struct patterns tables, columns, functions;
    struct block * not ;
};

_Static_assert(EFFECT_KINDS <= 64, "struct block holds kinds as bits");

static uint64_t kind_bit(enum effect_kind kind)
{
    return UINT64_C(1) << kind;
}

static int kinds_of(const Ipc__Match *match, uint64_t *ret)
{
    uint64_t kinds = 0;
    for (size_t i = 0; i < match->n_statements; i++) {
        enum effect_kind kind;
        if (strcmp(match->statements[i], "copy") == 0)
            kinds |= kind_bit(EFFECT_COPY_TO) | kind_bit(EFFECT_COPY_FROM);
        else if (effect_kind_of(match->statements[i], &kind))
            kinds |= kind_bit(kind);
        else
            return -EINVAL;
    }
    *ret = kinds;
    return 0;
}

static int patterns_of(char *const *texts, size_t n, bool with_column, struct patterns *ret)
{
    if (n == 0)
        return 0;
    ret->items = calloc(n, sizeof *ret->items);
    if (!ret->items)
        return -ENOMEM;
    for (; ret->count < n; ret->count++) {
        int r = name_pattern_parse(texts[ret->count], with_column, &ret->items[ret->count]);
        if (r < 0)
            return r;
    }
    return 0;
}

static void patterns_clear(struct patterns *p)
{
    for (size_t i = 0; i < p->count; i++)
        name_pattern_clear(&p->items[i]);
    free(p->items);
}

int block_new(const Ipc__Match *match, struct block **ret)
{
    CLEANUP(block_free) struct block *b = calloc(1, sizeof *b);
    if (!b)
        return -ENOMEM;
    b->match = match;
    int r = kinds_of(match, &b->kinds);
    if (r == 0)
        r = patterns_of(match->tables, match->n_tables, false, &b->tables);
    if (r == 0)
        r = patterns_of(match->columns, match->n_columns, true, &b->columns);
    if (r == 0)
        r = patterns_of(match->functions, match->n_functions, false, &b->functions);
    if (r == 0 && match->not_)
        r = block_new(match->not_, &b->not );
    if (r < 0)
        return r;
    *ret = STEAL(b);
    return 0;
}

void block_free(struct block *block)
{
    if (!block)
        return;
    patterns_clear(&block->tables);
    patterns_clear(&block->columns);
    patterns_clear(&block->functions);
    block_free(block->not );
    free(block);
}

static enum name_space space_of(const struct circumstances *who, enum name_space usual)
{
    return who->search_path_set ? NAMES_ANYWHERE : usual;
}

static bool any_pattern(const struct patterns *patterns, const struct effect *effect, enum name_space space,
                        enum certainty certainty)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (name_pattern_matches(&patterns->items[i], effect->object, space, certainty == SURELY))
            return true;
        for (size_t k = 0; certainty == PERHAPS && k < effect->n_also; k++)
            if (name_pattern_matches(&patterns->items[i], effect->also[k], space, false))
                return true;
    }
    return false;
}

/* Rows of a partition are seen by way of its parent, too: refusing rules look at all names. */
static bool also_matches(const struct name_pattern *pattern, const struct effect *effect,
                         enum name_space space)
{
    for (size_t k = 0; k < effect->n_also; k++)
        if (name_pattern_matches(pattern, effect->also[k], space, false))
            return true;
    return false;
}

static bool column_matches(const struct patterns *patterns, const struct effect *effect, const char *column,
                           enum name_space space, bool surely)
{
    for (size_t i = 0; i < patterns->count; i++)
        if ((name_pattern_matches(&patterns->items[i], effect->object, space, surely) ||
             (!surely && also_matches(&patterns->items[i], effect, space))) &&
            name_pattern_matches_column(&patterns->items[i], column, surely))
            return true;
    return false;
}

/* Perhaps: one of the effect's columns. Surely: each of them, and it names some at all. */
static bool columns_match(const struct patterns *patterns, const struct effect *effect, enum name_space space,
                          enum certainty certainty)
{
    bool surely = certainty == SURELY;
    if (!effect->columns || !effect->columns[0])
        return false;
    for (char **column = effect->columns; *column; column++)
        if (column_matches(patterns, effect, *column, space, surely) != surely)
            return !surely;
    return surely;
}

static bool is_database(const struct block *block, const struct circumstances *who, enum certainty certainty)
{
    if (!who->database)
        return certainty == PERHAPS;
    for (size_t i = 0; i < block->match->n_databases; i++)
        if (fnmatch(block->match->databases[i], who->database, 0) == 0)
            return true;
    return false;
}

static bool is_write(const struct effect *effect)
{
    return effect->kind == EFFECT_UPDATE || effect->kind == EFFECT_DELETE;
}

/* DROP … CASCADE, VACUUM, GRANT ON ALL TABLES: nobody has named which. */
static bool is_about_any_table(const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_DROP:
    case EFFECT_ALTER:
    case EFFECT_TRUNCATE:
    case EFFECT_GRANT:
    case EFFECT_LOCK:
    case EFFECT_MAINTENANCE:
        return !effect->object;
    default:
        return false;
    }
}

static bool sql_keys_hold(const struct block *b, const struct circumstances *who, const struct effect *effect,
                          enum certainty certainty)
{
    const Ipc__Match *m = b->match;
    if (m->n_statements && !(b->kinds & kind_bit(effect->kind)))
        return false;
    if (m->has_unbounded_write && !(is_write(effect) && effect->unbounded_write == m->unbounded_write))
        return false;
    if (m->n_databases && !is_database(b, who, certainty))
        return false;
    bool table = effect->object_kind == OBJECT_TABLE && effect->object;
    bool function = effect->object_kind == OBJECT_FUNCTION && effect->object;
    bool any_table = certainty == PERHAPS && is_about_any_table(effect);
    enum name_space tables = space_of(who, NAMES_OF_TABLES);
    if (m->n_tables && !any_table && !(table && any_pattern(&b->tables, effect, tables, certainty)))
        return false;
    if (m->n_columns && !(table && columns_match(&b->columns, effect, tables, certainty)))
        return false;
    return !m->n_functions ||
           (function && any_pattern(&b->functions, effect, space_of(who, NAMES_OF_FUNCTIONS), certainty));
}

static bool keys_hold(const struct block *b, const struct circumstances *who, const struct effect *effect,
                      enum certainty certainty)
{
    bool holds = false;
    switch (effect_domain(effect)) {
    case DOMAIN_SQL:
        holds = sql_keys_hold(b, who, effect, certainty);
        break;
    case DOMAIN_HOST:
        holds = host_keys_hold(b->match, who, effect, certainty);
        break;
    case DOMAIN_CLUSTER:
        holds = kube_keys_hold(b->match, effect, certainty);
        break;
    }
    if (!holds)
        return false;
    return !b->not || !keys_hold(b->not, who, effect, certainty == SURELY ? PERHAPS : SURELY);
}

static bool is_about_functions(const struct block *b)
{
    return b && (b->match->n_functions || is_about_functions(b->not ));
}

static bool is_about_tables(const struct block *b)
{
    return b && (b->match->n_tables || b->match->n_columns || b->match->has_unbounded_write ||
                 is_about_tables(b->not ));
}

static bool is_about(const struct block *b, enum effect_domain domain)
{
    for (; b; b = b->not )
        if ((domain != DOMAIN_SQL && match_is_about_statements(b->match)) ||
            (domain != DOMAIN_HOST && match_is_about_hosts(b->match)) ||
            (domain != DOMAIN_CLUSTER && match_is_about_clusters(b->match)))
            return false;
    return true;
}

bool block_matches(const struct block *block, const struct circumstances *who, const struct effect *effect,
                   enum certainty certainty)
{
    enum effect_domain domain = effect_domain(effect);
    if (!is_about(block, domain))
        return false;
    if (!effect_is_ordinary(effect->kind) &&
        !(domain == DOMAIN_HOST ? block->match->n_opaque > 0 : (block->kinds & kind_bit(effect->kind)) != 0))
        return false;
    if (effect->harmless_call && is_about_tables(block) && !is_about_functions(block))
        return false;
    return keys_hold(block, who, effect, certainty);
}

bool block_excludes_function(const struct block *block, const struct circumstances *who,
                             const struct effect *effect)
{
    if (effect->object_kind != OBJECT_FUNCTION || !effect->object)
        return false;
    for (const struct block *b = block->not ; b; b = b->not )
        if (any_pattern(&b->functions, effect, space_of(who, NAMES_OF_FUNCTIONS), PERHAPS))
            return true;
    return false;
}
