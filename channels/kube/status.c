/* See status.h. kubectl shows no more than `message`, so what to do next is in there too; programs find each
 * part by itself in `details.causes`. */
#include "channels/kube/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum { MESSAGE_MAX = 4096 };

static const struct {
    const char *code;
    unsigned http;
    const char *reason; /* metav1.StatusReason */
    const char *next;
} forms[] = {
    { "denied", 403, "Forbidden", "`describe` lists what you may do here" },
    { "unparsable", 403, "Forbidden",
      "ask for it in the API's usual form; `describe` lists what you may do" },
    { "malformed", 400, "BadRequest", "speak plain HTTP/1.1 here, as to `kubectl proxy`" },
    { "pending", 403, "Forbidden", "run exactly the same again once it is approved" },
    { "approval_denied", 403, "Forbidden", "ask that person before you try again" },
    { "approval_expired", 403, "Forbidden", "run it again to ask again" },
    { "masked_predicate", 403, "Forbidden", "leave what is masked out of it" },
    { "masked_write", 403, "Forbidden",
      "change single fields (kubectl patch, set, label …), or leave out what you were shown masked" },
    { "target_unavailable", 503, "ServiceUnavailable", "try again later, or tell the bastion's operators" },
    { "vault_sealed", 503, "ServiceUnavailable", "tell the bastion's operators: the vault must be unsealed" },
    { "recording_unavailable", 503, "ServiceUnavailable",
      "tell the bastion's operators: nothing runs unrecorded" },
    { "limit", 413, "RequestEntityTooLarge", "ask for less at once" },
};

static size_t form_of(const char *code)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(forms[i].code, code) == 0)
            return i;
    return 0;
}

unsigned kube_status_http(const struct kube_status *status)
{
    return status->http ? status->http : forms[form_of(status->code)].http;
}

static const char *reason_of(const struct kube_status *status)
{
    switch (kube_status_http(status)) {
    case 400:
        return "BadRequest";
    case 406:
        return "NotAcceptable";
    case 415:
        return "UnsupportedMediaType";
    case 429:
        return "TooManyRequests";
    case 502:
        return "InternalError";
    default:
        return forms[form_of(status->code)].reason;
    }
}

static const char *verb_of(const char *code)
{
    if (strcmp(code, "pending") == 0)
        return "held";
    return strcmp(code, "limit") == 0 ? "refused" : "denied";
}

static void put_message(struct json *j, const struct kube_status *status, const char *next)
{
    char text[MESSAGE_MAX];
    if (status->rule && *status->rule)
        (void)snprintf(text, sizeof text, "%s by rule \"%s\": %s (code %s); next: %s", verb_of(status->code),
                       status->rule, status->reason, status->code, next);
    else
        (void)snprintf(text, sizeof text, "gatehouse: %s (code %s); next: %s", status->reason, status->code,
                       next);
    json_text(j, "message", text);
}

static void put_cause(struct json *j, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    json_open_object(j, NULL);
    json_text(j, "reason", name);
    json_text(j, "message", text);
    json_close_object(j);
}

static void put_details(struct json *j, const struct kube_status *status, const struct kube_request *of,
                        const char *next)
{
    json_open_object(j, "details");
    if (of && of->is_resource && *of->name)
        json_text(j, "name", of->name);
    if (of && of->is_resource && *of->group)
        json_text(j, "group", of->group);
    if (of && of->is_resource)
        json_text(j, "kind", of->resource);
    json_open_array(j, "causes");
    put_cause(j, "code", status->code);
    put_cause(j, "rule", status->rule);
    put_cause(j, "reason", status->reason);
    put_cause(j, "request", status->request);
    put_cause(j, "next", next);
    json_close_array(j);
    if (status->wait_s)
        json_u64(j, "retryAfterSeconds", status->wait_s);
    json_close_object(j);
}

int kube_status_put(struct buffer *out, const struct kube_status *status, const struct kube_request *of)
{
    const char *next = status->next ? status->next : forms[form_of(status->code)].next;
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_text(&j, "kind", "Status");
    json_text(&j, "apiVersion", "v1");
    json_open_object(&j, "metadata");
    json_close_object(&j);
    json_text(&j, "status", "Failure");
    put_message(&j, status, next);
    json_text(&j, "reason", reason_of(status));
    put_details(&j, status, of, next);
    json_u64(&j, "code", kube_status_http(status));
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}
