/* Of what a client offers, the gate goes on with what it reads, under the names that it knows; and a server's
 * answer must be one of these. Extensions of WebSocket are never offered. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "channels/kube/upgrade.h"

enum { KEY_BYTES = 16, ACCEPT_BYTES = 20 };

#define TUNNEL "SPDY/3.1+portforward.k8s.io"

static const char *const websocket_exec[] = { "v5.channel.k8s.io",        "v4.channel.k8s.io",
                                              "v4.base64.channel.k8s.io", "channel.k8s.io",
                                              "base64.channel.k8s.io",    NULL };
static const char *const websocket_forward[] = { TUNNEL, "v4.channel.k8s.io", "v4.base64.channel.k8s.io",
                                                 NULL };
static const char *const spdy_exec[] = { "v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io",
                                         "v2.channel.k8s.io", "channel.k8s.io",    NULL };
static const char *const spdy_forward[] = { "portforward.k8s.io", NULL };

static const char *const *known(bool websocket, bool forward)
{
    if (websocket)
        return forward ? websocket_forward : websocket_exec;
    return forward ? spdy_forward : spdy_exec;
}

static const char *field_name(bool websocket)
{
    return websocket ? "Sec-WebSocket-Protocol" : "X-Stream-Protocol-Version";
}

/* ---- what is offered ---- */

static void add(struct kube_offer *offer, const char *const *names, const char *name, size_t n)
{
    for (; *names; names++) {
        if (strncmp(*names, name, n) != 0 || (*names)[n])
            continue;
        for (size_t i = 0; i < offer->n; i++)
            if (offer->protocols[i] == *names)
                return;
        if (offer->n < KUBE_OFFERS_MAX)
            offer->protocols[offer->n++] = *names;
        return;
    }
}

/* Returns how many were named, known or not. */
static size_t read_names(struct kube_offer *offer, const char *const *names, const struct http_head *head)
{
    size_t named = 0;
    for (size_t i = 0; i < head->n_fields; i++) {
        if (strcasecmp(head->fields[i].name, field_name(offer->websocket)) != 0)
            continue;
        for (const char *at = head->fields[i].value; *at;) {
            at += strspn(at, " \t,");
            size_t n = strcspn(at, " \t,");
            named += n > 0;
            if (n > 0)
                add(offer, names, at, n);
            at += n;
        }
    }
    return named;
}

static bool is_base64_of(const char *text, size_t wanted)
{
    uint8_t bytes[64];
    size_t n = 0;
    return text && strlen(text) <= 64 && text_from_base64(text, strlen(text), bytes, sizeof bytes, &n) &&
           n == wanted;
}

/* RFC 6455 §4.2.1 */
static const char *fault_of_handshake(const struct http_head *head)
{
    const char *version = http_head_field(head, "sec-websocket-version");
    if (strcmp(head->method, "GET") != 0)
        return "a WebSocket begins with GET";
    if (!version || strcmp(version, "13") != 0)
        return "WebSocket is spoken in version 13";
    if (http_head_count(head, "sec-websocket-key") != 1 ||
        !is_base64_of(http_head_field(head, "sec-websocket-key"), KEY_BYTES))
        return "the WebSocket's key is not as it has to be";
    return NULL;
}

static bool is_stream(const struct kube_request *request)
{
    static const char *const names[] = { "exec", "attach", "portforward" };
    if (!request->is_resource || *request->group || strcmp(request->resource, "pods") != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(request->subresource, names[i]) == 0)
            return true;
    return false;
}

int kube_offer_read(const struct kube_request *request, const struct http_head *head, struct kube_offer *ret,
                    struct detail *detail)
{
    const char *upgrade = http_head_field(head, "upgrade");
    struct kube_offer offer = { .websocket = upgrade && strcasecmp(upgrade, "websocket") == 0 };
    if (!is_stream(request))
        return detail_fail(detail, KUBE_UPGRADE_REFUSED,
                           "only exec, attach and portforward of pods change the protocol here");
    if (!upgrade || http_head_count(head, "upgrade") != 1 ||
        (!offer.websocket && strcasecmp(upgrade, "SPDY/3.1") != 0))
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "the protocols here are websocket and SPDY/3.1");
    const char *why = offer.websocket ? fault_of_handshake(head) : NULL;
    if (why)
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "%s", why);
    bool forward = strcmp(request->subresource, "portforward") == 0;
    size_t named = read_names(&offer, known(offer.websocket, forward), head);
    if (offer.n == 0 && (named > 0 || !offer.websocket))
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "none of the versions in %s is spoken here",
                           field_name(offer.websocket));
    *ret = offer;
    return 0;
}

static int put_connection(struct buffer *out, bool websocket)
{
    int r = http_put_field(out, "Connection", "Upgrade");
    return r ? r : http_put_field(out, "Upgrade", websocket ? "websocket" : "SPDY/3.1");
}

/* A WebSocket's are a list; those of SPDY are a field each, for servers read no lists there. */
int kube_offer_put(const struct kube_offer *offer, const struct http_head *head, struct buffer *out)
{
    char list[512] = "";
    int r = put_connection(out, offer->websocket);
    for (size_t i = 0; r == 0 && i < offer->n; i++) {
        if (!offer->websocket)
            r = http_put_field(out, field_name(false), offer->protocols[i]);
        size_t n = strlen(list);
        (void)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", offer->protocols[i]);
    }
    if (r || !offer->websocket)
        return r;
    r = http_put_field(out, "Sec-WebSocket-Version", "13");
    r = r ? r : http_put_field(out, "Sec-WebSocket-Key", http_head_field(head, "sec-websocket-key"));
    return r || !list[0] ? r : http_put_field(out, field_name(true), list);
}

/* ---- what was agreed on ---- */

static const char *find(const struct kube_offer *offer, const char *name)
{
    for (size_t i = 0; i < offer->n; i++)
        if (strcmp(offer->protocols[i], name) == 0)
            return offer->protocols[i];
    return NULL;
}

int kube_agreement_read(const struct kube_offer *offer, const struct http_head *head,
                        struct kube_agreement *ret, struct detail *detail)
{
    const char *upgrade = http_head_field(head, "upgrade");
    const char *name = http_head_field(head, field_name(offer->websocket));
    bool named = name && *name; /* servers that agree to none may say so by an empty one */
    const char *protocol = named ? find(offer, name) : offer->websocket && offer->n == 0 ? "" : NULL;
    if (!upgrade || strcasecmp(upgrade, offer->websocket ? "websocket" : "SPDY/3.1") != 0 ||
        http_head_count(head, field_name(offer->websocket)) > 1 || !protocol)
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "the server agrees to what was not offered");
    if (http_head_field(head, "sec-websocket-extensions"))
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "the server agrees to an extension");
    if (offer->websocket && !is_base64_of(http_head_field(head, "sec-websocket-accept"), ACCEPT_BYTES))
        return detail_fail(detail, KUBE_UPGRADE_REFUSED, "the server's handshake is none");
    ret->protocol = protocol;
    ret->kind = !offer->websocket               ? KUBE_UPGRADE_STREAMS
                : strcmp(protocol, TUNNEL) == 0 ? KUBE_UPGRADE_TUNNEL
                                                : KUBE_UPGRADE_CHANNELS;
    return 0;
}

int kube_agreement_put(const struct kube_agreement *agreement, const struct http_head *head,
                       struct buffer *out)
{
    bool websocket = agreement->kind != KUBE_UPGRADE_STREAMS;
    int r = put_connection(out, websocket);
    if (r == 0 && *agreement->protocol)
        r = http_put_field(out, field_name(websocket), agreement->protocol);
    return r || !websocket
               ? r
               : http_put_field(out, "Sec-WebSocket-Accept", http_head_field(head, "sec-websocket-accept"));
}
