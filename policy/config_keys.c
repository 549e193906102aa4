/* The keys of one map against the keys that are known there. */
#include <stdio.h>
#include <string.h>
#include "policy/config_reader.h"

/* "target \"orders\": ", or nothing at the top. */
static const char *prefix_of(const char *what, char out[CONFIG_HINT_MAX])
{
    out[0] = '\0';
    if (what)
        snprintf(out, CONFIG_HINT_MAX, "%s: ", what);
    return out;
}

static bool is_key(const struct config_node *value, const char *name)
{
    return value->key->kind == CONFIG_TEXT && value->key->size == strlen(name) &&
           !strcmp(value->key->text, name);
}

static bool is_known(const struct config_node *value, struct config_keys keys)
{
    for (size_t i = 0; i < keys.count; i++)
        if (is_key(value, keys.items[i].name))
            return true;
    return false;
}

/* Those that can be used, separated by commas. */
static void list_keys(struct config_keys keys, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < keys.count && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", keys.items[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
}

static void report_unknown(struct config_reader *reader, const struct config_node *value,
                           struct config_keys keys, const char *prefix)
{
    struct config_hint hint = config_hint_for(reader->faults, value->key->text);
    char near[CONFIG_HINT_MAX], known[CONFIG_MESSAGE_MAX / 2];

    for (size_t i = 0; i < keys.count; i++)
        config_hint_try(&hint, keys.items[i].name);
    list_keys(keys, known, sizeof known);
    if (hint.best)
        config_fault(reader, value->key, "%sunknown key \"%.80s\"%s", prefix, value->key->text,
                     config_hint_text(&hint, near));
    else
        config_fault(reader, value->key, "%sunknown key \"%.80s\"; known here: %s", prefix, value->key->text,
                     known);
}

static void check_repeats(struct config_reader *reader, const struct config_node *map,
                          const struct config_key *key, const char *prefix)
{
    const struct config_node *first = NULL;

    for (const struct config_node *value = map->first; value; value = value->next) {
        if (!is_key(value, key->name))
            continue;
        if (first)
            config_fault(reader, value->key, "%s\"%s\" is given twice, first in line %u", prefix, key->name,
                         first->key->line);
        else
            first = value;
    }
}

static void check_missing(struct config_reader *reader, const struct config_node *map,
                          struct config_keys keys, const char *prefix)
{
    for (size_t i = 0; i < keys.count; i++)
        if (keys.items[i].kind == CONFIG_REQUIRED && !config_node_get(map, keys.items[i].name))
            config_fault(reader, map, "%s\"%s\" is missing", prefix, keys.items[i].name);
}

bool config_map(struct config_reader *reader, const struct config_node *node, struct config_keys keys,
                const char *what)
{
    char prefix[CONFIG_HINT_MAX], subject[CONFIG_SUBJECT_MAX];

    if (!node || node->kind == CONFIG_BROKEN)
        return false;
    prefix_of(what, prefix);
    if (node->kind != CONFIG_MAP) {
        config_fault(reader, node, "%s %s", config_subject(node, subject),
                     config_node_is_null(node) ? "has no value" : "must be a map (key: value)");
        return false;
    }
    for (const struct config_node *value = node->first; value; value = value->next)
        if (value->key->kind == CONFIG_TEXT && !is_known(value, keys))
            report_unknown(reader, value, keys, prefix);
    for (size_t i = 0; i < keys.count; i++)
        check_repeats(reader, node, &keys.items[i], prefix);
    check_missing(reader, node, keys, prefix);
    return true;
}
