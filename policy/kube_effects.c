/* See kube_effects.h. */
#include "policy/kube_effects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(EFFECT_WORD_END == '\x1f', "parts are written and read with it");

/* What every client asks before anything else, and what says nothing of anybody's objects. */
static bool is_discovery(const struct kube_request *request)
{
    static const char *const exactly[] = { "/",       "/version", "/version/", "/healthz", "/livez",
                                           "/readyz", "/api",     "/api/",     "/apis",    "/apis/" };
    static const char *const below[] = { "/api/", "/apis/", "/openapi/" };
    if (request->is_resource || (strcmp(request->verb, "get") != 0 && strcmp(request->verb, "head") != 0))
        return false;
    for (size_t i = 0; i < sizeof exactly / sizeof exactly[0]; i++)
        if (strcmp(request->path, exactly[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
        if (strncmp(request->path, below[i], strlen(below[i])) == 0)
            return true;
    return false;
}

/* "get pods/exec prod/web-0", "list nodes", "get /version". */
static void describe(const struct kube_request *request, const char *resource, const char *name, char *out,
                     size_t size)
{
    bool spaced = *request->space && strcmp(request->resource, "namespaces") != 0;
    if (!request->is_resource)
        (void)snprintf(out, size, "%s %s", request->verb, request->path);
    else
        (void)snprintf(out, size, "%s %s%s%s%s%s", request->verb, resource, spaced || *name ? " " : "",
                       spaced ? request->space : "", spaced ? "/" : "",
                       *name    ? name
                       : spaced ? "*"
                                : "");
}

/* The object's name: of the line, or of the body where that can be one. */
static const char *name_of(const struct kube_request *request, const char *in_body)
{
    if (!request->is_resource)
        return request->path;
    if (*request->name || !in_body || strcmp(request->verb, "create") != 0)
        return request->name;
    return strlen(in_body) <= KUBE_NAME_MAX && !strchr(in_body, EFFECT_WORD_END) ? in_body : "";
}

int kube_effect(struct effects *effects, const struct kube_request *request, const char *name, bool whole,
                struct effect **ret)
{
    enum { SIZE = 2 * KUBE_TARGET_MAX };
    CLEANUP(free) char *exact = malloc(SIZE);
    CLEANUP(free) char *words = malloc(SIZE);
    CLEANUP(free) char *resource = malloc(SIZE);
    if (!exact || !words || !resource)
        return -ENOMEM;
    name = name_of(request, name);
    (void)kube_request_resource(request, resource, SIZE);
    (void)snprintf(exact, SIZE, "%s\x1f%s\x1f%s\x1f%s\x1f%s%s\x1f", request->verb, resource, request->space,
                   name, request->connects ? "c" : "", whole ? "" : "o");
    describe(request, resource, request->is_resource ? name : "", words, SIZE);
    size_t before = effects->count;
    int r = effects_add_exact(effects, EFFECT_REQUEST, OBJECT_RESOURCE, words, exact);
    if (r)
        return r;
    struct effect *effect = &effects->items[before < effects->count ? before : effects->count - 1];
    effect->harmless_call = is_discovery(request);
    if (ret)
        *ret = effect;
    return 0;
}

int kube_effect_field(struct effect *effect, const char *path, const char *value)
{
    char text[KUBE_FIELD_MAX];
    (void)snprintf(text, sizeof text, "%s=%s", path, value);
    return effect_add_also(effect, text);
}
