/* See frame.h. */
#include "channels/kube/frame.h"

#include <errno.h>

static int put(struct buffer *out, uint8_t kind, const void *bytes, size_t n)
{
    int r = buffer_put_u8(out, kind);
    r = r ? r : buffer_put_u32(out, (uint32_t)n);
    return r ? r : buffer_append(out, bytes, n);
}

int frame_put_head(struct buffer *out, const void *head, size_t n)
{
    return n > FRAME_HEAD_MAX ? -EMSGSIZE : put(out, FRAME_HEAD, head, n);
}

int frame_put_body(struct buffer *out, const void *bytes, size_t n)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at < n;) {
        size_t piece = n - at < FRAME_BODY_MAX ? n - at : FRAME_BODY_MAX;
        r = put(out, FRAME_BODY, (const uint8_t *)bytes + at, piece);
        at += piece;
    }
    return r;
}
