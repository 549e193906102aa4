/* Conditions on requests to a Kubernetes API. The mistakes that are looked for here are those that make a
 * rule about nothing: a kind in the place of a resource, a resource without its group, an index in a path. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy/config_sections.h"
#include "policy/kube_effects.h"
#include "policy/kube_path.h"

/* Those of the API; connect; and of what is no resource the method in lower case. */
static const char *const VERBS[] = {
    "get",   "list",    "watch", "create", "update", "patch", "delete", "connect", "deletecollection",
    "proxy", "options", "head",  "post",   "put",    NULL
};

/* Kubernetes' own resources that are in a group, and in none without one. */
static const struct {
    const char *name, *group;
} GROUPED[] = {
    { "deployments", "apps" },
    { "daemonsets", "apps" },
    { "statefulsets", "apps" },
    { "replicasets", "apps" },
    { "controllerrevisions", "apps" },
    { "jobs", "batch" },
    { "cronjobs", "batch" },
    { "horizontalpodautoscalers", "autoscaling" },
    { "ingresses", "networking.k8s.io" },
    { "ingressclasses", "networking.k8s.io" },
    { "networkpolicies", "networking.k8s.io" },
    { "roles", "rbac.authorization.k8s.io" },
    { "rolebindings", "rbac.authorization.k8s.io" },
    { "clusterroles", "rbac.authorization.k8s.io" },
    { "clusterrolebindings", "rbac.authorization.k8s.io" },
    { "poddisruptionbudgets", "policy" },
    { "podsecuritypolicies", "policy" },
    { "storageclasses", "storage.k8s.io" },
    { "volumeattachments", "storage.k8s.io" },
    { "customresourcedefinitions", "apiextensions.k8s.io" },
    { "apiservices", "apiregistration.k8s.io" },
    { "mutatingwebhookconfigurations", "admissionregistration.k8s.io" },
    { "validatingwebhookconfigurations", "admissionregistration.k8s.io" },
    { "certificatesigningrequests", "certificates.k8s.io" },
    { "leases", "coordination.k8s.io" },
    { "endpointslices", "discovery.k8s.io" },
    { "priorityclasses", "scheduling.k8s.io" },
};

static bool check_verb(struct config_reader *reader, const struct config_node *item, const char *word)
{
    return config_choice(reader, item, VERBS, &word);
}

/* The group that a resource lacks, or NULL. */
static const char *missing_group(const char *pattern)
{
    size_t n = strcspn(pattern, "/");
    for (size_t i = 0; i < sizeof GROUPED / sizeof *GROUPED; i++)
        if (strlen(GROUPED[i].name) == n && !strncmp(GROUPED[i].name, pattern, n))
            return GROUPED[i].group;
    return NULL;
}

static bool check_resource(struct config_reader *reader, const struct config_node *item, const char *pattern)
{
    const char *group = missing_group(pattern);

    if (pattern[0] != '/' && pattern[strcspn(pattern, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        config_fault(reader, item,
                     "\"%.80s\" is no resource: write its plural in lower case, as `kubectl api-resources` "
                     "does",
                     pattern);
    else if (group)
        config_fault(reader, item, "\"%.80s\" needs its group: write \"%.*s.%s%s\"", pattern,
                     (int)strcspn(pattern, "/"), pattern, group, pattern + strcspn(pattern, "/"));
    else
        return config_check_pattern(reader, item, pattern);
    return false;
}

/* ---- fields ---- */

static bool check_field_path(struct config_reader *reader, const struct config_node *key)
{
    struct kube_path path = { 0 };
    struct detail detail = { "" };
    int r = strlen(key->text) > KUBE_FIELD_MAX / 2 ? detail_fail(&detail, KUBE_PATH_BAD, "it is too long")
                                                   : kube_path_parse(key->text, &path, &detail);

    kube_path_clear(&path);
    if (r < 0)
        reader->no_memory = true;
    else if (r > 0)
        config_fault(reader, key, "bad path \"%.80s\": %s", key->text, detail.text);
    return r == 0;
}

static Ipc__FieldMatch *field_new(struct config_reader *reader, Ipc__Match *match)
{
    Ipc__FieldMatch *field = malloc(sizeof *field);

    if (!field || !config_grow(reader, match->n_fields, (void ***)&match->fields)) {
        free(field);
        reader->no_memory = true;
        return NULL;
    }
    *field = (Ipc__FieldMatch)IPC__FIELD_MATCH__INIT;
    match->fields[match->n_fields++] = field;
    return field;
}

static void read_fields(struct config_reader *reader, const struct config_node *node, Ipc__Match *match)
{
    const struct config_node *value = config_entries(reader, node);

    for (; value; value = value->next) {
        if (value->key->kind != CONFIG_TEXT || !value->key->size || !check_field_path(reader, value->key))
            continue;
        Ipc__FieldMatch *field = field_new(reader, match);
        if (!field)
            return;
        config_set(reader, &field->path, value->key->text);
        config_text_or_texts(reader, value, &field->n_values, &field->values);
    }
}

void config_read_kube_match(struct config_reader *reader, const struct config_node *node, Ipc__Match *match)
{
    config_read_words(reader, config_node_get(node, "verbs"), check_verb, &match->n_verbs, &match->verbs);
    config_read_words(reader, config_node_get(node, "resources"), check_resource, &match->n_resources,
                      &match->resources);
    config_read_words(reader, config_node_get(node, "namespaces"), config_check_pattern, &match->n_namespaces,
                      &match->namespaces);
    config_read_words(reader, config_node_get(node, "names"), config_check_pattern, &match->n_names,
                      &match->names);
    read_fields(reader, config_node_get(node, "fields"), match);
}
