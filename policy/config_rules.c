/* rules: who may do what where. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_sections.h"

static const struct config_key KEYS[] = {
    { "name", CONFIG_REQUIRED },    { "roles", CONFIG_OPTIONAL },   { "targets", CONFIG_REQUIRED },
    { "match", CONFIG_OPTIONAL },   { "action", CONFIG_REQUIRED },  { "reason", CONFIG_OPTIONAL },
    { "limits", CONFIG_OPTIONAL },  { "approve", CONFIG_OPTIONAL }, { "sensitive", CONFIG_OPTIONAL },
    { "guarded", CONFIG_OPTIONAL },
};
static const char *const ACTIONS[] = { "allow", "deny", "approve", NULL };

static void check_role(struct config_reader *reader, const struct config_node *item, const char *name)
{
    struct config_hint hint = config_hint_for(reader->faults, name);
    char near[CONFIG_HINT_MAX];

    for (size_t i = 0; i < reader->config->n_roles; i++) {
        if (!strcmp(reader->config->roles[i]->name, name))
            return;
        config_hint_try(&hint, reader->config->roles[i]->name);
    }
    config_fault(reader, item, "there is no role \"%.80s\"%s", name, config_hint_text(&hint, near));
}

/* Targets' names hold nothing that is special to fnmatch, so the allowed * and ? mean the same everywhere.
 * "*" alone is good even while there are no targets. */
static void check_target(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    struct config_hint hint = config_hint_for(reader->faults, pattern);
    char near[CONFIG_HINT_MAX];

    if (!strcmp(pattern, "*"))
        return;
    if (strpbrk(pattern, "[]\\{}()!")) {
        config_fault(reader, item, "\"%.80s\" is no pattern of a target: only * and ? are special", pattern);
        return;
    }
    for (size_t i = 0; i < reader->config->n_targets; i++) {
        if (!fnmatch(pattern, reader->config->targets[i]->name, 0))
            return;
        config_hint_try(&hint, reader->config->targets[i]->name);
    }
    if (strpbrk(pattern, "*?"))
        config_fault(reader, item, "no target matches \"%.80s\"", pattern);
    else
        config_fault(reader, item, "there is no target \"%.80s\"%s", pattern, config_hint_text(&hint, near));
}

void config_read_rule_roles(struct config_reader *reader, const struct config_node *node, size_t *count,
                            char ***list)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next) {
        if (!config_text(reader, item, &text) || config_repeats(reader, item, text, *count, *list))
            continue;
        check_role(reader, item, text);
        config_push(reader, count, list, text);
    }
}

void config_read_rule_targets(struct config_reader *reader, const struct config_node *node, size_t *count,
                              char ***list)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next) {
        if (!config_text(reader, item, &text) || config_repeats(reader, item, text, *count, *list))
            continue;
        check_target(reader, item, text);
        config_push(reader, count, list, text);
    }
}

bool config_rule_is_for(const struct config_reader *reader, const Ipc__Rule *rule, const char *kind,
                        const char *also)
{
    bool any = false;
    for (size_t i = 0; i < reader->config->n_targets; i++)
        for (size_t k = 0; k < rule->n_targets; k++) {
            const Ipc__Target *target = reader->config->targets[i];
            if (fnmatch(rule->targets[k], target->name, 0))
                continue;
            any = true;
            if (!*target->kind || !strcmp(target->kind, kind) || (also && !strcmp(target->kind, also)))
                return true;
        }
    return !any;
}

static void read_action(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    const char *action = NULL;

    if (!node || !config_choice(reader, node, ACTIONS, &action))
        return;
    config_set(reader, &rule->action, action);
}

static void read_reason(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    const char *reason = NULL;

    if (!config_text(reader, node, &reason))
        return;
    if (node->size > CONFIG_REASON_MAX)
        config_fault(reader, node, "\"reason\" is longer than %d bytes", CONFIG_REASON_MAX);
    else
        config_set(reader, &rule->reason, reason);
}

/* Refusals name the rule: so two can't share a name. "default" is what they say when no rule matched. */
static void check_name(struct config_reader *reader, const struct config_node *node, const char *name)
{
    if (!strcmp(name, "default"))
        config_fault(reader, node, "a rule can't be called \"default\": that names the verdict of no rule");
    for (size_t i = 0; i < reader->config->n_rules; i++)
        if (!strcmp(reader->config->rules[i]->name, name)) {
            config_fault(reader, node, "there are two rules \"%s\"", name);
            return;
        }
}

static void read_approve(struct config_reader *reader, const struct config_node *map, Ipc__Rule *rule)
{
    const struct config_node *node = config_node_get(map, "approve");
    bool held = !strcmp(rule->action, "approve");

    if (!node && held)
        config_fault(reader, map, "rule \"%s\": \"approve\" is missing: it says who decides", rule->name);
    if (node && rule->action[0] && !held)
        config_fault(reader, node->key, "\"approve\" is for rules with action: approve");
    config_read_approve(reader, node, &rule->approve);
}

/* What an allowing rule says of files: those in which a detector fires are refused. */
static void read_sensitive(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    static const char *const choices[] = { "deny", NULL };
    const char *choice = NULL;

    if (!node || !config_choice(reader, node, choices, &choice))
        return;
    if (rule->action[0] && strcmp(rule->action, "allow"))
        config_fault(reader, node->key, "\"sensitive\" is for rules with action: allow");
    if (!config_rule_is_for(reader, rule, "ssh", NULL))
        config_fault(reader, node->key, "\"sensitive\" is about ssh targets, and this rule has none");
    rule->sensitive_deny = true;
}

/* Whether the rule could be about the opening of a shell. */
static bool has_shells(const Ipc__Rule *rule)
{
    bool all = rule->n_match == 0;

    for (size_t i = 0; i < rule->n_match; i++) {
        const Ipc__Match *match = rule->match[i];
        all |= match->n_channels == 0 && match->n_commands == 0;
        for (size_t k = 0; k < match->n_channels; k++)
            all |= !strcmp(match->channels[k], "shell");
    }
    return all;
}

/* What an allowing rule says of shells: each line is decided on. */
static void read_guarded(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    bool guarded = false;

    if (!node || !config_flag(reader, node, &guarded))
        return;
    rule->guarded = guarded;
    if (guarded && !strcmp(rule->action, "deny"))
        config_fault(reader, node->key, "\"guarded\" is for rules with action: allow or approve");
    else if (guarded && !has_shells(rule))
        config_fault(reader, node->key, "\"guarded\" is for rules about shells: channels: [shell]");
}

static void read_rule(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    const struct config_node *name_node = config_node_get(node, "name");
    char what[CONFIG_HINT_MAX] = "rule";
    const char *name = NULL;

    rule->line = node->line;
    if (config_name(reader, name_node, &name)) {
        snprintf(what, sizeof what, "rule \"%s\"", name);
        check_name(reader, name_node, name);
        config_set(reader, &rule->name, name);
    }
    if (!config_map(reader, node, CONFIG_KEYS(KEYS), what))
        return;
    config_read_rule_roles(reader, config_node_get(node, "roles"), &rule->n_roles, &rule->roles);
    config_read_rule_targets(reader, config_node_get(node, "targets"), &rule->n_targets, &rule->targets);
    config_read_match(reader, config_node_get(node, "match"), rule);
    read_action(reader, config_node_get(node, "action"), rule);
    read_reason(reader, config_node_get(node, "reason"), rule);
    read_approve(reader, node, rule);
    config_read_limits(reader, config_node_get(node, "limits"), rule);
    read_sensitive(reader, config_node_get(node, "sensitive"), rule);
    read_guarded(reader, config_node_get(node, "guarded"), rule);
}

void config_read_rules(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *item = config_list(reader, node, CONFIG_MAY_BE_EMPTY);
    Ipc__Config *config = reader->config;

    for (; item; item = item->next) {
        Ipc__Rule *rule = malloc(sizeof *rule);
        if (!rule || !config_grow(reader, config->n_rules, (void ***)&config->rules)) {
            free(rule);
            reader->no_memory = true;
            return;
        }
        *rule = (Ipc__Rule)IPC__RULE__INIT;
        read_rule(reader, item, rule);
        config->rules[config->n_rules++] = rule;
    }
}
