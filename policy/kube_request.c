/* Path and query are decoded once, and encoded anew for the server: what is judged and what is sent can't
 * differ. Whatever two readers of a URL disagree about is refused instead: "//", ".", "..", encoded slashes
 * and control bytes in paths; ";" in queries, which Go before 1.17 took for "&"; parameters that are there
 * twice, of which the server takes the first. */
#include "policy/kube_request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/kube_url.h"

struct parts {
    char *items[KUBE_PARTS_MAX]; /* point into request->path's copy */
    size_t n;
};

static const struct {
    const char *method, *verb, *resource_verb;
} methods[] = {
    { "GET", "get", "get" },    { "HEAD", "head", "get" },     { "POST", "post", "create" },
    { "PUT", "put", "update" }, { "PATCH", "patch", "patch" }, { "DELETE", "delete", "delete" },
};

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(text, *list) == 0)
            return true;
    return false;
}

void kube_request_free(struct kube_request *request)
{
    if (!request)
        return;
    free(request->group);
    free(request->version);
    free(request->resource);
    free(request->subresource);
    free(request->space);
    free(request->name);
    free(request->path);
    free(request->target);
    for (size_t i = 0; i < request->n_query; i++) {
        free(request->query[i].name);
        free(request->query[i].value);
    }
    free(request->query);
    free(request);
}

const char *kube_request_parameter(const struct kube_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_query; i++)
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    return NULL;
}

char *kube_request_resource(const struct kube_request *request, char *out, size_t size)
{
    (void)snprintf(out, size, "%s%s%s%s%s", request->resource, *request->group ? "." : "", request->group,
                   *request->subresource ? "/" : "", request->subresource);
    return out;
}

/* ---- the path ---- */

static int set(char **slot, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    free(*slot);
    *slot = copy;
    return 0;
}

/* Which parts are resource, name and subresource, behind the version. */
static int read_resource(struct kube_request *request, char *const *parts, size_t n)
{
    static const char *const of_namespaces[] = { "status", "finalize", NULL };
    static const char *const connecting[] = { "exec", "attach", "portforward", "proxy", NULL };
    int r = 0;
    if (strcmp(parts[0], "namespaces") == 0 && n > 1) {
        r = set(&request->space, parts[1]);
        if (n > 2 && !is_one_of(parts[2], of_namespaces))
            parts += 2, n -= 2;
    }
    r = r ? r : set(&request->resource, parts[0]);
    if (n >= 2)
        r = r ? r : set(&request->name, parts[1]);
    bool prefixed = strcmp(request->verb, "proxy") == 0;
    if (n >= 3 && !prefixed)
        r = r ? r : set(&request->subresource, parts[2]);
    request->connects = prefixed || is_one_of(request->subresource, connecting);
    return r;
}

/* Parts behind /api or /apis/GROUP. */
static int read_version(struct kube_request *request, char *const *parts, size_t n, struct detail *detail)
{
    static const char *const verbs[] = { "proxy", "watch" };
    int r = set(&request->version, parts[0]);
    parts++, n--;
    for (size_t i = 0; r == 0 && i < 2; i++) {
        if (strcmp(parts[0], verbs[i]) != 0)
            continue;
        if (n < 2)
            return detail_fail(detail, KUBE_REQUEST_REFUSED, "nothing stands behind /%s/ in the path",
                               verbs[i]);
        request->verb = verbs[i];
        return read_resource(request, parts + 1, n - 1);
    }
    return r ? r : read_resource(request, parts, n);
}

static int read_parts(struct kube_request *request, const struct parts *parts, const char *resource_verb,
                      struct detail *detail)
{
    char *const *items = parts->items;
    if (parts->n >= 3 && strcmp(items[0], "api") == 0) {
        request->is_resource = true;
        request->verb = resource_verb;
        return read_version(request, items + 1, parts->n - 1, detail);
    }
    if (parts->n >= 4 && strcmp(items[0], "apis") == 0) {
        request->is_resource = true;
        request->verb = resource_verb;
        int r = set(&request->group, items[1]);
        return r ? r : read_version(request, items + 2, parts->n - 2, detail);
    }
    return 0;
}

/* Splits the decoded path in place. An empty part at the end (a trailing slash) is none. */
static int split(char *path, struct parts *parts, struct detail *detail)
{
    char *rest = path + 1;
    while (*rest) {
        char *slash = strchr(rest, '/');
        if (parts->n == KUBE_PARTS_MAX)
            return detail_fail(detail, KUBE_REQUEST_REFUSED, "the path has more than %d parts",
                               KUBE_PARTS_MAX);
        parts->items[parts->n++] = rest;
        if (!slash)
            return 0;
        *slash = '\0';
        rest = slash + 1;
    }
    return 0;
}

/* ---- what the query changes ---- */

/* conversion.Convert_Slice_string_To_bool: all but "0" and "false" is true, the empty string too. */
static bool is_set(const char *value)
{
    return value && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0;
}

/* The name of `metadata.name=NAME` in a field selector: the server takes it for the request's. Whatever has
 * an escape is no such name. */
static int name_of_selector(struct kube_request *request, const char *selector)
{
    static const char field[] = "metadata.name";
    if (!selector || strchr(selector, '\\'))
        return 0;
    for (const char *term = selector; term; term = strchr(term, ',') ? strchr(term, ',') + 1 : NULL) {
        if (strncmp(term, field, sizeof field - 1) != 0 || term[sizeof field - 1] != '=')
            continue;
        const char *value = term + sizeof field;
        value += *value == '=';
        size_t n = strcspn(value, ",");
        if (n == 0 || memchr(value, '/', n) || memchr(value, '%', n))
            return 0;
        char *name = strndup(value, n);
        if (!name)
            return -ENOMEM;
        free(request->name);
        request->name = name;
        return 0;
    }
    return 0;
}

static int read_collection(struct kube_request *request)
{
    if (*request->name || !request->is_resource)
        return 0;
    if (strcmp(request->verb, "delete") == 0)
        request->verb = "deletecollection";
    if (strcmp(request->verb, "get") != 0)
        return 0;
    request->verb = is_set(kube_request_parameter(request, "watch")) ? "watch" : "list";
    return name_of_selector(request, kube_request_parameter(request, "fieldSelector"));
}

/* ---- all of it ---- */

static struct kube_request *request_new(void)
{
    struct kube_request *request = calloc(1, sizeof *request);
    if (!request)
        return NULL;
    char **const slots[] = { &request->group,       &request->version, &request->resource,
                             &request->subresource, &request->space,   &request->name };
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
        *slots[i] = strdup("");
        if (!*slots[i]) {
            kube_request_free(request);
            return NULL;
        }
    }
    return request;
}

/* What is behind a proxy gets whatever query it likes. */
static int check_repeats(const struct kube_request *request, struct detail *detail)
{
    if (request->connects && strcmp(request->subresource, "exec") != 0)
        return 0;
    for (size_t i = 0; i < request->n_query; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(request->query[i].name, request->query[k].name) == 0 &&
                strcmp(request->query[i].name, "command") != 0)
                return detail_fail(detail, KUBE_REQUEST_REFUSED, "the parameter \"%.64s\" is there twice",
                                   request->query[i].name);
    return 0;
}

int kube_request_read(const char *method, const char *target, struct kube_request **ret,
                      struct detail *detail)
{
    CLEANUP(kube_request_free) struct kube_request *request = request_new();
    struct parts parts = { .n = 0 };
    size_t m = 0;
    if (!request)
        return -ENOMEM;
    while (m < sizeof methods / sizeof methods[0] && strcmp(methods[m].method, method) != 0)
        m++;
    if (m == sizeof methods / sizeof methods[0])
        return detail_fail(detail, KUBE_REQUEST_REFUSED, "the method \"%.32s\" is none of the Kubernetes API",
                           method);
    if (strlen(target) > KUBE_TARGET_MAX)
        return detail_fail(detail, KUBE_REQUEST_REFUSED, "the request target is longer than %d bytes",
                           KUBE_TARGET_MAX);
    request->verb = methods[m].verb;
    int r = kube_url_read(target, &request->path, &request->query, &request->n_query, detail);
    if (r)
        return r;
    CLEANUP(free) char *copy = strdup(request->path);
    if (!copy)
        return -ENOMEM;
    r = split(copy, &parts, detail);
    r = r ? r : read_parts(request, &parts, methods[m].resource_verb, detail);
    r = r ? r : check_repeats(request, detail);
    r = r ? r : read_collection(request);
    r = r ? r : kube_url_write(request->path, request->query, request->n_query, &request->target);
    if (r == 0)
        *ret = STEAL(request);
    return r;
}
