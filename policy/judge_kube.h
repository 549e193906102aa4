/* What a request to a Kubernetes API does, from its line and body. */
#pragma once
#include "policy/effect.h"
#include "policy/kube_body.h"
#include "policy/kube_request.h"

/* The effect of a request whose body is these bytes; type: its Content-Type or NULL. open: what else is in
 * the body is not known. -ENOMEM. */
MUST_USE int judge_kube(const struct kube_request *request, const char *type, const void *body, size_t n,
                        bool open, struct effects *effects);

/* "GET /api/v1/pods", as people write it: KUBE_REQUEST_REFUSED with a detail when it can't be judged. */
MUST_USE int judge_kube_line(const char *line, struct kube_request **ret, struct detail *detail);
/* The Content-Type that kubectl would send such a body with. */
const char *judge_kube_type(const struct kube_request *request, const void *body, size_t n);
