/* What a request is answered with by us, and what follows on the client's connection then. */
#include <string.h>

#include "channels/kube/exchange_parts.h"

void exchange_answered(struct exchange *x)
{
    if (x->whole && x->keeps_alive) {
        exchange_go(x, EXCHANGE_READING);
        exchange_forget_request(x);
    } else if (!x->keeps_alive || (x->streams && x->sent)) {
        exchange_go(x, EXCHANGE_OVER);
    } else {
        exchange_go(x, EXCHANGE_SKIPPING);
    }
}

int exchange_refuse(struct exchange *x, const struct kube_status *status)
{
    struct buffer object;
    buffer_init(&object, 64 * 1024);
    if (!x->head || (!x->whole && x->head->framing == HTTP_LENGTH && x->head->length > EXCHANGE_SKIP_MAX) ||
        (!x->whole && http_head_field(x->head, "expect")))
        x->keeps_alive = false;
    x->server_keeps = x->server_keeps && !x->sent;
    int r = kube_status_put(&object, status, x->request);
    r = r ? r : http_put_status(&x->to_client, kube_status_http(status));
    r = r ? r : http_put_field(&x->to_client, "Content-Type", "application/json");
    if (r == 0 && !x->keeps_alive)
        r = http_put_field(&x->to_client, "Connection", "close");
    r = r ? r : http_put_end_of_head(&x->to_client, HTTP_LENGTH, buffer_size(&object));
    if (r == 0 && !x->heads)
        r = buffer_append(&x->to_client, buffer_head(&object), buffer_size(&object));
    buffer_free(&object);
    if (r == 0)
        exchange_answered(x);
    return r;
}

int exchange_stop(struct exchange *x, const struct kube_status *status)
{
    bool untold = x->state == EXCHANGE_ASKING || (x->state == EXCHANGE_ANSWERING && !x->told);
    x->keeps_alive = false;
    if (status && untold)
        return exchange_refuse(x, status);
    exchange_go(x, EXCHANGE_OVER);
    return 0;
}
