/* A rule's match: conditions on the effects of a request. */
#include <stdlib.h>
#include <string.h>
#include "policy/config_sections.h"
#include "policy/effect.h"

enum {
    NOT_DEPTH_MAX = 8, /* `not` inside `not` */
    CONDITION_MAX = EFFECT_NAME_MAX,
};

static const struct config_key KEYS[] = {
    { "statements", CONFIG_OPTIONAL },
    { "tables", CONFIG_OPTIONAL },
    { "columns", CONFIG_OPTIONAL },
    { "functions", CONFIG_OPTIONAL },
    { "databases", CONFIG_OPTIONAL },
    { "unbounded_write", CONFIG_OPTIONAL },
    { "not", CONFIG_OPTIONAL },
    /* of ssh and kubernetes targets */
    { "channels", CONFIG_LATER },
    { "commands", CONFIG_LATER },
    { "paths", CONFIG_LATER },
    { "operations", CONFIG_LATER },
    { "verbs", CONFIG_LATER },
    { "resources", CONFIG_LATER },
    { "namespaces", CONFIG_LATER },
    { "names", CONFIG_LATER },
};
static const char ANYTHING[] = "anything";
static const char COPY[] = "copy"; /* copy_to and copy_from: the rulebook knows it too */

static bool check_statement(struct config_reader *reader, const struct config_node *item, const char *word)
{
    struct config_hint hint = config_hint_for(reader->faults, word);
    char near[CONFIG_HINT_MAX];
    enum effect_kind kind;

    if (!strcmp(word, COPY) || effect_kind_of(word, &kind))
        return true;
    config_hint_try(&hint, COPY);
    for (kind = 0; kind < EFFECT_STATEMENT_KINDS; kind++)
        config_hint_try(&hint, effect_kind_name(kind));
    config_fault(reader, item, "\"%.80s\" is no kind of statement%s", word, config_hint_text(&hint, near));
    return false;
}

bool config_check_column(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    const char *dot = strrchr(pattern, '.');

    if (dot && dot != pattern && dot[1])
        return true;
    config_fault(reader, item, "\"%.80s\" is no column: write [schema.]table.column, * allowed", pattern);
    return false;
}

static bool check_pattern(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    if (strlen(pattern) <= CONDITION_MAX)
        return true;
    config_fault(reader, item, "\"%s\": longer than %d bytes", item->name, CONDITION_MAX);
    return false;
}

typedef bool word_check(struct config_reader *reader, const struct config_node *item, const char *word);

static void read_words(struct config_reader *reader, const struct config_node *node, word_check *check,
                       size_t *count, char ***list)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next)
        if (config_text(reader, item, &text) && check(reader, item, text) &&
            !config_repeats(reader, item, text, *count, *list))
            config_push(reader, count, list, text);
}

static Ipc__Match *read_block(struct config_reader *reader, const struct config_node *node, unsigned depth);

static void read_not(struct config_reader *reader, const struct config_node *node, unsigned depth,
                     Ipc__Match *match)
{
    if (!node)
        return;
    if (depth == NOT_DEPTH_MAX)
        config_fault(reader, node->key, "\"not\" is nested more than %d times", NOT_DEPTH_MAX);
    else
        match->not_ = read_block(reader, node, depth + 1);
}

static void read_conditions(struct config_reader *reader, const struct config_node *node, Ipc__Match *match)
{
    bool unbounded = false;

    read_words(reader, config_node_get(node, "statements"), check_statement, &match->n_statements,
               &match->statements);
    read_words(reader, config_node_get(node, "tables"), check_pattern, &match->n_tables, &match->tables);
    read_words(reader, config_node_get(node, "columns"), config_check_column, &match->n_columns,
               &match->columns);
    read_words(reader, config_node_get(node, "functions"), check_pattern, &match->n_functions,
               &match->functions);
    read_words(reader, config_node_get(node, "databases"), check_pattern, &match->n_databases,
               &match->databases);
    if (config_flag(reader, config_node_get(node, "unbounded_write"), &unbounded)) {
        match->has_unbounded_write = true;
        match->unbounded_write = unbounded;
    }
}

/* NULL when it is no block, or without memory. */
static Ipc__Match *read_block(struct config_reader *reader, const struct config_node *node, unsigned depth)
{
    if (!config_map(reader, node, CONFIG_KEYS(KEYS), NULL))
        return NULL;
    if (!node->first)
        config_fault(reader, node, "\"%s\" holds no condition", node->name);
    Ipc__Match *match = malloc(sizeof *match);
    if (!match) {
        reader->no_memory = true;
        return NULL;
    }
    *match = (Ipc__Match)IPC__MATCH__INIT;
    read_conditions(reader, node, match);
    read_not(reader, config_node_get(node, "not"), depth, match);
    return match;
}

static void add_block(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    Ipc__Match *match = read_block(reader, node, 0);

    if (!match)
        return;
    if (!config_grow(reader, rule->n_match, (void ***)&rule->match)) {
        ipc__match__free_unpacked(match, NULL);
        return;
    }
    rule->match[rule->n_match++] = match;
}

void config_read_match(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    if (!node || node->kind == CONFIG_BROKEN)
        return;
    if (node->kind == CONFIG_MAP) {
        add_block(reader, node, rule);
        return;
    }
    if (node->kind == CONFIG_LIST) {
        const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
        for (; item; item = item->next)
            add_block(reader, item, rule);
        return;
    }
    if (!strcmp(node->text, ANYTHING))
        rule->anything = true;
    else
        config_fault(reader, node, "\"match\" must be conditions, a list of them, or anything");
}
