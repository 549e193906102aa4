/* masks: what agents don't get to see. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_sections.h"
#include "policy/detect.h"
#include "policy/kube_path.h"

static const struct config_key KEYS[] = {
    { "name", CONFIG_REQUIRED },
    { "roles", CONFIG_OPTIONAL },
    { "targets", CONFIG_OPTIONAL },
    { "columns", CONFIG_OPTIONAL },
    { "detect", CONFIG_OPTIONAL },
    { "with", CONFIG_REQUIRED },
    { "masked_predicates", CONFIG_OPTIONAL },
    { "approve", CONFIG_OPTIONAL },
    { "masked_writes", CONFIG_OPTIONAL },
};
static const char *const KINDS[] = { "redact", "partial", "hash", "null", NULL };
static const char *const PREDICATES[] = { "deny", "allow", "approve", NULL };
static const char *const WRITES[] = { "deny", "allow", NULL };

/* Whether the mask is for some target of this kind. */
static bool is_for_kind(const struct config_reader *reader, const Ipc__Mask *mask, const char *kind)
{
    for (size_t i = 0; i < reader->config->n_targets; i++) {
        const Ipc__Target *target = reader->config->targets[i];
        bool meant = mask->n_targets == 0;
        for (size_t k = 0; !meant && k < mask->n_targets; k++)
            meant = fnmatch(mask->targets[k], target->name, 0) == 0;
        if (meant && !strcmp(target->kind, kind))
            return true;
    }
    return false;
}

/* Its columns are those of databases, or paths into objects of clusters, or of both. */
static bool is_for_clusters_alone(const struct config_reader *reader, const Ipc__Mask *mask)
{
    return is_for_kind(reader, mask, "kubernetes") && !is_for_kind(reader, mask, "postgres");
}

static bool check_path(struct config_reader *reader, const struct config_node *item, const char *text)
{
    struct kube_path path = { 0 };
    struct detail detail = { "" };
    int r = kube_path_parse(text, &path, &detail);

    if (r < 0)
        reader->no_memory = true;
    else if (r > 0)
        config_fault(reader, item, "bad column \"%.80s\": %s", text, detail.text);
    else if (path.n < 2)
        config_fault(reader, item,
                     "\"%.80s\" is no column of a cluster: write RESOURCE.PATH, as in secrets.data.*", text);
    else if (path.parts[0].kind == KUBE_PART_KEY && strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
             strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < text + path.parts[0].n)
        config_fault(reader, item,
                     "\"%.80s\" does not begin with a resource: write its plural in lower case, as `kubectl "
                     "api-resources` does",
                     text);
    else
        r = -1;
    kube_path_clear(&path);
    return r < 0 && !reader->no_memory;
}

static void read_columns(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    bool paths = is_for_clusters_alone(reader, mask);
    const char *text = NULL;

    for (; item; item = item->next)
        if (config_text(reader, item, &text) &&
            (paths ? check_path : config_check_column)(reader, item, text) &&
            !config_repeats(reader, item, text, mask->n_columns, mask->columns))
            config_push(reader, &mask->n_columns, &mask->columns, text);
}

/* They say how statements are judged; what would tell a masked path is refused anyway. */
static void check_statement_keys(struct config_reader *reader, const struct config_node *map,
                                 const Ipc__Mask *mask)
{
    static const char *const keys[] = { "masked_predicates", "masked_writes" };

    if (!is_for_clusters_alone(reader, mask))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct config_node *node = config_node_get(map, keys[i]);
        if (node)
            config_fault(reader, node->key, "\"%s\" is about databases, and this mask is for none", keys[i]);
    }
}

/* ---- detectors ---- */

static const struct config_key PATTERN_KEYS[] = {
    { "name", CONFIG_REQUIRED },
    { "pattern", CONFIG_REQUIRED },
    { "validator", CONFIG_OPTIONAL },
};

static void read_detector(struct config_reader *reader, const struct config_node *item, Ipc__Mask *mask)
{
    char near[CONFIG_HINT_MAX];
    const char *name = NULL;

    if (!config_text(reader, item, &name) || config_repeats(reader, item, name, mask->n_detect, mask->detect))
        return;
    if (detector_exists(name)) {
        config_push(reader, &mask->n_detect, &mask->detect, name);
        return;
    }
    struct config_hint hint = config_hint_for(reader->faults, name);
    for (size_t i = 0; detector_builtin(i); i++)
        config_hint_try(&hint, detector_builtin(i));
    config_fault(reader, item, "there is no detector \"%.80s\"%s", name, config_hint_text(&hint, near));
}

/* Names of detectors are those of all masks together: recordings and messages show them. */
static bool is_taken(const struct config_reader *reader, const Ipc__Mask *mask, const char *name)
{
    const Ipc__Config *config = reader->config;

    for (size_t i = 0; i < config->n_masks; i++)
        for (size_t k = 0; k < config->masks[i]->n_patterns; k++)
            if (!strcmp(config->masks[i]->patterns[k]->name, name))
                return true;
    for (size_t k = 0; k < mask->n_patterns; k++)
        if (!strcmp(mask->patterns[k]->name, name))
            return true;
    return detector_exists(name);
}

static void check_pattern(struct config_reader *reader, const struct config_node *item, const Ipc__Mask *mask,
                          const Ipc__Pattern *pattern)
{
    const struct config_node *name = config_node_get(item, "name"), *text = config_node_get(item, "pattern");
    const struct config_node *validator = config_node_get(item, "validator");
    struct detail why = { "" };
    size_t at = 0;

    if (*pattern->name && is_taken(reader, mask, pattern->name)) {
        config_fault(reader, name, "there are two detectors \"%s\"", pattern->name);
        return;
    }
    if (*pattern->validator && !detect_validator_exists(pattern->validator)) {
        config_fault(reader, validator, "there is no validator \"%.80s\"", pattern->validator);
        return;
    }
    const struct detect_pattern checked = { pattern->name, pattern->pattern, pattern->validator };
    if (*pattern->name && *pattern->pattern && detect_pattern_check(&checked, &why, &at))
        config_fault(reader, text, "\"pattern\": %s (at character %zu)", why.text, at + 1);
}

static void read_pattern(struct config_reader *reader, const struct config_node *item, Ipc__Mask *mask)
{
    const char *text = NULL;

    if (!config_map(reader, item, CONFIG_KEYS(PATTERN_KEYS), NULL))
        return;
    Ipc__Pattern *pattern = malloc(sizeof *pattern);
    if (!pattern || !config_grow(reader, mask->n_patterns, (void ***)&mask->patterns)) {
        free(pattern);
        reader->no_memory = true;
        return;
    }
    *pattern = (Ipc__Pattern)IPC__PATTERN__INIT;
    if (config_name(reader, config_node_get(item, "name"), &text))
        config_set(reader, &pattern->name, text);
    if (config_text(reader, config_node_get(item, "pattern"), &text))
        config_set(reader, &pattern->pattern, text);
    if (config_text(reader, config_node_get(item, "validator"), &text))
        config_set(reader, &pattern->validator, text);
    check_pattern(reader, item, mask, pattern);
    mask->patterns[mask->n_patterns++] = pattern;
}

/* Names of detectors that there are, and patterns of one's own. */
static void read_detect(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);

    for (; item; item = item->next) {
        if (item->kind == CONFIG_MAP)
            read_pattern(reader, item, mask);
        else
            read_detector(reader, item, mask);
    }
}

static void read_with(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const char *kind = NULL;

    if (node && config_choice(reader, node, KINDS, &kind))
        config_set(reader, &mask->with, kind);
}

static void read_predicates(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const char *word = PREDICATES[0];

    if (node)
        config_choice(reader, node, PREDICATES, &word);
    if (node && !mask->n_columns)
        config_fault(reader, node, "\"masked_predicates\" is about \"columns\", and there are none");
    config_set(reader, &mask->predicates, word);
}

static void read_approve(struct config_reader *reader, const struct config_node *map, Ipc__Mask *mask)
{
    const struct config_node *node = config_node_get(map, "approve");
    bool held = !strcmp(mask->predicates, "approve");

    if (!node && held)
        config_fault(reader, map, "mask \"%s\": \"approve\" is missing: it says who decides", mask->name);
    if (node && !held)
        config_fault(reader, node->key, "\"approve\" is for masks with masked_predicates: approve");
    config_read_approve(reader, node, &mask->approve);
}

static void read_writes(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const char *word = WRITES[0];

    if (node && config_choice(reader, node, WRITES, &word) && !mask->n_columns)
        config_fault(reader, node, "\"masked_writes\" is about \"columns\", and there are none");
    config_set(reader, &mask->writes, word);
}

/* Recordings and messages name the mask: so two can't share a name. */
static void check_name(struct config_reader *reader, const struct config_node *node, const char *name)
{
    for (size_t i = 0; i < reader->config->n_masks; i++)
        if (!strcmp(reader->config->masks[i]->name, name)) {
            config_fault(reader, node, "there are two masks \"%s\"", name);
            return;
        }
}

static void read_mask(struct config_reader *reader, const struct config_node *node, Ipc__Mask *mask)
{
    const struct config_node *name_node = config_node_get(node, "name");
    const struct config_node *detect = config_node_get(node, "detect");
    const struct config_node *columns = config_node_get(node, "columns");
    char what[CONFIG_HINT_MAX] = "mask";
    const char *name = NULL;

    mask->line = node->line;
    if (config_name(reader, name_node, &name)) {
        snprintf(what, sizeof what, "mask \"%s\"", name);
        check_name(reader, name_node, name);
        config_set(reader, &mask->name, name);
    }
    if (!config_map(reader, node, CONFIG_KEYS(KEYS), what))
        return;
    if (!detect && !columns)
        config_fault(reader, node, "%s needs \"columns\" or \"detect\"", what);
    config_read_rule_roles(reader, config_node_get(node, "roles"), &mask->n_roles, &mask->roles);
    config_read_rule_targets(reader, config_node_get(node, "targets"), &mask->n_targets, &mask->targets);
    read_columns(reader, columns, mask);
    check_statement_keys(reader, node, mask);
    read_detect(reader, detect, mask);
    read_with(reader, config_node_get(node, "with"), mask);
    read_predicates(reader, config_node_get(node, "masked_predicates"), mask);
    read_approve(reader, node, mask);
    read_writes(reader, config_node_get(node, "masked_writes"), mask);
}

void config_read_masks(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        Ipc__Mask *mask = malloc(sizeof *mask);
        if (!mask || !config_grow(reader, config->n_masks, (void ***)&config->masks)) {
            free(mask);
            reader->no_memory = true;
            return;
        }
        *mask = (Ipc__Mask)IPC__MASK__INIT;
        read_mask(reader, item, mask);
        config->masks[config->n_masks++] = mask;
    }
}
