/* Paths are made so that no key of a body can look like the path of something else: in brackets stands
 * whatever has a dot or a bracket, and no pattern without brackets is met by that. */
#include "policy/kube_body.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/kube_effects.h"

enum { PATH_MAX_BYTES = KUBE_FIELD_MAX / 2 };

struct kube_body {
    json_t *root;  /* NULL: there is none, or it can't be read */
    bool is_patch; /* a list of operations */
    bool whole;
};

/* The effect is NULL while it is only looked whether all fits. */
struct walk {
    struct effect *effect;
    size_t n;
    bool whole;
    int error;
    char path[PATH_MAX_BYTES];
};

static void visit(struct walk *walk, const json_t *value, size_t path_n, unsigned depth);

/* ---- paths ---- */

static bool is_plain(const char *key)
{
    if (!*key)
        return false;
    for (; *key; key++)
        if (!(*key >= '0' && *key <= '9') && !((*key | 0x20) >= 'a' && (*key | 0x20) <= 'z') &&
            !strchr("-_/", *key))
            return false;
    return true;
}

/* Adds a part; returns the new length, 0 when it does not fit, or would look like another part or like the
 * end of the path: no name in Kubernetes has these. */
static size_t add_part(struct walk *walk, size_t path_n, const char *key)
{
    bool plain = is_plain(key);
    if (!plain && (strpbrk(key, "[]=") || strcmp(key, "*") == 0))
        return 0;
    int n = snprintf(walk->path + path_n, sizeof walk->path - path_n, plain ? "%s%s" : "%s%s]",
                     !plain       ? "["
                     : path_n > 0 ? "."
                                  : "",
                     key);
    return n < 0 || (size_t)n >= sizeof walk->path - path_n ? 0 : path_n + (size_t)n;
}

static size_t add_element(struct walk *walk, size_t path_n)
{
    if (path_n + 4 > sizeof walk->path)
        return 0;
    memcpy(walk->path + path_n, "[*]", 4);
    return path_n + 3;
}

/* ---- values ---- */

static void put(struct walk *walk, size_t path_n, const char *value)
{
    static const char long_one[] = { EFFECT_HOLE, '\0' };
    walk->path[path_n] = '\0';
    if (path_n + strlen(value) + 2 > KUBE_FIELD_MAX)
        value = long_one;
    if (++walk->n > KUBE_BODY_FIELDS_MAX)
        walk->whole = false;
    else if (walk->effect && walk->error == 0)
        walk->error = kube_effect_field(walk->effect, walk->path, value);
}

static void visit_scalar(struct walk *walk, const json_t *value, size_t path_n)
{
    char text[64];
    switch (json_typeof(value)) {
    case JSON_STRING:
        put(walk, path_n, json_string_value(value));
        break;
    case JSON_INTEGER:
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        put(walk, path_n, text);
        break;
    case JSON_REAL:
        (void)snprintf(text, sizeof text, "%.17g", json_real_value(value));
        put(walk, path_n, text);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        put(walk, path_n, json_is_true(value) ? "true" : "false");
        break;
    default:
        put(walk, path_n, "null");
    }
}

static void visit_object(struct walk *walk, const json_t *object, size_t path_n, unsigned depth)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t longer = add_part(walk, path_n, key);
        if (longer)
            visit(walk, value, longer, depth - 1);
        else
            walk->whole = false;
    }
}

static void visit(struct walk *walk, const json_t *value, size_t path_n, unsigned depth)
{
    if (depth == 0) {
        walk->whole = false;
    } else if (json_is_object(value)) {
        visit_object(walk, value, path_n, depth);
    } else if (json_is_array(value)) {
        size_t longer = add_element(walk, path_n);
        walk->whole = walk->whole && longer;
        for (size_t i = 0; longer && i < json_array_size(value); i++)
            visit(walk, json_array_get(value, i), longer, depth - 1);
    } else {
        visit_scalar(walk, value, path_n);
    }
}

/* ---- JSON patches ---- */

/* One part of a JSON pointer (RFC 6901), "~1" and "~0" decoded, into out; returns what follows it, NULL when
 * it is too long. */
static const char *pointer_part(const char *pointer, char *out, size_t size)
{
    size_t n = 0;
    for (; *pointer && *pointer != '/'; pointer++) {
        char c = *pointer;
        if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            c = *++pointer == '0' ? '~' : '/';
        if (n + 1 == size)
            return NULL;
        out[n++] = c;
    }
    out[n] = '\0';
    return pointer;
}

/* The API server reads elements with strconv.Atoi: "+1" is one, and "-1" from the end. */
static bool is_index(const char *part)
{
    const char *digits = part + (*part == '-' || *part == '+');
    return strcmp(part, "-") == 0 || (*digits && strspn(digits, "0123456789") == strlen(digits));
}

/* A number in a pointer may be an element of a list or a key: it is taken for both by the caller's not being
 * sure when it is a key, which hardly ever occurs. Returns the length of the path, 0: too long. */
static size_t pointer_path(struct walk *walk, const char *pointer)
{
    char part[PATH_MAX_BYTES];
    size_t path_n = 0;
    while (*pointer == '/') {
        pointer = pointer_part(pointer + 1, part, sizeof part);
        if (!pointer)
            return 0;
        path_n = is_index(part) && path_n > 0 ? add_element(walk, path_n) : add_part(walk, path_n, part);
        if (path_n == 0)
            return 0;
    }
    return *pointer ? 0 : path_n;
}

static void visit_operation(struct walk *walk, const json_t *operation)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *pointer = json_string_value(json_object_get(operation, "path"));
    const json_t *value = json_object_get(operation, "value");
    if (!op || !pointer || strcmp(op, "copy") == 0 || strcmp(op, "move") == 0) {
        walk->whole = false; /* its value is elsewhere */
        return;
    }
    if (strcmp(op, "test") == 0)
        return;
    size_t path_n = pointer_path(walk, pointer);
    if (*pointer && path_n == 0)
        walk->whole = false;
    else if (strcmp(op, "remove") == 0)
        put(walk, path_n, "null");
    else if ((strcmp(op, "add") == 0 || strcmp(op, "replace") == 0) && value)
        visit(walk, value, path_n, KUBE_BODY_DEPTH_MAX);
    else
        walk->whole = false;
}

static void visit_all(struct walk *walk, const struct kube_body *body)
{
    if (body->root && body->is_patch)
        for (size_t i = 0; i < json_array_size(body->root); i++)
            visit_operation(walk, json_array_get(body->root, i));
    else if (body->root)
        visit(walk, body->root, 0, KUBE_BODY_DEPTH_MAX);
}

/* ---- all of it ---- */

void kube_body_start(void)
{
    json_object_seed(0);
}

/* JSON is what is looked into; what a server takes for YAML may be JSON, too, but for U+0085, which ends a
 * line there: a blank is made of it (YAML 1.1 §9.1.3). */
static bool may_be_json(const char *type, const void *bytes, size_t n)
{
    bool yaml = type && strcasestr(type, "yaml");
    return (!type || !strcasestr(type, "protobuf")) && !(yaml && memmem(bytes, n, "\xc2\x85", 2));
}

int kube_body_read(const char *type, const void *bytes, size_t n, struct kube_body **ret)
{
    CLEANUP(kube_body_free) struct kube_body *body = calloc(1, sizeof *body);
    if (!body)
        return -ENOMEM;
    body->whole = n == 0;
    if (n > 0 && n <= KUBE_BODY_MAX && may_be_json(type, bytes, n))
        body->root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    bool patch = type && strncasecmp(type, "application/json-patch+json", 27) == 0;
    if (body->root) {
        struct walk walk = { .whole = patch ? json_is_array(body->root) : json_is_object(body->root) };
        body->is_patch = patch;
        visit_all(&walk, body);
        body->whole = walk.whole;
    }
    *ret = STEAL(body);
    return 0;
}

void kube_body_free(struct kube_body *body)
{
    if (!body)
        return;
    json_decref(body->root);
    free(body);
}

const char *kube_body_name(const struct kube_body *body)
{
    return body->is_patch
               ? NULL
               : json_string_value(json_object_get(json_object_get(body->root, "metadata"), "name"));
}

bool kube_body_is_whole(const struct kube_body *body)
{
    return body->whole;
}

int kube_body_fields(const struct kube_body *body, struct effect *effect)
{
    struct walk walk = { .effect = effect, .whole = true };
    visit_all(&walk, body);
    return walk.error;
}
