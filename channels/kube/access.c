/* See access.h. The question is turned into the request that it asks about, and judged as that one would be:
 * what a body would say is not known, so a rule that looks at bodies is not met by it. */
#include "channels/kube/access.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "policy/holders.h"
#include "policy/kube_effects.h"

static const char GROUP[] = "authorization.k8s.io";
/* What "*" stands for, as far as rules can name it. */
static const char *const verbs[] = { "get",    "list",  "watch",  "create",
                                     "update", "patch", "delete", "deletecollection",
                                     NULL };

static void decref(json_t **slot)
{
    json_decref(*slot);
}

enum access_kind access_kind_of(const struct kube_request *request)
{
    if (!request->is_resource || strcmp(request->group, GROUP) != 0 || *request->subresource ||
        strcmp(request->verb, "create") != 0)
        return ACCESS_NONE;
    if (strcmp(request->resource, "selfsubjectaccessreviews") == 0)
        return ACCESS_REVIEW;
    return strcmp(request->resource, "selfsubjectrulesreviews") == 0 ? ACCESS_RULES : ACCESS_NONE;
}

/* ---- what is asked ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* As kube_request_read() would have it; the strings are borrowed. */
static struct kube_request asked(const json_t *attributes, const char *verb)
{
    static const char *const connecting[] = { "exec", "attach", "portforward", "proxy" };
    const char *subresource = text_of(attributes, "subresource");
    struct kube_request request = { .verb = verb,
                                    .is_resource = true,
                                    .group = (char *)(uintptr_t)text_of(attributes, "group"),
                                    .version = (char *)(uintptr_t) "",
                                    .resource = (char *)(uintptr_t)text_of(attributes, "resource"),
                                    .subresource = (char *)(uintptr_t)subresource,
                                    .space = (char *)(uintptr_t)text_of(attributes, "namespace"),
                                    .name = (char *)(uintptr_t)text_of(attributes, "name"),
                                    .path = (char *)(uintptr_t) "/" };
    for (size_t i = 0; i < sizeof connecting / sizeof connecting[0]; i++)
        request.connects = request.connects || strcmp(subresource, connecting[i]) == 0;
    return request;
}

static bool fits(const json_t *attributes)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)attributes, key, value)
    {
        if (json_string_length(value) > KUBE_NAME_MAX || strchr(text_of(attributes, key), EFFECT_WORD_END))
            return false;
    }
    return true;
}

static int add_path(const json_t *attributes, struct effects *effects)
{
    const struct kube_request request = { .verb = text_of(attributes, "verb"),
                                          .group = (char *)(uintptr_t) "",
                                          .resource = (char *)(uintptr_t) "",
                                          .subresource = (char *)(uintptr_t) "",
                                          .space = (char *)(uintptr_t) "",
                                          .name = (char *)(uintptr_t) "",
                                          .path = (char *)(uintptr_t)text_of(attributes, "path") };
    return kube_effect(effects, &request, NULL, true, NULL);
}

static int add_resource(const json_t *attributes, struct effects *effects)
{
    const char *verb = text_of(attributes, "verb");
    bool any = strcmp(verb, "*") == 0;
    int r = 0;
    for (size_t i = 0; r == 0 && (any ? verbs[i] != NULL : i == 0); i++) {
        const struct kube_request request = asked(attributes, any ? verbs[i] : verb);
        r = kube_effect(effects, &request, NULL, true, NULL);
    }
    return r;
}

static int find_effects(const void *body, size_t n, struct effects *effects)
{
    __attribute__((cleanup(decref))) json_t *root = json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *spec = json_object_get(root, "spec");
    const json_t *resource = json_object_get(spec, "resourceAttributes");
    const json_t *path = json_object_get(spec, "nonResourceAttributes");
    const json_t *one = json_is_object(resource) ? resource : path;
    if (!json_is_object(one) || !fits(one))
        return ACCESS_UNREADABLE;
    return one == resource ? add_resource(one, effects) : add_path(one, effects);
}

static void put_words(const struct verdict *verdict, const struct holders *holders, char *out, size_t size)
{
    char by[HOLDER_BY_MAX];
    if (verdict->action == ACTION_DENY)
        (void)snprintf(out, size, "denied by rule \"%s\": %s", verdict->rule, verdict->reason);
    else if (verdict->action == ACTION_HOLD && holders->n > 0)
        (void)snprintf(out, size, "needs an approval by %s (rule \"%s\")",
                       holder_by(holders->items[0].approve, by), verdict->rule);
    else if (*verdict->rule)
        (void)snprintf(out, size, "allowed by rule \"%s\"", verdict->rule);
    else
        (void)snprintf(out, size, "allowed");
}

int access_judge(const struct rulebook *rulebook, const struct circumstances *who, const void *body, size_t n,
                 struct access_verdict *ret)
{
    struct effects effects = { 0 };
    struct holders holders = { .n = 0 };
    *ret = (struct access_verdict){ .action = ACTION_DENY };
    int r = find_effects(body, n, &effects);
    if (r == 0) {
        struct verdict verdict = rulebook_decide(rulebook, who, &effects);
        if (verdict.action == ACTION_HOLD)
            holders_add_statement(&holders, rulebook, who, &effects);
        ret->action = verdict.action;
        put_words(&verdict, &holders, ret->words, sizeof ret->words);
    }
    effects_free(&effects);
    return r;
}

/* ---- what is answered ---- */

static int put_json(const json_t *root, struct buffer *out)
{
    char *text = json_dumps(root, JSON_COMPACT);
    int r = text ? buffer_append(out, text, strlen(text)) : -ENOMEM;
    free(text);
    return r ? r : buffer_append(out, "\n", 1);
}

static json_t *load(const void *answer, size_t n, const char *kind)
{
    json_t *root = json_loadb(answer, n, 0, NULL);
    if (json_is_object(json_object_get(root, "status")) && strcmp(text_of(root, "kind"), kind) == 0)
        return root;
    json_decref(root);
    return NULL;
}

int access_answer_review(const void *answer, size_t n, const struct access_verdict *verdict,
                         struct buffer *out)
{
    char words[2 * ACCESS_WORDS_MAX];
    __attribute__((cleanup(decref))) json_t *root = load(answer, n, "SelfSubjectAccessReview");
    json_t *status = json_object_get(root, "status");
    if (!root)
        return ACCESS_UNREADABLE;
    bool cluster = json_is_true(json_object_get(status, "allowed"));
    const char *reason = text_of(status, "reason");
    (void)snprintf(words, sizeof words, "gatehouse: %s; cluster: %s%s%.512s", verdict->words,
                   cluster ? "allowed" : "not allowed", *reason ? ": " : "", reason);
    if (json_object_set_new(status, "allowed", json_boolean(cluster && verdict->action != ACTION_DENY)) ||
        json_object_set_new(status, "reason", json_string(words)))
        return -ENOMEM;
    if (verdict->action == ACTION_DENY && json_object_set_new(status, "denied", json_true()))
        return -ENOMEM;
    return put_json(root, out);
}

/* ---- lists of rules ---- */

struct review {
    const struct rulebook *rulebook;
    const struct circumstances *who;
    const char *space;
    json_t *kept; /* list of rules */
};

static int is_denied(const struct review *review, const struct kube_request *request, bool *ret)
{
    struct effects effects = { 0 };
    int r = kube_effect(&effects, request, NULL, true, NULL);
    if (r == 0)
        *ret = rulebook_decide(review->rulebook, review->who, &effects).action == ACTION_DENY;
    effects_free(&effects);
    return r;
}

/* The verbs of a rule that are not denied on one resource ("pods/exec") of one group. */
static int keep_verbs(const struct review *review, const json_t *rule, const char *group,
                      const char *resource, json_t *kept)
{
    const json_t *listed = json_object_get(rule, "verbs");
    char text[KUBE_NAME_MAX];
    (void)snprintf(text, sizeof text, "%s", resource);
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < json_array_size(listed); i++) {
        const char *verb = json_string_value(json_array_get(listed, i));
        const struct kube_request request = { .verb = verb ? verb : "",
                                              .is_resource = true,
                                              .group = (char *)(uintptr_t)group,
                                              .version = (char *)(uintptr_t) "",
                                              .resource = text,
                                              .subresource = slash ? slash + 1 : (char *)(uintptr_t) "",
                                              .space = (char *)(uintptr_t)review->space,
                                              .name = (char *)(uintptr_t) "",
                                              .path = (char *)(uintptr_t) "/" };
        bool denied = false;
        int r = is_denied(review, &request, &denied);
        if (r == 0 && !denied)
            r = json_array_append(kept, json_array_get(listed, i)) ? -ENOMEM : 0;
        if (r)
            return r;
    }
    return 0;
}

static int keep_resource(const struct review *review, const json_t *rule, const char *group,
                         const char *resource)
{
    __attribute__((cleanup(decref))) json_t *kept = json_array();
    int r = kept ? keep_verbs(review, rule, group, resource, kept) : -ENOMEM;
    if (r || json_array_size(kept) == 0)
        return r;
    json_t *one = json_pack("{s:O,s:[s],s:[s]}", "verbs", kept, "apiGroups", group, "resources", resource);
    const json_t *names = json_object_get(rule, "resourceNames");
    if (one && names && json_object_set(one, "resourceNames", (json_t *)(uintptr_t)names)) {
        json_decref(one);
        return -ENOMEM;
    }
    return one && json_array_append_new(review->kept, one) == 0 ? 0 : -ENOMEM;
}

/* A rule of the cluster is for every resource in every one of its groups. What it calls "*" can't be judged.
 */
static int keep_rule(const struct review *review, const json_t *rule)
{
    const json_t *groups = json_object_get(rule, "apiGroups"),
                 *resources = json_object_get(rule, "resources");
    int r = 0;
    for (size_t g = 0; r == 0 && g < json_array_size(groups); g++) {
        for (size_t k = 0; r == 0 && k < json_array_size(resources); k++) {
            const char *group = json_string_value(json_array_get(groups, g));
            const char *resource = json_string_value(json_array_get(resources, k));
            if (group && resource && strlen(resource) < KUBE_NAME_MAX && strlen(group) < KUBE_NAME_MAX)
                r = keep_resource(review, rule, group, resource);
        }
    }
    return r;
}

static int keep_rules(const struct review *review, const json_t *status)
{
    const json_t *rules = json_object_get(status, "resourceRules");
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(rules); i++)
        r = keep_rule(review, json_array_get(rules, i));
    return r;
}

int access_answer_rules(const struct rulebook *rulebook, const struct circumstances *who, const char *space,
                        const void *answer, size_t n, struct buffer *out)
{
    static const char incomplete[] = "this is what the cluster allows, without what Gatehouse denies for "
                                     "certain; the command `describe` lists Gatehouse's own rules";
    __attribute__((cleanup(decref))) json_t *root = load(answer, n, "SelfSubjectRulesReview");
    json_t *status = json_object_get(root, "status");
    if (!root)
        return ACCESS_UNREADABLE;
    __attribute__((cleanup(decref))) json_t *kept = json_array();
    const struct review review = { rulebook, who, space, kept };
    int r = kept ? keep_rules(&review, status) : -ENOMEM;
    if (r)
        return r;
    if (json_object_set(status, "resourceRules", kept) ||
        json_object_set_new(status, "incomplete", json_true()) ||
        json_object_set_new(status, "evaluationError", json_string(incomplete)))
        return -ENOMEM;
    return put_json(root, out);
}

char *access_space(const void *body, size_t n, char *out, size_t size)
{
    json_t *root = json_loadb(body, n, 0, NULL);
    (void)snprintf(out, size, "%s", text_of(json_object_get(root, "spec"), "namespace"));
    json_decref(root);
    return out;
}
