/* See object_text.h. What changes with every write, or is of no interest to who decides, is left out: managed
 * fields, versions, the copy that kubectl keeps in an annotation. */
#include "channels/kube/object_text.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { VALUE_SHOWN = 512, DEPTH_MAX = 48 };

static const char *const hidden[] = { "metadata.managedFields",
                                      "metadata.resourceVersion",
                                      "metadata.generation",
                                      "metadata.uid",
                                      "metadata.creationTimestamp",
                                      "metadata.selfLink",
                                      "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration",
                                      NULL };

struct printer_state {
    struct buffer *out;
    char path[1024];
    size_t path_n;
};

static int put(struct printer_state *p, const json_t *value, unsigned depth, bool in_list);

static int indent(struct buffer *out, unsigned depth)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < depth; i++)
        r = buffer_append(out, "  ", 2);
    return r;
}

static bool is_hidden(const struct printer_state *p)
{
    for (size_t i = 0; hidden[i]; i++)
        if (strcmp(hidden[i], p->path) == 0)
            return true;
    return false;
}

/* Whether it stands for itself in YAML; everything else is quoted as JSON has it. */
static bool is_plain(const char *text)
{
    static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "~" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");
    return *text && !text[plain] && !(text[0] >= '0' && text[0] <= '9') && text[0] != '-' && text[0] != '.';
}

static int put_string(struct buffer *out, const char *text)
{
    char shown[VALUE_SHOWN];
    if (is_plain(text) && strlen(text) < VALUE_SHOWN)
        return buffer_append(out, text, strlen(text));
    json_t *value = json_string(text);
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    json_decref(value);
    if (!quoted)
        return -ENOMEM;
    (void)text_escape(shown, sizeof shown, quoted, strlen(quoted), false);
    free(quoted);
    return buffer_append(out, shown, strlen(shown));
}

static int put_scalar(struct buffer *out, const json_t *value)
{
    if (json_is_string(value))
        return put_string(out, json_string_value(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!text)
        return -ENOMEM;
    int r = buffer_append(out, text, strlen(text));
    free(text);
    return r;
}

static bool is_nested(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value) > 0) ||
           (json_is_array(value) && json_array_size(value) > 0);
}

/* The value behind "key:" or "-". */
static int put_value(struct printer_state *p, const json_t *value, unsigned depth, bool in_list)
{
    int r = 0;
    if (is_nested(value) && in_list)
        return put(p, value, depth, true);
    r = buffer_append(p->out, is_nested(value) ? "\n" : " ", 1);
    if (r || is_nested(value))
        return r ? r : put(p, value, depth, false);
    r = put_scalar(p->out, value);
    return r ? r : buffer_append(p->out, "\n", 1);
}

static int put_member(struct printer_state *p, const char *key, const json_t *value, unsigned depth,
                      bool indented)
{
    size_t before = p->path_n;
    int n = snprintf(p->path + before, sizeof p->path - before, "%s%s", before ? "." : "", key);
    p->path_n += n > 0 && (size_t)n < sizeof p->path - before ? (size_t)n : 0;
    int r = 0;
    if (!is_hidden(p)) {
        r = indented ? indent(p->out, depth) : 0;
        r = r ? r : put_string(p->out, key);
        r = r ? r : buffer_append(p->out, ":", 1);
        r = r ? r : put_value(p, value, depth + !json_is_array(value), false);
    }
    p->path_n = before;
    p->path[before] = '\0';
    return r;
}

/* in_list: "- " stands before its first line already. */
static int put_object(struct printer_state *p, const json_t *object, unsigned depth, bool in_list)
{
    const char *key;
    json_t *value;
    bool first = true;
    int r = 0;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        r = r ? r : put_member(p, key, value, depth, !(in_list && first));
        first = false;
    }
    return r;
}

static int put_array(struct printer_state *p, const json_t *array, unsigned depth, bool in_list)
{
    size_t before = p->path_n;
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        r = in_list && i == 0 ? 0 : indent(p->out, depth);
        r = r ? r : buffer_append(p->out, is_nested(value) ? "- " : "-", is_nested(value) ? 2 : 1);
        r = r ? r : put_value(p, value, depth + 1, true);
    }
    p->path_n = before;
    return r;
}

static int put(struct printer_state *p, const json_t *value, unsigned depth, bool in_list)
{
    if (depth > DEPTH_MAX)
        return buffer_append(p->out, "…\n", strlen("…\n"));
    return json_is_object(value) ? put_object(p, value, depth, in_list) : put_array(p, value, depth, in_list);
}

int object_text(struct buffer *out, const void *json, size_t n)
{
    json_t *root = json_loadb(json, n, 0, NULL);
    struct printer_state p = { .out = out };
    int r = json_is_object(root) ? put(&p, root, 0, false) : OBJECT_TEXT_UNREADABLE;
    json_decref(root);
    return r;
}

bool object_failure(const void *json, size_t n, char *out, size_t size)
{
    json_t *root = json_loadb(json, n, 0, NULL);
    const char *kind = json_string_value(json_object_get(root, "kind"));
    const char *status = json_string_value(json_object_get(root, "status"));
    const char *message = json_string_value(json_object_get(root, "message"));
    bool failed = kind && status && strcmp(kind, "Status") == 0 && strcmp(status, "Failure") == 0;
    if (failed && message)
        (void)text_escape(out, size, message, strlen(message), false);
    else
        (void)snprintf(out, size, "%s", "");
    json_decref(root);
    return failed;
}

int object_names(struct buffer *out, const void *json, size_t n, size_t most, uint64_t *ret_count)
{
    json_t *root = json_loadb(json, n, 0, NULL);
    const json_t *items = json_object_get(root, "items");
    const json_t *more = json_object_get(json_object_get(root, "metadata"), "remainingItemCount");
    int r = json_is_array(items) ? 0 : OBJECT_TEXT_UNREADABLE;
    for (size_t i = 0; r == 0 && i < json_array_size(items) && i < most; i++) {
        const json_t *about = json_object_get(json_array_get(items, i), "metadata");
        const char *name = json_string_value(json_object_get(about, "name"));
        char shown[300];
        (void)text_escape(shown, sizeof shown, name ? name : "?", name ? strlen(name) : 1, false);
        r = buffer_printf(out, "%s%s", i ? " " : "", shown);
    }
    if (r == 0)
        *ret_count =
            json_array_size(items) + (json_integer_value(more) > 0 ? (uint64_t)json_integer_value(more) : 0);
    json_decref(root);
    return r;
}
