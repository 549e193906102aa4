/* The rules of a target in what `describe` says, as they stand in the configuration. */
#include "channels/commands/about_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include "channels/commands/about_approve.h"
#include "channels/commands/about_list.h"
#include "policy/rules.h"

enum { RULES_SHOWN = 256 };

struct condition {
    const char *name;
    char *const *items;
    size_t n;
};

enum { CONDITIONS = 14 };

static void conditions_of(const Ipc__Match *match, struct condition ret[CONDITIONS])
{
    ret[0] = (struct condition){ "statements", match->statements, match->n_statements };
    ret[1] = (struct condition){ "tables", match->tables, match->n_tables };
    ret[2] = (struct condition){ "columns", match->columns, match->n_columns };
    ret[3] = (struct condition){ "functions", match->functions, match->n_functions };
    ret[4] = (struct condition){ "databases", match->databases, match->n_databases };
    ret[5] = (struct condition){ "channels", match->channels, match->n_channels };
    ret[6] = (struct condition){ "commands", match->commands, match->n_commands };
    ret[7] = (struct condition){ "operations", match->operations, match->n_operations };
    ret[8] = (struct condition){ "paths", match->paths, match->n_paths };
    ret[9] = (struct condition){ "opaque", match->opaque, match->n_opaque };
    ret[10] = (struct condition){ "verbs", match->verbs, match->n_verbs };
    ret[11] = (struct condition){ "resources", match->resources, match->n_resources };
    ret[12] = (struct condition){ "namespaces", match->namespaces, match->n_namespaces };
    ret[13] = (struct condition){ "names", match->names, match->n_names };
}

static void fields_text(struct buffer *out, const Ipc__Match *match, const char *between)
{
    for (size_t i = 0; i < match->n_fields; i++) {
        const Ipc__FieldMatch *field = match->fields[i];
        (void)!buffer_printf(out, "%s%s is ", i ? " and " : between, field->path);
        for (size_t k = 0; k < field->n_values; k++)
            (void)!buffer_printf(out, "%s%s", k ? " or " : "", field->values[k]);
    }
}

static void match_text(struct buffer *out, const Ipc__Match *match)
{
    struct condition conditions[CONDITIONS];
    const char *between = "";
    conditions_of(match, conditions);
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (conditions[i].n == 0)
            continue;
        (void)!buffer_printf(out, "%s%s ", between, conditions[i].name);
        about_list_text(out, conditions[i].items, conditions[i].n);
        between = " and ";
    }
    if (match->has_unbounded_write) {
        (void)!buffer_printf(out, "%sunbounded_write %s", between, match->unbounded_write ? "true" : "false");
        between = " and ";
    }
    fields_text(out, match, between);
    if (match->n_fields)
        between = " and ";
    if (match->not_) {
        (void)!buffer_printf(out, "%snot (", between);
        match_text(out, match->not_);
        (void)!buffer_printf(out, ")");
    }
}

static void limits_text(struct buffer *out, const Ipc__Limits *limits)
{
    const char *between = "; at most ";
    if (!limits)
        return;
    if (limits->rows) {
        (void)!buffer_printf(out, "%s%" PRIu64 " rows", between, limits->rows);
        between = ", ";
    }
    if (limits->bytes) {
        (void)!buffer_printf(out, "%s%" PRIu64 " bytes", between, limits->bytes);
        between = ", ";
    }
    if (limits->rows || limits->bytes) {
        (void)!buffer_printf(out, " of a result");
        between = ", ";
    }
    if (limits->statements_per_minute)
        (void)!buffer_printf(out, "%s%u statements a minute", between,
                             (unsigned)limits->statements_per_minute);
}

static void rule_text(struct buffer *out, const Ipc__Rule *rule)
{
    (void)!buffer_printf(out, "    %-8s %-20s ", rule->action, rule->name);
    if (rule->anything)
        (void)!buffer_printf(out, "anything");
    else if (rule->n_match == 0)
        (void)!buffer_printf(out, "everything that is understood");
    for (size_t i = 0; i < rule->n_match; i++) {
        (void)!buffer_printf(out, "%s", i ? "; or " : "");
        match_text(out, rule->match[i]);
    }
    limits_text(out, rule->limits);
    about_approve_text(rule->approve, out);
    (void)!buffer_printf(out, rule->reason[0] ? "  (%s)\n" : "%s\n", rule->reason);
}

static size_t rules_for(const struct gate *gate, const char *target, const Ipc__Rule **ret)
{
    return rulebook_applying(gate->rules, gate->identity->roles, gate->identity->n_roles, target, ret,
                             RULES_SHOWN);
}

static void match_json(struct json *j, const char *key, const Ipc__Match *match)
{
    struct condition conditions[CONDITIONS];
    conditions_of(match, conditions);
    json_open_object(j, key);
    for (size_t i = 0; i < CONDITIONS; i++) {
        if (conditions[i].n > 0)
            about_list_json(j, conditions[i].name, conditions[i].items, conditions[i].n);
    }
    if (match->has_unbounded_write)
        json_bool(j, "unbounded_write", match->unbounded_write);
    if (match->n_fields)
        json_open_object(j, "fields");
    for (size_t i = 0; i < match->n_fields; i++)
        about_list_json(j, match->fields[i]->path, match->fields[i]->values, match->fields[i]->n_values);
    if (match->n_fields)
        json_close_object(j);
    if (match->not_)
        match_json(j, "not", match->not_);
    json_close_object(j);
}

static void limits_json(struct json *j, const Ipc__Limits *limits)
{
    json_open_object(j, "limits");
    if (limits->rows)
        json_u64(j, "rows", limits->rows);
    if (limits->bytes)
        json_u64(j, "bytes", limits->bytes);
    if (limits->statements_per_minute)
        json_u64(j, "statements_per_minute", limits->statements_per_minute);
    json_close_object(j);
}

static void rule_json(struct json *j, const Ipc__Rule *rule)
{
    json_open_object(j, NULL);
    json_text(j, "name", rule->name);
    json_text(j, "action", rule->action);
    json_text(j, "reason", rule->reason[0] ? rule->reason : NULL);
    json_bool(j, "anything", rule->anything);
    if (rule->limits)
        limits_json(j, rule->limits);
    about_approve_json(rule->approve, j);
    json_open_array(j, "match");
    for (size_t i = 0; i < rule->n_match; i++)
        match_json(j, NULL, rule->match[i]);
    json_close_array(j);
    json_close_object(j);
}

void about_rules_text(const struct gate *gate, const char *target, struct buffer *out)
{
    const Ipc__Rule *rules[RULES_SHOWN];
    size_t n = rules_for(gate, target, rules);
    for (size_t i = 0; i < n; i++)
        rule_text(out, rules[i]);
}

void about_rules_json(const struct gate *gate, const char *target, struct json *j)
{
    const Ipc__Rule *rules[RULES_SHOWN];
    size_t n = rules_for(gate, target, rules);
    json_open_array(j, "rules");
    for (size_t i = 0; i < n; i++)
        rule_json(j, rules[i]);
    json_close_array(j);
}
