/* Where a request's body ends: followed byte by byte, so that nothing but a head of its own begins the next
 * request. No I/O. */
#pragma once
#include "vault/connector_head.h"

enum body_state {
    BODY_NONE,       /* all of it is through, or there was none */
    BODY_COUNTED,    /* `left` bytes more */
    BODY_SIZE,       /* chunked (RFC 9112 §7.1): in a size line */
    BODY_SIZE_END,   /* before its LF */
    BODY_CHUNK,      /* `left` bytes more of a chunk */
    BODY_CHUNK_END,  /* before its CR */
    BODY_CHUNK_END2, /* before its LF */
    BODY_LAST,       /* before the CR that ends the body: there are no trailers */
    BODY_LAST_END    /* before its LF */
};

struct body {
    enum body_state state;
    uint64_t left;
    unsigned digits; /* of a chunk's size, that were read */
};

struct body body_of(const struct head *head);
/* Bytes of it that come next; 0 or -EPROTO: more than belongs to it, or bad chunks. */
MUST_USE int body_take(struct body *body, const uint8_t *bytes, size_t n);
