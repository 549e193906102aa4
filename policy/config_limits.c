/* rules[].limits: how much of a result is shown, and how many statements a minute run. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/config_sections.h"

static const uint64_t ROWS_MAX = UINT64_C(1000000000000);
static const uint64_t BYTES_MIN = UINT64_C(1) << 10, BYTES_MAX = UINT64_C(1024) << 30;
static const uint64_t STATEMENTS_MAX = 1000000;

static const struct config_key KEYS[] = {
    { "rows", CONFIG_OPTIONAL },
    { "bytes", CONFIG_OPTIONAL },
    { "statements_per_minute", CONFIG_OPTIONAL },
};

static bool read_count(struct config_reader *reader, const struct config_node *node, uint64_t max,
                       uint64_t *ret)
{
    const char *text = NULL;
    uint64_t count = 0;

    if (!config_text(reader, node, &text))
        return false;
    if (!text_to_u64(text, max, &count) || count < 1) {
        config_fault(reader, node, "\"%s\" must be a number from 1 to %" PRIu64, node->name, max);
        return false;
    }
    *ret = count;
    return true;
}

void config_read_limits(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule)
{
    uint64_t statements = 0;

    if (!node || !config_map(reader, node, CONFIG_KEYS(KEYS), NULL))
        return;
    rule->limits = malloc(sizeof *rule->limits);
    if (!rule->limits) {
        reader->no_memory = true;
        return;
    }
    *rule->limits = (Ipc__Limits)IPC__LIMITS__INIT;
    const struct config_node *rows = config_node_get(node, "rows"), *bytes = config_node_get(node, "bytes"),
                             *per_minute = config_node_get(node, "statements_per_minute");
    read_count(reader, rows, ROWS_MAX, &rule->limits->rows);
    config_size(reader, bytes, BYTES_MIN, BYTES_MAX, &rule->limits->bytes);
    if (read_count(reader, per_minute, STATEMENTS_MAX, &statements))
        rule->limits->statements_per_minute = (uint32_t)statements;
    if (!rows && !bytes && !per_minute)
        config_fault(reader, node, "\"limits\" without any: rows, bytes or statements_per_minute");
    if (!config_rule_is_for(reader, rule, "postgres", "kubernetes"))
        config_fault(reader, node->key,
                     "\"limits\" are about postgres and kubernetes targets, and this rule has none");
    else if (rows && !config_rule_is_for(reader, rule, "postgres", NULL))
        config_fault(reader, rows->key, "\"rows\" is about postgres targets, and this rule has none");
    if (rule->action && *rule->action && strcmp(rule->action, "allow"))
        config_fault(reader, node, "\"limits\" are for rules with action: allow");
}
