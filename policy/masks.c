/* Masks by columns are matched as rules match tables, against the names of the catalog, so there is no
 * guessing about schemas here: policy/lineage.c has resolved them. */
#include "policy/masks.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include "policy/rules_name.h"

struct column_mask {
    struct mask mask;
    struct name_pattern *patterns;
    size_t n_patterns;
};

struct mask_set {
    struct column_mask *masks;
    size_t count;
};

static bool is_for_roles(const Ipc__Mask *mask, const struct circumstances *who)
{
    for (size_t i = 0; i < mask->n_roles; i++)
        for (size_t k = 0; k < who->n_roles; k++)
            if (strcmp(mask->roles[i], who->roles[k]) == 0)
                return true;
    return mask->n_roles == 0;
}

static bool is_for_target(const Ipc__Mask *mask, const struct circumstances *who)
{
    for (size_t i = 0; i < mask->n_targets; i++)
        if (fnmatch(mask->targets[i], who->target, 0) == 0)
            return true;
    return mask->n_targets == 0;
}

bool mask_applies(const Ipc__Mask *mask, const struct circumstances *who)
{
    return is_for_roles(mask, who) && is_for_target(mask, who);
}

static bool any_applies(const Ipc__Config *config, const struct circumstances *who)
{
    for (size_t i = 0; i < config->n_masks; i++)
        if (mask_applies(config->masks[i], who))
            return true;
    return false;
}

static int add(struct mask_set *set, const Ipc__Mask *text)
{
    struct column_mask *mask = &set->masks[set->count++];
    mask->mask.text = text;
    mask->mask.predicates_allowed = text->predicates && strcmp(text->predicates, "allow") == 0;
    mask->mask.writes_allowed = text->writes && strcmp(text->writes, "allow") == 0;
    if (!mask_kind_parse(text->with, &mask->mask.kind))
        return -EINVAL;
    if (text->n_columns == 0)
        return 0;
    mask->patterns = calloc(text->n_columns, sizeof *mask->patterns);
    if (!mask->patterns)
        return -ENOMEM;
    for (; mask->n_patterns < text->n_columns; mask->n_patterns++) {
        int r = name_pattern_parse(text->columns[mask->n_patterns], true, &mask->patterns[mask->n_patterns]);
        if (r < 0)
            return r;
    }
    return 0;
}

int mask_set_new(const Ipc__Config *config, const struct circumstances *who, struct mask_set **ret)
{
    *ret = NULL;
    if (!any_applies(config, who))
        return 0;
    CLEANUP(mask_set_free) struct mask_set *set = calloc(1, sizeof *set);
    if (!set)
        return -ENOMEM;
    set->masks = calloc(config->n_masks, sizeof *set->masks);
    if (!set->masks)
        return -ENOMEM;
    for (size_t i = 0; i < config->n_masks; i++) {
        int r = mask_applies(config->masks[i], who) ? add(set, config->masks[i]) : 0;
        if (r < 0)
            return r;
    }
    *ret = STEAL(set);
    return 0;
}

void mask_set_free(struct mask_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; set->masks && i < set->count; i++) {
        for (size_t k = 0; k < set->masks[i].n_patterns; k++)
            name_pattern_clear(&set->masks[i].patterns[k]);
        free(set->masks[i].patterns);
    }
    free(set->masks);
    free(set);
}

/* Letter case does not matter: who wrote `Email` in the configuration meant email, and a mask too many is no
 * leak. */
static bool names_table(const struct name_pattern *pattern, const char *schema, const char *table)
{
    return fnmatch(pattern->name, table, FNM_CASEFOLD) == 0 &&
           (!pattern->schema || fnmatch(pattern->schema, schema, FNM_CASEFOLD) == 0);
}

const struct mask *mask_set_column(const struct mask_set *set, const char *schema, const char *table,
                                   const char *column)
{
    for (size_t i = 0; set && i < set->count; i++)
        for (size_t k = 0; k < set->masks[i].n_patterns; k++) {
            const struct name_pattern *pattern = &set->masks[i].patterns[k];
            if (names_table(pattern, schema, table) && fnmatch(pattern->column, column, FNM_CASEFOLD) == 0)
                return &set->masks[i].mask;
        }
    return NULL;
}

static bool is_worse(const struct mask *a, const struct mask *b)
{
    if (a->predicates_allowed != b->predicates_allowed)
        return b->predicates_allowed;
    if (!a->text->approve != !b->text->approve)
        return b->text->approve != NULL;
    return a->kind == MASK_REDACT && b->kind != MASK_REDACT;
}

const struct mask *mask_set_worst(const struct mask_set *set)
{
    const struct mask *worst = NULL;
    for (size_t i = 0; set && i < set->count; i++) {
        const struct column_mask *mask = &set->masks[i];
        if (mask->n_patterns && (!worst || is_worse(&mask->mask, worst)))
            worst = &mask->mask;
    }
    return worst;
}

void mask_set_detectors(const struct mask_set *set, void (*handler)(void *owner, const struct mask *mask),
                        void *owner)
{
    for (size_t i = 0; set && i < set->count; i++)
        if (set->masks[i].mask.text->n_detect || set->masks[i].mask.text->n_patterns)
            handler(owner, &set->masks[i].mask);
}
