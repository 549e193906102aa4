/* What a PostgreSQL server sent, as a person would have seen it in psql. Sans I/O; the bytes may be hostile.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum {
    PGVIEW_STREAMS_MAX = 256, /* told apart; later ones are passed over with a note */
    PGVIEW_MESSAGE_MAX =
        1024 * 1024, /* bytes of one message that are looked at; longer ones are counted only */
};

struct pgview;

MUST_USE int pgview_new(struct pgview **ret);
void pgview_free(struct pgview *view);
DEFINE_CLEANUP(struct pgview *, pgview_free)

/* Takes the next bytes of a stream and appends what there is to see, lines ended by \n. -ENOBUFS when out is
 * full. */
MUST_USE int pgview_output(struct pgview *view, uint32_t stream, const uint8_t *bytes, size_t n,
                           struct buffer *out);
/* Bytes are not in the recording, or nothing comes any more: prints what is kept of every stream; whatever
 * comes next begins with a whole message. */
MUST_USE int pgview_end(struct pgview *view, struct buffer *out);
