/* See config_json.h. What has no quotes is resolved as YAML 1.2 does (core schema, §10.3.2). */
#include "policy/config_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct conversion {
    struct config_faults *faults;
    bool failed;
};

static json_t *convert(struct conversion *c, const struct config_node *node);

static json_t *fault(struct conversion *c, const struct config_node *node, const char *why)
{
    config_faults_add(c->faults, node->line, node->column, "%s", why);
    c->failed = true;
    return NULL;
}

/* What JSON would take for a number. */
static bool is_number(const char *text)
{
    const char *at = text + (*text == '-');
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || (digits > 1 && *at == '0'))
        return false;
    at += digits;
    if (*at == '.') {
        digits = strspn(++at, "0123456789");
        at += digits;
        if (digits == 0)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        digits = strspn(at, "0123456789");
        at += digits;
        if (digits == 0)
            return false;
    }
    return *at == '\0';
}

static json_t *convert_text(struct conversion *c, const struct config_node *node)
{
    const char *text = node->text;
    if (config_node_is_null(node))
        return json_null();
    if (node->plain && (!strcmp(text, "true") || !strcmp(text, "false")))
        return json_boolean(*text == 't');
    if (node->plain && is_number(text)) {
        json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
        if (number)
            return number;
    }
    json_t *string = json_stringn(text, node->size);
    return string ? string : fault(c, node, "a text that is not UTF-8");
}

static json_t *convert_list(struct conversion *c, const struct config_node *node)
{
    json_t *list = json_array();
    for (const struct config_node *item = node->first; list && item; item = item->next) {
        json_t *value = convert(c, item);
        if (value && json_array_append_new(list, value))
            c->failed = true;
    }
    return list;
}

static json_t *convert_map(struct conversion *c, const struct config_node *node)
{
    json_t *map = json_object();
    for (const struct config_node *value = node->first; map && value; value = value->next) {
        if (value->key->kind != CONFIG_TEXT) {
            fault(c, value->key, "a key must be text");
            continue;
        }
        if (json_object_get(map, value->key->text))
            fault(c, value->key, "a key is given twice");
        json_t *converted = convert(c, value);
        if (converted && json_object_set_new(map, value->key->text, converted))
            c->failed = true;
    }
    return map;
}

static json_t *convert(struct conversion *c, const struct config_node *node)
{
    switch (node->kind) {
    case CONFIG_TEXT:
        return convert_text(c, node);
    case CONFIG_LIST:
        return convert_list(c, node);
    case CONFIG_MAP:
        return convert_map(c, node);
    case CONFIG_BROKEN:
        break;
    }
    c->failed = true;
    return NULL;
}

int config_node_json(const struct config_node *node, struct config_faults *faults, char **ret, size_t *ret_n)
{
    struct conversion c = { .faults = faults };
    json_t *whole = convert(&c, node);
    char *text = whole && !c.failed ? json_dumps(whole, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(whole);
    if (!text)
        return c.failed ? 1 : -ENOMEM;
    *ret = text;
    *ret_n = strlen(text);
    return 0;
}

int config_bytes_json(const uint8_t *bytes, size_t n, struct config_faults *faults, char **ret, size_t *ret_n)
{
    struct config_tree tree = { 0 };
    size_t blanks = 0;
    while (blanks < n && bytes[blanks] && strchr(" \t\r\n", bytes[blanks]))
        blanks++;
    if (blanks == n || bytes[blanks] == '{' || bytes[blanks] == '[') {
        n = blanks == n ? 0 : n;
        *ret = strndup(n ? (const char *)bytes : "", n);
        *ret_n = *ret ? strlen(*ret) : 0;
        return *ret ? 0 : -ENOMEM;
    }
    int r = config_tree_read(&tree, bytes, n, faults);
    if (r == 0 && faults->count)
        r = 1;
    if (r == 0)
        r = config_node_json(tree.root, faults, ret, ret_n);
    config_tree_free(&tree);
    return r;
}
