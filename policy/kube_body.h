/* The body of a request to a Kubernetes API server: what it sets, as fields of the effect
 * (policy/rules_kube.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/cleanup.h"
#include "base/error.h"
#include "policy/effect.h"

enum {
    KUBE_BODY_MAX = 3 * 1024 * 1024, /* bytes; the server takes as many by default */
    KUBE_BODY_DEPTH_MAX = 64,
    KUBE_BODY_FIELDS_MAX = 4096, /* values that are looked at */
};

struct kube_body;

/* Once per process, before it is jailed: the JSON reader takes random bytes from a file. */
void kube_body_start(void);

/* type: the Content-Type, or NULL. What can't be read as JSON (YAML, protobuf, names that are there twice,
 * too much of it) is a body that is not whole: any field may be set by it. Never fails but for memory. */
MUST_USE int kube_body_read(const char *type, const void *bytes, size_t n, struct kube_body **ret);
void kube_body_free(struct kube_body *body);
DEFINE_CLEANUP(struct kube_body *, kube_body_free)

/* metadata.name, or NULL. */
const char *kube_body_name(const struct kube_body *body);
/* Whether all that it sets is known, and fits. */
bool kube_body_is_whole(const struct kube_body *body);
/* Adds every value: "spec.hostNetwork=true", "spec.containers[*].image=x". A key with anything but letters,
 * digits, "-",
 * "_" and "/" stands in brackets: "metadata.annotations[example.com/x]=y". Operations of a JSON patch (RFC
 * 6902) are named by what they set; what they remove is "null", as in a merge patch (RFC 7386). */
MUST_USE int kube_body_fields(const struct kube_body *body, struct effect *effect);
