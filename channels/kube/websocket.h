/* WebSocket (RFC 6455 §5): bytes to messages and back. No I/O. No extension is ever agreed to. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

enum {
    WEBSOCKET_PART_MAX = 64 * 1024, /* bytes of a message that are told at once */
    WEBSOCKET_CONTROL_MAX = 125,    /* of a ping, a pong or a close */
    WEBSOCKET_REASON_MAX = WEBSOCKET_CONTROL_MAX - 2,
    WEBSOCKET_HEAD_MAX = 14,
};

enum websocket_side { WEBSOCKET_OF_CLIENT, WEBSOCKET_OF_SERVER }; /* who sends it: a client masks */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10,
};

/* RFC 6455 §7.4.1 */
enum {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_INTERNAL = 1011,
};

enum websocket_event_kind {
    WEBSOCKET_GOT_NOTHING, /* more bytes are wanted: everything has been taken */
    WEBSOCKET_GOT_MESSAGE, /* a whole one, or a part of one that is longer than WEBSOCKET_PART_MAX */
    WEBSOCKET_GOT_PING,
    WEBSOCKET_GOT_PONG,
    WEBSOCKET_GOT_CLOSE, /* nothing follows; bytes: without the code */
};
struct websocket_event {
    enum websocket_event_kind kind;
    const uint8_t *bytes; /* until the next call */
    size_t n;
    bool text;         /* of a message; whether it is UTF-8 is not looked at */
    bool begins, ends; /* of a message: its first, its last part */
    unsigned code;     /* of a close; 0: none */
};
enum { WEBSOCKET_MALFORMED = 1 };

struct websocket_reader;

MUST_USE int websocket_reader_new(enum websocket_side side, struct websocket_reader **ret);
void websocket_reader_free(struct websocket_reader *reader);
DEFINE_CLEANUP(struct websocket_reader *, websocket_reader_free)
/* Takes some of the bytes and tells of one event. WEBSOCKET_MALFORMED (detail: for the peer), -ENOMEM:
 * nothing more can be read. */
MUST_USE int websocket_reader_next(struct websocket_reader *reader, const void *bytes, size_t n,
                                   size_t *ret_taken, struct websocket_event *ret, struct detail *detail);

/* ---- writing: -ENOBUFS beyond the buffer's limit, -ENOMEM, -EIO (no random bytes) ---- */

/* A frame that is a message by itself, or a control frame. */
MUST_USE int websocket_put(struct buffer *out, enum websocket_side side, enum websocket_opcode opcode,
                           const void *bytes, size_t n);
MUST_USE int websocket_put_close(struct buffer *out, enum websocket_side side, unsigned code, /* 0: none */
                                 const char *reason); /* cut at WEBSOCKET_REASON_MAX */

/* The same in pieces: the head, then exactly n bytes. */
struct websocket_writer {
    struct buffer *out;
    uint8_t key[4];
    uint64_t at;
};
MUST_USE int websocket_begin(struct websocket_writer *writer, struct buffer *out, enum websocket_side side,
                             enum websocket_opcode opcode, size_t n);
MUST_USE int websocket_add(struct websocket_writer *writer, const void *bytes, size_t n);
