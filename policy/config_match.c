/* A rule's match: conditions on the effects of a request. */
#include <stdlib.h>
#include <string.h>
#include "policy/config_sections.h"
#include "policy/effect.h"
#include "policy/rules_host.h"
#include "policy/rules_kube.h"

enum {
    NOT_DEPTH_MAX = 8, /* `not` inside `not` */
    CONDITION_MAX = EFFECT_NAME_MAX,
};

static const struct config_key KEYS[] = {
    { "statements", CONFIG_OPTIONAL }, { "tables", CONFIG_OPTIONAL },
    { "columns", CONFIG_OPTIONAL },    { "functions", CONFIG_OPTIONAL },
    { "databases", CONFIG_OPTIONAL },  { "unbounded_write", CONFIG_OPTIONAL },
    { "not", CONFIG_OPTIONAL },        { "channels", CONFIG_OPTIONAL },
    { "commands", CONFIG_OPTIONAL },   { "paths", CONFIG_OPTIONAL },
    { "operations", CONFIG_OPTIONAL }, { "opaque", CONFIG_OPTIONAL },
    { "verbs", CONFIG_OPTIONAL },      { "resources", CONFIG_OPTIONAL },
    { "namespaces", CONFIG_OPTIONAL }, { "names", CONFIG_OPTIONAL },
    { "fields", CONFIG_OPTIONAL },
};
/* The kind of target that a condition is about; also: commands are run in pods, too. */
static const struct {
    const char *key, *kind, *also;
} KINDS[] = {
    { "statements", "postgres", NULL },  { "tables", "postgres", NULL },
    { "columns", "postgres", NULL },     { "functions", "postgres", NULL },
    { "databases", "postgres", NULL },   { "unbounded_write", "postgres", NULL },
    { "channels", "ssh", "kubernetes" }, { "commands", "ssh", "kubernetes" },
    { "paths", "ssh", "kubernetes" },    { "operations", "ssh", "kubernetes" },
    { "opaque", "ssh", "kubernetes" },   { "verbs", "kubernetes", NULL },
    { "resources", "kubernetes", NULL }, { "namespaces", "kubernetes", NULL },
    { "names", "kubernetes", NULL },     { "fields", "kubernetes", NULL },
};
static const char *const CHANNELS[] = { "shell", "exec", "sftp", "forward", NULL };
static const char *const OPAQUE[] = { "unknown", "unparsable", NULL };
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

bool config_check_pattern(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    if (strlen(pattern) <= CONDITION_MAX)
        return true;
    config_fault(reader, item, "\"%s\": longer than %d bytes", item->name, CONDITION_MAX);
    return false;
}

static bool check_channel(struct config_reader *reader, const struct config_node *item, const char *word)
{
    return config_choice(reader, item, CHANNELS, &word);
}

static bool check_opaque(struct config_reader *reader, const struct config_node *item, const char *word)
{
    return config_choice(reader, item, OPAQUE, &word);
}

static bool check_operation(struct config_reader *reader, const struct config_node *item, const char *word)
{
    const char *words[EFFECT_FILE_KINDS - EFFECT_READ + 1] = { NULL };
    for (int kind = EFFECT_READ; kind < EFFECT_FILE_KINDS; kind++)
        words[kind - EFFECT_READ] = effect_kind_name((enum effect_kind)kind);
    return config_choice(reader, item, words, &word);
}

static bool check_command(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    size_t n = strlen(pattern);
    if (pattern[0] != ' ' && pattern[n - 1] != ' ' && !strstr(pattern, "  "))
        return config_check_pattern(reader, item, pattern);
    config_fault(reader, item, "\"%.80s\": the words of a command are separated by one blank each", pattern);
    return false;
}

/* What is compared with it is absolute and has no such parts. */
static bool check_path(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    bool dots = strstr(pattern, "/../") || strstr(pattern, "/./") || strstr(pattern, "//");
    size_t n = strlen(pattern);
    dots |= n >= 3 && !strcmp(pattern + n - 3, "/..");
    if ((pattern[0] == '/' || pattern[0] == '*') && !dots)
        return config_check_pattern(reader, item, pattern);
    config_fault(reader, item,
                 "\"%.80s\" is no pattern of a path: write it from the root (or with * in front), "
                 "without //, . and ..",
                 pattern);
    return false;
}

void config_read_words(struct config_reader *reader, const struct config_node *node, config_word_check *check,
                       size_t *count, char ***list)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next)
        if (config_text(reader, item, &text) && check(reader, item, text) &&
            !config_repeats(reader, item, text, *count, *list))
            config_push(reader, count, list, text);
}

static void check_kinds(struct config_reader *reader, const struct config_node *block, const Ipc__Rule *rule)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        const struct config_node *node = config_node_get(block, KINDS[i].key);
        if (node && !config_rule_is_for(reader, rule, KINDS[i].kind, KINDS[i].also))
            config_fault(reader, node->key, "\"%s\" is about %s targets, and this rule has none",
                         KINDS[i].key, KINDS[i].kind);
    }
}

/* Conditions that never hold for one and the same effect: a rule with them would be about nothing. */
static void check_mixture(struct config_reader *reader, const struct config_node *block,
                          const Ipc__Match *match)
{
    bool statements = false, hosts = false, clusters = false;
    for (const Ipc__Match *m = match; m; m = m->not_) {
        statements |= match_is_about_statements(m);
        hosts |= match_is_about_hosts(m);
        clusters |= match_is_about_clusters(m);
    }
    bool files = match->n_paths || match->n_operations;
    if (clusters && (statements || hosts))
        config_fault(reader, block,
                     "conditions on requests to a Kubernetes API and on %s never hold together: write two "
                     "blocks",
                     statements ? "statements" : "what is run");
    else if (statements && hosts)
        config_fault(reader, block,
                     "conditions on statements and on hosts never hold together: write two blocks");
    else if ((match->n_commands > 0) + files + (match->n_opaque > 0) > 1)
        config_fault(reader, block,
                     "conditions on commands, on files (paths, operations) and \"opaque\" never "
                     "hold together: write a block for each");
}

static Ipc__Match *read_block(struct config_reader *reader, const struct config_node *node,
                              const Ipc__Rule *rule, unsigned depth);

static void read_not(struct config_reader *reader, const struct config_node *node, const Ipc__Rule *rule,
                     unsigned depth, Ipc__Match *match)
{
    if (!node)
        return;
    if (depth == NOT_DEPTH_MAX)
        config_fault(reader, node->key, "\"not\" is nested more than %d times", NOT_DEPTH_MAX);
    else
        match->not_ = read_block(reader, node, rule, depth + 1);
}

static void read_conditions(struct config_reader *reader, const struct config_node *node, Ipc__Match *match)
{
    bool unbounded = false;

    config_read_words(reader, config_node_get(node, "statements"), check_statement, &match->n_statements,
                      &match->statements);
    config_read_words(reader, config_node_get(node, "tables"), config_check_pattern, &match->n_tables,
                      &match->tables);
    config_read_words(reader, config_node_get(node, "columns"), config_check_column, &match->n_columns,
                      &match->columns);
    config_read_words(reader, config_node_get(node, "functions"), config_check_pattern, &match->n_functions,
                      &match->functions);
    config_read_words(reader, config_node_get(node, "databases"), config_check_pattern, &match->n_databases,
                      &match->databases);
    config_read_words(reader, config_node_get(node, "channels"), check_channel, &match->n_channels,
                      &match->channels);
    config_read_words(reader, config_node_get(node, "commands"), check_command, &match->n_commands,
                      &match->commands);
    config_read_words(reader, config_node_get(node, "paths"), check_path, &match->n_paths, &match->paths);
    config_read_words(reader, config_node_get(node, "operations"), check_operation, &match->n_operations,
                      &match->operations);
    config_read_words(reader, config_node_get(node, "opaque"), check_opaque, &match->n_opaque,
                      &match->opaque);
    config_read_kube_match(reader, node, match);
    if (config_flag(reader, config_node_get(node, "unbounded_write"), &unbounded)) {
        match->has_unbounded_write = true;
        match->unbounded_write = unbounded;
    }
}

/* NULL when it is no block, or without memory. */
static Ipc__Match *read_block(struct config_reader *reader, const struct config_node *node,
                              const Ipc__Rule *rule, unsigned depth)
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
    check_kinds(reader, node, rule);
    read_not(reader, config_node_get(node, "not"), rule, depth, match);
    if (depth == 0)
        check_mixture(reader, node, match);
    return match;
}

static void add_block(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    Ipc__Match *match = read_block(reader, node, rule, 0);

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
