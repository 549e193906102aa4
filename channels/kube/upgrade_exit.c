/* How a command ended: from version 4 on a Status as JSON (k8s.io/apimachinery, pkg/util/remotecommand;
 * k8s.io/client-go, tools/remotecommand/v4.go), before that a line of text or nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "channels/kube/upgrade_parts.h"
#include "policy/kube_body.h"

/* The value of a field "path=value" of those that were found; the first. */
static const char *value_of(const struct effect *effect, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < effect->n_also; i++)
        if (strncmp(effect->also[i], path, n) == 0 && effect->also[i][n] == '=')
            return effect->also[i] + n + 1;
    return NULL;
}

static void read_status(const struct effect *status, struct kube_exit *ret)
{
    const char *word = value_of(status, "status"), *reason = value_of(status, "reason");
    const char *cause = value_of(status, "details.causes[*].reason");
    const char *code = value_of(status, "details.causes[*].message");
    const char *message = value_of(status, "message");
    uint64_t number = 0;
    if (word && strcmp(word, "Success") == 0)
        *ret = (struct kube_exit){ .known = true };
    else if (reason && cause && code && strcmp(reason, "NonZeroExitCode") == 0 &&
             strcmp(cause, "ExitCode") == 0 && text_to_u64(code, UINT32_MAX, &number))
        *ret = (struct kube_exit){ .known = true, .status = (uint32_t)number };
    if (message)
        (void)snprintf(ret->message, sizeof ret->message, "%s", message);
}

int kube_exit_read(const void *text, size_t n, bool says_status, struct kube_exit *ret)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    CLEANUP(kube_body_free) struct kube_body *body = NULL;
    struct effect *status = NULL;
    *ret = (struct kube_exit){ .known = false };
    if (!says_status) {
        (void)text_escape(ret->message, sizeof ret->message, text, n, false);
        return 0;
    }
    int r = kube_body_read("application/json", text, n, &body);
    r = r ? r : effects_add(&effects, EFFECT_UNKNOWN, OBJECT_NONE, NULL, &status);
    r = r ? r : kube_body_fields(body, status);
    if (r == 0)
        read_status(status, ret);
    return r == -ENOBUFS ? 0 : r;
}

/* kubectl prints the message of a Status, or the text as it is. */
int kube_exit_put(const char *reason, bool says_status, struct buffer *out)
{
    struct json j = json_to(out);
    char message[DETAIL_MAX + 32];
    (void)snprintf(message, sizeof message, "gatehouse: %s", reason);
    if (!says_status)
        return buffer_append(out, message, strlen(message));
    json_open_object(&j, NULL);
    json_text(&j, "kind", "Status");
    json_text(&j, "apiVersion", "v1");
    json_open_object(&j, "metadata");
    json_close_object(&j);
    json_text(&j, "status", "Failure");
    json_text(&j, "message", message);
    json_text(&j, "reason", "Forbidden");
    json_u64(&j, "code", 403);
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}
