/* HTTP/1.1 (RFC 9112) messages: bytes to events and back. No I/O. The one user of http_parser.
 *
 * A message is never passed on as it came: its head is read, and written anew with a framing of our own, so
 * that nobody behind us can see another border between two messages than we do. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"

enum {
    HTTP_HEAD_MAX = 64 * 1024, /* bytes of a head; and of the trailers, which are dropped */
    HTTP_FIELDS_MAX = 128,
};

enum http_side { HTTP_REQUESTS, HTTP_RESPONSES }; /* what is read */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE };

struct http_field {
    char *name, *value;
};

struct http_head {
    char *method, *target; /* of a request */
    unsigned status;       /* of a response */
    struct http_field *fields;
    size_t n_fields;
    enum http_framing framing;
    uint64_t length;  /* HTTP_LENGTH */
    bool keeps_alive; /* another message may follow on the connection */
    bool chunks;      /* its sender understands HTTP_CHUNKED: it speaks HTTP/1.1 */
    bool upgrades;    /* a request that asks for another protocol; a response that switches to it (101) */
};

enum http_event_kind {
    HTTP_GOT_NOTHING, /* more bytes are wanted: everything has been taken */
    HTTP_GOT_HEAD,    /* head is set, until the next HTTP_GOT_HEAD */
    HTTP_GOT_BODY,    /* bytes[0, n) of it, pointing into what was given */
    HTTP_GOT_END,     /* of the message; what follows is the next, or another protocol's */
};
struct http_event {
    enum http_event_kind kind;
    const struct http_head *head;
    const uint8_t *bytes;
    size_t n;
};
enum { HTTP_MALFORMED = 1 };

struct http_reader;

MUST_USE int http_reader_new(enum http_side side, struct http_reader **ret);
void http_reader_free(struct http_reader *reader);
DEFINE_CLEANUP(struct http_reader *, http_reader_free)
/* Before a response is read: whether it answers HEAD, and so has no body whatever its head says. */
void http_reader_answers_head(struct http_reader *reader, bool head);
/* Takes some of the bytes and tells of one event. HTTP_MALFORMED (detail: for the peer), -ENOMEM: nothing
 * more can be read. */
MUST_USE int http_reader_next(struct http_reader *reader, const void *bytes, size_t n, size_t *ret_taken,
                              struct http_event *ret, struct detail *detail);
/* The peer sends no more. HTTP_GOT_END in *ret when that ends a body; HTTP_GOT_NOTHING between messages;
 * HTTP_MALFORMED when something was cut off. */
MUST_USE int http_reader_close(struct http_reader *reader, struct http_event *ret, struct detail *detail);

/* The value of the only field of that name, in any case; NULL when there is none. Of several it is the first:
 * see http_head_count(). */
const char *http_head_field(const struct http_head *head, const char *name);
size_t http_head_count(const struct http_head *head, const char *name);
/* Whether the field is about one connection alone (RFC 9110 §7.6.1), or about framing: it is not passed on.
 */
bool http_field_is_of_connection(const struct http_head *head, const char *name);

/* ---- writing: -ENOBUFS beyond the buffer's limit, -ENOMEM ---- */

MUST_USE int http_put_request(struct buffer *out, const char *method, const char *target);
MUST_USE int http_put_status(struct buffer *out, unsigned status);
/* value: without line ends (a reader never gives one with any). */
MUST_USE int http_put_field(struct buffer *out, const char *name, const char *value);
/* The framing's field and the empty line. */
MUST_USE int http_put_end_of_head(struct buffer *out, enum http_framing framing, uint64_t length);
MUST_USE int http_put_chunk(struct buffer *out, const void *bytes, size_t n); /* n > 0 */
MUST_USE int http_put_last_chunk(struct buffer *out);
