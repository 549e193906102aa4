/* Refusals as clients of a Kubernetes API read them: a Status object (contract.md §3). No I/O. */
#pragma once
#include "base/buffer.h"
#include "policy/kube_request.h"

/* Strings are borrowed. */
struct kube_status {
    const char *code;    /* contract.md §3: "denied", "target_unavailable", … */
    const char *reason;  /* for a person */
    const char *rule;    /* or NULL */
    const char *request; /* id of a request for approval; or NULL, "" */
    const char *next;    /* what to do next, or NULL: by code */
    unsigned http;       /* the status; 0: by code */
    unsigned wait_s;     /* after which it may be tried again; 0: nothing is said of it */
};

/* The status that goes with its code. */
unsigned kube_status_http(const struct kube_status *status);
/* Appends the object. of: what was asked for, or NULL. */
MUST_USE int kube_status_put(struct buffer *out, const struct kube_status *status,
                             const struct kube_request *of);
