/* SPDY/3.1 frames (draft-mbelshe-httpbis-spdy-00 §2), as Kubernetes speaks it: bytes to events and back. No
 * I/O.
 *
 * Its clients and servers (github.com/moby/spdystream) have no flow control: they neither tell of windows nor
 * keep to them. So here, too, WINDOW_UPDATE and SETTINGS are read and dropped, and who takes too much waits
 * by not reading. */
#pragma once
#include "channels/kube/spdy_headers.h"

enum {
    SPDY_CONTROL_MAX = 32 * 1024, /* bytes of a control frame */
    SPDY_DATA_MAX = 0xffffff,     /* of a data frame */
    SPDY_STREAM_MAX = 0x7fffffff, /* the highest id of a stream */
};

enum spdy_event_kind {
    SPDY_GOT_NOTHING, /* more bytes are wanted: everything has been taken */
    SPDY_GOT_STREAM,  /* SYN_STREAM: stream, fin, headers */
    SPDY_GOT_REPLY,   /* SYN_REPLY: the same */
    SPDY_GOT_RESET,   /* stream, status */
    SPDY_GOT_PING,    /* id */
    SPDY_GOT_GOAWAY,  /* stream: the last good one; status */
    SPDY_GOT_DATA,    /* stream; bytes of it, pointing into what was given; fin: after the last of a frame */
};
struct spdy_event {
    enum spdy_event_kind kind;
    uint32_t stream, id, status;
    bool fin;
    const struct spdy_headers *headers; /* until the next call */
    const uint8_t *bytes;
    size_t n;
};
enum { SPDY_MALFORMED = 1 };
enum { SPDY_PROTOCOL_ERROR = 1, SPDY_REFUSED_STREAM = 3, SPDY_CANCEL = 5 }; /* status of a reset, §2.6.3 */
enum { SPDY_GOAWAY_OK = 0, SPDY_GOAWAY_PROTOCOL_ERROR = 1 };                /* of a GOAWAY, §2.6.6 */

struct spdy_reader;
MUST_USE int spdy_reader_new(struct spdy_reader **ret);
void spdy_reader_free(struct spdy_reader *reader);
DEFINE_CLEANUP(struct spdy_reader *, spdy_reader_free)
/* Takes some of the bytes and tells of one event. SPDY_MALFORMED (detail: for the peer), -ENOMEM: nothing
 * more can be read. */
MUST_USE int spdy_reader_next(struct spdy_reader *reader, const void *bytes, size_t n, size_t *ret_taken,
                              struct spdy_event *ret, struct detail *detail);

/* ---- writing: -ENOBUFS beyond the buffer's limit, -ENOMEM; a connection is lost by either ---- */

MUST_USE int spdy_put_stream(struct spdy_packer *packer, struct buffer *out, uint32_t stream, bool fin,
                             const struct spdy_headers *headers);
MUST_USE int spdy_put_reply(struct spdy_packer *packer, struct buffer *out, uint32_t stream, bool fin,
                            const struct spdy_headers *headers);
MUST_USE int spdy_put_reset(struct buffer *out, uint32_t stream, uint32_t status);
MUST_USE int spdy_put_ping(struct buffer *out, uint32_t id);
MUST_USE int spdy_put_goaway(struct buffer *out, uint32_t last, uint32_t status);
/* n: at most SPDY_DATA_MAX */
MUST_USE int spdy_put_data(struct buffer *out, uint32_t stream, bool fin, const void *bytes, size_t n);
