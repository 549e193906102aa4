/* Bodies of requests to a Kubernetes API. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/kube_body.h"
#include "policy/kube_effects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const types[] = { NULL, "application/json-patch+json", "application/yaml",
                                         "application/vnd.kubernetes.protobuf" };
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    struct effect effect = { .kind = EFFECT_REQUEST };
    if (n < 1)
        return 0;
    if (kube_body_read(types[bytes[0] % 4], bytes + 1, n - 1, &body) || kube_body_fields(body, &effect))
        abort();
    (void)kube_body_name(body);
    for (size_t i = 0; i < effect.n_also; i++) {
        if (!strchr(effect.also[i], '=') || strlen(effect.also[i]) >= KUBE_FIELD_MAX)
            abort();
        free(effect.also[i]);
    }
    free(effect.also);
    return 0;
}
