/* A request says for certain what it is about, with these exceptions, in which a rule that allows does not
 * match and one that refuses does:
 *
 * - A list, a watch or a deletion of a whole collection names no object: it may meet any. Across all
 * namespaces it may meet any namespace.
 * - The same objects can be had by more than one API group (deployments.extensions, events.events.k8s.io): a
 * rule that refuses is about a resource of that name in every group.
 * - The fields of a body that was not read to its end. */
#include "policy/rules_kube.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/kube_effects.h"
#include "policy/kube_path.h"

/* Resources without a namespace, of Kubernetes itself (kubectl api-resources --namespaced=false). */
static const char *const unspaced[] = {
    "componentstatuses",
    "namespaces",
    "nodes",
    "persistentvolumes",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "customresourcedefinitions.apiextensions.k8s.io",
    "apiservices.apiregistration.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
    "subjectaccessreviews.authorization.k8s.io",
    "tokenreviews.authentication.k8s.io",
    "certificatesigningrequests.certificates.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "ingressclasses.networking.k8s.io",
    "runtimeclasses.node.k8s.io",
    "podsecuritypolicies.policy",
    "clusterrolebindings.rbac.authorization.k8s.io",
    "clusterroles.rbac.authorization.k8s.io",
    "priorityclasses.scheduling.k8s.io",
    "csidrivers.storage.k8s.io",
    "csinodes.storage.k8s.io",
    "storageclasses.storage.k8s.io",
    "volumeattachments.storage.k8s.io",
};

struct asked {
    char *verb, *resource, *space, *name, *flags; /* into `text` */
    char *text;
};

/* Splits a copy of exact. */
static bool asked_read(const struct effect *effect, struct asked *asked)
{
    *asked = (struct asked){ .text = strdup(effect->exact ? effect->exact : "") };
    char *rest = asked->text;
    char **const parts[KUBE_PARTS] = { &asked->verb, &asked->resource, &asked->space, &asked->name,
                                       &asked->flags };
    for (int i = 0; i < KUBE_PARTS && rest; i++) {
        *parts[i] = strsep(&rest, "\x1f");
    }
    return asked->flags != NULL;
}

static bool is_collection(const struct asked *asked)
{
    return !*asked->name || strcmp(asked->verb, "deletecollection") == 0;
}

static bool has_no_space(const struct asked *asked)
{
    if (!is_collection(asked))
        return true; /* one object without a namespace in its path lives in none */
    for (size_t i = 0; i < sizeof unspaced / sizeof unspaced[0]; i++)
        if (strcmp(unspaced[i], asked->resource) == 0)
            return true;
    return false;
}

static bool any_glob(char *const *patterns, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(patterns[i], text, 0) == 0)
            return true;
    return false;
}

/* All namespaces are meant by "*" alone: "?*" and the like are globs over the names of some. */
static bool names_all(char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(patterns[i], "*") == 0)
            return true;
    return false;
}

/* ---- the conditions ---- */

static bool names_subresource(const Ipc__Match *match, const struct asked *asked)
{
    for (size_t i = 0; i < match->n_resources; i++)
        if (strchr(match->resources[i], '/') && fnmatch(match->resources[i], asked->resource, 0) == 0)
            return true;
    return false;
}

/* exec, attach and port-forward: the same whether they are asked for by GET (over a WebSocket) or by POST. */
static bool is_either_way(const struct asked *asked, const char *verb)
{
    size_t n = strlen(asked->resource), proxy = strlen("/proxy");
    bool proxied = n > proxy && strcmp(asked->resource + n - proxy, "/proxy") == 0;
    return !proxied && (strcmp(verb, "get") == 0 || strcmp(verb, "create") == 0);
}

/* Who may only look must not get into a container by a `get`, and who may not create not by another method.
 */
static bool verbs_hold(const Ipc__Match *match, const struct asked *asked, enum certainty certainty)
{
    bool connects = strchr(asked->flags, KUBE_CONNECTS);
    bool by_method = !connects || certainty == PERHAPS || names_subresource(match, asked);
    for (size_t i = 0; i < match->n_verbs; i++)
        if ((by_method && strcmp(match->verbs[i], asked->verb) == 0) ||
            (connects && strcmp(match->verbs[i], "connect") == 0) ||
            (connects && certainty == PERHAPS && is_either_way(asked, match->verbs[i])))
            return true;
    return match->n_verbs == 0;
}

/* "deployments.apps/scale" is "deployments/scale" in some group. */
static void without_group(const char *resource, char *out, size_t size)
{
    const char *slash = strchr(resource, '/');
    size_t n = strcspn(resource, ".");
    n = slash && (size_t)(slash - resource) < n ? (size_t)(slash - resource) : n;
    (void)snprintf(out, size, "%.*s%s", (int)n, resource, slash ? slash : "");
}

static bool resources_hold(const Ipc__Match *match, const struct asked *asked, enum certainty certainty)
{
    char wanted[512], there[512];
    const char *what = *asked->resource ? asked->resource : asked->name;
    if (match->n_resources == 0 || any_glob(match->resources, match->n_resources, what))
        return true;
    if (certainty == SURELY || !*asked->resource)
        return false;
    without_group(asked->resource, there, sizeof there);
    for (size_t i = 0; i < match->n_resources; i++) {
        without_group(match->resources[i], wanted, sizeof wanted);
        if (fnmatch(wanted, there, 0) == 0)
            return true;
    }
    return false;
}

static bool spaces_hold(const Ipc__Match *match, const struct asked *asked, enum certainty certainty)
{
    if (match->n_namespaces == 0)
        return true;
    if (*asked->space)
        return any_glob(match->namespaces, match->n_namespaces, asked->space);
    return *asked->resource && !has_no_space(asked) &&
           (certainty == PERHAPS || names_all(match->namespaces, match->n_namespaces));
}

/* Behind a proxy the name may have a scheme and a port: "http:db:80", "db:80". What is refused by its name is
 * so in any such form. */
static bool names_within_hold(const Ipc__Match *match, const struct asked *asked)
{
    char name[KUBE_NAME_MAX + 1];
    const char *first = strchr(asked->name, ':'), *last = strrchr(asked->name, ':');
    if (!first || !strchr(asked->flags, KUBE_CONNECTS))
        return false;
    const char *at = first == last ? asked->name : first + 1;
    int n = snprintf(name, sizeof name, "%.*s", (int)(last - at), at);
    return n < 0 || (size_t)n >= sizeof name || any_glob(match->names, match->n_names, name);
}

static bool names_hold(const Ipc__Match *match, const struct asked *asked, enum certainty certainty)
{
    if (match->n_names == 0)
        return true;
    if (!*asked->resource)
        return false;
    bool named = *asked->name && any_glob(match->names, match->n_names, asked->name);
    return named || (certainty == PERHAPS && (is_collection(asked) || names_within_hold(match, asked)));
}

/* The states behind one part of a path, as kube_body.h writes them: a key, a key in brackets, or "[*]". */
static uint64_t step_part(const struct kube_path *pattern, uint64_t states, const char **path)
{
    const char *at = *path, *end = *at == '[' ? strchr(at, ']') : NULL;
    if (!end) {
        size_t n = *at == '[' ? strlen(at) : strcspn(at, ".[");
        *path = at + n + (at[n] == '.');
        return kube_path_step(pattern, states, at, n);
    }
    size_t n = (size_t)(end - at) - 1;
    bool element = n == 1 && at[1] == '*';
    *path = end + 1 + (end[1] == '.');
    return kube_path_step(pattern, states, element ? NULL : at + 1, n);
}

static bool path_is_met(const struct kube_path *pattern, const char *path)
{
    uint64_t states = kube_path_start(pattern);
    while (*path && states)
        states = step_part(pattern, states, &path);
    return kube_path_is_met(pattern, states);
}

bool kube_path_matches(const char *pattern, const char *path)
{
    struct kube_path parsed = { 0 };
    bool met = kube_path_parse(pattern, &parsed, NULL) == 0 && path_is_met(&parsed, path);
    kube_path_clear(&parsed);
    return met;
}

static bool value_holds(const Ipc__FieldMatch *field, const char *value, enum certainty certainty)
{
    if (strchr(value, EFFECT_HOLE))
        return certainty == PERHAPS;
    return any_glob(field->values, field->n_values, value);
}

/* A body may set a field several times over: the images of all containers. For certain it is of these values
 * when each of them is; perhaps when one is. Without a pattern that can be read (memory) it is perhaps. */
static bool field_holds(const Ipc__FieldMatch *field, const struct effect *effect, enum certainty certainty)
{
    struct kube_path pattern = { 0 };
    char path[KUBE_FIELD_MAX];
    size_t met = 0, held = 0;
    if (kube_path_parse(field->path, &pattern, NULL))
        return certainty == PERHAPS;
    for (size_t i = 0; i < effect->n_also; i++) {
        const char *equals = strchr(effect->also[i], '=');
        if (!equals || (size_t)(equals - effect->also[i]) >= sizeof path)
            continue;
        (void)snprintf(path, sizeof path, "%.*s", (int)(equals - effect->also[i]), effect->also[i]);
        if (!path_is_met(&pattern, path))
            continue;
        met++;
        held += value_holds(field, equals + 1, certainty);
    }
    kube_path_clear(&pattern);
    return held > 0 && (certainty == PERHAPS || held == met);
}

static bool fields_hold(const Ipc__Match *match, const struct asked *asked, const struct effect *effect,
                        enum certainty certainty)
{
    if (match->n_fields > 0 && strchr(asked->flags, KUBE_OPEN_BODY))
        return certainty == PERHAPS;
    for (size_t i = 0; i < match->n_fields; i++)
        if (!field_holds(match->fields[i], effect, certainty))
            return false;
    return true;
}

bool match_is_about_clusters(const Ipc__Match *match)
{
    return match->n_verbs || match->n_resources || match->n_namespaces || match->n_names || match->n_fields;
}

bool kube_keys_hold(const Ipc__Match *match, const struct effect *effect, enum certainty certainty)
{
    struct asked asked;
    bool holds = asked_read(effect, &asked) && verbs_hold(match, &asked, certainty) &&
                 resources_hold(match, &asked, certainty) && spaces_hold(match, &asked, certainty) &&
                 names_hold(match, &asked, certainty) && fields_hold(match, &asked, effect, certainty);
    free(asked.text);
    return holds;
}
