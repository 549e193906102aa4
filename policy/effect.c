/* The list of effects. It is filled by whoever takes a request apart, so its lengths are the client's choice:
 * the list, the names and the columns are bounded, and repeats are found by hash, not by comparing with each.
 */
#include "policy/effect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[EFFECT_KINDS] = {
    [EFFECT_SELECT] = "select",
    [EFFECT_INSERT] = "insert",
    [EFFECT_UPDATE] = "update",
    [EFFECT_DELETE] = "delete",
    [EFFECT_MERGE] = "merge",
    [EFFECT_TRUNCATE] = "truncate",
    [EFFECT_COPY_TO] = "copy_to",
    [EFFECT_COPY_FROM] = "copy_from",
    [EFFECT_COPY_FILE] = "copy_file",
    [EFFECT_COPY_PROGRAM] = "copy_program",
    [EFFECT_CREATE] = "create",
    [EFFECT_ALTER] = "alter",
    [EFFECT_DROP] = "drop",
    [EFFECT_GRANT] = "grant",
    [EFFECT_COMMENT] = "comment",
    [EFFECT_CALL] = "call",
    [EFFECT_DO] = "do",
    [EFFECT_FUNCTION] = "function",
    [EFFECT_EXPLAIN] = "explain",
    [EFFECT_SHOW] = "show",
    [EFFECT_SET] = "set",
    [EFFECT_ROLE] = "role",
    [EFFECT_TRANSACTION] = "transaction",
    [EFFECT_LOCK] = "lock",
    [EFFECT_LISTEN] = "listen",
    [EFFECT_NOTIFY] = "notify",
    [EFFECT_CURSOR] = "cursor",
    [EFFECT_MAINTENANCE] = "maintenance",
    [EFFECT_UNMASK] = "unmask",
    [EFFECT_UNKNOWN] = "unknown",
    [EFFECT_UNPARSABLE] = "unparsable",
    [EFFECT_OPEN] = "open",
    [EFFECT_RUN] = "run",
    [EFFECT_READ] = "read",
    [EFFECT_WRITE] = "write",
    [EFFECT_REMOVE] = "remove",
    [EFFECT_RENAME] = "rename",
    [EFFECT_SETSTAT] = "setstat",
    [EFFECT_MKDIR] = "mkdir",
    [EFFECT_LIST] = "list",
    [EFFECT_REQUEST] = "request",
};

enum {
    SLOTS_FIRST = 8,   /* a power of two, as it stays; grown at half full */
    SLOT_EMPTY = 0,    /* otherwise the index of an effect, plus one */
    COLUMNS_FIRST = 8, /* likewise a power of two */
};

static bool same_text(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

/* FNV-1a: an attacker who makes names collide only slows down his own session, within EFFECTS_MAX. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

static uint32_t hash_of(const struct effect *e)
{
    uint32_t hash = 2166136261u ^ ((uint32_t)e->kind << 8) ^ (uint32_t)e->object_kind;
    return hash_text(hash_text(hash_text(hash * 16777619u, e->object), e->exact), e->why);
}

static bool is_repeat(const struct effect *a, const struct effect *b)
{
    return a->kind == b->kind && a->object_kind == b->object_kind && same_text(a->object, b->object) &&
           same_text(a->exact, b->exact) && same_text(a->why, b->why);
}

/* The slot that holds an effect like `wanted`, or the empty one where it belongs. There always is an empty
 * one. */
static uint16_t *slot_of(const struct effects *effects, const struct effect *wanted)
{
    size_t at = hash_of(wanted) & (effects->n_slots - 1);
    while (effects->slots[at] != SLOT_EMPTY && !is_repeat(&effects->items[effects->slots[at] - 1], wanted))
        at = (at + 1) & (effects->n_slots - 1);
    return &effects->slots[at];
}

static int grow(struct effects *effects)
{
    size_t capacity = effects->capacity ? effects->capacity * 2 : SLOTS_FIRST / 2;
    struct effect *items = reallocarray(effects->items, capacity, sizeof *items);
    if (!items)
        return -ENOMEM;
    effects->items = items;
    uint16_t *slots = calloc(capacity * 2, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    free(effects->slots);
    effects->slots = slots;
    effects->n_slots = capacity * 2;
    effects->capacity = capacity;
    for (size_t i = 0; i < effects->count; i++)
        *slot_of(effects, &items[i]) = (uint16_t)(i + 1);
    return 0;
}

static void effect_clear(struct effect *e)
{
    for (char **column = e->columns; column && *column; column++)
        free(*column);
    free(e->columns);
    for (size_t i = 0; i < e->n_also; i++)
        free(e->also[i]);
    free(e->also);
    free(e->object);
    free(e->exact);
    free(e->why);
    *e = (struct effect){ 0 };
}

void effects_free(struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++)
        effect_clear(&effects->items[i]);
    free(effects->items);
    free(effects->slots);
    *effects = (struct effects){ 0 };
}

static size_t object_max(enum object_kind kind)
{
    return kind == OBJECT_COMMAND || kind == OBJECT_FILE ? EFFECT_TEXT_MAX : EFFECT_NAME_MAX;
}

/* Copies the texts of `like`; *ret_new is false when an earlier effect was found instead. */
static int add(struct effects *effects, const struct effect *like, struct effect **ret, bool *ret_new)
{
    if (like->object && strlen(like->object) >= object_max(like->object_kind))
        return -ENAMETOOLONG;
    if (effects->n_slots) {
        uint16_t found = *slot_of(effects, like);
        if (found != SLOT_EMPTY) {
            *ret = &effects->items[found - 1];
            *ret_new = false;
            return 0;
        }
    }
    if (effects->count == EFFECTS_MAX)
        return -ENOBUFS;
    if (effects->count == effects->capacity) {
        int r = grow(effects);
        if (r < 0)
            return r;
    }
    struct effect fresh = { .kind = like->kind, .object_kind = like->object_kind };
    if ((like->object && !(fresh.object = strdup(like->object))) ||
        (like->exact && !(fresh.exact = strdup(like->exact))) ||
        (like->why && !(fresh.why = strdup(like->why)))) {
        effect_clear(&fresh);
        return -ENOMEM;
    }
    *slot_of(effects, like) = (uint16_t)(effects->count + 1);
    effects->items[effects->count] = fresh;
    *ret = &effects->items[effects->count++];
    *ret_new = true;
    return 0;
}

int effects_add(struct effects *effects, enum effect_kind kind, enum object_kind object_kind,
                const char *object, struct effect **ret_effect)
{
    /* The copy is the callee's: `object` is only borrowed for the comparison. */
    struct effect like = { .kind = kind, .object_kind = object_kind, .object = (char *)object };
    struct effect *e;
    bool is_new;
    int r = add(effects, &like, &e, &is_new);
    if (r < 0)
        return r;
    e->harmless_call = false;
    if (ret_effect)
        *ret_effect = e;
    return 0;
}

int effects_add_harmless(struct effects *effects, enum effect_kind kind, const char *function)
{
    struct effect like = { .kind = kind, .object_kind = OBJECT_FUNCTION, .object = (char *)function };
    struct effect *e;
    bool is_new;
    int r = add(effects, &like, &e, &is_new);
    if (r == 0 && is_new)
        e->harmless_call = true;
    return r;
}

int effects_add_why(struct effects *effects, enum effect_kind kind, const char *why)
{
    struct effect like = { .kind = kind, .why = (char *)why };
    struct effect *e;
    bool is_new;
    return add(effects, &like, &e, &is_new);
}

int effects_add_function(struct effects *effects, enum effect_kind kind, const char *function,
                         const char *why)
{
    struct effect like = {
        .kind = kind, .object_kind = OBJECT_FUNCTION, .object = (char *)function, .why = (char *)why
    };
    struct effect *e;
    bool is_new;
    int r = add(effects, &like, &e, &is_new);
    if (r == 0)
        e->harmless_call = false;
    return r;
}

int effects_add_exact(struct effects *effects, enum effect_kind kind, enum object_kind object_kind,
                      const char *object, const char *exact)
{
    struct effect like = {
        .kind = kind, .object_kind = object_kind, .object = (char *)object, .exact = (char *)exact
    };
    struct effect *e;
    bool is_new;
    return add(effects, &like, &e, &is_new);
}

int effects_add_opaque(struct effects *effects, enum effect_kind kind, const char *why)
{
    struct effect like = { .kind = kind, .object_kind = OBJECT_COMMAND, .why = (char *)why };
    struct effect *e;
    bool is_new;
    return add(effects, &like, &e, &is_new);
}

int effect_add_also(struct effect *effect, const char *object)
{
    if (effect->n_also == EFFECT_ALSO_MAX)
        return -ENOBUFS;
    if ((effect->n_also & (effect->n_also + 1)) == 0) { /* full: n names and the NULL fill a power of two */
        char **also = reallocarray(effect->also, (effect->n_also + 1) * 2, sizeof *also);
        if (!also)
            return -ENOMEM;
        effect->also = also;
    }
    char *copy = strdup(object);
    if (!copy)
        return -ENOMEM;
    effect->also[effect->n_also++] = copy;
    effect->also[effect->n_also] = NULL;
    return 0;
}

int effect_add_column(struct effect *effect, const char *column)
{
    size_t n = 0;
    for (; effect->columns && effect->columns[n]; n++)
        if (strcmp(effect->columns[n], column) == 0)
            return 0;
    if (n == EFFECT_COLUMNS_MAX)
        return 0; /* ends in "*" already, see below: nothing is left out */
    if (n == EFFECT_COLUMNS_MAX - 1)
        column = "*";
    /* n names and the NULL fill a power of two: only then is there no room for one more. */
    if (n == 0 || (n + 1 >= COLUMNS_FIRST && (n & (n + 1)) == 0)) {
        size_t capacity = n == 0 ? COLUMNS_FIRST : (n + 1) * 2;
        char **columns = reallocarray(effect->columns, capacity, sizeof *columns);
        if (!columns)
            return -ENOMEM;
        columns[n] = NULL;
        effect->columns = columns;
    }
    char *copy = strdup(column);
    if (!copy)
        return -ENOMEM;
    effect->columns[n] = copy;
    effect->columns[n + 1] = NULL;
    return 0;
}

int effects_append(struct effects *effects, const struct effects *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct effect *e = &from->items[i];
        struct effect *copy;
        bool is_new;
        int r = add(effects, e, &copy, &is_new);
        if (r < 0)
            return r;
        copy->unbounded_write |= e->unbounded_write;
        copy->harmless_call = e->harmless_call && (is_new || copy->harmless_call);
        for (char **column = e->columns; column && *column; column++)
            if ((r = effect_add_column(copy, *column)) < 0)
                return r;
        for (size_t k = 0; is_new && k < e->n_also; k++)
            if ((r = effect_add_also(copy, e->also[k])) < 0)
                return r;
    }
    return 0;
}

bool effect_is_ordinary(enum effect_kind kind)
{
    return kind != EFFECT_UNKNOWN && kind != EFFECT_UNPARSABLE && kind != EFFECT_UNMASK;
}

const char *effect_kind_name(enum effect_kind kind)
{
    return (unsigned)kind < EFFECT_KINDS ? kind_names[kind] : "unknown";
}

static bool kind_between(int first, int end, const char *name, enum effect_kind *ret)
{
    for (int kind = first; kind < end; kind++)
        if (strcmp(kind_names[kind], name) == 0) {
            *ret = (enum effect_kind)kind;
            return true;
        }
    return false;
}

bool effect_kind_of(const char *name, enum effect_kind *ret)
{
    return kind_between(0, EFFECT_STATEMENT_KINDS, name, ret);
}

bool effect_operation_of(const char *name, enum effect_kind *ret)
{
    return kind_between(EFFECT_READ, EFFECT_FILE_KINDS, name, ret);
}

enum effect_domain effect_domain(const struct effect *effect)
{
    if (effect->kind >= EFFECT_REQUEST || effect->object_kind == OBJECT_RESOURCE)
        return DOMAIN_CLUSTER;
    bool host = effect->kind >= EFFECT_STATEMENT_KINDS || effect->object_kind == OBJECT_COMMAND;
    return host ? DOMAIN_HOST : DOMAIN_SQL;
}

bool effect_is_on_host(const struct effect *effect)
{
    return effect_domain(effect) == DOMAIN_HOST;
}

char *effect_describe(const struct effect *effect, char *out, size_t size)
{
    const char *detail = effect->object ? effect->object : effect->why;
    bool noted = effect->object && effect->why;
    if (effect->object_kind == OBJECT_RESOURCE && detail) { /* its verb says what is done */
        snprintf(out, size, "%s", detail);
        return out;
    }
    snprintf(out, size, "%s%s%s%s%s%s%s%s", effect_kind_name(effect->kind),
             !detail          ? ""
             : effect->object ? " "
                              : ": ",
             detail ? detail : "", effect->object_kind == OBJECT_FUNCTION ? "()" : "", noted ? ": " : "",
             noted ? effect->why : "", effect->unbounded_write ? " (unbounded)" : "",
             effect->n_also ? " (and related tables)" : "");
    return out;
}

bool effects_may_set_search_path(const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *e = &effects->items[i];
        if (e->kind == EFFECT_DO || e->kind == EFFECT_CALL || e->kind == EFFECT_UNKNOWN)
            return true;
        if (e->object_kind == OBJECT_SETTING && strcmp(e->object, "search_path") == 0)
            return true;
    }
    return false;
}
