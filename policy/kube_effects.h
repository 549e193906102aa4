/* What a request to a Kubernetes API server does, as an effect (docs/policy.md). */
#pragma once
#include "policy/effect.h"
#include "policy/kube_request.h"

enum {
    KUBE_NAME_MAX = 1024,  /* bytes of a name in a body; the server allows 253 */
    KUBE_FIELD_MAX = 1024, /* bytes of "path=value" */
};

/* The parts of such an effect's `exact`, as rules look at them: verb, resource ("pods/exec.GROUP"; "" of what
 * is none), namespace, name (or the path), KUBE_* flags. */
enum { KUBE_PARTS = 5 };
enum {
    KUBE_CONNECTS = 'c', /* a stream: what is done in it is judged by itself */
    KUBE_OPEN_BODY = 'o' /* what the body sets is not known whole */
};

/* Adds it. name: of the object in the body, where a create has it; or NULL. whole: the body has
 * been read to its end and is understood, or there is none; its fields follow by kube_effect_field().
 * Discovery (which groups, versions and resources there are) is a harmless call. */
MUST_USE int kube_effect(struct effects *effects, const struct kube_request *request, const char *name,
                         bool whole, struct effect **ret);
/* "spec.hostNetwork", "true"; elements of lists are "containers[*].image". A value with an EFFECT_HOLE may be
 * any to rules that refuse, and is none to those that allow. -ENOBUFS beyond EFFECT_ALSO_MAX.
 */
MUST_USE int kube_effect_field(struct effect *effect, const char *path, const char *value);
