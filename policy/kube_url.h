/* Request targets of the Kubernetes API, decoded and encoded (RFC 3986 §2, §3.3; WHATWG URL §5 for queries,
 * as Go's net/url). */
#pragma once
#include <stddef.h>
#include "policy/kube_request.h"

/* The path, decoded, begins with a slash and has neither empty parts (but for a trailing slash) nor "." or
 * "..". What it returns is the caller's, also after a failure: *ret_query and *ret_n are always set. */
MUST_USE int kube_url_read(const char *target, char **ret_path, struct kube_parameter **ret_query,
                           size_t *ret_n, struct detail *detail);
/* The other way round. */
MUST_USE int kube_url_write(const char *path, const struct kube_parameter *query, size_t n,
                            char **ret_target);
