/* How fast a list of pods is looked through for what is masked in it, on one core.
 *
 *   objects [PODS]
 *
 * Prints MB/s of CPU: with a mask on environments in 64 KiB pieces, as answers come; the same with a kind
 * that looks at each value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "channels/kube/veil.h"

enum { PODS = 5000, RUNS = 5, PIECE = 64 * 1024, OUT_MAX = 4 << 20 };

static const char pod[] =
    "{\"metadata\":{\"name\":\"web-5d4f8c7b9-abcde\",\"namespace\":\"shop\",\"uid\":\"6f1c9a52-3f0e-4c52-"
    "9f0a-0c1d2e3f4a5b\","
    "\"resourceVersion\":\"184467\",\"labels\":{\"app\":\"web\",\"pod-template-hash\":\"5d4f8c7b9\"},"
    "\"managedFields\":[{"
    "\"manager\":\"kube-controller-manager\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsV1\":{"
    "\"f:metadata\":{"
    "\"f:labels\":{\".\":{},\"f:app\":{}}},\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"web\\\"}\":{"
    "\".\":{},"
    "\"f:env\":{\".\":{},\"k:{\\\"name\\\":\\\"PORT\\\"}\":{\".\":{},\"f:name\":{},\"f:value\":{}}},\"f:"
    "image\":{}}}}}}]},"
    "\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"registry.example/shop/"
    "web:1.42.0\",\"env\":[{\"name\":\"PORT\","
    "\"value\":\"8080\"},{\"name\":\"DATABASE_URL\",\"value\":\"postgres://shop@db.example/"
    "shop\"},{\"name\":\"POD\","
    "\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.name\"}}}],\"resources\":{\"limits\":{\"cpu\":"
    "\"500m\","
    "\"memory\":\"256Mi\"}},\"volumeMounts\":[{\"name\":\"token\",\"readOnly\":true,\"mountPath\":\"/var/run/"
    "secrets\"}]}],"
    "\"nodeName\":\"node-17\",\"priority\":0,\"tolerations\":[{\"key\":\"node.kubernetes.io/"
    "not-ready\",\"operator\":\"Exists\","
    "\"effect\":\"NoExecute\",\"tolerationSeconds\":300}]},\"status\":{\"phase\":\"Running\",\"conditions\":["
    "{\"type\":\"Ready\","
    "\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"}],\"hostIP\":"
    "\"10.0.0.17\","
    "\"podIP\":\"10.1.4.2\",\"containerStatuses\":[{\"name\":\"web\",\"ready\":true,\"restartCount\":0}]}}";

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *list_of(size_t pods, size_t *ret_n)
{
    static const char begin[] = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[", end[] = "]}\n";
    char *text = malloc(sizeof begin + sizeof end + pods * sizeof pod);
    if (!text)
        exit(1);
    size_t n = (size_t)sprintf(text, "%s", begin);
    for (size_t i = 0; i < pods; i++)
        n += (size_t)sprintf(text + n, "%s%s", i ? "," : "", pod);
    *ret_n = n + (size_t)sprintf(text + n, "%s", end);
    return text;
}

static struct kube_plan *plan_with(char *kind)
{
    static char column[] = "pods.spec.containers[*].env[*].value", name[] = "environment";
    static char *columns[] = { column };
    static const uint8_t key[MASK_KEY];
    Ipc__Mask mask = IPC__MASK__INIT, *masks[] = { &mask };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Target target = IPC__TARGET__INIT;
    struct circumstances who = { .target = "prod" };
    struct kube_request *request = NULL;
    struct kube_plan *plan = NULL;
    mask.name = name;
    mask.with = kind;
    mask.columns = columns;
    mask.n_columns = 1;
    config.masks = masks;
    config.n_masks = 1;
    if (kube_request_read("GET", "/api/v1/pods", &request, NULL) ||
        kube_plan_new(&config, &target, &who, request, key, &plan))
        exit(1);
    kube_request_free(request);
    return plan;
}

static double look(const struct kube_plan *plan, const char *text, size_t n)
{
    struct kube_veil *veil = NULL;
    struct buffer out;
    buffer_init(&out, OUT_MAX);
    double before = now();
    if (kube_veil_new(plan, &veil))
        exit(1);
    for (size_t at = 0; at < n; at += PIECE) {
        if (kube_veil_bytes(veil, text + at, n - at < PIECE ? n - at : PIECE, &out))
            exit(1);
        buffer_consume(&out, buffer_size(&out));
    }
    if (kube_veil_end(veil) || kube_veil_masked(veil) == 0)
        exit(1);
    double took = now() - before;
    kube_veil_free(veil);
    buffer_free(&out);
    return took;
}

int main(int argc, char **argv)
{
    char redact[] = "redact", hash[] = "hash", *const kinds[] = { redact, hash };
    size_t n = 0, pods = argc > 1 ? strtoul(argv[1], NULL, 10) : PODS;
    char *text = list_of(pods, &n);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct kube_plan *plan = plan_with(kinds[i]);
        double best = look(plan, text, n);
        for (int k = 1; k < RUNS; k++) {
            double took = look(plan, text, n);
            best = took < best ? took : best;
        }
        printf("%s %.0f\n", kinds[i], (double)n / best / 1e6);
        kube_plan_free(plan);
    }
    free(text);
    return 0;
}
