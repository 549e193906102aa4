/* Requests that would tell what is masked, or overwrite it by its mask. Bodies are read whole: the API server
 * takes 3 MiB at most. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "channels/kube/veil_parts.h"

/* One body, walked through. states: room for n_rules at each depth. */
struct walk {
    const struct kube_plan *plan;
    uint64_t *states;
    bool asks; /* the value is compared with what is there */
    struct detail *detail;
};

static int visit(struct walk *walk, const json_t *value, const struct place *place, size_t depth);

static uint64_t *states_at(const struct walk *walk, size_t depth)
{
    return walk->states + depth * walk->plan->n_rules;
}

/* ---- what is refused ---- */

static int sends_mask(const struct walk *walk, const struct plan_rule *rule)
{
    return detail_fail(walk->detail, KUBE_PLAN_SENDS_MASK,
                       "it holds a mask in the place of a value of %s, which it would overwrite: send that "
                       "value itself, or nothing of it",
                       rule ? rule->path.text : "its last-applied-configuration");
}

static int asks(const struct walk *walk, const char *what)
{
    return detail_fail(walk->detail, KUBE_PLAN_ASKS, "%s would tell a masked value", what);
}

static int too_deep(const struct walk *walk)
{
    return detail_fail(walk->detail, KUBE_PLAN_UNREADABLE,
                       "its objects and lists are nested more than %d times", KUBE_VEIL_DEPTH_MAX);
}

/* ---- values ---- */

/* kubectl's annotation: an object as a text. */
static int visit_nested(struct walk *walk, const char *text, size_t n, size_t depth)
{
    if (walk->asks)
        return asks(walk, "a test of last-applied-configuration");
    json_t *inner = json_loadb(text, n, JSON_DECODE_ANY, NULL);
    if (!inner)
        return memmem(text, n, VEIL_REDACTED, strlen(VEIL_REDACTED)) ? sends_mask(walk, NULL) : 0;
    struct place place = place_begin(walk->plan, states_at(walk, depth + 1));
    int r = visit(walk, inner, &place, depth + 1);
    json_decref(inner);
    return r;
}

/* A number that is masked is shown as 0, a flag as false. */
static bool is_mask(const struct place *place, const json_t *value)
{
    if (json_is_string(value))
        return veil_is_mask(place->mask, place->base64, json_string_value(value), json_string_length(value));
    return json_is_false(value) || (json_is_number(value) && json_number_value(value) == 0);
}

static int visit_scalar(struct walk *walk, const json_t *value, const struct place *place, size_t depth)
{
    if (place->mask && walk->asks)
        return asks(walk, "a test");
    if (place->mask)
        return is_mask(place, value) ? sends_mask(walk, place->mask) : 0;
    if (place->nested && json_is_string(value))
        return visit_nested(walk, json_string_value(value), json_string_length(value), depth);
    return 0;
}

static int visit_object(struct walk *walk, json_t *object, const struct place *place, size_t depth)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        struct place below = place_step(walk->plan, place, states_at(walk, depth), key, strlen(key),
                                        states_at(walk, depth + 1));
        int r = visit(walk, value, &below, depth + 1);
        if (r)
            return r;
    }
    return 0;
}

static int visit_list(struct walk *walk, json_t *list, const struct place *place, size_t depth)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct place below =
            place_step(walk->plan, place, states_at(walk, depth), NULL, 0, states_at(walk, depth + 1));
        int r = visit(walk, json_array_get(list, i), &below, depth + 1);
        if (r)
            return r;
    }
    return 0;
}

/* The states of its place are at `depth`. */
static int visit(struct walk *walk, const json_t *value, const struct place *place, size_t depth)
{
    json_t *inside = (json_t *)(uintptr_t)value;
    if (depth >= KUBE_VEIL_DEPTH_MAX)
        return too_deep(walk);
    if (json_is_object(value))
        return visit_object(walk, inside, place, depth);
    if (json_is_array(value))
        return visit_list(walk, inside, place, depth);
    return visit_scalar(walk, value, place, depth);
}

/* ---- JSON patches (RFC 6902) ---- */

/* "~1" and "~0" in a part of a JSON pointer (RFC 6901 §4), in place. */
static void decode_part(char *part)
{
    char *to = part;
    for (const char *from = part; *from; from++) {
        if (from[0] == '~' && (from[1] == '0' || from[1] == '1'))
            *to++ = *++from == '0' ? '~' : '/';
        else
            *to++ = *from;
    }
    *to = '\0';
}

/* The API server reads elements with strconv.Atoi: "+1" is one, and "-1" from the end. */
static bool may_be_index(const char *part)
{
    const char *digits = part + (*part == '-' || *part == '+');
    return strcmp(part, "-") == 0 || (*digits && digits[strspn(digits, "0123456789")] == '\0');
}

/* A number may be a key or an element: it is both. The states are at depth + 1 afterwards. */
static struct place step_part(struct walk *walk, const struct place *place, const char *part, size_t depth)
{
    uint64_t *states = states_at(walk, depth + 1);
    struct place as_key = place_step(walk->plan, place, states_at(walk, depth), part, strlen(part), states);
    if (!may_be_index(part))
        return as_key;
    uint64_t *others = states_at(walk, depth + 2);
    struct place as_element = place_step(walk->plan, place, states_at(walk, depth), NULL, 0, others);
    for (size_t i = 0; i < walk->plan->n_rules; i++)
        states[i] |= others[i];
    return (struct place){ .root = as_key.root == ROOT_NONE ? as_element.root : as_key.root,
                           .base64 = as_key.base64 || as_element.base64,
                           .nested = as_key.nested || as_element.nested,
                           .mask = as_key.mask ? as_key.mask : as_element.mask };
}

/* The place that a pointer leads to, and its depth. */
static int follow(struct walk *walk, const char *pointer, struct place *ret, size_t *ret_depth)
{
    CLEANUP(free) char *copy = strdup(pointer);
    size_t depth = 0;
    struct place place = place_begin(walk->plan, states_at(walk, 0));
    if (!copy)
        return -ENOMEM;
    if (*copy && *copy != '/') /* the server takes "x/data" for "/data" */
        return detail_fail(walk->detail, KUBE_PLAN_UNREADABLE, "a JSON pointer in it begins with no slash");
    char *rest = *copy ? copy + 1 : NULL;
    while (rest) {
        char *part = strsep(&rest, "/");
        decode_part(part);
        if (depth + 2 >= KUBE_VEIL_DEPTH_MAX)
            return too_deep(walk);
        place = step_part(walk, &place, part, depth++);
    }
    *ret = place;
    *ret_depth = depth;
    return 0;
}

static int visit_source(struct walk *walk, const char *from)
{
    struct place place;
    size_t depth = 0;
    int r = follow(walk, from, &place, &depth);
    if (r)
        return r;
    return place_is_alive(walk->plan, &place, states_at(walk, depth))
               ? asks(walk, "a copy or move from there")
               : 0;
}

static int visit_operation(struct walk *walk, const json_t *operation)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *from = json_string_value(json_object_get(operation, "from"));
    const json_t *value = json_object_get(operation, "value");
    struct place place;
    size_t depth = 0;
    if (!op || !path)
        return 0; /* no operation to the API server either */
    if (strcmp(op, "copy") == 0 || strcmp(op, "move") == 0)
        return from ? visit_source(walk, from) : 0;
    int r = value ? follow(walk, path, &place, &depth) : 0;
    if (r || !value)
        return r;
    walk->asks = strcmp(op, "test") == 0;
    r = visit(walk, value, &place, depth);
    walk->asks = false;
    return r;
}

static int visit_patch(struct walk *walk, const json_t *operations)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(operations); i++)
        r = visit_operation(walk, json_array_get(operations, i));
    return r;
}

/* ---- all of it ---- */

static bool is_json_patch(const char *type)
{
    static const char name[] = "application/json-patch+json";
    return type && strncasecmp(type, name, sizeof name - 1) == 0;
}

static int check_body(struct walk *walk, const char *type, const void *bytes, size_t n)
{
    json_t *body = json_loadb(bytes, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!body)
        return detail_fail(walk->detail, KUBE_PLAN_UNREADABLE,
                           "it cannot be read as JSON, and something of such objects is masked: send JSON");
    struct place place = place_begin(walk->plan, states_at(walk, 0));
    int r = is_json_patch(type) ? visit_patch(walk, body) : visit(walk, body, &place, 0);
    json_decref(body);
    return r;
}

/* "spec.secret=x": the server would say whether it is. */
static int check_term(struct walk *walk, const char *term, size_t n)
{
    struct place place = place_begin(walk->plan, states_at(walk, 0));
    size_t at = 0, depth = 0;
    while (at < n && depth + 2 < KUBE_VEIL_DEPTH_MAX) {
        size_t part = 0;
        while (at + part < n && term[at + part] != '.')
            part++;
        place = place_step(walk->plan, &place, states_at(walk, depth), term + at, part,
                           states_at(walk, depth + 1));
        depth++;
        at += part + 1;
    }
    return place.mask ? asks(walk, "such a field selector") : 0;
}

static int check_fields(struct walk *walk, const char *selector)
{
    int r = 0;
    while (r == 0 && selector && *selector) {
        r = check_term(walk, selector, strcspn(selector, "=!,"));
        selector = strchr(selector, ',');
        selector = selector ? selector + 1 : NULL;
    }
    return r;
}

/* One label: "app", "!app", " app in (a, b)". */
static int check_label(struct walk *walk, const char *term)
{
    static const char *const way[] = { "metadata", "labels" };
    struct place place = place_begin(walk->plan, states_at(walk, 0));
    term += strspn(term, " !");
    for (size_t i = 0; i < sizeof way / sizeof way[0]; i++)
        place = place_step(walk->plan, &place, states_at(walk, i), way[i], strlen(way[i]),
                           states_at(walk, i + 1));
    place =
        place_step(walk->plan, &place, states_at(walk, 2), term, strcspn(term, " =!<>,"), states_at(walk, 3));
    return place.mask ? asks(walk, "such a label selector") : 0;
}

/* Commas within "in (a, b)" separate values. */
static int check_labels(struct walk *walk, const char *selector)
{
    int r = selector && *selector ? check_label(walk, selector) : 0;
    unsigned depth = 0;
    for (; r == 0 && selector && *selector; selector++) {
        depth += *selector == '(';
        depth -= *selector == ')' && depth > 0;
        if (*selector == ',' && depth == 0)
            r = check_label(walk, selector + 1);
    }
    return r;
}

static bool sends_objects(const struct kube_request *request)
{
    static const char *const verbs[] = { "create", "update", "patch" };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(request->verb, verbs[i]) == 0)
            return true;
    return false;
}

int kube_plan_check(const struct kube_plan *plan, const struct kube_request *request, const char *type,
                    const void *bytes, size_t n, struct detail *detail)
{
    if (!plan)
        return 0;
    CLEANUP(free) uint64_t *states = calloc((KUBE_VEIL_DEPTH_MAX + 2) * plan->n_rules, sizeof *states);
    struct walk walk = { .plan = plan, .states = states, .detail = detail };
    if (!states)
        return -ENOMEM;
    int r = check_fields(&walk, kube_request_parameter(request, "fieldSelector"));
    r = r ? r : check_labels(&walk, kube_request_parameter(request, "labelSelector"));
    return r || n == 0 || !sends_objects(request) ? r : check_body(&walk, type, bytes, n);
}
