/* A request to a Kubernetes API server: what its line asks for, read as the server itself reads it
 * (k8s.io/apiserver, pkg/endpoints/request/requestinfo.go). No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"

enum {
    KUBE_TARGET_MAX = 16 * 1024, /* bytes of a request target, path and query */
    KUBE_PARTS_MAX = 128,        /* parts of a path */
    KUBE_QUERY_MAX = 256,        /* parameters of a query */
};

struct kube_parameter {
    char *name, *value; /* decoded; never NULL */
};

/* Strings are never NULL; "" is none. */
struct kube_request {
    const char *verb; /* "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
                         "proxy"; of what is no resource: the method in lower case; static */
    bool is_resource; /* else only path counts */
    bool connects;    /* exec, attach, portforward, proxy: a stream or somebody else's HTTP behind it */
    char *group, *version, *resource, *subresource, *space, *name; /* space: the namespace */
    char *path;                                                    /* decoded */
    char *target; /* the one form that is sent on: what was judged, encoded again */
    struct kube_parameter *query;
    size_t n_query;
};

enum { KUBE_REQUEST_REFUSED = 1 };
/* method: as sent. target: the request target in origin form (RFC 9112 §3.2.1). KUBE_REQUEST_REFUSED: detail
 * says why it is not one that can be judged, for its sender; such are paths that two readers may read
 * differently. -ENOMEM. */
MUST_USE int kube_request_read(const char *method, const char *target, struct kube_request **ret,
                               struct detail *detail);
void kube_request_free(struct kube_request *request);
DEFINE_CLEANUP(struct kube_request *, kube_request_free)

/* The first value of a parameter, which is the one that the server takes; NULL when there is none. */
const char *kube_request_parameter(const struct kube_request *request, const char *name);
/* "pods", "deployments.apps", "pods/exec": as rules name it; returns out. */
char *kube_request_resource(const struct kube_request *request, char *out, size_t size);
