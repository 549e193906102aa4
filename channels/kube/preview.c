/* See preview.h. */
#include "channels/kube/preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/diff.h"
#include "channels/kube/frame.h"
#include "channels/kube/object_text.h"
#include "policy/kube_url.h"

enum preview_kind { PREVIEW_CREATE, PREVIEW_CHANGE, PREVIEW_DELETE, PREVIEW_DELETE_ALL };
enum { STEPS_MAX = 2, OBJECT_MAX = 1024 * 1024, PARAMETERS_MAX = 8 };

/* A request of ours, and its answer. */
struct step {
    const char *method, *accept;
    char *target;
    bool has_body; /* the held request's */
    unsigned status;
    struct buffer answer; /* masked */
    bool whole;
};

struct kube_preview {
    enum preview_kind kind;
    bool to_judge;
    struct step steps[STEPS_MAX];
    size_t n_steps, at;
    char *host, *type, *resource;
    struct buffer out, body;
    struct http_reader *reader;
    struct kube_plan *plan;
    struct kube_veil *veil; /* of the answer that comes */
};

static const char ONE[] = "application/json";
static const char NAMES[] =
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
static const char NAME[] = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";

void kube_preview_free(struct kube_preview *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < STEPS_MAX; i++) {
        free(p->steps[i].target);
        buffer_free(&p->steps[i].answer);
    }
    free(p->host);
    free(p->type);
    free(p->resource);
    buffer_free(&p->out);
    buffer_free(&p->body);
    http_reader_free(p->reader);
    kube_veil_free(p->veil);
    kube_plan_free(p->plan);
    free(p);
}

/* ---- what is asked ---- */

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

/* Creating a subresource does something (evicts, binds, makes a token) that no dry run shows. */
static int kind_of(const struct exchange_question *q, enum preview_kind *ret)
{
    static const struct {
        const char *verb;
        enum preview_kind kind;
    } kinds[] = { { "create", PREVIEW_CREATE },
                  { "update", PREVIEW_CHANGE },
                  { "patch", PREVIEW_CHANGE },
                  { "delete", PREVIEW_DELETE },
                  { "deletecollection", PREVIEW_DELETE_ALL } };
    const struct kube_request *request = q->request;
    if (!request->is_resource || request->connects || q->streams || q->upgrades ||
        kube_request_parameter(request, "dryRun"))
        return KUBE_PREVIEW_NONE;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].verb, request->verb) == 0 &&
            !(kinds[i].kind == PREVIEW_CREATE && *request->subresource)) {
            *ret = kinds[i].kind;
            return 0;
        }
    }
    return KUBE_PREVIEW_NONE;
}

/* The request's path with these of its parameters, and one more. */
static int target_of(const struct kube_request *request, const char *const *kept, const char *name,
                     const char *value, char **ret)
{
    struct kube_parameter query[PARAMETERS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < request->n_query && n < PARAMETERS_MAX; i++)
        if (is_one_of(request->query[i].name, kept))
            query[n++] = request->query[i];
    if (name)
        query[n++] = (struct kube_parameter){ (char *)(uintptr_t)name, (char *)(uintptr_t)value };
    return kube_url_write(request->path, query, n, ret);
}

static int add_step(struct kube_preview *p, const char *method, const char *accept, bool has_body,
                    char *target)
{
    struct step *step = &p->steps[p->n_steps++];
    *step = (struct step){ .method = method, .accept = accept, .target = target, .has_body = has_body };
    buffer_init(&step->answer, KUBE_PREVIEW_ANSWER_MAX);
    return 0;
}

static const char *method_of(const struct exchange_question *q)
{
    static const char *const methods[] = { "POST", "PUT", "PATCH" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i], q->head->method) == 0)
            return methods[i];
    return "GET";
}

static int plan_steps(struct kube_preview *p, const struct exchange_question *q)
{
    static const char *const of_writes[] = { "fieldManager", "fieldValidation", "force", NULL };
    static const char *const of_lists[] = { "labelSelector", "fieldSelector", NULL };
    static const char *const none[] = { NULL };
    char listed[16], *target = NULL;
    int r = 0;
    (void)snprintf(listed, sizeof listed, "%d", KUBE_PREVIEW_LISTED);
    switch (p->kind) {
    case PREVIEW_CHANGE:
        if (!p->to_judge) {
            r = target_of(q->request, none, NULL, NULL, &target);
            r = r ? r : add_step(p, "GET", ONE, false, target);
        }
        /* fallthrough */
    case PREVIEW_CREATE:
        r = r ? r : target_of(q->request, of_writes, "dryRun", "All", &target);
        return r ? r : add_step(p, method_of(q), ONE, true, target);
    case PREVIEW_DELETE:
        r = target_of(q->request, none, NULL, NULL, &target);
        return r ? r : add_step(p, "GET", NAME, false, target);
    case PREVIEW_DELETE_ALL:
        r = target_of(q->request, of_lists, "limit", listed, &target);
        return r ? r : add_step(p, "GET", NAMES, false, target);
    }
    return r;
}

static int put_request(struct kube_preview *p)
{
    const struct step *step = &p->steps[p->at];
    struct buffer head;
    buffer_init(&head, FRAME_HEAD_MAX);
    int r = http_put_request(&head, step->method, step->target);
    r = r ? r : http_put_field(&head, "Host", p->host);
    r = r ? r : http_put_field(&head, "Accept", step->accept);
    r = r ? r : http_put_field(&head, "Accept-Encoding", "identity");
    r = r ? r : http_put_field(&head, "User-Agent", "gatehouse-preview");
    if (r == 0 && step->has_body && p->type)
        r = http_put_field(&head, "Content-Type", p->type);
    r = r ? r
          : http_put_end_of_head(&head, step->has_body ? HTTP_LENGTH : HTTP_NO_BODY,
                                 step->has_body ? buffer_size(&p->body) : 0);
    r = r ? r : frame_put_head(&p->out, buffer_head(&head), buffer_size(&head));
    if (r == 0 && step->has_body)
        r = frame_put_body(&p->out, buffer_head(&p->body), buffer_size(&p->body));
    buffer_free(&head);
    return r;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int fill(struct kube_preview *p, const struct kube_preview_want *want)
{
    const struct exchange_question *q = want->question;
    char resource[KUBE_TARGET_MAX];
    p->host = strdup(want->host);
    p->type = copy(http_head_field(q->head, "content-type"));
    p->resource = strdup(kube_request_resource(q->request, resource, sizeof resource));
    buffer_init(&p->out, EXCHANGE_SERVER_MAX);
    buffer_init(&p->body, EXCHANGE_BODY_MAX);
    if (!p->host || !p->resource)
        return -ENOMEM;
    int r = buffer_append(&p->body, q->body, q->body_n);
    r = r ? r : plan_steps(p, q);
    if (r == 0 && !want->to_judge)
        r = kube_plan_new(want->config, want->target, &want->who, q->request, NULL, &p->plan);
    r = r ? r : http_reader_new(HTTP_RESPONSES, &p->reader);
    return r ? r : put_request(p);
}

int kube_preview_new(const struct kube_preview_want *want, struct kube_preview **ret)
{
    enum preview_kind kind = PREVIEW_CREATE;
    int r = kind_of(want->question, &kind);
    if (r)
        return r;
    CLEANUP(kube_preview_free) struct kube_preview *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->kind = kind;
    p->to_judge = want->to_judge;
    r = fill(p, want);
    if (r == 0)
        *ret = STEAL(p);
    return r;
}

struct buffer *kube_preview_out(struct kube_preview *p)
{
    return &p->out;
}

/* ---- what is answered ---- */

static int take_head(struct kube_preview *p, const struct http_head *head)
{
    struct step *step = &p->steps[p->at];
    step->status = head->status;
    kube_veil_free(STEAL(p->veil));
    int r = p->plan ? kube_plan_hide_words(p->plan, step->method, head->status) : 0;
    return r || !p->plan ? r : kube_veil_new(p->plan, &p->veil);
}

static int take_body(struct kube_preview *p, const uint8_t *bytes, size_t n)
{
    struct buffer *answer = &p->steps[p->at].answer;
    return p->veil ? kube_veil_bytes(p->veil, bytes, n, answer) : buffer_append(answer, bytes, n);
}

/* The next request follows on the same connection, where it may. */
static int take_end(struct kube_preview *p, const struct http_head *head)
{
    if (head->status / 100 == 1)
        return 0;
    p->steps[p->at].whole = !p->veil || kube_veil_end(p->veil) == 0;
    p->at++;
    if (p->at == p->n_steps || !head->keeps_alive)
        return KUBE_PREVIEW_DONE;
    return put_request(p);
}

int kube_preview_take(struct kube_preview *p, const void *bytes, size_t n, size_t *ret_taken)
{
    size_t at = 0;
    int r = 0;
    while (r == 0 && at < n && p->at < p->n_steps) {
        struct http_event event;
        struct detail detail;
        size_t taken = 0;
        r = http_reader_next(p->reader, (const uint8_t *)bytes + at, n - at, &taken, &event, &detail);
        at += taken;
        if (r == 0 && event.kind == HTTP_GOT_HEAD)
            r = take_head(p, event.head);
        else if (r == 0 && event.kind == HTTP_GOT_BODY)
            r = take_body(p, event.bytes, event.n);
        else if (r == 0 && event.kind == HTTP_GOT_END)
            r = take_end(p, event.head);
    }
    *ret_taken = at;
    return r == 0 ? 0 : KUBE_PREVIEW_DONE; /* whatever it is, what is whole is shown */
}

/* ---- words ---- */

static const char *bytes_of(const struct step *step)
{
    return (const char *)buffer_head(&step->answer);
}

/* The answer as text, NUL-terminated. */
static int text_of(const struct step *step, struct buffer *text)
{
    int r = object_text(text, bytes_of(step), buffer_size(&step->answer));
    return r ? r : buffer_append(text, "", 1);
}

static int put_failure(const struct step *step, const char *what, struct buffer *out)
{
    char message[1024];
    (void)object_failure(bytes_of(step), buffer_size(&step->answer), message, sizeof message);
    return buffer_printf(out, "%s: %u%s%s\n", what, step->status, *message ? " " : "", message);
}

static int put_difference(const struct kube_preview *p, const struct step *before, const struct step *after,
                          struct buffer *out)
{
    struct buffer there, then;
    buffer_init(&there, OBJECT_MAX);
    buffer_init(&then, OBJECT_MAX);
    int r = before ? text_of(before, &there) : buffer_append(&there, "", 1);
    r = r ? r : text_of(after, &then);
    size_t at = buffer_size(out);
    r = r ? r : diff_put(out, (const char *)buffer_head(&there), (const char *)buffer_head(&then));
    if (r == 0 && buffer_size(out) == at)
        r = buffer_printf(out, "%s\n",
                          p->plan ? "nothing would change but values that are masked"
                                  : "nothing would change");
    if (r == OBJECT_TEXT_UNREADABLE)
        r = buffer_printf(out, "the dry run's answer can't be shown\n");
    buffer_free(&there);
    buffer_free(&then);
    return r;
}

static int put_change(const struct kube_preview *p, struct buffer *out)
{
    const struct step *last = &p->steps[p->n_steps - 1];
    const struct step *before = p->n_steps > 1 && p->steps[0].status / 100 == 2 ? &p->steps[0] : NULL;
    if (last->whole && last->status / 100 != 2)
        return put_failure(last, "a dry run is refused", out);
    if (!last->whole || (before && !before->whole))
        return buffer_printf(out, "a dry run could not be had in time\n");
    int r = buffer_printf(out, "%s",
                          before ? "dry run, what would change:\n" : "dry run, what would be created:\n");
    return r ? r : put_difference(p, before, last, out);
}

static int put_deletion(const struct kube_preview *p, struct buffer *out)
{
    const struct step *step = &p->steps[0];
    struct buffer names;
    uint64_t count = 0;
    if (!step->whole)
        return buffer_printf(out, "what would be deleted could not be listed in time\n");
    if (step->status / 100 != 2)
        return put_failure(step, "what would be deleted can't be told", out);
    if (p->kind == PREVIEW_DELETE) {
        int told = buffer_printf(out, "1 object would be deleted (%s):\n", p->resource);
        told = told ? told : object_text(out, bytes_of(step), buffer_size(&step->answer));
        return told == OBJECT_TEXT_UNREADABLE ? 0 : told;
    }
    buffer_init(&names, KUBE_PREVIEW_TEXT_MAX);
    int r = object_names(&names, bytes_of(step), buffer_size(&step->answer), KUBE_PREVIEW_NAMES, &count);
    if (r == 0 || r == -ENOBUFS)
        r = buffer_printf(out, "%llu object%s would be deleted (%s)%s%.*s%s\n", (unsigned long long)count,
                          count == 1 ? "" : "s", p->resource, count ? ": " : "", (int)buffer_size(&names),
                          buffer_size(&names) ? (const char *)buffer_head(&names) : "",
                          count > KUBE_PREVIEW_NAMES ? " …" : "");
    else if (r == OBJECT_TEXT_UNREADABLE)
        r = buffer_printf(out, "what would be deleted can't be listed\n");
    buffer_free(&names);
    return r;
}

int kube_preview_words(struct kube_preview *p, struct buffer *out)
{
    return p->kind == PREVIEW_DELETE || p->kind == PREVIEW_DELETE_ALL ? put_deletion(p, out)
                                                                      : put_change(p, out);
}

const uint8_t *kube_preview_object(const struct kube_preview *p, size_t *ret_n)
{
    const struct step *last = &p->steps[p->n_steps - 1];
    bool there = p->to_judge && last->whole && last->status / 100 == 2;
    *ret_n = there ? buffer_size(&last->answer) : 0;
    return there ? buffer_head(&last->answer) : NULL;
}
