/* Which fields of a request's head go on to an API server, and in what form. No I/O. */
#pragma once
#include "channels/kube/http.h"

enum { KUBE_FIELDS_REFUSED = 1 };
/* A token that says nothing, for clients that want one: `Authorization: Bearer gatehouse` is as good as none.
 */
#define KUBE_NO_TOKEN "gatehouse"

/* Whether a client may send these: fields by which it would be somebody else are refused, not dropped.
 * detail: for the client. */
MUST_USE int kube_fields_check(const struct http_head *head, struct detail *detail);

struct kube_fields_how {
    const char *host; /* of the target, for Host */
    bool json;        /* the answer has to be JSON: it is looked at, */
    bool tables;      /* and may be a Table */
};
/* Appends those that go on, and our own. */
MUST_USE int kube_fields_put(struct buffer *out, const struct http_head *head,
                             const struct kube_fields_how *how);
/* Appends those of an answer that go on to the client. */
MUST_USE int kube_fields_put_answer(struct buffer *out, const struct http_head *head);
/* The media types of an Accept field that are JSON, with or without Tables; "application/json" when there is
 * none. */
MUST_USE int kube_accept_json(struct buffer *out, const char *accept, bool tables);
