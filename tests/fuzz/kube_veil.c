/* What is seen of a cluster's answers: the same however it comes in pieces, and never a value that is masked.
 * The first byte says of which resource it is and how large the pieces are. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/veil.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const targets[] = { "/api/v1/namespaces/a/secrets/b", "/api/v1/namespaces/a/pods/b" };

static struct kube_plan *plan_of(const char *target, const char *method, struct kube_request **request)
{
    static char values[] = "pods.spec.**.value", status[] = "*.status", name[] = "m", with[] = "redact";
    static char *columns[] = { values, status };
    Ipc__Mask mask = IPC__MASK__INIT, *masks[] = { &mask };
    static Ipc__Config config = IPC__CONFIG__INIT;
    static Ipc__Target cluster = IPC__TARGET__INIT;
    struct circumstances who = { .target = "prod" };
    struct kube_plan *plan = NULL;
    struct detail detail;
    mask.name = name;
    mask.with = with;
    mask.columns = columns;
    mask.n_columns = 2;
    config.masks = masks;
    config.n_masks = 1;
    if (kube_request_read(method, target, request, &detail) ||
        kube_plan_new(&config, &cluster, &who, *request, NULL, &plan))
        abort();
    return plan;
}

/* Whether all of it could be read. */
static bool look(const struct kube_plan *plan, const uint8_t *bytes, size_t n, size_t step,
                 struct buffer *out)
{
    CLEANUP(kube_veil_free) struct kube_veil *veil = NULL;
    int r = kube_veil_new(plan, &veil);
    for (size_t at = 0; r == 0 && at < n; at += step)
        r = kube_veil_bytes(veil, bytes + at, n - at < step ? n - at : step, out);
    r = r ? r : kube_veil_end(veil);
    if (r < 0)
        abort();
    return r == 0;
}

static bool is_masked(const json_t *value)
{
    const char *text = json_string_value(value), *key;
    json_t *inner;
    size_t i;
    if (text)
        return strcmp(text, "W3JlZGFjdGVkXQ==") == 0;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, inner) if (!is_masked(inner)) return false;
    }
    json_array_foreach(value, i, inner) if (!is_masked(inner)) return false;
    return !json_is_true(value) && (!json_is_number(value) || json_number_value(value) == 0);
}

/* By another reader of JSON: each value of `data` of a Secret, or of the Secrets of a list, is a mask. */
static void check_secret(const json_t *secret)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(secret, "data"), key, value) if (!is_masked(value)) abort();
}

static void check(const struct buffer *out)
{
    json_t *whole = json_loadb((const char *)buffer_head(out), buffer_size(out), JSON_DECODE_ANY, NULL),
           *item;
    size_t i;
    if (!whole)
        return;
    check_secret(whole);
    check_secret(json_object_get(whole, "object"));
    json_array_foreach(json_object_get(whole, "items"), i, item) check_secret(item);
    json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct buffer whole, pieces, again;
    struct detail detail;
    if (n < 2)
        return 0;
    size_t which = bytes[0] & 1, step = 1 + (bytes[0] >> 1);
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(kube_plan_free)
    struct kube_plan *plan = plan_of(targets[which], bytes[1] & 1 ? "PUT" : "PATCH", &request);
    bool is_patch = bytes[1] & 2;
    bytes += 2;
    n -= 2;
    buffer_init(&whole, 1 << 26);
    buffer_init(&pieces, 1 << 26);
    buffer_init(&again, 1 << 26);
    bool good = look(plan, bytes, n, n + 1, &whole);
    if (good != look(plan, bytes, n, step, &pieces))
        abort();
    if (good) {
        if (buffer_size(&whole) != buffer_size(&pieces) ||
            (buffer_size(&whole) &&
             memcmp(buffer_head(&whole), buffer_head(&pieces), buffer_size(&whole)) != 0))
            abort();
        /* What an inner text that breaks off ends with is not JSON either. */
        bool nested = buffer_size(&whole) > 0 &&
                      memmem(buffer_head(&whole), buffer_size(&whole), "last-applied", 12) != NULL;
        if (!look(plan, buffer_head(&whole), buffer_size(&whole), n + 1, &again) ||
            (!nested && buffer_size(&again) != buffer_size(&whole)))
            abort();
        if (which == 0)
            check(&whole);
    }
    if (kube_plan_check(plan, request, is_patch ? "application/json-patch+json" : NULL, bytes, n, &detail) <
        0)
        abort();
    buffer_free(&whole);
    buffer_free(&pieces);
    buffer_free(&again);
    return 0;
}
