/* libcurl on our event loop: HTTPS transfers, many at a time, each bounded in time and size. The one file
 * that talks to libcurl's transfers. */
#pragma once
#include <curl/curl.h>
#include "base/ipc.h"
#include "base/loop.h"

enum {
    WEB_TRANSFERS_MAX = 128,          /* at a time */
    WEB_TRANSFERS_PER_PARTY_MAX = 64, /* so that one provider that hangs leaves room for others */
    WEB_TIME_MAX_MS = 30 * 1000,
    WEB_TIME_MS = 10 * 1000,    /* when nothing is said */
    WEB_HEADER_MAX = 64 * 1024, /* bytes of all header lines of an answer, trailers and 1xx included */
    WEB_FORM_MAX = 32,          /* fields */
    WEB_FORM_BYTES_MAX = 64 * 1024,
    WEB_POST_MAX = 128 * 1024, /* bytes of a document that is posted */
};

struct web;
struct transfer;

/* What came of one. Borrowed until the handler returns. */
struct web_answer {
    uint32_t status; /* of HTTP; 0: nothing came, and error says why */
    const char *error;
    uint64_t max_age_s;
    const char *content_type;
    const uint8_t *body;
    size_t n;
};

typedef void web_handler(void *owner, const struct web_answer *answer);

struct web_request {
    const char *party; /* whose place it is: an issuer's name, a webhook's URL. Borrowed, as what follows */
    ProtobufCBinaryData trust; /* PEM of CAs; empty: the system's */
    CURLU *place;              /* judged (courier_place.h); taken over */
    Ipc__Variable **form;      /* POST; NULL: GET */
    size_t n_form;
    /* A POST of JSON instead, of whose answer the status alone counts, also when it breaks off behind that.
     */
    bool post;
    ProtobufCBinaryData document;
    struct curl_slist *headers; /* checked (courier_post.h); taken over */
    uint32_t timeout_ms;
};

/* Loads libcurl with all that it reads from files, and so before the jail is sealed. */
MUST_USE int web_new(struct loop *loop, struct web **ret, struct detail *detail);
void web_free(struct web *web);
DEFINE_CLEANUP(struct web *, web_free)
/* Files that libcurl reads later: the system's certificate authorities. NULL when it has none. */
const char *web_ca_file(const struct web *web);
/* The handler is called once, from the loop. -EBUSY: too many at a time; -E2BIG: the form or the document.
 * request->place and request->headers are freed in any case. */
MUST_USE int web_start(struct web *web, struct web_request *request, web_handler *handler, void *owner,
                       struct transfer **ret);
/* Instead of being called. */
void web_cancel(struct transfer *transfer);
