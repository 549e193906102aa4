/* See fields.h. Requests go by a list of what is let through: who the client is, is not its to say, and what
 * a server might make of any other field is not known. */
#include "channels/kube/fields.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcasecmp(name, *list) == 0)
            return true;
    return false;
}

/* ---- what is refused ---- */

/* What Connection names is dropped on the way (RFC 9110 §7.6.1): nothing that was judged may be. */
static bool drops_others(const char *connection)
{
    static const char *const usual[] = { "close", "keep-alive", "upgrade", "te", "http2-settings", NULL };
    for (const char *at = connection; *at;) {
        char token[32];
        at += strspn(at, " \t,");
        size_t n = strcspn(at, " \t,");
        if (n >= sizeof token)
            return true;
        memcpy(token, at, n);
        token[n] = '\0';
        if (n > 0 && !is_one_of(token, usual))
            return true;
        at += n;
    }
    return false;
}

/* A page of another place, in a browser on the agent's machine: it can't read what it asks for here, but it
 * could ask. What is served here has the same authority in both (RFC 6454 §7). */
static bool is_of_another_page(const struct http_head *head)
{
    const char *origin = http_head_field(head, "origin"), *host = http_head_field(head, "host");
    const char *site = http_head_field(head, "sec-fetch-site");
    const char *authority = origin ? strstr(origin, "://") : NULL;
    if (site && strcasecmp(site, "cross-site") == 0)
        return true;
    return origin && (!authority || !host || strcasecmp(authority + 3, host) != 0);
}

int kube_fields_check(const struct http_head *head, struct detail *detail)
{
    if (is_of_another_page(head))
        return detail_fail(detail, KUBE_FIELDS_REFUSED,
                           "it comes from a page of another place (Origin), in whose name nobody acts here");
    for (size_t i = 0; i < head->n_fields; i++) {
        const char *name = head->fields[i].name, *value = head->fields[i].value;
        if (begins(name, "impersonate-") || begins(name, "x-remote-"))
            return detail_fail(detail, KUBE_FIELDS_REFUSED,
                               "the field %.64s would make you somebody else; who you are is told to the "
                               "cluster by the bastion",
                               name);
        if (strcasecmp(name, "authorization") == 0 && *value && strcmp(value, "Bearer " KUBE_NO_TOKEN) != 0)
            return detail_fail(detail, KUBE_FIELDS_REFUSED,
                               "the field Authorization has no place here: the bastion has the target's "
                               "credential; take the token out of your kubeconfig");
        if (strcasecmp(name, "connection") == 0 && drops_others(value))
            return detail_fail(detail, KUBE_FIELDS_REFUSED, "the field Connection names others");
        if (strcasecmp(name, "content-encoding") == 0 && *value && strcasecmp(value, "identity") != 0)
            return detail_fail(detail, KUBE_FIELDS_REFUSED,
                               "a body with a Content-Encoding can't be looked into");
    }
    if (http_head_count(head, "content-type") > 1 || http_head_count(head, "accept") > 1)
        return detail_fail(detail, KUBE_FIELDS_REFUSED, "Content-Type or Accept is there twice");
    return 0;
}

/* ---- what goes on ---- */

static bool goes_on(const struct http_head *head, const char *name)
{
    static const char *const names[] = {
        "Content-Type",        "User-Agent",  "If-Match",   "If-None-Match",    "If-Modified-Since",
        "If-Unmodified-Since", "If-Range",    "Range",      "Cache-Control",    "Pragma",
        "Accept-Language",     "Traceparent", "Tracestate", "X-Requested-With", NULL
    };
    if (http_field_is_of_connection(head, name))
        return false;
    return is_one_of(name, names) || begins(name, "kubectl-");
}

/* "…;as=Table;…", however it is spaced: the server takes "; as = Table", too. */
static bool is_table(const char *type, size_t n)
{
    static const char table[] = "table";
    for (size_t i = 0; i + sizeof table - 1 <= n; i++)
        if (begins(type + i, table))
            return true;
    return false;
}

int kube_accept_json(struct buffer *out, const char *accept, bool tables)
{
    bool any = false;
    int r = 0;
    for (const char *at = accept ? accept : ""; *at && r == 0;) {
        at += strspn(at, " \t,");
        size_t n = strcspn(at, ",");
        while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
            n--;
        size_t type = strcspn(at, "; \t,");
        if (type == 16 && begins(at, "application/json") && (tables || !is_table(at, n))) {
            r = any ? buffer_append(out, ", ", 2) : 0;
            r = r ? r : buffer_append(out, at, n);
            any = true;
        }
        at += strcspn(at, ",");
    }
    return r || any ? r : buffer_append(out, "application/json", 16);
}

static int put_accept(struct buffer *out, const struct http_head *head, const struct kube_fields_how *how)
{
    const char *accept = http_head_field(head, "accept");
    if (!how->json)
        return accept ? http_put_field(out, "Accept", accept) : 0;
    int r = buffer_append(out, "Accept: ", 8);
    r = r ? r : kube_accept_json(out, accept, how->tables);
    return r ? r : buffer_append(out, "\r\n", 2);
}

int kube_fields_put(struct buffer *out, const struct http_head *head, const struct kube_fields_how *how)
{
    int r = http_put_field(out, "Host", how->host);
    r = r ? r : put_accept(out, head, how);
    r = r ? r : http_put_field(out, "Accept-Encoding", "identity");
    for (size_t i = 0; r == 0 && i < head->n_fields; i++)
        if (goes_on(head, head->fields[i].name))
            r = http_put_field(out, head->fields[i].name, head->fields[i].value);
    return r;
}

int kube_fields_put_answer(struct buffer *out, const struct http_head *head)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < head->n_fields; i++)
        if (!http_field_is_of_connection(head, head->fields[i].name))
            r = http_put_field(out, head->fields[i].name, head->fields[i].value);
    return r;
}
