/* Lines of requests to a Kubernetes API server: what is sent on must be read as what was judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/kube_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must_be_same(const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const methods[] = {
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"
    };
    CLEANUP(kube_request_free) struct kube_request *first = NULL;
    CLEANUP(kube_request_free) struct kube_request *again = NULL;
    struct detail detail;
    if (n < 1)
        return 0;
    CLEANUP(free) char *target = strndup((const char *)bytes + 1, n - 1);
    const char *method = methods[bytes[0] % 8];
    if (!target || kube_request_read(method, target, &first, &detail) != 0)
        return 0;
    if (strpbrk(first->path, "%\n\r") || strstr(first->path, "//") || strstr(first->path, "/../"))
        abort();
    /* An encoding can be longer than what is read. */
    if (kube_request_read(method, first->target, &again, &detail) != 0) {
        if (strlen(first->target) <= KUBE_TARGET_MAX)
            abort();
        return 0;
    }
    must_be_same(first->verb, again->verb);
    must_be_same(first->group, again->group);
    must_be_same(first->version, again->version);
    must_be_same(first->resource, again->resource);
    must_be_same(first->subresource, again->subresource);
    must_be_same(first->space, again->space);
    must_be_same(first->name, again->name);
    must_be_same(first->path, again->path);
    must_be_same(first->target, again->target);
    if (first->n_query != again->n_query || first->is_resource != again->is_resource)
        abort();
    return 0;
}
