/* See judge_kube.h. */
#include "policy/judge_kube.h"

#include <errno.h>
#include <string.h>

#include "policy/kube_effects.h"

/* More fields than an effect may have are as many as are not known: kube_body_is_whole() is false then. */
static int add_fields(const struct kube_body *body, struct effect *effect)
{
    int r = kube_body_fields(body, effect);
    return r == -ENOBUFS ? 0 : r;
}

int judge_kube(const struct kube_request *request, const char *type, const void *body, size_t n, bool open,
               struct effects *effects)
{
    CLEANUP(kube_body_free) struct kube_body *read = NULL;
    struct effect *effect = NULL;
    int r = kube_body_read(type, body, n, &read);
    if (r)
        return r;
    r = kube_effect(effects, request, kube_body_name(read), !open && kube_body_is_whole(read), &effect);
    return r ? r : add_fields(read, effect);
}

int judge_kube_line(const char *line, struct kube_request **ret, struct detail *detail)
{
    char method[16];
    size_t n = strcspn(line, " ");
    if (n == 0 || n >= sizeof method || line[n] != ' ' || line[n + 1] != '/')
        return detail_fail(detail, KUBE_REQUEST_REFUSED,
                           "a request is a method and a path, as in 'GET /api/v1/namespaces/web/pods'");
    memcpy(method, line, n);
    method[n] = '\0';
    return kube_request_read(method, line + n + 1, ret, detail);
}

const char *judge_kube_type(const struct kube_request *request, const void *body, size_t n)
{
    const char *text = body;
    size_t at = 0;
    if (strcmp(request->verb, "patch") != 0)
        return "application/json";
    while (at < n && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
        at++;
    return at < n && text[at] == '[' ? "application/json-patch+json"
                                     : "application/strategic-merge-patch+json";
}
