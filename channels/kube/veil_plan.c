/* A pattern of `columns` begins with the resource, with or without its group and subresource:
 * "deployments.spec", "deployments.apps.spec" and "pods/status.spec" all are what they look like, and a mask
 * for pods also holds for what their subresources answer, which is mostly the whole pod. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/veil_parts.h"
#include "policy/masks.h"

static const char LAST_APPLIED[] = "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]";

/* What nobody sees but by show_secrets, as a column. */
static const char *const SECRETS[] = { "secrets.data.*", "secrets.stringData.*",
                                       "serviceaccounts/token.status.token" };
static const char *const BASE64[] = { "secrets.data.*", "configmaps.binaryData.*" };

/* ---- resources ---- */

/* The states behind the name of a resource, its parts separated by dots. */
static uint64_t step_name(const struct kube_path *path, const char *name)
{
    uint64_t states = kube_path_start(path);
    while (*name && states) {
        size_t n = strcspn(name, ".");
        states = kube_path_step(path, states, name, n);
        name += n + (name[n] == '.');
    }
    return states;
}

/* -ENOMEM or the states, by any name that the resource has. */
static int step_resource(const struct kube_path *path, const struct kube_request *request, uint64_t *ret)
{
    enum { SIZE = 2 * KUBE_TARGET_MAX };
    const char *const groups[] = { "", request->group }, *const subs[] = { "", request->subresource };
    CLEANUP(free) char *name = malloc(SIZE);
    *ret = 0;
    if (!name)
        return -ENOMEM;
    for (size_t i = 0; i < 4; i++) {
        const char *group = groups[i & 1], *sub = subs[i >> 1];
        (void)snprintf(name, SIZE, "%s%s%s%s%s", request->resource, *group ? "." : "", group, *sub ? "/" : "",
                       sub);
        *ret |= step_name(path, name);
    }
    return 0;
}

/* ---- rules ---- */

/* Takes the path over when it is about the resource; else clears it. */
static int add_path(struct kube_plan *plan, struct kube_path *path, uint64_t start, struct plan_rule rule)
{
    if (!start) {
        kube_path_clear(path);
        return 0;
    }
    struct plan_rule *grown = plan->n_rules < KUBE_VEIL_RULES_MAX
                                  ? realloc(plan->rules, (plan->n_rules + 1) * sizeof *grown)
                                  : NULL;
    if (!grown) {
        kube_path_clear(path);
        return plan->n_rules < KUBE_VEIL_RULES_MAX ? -ENOMEM : -E2BIG;
    }
    rule.path = *path;
    rule.start = start;
    plan->rules = grown;
    plan->rules[plan->n_rules++] = rule;
    return 0;
}

/* A column that is not of this form is one of a database. */
static int add_column(struct kube_plan *plan, const struct kube_request *request, const char *column,
                      struct plan_rule rule)
{
    struct kube_path path = { 0 };
    uint64_t start = 0;
    int r = kube_path_parse(column, &path, NULL);
    if (r)
        return r == KUBE_PATH_BAD ? 0 : r;
    r = step_resource(&path, request, &start);
    if (r)
        kube_path_clear(&path);
    return r ? r : add_path(plan, &path, start, rule);
}

static int add_mask(struct kube_plan *plan, const struct kube_request *request, const Ipc__Mask *mask,
                    const uint8_t *key)
{
    struct plan_rule rule = { .how = { .label = mask->name, .key = key } };
    int r = 0;
    if (!mask_kind_parse(mask->with, &rule.how.kind))
        return -EINVAL;
    for (size_t i = 0; r == 0 && i < mask->n_columns; i++)
        r = add_column(plan, request, mask->columns[i], rule);
    return r;
}

static bool sees_secrets(const Ipc__Target *target, const struct circumstances *who)
{
    for (size_t i = 0; i < target->n_show_secrets; i++)
        for (size_t k = 0; k < who->n_roles; k++)
            if (strcmp(target->show_secrets[i], who->roles[k]) == 0)
                return true;
    return false;
}

/* Only in the core group is a Secret one. */
static int add_secrets(struct kube_plan *plan, const struct kube_request *request)
{
    const struct plan_rule rule = { .how = { .kind = MASK_REDACT }, .text = VEIL_REDACTED };
    int r = 0;
    for (size_t i = 0; r == 0 && !*request->group && i < sizeof SECRETS / sizeof SECRETS[0]; i++)
        r = add_column(plan, request, SECRETS[i], rule);
    return r;
}

/* What is said of the values besides; after everything that masks. */
static int add_forms(struct kube_plan *plan, const struct kube_request *request)
{
    struct kube_path path = { 0 };
    int r = 0;
    for (size_t i = 0; r == 0 && !*request->group && i < sizeof BASE64 / sizeof BASE64[0]; i++)
        r = add_column(plan, request, BASE64[i], (struct plan_rule){ .use = RULE_BASE64 });
    r = r ? r : kube_path_parse(LAST_APPLIED, &path, NULL);
    return r ? r : add_path(plan, &path, kube_path_start(&path), (struct plan_rule){ .use = RULE_NESTED });
}

/* ---- the server's words ---- */

/* Of a Status that says what is wrong with an object: these codes quote values, others name objects alone. */
static bool may_quote(const char *method, unsigned status)
{
    bool writes = strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
    return writes && (status == 400 || status == 422 || status == 500);
}

int kube_plan_hide_words(struct kube_plan *plan, const char *method, unsigned status)
{
    static const char *const words[] = { "message", "details.causes[*].message" };
    const struct plan_rule rule = { .how = { .kind = MASK_REDACT },
                                    .text = "[redacted: it may quote what is masked]" };
    int r = 0;
    for (size_t i = 0; r == 0 && may_quote(method, status) && i < sizeof words / sizeof words[0]; i++) {
        struct kube_path path = { 0 };
        r = kube_path_parse(words[i], &path, NULL);
        r = r ? r : add_path(plan, &path, kube_path_start(&path), rule);
    }
    return r;
}

/* ---- Tables ---- */

/* What the API server's own printers show of the objects of these groups is known; what those of others show
 * is up to them. */
static bool has_known_printers(const struct kube_request *request)
{
    static const char *const groups[] = { "", "apps", "batch" };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(request->group, groups[i]) == 0)
            return true;
    return false;
}

/* Nothing below these is ever in a cell. */
static bool is_never_printed(const struct kube_path *path)
{
    static const char *const keys[] = { "data", "stringData", "binaryData", "env",
                                        "args", "command",    "annotations" };
    for (size_t i = 0; i < path->n; i++)
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            if (path->parts[i].kind == KUBE_PART_KEY && path->parts[i].n == strlen(keys[k]) &&
                memcmp(path->parts[i].key, keys[k], path->parts[i].n) == 0)
                return true;
    return false;
}

static bool tables_are_harmless(const struct kube_plan *plan, const struct kube_request *request)
{
    for (size_t i = 0; i < plan->n_rules; i++)
        if (plan->rules[i].use == RULE_MASK && !is_never_printed(&plan->rules[i].path))
            return false;
    return has_known_printers(request);
}

/* ---- all of it ---- */

/* Its answer is an object, or several. */
static bool answers_objects(const struct kube_request *request)
{
    return request->is_resource && !request->connects && strcmp(request->subresource, "log") != 0;
}

static int fill(struct kube_plan *plan, const Ipc__Config *config, const Ipc__Target *target,
                const struct circumstances *who, const struct kube_request *request, const uint8_t *key)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < config->n_masks; i++)
        if (config->masks[i]->n_columns && mask_applies(config->masks[i], who))
            r = add_mask(plan, request, config->masks[i], key);
    if (r == 0 && !sees_secrets(target, who))
        r = add_secrets(plan, request);
    if (r || plan->n_rules == 0)
        return r;
    plan->tables = tables_are_harmless(plan, request);
    return add_forms(plan, request);
}

int kube_plan_new(const Ipc__Config *config, const Ipc__Target *target, const struct circumstances *who,
                  const struct kube_request *request, const uint8_t *key, struct kube_plan **ret)
{
    *ret = NULL;
    if (!answers_objects(request))
        return 0;
    CLEANUP(kube_plan_free) struct kube_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    int r = fill(plan, config, target, who, request, key);
    if (r == 0 && plan->n_rules)
        *ret = STEAL(plan);
    return r;
}

void kube_plan_free(struct kube_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->n_rules; i++)
        kube_path_clear(&plan->rules[i].path);
    free(plan->rules);
    free(plan);
}

bool kube_plan_allows_tables(const struct kube_plan *plan)
{
    return !plan || plan->tables;
}

/* ---- places ---- */

static bool is_key(const char *key, size_t n, const char *name)
{
    return key && n == strlen(name) && memcmp(key, name, n) == 0;
}

static enum root root_step(enum root from, const char *key, size_t n)
{
    switch (from) {
    case ROOT_OBJECT:
        if (is_key(key, n, "object"))
            return ROOT_EVENT;
        /* fall through */
    case ROOT_EVENT:
        return is_key(key, n, "items") ? ROOT_ITEMS : is_key(key, n, "rows") ? ROOT_ROWS : ROOT_NONE;
    case ROOT_ITEMS:
        return key ? ROOT_NONE : ROOT_ITEM;
    case ROOT_ROWS:
        return key ? ROOT_NONE : ROOT_ROW;
    case ROOT_ROW:
        return is_key(key, n, "object") ? ROOT_ROW_OBJECT : ROOT_NONE;
    case ROOT_NONE:
    case ROOT_ITEM:
    case ROOT_ROW_OBJECT:
        break;
    }
    return ROOT_NONE;
}

static bool is_object(enum root root)
{
    return root == ROOT_OBJECT || root == ROOT_ITEM || root == ROOT_EVENT || root == ROOT_ROW_OBJECT;
}

/* What the states mean; an object of an answer starts all patterns anew. */
static struct place place_of(const struct kube_plan *plan, enum root root, const struct plan_rule *mask,
                             uint64_t *states)
{
    struct place place = { .root = root, .mask = mask };
    for (size_t i = 0; i < plan->n_rules; i++) {
        const struct plan_rule *rule = &plan->rules[i];
        if (is_object(root))
            states[i] |= rule->start;
        if (!kube_path_is_met(&rule->path, states[i]))
            continue;
        if (rule->use == RULE_MASK && !place.mask)
            place.mask = rule;
        place.base64 |= rule->use == RULE_BASE64;
        place.nested |= rule->use == RULE_NESTED;
    }
    return place;
}

struct place place_begin(const struct kube_plan *plan, uint64_t *states)
{
    memset(states, 0, plan->n_rules * sizeof *states);
    return place_of(plan, ROOT_OBJECT, NULL, states);
}

struct place place_step(const struct kube_plan *plan, const struct place *parent, const uint64_t *from,
                        const char *key, size_t n, uint64_t *states)
{
    for (size_t i = 0; i < plan->n_rules; i++)
        states[i] = from[i] ? kube_path_step(&plan->rules[i].path, from[i], key, n) : 0;
    return place_of(plan, root_step(parent->root, key, n), parent->mask, states);
}

bool place_is_alive(const struct kube_plan *plan, const struct place *place, const uint64_t *states)
{
    bool alive = place->mask || place->root != ROOT_NONE;
    for (size_t i = 0; !alive && i < plan->n_rules; i++)
        alive = states[i] != 0;
    return alive;
}
