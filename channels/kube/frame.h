/* What the gate gives to the connector of a Kubernetes target: heads and bodies in frames, since the
 * connector adds its own lines to each head (vault/connector_kube.c). No I/O. */
#pragma once
#include "base/buffer.h"

enum {
    FRAME_HEAD = 'H',
    FRAME_BODY = 'B',
    FRAME_HEAD_MAX = 64 * 1024,  /* bytes of a head */
    FRAME_BODY_MAX = 256 * 1024, /* bytes of a piece of a body */
    FRAME_PREFIX = 5,            /* kind, and length in four bytes, big-endian */
};

/* -EMSGSIZE: the head is too long. */
MUST_USE int frame_put_head(struct buffer *out, const void *head, size_t n);
/* In as many frames as it takes; n may be 0. */
MUST_USE int frame_put_body(struct buffer *out, const void *bytes, size_t n);
